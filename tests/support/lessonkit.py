"""Helpers for the tests of all lessons: run a notebook's first cell, and find its folded solutions."""

import re
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
SOLUTION = re.compile(r"<details><summary>Solution</summary>.*?```python\n(.*?)```", re.DOTALL)


@cache
def cells(name):
    """The cells of a notebook."""
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells


def solutions(name):
    """The code of every folded solution of a notebook, in order."""
    return [code for cell in cells(name) if cell.cell_type == "markdown" for code in SOLUTION.findall(cell.source)]


def names_of(name):
    """The names that the first code cell defines; the other cells need no others."""
    first = next(cell.source for cell in cells(name) if cell.cell_type == "code")
    names: dict[str, object] = {}
    exec(first, names)
    return names


def last_value(code, names):
    """Run lines of code, and return the value of the last one, as a notebook shows it."""
    *before, last = code.strip().splitlines()
    exec("\n".join(before), names)
    return eval(last, names)
