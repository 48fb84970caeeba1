"""Exercises and predictions: what is asked, what an answer is told, and what has been done so far."""

from __future__ import annotations

from .engine import (
    EXERCISES,
    Exercise,
    Feedback,
    check,
    choices,
    every_exercise,
    exercise,
    find_exercise,
    hint,
    hints,
    letters,
    plain,
    prediction,
)

__all__ = [
    "EXERCISES",
    "Exercise",
    "Feedback",
    "check",
    "choices",
    "every_exercise",
    "exercise",
    "find_exercise",
    "hint",
    "hints",
    "letters",
    "plain",
    "prediction",
]
