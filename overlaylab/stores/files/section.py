"""A stretch of a file as a file of its own, also where several threads read from one file."""

from __future__ import annotations

import io
import os
from threading import Lock
from typing import BinaryIO

__all__ = ["FileSection", "Section", "Shared"]


class Shared:
    """A file that is read at any place, by any thread, without one moving the position of the other.

    Args:
        stream: A seekable file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, Lock()
        # Windows has no such call, and what is in memory has no number; the lock serves there.
        self._file = stream.fileno() if isinstance(stream, (io.BufferedReader, io.BufferedRandom)) else None
        self._number = self._file if hasattr(os, "preadv") else None

    def state(self) -> tuple[int, ...] | None:
        """What changes when a program writes into the file or puts another in its place; None for what is ours alone."""
        if self._file is None:
            return None
        status = os.fstat(self._file)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, offset: int, size: int) -> bytes:
        """At most so many bytes from a place."""
        if self._number is not None:
            return os.pread(self._number, size, offset)
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(size)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer from a place; tells how many bytes came."""
        if self._number is not None:
            return os.preadv(self._number, [buffer], offset)
        with self._lock:
            self._stream.seek(offset)
            return self._stream.readinto(buffer)


class Section(io.RawIOBase):
    """A stretch of a file, as a file of its own.

    Args:
        file: The file; it stays open.
        offset: Where the stretch begins.
        size: Its bytes.
    """

    # For whoever passes over most of it: what is fetched at a time.
    ahead = 8192

    def __init__(self, file: Shared, offset: int, size: int) -> None:
        self.state, self._take, self._take_into = file.state, file.read, file.read_into
        self._offset, self._size, self._position = offset, size, 0

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

    def read_at(self, position: int, size: int) -> bytes:
        """At most so many bytes from a place; the position stays where it is."""
        left = self._size - position
        return self._take(self._offset + position, size if size < left else left) if left > 0 else b""

    def read(self, size: int = -1) -> bytes:
        position = self._position
        if not 0 <= size <= self._size - position:
            size = max(0, self._size - position)
        data = self._take(self._offset + position, size)
        self._position = position + len(data)
        return data

    def readinto(self, buffer: bytearray) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._position)]
        count = self._take_into(self._offset + self._position, view) if view else 0
        self._position += count
        return count


class FileSection(Section):
    """A whole file, which is closed together with it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(Shared(stream), 0, stream.seek(0, 2))
        self._stream = stream

    def close(self) -> None:
        self._stream.close()
        super().close()
