"""The bytes of a file: cut, filled up or replaced, and what that takes off the file.

Linux 6.18, fs/open.c, mm/filemap.c.
"""

from __future__ import annotations

import errno
import hashlib

from .access import WRITE, fail, kept_mode
from .attributes import AttributeCalls
from .errors import Finding
from .tree import File
from .vnode import Node

__all__ = ["ContentCalls", "content"]


class ContentCalls(AttributeCalls):
    """The call by path, and what calls by descriptor share with it."""

    def truncate(self, path: str, length: int) -> None:
        """Cut a file, or fill it up with zeros.

        Spec:
            Kernel, sections 5 and 13: cu-08; EISDIR before EROFS before EACCES (ro-03, cu-34).
        """
        if length < 0:
            raise fail(errno.EINVAL, path)
        node = self._find(path)
        if node.is_dir:
            raise fail(errno.EISDIR, path)
        if not isinstance(node.inode, File):
            raise fail(errno.EINVAL, path)
        self._may_write(node.fs, path)
        self._check(node, WRITE)
        self._truncate(node, length)

    def _truncate(self, node: Node, length: int, always: bool = False) -> None:
        """Kernel: do_truncate; through a descriptor the time is set even if nothing changes (read off a live mount)."""
        self._remove_privileges(node)
        node.fs.writable(node)
        self._store(node, self._content(node)[:length].ljust(length, b"\0"), always)

    def _content(self, node: Node) -> bytes:
        return content(node.fs.data_of(node), node.path)

    def _store(self, node: Node, data: bytes, always: bool = False) -> None:
        """Give a file new content; its time changes, except when an empty file is truncated (so on tmpfs)."""
        inode, journal = node.fs.writable(node), node.fs.journal
        if always or data or inode.size:
            journal.set(inode, "mtime_ns", self._now())
        if data != inode.data:
            journal.set(inode, "data", data)
            journal.set(inode, "size", len(data))
            journal.set(inode, "sha256", hashlib.sha256(data).hexdigest())

    def _remove_privileges(self, node: Node) -> None:
        """Take setuid, setgid and capabilities off a file that is written to. Kernel, section 11: cu-35, cu-38."""
        mode = kept_mode(self.caller, node.inode)
        if mode != node.inode.mode:
            self._set(node, mode=mode)
        self._drop_capability(node)


def content(file: File, path: str) -> bytes:
    """The bytes of a file.

    Raises:
        Finding: ``missing-content`` for a file of a large image whose content was not kept.
    """
    if file.data is not None:
        return file.data
    if not file.size:
        return b""
    raise Finding("missing-content", path, "a file with its content", "only its digest was kept")
