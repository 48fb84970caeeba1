"""The exercises of notebook 01: the image config and the image ID."""

from __future__ import annotations

from overlaylab.course.answers import letters
from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.kit_images import data_root, kit_config
from overlaylab.course.practice_page import page
from overlaylab.image.digest import digest_bytes
from overlaylab.image.document import compact_json, pretty_json

DIGITS = 12


def busybox() -> bytes:
    """busybox's config, byte for byte."""
    return compact_json(page.busybox_text)


def app() -> bytes:
    """The config of kit/app, byte for byte."""
    return kit_config().raw


prediction("01-origin", "c", random="a", registry="b")
prediction("01-writings", "d", meaning="a", spaces="b", order="c")
prediction("01-steps", "c", every="a", sized="b")

exercise(
    "01-newline",
    lambda: digest_bytes(busybox() + b"\n"),
    unchanged=lambda: digest_bytes(busybox()),
    backslash=lambda: digest_bytes(busybox() + b"\\n"),
    windows=lambda: digest_bytes(busybox() + b"\r\n"),
    two=lambda: digest_bytes(busybox() + b"\n\n"),
    front=lambda: digest_bytes(b"\n" + busybox()),
    pretty=lambda: digest_bytes(pretty_json(busybox())),
    bare=lambda: digest_bytes(busybox() + b"\n").hex,
    short=lambda: digest_bytes(busybox() + b"\n").hex[:DIGITS],
)

exercise(
    "01-image-id",
    lambda: kit_config().image_id,
    rewritten=lambda: digest_bytes(compact_json(app().decode())),
    pretty=lambda: digest_bytes(pretty_json(app())),
    newline=lambda: digest_bytes(app() + b"\n"),
    busybox=lambda: digest_bytes(busybox()),
    bare=lambda: digest_bytes(app()).hex,
    short=lambda: digest_bytes(app()).hex[:DIGITS],
)

exercise(
    "01-layers",
    lambda: len(kit_config("kit/web:latest").diff_ids),
    every=lambda: len(kit_config("kit/web:latest").history),
    empty=lambda: sum(step.empty_layer for step in kit_config("kit/web:latest").history),
    sized=lambda: sum((data_root().folder(name).size or 0) > 0 for name in kit_config("kit/web:latest").chain_ids),
)

exercise(
    "01-changes", "bce", read=letters, tag="abce", space="ce", time="be", packing="bcde", registry="bcef", all="abcdef"
)
