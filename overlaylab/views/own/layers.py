"""A browser for the layers of an image: what each adds and removes, and how many of its bytes are wasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overlaylab.image.image import Container
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.stores.audit.learner_image import Own
from overlaylab.tree import Directory, File, Inode, walk
from overlaylab.views.kit.palette import PALETTE
from overlaylab.views.kit.panel import Panel, button, number_field, step_button
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import Sheet, fitted, sentence_picture
from overlaylab.views.kit.tables import table
from overlaylab.views.kit.text import size_text
from overlaylab.views.overlay.provenance import build_step_text, label, layer_names, layers_of
from overlaylab.views.overlay.text import path_text
from overlaylab.words import printable, say

# The most bars, the most lines, and the most files of a layer that are looked up to find hidden ones.
BARS, LINES, LOOKED = 15, 14, 4000

BAR = 150


@dataclass(frozen=True, slots=True)
class Wasted:
    """A file whose bytes are in the image, but which no process sees.

    Args:
        layer: Counted from the bottom.
        size: Bytes.
        by: The layer that hides it; None if it is unknown.
    """

    path: str
    layer: int
    size: int
    by: int | None


def own_names(own: Own) -> tuple[str, ...]:
    """Names for the readable layers, in the order of the mount options."""
    names = layer_names(own.target, own.home)
    return names if isinstance(own.target, Container) else names[len(names) - len(own.stack) :]


def wasted_files(own: Own, layer: int | None = None, most: int = LINES) -> tuple[Wasted, ...]:
    """The largest files that are hidden by a layer above, largest first.

    Args:
        layer: Only files of this layer, counted from the bottom.
        most: The most files that are returned.
    """
    found: list[Wasted] = []
    for number, root in enumerate(layers_of(own.overlay)):
        if layer in (None, number) and own.work[number].wasted:
            files = sorted(
                ((path, inode) for path, inode in walk(root) if isinstance(inode, File) and inode.size),
                key=lambda item: -item[1].size,
            )
            found += _hidden(own, number, files[:LOOKED])
    return tuple(sorted(found, key=lambda item: (-item.size, item.layer, item.path))[:most])


def _hidden(own: Own, number: int, files: Sequence[tuple[str, File]]) -> list[Wasted]:
    """The files of which no name is visible, each inode once."""
    seen: dict[int, bool] = {}
    first: dict[int, Wasted] = {}
    for path, inode in files:
        found = own.overlay.lookup(path)
        shown = found.layer == number and found.inode is inode
        seen[id(inode)] = seen.get(id(inode), False) or shown
        by = next((step.by for step in found.trace if step.layer == number), None)
        first.setdefault(id(inode), Wasted(path, number, inode.size, by))
    return [item for key, item in first.items() if not seen[key]]


def waste_table(own: Own, most: int = LINES) -> object:
    """The largest files that are in the image, but hidden by layers above."""
    names = own_names(own)
    rows = [
        (
            path_text(item.path),
            size_text(item.size),
            label(own.overlay, item.layer, names),
            "–" if item.by is None else label(own.overlay, item.by, names),
        )
        for item in wasted_files(own, most=most)
    ]
    return table(("path", *(say(f"browse.column.{key}") for key in ("size", "layer", "by"))), rows)


def browse_picture(own: Own, layer: int) -> Picture:
    """One layer, counted from the bottom: a bar for the bytes of each layer, and at the right what this one holds."""
    if not own.stack:
        return sentence_picture("browse", say("browse.no_layers"))
    names, work = own_names(own), own.work
    sheet = Sheet("browse")
    _bars(sheet, own, layer, names)
    mine = work[layer]
    title = f"{label(own.overlay, layer, names)}  {_step(own, layer)}".rstrip()
    changes = {"added": mine.added, "changed": mine.changed, "removed": mine.removed}
    counts = say("browse.counts", size=size_text(mine.size), wasted=size_text(mine.wasted), **changes)
    sheet.text(360, 0, fitted(title, 76), width=556)
    sheet.text(360, 22, counts, width=556)
    lines = _story(own, layer, names)
    for row, (text, style) in enumerate(lines):
        sheet.box(360, 50 + row * 28, 556, 24, fitted(text, 66), style, title=text)
    size, wasted = sum(item.size for item in work), sum(item.wasted for item in work)
    total = say("browse.total", size=size_text(size), wasted=size_text(wasted))
    sheet.text(0, 26 + (len(_window(len(work), layer)) + 1) * 26, total, width=340)
    alt = say("browse.alt", layer=label(own.overlay, layer, names), counts=counts)
    bars = [_bar_text(own, number, names, number == layer) for number in _window(len(work), layer)]
    return Picture(sheet.dot, alt, "\n".join([*bars, total, "", title, counts, *(text for text, _ in lines)]))


def _window(count: int, layer: int) -> list[int]:
    """The layers that are shown, topmost first; of a high stack those around the chosen one."""
    first = max(0, min(layer - BARS // 2, count - BARS))
    return list(reversed(range(first, min(count, first + BARS))))


def _bars(sheet: Sheet, own: Own, layer: int, names: Sequence[str]) -> None:
    shown = _window(len(own.work), layer)
    most = max((item.size for item in own.work), default=0) or 1
    above = len(own.work) - 1 - shown[0]
    sheet.text(0, 0, say("overlay.more", count=above) if above else say("browse.top"))
    for row, number in enumerate(shown):
        y, item = 26 + row * 26, own.work[number]
        name, chosen = label(own.overlay, number, names), number == layer
        sheet.box(0, y, 120, 22, ("▶ " if chosen else "  ") + fitted(name, 11), "equal" if chosen else "plain")
        width = max(3.0, BAR * item.size / most) if item.size else 0
        if item.size:
            sheet.box(128, y + 3, width, 16, "", "lower", title=f"{name}: {size_text(item.size)}")
        if item.wasted:
            wasted = say("browse.wasted", size=size_text(item.wasted))
            sheet.box(128, y + 3, max(3.0, BAR * item.wasted / most), 16, "", "whiteout", title=wasted)
        sheet.text(128 + width + 6, y + 2, size_text(item.size) if item.size else "–")
    if shown[-1]:
        sheet.text(0, 26 + len(shown) * 26, say("overlay.more", count=shown[-1]))


def _bar_text(own: Own, number: int, names: Sequence[str], chosen: bool) -> str:
    item = own.work[number]
    wasted = f"  {PALETTE['whiteout'].glyph} {say('browse.wasted', size=size_text(item.wasted))}" if item.wasted else ""
    return f"{'▶' if chosen else ' '} {label(own.overlay, number, names):<12} {size_text(item.size):>10}{wasted}"


def _step(own: Own, layer: int) -> str:
    history = own.layers[layer].history if layer < len(own.layers) else None
    if isinstance(own.target, Container) or history is None:
        return ""
    return build_step_text(printable(history.created_by), 60)


def _story(own: Own, layer: int, names: Sequence[str]) -> list[tuple[str, str]]:
    """Lines about a layer, each with its style: its deletions first, then its largest files, and what hides them."""
    entries = [(path, inode) for path, inode in walk(layers_of(own.overlay)[layer]) if path != "."]
    marks = own.overlay.marks
    deleting = [(path, inode) for path, inode in entries if is_whiteout(inode, marks) or is_opaque(inode, marks)]
    others = sorted(
        (item for item in entries if not isinstance(item[1], Directory) and not is_whiteout(item[1], marks)),
        key=lambda item: (-getattr(item[1], "size", 0), item[0]),
    )
    shown = [*deleting[: LINES // 2], *others]
    lines = [_line(own, layer, path, inode, names) for path, inode in shown[:LINES]]
    rest = len(deleting) + len(others) - len(lines)
    if rest > 0:
        lines[-1] = (say("overlay.more", count=rest + 1), "plain")
    return lines or [(say("browse.only_folders" if entries else "browse.empty"), "plain")]


def _line(own: Own, layer: int, path: str, inode: Inode, names: Sequence[str]) -> tuple[str, str]:
    shown = path_text(path, 40)
    if is_whiteout(inode, own.overlay.marks):
        return f"{PALETTE['whiteout'].glyph} {say('browse.removes', path=shown)}", "whiteout"
    if isinstance(inode, Directory):
        return f"{PALETTE['opaque'].glyph} {say('browse.empties', path=shown)}", "opaque"
    found = own.overlay.lookup(path)
    size = f"  {size_text(inode.size)}" if isinstance(inode, File) else ""
    if found.layer == layer and found.inode is inode:
        return f"+ {shown}{size}", "lower"
    by = next((step.by for step in found.trace if step.layer == layer), None)
    hider = say("browse.hidden") if by is None else say("browse.hidden_by", layer=label(own.overlay, by, names))
    return f"{PALETTE['hidden'].glyph} {shown}{size}  {hider}", "hidden"


class LayerBrowser(Panel):
    """Go through the layers of an image: what each adds, changes and removes, and how many of its bytes are wasted.

    Args:
        layer: To begin with, counted from 1, the base; the most wasteful one if it is left out.
    """

    def __init__(self, own: Own, layer: int = 0) -> None:
        self.own = own
        count = len(own.stack)
        worst = max(range(count), key=lambda number: own.work[number].wasted, default=0)
        self.layer = number_field(say("browse.layer"), layer or worst + 1, most=max(1, count))
        self.layer.observe(self.redraw, "value")
        self.down = step_button(say("browse.down"), self.layer, -1)
        self.up = step_button(say("browse.up"), self.layer, 1)
        self.worst = button(say("browse.worst"), lambda _: self._go(worst + 1))
        super().__init__([self.down, self.up, self.layer, self.worst])

    def _go(self, number: int) -> None:
        self.layer.value = max(1, min(self.layer.max, number))

    def show(self) -> Picture:
        """The chosen layer among the others."""
        return browse_picture(self.own, self.layer.value - 1)
