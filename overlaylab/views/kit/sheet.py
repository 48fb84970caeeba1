"""A drawing sheet on which each box, text and arrow gets its coordinates.

Graphviz draws, but does not arrange: the origin is at the top left, x grows to the right and y downwards, all in
pixels. So a stack of layers can lie in the picture as it lies on the machine.
"""

from __future__ import annotations

from graphviz import nohtml

from .palette import INK, MONO, PALETTE, SANS, Style, hue
from .picture import Picture, new_graph

# The advance of one character and the height of one line, at 13 pixels.
CHAR, LINE = 7.85, 20


def width_of(text: str) -> float:
    """The width in pixels of a box around a text."""
    return round(len(text) * CHAR) + 18


def fitted(text: str, limit: int) -> str:
    """The text; where it is longer than `limit` characters, its beginning and its end with an ellipsis between."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) * 3 // 5
    return text[: limit - 1 - tail] + "…" + text[-tail:]


class Sheet:
    """Boxes, texts and arrows; each is drawn over those before it."""

    def __init__(self, name: str) -> None:
        self._graph = new_graph(name, layout="nop", outputorder="nodesfirst", splines="false")
        self._names: set[str] = set()

    @property
    def dot(self) -> str:
        """The Graphviz source."""
        return str(self._graph.source)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        style: str = "plain",
        *,
        middle: bool = False,
        title: str = "",
    ) -> None:
        """A rounded box in one of the palette's styles.

        Args:
            text: In the monospace font, aligned to the left unless `middle`.
            title: The tooltip; the text itself if it is empty.
        """
        look: Style = PALETTE[style]
        line = "filled,rounded" if look.style == "solid" else f"filled,rounded,{look.style}"
        border = {"style": line, "penwidth": str(look.width), "peripheries": str(look.peripheries)}
        colours = {"fillcolor": look.fill, "color": look.line}
        self._node(x, y, width, height, text, title, middle, shape="box", fontname=MONO, **border, **colours)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        width: float = 0,
        face: str = SANS,
        color: str = INK,
        size: int = 13,
        middle: bool = False,
    ) -> None:
        """Text without a box, which begins at x, or is centred in `width`."""
        room = width or len(text) * size * 0.75
        font = {"fontname": face, "fontcolor": color, "fontsize": str(size)}
        plain = {"shape": "none", "style": "", "fillcolor": "none", "margin": "0"}
        self._node(x, y, room, size + 7, text, "", middle, **plain, **font)

    def chip(self, x: float, y: float, digest: str, size: float = 14) -> None:
        """The swatch of a digest: decoration beside its text, so it has no title of its own."""
        colour = hue(digest)
        self._node(x, y, size, size, "", "", shape="box", style="filled,rounded", fillcolor=colour, color=colour)

    def square(self, x: float, y: float, size: float = 13) -> None:
        """The grey square that marks a random name, which no hash gives; decoration, too."""
        colour = PALETTE["hidden"].line
        self._node(x, y, size, size, "", "", shape="box", style="filled", fillcolor=colour, color=colour)

    def mark(self, x: float, y: float, name: str, computed: bool) -> None:
        """The chip of a name that a hash gives, or the square of a random one."""
        if computed:
            self.chip(x, y, name)
        else:
            self.square(x, y + 1)

    def arrow(self, x1: float, y1: float, x2: float, y2: float, style: str = "plain") -> None:
        """A straight arrow in a style's line colour."""
        ends = [self._node(x, y, 0, 0, "", "", shape="point", style="invis") for x, y in ((x1, y1), (x2, y2))]
        look = PALETTE[style]
        line = "solid" if look.style == "bold" else look.style
        self._graph.edge(*ends, color=look.line, penwidth="2", style=line)

    def _node(
        self, x: float, y: float, width: float, height: float, text: str, title: str, middle: bool = True, **look: str
    ) -> str:
        """Add a node; its name is the tooltip in a browser, so equal names differ in trailing blanks only."""
        name = title or text or " "
        while name in self._names:
            name += " "
        self._names.add(name)
        label = text.replace("\\", "\\\\") + ("" if middle else "\\l")
        place = {"pos": f"{x + width / 2:.1f},{-(y + height / 2):.1f}", "fixedsize": "true"}
        size = {"width": f"{width / 72:.3f}", "height": f"{height / 72:.3f}"}
        self._graph.node(_quotable(name), nohtml(label if text else ""), **place, **size, **look)
        return _quotable(name)


def _quotable(name: str) -> str:
    """A node's name that Graphviz takes literally: a colon would name a port."""
    return str(nohtml(name.replace("\\", "\\\\").replace(":", "꞉")))


def sentence_picture(name: str, sentence: str) -> Picture:
    """One sentence in place of a picture."""
    sheet = Sheet(name)
    sheet.text(0, 0, sentence, width=len(sentence) * 9)
    return Picture(sheet.dot, sentence, sentence)
