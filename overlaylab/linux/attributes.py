"""System calls that change what is known about a file: mode, owner, times, extended attributes.

Linux 6.18, fs/attr.c, fs/open.c, fs/xattr.c.
"""

from __future__ import annotations

import errno
from typing import Any

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node, shown_xattrs
from overlaylab.tree import Symlink

from .names import check_writable
from .path_walk import find
from .permissions import READ, WRITE, check, check_xattr, kept_mode
from .process import Process

# setxattr(2)
XATTR_CREATE, XATTR_REPLACE = 1, 2

CAPABILITY = "security.capability"


# --- mode and owner


def chmod(process: Process, path: str, mode: int, *, follow_symlinks: bool = True) -> None:
    """Change permission bits. Kernel, sections 5 and 12: cu-10, cu-11, cu-24; owner or root (perm-05)."""
    node = _find_writable(process, path, follow_symlinks)
    if isinstance(node.inode, Symlink):
        raise fail(errno.EOPNOTSUPP, path)
    change_mode(process, node, mode)


def change_mode(process: Process, node: Node, mode: int) -> None:
    """Change the permission bits of a node: chmod and fchmod."""
    if not process.caller.owns(node.inode):
        raise fail(errno.EPERM, node.path)
    mode &= 0o7777
    if not process.caller.in_group(node.inode):
        mode &= ~0o2000
    set_attributes(node, mode=mode)


