"""Submissions as they lie in a folder: read with care, never followed out of it, never changed."""

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

LARGEST = 20_000_000
MOST_FILES = 200


@dataclass(frozen=True)
class Sheet:
    """A file that a student handed in.

    Args:
        path: Where it lies.
        digest: Of its bytes, when they were read.
        cells: The sources of its code cells, in their order; None where it could not be read.
        damage: Why not, in a sentence; empty where it was read.
    """

    path: Path
    digest: str
    cells: tuple[str, ...] | None
    damage: str


class Damaged(Exception):
    """What is wrong with a file, in a sentence."""


def students(folder):
    """The folders of the students, and what else lies there and belongs to nobody.

    Returns:
        Two lists of paths.
    """
    every = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    ours = [path for path in every if path.is_symlink() or path.is_dir()]
    return ours, [path for path in every if path not in ours]


def sheets(student):
    """What one student handed in: the notebooks in the folder, and in folders right below, as nbgrader keeps them."""
    if student.is_symlink():
        return [Sheet(student, "", None, "the student's folder is a symbolic link, and is not followed")]
    try:
        paths = found(student)
    except OSError as error:
        return [Sheet(student, "", None, f"the folder cannot be read: {error.strerror}")]
    if len(paths) > MOST_FILES:
        return [Sheet(student, "", None, f"there are {len(paths)} notebooks, and more than {MOST_FILES} are not read")]
    return [sheet(path) for path in paths]


def found(student):
    """The paths of the notebooks, whatever they are in truth."""
    below = [path for path in sorted(student.iterdir()) if not path.name.startswith(".")]
    inner = [path for place in below if place.is_dir() and not place.is_symlink() for path in sorted(place.iterdir())]
    return [path for path in [*below, *inner] if path.suffix.lower() == ".ipynb" and not path.name.startswith(".")]


def sheet(path):
    """Read one file."""
    data = b""
    try:
        data = content(path)
        return Sheet(path, hashlib.sha256(data).hexdigest(), code(data), "")
    except Damaged as damage:
        return Sheet(path, hashlib.sha256(data).hexdigest() if data else "", None, str(damage))


def content(path):
    """The bytes of a plain file that is not too large."""
    try:
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError as error:
        raise Damaged(
            "it is a symbolic link, and is not followed"
            if path.is_symlink()
            else f"it cannot be read: {error.strerror}"
        ) from None
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Damaged("it is no plain file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Damaged(f"it is larger than {LARGEST // 1_000_000} MB")
    if not data:
        raise Damaged("it is empty")
    return data


def code(data):
    """The sources of the code cells of a notebook."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Damaged(f"it is no notebook: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Damaged(f"it is no notebook: {error.msg} in line {error.lineno}") from None
    except (RecursionError, ValueError):
        raise Damaged("it is no notebook: its JSON cannot be read") from None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise Damaged("it is no notebook of format 4: there is no list of cells")
    return tuple(
        source(number, cell)
        for number, cell in enumerate(cells, start=1)
        if not isinstance(cell, dict) or cell.get("cell_type") != "markdown"
    )


def source(number, cell):
    """The text of one cell; nothing where it holds no code."""
    if not isinstance(cell, dict):
        raise Damaged(f"cell {number} is no cell")
    text = cell.get("source", "")
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        text = "".join(text)
    if not isinstance(text, str) or not isinstance(cell.get("cell_type"), str):
        raise Damaged(f"cell {number} has no text")
    return text if cell["cell_type"] == "code" else ""


def is_unchanged(sheet):
    """Whether a file still holds what was read."""
    try:
        return not sheet.digest or hashlib.sha256(content(sheet.path)).hexdigest() == sheet.digest
    except Damaged:
        return False
