"""The ID detective: from hex digits, or a path into a store, to the image, its layer, and all their other names.

The picture is always the same map, so that only the names change: documents at the left, the names of the layer in the
middle, the names of one store at the right. A name that a store does not have is a dotted box.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import InputError
from overlaylab.image.digest import Digest, short
from overlaylab.image.image import Image
from overlaylab.stores.store import Store
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.panel import Panel, button, number_field, text_field
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.views.kit.text import short_name
from overlaylab.words import known, printable, say

from .name_lookup import Meaning, find_meanings, fitting, meaning_text
from .stores_compared import is_computed, kept_as, which_id

WIDTH, GAP, HEIGHT, DOWN = 276, 34, 3 * LINE + 10, 26

LONGEST, WIDE, MOST = 116, 896, 12

# Kind of name -> its column and row on the map.
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


def names_picture(query: str, stores: Mapping[str, Store], choice: int = 0) -> Picture:
    """The map from one name to all others.

    Args:
        query: See `find_meanings`.
        stores: What to call each -> the store.
        choice: The number of the meaning, from 0.
    """
    try:
        found = find_meanings(query, stores)
    except InputError:
        return _card(say("names.no_name", query=fitting(query)))
    if not found:
        return _card(say("names.nothing", query=fitting(query), stores=", ".join(stores)))
    meaning = found[min(choice, len(found) - 1)]
    cells = dict(_cells(meaning))
    sheet = Sheet("names")
    for row, text in enumerate(_head(meaning, found)):
        sheet.text(0, row * LINE, text, width=WIDE)
    top = LINE * len(_head(meaning, found)) + 10
    for start, end in ARROWS:
        # The directory of a container is not that of the image's top layer.
        if end != "folder" or start != "chain_id" or meaning.container is None:
            _arrow(sheet, top, cells, start, end)
    for key, cell in cells.items():
        _box(sheet, top, key, cell, meaning)
    _others(sheet, top + 4 * (HEIGHT + DOWN), meaning, stores)
    return Picture(sheet.dot, _alt(meaning, found), _text(meaning, found, cells, stores))


@dataclass(frozen=True, slots=True)
class Cell:
    """One box of the map.

    Args:
        name: Empty where the store has none.
        note: Where the name comes from.
        computed: Whether a hash gives it.
    """

    word: str
    name: str
    note: str
    computed: bool = True


def _cells(meaning: Meaning) -> Iterator[tuple[str, Cell]]:
    """Every box of the map, in the order of the text twin."""
    image, layer = meaning.image, meaning.layer
    for kind, name in _documents(meaning):
        word = say("names.is_id", kind=kind) if image and kind == which_id(image) else kind
        yield kind, Cell(word, name or "", say(f"names.note.{kind}") if name else say(f"names.hole.{kind}"))
    blob, note = "", "names.hole.layer-blob"
    if layer and layer.descriptor:
        blob, note = layer.descriptor.digest, "names.note.layer-blob"
    elif layer and layer.blobs:
        blob = next(iter(layer.blobs))
        note = "names.note.came_plain" if blob == layer.diff_id else "names.note.came_packed"
    old = "v1-id" in meaning.kinds
    v1 = Cell("v1-id", meaning.value, say("names.note.v1-id"), False)
    yield "layer-blob", v1 if old else Cell("layer-blob", blob, say(note))
    note = "names.note.diff_id" if layer else "names.hole.diff_id"
    yield "diff_id", Cell("diff_id", layer.diff_id if layer else "", say(note))
    note = "names.hole.chain_id" if not layer else "names.note.chain_id" if layer.position else "names.note.chain_base"
    yield "chain_id", Cell("chain_id", layer.chain_id if layer else "", say(note))
    kind, name = _folder(meaning)
    users = [item for item in meaning.store.containers() if name and name in (item.upper, *item.lower)]
    shown = meaning.container or next(iter(users), None)
    note = (
        "names.hole.container" if not shown else "names.note.container" if len(users) < 2 else "names.note.containers"
    )
    note = say(note, name=fitting(shown.name if shown else "", 16), count=len(users) - 1)
    yield "container", Cell("container", shown.id if shown else "", note, False)
    link = next((folder.links[0] for folder in meaning.store.directories() if folder.name == name and folder.links), "")
    yield "link", Cell("link", link, say("names.note.link" if link else "names.hole.link"), False)
    computed = bool(image and layer and name == layer.directory and is_computed(image, kind, layer.position, name))
    note = say(f"names.note.{kind}" if name else "names.hole.folder")
    yield "folder", Cell(kind or say("names.folder"), name, note, computed)


def _documents(meaning: Meaning) -> list[tuple[str, str | None]]:
    """The digests of the image's documents; another manifest or index where that is what was asked for."""
    image = meaning.image
    if image is None:
        return [(kind, None) for kind in ("index", "manifest", "config")]
    index, manifest = next(iter(image.indexes), None), image.manifest_digest
    if meaning.value in image.indexes:
        index = Digest(meaning.value)
    if meaning.value in image.other_manifests:
        manifest = Digest(meaning.value)
    return [("index", index), ("manifest", manifest), ("config", image.config_digest)]


