"""What the learner has done, kept in one small file beside the notebooks; nothing else of the learner's is touched.

The file is ``.overlaylab/progress.json`` in the folder of the notebooks. The
folder holds a ``.gitignore`` of its own, so that git never sees it. It is
written only from a notebook, only with something to note, and always whole: a
new file takes the place of the old one. A file that cannot be read as ours, or
not be written, is left as it is; then the notes live as long as the kernel.

``OVERLAYLAB_PROGRESS`` names another folder, or says ``off``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overlaylab.words import say

__all__ = ["Notes", "choose", "current", "kept", "note", "reset_progress"]

FOLDER, FILE, SETTING = ".overlaylab", "progress.json", "OVERLAYLAB_PROGRESS"

VERSION, LARGEST, LONGEST_NAME = 1, 65536, 64


def _started() -> Path | None:
    """The folder in which the kernel was started, that of its notebook; None where it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return None


START = _started()


@dataclass(slots=True)
class Notes:
    """What is noted.

    Args:
        verdicts: Exercise or prediction -> ``right``, or ``tried``.
        predictions: Prediction -> the letter that was chosen.
    """

    verdicts: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, str] = field(default_factory=dict)


# The notes of this kernel; what the file says is added to them.
HERE = Notes()


def current() -> Notes:
    """What is noted, in this kernel and in the file."""
    path = _path()
    stored = _read(path) if path else None
    both = stored or Notes()
    return Notes({**both.verdicts, **_better(HERE.verdicts, both.verdicts)}, {**both.predictions, **HERE.predictions})


def kept(name: str) -> str | None:
    """The letter that was chosen for a prediction, or None."""
    return current().predictions.get(name)


def choose(name: str, letter: str) -> None:
    """Keep the choice for a prediction."""
    HERE.predictions[name] = letter
    _write()


def note(name: str, verdict: str, *, is_prediction: bool = False) -> None:
    """Note what a check said. An open exercise leaves no note, and what was right once stays so.

    The verdict on a prediction is not noted: that it was made is what counts.
    """
    if verdict == "open" or is_prediction or HERE.verdicts.get(name) == "right":
        return
    state = "right" if verdict == "right" else "tried"
    if HERE.verdicts.get(name) != state:
        HERE.verdicts[name] = state
        _write()


def reset_progress() -> str:
    """Forget all that was noted, also in the file.

    Returns:
        A sentence that says what was done.
    """
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


# The file


def _path() -> Path | None:
    """The file, or None where nothing is kept: outside of a notebook, or where it is switched off."""
    setting = os.environ.get(SETTING, "")
    if setting == "off":
        return None
    if setting:
        return Path(setting) / FOLDER / FILE
    return START / FOLDER / FILE if START and _in_kernel() and any(START.glob("*.ipynb")) else None


def _in_kernel() -> bool:
    """Whether a notebook's kernel, or IPython, runs this."""
    shell = sys.modules.get("IPython")
    return bool(shell and shell.get_ipython())


def _read(path: Path) -> Notes | None:
    """The notes in a file; empty where there is none, None where it is not ours to change."""
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
    """The notes that a document says, if it is one of this version."""
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    parts = [data.get("exercises"), data.get("predictions")]
    for part in parts:
        if not isinstance(part, dict) or not all(
            isinstance(value, str) and len(key) <= LONGEST_NAME for key, value in part.items()
        ):
            return None
    return Notes(*parts)


def _write() -> None:
    """Add the notes of this kernel to the file; where that cannot be done, nothing is changed."""
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
    """Put a whole new file in the place of the old one."""
    handle, name = tempfile.mkstemp(prefix=FILE, dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def _better(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    """The new verdicts, but for those that would forget a right answer."""
    return {name: state for name, state in new.items() if state == "right" or old.get(name) != "right"}
