"""What a file system gives to the system calls: nodes, and what can be asked of them.

An overlay and a plain disk both are such file systems, so the calls of `posix` serve both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from overlaylab.tree import Directory, File, Inode

from .journal import Journal

# The owner that a user namespace shows for an id that it does not map.
NOBODY = 65534

# renameat2(2)
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4

# stat(2): the type in st_mode
TYPES = {
    "fifo": 0o010000,
    "char": 0o020000,
    "dir": 0o040000,
    "block": 0o060000,
    "file": 0o100000,
    "symlink": 0o120000,
    "socket": 0o140000,
}


class Node:
    """One name that was found: what Linux calls a dentry.

    Args:
        fs: The file system that it lies on.
        parent: The directory that it was found in; None for a root.
        name: Its name there.
        upper: The inode of the upper layer; on a plain disk the inode.
        lowers: Its parts in lower layers, topmost first; none on a plain disk.
        alias: Whether the upper inode stands in the upper directory under this name.
        origin: What a file of the upper layer is a copy of, where that is known.
    """

    __slots__ = ("alias", "covered", "fs", "lowers", "name", "origin", "parent", "upper")

    def __init__(
        self,
        fs: FileSystem,
        parent: Node | None,
        name: str,
        upper: Inode | None,
        lowers: tuple[Any, ...] = (),
        alias: bool = True,
    ) -> None:
        self.fs, self.parent, self.name, self.upper, self.lowers = fs, parent, name, upper, lowers
        self.alias = alias and upper is not None
        self.covered: Node | None = None
        self.origin: Inode | None = None

    def copy(self) -> Node:
        """The same once more, with its parents, for somebody who keeps the old one; roots are not copied."""
        if self.parent is None:
            return self
        same = Node(self.fs, self.parent.copy(), self.name, self.upper, self.lowers, self.alias)
        same.origin = self.origin
        return same

    @property
    def inode(self) -> Inode:
        """What stat shows: the topmost part."""
        return self.upper if self.upper is not None else self.lowers[0].inode

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return isinstance(self.inode, Directory)

    @property
    def path(self) -> str:
        """The path from the root of its file system; ``.`` for the root."""
        names, node = [], self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names)) or "."


class FileSystem(Protocol):
    """What a file system must be able to do. Every call takes nodes that it has given out itself."""

    journal: Journal
    read_only: bool
    device: int
    root: Node
    hidden: str
    # Whether its devices cannot be opened, as on all that is mounted in a user namespace.
    no_devices: bool
    # Numbers of directories that were removed, or replaced, since the file system was mounted.
    dead: dict[int, bool]

    def look(self, parent: Node, name: str) -> Node | None:
        """Find a name in a directory."""

    def names(self, node: Node) -> list[str]:
        """List a directory."""

    def writable(self, node: Node, data: bool = True, size: int | None = None) -> Inode:
        """The inode to write to, made first if need be; `size` 0 says that the old data is not wanted."""

    def xattrs_of(self, node: Node) -> Inode:
        """The inode whose attributes can be set."""

    def fresh(self, node: Node) -> Node:
        """The node of an open file, as it is now."""

    def data_of(self, node: Node) -> File:
        """The inode whose data is shown."""

    def make(self, parent: Node, name: str, inode: Inode, now: int) -> Node:
        """Put a new inode into a directory."""

    def temporary(self, parent: Node, inode: Inode) -> Node:
        """Make a file without a name."""

    def link(self, node: Node, parent: Node, name: str, now: int) -> None:
        """Give an inode another name."""

    def remove(self, node: Node, now: int) -> None:
        """Take a name away; a directory must be empty."""

    def rename(self, old: Node, parent: Node, name: str, new: Node | None, flags: int, now: int) -> None:
        """Move a name."""

    def nlink(self, node: Node) -> int:
        """The link count that stat shows."""

    def names_left(self, node: Node) -> int:
        """How many names an open file still has."""

    def number(self, node: Node) -> int:
        """The inode number that stat shows."""

    def identity(self, node: Node) -> Any:
        """Equal for names of one inode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The answer of stat, with the field names of `os.stat_result`."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mtime_ns: int
    st_rdev: int = 0
    st_blocks: int = 0

    @property
    def st_mtime(self) -> float:
        """Seconds."""
        return self.st_mtime_ns / 10**9

    @property
    def st_atime(self) -> float:
        """Choice: the model keeps one time for both; reading does not change it."""
        return self.st_mtime

    st_ctime = st_atime
    st_atime_ns = property(lambda self: self.st_mtime_ns)


def shown_xattrs(inode: Inode, hidden: str) -> dict[str, bytes]:
    """The attributes that a mount shows: without its marks, and escaped ones with one escape less."""
    shown = {}
    for name, value in inode.xattrs.items():
        if hidden and name.startswith(hidden + "overlay."):
            shown[hidden + name[len(hidden) + len("overlay.") :]] = value
        elif not (hidden and name.startswith(hidden)):
            shown[name] = value
    return shown


def makedev(major: int, minor: int) -> int:
    """The number of a device, as glibc puts it together."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def numbers_of(device: int) -> tuple[int, int]:
    """Major and minor of a device number."""
    return (device >> 8 & 0xFFF) | (device >> 32 & ~0xFFF), (device & 0xFF) | (device >> 12 & ~0xFF)
