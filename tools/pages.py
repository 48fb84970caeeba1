"""Write each notebook as one page for a projector: big, in steps, and with nothing loaded from elsewhere.

    python tools/pages.py                 write pages/index.html and a page for each notebook
    python tools/pages.py --into FOLDER   write them there

A page holds its pictures, its style and its script. It is read from the stored
outputs, so nothing is executed. Without a script it is a plain page; with one,
the arrow keys go through it step by step. Printed, it is a handout: what is
folded stays folded.
"""

import argparse
import base64
import hashlib
import html
import re
import sys
from pathlib import Path
from string import Template

import mistune
import nbformat
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

ROOT = Path(__file__).resolve().parent.parent
PARTS = Path(__file__).resolve().parent / "page"
# A picture is drawn for a screen near the eye; a room wants it larger, as long as a small projector shows it whole.
LARGER, SCREEN = 1.35, 600
ASKED = re.compile(r'^ol\.(?:predict|check)\("[^"]+"(?:, answer)?\)$', re.MULTILINE)
KEPT = re.compile(r'^ol\.check\("([^"]+)"\)$')
SVG_SIZE = re.compile(rb'<svg width="(\d+)" height="(\d+)')


def main(arguments=None):
    """Write the pages; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=ROOT / "pages", metavar="FOLDER")
    folder = parser.parse_args(arguments).into
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{path.stem}.html": page(path) for path in paths} | {"index.html": index(paths)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(texts)} pages written. Open {folder / 'index.html'} in a browser; the key ? tells the others.")
    return 0


def page(path):
    """One notebook as a page of its own."""
    cells = nbformat.read(path, as_version=4).cells
    body = "\n".join(section(part) for part in sections(cells))
    return filled(heading(cells[0]), re.sub(r"<th\b[^>]*></th>", "<td></td>", body))  # a heading without words is none


def index(paths):
    """The door to all pages: their titles, in the order of the course."""
    titles = [(path.stem, heading(nbformat.read(path, as_version=4).cells[0])) for path in paths]
    rows = "\n".join(f'<li><a href="{stem}.html">{stem[:2]} {html.escape(title)}</a></li>' for stem, title in titles)
    return filled(
        "overlaylab",
        f'<section class="part"><div class="step"><h1>overlaylab</h1>\n<ul class="plain">\n{rows}\n</ul></div>'
        "</section>",
    )


def filled(title, body):
    """Put a body into the frame of every page; the browser is told to load nothing at all."""
    script = part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(part("page.html")).substitute(
        title=html.escape(title), style=part("page.css"), script=script, digest=digest, body=body
    )


def part(name):
    """Read a part of the frame."""
    return (PARTS / name).read_text(encoding="utf-8")


# Sections and steps


def sections(cells):
    """Cut a notebook where a heading of the first or second rank stands."""
    parts = []
    for cell in cells:
        if not parts or (cell.cell_type == "markdown" and re.search("^##? ", cell.source, re.MULTILINE)):
            parts.append([])
        parts[-1].append(cell)
    return parts


def heading(cell):
    """The first heading of a text cell, without its signs and a notebook's number."""
    return re.search(r"^#+ (?:\d\d · )?(.+)", cell.source, re.MULTILINE)[1].replace("`", "")


def section(cells):
    """A section: what is shown on one screen, step by step."""
    steps = "\n".join(prose(cell) if cell.cell_type == "markdown" else code(cell) for cell in cells)
    return f'<section class="part" aria-label="{html.escape(heading(cells[0]))}">\n{steps}\n</section>'


def prose(cell):
    """A text cell is one step."""
    return f'<div class="step prose" id="{cell.id}">{markdown(cell.source)}</div>'


