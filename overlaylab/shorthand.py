"""What programs do with several calls in a row: a whole file written or read."""

from __future__ import annotations

from .opening import O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY

__all__ = ["Shorthand"]


class Shorthand:
    """What a program does with an open, a write and a close; for the model and for the real `os` alike."""

    def create(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make a new file with some content."""
        self._put(path, data, O_WRONLY | O_CREAT | O_EXCL, mode)

    def write_file(self, path: str, data: bytes) -> None:
        """Replace the content of a file, which is made if need be: ``echo x > path``."""
        self._put(path, data, O_WRONLY | O_CREAT | O_TRUNC, 0o644)

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the beginning of a file."""
        self._put(path, data, O_WRONLY)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file: ``echo x >> path``, but the file must be there."""
        self._put(path, data, O_WRONLY | O_APPEND)

    def _put(self, path: str, data: bytes, flags: int, mode: int = 0o777) -> None:
        fd = self.open(path, flags | O_NONBLOCK, mode)
        try:
            self.write(fd, data)
        finally:
            self.close(fd)

    def read_file(self, path: str) -> bytes:
        """The content of a file: ``cat path``."""
        fd = self.open(path, O_RDONLY | O_NONBLOCK)
        try:
            return self.read(fd, 1 << 62)
        finally:
            self.close(fd)
