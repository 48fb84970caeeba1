"""What real users brought about notebooks themselves, one test each: no ``dot``, no kernel, checks that mislead."""

import ast
import re

import pytest
from lessonkit import ROOT, cells, names_of

import overlaylab as ol
from overlaylab.course import notes
from overlaylab.views.kit import picture as render

NOTEBOOKS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_completes_without_dot_and_without_any_other_renderer(name, monkeypatch):
    """xflr6/graphviz#68, #162, #197: where nothing draws, each picture is its text, and that says the same."""
    monkeypatch.setattr(render, "_renderer", lambda: None)
    names, drawn = names_of(name), 0
    for cell in cells(name):
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            shown = shown_by(cell.source, names).get("text/html", "")
            if "<img alt=" in "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs):
                drawn += 1
                assert "<img" not in shown and "<svg" not in shown
                assert len(re.sub("<[^>]*>", "", shown)) > 50, cell.id

    assert drawn, "there are pictures elsewhere"


def shown_by(code, names):
    """What the last line of a cell shows, in all forms."""
    *before, last = ast.parse(code).body
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        return {}
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_()
        return bundle[0] if isinstance(bundle, tuple) else bundle
    return {"text/html": value._repr_html_()} if hasattr(value, "_repr_html_") else {}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_reopened_notebook_without_a_kernel_shows_what_it_needs_no_model_for(name):
    """ipywidgets#3773, #1664: what is stored is text, tables and pictures; nothing of it asks for a running widget."""
    kinds = {
        kind
        for cell in cells(name)
        if cell.cell_type == "code"
        for output in cell.outputs
        for kind in output.get("data", {})
    }

    assert kinds <= {"text/plain", "text/html", "text/markdown"}
    assert "text/html" in kinds


def test_running_all_says_of_no_exercise_that_it_passed(tmp_path, monkeypatch):
    """otter-grader#138, #383: a run without answers is not a success, and a copied cell counts once."""
    monkeypatch.setattr(notes, "HERE", notes.Notes())
    monkeypatch.setenv(notes.SETTING, str(tmp_path))
    names = names_of("02_diff_id_and_chain_id")
    answers = [
        cell.source
        for cell in cells("02_diff_id_and_chain_id")
        if cell.cell_type == "code" and "answer = None" in cell.source
    ]
    for code in answers:
        exec(code, names)

    assert answers and "0 of 5" in repr(ol.progress())
    for _ in range(2):  # nbgrader#1083, #1682
        exec('ol.check("02-rootfs", 1)', names)
    assert "1 of 5" in repr(ol.progress())
