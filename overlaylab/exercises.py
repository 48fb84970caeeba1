"""Exercises that know the usual slips: a wrong answer is told which one it is, not just that it is wrong.

Each slip is a way to compute the wrong answer, so it is recognised by its
result. The words stand in the table of words under ``exercise.<name>``:
``question``, ``why`` (said with a right answer), ``look`` (where to look), and
``slip.<slip>`` for each slip.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .views.words import say

__all__ = ["EXERCISES", "Exercise", "Feedback", "check", "exercise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A question with one right answer and some well-known wrong ones.

    Args:
        name: For example ``01-newline``.
        answer: Computes the right answer.
        slips: Name of a slip -> computes the answer that this slip gives.
    """

    name: str
    answer: Callable[[], Any]
    slips: Mapping[str, Callable[[], Any]]


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


def exercise(name: str, answer: Callable[[], Any], **slips: Callable[[], Any]) -> Exercise:
    """Put an exercise into the table."""
    EXERCISES[name] = Exercise(name=name, answer=answer, slips=slips)
    return EXERCISES[name]


def check(name: str, answer: Any = None) -> Feedback:
    """Look at an answer.

    Args:
        name: Of the exercise.
        answer: A digest (with or without quotes around it), a choice, a number, or a list; None if not answered.

    Raises:
        KeyError: There is no such exercise.
    """
    item = EXERCISES[name]
    given = _plain(answer)
    if given in (None, "", ..., ()):
        return Feedback("open", "", say("check.open"))
    if given == _plain(item.answer()):
        return Feedback("right", "", say("check.right", why=say(f"exercise.{name}.why")))
    look = say(f"exercise.{name}.look")
    for slip, compute in item.slips.items():
        if given == _plain(compute()):
            return Feedback("slip", slip, say("check.slip", slip=say(f"exercise.{name}.slip.{slip}"), look=look))
    return Feedback("wrong", "", say("check.wrong", look=look))


def _plain(value: Any) -> Any:
    """The answer without what does not matter: spaces around it, capitals in hex, list or tuple."""
    if isinstance(value, str):
        return value.strip().strip("'\"").lower()
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value
