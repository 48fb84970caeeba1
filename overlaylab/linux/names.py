"""System calls that find, make, remove and rename names.

The calls know nothing of layers. They check in Linux's order, and ask a `FileSystem` for names and to make, remove and
rename them, so the same code serves an overlay and a plain disk. How a path is walked stands in `path_walk`. Names and
arguments are those of Python's `os`; failures are `OSError` with Linux's errno. Linux 6.18, fs/namei.c.
"""

from __future__ import annotations

import errno

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import (
    EXCHANGE,
    NOREPLACE,
    TYPES,
    WHITEOUT,
    FileSystem,
    Node,
    Stat,
    makedev,
    numbers_of,
)
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink

from .path_walk import Last, encoded, find, step, walk, with_parents
from .permissions import EXECUTE, WRITE, check, check_delete, check_link, inherit
from .process import Process

# --- making names


def mkdir(process: Process, path: str, mode: int = 0o777) -> None:
    """Make a directory. Kernel, section 6: cr-01 to cr-08; setuid and setgid of `mode` are ignored."""
    last = _new_name(process, path, directory=True)
    check_create(process, last)
    make(process, last, Directory(), mode & 0o1777 & ~process.mask)


def symlink(process: Process, target: str, path: str) -> None:
    """Make a symbolic link; its text is kept verbatim. Kernel, section 10: ln-13."""
    if not target:
        raise fail(errno.ENOENT, path)
    last = _new_name(process, path)
    check_create(process, last)
    make(process, last, Symlink(target=encoded(target)), 0o777)


def mknod(process: Process, path: str, mode: int = 0o600, device: int = 0) -> None:
    """Make a FIFO, a socket, a device node or an empty file.

    Args:
        mode: Permission bits and a type of `stat`.
        device: Major and minor as in `os.makedev`.

    Raises:
        OSError: EPERM for a device without privilege, and for a whiteout through an overlay.

    Spec:
        Kernel, sections 6 and 17: cr-13, cr-18; in a user namespace no devices at all (ux-14).
    """
    kind = next((name for name, bits in TYPES.items() if bits == mode & 0o170000), "file")
    if kind == "dir":
        raise fail(errno.EPERM, path)
    if kind == "symlink":
        raise fail(errno.EINVAL, path)
    last = _new_name(process, path)
    check_create(process, last)
    numbers = numbers_of(device)
    whiteout = kind == "char" and numbers == (0, 0)
    if kind in ("char", "block") and not whiteout and (process.caller.uid or process.caller.userns):
        raise fail(errno.EPERM, path)
    if whiteout and last.parent.fs.hidden:
        raise fail(errno.EPERM, path)
    made = {"fifo": Fifo, "socket": Socket, "file": File}.get(kind)
    make(process, last, made() if made else Device(kind=kind, rdev=numbers), mode & 0o7777 & ~process.mask)


def link(process: Process, src: str, dst: str, *, follow_symlinks: bool = False) -> None:
    """Give a file a second name.

    Raises:
        OSError: ENOENT, then EEXIST, EROFS, EXDEV, EPERM, EACCES.

    Spec:
        Kernel, sections 10, 12 and 13: ln-04, ln-05, ln-18, ln-19; order on a read-only overlay ro-03.
    """
    link_node(process, find(process, src, follow_symlinks), dst)


def link_node(process: Process, node: Node, dst: str) -> None:
    """Give a file that was found, or is open, another name."""
    last = _new_name(process, dst)
    if node.fs is not last.parent.fs:
        raise fail(errno.EXDEV, dst)
    check_link(process.caller, node.inode, dst)
    check_create(process, last)
    if node.is_dir:
        raise fail(errno.EPERM, dst)
    if node.fs.names_left(node) == 0 and id(node.upper) not in process.linkable:
        raise fail(errno.ENOENT, dst)
    node.fs.link(node, last.parent, last.name, process.journal.now())
    if id(node.upper) in process.linkable:
        process.journal.drop(process.linkable, id(node.upper))


def make(process: Process, last: Last, inode: Inode, mode: int) -> Node:
    """Enter a new inode, which belongs to the caller, under its name. Kernel, section 6: cr-13, umask cr-12."""
    parent, now = last.parent, process.journal.now()
    inode.uid = process.caller.uid
    inode.mode, inode.gid = inherit(process.caller, parent.inode, mode, isinstance(inode, Directory))
    inode.mtime_ns = now
    return parent.fs.make(parent, last.name, inode, now)


