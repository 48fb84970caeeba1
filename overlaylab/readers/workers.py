"""Threads that hash and unpack side by side: Python lets go of its lock while C code does either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

__all__ = ["Workers"]

# How long a thread may keep Python's lock while another one waits for it, in seconds. The usual 5 ms are as long as it
# takes to hash eight megabytes.
SWITCH = 0.0002


class Workers:
    """As many threads as there are processors, which do jobs in the order in which these come.

    Args:
        number: How many threads, if it is not that of the processors.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number or _processors()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._threads: list[Thread] = []

    def later(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Begin with a call; what is returned waits for its end, and gives its result or raises its exception."""
        job = _Job(function, arguments)
        self._jobs.put(job)
        if len(self._threads) < self._number:
            sys.setswitchinterval(SWITCH)
            # A thread that is at work must not keep the program alive, when a person stops it.
            self._threads.append(Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        return job.result

    def _work(self) -> None:
        while True:
            self._jobs.get().run()


class _Job:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments
        self._done = Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:
            self._error = error
        self._done.set()

    def result(self) -> Any:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


def _processors() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
