"""What a name can mean: hex digits, or a path into a store, looked up in several stores and told in one sentence each."""

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
from overlaylab.words import printable, say

__all__ = ["Lead", "fitting", "leads", "name_of", "names_table", "which"]

_DIGITS = re.compile(r"[0-9a-f]{4,128}(-init)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One thing that the digits can mean in one store.

    Args:
        label: The store's.
        store: It, or the one of several in a root.
        value: The whole name.
        kinds: What the name is there; several at once for a base layer.
        image: None if no image uses it.
        position: The layer, counted from the bottom; None if the name is that of a whole image or container.
        container: The container that it belongs to.
        images: How many images it belongs to.
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
        """The layer that is shown: the one that is named, else the image's top."""
        if self.image is None or not self.image.layers:
            return None
        return self.image.layers[-1 if self.position is None else self.position]


def leads(query: str, stores: Mapping[str, Store]) -> tuple[Lead, ...]:
    """Everything that a name can mean, one lead for each store, whole name and layer; images with a name first.

    Args:
        query: Hex digits, with or without ``sha256:``; or another name of a folder; or a path into one.
        stores: What to call each -> the store.

    Raises:
        Finding: ``wrong-call`` for what no name can begin with.
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
        return leads(query.lower(), stores)
    told = [_lead(label, value, position, matches) for (label, value, position), matches in found.items()]
    # What is typed whole comes before what only begins so.
    return tuple(sorted(told, key=lambda lead: query not in (lead.value, lead.value.rpartition(":")[2])))


def _name_in(query: str, store: Store) -> str | None:
    """What is looked up: of a path the folder that it goes through, or else the last hex digits in it, as of a blob."""
    if "/" not in query:
        return query
    digits = [part for part in query.split("/") if _DIGITS.fullmatch(part)]
    return store.directory_of(query) or next(reversed(digits), None)


def _lead(label: str, value: str, position: int | None, matches: list[tuple[Store, Match]]) -> Lead:
    """Several matches of one name in one store, told as one: of the images, the smallest that has a name."""
    store = matches[0][0]
    ids = dict.fromkeys(match.image for _, match in matches if match.image)
    images = [
        image for image in one_per_config(store.images()) if image.id in ids and _has(store, image, value, position)
    ]
    shown = min(images, key=lambda image: (not image.names, len(image.layers)), default=None)
    container = next((item for item in store.containers() if value in (item.id, item.upper, item.init)), None)
    if container and shown is None:
        shown = next((image for image in store.images() if image.id == container.image_id), None)
    kinds = dict.fromkeys(match.kind for _, match in matches)
    return Lead(
        label=label,
        store=store,
        value=value,
        kinds=tuple(kinds),
        image=shown,
        position=position,
        container=container,
        images=len(images),
    )


def _has(store: Store, image: Image, value: str, position: int | None) -> bool:
    """Whether a name belongs to this image, of several with one ID: an index has one ID for all its platforms."""
    if any((match.value, match.position) == (value, position) for match in names_of_image(store, image)):
        return True
    folder = image.layers[position].directory if position is not None and position < len(image.layers) else None
    return any(value in one.links for one in store.directories() if one.name == folder)


# Words


def which(lead: Lead) -> str:
    """One sentence: in this store, this name is that of this layer of this image."""
    kinds = say("names.and").join(lead.kinds)
    digits = fitting(lead.value.rpartition(":")[2], 13)
    if lead.image is None:
        return say("names.which_none", label=lead.label, name=digits, kinds=kinds)
    image = name_of(lead.image)
    if lead.container is not None:
        return say(
            "names.which_container",
            label=lead.label,
            name=digits,
            kinds=kinds,
            container=fitting(lead.container.name, 24),
            image=image,
        )
    more = (
        ""
        if lead.images < 2
        else say("names.more_one")
        if lead.images == 2
        else say("names.more", count=lead.images - 1)
    )
    if lead.position is None:
        return say(
            "names.which_image",
            label=lead.label,
            name=digits,
            kinds=kinds,
            image=image,
            more=more,
            count=len(lead.image.layers),
        )
    layer = say("walk.layer", number=lead.position + 1, count=len(lead.image.layers))
    return say("names.which_layer", label=lead.label, name=digits, kinds=kinds, layer=layer, image=image, more=more)


def name_of(image: Image) -> str:
    return fitting(min(image.names, key=len), 40) if image.names else say("names.nameless", id=short(image.id))


def fitting(text: str, limit: int = 40) -> str:
    """A name from outside, safe and short."""
    text = printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def names_table(query: str, stores: Mapping[str, Store]) -> DigestTable:
    """Everything that a name can mean, as a table: the store, what it is there, of which image and layer, and the whole name.

    Args:
        query: See `leads`.
        stores: What to call each -> the store.

    Raises:
        Finding: ``wrong-call`` for what no name can begin with.
    """
    rows = [
        (
            lead.label,
            say("names.and").join(lead.kinds),
            name_of(lead.image) if lead.image else "–",
            "–" if lead.position is None else lead.position + 1,
            max(lead.images, int(lead.image is not None)),
            printable(lead.value),
        )
        for lead in leads(query, stores)
    ]
    return DigestTable.of(
        [say(f"names.table.{key}") for key in ("store", "kinds", "image", "layer", "images", "value")], rows
    )
