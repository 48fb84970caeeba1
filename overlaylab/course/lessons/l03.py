"""The exercises of notebook 03: from a chain_id to the folder behind it."""

from __future__ import annotations

import re
from typing import Any

from overlaylab.course.answers import letters
from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.kit_images import data_root, kit_image
from overlaylab.image.digest import ChainID
from overlaylab.image.image import Layer
from overlaylab.stores.docker.walk import cat, follow

DIGITS = 12

# Layers of kit/app that are asked for, counted from 1, the base.
ASKED, LOW = 9, 4


def layers() -> tuple[Layer, ...]:
    """The layers of kit/app, bottom first."""
    return kit_image().layers


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
    "abc",
    read=letters,
    cache_too="abcd",
    mount_too="abcf",
    hex_alike="abcdf",
    all="abcdef",
    random="def",
    no_chain="ab",
    no_image="bc",
)


def names(value: Any) -> Any:
    """A list of names from a file ``lower``: with colons or commas, as paths or not, long or short."""
    parts = re.split(r"[:,\s]+", value) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        return value
    return tuple(
        name[:DIGITS]
        for part in parts
        if (name := str(part).strip("'\"[]() ").removeprefix("../").removesuffix("/diff").lower())
    )


def directories(number: int) -> tuple[str, ...]:
    """The directories that ``lower`` of a layer leads to, topmost first."""
    return tuple(other.directory or "" for other in reversed(layers()[: number - 1]))


exercise(
    "03-lower",
    lambda: directories(LOW),
    read=names,
    base_first=lambda: directories(LOW)[::-1],
    itself=lambda: (layer(LOW).directory, *directories(LOW)),
    itself_last=lambda: (*directories(LOW)[::-1], layer(LOW).directory),
    no_base=lambda: directories(LOW)[:-1],
    chain_ids=lambda: tuple(other.chain_id.hex for other in reversed(layers()[: LOW - 1])),
    links=lambda: tuple(
        name.removeprefix("l/") for name in follow(data_root(), "kit/app:1", LOW - 1)["lower"].content.split(":")
    ),
    links_as_written=lambda: follow(data_root(), "kit/app:1", LOW - 1)["lower"].content,
)


# The file ``link`` of layer 4 holds a short name; the question is to which directory it leads.
exercise(
    "03-short",
    lambda: (layer(LOW).directory,),
    read=names,
    parent=lambda: (layer(LOW - 1).directory,),
    base=lambda: (layer(1).directory,),
    child=lambda: (layer(LOW + 1).directory,),
    chain_id=lambda: (layer(LOW).chain_id.hex,),
    short_name=lambda: (cat(data_root(), f"overlay2/{layer(LOW).directory}/link"),),
)


IMAGES = ("kit/app:1", "kit/web:latest", "127.0.0.1:5000/kit/sibling:1")


def stacks() -> list[tuple[Layer, ...]]:
    """The layers of three images."""
    return [kit_image(name).layers for name in IMAGES]


exercise(
    "03-shared",
    lambda: len({one.directory for stack in stacks() for one in stack}),
    by_diff_id=lambda: len({one.diff_id for stack in stacks() for one in stack}),
    no_sharing=lambda: sum(map(len, stacks())),
    largest=lambda: max(map(len, stacks())),
    no_base=lambda: len({one.directory for stack in stacks() for one in stack}) + 1,
)
