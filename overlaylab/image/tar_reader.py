"""A tar reader: ustar, PAX and GNU headers, parsed in one pass over a stream.

Names that are not UTF-8 survive (``surrogateescape``), times are exact nanoseconds, extended attributes exact bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, runtime_checkable

from overlaylab.errors import Finding
from overlaylab.limits import DEFAULT_LIMITS, Limits

BLOCK = 512

_ZERO = bytes(BLOCK)

_XATTR = "SCHILY.xattr."

_NO_DATA = frozenset("123456")

# Name; mode, user and group together; size, time, checksum, type, link, magic, device numbers, prefix.
_FIELDS = struct.Struct("100s 24s 12s 12s 8s c 100s 6s 66x 16s 155s 12x")

# No layer has a file of a tebibyte: such a size is an error or an attack, whatever the limits are.
ABSURD = 1 << 40

# Most members have neither: one shared object each.
NO_DEVICE = (0, 0)

NO_XATTRS: Mapping[str, bytes] = {}

# Bytes to read at a time from a stream without a preference of its own. An inflater's pieces are never larger, so that
# none of them has to be copied.
AHEAD = 1 << 20

# How many different fields of a kind are memoised: layers repeat a few owners, modes and times.
MEMO = 4096


class Readable(Protocol):
    """A stream of bytes that can be read forwards."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most `size` bytes; none at the end."""


