"""Work that goes on side by side: threads, since Python lets go of its lock while C code hashes or unpacks, and processes."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

__all__ = ["Child", "Workers", "can_fork"]

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


# How long a thread may keep Python's lock while another one waits for it, in seconds. The usual 5 ms are as long as it
# takes to hash eight megabytes.
SWITCH = 0.0002


# Less work than this, in bytes, is done before another process has begun.
LITTLE = 1 << 23


class Workers:
    """As many threads and processes as there are processors, which do jobs in the order in which these come.

    Args:
        number: How many of each, if it is not that of the processors.
        little: How much work is too little for a process, in bytes.
    """

    def __init__(self, number: int = 0, little: int = LITTLE) -> None:
        self._number, self._little = number or _processors(), little
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

    def apart(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        sizes: Sequence[int],
        progress: Callable[[int], None] | None,
    ) -> dict[int, Callable[[], Any]]:
        """Begin with a call for each item, in processes of their own, as far as that can be; see `Child`.

        Args:
            items: The largest first.
            sizes: How much work each of them is, in bytes.

        Returns:
            The number of an item -> what waits for its result; without those that no process takes.
        """
        if sum(sizes) < self._little or not can_fork():
            return {}
        waits: dict[int, Callable[[], Any]] = {}
        children: list[Child] = []
        with suppress(OSError):
            for share in _shares(sizes, self._number):
                children.append(Child(function, [items[number] for number in share], progress))
                waits |= {number: partial(children[-1].result, place) for place, number in enumerate(share)}
        # Where no thread is to be had, progress is told later: whoever waits for a result listens too.
        with suppress(RuntimeError):
            for child in children if progress else ():
                Thread(target=child.listen, daemon=True).start()
        return waits

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


def _shares(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Numbers of items in so many shares, none empty: each item goes where the least work is so far."""
    shares: list[list[int]] = [[] for _ in range(min(most, len(sizes)))]
    loads = [0] * len(shares)
    for number, size in enumerate(sizes):
        least = loads.index(min(loads))
        shares[least].append(number)
        loads[least] += size
    return [share for share in shares if share]


def _processors() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
