"""One palette for all views: a colour, a word, a glyph and a line style always stand together for one meaning."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

# The colours of the card, of the text on it, and of its border.
PAPER, INK, EDGE = "#fdfcf9", "#1f2328", "#d8d4c8"

# Fonts whose widths Graphviz knows, so that a box is as wide as its text; a page shows those in `FACES` instead.
SANS, MONO = "Verdana", "Courier New"

FACES = {SANS: "Verdana,DejaVu Sans,sans-serif", MONO: "DejaVu Sans Mono,Menlo,Consolas,Courier New,monospace"}


@dataclass(frozen=True, slots=True)
class Style:
    """How one meaning looks.

    Args:
        line: Border and edge colour; contrast of 4.7 or more on paper.
        fill: Background; ink on it has a contrast of 12 or more.
        glyph: One character with the same meaning.
        width: Line width in points.
    """

    line: str
    fill: str
    glyph: str
    style: str = "solid"
    width: float = 1.2
    peripheries: int = 1


# The words for these keys are in the word table, as "palette.<key>".
PALETTE: dict[str, Style] = {
    "lower": Style("#3b6ea5", "#dbe8f5", "▤"),
    "upper": Style("#b3541e", "#fbe3d2", "✎", "bold", 2.2),
    "merged": Style("#2f7d4f", "#d9f0e1", "◎", peripheries=2),
    "hidden": Style("#6b7280", "#eceef1", "·", "dotted"),
    "whiteout": Style("#a11d3b", "#fbdde3", "⊘", "dashed"),
    "opaque": Style("#a11d3b", "#fbdde3", "▣", "dashed"),
    "hash": Style("#6b4fa0", "#e8e1f5", "#"),
    "equal": Style("#8a6d00", "#fff3c4", "=", width=3),
    "plain": Style("#6b7280", PAPER, ""),
}

# The sign of each kind of change, in pictures, tables and text.
CHANGES: dict[str, str] = {"added": "+", "changed": "~", "removed": "−", "copied_up": "↑"}


def hue(digest: str) -> str:
    """The colour of a digest's chip, computed from its first byte: equal digests look equal everywhere.

    The golden ratio spreads neighbouring byte values over the colour circle.
    """
    digits = digest.partition(":")[2] or digest
    red, green, blue = colorsys.hls_to_rgb(int(digits[:2], 16) * 0.618034 % 1, 0.55, 0.55)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
