"""The student's copy: made from the notebooks, without answers, with a locked test after each graded exercise."""

import nbformat
import pytest
from grading import course, student
from grading.command import main
from gradingkit import GRADED, PATHS

from overlaylab.course.exercises import EXERCISES, find_exercise
from overlaylab.course.graded import NotRight, require

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@every_notebook
def test_every_exercise_that_waits_for_an_answer_is_graded(path):
    """A cell with `answer = None` that has no folded solution, or no check, would be left out in silence."""
    cells = course.read(path).cells
    waiting = [
        n for n, cell in enumerate(cells) if cell.cell_type == "code" and course.EMPTY in cell.source.splitlines()
    ]

    assert [item.cell for item in course.of_notebook(path.stem, cells)] == waiting
    assert len(waiting) >= 3


@every_notebook
def test_no_solution_and_no_output_is_left(path):
    copy = student.copy(path, filled=False)
    text = "\n".join(cell.source for cell in copy.cells)

    assert "Solution</summary>" not in text and student.BEGIN not in text
    assert all(cell.outputs == [] and cell.execution_count is None for cell in copy.cells if cell.cell_type == "code")
    for item in course.of_notebook(path.stem, course.read(path).cells):
        last = item.solution.splitlines()[-1]
        assert last not in text, f"{item.name}: its solution stands in the student's copy"


@every_notebook
def test_all_else_is_the_notebook(path):
    """Also the cell of an exercise is as it is in the notebook."""
    ours = [cell for cell in student.copy(path, filled=False).cells if not student.is_test(cell)]
    whole = course.read(path).cells

    assert [cell.source for cell in ours] == [
        course.FOLDED.sub(student.LEFT_OUT, cell.source) if cell.cell_type == "markdown" else cell.source
        for cell in whole
    ]
    assert [cell.id for cell in ours] == [cell.id for cell in whole]


@every_notebook
def test_a_locked_test_follows_each_answer(path):
    cells = student.copy(path, filled=False).cells
    marked = [
        (cell.metadata.nbgrader.grade_id, cell.metadata.nbgrader.locked)
        for cell in cells
        if "nbgrader" in cell.metadata
    ]
    wanted = [
        pair
        for item in course.of_notebook(path.stem, course.read(path).cells)
        for pair in ((f"answer-{item.name}", False), (f"test-{item.name}", True))
    ]

    assert marked == wanted
    tests = [cell for cell in cells if student.is_test(cell)]
    assert all(
        cell.metadata.nbgrader.points == course.POINTS and not cell.metadata.deletable and not cell.metadata.editable
        for cell in tests
    )
    assert [n for n, cell in enumerate(cells) if student.is_test(cell)] == [
        n + 1 for n, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("solution")
    ]


def test_the_copy_is_made_by_one_command_and_twice_the_same(tmp_path, capsys):
    assert main(["student", str(tmp_path / "one")]) == 0
    assert f"{len(PATHS)} notebooks with {len(GRADED)} graded exercises" in capsys.readouterr().out
    student.make(tmp_path / "two", PATHS)

    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*")) if path.is_file()]
    assert len(files) == 2 * len(PATHS) + 1
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    for file in files:
        if file.suffix == ".ipynb":
            nbformat.validate(nbformat.read(tmp_path / "one" / file, as_version=4))


def test_some_notebooks_can_be_chosen(tmp_path, capsys):
    assert main(["student", str(tmp_path / "one"), "--only", "01", "03"]) == 0
    assert [path.name[:2] for path in sorted((tmp_path / "one" / "student").iterdir())] == ["01", "03"]
    assert main(["student", str(tmp_path / "two"), "--only", "77"]) == 1
    assert "there is no notebook 77" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("name", GRADED)
def test_the_test_accepts_the_right_answer_alone(name):
    item = find_exercise(name)

    assert require(name, item.answer()) is None  # nbgrader would read a value as points
    for slip, wrong in item.slips.items():
        with pytest.raises(NotRight) as caught:
            require(name, wrong())
        assert caught.value._render_traceback_() == [str(caught.value)], slip
    for nothing in (None, "", "no idea"):
        with pytest.raises(NotRight):
            require(name, nothing)


def test_every_graded_exercise_is_one_of_the_kit():
    assert set(GRADED) <= set(EXERCISES)
    assert all(name.startswith(item.notebook[:2]) for name, item in GRADED.items())
