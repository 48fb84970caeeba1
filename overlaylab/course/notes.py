"""The learner's progress, kept in one small file beside the notebooks; nothing else of the learner's is touched.

The file is ``.overlaylab/progress.json`` in the directory of the notebooks, with a ``.gitignore`` of its own beside it,
so that git never sees it. It is written only from a notebook, only if there is something to note, and atomically: a new
file replaces the old one. A file that is not ours, or cannot be written, is left alone; then the notes last as long as
the kernel.

``OVERLAYLAB_PROGRESS`` names another directory, or is ``off``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from overlaylab.words import say

DIRECTORY, FILE, SETTING = ".overlaylab", "progress.json", "OVERLAYLAB_PROGRESS"

VERSION, LARGEST, LONGEST_NAME = 1, 65536, 64


def _started() -> Path | None:
    """The working directory of the kernel at its start, that of the notebook; None if it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


START = _started()


@dataclass(slots=True)
class Notes:
    """The learner's progress.

    Args:
        verdicts: Exercise -> ``right``, or ``tried``.
        predictions: Prediction -> the chosen letter.
    """

    verdicts: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, str] = field(default_factory=dict)


# The notes of this kernel; those of the file are added to them.
HERE = Notes()


def current() -> Notes:
    """The notes of this kernel and of the file together."""
    path = _path()
    stored = _read(path) if path else None
    both = stored or Notes()
    return Notes({**both.verdicts, **_better(HERE.verdicts, both.verdicts)}, {**both.predictions, **HERE.predictions})


def kept(name: str) -> str | None:
    """The letter that was chosen for a prediction; None for none."""
    return current().predictions.get(name)


def choose(name: str, letter: str) -> None:
    """Keep the choice for a prediction."""
    HERE.predictions[name] = letter
    _write()


def note(name: str, verdict: str, *, is_prediction: bool = False) -> None:
    """Note a verdict. An open exercise leaves no note, and what was right once stays right.

    The verdict on a prediction is not noted: what counts is that it was made.
    """
    if verdict == "open" or is_prediction or HERE.verdicts.get(name) == "right":
        return
    state = "right" if verdict == "right" else "tried"
    if HERE.verdicts.get(name) != state:
        HERE.verdicts[name] = state
        _write()


def reset_progress() -> str:
    """Delete all notes, those in the file, too; returns a sentence that says what was done."""
    HERE.verdicts.clear()
    HERE.predictions.clear()
    path = _path()
    if not path or not path.is_file() or path.is_symlink():
        return say("progress.nothing")
    try:
        path.unlink()
    except OSError as error:
        return say("progress.kept", reason=error.strerror)
    return say("progress.reset")


def _path() -> Path | None:
    """The file; None where nothing is kept: outside of a notebook, or switched off."""
    setting = os.environ.get(SETTING, "")
    if setting == "off":
        return None
    if setting:
        return Path(setting) / DIRECTORY / FILE
    return START / DIRECTORY / FILE if START and _in_kernel() and any(START.glob("*.ipynb")) else None


def _in_kernel() -> bool:
    """Whether this runs in a notebook's kernel, or in IPython."""
    shell = sys.modules.get("IPython")
    return bool(shell and shell.get_ipython())


def _read(path: Path) -> Notes | None:
    """The notes in a file; empty if there is none, None if it is not ours to change."""
    try:
        if path.parent.is_symlink() or path.is_symlink():
            return None
        with path.open("rb") as file:
            data = json.loads(file.read(LARGEST + 1)[: LARGEST + 1])
        return _notes(data)
    except FileNotFoundError:
        return Notes()
    except (OSError, ValueError, RecursionError):
        return None


def _notes(data: Any) -> Notes | None:
    """The notes in a document; None if it is not of this version."""
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    verdicts, predictions = data.get("exercises"), data.get("predictions")
    return Notes(verdicts, predictions) if _is_table(verdicts) and _is_table(predictions) else None


def _is_table(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(
        isinstance(each, str) and len(key) <= LONGEST_NAME for key, each in value.items()
    )


def _write() -> None:
    """Add the notes of this kernel to the file; if that fails, the file is not changed."""
    path = _path()
    if path is None or _read(path) is None:
        return
    notes = current()
    text = json.dumps(
        {"version": VERSION, "exercises": notes.verdicts, "predictions": notes.predictions}, indent=1, sort_keys=True
    )
    try:
        path.parent.mkdir(exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        _replace(path, text + "\n")
    except OSError:
        return


def _replace(path: Path, text: str) -> None:
    """Replace a file by a new one, atomically."""
    handle, name = tempfile.mkstemp(prefix=FILE, dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def _better(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    """The new verdicts without those that would replace a right answer."""
    return {name: state for name, state in new.items() if state == "right" or old.get(name) != "right"}
