"""How a room is prepared: what a machine's look says, and where the packages of a room without a network come from."""

import json
import os
import subprocess
import sys

import bootstrap
import pytest
import ready
import wheelhouse
from lessonkit import ROOT


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A copy of the first notebook, which a test may harm."""
    first = tmp_path / "notebooks" / "00_map.ipynb"
    first.parent.mkdir()
    first.write_bytes(ready.FIRST.read_bytes())
    monkeypatch.setattr(ready, "FIRST", first)
    return first


def test_a_machine_that_is_ready_is_told_so():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "ready.py")], capture_output=True, text=True, timeout=120, cwd=ROOT
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ notebook 00 runs, and shows what it should" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("READY")
    assert "Python: " in done.stdout and "Pictures: " in done.stdout


def test_the_look_leaves_nothing_behind(room):
    before = sorted(room.parent.rglob("*"))
    assert ready.progress()[0] and ready.disk()[0]

    assert sorted(room.parent.rglob("*")) == before


def test_a_notebook_that_shows_something_else_is_noticed(room):
    book = json.loads(room.read_text(encoding="utf-8"))
    cell = next(cell for cell in book["cells"] if cell.get("outputs"))
    cell["outputs"][0]["text"] = ["something else\n"]
    room.write_text(json.dumps(book), encoding="utf-8")
    environment = dict(os.environ)
    try:
        good, text = ready.notebook()
    finally:
        os.environ.clear()
        os.environ.update(environment)

    assert not good and "is stale" in text


def test_a_kernel_that_does_not_answer_is_no_traceback(monkeypatch):
    def silent(path):
        raise RuntimeError("Kernel didn't respond in 60 seconds")

    monkeypatch.setattr(ready.notebooks, "check", silent)
    monkeypatch.setattr(ready.notebooks, "clean_environment", lambda home: None)

    assert ready.notebook() == (False, "no kernel answers: Kernel didn't respond in 60 seconds")


def test_answers_of_somebody_else_are_noticed(room):
    (room.parent / ".overlaylab").mkdir()
    (room.parent / ".overlaylab" / "progress.json").write_text("{}", encoding="utf-8")
    good, text = ready.progress()

    assert not good and "ol.reset_progress()" in text


def test_a_missing_part_of_the_lab_is_named(monkeypatch):
    monkeypatch.setattr(ready, "PARTS", ("jupyterlab", "no-such-part"))
    good, text = ready.parts()

    assert not good and "missing: no-such-part" in text


# The wheelhouse


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The commands that an installation would run."""
    commands = []
    monkeypatch.setattr(bootstrap, "WHEELS", tmp_path / "wheelhouse")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda command, check: commands.append(command))
    return commands


def test_with_a_wheelhouse_no_index_is_asked(installed, tmp_path):
    (tmp_path / "wheelhouse").mkdir()
    bootstrap.install("python3", tmp_path / "bin" / "python", ["test"])

    filling = [command for command in installed if "install" in command]
    assert len(filling) == 2
    assert all(
        ["--no-index", "--find-links", str(tmp_path / "wheelhouse")] == command[command.index("--no-index") :][:3]
        for command in filling
    )


def test_without_one_the_packages_come_from_the_network(installed, tmp_path):
    bootstrap.install("python3", tmp_path / "bin" / "python", ["test"])

    assert installed and not any("--no-index" in command for command in installed)


@pytest.mark.parametrize(("wheels", "said"), [(True, "has files for other machines"), (False, "needs a network")])
def test_what_is_wrong_is_said_with_its_cure(tmp_path, monkeypatch, wheels, said):
    def fails(command, check):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(bootstrap, "WHEELS", tmp_path / "wheelhouse")
    monkeypatch.setattr(bootstrap.subprocess, "run", fails)
    if wheels:
        (tmp_path / "wheelhouse").mkdir()

    with pytest.raises(bootstrap.Missing, match=said):
        bootstrap.install("python3", tmp_path / "bin" / "python", ["test"])


@pytest.fixture
def fetching(tmp_path, monkeypatch):
    """The two commands that would be run for such machines."""

    def run(*arguments):
        commands = []
        monkeypatch.setattr(
            wheelhouse.subprocess,
            "run",
            lambda command, cwd: commands.append(command) or subprocess.CompletedProcess(command, 0),
        )
        assert wheelhouse.main([*arguments, "--into", str(tmp_path)]) == 0
        return commands

    return run


def test_the_wheelhouse_holds_what_a_machine_of_another_kind_needs(fetching):
    """uv knows which packages Windows needs beside ours; pip fetches only finished files of that kind."""
    choose, fetch = fetching("--for", "windows", "--python", "3.12")

    assert choose[choose.index("--python-platform") + 1] == "x86_64-pc-windows-msvc"
    assert choose[choose.index("--python-version") + 1] == fetch[fetch.index("--python-version") + 1] == "3.12"
    assert fetch[fetch.index("--platform") + 1] == "win_amd64"
    assert "--only-binary=:all:" in fetch and "--no-deps" in fetch


def test_for_a_machine_like_this_one_no_kind_is_named(fetching):
    assert not any("platform" in part for command in fetching() for part in command)
    assert "hatchling>=1.26,<2" in wheelhouse.TOOLS and 'requires = ["hatchling>=1.26,<2"]' in (
        ROOT / "pyproject.toml"
    ).read_text(encoding="utf-8")
