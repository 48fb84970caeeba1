"""A small Linux in memory: a plain disk with mounts on it, reached by calls named like Python's `os`.

Programs that were written for a real mount run on it unchanged. `System` is a table: each name of a call, and the
function over a `Process` that carries it out. The rules stand in the modules; `names` is a good one to begin with.
"""

from __future__ import annotations

from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory

from . import attributes, descriptors, mounts, names, open_files, path_walk, process
from .disk import Disk
from .permissions import Caller


class System(process.Process, descriptors.Shorthand):
    """A process with its system calls as methods.

    Args:
        root: A tree to be the disk, or the file system that is all that the process sees.
        userns: Whether the process is root of a user namespace only.
    """

    def __init__(self, root: Directory | Overlay, userns: bool = False) -> None:
        fs = Disk(root) if isinstance(root, Directory) else root
        super().__init__(fs.root, fs.root, Caller(userns=userns), fs.journal, fs.numbers)

    @classmethod
    def over(cls, overlay: Overlay) -> System:
        """A process that sees an overlay and nothing else."""
        return cls(overlay, overlay.userns)

    # The process itself.
    chdir, umask, seteuid, setegid = path_walk.chdir, process.umask, process.seteuid, process.setegid
    acting = process.acting
    # Names.
    mkdir, symlink, mknod, link, unlink = names.mkdir, names.symlink, names.mknod, names.link, names.unlink
    rmdir, rename, lstat, stat = names.rmdir, names.rename, names.lstat, names.stat
    readlink, access = names.readlink, names.access
    # Attributes.
    chmod, chown, lchown, utime = attributes.chmod, attributes.chown, attributes.lchown, attributes.utime
    setxattr, removexattr, getxattr = attributes.setxattr, attributes.removexattr, attributes.getxattr
    listxattr = attributes.listxattr
    # Files, opened, closed and cut.
    open, close, truncate = open_files.open, open_files.close, open_files.truncate
    # Open files.
    lseek, read, pread, write = descriptors.lseek, descriptors.read, descriptors.pread, descriptors.write
    pwrite, ftruncate = descriptors.pwrite, descriptors.ftruncate
    posix_fallocate, fstat, fchmod = descriptors.posix_fallocate, descriptors.fstat, descriptors.fchmod
    fchown, linkfd, mmap = descriptors.fchown, descriptors.linkfd, descriptors.mmap
    mread, opendir, readdir = descriptors.mread, descriptors.opendir, descriptors.readdir
    rewinddir, listdir = descriptors.rewinddir, descriptors.listdir
    # Mounts.
    mount_disk, mount, fsmount, umount = mounts.mount_disk, mounts.mount, mounts.fsmount, mounts.umount
    remount, rotate, system = mounts.remount, mounts.rotate, mounts.run_command
