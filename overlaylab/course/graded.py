"""Graded exercises: an assertion that fails if the answer is not right, for the tests of a student's copy."""

from __future__ import annotations

from typing import Any

from .exercises import find_exercise, judge


class NotRight(AssertionError):
    """The answer is wrong or missing. A notebook shows it as one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def require(name: str, answer: Any = None) -> None:
    """Accept the right answer, and nothing else; takes what `check` takes.

    Raises:
        NotRight: If the answer is wrong or missing.
        Finding: ``wrong-call`` if there is no such exercise.
    """
    feedback = judge(find_exercise(name), answer)
    if feedback.verdict != "right":
        raise NotRight(repr(feedback))
