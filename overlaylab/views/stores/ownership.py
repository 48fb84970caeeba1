"""Owners of a store's directories: as a table, and as a picture of what images share, with unowned directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import Finding
from overlaylab.image.digest import short
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.audit.facts import one_per_config
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.owners import owner_facts
from overlaylab.stores.selection import familiar, select_image
from overlaylab.stores.store import Store
from overlaylab.views.kit.palette import PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import Sheet, fitted
from overlaylab.views.kit.tables import DigestTable
from overlaylab.words import printable, say

FIRST, CELL, LAST, ROW = 200, 116, 112, 28

MOST = 5

ORPHANS = ("build cache", "leftover")

STYLES = {"container": "upper", "init layer": "lower"}


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that the same images use.

    Args:
        places: Directories, or blobs where nothing is unpacked.
        users: The numbers of the images that use them.
        ranges: An image's number -> its layers in this group, counted from 1.
        size: Bytes of the files in them.
    """

    places: tuple[str, ...]
    users: frozenset[int]
    ranges: Mapping[int, tuple[int, ...]]
    size: int


def facts_of(store: Store) -> dict[str, Any]:
    """The facts of ``overlaylab owners``."""
    readers: dict[int, LayerReader] = {}

    def layer_bytes(part: Store, layer: Layer) -> int:
        return readers.setdefault(id(part), LayerReader(part)).bytes_of(layer)

    return owner_facts(store, layer_bytes)


def owners_table(store: Store, folder: str | None = None) -> DigestTable:
    """Every directory of a store: its layer, its users, and what it most likely is.

    Unused directories come last, in one row for each guess.

    Args:
        folder: Only this directory: its name, or a path into it.

    Raises:
        Finding: ``not-found`` if there is no such directory.
    """
    found = facts_of(store)["directories"]
    if folder is not None:
        names = {part.directory_of(folder) for part in store.parts}
        found = [item for item in found if item["directory"] in names]
        if not found:
            raise Finding("not-found", printable(folder), "a folder of this store", "nothing")
    owned = [item for item in found if item["guess"] not in ORPHANS]
    rows = [_owner_row(store, item) for item in owned]
    for guess in ORPHANS:
        alone = [item for item in found if item["guess"] == guess]
        if alone:
            rows.append((_some(alone), "–", "–", "–", say(f"sharing.guess.{_key(guess)}")))
    columns = [say(f"sharing.column.{key}") for key in ("folder", "layer", "images", "containers", "guess")]
    return DigestTable.of(columns, rows)


def _owner_row(store: Store, item: Mapping[str, Any]) -> tuple[Any, ...]:
    names = {str(image.id): _label(image) for image in store.images()}
    images = [names[image] for image in item["images"] if not names[image].startswith("<")]
    more = len(item["images"]) - len(images)
    shown = ", ".join([*dict.fromkeys(images), *([say("sharing.nameless", count=more)] if more else [])])
    users = [printable(container.name) for container in store.containers() if container.id in item["containers"]]
    layer, guess = next(iter(item["layers"]), "–"), say(f"sharing.guess.{_key(item['guess'])}")
    return _directory(item["directory"]), layer, shown or "–", ", ".join(users) or "–", guess


def _directory(name: str) -> str:
    """The name of a directory or a blob, short; the end of an init layer's name is kept."""
    text, end = printable(name.rpartition("/")[2]), "-init" if name.endswith("-init") else ""
    return text if len(text) <= 12 else f"{text[:12]}…{end}"


def _some(items: Sequence[Mapping[str, Any]]) -> str:
    names = [_directory(item["directory"]) for item in items]
    return names[0] if len(names) == 1 else say("sharing.some", count=len(names), first=names[0], last=names[-1])


def _key(guess: str) -> str:
    return guess.replace(" ", "-")


def _label(image: Image) -> str:
    """An image's shortest name, as people write it."""
    names = [familiar(name).removeprefix("localhost/") for name in image.names]
    return printable(min(names, key=len)) if names else f"<{short(image.id)}>"


def sharing_table(store: Store) -> DigestTable:
    """Every named image: the bytes that it alone uses, the bytes that it shares, and with how many others."""
    rows = []
    for item in facts_of(store)["images"]:
        if item["names"]:
            names = fitted(", ".join(map(printable, item["names"])), 60)
            rows.append((names, item["id"], item["own_bytes"], item["shared_bytes"], len(item["shared_with"])))
    return DigestTable.of([say(f"sharing.column.{key}") for key in ("names", "id", "own", "shared", "with")], rows)


def sharing_picture(store: Store, images: Sequence[str] = ()) -> Picture:
    """Images as columns, and one row for all layers that the same images use.

    Args:
        store: One store; of a root with several, one of its ``parts``.
        images: At most five images; by default the first five that have names.
    """
    known = one_per_config(store.images())
    facts = facts_of(store)
    chosen = _chosen(store, known, images)
    groups = [group for group in groups_of(store, known) if group.users & set(chosen)]
    sheet, lines = Sheet("sharing"), []
    width = FIRST + CELL * len(chosen) + LAST
    for column, number in enumerate(chosen):
        sheet.text(FIRST + column * CELL, 0, fitted(_label(known[number]), 15), width=CELL)
    sheet.text(width - LAST + 6, 0, say("sharing.others"), width=LAST)
    for row, group in enumerate(groups):
        _row(sheet, 26 + row * ROW, group, chosen, width)
        lines.append(_row_text(group, chosen, known))
    y = 26 + len(groups) * ROW + 8
    for row, key in enumerate(("own_bytes", "shared_bytes")):
        sheet.text(0, y + row * 22, say(f"sharing.{key}"), width=FIRST)
        for column, number in enumerate(chosen):
            sheet.text(FIRST + column * CELL + 8, y + row * 22, f"{facts['images'][number][key]:,}", width=CELL)
    for number in chosen:
        item = facts["images"][number]
        sizes = {"own": f"{item['own_bytes']:,}", "shared": f"{item['shared_bytes']:,}"}
        lines.append(say("sharing.sizes", image=_label(known[number]), **sizes))
    lines += _rest(sheet, y + 54, store, facts["directories"], width)
    return Picture(sheet.dot, _alt(known, chosen, groups, facts), "\n".join(lines))


