"""The student's copy of the notebooks, and the source that nbgrader makes the same copy from.

Both are made from ``notebooks/``, so no second copy is kept by hand::

    FOLDER/student/*.ipynb              no solutions, no outputs, a locked test after each exercise
    FOLDER/source/overlaylab/*.ipynb    the same, with the solutions where nbgrader takes them out
    FOLDER/nbgrader_config.py           what nbgrader must know
"""

import nbformat
from nbformat.v4 import new_code_cell

from . import course

ASSIGNMENT = "overlaylab"
LEFT_OUT = "*In this copy the solution is left out.*"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
TEST = """\
# A locked test: what "answer" holds after the cell above is graded. What is only in the form there is not.
from overlaylab.course.graded import require
given, answer = answer, None
require("{name}", given)"""
CONFIG = """\
# Written by `make student`. Run nbgrader in this folder.
c = get_config()
c.CourseDirectory.course_id = "{assignment}"
c.ClearSolutions.code_stub = {{"python": "{empty}"}}
c.ClearSolutions.enforce_metadata = True
c.ExecutePreprocessor.timeout = 60
c.KernelManager.transport_encryption = "auto"
"""


def make(folder, paths):
    """Write the student's copy and the source of some notebooks; return how many exercises are graded."""
    count = 0
    for kind, filled in (("student", False), (f"source/{ASSIGNMENT}", True)):
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        for path in paths:
            notebook = copy(path, filled)
            nbformat.validate(notebook)
            (place / path.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
            count += sum(is_test(cell) for cell in notebook.cells) if not filled else 0
    (folder / "nbgrader_config.py").write_text(
        CONFIG.format(assignment=ASSIGNMENT, empty=course.EMPTY), encoding="utf-8", newline="\n"
    )
    return count


def copy(path, filled):
    """One notebook with nbgrader's marks: without the solutions, or with them in their places."""
    notebook = course.read(path)
    graded = {item.cell: item for item in course.of_notebook(path.stem, notebook.cells)}
    cells = []
    for position, cell in enumerate(notebook.cells):
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = course.FOLDED.sub(LEFT_OUT, cell.source)
            continue
        cell.outputs, cell.execution_count = [], None
        if item := graded.get(position):
            cell.metadata["nbgrader"] = marks(f"answer-{item.name}", solution=True)
            if filled:
                cell.source = with_solution(cell.source, item)
            cells.append(test(item.name))
    notebook.cells = cells
    return notebook


def with_solution(source, item):
    """The cell of an exercise with its solution where a student's answer will be."""
    return source.replace(course.EMPTY, f"{BEGIN}\n{item.solution}\n{END}", 1)


def test(name):
    """The locked cell that fails where the answer is not right."""
    metadata = {
        "deletable": False,
        "editable": False,
        "nbgrader": marks(f"test-{name}", grade=True, locked=True, points=course.POINTS),
    }
    return new_code_cell(TEST.format(name=name), id=f"test-{name}", metadata=metadata)


def is_test(cell):
    """Whether a cell is one of ours that tests an answer."""
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def marks(grade_id, **marks):
    """What nbgrader must know of a cell."""
    return {
        "grade_id": grade_id,
        "schema_version": 3,
        "grade": False,
        "solution": False,
        "locked": False,
        "task": False,
        **marks,
    }
