"""System calls on open files: reading, writing, attributes, memory maps, and directories that are being read.

A descriptor follows its object, not its name: over rename, over unlink, and over copy-up. A memory map follows the
inode that it was made from, which copy-up leaves behind. Linux 6.18, fs/open.c, fs/read_write.c, fs/readdir.c.
"""

from __future__ import annotations

import errno
from typing import Any, Protocol

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Stat
from overlaylab.tree import Device, Directory, Fifo, File

from .attributes import change_mode, change_owner
from .names import check_writable, link_node, stat_node
from .open_files import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NONBLOCK,
    O_TRUNC,
    close,
    content,
    descriptor_of,
    ends_of,
    node_content,
    remove_privileges,
    store,
    truncate_node,
)
from .open_files import open as open_path
from .process import O_RDONLY, O_WRONLY, Descriptor, Fd, Process

# --- reading and writing


def lseek(process: Process, fd: Fd, position: int, whence: int = 0) -> int:
    """Move the position in a file.

    Args:
        position: In bytes.
        whence: 0 counts from the beginning, 1 from the present position, 2 from the end.

    Choice: a device keeps no position, like /dev/null, the only one whose driver the model follows.
    """
    descriptor = descriptor_of(process, fd)
    inode = descriptor.node.inode
    if isinstance(inode, Fifo):
        raise fail(errno.ESPIPE)
    if isinstance(inode, Device):
        return 0
    place = position + (0, descriptor.offset, inode.size if isinstance(inode, File) else 0)[whence]
    if place < 0:
        raise fail(errno.EINVAL)
    if isinstance(inode, Directory) and place == 0:
        process.journal.set(descriptor, "names", None)
    process.journal.set(descriptor, "offset", place)
    return place


def read(process: Process, fd: Fd, count: int) -> bytes:
    """Read on from the position. Kernel, section 11: an old descriptor reads new data after copy-up (cu-29)."""
    descriptor = descriptor_of(process, fd)
    if isinstance(descriptor.node.inode, Fifo):
        return _read_pipe(process, descriptor, count)
    data = _read_at(descriptor, count, descriptor.offset)
    process.journal.set(descriptor, "offset", descriptor.offset + len(data))
    return data


def pread(process: Process, fd: Fd, count: int, offset: int) -> bytes:
    """Read at an offset; the position stays."""
    return _read_at(descriptor_of(process, fd), count, offset)


def write(process: Process, fd: Fd, data: bytes) -> int:
    """Write at the position, or at the end with O_APPEND. Kernel, section 11: cu-04, cu-32."""
    descriptor = descriptor_of(process, fd)
    if isinstance(descriptor.node.inode, Fifo):
        return _write_pipe(process, descriptor, data)
    written = _write_at(process, descriptor, data, descriptor.offset)
    end = descriptor.offset + written
    if descriptor.flags & O_APPEND:
        inode = descriptor.node.inode
        end = inode.size if isinstance(inode, File) else 0
    process.journal.set(descriptor, "offset", end)
    return written


def pwrite(process: Process, fd: Fd, data: bytes, offset: int) -> int:
    """Write at an offset; with O_APPEND at the end nevertheless, as Linux does."""
    return _write_at(process, descriptor_of(process, fd), data, offset)


def ftruncate(process: Process, fd: Fd, length: int) -> None:
    """Cut an open file. Kernel, section 11: EINVAL if it was opened for reading (cu-33)."""
    descriptor = descriptor_of(process, fd)
    if length < 0 or not descriptor.writes or not isinstance(descriptor.node.inode, File):
        raise fail(errno.EINVAL)
    truncate_node(process, descriptor.node, length, always=True)


def posix_fallocate(process: Process, fd: Fd, offset: int, length: int) -> None:
    """Make sure that a file has at least `offset` + `length` bytes."""
    descriptor = descriptor_of(process, fd)
    if offset < 0 or length <= 0:
        raise fail(errno.EINVAL)
    if not descriptor.writes:
        raise fail(errno.EBADF)
    node = descriptor.node
    if not isinstance(node.inode, File):
        raise fail(errno.ESPIPE if isinstance(node.inode, Fifo) else errno.ENODEV)
    remove_privileges(process, node)
    store(process, node, node_content(node).ljust(offset + length, b"\0"), always=True)


def _read_at(descriptor: Descriptor, count: int, offset: int) -> bytes:
    node = descriptor.node
    if isinstance(node.inode, Fifo):
        raise fail(errno.ESPIPE)
    if not descriptor.reads:
        raise fail(errno.EBADF)
    if node.is_dir:
        raise fail(errno.EISDIR)
    if not isinstance(node.inode, File):
        return b""
    return node_content(node)[offset : offset + count]


def _write_at(process: Process, descriptor: Descriptor, data: bytes, offset: int) -> int:
    node = descriptor.node
    if isinstance(node.inode, Fifo):
        raise fail(errno.ESPIPE)
    if not descriptor.writes:
        raise fail(errno.EBADF)
    if not isinstance(node.inode, File) or not data:
        return len(data)
    old = node_content(node)
    if descriptor.flags & O_APPEND:
        offset = len(old)
    remove_privileges(process, node)
    store(process, node, old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :], always=True)
    return len(data)


def _read_pipe(process: Process, descriptor: Descriptor, count: int) -> bytes:
    """Take bytes out of a FIFO; EAGAIN if there are none yet, no bytes if it is not open for writing."""
    if not descriptor.reads:
        raise fail(errno.EBADF)
    waiting = process.pipes.get(descriptor.pipe, b"")
    if not waiting and any(other.writes for other in ends_of(process, descriptor)):
        raise fail(errno.EAGAIN)
    process.journal.put(process.pipes, descriptor.pipe, waiting[count:])
    return waiting[:count]


