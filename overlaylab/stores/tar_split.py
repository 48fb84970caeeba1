"""A layer's tar, rebuilt byte for byte from the layer's directory and a tar-split file.

    {"type": 2, "payload": …}                          raw bytes: headers, padding, the closing zeros
    {"type": 1, "name": …, "size": …, "payload": …}    the content of a file, with its CRC-64

Docker and containers-storage unpack a layer and keep no tar of it. They keep this file, one JSON object a line, so that
a push gives the same bytes again. It also proves the directory: the SHA-256 of the rebuilt tar must be the diff_id.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.image.compression import Inflated
from overlaylab.image.document import Node, parse_json
from overlaylab.image.image import Layer
from overlaylab.stores.files.place import Place
from overlaylab.tree import clean

from .unpacked_store import UnpackedStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer


CHUNK = 1 << 18

# The longest line that tar-split itself writes holds one mebibyte of padding, in base64.
LINE = 8 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of a tar-split file: raw bytes, or the content of a file.

    Args:
        raw: The bytes; None where a file's content belongs.
        name: The member's name as it stands in the tar; empty for raw bytes.
        size: Bytes of content.
        crc: The CRC-64 of the content, 8 bytes; empty if there is none.
    """

    raw: bytes | None
    name: str = ""
    size: int = 0
    crc: bytes = b""


class TarSplit:
    """A layer's tar-split file and the directory that holds the files' contents.

    Args:
        place: Where both lie.
        path: The tar-split file, compressed or not.
        directory: The content of the layer's directory, such as its ``diff/``.

    Spec:
        vbatts/tar-split, tar/storage, "Entry"; its ``position`` counts from 0 without gaps.
    """

    def __init__(self, place: Place, path: str, directory: str) -> None:
        self.place, self.path, self.directory = place, path, directory
        self.where = f"{place.where}: {path}"

    def pieces(self) -> Iterator[Piece]:
        """The lines, in their order.

        Raises:
            Finding: ``bad-compression``, ``bad-json``, ``tarsplit-order``, ``limit``, ``absurd-size``.
        """
        limits = self.place.limits
        with self.place.open(self.path) as packed:
            lines = io.BufferedReader(Inflated(packed, self.where, limits), CHUNK)
            for number, line in enumerate(iter(lambda: lines.readline(LINE + 1), b"")):
                if len(line) > LINE:
                    raise Finding("limit", f"{self.where}: line {number + 1}", f"at most {LINE} bytes", "more")
                if number > 3 * limits.entries:
                    raise Finding("limit", self.where, f"at most {3 * limits.entries} lines", "more")
                yield self._piece(line, number)

    def _piece(self, line: bytes, number: int) -> Piece:
        node = parse_json(line, f"{self.where}: line {number + 1}", "bad-json", LINE)
        position = node.get("position")
        if position is None or position.integer() != number:
            found = "no position" if position is None else position.value
            raise Finding("tarsplit-order", f"{self.where}: line {number + 1}", f"position {number}", found)
        payload = _decoded(node, "payload")
        match node.need("type").integer():
            case 2:
                return Piece(payload)
            case 1:
                size = node.get("size")
                return Piece(None, _name(node), size.integer() if size else 0, payload)
            case other:
                raise Finding("bad-json", f"{node.where}.type", "1 or 2", other)

    def content(self, piece: Piece) -> Iterator[bytes]:
        """The content of one file of the directory, in chunks; no symlink on the way is followed.

        Raises:
            Finding: ``missing-content``, ``size-mismatch``, ``path-escape``, ``changed-while-reading``.
        """
        path = f"{self.directory}/{clean(piece.name, self.where)[0]}"
        if not self.place.is_plain_file(path):
            if self.place.type_of(self.directory) is None:
                # It was there when the store was opened.
                raise Finding("changed-while-reading", f"{self.place.where}: {self.directory}", "a folder", "nothing")
            expected = f"a file of {piece.size} bytes"
            raise Finding("missing-content", f"{self.place.where}: {path}", expected, "no such file")
        left = piece.size
        with self.place.open_plain(path) as file:
            while data := file.read(CHUNK):
                left -= len(data)
                yield data
                if left < 0:
                    break
        if left:
            found = "more" if left < 0 else f"{piece.size - left} bytes"
            raise Finding("size-mismatch", f"{self.place.where}: {path}", f"{piece.size} bytes", found)

    def tar(self) -> Iterator[bytes]:
        """The tar, in chunks.

        Raises:
            Finding: what `pieces` and `content` raise, and ``limit`` for a tar that is larger than allowed.
        """
        total = 0
        for piece in self.pieces():
            for data in self.content(piece) if piece.size and piece.raw is None else (piece.raw or b"",):
                total += len(data)
                if total > self.place.limits.expanded:
                    raise Finding("limit", self.where, f"a tar of at most {self.place.limits.expanded} bytes", "more")
                yield data

    def changed_files(self) -> Iterator[Problem]:
        """Report the files whose content differs from the recorded CRC-64.

        For use after the digest of the whole tar differs: a CRC-64 in Python is slow, and proves nothing by itself.
        """
        for piece in self.pieces():
            if not piece.size or len(piece.crc) != 8:
                continue
            value = 0
            for data in self.content(piece):
                value = crc64(data, value)
            if value.to_bytes(8, "big") != piece.crc:
                path = f"{self.place.where}: {self.directory}/{clean(piece.name, self.where)[0]}"
                yield Problem("crc-mismatch", path, f"CRC-64 {piece.crc.hex()}", f"{value:016x}")


