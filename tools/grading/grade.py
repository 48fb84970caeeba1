"""Grade a student: run what was handed in, and say for each exercise what is known, and what was not checked and why.

A verdict is given only on an answer that was handed in by a cell that ran. It
is given here, by the kit's own checks, and not in the kernel of the student.
"""

import json
import time
from dataclasses import dataclass, field

from overlaylab.course import find_exercise
from overlaylab.course.exercises import judge

from .answers import decode
from .cells import plan
from .course import POINTS
from .kernel import Kernel, Stopped, handed
from .read import is_unchanged

RIGHT, OPEN, UNCHECKED = "right", "open", "not checked"
VERDICTS = (RIGHT, "slip", "wrong", OPEN, UNCHECKED)


@dataclass(frozen=True)
class Row:
    """What is said about one exercise of one student."""

    student: str
    notebook: str
    exercise: str
    verdict: str
    slip: str = ""
    reason: str = ""
    file: str = ""
    maximum: int = POINTS

    @property
    def points(self):
        """All points for a right answer, none for any other verdict."""
        return self.maximum if self.verdict == RIGHT else 0


@dataclass
class Outcome:
    """What came of one file.

    Args:
        sheet: The file.
        answers: Exercise -> what was handed in for it, each as `answers.packed` gives it.
        troubles: Exercise -> why a cell that checks it gave no answer.
    """

    sheet: object
    answers: dict = field(default_factory=dict)
    troubles: dict = field(default_factory=dict)


# One file


def run(sheet, known, settings):
    """Run one file in a kernel of its own.

    Args:
        sheet: From `read.sheets`.
        known: The names of the exercises that are graded.
        settings: With ``boxed``, ``seconds`` (a cell) and ``minutes`` (a file).
    """
    outcome = Outcome(sheet)
    if sheet.cells is None:
        return outcome
    plans = [plan(source, known) for source in sheet.cells]
    if not any(item.names for item in plans):
        return outcome
    if not is_unchanged(sheet):
        return lost(outcome, plans, "the file changed while it was graded")
    done = -1
    try:
        with Kernel(settings.boxed, settings.seconds, time.monotonic() + 60 * settings.minutes) as kernel:
            for done, item in enumerate(plans):  # noqa: B007 - where it stopped is told below
                step(kernel, item, outcome)
    except Stopped as stop:
        lost(outcome, plans[max(done, 0) : done + 1], str(stop))
        lost(outcome, plans[done + 1 :], f"not reached: {stop} in code cell {done + 1}" if done >= 0 else str(stop))
    return outcome


def step(kernel, item, outcome):
    """Run one cell, and keep what it handed in."""
    if item.trouble:
        return lost(outcome, [item], item.trouble)
    if not item.code.strip():
        return None
    texts, error = kernel.run(item.code)
    given = {}
    for answer in handed(texts) if item.names else ():
        given.setdefault(answer["exercise"], []).append(answer)
    for name in item.names:
        outcome.answers.setdefault(name, []).extend(given.get(name, []))
        if name not in given:
            lost(outcome, [item], error or "its check was not reached", [name])
    if item.names:
        kernel.run("answer = None")  # the answer to one exercise is none to the next
    return None


def lost(outcome, plans, reason, names=None):
    """Note for some cells why they gave no answer."""
    for item in plans:
        for name in names or item.names:
            outcome.troubles.setdefault(name, reason)
    return outcome


# One student


def rows(student, outcomes, graded):
    """What is said about a student.

    Args:
        student: The name.
        outcomes: Of each file.
        graded: Name -> `course.Graded`.
    """
    changed = {outcome.sheet.path: not is_unchanged(outcome.sheet) for outcome in outcomes}
    for item in graded.values():
        with_it = [outcome for outcome in outcomes if item.name in outcome.answers or item.name in outcome.troubles]
        files = ", ".join(outcome.sheet.path.name for outcome in with_it)
        if any(changed[outcome.sheet.path] for outcome in with_it):
            verdict = UNCHECKED, "", "the file changed while it was graded"
        else:
            verdict = settled(item, with_it) or (UNCHECKED, "", missing(item, outcomes, graded))
        yield Row(student, item.notebook, item.name, *verdict, files)


def settled(item, outcomes):
    """The verdict on an exercise, the slip, and the reason; None if no cell checks it."""
    given = {}
    for answer in (answer for outcome in outcomes for answer in outcome.answers.get(item.name, [])):
        given.setdefault(json.dumps(answer, sort_keys=True), verdict(item.name, answer))
    closed = [found for found in given.values() if found[0] != OPEN]
    troubles = [outcome.troubles[item.name] for outcome in outcomes if item.name in outcome.troubles]
    if len(closed) == 1 or (closed and all(found[0] == RIGHT for found in closed)):
        return closed[0]
    if closed:
        return UNCHECKED, "", f"{len(closed)} different answers were handed in"
    if troubles:
        return UNCHECKED, "", troubles[0]
    return (OPEN, "", "") if given else None


def verdict(name, answer):
    """What the kit says about one answer: the verdict, the slip, and the reason where there is one."""
    if "raised" in answer:
        return "wrong", "", f"the function raised {answer['raised']}"
    try:
        value = decode(answer.get("answer"))
    except ValueError as error:
        return UNCHECKED, "", str(error)
    feedback = judge(find_exercise(name), value)
    return feedback.verdict, feedback.slip, ""


def missing(item, outcomes, graded):
    """Why no cell checks an exercise, as far as that can be told."""
    number = item.notebook.partition("_")[0]
    damaged = [outcome.sheet for outcome in outcomes if outcome.sheet.damage]
    own = [sheet for sheet in damaged if sheet.path.name.startswith(number)]
    if own:
        return "; ".join(f"{sheet.path.name}: {sheet.damage}" for sheet in own)
    others = {graded[name].notebook for outcome in outcomes for name in {**outcome.answers, **outcome.troubles}}
    if item.notebook in others or any(outcome.sheet.path.name.startswith(number) for outcome in outcomes):
        return f'no cell says check("{item.name}", …): it was deleted or edited'
    return "; ".join(
        ["no notebook with this exercise was handed in", *(f"{sheet.path.name}: {sheet.damage}" for sheet in damaged)]
    )