def _write_pipe(process: Process, descriptor: Descriptor, data: bytes) -> int:
    """Put bytes into a FIFO; EPIPE if it is no longer open for reading."""
    if not descriptor.writes:
        raise fail(errno.EBADF)
    if not any(other.reads for other in ends_of(process, descriptor)):
        raise fail(errno.EPIPE)
    process.journal.put(process.pipes, descriptor.pipe, process.pipes.get(descriptor.pipe, b"") + data)
    return len(data)


# --- attributes and names


def fstat(process: Process, fd: Fd) -> Stat:
    """The attributes of an open file. Kernel, sections 5 and 11: cu-06, cu-29."""
    return stat_node(descriptor_of(process, fd).node)


def fchmod(process: Process, fd: Fd, mode: int) -> None:
    """Change permission bits; copies up also through a descriptor for reading. Kernel, section 11: cu-33."""
    node = descriptor_of(process, fd).node
    check_writable(node.fs)
    change_mode(process, node, mode)


def fchown(process: Process, fd: Fd, uid: int, gid: int) -> None:
    """Change the owner. Kernel, section 11: cu-33."""
    node = descriptor_of(process, fd).node
    check_writable(node.fs)
    change_owner(process, node, uid, gid)


def linkfd(process: Process, fd: Fd, dst: str) -> None:
    """Name an open file, such as one of O_TMPFILE. Kernel, section 6: cr-24; a removed file is ENOENT."""
    link_node(process, descriptor_of(process, fd).node, dst)


# --- memory maps


def mmap(process: Process, fd: Fd, *, map: Fd) -> None:
    """Map a file into memory, shared, for reading; `map` is what to call it."""
    descriptor = descriptor_of(process, fd)
    if not descriptor.reads:
        raise fail(errno.EACCES)
    node = descriptor.node
    if not isinstance(node.inode, File):
        raise fail(errno.ENODEV)
    process.journal.put(process.maps, map, node.fs.data_of(node))


def mread(process: Process, map: Fd) -> bytes:
    """Read a whole map. Kernel, section 11: one that was made before the copy-up keeps the old data (cu-30)."""
    if map not in process.maps:
        raise fail(errno.EBADF)
    return content(process.maps[map], "map")


# --- directories


def opendir(process: Process, path: str, *, fd: Fd | None = None) -> Fd:
    """Open a directory for `readdir`."""
    return open_path(process, path, O_RDONLY | O_DIRECTORY, fd=fd)


def readdir(process: Process, fd: Fd) -> list[str]:
    """All names of an open directory, sorted; nothing when it is read again.

    Raises:
        OSError: ENOTDIR; ENOENT for a directory that was removed.

    Spec:
        Kernel, section 3: the list is made at the first read, and kept until the directory is rewound (merge-28,
        merge-29). A removed one is not read (fs/readdir.c, iterate_dir).
    """
    descriptor = descriptor_of(process, fd)
    node = descriptor.node
    if not node.is_dir:
        raise fail(errno.ENOTDIR)
    if node.fs.number(node) in node.fs.dead:
        raise fail(errno.ENOENT)
    if descriptor.names is not None:
        return []
    names = sorted(node.fs.names(node))
    process.journal.set(descriptor, "names", names)
    return list(names)


def rewinddir(process: Process, fd: Fd) -> None:
    """Go back to the beginning of a directory; the next read makes a new list."""
    lseek(process, fd, 0)


def listdir(process: Process, path: str = ".") -> list[str]:
    """The names in a directory, sorted. Kernel: needs permission to read it (perm-07)."""
    fd = opendir(process, path)
    try:
        return readdir(process, fd)
    finally:
        close(process, fd)


# --- open, write and close in one


class _Calls(Protocol):
    """The calls that the functions below are made of: those of `System`, or the real ones."""

    def open(self, path: str, flags: int, mode: int = 0o777) -> Any: ...
    def read(self, fd: Any, count: int) -> bytes: ...
    def write(self, fd: Any, data: bytes) -> int: ...
    def close(self, fd: Any) -> None: ...


def create(calls: _Calls, path: str, data: bytes, mode: int = 0o644) -> None:
    """Make a new file with some content."""
    _put(calls, path, data, O_WRONLY | O_CREAT | O_EXCL, mode)


def write_file(calls: _Calls, path: str, data: bytes) -> None:
    """Replace the content of a file, which is made if need be: ``echo x > path``."""
    _put(calls, path, data, O_WRONLY | O_CREAT | O_TRUNC, 0o644)


def overwrite(calls: _Calls, path: str, data: bytes) -> None:
    """Write over the beginning of a file."""
    _put(calls, path, data, O_WRONLY)


def append(calls: _Calls, path: str, data: bytes) -> None:
    """Add to the end of a file: ``echo x >> path``, but the file must be there."""
    _put(calls, path, data, O_WRONLY | O_APPEND)


def read_file(calls: _Calls, path: str) -> bytes:
    """The content of a file: ``cat path``."""
    fd = calls.open(path, O_RDONLY | O_NONBLOCK)
    try:
        return calls.read(fd, 1 << 62)
    finally:
        calls.close(fd)


def _put(calls: _Calls, path: str, data: bytes, flags: int, mode: int = 0o777) -> None:
    fd = calls.open(path, flags | O_NONBLOCK, mode)
    try:
        calls.write(fd, data)
    finally:
        calls.close(fd)


class Shorthand:
    """The five calls above as methods, for a class that has the calls that they are made of."""

    create, write_file, overwrite, append, read_file = create, write_file, overwrite, append, read_file
