"""Reading layers in parallel, in threads and in processes.

Threads help because Python releases its lock while C code hashes or inflates.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from overlaylab.image.image import Layer
from overlaylab.image.layer_blob import BlobReader, Content, Progress, Stored, pass_key
from overlaylab.image.media_types import Compression

# Bytes between two reports of progress by a child process: a hundred reports a second at most.
PROGRESS_STEP = 1 << 24

# How long a thread may hold Python's lock while another one waits for it, in seconds. By default it is 5 ms, in which
# eight megabytes can be hashed.
SWITCH_INTERVAL = 0.0002

# Less work than this, in bytes, is done before a process has been forked.
TOO_LITTLE = 1 << 23


@dataclass
class ParallelReader(BlobReader):
    """Reads layers as soon as they are announced: their contents in threads, the hashes of their blobs in processes.

    Args:
        workers: The threads and processes.
    """

    workers: Workers = field(default_factory=lambda: Workers())
    _contents: dict[tuple[str, ...], Callable[[], Content | None]] = field(init=False, default_factory=dict)
    _hashes: dict[tuple[str, ...], Callable[[], Stored]] = field(init=False, default_factory=dict)

    def prefetch(self, layers: Sequence[Layer]) -> None:
        """Start to read the layers, the largest blob first."""
        looks = sorted(((*self.look(layer), layer) for layer in layers), key=lambda look: -look[1])
        # Processes before threads: a program with threads cannot be forked safely.
        sizes = [size for _, size, _ in looks]
        hashes = self.workers.submit_to_children(self._hash, [layer for *_, layer in looks], sizes, self.progress)
        for compression, _, layer in looks:
            # Without digests, little more than the headers is read of a plain tar: that is done when it is needed.
            if self.digests or compression is not Compression.NONE:
                self._contents[pass_key(layer)] = self.workers.submit(super().content, layer)
        for number, (*_, layer) in enumerate(looks):
            self._hashes[pass_key(layer)] = hashes.get(number) or self.workers.submit(super().stored, layer)

    def _hash(self, layer: Layer, progress: Progress | None) -> Stored:
        return BlobReader(self.blobs, progress=progress).stored(layer)

    def content(self, layer: Layer) -> Content | None:
        """See `BlobReader`; waits if the layer is being read."""
        return self._contents.pop(pass_key(layer), partial(super().content, layer))()

    def stored(self, layer: Layer) -> Stored:
        """See `BlobReader`; waits if the blob is being hashed."""
        return self._hashes.pop(pass_key(layer), partial(super().stored, layer))()


class Workers:
    """As many threads and child processes as there are processors.

    Args:
        number: How many of each; that of the processors if it is 0.
        too_little: Work of fewer bytes is not worth a process.
        threads: Whether there are threads at all; without them `submit` calls a function when its result is wanted.
    """

    def __init__(self, number: int = 0, too_little: int = TOO_LITTLE, threads: bool = True) -> None:
        # The processors that this program may use.
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._number, self._too_little = number or usable, too_little
        self._most_threads = self._number if threads else 0
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._threads: list[Thread] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Submit a call to a thread; returns a function that waits for its result, or raises its exception.

        Like ``ThreadPoolExecutor.submit(...).result``, except that its threads are daemons: a long call does not keep
        the program alive when it is interrupted.
        """
        if not self._most_threads:
            return partial(function, *arguments)
        call = _Call(function, arguments)
        self._calls.put(call)
        if len(self._threads) < self._most_threads:
            sys.setswitchinterval(SWITCH_INTERVAL)
            self._threads.append(Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        return call.result

    def submit_to_children(
        self,
        function: Callable[[Any, Progress | None], Any],
        items: Sequence[Any],
        sizes: Sequence[int],
        progress: Progress | None,
    ) -> dict[int, Callable[[], Any]]:
        """Submit a call for each item to child processes, as far as there can be any; see `Child`.

        Args:
            function: Called as ``function(item, progress)``.
            items: The largest first.
            sizes: Bytes of work for each item.
            progress: See `Child`.

        Returns:
            The number of an item -> a function that waits for its result; items that no process took are left out.
        """
        if sum(sizes) < self._too_little or not can_fork():
            return {}
        results: dict[int, Callable[[], Any]] = {}
        children: list[Child] = []
        with suppress(OSError):
            for share in _shares(sizes, self._number):
                children.append(Child(function, [items[number] for number in share], progress))
                results |= {number: partial(children[-1].result, index) for index, number in enumerate(share)}
        # Where no thread can be started, progress is reported while a result is awaited.
        with suppress(RuntimeError):
            for child in children if progress else ():
                Thread(target=child.listen, daemon=True).start()
        return results

    def _work(self) -> None:
        while True:
            self._calls.get().run()


class _Call:
    """A call in another thread: a small `concurrent.futures.Future`, whose import would take 3 ms."""

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


def can_fork() -> bool:
    """Whether this program can be forked as it runs: on Linux, while it has one thread."""
    return sys.platform == "linux" and threading.active_count() == 1


class Child:
    """A forked process that calls a function with one item after the other.

    What the process does not return, for whatever reason, is computed by the parent when it is asked for, so that the
    reason shows there as an exception.

    Args:
        function: Called as ``function(item, progress)``. Its results must be small, and of types that can be pickled.
        items: In their order.
        progress: Called in the parent with the numbers that the function reports to its own `progress`.

    Raises:
        OSError: No process can be started.
    """

    def __init__(
        self, function: Callable[[Any, Progress | None], Any], items: Sequence[Any], progress: Progress | None
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
            # Otherwise a write would not fail when the parent is gone.
            os.close(reading)
            self._work(writing)
        os.close(writing)
        self._messages = os.fdopen(reading, "rb")

    def _work(self, writing: int) -> None:
        """The child's main function. It writes pickles: an int is progress, a tuple holds a result."""
        try:
            # The lowest priority: the parent's threads wait for each other, the child waits for nobody.
            os.nice(19)
            with open(writing, "wb", buffering=0) as messages:
                for item in self._items:
                    unreported = 0

                    def report(count: int) -> None:
                        nonlocal unreported
                        unreported += count
                        if unreported >= PROGRESS_STEP:
                            # Fails if the parent is gone, which ends this process.
                            messages.write(pickle.dumps(unreported))
                            unreported = 0

                    result = self._function(item, report)
                    messages.write(pickle.dumps(unreported) + pickle.dumps((result,)))
        finally:
            os._exit(0)

    def result(self, number: int) -> Any:
        """Wait for the result of the item with this number, and return it."""
        self.listen(number + 1)
        if number < len(self._results):
            return self._results[number]
        return self._function(self._items[number], self._progress)

    def listen(self, results: int = sys.maxsize) -> None:
        """Read messages until there are so many results, or no more messages."""
        while len(self._results) < results and not self._messages.closed:
            with self._lock:
                self._read_message()

    def _read_message(self) -> None:
        if self._messages.closed:
            return
        try:
            message = pickle.load(self._messages)
        except (EOFError, OSError, pickle.UnpicklingError):
            self._end()
            return
        if isinstance(message, tuple):
            self._results += message
            if len(self._results) == len(self._items):
                self._end()
        elif self._progress:
            self._progress(message)

    def _end(self) -> None:
        self._messages.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _shares(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Divide items, by number, into so many shares, none empty: each item goes where the least work is so far."""
    shares: list[list[int]] = [[] for _ in range(min(most, len(sizes)))]
    loads = [0] * len(shares)
    for number, size in enumerate(sizes):
        least = loads.index(min(loads))
        shares[least].append(number)
        loads[least] += size
    return [share for share in shares if share]
