"""Exercises that know the usual slips: a wrong answer is told which one it is, not just that it is wrong.

Each slip is a way to compute the wrong answer, so it is recognised by its
result. The words stand in the table of words under ``exercise.<name>``:
``question``, ``why`` (said with a right answer), ``look`` (where to look), and
``slip.<slip>`` for each slip.

The exercises of notebook 01 are in ``lessons/l01.py`` and so on; `check` loads
the file that the name of the exercise begins with.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Finding
from .words import say

__all__ = ["EXERCISES", "Exercise", "Feedback", "check", "exercise", "find_exercise", "letters", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A question with one right answer and some well-known wrong ones.

    Args:
        name: For example ``01-newline``.
        answer: Computes the right answer.
        slips: Name of a slip -> computes the answer that this slip gives.
        read: How an answer is read, so that what does not matter does not count.
    """

    name: str
    answer: Callable[[], Any]
    slips: Mapping[str, Callable[[], Any]]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a check says.

    Args:
        verdict: ``right``, ``slip``, ``wrong`` or ``open`` (not answered).
        slip: The name of the slip, if one was recognised.
        text: The words for the learner.
    """

    verdict: str
    slip: str
    text: str

    def __repr__(self) -> str:
        return f"{GLYPHS[self.verdict]} {self.text}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": f"<p><b>{GLYPHS[self.verdict]}</b> {html.escape(self.text)}</p>"}


GLYPHS = {"right": "✓", "slip": "✗", "wrong": "✗", "open": "…"}
EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, answer: Callable[[], Any], *, read: Callable[[Any], Any] | None = None, **slips: Callable[[], Any]) -> Exercise:
    """Put an exercise into the table."""
    EXERCISES[name] = Exercise(name=name, answer=answer, slips=slips, read=read or plain)
    return EXERCISES[name]


def find_exercise(name: str) -> Exercise:
    """The exercise of this name; the lesson that it belongs to is loaded when it is first asked for.

    Raises:
        Finding: ``wrong-call`` if there is no such exercise.
    """
    module = f"{__package__}.lessons.l{name.partition('-')[0]}"
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    if name not in EXERCISES:
        raise Finding("wrong-call", "exercise", ", ".join(sorted(EXERCISES)) or "the name of an exercise", name)
    return EXERCISES[name]


def check(name: str, answer: Any = None) -> Feedback:
    """Look at an answer.

    Args:
        name: Of the exercise.
        answer: A digest (with or without quotes around it), a choice, a number, or a list; None if not answered.

    Raises:
        Finding: ``wrong-call`` if there is no such exercise.
    """
    item = find_exercise(name)
    if plain(answer) in (None, "", ..., ()):
        return Feedback("open", "", say("check.open", question=say(f"exercise.{name}.question")))
    given = item.read(answer)
    if given == item.read(item.answer()):
        return Feedback("right", "", say("check.right", why=say(f"exercise.{name}.why")))
    look = say(f"exercise.{name}.look")
    for slip, compute in item.slips.items():
        if given == item.read(compute()):
            return Feedback("slip", slip, say("check.slip", slip=say(f"exercise.{name}.slip.{slip}"), look=look))
    return Feedback("wrong", "", say("check.wrong", look=look))


def plain(value: Any) -> Any:
    """The answer without what does not matter: spaces and quotes around it, capitals, list or tuple, number or text."""
    if isinstance(value, str):
        return value.strip().strip("'\"").lower()
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def letters(value: Any) -> Any:
    """A choice of several letters, in any order, with or without commas between them."""
    return "".join(sorted({char for item in value for char in str(item).lower() if char.isalnum()})) if isinstance(value, (str, list, tuple, set)) else value
