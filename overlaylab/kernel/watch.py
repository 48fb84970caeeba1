"""A real mount, read after every operation; for the child process in its private namespace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from overlaylab.errors import error_name
from overlaylab.linux.operations import Op
from overlaylab.linux.proof.compare import Identities, layer_listing, mount_listing
from overlaylab.linux.proof.experiments import Moment
from overlaylab.stores.files.directory import read_directory

from .os_calls import OsCalls
from .replays import run_ops


def fingerprint(directory: str) -> list[tuple[Any, ...]]:
    """Collect what changes with any change in a layer: each inode's path, number, mode, link count, size and times."""
    found = []
    waiting = [directory]
    while waiting:
        path = waiting.pop()
        info = os.lstat(path)
        found.append((path, info.st_ino, info.st_mode, info.st_nlink, info.st_size, info.st_mtime_ns, info.st_ctime_ns))
        if info.st_mode & 0o170000 == 0o040000:
            with os.scandir(path) as entries:
                waiting += [entry.path for entry in entries]
    return sorted(found)


def watch_ops(
    ops: Sequence[Op], inside: Callable[[], AbstractContextManager[None]], upper: str, lowers: Sequence[str], keep: int
) -> Iterator[Moment]:
    """Run operations by system calls of this process, and read everything after each.

    Args:
        inside: Returns a context in which the mount is the root directory.
        upper: The upper directory on disk, of which `keep` bytes of file content are kept.
        lowers: The lower directories on disk.
    """
    calls, identities = OsCalls(), Identities()
    before = [fingerprint(lower) for lower in lowers]
    try:
        for operation in ops:
            with inside():
                (answer,) = run_ops(calls, [operation])
            on_disk = layer_listing(read_directory(upper, keep=keep))
            with inside():
                merged = mount_listing(calls, identities)
            error = error_name(answer.errno) if answer.errno else ""
            yield Moment(error, answer.value, on_disk, merged, before == [fingerprint(lower) for lower in lowers])
    finally:
        calls.close_all()
