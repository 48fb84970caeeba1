"""Compression: how a layer blob becomes the plain tar whose digest is the diff_id, and back."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Generator, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, cast

from overlaylab.errors import Finding
from overlaylab.limits import DEFAULT_LIMITS, Limits

from .media_types import Compression
from .tar_reader import Readable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


# Bytes that are read, and inflated, at a time.
CHUNK = 1 << 18


def sniff(head: bytes) -> Compression:
    """Recognise a compression by the first four bytes.

    Spec: RFC 1952 (gzip magic), RFC 8878 (zstd frames and skippable frames).
    """
    if head[:2] == b"\x1f\x8b":
        return Compression.GZIP
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[:1] and head[0] >> 4 == 5):
        return Compression.ZSTD
    return Compression.NONE


def inflate(stream: Readable, where: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[bytes]:
    """Decompress a blob in pieces; the compression is recognised by `sniff`.

    Several gzip members, or zstd frames, are decompressed one after the other. Anything else after the last one is
    refused.

    Args:
        stream: The blob, at its start.
        where: What to call the blob in findings.
        limits: `expanded` and `ratio` stop a decompression bomb.

    Raises:
        Finding: ``bad-compression``, ``limit``.
    """
    head = _read_up_to(stream, CHUNK)
    pieces = {Compression.NONE: _plain, Compression.GZIP: _gunzip, Compression.ZSTD: _unzstd}[sniff(head)]
    taken = _Counter(stream, head)
    total = 0
    for piece in pieces(taken, where):
        total += len(piece)
        if total > limits.expanded:
            raise Finding("limit", where, f"at most {limits.expanded} bytes after decompression", "more")
        if total > limits.free and total > limits.ratio * max(taken.count, 1):
            raise Finding("limit", where, f"at most {limits.ratio} bytes from each compressed byte", "more")
        yield piece


def _read_up_to(stream: Readable, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end; a pipe may return less at a time."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Counter:
    """Counts the compressed bytes as they are read."""

    def __init__(self, stream: Readable, head: bytes) -> None:
        self._stream, self._head, self.count = stream, head, 0

    def __iter__(self) -> Iterator[bytes]:
        piece = self._head
        while piece:
            self.count += len(piece)
            yield piece
            piece = self._stream.read(CHUNK)


def _plain(pieces: _Counter, where: str) -> Iterator[bytes]:
    yield from pieces


def _gunzip(pieces: _Counter, where: str) -> Iterator[bytes]:
    """Decompress all members of a gzip file; zero padding may follow the last one, as in tape archives."""
    library = _inflater()
    inflater, head, started = library.decompressobj(wbits=31), b"", False
    try:
        for piece in pieces:
            while piece:
                if inflater.eof:
                    if not started and not piece.strip(b"\0"):
                        break
                    inflater, head = library.decompressobj(wbits=31), b""
                started = True
                head += piece[: 4 - len(head)]
                # RFC 1952, 2.3.1.2: these flags must be refused; isal accepts them.
                if len(head) == 4 and head[3] & 0xE0:
                    raise Finding("bad-compression", where, "gzip data", NO_HEADER)
                yield inflater.decompress(piece, CHUNK)
                piece = inflater.unconsumed_tail
                if inflater.eof:
                    piece, started = inflater.unused_data, False
                elif not piece:
                    # The inflater may hold more output although its input is used up.
                    while more := inflater.decompress(b"", CHUNK):
                        yield more
    except library.error as error:
        raise Finding("bad-compression", where, "gzip data", _broken(str(error))) from None
    if not inflater.eof:
        raise Finding("bad-compression", where, "the end of a gzip member", "the input ends early")


def _inflater() -> ModuleType:
    """The library that inflates gzip: isal, twice as fast as zlib; zlib where isal is not installed."""
    try:
        from isal import isal_zlib  # noqa: PLC0415 -- a compiled library that not every platform has
    except ImportError:
        return zlib
    return isal_zlib


NO_HEADER = "a header that is not gzip's"


def _broken(words: str) -> str:
    """One wording for the error messages of both libraries."""
    if any(word in words for word in ("data check", "length check", "checksum", "crc")):
        return "data that does not fit its checksum"
    if any(word in words for word in ("header", "wrapper", "method")):
        return NO_HEADER
    return "data that cannot be inflated"


def _unzstd(pieces: _Counter, where: str) -> Iterator[bytes]:
    """Decompress all zstd frames; skippable frames (zstd:chunked stores its table in one) are passed over."""
    import zstandard  # noqa: PLC0415 -- loaded when a blob needs it: not every platform has this compiled library

    frames = _Frames(pieces)
    # A stream reader returns no more than it is asked for, however much a piece expands to.
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        cast("BinaryIO", frames), read_size=CHUNK, read_across_frames=True
    )
    try:
        while piece := reader.read(CHUNK):
            yield piece
    except zstandard.ZstdError as error:
        raise Finding("bad-compression", where, "zstd data", str(error).rpartition(": ")[2]) from None
    if not frames.complete:
        raise Finding("bad-compression", where, "the end of a zstd frame", "the input ends early")


class _Frames:
    """Passes zstd data through, and parses the sizes of its blocks to notice data that ends inside a frame."""

    def __init__(self, pieces: _Counter) -> None:
        self._pieces, self._steps, self._head = iter(pieces), _steps(), b""
        self._wanted = next(self._steps)

    @property
    def complete(self) -> bool:
        """Whether the data so far ends where a frame ends."""
        return self._wanted == FRAME and not self._head

    def read(self, size: int) -> bytes:
        """The next piece, whatever its size."""
        piece = next(self._pieces, b"")
        at = 0
        while at < len(piece):
            taken = min(abs(self._wanted) - len(self._head), len(piece) - at)
            if self._wanted > 0:
                self._head += piece[at : at + taken]
                if len(self._head) == self._wanted:
                    self._wanted, self._head = self._steps.send(self._head), b""
            else:
                self._wanted += taken
            at += taken
            while not self._wanted:
                self._wanted = next(self._steps)
        return piece


# Bytes of a frame's magic number and of its descriptor.
FRAME = 5


def _steps() -> Generator[int, bytes, None]:
    """A parser of zstd's framing, as a coroutine.

    It yields how many bytes it must see next and is sent these bytes, or yields a negative number of bytes to skip.

    Spec:
        RFC 8878, 3.1.1 (frames and blocks) and 3.1.2 (skippable frames).
    """
    while True:
        head = yield FRAME
        if sniff(head) is Compression.ZSTD and head[0] != 0x28:
            rest = yield 3
            yield -int.from_bytes(head[4:] + rest, "little")
            continue
        single = head[4] >> 5 & 1
        yield -((1 - single) + (0, 1, 2, 4)[head[4] & 3] + ((1 if single else 0), 2, 4, 8)[head[4] >> 6])
        last = 0
        while not last:
            block = int.from_bytes((yield 3), "little")
            last = block & 1
            # A run-length block stores one byte, whatever its size.
            yield -(1 if block >> 1 & 3 == 1 else block >> 3)
        if head[4] & 4:
            yield -4


class Pieces(io.RawIOBase):
    """A stream over an iterator of byte strings.

    Args:
        pieces: All the bytes, in order.
        observe: Called with each piece before it is read from, for example to hash it.
    """

    def __init__(self, pieces: Iterator[bytes], observe: Callable[[bytes], object] | None = None) -> None:
        self._pieces, self._observe = pieces, observe
        self._piece, self._at = b"", 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def _left(self) -> int:
        """How many bytes of the current piece are unread; fetches the next piece if there are none. 0 at the end."""
        while self._at >= len(self._piece):
            self._piece, self._at = b"", 0
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            if self._observe is not None:
                self._observe(piece)
            self._piece = piece
        return len(self._piece) - self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, all from one piece."""
        if size < 0:
            return self.readall()
        count = min(size, self._left())
        self._at += count
        return self._piece[self._at - count : self._at]

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into a buffer; returns the number of bytes."""
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class Inflated(Pieces):
    """A stream over the decompressed bytes of a blob.

    Args:
        stream: The blob, at its start.
        where: What to call the blob in findings.
        limits: See `inflate`.
        observe: See `Pieces`.
    """

    def __init__(
        self,
        stream: Readable,
        where: str,
        limits: Limits = DEFAULT_LIMITS,
        observe: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__(inflate(stream, where, limits), observe)


def pack(data: bytes, compression: str = "gzip", level: int = 6) -> bytes:
    """Compress bytes, as an engine compresses a layer before it pushes it.

    Args:
        data: The plain bytes.
        compression: ``gzip``, ``zstd`` or ``none``.
        level: The compression level; different levels give different bytes.
    """
    kind = Compression(compression)
    if kind is Compression.GZIP:
        packer = zlib.compressobj(level, wbits=31)
        return packer.compress(data) + packer.flush()
    if kind is Compression.ZSTD:
        import zstandard  # noqa: PLC0415 -- as in `_unzstd`

        return zstandard.ZstdCompressor(level=level).compress(data)
    return data


def unpack(blob: bytes) -> bytes:
    """Decompress a blob that is small enough to be held in memory; see `inflate`.

    Example:
        >>> unpack(pack(b"one") + pack(b"two"))
        b'onetwo'
    """
    return b"".join(inflate(io.BytesIO(blob), "blob"))
