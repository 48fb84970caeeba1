"""The surface of `System` on the real kernel: the same names, carried out by this process.

For a child process of root that has unshared its mount namespace. Nothing here knows
what an operation means; it only says which system call has its name.
"""

import ctypes
import errno
import mmap
import os
import stat
import struct

from overlaylab.linux.descriptors import Shorthand
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_PRIVATE_ALL, MS_RDONLY, MNT_DETACH = 0x20000, 0x44000, 1, 2
MOUNT_SETATTR, MOUNT_ATTR_RDONLY, AT_RECURSIVE = 442, 1, 0x8000
AT_FDCWD, AT_SYMLINK_FOLLOW, AT_EACCESS = -100, 0x400, 0x200


def call(name, *arguments):
    """A call of libc, its error as OSError."""
    result = getattr(LIBC, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def encoded(path):
    return os.fsencode(path)


def mount(source, target, kind, flags, data):
    """mount(2)."""
    call("mount", encoded(source), encoded(target), encoded(kind), flags, encoded(data))


def umount(target):
    """umount2(2)."""
    call("umount2", encoded(target), 0)


def make_read_only(target, but=""):
    """mount_setattr(2) on a mount and all below it, except for one of them."""
    for path, flags, added, taken in ((target, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0), (but, 0, 0, MOUNT_ATTR_RDONLY)):
        attributes = struct.pack("QQQQ", added, taken, 0, 0)
        if path:
            call("syscall", MOUNT_SETATTR, AT_FDCWD, encoded(path), flags, attributes, ctypes.c_size_t(len(attributes)))


class Live(Shorthand):
    """The calls that an operation may name."""

    def __init__(self):
        self.files, self.maps = {}, {}

    def open(self, path, flags, mode=0o777, *, fd=None):
        number = os.open(path, flags, mode)
        if fd in self.files:
            os.close(self.files[fd])
        self.files[number if fd is None else fd] = number
        return number if fd is None else fd

    def _fd(self, fd):
        if fd not in self.files:
            raise OSError(errno.EBADF, "no such descriptor")
        return self.files[fd]

    def close(self, fd):
        os.close(self._fd(fd))
        del self.files[fd]

    def close_all(self):
        for number in self.files.values():
            os.close(number)
        for data in self.maps.values():
            data.close()
        self.files, self.maps = {}, {}

    def read(self, fd, count):
        return os.read(self._fd(fd), min(count, 1 << 20))

    def pread(self, fd, count, offset):
        return os.pread(self._fd(fd), min(count, 1 << 20), offset)

    def write(self, fd, data):
        return os.write(self._fd(fd), data)

    def pwrite(self, fd, data, offset):
        return os.pwrite(self._fd(fd), data, offset)

    def lseek(self, fd, position, whence=0):
        return os.lseek(self._fd(fd), position, whence)

    def fstat(self, fd):
        return os.fstat(self._fd(fd))

    def ftruncate(self, fd, length):
        os.ftruncate(self._fd(fd), length)

    def posix_fallocate(self, fd, offset, length):
        os.posix_fallocate(self._fd(fd), offset, length)

    def fchmod(self, fd, mode):
        os.fchmod(self._fd(fd), mode)

    def fchown(self, fd, uid, gid):
        os.fchown(self._fd(fd), uid, gid)

    def linkfd(self, fd, dst):
        call("linkat", AT_FDCWD, f"/proc/self/fd/{self._fd(fd)}".encode(), AT_FDCWD, encoded(dst), AT_SYMLINK_FOLLOW)

    def mmap(self, fd, *, map):
        self.maps[map] = mmap.mmap(self._fd(fd), 0, mmap.MAP_SHARED, mmap.PROT_READ)

    def mread(self, map):
        if map not in self.maps:
            raise OSError(errno.EBADF, "no such map")
        return self.maps[map][:]

    def opendir(self, path, *, fd=None):
        return self.open(path, os.O_RDONLY | os.O_DIRECTORY, fd=fd)

    def readdir(self, fd):
        buffer, names = ctypes.create_string_buffer(1 << 15), []
        while (size := call("getdents64", self._fd(fd), buffer, ctypes.c_size_t(1 << 15))) > 0:
            place = 0
            while place < size:
                length = struct.unpack_from("H", buffer.raw, place + 16)[0]
                names.append(buffer.raw[place + 19 : place + length].split(b"\0")[0])
                place += length
        return sorted(os.fsdecode(name) for name in names if name not in (b".", b".."))

    def rewinddir(self, fd):
        os.lseek(self._fd(fd), 0, 0)

    def listdir(self, path="."):
        fd = self.opendir(path)
        try:
            return self.readdir(fd)
        finally:
            self.close(fd)

    def rename(self, src, dst, flags=0):
        call("renameat2", AT_FDCWD, encoded(src), AT_FDCWD, encoded(dst), flags)

    def link(self, src, dst, *, follow_symlinks=False):
        call("linkat", AT_FDCWD, encoded(src), AT_FDCWD, encoded(dst), AT_SYMLINK_FOLLOW if follow_symlinks else 0)

    def symlink(self, target, path):
        os.symlink(target, path)

    def umask(self, mask):
        return os.umask(mask)

    def access(self, path, mode):
        call("faccessat", AT_FDCWD, encoded(path), mode, AT_EACCESS)

    def listxattr(self, path, *, follow_symlinks=False):
        return sorted(os.listxattr(path, follow_symlinks=follow_symlinks))

    def setxattr(self, path, name, value, flags=0, *, follow_symlinks=False):
        os.setxattr(path, name, value, flags, follow_symlinks=follow_symlinks)

    def getxattr(self, path, name, *, follow_symlinks=False):
        return os.getxattr(path, name, follow_symlinks=follow_symlinks)

    def removexattr(self, path, name, *, follow_symlinks=False):
        os.removexattr(path, name, follow_symlinks=follow_symlinks)


for plain in (
    "mkdir",
    "rmdir",
    "unlink",
    "readlink",
    "lstat",
    "stat",
    "chmod",
    "chown",
    "lchown",
    "utime",
    "truncate",
    "mknod",
):
    setattr(Live, plain, staticmethod(getattr(os, plain)))


def build(folder, root):
    """Write a tree to disk: attributes last, times at the very end."""
    links, directories = {}, []

    def put(path, node):
        if not isinstance(node, Directory) and id(node) in links:
            os.link(links[id(node)], path, follow_symlinks=False)
            return
        links[id(node)] = path
        match node:
            case Directory():
                os.makedirs(path, exist_ok=True)
                for name, child in node.names.items():
                    put(os.path.join(path, name), child)
                directories.append((path, node))
            case File():
                with open(path, "wb") as out:
                    out.write(node.data)
            case Symlink():
                os.symlink(node.target, path)
            case Device():
                os.mknod(path, 0o600 | (stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK), os.makedev(*node.rdev))
            case Fifo():
                os.mkfifo(path)
            case Socket():
                os.mknod(path, 0o600 | stat.S_IFSOCK)
        if not isinstance(node, Directory):
            dress(path, node)

    def dress(path, node):
        os.chown(path, node.uid, node.gid, follow_symlinks=False)
        if not isinstance(node, Symlink):
            os.chmod(path, node.mode)
        for name, value in node.xattrs.items():
            os.setxattr(path, name, value, follow_symlinks=False)
        os.utime(path, ns=(node.mtime_ns, node.mtime_ns), follow_symlinks=False)

    put(folder, root)
    for path, node in directories:
        dress(path, node)


def taken(folder):
    """Read a directory of the disk as a tree, with all its marks."""
    known = {}

    def take(path):
        info = os.lstat(path)
        if not stat.S_ISDIR(info.st_mode) and info.st_ino in known:
            return known[info.st_ino]
        common = {
            "mode": stat.S_IMODE(info.st_mode),
            "uid": info.st_uid,
            "gid": info.st_gid,
            "mtime_ns": info.st_mtime_ns,
            "nlink": info.st_nlink,
        }
        common["xattrs"] = {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
        known[info.st_ino] = node = made(path, info, common)
        return node

    def made(path, info, common):
        kind = stat.S_IFMT(info.st_mode)
        if kind == stat.S_IFDIR:
            return Directory(**common, names={name: take(os.path.join(path, name)) for name in os.listdir(path)})
        if kind == stat.S_IFLNK:
            return Symlink(**common, target=os.readlink(path))
        if kind == stat.S_IFREG:
            with open(path, "rb") as data:
                return File.of(data.read(), **common)
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            return Device(
                **common,
                kind="char" if kind == stat.S_IFCHR else "block",
                rdev=(os.major(info.st_rdev), os.minor(info.st_rdev)),
            )
        return Fifo(**common) if kind == stat.S_IFIFO else Socket(**common)

    return take(folder)
