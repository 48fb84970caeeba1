"""Read a bolt database, the format of containerd's metadata: whole, without writing, and safely on damaged files.

A file is a sequence of pages. Two of them, the meta pages, say where the root is; the newer valid one counts. From
there branch pages lead to leaf pages, which hold keys with values, or keys with buckets: nested tables, on pages of
their own or, if they are small, inline in the value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from overlaylab.errors import Finding, Problem
from overlaylab.limits import DEFAULT_LIMITS, Limits

from .place import Place

Bucket = dict[bytes, "bytes | Bucket"]

MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META, IS_BUCKET = 1, 2, 4, 1

# id, flags, count, overflow
PAGE = struct.Struct("<QHHI")

# magic, version, page size, flags; root page and its sequence, freelist, pages in use, transaction
META_FIELDS = struct.Struct("<IIIIQQQQQ")

# A database has the page size of the machine that created it.
PAGE_SIZES = tuple(1 << bits for bits in range(9, 18))

DEPTH = 24

# The first bytes of a file that hold both meta pages, whatever the page size.
HEAD = 2 * PAGE_SIZES[-1]

TRIES = 5


@dataclass(frozen=True, slots=True)
class Meta:
    """The fields of a valid meta page that are needed."""

    page_size: int
    root: int
    pages: int
    transaction: int


def looks_like_bolt(data: bytes) -> bool:
    """Whether a file that begins with these bytes is a bolt database, intact or damaged: by its header or its magic."""
    if data[:16] == PAGE.pack(0, META, 0, 0):
        return True
    return any(data[at : at + 4] == struct.pack("<I", MAGIC) for at in (16, *(size + 16 for size in PAGE_SIZES)))


def read_bolt(data: bytes, where: str, limits: Limits = DEFAULT_LIMITS) -> Bucket:
    """Read all buckets of a bolt file.

    Args:
        data: The file's bytes, copied while no program wrote to it.
        where: What findings call it.
        limits: Bounds on the number of elements.

    Raises:
        Finding: ``empty``, ``not-bolt``, ``bad-checksum``, ``truncated``, ``bad-page``, ``page-cycle``, ``limit``.

    Spec:
        go.etcd.io/bbolt, page.go, bucket.go, db.go, "meta".
    """
    if not data:
        raise Finding("empty", f"{where}: bolt", "a meta page", "no bytes")
    meta = _newest(data, f"{where}: bolt")
    return _Reading(data, f"{where}: bolt", meta, limits).bucket_of(meta.root)


def read_database(place: Place, path: str) -> tuple[Bucket, bool]:
    """Read a database that an engine may be writing to, without a lock.

    bolt never overwrites a page that its newest transaction needs. So if that transaction is the same before and after
    the file was copied, the copy is consistent.

    Args:
        place: Holds the file.
        path: Of the file.

    Returns:
        The buckets, and whether the database did not change meanwhile.

    Raises:
        Finding: See `read_bolt`.
    """
    where = f"{place.where}: {path}"
    for _ in range(TRIES):
        data = place.read(path, place.limits.database)
        with place.open(path) as again:
            steady = again.read(HEAD) == data[:HEAD]
        if steady:
            return read_bolt(data, where, place.limits), True
    return read_bolt(data, where, place.limits), False


def _newest(data: bytes, where: str) -> Meta:
    """The valid meta page with the higher transaction; the second lies one page behind the first."""
    found, seen = [], False
    for offset in (0, *PAGE_SIZES):
        meta = _meta(data, offset)
        seen = seen or data[offset + 16 : offset + 20] == struct.pack("<I", MAGIC)
        if meta and (offset == 0 or meta.page_size == offset):
            found.append(meta)
    if not found:
        expected = "a meta page whose checksum holds" if seen else "bolt's magic number in a meta page"
        raise Finding("bad-checksum" if seen else "not-bolt", where, expected, "none")
    return max(found, key=lambda meta: meta.transaction)


def _meta(data: bytes, offset: int) -> Meta | None:
    raw = data[offset + 16 : offset + 16 + META_FIELDS.size + 8]
    if len(raw) < META_FIELDS.size + 8:
        return None
    magic, version, size, _, root, _, _, pages, number = META_FIELDS.unpack_from(raw)
    good = magic == MAGIC and version == VERSION and size in PAGE_SIZES
    if not good or int.from_bytes(raw[META_FIELDS.size :], "little") != _fnv(raw[: META_FIELDS.size]):
        return None
    return Meta(size, root, pages, number)


def _fnv(data: bytes) -> int:
    """FNV-1a with 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