class RebuiltTar(io.RawIOBase):
    """A rebuilt tar as a stream. It is not seekable, because it is made while it is read."""

    def __init__(self, tar_split: TarSplit) -> None:
        self._chunks, self._rest = tar_split.tar(), memoryview(b"")

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer as far as one chunk reaches; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    @classmethod
    def open(cls, tar_split: TarSplit) -> BinaryIO:
        """The tar as a buffered stream."""
        return io.BufferedReader(cls(tar_split), CHUNK)


def _decoded(node: Node, key: str) -> bytes:
    """A base64 field, decoded; empty if it is absent, null or empty."""
    text = node.string(key)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Finding("bad-json", f"{node.where}.{key}", "base64", text[:60]) from None


def _name(node: Node) -> str:
    """A member's name; a name that is not UTF-8 is in ``name_raw``."""
    raw = _decoded(node, "name_raw")
    return raw.decode("utf-8", "surrogateescape") if raw else node.string("name")


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xD800000000000000 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()
_ONES = (1 << 64) - 1


def crc64(data: bytes, value: int = 0) -> int:
    """The CRC-64 of some bytes.

    Args:
        data: The bytes.
        value: The CRC-64 of the bytes before them.

    Spec:
        ISO 3309, reflected polynomial 0xD800000000000000, start and end with all bits inverted, as Go's hash/crc64.

    Example:
        >>> f"{crc64(b'123456789'):x}"
        'b90956c775a41001'
    """
    value ^= _ONES
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ _ONES


class TarSplitStore(UnpackedStore):
    """A store that unpacks a layer, drops its tar, and keeps a tar-split file to rebuild it from."""

    def _tar_split_path(self, layer: Layer) -> str:
        """Where the tar-split file of an unpacked layer lies, relative to the store's root."""
        raise NotImplementedError

    def tar_split(self, layer: Layer) -> TarSplit | None:
        """What the store kept to rebuild a layer's tar; None if that is gone."""
        if layer.directory is None or not self.place.has(path := self._tar_split_path(layer)):
            return None
        return TarSplit(self.place, path, self.driver.content(layer.directory))

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """The layer's tar, rebuilt from its directory; None without a tar-split file."""
        tar_split = self.tar_split(layer)
        return RebuiltTar.open(tar_split) if tar_split else None

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """The files of a layer's directory whose content differs from the recorded checksum."""
        tar_split = self.tar_split(layer)
        return tar_split.changed_files() if tar_split else iter(())