def _folder(meaning: Meaning) -> tuple[str, str]:
    """A directory, its kind first: the container's where that was asked for, else the layer's, else an unused one."""
    kind = next((kind for kind in meaning.kinds if kind in FOLDERS), meaning.store.directory_kind)
    if meaning.container:
        kind = "mount-id" if kind == "cache-id" else kind
        return kind, meaning.value if meaning.value in (
            meaning.container.upper,
            meaning.container.init,
        ) else meaning.container.upper
    if meaning.layer is not None:
        return (kind, meaning.layer.directory or "") if meaning.store.directory_kind else ("", "")
    if "link" in meaning.kinds:
        return kind, next((folder.name for folder in meaning.store.directories() if meaning.value in folder.links), "")
    return kind, meaning.value


def _is_asked(key: str, cell: Cell, meaning: Meaning) -> bool:
    return cell.name == meaning.value and (key in meaning.kinds or cell.word in meaning.kinds)


def _corner(top: float, key: str) -> tuple[float, float]:
    column, row = PLACES[key]
    return column * (WIDTH + GAP), top + row * (HEIGHT + DOWN)


def _box(sheet: Sheet, top: float, key: str, cell: Cell, meaning: Meaning) -> None:
    """A box: the word, the name with its chip or square, and where it comes from; thick if it was asked for."""
    x, y = _corner(top, key)
    asked = _is_asked(key, cell, meaning)
    if not cell.name:
        style = "hidden"
    elif asked:
        style = "equal"
    else:
        style = "hash" if cell.computed else "upper" if key == "container" else "plain"
    sheet.box(x, y, WIDTH, HEIGHT, "", style, title=f"{cell.word}: {printable(cell.name)}")
    sheet.text(x + 10, y + 4, f"{cell.word}{say('names.asked') if asked else ''}", width=WIDTH - 20)
    digits = printable(cell.name.rpartition(":")[2])
    if cell.name:
        sheet.mark(x + 12, y + 7 + LINE, digits, cell.computed)
    sheet.text(x + (34 if cell.name else 10), y + 4 + LINE, short_name(digits) or say("names.none"), face=MONO)
    sheet.text(x + 10, y + 4 + 2 * LINE, cell.note, width=WIDTH - 20)


def _arrow(sheet: Sheet, top: float, cells: Mapping[str, Cell], start: str, end: str) -> None:
    """The arrow from one name to the next, along a row or down a column; none where either is missing."""
    if not (cells[start].name and cells[end].name):
        return
    (x1, y1), (x2, y2) = _corner(top, start), _corner(top, end)
    style = "hash" if cells[end].computed and cells[start].computed else "plain"
    if y1 == y2:
        sheet.arrow(x1 + WIDTH, y1 + HEIGHT / 2, x2, y2 + HEIGHT / 2, style)
    else:
        sheet.arrow(x1 + WIDTH / 2, y1 + HEIGHT, x2 + WIDTH / 2, y2, style)


def _head(meaning: Meaning, found: tuple[Meaning, ...]) -> list[str]:
    """What the name is, and how its kind is told from the others."""
    lines = [meaning_text(meaning)]
    digits = list(dict.fromkeys(other.value.rpartition(":")[2] for other in found))
    if len(digits) > 1:
        names = ", ".join(fitting(name, 13) for name in digits[:5])
        lines.append(say("names.ambiguous", count=len(digits), names=names))
    for kind in meaning.kinds:
        if known(f"names.not.{kind}"):
            lines += textwrap.wrap(f"{kind}: {say(f'names.not.{kind}')}", LONGEST)
    return lines


