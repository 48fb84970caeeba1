"""A place in which one bit is flipped for its readers, while the files stay unchanged.

Nothing is copied and nothing is written: the bit is flipped when its byte is read. So it works for directories and tars
alike, and needs no more memory for an image of many gigabytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from overlaylab.errors import Finding
from overlaylab.tree import Directory, File, clean, find, walk

from .place import DelegatingPlace, Place
from .section import FileSection, Shared


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

    def apply(self, data: bytes, start: int = 0) -> bytes:
        """The bytes of the file from byte `start` on, with the bit flipped if it is one of theirs."""
        at = self.offset - start
        return data[:at] + bytes([data[at] ^ 1 << self.bit]) + data[at + 1 :] if 0 <= at < len(data) else data


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
        return cast("BinaryIO", self._flipped()) if path == self.flip.path else super().open_plain(path)

    def _flipped(self) -> FileSection:
        stream = super().open_plain(self.flip.path)
        return FileSection(stream, _FlippedFile(stream, self.flip))

    def tree(self, path: str, keep: int = 0) -> Directory:
        """Read a directory; the file is flipped under every name that it has there."""
        tree = super().tree(path, keep)
        start = "" if path == "." else f"{path}/"
        if not self.flip.path.startswith(start):
            return tree
        old = find(tree, clean(self.flip.path.removeprefix(start), self.where)[0])
        if isinstance(old, File):
            with self._flipped() as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            new = replace(old, sha256=sha256, data=None if old.data is None else self.flip.apply(old.data))
            for directory in [inode for _, inode in walk(tree) if isinstance(inode, Directory)]:
                directory.names |= {name: new for name, inode in directory.names.items() if inode is old}
        return tree


class _FlippedFile(Shared):
    """A file in which one bit is flipped."""

    def __init__(self, stream: BinaryIO, flip: Flip) -> None:
        super().__init__(stream)
        self._flip = flip

    def read(self, offset: int, size: int) -> bytes:
        return self._flip.apply(super().read(offset, size), offset)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        data = self.read(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)
