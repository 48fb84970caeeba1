"""System calls that change what is known about a file: mode, owner, times, extended attributes.

Linux 6.18, fs/attr.c, fs/open.c, fs/xattr.c.
"""

from __future__ import annotations

import errno
from typing import Any

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node, shown_xattrs
from overlaylab.tree import Symlink

from .names import PathCalls
from .permissions import READ, WRITE, check, check_xattr, kept_mode

__all__ = ["XATTR_CREATE", "XATTR_REPLACE", "AttributeCalls"]

# setxattr(2)
XATTR_CREATE, XATTR_REPLACE = 1, 2

CAPABILITY = "security.capability"


class AttributeCalls(PathCalls):
    """The calls by path, and what calls by descriptor share with them."""

    def _target_of(self, path: str, follow: bool = True) -> Node:
        node = self._find(path, follow)
        self._may_write(node.fs, path)
        return node

    def chmod(self, path: str, mode: int, *, follow_symlinks: bool = True) -> None:
        """Change permission bits. Kernel, sections 5 and 12: cu-10, cu-11, cu-24; owner or root (perm-05)."""
        node = self._target_of(path, follow_symlinks)
        if isinstance(node.inode, Symlink):
            raise fail(errno.EOPNOTSUPP, path)
        self._chmod(node, mode)

    def _chmod(self, node: Node, mode: int) -> None:
        if not self.caller.owns(node.inode):
            raise fail(errno.EPERM, node.path)
        mode &= 0o7777
        if not self.caller.in_group(node.inode):
            mode &= ~0o2000
        self._set(node, mode=mode)

    def _set(self, node: Node, **attributes: Any) -> None:
        inode = node.fs.writable(node, data=False)
        for name, value in attributes.items():
            node.fs.journal.set(inode, name, value)

    def chown(self, path: str, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        """Change owner and group; -1 leaves one as it is.

        Spec:
            Kernel, sections 5, 11 and 12: clears setuid and setgid of non-directories (cu-12); -1 and -1 is open to all and copies up
            (cu-13, cu-51), unless there is a setuid bit to clear; drops security.capability.
        """
        self._chown(self._target_of(path, follow_symlinks), uid, gid)

    def lchown(self, path: str, uid: int, gid: int) -> None:
        """Change the owner of the name itself, also of a symlink. Kernel, section 5: cu-24."""
        self.chown(path, uid, gid, follow_symlinks=False)

    def _chown(self, node: Node, uid: int, gid: int) -> None:
        inode, caller = node.inode, self.caller
        mine = caller.uid == inode.uid
        if uid != -1 and not (mine and uid == inode.uid) and not caller.privileged(inode):
            raise fail(errno.EPERM, node.path)
        if gid != -1 and not (mine and gid in (inode.gid, caller.gid)) and not caller.privileged(inode):
            raise fail(errno.EPERM, node.path)
        mode = kept_mode(caller, inode, always=True)
        if mode != inode.mode and not caller.owns(inode):
            raise fail(errno.EPERM, node.path)
        if not node.is_dir:
            self._drop_capability(node)
        self._set(node, uid=inode.uid if uid == -1 else uid, gid=inode.gid if gid == -1 else gid, mode=mode)

    def _drop_capability(self, node: Node) -> None:
        """Writes and changes of owner take file capabilities away. Kernel, section 11: cu-38."""
        if CAPABILITY in node.inode.xattrs:
            inode = node.fs.xattrs_of(node)
            node.fs.journal.set(
                inode, "xattrs", {key: value for key, value in inode.xattrs.items() if key != CAPABILITY}
            )

    def utime(
        self,
        path: str,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times, the second one being the modification time; now, if none is given.

        Spec:
            Kernel, sections 5 and 12: a time needs the owner (EPERM), now needs the owner or write permission (EACCES): cu-14, perm-05.
        """
        node = self._target_of(path, follow_symlinks)
        if times is not None:
            ns = (int(times[0] * 10**9), int(times[1] * 10**9))
        if not self.caller.owns(node.inode):
            if ns is not None:
                raise fail(errno.EPERM, path)
            check(self.caller, node.inode, WRITE, path)
        self._set(node, mtime_ns=self._now() if ns is None else ns[1])

    # --- extended attributes

    def _stored(self, node: Node, name: str) -> str:
        """The name under which a layer keeps an attribute: overlay marks are escaped. Kernel, sections 15 and 17: wo-31, wo-32, ux-07."""
        hidden = node.fs.hidden
        return hidden + "overlay." + name[len(hidden) :] if hidden and name.startswith(hidden) else name

    def _namespace(self, name: str, path: str) -> None:
        """Refuse names of no namespace; the overlay leaves that to the upper layer, so a copy may be there already."""
        if not name.startswith(("user.", "trusted.", "security.", "system.")):
            raise fail(errno.EOPNOTSUPP, path)

    def setxattr(self, path: str, name: str, value: bytes, flags: int = 0, *, follow_symlinks: bool = False) -> None:
        """Set an attribute.

        Args:
            flags: 1 it must not exist (EEXIST), 2 it must (ENODATA).

        Spec:
            Kernel, section 5: cu-15; what fails by a flag has copied up already (cu-16), what fails by its type has not (cu-19).
        """
        node = self._target_of(path, follow_symlinks)
        check_xattr(self.caller, node.inode, name, WRITE, path)
        key = self._stored(node, name)
        inode = node.fs.xattrs_of(node)
        self._namespace(name, path)
        if flags & XATTR_CREATE and key in inode.xattrs:
            raise fail(errno.EEXIST, path)
        if flags & XATTR_REPLACE and key not in inode.xattrs:
            raise fail(errno.ENODATA, path)
        node.fs.journal.set(inode, "xattrs", {**inode.xattrs, key: bytes(value)})

    def removexattr(self, path: str, name: str, *, follow_symlinks: bool = False) -> None:
        """Remove an attribute. Kernel, section 5: a missing one is ENODATA, without copy-up (cu-17)."""
        node = self._target_of(path, follow_symlinks)
        check_xattr(self.caller, node.inode, name, WRITE, path)
        key = self._stored(node, name)
        self._namespace(name, path)
        if key not in node.inode.xattrs:
            raise fail(errno.ENODATA, path)
        inode = node.fs.xattrs_of(node)
        node.fs.journal.set(inode, "xattrs", {k: value for k, value in inode.xattrs.items() if k != key})

    def getxattr(self, path: str, name: str, *, follow_symlinks: bool = False) -> bytes:
        """The value of an attribute. Kernel, sections 4 and 15: marks of the overlay are not there (wo-33), escaped ones are (wo-31)."""
        node = self._find(path, follow_symlinks)
        check_xattr(self.caller, node.inode, name, READ, path)
        self._namespace(name, path)
        value = node.inode.xattrs.get(self._stored(node, name))
        if value is None:
            raise fail(errno.ENODATA, path)
        return value

    def listxattr(self, path: str, *, follow_symlinks: bool = False) -> list[str]:
        """The names of all attributes that the caller may know of, sorted."""
        node = self._find(path, follow_symlinks)
        names = shown_xattrs(node.inode, node.fs.hidden)
        if self.caller.uid or self.caller.userns:
            names = {name: value for name, value in names.items() if not name.startswith("trusted.")}
        return sorted(names)