def code(cell):
    """A code cell: first the code, then its output as a step of its own; a question and its answers are one step."""
    source = f'<pre class="code">{coloured(cell.source, "python")}</pre>'
    kept = KEPT.match(cell.source)
    answers = decision(kept[1]) if kept else "\n".join(filter(None, map(output, cell.outputs)))
    if not answers:
        return f'<div class="step" id="{cell.id}">{source}</div>'
    if ASKED.search(cell.source):
        return f'<div class="step" id="{cell.id}">{source}<div class="out">{answers}</div></div>'
    return f'<div class="step" id="{cell.id}">{source}</div>\n<div class="step out">{answers}</div>'


def decision(name):
    """What a room is told about a prediction: no choice is kept here, so the right one and each slip are named."""
    from overlaylab.course.exercises import choices, find_exercise
    from overlaylab.words import say

    item, words = find_exercise(name), choices(name)
    said = [("✓", item.answer(), say(f"exercise.{name}.why"))]
    said += [("✗", compute(), say(f"exercise.{name}.slip.{slip}")) for slip, compute in item.slips.items()]
    return "".join(
        f"<p>{glyph} <b>{letter}</b> {html.escape(words[letter])}<br>{html.escape(text)}</p>"
        for glyph, letter, text in said
    )


# Text, code and outputs as HTML


class Renderer(mistune.HTMLRenderer):
    """Markdown as a notebook shows it: code in colours, links to the pages of this folder."""

    def block_code(self, code, info=None):
        """A fenced block, in colours where the language is known."""
        return f'<pre class="code">{coloured(code, info or "text")}</pre>\n'

    def link(self, text, url, title=None):
        """A link to a notebook leads to its page; what lies elsewhere opens beside the talk."""
        if url.startswith("http"):
            return super().link(text, url, title).replace("<a ", '<a target="_blank" rel="noopener noreferrer" ', 1)
        return super().link(text, re.sub(r"\.ipynb\b", ".html", url), title)


def markdown(source):
    """A text cell as HTML."""
    text = re.sub(r"\A---\n|\n---\Z", "", source)  # a rule between cells; sections have their own
    return mistune.create_markdown(renderer=Renderer(escape=False), plugins=["table", "strikethrough"])(text)


def coloured(source, language):
    """Code with a class for each kind of word."""
    try:
        lexer = get_lexer_by_name(language.split()[0])
    except ClassNotFound:
        return html.escape(source.rstrip("\n"))
    return highlight(source, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")


def output(stored):
    """One stored output, in its richest form that needs no program."""
    if stored.output_type == "stream":
        return f"<pre>{html.escape(stored.text.rstrip())}</pre>"
    if stored.output_type == "error":
        return f"<pre>{html.escape(chr(10).join(stored.traceback))}</pre>"
    if "text/html" in stored.data:
        return f'<div class="rich">{breakable(larger(without_style(stored.data["text/html"])))}</div>'
    if "text/markdown" in stored.data:
        return breakable(markdown(stored.data["text/markdown"]))
    return f"<pre>{html.escape(stored.data.get('text/plain', ''))}</pre>"


def without_style(text):
    """The page has one style; that of a table in a notebook is left out."""
    return re.sub(r"<style scoped>.*?</style>\s*", "", text, flags=re.DOTALL)


def larger(text):
    """Give each drawn picture the width that a room wants; no wider than the page."""

    def widened(found):
        size = SVG_SIZE.search(base64.b64decode(found[2]))
        if size is None:
            return found[0]
        width, height = map(int, size.groups())
        return f'{found[0]} width="{round(width * min(LARGER, max(1, SCREEN / height)))}"'

    return re.sub(r'(<img [^>]*?src="data:image/svg\+xml;base64,)([^"]+)"', widened, text)


def breakable(text):
    """Let a long word in a cell of a table go on in the next line: a digest must not push a table out of the page."""

    def cut(cell):
        return re.sub(r"[^\s<>&;]{28}(?=[^\s<>&;]{4})", lambda run: re.sub(".{14}", r"\g<0><wbr>", run[0]), cell[0])

    return re.sub(r"(?<=>)[^<>]{28,}(?=<)", cut, text)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