def chown(process: Process, path: str, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
    """Change owner and group.

    Args:
        uid, gid: The new owner and group; -1 keeps the old one.

    Spec:
        Kernel, sections 5, 11 and 12: clears setuid and setgid of non-directories (cu-12); -1 and -1 is open to all and
        copies up (cu-13, cu-51), unless there is a setuid bit to clear; drops security.capability.
    """
    change_owner(process, _find_writable(process, path, follow_symlinks), uid, gid)


def lchown(process: Process, path: str, uid: int, gid: int) -> None:
    """Change the owner of the name itself, also of a symlink. Kernel, section 5: cu-24."""
    chown(process, path, uid, gid, follow_symlinks=False)


def change_owner(process: Process, node: Node, uid: int, gid: int) -> None:
    """Change owner and group of a node: chown and fchown."""
    inode, caller = node.inode, process.caller
    mine = caller.uid == inode.uid
    if uid != -1 and not (mine and uid == inode.uid) and not caller.privileged(inode):
        raise fail(errno.EPERM, node.path)
    if gid != -1 and not (mine and gid in (inode.gid, caller.gid)) and not caller.privileged(inode):
        raise fail(errno.EPERM, node.path)
    mode = kept_mode(caller, inode, always=True)
    if mode != inode.mode and not caller.owns(inode):
        raise fail(errno.EPERM, node.path)
    if not node.is_dir:
        drop_capability(node)
    set_attributes(node, uid=inode.uid if uid == -1 else uid, gid=inode.gid if gid == -1 else gid, mode=mode)


def set_attributes(node: Node, **attributes: Any) -> None:
    """Set attributes of an inode, which is copied up first if need be."""
    inode = node.fs.writable(node, data=False)
    for name, value in attributes.items():
        node.fs.journal.set(inode, name, value)


def drop_capability(node: Node) -> None:
    """Remove file capabilities, as a write and a change of owner do. Kernel, section 11: cu-38."""
    if CAPABILITY in node.inode.xattrs:
        inode = node.fs.xattrs_of(node)
        kept = {key: value for key, value in inode.xattrs.items() if key != CAPABILITY}
        node.fs.journal.set(inode, "xattrs", kept)


def _find_writable(process: Process, path: str, follow: bool = True) -> Node:
    node = find(process, path, follow)
    check_writable(node.fs, path)
    return node


# --- times


def utime(
    process: Process,
    path: str,
    times: tuple[float, float] | None = None,
    *,
    ns: tuple[int, int] | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Set the modification time; to now, if no time is given.

    Args:
        times: Time of access and time of modification in seconds; the model keeps the second only.
        ns: The same in nanoseconds.

    Spec:
        Kernel, sections 5 and 12: a given time needs the owner (EPERM), now needs the owner or write permission
        (EACCES): cu-14, perm-05.
    """
    node = _find_writable(process, path, follow_symlinks)
    if times is not None:
        ns = (int(times[0] * 10**9), int(times[1] * 10**9))
    if not process.caller.owns(node.inode):
        if ns is not None:
            raise fail(errno.EPERM, path)
        check(process.caller, node.inode, WRITE, path)
    set_attributes(node, mtime_ns=process.journal.now() if ns is None else ns[1])


# --- extended attributes


def setxattr(
    process: Process, path: str, name: str, value: bytes, flags: int = 0, *, follow_symlinks: bool = False
) -> None:
    """Set an extended attribute.

    Args:
        flags: `XATTR_CREATE`: it must not exist (EEXIST); `XATTR_REPLACE`: it must exist (ENODATA).

    Spec:
        Kernel, section 5: cu-15; a call that fails by a flag has copied up already (cu-16), one that fails by the
        file's type has not (cu-19).
    """
    node = _find_writable(process, path, follow_symlinks)
    check_xattr(process.caller, node.inode, name, WRITE, path)
    key = _stored_name(node, name)
    inode = node.fs.xattrs_of(node)
    _check_namespace(name, path)
    if flags & XATTR_CREATE and key in inode.xattrs:
        raise fail(errno.EEXIST, path)
    if flags & XATTR_REPLACE and key not in inode.xattrs:
        raise fail(errno.ENODATA, path)
    node.fs.journal.set(inode, "xattrs", {**inode.xattrs, key: bytes(value)})


def removexattr(process: Process, path: str, name: str, *, follow_symlinks: bool = False) -> None:
    """Remove an extended attribute. Kernel, section 5: a missing one is ENODATA, without copy-up (cu-17)."""
    node = _find_writable(process, path, follow_symlinks)
    check_xattr(process.caller, node.inode, name, WRITE, path)
    key = _stored_name(node, name)
    _check_namespace(name, path)
    if key not in node.inode.xattrs:
        raise fail(errno.ENODATA, path)
    inode = node.fs.xattrs_of(node)
    node.fs.journal.set(inode, "xattrs", {k: value for k, value in inode.xattrs.items() if k != key})


def getxattr(process: Process, path: str, name: str, *, follow_symlinks: bool = False) -> bytes:
    """The value of an extended attribute.

    Spec:
        Kernel, sections 4 and 15: the overlay's own xattrs are not there (wo-33), escaped ones are (wo-31).
    """
    node = find(process, path, follow_symlinks)
    check_xattr(process.caller, node.inode, name, READ, path)
    _check_namespace(name, path)
    value = node.inode.xattrs.get(_stored_name(node, name))
    if value is None:
        raise fail(errno.ENODATA, path)
    return value


def listxattr(process: Process, path: str, *, follow_symlinks: bool = False) -> list[str]:
    """The names of all extended attributes that the caller may see, sorted."""
    node = find(process, path, follow_symlinks)
    names = shown_xattrs(node.inode, node.fs.hidden)
    if process.caller.uid or process.caller.userns:
        names = {name: value for name, value in names.items() if not name.startswith("trusted.")}
    return sorted(names)


def _stored_name(node: Node, name: str) -> str:
    """The name under which a layer keeps an xattr: those of the overlay's namespace are escaped.

    Spec:
        Kernel, sections 15 and 17: wo-31, wo-32, ux-07.
    """
    hidden = node.fs.hidden
    return hidden + "overlay." + name[len(hidden) :] if hidden and name.startswith(hidden) else name


def _check_namespace(name: str, path: str) -> None:
    """Refuse names of no namespace; an overlay leaves that to the upper layer, so a copy may be there already."""
    if not name.startswith(("user.", "trusted.", "security.", "system.")):
        raise fail(errno.EOPNOTSUPP, path)
