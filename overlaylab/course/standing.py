"""The learner's progress: the answers in each notebook, on the map and as a table."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from overlaylab.course import notes
from overlaylab.stores.shipped_files import shipped_root
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.tables import html_table
from overlaylab.words import say

from .exercises import every_exercise
from .map import map_picture


@dataclass(frozen=True, slots=True)
class NotebookProgress:
    """The progress in one notebook.

    Args:
        number: ``00``, ``01``, ...
        right: The number of exercises with a right answer.
        made: The number of predictions that were made.
    """

    number: str
    right: int
    exercises: int
    made: int
    predictions: int


@dataclass(frozen=True, slots=True)
class Course:
    """The map with the progress in each notebook, and the same as a table."""

    stations: tuple[NotebookProgress, ...]
    picture: Picture

    def lines(self) -> list[str]:
        """A line for each notebook: right answers, and predictions that were made."""
        return [
            say("progress.line", number=one.number, **{key: getattr(one, key) for key in COUNTS})
            for one in self.stations
        ]

    def __repr__(self) -> str:
        return "\n".join([repr(self.picture), "", *self.lines()])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        head = "".join(
            f'<th style="text-align:left">{html.escape(say(f"progress.{key}"))}</th>'
            for key in ("notebook", "right", "made")
        )
        rows = (
            f"<td>{one.number}</td><td>{say('progress.of', done=one.right, all=one.exercises)}</td>"
            f"<td>{say('progress.of', done=one.made, all=one.predictions) if one.predictions else ''}</td>"
            for one in self.stations
        )
        return {"text/plain": repr(self), "text/html": self.picture.html() + html_table(head, rows)}


COUNTS = ("right", "exercises", "made", "predictions")


def progress() -> Course:
    """Show your progress. `reset_progress` deletes it."""
    stations = tuple(_stations())
    done = {one.number: say("progress.short", done=one.right, all=one.exercises) for one in stations}
    return Course(stations, map_picture(shipped_root(), done=done))


def _stations() -> Iterator[NotebookProgress]:
    noted, every = notes.current(), every_exercise().values()
    for number in sorted({item.name.partition("-")[0] for item in every}):
        mine = [item for item in every if item.name.partition("-")[0] == number]
        asked, predicted = ([item.name for item in mine if item.is_prediction is which] for which in (False, True))
        right = sum(noted.verdicts.get(name) == "right" for name in asked)
        yield NotebookProgress(
            number, right, len(asked), sum(name in noted.predictions for name in predicted), len(predicted)
        )
