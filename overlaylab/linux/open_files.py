"""Opening and closing files: which file is found or made, what refuses, and the descriptor that comes of it.

Also the content of a file, which is cut by `truncate` and written by the calls of `descriptors`. Linux 6.18,
fs/open.c, fs/namei.c.
"""

from __future__ import annotations

import errno
import hashlib

from overlaylab.errors import Finding, fail
from overlaylab.overlay.filesystem import Node
from overlaylab.tree import Device, Fifo, File, Socket, Symlink

from .attributes import drop_capability, set_attributes
from .names import check_access, check_create, check_writable, make
from .path_walk import encoded, find, finish, link_target, step, walk
from .permissions import EXECUTE, READ, WRITE, check, kept_mode
from .process import O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY, Descriptor, Fd, Process

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


# --- open and close


def open(process: Process, path: str, flags: int, mode: int = 0o777, *, fd: Fd | None = None) -> Fd:
    """Open a file.

    Args:
        flags: Numbers of Linux, as in `os.O_RDONLY`.
        mode: For a new file; the umask is taken off.
        fd: What to call the descriptor; None for the smallest free number from 3.

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
        node = _temporary(process, path, mode)
    else:
        node = _open_named(process, path, flags, mode)
    pipe = None
    if isinstance(node.inode, Fifo):
        pipe = next((other.pipe for other in _open_on(process, node)), object())
    files = process.files
    if fd is None:
        fd = next(number for number in range(3, len(files) + 4) if number not in files)
    elif fd in files:
        close(process, fd)
    process.journal.put(files, fd, Descriptor(node, flags, pipe))
    return fd


def close(process: Process, fd: Fd) -> None:
    """Close a descriptor; what waits in a FIFO is gone with the last one."""
    descriptor = descriptor_of(process, fd)
    process.journal.drop(process.files, fd)
    if descriptor.pipe in process.pipes and not ends_of(process, descriptor):
        process.journal.drop(process.pipes, descriptor.pipe)


def descriptor_of(process: Process, fd: Fd) -> Descriptor:
    """An open file; EBADF for a descriptor that is not open."""
    if fd not in process.files:
        raise fail(errno.EBADF)
    return process.files[fd]


def ends_of(process: Process, descriptor: Descriptor) -> list[Descriptor]:
    """All descriptors of an open FIFO."""
    return [other for other in process.files.values() if other.pipe is descriptor.pipe]


def _open_on(process: Process, node: Node) -> list[Descriptor]:
    """The descriptors that are open on the object of a node."""
    mine = node.fs.identity(node)
    return [
        other for other in process.files.values() if other.opened.fs is node.fs and node.fs.identity(other.node) == mine
    ]


def _temporary(process: Process, path: str, mode: int) -> Node:
    """A file without a name, in a directory that is copied up for it. Kernel, section 6: cr-24."""
    parent = find(process, path)
    if not parent.is_dir:
        raise fail(errno.ENOTDIR, path)
    check_writable(parent.fs, path)
    check(process.caller, parent.inode, WRITE | EXECUTE, path)
    caller, now = process.caller, process.journal.now()
    inode = File(mode=mode & 0o7777 & ~process.mask, uid=caller.uid, gid=caller.gid, mtime_ns=now, nlink=0)
    if parent.inode.mode & 0o2000:
        inode.gid = parent.inode.gid
    process.journal.put(process.linkable, id(inode), inode)
    return parent.fs.temporary(parent, inode)


def _open_named(process: Process, path: str, flags: int, mode: int) -> Node:
    node, created = _find_or_create(process, path, flags, mode)
    inode = node.inode
    if created:
        return node
    if flags & O_CREAT and flags & O_EXCL:
        raise fail(errno.EEXIST, path)
    if flags & O_CREAT and node.is_dir:
        raise fail(errno.EISDIR, path)
    if flags & O_CREAT:
        _check_create_in_sticky(process, node)
    if flags & O_DIRECTORY and not node.is_dir:
        raise fail(errno.ENOTDIR, path)
    if isinstance(inode, Symlink):
        raise fail(errno.ELOOP, path)
    want = READ if flags & O_ACCMODE in (O_RDONLY, O_RDWR) else 0
    if flags & (O_ACCMODE | O_TRUNC):
        want |= WRITE
    if node.is_dir and want & WRITE:
        raise fail(errno.EISDIR, path)
    if isinstance(inode, Device) and node.fs.no_devices:
        # Kernel: fs/namei.c, may_open_dev. Read off a live mount.
        raise fail(errno.EACCES, path)
    check_access(process, node, want)
    _open_object(process, node, flags)
    return node


def _find_or_create(process: Process, path: str, flags: int, mode: int) -> tuple[Node, bool]:
    """Find the last name of an open, or create it.

    Returns:
        The node, and whether it is new.

    Spec:
        Kernel, sections 2, 5 and 13: O_CREAT follows a dangling symlink, O_EXCL does not (cr-21); ENOENT before EACCES,
        an existing file needs no permission on its directory (ro-03, cr-20).
    """
    if not flags & O_CREAT:
        return finish(process, path, not flags & O_NOFOLLOW, [0]), False
    hops, start = [0], process.cwd  # Where a relative path begins.
    while True:
        last = walk(process, path, hops, start)
        if last.slash and not last.special:
            raise fail(errno.EISDIR, path)
        node = step(process, last.parent, last.name)
        if node is None:
            check_writable(last.parent.fs, path)
            check_create(process, last)
            return make(process, last, File(), mode & 0o7777 & ~process.mask), True
        if last.special or not isinstance(node.inode, Symlink) or flags & (O_EXCL | O_NOFOLLOW):
            return node, False
        path, start = link_target(node, hops), last.parent


def _check_create_in_sticky(process: Process, node: Node) -> None:
    """Refuse O_CREAT of another user's special file in a directory like /tmp.

    Spec:
        Kernel: fs/namei.c, may_create_in_sticky, with fs.protected_regular and fs.protected_fifos 0; read off a live
        mount.
    """
    parent = node.parent.inode if node.parent is not None else node.inode
    if isinstance(node.inode, (File, Fifo)) or parent.mode & 0o1002 != 0o1002:
        return
    if node.inode.uid not in (parent.uid, process.caller.uid):
        raise fail(errno.EACCES, node.path)


def _open_object(process: Process, node: Node, flags: int) -> None:
    """Open by type: special files are not copied up, no device but /dev/null has a driver, a FIFO needs a reader."""
    inode = node.inode
    if isinstance(inode, Socket) or (isinstance(inode, Device) and (inode.kind, inode.rdev) != ("char", (1, 3))):
        raise fail(errno.ENXIO, node.path)
    if isinstance(inode, Fifo) and flags & O_ACCMODE == O_WRONLY:
        if not any(other.reads for other in _open_on(process, node)):
            raise fail(errno.ENXIO, node.path)
        return
    if not isinstance(inode, File):
        return
    if flags & (O_ACCMODE | O_TRUNC):
        node.fs.writable(node, size=0 if flags & O_TRUNC else None)
    else:
        node.fs.data_of(node)
    if flags & O_TRUNC:
        remove_privileges(process, node)
        store(process, node, b"", always=True)


# --- content


def truncate(process: Process, path: str, length: int) -> None:
    """Cut a file to a length in bytes, or fill it up with zeros.

    Spec:
        Kernel, sections 5 and 13: cu-08; EISDIR before EROFS before EACCES (ro-03, cu-34).
    """
    if length < 0:
        raise fail(errno.EINVAL, path)
    node = find(process, path)
    if node.is_dir:
        raise fail(errno.EISDIR, path)
    if not isinstance(node.inode, File):
        raise fail(errno.EINVAL, path)
    check_writable(node.fs, path)
    check_access(process, node, WRITE)
    truncate_node(process, node, length)


def truncate_node(process: Process, node: Node, length: int, always: bool = False) -> None:
    """Cut a file, or fill it up with zeros. Kernel: do_truncate.

    `always` sets the time even if nothing changes, as a call on a descriptor does (read off a live mount).
    """
    remove_privileges(process, node)
    node.fs.writable(node)
    store(process, node, node_content(node)[:length].ljust(length, b"\0"), always)


def node_content(node: Node) -> bytes:
    """The bytes of the file of a node."""
    return content(node.fs.data_of(node), node.path)


def content(file: File, path: str) -> bytes:
    """The bytes of a file; Finding ``missing-content`` for one of a large image whose content was not kept."""
    if file.data is not None:
        return file.data
    if not file.size:
        return b""
    raise Finding("missing-content", path, "a file with its content", "only its digest was kept")


def store(process: Process, node: Node, data: bytes, always: bool = False) -> None:
    """Give a file new content; unless `always`, truncating an empty file leaves its time (tmpfs does so)."""
    inode, journal = node.fs.writable(node), process.journal
    if not isinstance(inode, File):
        raise fail(errno.EINVAL, node.path)
    if always or data or inode.size:
        journal.set(inode, "mtime_ns", journal.now())
    if data != inode.data:
        journal.set(inode, "data", data)
        journal.set(inode, "size", len(data))
        journal.set(inode, "sha256", hashlib.sha256(data).hexdigest())


def remove_privileges(process: Process, node: Node) -> None:
    """Take setuid, setgid and capabilities off a file before it is written to. Kernel, section 11: cu-35, cu-38."""
    mode = kept_mode(process.caller, node.inode)
    if mode != node.inode.mode:
        set_attributes(node, mode=mode)
    drop_capability(node)