@runtime_checkable
class _RandomAccess(Protocol):
    """A stream in which content can be skipped without reading it."""

    ahead: int

    def read_at(self, position: int, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...


@dataclass(slots=True)
class Member:
    """One member of a tar.

    Args:
        name: As written in the tar; it may be absolute or lead outside.
        type: The type flag: ``0`` file, ``1`` hard link, ``2`` symlink, ``3`` and ``4`` devices,
            ``5`` directory, ``6`` FIFO, ``S`` a sparse file, whose content is not read here.
        mode: Permission bits.
        size: Bytes of content; 0 for everything but files.
        mtime_ns: Nanoseconds since 1970.
        link: Target of a link, as written in the tar.
        rdev: ``(major, minor)`` of a device.
        xattrs: Extended attributes, exact bytes.
        offset: Where the content starts, in bytes from the start of the tar.

    Spec:
        POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Keyword"; GNU tar, "Basic Tar Format".
    """

    name: str
    type: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: str
    rdev: tuple[int, int] = NO_DEVICE
    xattrs: Mapping[str, bytes] = field(default_factory=lambda: NO_XATTRS)
    offset: int = 0


def looks_like_tar(head: bytes) -> bool:
    """Whether the first block is a tar header, sound or damaged: it has a correct checksum, or the ustar magic."""
    if len(head) < BLOCK:
        return False
    return head[257:262] == b"ustar" or _checksum_holds(head[:BLOCK])


def _checksum_holds(header: bytes) -> bool:
    """Whether the stored checksum is the sum of all bytes, with the checksum field itself counted as spaces.

    Some old tar programs summed signed bytes; their sum is accepted too.
    """
    # Adler-32 that starts at 0 has the plain sum in its lower half, as long as that is below 65521, as it is for 512
    # ASCII bytes.
    total = zlib.adler32(header, 0) & 0xFFFF if header.isascii() else sum(header)
    right = _right_sum(header[148:156])
    if total == right or right is None:
        return right is not None
    high = sum(byte > 127 for byte in header[:148]) + sum(byte > 127 for byte in header[156:])
    return total == right + 256 * high


@lru_cache(1 << 16)
def _right_sum(field: bytes) -> int | None:
    """The sum of all bytes that this checksum field requires; None if it contains no number."""
    try:
        return int(field.replace(b"\0", b" "), 8) + sum(field) - 8 * 32
    except ValueError:
        return None


class _BadNumber(ValueError):
    """A numeric field of a header without a valid number."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected)
        self.expected, self.found = expected, found


def _number(raw: bytes, negative: bool = False) -> int:
    """A numeric field: octal text, or GNU's base-256 with the top bit set."""
    try:
        value = int(raw.replace(b"\0", b" "), 8)
    except ValueError:
        value = _other_number(raw)
    if value < 0 and not negative:
        raise _BadNumber("a number of 0 or more", value)
    return value


def _other_number(raw: bytes) -> int:
    if raw[0] & 0x80:
        if raw[0] & 0x40:
            return int.from_bytes(raw, "big", signed=True)
        return int.from_bytes(raw, "big") & ~(0x80 << 8 * (len(raw) - 1))
    if raw.strip(b"\0 "):
        raise _BadNumber("an octal number", _text(raw))
    return 0


@lru_cache(MEMO)
def _owner(raw: bytes) -> tuple[int, int, int]:
    """Mode, user and group, which are adjacent fields."""
    return _number(raw[:8]) & 0o7777, _number(raw[8:16]), _number(raw[16:])


@lru_cache(MEMO)
def _nanoseconds(raw: bytes) -> int:
    """A header's time, which is in whole seconds."""
    return _number(raw, negative=True) * 10**9


class TarReader:
    """Iterates over the members of a tar.

    Content that the caller does not read by `content` is skipped.

    Args:
        stream: At the start of the tar; need not be seekable. If it has ``read_at`` and ``seek``, skipped content is
            not even read; its ``ahead`` is how many bytes to read at a time.
        where: What to call the tar in findings.
        limits: `entries` bounds the number of members, `path` the size of one extended value.
        whole: Whether the stream is a whole file, so that a size beyond the limits is ``absurd-size`` in any case.
    """

    def __init__(self, stream: Readable, where: str, limits: Limits = DEFAULT_LIMITS, whole: bool = False) -> None:
        self._stream, self._where, self._limits, self._whole = stream, where, limits, whole
        self._section = stream if isinstance(stream, _RandomAccess) else None
        self._ahead = self._section.ahead if self._section else AHEAD
        # The bytes that were read last, and their offset in the tar.
        self._window, self._start = b"", 0
        # Offsets in the tar: of the next byte, of the end of the member's content, and of the next header.
        self._position = self._end = self._next = 0
        self.complete = False

    def __iter__(self) -> Iterator[Member]:
        """Yield the members.

        Raises:
            Finding: ``bad-tar-header``, ``truncated``, ``absurd-size``, ``limit``.
        """
        extended: dict[str, bytes] = {}
        common: dict[str, bytes] = {}
        for _ in range(self._limits.entries):
            if (header := self._next_header()) is None:
                return
            member = self._parse(header)
            if member.type in "xgLK":
                self._extend(member, extended, common)
                continue
            if extended or common:
                self._finish(member, {**common, **extended})
                extended = {}
            # The oldest tars have no type for directories, only a trailing slash. A long name may be cut right after a
            # slash in the header, so this checks the final name.
            if not member.size and member.type == "0" and member.name.endswith("/"):
                member.type = "5"
            yield member
        if self._next_header() is not None:
            raise Finding("limit", self._where, f"at most {self._limits.entries} members", "more")

    def content(self, size: int = 1 << 18) -> Iterator[bytes]:
        """The content of the member that was yielded last, in pieces of at most `size` bytes."""
        while left := self._end - self._position:
            piece = self._fetched(min(size, left))
            if not piece:
                raise self._cut_short()
            yield piece

    def _cut_short(self) -> Finding:
        return Finding("truncated", self._where, f"{self._end - self._position} more bytes", "the end")

    def _fetched(self, size: int) -> bytes:
        """At most `size` bytes from the window; none at the end of the tar, and then the position is there."""
        if self._position - self._start >= len(self._window) and not self._move():
            return b""
        at = self._position - self._start
        piece = self._window[at : at + size]
        self._position += len(piece)
        return piece

    def _move(self) -> bool:
        """Move the window to the position; False at the end of the tar, and then the position is there."""
        if self._section is not None:
            self._start, self._window = self._position, self._section.read_at(self._position, self._ahead)
            if not self._window:
                self._start = self._section.seek(0, 2)
        else:
            while self._position >= self._start + len(self._window):
                self._start += len(self._window)
                self._window = self._stream.read(self._ahead)
                if not self._window:
                    break
        if not self._window:
            self._position = self._start
        return bool(self._window)

    def _read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end of the stream."""
        data = b""
        while len(data) < size and (piece := self._fetched(size - len(data))):
            data += piece
        return data

    def _next_header(self) -> bytes | None:
        """The next member's header; None at the end."""
        start = self._next
        at = start - self._start
        header = self._window[at : at + BLOCK]
        if not header:
            self._position = start
            self._move()
            at = start - self._start
            header = self._window[at : at + BLOCK]
        # The common case of `_checksum_holds`, inlined for speed.
        summed = header.isascii() and zlib.adler32(header, 0) & 0xFFFF == _right_sum(header[148:156])
        if summed and len(header) == BLOCK:
            self._position = start + BLOCK
            return header
        self._position = start
        return self._unusual_header(f"{self._where} at byte {start}")

    def _unusual_header(self, where: str) -> bytes | None:
        """The header at the position, if it is one; None at the end."""
        header = self._read(BLOCK)
        if not header:
            if self._position < self._end:
                raise self._cut_short()
            return None
        if header == _ZERO:
            # One block of zeros ends a tar for all common readers; a second one should follow.
            if self._read(BLOCK).strip(b"\0"):
                raise Finding("bad-tar-header", f"{self._where} at byte {self._next + BLOCK}", "zeros", "a header")
            self.complete = True
            return None
        if len(header) < BLOCK:
            raise Finding("truncated", where, "a header of 512 bytes", f"{len(header)} bytes")
        if not _checksum_holds(header):
            raise Finding("bad-tar-header", where, "a header with a right checksum", _text(header[:100]))
        return header

    def _parse(self, header: bytes) -> Member:
        raw, owner, size, mtime, _, flag, link, magic, device, prefix = _FIELDS.unpack(header)
        name = raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        if prefix[0] and magic == b"ustar\0":
            name = f"{_text(prefix)}/{name}"
        kind = flag.decode("latin-1") if flag != b"\0" else "0"
        if kind == "S":
            self._pass_map(header)
        try:
            mode, uid, gid = _owner(owner)
            length, time, target = _number(size), _nanoseconds(mtime), _text(link) if link[0] else ""
            rdev = (_number(device[:8]), _number(device[8:])) if kind in "34" else NO_DEVICE
            member = Member(name, kind, mode, uid, gid, length, time, target, rdev, NO_XATTRS, self._position)
        except _BadNumber as error:
            raise Finding("bad-tar-header", f"{self._where}: {name}", error.expected, error.found) from None
        self._announce(member)
        return member

    def _pass_map(self, header: bytes) -> None:
        """Skip the map of a sparse file's holes: blocks after the header; byte 504 says whether another one follows."""
        more = header[482]
        while more:
            block = self._read(BLOCK)
            more = block[504] if len(block) == BLOCK else 0

    def _announce(self, member: Member) -> None:
        """Check the size of the content that follows the header, and note where it ends."""
        if member.type in _NO_DATA:
            member.size = 0
        size = member.size
        if size > self._limits.expanded:
            kind = "absurd-size" if size >= ABSURD or self._whole else "limit"
            raise Finding(kind, f"{self._where}: {member.name}", f"at most {self._limits.expanded} bytes", size)
        self._end = self._position + size
        self._next = self._end + -size % BLOCK

    def _extend(self, member: Member, extended: dict[str, bytes], common: dict[str, bytes]) -> None:
        """Read an extended header, which describes the next member (x, L, K) or all that follow (g)."""
        if member.size > self._limits.path:
            most = f"an extended header of at most {self._limits.path} bytes"
            raise Finding("limit", f"{self._where}: {member.name}", most, member.size)
        data = b"".join(self.content())
        if member.type == "L":
            extended.setdefault("path", data.rstrip(b"\0"))
        elif member.type == "K":
            extended.setdefault("linkpath", data.rstrip(b"\0"))
        else:
            (extended if member.type == "x" else common).update(self._records(data, member.name))

    def _records(self, data: bytes, name: str) -> dict[str, bytes]:
        """Parse PAX records: ``length key=value`` and a newline, where the length is that of the whole record."""
        records: dict[str, bytes] = {}
        while data:
            digits, _, rest = data[:20].partition(b" ")
            length = int(digits) if digits.isdigit() else 0
            record = data[len(digits) + 1 : length]
            key, equals, value = record.partition(b"=")
            if not rest or length > len(data) or not equals or not value.endswith(b"\n"):
                raise Finding("bad-tar-header", f"{self._where}: {name}", "a pax record", _text(data[:60]))
            records[_text(key)] = value[:-1]
            data = data[length:]
        return records

    def _finish(self, member: Member, records: dict[str, bytes]) -> None:
        """Replace the fields of the header by the values of the extended header."""
        member.xattrs = {
            key[len(_XATTR) :]: value for key, value in records.items() if key.startswith(_XATTR)
        } or NO_XATTRS
        if any(key.startswith("GNU.sparse.") for key in records):
            member.type = "S"
        if "path" in records:
            member.name = _text(records.get("GNU.sparse.name", records["path"]))
        if "linkpath" in records:
            member.link = _text(records["linkpath"])
        for key in ("uid", "gid", "size"):
            if key in records:
                setattr(member, key, self._decimal(records[key], member.name))
        if "size" in records:
            self._announce(member)
        if "mtime" in records:
            member.mtime_ns = self._fraction(records["mtime"], member.name)

    def _decimal(self, raw: bytes, name: str) -> int:
        if not raw.isdigit() or len(raw) > 24:
            raise Finding("bad-tar-header", f"{self._where}: {name}", "a number of 0 or more", _text(raw[:60]))
        return int(raw)

    def _fraction(self, raw: bytes, name: str) -> int:
        """Decimal seconds as exact nanoseconds: a float would round them."""
        sign = -1 if raw.startswith(b"-") else 1
        whole, _, fraction = raw.lstrip(b"-").partition(b".")
        if not (whole or fraction) or not (whole + fraction).isdigit() or len(whole) > 24:
            raise Finding("bad-tar-header", f"{self._where}: {name}", "a time in seconds", _text(raw[:60]))
        return sign * (int(whole or b"0") * 10**9 + int(fraction[:9].ljust(9, b"0")))


def _text(raw: bytes) -> str:
    """The bytes up to the first NUL as text; encoding it gives the same bytes."""
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
