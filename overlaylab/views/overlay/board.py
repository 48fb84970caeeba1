"""The playground's picture: lower layers, upper and merged view side by side, for the directories concerned only.

It never lists a whole stack: each directory shows a bounded number of names, those that just changed first, and counts
the rest. So it is as fast for a large image as for a bowl of fruit.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.tree import Directory, find, parent_of, some
from overlaylab.views.kit.palette import CHANGES, MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import Sheet, fitted
from overlaylab.views.kit.text import columns as aligned
from overlaylab.words import say

from .provenance import labels, layers_of, role_of
from .text import path_text

# The most names of a small stack, which is shown whole; of one directory; the most rows; the most directories.
SMALL, MOST_NAMES, MOST_ROWS, MOST_DIRECTORIES = 14, 10, 18, 3

# A path, and the number of a column -> the text there and its style; None for nothing.
Cells = Mapping[tuple[str, int], tuple[str, str] | None]

# More lower layers than these share one column.
MOST_COLUMNS = 3

WIDTH, WRAP = 900, 108


@dataclass(frozen=True, slots=True)
class Board:
    """What the picture shows.

    Args:
        names: Of its layers, in the order of the mount options.
        changed: Paths that the last command changed, each with its sign from `CHANGES`.
        lit: The path whose lookup is explained.
        head: The line above the picture.
        lines: The lines below it.
    """

    overlay: Overlay
    names: tuple[str, ...] = ()
    changed: Mapping[str, str] = field(default_factory=dict)
    lit: str = ""
    head: str = ""
    lines: Sequence[str] = field(default=())
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the picture: a path, the title of a directory, or the number of names that it leaves out."""

    path: str
    more: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the picture: its role in the palette, its name, and its layers, counted from the bottom."""

    role: str
    name: str
    layers: tuple[int, ...]


def concerned_directories(changed: Iterable[str], lit: str) -> list[str]:
    """The directories of what changed and of what is looked up; else the root."""
    wanted = [parent_of(path)[0] for path in [*([lit] if lit and lit != "." else []), *changed] if path != "."]
    return list(dict.fromkeys(wanted))[:MOST_DIRECTORIES] or ["."]


def _rows(board: Board) -> list[Row]:
    """The rows that are shown."""
    everything = {path for layer in layers_of(board.overlay) for path, _ in some(layer, SMALL + 1)}
    if len(everything) <= SMALL:
        extra = {board.lit} - {"", "."}
        return [Row(path) for path in sorted(everything | extra)]
    rows: list[Row] = []
    shown = concerned_directories(board.changed, board.lit)
    for place in shown:
        rows += _names(board, place, MOST_NAMES if len(shown) == 1 else MOST_ROWS // len(shown) - 1)
    return rows


def _names(board: Board, place: str, most: int) -> list[Row]:
    """Some names of one directory, sorted; names that changed are kept first where there are too many."""
    names: set[str] = set()
    for layer in layers_of(board.overlay):
        directory = find(layer, place)
        if isinstance(directory, Directory):
            names.update(directory.names)
    parents = [parent_of(path) for path in (*board.changed, board.lit) if path not in ("", ".")]
    concerned = {name for parent, name in parents if parent == place}
    if board.lit not in ("", ".") and parent_of(board.lit)[0] == place:
        names.add(parent_of(board.lit)[1])
    first = nsmallest(most, concerned & names)
    rest = [name for name in nsmallest(most, names) if name not in first][: most - len(first)]
    prefix = "" if place == "." else place + "/"
    rows = [Row(prefix + name) for name in sorted(first + rest)]
    title = [Row(place, title=say("board.inside", place=path_text(place)))]
    left = len(names) - len(rows)
    return title + rows + ([Row(place, more=left)] if left else [])


def _columns(overlay: Overlay, names: Sequence[str]) -> list[Column]:
    """The columns from left to right: lowers, topmost first; the upper; the merged view."""
    called, count = labels(overlay, names), len(overlay.lowerdirs)
    lowers = [Column("lower", called[layer], (layer,)) for layer in reversed(range(count))]
    if count > MOST_COLUMNS:
        lowers = [Column("lower", say("board.lowers", count=count), tuple(reversed(range(count))))]
    upper = [Column("upper", called[count], (count,))] if overlay.upperdir is not None else []
    return [*lowers, *upper, Column("merged", say("palette.merged"), ())]


def _cell(board: Board, column: Column, path: str, whole: bool) -> tuple[str, str] | None:
    """What a column has at a path, written as a `whole` or by its last name: text and style; None for nothing."""
    overlay = board.overlay
    name = path_text(path) if whole else path_text(parent_of(path)[1])
    roots = layers_of(overlay)
    found = overlay.lookup(path)
    parts = {part.layer for part in found.parts}
    called = labels(overlay, board.names)
    if column.role == "merged":
        if found.inode is None:
            return (f"{CHANGES['removed']} {name}", "hidden") if path in board.changed or path == board.lit else None
        return name + "/" * isinstance(found.inode, Directory), role_of(overlay, found.layer or 0)
    there = [(layer, inode) for layer in column.layers if (inode := find(roots[layer], path)) is not None]
    if not there:
        return None
    # Of several layers in one column: the one that gives the path, else the topmost.
    layer, inode = next((pair for pair in there if pair[0] in parts), there[0])
    where = f" · {called[layer]}" if len(column.layers) > 1 else ""
    if is_whiteout(inode, overlay.marks):
        return f"{PALETTE['whiteout'].glyph} {name}{where}", "whiteout"
    name += "/" * isinstance(inode, Directory)
    if layer not in parts:
        return f"{PALETTE['hidden'].glyph} {name}{where}", "hidden"
    if is_opaque(inode, overlay.marks):
        return f"{PALETTE['opaque'].glyph} {name}{where}", "opaque"
    sign = board.changed.get(path, "") if column.role == "upper" else ""
    return f"{sign} {name}{where}".strip(), "plain"


def board_picture(board: Board) -> Picture:
    """The board as a picture with its text twin."""
    rows, columns = _rows(board), _columns(board.overlay, board.names)
    whole = not any(row.title for row in rows)
    cells = {
        (row.path, number): _cell(board, column, row.path, whole)
        for row in rows
        if not row.more and not row.title
        for number, column in enumerate(columns)
    }
    lines: list[str] = []
    for line in board.lines:
        lines += textwrap.wrap(line, WRAP, subsequent_indent="  ", drop_whitespace=False) or [""]
    return Picture(_drawn(board, rows, columns, cells, lines), board.alt, _written(board, rows, columns, cells))


def _drawn(board: Board, rows: Sequence[Row], columns: Sequence[Column], cells: Cells, lines: Sequence[str]) -> str:
    sheet = Sheet("board")
    gap, left = 24.0, 10.0
    shares = [2 if len(column.layers) > 1 else 1 for column in columns]
    unit = min(230.0, (WIDTH - 20 - gap * 2 - 10 * len(columns)) / sum(shares))
    lowers = sum(column.role == "lower" for column in columns)
    height = 46 + 29 * max(len(rows), 1)
    sheet.text(10, 2, board.head, width=880)
    x, edges = left, []
    for number, column in enumerate(columns):
        if number and (number == lowers or column.role == "merged"):
            x += gap
        wide = unit * shares[number]
        edges.append((x, wide))
        sheet.box(x, 28, wide, height, "", column.role, title=say("palette." + column.role))
        name = fitted(column.name, max(4, int(wide / 9) - 2))
        sheet.text(x, 34, f"{PALETTE[column.role].glyph} {name}", width=wide, middle=True)
        x += wide + 10
    right = edges[-1][0] + edges[-1][1]
    changed = set(board.changed)
    for place, row in enumerate(rows):
        y = 62 + place * 29
        if row.title or row.more:
            text = row.title or say("overlay.more", count=f"{row.more:,}")
            sheet.text(edges[0][0] + 8, y + 2, fitted(text, max(8, int(edges[0][1] / 9))), width=edges[0][1] - 12)
            continue
        if row.path in changed:
            sheet.box(4, y - 3, right + 2, 30, "", "equal", title=path_text(row.path))
        if row.path == board.lit:
            sheet.text(-12, y + 2, "▶", width=14)
        for number, (x, wide) in enumerate(edges):
            cell = cells[row.path, number]
            if cell is not None:
                text = fitted(cell[0], max(3, int((wide - 26) / 7.85)))
                sheet.box(x + 8, y, wide - 16, 24, text, cell[1], middle=True, title=cell[0])
    y = 28 + height + 14
    for number, line in enumerate(lines):
        sheet.text(10, y + number * 21, line, width=885, face=MONO)
    return sheet.dot


def _written(board: Board, rows: Sequence[Row], columns: Sequence[Column], cells: Cells) -> str:
    """The text twin: the same cells in columns, with = in front of what just changed."""
    changed = set(board.changed)
    table = [["", *(f"{PALETTE[column.role].glyph} {column.name}" for column in columns)]]
    for row in rows:
        if row.title or row.more:
            table.append(["", row.title or say("overlay.more", count=f"{row.more:,}"), *[""] * (len(columns) - 1)])
        else:
            mark = PALETTE["equal"].glyph if row.path in changed else ""
            texts = [cells[row.path, number] for number in range(len(columns))]
            table.append([mark, *((cell[0] if cell else "") for cell in texts)])
    return "\n".join([board.head, *aligned(table), *([""] if board.lines else []), *board.lines])
