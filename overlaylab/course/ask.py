"""`check` as a notebook calls it: the feedback, with a form where nothing was answered yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import exercises
from .exercises import Feedback, find_exercise
from .form import Form


@dataclass(frozen=True, slots=True, repr=False)
class FeedbackWithForm(Feedback):
    """The feedback on an exercise without an answer; a running notebook shows its form."""

    name: str = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return Form(self.name).bundle({"text/plain": repr(self), "text/html": self.html()})


def check(name: str, answer: Any = None) -> Feedback:
    """Judge an answer; see `exercises.check`."""
    feedback = exercises.check(name, answer)
    if feedback.verdict != "open" or find_exercise(name).is_prediction:
        return feedback
    return FeedbackWithForm(feedback.verdict, feedback.slip, feedback.text, name)