class _Reading:
    """One traversal of a file: each page is visited once, and no more bytes are copied than the file has."""

    def __init__(self, data: bytes, where: str, meta: Meta, limits: Limits) -> None:
        self._data, self._where, self._meta, self._limits = memoryview(data), where, meta, limits
        self._met: set[int] = set()
        self._taken = self._entries = 0

    def bucket_of(self, page: int, depth: int = 0) -> Bucket:
        """The bucket whose root is this page."""
        bucket: Bucket = {}
        waiting = [page]
        while waiting:
            number = waiting.pop()
            view, flags, count = self._page(number)
            if flags & BRANCH:
                waiting += reversed(list(self._children(view, count, number)))
            else:
                self._fill(bucket, view, count, f"page {number}", depth)
        return bucket

    def _page(self, number: int) -> tuple[memoryview, int, int]:
        """A page with its overflow pages, its flags, and the number of its elements."""
        where = f"{self._where} page {number}"
        if number in self._met:
            raise Finding("page-cycle", where, "a page that was not met before", "one that was")
        self._met.add(number)
        if not 1 < number < self._meta.pages:
            raise Finding("bad-page", where, f"a page from 2 to {self._meta.pages - 1}", number)
        size, start = self._meta.page_size, number * self._meta.page_size
        if start + size > len(self._data):
            raise Finding("truncated", where, f"a file of {start + size} bytes", f"{len(self._data)} bytes")
        stored, flags, count, overflow = PAGE.unpack_from(self._data, start)
        if stored != number or flags not in (BRANCH, LEAF):
            raise Finding("bad-page", where, f"branch or leaf page {number}", f"page {stored} with flags {flags:#x}")
        if start + (1 + overflow) * size > len(self._data):
            raise Finding("truncated", where, f"{overflow} more pages", f"a file of {len(self._data)} bytes")
        return self._data[start : start + (1 + overflow) * size], flags, count

    def _children(self, view: memoryview, count: int, number: int) -> Iterator[int]:
        self._check(16 + 16 * count <= len(view), f"page {number}", f"{count} elements")
        for index in range(count):
            yield struct.unpack_from("<IIQ", view, 16 + 16 * index)[2]

    def _fill(self, bucket: Bucket, view: memoryview, count: int, where: str, depth: int) -> None:
        """Add the elements of a leaf page, or of an inline page, to a bucket."""
        self._check(16 + 16 * count <= len(view), where, f"{count} elements")
        if depth > DEPTH:
            raise Finding("limit", f"{self._where} {where}", f"buckets at most {DEPTH} deep", "more")
        for index in range(count):
            flags, offset, key_size, size = struct.unpack_from("<IIII", view, 16 + 16 * index)
            start = 16 + 16 * index + offset
            inside = offset >= 16 and start + key_size + size <= len(view)
            self._check(inside, where, f"element {index} from byte {start} on, {key_size + size} long")
            key, value = bytes(view[start : start + key_size]), view[start + key_size : start + key_size + size]
            self._take(16 + key_size + (0 if flags & IS_BUCKET else size))
            nested = flags & IS_BUCKET
            bucket[key] = self._inner(value, f"{where}, bucket {key!r:.60}", depth + 1) if nested else bytes(value)

    def _inner(self, value: memoryview, where: str, depth: int) -> Bucket:
        """A nested bucket: the number of its root page, or an inline page if that is 0."""
        self._check(len(value) >= 16, where, f"{len(value)} bytes")
        (root,) = struct.unpack_from("<Q", value)
        if root:
            return self.bucket_of(root, depth)
        self._check(len(value) >= 32, where, f"{len(value)} bytes")
        _, flags, count, _ = PAGE.unpack_from(value, 16)
        self._check(flags == LEAF, where, f"flags {flags:#x}")
        bucket: Bucket = {}
        self._fill(bucket, value[16:], count, where, depth)
        return bucket

    def _take(self, size: int) -> None:
        """Count what is copied: overlapping elements could amount to more than the file has."""
        self._taken += size
        self._entries += 1
        self._check(self._taken <= len(self._data), "elements", "elements that overlap")
        if self._entries > self._limits.entries:
            raise Finding("limit", self._where, f"at most {self._limits.entries} elements", "more")

    def _check(self, good: bool, where: str, found: str) -> None:
        if not good:
            raise Finding("bad-page", f"{self._where} {where}", "elements inside their page", found)


def problems_of(data: bytes, where: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Problem, ...]:
    """What is wrong with a bolt database: nothing, or the finding that ended the reading."""
    try:
        read_bolt(data, where, limits)
    except Finding as finding:
        return (finding.problem,)
    return ()
