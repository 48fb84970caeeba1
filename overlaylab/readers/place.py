"""A folder, or a tar of one, read alike: names in, bytes out, never outside.

Paths are relative and clean. Symlinks are followed by `Place.resolve` alone, and
only inside the place.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import Finding, NotReadable
from ..limits import DEFAULT_LIMITS, Limits
from ..media import Compression, Inflated, sniff
from ..tarball import Member, TarReader, looks_like_tar
from ..tree import Device, Directory, Fifo, File, Inode, Symlink, clean, parent_of, parts_of
from .directory import read_directory

__all__ = ["Folder", "Place", "Section", "Tar", "open_place"]

HOPS = 40
Progress = Callable[[int], None]


class Place:
    """What folders and tars have in common.

    Args:
        where: What to call it in findings.
        prefix: The path inside it that counts as its root.
    """

    def __init__(self, where: str, limits: Limits) -> None:
        self.where, self.limits = where, limits

    def type_of(self, path: str) -> str | None:
        """``file``, ``dir``, ``symlink``, ``other``, or None; a symlink is not followed."""
        raise NotImplementedError

    def names(self, path: str) -> tuple[str, ...]:
        """What is in a directory, sorted; nothing if it is absent."""
        raise NotImplementedError

    def link_target(self, path: str) -> str:
        """The text of a symlink."""
        raise NotImplementedError

    def size(self, path: str) -> int:
        """Bytes of a file."""
        raise NotImplementedError

    def _open(self, path: str) -> BinaryIO:
        raise NotImplementedError

    def tree(self, path: str, keep: int = 0) -> Directory:
        """A directory with all that is in it, as a value."""
        raise NotImplementedError

    def resolve(self, name: str) -> str | None:
        """The path that a name leads to, symlinks followed inside this place; None if it is absent.

        Raises:
            Finding: ``path-escape``, ``symlink-loop``.
        """
        todo = parts_of(self._inside(name, name))
        done: list[str] = []
        hops = 0
        while todo:
            path = "/".join([*done, todo.pop(0)])
            kind = self.type_of(path)
            if kind is None:
                return None
            if kind != "symlink":
                done = path.split("/")
                continue
            hops += 1
            if hops > HOPS:
                raise Finding("symlink-loop", f"{self.where}: {name}", f"at most {HOPS} symlinks", "more")
            target = self.link_target(path)
            if target.startswith("/"):
                raise Finding("path-escape", f"{self.where}: {path}", "a link inside", target)
            todo = parts_of(self._inside("/".join([*done, target]), name)) + todo
            done = []
        return "/".join(done) or "."

    def _inside(self, path: str, name: str) -> str:
        """Work out ``..`` without ever leaving the root."""
        out: list[str] = []
        for part in path.split("/"):
            if part == "..":
                if not out:
                    raise Finding("path-escape", f"{self.where}: {name}", "a name inside", path)
                out.pop()
            elif part not in ("", "."):
                out.append(part)
        return "/".join(out) or "."

    def open(self, name: str) -> BinaryIO:
        """A file to read from, seekable.

        Raises:
            Finding: ``missing-member`` and those of `resolve`.
        """
        path = self.resolve(name)
        if path is None or self.type_of(path) != "file":
            raise Finding("missing-member", f"{self.where}: {name}", "a file", "nothing" if path is None else "no file")
        return self._open(path)

    def read(self, name: str) -> bytes:
        """A document's bytes, of bounded size.

        Raises:
            Finding: ``limit`` and those of `open`.
        """
        with self.open(name) as stream:
            data = stream.read(self.limits.document + 1)
        if len(data) > self.limits.document:
            raise Finding("limit", f"{self.where}: {name}", f"at most {self.limits.document} bytes", "more")
        return data

    def has(self, name: str) -> bool:
        """Whether a name leads to something inside."""
        return self.resolve(name) is not None

    def duplicates(self) -> frozenset[str]:
        """Files that are there twice: possible in a tar only."""
        return frozenset()


class Folder(Place):
    """A directory of this machine; only ever read."""

    def __init__(self, root: str, where: str, limits: Limits) -> None:
        super().__init__(where, limits)
        self.root = os.path.realpath(root)

    def _full(self, path: str) -> str:
        return os.path.join(self.root, *parts_of(path))

    def type_of(self, path: str) -> str | None:
        try:
            mode = os.lstat(self._full(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise self._denied(path) from None
        except (OSError, ValueError):
            # A name that the host cannot have, such as one longer than it allows, is not there.
            return None
        for kind, test in (("file", stat.S_ISREG), ("dir", stat.S_ISDIR), ("symlink", stat.S_ISLNK)):
            if test(mode):
                return kind
        return "other"

    def names(self, path: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._full(path))))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError:
            raise self._denied(path) from None

    def link_target(self, path: str) -> str:
        return os.readlink(self._full(path))

    def size(self, path: str) -> int:
        return os.lstat(self._full(path)).st_size

    def _open(self, path: str) -> BinaryIO:
        try:
            descriptor = os.open(self._full(path), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
            return os.fdopen(descriptor, "rb")
        except PermissionError:
            raise self._denied(path) from None
        except FileNotFoundError:
            raise Finding("changed-while-reading", f"{self.where}: {path}", "a file", "nothing") from None

    def _denied(self, path: str) -> NotReadable:
        advice = f"the right to read it: sudo overlaylab …, or sudo tar --xattrs -C {self.root} -czf root.tar.gz . and read that"
        return NotReadable("permission-denied", f"{self.where}: {path}", advice, "no permission")

    def tree(self, path: str, keep: int = 0) -> Directory:
        return read_directory(self._full(path), keep=keep, limits=self.limits)


class Section(io.RawIOBase):
    """A stretch of a file, as a file of its own."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._offset, self._size, self._position = stream, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._position, 2: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray) -> int:
        count = max(0, min(len(buffer), self._size - self._position))
        self._stream.seek(self._offset + self._position)
        data = self._stream.read(count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Tar(Place):
    """A tar, read where it lies: one pass over its headers makes the table, content is read on demand.

    Args:
        stream: A seekable file with the plain tar.
        size: Its bytes.
    """

    def __init__(self, stream: BinaryIO, size: int, where: str, limits: Limits) -> None:
        super().__init__(where, limits)
        self._stream, self._size = stream, size
        self._members: dict[str, Member] = {}
        self._children: dict[str, set[str]] = {".": set()}
        self._twice: set[str] = set()
        self._links: dict[str, int] = {}
        self.complete = False
        self._index()

    def _index(self) -> None:
        reader = TarReader(self._stream, self.where, self.limits, seek=True)
        self._stream.seek(0)
        for member in reader:
            if member.offset + member.size > self._size:
                where = f"{self.where}: {member.name}"
                raise NotReadable("truncated", where, f"{member.size} bytes", f"{self._size - member.offset} bytes and the end")
            path, _ = clean(member.name, self.where)
            if path in self._members and (member.type, self._members[path].type) != ("5", "5"):
                self._twice.add(path)
            self._members[path] = member
            self._enter(path, member.type == "5")
        self.complete = reader.complete
        for path in self._members:
            final = self._final(path)
            self._links[final] = self._links.get(final, 0) + 1

    def _enter(self, path: str, directory: bool) -> None:
        if directory:
            self._children.setdefault(path, set())
        while path != ".":
            path, name = parent_of(path)
            known = self._children.setdefault(path, set())
            if name in known:
                return
            known.add(name)

    def _final(self, path: str) -> str:
        """Where a hard link leads: a tar stores the content with the first name."""
        for _ in range(HOPS):
            member = self._members.get(path)
            if member is None or member.type != "1":
                return path
            path, _ = clean(member.link, f"{self.where}: {path}")
        raise Finding("symlink-loop", f"{self.where}: {path}", "a hard link to a file", "hard links in a circle")

    def type_of(self, path: str) -> str | None:
        if path == ".":
            return "dir"
        member = self._members.get(self._final(path))
        if member is None:
            return "dir" if path in self._children else None
        return {"5": "dir", "2": "symlink", "3": "other", "4": "other", "6": "other"}.get(member.type, "file")

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(self._children.get(path, ())))

    def link_target(self, path: str) -> str:
        return self._members[self._final(path)].link

    def size(self, path: str) -> int:
        return self._members[self._final(path)].size

    def _open(self, path: str) -> BinaryIO:
        member = self._members[self._final(path)]
        return Section(self._stream, member.offset, member.size)

    def duplicates(self) -> frozenset[str]:
        return frozenset(self._twice)

    def tree(self, path: str, keep: int = 0) -> Directory:
        self._inodes: dict[str, Inode] = {}
        return self._directory(path, [keep])

    def _directory(self, path: str, keep: list[int]) -> Directory:
        member = self._members.get(path)
        made = Directory() if member is None else Directory(**_attributes(member))
        for name in self.names(path):
            child = name if path == "." else f"{path}/{name}"
            made.names[name] = self._directory(child, keep) if self.type_of(child) == "dir" else self._inode(child, keep)
        return made

    def _inode(self, path: str, keep: list[int]) -> Inode:
        final = self._final(path)
        if final not in self._inodes:
            member = self._members.get(final)
            if member is None:
                raise Finding("dangling-hardlink", f"{self.where}: {path}", f"a member {final}", "nothing")
            self._inodes[final] = self._made(member, final, keep)
        return self._inodes[final]

    def _made(self, member: Member, path: str, keep: list[int]) -> Inode:
        attributes = _attributes(member) | {"nlink": self._links[path]}
        match member.type:
            case "2":
                return Symlink(**attributes | {"mode": 0o777}, target=member.link)
            case "3" | "4":
                return Device(**attributes | {"nlink": 1}, kind="char" if member.type == "3" else "block", rdev=member.rdev)
            case "6":
                return Fifo(**attributes)
        with self._open(path) as stream:
            return _file(stream, member.size, attributes, keep)


