"""Files that are read by name, in a directory of this machine or in a tar of one, and nothing outside of it.

Paths are relative and clean. Symlinks are followed by `Place.resolve` alone, and
only inside the place.
"""

from __future__ import annotations

import os
import shlex
import stat
from abc import ABC, abstractmethod
from functools import cached_property
from typing import BinaryIO, cast

from overlaylab.errors import Finding, NotReadable
from overlaylab.limits import Limits
from overlaylab.tree import Directory, parent_of, parts_of

from .directory import read_directory
from .section import FileSection

# Symlinks that one resolution may follow: MAXSYMLINKS of the kernel.
HOPS = 40


class Place(ABC):
    """Where the files of a store are read: what is common to directories and tars.

    Args:
        where: What findings call it.
        limits: Bounds on what is read.
    """

    where: str
    limits: Limits

    @abstractmethod
    def type_of(self, path: str) -> str | None:
        """``file``, ``dir``, ``symlink``, ``other``, or None if there is nothing; a symlink is not followed."""

    @abstractmethod
    def names(self, path: str) -> tuple[str, ...]:
        """List a directory, sorted; empty if there is none."""

    @abstractmethod
    def link_target(self, path: str) -> str:
        """The text of a symlink."""

    @abstractmethod
    def size(self, path: str) -> int:
        """Bytes of a file."""

    @abstractmethod
    def open_plain(self, path: str) -> BinaryIO:
        """Open the file at exactly this path, which `is_plain_file`."""

    @abstractmethod
    def tree(self, path: str, keep: int = 0) -> Directory:
        """Read a directory and all that is in it as a value.

        Args:
            path: The directory.
            keep: Keep the content of files as long as all of them together have at most this many bytes.
        """

    @abstractmethod
    def owner(self, path: str) -> int:
        """The user ID of a file's or directory's owner; 0 if it is not known."""

    @abstractmethod
    def content_bytes(self, path: str) -> int:
        """Bytes of all regular files below a directory, hard links once; nothing is opened."""

    def duplicates(self) -> frozenset[str]:
        """Files that are there twice: possible in a tar only."""
        return frozenset()

    def resolve(self, name: str) -> str | None:
        """Follow symlinks inside this place, and return the path that a name leads to; None if nothing is there.

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
        """Normalise a path; ``..`` never leaves the root."""
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
        """Open a file; the stream is seekable.

        Raises:
            Finding: ``missing-member`` and those of `resolve`.
        """
        path = self.resolve(name)
        if path is None or self.type_of(path) != "file":
            raise Finding("missing-member", f"{self.where}: {name}", "a file", "nothing" if path is None else "no file")
        return self.open_plain(path)

    def is_plain_file(self, path: str) -> bool:
        """Whether this path is a regular file that is reached through directories alone, without symlinks."""
        parts = parts_of(path)
        above = "/".join(parts[:-1]) or "."
        if above not in self._real_directories:
            directories = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
            self._real_directories[above] = all(self.type_of(directory) == "dir" for directory in directories)
        return self._real_directories[above] and self.type_of(path) == "file"

    @cached_property
    def _real_directories(self) -> dict[str, bool]:
        """A memo of `is_plain_file`: whether a path leads through directories only."""
        return {}

    def read(self, name: str, limit: int = 0) -> bytes:
        """Read a small file whole.

        Args:
            name: The file.
            limit: The largest size in bytes; that of a document if it is 0.

        Raises:
            Finding: ``limit`` and those of `open`.
        """
        with self.open(name) as stream:
            data = stream.read((limit or self.limits.document) + 1)
        if len(data) > (limit or self.limits.document):
            raise Finding("limit", f"{self.where}: {name}", f"at most {limit or self.limits.document} bytes", "more")
        return data

    def has(self, name: str) -> bool:
        """Whether a name resolves to something that is there."""
        return self.resolve(name) is not None


class DirectoryPlace(Place):
    """A directory of this machine; it is only read."""

    def __init__(self, root: str, where: str, limits: Limits) -> None:
        self.where, self.limits = where, limits
        self.root = os.path.realpath(root)
        self._sound: set[str] = set()

    def _full(self, path: str) -> str:
        """The path on this machine; no symlink on the way to it may lead outside.

        Raises:
            Finding: ``path-escape``.
        """
        parent, name = parent_of(path)
        return f"{self._directory(parent)}/{name}" if path != "." else self.root

    def _directory(self, path: str) -> str:
        """The path on this machine of a directory, which may be a symlink to one inside."""
        full = self.root if path == "." else f"{self.root}/{path}"
        if path not in self._sound:
            # A name with a NUL byte cannot exist on the host.
            real = os.path.realpath(full) if "\0" not in full else full
            if os.path.commonpath([self.root, real]) != self.root:
                raise Finding("path-escape", f"{self.where}: {path}", "a directory inside", real)
            self._sound.add(path)
        return full

    def type_of(self, path: str) -> str | None:
        """See `Place`."""
        try:
            mode = os.lstat(self._full(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise self.denied(path) from None
        except (OSError, ValueError):
            # A name that the host does not allow, such as one that is too long, does not exist.
            return None
        for kind, test in (("file", stat.S_ISREG), ("dir", stat.S_ISDIR), ("symlink", stat.S_ISLNK)):
            if test(mode):
                return kind
        return "other"

    def names(self, path: str) -> tuple[str, ...]:
        """See `Place`."""
        try:
            return tuple(sorted(os.listdir(self._directory(path))))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError:
            raise self.denied(path) from None

    def link_target(self, path: str) -> str:
        """See `Place`."""
        return os.readlink(self._full(path))

    def size(self, path: str) -> int:
        """See `Place`."""
        return os.lstat(self._full(path)).st_size

    def open_plain(self, path: str) -> BinaryIO:
        """See `Place`."""
        try:
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self._full(path), flags)
            return cast("BinaryIO", FileSection(os.fdopen(descriptor, "rb")))
        except PermissionError:
            raise self.denied(path) from None
        except FileNotFoundError:
            raise Finding("changed-while-reading", f"{self.where}: {path}", "a file", "nothing") from None

    def owner(self, path: str) -> int:
        """See `Place`."""
        try:
            return os.lstat(self._full(path)).st_uid
        except OSError:
            return 0

    def content_bytes(self, path: str) -> int:
        """See `Place`."""
        inodes: dict[tuple[int, int], int] = {}
        try:
            top = self._full(path) if self.type_of(path) == "dir" else ""
        except Finding:
            # Reported by whoever resolves the path.
            top = ""
        for directory, _, names in os.walk(top):
            for name in names:
                try:
                    info = os.lstat(os.path.join(directory, name))
                except OSError:
                    continue
                if stat.S_ISREG(info.st_mode):
                    inodes[info.st_dev, info.st_ino] = info.st_size
        return sum(inodes.values())

    def denied(self, path: str) -> NotReadable:
        """Make the error for a refused permission; it says how to read the store with it."""
        advice = "the right to read it: sudo overlaylab …"
        if os.path.isdir(self.root):
            pack = "sudo tar --xattrs --xattrs-include='*' --one-file-system"
            advice += f", or pack it for reading elsewhere: {pack} -C {shlex.quote(self.root)} -czf root.tar.gz ."
        return NotReadable("permission-denied", f"{self.where}: {path}", advice, "no permission")

    def tree(self, path: str, keep: int = 0) -> Directory:
        """See `Place`."""
        if self.type_of(path) != "dir":
            raise Finding("not-found", f"{self.where}: {path}", "a directory", self.type_of(path) or "nothing")
        return read_directory(self._full(path), keep=keep, limits=self.limits)


class DelegatingPlace(Place):
    """A place that asks another one for everything."""

    def __init__(self, place: Place) -> None:
        self.where, self.limits, self._place = place.where, place.limits, place

    def _inner(self, path: str) -> str:
        """The path in the other place."""
        return path

    def type_of(self, path: str) -> str | None:
        """See `Place`."""
        return self._place.type_of(self._inner(path))

    def names(self, path: str) -> tuple[str, ...]:
        """See `Place`."""
        return self._place.names(self._inner(path))

    def link_target(self, path: str) -> str:
        """See `Place`."""
        return self._place.link_target(self._inner(path))

    def size(self, path: str) -> int:
        """See `Place`."""
        return self._place.size(self._inner(path))

    def open_plain(self, path: str) -> BinaryIO:
        """See `Place`."""
        return self._place.open_plain(self._inner(path))

    def tree(self, path: str, keep: int = 0) -> Directory:
        """See `Place`."""
        return self._place.tree(self._inner(path), keep)

    def owner(self, path: str) -> int:
        """See `Place`."""
        return self._place.owner(self._inner(path))

    def content_bytes(self, path: str) -> int:
        """See `Place`."""
        return self._place.content_bytes(self._inner(path))

    def duplicates(self) -> frozenset[str]:
        """See `Place`."""
        return self._place.duplicates()


class Subdirectory(DelegatingPlace):
    """A directory of a place as a place of its own: nothing above it can be reached."""

    def __init__(self, place: Place, prefix: str) -> None:
        super().__init__(place)
        self.where, self._prefix = f"{place.where}: {prefix}", prefix

    def _inner(self, path: str) -> str:
        return self._prefix if path == "." else f"{self._prefix}/{path}"

    def duplicates(self) -> frozenset[str]:
        """See `Place`."""
        start = self._prefix + "/"
        return frozenset(path[len(start) :] for path in self._place.duplicates() if path.startswith(start))


def within(place: Place, path: str) -> Place:
    """A directory of a place as a place of its own.

    Raises:
        Finding: those of `Place.resolve`.
    """
    path = place.resolve(path) or path
    if isinstance(place, DirectoryPlace):
        return DirectoryPlace(f"{place.root}/{path}", f"{place.where}/{path}", place.limits)
    return Subdirectory(place, path)
