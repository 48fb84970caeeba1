"""Open files: descriptors, data, memory maps and directories that are being read.

A descriptor follows its object, not its name: over rename, over unlink, and over
copy-up. A memory map follows the inode that it was made from, which copy-up leaves
behind. Linux 6.18, fs/open.c, fs/namei.c, fs/read_write.c.
"""

from __future__ import annotations

import errno
import hashlib
from typing import Any

from .access import EXECUTE, READ, WRITE, check, fail, kept_mode
from .attributes import AttributeCalls
from .errors import Finding
from .posix import Last, encoded
from .tree import Device, Directory, Fifo, File, Socket, Symlink
from .vnode import Node, Stat

__all__ = ["Descriptor", "FileCalls", "OPEN_FLAGS"]

O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3
O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK = 0o100, 0o200, 0o400, 0o1000, 0o2000, 0o4000
O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC = 0o200000, 0o400000, 0o2000000
O_TMPFILE = 0o20000000 | O_DIRECTORY

# The numbers of Linux on x86; a program passes its own `os.O_*`.
OPEN_FLAGS = {
    "O_RDONLY": O_RDONLY, "O_WRONLY": O_WRONLY, "O_RDWR": O_RDWR, "O_CREAT": O_CREAT, "O_EXCL": O_EXCL, "O_TRUNC": O_TRUNC,
    "O_APPEND": O_APPEND, "O_NONBLOCK": O_NONBLOCK, "O_DIRECTORY": O_DIRECTORY, "O_NOFOLLOW": O_NOFOLLOW,
    "O_CLOEXEC": O_CLOEXEC, "O_NOCTTY": O_NOCTTY, "O_TMPFILE": O_TMPFILE,
}  # fmt: skip


class Descriptor:
    """An open file.

    Args:
        opened: What was opened, as it was then.
        flags: How.
    """

    __slots__ = ("flags", "names", "offset", "opened")

    def __init__(self, opened: Node, flags: int) -> None:
        self.opened, self.flags, self.offset = opened, flags, 0
        self.names: list[str] | None = None

    @property
    def node(self) -> Node:
        """What was opened, as it is now: it may have been copied up since. Kernel: cu-29, cu-32."""
        return self.opened.fs.fresh(self.opened.copy())

    @property
    def reads(self) -> bool:
        """Whether it was opened for reading."""
        return self.flags & O_ACCMODE in (O_RDONLY, O_RDWR)

    @property
    def writes(self) -> bool:
        """Whether it was opened for writing."""
        return self.flags & O_ACCMODE in (O_WRONLY, O_RDWR)


