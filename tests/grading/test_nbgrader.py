"""The real nbgrader takes our source, makes the same student's copy, and grades honest submissions as we do."""

import csv
import os
import subprocess

import nbformat
import pytest
from grading import course, student
from gradingkit import GRADED, fingerprint, grade, grading, names, put
from tiers import nbgrader

from overlaylab.course import find_exercise

pytestmark = pytest.mark.tier("grading")
# One notebook; nbgrader needs some seconds for each.
NUMBER = "02"
PATHS = course.notebooks([NUMBER])
ONE = names(NUMBER)[1]


def run(folder, *arguments):
    """Run nbgrader in a course's folder."""
    python = nbgrader()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.path.dirname(python), os.environ["PATH"]]),
        "HOME": str(folder),
        "PYTHONPATH": str(course.ROOT),
    }
    return subprocess.run(
        [python, "-m", "nbgrader", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def changed(path, change):
    """A student's copy in which some cells say something else: `change` gets the exercise and the text of its cell."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("answer-")
        if name in GRADED:
            cell.source = change(name, cell.source)
    return nbformat.writes(notebook)


def slip(name, source):
    """The first slip in place of the answer."""
    value = next(iter(find_exercise(name).slips.values()))()
    value = (
        [str(item) for item in value] if isinstance(value, list) else str(value) if isinstance(value, str) else value
    )
    return source.replace(course.EMPTY, f"answer = {value!r}")


def forged(name, source):
    """An answer that is wrong, and a kit that was told to accept it."""
    return source.replace(
        course.EMPTY,
        'answer = "no idea"\nimport overlaylab.course.exercises as engine\n'
        'engine.judge = lambda *given: engine.Feedback("right", "", "")',
    )


def without(path, copies=0):
    """The solved copy without the cells of one exercise, or with copies of them."""
    notebook, ids = nbformat.read(path, as_version=4), {f"answer-{ONE}", f"test-{ONE}"}
    cells = [
        cell
        for cell in notebook.cells
        for _ in range(copies if cell.metadata.get("nbgrader", {}).get("grade_id") in ids else 1)
    ]
    notebook.cells = [nbformat.NotebookNode(cell, id=f"c{n}") for n, cell in enumerate(cells)]
    return nbformat.writes(notebook)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course that nbgrader has gone through, from the source to the points: the folder, and student -> points."""
    folder = tmp_path_factory.mktemp("course")
    assert grading("student", folder, "--only", NUMBER, cwd=folder).returncode == 0
    made = run(folder, "generate_assignment", student.ASSIGNMENT)
    assert made.returncode == 0, made.stderr
    release, source = folder / "release" / student.ASSIGNMENT, folder / "source" / student.ASSIGNMENT
    versions = {
        "perfect": {path.name: path.read_bytes() for path in source.iterdir()},
        "empty": {path.name: path.read_bytes() for path in release.iterdir()},
        "wrong": {path.name: changed(path, slip) for path in release.iterdir()},
        "forged": {path.name: changed(path, forged) for path in release.iterdir()},
        "deleted": {path.name: without(path) for path in source.iterdir()},
        "damaged": {path.name: path.read_bytes()[:-100] for path in source.iterdir()},
    }
    for who, files in versions.items():
        put(folder / "submitted" / who, student.ASSIGNMENT, files)
    run(folder, "autograde", student.ASSIGNMENT)  # it fails on the damaged one, and goes on
    put(
        folder / "submitted" / "copied",
        student.ASSIGNMENT,
        {path.name: without(path, copies=2) for path in source.iterdir()},
    )
    assert run(folder, "autograde", student.ASSIGNMENT).returncode != 0  # here it stops
    assert run(folder, "export").returncode == 0
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        return folder, {row["student_id"]: row for row in csv.DictReader(file)}


def test_nbgrader_makes_the_same_student_copy(graded):
    folder, _ = graded
    release = folder / "release" / student.ASSIGNMENT
    assert [path.name for path in sorted(release.iterdir())] == [path.name for path in PATHS]
    for path in PATHS:
        theirs, ours = (nbformat.read(place / path.name, as_version=4).cells for place in (release, folder / "student"))
        assert [(cell.id, cell.cell_type, cell.source) for cell in theirs] == [
            (cell.id, cell.cell_type, cell.source) for cell in ours
        ]


def test_nbgrader_grades_an_honest_submission_as_we_do(graded):
    folder, theirs = graded
    before = fingerprint(folder / "submitted")
    _, rows = grade(folder / "submitted", "--only", NUMBER)
    points = {who: sum(int(row["points"]) for (student, _), row in rows.items() if student == who) for who in theirs}

    assert {who: float(theirs[who]["score"]) for who in ("perfect", "empty", "wrong")} == {
        who: points[who] for who in ("perfect", "empty", "wrong")
    }
    assert points["perfect"] == float(theirs["perfect"]["max_score"]) == len(names(NUMBER))
    assert {row["verdict"] for (who, _), row in rows.items() if who == "wrong"} == {"slip"}
    assert (points["deleted"], rows["deleted", ONE]["verdict"], points["copied"]) == (
        points["perfect"] - 1,
        "not checked",
        points["perfect"],
    )
    assert {rows["damaged", name]["verdict"] for name in names(NUMBER)} == {"not checked"}
    assert points["forged"] == 0 < float(theirs["forged"]["score"]), (
        "the reason why we judge outside of the student's kernel"
    )
    assert fingerprint(folder / "submitted") == before


def test_a_student_can_validate(graded):
    folder, _ = graded
    shown = run(
        folder,
        "validate",
        *(str(place / PATHS[0].name) for place in (folder / "student", folder / "source" / student.ASSIGNMENT)),
    ).stdout

    assert f"VALIDATION FAILED ON {len(names(NUMBER))} CELL(S)!" in shown
    assert shown.count("Success! Your notebook passes all the tests.") == 1


def test_what_was_deleted_has_no_points_and_what_was_copied_is_refused(graded):
    """So nbgrader never passes what it did not see; we tell more: the copy is graded, the deletion named."""
    _, theirs = graded

    assert float(theirs["deleted"]["score"]) == len(names(NUMBER)) - 1
    assert float(theirs["copied"]["score"]) == 0
