"""Exercises that know the usual slips: the feedback on a wrong answer names the slip, not only that it is wrong.

A slip is a way to compute a wrong answer, so it is recognised by its result. The words are in the word table under
``exercise.<name>``: ``question``, ``why`` (said with a right answer), ``look`` (where to look), ``slip.<slip>`` for
each slip, ``hint.1``, ``hint.2`` and so on, and ``choice.<letter>`` where letters are chosen.

A prediction is an exercise, too: its choices are what people believe, its slips are the beliefs that an experiment
refutes, and `check` judges the choice that was kept.

The exercises of notebook 01 are in ``lessons/l01.py``, and so on; `find_exercise` loads the file that the name of an
exercise begins with.
"""

from __future__ import annotations

import html
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from overlaylab.course import notes
from overlaylab.errors import Finding
from overlaylab.words import known, say

from .answers import plain

# An answer may be of any type: a digest, a number, a list, a function.
Compute = Callable[[], Any]
Read = Callable[[Any], Any]
Inputs = Callable[[], Sequence[Sequence[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A question with one right answer and some well-known wrong answers.

    Args:
        name: For example ``01-newline``.
        answer: Computes the right answer.
        slips: Name of a slip -> computes the answer that this slip gives.
        read: Normalizes an answer, so that its spelling does not count; see `answers`.
        inputs: Where the answer is a function: the arguments of each call. The right answer and the slips are then
            sequences of its results.
        is_prediction: Whether it is asked before the experiment.
    """

    name: str
    answer: Compute
    slips: Mapping[str, Compute]
    read: Read
    inputs: Inputs | None = None
    is_prediction: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """The result of a check, or a hint.

    Args:
        verdict: ``right``, ``slip``, ``wrong``, ``open`` (not answered), or ``hint``.
        slip: The name of the recognised slip; empty for none.
    """

    verdict: str
    slip: str
    text: str

    def __repr__(self) -> str:
        return f"{GLYPHS[self.verdict]} {self.text}"

    def html(self) -> str:
        """The words as a paragraph."""
        return f"<p><b>{GLYPHS[self.verdict]}</b> {html.escape(self.text)}</p>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}


GLYPHS = {"right": "✓", "slip": "✗", "wrong": "✗", "open": "…", "hint": "→"}

# The right answer, and the answer that each slip gives.
Expected = tuple[Any, dict[str, Any]]

EXERCISES: dict[str, Exercise] = {}

# A memo: name -> the exercise, and its computed answers.
EXPECTED: dict[str, tuple[Exercise, Expected]] = {}

# Name -> the number of hints that were given since the kernel started.
GIVEN: dict[str, int] = {}


def exercise(
    name: str, answer: Compute | str, *, read: Read = plain, inputs: Inputs | None = None, **slips: Compute | str
) -> Exercise:
    """Register an exercise; see `Exercise`. The answer and the slips may also be given as text."""
    computed = {slip: _compute(value) for slip, value in slips.items()}
    EXERCISES[name] = Exercise(name=name, answer=_compute(answer), slips=computed, read=read, inputs=inputs)
    return EXERCISES[name]


def _compute(value: Compute | str) -> Compute:
    return partial(str, value) if isinstance(value, str) else value


def prediction(name: str, answer: str, **slips: str) -> Exercise:
    """Register a prediction.

    Args:
        answer: The letter of the choice that the experiment confirms.
        slips: Name of a slip -> the letter of the choice.
    """
    computed = {slip: _compute(letter) for slip, letter in slips.items()}
    EXERCISES[name] = Exercise(name=name, answer=_compute(answer), slips=computed, read=plain, is_prediction=True)
    return EXERCISES[name]


def find_exercise(name: str) -> Exercise:
    """The exercise of this name; its lesson is loaded when it is first asked for.

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
    lessons = pkgutil.iter_modules(importlib.import_module(LESSONS).__path__)
    for name in sorted(lesson.name for lesson in lessons):
        importlib.import_module(f"{LESSONS}.{name}")
    return {name: EXERCISES[name] for name in sorted(EXERCISES, key=lambda name: name.partition("-")[0])}


def check(name: str, answer: Any = None) -> Feedback:
    """Judge an answer, and note the verdict.

    Args:
        answer: A digest (with or without quotes), a choice, a number, a list, or a function where one is asked for;
            None if not answered. For a prediction None stands for the choice that was kept.

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
    """The feedback on an answer; nothing is noted."""
    words, name = "predict" if item.is_prediction else "check", item.name
    if _is_open(answer):
        return Feedback("open", "", say(f"{words}.open", question=say(f"exercise.{name}.question"), name=name))
    look, (right, slips) = say(f"exercise.{name}.look"), _expected(item)
    try:
        given = _given(item, answer)
    except Exception as error:  # raised by the learner's function, or by an answer that cannot be read
        return Feedback("wrong", "", say("check.raised", error=f"{type(error).__name__}: {error}", look=look))
    if _same(given, right):
        return Feedback("right", "", say(f"{words}.right", why=say(f"exercise.{name}.why")))
    for slip, value in slips.items():
        if _same(given, value):
            return Feedback("slip", slip, say(f"{words}.slip", slip=say(f"exercise.{name}.slip.{slip}"), look=look))
    return Feedback("wrong", "", say(f"{words}.wrong", look=look, choices=", ".join(choices(name))))


def _expected(item: Exercise) -> Expected:
    """The right answer, and what each slip gives; computed once."""
    if item.name not in EXPECTED or EXPECTED[item.name][0] is not item:
        values = item.read(item.answer()), {slip: item.read(compute()) for slip, compute in item.slips.items()}
        EXPECTED[item.name] = item, values
    return EXPECTED[item.name][1]


def _given(item: Exercise, answer: Any) -> Any:
    """The answer as it is compared: a function is called, anything else is normalized."""
    if callable(answer) and item.inputs is not None:
        return item.read([answer(*arguments) for arguments in item.inputs()])
    return item.read(answer)


def _is_open(answer: Any) -> bool:
    """Whether nothing was answered."""
    try:
        given = plain(answer)
    except (ValueError, RecursionError):  # a number with too many digits, a list that holds itself
        return False
    return any(_same(given, nothing) for nothing in (None, "", ..., ()))


def _same(one: Any, other: Any) -> bool:
    """Whether two answers are equal: of one type, and with a comparison that gives a plain True."""
    try:
        return type(one) is type(other) and (one == other) is True
    except Exception:
        return False


def hints(name: str) -> tuple[str, ...]:
    """The hints of an exercise, from a nudge to nearly the solution."""
    find_exercise(name)
    keys = [f"exercise.{name}.hint.{number}" for number in range(1, 10)]
    return tuple(say(key) for key in keys if known(key)) or (say(f"exercise.{name}.look"),)


def hint(name: str) -> Feedback:
    """The next hint for an exercise, one at a time.

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
    """The choices of an exercise: letter -> words; empty where the answer is not a choice."""
    return {
        letter: say(f"exercise.{name}.choice.{letter}")
        for letter in "abcdefgh"
        if known(f"exercise.{name}.choice.{letter}")
    }
