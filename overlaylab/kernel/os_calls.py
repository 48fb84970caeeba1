"""The methods of `System` as real system calls of this process.

For the child process only, whose root directory is the mount.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
from typing import Any

from overlaylab.linux.descriptors import Shorthand

AT_FDCWD, AT_SYMLINK_FOLLOW, AT_EACCESS = -100, 0x400, 0x200

# Bytes that one read may return.
MOST = 1 << 20


class OsCalls(Shorthand):
    """System calls of this process; operations name their descriptors and memory maps themselves."""

    def __init__(self) -> None:
        self.files: dict[Any, int] = {}
        self.maps: dict[Any, mmap.mmap] = {}

    def _fd(self, fd: Any) -> int:
        if fd not in self.files:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.files[fd]

    def open(self, path: str, flags: int, mode: int = 0o777, *, fd: Any = None) -> Any:
        """open(2), but never a device of this machine."""
        _refuse_drivers(path, flags)
        number = os.open(path, flags | os.O_CLOEXEC, mode)
        if fd in self.files:
            os.close(self.files[fd])
        self.files[number if fd is None else fd] = number
        return number if fd is None else fd

    def close(self, fd: Any) -> None:
        """close(2)."""
        os.close(self._fd(fd))
        del self.files[fd]

    def close_all(self) -> None:
        """Close all descriptors and memory maps, so that the mount can be unmounted."""
        for data in self.maps.values():
            data.close()
        for number in self.files.values():
            os.close(number)
        self.files, self.maps = {}, {}

    def read(self, fd: Any, count: int) -> bytes:
        """read(2)."""
        return os.read(self._fd(fd), min(count, MOST))

    def pread(self, fd: Any, count: int, offset: int) -> bytes:
        """pread(2)."""
        return os.pread(self._fd(fd), min(count, MOST), offset)

    def write(self, fd: Any, data: bytes) -> int:
        """write(2)."""
        return os.write(self._fd(fd), data)

    def fstat(self, fd: Any) -> os.stat_result:
        """fstat(2)."""
        return os.fstat(self._fd(fd))

    def mmap(self, fd: Any, *, map: Any) -> None:
        """mmap(2), shared and read-only."""
        self.maps[map] = mmap.mmap(self._fd(fd), 0, mmap.MAP_SHARED, mmap.PROT_READ)

    def mread(self, map: Any) -> bytes:
        """The bytes of a memory map."""
        if map not in self.maps:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.maps[map][:]

    def listdir(self, path: str = ".") -> list[str]:
        """The names in a directory, sorted."""
        return sorted(os.listdir(path))

    def rename(self, src: str, dst: str, flags: int = 0) -> None:
        """renameat2(2)."""
        _libc("renameat2", AT_FDCWD, os.fsencode(src), AT_FDCWD, os.fsencode(dst), flags)

    def link(self, src: str, dst: str, *, follow_symlinks: bool = False) -> None:
        """linkat(2)."""
        flags = AT_SYMLINK_FOLLOW if follow_symlinks else 0
        _libc("linkat", AT_FDCWD, os.fsencode(src), AT_FDCWD, os.fsencode(dst), flags)

    def symlink(self, target: str, path: str) -> None:
        """symlink(2)."""
        os.symlink(target, path)

    def access(self, path: str, mode: int) -> None:
        """faccessat(2) with effective ids."""
        _libc("faccessat", AT_FDCWD, os.fsencode(path), mode, AT_EACCESS)

    def listxattr(self, path: str, *, follow_symlinks: bool = False) -> list[str]:
        """listxattr(2), sorted."""
        return sorted(os.listxattr(path, follow_symlinks=follow_symlinks))

    def getxattr(self, path: str, name: str, *, follow_symlinks: bool = False) -> bytes:
        """getxattr(2)."""
        return os.getxattr(path, name, follow_symlinks=follow_symlinks)

    def setxattr(self, path: str, name: str, value: bytes, flags: int = 0, *, follow_symlinks: bool = False) -> None:
        """setxattr(2)."""
        os.setxattr(path, name, value, flags, follow_symlinks=follow_symlinks)

    def removexattr(self, path: str, name: str, *, follow_symlinks: bool = False) -> None:
        """removexattr(2)."""
        os.removexattr(path, name, follow_symlinks=follow_symlinks)


for _plain in ("mkdir", "rmdir", "unlink", "readlink", "lstat", "stat", "chmod", "chown", "utime", "truncate", "mknod"):
    if hasattr(os, _plain):
        setattr(OsCalls, _plain, staticmethod(getattr(os, _plain)))


def _refuse_drivers(path: str, flags: int) -> None:
    """Refuse to open a device node: it would reach this machine's disks and memory. Only /dev/null is harmless.

    Choice: ENXIO, which the kernel returns where there is no driver, and which the model returns for devices.
    """
    if flags & os.O_DIRECTORY or flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL:
        # These never open a device.
        return
    try:
        found = os.stat(path, follow_symlinks=not flags & os.O_NOFOLLOW)
    except OSError:
        # open(2) fails in the same way, or creates a file.
        return
    null = stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)
    if (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)) and not null:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))


def _libc(name: str, *arguments: Any) -> None:
    """Make a system call that Python does not offer."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
