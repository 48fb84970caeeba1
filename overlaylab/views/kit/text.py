"""Text that a notebook shows: a function's source, hex dumps, long values cut, columns aligned."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Sequence
from typing import Any

from overlaylab.words import printable

_LONG_HEX = re.compile("[0-9a-f]{64}")


class Source(str):
    """Python source, which a notebook shows with syntax highlighting."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/markdown": f"```python\n{self}\n```"}


def source(function: Callable[..., Any]) -> Source:
    """Show how a function of this package is written. There is nothing behind it."""
    return Source(textwrap.dedent(inspect.getsource(function)).rstrip())


def cut(text: str, limit: int = 60) -> str:
    """The text; where it is longer than `limit`, its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def short_digests(text: str) -> str:
    """A text from outside, safe to print, with every 64 hex digits cut to twelve."""
    return _LONG_HEX.sub(lambda found: found[0][:12] + "…", printable(text))


def short_name(name: str) -> str:
    """A long name by its first twelve characters, and an ellipsis."""
    return name if len(name) <= 12 else f"{name[:12]}…"


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows of one length as lines of text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def size_text(count: int) -> str:
    """A number of bytes as people read it, exact below 10,000.

    Example:
        >>> size_text(1234), size_text(5_300_000_000)
        ('1,234 B', '5.3 GB')
    """
    if count < 10_000:
        return f"{count:,} B"
    for unit, size in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e9:,.1f} GB"


def hex_dump(data: bytes, start: int = 0, rows: int = 4, marked: Collection[int] = ()) -> str:
    """A hex dump: sixteen bytes a row, as numbers and as letters.

    Args:
        start: Offset of a byte in the first row, which begins at a multiple of 16.
        marked: Offsets of bytes that are put in square brackets.

    Example:
        >>> print(hex_dump(b"hello", marked=[1]))
             0   68 [65] 6c  6c  6f                                          h[e]llo
    """
    first = start - start % 16
    lines = []
    for offset in range(first, min(first + 16 * rows, len(data)), 16):
        places = range(offset, min(offset + 16, len(data)))
        numbers = "".join(f"[{data[i]:02x}]" if i in marked else f" {data[i]:02x} " for i in places)
        letters = "".join(f"[{letter(data[i])}]" if i in marked else letter(data[i]) for i in places)
        lines.append(f"{offset:6,}  {numbers:64}  {letters}".rstrip())
    return "\n".join(lines)


def letter(byte: int) -> str:
    """A byte as a letter, or a dot if it is not printable ASCII."""
    return chr(byte) if 32 <= byte < 127 else "·"
