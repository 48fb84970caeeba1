"""What the tests of grading share: submissions made from the notebooks, and a run of the command on them."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from grading import course
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parent.parent.parent
PATHS = course.notebooks()
GRADED = course.exercises(PATHS)
CHECK = 'ol.check("{name}", answer)'


def names(number):
    """The graded exercises of the notebook with a number."""
    return [name for name in GRADED if name.startswith(f"{number}-")]


def first_cell(notebook):
    """What every exercise of a notebook needs."""
    return next(
        cell.source for cell in course.read(course.FOLDER / f"{notebook}.ipynb").cells if cell.cell_type == "code"
    )


def answered(name, answer=None):
    """The cell of an exercise with an answer: some lines, or the notebook's own solution."""
    item = GRADED[name]
    return "\n".join(filter(None, [item.before, item.solution if answer is None else answer, CHECK.format(name=name)]))


def notebook(*sources):
    """A notebook as text."""
    return nbformat.writes(new_notebook(cells=[new_code_cell(source, id=f"c{n}") for n, source in enumerate(sources)]))


def short(number, answers):
    """A short submission: the first cell of a notebook, and the exercises alone.

    Args:
        number: Of the notebook.
        answers: Name -> the whole cell.
    """
    item = GRADED[names(number)[0]]
    return notebook(first_cell(item.notebook), *answers.values())


def right(number, **cells):
    """The right answers to a notebook, but for some cells."""
    return short(number, {**{name: answered(name) for name in names(number)}, **cells})


def put(folder, student, texts):
    """Hand some files in: name -> text or bytes."""
    place = folder / student
    place.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def grading(*arguments, cwd):
    """Run the command as a user does."""
    command = [sys.executable, str(ROOT / "tools" / "grading"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=540, env={**os.environ, "PYTHONUTF8": "1"}
    )


def grade(folder, *arguments):
    """Grade a folder; return what was said, and the rows: (student, exercise) -> row."""
    table = folder.with_name(f"{folder.name}.csv")
    outcome = grading("grade", folder, "--csv", table, *arguments, cwd=folder.parent)
    assert outcome.returncode == 0, outcome.stderr
    with table.open(encoding="utf-8", newline="") as file:
        return outcome, {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


def totals(folder):
    """The rows of the totals: student -> row."""
    with folder.with_name(f"{folder.name}-totals.csv").open(encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def fingerprint(folder):
    """Names, times and bytes of all files of a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }
