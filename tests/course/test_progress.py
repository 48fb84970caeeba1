"""What was answered is kept beside the notebooks, in one file, and nothing else is touched."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from lessonkit import ROOT

import overlaylab as ol
from overlaylab.course import check, notes
from overlaylab.words import say

RIGHT = {"00-list": 3, "00-journey": "cfadbe"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of notebooks, in which a kernel was just started."""
    monkeypatch.setattr(notes, "HERE", notes.Notes())
    monkeypatch.setenv(notes.SETTING, str(tmp_path))
    (tmp_path / "mine.ipynb").write_text("{}", encoding="utf-8")
    return tmp_path


def restart(monkeypatch):
    monkeypatch.setattr(notes, "HERE", notes.Notes())


def everything(folder):
    """Each file beneath a folder, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def progress_file(folder):
    return folder / ".overlaylab" / "progress.json"


def counts(number):
    station = next(station for station in ol.progress().stations if station.number == number)
    return station.right, station.made


def test_a_right_answer_is_kept_over_a_restart_of_the_kernel(folder, monkeypatch):
    check("00-list", RIGHT["00-list"])
    check("00-journey", "abcdef")
    restart(monkeypatch)

    assert counts("00") == (1, 0)
    assert notes.current().verdicts == {"00-list": "right", "00-journey": "tried"}


def test_what_was_right_once_stays_right(folder, monkeypatch):
    check("00-list", 3)
    restart(monkeypatch)
    check("00-list", 4)

    assert counts("00") == (1, 0)


def test_a_prediction_is_kept_and_looked_at_after_a_restart(folder, monkeypatch):
    ol.predict("01-origin", " A ")
    restart(monkeypatch)
    feedback = check("01-origin")

    assert (feedback.verdict, feedback.slip) == ("slip", "random")
    assert counts("01") == (0, 1)


def test_a_letter_that_is_no_choice_is_not_kept(folder):
    assert ol.predict("01-origin", "z").verdict == "open"
    assert check("01-origin").verdict == "open"
    assert list(folder.glob(".overlaylab")) == []


def test_an_open_exercise_writes_nothing(folder):
    for name in RIGHT:
        check(name)
        check(name, "")

    assert everything(folder) == {"mine.ipynb": b"{}"}


def test_the_folder_hides_itself_from_git_and_holds_nothing_else(folder):
    check("00-list", 3)

    assert sorted(everything(folder)) == [".overlaylab/.gitignore", ".overlaylab/progress.json", "mine.ipynb"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    status = subprocess.run(
        ["git", "-C", str(folder), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert status.stdout == "?? mine.ipynb\n"


def test_the_file_is_small_and_sorted(folder):
    for name in reversed(RIGHT):
        check(name, RIGHT[name])
    text = progress_file(folder).read_text(encoding="utf-8")

    assert json.loads(text) == {"version": 1, "exercises": dict.fromkeys(RIGHT, "right"), "predictions": {}}
    assert text.index("00-journey") < text.index("00-list")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": 2, "exercises": {}, "predictions": {}}',
        b'{"version": 1}',
        b'{"version": 1, "exercises": {"a": 1}, "predictions": {}}',
        b'{"version": 1, "exercises": [], "predictions": {}}',
        b"[" * 100_000,
        b'{"version": 1, "exercises": {"' + b"a" * 100_000 + b'": "right"}, "predictions": {}}',
    ],
    ids=[
        "empty",
        "cut",
        "no text",
        "a list",
        "another version",
        "parts missing",
        "a number",
        "another type",
        "deep",
        "large",
    ],
)
def test_a_file_that_is_not_ours_is_left_as_it_is(folder, content):
    progress_file(folder).parent.mkdir()
    progress_file(folder).write_bytes(content)
    check("00-list", 3)

    assert counts("00") == (1, 0), "noted for as long as the kernel lives"
    assert everything(folder) == {".overlaylab/progress.json": content, "mine.ipynb": b"{}"}


def test_a_link_in_the_place_of_the_folder_or_the_file_is_not_followed(folder):
    (folder / "elsewhere").mkdir()
    (folder / ".overlaylab").symlink_to("elsewhere")
    check("00-list", 3)
    assert list((folder / "elsewhere").iterdir()) == []

    (folder / ".overlaylab").unlink()
    (folder / ".overlaylab").mkdir()
    progress_file(folder).symlink_to(folder / "mine.ipynb")
    check("00-journey", "cfadbe")
    assert everything(folder) == {".overlaylab/progress.json": b"{}", "mine.ipynb": b"{}"}
    assert ol.reset_progress() == say("progress.nothing")
    assert (folder / "mine.ipynb").read_bytes() == b"{}"


def test_a_file_in_the_place_of_the_folder_does_no_harm(folder):
    (folder / ".overlaylab").write_text("mine", encoding="utf-8")
    check("00-list", 3)

    assert counts("00") == (1, 0)
    assert (folder / ".overlaylab").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("call", ["mkstemp", "replace"])
def test_a_folder_that_cannot_be_written_does_no_harm(folder, monkeypatch, call):
    check("00-list", 3)
    before = everything(folder)

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(notes.tempfile if call == "mkstemp" else notes.os, call, refuse)
    check("00-journey", "cfadbe")

    assert counts("00") == (2, 0)
    assert everything(folder) == before


def test_a_gone_folder_does_no_harm(folder, monkeypatch):
    monkeypatch.setenv(notes.SETTING, str(folder / "no" / "such"))

    assert check("00-list", 3).verdict == "right"
    assert not (folder / "no").exists()


def test_all_is_forgotten_by_one_call(folder, monkeypatch):
    check("00-list", 3)
    ol.predict("01-origin", "c")

    assert ol.reset_progress() == say("progress.reset")
    assert (counts("00"), counts("01")) == ((0, 0), (0, 0))
    assert not progress_file(folder).exists()
    restart(monkeypatch)
    assert ol.reset_progress() == say("progress.nothing")


def test_a_file_that_cannot_be_removed_is_told(folder, monkeypatch):
    check("00-list", 3)

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(notes.Path, "unlink", refuse)
    assert ol.reset_progress() == say("progress.kept", reason="Permission denied")


def test_nothing_is_kept_where_it_is_switched_off(folder, monkeypatch):
    monkeypatch.setenv(notes.SETTING, "off")
    monkeypatch.setattr(notes, "START", folder)
    check("00-list", 3)

    assert counts("00") == (1, 0)
    assert everything(folder) == {"mine.ipynb": b"{}"}


def test_only_a_notebook_keeps_anything(folder, monkeypatch):
    monkeypatch.delenv(notes.SETTING)
    monkeypatch.setattr(notes, "START", folder)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    check("00-list", 3)
    assert not progress_file(folder).exists(), "not in a plain Python"

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    check("00-journey", "cfadbe")
    assert progress_file(folder).exists()

    progress_file(folder).unlink()
    (folder / "mine.ipynb").unlink()
    check("00-images", 24)
    assert not progress_file(folder).exists(), "not where there are no notebooks"


def test_the_tests_and_the_tool_keep_nothing():
    assert os.environ[notes.SETTING] == "off"
    assert 'OVERLAYLAB_PROGRESS="off"' in (ROOT / "tools" / "notebooks.py").read_text(encoding="utf-8")


# The map


def test_the_map_shows_how_far_one_is_in_picture_text_and_table(folder):
    before = ol.progress()
    check("01-layers", 13)
    ol.predict("01-origin", "c")
    after = ol.progress()

    assert say("progress.short", done=0, all=4) in before.picture.text
    assert "notebook 01  " + say("progress.short", done=1, all=4) in after.picture.text
    assert say("progress.short", done=1, all=4) in after.picture.svg()
    assert say("progress.line", number="01", right=1, exercises=4, made=1, predictions=3) in repr(after)
    assert "<td>01</td><td>1 of 4</td><td>1 of 3</td>" in after._repr_mimebundle_()["text/html"]


def test_the_map_has_every_notebook_once(folder):
    numbers = [station.number for station in ol.progress().stations]

    assert numbers == sorted(set(numbers))
    assert {path.stem[:2] for path in (ROOT / "notebooks").glob("*.ipynb")} >= set(numbers)
