"""Digests as people read them: short, with a chip of colour, so that equal ones look equal."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..digest import Digest
from .palette import hue
from .table import table

__all__ = ["DigestTable", "brief", "chip"]


def brief(digest: str) -> str:
    """The algorithm and the first twelve digits.

    Example:
        >>> brief(Digest.of(b""))
        'sha256:e3b0c44298fc…'
    """
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}…"


def chip(digest: Digest) -> str:
    """A digest in HTML: a swatch of its colour, the short form, and the whole on hover."""
    box = f"display:inline-block;width:0.8em;height:0.8em;border-radius:3px;background-color:{hue(digest)}"
    return f'<span style="{box}"></span> <code title="{html.escape(digest)}">{html.escape(brief(digest)).replace(":", ":<wbr>")}</code>'


@dataclass(frozen=True, slots=True)
class DigestTable:
    """A table whose digests have chips.

    Args:
        columns: The headings.
        rows: One sequence a row; a `Digest` in it gets its chip, a tuple of digests one each.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> DigestTable:
        """Make a table from any sequences."""
        return cls(tuple(columns), tuple(tuple(row) for row in rows))

    def frame(self) -> Any:
        """The same rows as a pandas frame, to sort, filter and join; a plain table where pandas is not installed."""
        return table(self.columns, [[_plain(cell) for cell in row] for row in self.rows])

    def __repr__(self) -> str:
        lines = [self.columns, *([_plain(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        left = 'style="text-align:left"'
        head = "".join(f"<th {left}>{html.escape(name)}</th>" if name else "<td></td>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td {left}>{_rich(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _plain(cell: Any) -> str:
    if isinstance(cell, Digest):
        return brief(cell)
    if isinstance(cell, tuple):
        return ", ".join(map(_plain, cell))
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _rich(cell: Any) -> str:
    if isinstance(cell, tuple):
        return "<br>".join(map(_rich, cell))
    if isinstance(cell, Digest):
        return chip(cell)
    # A name or a path may be broken at its colons, where a page is narrow.
    text = html.escape(_plain(cell))
    return text.replace(":", ":<wbr>") if len(text) > 20 else text
