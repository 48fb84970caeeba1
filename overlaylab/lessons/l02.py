"""The exercises of notebook 02: diff_id and chain_id."""

from __future__ import annotations

from ..digest import ChainID, DiffID, chain_ids, chain_text, digest_bytes
from ..exercises import exercise
from ..media import unpack
from ..readers.packings import packings
from ..readers.page import page
from ..samples import tiny_layer

__all__: list[str] = []


def third() -> tuple[ChainID, DiffID]:
    """The two names that make the chain_id of nginx's third layer."""
    return chain_ids(page.nginx_diff_ids)[1], page.nginx_diff_ids[2]


def third_text() -> str:
    """The text that is hashed for it."""
    return chain_text(*third())


def named(text: str) -> ChainID:
    """The chain_id that this text gives."""
    return ChainID.of(text.encode())


exercise(
    "02-third",
    lambda: named(third_text()),
    newline=lambda: named(third_text() + "\n"),
    bare_parts=lambda: named(third_text().replace("sha256:", "")),
    turned=lambda: named(" ".join(reversed(third()))),
    no_space=lambda: named("".join(third())),
    diff_below=lambda: named(f"{page.nginx_diff_ids[1]} {page.nginx_diff_ids[2]}"),
    all_three=lambda: named(" ".join(page.nginx_diff_ids[:3])),
    second=lambda: third()[0],
    diff_id=lambda: third()[1],
    bare=lambda: named(third_text()).hex,
)


def two_members() -> bytes:
    """The blob of two gzip members."""
    return packings()["gzip-two-members.tar.gz"]


# The two members of that blob hold half of the layer each.
exercise(
    "02-packed",
    lambda: DiffID.of(unpack(two_members())),
    compressed=lambda: digest_bytes(two_members()),
    first_member=lambda: digest_bytes(tiny_layer()[: len(tiny_layer()) // 2]),
    no_zeros=lambda: digest_bytes(tiny_layer().rstrip(b"\0")),
    newline=lambda: digest_bytes(tiny_layer() + b"\n"),
    bare=lambda: digest_bytes(tiny_layer()).hex,
)


def swapped() -> list[DiffID]:
    """nginx's layers with the third and the fourth in each other's place."""
    first, second, third, fourth, *rest = page.nginx_diff_ids
    return [first, second, fourth, third, *rest]


def changed(one: tuple[str, ...] | list[DiffID], other: tuple[str, ...] | list[DiffID]) -> int:
    """At how many heights two stacks differ."""
    return sum(a != b for a, b in zip(one, other))


exercise(
    "02-swap",
    lambda: changed(chain_ids(swapped()), chain_ids(page.nginx_diff_ids)),
    moved=lambda: changed(swapped(), page.nginx_diff_ids),
    every=lambda: len(page.nginx_diff_ids),
    none=lambda: len(set(swapped()) - set(page.nginx_diff_ids)),
)
