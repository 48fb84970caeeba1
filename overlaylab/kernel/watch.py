"""A real mount, looked at after every operation. For the child process, which stands in a namespace of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from overlaylab.errors import error_name
from overlaylab.linux.operations import Op
from overlaylab.linux.proof.compare import Sights, seen, stored
from overlaylab.linux.proof.experiments import Moment
from overlaylab.stores.files.directory import read_directory

from .os_calls import Surface
from .replays import done_here

__all__ = ["fingerprint", "moments_here"]


def fingerprint(folder: str) -> list[tuple[Any, ...]]:
    """Everything that changes when anything in a layer does: each inode's times of change, counts and names."""
    found = []
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        info = os.lstat(path)
        found.append((path, info.st_ino, info.st_mode, info.st_nlink, info.st_size, info.st_mtime_ns, info.st_ctime_ns))
        if info.st_mode & 0o170000 == 0o040000:
            with os.scandir(path) as entries:
                waiting += [entry.path for entry in entries]
    return sorted(found)


def moments_here(
    ops: Sequence[Op],
    inside: Callable[[], AbstractContextManager[None]],
    upper: str,
    lowers: Sequence[str],
    keep: int,
) -> Iterator[Moment]:
    """Run operations by the calls of this process, and look around after each.

    Args:
        inside: Makes the mount the root of all paths, for a while.
        upper: The upper directory, as it lies on disk.
        lowers: The lower directories.
        keep: Bytes of content to keep of the upper.
    """
    calls, sights = Surface(), Sights()
    before = [fingerprint(lower) for lower in lowers]
    try:
        for operation in ops:
            with inside():
                (answer,) = done_here(calls, [operation])
            on_disk = stored(read_directory(upper, keep=keep))
            with inside():
                merged = seen(calls, sights)
            error = error_name(answer.errno) if answer.errno else ""
            yield Moment(error, answer.value, on_disk, merged, before == [fingerprint(lower) for lower in lowers])
    finally:
        calls.close_all()