class FileCalls(AttributeCalls):
    """System calls that open, and those that take a descriptor."""

    def __init__(self, root: Node, userns: bool = False) -> None:
        super().__init__(root, userns)
        self.files: dict[Any, Descriptor] = {}
        self.maps: dict[Any, File] = {}
        self.pipes: dict[Any, bytes] = {}

    # --- open

    def open(self, path: str, flags: int, mode: int = 0o777, *, fd: Any = None) -> Any:
        """Open a file.

        Args:
            flags: Numbers of Linux, as in `os.O_RDONLY`.
            mode: For a new file; the umask is taken off.
            fd: What to call the descriptor; None for the smallest free number from 3.

        Returns:
            The descriptor.

        Spec:
            Kernel: cu-33, cu-39; O_CREAT cr-20, cr-21; O_TRUNC cu-06, cu-07; O_TMPFILE cr-24.
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
        return self._keep(Descriptor(node, flags), fd)

    def _keep(self, descriptor: Descriptor, fd: Any) -> Any:
        if fd in self.files:
            self.close(fd)
        if fd is None:
            fd = next(number for number in range(3, len(self.files) + 4) if number not in self.files)
        self.root.fs.journal.put(self.files, fd, descriptor)
        return fd

    def _temporary(self, path: str, mode: int) -> Node:
        """A file without a name, in a directory that is copied up for it. Kernel: cr-24."""
        parent = self._find(path)
        if not parent.is_dir:
            raise fail(errno.ENOTDIR, path)
        self._may_write(parent.fs, path)
        check(self.caller, parent.inode, WRITE | EXECUTE, path)
        inode = File(mode=mode & 0o7777 & ~self.mask, uid=self.caller.uid, gid=self.caller.gid, mtime_ns=self._now(), nlink=0)
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
        want = (READ if flags & O_ACCMODE in (O_RDONLY, O_RDWR) else 0) | (WRITE if flags & (O_ACCMODE | O_TRUNC) else 0)
        if isinstance(inode, Symlink):
            raise fail(errno.ELOOP, path)
        if node.is_dir and want & WRITE:
            raise fail(errno.EISDIR, path)
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
        """Special files do not copy up, and nothing drives a device; a FIFO needs a reader first."""
        inode = node.inode
        if isinstance(inode, Socket) or (isinstance(inode, Device) and (inode.kind, inode.rdev[0]) != ("char", 1)):
            raise fail(errno.ENXIO, node.path)
        if isinstance(inode, Fifo) and flags & O_ACCMODE == O_WRONLY and not self._others(node, "reads"):
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
            Kernel: O_CREAT follows a dangling symlink, O_EXCL does not (cr-21); ENOENT before EACCES, an existing
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

    # --- FIFOs

    def _others(self, node: Node, how: str) -> bool:
        """Whether somebody has a FIFO open: for ``reads`` or for ``writes``."""
        mine = node.fs.identity(node)
        return any(
            other.opened.fs is node.fs and node.fs.identity(other.node) == mine and getattr(other, how)
            for other in self.files.values()
        )

    def _pipe_read(self, descriptor: Descriptor, count: int) -> bytes:
        """Take what was written to a FIFO; EAGAIN if there is nothing yet, nothing if nobody writes."""
        node = descriptor.node
        if not descriptor.reads:
            raise fail(errno.EBADF)
        key = node.fs.identity(node)
        waiting = self.pipes.get(key, b"")
        if not waiting and self._others(node, "writes"):
            raise fail(errno.EAGAIN)
        self.root.fs.journal.put(self.pipes, key, waiting[count:])
        return waiting[:count]

    def _pipe_write(self, descriptor: Descriptor, data: bytes) -> int:
        """Put something into a FIFO; EPIPE if nobody reads any more."""
        node = descriptor.node
        if not descriptor.writes:
            raise fail(errno.EBADF)
        if not self._others(node, "reads"):
            raise fail(errno.EPIPE)
        key = node.fs.identity(node)
        self.root.fs.journal.put(self.pipes, key, self.pipes.get(key, b"") + data)
        return len(data)

    # --- descriptors

    def _fd(self, fd: Any) -> Descriptor:
        if fd not in self.files:
            raise fail(errno.EBADF)
        return self.files[fd]

    def close(self, fd: Any) -> None:
        """Close a descriptor."""
        node = self._fd(fd).node
        self.root.fs.journal.drop(self.files, fd)
        if isinstance(node.inode, Fifo) and not (self._others(node, "reads") or self._others(node, "writes")):
            self.root.fs.journal.put(self.pipes, node.fs.identity(node), b"")

    def fstat(self, fd: Any) -> Stat:
        """What a descriptor stands for. Kernel: cu-06, cu-29."""
        return self._stat(self._fd(fd).node)

    def lseek(self, fd: Any, position: int, whence: int = 0) -> int:
        """Move the position: from the beginning, from where it is, from the end.

        Choice: a device keeps no position; so /dev/null does it, the one whose driver the model follows.
        """
        descriptor = self._fd(fd)
        if isinstance(descriptor.node.inode, Fifo):
            raise fail(errno.ESPIPE)
        if isinstance(descriptor.node.inode, Device):
            return 0
        size = getattr(descriptor.node.inode, "size", 0)
        if isinstance(descriptor.node.inode, Device):
            return 0
        place = position + (0, descriptor.offset, size)[whence]
        if place < 0:
            raise fail(errno.EINVAL)
        if isinstance(descriptor.node.inode, Directory) and place == 0:
            self.root.fs.journal.set(descriptor, "names", None)
        self.root.fs.journal.set(descriptor, "offset", place)
        return place

    def read(self, fd: Any, count: int) -> bytes:
        """Read on from the position. Kernel: an old descriptor reads new data after copy-up (cu-29)."""
        descriptor = self._fd(fd)
        if isinstance(descriptor.node.inode, Fifo):
            return self._pipe_read(descriptor, count)
        data = self._pread(descriptor, count, descriptor.offset)
        self.root.fs.journal.set(descriptor, "offset", descriptor.offset + len(data))
        return data

    def pread(self, fd: Any, count: int, offset: int) -> bytes:
        """Read at a place."""
        return self._pread(self._fd(fd), count, offset)

    def _pread(self, descriptor: Descriptor, count: int, offset: int) -> bytes:
        node = descriptor.node
        if isinstance(node.inode, Fifo):
            raise fail(errno.ESPIPE)
        if not descriptor.reads:
            raise fail(errno.EBADF)
        if node.is_dir:
            raise fail(errno.EISDIR)
        if not isinstance(node.inode, File):
            return b""
        return self._content(node)[offset : offset + count]

    def _content(self, node: Node) -> bytes:
        return content(node.fs.data_of(node), node.path)

    def write(self, fd: Any, data: bytes) -> int:
        """Write at the position, or at the end with O_APPEND. Kernel: cu-04, cu-32."""
        descriptor = self._fd(fd)
        if isinstance(descriptor.node.inode, Fifo):
            return self._pipe_write(descriptor, data)
        written = self._pwrite(descriptor, data, descriptor.offset)
        end = getattr(descriptor.node.inode, "size", 0) if descriptor.flags & O_APPEND else descriptor.offset + written
        self.root.fs.journal.set(descriptor, "offset", end)
        return written

    def pwrite(self, fd: Any, data: bytes, offset: int) -> int:
        """Write at a place; with O_APPEND at the end all the same, as Linux does."""
        return self._pwrite(self._fd(fd), data, offset)

    def _pwrite(self, descriptor: Descriptor, data: bytes, offset: int) -> int:
        node = descriptor.node
        if isinstance(node.inode, Fifo):
            raise fail(errno.ESPIPE)
        if not descriptor.writes:
            raise fail(errno.EBADF)
        if not isinstance(node.inode, File) or not data:
            return len(data)
        old = self._content(node)
        if descriptor.flags & O_APPEND:
            offset = len(old)
        self._remove_privileges(node)
        self._store(node, old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :], always=True)
        return len(data)

    def _remove_privileges(self, node: Node) -> None:
        """Take setuid, setgid and capabilities off a file that is written to. Kernel: cu-35, cu-38."""
        mode = kept_mode(self.caller, node.inode)
        if mode != node.inode.mode:
            self._set(node, mode=mode)
        self._drop_capability(node)

    def _store(self, node: Node, data: bytes, always: bool = False) -> None:
        """Give a file new content; its time changes, except when an empty file is truncated (so on tmpfs)."""
        inode, journal = node.fs.writable(node), node.fs.journal
        if always or data or inode.size:
            journal.set(inode, "mtime_ns", self._now())
        if data != inode.data:
            journal.set(inode, "data", data)
            journal.set(inode, "size", len(data))
            journal.set(inode, "sha256", hashlib.sha256(data).hexdigest())

    # --- the size

    def truncate(self, path: str, length: int) -> None:
        """Cut a file, or fill it up with zeros.

        Spec:
            Kernel: cu-08; EISDIR before EROFS before EACCES (ro-03, cu-34).
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

    def ftruncate(self, fd: Any, length: int) -> None:
        """Cut an open file. Kernel: EINVAL if it was opened for reading (cu-33)."""
        descriptor = self._fd(fd)
        if length < 0 or not descriptor.writes or not isinstance(descriptor.node.inode, File):
            raise fail(errno.EINVAL)
        self._truncate(descriptor.node, length, always=True)

    def _truncate(self, node: Node, length: int, always: bool = False) -> None:
        """Kernel: do_truncate; through a descriptor the time is set even if nothing changes (read off a live mount)."""
        self._remove_privileges(node)
        node.fs.writable(node)
        self._store(node, self._content(node)[:length].ljust(length, b"\0"), always)

    def posix_fallocate(self, fd: Any, offset: int, length: int) -> None:
        """Make sure that a file is at least so long."""
        descriptor = self._fd(fd)
        if offset < 0 or length <= 0:
            raise fail(errno.EINVAL)
        if not descriptor.writes:
            raise fail(errno.EBADF)
        if not isinstance(descriptor.node.inode, File):
            raise fail(errno.ESPIPE if isinstance(descriptor.node.inode, Fifo) else errno.ENODEV)
        self._remove_privileges(descriptor.node)
        self._store(descriptor.node, self._content(descriptor.node).ljust(offset + length, b"\0"), always=True)

    # --- attributes through a descriptor

    def fchmod(self, fd: Any, mode: int) -> None:
        """Change permission bits; copies up also through a descriptor for reading. Kernel: cu-33."""
        node = self._fd(fd).node
        self._may_write(node.fs)
        self._chmod(node, mode)

    def fchown(self, fd: Any, uid: int, gid: int) -> None:
        """Change the owner. Kernel: cu-33."""
        node = self._fd(fd).node
        self._may_write(node.fs)
        self._chown(node, uid, gid)

    def linkfd(self, fd: Any, dst: str) -> None:
        """Name an open file, above all one of O_TMPFILE. Kernel: cr-24; one without a name left is ENOENT."""
        self._link(self._fd(fd).node, dst)

    # --- memory maps and directories

    def mmap(self, fd: Any, *, map: Any) -> None:
        """Map a file into memory, shared, for reading, and call the map by a name."""
        descriptor = self._fd(fd)
        if not descriptor.reads:
            raise fail(errno.EACCES)
        if not isinstance(descriptor.node.inode, File):
            raise fail(errno.ENODEV)
        self.root.fs.journal.put(self.maps, map, descriptor.node.fs.data_of(descriptor.node))

    def mread(self, map: Any) -> bytes:
        """Read a whole map. Kernel: one that was made before the copy-up keeps the old data (cu-30)."""
        if map not in self.maps:
            raise fail(errno.EBADF)
        return content(self.maps[map], "map")

    def opendir(self, path: str, *, fd: Any = None) -> Any:
        """Open a directory for `readdir`."""
        return self.open(path, O_RDONLY | O_DIRECTORY, fd=fd)

    def readdir(self, fd: Any) -> list[str]:
        """All names of an open directory, sorted.

        Raises:
            OSError: ENOTDIR; ENOENT for a directory that was removed.

        Spec:
            Kernel: the list is made at the first read, and kept until the directory is rewound (merge-28, merge-29).
            A removed one is not read (fs/readdir.c, iterate_dir).
        """
        descriptor = self._fd(fd)
        node = descriptor.node
        if not node.is_dir:
            raise fail(errno.ENOTDIR)
        if node.fs.number(node) in node.fs.dead:
            raise fail(errno.ENOENT)
        if descriptor.names is None:
            self.root.fs.journal.set(descriptor, "names", sorted(node.fs.names(node)))
            return list(descriptor.names or ())
        return []

    def rewinddir(self, fd: Any) -> None:
        """Begin anew, with a new list."""
        self.lseek(fd, 0)

    def listdir(self, path: str = ".") -> list[str]:
        """The names in a directory, sorted. Kernel: needs permission to read it (perm-07)."""
        fd = self.opendir(path)
        try:
            return self.readdir(fd)
        finally:
            self.close(fd)


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
