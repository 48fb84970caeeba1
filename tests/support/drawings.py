"""Pictures taken apart: the place and the colours of each shape, and the text on it."""

import base64
import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
SVG = "{http://www.w3.org/2000/svg}"
DATA = re.compile(
    r'<img alt="([^"]*)" src="data:image/svg\+xml;base64,([^"]+)"[^>]*>'
    r"(?:<details><summary>[^<]+</summary><pre>(.*?)</pre></details>)?",
    re.DOTALL,
)


@dataclass
class Shape:
    """A box: its edges, its fill, its line and the dashes of the line."""

    left: float
    top: float
    right: float
    bottom: float
    fill: str
    line: str
    dashes: str

    def holds(self, x, y):
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass
class Drawing:
    """A picture of a notebook.

    Args:
        where: The notebook and the cell's id.
        alt: The alt text.
        twin: The text twin.
        shapes: Each is drawn over those before it.
        texts: Colour, size, words, and the shape below.
        width: In pixels.
    """

    where: str
    alt: str
    twin: str
    shapes: list
    texts: list
    width: float


def drawings():
    """All pictures that the notebooks store, taken apart."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for alt, data, twin in DATA.findall("".join(output.get("data", {}).get("text/html", ""))):
                    yield take_apart(
                        base64.b64decode(data).decode("utf-8"),
                        f"{path.stem} {cell['id']}",
                        html.unescape(alt),
                        html.unescape(twin),
                    )


def take_apart(svg, where="", alt="", twin=""):
    """Read an SVG of Graphviz's: polygons, paths and ellipses with a fill, and texts."""
    drawing = Drawing(where, alt, twin, [], [], 0)
    root = ElementTree.fromstring(svg)
    drawing.width = float(root.attrib["width"])
    for part in root.iter():
        kind = part.tag.removeprefix(SVG)
        if kind in ("polygon", "path", "ellipse", "polyline") and (box := corners(part)):
            fill, stroke, dashes = (
                part.get("fill", "black"),
                part.get("stroke", "none"),
                part.get("stroke-dasharray", ""),
            )
            drawing.shapes.append(Shape(*box, fill, stroke, dashes))
        elif kind == "text":
            x, y, size = (float(part.attrib[key]) for key in ("x", "y", "font-size"))
            x += {"start": 3, "middle": 0, "end": -3}[part.get("text-anchor", "start")]
            under = next(
                (shape for shape in reversed(drawing.shapes) if shape.fill != "none" and shape.holds(x, y - size / 3)),
                None,
            )
            drawing.texts.append((part.get("fill", "black"), size, "".join(part.itertext()), under))
    return drawing


def corners(part) -> tuple[float, float, float, float] | None:
    """The rectangle around a shape; None if it has no coordinates."""
    if part.get("cx"):
        x, y, wide, high = (float(part.get(key)) for key in ("cx", "cy", "rx", "ry"))
        return x - wide, y - high, x + wide, y + high
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", part.get("points") or part.get("d") or "")]
    return (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])) if numbers else None


def contrast(one, other):
    """The contrast ratio of two colours, from 1 to 21. Spec: WCAG 2.2, "contrast ratio"."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
