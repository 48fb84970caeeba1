"""Exercises that know the usual slips: a wrong answer is told which one it is, not just that it is wrong.

Each slip is a way to compute the wrong answer, so it is recognised by its
result. The words stand in the table of words under ``exercise.<name>``:
``question``, ``why`` (said with a right answer), ``look`` (where to look),
``slip.<slip>`` for each slip, ``hint.1``, ``hint.2`` and so on, and
``choice.<letter>`` where letters are chosen.

A prediction is an exercise too: its choices are what people believe, the slips
are the beliefs that an experiment refutes, and `check` looks at the choice that
was kept.

The exercises of notebook 01 are in ``lessons/l01.py`` and so on; `check` loads
the file that the name of the exercise begins with.
"""

from __future__ import annotations

import html
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.course import notes
from overlaylab.errors import Finding
from overlaylab.words import known, say

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A question with one right answer and some well-known wrong ones.

    Args:
        name: For example ``01-newline``.
        answer: Computes the right answer.
        slips: Name of a slip -> computes the answer that this slip gives.
        read: How an answer is read, so that what does not matter does not count.
        inputs: What a function is called with where the answer is one: a sequence of arguments for each call. The right answer and the
            slips are then the sequences of its results.
        is_prediction: Whether it is asked before the experiment.
    """

    name: str
    answer: Callable[[], Any]
    slips: Mapping[str, Callable[[], Any]]
    read: Callable[[Any], Any]
    inputs: Callable[[], Sequence[Sequence[Any]]] | None = None
    is_prediction: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a check says.

    Args:
        verdict: ``right``, ``slip``, ``wrong``, ``open`` (not answered), or ``hint``.
        slip: The name of the slip, if one was recognised.
        text: The words for the learner.
        form: The exercise whose form a notebook shows with these words, where it is still open.
    """

    verdict: str
    slip: str
    text: str
    form: str = ""

    def __repr__(self) -> str:
        return f"{GLYPHS[self.verdict]} {self.text}"

    def html(self) -> str:
        """The words as a paragraph."""
        return f"<p><b>{GLYPHS[self.verdict]}</b> {html.escape(self.text)}</p>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {"text/plain": repr(self), "text/html": self.html()}


GLYPHS = {"right": "✓", "slip": "✗", "wrong": "✗", "open": "…", "hint": "→"}

EXERCISES: dict[str, Exercise] = {}

# Name -> the exercise, and what was computed for it.
EXPECTED: dict[str, tuple[Exercise, tuple[Any, dict[str, Any]]]] = {}

# How many hints of an exercise were given since the kernel started.
GIVEN: dict[str, int] = {}


def exercise(
    name: str,
    answer: Callable[[], Any],
    *,
    read: Callable[[Any], Any] | None = None,
    inputs: Callable[[], Sequence[Sequence[Any]]] | None = None,
    **slips: Callable[[], Any],
) -> Exercise:
    """Put an exercise into the table."""
    EXERCISES[name] = Exercise(name=name, answer=answer, slips=slips, read=read or plain, inputs=inputs)
    return EXERCISES[name]


def prediction(name: str, answer: str, **slips: str) -> Exercise:
    """Put a prediction into the table.

    Args:
        name: For example ``01-origin``.
        answer: The letter of the choice that the experiment will bear out.
        slips: Name of a slip -> the letter of the choice.
    """
    computed = {slip: lambda letter=letter: letter for slip, letter in slips.items()}
    EXERCISES[name] = Exercise(name=name, answer=lambda: answer, slips=computed, read=plain, is_prediction=True)
    return EXERCISES[name]


def find_exercise(name: str) -> Exercise:
    """The exercise of this name; the lesson that it belongs to is loaded when it is first asked for.

    Raises:
        Finding: ``wrong-call`` if there is no such exercise.
    """
    module = f"{LESSONS}.l{str(name).partition('-')[0]}"
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    if name not in EXERCISES:
        raise Finding("wrong-call", "exercise", ", ".join(sorted(EXERCISES)) or "the name of an exercise", str(name))
    return EXERCISES[name]


LESSONS = f"{__package__}.lessons"


def every_exercise() -> dict[str, Exercise]:
    """The exercises and predictions of all lessons, in the order of the lessons."""
    for module in sorted(
        pkgutil.iter_modules(importlib.import_module(LESSONS).__path__), key=lambda module: module.name
    ):
        importlib.import_module(f"{LESSONS}.{module.name}")
    return {name: EXERCISES[name] for name in sorted(EXERCISES, key=lambda name: name.partition("-")[0])}


