"""Flip one bit of a document, and compare the digests before and after."""

from __future__ import annotations

import json

from overlaylab.image.digest import Digest, digest_bytes
from overlaylab.image.document import field_at
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.panel import Panel, button, number_field, step_button
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import CHAR, Sheet
from overlaylab.views.kit.text import hex_dump, letter
from overlaylab.words import say

ROWS, CELL, LINE = 3, 27, 27


def flip_bit(data: bytes, position: int, bit: int = 0) -> bytes:
    """The same bytes with one bit flipped.

    Args:
        position: Which byte, counted from 0.
        bit: Which bit of it: 0 is worth 1, 1 is worth 2, … 7 is worth 128.

    Example:
        >>> flip_bit(b"cat", 0)
        b'bat'
    """
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def differing(one: str, other: str) -> int:
    """The number of places at which two texts of the same length differ.

    Example:
        >>> differing("cat", "bag")
        2
    """
    return sum(a != b for a, b in zip(one, other, strict=True))


def flip_picture(before: bytes, now: bytes, position: int) -> Picture:
    """The bytes around the offset of the chosen byte, what changed, and the digests before and now."""
    changed = {i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b}
    old, new = digest_bytes(before), digest_bytes(now)
    count = differing(old.hex, new.hex)
    first = max(0, min(position // 16 - 1, (len(now) - 1) // 16 - ROWS + 1)) * 16
    title = say(
        "flipper.title", position=f"{position:,}", last=f"{len(now) - 1:,}", field=field_at(before, position) or "–"
    )
    sheet = Sheet("flip")
    sheet.text(0, 0, title)
    _bytes(sheet, now, first, position, changed)
    sheet.text(66, 30 + ROWS * LINE, _byte(before, now, position), face=MONO, width=90 * CHAR)
    sheet.text(66, 54 + ROWS * LINE, say("flipper.legend"))
    _digests(sheet, old, new, 92 + ROWS * LINE, _verdict(count, now, bool(changed)))
    text = [title, hex_dump(now, first, ROWS, {position}), _byte(before, now, position), ""]
    text += [f"{say('flipper.before'):7} {old}", f"{say('flipper.now'):7} {new}"]
    text += [f"{'':7} {_tildes(old, new)}".rstrip(), _verdict(count, now, bool(changed))]
    alt = say("flipper.alt", position=f"{position:,}", flipped=len(changed), count=count)
    return Picture(sheet.dot, alt, "\n".join(text))


def _bytes(sheet: Sheet, data: bytes, first: int, position: int, changed: set[int]) -> None:
    """A hex dump: sixteen bytes a row, numbers at the left, letters at the right."""
    for row, offset in enumerate(range(first, min(first + 16 * ROWS, len(data)), 16)):
        y = 30 + row * LINE
        sheet.text(0, y, f"{offset:6,}", face=MONO)
        for column, place in enumerate(range(offset, min(offset + 16, len(data)))):
            left, right = 66 + column * CELL, 66 + 16 * CELL + 24 + column * 15
            if place == position or place in changed:
                style = "upper" if place in changed else "equal"
                sheet.box(left - 2, y - 1, 25, 22, "", style, title=f"{say('flipper.position')} {place}")
                sheet.box(right - 3, y - 1, 16, 22, "", style, title=f"{say('flipper.position')} {place}")
            sheet.text(left + 2, y, f"{data[place]:02x}", width=20, face=MONO)
            sheet.text(right, y, letter(data[place]), width=12, face=MONO)


def _digests(sheet: Sheet, old: Digest, new: Digest, y: float, verdict: str) -> None:
    sheet.box(0, y, 772, 112, "", "hash", title="sha256")
    for row, (kind, digest) in enumerate(((say("flipper.before"), old), (say("flipper.now"), new))):
        sheet.text(14, y + 8 + row * 24, kind)
        sheet.chip(84, y + 11 + row * 24, digest)
        sheet.text(108, y + 8 + row * 24, digest, width=80 * CHAR, face=MONO)
    sheet.text(108, y + 52, _tildes(old, new), width=80 * CHAR, face=MONO)
    sheet.text(14, y + 82, verdict)


def _tildes(old: str, new: str) -> str:
    """A line with ~ at each place where two digests differ."""
    return "".join("~" if a != b else " " for a, b in zip(old, new, strict=True)).rstrip()


def _verdict(count: int, now: bytes, changed: bool) -> str:
    if not changed:
        return say("flipper.same")
    return say("flipper.differ", count=count, json=say("flipper.is_json" if _is_json(now) else "flipper.no_json"))


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8"))
    except ValueError:
        return False
    return True


def _byte(before: bytes, now: bytes, position: int) -> str:
    """One byte before and after: in hex, as bits, as a letter."""
    if before[position] == now[position]:
        return say("flipper.byte_same", byte=f'{now[position]:02x} = {now[position]:08b} = "{letter(now[position])}"')
    old, new = (f'{data[position]:02x} = {data[position]:08b} = "{letter(data[position])}"' for data in (before, now))
    return say("flipper.byte", old=old, new=new)


class ByteFlipper(Panel):
    """Choose a byte, flip a bit, see the digest.

    Args:
        byte: The offset of the byte to begin with.
        flipped: Whether its lowest bit is flipped at the beginning.
    """

    def __init__(self, data: bytes, byte: int = 0, flipped: bool = False) -> None:
        self.before = data
        self.now = flip_bit(data, byte) if flipped else data
        self.byte = number_field(say("flipper.position"), byte, least=0, most=len(data) - 1, width="11em")
        self.bit = number_field(say("flipper.bit"), 0, least=0, most=7, width="6em")
        self.byte.observe(self.redraw, "value")
        self.back = step_button(say("flipper.back"), self.byte, -1)
        self.next = step_button(say("flipper.next"), self.byte, 1)
        self.flip = button(say("flipper.flip"), self._flip)
        self.reset = button(say("flipper.reset"), lambda _: self._set(self.before))
        super().__init__([self.byte, self.back, self.next, self.bit, self.flip, self.reset])

    def _flip(self, _: object) -> None:
        self._set(flip_bit(self.now, self.byte.value, self.bit.value))

    def _set(self, data: bytes) -> None:
        self.now = data
        self.redraw()

    def show(self) -> Picture:
        """The chosen byte and its neighbours, and both digests."""
        return flip_picture(self.before, self.now, self.byte.value)
