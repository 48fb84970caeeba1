"""The ID detective: from any hex digits, or a folder's path, to the image, its layer, and all their other names.

The picture is always the same map, so that only the names change: documents at the left, the layer's own names in the
middle, what one store has at the right. What a store does not have is a dotted box.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets

from overlaylab.errors import InputError
from overlaylab.image.digest import short
from overlaylab.image.image import Image
from overlaylab.stores.store import Store
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.panel import Panel
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.words import known, printable, say

from .name_lookup import Lead, fitting, leads, which
from .stores_compared import is_computed, kept_as, which_id

__all__ = ["Detective", "names_picture"]

WIDTH, GAP, HEIGHT, DOWN = 276, 34, 3 * LINE + 10, 26

LONGEST, WIDE, MOST = 116, 896, 12

# Where each kind of name lies on the map: column, row.
PLACES = {
    "index": (0, 0),
    "manifest": (0, 1),
    "config": (0, 2),
    "layer-blob": (1, 1),
    "diff_id": (1, 2),
    "chain_id": (1, 3),
    "container": (2, 1),
    "link": (2, 2),
    "folder": (2, 3),
}

ARROWS = (
    ("index", "manifest"),
    ("manifest", "config"),
    ("manifest", "layer-blob"),
    ("config", "diff_id"),
    ("layer-blob", "diff_id"),
    ("diff_id", "chain_id"),
    ("chain_id", "folder"),
    ("link", "folder"),
    ("container", "link"),
)

FOLDERS = ("cache-id", "snapshot", "layer-id", "mount-id")


# The map


def names_picture(query: str, stores: Mapping[str, Store], choice: int = 0) -> Picture:
    """The way from a name to all others.

    Args:
        query: See `leads`.
        stores: What to call each -> the store.
        choice: Which of the leads.
    """
    try:
        found = leads(query, stores)
    except InputError:
        return _nothing(say("names.no_name", query=fitting(query)))
    if not found:
        return _nothing(say("names.nothing", query=fitting(query), stores=", ".join(stores)))
    lead = found[min(choice, len(found) - 1)]
    cells = dict(_cells(lead))
    sheet = Sheet("names")
    for row, text in enumerate(_head(lead, found)):
        sheet.text(0, row * LINE, text, width=WIDE)
    top = LINE * len(_head(lead, found)) + 10
    for start, end in ARROWS:
        # A container's own folder is not where the image's top layer lies.
        if end != "folder" or start != "chain_id" or lead.container is None:
            _arrow(sheet, top, cells, start, end)
    for key, cell in cells.items():
        _box(sheet, top, key, cell, lead)
    _others(sheet, top + 4 * (HEIGHT + DOWN), lead, stores)
    return Picture(sheet.dot, _alt(lead, found), _text(lead, found, cells, stores))


@dataclass(frozen=True, slots=True)
class Cell:
    """One box of the map: the word for the name, the name (empty where there is none), where it comes from, whether a hash gives it."""

    word: str
    name: str
    note: str
    computed: bool = True


def _cells(lead: Lead) -> Iterator[tuple[str, Cell]]:
    """Every box of the map, in the order in which they are told."""
    image, layer = lead.image, lead.layer
    for kind, name in _documents(lead):
        word = say("names.is_id", kind=kind) if image and kind == which_id(image) else kind
        yield kind, Cell(word, name or "", say(f"names.note.{kind}") if name else say(f"names.hole.{kind}"))
    blob = layer and (layer.descriptor.digest if layer.descriptor else next(iter(layer.blobs), ""))
    came = "names.note.came_plain" if blob and blob == layer.diff_id else "names.note.came_packed"
    note = "names.hole.layer-blob" if not blob else "names.note.layer-blob" if layer.descriptor else came
    old = "v1-id" in lead.kinds
    yield (
        "layer-blob",
        Cell("v1-id", lead.value, say("names.note.v1-id"), False) if old else Cell("layer-blob", blob or "", say(note)),
    )
    yield (
        "diff_id",
        Cell("diff_id", layer.diff_id if layer else "", say("names.note.diff_id" if layer else "names.hole.diff_id")),
    )
    note = "names.hole.chain_id" if not layer else "names.note.chain_id" if layer.position else "names.note.chain_base"
    yield "chain_id", Cell("chain_id", layer.chain_id if layer else "", say(note))
    kind, name = _folder(lead)
    users = [item for item in lead.store.containers() if name and name in (item.upper, *item.lower)]
    shown = lead.container or next(iter(users), None)
    note = (
        "names.hole.container" if not shown else "names.note.container" if len(users) < 2 else "names.note.containers"
    )
    note = say(note, name=fitting(shown.name if shown else "", 16), count=len(users) - 1)
    yield "container", Cell("container", shown.id if shown else "", note, False)
    link = next((folder.links[0] for folder in lead.store.directories() if folder.name == name and folder.links), "")
    yield "link", Cell("link", link, say("names.note.link" if link else "names.hole.link"), False)
    computed = bool(image and layer and name == layer.directory and is_computed(image, kind, layer.position, name))
    note = say(f"names.note.{kind}" if name else "names.hole.folder")
    yield "folder", Cell(kind or say("names.folder"), name, note, computed)


def _documents(lead: Lead) -> list[tuple[str, str | None]]:
    """The digests of the image's documents; another manifest or index where that is the one that was asked for."""
    image = lead.image
    if image is None:
        return [(kind, None) for kind in ("index", "manifest", "config")]
    index, manifest = next(iter(image.indexes), None), image.manifest_digest
    if lead.value in image.indexes:
        index = lead.value
    if lead.value in image.other_manifests:
        manifest = lead.value
    return [("index", index), ("manifest", manifest), ("config", image.config_digest)]


