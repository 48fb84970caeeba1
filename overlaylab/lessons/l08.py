"""The exercises of notebook 08: what four stores call one image, what is equal in all of them, and who owns a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ..digest import ChainID, Digest, chain_ids
from ..exercises import exercise, letters, plain
from ..image import Image, Store
from ..owners import owner_facts
from ..readers.containers_storage import podman_layer_ids
from ..readers.detect import open_store
from ..readers.shipped import four_stores, shipped
from ..select import select

__all__: list[str] = []

DIGITS = 12
# Two layers of kit/app:1 that are equal, and one that is asked for; counted from 1, the base.
EQUAL, ASKED = (8, 9), 5


@cache
def stores() -> Mapping[str, Store]:
    """The four stores that come with the kit, and the same layout packed with zstd."""
    return four_stores() | {"zstd": open_store(shipped("oci-zstd.tar"))}


@cache
def image(label: str, name: str = "kit/app:1") -> Image:
    """An image in one of them."""
    return select(stores()[label], name)


FOUR = ("docker", "docker29", "podman", "oci")


def numbers(value: Any) -> Any:
    """Several numbers, however they are written."""
    if isinstance(value, str):
        value = value.strip("[](){} ").replace(",", " ").split()
    if isinstance(value, Mapping):
        value = list(value.values())
    return tuple(plain(item) for item in value) if isinstance(value, (list, tuple)) else value


def digits(value: Any) -> Any:
    """A digest by its first twelve digits, with or without ``sha256:``; a shorter one as it is."""
    text = plain(value)
    return text.removeprefix("sha256:").rstrip("….")[:DIGITS] if isinstance(text, str) else value


# Predictions


exercise(
    "08-ids",
    lambda: len({image(label).id for label in FOUR}),
    one=lambda: len({image(label).diff_ids for label in FOUR}),
    no_layout=lambda: len({image(label).id for label in FOUR[:3]}),
    each=lambda: len(FOUR),
)

# What can be compared in all four, in the order of the letters; folders are compared as what the store calls them.
SIDES: tuple[Callable[[str], Any], ...] = (
    lambda label: image(label).id,
    lambda label: image(label).manifest_digest,
    lambda label: image(label).diff_ids,
    lambda label: image(label).chain_ids,
    lambda label: tuple(layer.descriptor and layer.descriptor.digest for layer in image(label).layers),
    lambda label: tuple(layer.directory for layer in image(label).layers),
)


def same() -> str:
    """The letters of what is equal in all four; the merged tree, the last letter, is what equal chain_ids name."""
    equal = "".join(letter for letter, side in zip("abcdef", SIDES) if len({side(label) for label in FOUR}) == 1)
    return equal + ("g" if "d" in equal else "")


exercise(
    "08-equal",
    same,
    read=letters,
    id_too=lambda: "a" + same(),
    all_digests=lambda: "abcdeg",
    blobs_too=lambda: letters(same() + "e"),
    folders_too=lambda: letters(same() + "f"),
    no_tree=lambda: same().replace("g", ""),
    no_chain=lambda: same().replace("d", ""),
    all=lambda: "abcdefg",
)


def copies(label: str) -> int:
    """How many places a store has for the two equal layers."""
    layers = [image(label).layers[number - 1] for number in EQUAL]
    return len({layer.directory or layer.source for layer in layers})


exercise(
    "08-copies",
    lambda: tuple(map(copies, FOUR)),
    read=numbers,
    shared=lambda: (1, 1, 1, 1),
    each=lambda: (2, 2, 2, 2),
    only_random=lambda: (2, 2, 1, 1),
    turned=lambda: (1, 1, 1, 2),
)

# What can change when an image is packed anew, in the order of the letters.
PACKED: tuple[Callable[[Image], Any], ...] = (
    lambda item: item.config_digest,
    lambda item: item.manifest_digest,
    lambda item: [layer.descriptor.digest for layer in item.layers],
    lambda item: item.diff_ids,
    lambda item: item.chain_ids,
)


def changed() -> str:
    """The letters of what changed from gzip to zstd."""
    return "".join(letter for letter, part in zip("abcde", PACKED) if part(image("oci")) != part(image("zstd")))


exercise(
    "08-zstd",
    changed,
    read=letters,
    only_blobs=lambda: changed().replace("b", ""),
    id_too=lambda: "a" + changed(),
    diff_too=lambda: changed() + "d",
    chain_too=lambda: changed() + "de",
    all=lambda: "abcde",
)


# On your own


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


def kept(dropped: int = EQUAL[1] - 1) -> int:
    """How many of the chain_ids are still there when one layer is left out."""
    old = image("docker").diff_ids
    new = chain_ids([*old[:dropped], *old[dropped + 1 :]])
    return len(set(new) & set(ChainID(name) for name in image("docker").chain_ids))


exercise(
    "08-dropped",
    kept,
    all_left=lambda: len(image("docker").layers) - 1,
    none=lambda: 0,
    one_more=lambda: kept() + 1,
    above=lambda: len(image("docker").layers) - 1 - kept(),
    one_less=lambda: kept() - 1,
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
