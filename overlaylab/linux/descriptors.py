"""Open files: descriptors, data, memory maps and directories that are being read.

A descriptor follows its object, not its name: over rename, over unlink, and over
copy-up. A memory map follows the inode that it was made from, which copy-up leaves
behind. Linux 6.18, fs/open.c, fs/namei.c, fs/read_write.c.
"""

from __future__ import annotations

import errno
from typing import Any

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node, Stat
from overlaylab.tree import Device, Directory, Fifo, File

from .open_files import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    OPEN_FLAGS,
    Descriptor,
    OpenCalls,
    content,
)

__all__ = ["OPEN_FLAGS", "O_APPEND", "O_CREAT", "O_NONBLOCK", "O_WRONLY", "FileCalls", "Shorthand"]


class FileCalls(OpenCalls):
    """System calls that take a descriptor."""

    def __init__(self, root: Node, userns: bool = False) -> None:
        super().__init__(root, userns)
        self.maps: dict[Any, File] = {}
        # What waits in FIFOs, by what their descriptors share.
        self.pipes: dict[Any, bytes] = {}

    # --- FIFOs

    def _pipe_read(self, descriptor: Descriptor, count: int) -> bytes:
        """Take what was written to a FIFO; EAGAIN if there is nothing yet, nothing if nobody writes."""
        if not descriptor.reads:
            raise fail(errno.EBADF)
        waiting = self.pipes.get(descriptor.pipe, b"")
        if not waiting and any(other.writes for other in self._ends(descriptor)):
            raise fail(errno.EAGAIN)
        self.root.fs.journal.put(self.pipes, descriptor.pipe, waiting[count:])
        return waiting[:count]

    def _pipe_write(self, descriptor: Descriptor, data: bytes) -> int:
        """Put something into a FIFO; EPIPE if nobody reads any more."""
        if not descriptor.writes:
            raise fail(errno.EBADF)
        if not any(other.reads for other in self._ends(descriptor)):
            raise fail(errno.EPIPE)
        self.root.fs.journal.put(self.pipes, descriptor.pipe, self.pipes.get(descriptor.pipe, b"") + data)
        return len(data)

    def _ends(self, descriptor: Descriptor) -> list[Descriptor]:
        """All descriptors of an open FIFO; what waits in it is gone when the last one is closed."""
        return [other for other in self.files.values() if other.pipe is descriptor.pipe]

    # --- descriptors

    def _fd(self, fd: Any) -> Descriptor:
        if fd not in self.files:
            raise fail(errno.EBADF)
        return self.files[fd]

    def close(self, fd: Any) -> None:
        """Close a descriptor."""
        descriptor = self._fd(fd)
        self.root.fs.journal.drop(self.files, fd)
        if descriptor.pipe in self.pipes and not self._ends(descriptor):
            self.root.fs.journal.drop(self.pipes, descriptor.pipe)

    def fstat(self, fd: Any) -> Stat:
        """What a descriptor stands for. Kernel, sections 5 and 11: cu-06, cu-29."""
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
        place = position + (0, descriptor.offset, size)[whence]
        if place < 0:
            raise fail(errno.EINVAL)
        if isinstance(descriptor.node.inode, Directory) and place == 0:
            self.root.fs.journal.set(descriptor, "names", None)
        self.root.fs.journal.set(descriptor, "offset", place)
        return place

    def read(self, fd: Any, count: int) -> bytes:
        """Read on from the position. Kernel, section 11: an old descriptor reads new data after copy-up (cu-29)."""
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

    def write(self, fd: Any, data: bytes) -> int:
        """Write at the position, or at the end with O_APPEND. Kernel, section 11: cu-04, cu-32."""
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

    # --- the size

    def ftruncate(self, fd: Any, length: int) -> None:
        """Cut an open file. Kernel, section 11: EINVAL if it was opened for reading (cu-33)."""
        descriptor = self._fd(fd)
        if length < 0 or not descriptor.writes or not isinstance(descriptor.node.inode, File):
            raise fail(errno.EINVAL)
        self._truncate(descriptor.node, length, always=True)

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
        """Change permission bits; copies up also through a descriptor for reading. Kernel, section 11: cu-33."""
        node = self._fd(fd).node
        self._may_write(node.fs)
        self._chmod(node, mode)

    def fchown(self, fd: Any, uid: int, gid: int) -> None:
        """Change the owner. Kernel, section 11: cu-33."""
        node = self._fd(fd).node
        self._may_write(node.fs)
        self._chown(node, uid, gid)

    def linkfd(self, fd: Any, dst: str) -> None:
        """Name an open file, above all one of O_TMPFILE. Kernel, section 6: cr-24; one without a name left is ENOENT."""
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
        """Read a whole map. Kernel, section 11: one that was made before the copy-up keeps the old data (cu-30)."""
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
            Kernel, section 3: the list is made at the first read, and kept until the directory is rewound (merge-28, merge-29).
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


class Shorthand:
    """What a program does with an open, a write and a close; for the model and for the real `os` alike."""

    def create(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make a new file with some content."""
        self._put(path, data, O_WRONLY | O_CREAT | O_EXCL, mode)

    def write_file(self, path: str, data: bytes) -> None:
        """Replace the content of a file, which is made if need be: ``echo x > path``."""
        self._put(path, data, O_WRONLY | O_CREAT | O_TRUNC, 0o644)

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the beginning of a file."""
        self._put(path, data, O_WRONLY)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file: ``echo x >> path``, but the file must be there."""
        self._put(path, data, O_WRONLY | O_APPEND)

    def _put(self, path: str, data: bytes, flags: int, mode: int = 0o777) -> None:
        fd = self.open(path, flags | O_NONBLOCK, mode)
        try:
            self.write(fd, data)
        finally:
            self.close(fd)

    def read_file(self, path: str) -> bytes:
        """The content of a file: ``cat path``."""
        fd = self.open(path, O_RDONLY | O_NONBLOCK)
        try:
            return self.read(fd, 1 << 62)
        finally:
            self.close(fd)
