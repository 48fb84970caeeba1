"""The progress of long reads, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock


class ProgressLine:
    """One line on standard error that shows how much was read, if it takes long and standard error is a terminal."""

    def __init__(self, verb: str) -> None:
        self._verb, self._total, self._next = verb, 0, time.monotonic() + 0.5
        self._shown = False
        self._lock = Lock()

    def __enter__(self) -> Callable[[int], None] | None:
        return self._advance if sys.stderr.isatty() else None

    def _advance(self, count: int) -> None:
        with self._lock:
            self._total += count
        if time.monotonic() > self._next:
            self._next = time.monotonic() + 0.2
            self._shown = True
            print(f"\r{self._verb} {self._total / 1e6:,.0f} MB", end="", file=sys.stderr, flush=True)

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
