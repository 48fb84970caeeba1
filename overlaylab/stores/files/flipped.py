"""A place in which one bit is flipped for its readers, while the files stay unchanged.

Nothing is copied and nothing is written: the bit is flipped when its byte is read. So it works for directories and tars
alike, and needs no more memory for an image of many gigabytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from overlaylab.errors import Finding
from overlaylab.tree import Directory, File, clean, find

from .place import DelegatingPlace, Place

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


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


class RecordingPlace(DelegatingPlace):
    """A place that records which files are opened and which directories are asked for; these are not read."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.opened: dict[str, None] = {}
        self.directories: dict[str, None] = {}

    def open_plain(self, path: str) -> BinaryIO:
        """Open a file, and record it."""
        self.opened[path] = None
        return super().open_plain(path)

    def tree(self, path: str, keep: int = 0) -> Directory:
        """Record a directory; the result is empty."""
        self.directories[path] = None
        return Directory()


class FlippedPlace(DelegatingPlace):
    """A place in which one bit of one file is flipped.

    Args:
        place: The unchanged place.
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
        """Open a file, flipped if it is the one."""
        stream = super().open_plain(path)
        return io.BufferedReader(_FlippedStream(stream, self.flip)) if path == self.flip.path else stream

    def tree(self, path: str, keep: int = 0) -> Directory:
        """Read a directory; the file is flipped if it lies there."""
        tree = super().tree(path, keep)
        start = "" if path == "." else f"{path}/"
        inside = self.flip.path.removeprefix(start)
        if self.flip.path.startswith(start):
            old = find(tree, clean(inside, self.where)[0])
            if isinstance(old, File):
                _replace(tree, old, self._file(old))
        return tree

    def _file(self, old: File) -> File:
        """The flipped file with its digest; its content is read once."""
        hasher, kept = hashlib.sha256(), []
        with self.open_plain(self.flip.path) as stream:
            while piece := stream.read(CHUNK):
                hasher.update(piece)
                if old.data is not None:
                    kept.append(piece)
        return replace(old, sha256=hasher.hexdigest(), data=None if old.data is None else b"".join(kept))


def _replace(tree: Directory, old: File, new: File) -> None:
    """Replace a file by another under every name that it has."""
    waiting = [tree]
    while waiting:
        directory = waiting.pop()
        for name, inode in directory.names.items():
            if inode is old:
                directory.names[name] = new
            elif isinstance(inode, Directory):
                waiting.append(inode)


class _FlippedStream(io.RawIOBase):
    """A seekable stream in which one bit is flipped."""

    def __init__(self, stream: BinaryIO, flip: Flip) -> None:
        self._stream, self._flip = stream, flip

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: WriteableBuffer) -> int:
        view, start = memoryview(buffer), self._stream.tell()
        data = bytearray(self._stream.read(len(view)))
        if start <= self._flip.offset < start + len(data):
            data[self._flip.offset - start] ^= 1 << self._flip.bit
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
