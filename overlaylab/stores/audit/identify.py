"""Identify a hex string among all names that stores give to images, layers, directories and containers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from overlaylab.errors import Finding
from overlaylab.image.image import Image
from overlaylab.stores.store import Store

# The image and the layer of a directory that no image uses.
NO_OWNER: list[tuple[str, int | None]] = [("", None)]

_QUERY = re.compile(r"(sha256:|sha512:)?[0-9A-Za-z]+(-init)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One meaning of a name.

    Args:
        kind: ``config``, ``manifest``, ``index``, ``layer-blob``, ``diff_id``, ``chain_id``, ``cache-id``,
            ``snapshot``, ``layer-id``, ``link``, ``v1-id``, ``container``, ``mount-id``.
        value: The whole name.
        image: The IMAGE ID that it belongs to; empty if it belongs to none.
        position: The layer, counted from the bottom; None if it names no layer of the image.
        path: The input that it was found in.
    """

    kind: str
    value: str
    image: str = ""
    position: int | None = None
    path: str = ""


def investigate(query: str, stores: Iterable[tuple[str, Store]]) -> tuple[Match, ...]:
    """Look up a name, or the beginning of one, in stores.

    Args:
        query: Hex digits, with or without ``sha256:``; the name of a directory; or the whole number of a snapshot.
        stores: Each with the path it was opened from.

    Raises:
        Finding: ``wrong-call`` for a text that no name can begin with.
    """
    if not _QUERY.fullmatch(query):
        raise Finding("wrong-call", "id", "hex digits, or the name of a folder", query)
    return tuple(
        dict.fromkeys(
            replace(match, path=path)
            for path, store in stores
            for part in store.parts
            for match in names_of(part)
            if _fits(query, match)
        )
    )


def _fits(query: str, match: Match) -> bool:
    if match.kind == "snapshot":
        return query == match.value
    if ":" in query:
        return match.value.startswith(query)
    return match.value.rpartition(":")[2].startswith(query)


def names_of(store: Store) -> Iterator[Match]:
    """Every name in a store, each with the image and the layer that it stands for."""
    for image in store.images():
        yield from names_of_image(store, image)
    yield from _directory_names(store)
    for container in store.containers():
        yield Match(kind="container", value=container.id, image=container.image_id)
        for name in filter(None, (container.upper, container.init)):
            kind = "mount-id" if store.directory_kind == "cache-id" else store.directory_kind
            yield Match(kind=kind, value=name, image=container.image_id)


def names_of_image(store: Store, image: Image) -> Iterator[Match]:
    """The names of one image and of its layers; short names of directories are left out.

    An index may be what an engine shows as the image's ID.
    """
    for kind, digests in (
        ("config", [image.config_digest]),
        ("manifest", [image.manifest_digest, *image.other_manifests]),
        ("index", image.indexes),
    ):
        for digest in filter(None, digests):
            yield Match(kind=kind, value=digest, image=image.id)
    # From the config, which names layers that are damaged too.
    for position, (diff_id, chain_id) in enumerate(zip(image.diff_ids or (), image.chain_ids or (), strict=True)):
        yield Match(kind="diff_id", value=diff_id, image=image.id, position=position)
        yield Match(kind="chain_id", value=chain_id, image=image.id, position=position)
    blobs = image.manifest.layers if image.manifest and len(image.manifest.layers) == len(image.layers) else ()
    for layer in image.layers:
        for kind, name in (
            ("layer-blob", blobs[layer.position].digest if blobs else None),
            (store.directory_kind, layer.directory),
            *(("v1-id", name) for name in layer.v1_ids),
            *(("layer-blob", digest) for digest in layer.blobs),
        ):
            if name:
                yield Match(kind=kind, value=name, image=image.id, position=layer.position)


def _directory_names(store: Store) -> Iterator[Match]:
    """The names of directories that no image uses, and the short names of all directories."""
    owners: dict[str | None, list[tuple[str, int | None]]] = {}
    for image in store.images():
        for layer in image.layers:
            owners.setdefault(layer.directory, []).append((image.id, layer.position))
    held = {name for container in store.containers() for name in (container.upper, container.init)}
    for directory in store.directories():
        used = owners.get(directory.name, [])
        if not used and directory.name not in held:
            yield Match(kind=store.directory_kind, value=directory.name)
        for link in directory.links:
            for image_id, position in used or NO_OWNER:
                yield Match(kind="link", value=link, image=image_id, position=position)


def match_facts(query: str, matches: Iterable[Match]) -> dict[str, Any]:
    """Everything that ``id`` says, with fixed keys."""
    keys = ("kind", "value", "image", "position", "path")
    listed = [{key: getattr(item, key) for key in keys} | {"image": item.image or None} for item in matches]
    return {"query": query, "matches": listed}
