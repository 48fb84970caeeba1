"""The layer tar, rebuilt byte for byte from a directory and the recipe that lies beside it.

    {"type": 2, "payload": …}                      raw bytes: headers, padding, the closing zeros
    {"type": 1, "name": …, "size": …, "payload": …}  the content of a file, with its CRC-64

Docker and containers-storage unpack a layer and keep no tar of it. What they keep is this recipe, one JSON object a
line, so that a push gives the same bytes again. It also proves the directory: the SHA-256 of the rebuilt tar must be the
diff_id.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.image.compression import Inflated
from overlaylab.image.document import Node, parse_json
from overlaylab.image.image import Layer
from overlaylab.stores.files.place import Place
from overlaylab.tree import clean

__all__ = ["KeepsRecipes", "Piece", "Rebuilt", "Recipe", "crc64"]

CHUNK = 1 << 18

# The longest line that tar-split itself writes holds one mebibyte of padding, in base64.
LINE = 8 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of a recipe: raw bytes, or the content of a file.

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


class Recipe:
    """A layer's recipe and the directory that it speaks of.

    Args:
        place: Where both lie.
        path: The recipe, compressed or not.
        directory: The layer's ``diff/``.

    Spec:
        vbatts/tar-split, tar/storage, "Entry"; its ``position`` counts from 0 without gaps.
    """

    def __init__(self, place: Place, path: str, directory: str) -> None:
        self.place, self.path, self.folder = place, path, directory
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
        """The content of one file of the directory, bit by bit; no symlink on the way is followed.

        Raises:
            Finding: ``missing-content``, ``size-mismatch``, ``path-escape``, ``changed-while-reading``.
        """
        path = f"{self.folder}/{clean(piece.name, self.where)[0]}"
        if not self.place.is_plain_file(path):
            if self.place.type_of(self.folder) is None:
                # It was there when the store was opened.
                raise Finding("changed-while-reading", f"{self.place.where}: {self.folder}", "a folder", "nothing")
            raise Finding(
                "missing-content", f"{self.place.where}: {path}", f"a file of {piece.size} bytes", "no such file"
            )
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
        """The tar, bit by bit.

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
        """Name the files whose content is no longer what the recipe recorded.

        This is asked when the digest of the whole does not fit: a CRC-64 in Python is slow, and proves nothing.
        """
        for piece in self.pieces():
            if not piece.size or len(piece.crc) != 8:
                continue
            value = 0
            for data in self.content(piece):
                value = crc64(data, value)
            if value.to_bytes(8, "big") != piece.crc:
                path = f"{self.place.where}: {self.folder}/{clean(piece.name, self.where)[0]}"
                yield Problem("crc-mismatch", path, f"CRC-64 {piece.crc.hex()}", f"{value:016x}")


class Rebuilt(io.RawIOBase):
    """A rebuilt tar as something to read from. It cannot be sought: it is made while it is read."""

    def __init__(self, recipe: Recipe) -> None:
        self._pieces, self._rest = recipe.tar(), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    @classmethod
    def open(cls, recipe: Recipe) -> BinaryIO:
        """The tar, with a buffer."""
        return io.BufferedReader(cls(recipe), CHUNK)


def _decoded(node: Node, key: str) -> bytes:
    """A field of base64; no bytes if it is absent, null or empty."""
    text = node.string(key)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Finding("bad-json", f"{node.where}.{key}", "base64", text[:60]) from None


def _name(node: Node) -> str:
    """A member's name; ``name_raw`` holds one that is not UTF-8."""
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
    """The CRC-64 of some bytes, going on from the value of those before.

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


class KeepsRecipes:
    """What stores have in common that unpack a layer and keep its recipe."""

    def recipe(self, layer: Layer) -> Recipe | None:
        """What the store kept to rebuild a layer's tar; None if that is gone."""
        raise NotImplementedError

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """The layer's tar, rebuilt from its directory and its recipe; None without a recipe."""
        recipe = self.recipe(layer)
        return Rebuilt.open(recipe) if recipe else None

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """The files of a layer's directory that are not what the recipe recorded."""
        recipe = self.recipe(layer)
        return recipe.changed_files() if recipe else iter(())
