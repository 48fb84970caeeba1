"""The tables of the course are true: each belief has a prediction, an experiment, a check; each bold term a meaning."""

import re
import string

import course
import pytest
from lessonkit import NOTEBOOKS, ROOT, cells

from overlaylab.course import check, find_exercise
from overlaylab.words import known

ROWS = course.misconceptions()
TERMS = course.glossary()
# There are 24 beliefs. These still wait for a notebook that provokes and decides them.
MISSING = []
# Bold for its weight, not because it is a term; a text with a full stop, colon or comma at its end is none either.
EMPHASIS = {
    "Shift+Enter",
    "What you'll learn",
    "Try this",
    "or more",
    "another time",
    "another machine",
    "bottom first",
    "topmost first",
    "equals",
    "no layerdb",
    "same diff_id",
    "The diff_id alone",
    "before",
}

each_row = pytest.mark.parametrize("row", ROWS, ids=[str(row["number"]) for row in ROWS])


def code_with(notebook, text):
    """Where a notebook's code cells hold a text."""
    return [n for n, cell in enumerate(cells(notebook)) if cell.cell_type == "code" and text in cell.source]


def test_the_numbers_are_1_to_24_but_for_those_that_wait():
    assert sorted([row["number"] for row in ROWS] + MISSING) == list(range(1, 25))
    assert [row["number"] for row in ROWS if "prediction" not in row] == []


@each_row
def test_the_learner_commits_before_the_experiment(row):
    """The experiment's cell comes after the prediction, and before what is said about it."""
    decided = code_with(row["notebook"], row["experiment"])
    assert decided, "there is no such experiment"
    [asked] = code_with(row["notebook"], f'ol.predict("{row["prediction"]}")')
    [looked] = code_with(row["notebook"], f'ol.check("{row["prediction"]}")')
    assert any(asked < other < looked for other in decided)


@each_row
def test_the_experiment_shows_something(row):
    [first, *_] = code_with(row["notebook"], row["experiment"])

    assert cells(row["notebook"])[first].outputs


@each_row
def test_the_belief_is_recognised_and_named(row):
    named = [(row["exercise"], slip) for slip in row.get("exercise_slip", ())]
    named += [(row["prediction"], slip) for slip in row["slip"]]
    assert named
    for name, slip in named:
        assert check(name, find_exercise(name).slips[slip]()).slip == slip
        assert known(f"exercise.{name}.slip.{slip}")


@pytest.mark.parametrize("row", [row for row in ROWS if "exercise" in row], ids=lambda row: str(row["number"]))
def test_the_check_stands_in_a_notebook(row):
    notebook = next(
        path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if path.stem[:2] == row["exercise"][:2]
    )

    assert code_with(notebook, f'ol.check("{row["exercise"]}", ')


def test_the_documents_are_made_from_the_tables():
    assert course.main(["--check"]) == 0, "run: python tools/course.py"


# The glossary


def bold(name):
    """What stands in bold in a notebook's text cells, in their order, without repeats."""
    texts = [cell.source for cell in cells(name) if cell.cell_type == "markdown"]
    return list(dict.fromkeys(found for text in texts for found in re.findall(r"\*\*(.+?)\*\*", text)))


def is_term(text):
    return text not in EMPHASIS and text[-1] not in ".:," and not (len(text) == 1 and text in string.ascii_letters)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_bold_term_is_in_the_glossary(name):
    forms = {row.get("bold", row["term"]) for row in TERMS}

    assert [text for text in bold(name) if is_term(text) and text not in forms] == []


@pytest.mark.parametrize("row", TERMS, ids=[row["term"] for row in TERMS])
def test_a_term_is_bold_where_it_is_used_first(row):
    form = row.get("bold", row["term"])
    having = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if form in bold(path.stem)]

    assert having[:1] == [row["notebook"]]


def test_each_term_is_explained_once_in_a_sentence():
    assert len({row["term"].lower() for row in TERMS}) == len(TERMS)
    assert [row["term"] for row in TERMS if not row["meaning"].endswith(".") or len(row["meaning"]) > 200] == []
