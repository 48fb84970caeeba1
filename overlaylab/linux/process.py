"""The state of one process: whose rights it has, where it stands, what it has open, and what is mounted.

Every system call of this room is a function whose first argument is such a `Process`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from overlaylab.overlay.filesystem import Node
from overlaylab.overlay.journal import Journal
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.overlay_xattrs import InodeAllocator
from overlaylab.tree import File, Inode

from .permissions import Caller

# A number, or the name that an operation gives to its descriptor or memory map.
Fd = int | str

O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3


class Descriptor:
    """An open file.

    Args:
        opened: The node at the time of the open.
        flags: Flags of open(2).
        pipe: An object that all descriptors of one FIFO share; it stays the same when the FIFO is copied up.
    """

    __slots__ = ("flags", "names", "offset", "opened", "pipe")

    def __init__(self, opened: Node, flags: int, pipe: object = None) -> None:
        self.opened, self.flags, self.pipe, self.offset = opened, flags, pipe, 0
        # What readdir has listed; None before the first read.
        self.names: list[str] | None = None

    @property
    def node(self) -> Node:
        """The opened node in its present state: it may have been copied up since. Kernel, section 11: cu-29, cu-32."""
        return self.opened.fs.fresh(self.opened.copy())

    @property
    def reads(self) -> bool:
        """Whether it was opened for reading."""
        return self.flags & O_ACCMODE in (O_RDONLY, O_RDWR)

    @property
    def writes(self) -> bool:
        """Whether it was opened for writing."""
        return self.flags & O_ACCMODE in (O_WRONLY, O_RDWR)


@dataclass(slots=True, eq=False)
class Mount:
    """A mounted file system.

    Args:
        at: The directory that it covers.
        root: The root that is seen instead.
        shown: Its options as the kernel shows them.
        layers: Upper and work directory, which are in use as long as it is mounted.
    """

    at: Node
    root: Node
    shown: str = ""
    layers: tuple[Inode, ...] = ()


@dataclass(slots=True, eq=False)
class Process:
    """A process and the mounts that it sees.

    Args:
        root: Where absolute paths begin.
        cwd: Where relative paths begin.
        caller: The effective ids of its calls.
        journal: Records every change, so that an operation can be undone.
        numbers: The inode numbers of the disk.
        mask: The umask.
        files: Open files by descriptor.
        maps: Memory maps by name; each shows the inode that it was made from.
        pipes: Bytes that wait in FIFOs, by `Descriptor.pipe`.
        linkable: Files of O_TMPFILE, by `id`, which may still get a first name.
        mounts: In the order in which they were mounted.
        indexes: The index of each work directory, by `id` of the directory's inode; it outlives a mount (index=on).
        devices: How many device numbers were given out.
    """

    root: Node
    cwd: Node
    caller: Caller
    journal: Journal
    numbers: InodeAllocator
    mask: int = 0o022
    files: dict[Fd, Descriptor] = field(default_factory=dict)
    maps: dict[Fd, File] = field(default_factory=dict)
    pipes: dict[object, bytes] = field(default_factory=dict)
    linkable: dict[int, Inode] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    indexes: dict[int, dict[Any, Inode]] = field(default_factory=dict)
    devices: int = 1

    @property
    def overlay(self) -> Overlay:
        """The overlay that the current directory lies in; TypeError if that lies on a plain disk."""
        fs = self.cwd.fs
        if not isinstance(fs, Overlay):
            raise TypeError(f"expected a process that stands in an overlay, found one on {type(fs).__name__}")
        return fs


def umask(process: Process, mask: int) -> int:
    """Set the umask; returns the old one."""
    before, process.mask = process.mask, mask & 0o777
    return before


def seteuid(process: Process, uid: int) -> None:
    """Run later calls as this user."""
    process.caller = Caller(uid, process.caller.gid, process.caller.userns)


def setegid(process: Process, gid: int) -> None:
    """Run later calls with this group."""
    process.caller = Caller(process.caller.uid, gid, process.caller.userns)


@contextmanager
def acting(process: Process, uid: int, gid: int) -> Iterator[None]:
    """Run the calls of a ``with`` block with other effective ids."""
    before = process.caller
    process.caller = Caller(uid, gid, before.userns)
    try:
        yield
    finally:
        process.caller = before
