"""Permission checks: owners, modes and the privileges of root, as in Linux 6.18.

The checks look at one inode, the one that is shown; which layer it lies in does not matter. Kernel: overlay vectors
perm-01 to perm-03.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import NOBODY
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink

READ, WRITE, EXECUTE = 4, 2, 1

SUID, SGID, STICKY, GROUP_EXECUTE = 0o4000, 0o2000, 0o1000, 0o010


@dataclass(frozen=True, slots=True)
class Caller:
    """The effective ids of a call.

    Args:
        uid: Effective user; 0 has all privileges.
        gid: Effective group; there are no supplementary groups.
        userns: Whether it runs in a user namespace, where root has no privileges over owners that are not mapped.
    """

    uid: int = 0
    gid: int = 0
    userns: bool = False

    def privileged(self, inode: Inode | None = None) -> bool:
        """Whether the caller is root and, with an inode, has privileges over it.

        Spec:
            Kernel, section 17: root of a user namespace has none over unmapped owners (ux-10).
        """
        return self.uid == 0 and not (self.userns and inode is not None and NOBODY in (inode.uid, inode.gid))

    def owns(self, inode: Inode) -> bool:
        """Whether the caller is the owner, or may act as the owner."""
        return self.uid == inode.uid or self.privileged(inode)

    def in_group(self, inode: Inode) -> bool:
        """Whether the caller is in the inode's group, or may act as if it were."""
        return self.gid == inode.gid or self.privileged(inode)


def check(caller: Caller, inode: Inode, want: int, path: str = "") -> None:
    """Check the permission bits.

    Args:
        want: `READ`, `WRITE`, `EXECUTE` (search, for a directory), added up.
        path: For the error.

    Raises:
        OSError: EACCES.

    Spec:
        Kernel, sections 5 and 12: root reads and writes everything; it executes a file only if that has an execute
        bit (perm-01, cu-45).
    """
    shift = 6 if caller.uid == inode.uid else 3 if caller.gid == inode.gid else 0
    if (inode.mode >> shift) & want == want:
        return
    if caller.privileged(inode) and (isinstance(inode, Directory) or not want & EXECUTE or inode.mode & 0o111):
        return
    raise fail(errno.EACCES, path)


def check_delete(caller: Caller, parent: Inode, victim: Inode, as_directory: bool, path: str = "") -> None:
    """Check that a name may be removed, or be given to another object.

    Args:
        as_directory: Whether the call expects a directory there.

    Raises:
        OSError: EACCES; EPERM in a sticky directory; ENOTDIR, EISDIR.

    Spec:
        Kernel, sections 7, 8 and 12: sticky (rm-18, mv-38); permission before type (perm-10, mv-39); types (rm-06,
        rm-07, mv-07).
    """
    check(caller, parent, WRITE | EXECUTE, path)
    if parent.mode & STICKY and caller.uid not in (victim.uid, parent.uid) and not caller.privileged(victim):
        raise fail(errno.EPERM, path)
    if as_directory and not isinstance(victim, Directory):
        raise fail(errno.ENOTDIR, path)
    if not as_directory and isinstance(victim, Directory):
        raise fail(errno.EISDIR, path)


def check_link(caller: Caller, inode: Inode, path: str = "") -> None:
    """Refuse hard links to files that the caller neither owns nor may read and write.

    Raises:
        OSError: EPERM.

    Spec:
        Kernel, section 12: fs.protected_hardlinks=1 (ln-19).
    """
    if caller.owns(inode):
        return
    plain = (
        isinstance(inode, File)
        and not inode.mode & SUID
        and inode.mode & (SGID | GROUP_EXECUTE) != SGID | GROUP_EXECUTE
    )
    try:
        check(caller, inode, READ | WRITE)
    except OSError:
        plain = False
    if not plain:
        raise fail(errno.EPERM, path)


def check_xattr(caller: Caller, inode: Inode, name: str, want: int, path: str = "") -> None:
    """Check access to an extended attribute by namespace, type and owner.

    Args:
        want: `READ` or `WRITE`.

    Raises:
        OSError: EPERM or EACCES to write; to read, a hidden attribute is ENODATA.

    Spec:
        Kernel, sections 5 and 12: trusted needs root (perm-05); user not on symlinks and special files (cu-19); owner
        of a sticky directory (perm-12).
    """
    hidden = errno.EPERM if want == WRITE else errno.ENODATA
    if name.startswith(("security.", "system.")):
        if want == WRITE and not caller.privileged(inode):
            raise fail(errno.EPERM, path)
        return
    if name.startswith("trusted."):
        if not caller.privileged(inode) or caller.userns:
            raise fail(hidden, path)
        return
    if name.startswith("user."):
        if isinstance(inode, (Symlink, Device, Fifo, Socket)):
            raise fail(hidden, path)
        if want == WRITE and isinstance(inode, Directory) and inode.mode & STICKY and not caller.owns(inode):
            raise fail(errno.EPERM, path)
    check(caller, inode, want, path)


def inherit(caller: Caller, parent: Inode, mode: int, directory: bool = False) -> tuple[int, int]:
    """The mode and group of a new object in a directory; the umask is already taken off the `mode` of the call.

    Spec:
        Kernel, section 6: objects in a setgid directory get its group, and directories also the bit (cr-15).
    """
    if not parent.mode & SGID:
        return mode, caller.gid
    if directory:
        return mode | SGID, parent.gid
    if mode & (SGID | GROUP_EXECUTE) == SGID | GROUP_EXECUTE and not caller.in_group(parent):
        mode &= ~SGID
    return mode, parent.gid


def kept_mode(caller: Caller, inode: Inode, always: bool = False) -> int:
    """The mode of a file after a write, or after a change of owner.

    Args:
        always: Remove setuid also for root: chown does, a write does not.

    Spec:
        Kernel, section 11: chown by anyone (cu-12), writing by others than root (cu-35). Root of a user namespace
        counts as others here: the kernel asks for CAP_FSETID in the initial namespace (setattr_should_drop_suidgid).
    """
    mode = inode.mode
    trusted = caller.privileged() and not caller.userns
    if isinstance(inode, Directory) or (not always and (trusted or not isinstance(inode, File))):
        return mode
    mode &= ~SUID
    if mode & GROUP_EXECUTE or not caller.in_group(inode):
        mode &= ~SGID
    return mode
