"""The form of a notebook: what stands where, how long it is, and that each cell needs the first one alone.

One idea a cell: prose of 25 to 60 words, code of one to five lines, 30 to 60 cells.
"""

import re

import pytest
from lessonkit import NOTEBOOKS, SOLUTION, cells, names_of

import overlaylab as ol

CELLS, WORDS, LINES, EXERCISES = range(30, 61), range(25, 61), range(1, 6), range(3, 7)
CODE = [(name, n) for name in NOTEBOOKS for n, cell in enumerate(cells(name)) if cell.cell_type == "code"]
EXERCISE = re.compile(r'ol\.check\("([^"]+)", answer\)')

every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def prose(cell):
    """The words of a text cell that a learner reads in passing: no headings, tables, folded parts, code blocks."""
    text = re.sub(r"<details>.*?</details>|```.*?```", "", cell.source, flags=re.DOTALL)
    return " ".join(line for line in text.splitlines() if not line.startswith(("#", "|"))).split()


def texts(name):
    """The text cells, with the sections that they stand in."""
    section = ""
    for cell in cells(name):
        if cell.cell_type == "markdown":
            section = (re.findall(r"^## (.+)", cell.source, re.MULTILINE) or [section])[-1]
            yield section, cell


def position(name, heading):
    return next(n for n, cell in enumerate(cells(name)) if f"## {heading}" in cell.source)


@every_notebook
def test_a_notebook_opens_with_a_verb_and_says_what_when_and_with_what(name):
    first = cells(name)[0].source
    title = first.splitlines()[0]

    assert re.match(r"# (Find|Compute|Follow|Stack|Delete|Write|Prove|Compare|Take|Open) ", title), title
    for part in ("**What you'll do.**", "**What you'll learn**", "**What you'll need.**"):
        assert part in first
    assert re.search(r"\d+ minutes", first)
    assert len(re.findall("^- ", first, re.MULTILINE)) >= 3
    assert "\n---" in first


@every_notebook
def test_the_walk_is_followed_by_the_claims_the_exercises_and_further_reading(name):
    checks, own, reading = (position(name, heading) for heading in ("Check our work", "On your own", "Further reading"))

    assert 0 < checks < own < reading == len(cells(name)) - 1
    claims = [cell for cell in cells(name)[checks:own] if cell.cell_type == "code"]
    assert claims and all(
        line.startswith(("assert ", "configs = ")) for cell in claims for line in cell.source.splitlines()
    )
    assert not any(cell.outputs for cell in claims)
    assert "config.md" in cells(name)[-1].source
    assert re.search(r'"[A-Z][^"]+"', cells(name)[-1].source), "a section of a specification"


@every_notebook
def test_a_notebook_has_30_to_60_cells(name):
    assert len(cells(name)) in CELLS


@every_notebook
def test_code_has_one_to_five_lines(name):
    long = {
        cell.id: len(lines)
        for cell in cells(name)
        if cell.cell_type == "code" and len(lines := list(filter(str.strip, cell.source.splitlines()))) not in LINES
    }

    assert long == {}


@every_notebook
def test_prose_has_25_to_60_words(name):
    """All but the opening, the end, and what stands in a table."""
    walked = [cell for _, cell in texts(name)][1:-1]
    odd = {
        cell.id: len(prose(cell)) for cell in walked if "\n| ---" not in cell.source and len(prose(cell)) not in WORDS
    }

    assert odd == {}


@every_notebook
def test_on_your_own_has_three_to_six_exercises_with_a_folded_solution_each(name):
    """00 has its first one in the walk, to show how it is done."""
    asked = [EXERCISE.findall(cell.source) for cell in cells(name) if cell.cell_type == "code"]
    solved = [EXERCISE.findall(code) for _, cell in texts(name) for code in SOLUTION.findall(cell.source)]

    assert len(list(filter(None, asked))) in EXERCISES
    assert list(filter(None, asked)) == solved


@every_notebook
def test_a_solution_stands_before_the_cell_that_it_solves(name):
    """So that the cell under a question is the one to answer in."""
    every = cells(name)
    for n, cell in enumerate(every):
        if cell.cell_type == "markdown" and (found := SOLUTION.findall(cell.source)):
            assert EXERCISE.findall(every[n + 1].source) == EXERCISE.findall(found[0])


@pytest.mark.parametrize(("name", "n"), CODE, ids=[f"{name[:2]}-{n + 1:02}" for name, n in CODE])
def test_a_cell_needs_the_first_cell_alone(name, n, capsys):
    """A learner may run the cells in any order once the first one has run."""
    cell = cells(name)[n]
    names = names_of(name)
    if "raises-exception" in cell.metadata.get("tags", []):
        with pytest.raises(ol.errors.OverlayLabError):
            exec(cell.source, names)
    else:
        exec(cell.source, names)