def _elsewhere(meaning: Meaning, stores: Mapping[str, Store]) -> list[tuple[str, Image, str, str, bool]]:
    """The same layer in other stores: label, image, kind of its name there, the name, whether a hash gives it."""
    rows: list[tuple[str, Image, str, str, bool]] = []
    shown, layer = meaning.image, meaning.layer
    if shown is None or layer is None:
        return rows

    def unlike(image: Image) -> tuple[bool, bool, int]:
        return image.diff_ids != shown.diff_ids, not image.names, len(image.layers)

    for label, store in stores.items():
        for part in store.parts:
            having = [image for image in part.images() if layer.chain_id in (image.chain_ids or ())]
            image = min(having, key=unlike, default=None)
            if image is not None and part is not meaning.store and len(image.layers) > layer.position:
                kind, name = kept_as(part, image.layers[layer.position])
                rows.append((label, image, kind, name, is_computed(image, kind, layer.position, name)))
    return rows


def _others(sheet: Sheet, y: float, meaning: Meaning, stores: Mapping[str, Store]) -> None:
    rows = _elsewhere(meaning, stores)
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
        if computed or name:
            sheet.mark(610, below + 3, digits, computed)
        sheet.text(632, below, short_name(digits) or say("beside.packed"), face=MONO)


def _alt(meaning: Meaning, found: tuple[Meaning, ...]) -> str:
    if len(found) == 1:
        return f"{meaning_text(meaning)} {say('names.one')}"
    return f"{meaning_text(meaning)} {say('names.several', number=found.index(meaning) + 1, count=len(found))}"


def _text(meaning: Meaning, found: tuple[Meaning, ...], cells: Mapping[str, Cell], stores: Mapping[str, Store]) -> str:
    lines = _head(meaning, found)
    for key, cell in cells.items():
        mark = "=" if _is_asked(key, cell, meaning) else "·" if not cell.name else "#" if cell.computed else "□"
        lines.append(f"{mark} {cell.word:<22} {printable(cell.name) or say('names.none')}  ({cell.note})")
    rows = _elsewhere(meaning, stores)
    lines += [say("names.elsewhere")] if rows else []
    for label, image, kind, name, computed in rows:
        titled = say("names.column_id", of=say(f"beside.of.{which_id(image)}"))
        place = f"{'#' if computed else '□'} {kind}: {printable(name) or say('beside.packed')}"
        lines.append(f"  {label:<9} {titled}: {image.id}  {place}")
    if len(found) > 1:
        lines += [
            say("names.all"),
            *(f"  {number}. {meaning_text(other)}" for number, other in enumerate(found[:MOST], 1)),
        ]
        lines += [say("overlay.more", count=len(found) - MOST)] if len(found) > MOST else []
    return "\n".join(lines)


def _card(why: str) -> Picture:
    """A card that says why there is no map."""
    lines = textwrap.wrap(why, LONGEST - 10)
    sheet = Sheet("none")
    sheet.box(0, 0, 24 + 8 * max(map(len, lines)), 20 + LINE * len(lines), "", "whiteout", title=why)
    for row, line in enumerate(lines):
        sheet.text(12, 8 + row * LINE, line, width=8 * len(line))
    return Picture(sheet.dot, why, why)


class Detective(Panel):
    """Type hex digits, or a path into a store; see what they name, and the map to all other names.

    Args:
        stores: What to call each -> the store.
    """

    def __init__(self, stores: Mapping[str, Store], query: str = "") -> None:
        self.stores = dict(stores)
        self.meanings: list[tuple[str, str, int | None]] = []
        hint = say("detective.hint")
        self.query = text_field(say("detective.query"), hint, value=query, width="22em", every_key=True)
        self.meaning = number_field(say("detective.meaning"))
        self.next = button(say("detective.next"), self._go_on)
        self._count()
        super().__init__([self.query, self.meaning, self.next])
        self.query.observe(self._typed, "value")
        self.meaning.observe(self.redraw, "value")

    def _count(self) -> None:
        """Count the meanings; where they differ from those before, choose the first."""
        try:
            found = find_meanings(self.query.value, self.stores) if self.query.value.strip() else ()
        except InputError:
            found = ()
        meanings = [(meaning.label, meaning.value, meaning.position) for meaning in found]
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
            return _card(say("detective.start", stores=", ".join(self.stores)))
        return names_picture(self.query.value, self.stores, self.meaning.value - 1)
