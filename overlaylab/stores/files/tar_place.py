"""A tar as a place: one pass over its headers indexes the members, and their content is read on demand."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from overlaylab.errors import Finding, NotReadable
from overlaylab.image.digest import Hasher
from overlaylab.image.tar_reader import Member, TarReader
from overlaylab.limits import Limits
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Symlink, clean, parent_of

from .place import HOPS, Place
from .section import Section, Shared


class Tar(Place):
    """A tar of a store's files, uncompressed.

    Args:
        stream: A seekable file.
        size: Its bytes.
        where: What findings call it.
        limits: Bounds on what is read.
    """

    def __init__(self, stream: BinaryIO, size: int, where: str, limits: Limits) -> None:
        self.where, self.limits = where, limits
        self._file, self._size = Shared(stream), size
        self._members: dict[str, Member] = {}
        self._children: dict[str, set[str]] = {".": set()}
        self._twice: set[str] = set()
        self._links: dict[str, int] = {}
        self.complete = False
        self._index()

    def _index(self) -> None:
        reader = TarReader(Section(self._file, 0, self._size), self.where, self.limits, whole=True)
        for member in reader:
            if member.offset + member.size > self._size:
                where = f"{self.where}: {member.name}"
                raise NotReadable(
                    "truncated", where, f"{member.size} bytes", f"{self._size - member.offset} bytes and the end"
                )
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
        """The first name of a hard link, with which a tar stores the content."""
        for _ in range(HOPS):
            member = self._members.get(path)
            if member is None or member.type != "1":
                return path
            path, _ = clean(member.link, f"{self.where}: {path}")
        raise Finding("symlink-loop", f"{self.where}: {path}", "a hard link to a file", "hard links in a circle")

    def type_of(self, path: str) -> str | None:
        """See `Place`."""
        if path == ".":
            return "dir"
        member = self._members.get(self._final(path))
        if member is None:
            return "dir" if path in self._children else None
        return {"5": "dir", "2": "symlink", "3": "other", "4": "other", "6": "other"}.get(member.type, "file")

    def names(self, path: str) -> tuple[str, ...]:
        """See `Place`."""
        return tuple(sorted(self._children.get(path, ())))

    def link_target(self, path: str) -> str:
        """See `Place`."""
        return self._members[self._final(path)].link

    def size(self, path: str) -> int:
        """See `Place`."""
        return self._members[self._final(path)].size

    def open_plain(self, path: str) -> BinaryIO:
        """See `Place`."""
        member = self._members[self._final(path)]
        if member.type == "S":
            raise Finding(
                "bad-tar-header", f"{self.where}: {path}", "a plain member", "a sparse file: pack without --sparse"
            )
        return cast("BinaryIO", Section(self._file, member.offset, member.size))

    def owner(self, path: str) -> int:
        """See `Place`."""
        member = self._members.get(path)
        return member.uid if member else 0

    def content_bytes(self, path: str) -> int:
        """See `Place`."""
        finals: dict[str, int] = {}
        waiting = [path]
        while waiting:
            here = waiting.pop()
            if self.type_of(here) == "dir":
                waiting += [name if here == "." else f"{here}/{name}" for name in self.names(here)]
            elif self.type_of(here) == "file":
                finals[self._final(here)] = self.size(here)
        return sum(finals.values())

    def duplicates(self) -> frozenset[str]:
        """See `Place`."""
        return frozenset(self._twice)

    def tree(self, path: str, keep: int = 0) -> Directory:
        """See `Place`."""
        if self.type_of(path) != "dir":
            raise Finding("not-found", f"{self.where}: {path}", "a directory", self.type_of(path) or "nothing")
        self._inodes: dict[str, Inode] = {}
        allowance = [keep]
        top = self._directory(path)
        waiting = [(path, top)]
        while waiting:
            path, directory = waiting.pop()
            for name in self.names(path):
                child = name if path == "." else f"{path}/{name}"
                if self.type_of(child) != "dir":
                    directory.names[name] = self._inode(child, allowance)
                    continue
                made = directory.names[name] = self._directory(child)
                waiting.append((child, made))
        return top

    def _directory(self, path: str) -> Directory:
        """A directory, still empty; one that has no member of its own gets the usual attributes."""
        member = self._members.get(path)
        return Directory() if member is None else Directory(**_attributes(member))

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
                return Device(
                    **attributes | {"nlink": 1}, kind="char" if member.type == "3" else "block", rdev=member.rdev
                )
            case "6":
                return Fifo(**attributes)
        with self.open_plain(path) as stream:
            return _file(stream, member.size, attributes, keep)


def _attributes(member: Member) -> dict[str, Any]:
    return {
        "mode": member.mode,
        "uid": member.uid,
        "gid": member.gid,
        "mtime_ns": member.mtime_ns,
        "xattrs": member.xattrs,
    }


def _file(stream: BinaryIO, size: int, attributes: dict[str, Any], keep: list[int]) -> File:
    """Read a file once, for its digest; keep its content while `keep` bytes are left."""
    if size <= keep[0]:
        keep[0] -= size
        return File.of(stream.read(), **attributes)
    hasher = Hasher()
    while piece := stream.read(1 << 18):
        hasher.update(piece)
    return File(**attributes, size=size, sha256=hasher.digest().hex)
