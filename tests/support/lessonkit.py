"""What the tests of all lessons share: run a notebook's first cell, and find its folded solutions."""

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
    """The code of every folded solution of a notebook, in its order."""
    return [code for cell in cells(name) if cell.cell_type == "markdown" for code in SOLUTION.findall(cell.source)]


def names_of(name):
    """What the first code cell defines: the other cells need nothing else."""
    first = next(cell.source for cell in cells(name) if cell.cell_type == "code")
    names = {}
    exec(first, names)
    return names


def last_value(code, names):
    """Run some lines, and return what the last one gives, as a notebook shows it."""
    *before, last = code.strip().splitlines()
    exec("\n".join(before), names)
    return eval(last, names)
