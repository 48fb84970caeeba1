"""The exercises of notebook 08: what four stores call one image, what is equal in all of them, and who owns a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from overlaylab.course.exercises import exercise, letters, plain, prediction
from overlaylab.image.digest import Digest
from overlaylab.image.document import compact_json
from overlaylab.image.image import Image
from overlaylab.stores.audit.owners import owner_facts
from overlaylab.stores.containers_storage import podman_layer_ids
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import four_stores
from overlaylab.stores.store import Store

__all__ = []

DIGITS = 12

# The layer of kit/app:1 that is asked for, counted from 1, the base.
ASKED = 5


@cache
def stores() -> Mapping[str, Store]:
    """The four stores that come with the kit."""
    return four_stores()


@cache
def image(label: str, name: str = "kit/app:1") -> Image:
    """An image in one of them."""
    return select(stores()[label], name)


def digits(value: Any) -> Any:
    """A digest by its first twelve digits, with or without ``sha256:``; a shorter one as it is."""
    text = plain(value)
    return text.removeprefix("sha256:").rstrip("….")[:DIGITS] if isinstance(text, str) else value


# Predictions

prediction("08-docker29", "b", config="a", chain="c", random="d")

prediction("08-equal", "b", ids="a", folders="c", all="d")

prediction("08-copies", "d", shared="a", each="b", only_random="c")

prediction("08-zstd", "b", only_blobs="a", id_too="c", all="d")


# On your own


exercise(
    "08-shown",
    lambda: image("docker29", "kit/base:1").manifest_digest,
    read=digits,
    config=lambda: image("docker29", "kit/base:1").config_digest,
    chain=lambda: image("docker29", "kit/base:1").chain_ids[-1],
    app=lambda: image("docker29").id,
    blob=lambda: image("docker29", "kit/base:1").layers[0].descriptor.digest,
    rewritten=lambda: Digest.of(compact_json(image("docker29", "kit/base:1").manifest.raw.decode())),
)


def joined(first: str, second: str) -> str:
    """The digits of the hash of two names, joined as somebody may join them."""
    return Digest.of(f"{first}{second}".encode()).hex


def ids() -> tuple[str, ...]:
    """podman's IDs of the layers."""
    return podman_layer_ids(image("podman").diff_ids)


exercise(
    "08-podman",
    lambda: ids()[ASKED - 1],
    read=digits,
    chain_id=lambda: image("podman").chain_ids[ASKED - 1],
    diff_id=lambda: image("podman").diff_ids[ASKED - 1],
    space=lambda: joined(ids()[ASKED - 2], f" {image('podman').diff_ids[ASKED - 1].hex}"),
    prefixes=lambda: joined(f"sha256:{ids()[ASKED - 2]}", f"+{image('podman').diff_ids[ASKED - 1]}"),
    prefix=lambda: joined(ids()[ASKED - 2], f"+{image('podman').diff_ids[ASKED - 1]}"),
    on_chain=lambda: joined(image("podman").chain_ids[ASKED - 2].hex, f"+{image('podman').diff_ids[ASKED - 1].hex}"),
    on_diff=lambda: joined(image("podman").diff_ids[ASKED - 2].hex, f"+{image('podman').diff_ids[ASKED - 1].hex}"),
    turned=lambda: joined(image("podman").diff_ids[ASKED - 1].hex, f"+{ids()[ASKED - 2]}"),
    from_zero=lambda: ids()[ASKED],
    below=lambda: ids()[ASKED - 2],
)


@cache
def web() -> dict[str, Any]:
    """What podman's store says of kit/web: the bytes that it alone uses, and those that it shares."""
    facts = owner_facts(stores()["podman"], lambda store, layer: 0)
    return next(item for item in facts["images"] if "localhost/kit/web:latest" in item["names"])


def amount(value: Any) -> Any:
    """A number, with or without its unit and its commas."""
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
    lambda: "ace",
    read=letters,
    cache_too=lambda: "abce",
    snapshot_too=lambda: "acde",
    no_podman=lambda: "ac",
    long_ones=lambda: "abcef",
    all=lambda: "abcdef",
    only_diff=lambda: "c",
    others=lambda: "bdf",
)