def _new_name(process: Process, path: str | bytes, directory: bool = False) -> Last:
    """The place for a new name.

    Raises:
        OSError: EEXIST before EROFS before EACCES; ENOENT for a slash behind a name that is not to be a directory.

    Spec:
        Kernel, sections 6, 12 and 13: EEXIST for any name that is there, also a dangling symlink (cr-10), also when
        read-only (ro-03) and without permission (perm-10); parents (cr-11).
    """
    path = encoded(path)
    last = walk(process, path, [0])
    if last.special or step(process, last.parent, last.name) is not None:
        raise fail(errno.EEXIST, path)
    if last.slash and not directory:
        raise fail(errno.ENOENT, path)
    check_writable(last.parent.fs, path)
    return last


# --- removing names


def unlink(process: Process, path: str) -> None:
    """Remove a name. Kernel, sections 7 and 13: rm-01 to rm-06, rm-27; EROFS before ENOENT (ro-03)."""
    node, last = _victim(process, path, dict.fromkeys(("", ".", ".."), errno.EISDIR))
    if last.slash:
        raise fail(errno.EISDIR if node.is_dir else errno.ENOTDIR, encoded(path))
    check_delete(process.caller, last.parent.inode, node.inode, False, encoded(path))
    node.fs.remove(node, process.journal.now())


def rmdir(process: Process, path: str) -> None:
    """Remove an empty directory.

    Spec:
        Kernel, sections 7 and 12: rm-07 to rm-16, rm-27, rm-30; EACCES before ENOTEMPTY (perm-10).
    """
    node, last = _victim(process, path, {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY})
    check_delete(process.caller, last.parent.inode, node.inode, True, encoded(path))
    if node.parent is None:
        raise fail(errno.EBUSY, encoded(path))
    node.fs.remove(node, process.journal.now())
    _mark_dead(node)


def _victim(process: Process, path: str | bytes, special: dict[str, int]) -> tuple[Node, Last]:
    """What is to be removed, and its place; `special` holds the errno for ``.``, ``..`` and the root."""
    path = encoded(path)
    last = walk(process, path, [0])
    if last.special:
        raise fail(special[last.name], path)
    check_writable(last.parent.fs, path)
    node = step(process, last.parent, last.name)
    if node is None:
        raise fail(errno.ENOENT, path)
    return node, last


def _mark_dead(directory: Node) -> None:
    """Note that a directory was removed: a descriptor on it lists nothing any more. Kernel: S_DEAD, fs/namei.c."""
    directory.fs.journal.put(directory.fs.dead, directory.fs.number(directory), True)


# --- renaming


def rename(process: Process, src: str, dst: str, flags: int = 0) -> None:
    """Move a name.

    Args:
        flags: `NOREPLACE`, `EXCHANGE` or `WHITEOUT` of renameat2.

    Spec:
        Kernel, section 8: the order of the checks mv-07, mv-21, mv-24, mv-28, mv-29, mv-31, mv-32, mv-36, mv-37.
    """
    if flags & ~7 or (flags & EXCHANGE and flags & (NOREPLACE | WHITEOUT)):
        raise fail(errno.EINVAL, src)
    here, there = walk(process, encoded(src), [0]), walk(process, encoded(dst), [0])
    if here.parent.fs is not there.parent.fs:
        raise fail(errno.EXDEV, src)
    if here.special:
        raise fail(errno.EBUSY, src)
    if there.special:
        raise fail(errno.EEXIST if flags & NOREPLACE else errno.EBUSY, dst)
    check_writable(here.parent.fs, src)
    old, new = _rename_nodes(process, here, there, flags)
    if new is not None and old.fs.identity(old) == new.fs.identity(new):
        return
    _check_rename(process, here, there, old, new, flags)
    old.fs.rename(old, there.parent, there.name, new, flags, process.journal.now())
    if new is not None and new.is_dir and not flags & EXCHANGE:
        _mark_dead(new)


def _rename_nodes(process: Process, here: Last, there: Last, flags: int) -> tuple[Node, Node | None]:
    """The nodes of the two names of a rename. Kernel, section 8: mv-21, mv-24, mv-32, mv-36, mv-37."""
    exchange = flags & EXCHANGE
    old = step(process, here.parent, here.name)
    if old is None:
        raise fail(errno.ENOENT, here.name)
    new = step(process, there.parent, there.name)
    if flags & NOREPLACE and new is not None:
        raise fail(errno.EEXIST, there.name)
    if exchange and new is None:
        raise fail(errno.ENOENT, there.name)
    if exchange and new is not None and not new.is_dir and there.slash:
        raise fail(errno.ENOTDIR, there.name)
    if not old.is_dir and (here.slash or (there.slash and not exchange)):
        raise fail(errno.ENOTDIR, here.name)
    if old.is_dir and _is_above(old, there.parent):
        raise fail(errno.EINVAL, there.name)
    if new is not None and new.is_dir and _is_above(new, here.parent):
        raise fail(errno.EINVAL if exchange else errno.ENOTEMPTY, there.name)
    return old, new


