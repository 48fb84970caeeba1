"""A directory of this machine as a `tree.Directory`: what lstat, readdir and listxattr say, and digests of the files.

Nothing is changed and no symlink is followed. Only regular files are opened, so that no FIFO blocks and no device is
touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from overlaylab.errors import Finding
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink

PIECE = 1 << 20
TRIES = 3

# O_BINARY exists on Windows only, the others everywhere else.
HOW_TO_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_directory(path: str | os.PathLike[str], keep: int = 0, limits: Limits = DEFAULT_LIMITS) -> Directory:
    """Read everything below a directory.

    A hard link within it is one inode with two names. A name that readdir lists and lstat does not find, such as a
    stray whiteout in an overlay, is left out.

    Args:
        path: The directory, or a symlink to it.
        keep: Keep the content of files as long as all of them together have at most this many bytes.
        limits: Bounds on entries and on the length of a path.

    Raises:
        Finding: ``not-found``; ``wrong-call`` if `path` is no directory; ``permission-denied`` with the entry that
            may not be read; ``limit`` for more entries or longer paths than allowed.

    Spec:
        Kernel: names that readdir lists and lstat does not find (overlay vectors wo-06, rm-14).
    """
    root = os.fsencode(path)
    missed: set[bytes] | None = None
    for _ in range(TRIES):
        reading = _Reading(root, keep, limits)
        top = reading.tree(_info(root))
        # A name that two readings miss is a stray one. One that only this reading misses was removed meanwhile, perhaps
        # with its whole directory.
        if not reading.missed or reading.missed == missed:
            break
        missed = reading.missed
    return top


def _info(root: bytes) -> os.stat_result:
    """Stat the directory itself."""
    try:
        info = os.stat(root)
    except FileNotFoundError:
        raise Finding("not-found", _text(root), "a directory", "nothing") from None
    except PermissionError as refusal:
        raise Finding("permission-denied", _text(root), "a directory", refusal.strerror or "") from None
    if not stat.S_ISDIR(info.st_mode):
        raise Finding("wrong-call", _text(root), "a directory", stat.filemode(info.st_mode))
    return info


class _Reading:
    """One walk through a directory."""

    def __init__(self, root: bytes, keep: int, limits: Limits) -> None:
        self._root, self._keep, self._limits = root, keep, limits
        self._entries = 0
        self.missed: set[bytes] = set()
        self._linked: dict[tuple[int, int], Inode] = {}

    def tree(self, info: os.stat_result) -> Directory:
        top = Directory(**_attributes(self._root, info, follow=True))
        waiting = [(self._root, top)]
        while waiting:
            folder, directory = waiting.pop()
            for name in self._names(folder):
                path = os.path.join(folder, name)
                inode = self._guarded(path)
                if inode is not None:
                    directory.names[_text(name)] = inode
                if isinstance(inode, Directory):
                    waiting.append((path, inode))
        return top

    def _names(self, directory: bytes) -> Iterator[bytes]:
        try:
            names = sorted(os.listdir(directory))
        except PermissionError as refusal:
            raise self._denied(directory, refusal) from None
        except (FileNotFoundError, NotADirectoryError):
            raise Finding("changed-while-reading", self._inner(directory), "a directory", "nothing") from None
        self._entries += len(names)
        if self._entries > self._limits.entries:
            raise Finding("limit", self._inner(directory), f"at most {self._limits.entries} entries", self._entries)
        yield from names

    def _guarded(self, path: bytes) -> Inode | None:
        """Read one entry; None if it does not exist, or no longer."""
        if len(path) > self._limits.path:
            raise Finding("limit", self._inner(path), f"a path of at most {self._limits.path} bytes", len(path))
        try:
            return self._inode(path)
        except FileNotFoundError:
            self.missed.add(path)
            return None
        except PermissionError as refusal:
            raise self._denied(path, refusal) from None
        except OSError as refusal:
            if refusal.errno != errno.ENAMETOOLONG:
                raise
            raise Finding(
                "limit", self._inner(path)[:200], "a path that one system call can name", f"{len(path)} bytes"
            ) from None

    def _inode(self, path: bytes) -> Inode:
        info = os.lstat(path)
        key = (info.st_dev, info.st_ino)
        if key in self._linked:
            return self._linked[key]
        inode = self._made(path, info)
        if info.st_nlink > 1 and not isinstance(inode, Directory):
            self._linked[key] = inode
        return inode

    def _made(self, path: bytes, info: os.stat_result) -> Inode:
        attributes = _attributes(path, info)
        if stat.S_ISLNK(info.st_mode) or _is_junction(info):
            return Symlink(**attributes, target=_text(os.readlink(path)))
        if stat.S_ISDIR(info.st_mode):
            return Directory(**attributes)
        if stat.S_ISREG(info.st_mode):
            return File(**attributes, **self._content(path, info))
        if stat.S_ISFIFO(info.st_mode):
            return Fifo(**attributes)
        if stat.S_ISSOCK(info.st_mode):
            return Socket(**attributes)
        kind = "char" if stat.S_ISCHR(info.st_mode) else "block"
        return Device(**attributes, kind=kind, rdev=(os.major(info.st_rdev), os.minor(info.st_rdev)))

    def _content(self, path: bytes, info: os.stat_result) -> dict[str, Any]:
        """The size and the digest, and the bytes if they are to be kept."""
        hasher, size, pieces = hashlib.sha256(), 0, []
        with open(os.open(path, HOW_TO_OPEN), "rb") as file:
            while piece := file.read(PIECE):
                hasher.update(piece)
                size += len(piece)
                if max(size, info.st_size) <= self._keep:
                    pieces.append(piece)
        # The file may have grown or shrunk since lstat: the size that was read decides.
        data = b"".join(pieces) if size == sum(map(len, pieces)) <= self._keep else None
        if data is not None:
            self._keep -= size
        return {"size": size, "sha256": hasher.hexdigest(), "data": data}

    def _inner(self, path: bytes) -> str:
        return _text(os.path.relpath(path, self._root))

    def _denied(self, path: bytes, refusal: OSError) -> Finding:
        return Finding("permission-denied", self._inner(path), "an entry that you may read", refusal.strerror or "")


def _attributes(path: bytes, info: os.stat_result, follow: bool = False) -> dict[str, Any]:
    return {
        "mode": stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime_ns": info.st_mtime_ns,
        "nlink": info.st_nlink,
        "xattrs": _xattrs(path, follow),
    }


def _xattrs(path: bytes, follow: bool) -> dict[str, bytes]:
    """The extended attributes, where the system and the file system support them."""
    if not hasattr(os, "listxattr"):
        return {}
    found = {}
    try:
        for name in sorted(os.listxattr(path, follow_symlinks=follow)):
            found[name] = os.getxattr(path, name, follow_symlinks=follow)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError:
        # ENOTSUP: the file system has no attributes. ENODATA: one was removed between the two calls.
        pass
    return found


def _is_junction(info: os.stat_result) -> bool:
    """Whether this is a junction, a directory link of Windows that lstat shows as a directory."""
    return getattr(info, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
