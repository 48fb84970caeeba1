"""The exercises of notebook 01: the image config and the image ID."""

from __future__ import annotations

from functools import cache

from overlaylab.course.exercises import exercise, letters, prediction
from overlaylab.course.practice_page import page
from overlaylab.image.config import ImageConfig
from overlaylab.image.digest import digest_bytes
from overlaylab.image.document import compact_json, pretty_json
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import shipped_root

__all__ = []

DIGITS = 12


def busybox() -> bytes:
    """busybox's config, byte for byte."""
    return compact_json(page.busybox_text)


@cache
def root() -> DockerRoot:
    """The data root that comes with the kit."""
    return shipped_root()


@cache
def config_of(name: str) -> ImageConfig:
    """The config of an image in the data root that comes with the kit."""
    return select(root(), name).config


def app() -> bytes:
    """The config of kit/app, byte for byte."""
    return config_of("kit/app:1").raw


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
    lambda: config_of("kit/app:1").image_id,
    rewritten=lambda: digest_bytes(compact_json(app().decode())),
    pretty=lambda: digest_bytes(pretty_json(app())),
    newline=lambda: digest_bytes(app() + b"\n"),
    busybox=lambda: digest_bytes(busybox()),
    bare=lambda: digest_bytes(app()).hex,
    short=lambda: digest_bytes(app()).hex[:DIGITS],
)

exercise(
    "01-layers",
    lambda: len(config_of("kit/web:latest").diff_ids),
    every=lambda: len(config_of("kit/web:latest").history),
    empty=lambda: sum(step.empty_layer for step in config_of("kit/web:latest").history),
    sized=lambda: sum(root().folder(name).size > 0 for name in config_of("kit/web:latest").chain_ids),
)

exercise(
    "01-changes",
    lambda: "bce",
    read=letters,
    tag=lambda: "abce",
    space=lambda: "ce",
    time=lambda: "be",
    packing=lambda: "bcde",
    registry=lambda: "bcef",
    all=lambda: "abcdef",
)
