"""A file system as a value: each directory holds a table from names to inodes.

A hard link is one inode under two names. Paths are relative, with ``/`` between names and ``.`` for the root. Names
that are not UTF-8 are decoded with Python's ``surrogateescape``. The trees of lower layers never change once built.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar, Self

from overlaylab.errors import Finding

__all__ = [
    "Device",
    "Directory",
    "Fifo",
    "File",
    "Inode",
    "Socket",
    "Symlink",
    "clean",
    "copied",
    "entry",
    "find",
    "is_clean",
    "make_tree",
    "parent_of",
    "same",
    "sizes",
    "some",
    "walk",
    "whiteout",
]

# The modification time in hand-made trees, in nanoseconds since 1970: a round number that is easy to recognise.
MADE_AT = 1_000_000_000 * 10**9


@dataclass(slots=True)
class Inode:
    """What a name refers to: a file, a directory, or another object of a file system.

    Args:
        mode: Permission bits with setuid, setgid and sticky: ``0o755``.
        uid: Owner.
        gid: Group.
        mtime_ns: Modification time, integer nanoseconds since 1970.
        xattrs: Extended attributes, name to exact bytes.
        nlink: How many names the inode has in its layer.
    """

    type: ClassVar[str] = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime_ns: int = MADE_AT
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    nlink: int = 1


@dataclass(slots=True)
class Directory(Inode):
    """A directory; `names` is its table. A root directory is a whole tree."""

    type: ClassVar[str] = "dir"
    mode: int = 0o755
    names: dict[str, Inode] = field(default_factory=dict)


@dataclass(slots=True)
class File(Inode):
    """A regular file.

    Args:
        size: In bytes.
        sha256: The digest of its content, as hex digits.
        data: The content, where it was kept; None for the layers of large images.
    """

    type: ClassVar[str] = "file"
    size: int = 0
    sha256: str = hashlib.sha256().hexdigest()
    data: bytes | None = None

    @classmethod
    def of(cls, data: bytes, **attributes: Any) -> Self:
        """Make a file with this content."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data, **attributes)


@dataclass(slots=True)
class Symlink(Inode):
    """A symbolic link; `target` is its text, exactly as stored."""

    type: ClassVar[str] = "symlink"
    mode: int = 0o777
    target: str = ""


@dataclass(slots=True)
class Device(Inode):
    """A device node, ``char`` or ``block``, with its numbers ``(major, minor)``."""

    kind: str = "char"
    rdev: tuple[int, int] = (0, 0)

    @property
    def type(self) -> str:  # type: ignore[override]  # read only; a constant in the other classes
        """``char`` or ``block``."""
        return self.kind


@dataclass(slots=True)
class Fifo(Inode):
    """A named pipe."""

    type: ClassVar[str] = "fifo"


@dataclass(slots=True)
class Socket(Inode):
    """A socket."""

    type: ClassVar[str] = "socket"


def whiteout() -> Device:
    """Make a whiteout as overlayfs stores it: a character device 0:0. Kernel: overlay vectors wo-01, wo-27."""
    return Device(mode=0, kind="char", rdev=(0, 0))