def _folder(lead: Lead) -> tuple[str, str]:
    """The folder: a container's own where it was asked for, else the layer's, else the one that nobody uses."""
    kind = next((kind for kind in lead.kinds if kind in FOLDERS), lead.store.directory_kind)
    if lead.container:
        kind = "mount-id" if kind == "cache-id" else kind
        return kind, lead.value if lead.value in (lead.container.upper, lead.container.init) else lead.container.upper
    if lead.layer is not None:
        return (kind, lead.layer.directory or "") if lead.store.directory_kind else ("", "")
    if "link" in lead.kinds:
        return kind, next((folder.name for folder in lead.store.directories() if lead.value in folder.links), "")
    return kind, lead.value


def _is_asked(key: str, cell: Cell, lead: Lead) -> bool:
    return cell.name == lead.value and (key in lead.kinds or cell.word in lead.kinds)


# Drawing


def _corner(top: float, key: str) -> tuple[float, float]:
    column, row = PLACES[key]
    return column * (WIDTH + GAP), top + row * (HEIGHT + DOWN)


def _box(sheet: Sheet, top: float, key: str, cell: Cell, lead: Lead) -> None:
    """A box: the word, the name with its chip or square, and where it comes from; thick if it is what was asked for."""
    x, y = _corner(top, key)
    asked = _is_asked(key, cell, lead)
    style = (
        "hidden"
        if not cell.name
        else "equal"
        if asked
        else "hash"
        if cell.computed
        else "upper"
        if key == "container"
        else "plain"
    )
    sheet.box(x, y, WIDTH, HEIGHT, "", style, title=f"{cell.word}: {printable(cell.name)}")
    sheet.text(x + 10, y + 4, f"{cell.word}{say('names.asked') if asked else ''}", width=WIDTH - 20)
    digits = printable(cell.name.rpartition(":")[2])
    if cell.name and cell.computed:
        sheet.chip(x + 12, y + 7 + LINE, digits)
    elif cell.name:
        sheet.square(x + 12, y + 8 + LINE)
    sheet.text(
        x + (34 if cell.name else 10),
        y + 4 + LINE,
        (digits if len(digits) <= 12 else f"{digits[:12]}…") or say("names.none"),
        face=MONO,
    )
    sheet.text(x + 10, y + 4 + 2 * LINE, cell.note, width=WIDTH - 20)


def _arrow(sheet: Sheet, top: float, cells: Mapping[str, Cell], start: str, end: str) -> None:
    """The way from one name to the next, where both are there; along a row or down a column."""
    if not (cells[start].name and cells[end].name):
        return
    (x1, y1), (x2, y2) = _corner(top, start), _corner(top, end)
    style = "hash" if cells[end].computed and cells[start].computed else "plain"
    if y1 == y2:
        sheet.arrow(x1 + WIDTH, y1 + HEIGHT / 2, x2, y2 + HEIGHT / 2, style)
    else:
        sheet.arrow(x1 + WIDTH / 2, y1 + HEIGHT, x2 + WIDTH / 2, y2, style)


def _head(lead: Lead, found: tuple[Lead, ...]) -> list[str]:
    """What the digits are, and how this kind of name is told from the others."""
    lines = [which(lead)]
    digits = dict.fromkeys(other.value.rpartition(":")[2] for other in found)
    if len(digits) > 1:
        lines.append(
            say("names.ambiguous", count=len(digits), names=", ".join(fitting(name, 13) for name in list(digits)[:5]))
        )
    for kind in lead.kinds:
        if known(f"names.not.{kind}"):
            lines += textwrap.wrap(f"{kind}: {say(f'names.not.{kind}')}", LONGEST)
    return lines


def _elsewhere(lead: Lead, stores: Mapping[str, Store]) -> list[tuple[str, Image, str, str, bool]]:
    """The same layer in the other stores, found by its chain_id: label, image, the word for its place, the place, whether a hash gives it."""
    rows = []
    for label, store in stores.items() if lead.layer else ():
        for part in store.parts:
            having = [image for image in part.images() if lead.layer.chain_id in (image.chain_ids or ())]
            image = min(
                having,
                key=lambda item: (item.diff_ids != lead.image.diff_ids, not item.names, len(item.layers)),
                default=None,
            )
            if image is not None and part is not lead.store and len(image.layers) > lead.layer.position:
                kind, name = kept_as(part, image.layers[lead.layer.position])
                rows.append((label, image, kind, name, is_computed(image, kind, lead.layer.position, name)))
    return rows


