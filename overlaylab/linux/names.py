"""What any Linux file system does with names: find, make, remove and rename them, and refuse in the right order.

The calls here know nothing of layers. They ask a `FileSystem` for names and let it
make, remove and rename them, so the same code serves an overlay and a plain disk.
How a path is walked is in `pathwalk`; `attributes`, `content`, `opening` and
`descriptors` add the other calls, each on top of the one before. Linux 6.18, fs/namei.c.
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

from .path_walk import Last, PathWalk, encoded
from .permissions import EXECUTE, WRITE, check, check_delete, check_link, inherit

__all__ = ["PathCalls", "Stat"]


class PathCalls(PathWalk):
    """System calls that take a path."""

    # --- what all changes need

    def _may_write(self, fs: FileSystem, path: str = "") -> None:
        """Refuse changes of a read-only file system. Kernel, section 13: ro-01, mount-63."""
        if fs.read_only:
            raise fail(errno.EROFS, path)

    def _new(self, path: str | bytes, directory: bool = False) -> Last:
        """The place for a new name.

        Raises:
            OSError: EEXIST before EROFS before EACCES; ENOENT for a slash behind what is to be no directory.

        Spec:
            Kernel, sections 6, 12 and 13: EEXIST whatever is there, also a dangling symlink (cr-10), also when read-only (ro-03) and without
            permission (perm-10); parents (cr-11).
        """
        path = encoded(path)
        last = self._walk(path, [0])
        if last.special or (node := self._step(last.parent, last.name)) is not None:
            raise fail(errno.EEXIST, path)
        del node
        if last.slash and not directory:
            raise fail(errno.ENOENT, path)
        self._may_write(last.parent.fs, path)
        return last

    def _may_create(self, last: Last) -> None:
        check(self.caller, last.parent.inode, WRITE | EXECUTE, last.name)

    def _make(self, last: Last, inode: Inode, mode: int) -> Node:
        """Put a new inode in its place: it belongs to the caller. Kernel, section 6: cr-13, umask cr-12."""
        parent, now = last.parent, self._now()
        inode.uid = self.caller.uid
        inode.mode, inode.gid = inherit(self.caller, parent.inode, mode, isinstance(inode, Directory))
        inode.mtime_ns = now
        return parent.fs.make(parent, last.name, inode, now)

    # --- calls that make names

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Make a directory. Kernel, section 6: cr-01 to cr-08; setuid and setgid of `mode` do not count."""
        last = self._new(path, directory=True)
        self._may_create(last)
        self._make(last, Directory(), mode & 0o1777 & ~self.mask)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link; its text is kept verbatim. Kernel, section 10: ln-13."""
        if not target:
            raise fail(errno.ENOENT, path)
        last = self._new(path)
        self._may_create(last)
        self._make(last, Symlink(target=encoded(target)), 0o777)

    def mknod(self, path: str, mode: int = 0o600, device: int = 0) -> None:
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
        last = self._new(path)
        self._may_create(last)
        numbers = numbers_of(device)
        whiteout = kind == "char" and numbers == (0, 0)
        if kind in ("char", "block") and not whiteout and (self.caller.uid or self.caller.userns):
            raise fail(errno.EPERM, path)
        if whiteout and last.parent.fs.hidden:
            raise fail(errno.EPERM, path)
        made = {"fifo": Fifo, "socket": Socket, "file": File}.get(kind)
        self._make(last, made() if made else Device(kind=kind, rdev=numbers), mode & 0o7777 & ~self.mask)

    def link(self, src: str, dst: str, *, follow_symlinks: bool = False) -> None:
        """Give a file a second name.

        Raises:
            OSError: ENOENT, then EEXIST, EROFS, EXDEV, EPERM, EACCES.

        Spec:
            Kernel, sections 10, 12 and 13: ln-04, ln-05, ln-18, ln-19; order on a read-only overlay ro-03.
        """
        self._link(self._find(src, follow_symlinks), dst)

    def _link(self, node: Node, dst: str) -> None:
        last = self._new(dst)
        if node.fs is not last.parent.fs:
            raise fail(errno.EXDEV, dst)
        check_link(self.caller, node.inode, dst)
        self._may_create(last)
        if node.is_dir:
            raise fail(errno.EPERM, dst)
        if node.fs.names_left(node) == 0 and id(node.upper) not in self.linkable:
            raise fail(errno.ENOENT, dst)
        node.fs.link(node, last.parent, last.name, self._now())
        if id(node.upper) in self.linkable:
            node.fs.journal.drop(self.linkable, id(node.upper))

    # --- calls that take names away

    def _victim(self, path: str | bytes, special: dict[str, int]) -> tuple[Node, Last]:
        path = encoded(path)
        last = self._walk(path, [0])
        if last.special:
            raise fail(special[last.name], path)
        self._may_write(last.parent.fs, path)
        node = self._step(last.parent, last.name)
        if node is None:
            raise fail(errno.ENOENT, path)
        return node, last

    def unlink(self, path: str) -> None:
        """Take a name away. Kernel, sections 7 and 13: rm-01 to rm-06, rm-27; EROFS before ENOENT (ro-03)."""
        node, last = self._victim(path, dict.fromkeys(("", ".", ".."), errno.EISDIR))
        if last.slash:
            raise fail(errno.EISDIR if node.is_dir else errno.ENOTDIR, encoded(path))
        check_delete(self.caller, last.parent.inode, node.inode, False, encoded(path))
        node.fs.remove(node, self._now())

    def rmdir(self, path: str) -> None:
        """Remove an empty directory. Kernel, sections 7 and 12: rm-07 to rm-16, rm-27, rm-30; EACCES before ENOTEMPTY (perm-10)."""
        node, last = self._victim(path, {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY})
        check_delete(self.caller, last.parent.inode, node.inode, True, encoded(path))
        if node.parent is None:
            raise fail(errno.EBUSY, encoded(path))
        node.fs.remove(node, self._now())
        self._bury(node)

    def _bury(self, directory: Node) -> None:
        """Remember a directory that is gone: whoever has it open finds nothing in it any more. Kernel: S_DEAD, fs/namei.c."""
        directory.fs.journal.put(directory.fs.dead, directory.fs.number(directory), True)

    def rename(self, src: str, dst: str, flags: int = 0) -> None:
        """Move a name.

        Args:
            flags: `NOREPLACE`, `EXCHANGE` or `WHITEOUT` of renameat2.

        Spec:
            Kernel, section 8: the order of the checks mv-07, mv-21, mv-24, mv-28, mv-29, mv-31, mv-32, mv-36, mv-37.
        """
        if flags & ~7 or (flags & EXCHANGE and flags & (NOREPLACE | WHITEOUT)):
            raise fail(errno.EINVAL, src)
        here, there = self._walk(encoded(src), [0]), self._walk(encoded(dst), [0])
        if here.parent.fs is not there.parent.fs:
            raise fail(errno.EXDEV, src)
        if here.special:
            raise fail(errno.EBUSY, src)
        if there.special:
            raise fail(errno.EEXIST if flags & NOREPLACE else errno.EBUSY, dst)
        self._may_write(here.parent.fs, src)
        old, new = self._rename_names(here, there, flags)
        if new is not None and old.fs.identity(old) == new.fs.identity(new):
            return
        self._may_rename(here, there, old, new, flags)
        old.fs.rename(old, there.parent, there.name, new, flags, self._now())
        if new is not None and new.is_dir and not flags & EXCHANGE:
            self._bury(new)

    def _rename_names(self, here: Last, there: Last, flags: int) -> tuple[Node, Node | None]:
        """What the two names of a rename stand for. Kernel, section 8: mv-21, mv-24, mv-32, mv-36, mv-37."""
        old = self._step(here.parent, here.name)
        if old is None:
            raise fail(errno.ENOENT, here.name)
        new = self._step(there.parent, there.name)
        if flags & NOREPLACE and new is not None:
            raise fail(errno.EEXIST, there.name)
        if flags & EXCHANGE and new is None:
            raise fail(errno.ENOENT, there.name)
        if flags & EXCHANGE and not new.is_dir and there.slash:
            raise fail(errno.ENOTDIR, there.name)
        if not old.is_dir and (here.slash or (there.slash and not flags & EXCHANGE)):
            raise fail(errno.ENOTDIR, here.name)
        if old.is_dir and _above(old, there.parent):
            raise fail(errno.EINVAL, there.name)
        if new is not None and new.is_dir and _above(new, here.parent):
            raise fail(errno.EINVAL if flags & EXCHANGE else errno.ENOTEMPTY, there.name)
        return old, new

    def _may_rename(self, here: Last, there: Last, old: Node, new: Node | None, flags: int) -> None:
        """Permissions of a rename. Kernel, section 12: mv-38, mv-39; a directory that changes its parent must be writable (mv-53)."""
        check_delete(self.caller, here.parent.inode, old.inode, old.is_dir, here.name)
        if new is None:
            self._may_create(there)
        else:
            wants_directory = new.is_dir if flags & EXCHANGE else old.is_dir
            check_delete(self.caller, there.parent.inode, new.inode, wants_directory, there.name)
        if here.parent.fs.identity(here.parent) == there.parent.fs.identity(there.parent):
            return
        if old.is_dir:
            check(self.caller, old.inode, WRITE, here.name)
        if flags & EXCHANGE and new is not None and new.is_dir:
            check(self.caller, new.inode, WRITE, there.name)

    # --- calls that look

    def lstat(self, path: str) -> Stat:
        """What a name stands for, symlinks not followed."""
        return self._stat(self._find(path, follow=False))

    def stat(self, path: str, *, follow_symlinks: bool = True) -> Stat:
        """What a path leads to."""
        return self._stat(self._find(path, follow_symlinks))

    def _stat(self, node: Node) -> Stat:
        """Kernel, section 4: attributes of the topmost part (merge-05, merge-15); link counts merge-21 to merge-23; numbers cu-40."""
        inode, fs = node.inode, node.fs
        size = (
            len(inode.target.encode("utf-8", "surrogateescape"))
            if isinstance(inode, Symlink)
            else getattr(inode, "size", 0)
        )
        data = self._data_size(node) if isinstance(inode, File) else 0
        return Stat(
            st_mode=TYPES[inode.type] | inode.mode & 0o7777,
            st_ino=fs.number(node),
            st_dev=fs.device,
            st_nlink=fs.nlink(node),
            st_uid=inode.uid,
            st_gid=inode.gid,
            st_size=size,
            st_mtime_ns=inode.mtime_ns,
            st_blocks=(data + 4095) // 4096 * 8,
            st_rdev=makedev(*inode.rdev) if isinstance(inode, Device) else 0,
        )

    def _data_size(self, node: Node) -> int:
        """How much data there is; missing data shows only at open. Kernel, section 16: mount-48."""
        try:
            return node.fs.data_of(node).size
        except OSError:
            return 0

    def readlink(self, path: str) -> str:
        """The text of a symbolic link. Kernel, section 10: EINVAL for anything else (ln-14)."""
        node = self._find(path, follow=False)
        if not isinstance(node.inode, Symlink):
            raise fail(errno.EINVAL, path)
        return node.inode.target

    def access(self, path: str, mode: int) -> None:
        """Ask whether the effective ids may do something; copies nothing up.

        Raises:
            OSError: EACCES; EROFS first for writing to what cannot change.

        Spec:
            Kernel, sections 5 and 13: cu-45, perm-07, ro-02.
        """
        node = self._find(path)
        self._check(node, mode)

    def _check(self, node: Node, want: int) -> None:
        """Permission on an object, read-only file systems first. Kernel, section 13: ro-02, ro-06."""
        if want & WRITE and node.fs.read_only and isinstance(node.inode, (File, Directory, Symlink)):
            raise fail(errno.EROFS, node.path)
        check(self.caller, node.inode, want, node.path)


def _above(node: Node, below: Node | None) -> bool:
    """Whether a node is `below` or stands above it."""
    mine = node.fs.identity(node)
    while below is not None:
        if below.fs is node.fs and below.fs.identity(below) == mine:
            return True
        below = below.parent
    return False
