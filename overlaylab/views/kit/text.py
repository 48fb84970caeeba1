"""Text that a notebook shows: a function's source, bytes as numbers and letters, long values cut."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["Source", "cut", "hex_dump", "size_text", "source"]


class Source(str):
    """Python source, shown in the page's own colours."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/markdown": f"```python\n{self}\n```"}


def source(function: Callable[..., Any]) -> Source:
    """Show how a function of this package is written. There is nothing behind it."""
    return Source(textwrap.dedent(inspect.getsource(function)).rstrip())


def cut(text: str, limit: int = 60) -> str:
    """The text, or its beginning and an ellipsis where it is longer than `limit`."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def size_text(count: int) -> str:
    """Bytes as people read them, exact while they are few.

    Example:
        >>> size_text(1234), size_text(5_300_000_000)
        ('1,234 B', '5.3 GB')
    """
    if count < 10_000:
        return f"{count:,} B"
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{count:,.1f} {unit}"
    return f"{count / 1000:,.1f} GB"


def hex_dump(data: bytes, start: int = 0, rows: int = 4, marked: Collection[int] = ()) -> str:
    """Bytes as numbers and as letters, sixteen a row.

    Args:
        data: The bytes.
        start: Position of the first row; it begins at the multiple of 16 at or below.
        rows: How many rows.
        marked: Positions that stand in square brackets.

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
    """A byte as a letter, or a dot where it is none that can be printed."""
    return chr(byte) if 32 <= byte < 127 else "·"