def clean(name: str, where: str) -> tuple[str, bool]:
    """Normalise a path that came from outside.

    Args:
        name: For example ``./etc/hosts`` or ``/etc/``.
        where: Where the name was found, for findings.

    Returns:
        The relative path, ``.`` for the root, and whether the name was absolute.

    Raises:
        Finding: ``path-escape`` for a ``..`` part or a NUL character.
    """
    if is_clean(name):
        return name, False
    if "\0" in name:
        raise Finding("path-escape", where, "a name without NUL", name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Finding("path-escape", where, "a name inside the image", name)
    return "/".join(parts) or ".", name.startswith("/")


def is_clean(name: str) -> bool:
    """Whether a name is a normalised path already: a quick test, false also for names that begin with a dot."""
    return "/." not in name and "//" not in name and name[:1] not in "/." and name[-1] != "/" and "\0" not in name


def parent_of(path: str) -> tuple[str, str]:
    """Split a path into the path of its directory and its last name."""
    parent, _, name = path.rpartition("/")
    return parent or ".", name


def parts_of(path: str) -> list[str]:
    """Split a path into its names; none for ``.``."""
    return [] if path == "." else path.split("/")


def find(root: Directory, path: str) -> Inode | None:
    """The inode at `path`, or None. Symlinks are not followed."""
    node: Inode | None = root
    for name in parts_of(path):
        if not isinstance(node, Directory):
            return None
        node = node.names.get(name)
    return node


def walk(root: Directory) -> Iterator[tuple[str, Inode]]:
    """Yield every path with its inode: the root first, names sorted, each directory before its content."""
    yield ".", root
    stack = [("", name, root.names[name]) for name in sorted(root.names, reverse=True)]
    while stack:
        prefix, name, inode = stack.pop()
        path = prefix + name
        yield path, inode
        if isinstance(inode, Directory):
            stack += [(path + "/", child, inode.names[child]) for child in sorted(inode.names, reverse=True)]


def copied(root: Directory) -> Directory:
    """Copy a tree with its hard links, and count the links of every inode."""
    made: dict[int, Inode] = {}

    def directory(original: Directory) -> Directory:
        return replace(original, names={name: any_inode(child) for name, child in original.names.items()})

    def any_inode(inode: Inode) -> Inode:
        if isinstance(inode, Directory):
            return directory(inode)
        if id(inode) not in made:
            made[id(inode)] = replace(inode, nlink=0)
        made[id(inode)].nlink += 1
        return made[id(inode)]

    return directory(root)


def some(root: Directory, most: int) -> Iterator[tuple[str, Inode]]:
    """Yield at most `most` paths with their inodes, breadth first, without the root: quick in a tree of any size."""
    waiting = deque([("", root)])
    while waiting:
        prefix, directory = waiting.popleft()
        for name, inode in islice(directory.names.items(), most):
            yield prefix + name, inode
            most -= 1
            if isinstance(inode, Directory):
                waiting.append((f"{prefix}{name}/", inode))


def make_tree(names: Mapping[str, Any], **attributes: Any) -> Directory:
    """Build a small tree by hand.

    Args:
        names: Maps a name to a file's content (`str` or `bytes`), a directory (a mapping), a whiteout (None), or
            any `Inode`.

    Example:
        >>> [path for path, _ in walk(make_tree({"a": "text", "d": {"b": "more"}}))]
        ['.', 'a', 'd', 'd/b']
    """
    return Directory(names={name: _made(value) for name, value in names.items()}, **attributes)


def _made(value: Any) -> Inode:
    match value:
        case Inode():
            return value
        case None:
            return whiteout()
        case str():
            return File.of(value.encode("utf-8", "surrogateescape"))
        case bytes():
            return File.of(value)
        case Mapping():
            return make_tree(value)
    raise TypeError(f"expected text, bytes, a mapping, None or an inode, found {type(value).__name__}")


def entry(inode: Inode, hidden: str = "trusted.overlay.") -> dict[str, Any]:
    """Describe an inode as plain data, as one line of a listing; keys that do not apply are absent.

    Args:
        inode: What to describe.
        hidden: The namespace of overlayfs' own xattrs, which a mount does not show.

    Spec:
        Kernel: these xattrs are invisible through the mount (overlay vectors wo-33, wo-14); one level of escaping is
        removed (wo-31).
    """
    fields: dict[str, Any] = {
        "type": inode.type,
        "mode": f"{inode.mode & 0o7777:04o}",
        "uid": inode.uid,
        "gid": inode.gid,
        "mtime_ns": inode.mtime_ns,
    }
    match inode:
        case File():
            fields |= {"size": inode.size, "nlink": inode.nlink, "sha256": inode.sha256}
        case Symlink():
            fields |= {"target": inode.target, "nlink": inode.nlink}
        case Device():
            fields["rdev"] = list(inode.rdev)
    shown = {}
    for name, value in inode.xattrs.items():
        if name.startswith(hidden + "overlay."):
            shown[hidden + name[len(hidden) + len("overlay.") :]] = value.hex()
        elif not name.startswith(hidden):
            shown[name] = value.hex()
    if shown:
        fields["xattrs_hex"] = dict(sorted(shown.items()))
    return fields


def same(first: Inode, second: Inode) -> bool:
    """Whether two inodes have the same type, attributes and content; what is inside a directory is not compared."""
    one, two = entry(first), entry(second)
    one.pop("nlink", None)
    two.pop("nlink", None)
    return one == two


def sizes(root: Directory) -> int:
    """The bytes of all regular files, hard links counted once: Docker's size of a layer, apart from symlinks."""
    seen: set[int] = set()
    total = 0
    for _, inode in walk(root):
        if isinstance(inode, File) and id(inode) not in seen:
            seen.add(id(inode))
            total += inode.size
    return total
