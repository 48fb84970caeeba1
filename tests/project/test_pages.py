"""The pages for a projector, as files: they hold all of a notebook and load nothing, and are the same every time."""

import html
import re
from html.parser import HTMLParser

import pages
import pytest
from lessonkit import ROOT, cells, solutions

from overlaylab.course import every_exercise
from overlaylab.words import say

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "manifest", "ping"}

every_page = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All pages, written twice."""
    folders = [tmp_path_factory.mktemp("pages") for _ in range(2)]
    for folder in folders:
        assert pages.main(["--into", str(folder)]) == 0
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


@pytest.fixture(scope="module")
def text(written):
    return {name: content.decode() for name, content in written[0].items()}


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and the words between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


def squeezed(text):
    """Without spaces and line ends, which a page may set otherwise."""
    return re.sub(r"\s", "", text)


def test_two_runs_give_the_same_bytes(written):
    assert sorted(written[0]) == sorted([f"{name}.html" for name in NAMES] + ["index.html"])
    assert written[0] == written[1]


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_nothing_is_loaded_from_elsewhere(text, name):
    page = Tags(text[f"{name}.html"])
    loaded = [
        (tag, key, value[:40])
        for tag, attrs in page.tags
        for key, value in attrs.items()
        if key in LOADING and not value.startswith("data:")
    ]

    assert loaded == []
    assert [attrs for tag, attrs in page.tags if tag == "link" and not attrs["href"].startswith("data:")] == []
    assert "url(" not in pages.part("page.css") and "@import" not in pages.part("page.css")
    assert "default-src 'none'" in next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)


@every_page
def test_a_page_has_all_that_its_notebook_says(text, name):
    page = Tags(text[f"{name}.html"])
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    words = squeezed(page.words)

    assert ids == [cell.id for cell in cells(name)]
    for cell in cells(name):
        if cell.cell_type == "code":
            assert squeezed(cell.source) in words
    assert all(squeezed(code) in words for code in solutions(name))
    assert not any(tag == "details" and "open" in attrs for tag, attrs in page.tags), (
        "a solution is folded until somebody opens it"
    )


@every_page
def test_each_picture_is_there_with_its_sentence_and_its_text(text, name):
    shown = [
        output.data["text/html"]
        for cell in cells(name)
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    stored = [alt for shape in shown for alt in re.findall(r'<img alt="([^"]*)"', shape)]
    pictures = [attrs for tag, attrs in Tags(text[f"{name}.html"]).tags if tag == "img"]

    assert [html.escape(attrs["alt"]) for attrs in pictures] == stored
    assert all(int(attrs["width"]) >= 600 for attrs in pictures)
    assert text[f"{name}.html"].count(say("picture.as_text")) >= len(pictures)


@every_page
def test_a_prediction_is_decided_on_the_page(text, name):
    """The choice of a room is kept nowhere, so the page says of each choice what the check would say."""
    page = squeezed(Tags(text[f"{name}.html"]).words)
    asked = [
        one
        for cell in cells(name)
        if cell.cell_type == "code"
        for one in re.findall(r'^ol\.check\("([^"]+)"\)$', cell.source)
    ]
    every = every_exercise()

    for one in asked:
        assert squeezed(say(f"exercise.{one}.why")) in page
        assert [slip for slip in every[one].slips if squeezed(say(f"exercise.{one}.slip.{slip}")) not in page] == []
    assert "gobacktool.predict" not in squeezed(page)


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_links_between_notebooks_lead_to_pages(text, name):
    links = [attrs["href"].partition("#")[0] for tag, attrs in Tags(text[f"{name}.html"]).tags if tag == "a"]

    assert [link for link in links if not link.startswith("https://") and link not in text] == []


def test_a_long_word_in_a_table_may_be_broken():
    digest = "sha256:" + "0123456789abcdef" * 4
    shown = pages.breakable(f"<td>short {digest}</td><td>short</td>")

    assert shown.replace("<wbr>", "") == f"<td>short {digest}</td><td>short</td>"
    assert max(map(len, re.split("<wbr>|<|>| ", shown))) <= 32
    assert pages.breakable(f'<a href="{digest}">here</a>') == f'<a href="{digest}">here</a>'


def test_outputs_without_a_rich_form_are_shown_as_text():
    stream = pages.nbformat.v4.new_output("stream", text="a < b\n")
    error = pages.nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["✗ a & b"])

    assert pages.output(stream) == "<pre>a &lt; b</pre>"
    assert pages.output(error) == "<pre>✗ a &amp; b</pre>"
    assert (
        pages.output(pages.nbformat.v4.new_output("display_data", data={"text/plain": "<1>"})) == "<pre>&lt;1&gt;</pre>"
    )
