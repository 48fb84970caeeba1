"""tools/notebooks.py: one normal form, and a stale cell named."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebooks as tool


def executed():
    """Build a notebook as a run leaves it: times, model ids, streams in pieces, a traceback with colours."""
    outputs = [
        new_output("stream", name="stdout", text="a\n"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("stream", name="stderr", text="c\n"),
        new_output(
            "execute_result", {tool.WIDGET_VIEW: {"model_id": "f00"}, "text/plain": "a slider"}, execution_count=41
        ),
        new_output(
            "error", ename="KeyError", evalue="'x'", traceback=["\x1b[31mFile ~/somewhere\x1b[0m", "KeyError: 'x'"]
        ),
        new_output("error", ename="Wrong", evalue="no", traceback=["✗ not so"]),
    ]
    notebook = new_notebook(
        cells=[new_markdown_cell("# Title"), new_code_cell("1", outputs=outputs, execution_count=41)]
    )
    notebook.cells[1].metadata = {"execution": {"iopub.status.busy": "now"}, "tags": ["kept"]}
    notebook.metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.11.7"}}
    return nbformat.from_dict(notebook)


def test_the_normal_form_holds_nothing_of_one_run():
    notebook = tool.normalise(executed(), "03_cache_id.ipynb")
    markdown, code = notebook.cells

    nbformat.validate(notebook)
    assert (markdown.id, code.id, code.execution_count, code.metadata) == ("n03-01", "n03-02", 1, {"tags": ["kept"]})
    assert [output.text for output in code.outputs[:2]] == ["a\nb\n", "c\n"]
    assert code.outputs[2].data == {"text/plain": "a slider"}
    assert code.outputs[2].execution_count == 1
    assert [output.traceback for output in code.outputs[3:]] == [["KeyError: 'x'"], ["✗ not so"]]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}


def test_normalising_twice_changes_nothing():
    once = tool.normalise(executed(), "03_cache_id.ipynb")
    twice = tool.normalise(copy.deepcopy(once), "03_cache_id.ipynb")

    assert nbformat.writes(twice) == nbformat.writes(once)


@pytest.fixture
def stored(tmp_path):
    """Store a small notebook, executed for real."""
    path = tmp_path / "07_try.ipynb"
    cells = [new_markdown_cell("# Try"), new_code_cell("import os\n6 * 7"), new_code_cell("os.getpid()")]
    cells[2].metadata["tags"] = ["nbval-ignore-output"]
    nbformat.write(new_notebook(cells=cells), path)
    assert tool.rewrite(path) is None
    return path


def test_an_unchanged_notebook_is_up_to_date_but_for_cells_that_may_differ(stored):
    assert tool.check(stored) is None


def test_the_stale_cell_is_named_with_its_first_differing_line(stored):
    stored.write_text(stored.read_text(encoding="utf-8").replace('"42"', '"41"'), encoding="utf-8")

    complaint = tool.check(stored)
    assert complaint.startswith("07_try.ipynb: cell 2 (n07-02) is stale")
    assert '"text/plain": "41"' in complaint and '"text/plain": "42"' in complaint


def test_a_failing_cell_is_a_complaint_and_nothing_is_written(stored):
    before = stored.read_text(encoding="utf-8").replace("6 * 7", "6 / 0")
    stored.write_text(before, encoding="utf-8")

    assert "ZeroDivisionError" in tool.rewrite(stored)
    assert stored.read_text(encoding="utf-8") == before


def test_a_notebook_that_does_not_end_is_a_complaint_and_nothing_is_written(stored, monkeypatch):
    before = stored.read_text(encoding="utf-8").replace("6 * 7", "import time; time.sleep(1000)")
    stored.write_text(before, encoding="utf-8")
    monkeypatch.setattr(tool, "SECONDS_A_NOTEBOOK", 3)

    assert "07_try.ipynb: not done after 3 seconds" in tool.check(stored)
    assert stored.read_text(encoding="utf-8") == before