def _attributes(member: Member) -> dict:
    return {
        "mode": member.mode, "uid": member.uid, "gid": member.gid,
        "mtime_ns": member.mtime_ns, "xattrs": member.xattrs,
    }


def _file(stream: BinaryIO, size: int, attributes: dict, keep: list[int]) -> File:
    """Read a file once, for its digest; keep the content while the allowance lasts."""
    if size <= keep[0]:
        keep[0] -= size
        return File.of(stream.read(), **attributes)
    from ..digest import Hasher

    hasher = Hasher()
    while piece := stream.read(1 << 18):
        hasher.update(piece)
    return File(**attributes, size=size, sha256=hasher.digest().hex)


def open_place(path: str | Path, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> Place:
    """Open a folder, a tar, or a compressed tar.

    A compressed tar is unpacked once, as one stream, into a private temporary
    file that has no name and goes away by itself; its members are never written.

    Raises:
        NotReadable: ``not-found``, ``permission-denied``, ``empty``, ``not-an-image``, ``truncated``,
            ``bad-tar-header``, ``bad-compression``, ``limit``, ``absurd-size``.
    """
    path = os.fspath(path)
    where = os.path.basename(os.path.normpath(path)) or path
    try:
        if os.path.isdir(path):
            os.listdir(path)
            return Folder(path, where, limits)
        stream = _regular(path)
    except FileNotFoundError:
        raise NotReadable("not-found", path, "a file or folder", "nothing") from None
    except PermissionError:
        raise Folder(path, where, limits)._denied(".") from None
    except (OSError, ValueError) as error:
        raise NotReadable("not-found", path, "a file or folder", str(error)) from None
    try:
        return _open_tar(stream, where, limits, progress)
    except NotReadable:
        raise
    except Finding as finding:
        raise NotReadable.of([finding.problem]) from None


def _regular(path: str) -> BinaryIO:
    """Open a regular file; anything else (a pipe, a device) could block for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("this is neither a regular file nor a folder")
    return open(path, "rb")


def _open_tar(stream: BinaryIO, where: str, limits: Limits, progress: Progress | None) -> Tar:
    head = stream.read(512)
    stream.seek(0)
    if not head:
        raise NotReadable("empty", where, "an archive", "no bytes")
    if sniff(head) is not Compression.NONE:
        stream = _spool(stream, where, limits, progress)
        head = stream.read(512)
        if not head:
            raise NotReadable("empty", where, "an archive", "compressed data of no bytes")
    if not looks_like_tar(head) and head.strip(b"\0"):
        raise NotReadable("not-an-image", where, "an archive, a layout or a store", _describe(head))
    size = stream.seek(0, 2)
    return Tar(stream, size, where, limits)


def _spool(stream: BinaryIO, where: str, limits: Limits, progress: Progress | None) -> BinaryIO:
    spool = tempfile.SpooledTemporaryFile(max_size=32 << 20)
    plain = Inflated(stream, where, limits)
    while piece := plain.read(1 << 18):
        spool.write(piece)
        if progress:
            progress(len(piece))
    stream.close()
    spool.seek(0)
    return spool


def _describe(head: bytes) -> str:
    """What a file seems to be, by its first bytes."""
    for magic, name in ((b"PK", "a zip file"), (b"\xfd7zXZ", "xz data"), (b"BZh", "bzip2 data"), (b"{", "JSON"), (b"\x7fELF", "a program")):
        if head.startswith(magic):
            return name
    return "something else"




class Inside(Place):
    """A folder of a place, as a place of its own: nothing above it can be reached."""

    def __init__(self, place: Place, prefix: str) -> None:
        super().__init__(f"{place.where}: {prefix}", place.limits)
        self._place, self._prefix = place, prefix

    def _at(self, path: str) -> str:
        return self._prefix if path == "." else f"{self._prefix}/{path}"

    def type_of(self, path: str) -> str | None:
        return self._place.type_of(self._at(path))

    def names(self, path: str) -> tuple[str, ...]:
        return self._place.names(self._at(path))

    def link_target(self, path: str) -> str:
        return self._place.link_target(self._at(path))

    def size(self, path: str) -> int:
        return self._place.size(self._at(path))

    def _open(self, path: str) -> BinaryIO:
        return self._place._open(self._at(path))

    def tree(self, path: str, keep: int = 0) -> Directory:
        return self._place.tree(self._at(path), keep)

    def duplicates(self) -> frozenset[str]:
        start = self._prefix + "/"
        return frozenset(path[len(start) :] for path in self._place.duplicates() if path.startswith(start))