def _others(sheet: Sheet, y: float, lead: Lead, stores: Mapping[str, Store]) -> None:
    rows = _elsewhere(lead, stores)
    if rows:
        sheet.text(0, y, say("names.elsewhere"))
    for row, (label, image, kind, name, computed) in enumerate(rows, 1):
        below = y + row * (LINE + 6)
        sheet.text(10, below, fitted(label, 14))
        sheet.text(130, below, say("names.column_id", of=say(f"beside.of.{which_id(image)}")))
        sheet.chip(330, below + 3, image.id.hex)
        sheet.text(352, below, f"{short(image.id)}…", face=MONO)
        sheet.text(500, below, kind)
        digits = printable(name.rpartition(":")[2])
        if computed:
            sheet.chip(610, below + 3, digits)
        elif name:
            sheet.square(610, below + 4)
        sheet.text(632, below, (digits if len(digits) <= 12 else f"{digits[:12]}…") or say("beside.packed"), face=MONO)


# Words


def _alt(lead: Lead, found: tuple[Lead, ...]) -> str:
    number = found.index(lead) + 1
    return f"{which(lead)} {say('names.one') if len(found) == 1 else say('names.several', number=number, count=len(found))}"


def _text(lead: Lead, found: tuple[Lead, ...], cells: Mapping[str, Cell], stores: Mapping[str, Store]) -> str:
    lines = _head(lead, found)
    for key, cell in cells.items():
        mark = "=" if _is_asked(key, cell, lead) else "·" if not cell.name else "#" if cell.computed else "□"
        lines.append(f"{mark} {cell.word:<22} {printable(cell.name) or say('names.none')}  ({cell.note})")
    rows = _elsewhere(lead, stores)
    lines += [say("names.elsewhere")] if rows else []
    for label, image, kind, name, computed in rows:
        titled = say("names.column_id", of=say(f"beside.of.{which_id(image)}"))
        lines.append(
            f"  {label:<9} {titled}: {image.id}  {'#' if computed else '□'} {kind}: {printable(name) or say('beside.packed')}"
        )
    if len(found) > 1:
        lines += [say("names.all"), *(f"  {number}. {which(other)}" for number, other in enumerate(found[:MOST], 1))]
        lines += [say("overlay.more", count=len(found) - MOST)] if len(found) > MOST else []
    return "\n".join(lines)


def _nothing(why: str) -> Picture:
    """A card that says why there is nothing to draw."""
    lines = textwrap.wrap(why, LONGEST - 10)
    sheet = Sheet("none")
    sheet.box(0, 0, 24 + 8 * max(map(len, lines)), 20 + LINE * len(lines), "", "whiteout", title=why)
    for row, line in enumerate(lines):
        sheet.text(12, 8 + row * LINE, line, width=8 * len(line))
    return Picture(sheet.dot, why, why)


# The widget


class Detective(Panel):
    """Type hex digits, or a path into a store; see what they name, and the way to all other names.

    Args:
        stores: What to call each -> the store.
        query: What to begin with.
    """

    def __init__(self, stores: Mapping[str, Store], query: str = "") -> None:
        self.stores, self.meanings = dict(stores), []
        style = {"description_width": "initial"}
        self.query = ipywidgets.Text(
            description=say("detective.query"),
            placeholder=say("detective.hint"),
            value=query,
            continuous_update=True,
            style=style,
            layout=ipywidgets.Layout(width="22em"),
        )
        self.meaning = ipywidgets.BoundedIntText(
            description=say("detective.meaning"),
            min=1,
            max=1,
            value=1,
            style=style,
            layout=ipywidgets.Layout(width="9em"),
        )
        self.next = ipywidgets.Button(description=say("detective.next"), layout=ipywidgets.Layout(width="auto"))
        self._count()
        super().__init__([self.query, self.meaning, self.next])
        self.query.observe(self._typed, "value")
        self.meaning.observe(self.redraw, "value")
        self.next.on_click(self._go_on)

    def _count(self) -> None:
        """As many meanings can be chosen as there are; where they are others than before, the first is chosen."""
        try:
            found = leads(self.query.value, self.stores) if self.query.value.strip() else ()
        except InputError:
            found = ()
        meanings = [(lead.label, lead.value, lead.position) for lead in found]
        if meanings != self.meanings:
            self.meaning.value = 1
        self.meanings, self.meaning.max = meanings, max(1, len(found))
        self.next.disabled = len(found) < 2

    def _typed(self, _: Any) -> None:
        self.meaning.unobserve(self.redraw, "value")
        self._count()
        self.meaning.observe(self.redraw, "value")
        self.redraw()

    def _go_on(self, _: Any) -> None:
        self.meaning.value = self.meaning.value % self.meaning.max + 1

    def show(self) -> Picture:
        """The map, or what to type."""
        if not self.query.value.strip():
            return _nothing(say("detective.start", stores=", ".join(self.stores)))
        return names_picture(self.query.value, self.stores, self.meaning.value - 1)
