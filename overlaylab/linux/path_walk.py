"""The path walk: from a path to a node, through mounts, symbolic links and ``..``, with permission checks on the way.

Failures are `OSError` with Linux's errno. Linux 6.18, fs/namei.c: path_lookupat, link_path_walk, walk_component.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node
from overlaylab.tree import Symlink

from .permissions import EXECUTE, check
from .process import Process

LONGEST_NAME, LONGEST_PATH, MOST_LINKS = 255, 4096, 40


@dataclass(slots=True)
class Last:
    """Where a walk ended: in the directory `parent`, before the last `name` of the path.

    Args:
        name: The last component; empty if the path is the root.
        slash: Whether a slash follows it.
    """

    parent: Node
    name: str
    slash: bool

    @property
    def special(self) -> bool:
        """Whether the last component is the root, ``.`` or ``..``, which name no directory entry."""
        return self.name in ("", ".", "..")


def encoded(path: str | bytes) -> str:
    """The path as text; bytes that are not UTF-8 are kept with ``surrogateescape``."""
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)


def find(process: Process, path: str | bytes, follow: bool = True) -> Node:
    """The node at a path.

    Args:
        path: Absolute, or relative to the current directory.
        follow: Whether a symbolic link in the last place is followed.

    Raises:
        OSError: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.

    Spec:
        Kernel, section 2: symlinks are resolved in the merged view (merge-12, cr-21), at most 40 of them (ln-15).
    """
    return finish(process, encoded(path), follow, [0])


def finish(process: Process, path: str, follow: bool, hops: list[int], start: Node | None = None) -> Node:
    """The node at a path, in the middle of a longer walk.

    Args:
        hops: The number of symbolic links that were followed so far, in a list of one; counted up here.
        start: Where a relative path begins, if not in the current directory.
    """
    last = walk(process, path, hops, start)
    node = step(process, last.parent, last.name)
    if node is None:
        raise fail(errno.ENOENT, path)
    if isinstance(node.inode, Symlink) and (follow or last.slash):
        node = _follow(process, node, last.parent, hops)
    if last.slash and not node.is_dir:
        raise fail(errno.ENOTDIR, path)
    return node


def walk(process: Process, path: str, hops: list[int], start: Node | None = None) -> Last:
    """Go to the directory that holds the last component of a path.

    Args:
        hops, start: As in `finish`.

    Raises:
        OSError: ENOENT for an empty path; ENAMETOOLONG; ENOTDIR; EACCES without search permission on the way.
    """
    if not path:
        raise fail(errno.ENOENT, path)
    if len(path.encode("utf-8", "surrogateescape")) >= LONGEST_PATH:
        raise fail(errno.ENAMETOOLONG, path)
    here = process.root if path.startswith("/") else start or process.cwd
    parts = [part for part in path.split("/") if part]
    if not parts:
        return Last(here, "", False)
    for part in parts[:-1]:
        _search(process, here)
        node = step(process, here, part)
        if node is None:
            raise fail(errno.ENOENT, path)
        if isinstance(node.inode, Symlink):
            node = _follow(process, node, here, hops)
        if not node.is_dir:
            raise fail(errno.ENOTDIR, path)
        here = node
    _search(process, here)
    return Last(here, parts[-1], path.endswith("/"))


def step(process: Process, parent: Node, name: str) -> Node | None:
    """One component further: down, up with ``..``, and into what is mounted there; None if there is no such name."""
    if name in ("", "."):
        return parent
    if name == "..":
        while parent.parent is None and parent.covered is not None:
            parent = parent.covered
        return parent if parent.parent is None or parent is process.root else _into(process, parent.parent)
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise fail(errno.ENAMETOOLONG, name)
    node = parent.fs.look(parent, name)
    return node if node is None else _into(process, node)


def link_target(link: Node, hops: list[int]) -> str:
    """The text of a symbolic link that is followed; ELOOP after too many of them."""
    hops[0] += 1
    if hops[0] > MOST_LINKS or not isinstance(link.inode, Symlink):
        raise fail(errno.ELOOP, link.path)
    return link.inode.target


def with_parents(node: Node) -> Iterator[Node]:
    """A node and all directories above it, up to the root of its file system."""
    here: Node | None = node
    while here is not None:
        yield here
        here = here.parent


def chdir(process: Process, path: str) -> None:
    """Change the current directory, where relative paths begin."""
    node = find(process, path)
    if not node.is_dir:
        raise fail(errno.ENOTDIR, path)
    _search(process, node)
    process.cwd = node


def _follow(process: Process, link: Node, parent: Node, hops: list[int]) -> Node:
    return finish(process, link_target(link, hops), True, hops, parent)


def _search(process: Process, directory: Node) -> None:
    check(process.caller, directory.inode, EXECUTE, directory.path)


def _into(process: Process, node: Node) -> Node:
    """The root of what is mounted on a node, or the node itself."""
    for mount in reversed(process.mounts):
        if mount.at.fs is node.fs and mount.at.inode is node.inode:
            return mount.root
    return node