def _check_rename(process: Process, here: Last, there: Last, old: Node, new: Node | None, flags: int) -> None:
    """Permissions of a rename.

    Spec:
        Kernel, section 12: mv-38, mv-39; a directory that changes its parent must be writable (mv-53).
    """
    caller = process.caller
    check_delete(caller, here.parent.inode, old.inode, old.is_dir, here.name)
    if new is None:
        check_create(process, there)
    else:
        wants_directory = new.is_dir if flags & EXCHANGE else old.is_dir
        check_delete(caller, there.parent.inode, new.inode, wants_directory, there.name)
    if here.parent.fs.identity(here.parent) == there.parent.fs.identity(there.parent):
        return
    if old.is_dir:
        check(caller, old.inode, WRITE, here.name)
    if flags & EXCHANGE and new is not None and new.is_dir:
        check(caller, new.inode, WRITE, there.name)


def _is_above(node: Node, below: Node) -> bool:
    """Whether a node is `below` or one of its ancestors."""
    mine = node.fs.identity(node)
    return any(here.fs is node.fs and here.fs.identity(here) == mine for here in with_parents(below))


# --- looking


def lstat(process: Process, path: str) -> Stat:
    """The attributes of a name; a symlink in the last place is not followed."""
    return stat_node(find(process, path, follow=False))


def stat(process: Process, path: str, *, follow_symlinks: bool = True) -> Stat:
    """The attributes of the object that a path leads to."""
    return stat_node(find(process, path, follow_symlinks))


def stat_node(node: Node) -> Stat:
    """The attributes of a node.

    Spec:
        Kernel, section 4: those of the topmost part (merge-05, merge-15); link counts merge-21 to merge-23; inode
        numbers cu-40.
    """
    inode, fs = node.inode, node.fs
    size = inode.size if isinstance(inode, File) else 0
    if isinstance(inode, Symlink):
        size = len(inode.target.encode("utf-8", "surrogateescape"))
    return Stat(
        st_mode=TYPES[inode.type] | inode.mode & 0o7777,
        st_ino=fs.number(node),
        st_dev=fs.device,
        st_nlink=fs.nlink(node),
        st_uid=inode.uid,
        st_gid=inode.gid,
        st_size=size,
        st_mtime_ns=inode.mtime_ns,
        st_blocks=(_data_size(node) + 4095) // 4096 * 8,
        st_rdev=makedev(*inode.rdev) if isinstance(inode, Device) else 0,
    )


def _data_size(node: Node) -> int:
    """The bytes of a file's data; missing data shows only at open. Kernel, section 16: mount-48."""
    if not isinstance(node.inode, File):
        return 0
    try:
        return node.fs.data_of(node).size
    except OSError:
        return 0


def readlink(process: Process, path: str) -> str:
    """The text of a symbolic link. Kernel, section 10: EINVAL for anything else (ln-14)."""
    node = find(process, path, follow=False)
    if not isinstance(node.inode, Symlink):
        raise fail(errno.EINVAL, path)
    return node.inode.target


def access(process: Process, path: str, mode: int) -> None:
    """Ask whether the effective ids may do something; copies nothing up.

    Args:
        mode: `os.R_OK`, `os.W_OK` and `os.X_OK`, added up.

    Raises:
        OSError: EACCES; EROFS first for writing on a read-only file system.

    Spec:
        Kernel, sections 5 and 13: cu-45, perm-07, ro-02.
    """
    check_access(process, find(process, path), mode)


# --- checks that other calls share


def check_access(process: Process, node: Node, want: int) -> None:
    """Permission on an object; a read-only file system refuses first. Kernel, section 13: ro-02, ro-06."""
    if want & WRITE and node.fs.read_only and isinstance(node.inode, (File, Directory, Symlink)):
        raise fail(errno.EROFS, node.path)
    check(process.caller, node.inode, want, node.path)


def check_create(process: Process, last: Last) -> None:
    """Permission to make a name in a directory."""
    check(process.caller, last.parent.inode, WRITE | EXECUTE, last.name)


def check_writable(fs: FileSystem, path: str = "") -> None:
    """Refuse changes of a read-only file system. Kernel, section 13: ro-01, mount-63."""
    if fs.read_only:
        raise fail(errno.EROFS, path)
