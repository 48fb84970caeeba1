"""Links inside the kit lead somewhere: in the documents, in the notebooks' texts, and in what their cells show."""

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [page for folder in ("docs", ".github", "tests") for page in (ROOT / folder).rglob("*.md")]
PAGES = sorted([*ROOT.glob("*.md"), *DOCUMENTS, *(ROOT / "notebooks").glob("*.ipynb")])
LINK = re.compile(r'\]\(\s*<?([^)\s>]+)|(?:href|src)="([^"]+)"')
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def texts(page):
    """The texts of a page: a document is one; a notebook has its cells of text, and the HTML that its cells show."""
    if page.suffix == ".md":
        return [page.read_text(encoding="utf-8")]
    cells = nbformat.read(page, as_version=4).cells
    shown = [
        output.get("data", {}).get("text/html", "")
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    return [cell.source for cell in cells if cell.cell_type == "markdown"] + shown


def links(page):
    """The links of a page that stay inside the kit."""
    found = [
        one or other
        for text in texts(page)
        for one, other in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL))
    ]
    return [link for link in found if not urlsplit(link).scheme]


def anchors(page):
    """The names of a page's headings, as a forge and JupyterLab make them, and the anchors that it has itself."""
    headings = [
        heading for text in texts(page) for heading in HEADING.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    ]
    as_forge = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    own = {name for text in texts(page) for name in re.findall(r'<a id="([^"]+)">', text)}
    marked = {name for text in texts(page) for name in re.findall(r'<a id="([^"]+)">', text)}
    return as_forge | marked | {heading.replace(" ", "-") for heading in headings} | own


def dead(page):
    """The links of a page that lead nowhere."""
    return [link for link in links(page) if not leads(page, urlsplit(link))]


def leads(page, link):
    """Whether there is a file, and in it the heading, or in a program the line."""
    target = (page.parent / unquote(link.path)).resolve() if link.path else page
    if target.suffix == ".py" and re.fullmatch(r"L\d+", link.fragment):
        return target.exists() and int(link.fragment[1:]) <= target.read_text(encoding="utf-8").count("\n")
    if not target.exists() or not link.fragment:
        return target.exists()
    if target.suffix == ".py":
        # A forge marks a line of code so.
        line = re.fullmatch(r"L(\d+)", link.fragment)
        return bool(line) and 0 < int(line[1]) <= len(target.read_text(encoding="utf-8").splitlines())
    return unquote(link.fragment) in anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert dead(page) == []


def test_every_notebook_is_linked_from_the_readme_and_leads_on():
    notebooks = [page for page in PAGES if page.suffix == ".ipynb"]

    assert {f"notebooks/{page.name}" for page in notebooks} <= set(links(ROOT / "README.md"))
    for page, following in pairwise(notebooks):
        assert following.name in links(page), page.name


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n[a](#one-two) [b](page.md#one-two) [c](#three) [d](no.md) ![e](e.png) "
        '<a href="f.md">f</a> `[g](g.md)` [h](https://example.org/)\n',
        encoding="utf-8",
    )

    assert dead(page) == ["#three", "no.md", "e.png", "f.md"]
