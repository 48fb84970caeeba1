"""The exercises of notebook 08: the names of one image in four stores, what is equal in all, and owners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from overlaylab.course.answers import letters, plain
from overlaylab.course.exercises import exercise, prediction
from overlaylab.image.digest import Digest
from overlaylab.image.document import compact_json
from overlaylab.image.image import Image, Layer
from overlaylab.image.manifest import Descriptor, Manifest
from overlaylab.stores.audit.owners import owner_facts
from overlaylab.stores.containers_storage import podman_layer_ids
from overlaylab.stores.selection import select_image
from overlaylab.stores.shipped_files import four_stores
from overlaylab.stores.store import Store

DIGITS = 12

# The layer of kit/app:1 that is asked for, counted from 1, the base; and the one below.
ASKED, BELOW = 5, 4


@cache
def stores() -> Mapping[str, Store]:
    """The four stores that come with the kit."""
    return four_stores()


@cache
def image(label: str, name: str = "kit/app:1") -> Image:
    """An image in one of them."""
    return select_image(stores()[label], name)


def digits(value: Any) -> Any:
    """A digest by its first twelve digits, with or without ``sha256:``; a shorter one as it is."""
    text = plain(value)
    return text.removeprefix("sha256:").rstrip("….")[:DIGITS] if isinstance(text, str) else value


prediction("08-docker29", "b", config="a", chain="c", random="d")
prediction("08-equal", "b", ids="a", folders="c", all="d")
prediction("08-copies", "d", shared="a", each="b", only_random="c")
prediction("08-zstd", "b", only_blobs="a", id_too="c", all="d")


def docker29() -> tuple[Image, Descriptor, Manifest]:
    """kit/base:1 in Docker 29's store, with the descriptor of its base layer, and its manifest."""
    base = image("docker29", "kit/base:1")
    descriptor, manifest = base.layers[0].descriptor, base.manifest
    assert descriptor is not None and manifest is not None
    return base, descriptor, manifest


exercise(
    "08-shown",
    lambda: docker29()[0].manifest_digest,
    read=digits,
    config=lambda: docker29()[0].config_digest,
    chain=lambda: docker29()[0].layers[-1].chain_id,
    app=lambda: image("docker29").id,
    blob=lambda: docker29()[1].digest,
    rewritten=lambda: Digest.of(compact_json(docker29()[2].raw.decode())),
)


def hash_of(first: str, second: str) -> str:
    """The hex digits of the hash of two texts in a row."""
    return Digest.of(f"{first}{second}".encode()).hex


def ids() -> tuple[str, ...]:
    """podman's IDs of the layers."""
    return podman_layer_ids([layer.diff_id for layer in image("podman").layers])


def layer(number: int) -> Layer:
    """A layer of kit/app:1 in podman's store, counted from 1."""
    return image("podman").layers[number - 1]


exercise(
    "08-podman",
    lambda: ids()[ASKED - 1],
    read=digits,
    chain_id=lambda: layer(ASKED).chain_id,
    diff_id=lambda: layer(ASKED).diff_id,
    space=lambda: hash_of(ids()[BELOW - 1], f" {layer(ASKED).diff_id.hex}"),
    prefixes=lambda: hash_of(f"sha256:{ids()[BELOW - 1]}", f"+{layer(ASKED).diff_id}"),
    prefix=lambda: hash_of(ids()[BELOW - 1], f"+{layer(ASKED).diff_id}"),
    on_chain=lambda: hash_of(layer(BELOW).chain_id.hex, f"+{layer(ASKED).diff_id.hex}"),
    on_diff=lambda: hash_of(layer(BELOW).diff_id.hex, f"+{layer(ASKED).diff_id.hex}"),
    turned=lambda: hash_of(layer(ASKED).diff_id.hex, f"+{ids()[BELOW - 1]}"),
    from_zero=lambda: ids()[ASKED],
    below=lambda: ids()[BELOW - 1],
)


@cache
def web() -> dict[str, Any]:
    """The facts about kit/web in podman's store: the bytes that it alone uses, and the bytes that it shares."""
    facts = owner_facts(stores()["podman"], lambda store, layer: 0)
    return next(item for item in facts["images"] if "localhost/kit/web:latest" in item["names"])


def amount(value: Any) -> Any:
    """A number, with or without its unit and commas."""
    return re.sub(r"[,_ ]|bytes?$", "", value) if isinstance(value, str) else plain(value)


exercise(
    "08-freed",
    lambda: web()["own_bytes"],
    read=amount,
    all=lambda: web()["own_bytes"] + web()["shared_bytes"],
    shared=lambda: web()["shared_bytes"],
    nothing=lambda: 0,
)

exercise(
    "08-found",
    "ace",
    read=letters,
    cache_too="abce",
    snapshot_too="acde",
    no_podman="ac",
    long_ones="abcef",
    all="abcdef",
    only_diff="c",
    others="bdf",
)
