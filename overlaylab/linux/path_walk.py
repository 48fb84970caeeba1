"""The path walk: from a path to a node, through mounts, symbolic links and ``..``, with permission on the way.

Names and arguments are those of Python's `os`; failures are `OSError` with Linux's
errno. Linux 6.18, fs/namei.c.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node
from overlaylab.tree import Inode, Symlink

from .permissions import EXECUTE, Caller, check

__all__ = ["LONGEST_NAME", "Last", "PathWalk", "encoded"]

LONGEST_NAME, LONGEST_PATH, MOST_LINKS = 255, 4096, 40


@dataclass(slots=True)
class Last:
    """Where a walk ended: in `parent`, before its last `name` (``.``, ``..`` and empty for the root are none)."""

    parent: Node
    name: str
    slash: bool

    @property
    def special(self) -> bool:
        """Whether the last name is no name of an entry."""
        return self.name in ("", ".", "..")


def encoded(path: str | bytes) -> str:
    """The path as text; bytes that are not UTF-8 stay what they are."""
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)


class PathWalk:
    """A process: where it stands, whose rights it has, and how it finds what a path names.

    Args:
        root: Where absolute paths begin, and relative ones until `chdir`.
        userns: Whether the caller's root is root of a user namespace only.
    """

    def __init__(self, root: Node, userns: bool = False) -> None:
        self.root = self.cwd = root
        self.caller = Caller(userns=userns)
        self.mask = 0o022
        # Files of O_TMPFILE, which may get a first name.
        self.linkable: dict[int, Inode] = {}

    # --- the process

    def chdir(self, path: str) -> None:
        """Change the directory where relative paths begin."""
        node = self._find(path)
        if not node.is_dir:
            raise fail(errno.ENOTDIR, path)
        self._search(node)
        self.cwd = node

    def umask(self, mask: int) -> int:
        """Set the mask of new files, and give the old one."""
        before, self.mask = self.mask, mask & 0o777
        return before

    def seteuid(self, uid: int) -> None:
        """Run later calls as this user."""
        self.caller = Caller(uid, self.caller.gid, self.caller.userns)

    def setegid(self, gid: int) -> None:
        """Run later calls with this group."""
        self.caller = Caller(self.caller.uid, gid, self.caller.userns)

    @contextmanager
    def acting(self, uid: int, gid: int) -> Iterator[None]:
        """Run calls with other effective ids."""
        before = self.caller
        self.caller = Caller(uid, gid, before.userns)
        try:
            yield
        finally:
            self.caller = before

    def _now(self) -> int:
        return self.root.fs.journal.now()

    # --- the path walk

    def _find(self, path: str | bytes, follow: bool = True) -> Node:
        """The node at a path.

        Raises:
            OSError: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.

        Spec:
            Kernel, section 2: symlinks are resolved in the merged view (merge-12, cr-21), 40 of them (ln-15).
        """
        return self._finish(encoded(path), follow, [0])

    def _finish(self, path: str, follow: bool, hops: list[int], start: Node | None = None) -> Node:
        last = self._walk(path, hops, start)
        node = self._step(last.parent, last.name)
        if node is None:
            raise fail(errno.ENOENT, path)
        if isinstance(node.inode, Symlink) and (follow or last.slash):
            node = self._follow(node, last.parent, hops)
        if last.slash and not node.is_dir:
            raise fail(errno.ENOTDIR, path)
        return node

    def _follow(self, link: Node, parent: Node, hops: list[int]) -> Node:
        return self._finish(self._target(link, hops), True, hops, parent)

    def _target(self, link: Node, hops: list[int]) -> str:
        hops[0] += 1
        if hops[0] > MOST_LINKS:
            raise fail(errno.ELOOP, link.path)
        return link.inode.target

    def _walk(self, path: str, hops: list[int], start: Node | None = None) -> Last:
        """Go to the directory that holds the last name of a path.

        Raises:
            OSError: ENOENT for an empty path; ENAMETOOLONG; ENOTDIR; EACCES without search permission on the way.
        """
        if not path:
            raise fail(errno.ENOENT, path)
        if len(path.encode("utf-8", "surrogateescape")) >= LONGEST_PATH:
            raise fail(errno.ENAMETOOLONG, path)
        here = self.root if path.startswith("/") else start or self.cwd
        parts = [part for part in path.split("/") if part]
        if not parts:
            return Last(here, "", False)
        for part in parts[:-1]:
            self._search(here)
            node = self._step(here, part)
            if node is None:
                raise fail(errno.ENOENT, path)
            if isinstance(node.inode, Symlink):
                node = self._follow(node, here, hops)
            if not node.is_dir:
                raise fail(errno.ENOTDIR, path)
            here = node
        self._search(here)
        return Last(here, parts[-1], path.endswith("/"))

    def _search(self, directory: Node) -> None:
        check(self.caller, directory.inode, EXECUTE, directory.path)

    def _step(self, parent: Node, name: str) -> Node | None:
        """One name further: also up, and into what is mounted there."""
        if name in ("", "."):
            return parent
        if name == "..":
            return self._up(parent)
        if len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
            raise fail(errno.ENAMETOOLONG, name)
        node = parent.fs.look(parent, name)
        return node if node is None else self._into(node)

    def _up(self, node: Node) -> Node:
        while node.parent is None and node.covered is not None:
            node = node.covered
        return node if node.parent is None or node is self.root else self._into(node.parent)

    def _into(self, node: Node) -> Node:
        """What is mounted on a node, or the node itself."""
        return node
