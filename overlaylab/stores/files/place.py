"""A directory, or a tar of one, read alike: names in, bytes out, never outside.

Paths are relative and clean. Symlinks are followed by `Place.resolve` alone, and
only inside the place.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import BinaryIO

from overlaylab.errors import Finding, NotReadable
from overlaylab.limits import Limits
from overlaylab.tree import Directory, parent_of, parts_of

from .directory import read_directory
from .section import FileSection

__all__ = ["DirectoryPlace", "Inside", "Place", "within"]

# How many symlinks a name may lead through, as the kernel has it.
HOPS = 40


class Place:
    """What directories and tars have in common.

    Args:
        where: What to call it in findings.
        limits: How much it may ask for.
    """

    def __init__(self, where: str, limits: Limits) -> None:
        self.where, self.limits = where, limits
        self._plain: dict[str, bool] = {}

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

    def is_plain_file(self, path: str) -> bool:
        """Whether exactly this path is a regular file, with directories and no symlinks on the way."""
        parts = parts_of(path)
        above = "/".join(parts[:-1]) or "."
        if above not in self._plain:
            self._plain[above] = all(self.type_of("/".join(parts[:depth])) == "dir" for depth in range(1, len(parts)))
        return self._plain[above] and self.type_of(path) == "file"

    def open_plain(self, path: str) -> BinaryIO:
        """The file at exactly this path, which `is_plain_file`."""
        return self._open(path)

    def owner(self, path: str) -> int:
        """The user who owns a file or a directory, by number; 0 if that is not known."""
        raise NotImplementedError

    def content_bytes(self, path: str) -> int:
        """Bytes of all regular files below a directory, hard links once; nothing is opened."""
        raise NotImplementedError

    def read(self, name: str, limit: int = 0) -> bytes:
        """A document's bytes, of bounded size.

        Args:
            name: Where.
            limit: The largest size, if it is not that of a document.

        Raises:
            Finding: ``limit`` and those of `open`.
        """
        with self.open(name) as stream:
            data = stream.read((limit or self.limits.document) + 1)
        if len(data) > (limit or self.limits.document):
            raise Finding("limit", f"{self.where}: {name}", f"at most {limit or self.limits.document} bytes", "more")
        return data

    def has(self, name: str) -> bool:
        """Whether a name leads to something inside."""
        return self.resolve(name) is not None

    def duplicates(self) -> frozenset[str]:
        """Files that are there twice: possible in a tar only."""
        return frozenset()


class DirectoryPlace(Place):
    """A directory of this machine; only ever read."""

    def __init__(self, root: str, where: str, limits: Limits) -> None:
        super().__init__(where, limits)
        self.root = os.path.realpath(root)
        self._sound: set[str] = set()

    def _full(self, path: str) -> str:
        """Where a path lies on this machine; no symlink on the way to it may lead outside.

        Raises:
            Finding: ``path-escape``.
        """
        parent, name = parent_of(path)
        return f"{self._directory(parent)}/{name}" if path != "." else self.root

    def _directory(self, path: str) -> str:
        """A directory on this machine that lies inside, whether or not it is a symlink itself."""
        full = self.root if path == "." else f"{self.root}/{path}"
        if path not in self._sound:
            # A name that the host cannot have leads nowhere.
            real = os.path.realpath(full) if "\0" not in full else full
            if os.path.commonpath([self.root, real]) != self.root:
                raise Finding("path-escape", f"{self.where}: {path}", "a directory inside", real)
            self._sound.add(path)
        return full

    def type_of(self, path: str) -> str | None:
        try:
            mode = os.lstat(self._full(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise self.denied(path) from None
        except (OSError, ValueError):
            # A name that the host cannot have, such as one longer than it allows, is not there.
            return None
        for kind, test in (("file", stat.S_ISREG), ("dir", stat.S_ISDIR), ("symlink", stat.S_ISLNK)):
            if test(mode):
                return kind
        return "other"

    def names(self, path: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._directory(path))))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError:
            raise self.denied(path) from None

    def link_target(self, path: str) -> str:
        return os.readlink(self._full(path))

    def size(self, path: str) -> int:
        return os.lstat(self._full(path)).st_size

    def _open(self, path: str) -> BinaryIO:
        try:
            descriptor = os.open(
                self._full(path), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            )
            return FileSection(os.fdopen(descriptor, "rb"))
        except PermissionError:
            raise self.denied(path) from None
        except FileNotFoundError:
            raise Finding("changed-while-reading", f"{self.where}: {path}", "a file", "nothing") from None

    def owner(self, path: str) -> int:
        try:
            return os.lstat(self._full(path)).st_uid
        except OSError:
            return 0

    def content_bytes(self, path: str) -> int:
        inodes: dict[tuple[int, int], int] = {}
        try:
            top = self._full(path) if self.type_of(path) == "dir" else ""
        except Finding:
            # What is wrong with the way to it is said elsewhere.
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
        """The error that says how to read it with the right to do so."""
        advice = "the right to read it: sudo overlaylab …"
        if os.path.isdir(self.root):
            pack = f"sudo tar --xattrs --xattrs-include='*' --one-file-system -C {shlex.quote(self.root)} -czf root.tar.gz ."
            advice += f", or pack it for reading elsewhere: {pack}"
        return NotReadable("permission-denied", f"{self.where}: {path}", advice, "no permission")

    def tree(self, path: str, keep: int = 0) -> Directory:
        if self.type_of(path) != "dir":
            raise Finding("not-found", f"{self.where}: {path}", "a directory", self.type_of(path) or "nothing")
        return read_directory(self._full(path), keep=keep, limits=self.limits)


class Inside(Place):
    """A directory of a place, as a place of its own: nothing above it can be reached."""

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

    def owner(self, path: str) -> int:
        return self._place.owner(self._at(path))

    def content_bytes(self, path: str) -> int:
        return self._place.content_bytes(self._at(path))

    def duplicates(self) -> frozenset[str]:
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
    return Inside(place, path)
