"""The exercises of notebook 02: diff_id and chain_id."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.kit_images import data_root, kit_config
from overlaylab.course.practice_page import page
from overlaylab.image.compression import unpack
from overlaylab.image.digest import ChainID, DiffID, chain_ids, chain_text, digest_bytes
from overlaylab.image.samples import tiny_layer
from overlaylab.stores.shipped_files import packings

prediction("02-packing", "b", diff_id="a", image_id="c", nothing="d")
prediction("02-line", "d", both_free="a", newline_free="b", prefix_free="c")
prediction("02-inspect", "b", chain_ids="a", blobs="c")
prediction("02-order", "b", own="a", all="c", none="d")
prediction("02-twins", "c", merged="a", one_name="b")


def third() -> tuple[ChainID, DiffID]:
    """The two names that give the chain_id of nginx's third layer."""
    return chain_ids(page.nginx_diff_ids)[1], page.nginx_diff_ids[2]


def third_text() -> str:
    """The text that is hashed for its chain_id."""
    return chain_text(*third())


def named(text: str) -> ChainID:
    """The chain_id of this text."""
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
    """A blob of two gzip members."""
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


# A function for one step of the chain; it is never called for the base.
Step = Callable[[ChainID, DiffID], str]


def steps() -> list[tuple[ChainID, DiffID]]:
    """The two names that give a chain_id, for some layers of nginx."""
    below = chain_ids(page.nginx_diff_ids)
    return [(below[height - 1], page.nginx_diff_ids[height]) for height in (1, 2, 5)]


def results(step: Step) -> list[str]:
    """The results of a function for each of them."""
    return [step(*names) for names in steps()]


exercise(
    "02-function",
    lambda: results(lambda below, diff_id: named(f"{below} {diff_id}")),
    inputs=steps,
    newline=lambda: results(lambda below, diff_id: named(f"{below} {diff_id}\n")),
    bare_parts=lambda: results(lambda below, diff_id: named(f"{below.hex} {diff_id.hex}")),
    turned=lambda: results(lambda below, diff_id: named(f"{diff_id} {below}")),
    no_space=lambda: results(lambda below, diff_id: named(f"{below}{diff_id}")),
    own=lambda: results(lambda below, diff_id: named(diff_id)),
    bare=lambda: results(lambda below, diff_id: named(f"{below} {diff_id}").hex),
    text=lambda: results(lambda below, diff_id: f"{below} {diff_id}"),
)

exercise(
    "02-rootfs",
    lambda: found_as_they_are(kit_config().diff_ids),
    chain_ids=lambda: len(kit_config().chain_ids),
    none=lambda: len(set(kit_config().diff_ids[1:]) & set(kit_config().chain_ids)),
    others=lambda: len(kit_config().diff_ids) - 1,
)


def found_as_they_are(diff_ids: Sequence[DiffID]) -> int:
    """The number of diff_ids that are also the name of a directory in the layerdb."""
    names = {directory.chain_id for directory in data_root().layer_folders()}
    return sum(ChainID(name) in names for name in diff_ids)


# Layers 8 and 9 of kit/app are one tar, taken in twice.
SECOND = 8


def left() -> list[ChainID]:
    """The chain_ids of kit/app that stay when the second of its two equal layers is left out."""
    now = chain_ids([name for height, name in enumerate(kit_config().diff_ids) if height != SECOND])
    return [name for name in kit_config().chain_ids if name in now]


exercise(
    "02-repeat",
    lambda: len(left()),
    merged=lambda: len(kit_config().chain_ids) - 1,
    all=lambda: len(kit_config().chain_ids),
    all_but_two=lambda: len(left()) - 1,
    changed=lambda: len(kit_config().chain_ids) - len(left()),
)
