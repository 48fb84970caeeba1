"""`check` as a notebook calls it: the words, or a form to answer with where nothing was answered."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from . import exercises
from .exercises import Feedback
from .form import Form

__all__ = ["check"]


class Open(Feedback):
    """What is said of an exercise that is not answered; a notebook that runs shows its form."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return Form(self.form).bundle(super()._repr_mimebundle_())


def check(name: str, answer: Any = None) -> Feedback:
    """Look at an answer; see `exercises.check`."""
    feedback = exercises.check(name, answer)
    return Open(*astuple(feedback)) if feedback.form else feedback
