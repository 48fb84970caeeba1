"""What a command line names: the store at a path, the image of a name, the limits; and how far a long read has come."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from overlaylab.errors import NotReadable
from overlaylab.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from overlaylab.image.image import Container, Image
    from overlaylab.stores.audit.validation import Report
    from overlaylab.stores.store import Store


# The values of a command's options, by their names.
Options = dict[str, Any]


def open_path(path: str, options: Options) -> Store:
    """Open the store at a path.

    Raises:
        NotReadable: There is none.
    """
    from overlaylab.stores.detect import open_store

    with ProgressLine("unpacked") as progress:
        return open_store(path, limits_of(options), progress)


def bolt_report(path: str, options: Options) -> Report | None:
    """Check a bolt database that stands alone; None if the path is anything else."""
    from overlaylab.stores.audit.validation import Report
    from overlaylab.stores.files.open_place import bolt_problems

    problems = bolt_problems(path, limits_of(options))
    return None if problems is None else Report(problems)


def open_around(path: str, folder: str | None, options: Options) -> tuple[Store, str | None]:
    """Open the store at PATH, or the store that contains PATH.

    Args:
        path: A store, or a path inside of one.
        folder: A directory of the store, or a path through one; by default PATH itself where it lies inside a store.
        options: The options of the command.

    Returns:
        The store, and the name of the directory in it; None if no directory is meant.

    Raises:
        NotReadable: There is no such store, or no such directory in it.
    """
    try:
        store = open_path(path, options)
    except NotReadable as refusal:
        above, folder = _store_above(path, options), folder or os.path.abspath(path)
        if above is None:
            raise refusal from None
        store = above
    if folder is None:
        return store, None
    found = next(filter(None, (part.directory_of(folder) for part in store.parts)), None)
    if found is None:
        raise NotReadable("not-found", folder, f"a folder of the store {path}", "none of this name")
    return store, found


def _store_above(path: str, options: Options) -> Store | None:
    """Open the nearest store above a path that has this path as one of its directories; None if there is none."""
    path = os.path.abspath(path)
    above = os.path.dirname(path)
    while above != os.path.dirname(above):
        try:
            store = open_path(above, options)
            if any(part.directory_of(path) for part in store.parts):
                return store
        except (NotReadable, OSError):
            pass
        above = os.path.dirname(above)
    return None


def limits_of(options: Options) -> Limits:
    """The limits that the options of a command set."""
    limit = options.get("max_expand")
    return Limits(expanded=limit, free=limit) if limit else DEFAULT_LIMITS


def select_target(store: Store, query: str, options: Options) -> Image | Container:
    """Find the image or container that a command names.

    Raises:
        NoSuchImage: There is none, or more than one.
    """
    from overlaylab.stores.selection import select

    return select(store, query, options.get("platform"), options.get("namespace"))


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
