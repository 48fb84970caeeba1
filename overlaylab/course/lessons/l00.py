"""The exercises of notebook 00: the map, and what a count counts."""

from __future__ import annotations

from functools import cache
from typing import Any

from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.practice_page import page
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.docker.walk import cat, ls
from overlaylab.stores.shipped_files import shipped_root

__all__ = []


@cache
def root() -> DockerRoot:
    """The data root that comes with the kit."""
    return shipped_root()


prediction("00-count", "c", list="a", count="b")

exercise(
    "00-list",
    lambda: len(page.images),
    info=lambda: page.info["Images"],
    heading=lambda: len(page.images) + 1,
)

exercise(
    "00-images",
    lambda: len(ls(root(), "image/overlay2/imagedb/content/sha256")),
    names=lambda: sum(len(image.names) for image in root().images()),
    references=lambda: sum(len(names) for names in root().repositories().values()),
    named=lambda: sum(bool(image.names) for image in root().images()),
    lines=lambda: lines(),
    layers=lambda: len(root().layer_folders()),
)


def lines() -> int:
    """How many lines ``docker image list`` prints: one for each name, and one for an image that has neither name nor child."""
    folder = "image/overlay2/imagedb/metadata/sha256"
    parents = {
        cat(root(), f"{folder}/{name}/parent")
        for name in ls(root(), folder)
        if "parent" in ls(root(), f"{folder}/{name}")
    }
    return sum(len(image.names) or image.id not in parents for image in root().images())


def in_order(value: Any) -> Any:
    """Letters in the order in which they are given, with or without anything between them."""
    text = "".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return "".join(char for char in text.lower() if char.isalpha()) if isinstance(text, str) else text


exercise(
    "00-journey",
    lambda: "cfadbe",
    read=in_order,
    backwards=lambda: "ebdafc",
    chain_first=lambda: "cafdbe",
    cache_first=lambda: "cfdabe",
)
