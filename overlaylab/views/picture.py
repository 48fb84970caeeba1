"""A picture and its text twin, always together, on a card that reads the same in light and dark themes."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

from .palette import EDGE, INK, MONO, PAPER, SANS
from .render import svg_of
from ..words import say

__all__ = ["CARD", "Picture", "new_graph"]

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
