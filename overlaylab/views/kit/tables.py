"""Tables: a pandas frame, a plain table where pandas is not installed, and a table with digest chips."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.image.digest import Digest

from .palette import hue
from .text import columns as aligned


def brief(digest: str) -> str:
    """The algorithm and the first twelve digits.

    Example:
        >>> brief(Digest.of(b""))
        'sha256:e3b0c44298fc…'
    """
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}…"


def chip(digest: Digest) -> str:
    """A digest in HTML: a swatch of its colour, the short form, and the whole digest on hover."""
    box = f"display:inline-block;width:0.8em;height:0.8em;border-radius:3px;background-color:{hue(digest)}"
    text = html.escape(brief(digest)).replace(":", ":<wbr>")
    return f'<span style="{box}"></span> <code title="{html.escape(digest)}">{text}</code>'


@dataclass(frozen=True, slots=True)
class DigestTable:
    """A table that shows a chip for each digest.

    Args:
        rows: One tuple a row; each `Digest` in a cell, or in a tuple that is a cell, gets a chip.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> DigestTable:
        """A table from any sequences."""
        return cls(tuple(columns), tuple(tuple(row) for row in rows))

    def frame(self) -> Any:
        """The same rows as a pandas frame, to sort, filter and join; a plain table where pandas is not installed."""
        return table(self.columns, [[_plain(cell) for cell in row] for row in self.rows])

    def __repr__(self) -> str:
        return "\n".join(aligned([self.columns, *([_plain(cell) for cell in row] for row in self.rows)]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        left = 'style="text-align:left"'
        head = "".join(f"<th {left}>{html.escape(name)}</th>" if name else "<td></td>" for name in self.columns)
        return html_table(head, ("".join(f"<td {left}>{_rich(cell)}</td>" for cell in row) for row in self.rows))


def html_table(head: str, rows: Iterable[str]) -> str:
    """A table in HTML, from the cells of its heading and of each row, as HTML."""
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
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
    # A narrow page may break a long name or path at its colons.
    text = html.escape(_plain(cell))
    return text.replace(":", ":<wbr>") if len(text) > 20 else text


# JupyterLab aligns cells to the right, which suits numbers only.
LEFT = 'style="text-align: left"'


class Text(str):
    """Text that a notebook shows as lines, not as a quoted string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Table:
    """A table for a machine without pandas; `index` holds the headings of the rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    index: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        rows = [(str(name), *map(str, row)) for name, row in zip(self.index, self.rows, strict=True)]
        return "\n".join(aligned([("", *self.columns), *rows]))

    def _repr_html_(self) -> str:
        head = f"<td></td>{''.join(f'<th {LEFT}>{html.escape(name)}</th>' for name in self.columns)}"
        rows = (
            f"<th {LEFT}>{html.escape(str(name))}</th>"
            + "".join(f"<td {LEFT}>{html.escape(str(cell))}</td>" for cell in row)
            for name, row in zip(self.index, self.rows, strict=True)
        )
        return html_table(head, rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A table whose first column names the rows.

    Args:
        columns: The headings; that of the first column is not shown.

    Returns:
        A `pandas.DataFrame`, or a `Table` where pandas is not installed.
    """
    index = tuple(row[0] for row in rows)
    cells = tuple(tuple(row[1:]) for row in rows)
    try:
        import pandas  # noqa: PLC0415  (slow to load, and not everywhere installed)
    except ImportError:
        return Table(tuple(columns[1:]), cells, index)
    # dtype=object: a None or a text among numbers must not change how the numbers are shown.
    return _frame_class(pandas)(list(cells), index=list(index), columns=list(columns[1:]), dtype=object)


@functools.cache
def _frame_class(pandas: Any) -> Callable[..., Any]:
    """A pandas frame that shows its texts uncut and aligned to the left; what is computed from it is a plain frame."""
    options = ("display.max_colwidth", None, "display.max_columns", None, "display.max_rows", 200, "display.width", 240)

    class Frame(pandas.DataFrame):
        def __repr__(self) -> str:
            with pandas.option_context(*options):
                return str(super().__repr__())

        def _repr_html_(self) -> str | None:
            with pandas.option_context(*options):
                shown: str | None = super()._repr_html_()
            if shown is None:
                return None
            # The corner cell heads nothing, so it must be no heading.
            shown = shown.replace("<th></th>", "<td></td>").replace("<td>", f"<td {LEFT}>")
            return shown.replace("<th>", f"<th {LEFT}>").replace("text-align: right;", "text-align: left;")

    Frame.__name__ = Frame.__qualname__ = "DataFrame"
    return Frame
