"""Opening a file: what is found or made, what refuses, and the descriptor that comes of it.

Linux 6.18, fs/open.c, fs/namei.c.
"""

from __future__ import annotations

import errno
import hashlib
from typing import Any

from overlaylab.errors import Finding, fail
from overlaylab.overlay.filesystem import Node
from overlaylab.tree import Device, Fifo, File, Socket, Symlink

from .attributes import AttributeCalls
from .path_walk import Last, encoded
from .permissions import EXECUTE, READ, WRITE, check, kept_mode

__all__ = ["OPEN_FLAGS", "ContentCalls", "Descriptor", "OpenCalls", "content"]


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


O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3

O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK = 0o100, 0o200, 0o400, 0o1000, 0o2000, 0o4000

O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC = 0o200000, 0o400000, 0o2000000

O_TMPFILE = 0o20000000 | O_DIRECTORY

# The numbers of Linux on x86; a program passes its own `os.O_*`.
OPEN_FLAGS = {
    "O_RDONLY": O_RDONLY,
    "O_WRONLY": O_WRONLY,
    "O_RDWR": O_RDWR,
    "O_CREAT": O_CREAT,
    "O_EXCL": O_EXCL,
    "O_TRUNC": O_TRUNC,
    "O_APPEND": O_APPEND,
    "O_NONBLOCK": O_NONBLOCK,
    "O_DIRECTORY": O_DIRECTORY,
    "O_NOFOLLOW": O_NOFOLLOW,
    "O_CLOEXEC": O_CLOEXEC,
    "O_NOCTTY": O_NOCTTY,
    "O_TMPFILE": O_TMPFILE,
}


class Descriptor:
    """An open file.

    Args:
        opened: What was opened, as it was then.
        flags: How.
        pipe: What all descriptors of one FIFO share; it stays the same when the FIFO is copied up.
    """

    __slots__ = ("flags", "names", "offset", "opened", "pipe")

    def __init__(self, opened: Node, flags: int, pipe: Any = None) -> None:
        self.opened, self.flags, self.pipe, self.offset = opened, flags, pipe, 0
        self.names: list[str] | None = None

    @property
    def node(self) -> Node:
        """What was opened, as it is now: it may have been copied up since. Kernel, section 11: cu-29, cu-32."""
        return self.opened.fs.fresh(self.opened.copy())

    @property
    def reads(self) -> bool:
        """Whether it was opened for reading."""
        return self.flags & O_ACCMODE in (O_RDONLY, O_RDWR)

    @property
    def writes(self) -> bool:
        """Whether it was opened for writing."""
        return self.flags & O_ACCMODE in (O_WRONLY, O_RDWR)


