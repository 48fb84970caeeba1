"""Processes that do calls of their own, where threads would wait for Python's lock too often."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["Child", "can_fork"]

# Bytes between two words of progress: a hundred a second at most.
OFTEN = 1 << 24


def can_fork() -> bool:
    """Whether this program can be copied as it runs: on Linux, and while it has one thread."""
    return sys.platform == "linux" and threading.active_count() == 1


class Child:
    """A copy of this program that calls a function with one item after the other.

    What does not come back from it, for whatever reason, is done here when it is asked for: so that the reason shows.

    Args:
        function: Called as ``function(item, progress)``. What it returns must be small, and something that pickle knows.
        items: In their order.
        progress: Called here with the numbers that the function gives to its own.

    Raises:
        OSError: No further process is to be had.
    """

    def __init__(
        self, function: Callable[..., Any], items: Sequence[Any], progress: Callable[[int], None] | None
    ) -> None:
        self._function, self._items, self._progress = function, items, progress
        self._results: list[Any] = []
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if self._pid == 0:
            # Else this end would stay open when the other process is gone.
            os.close(reading)
            self._work(writing)
        os.close(writing)
        self._words = open(reading, "rb")

    def _work(self, writing: int) -> None:
        """The life of the copy: numbers are progress, everything else is a result."""
        try:
            # Whoever waits for nobody lets those go first who wait for each other.
            os.nice(19)
            with open(writing, "wb", buffering=0) as words:
                for item in self._items:
                    waiting = 0

                    def told(count: int) -> None:
                        nonlocal waiting
                        waiting += count
                        if waiting >= OFTEN:
                            # Fails if nobody is there to read it, and so ends this process.
                            words.write(pickle.dumps(waiting))
                            waiting = 0

                    result = self._function(item, told)
                    words.write(pickle.dumps(waiting) + pickle.dumps((result,)))
        finally:
            os._exit(0)

    def result(self, number: int) -> Any:
        """The result for the item with this number, once it is there."""
        self.listen(number + 1)
        if number < len(self._results):
            return self._results[number]
        return self._function(self._items[number], self._progress)

    def listen(self, results: int = sys.maxsize) -> None:
        """Hear what it says until there are so many results, or no more."""
        while len(self._results) < results and not self._words.closed:
            with self._lock:
                self._hear()

    def _hear(self) -> None:
        if self._words.closed:
            return
        try:
            word = pickle.load(self._words)
        except (EOFError, OSError, pickle.UnpicklingError):
            self._end()
            return
        if isinstance(word, tuple):
            self._results += word
            if len(self._results) == len(self._items):
                self._end()
        elif self._progress:
            self._progress(word)

    def _end(self) -> None:
        self._words.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
