"""How far a long reading has come: words that appear after 32 MB, so that a small image never shows them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets

from overlaylab.words import say

from .text import size_text

__all__ = ["Meter", "cell_meter"]

STEP = 32 << 20


class Meter:
    """Says how much was read, every 32 MB, so that a small image never shows it.

    Args:
        place: Shows the words; it is emptied when it is over.
    """

    def __init__(self, place: ipywidgets.HTML) -> None:
        self._place, self.what = place, ""
        self.done, self._next = 0, STEP

    def _show(self, text: str) -> None:
        self._place.value = f'<p role="status">{html.escape(text)}</p>' if text else ""

    def __call__(self, count: int) -> None:
        self.done += count
        if self.done >= self._next:
            self._next = self.done + STEP
            self._show(say("chooser.reading", what=self.what, done=size_text(self.done)))

    def start(self, what: str) -> None:
        """Begin to count."""
        self.what, self.done, self._next = what, 0, STEP

    def end(self) -> None:
        """It is over."""
        self._show("")


@contextmanager
def cell_meter(what: str) -> Iterator[Meter]:
    """A meter in the output of the cell that runs; it is shown when there is something to say."""
    place = ipywidgets.HTML()
    meter = Meter(place)
    place.observe(_show_once, "value")
    meter.start(what)
    try:
        yield meter
    finally:
        meter.end()


def _show_once(change: dict[str, object]) -> None:
    if change["old"] == "" and change["new"]:
        from IPython.display import display

        display(change["owner"])
