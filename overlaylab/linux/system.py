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
    chdir = path_walk.chdir
    umask = process.umask
    seteuid = process.seteuid
    setegid = process.setegid
    acting = process.acting
    # Names.
    mkdir = names.mkdir
    symlink = names.symlink
    mknod = names.mknod
    link = names.link
    unlink = names.unlink
    rmdir = names.rmdir
    rename = names.rename
    lstat = names.lstat
    stat = names.stat
    readlink = names.readlink
    access = names.access
    # Attributes.
    chmod = attributes.chmod
    chown = attributes.chown
    lchown = attributes.lchown
    utime = attributes.utime
    setxattr = attributes.setxattr
    removexattr = attributes.removexattr
    getxattr = attributes.getxattr
    listxattr = attributes.listxattr
    # Files, opened, closed and cut.
    open = open_files.open
    close = open_files.close
    truncate = open_files.truncate
    # Open files.
    lseek = descriptors.lseek
    read = descriptors.read
    pread = descriptors.pread
    write = descriptors.write
    pwrite = descriptors.pwrite
    ftruncate = descriptors.ftruncate
    posix_fallocate = descriptors.posix_fallocate
    fstat = descriptors.fstat
    fchmod = descriptors.fchmod
    fchown = descriptors.fchown
    linkfd = descriptors.linkfd
    mmap = descriptors.mmap
    mread = descriptors.mread
    opendir = descriptors.opendir
    readdir = descriptors.readdir
    rewinddir = descriptors.rewinddir
    listdir = descriptors.listdir
    # Mounts.
    mount_disk = mounts.mount_disk
    mount = mounts.mount
    fsmount = mounts.fsmount
    umount = mounts.umount
    remount = mounts.remount
    rotate = mounts.rotate
    system = mounts.run_command
