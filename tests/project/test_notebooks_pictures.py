"""The pictures that the notebooks store: a sentence and a text twin with each, so that nobody needs to see them."""

import html
import json
import re

import pytest
from drawings import NOTEBOOKS, drawings

ALL = list(drawings())
LONG = re.compile(r"\b[0-9a-f]{12}")
WORD = re.compile(r"[A-Za-z]{4,}")
BOOKS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def outputs(book):
    for cell in json.loads((NOTEBOOKS / f"{book}.ipynb").read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            yield cell["id"], {kind: "".join(text) for kind, text in output.get("data", {}).items()}


@pytest.mark.parametrize("book", BOOKS)
def test_a_notebook_that_nobody_runs_has_its_pictures(book):
    """Each picture is part of the page as it is stored: nothing is fetched, nothing waits for a kernel."""
    images = [
        (cell, image) for cell, data in outputs(book) for image in re.findall("<img [^>]*>", data.get("text/html", ""))
    ]

    assert [cell for cell, image in images if 'src="data:image/svg+xml;base64,' not in image] == []
    assert len(images) == sum(drawing.where.startswith(book) for drawing in ALL)
    assert images
    assert not [
        cell
        for cell, data in outputs(book)
        if {"image/svg+xml", "image/png", "application/vnd.jupyter.widget-view+json"} & set(data)
    ]


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_a_picture_has_a_sentence_of_substance(drawing):
    assert len(drawing.alt.split()) >= 6
    assert not re.search(r"\.(svg|png)|^(image|picture|diagram|graph)\b", drawing.alt, re.IGNORECASE)


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_all_that_is_drawn_is_in_the_text_twin(drawing):
    """Each name of hex digits, and nearly all words; what a picture says by its place, the text says in words."""
    drawn = " ".join(words for _, _, words, _ in drawing.texts)
    said = f"{drawing.alt}\n{drawing.twin}".lower()
    words = set(WORD.findall(drawn.lower()))

    assert [name for name in LONG.findall(drawn) if name not in drawing.twin] == []
    assert len({word for word in words if word in said}) >= 0.75 * len(words)


@pytest.mark.parametrize("book", BOOKS)
def test_every_table_has_headings(book):
    for cell, data in outputs(book):
        for table in re.findall("<table.*?</table>", data.get("text/html", ""), re.DOTALL):
            assert re.search("<th[ >]", table), cell
            assert not [
                heading
                for heading in re.findall("<th[^>]*>(.*?)</th>", table, re.DOTALL)
                if not html.unescape(heading).strip()
            ], cell