class OpenCalls(ContentCalls):
    """The call that opens, and the files that are open."""

    def __init__(self, root: Node, userns: bool = False) -> None:
        super().__init__(root, userns)
        self.files: dict[Any, Descriptor] = {}

    def open(self, path: str, flags: int, mode: int = 0o777, *, fd: Any = None) -> Any:
        """Open a file.

        Args:
            flags: Numbers of Linux, as in `os.O_RDONLY`.
            mode: For a new file; the umask is taken off.
            fd: What to call the descriptor; None for the smallest free number from 3.

        Returns:
            The descriptor.

        Spec:
            Kernel, sections 5, 6 and 11: cu-33, cu-39; O_CREAT cr-20, cr-21; O_TRUNC cu-06, cu-07; O_TMPFILE cr-24.
        """
        path = encoded(path)
        writes = flags & O_ACCMODE != O_RDONLY
        if flags & O_CREAT and flags & O_DIRECTORY and flags & O_TMPFILE != O_TMPFILE:
            raise fail(errno.EINVAL, path)
        if flags & O_TMPFILE & ~O_DIRECTORY:
            if not writes or not flags & O_DIRECTORY:
                raise fail(errno.EINVAL, path)
            node = self._temporary(path, mode)
        else:
            node = self._open(path, flags, mode)
        pipe = next((other.pipe for other in self._others(node)), object()) if isinstance(node.inode, Fifo) else None
        return self._keep(Descriptor(node, flags, pipe), fd)

    def _keep(self, descriptor: Descriptor, fd: Any) -> Any:
        if fd in self.files:
            self.close(fd)
        if fd is None:
            fd = next(number for number in range(3, len(self.files) + 4) if number not in self.files)
        self.root.fs.journal.put(self.files, fd, descriptor)
        return fd

    def _temporary(self, path: str, mode: int) -> Node:
        """A file without a name, in a directory that is copied up for it. Kernel, section 6: cr-24."""
        parent = self._find(path)
        if not parent.is_dir:
            raise fail(errno.ENOTDIR, path)
        self._may_write(parent.fs, path)
        check(self.caller, parent.inode, WRITE | EXECUTE, path)
        inode = File(
            mode=mode & 0o7777 & ~self.mask, uid=self.caller.uid, gid=self.caller.gid, mtime_ns=self._now(), nlink=0
        )
        if parent.inode.mode & 0o2000:
            inode.gid = parent.inode.gid
        self.root.fs.journal.put(self.linkable, id(inode), inode)
        return parent.fs.temporary(parent, inode)

    def _open(self, path: str, flags: int, mode: int) -> Node:
        node, created = self._opened(path, flags, mode)
        inode = node.inode
        if created:
            return node
        if flags & O_CREAT and flags & O_EXCL:
            raise fail(errno.EEXIST, path)
        if flags & O_CREAT and node.is_dir:
            raise fail(errno.EISDIR, path)
        if flags & O_CREAT:
            self._may_create_in_sticky(node)
        if flags & O_DIRECTORY and not node.is_dir:
            raise fail(errno.ELOOP if isinstance(inode, Symlink) and not flags & O_DIRECTORY else errno.ENOTDIR, path)
        want = (READ if flags & O_ACCMODE in (O_RDONLY, O_RDWR) else 0) | (
            WRITE if flags & (O_ACCMODE | O_TRUNC) else 0
        )
        if isinstance(inode, Symlink):
            raise fail(errno.ELOOP, path)
        if node.is_dir and want & WRITE:
            raise fail(errno.EISDIR, path)
        if isinstance(inode, Device) and node.fs.no_devices:
            # Kernel: fs/namei.c, may_open_dev. Read off a live mount.
            raise fail(errno.EACCES, path)
        self._check(node, want)
        self._open_object(node, flags)
        return node

    def _may_create_in_sticky(self, node: Node) -> None:
        """Refuse O_CREAT of somebody else's special file in a directory like /tmp.

        Spec:
            Kernel: fs/namei.c, may_create_in_sticky, with fs.protected_regular and fs.protected_fifos 0; read off a live mount.
        """
        parent = node.parent.inode if node.parent is not None else node.inode
        if isinstance(node.inode, (File, Fifo)) or parent.mode & 0o1002 != 0o1002:
            return
        if node.inode.uid not in (parent.uid, self.caller.uid):
            raise fail(errno.EACCES, node.path)

    def _open_object(self, node: Node, flags: int) -> None:
        """Special files do not copy up, and no device is driven but /dev/null; a FIFO needs a reader first."""
        inode = node.inode
        if isinstance(inode, Socket) or (isinstance(inode, Device) and (inode.kind, inode.rdev) != ("char", (1, 3))):
            raise fail(errno.ENXIO, node.path)
        if (
            isinstance(inode, Fifo)
            and flags & O_ACCMODE == O_WRONLY
            and not any(other.reads for other in self._others(node))
        ):
            raise fail(errno.ENXIO, node.path)
        if not isinstance(inode, File):
            return
        if flags & (O_ACCMODE | O_TRUNC):
            node.fs.writable(node, size=0 if flags & O_TRUNC else None)
        else:
            node.fs.data_of(node)
        if flags & O_TRUNC:
            self._remove_privileges(node)
            self._store(node, b"", always=True)

    def _opened(self, path: str, flags: int, mode: int) -> tuple[Node, bool]:
        """Find the last name of an open, or create it.

        Returns:
            The node, and whether it is new.

        Spec:
            Kernel, sections 2, 5 and 13: O_CREAT follows a dangling symlink, O_EXCL does not (cr-21); ENOENT before EACCES, an existing
            file needs no permission on its directory (ro-03, cr-20).
        """
        if not flags & O_CREAT:
            return self._finish(path, not flags & O_NOFOLLOW, [0]), False
        hops, start = [0], None
        while True:
            last = self._walk(path, hops, start)
            if last.special:
                return self._step(last.parent, last.name), False
            if last.slash:
                raise fail(errno.EISDIR, path)
            node = self._step(last.parent, last.name)
            if node is None:
                return self._create(last, mode, path), True
            if not isinstance(node.inode, Symlink) or flags & (O_EXCL | O_NOFOLLOW):
                return node, False
            path, start = self._target(node, hops), last.parent

    def _create(self, last: Last, mode: int, path: str) -> Node:
        self._may_write(last.parent.fs, path)
        self._may_create(last)
        return self._make(last, File(), mode & 0o7777 & ~self.mask)

    def _others(self, node: Node) -> list[Descriptor]:
        """The descriptors that are open on what a node stands for."""
        mine = node.fs.identity(node)
        return [
            other
            for other in self.files.values()
            if other.opened.fs is node.fs and node.fs.identity(other.node) == mine
        ]
