"""A tar writer: the same member gives the same bytes on every machine.

It is the inverse of `tar_reader`. A header is plain ustar, preceded by PAX records only for values that an old header
cannot hold, as with Go's writer, which the engines use. Python's own ``tarfile`` writes other bytes: it adds a record
``hdrcharset`` for names that are not UTF-8, and pads the end to 10240 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from overlaylab.errors import Finding

from .tar_reader import BLOCK, Member

# Two blocks of zeros end a tar.
END = bytes(2 * BLOCK)

_XATTR = "SCHILY.xattr."

# One more than the largest number in the octal digits of a header: 7 for owners and devices, 11 for sizes and times.
_SHORT, _LONG = 8**7, 8**11


def member_header(member: Member) -> bytes:
    """The header blocks that precede a member's content.

    Args:
        member: Its `offset` is ignored. A directory's name gets its slash here.

    Raises:
        Finding: ``bad-tar-header`` for an attribute with ``=`` in its name, ``absurd-size`` for a device number that
            Linux does not have: a header has no room for these.

    Spec:
        POSIX.1-2017, pax, "ustar Interchange Format", "pax Header Keyword Definitions"; xattrs under
        ``SCHILY.xattr.`` as exact bytes, as GNU tar, libarchive and Go write them.

    Example:
        >>> len(member_header(file_member("motd", 5)))
        512
    """
    name, link = _bytes(member.name), _bytes(member.link)
    if member.type == "5" and not name.endswith(b"/"):
        name += b"/"
    records = _records(member, name, link)
    if not records:
        return _ustar(member, name, link)
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    pax = Member(name="", type="x", mode=0o644, uid=0, gid=0, size=len(body), mtime_ns=0, link="", rdev=(0, 0))
    return _ustar(pax, b"././@PaxHeader", b"") + b"".join(padded([body], len(body))) + _ustar(member, name, link)


def padded(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Content, followed by the zeros that fill its last block."""
    yield from pieces
    yield bytes(-size % BLOCK)


def file_member(name: str, size: int) -> Member:
    """A plain file, owned by root and dated 1970, for archives in which only a member's content matters."""
    return Member(name=name, type="0", mode=0o644, uid=0, gid=0, size=size, mtime_ns=0, link="", rdev=(0, 0))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _records(member: Member, name: bytes, link: bytes) -> dict[bytes, bytes]:
    """PAX records for what an old header cannot hold: long or non-ASCII names, large numbers, exact times, xattrs."""
    records: dict[bytes, bytes] = {}
    for key, text in ((b"path", name), (b"linkpath", link)):
        if len(text) > 100 or not text.isascii():
            records[key] = text
    for key, number, room in (
        (b"uid", member.uid, _SHORT),
        (b"gid", member.gid, _SHORT),
        (b"size", member.size, _LONG),
    ):
        if number >= room:
            records[key] = b"%d" % number
    if member.mtime_ns % 10**9 or not 0 <= member.mtime_ns < _LONG * 10**9:
        records[b"mtime"] = _seconds(member.mtime_ns)
    for attribute, value in member.xattrs.items():
        if "=" in attribute:
            raise Finding("bad-tar-header", member.name, "an attribute name without =", attribute)
        records[_bytes(_XATTR + attribute)] = value
    return records


def _seconds(mtime_ns: int) -> bytes:
    """Decimal seconds; the sign applies to the fraction too: -1.5 is one and a half seconds before 1970."""
    whole, rest = divmod(abs(mtime_ns), 10**9)
    text = f"{'-' if mtime_ns < 0 else ''}{whole}"
    return (f"{text}.{rest:09d}".rstrip("0") if rest else text).encode()


def _record(key: bytes, value: bytes) -> bytes:
    """A PAX record: ``length key=value`` and a newline, where the length includes its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _ustar(member: Member, name: bytes, link: bytes) -> bytes:
    """A ustar header. A value that has a PAX record is cut, or 0: old readers see something harmless."""
    short = name[:100] if member.type == "5" else name[:100].rstrip(b"/")
    seconds = member.mtime_ns // 10**9
    header = bytearray(BLOCK)
    fields = {
        0: short,
        100: _octal(member.mode & 0o7777, 7),
        108: _octal(member.uid, 7),
        116: _octal(member.gid, 7),
        124: _octal(member.size, 11),
        136: _octal(seconds, 11),
        148: b" " * 8,
        156: member.type.encode("ascii"),
        157: link[:100],
        257: b"ustar\x0000",
    }
    if member.type in "34":
        if not all(0 <= number < _SHORT for number in member.rdev):
            raise Finding("absurd-size", member.name, "a device number of Linux", member.rdev)
        fields |= {329: _octal(member.rdev[0], 7), 337: _octal(member.rdev[1], 7)}
    for position, value in fields.items():
        header[position : position + len(value)] = value
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _octal(number: int, digits: int) -> bytes:
    return b"%0*o" % (digits, number if 0 <= number < 8**digits else 0)