# Answers


def check(name: str, answer: Any = None) -> Feedback:
    """Look at an answer.

    Args:
        name: Of the exercise.
        answer: A digest (with or without quotes around it), a choice, a number, a list, or a function where one is asked for; None if
            not answered. For a prediction None means the choice that was kept.

    Raises:
        Finding: ``wrong-call`` if there is no such exercise.
    """
    item = find_exercise(name)
    if item.is_prediction and _is_open(answer):
        answer = notes.kept(name)
    feedback = judge(item, answer)
    notes.note(name, feedback.verdict, is_prediction=item.is_prediction)
    return feedback


def judge(item: Exercise, answer: Any) -> Feedback:
    """What is to be said about an answer; nothing is noted."""
    words, name = "predict" if item.is_prediction else "check", item.name
    if _is_open(answer):
        return Feedback(
            "open",
            "",
            say(f"{words}.open", question=say(f"exercise.{name}.question"), name=name),
            "" if item.is_prediction else name,
        )
    look, (right, slips) = say(f"exercise.{name}.look"), _expected(item)
    try:
        given = _given(item, answer)
    except Exception as error:  # the learner's own function, or an answer of a kind that cannot be read
        return Feedback("wrong", "", say("check.raised", error=f"{type(error).__name__}: {error}", look=look))
    if _same(given, right):
        return Feedback("right", "", say(f"{words}.right", why=say(f"exercise.{name}.why")))
    for slip, value in slips.items():
        if _same(given, value):
            return Feedback("slip", slip, say(f"{words}.slip", slip=say(f"exercise.{name}.slip.{slip}"), look=look))
    return Feedback("wrong", "", say(f"{words}.wrong", look=look, choices=", ".join(choices(name))))


def _expected(item: Exercise) -> tuple[Any, dict[str, Any]]:
    """The right answer, and what each slip gives; computed when first asked for."""
    if EXPECTED.get(item.name, (None,))[0] is not item:
        values = item.read(item.answer()), {slip: item.read(compute()) for slip, compute in item.slips.items()}
        EXPECTED[item.name] = item, values
    return EXPECTED[item.name][1]


def _given(item: Exercise, answer: Any) -> Any:
    """The answer as it is compared: a function is called, anything else is read."""
    if callable(answer) and item.inputs is not None:
        return item.read([answer(*arguments) for arguments in item.inputs()])
    return item.read(answer)


def _is_open(answer: Any) -> bool:
    """Whether nothing was answered."""
    try:
        given = plain(answer)
    except (ValueError, RecursionError):  # a number too long to write, a list within itself
        return False
    return any(_same(given, nothing) for nothing in (None, "", ..., ()))


def _same(one: Any, other: Any) -> bool:
    """Whether two answers are equal; values whose comparison is no plain yes are not."""
    try:
        return type(one) is type(other) and (one == other) is True
    except Exception:
        return False


# Hints and choices


def hints(name: str) -> tuple[str, ...]:
    """The hints of an exercise, from a nudge to nearly all."""
    find_exercise(name)
    keys = [f"exercise.{name}.hint.{number}" for number in range(1, 10)]
    return tuple(say(key) for key in keys if known(key)) or (say(f"exercise.{name}.look"),)


def hint(name: str) -> Feedback:
    """Give the next hint for an exercise, one at a time.

    Raises:
        Finding: ``wrong-call`` if there is no such exercise.
    """
    if find_exercise(name).is_prediction:
        return Feedback("hint", "", say("hint.prediction"))
    every, number = hints(name), GIVEN.get(name, 0)
    if number >= len(every):
        GIVEN.pop(name)
        return Feedback("hint", "", say("hint.last", count=len(every)))
    GIVEN[name] = number + 1
    return Feedback("hint", "", say("hint.text", number=number + 1, count=len(every), text=every[number]))


def choices(name: str) -> dict[str, str]:
    """What may be chosen: letter -> words; empty where the answer is not a choice."""
    return {
        letter: say(f"exercise.{name}.choice.{letter}")
        for letter in "abcdefgh"
        if known(f"exercise.{name}.choice.{letter}")
    }


# How answers are read


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
    return (
        "".join(sorted({char for item in value for char in str(item).lower() if char.isalnum()}))
        if isinstance(value, (str, list, tuple, set))
        else value
    )
