"""The exercises of notebook 03: from a chain_id to the folder behind it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from overlaylab.course.exercises import exercise, letters, prediction
from overlaylab.image.digest import ChainID
from overlaylab.image.image import Layer
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.docker.walk import cat, follow
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import shipped_root

__all__ = []

DIGITS = 12

# Layers of kit/app that are asked for, counted from 1, the base.
ASKED, LOW = 9, 4


@cache
def root() -> DockerRoot:
    """The data root that comes with the kit."""
    return shipped_root()


@cache
def layers() -> tuple[Layer, ...]:
    """The layers of kit/app in the data root that comes with the kit, bottom first."""
    return select(root(), "kit/app:1").layers


def layer(number: int) -> Layer:
    """One of them, counted from 1."""
    return layers()[number - 1]


prediction("03-entry", "b", diff_id="a", image_id="c")

prediction("03-cache", "d", tar="a", diff_id="b", chain_id="c")

prediction("03-share", "b", diff_id="a")

prediction("03-link", "c", parent="a", own="b")

exercise(
    "03-chain",
    lambda: layer(ASKED).chain_id.hex,
    diff_id=lambda: layer(ASKED).diff_id.hex,
    diff_id_in_full=lambda: layer(ASKED).diff_id,
    prefix=lambda: layer(ASKED).chain_id,
    from_zero=lambda: layer(ASKED + 1).chain_id.hex,
    from_the_top=lambda: layers()[-ASKED].chain_id.hex,
    below=lambda: layer(ASKED - 1).chain_id.hex,
    turned=lambda: ChainID.of(f"{layer(ASKED).diff_id} {layer(ASKED - 1).chain_id}".encode()).hex,
    newline=lambda: ChainID.of(f"{layer(ASKED - 1).chain_id} {layer(ASKED).diff_id}\n".encode()).hex,
    bare=lambda: ChainID.of(f"{layer(ASKED - 1).chain_id.hex} {layer(ASKED).diff_id.hex}".encode()).hex,
    cache_id=lambda: layer(ASKED).directory,
    short=lambda: layer(ASKED).chain_id.hex[:DIGITS],
)

exercise(
    "03-computed",
    lambda: "abc",
    read=letters,
    cache_too=lambda: "abcd",
    mount_too=lambda: "abcf",
    hex_alike=lambda: "abcdf",
    all=lambda: "abcdef",
    random=lambda: "def",
    no_chain=lambda: "ab",
    no_image=lambda: "bc",
)


def names(value: Any) -> Any:
    """A list of names as the file ``lower`` may be read: with colons or commas, paths or not, long or short."""
    parts = re.split(r"[:,\s]+", value) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        return value
    return tuple(
        name[:DIGITS]
        for part in parts
        if (name := str(part).strip("'\"[]() ").removeprefix("../").removesuffix("/diff").lower())
    )


def folders(number: int) -> tuple[str, ...]:
    """What ``lower`` of a layer leads to, topmost first."""
    return tuple(other.directory for other in reversed(layers()[: number - 1]))


exercise(
    "03-lower",
    lambda: folders(LOW),
    read=names,
    base_first=lambda: folders(LOW)[::-1],
    itself=lambda: (layer(LOW).directory, *folders(LOW)),
    itself_last=lambda: (*folders(LOW)[::-1], layer(LOW).directory),
    no_base=lambda: folders(LOW)[:-1],
    chain_ids=lambda: tuple(other.chain_id.hex for other in reversed(layers()[: LOW - 1])),
    links=lambda: tuple(
        name.removeprefix("l/") for name in follow(root(), "kit/app:1", LOW - 1)["lower"].content.split(":")
    ),
    links_as_written=lambda: follow(root(), "kit/app:1", LOW - 1)["lower"].content,
)


# The file link of layer 4 holds a short name; it is asked to which folder that leads.
exercise(
    "03-short",
    lambda: (layer(LOW).directory,),
    read=names,
    parent=lambda: (layer(LOW - 1).directory,),
    base=lambda: (layer(1).directory,),
    child=lambda: (layer(LOW + 1).directory,),
    chain_id=lambda: (layer(LOW).chain_id.hex,),
    short_name=lambda: (cat(root(), f"overlay2/{layer(LOW).directory}/link"),),
)


IMAGES = ("kit/app:1", "kit/web:latest", "127.0.0.1:5000/kit/sibling:1")


@cache
def stacks() -> list[tuple[Layer, ...]]:
    """The layers of three images."""
    return [select(root(), name).layers for name in IMAGES]


exercise(
    "03-shared",
    lambda: len({one.directory for stack in stacks() for one in stack}),
    by_diff_id=lambda: len({one.diff_id for stack in stacks() for one in stack}),
    no_sharing=lambda: sum(map(len, stacks())),
    largest=lambda: max(map(len, stacks())),
    no_base=lambda: len({one.directory for stack in stacks() for one in stack}) + 1,
)
