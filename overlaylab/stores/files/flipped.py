"""A place with one bit turned over: what was read stays as it is, and every reader sees the flip all the same.

Nothing is copied and nothing is written. The bytes are changed on their way from the place to whoever reads them, so
that it works for a directory and a tar alike, and costs the same for a small image and for one of many gigabytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import BinaryIO

from overlaylab.errors import Finding
from overlaylab.tree import Directory, File, clean, find

from .place import Place

__all__ = ["Altered", "Flip", "Surveyed"]

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of one file of a place.

    Args:
        path: The file, in the place.
        offset: Which byte, counted from 0.
        bit: Which bit of it: 0 counts 1, 7 counts 128.
    """

    path: str
    offset: int
    bit: int = 0


class _Around(Place):
    """A place that stands before another one and asks it for everything."""

    def __init__(self, place: Place) -> None:
        self.where, self.limits = place.where, place.limits
        self._place = place

    def type_of(self, path: str) -> str | None:
        return self._place.type_of(path)

    def names(self, path: str) -> tuple[str, ...]:
        return self._place.names(path)

    def link_target(self, path: str) -> str:
        return self._place.link_target(path)

    def size(self, path: str) -> int:
        return self._place.size(path)

    def owner(self, path: str) -> int:
        return self._place.owner(path)

    def content_bytes(self, path: str) -> int:
        return self._place.content_bytes(path)

    def duplicates(self) -> frozenset[str]:
        return self._place.duplicates()

    def open_plain(self, path: str) -> BinaryIO:
        return self._place.open_plain(path)

    def tree(self, path: str, keep: int = 0) -> Directory:
        return self._place.tree(path, keep)


class Surveyed(_Around):
    """A place that remembers which files and directories it was asked for; the directories are not read.

    Args:
        place: What lies behind.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.opened: dict[str, None] = {}
        self.directories: dict[str, None] = {}

    def open_plain(self, path: str) -> BinaryIO:
        self.opened[path] = None
        return super().open_plain(path)

    def tree(self, path: str, keep: int = 0) -> Directory:
        self.directories[path] = None
        return Directory()


class Altered(_Around):
    """A place in which one bit of one file is turned over.

    Args:
        place: What lies behind; it stays as it is.
        flip: Which bit.

    Raises:
        Finding: ``wrong-call`` if there is no such byte.
    """

    def __init__(self, place: Place, flip: Flip) -> None:
        super().__init__(place)
        if place.type_of(flip.path) != "file" or not 0 <= flip.offset < place.size(flip.path):
            raise Finding("wrong-call", f"{place.where}: {flip.path}", "a byte of a file", f"byte {flip.offset}")
        self.flip = flip

    def open_plain(self, path: str) -> BinaryIO:
        stream = super().open_plain(path)
        return io.BufferedReader(_Flipping(stream, self.flip)) if path == self.flip.path else stream

    def tree(self, path: str, keep: int = 0) -> Directory:
        tree = super().tree(path, keep)
        start = "" if path == "." else f"{path}/"
        inside = self.flip.path.removeprefix(start)
        if self.flip.path.startswith(start):
            old = find(tree, clean(inside, self.where)[0])
            if isinstance(old, File):
                _exchange(tree, old, self._file(old))
        return tree

    def _file(self, old: File) -> File:
        """The file with its new digest; its content is read once."""
        hasher, kept = hashlib.sha256(), []
        with self.open_plain(self.flip.path) as stream:
            while piece := stream.read(CHUNK):
                hasher.update(piece)
                if old.data is not None:
                    kept.append(piece)
        return replace(old, sha256=hasher.hexdigest(), data=None if old.data is None else b"".join(kept))


def _exchange(tree: Directory, old: File, new: File) -> None:
    """Put a file in place of another under every name that it has."""
    waiting = [tree]
    while waiting:
        directory = waiting.pop()
        for name, inode in directory.names.items():
            if inode is old:
                directory.names[name] = new
            elif isinstance(inode, Directory):
                waiting.append(inode)


class _Flipping(io.RawIOBase):
    """A stream in which one bit is turned over as it passes."""

    def __init__(self, stream: BinaryIO, flip: Flip) -> None:
        self._stream, self._flip = stream, flip

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: bytearray) -> int:
        start = self._stream.tell()
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        if start <= self._flip.offset < start + len(data):
            buffer[self._flip.offset - start] ^= 1 << self._flip.bit
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
