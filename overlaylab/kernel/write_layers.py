"""Layers written to disk, so that the kernel can mount them."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Callable

from overlaylab.errors import Finding
from overlaylab.overlay.whiteouts import TRUSTED, USER, is_whiteout
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink, walk
from overlaylab.words import say


class _LeftOut:
    """What could not be written, by kind."""

    def __init__(self) -> None:
        self.paths: dict[str, dict[str, None]] = {}

    def note(self, kind: str, path: str) -> None:
        self.paths.setdefault(kind, {})[path] = None

    def attempt(self, kind: str, path: str, call: Callable[..., None], *arguments: object, **options: object) -> None:
        """Make a call, and note it if it is refused; a bad name or a full disk is an error, no refusal."""
        try:
            call(*arguments, **options)
        except (PermissionError, OverflowError):
            self.note(kind, path)
        except OSError as error:
            # The file system has no such xattrs, or the user namespace does not map the owner.
            if error.errno not in (errno.ENOTSUP, errno.EINVAL):
                raise
            self.note(kind, path)

    def sentences(self) -> tuple[str, ...]:
        return tuple(
            say(f"left_out.{kind}", count=len(paths), first=next(iter(paths))) for kind, paths in self.paths.items()
        )


def fit(tree: Directory) -> tuple[Directory, tuple[str, ...]]:
    """Reduce a layer to what an unprivileged user can write to disk.

    The overlay's xattrs become ``user.overlay.*``, and everything belongs to the user (0 in the user namespace). Device
    nodes other than whiteouts, and xattrs of other kinds, are left out. Hard links stay one inode.

    Args:
        tree: A layer as root can have it. It is not changed.

    Returns:
        The reduced layer, and what was left out, in words.

    Spec:
        Kernel: overlay vectors ux-01 to ux-04, ux-09, ux-14; user.* exist on files and directories only (xattr(7)).
    """
    left_out = _LeftOut()
    inodes: dict[int, Inode] = {}
    directories: dict[str, Directory] = {}
    for path, inode in walk(tree):
        if isinstance(inode, Device) and not is_whiteout(inode):
            left_out.note("device", path)
            continue
        if id(inode) not in inodes:
            inodes[id(inode)] = _reduced(path, inode, left_out)
        reduced = inodes[id(inode)]
        if isinstance(reduced, Directory):
            reduced.names = {}
            directories[path] = reduced
        if path != ".":
            parent, _, name = path.rpartition("/")
            directories[parent or "."].names[name] = reduced
    return directories["."], left_out.sentences()


def _reduced(path: str, inode: Inode, left_out: _LeftOut) -> Inode:
    if (inode.uid, inode.gid) != (0, 0):
        left_out.note("owner", path)
    xattrs = {}
    carries = isinstance(inode, (File, Directory))
    for name, value in inode.xattrs.items():
        if name.startswith(TRUSTED) and carries:
            xattrs[USER + name[len(TRUSTED) :]] = value
        elif name.startswith(TRUSTED):
            left_out.note("mark", path)
        # Kernel: with userxattr, user.overlay.* would take effect (ux-01); in the layer they had none.
        elif carries and name.startswith("user.") and not name.startswith(USER):
            xattrs[name] = value
        else:
            left_out.note("attribute", path)
    return dataclasses.replace(inode, uid=0, gid=0, xattrs=xattrs)


def materialise(tree: Directory, target: str) -> tuple[str, ...]:
    """Write a tree of small files to disk.

    Args:
        tree: All its files must carry their content.
        target: An empty directory.

    Returns:
        What was refused, and so left out, in words; empty for root.

    Raises:
        Finding: ``limit`` for a file without content or a name that is too long; ``path-escape`` for a name that would
            lead elsewhere; ``wrong-call`` if `target` is not an empty directory.
        OSError: For example, the disk is full.
    """
    if os.path.islink(target) or not os.path.isdir(target) or os.listdir(target):
        raise Finding("wrong-call", target, "an empty directory", "something else")
    left_out = _LeftOut()
    written: dict[int, bytes] = {}
    directories = []
    root = os.fsencode(target)
    for path, inode in walk(tree):
        there = root if path == "." else os.path.join(root, path.encode("utf-8", "surrogateescape"))
        if isinstance(inode, Directory):
            _check_names(path, inode)
            directories.append((path, there, inode))
            if path != ".":
                _made(os.mkdir, path, there, 0o700)
        elif id(inode) in written:
            os.link(written[id(inode)], there, follow_symlinks=False)
        elif _put(path, there, inode, left_out):
            written[id(inode)] = there
    # Writing into a directory changes its mtime, and its mode may forbid it: so directories come last, children first.
    for path, there, directory in reversed(directories):
        _dress(path, there, directory, left_out)
    return left_out.sentences()


def _check_names(path: str, directory: Directory) -> None:
    """Refuse names that would lead out of the directory, before anything is created."""
    for name in directory.names:
        if name in ("", ".", "..") or "/" in name or "\0" in name or os.sep in name:
            raise Finding("path-escape", path, "a plain name", name)


def _put(path: str, there: bytes, inode: Inode, left_out: _LeftOut) -> bool:
    """Create an inode other than a directory; returns whether it exists afterwards."""
    match inode:
        case File():
            _made(_write, path, there, _data(path, inode))
        case Symlink():
            _made(os.symlink, path, inode.target.encode("utf-8", "surrogateescape"), there)
        case Fifo():
            _made(os.mkfifo, path, there, 0o600)
        case Socket():
            _made(os.mknod, path, there, stat.S_IFSOCK | 0o600)
        case Device():
            kind = stat.S_IFCHR if inode.kind == "char" else stat.S_IFBLK
            left_out.attempt("device", path, _made, os.mknod, path, there, kind | 0o600, os.makedev(*inode.rdev))
    if not os.path.lexists(there):
        return False
    _dress(path, there, inode, left_out)
    return True


def _data(path: str, file: File) -> bytes:
    if file.data is None:
        raise Finding("limit", path, "a small file whose content is in memory", f"{file.size} bytes that were not kept")
    return file.data


def _write(there: bytes, data: bytes) -> None:
    with open(there, "xb") as file:
        file.write(data)


def _made(call: Callable[..., None], path: str, *arguments: object) -> None:
    """Create a name by a call; a name that is too long is a Finding."""
    try:
        call(*arguments)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        most = "a name of at most 255 bytes in a path of at most 4095"
        raise Finding("limit", path, most, "a longer one") from None


def _dress(path: str, there: bytes, inode: Inode, left_out: _LeftOut) -> None:
    """Set owner, xattrs, mode and mtime, in the one order in which none of them undoes another.

    Spec:
        chown(2) clears setuid and drops security.capability; none of these calls but utimensat(2) changes the mtime.
    """
    info = os.lstat(there)
    if (info.st_uid, info.st_gid) != (inode.uid, inode.gid):
        left_out.attempt("owner", path, os.chown, there, inode.uid, inode.gid, follow_symlinks=False)
    for name, value in inode.xattrs.items():
        kind = "mark" if name.startswith((TRUSTED, USER)) else "attribute"
        left_out.attempt(kind, path, os.setxattr, there, name, value, follow_symlinks=False)
    if not isinstance(inode, Symlink):
        os.chmod(there, inode.mode)
    left_out.attempt("time", path, os.utime, there, ns=(inode.mtime_ns, inode.mtime_ns), follow_symlinks=False)
