"""Progress of a long read, shown in a widget or in the output of a cell."""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets

from overlaylab.words import say

from .text import size_text

# Bytes between two updates; a small image never shows any.
STEP = 32 << 20


class ReadProgress:
    """Shows how many bytes were read, every 32 MB. Called with the number of bytes of each read."""

    def __init__(self, output: ipywidgets.HTML) -> None:
        self._output, self.what = output, ""
        self.done, self._next = 0, STEP

    def _show(self, text: str) -> None:
        self._output.value = f'<p role="status">{html.escape(text)}</p>' if text else ""

    def __call__(self, count: int) -> None:
        """Add `count` bytes."""
        self.done += count
        if self.done >= self._next:
            self._next = self.done + STEP
            self._show(say("chooser.reading", what=self.what, done=size_text(self.done)))

    def start(self, what: str) -> None:
        """Begin to count the bytes of `what`."""
        self.what, self.done, self._next = what, 0, STEP

    def end(self) -> None:
        """Show nothing any more."""
        self._show("")


@contextmanager
def cell_progress(what: str) -> Iterator[ReadProgress]:
    """Progress in the output of the running cell; nothing is displayed before the first update."""
    output = ipywidgets.HTML()
    progress = ReadProgress(output)
    output.observe(_display_once, "value")
    progress.start(what)
    try:
        yield progress
    finally:
        progress.end()


def _display_once(change: dict[str, object]) -> None:
    if change["old"] == "" and change["new"]:
        display: Callable[[object], object] = importlib.import_module("IPython.display").display
        display(change["owner"])
