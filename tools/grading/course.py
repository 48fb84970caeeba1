"""What is graded: the exercises of the notebooks, found in the notebooks themselves.

A graded exercise is a code cell that says ``answer = None`` and checks it, with
a folded solution for the same exercise. What is checked in passing, and what is
predicted, is not graded.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "notebooks"
FOLDED = re.compile(r"<details>\s*<summary>Solution</summary>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
EMPTY = "answer = None"
POINTS = 1


@dataclass(frozen=True)
class Graded:
    """A graded exercise.

    Args:
        name: For example ``02-third``.
        notebook: The name of the notebook, without its suffix.
        cell: The position of its cell.
        before: What the cell says before the place of the answer.
        solution: The lines of the folded solution, without the check.
    """

    name: str
    notebook: str
    cell: int
    before: str
    solution: str


def notebooks(only=(), folder=FOLDER):
    """The paths of the notebooks, or of those whose names begin with one of some numbers."""
    every = sorted(folder.glob("*.ipynb"))
    unknown = [number for number in only if not any(path.name.startswith(number) for path in every)]
    if unknown:
        raise ValueError(
            f"there is no notebook {', '.join(unknown)}; there are {', '.join(path.stem[:2] for path in every)}"
        )
    return [path for path in every if not only or path.name.startswith(tuple(only))]


def exercises(paths):
    """The graded exercises of some notebooks, in their order: name -> `Graded`."""
    return {item.name: item for path in paths for item in of_notebook(path.stem, read(path).cells)}


def read(path):
    """A notebook of the kit."""
    return nbformat.read(path, as_version=4)


def of_notebook(notebook, cells):
    """The graded exercises among some cells."""
    solved = {}
    for cell in cells:
        for folded in FOLDED.findall(cell.source) if cell.cell_type == "markdown" else []:
            for code in CODE.findall(folded):
                solved.update(dict.fromkeys(checked(code), without_check(code)))
    for position, cell in enumerate(cells):
        lines = cell.source.splitlines()
        if cell.cell_type == "code" and EMPTY in lines:
            for name in checked(cell.source):
                if name in solved:
                    yield Graded(name, notebook, position, "\n".join(lines[: lines.index(EMPTY)]), solved[name])


def checked(source):
    """The names of the exercises that some lines check, with the answer given as such."""
    return [name for name, call in checks(ast.parse(source)) if isinstance(call.args[1], ast.Name)]


def checks(tree):
    """Each call ``check("NAME", ANSWER)`` in a tree, whatever `check` is an attribute of: the name and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "check" and len(node.args) == 2:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, node


def called(call):
    """The last word of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def without_check(source):
    """Some lines without the one that checks."""
    return "\n".join(line for line in source.strip().splitlines() if ".check(" not in line)
