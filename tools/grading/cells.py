"""What a student's cell is for the grader: which exercises it checks, and the code that hands their answers in.

A cell is known by what it says, `ol.check("02-third", answer)`, and not by its
id, its marks or its place: cells are copied, deleted and moved.
"""

import ast
import re
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

from .kernel import HAND_IN


@dataclass(frozen=True)
class Plan:
    """What is done with a cell.

    Args:
        code: What is run; empty for nothing.
        names: The exercises whose answers it hands in.
        trouble: Why it cannot be run, in a sentence.
    """

    code: str
    names: tuple[str, ...] = ()
    trouble: str = ""


def plan(source, known):
    """Look at a cell.

    Args:
        source: Its text.
        known: The names of the exercises that are graded.
    """
    mentioned = tuple(name for name in known if re.search(rf"""\w\(\s*['"]{re.escape(name)}['"]""", source))
    if not mentioned:
        return Plan(source)
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
        tests = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == "require"]
        finder = HandIn(known)
        code = ast.unparse(ast.fix_missing_locations(finder.visit(tree)))
    except SyntaxError as error:
        return Plan("", mentioned, f"the cell is not Python: {error.msg}, line {error.lineno}")
    except (RecursionError, MemoryError, ValueError) as error:
        return Plan("", mentioned, f"the cell is not Python: {type(error).__name__}")
    if tests and not finder.found:  # one of our own tests: it would only look at the answer again
        return Plan("")
    return Plan(code if finder.found else source, tuple(dict.fromkeys(finder.found)))


def called(call):
    """The last word of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


class HandIn(ast.NodeTransformer):
    """Route each checked answer through the grader: ``check("x", a)`` becomes ``check("x", hand_in("x", a))``."""

    def __init__(self, known):
        self.known, self.found = known, []

    def visit_Call(self, node):
        """Wrap the answer of a call of ``check``."""
        self.generic_visit(node)
        first = node.args[0] if node.args else None
        if (
            called(node) != "check"
            or not isinstance(first, ast.Constant)
            or not isinstance(first.value, str)
            or first.value not in self.known
        ):
            return node
        holders = (
            [(node.args, 1)]
            if len(node.args) > 1
            else [(word, "value") for word in node.keywords if word.arg == "answer"]
        )
        for holder, place in holders:
            answer = holder[place] if isinstance(holder, list) else getattr(holder, place)
            call = ast.Call(func=ast.Name(HAND_IN, ast.Load()), args=[ast.Constant(first.value), answer], keywords=[])
            holder.__setitem__(place, call) if isinstance(holder, list) else setattr(holder, place, call)
            self.found.append(first.value)
        return node
