"""A section of a file as a file of its own, so that several threads can read from one file."""

from __future__ import annotations

import io
import os
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Shared:
    """A file that threads read at any offset, without moving each other's position.

    Args:
        stream: A seekable file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, Lock()
        self._descriptor = stream.fileno() if isinstance(stream, (io.BufferedReader, io.BufferedRandom)) else None
        # Windows has no pread, and bytes in memory have no descriptor: there the lock is used.
        self._for_pread = self._descriptor if hasattr(os, "preadv") else None

    def state(self) -> tuple[int, ...] | None:
        """What changes when a program writes into the file or replaces it; None for bytes in memory."""
        if self._descriptor is None:
            return None
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, offset: int, size: int) -> bytes:
        """Read at most `size` bytes at an offset."""
        if self._for_pread is not None:
            return os.pread(self._for_pread, size, offset)
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(size)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer with the bytes at an offset; returns how many bytes came."""
        if self._for_pread is not None:
            return os.preadv(self._for_pread, [buffer], offset)
        with self._lock:
            self._stream.seek(offset)
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Section(io.RawIOBase):
    """A section of a file as a seekable stream.

    Args:
        file: The file; closing the section leaves it open.
        offset: Where the section begins, in bytes.
        size: Its bytes.
    """

    # The buffer size of a `TarReader`, which skips most of a layer's bytes.
    ahead = 8192

    def __init__(self, file: Shared, offset: int, size: int) -> None:
        self.state, self._take, self._take_into = file.state, file.read, file.read_into
        self._offset, self._size, self._position = offset, size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """See `io.IOBase`."""
        base = {0: 0, 1: self._position, 2: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._position

    def read_at(self, position: int, size: int) -> bytes:
        """Read at most `size` bytes at a position, without moving the stream's own."""
        left = self._size - position
        return self._take(self._offset + position, size if size < left else left) if left > 0 else b""

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`; empty at the end."""
        position = self._position
        if not 0 <= size <= self._size - position:
            size = max(0, self._size - position)
        data = self._take(self._offset + position, size)
        self._position = position + len(data)
        return data

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See `io.RawIOBase`; 0 at the end."""
        view = memoryview(buffer)[: max(0, self._size - self._position)]
        count = self._take_into(self._offset + self._position, view) if view else 0
        self._position += count
        return count


class FileSection(Section):
    """A whole file, read through `shared` if that is given; closing the section closes it."""

    def __init__(self, stream: BinaryIO, shared: Shared | None = None) -> None:
        super().__init__(shared or Shared(stream), 0, stream.seek(0, 2))
        self._stream = stream

    def close(self) -> None:
        """See `io.IOBase`."""
        self._stream.close()
        super().close()
