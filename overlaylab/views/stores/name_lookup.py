"""Hex digits, or a path into a store, looked up in several stores: everything that such a name can mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from overlaylab.image.digest import short
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.audit.facts import one_per_config
from overlaylab.stores.audit.identify import Match, investigate, names_of_image
from overlaylab.stores.store import Store
from overlaylab.views.kit.tables import DigestTable
from overlaylab.views.kit.text import cut
from overlaylab.words import printable, say

_DIGITS = re.compile(r"[0-9a-f]{4,128}(-init)?")


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a name can mean in one store.

    Args:
        store: The store; of a root with several stores the one that has the name.
        value: The name in full.
        kinds: The kinds of name that it is there; several at once for a base layer.
        image: An image that it belongs to; None if no image uses it.
        position: The layer, counted from the bottom; None if it names a whole image or container.
        container: The container that it belongs to.
        images: The number of images that it belongs to.
    """

    label: str
    store: Store
    value: str
    kinds: tuple[str, ...]
    image: Image | None = None
    position: int | None = None
    container: Container | None = None
    images: int = 0

    @property
    def layer(self) -> Layer | None:
        """The layer to show: the named one, else the image's top layer."""
        if self.image is None or not self.image.layers:
            return None
        return self.image.layers[-1 if self.position is None else self.position]


def find_meanings(query: str, stores: Mapping[str, Store]) -> tuple[Meaning, ...]:
    """Everything that a name can mean, once for each store, full name and layer; full matches first.

    Args:
        query: Hex digits, with or without ``sha256:``; or another name of a store's directory; or a path into one.
        stores: What to call each -> the store.

    Raises:
        Finding: ``wrong-call`` for digits that no name can begin with.
    """
    query = query.strip().rstrip("….")
    found: dict[tuple[str, str, int | None], list[tuple[Store, Match]]] = {}
    for label, store in stores.items():
        for part in store.parts:
            name = _name_in(query, part)
            # A root may hold several stores.
            where = label if len(store.parts) == 1 else f"{label} ({part.kind})"
            for match in investigate(name, [(where, part)]) if name else ():
                found.setdefault((where, match.value, match.position), []).append((part, match))
    if not found and query != query.lower():
        return find_meanings(query.lower(), stores)
    told = [_meaning(label, value, position, matches) for (label, value, position), matches in found.items()]
    # Names that were typed in full come before names that only begin so.
    return tuple(sorted(told, key=lambda meaning: query not in (meaning.value, meaning.value.rpartition(":")[2])))


def _name_in(query: str, store: Store) -> str | None:
    """The name to look up: of a path the directory that it leads into, else its last hex digits."""
    if "/" not in query:
        return query
    digits = [part for part in query.split("/") if _DIGITS.fullmatch(part)]
    return store.directory_of(query) or next(reversed(digits), None)


def _meaning(label: str, value: str, position: int | None, matches: list[tuple[Store, Match]]) -> Meaning:
    """Several matches of one name in one store as one meaning, with the smallest image that has a name."""
    store = matches[0][0]
    ids = dict.fromkeys(match.image for _, match in matches if match.image)
    images = [
        image for image in one_per_config(store.images()) if image.id in ids and _has(store, image, value, position)
    ]
    shown = min(images, key=lambda image: (not image.names, len(image.layers)), default=None)
    container = next((item for item in store.containers() if value in (item.id, item.upper, item.init)), None)
    if container and shown is None:
        shown = next((image for image in store.images() if image.id == container.image_id), None)
    kinds = tuple(dict.fromkeys(match.kind for _, match in matches))
    return Meaning(label, store, value, kinds, shown, position, container, len(images))


def _has(store: Store, image: Image, value: str, position: int | None) -> bool:
    """Whether a name belongs to this one of several images with one ID: an index is one ID for all its platforms."""
    if any((match.value, match.position) == (value, position) for match in names_of_image(store, image)):
        return True
    folder = image.layers[position].directory if position is not None and position < len(image.layers) else None
    return any(value in one.links for one in store.directories() if one.name == folder)


def meaning_text(meaning: Meaning) -> str:
    """A meaning in one sentence: in this store, the name is that of this layer of this image."""
    name = fitting(meaning.value.rpartition(":")[2], 13)
    words = {"label": meaning.label, "name": name, "kinds": say("names.and").join(meaning.kinds)}
    if meaning.image is None:
        return say("names.which_none", **words)
    words["image"] = name_of(meaning.image)
    if meaning.container is not None:
        return say("names.which_container", container=fitting(meaning.container.name, 24), **words)
    more = ""
    if meaning.images > 1:
        more = say("names.more_one") if meaning.images == 2 else say("names.more", count=meaning.images - 1)
    if meaning.position is None:
        return say("names.which_image", more=more, count=len(meaning.image.layers), **words)
    layer = say("walk.layer", number=meaning.position + 1, count=len(meaning.image.layers))
    return say("names.which_layer", layer=layer, more=more, **words)


def name_of(image: Image) -> str:
    """The shortest name of an image, or its ID where it has no name."""
    return fitting(min(image.names, key=len), 40) if image.names else say("names.nameless", id=short(image.id))


def fitting(text: str, limit: int = 40) -> str:
    """A name from outside, safe to print, and of at most `limit` characters."""
    return cut(printable(text), limit)


def names_table(query: str, stores: Mapping[str, Store]) -> DigestTable:
    """Everything that a name can mean, as a table: the store, the kinds, the image and layer, and the name in full.

    Args:
        query: See `find_meanings`.
        stores: What to call each -> the store.

    Raises:
        Finding: ``wrong-call`` for digits that no name can begin with.
    """
    rows = []
    for meaning in find_meanings(query, stores):
        kinds, image = say("names.and").join(meaning.kinds), name_of(meaning.image) if meaning.image else "–"
        layer = "–" if meaning.position is None else meaning.position + 1
        count = max(meaning.images, int(meaning.image is not None))
        rows.append((meaning.label, kinds, image, layer, count, printable(meaning.value)))
    columns = [say(f"names.table.{key}") for key in ("store", "kinds", "image", "layer", "images", "value")]
    return DigestTable.of(columns, rows)