def _chosen(store: Store, known: Sequence[Image], names: Sequence[str]) -> list[int]:
    """The numbers of the images that are shown."""
    if not names:
        return [number for number, image in enumerate(known) if image.names][:MOST]
    ids = [(image.id, image.config_digest) for image in known]
    found = (select_image(store, name) for name in names[:MOST])
    return list(dict.fromkeys(ids.index((image.id, image.config_digest)) for image in found))


def groups_of(store: Store, known: Sequence[Image]) -> list[Group]:
    """Layers grouped by the images that use them, in the order of the first image that does."""
    users: dict[str, dict[int, list[int]]] = {}
    layers: dict[str, Layer] = {}
    for number, image in enumerate(known):
        for layer in image.layers:
            place = layer.directory or layer.source
            users.setdefault(place, {}).setdefault(number, []).append(layer.position + 1)
            layers.setdefault(place, layer)
    reader = LayerReader(store)
    together: dict[frozenset[int], list[str]] = {}
    for place, numbers in users.items():
        together.setdefault(frozenset(numbers), []).append(place)
    groups = []
    for who, places in together.items():
        size = sum(
            store.directory_size(place) if layers[place].directory else reader.bytes_of(layers[place])
            for place in places
        )
        ranges = {number: tuple(sorted(at for place in places for at in users[place][number])) for number in who}
        groups.append(Group(tuple(places), who, ranges, size))
    return groups


def _count(group: Group) -> str:
    key = "sharing.one_folder" if len(group.places) == 1 else "sharing.folders"
    return say(key, count=len(group.places), size=f"{group.size:,}")


def _range(numbers: Sequence[int]) -> str:
    """Layer numbers, as a range where they are consecutive."""
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return say("sharing.layers", first=numbers[0], last=numbers[-1])
    return say("sharing.layer", number=", ".join(map(str, numbers)))


def _row(sheet: Sheet, y: float, group: Group, chosen: Sequence[int], width: float) -> None:
    """One group: a cell under each image that uses it, thick where it is shared."""
    style = "equal" if len(group.users) > 1 else "lower"
    sheet.text(0, y + 2, _count(group), width=FIRST)
    for column, number in enumerate(chosen):
        x = FIRST + column * CELL
        if number in group.users:
            title = f"{_count(group)}: {', '.join(map(_directory, group.places))}"
            sheet.box(x, y, CELL - 8, ROW - 5, "", style, title=title)
            sheet.text(x + 6, y + 1, f"{PALETTE[style].glyph} {_range(group.ranges[number])}", width=CELL - 14)
    others = len(group.users - set(chosen))
    if others:
        sheet.text(width - LAST + 6, y + 2, say("sharing.more", count=others), width=LAST)


def _row_text(group: Group, chosen: Sequence[int], known: Sequence[Image]) -> str:
    style = "equal" if len(group.users) > 1 else "lower"
    who = [f"{_label(known[number])} {_range(group.ranges[number])}" for number in chosen if number in group.users]
    others = len(group.users - set(chosen))
    who += [say("sharing.more", count=others)] if others else []
    return f"{PALETTE[style].glyph} {_count(group)}: {'; '.join(who)}  [{', '.join(map(_directory, group.places))}]"


def _rest(sheet: Sheet, y: float, store: Store, directories: Sequence[Mapping[str, Any]], width: float) -> list[str]:
    """Draw the directories that are no image's: of containers, init layers, unused ones; returns the lines of text."""
    names = {container.id: container for container in store.containers()}
    lines: list[str] = []
    for guess in ("container", "init layer", *ORPHANS):
        items = [item for item in directories if item["guess"] == guess]
        if not items:
            continue
        owners = ", ".join(dict.fromkeys(_owner(names, item, guess) for item in items if item["containers"]))
        text = f"{say(f'sharing.guess.{_key(guess)}')}{f' ({owners})' if owners else ''}: {_some(items)}"
        style = STYLES.get(guess, "hidden")
        sheet.box(0, y + len(lines) * ROW, width, ROW - 5, "", style, title=text)
        sheet.text(8, y + len(lines) * ROW + 1, f"{PALETTE[style].glyph} {fitted(text, 104)}", width=width - 16)
        lines.append(f"{PALETTE[style].glyph} {text}")
    return lines


def _owner(names: Mapping[str, Container], item: Mapping[str, Any], guess: str) -> str:
    """The container that a directory belongs to; other containers, made from a commit, may use its init layer, too."""
    for container in map(names.get, item["containers"]):
        if container and item["directory"] in ((container.upper,) if guess == "container" else (container.init,)):
            return printable(container.name or container.id[:12])
    return printable(names[item["containers"][0]].name)


def _alt(known: Sequence[Image], chosen: Sequence[int], groups: Sequence[Group], facts: Mapping[str, Any]) -> str:
    shared = sum(len(group.places) for group in groups if len(group.users) > 1)
    alone = sum(len(group.places) for group in groups if len(group.users) == 1)
    orphans = sum(item["guess"] in ORPHANS for item in facts["directories"])
    images = ", ".join(_label(known[number]) for number in chosen)
    return say("sharing.alt", images=images, shared=shared, alone=alone, orphans=orphans)
