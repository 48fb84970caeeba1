"""The exercises of notebook 00: the map, and what a count counts."""

from __future__ import annotations

from typing import Any

from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.kit_images import data_root
from overlaylab.course.practice_page import page
from overlaylab.stores.docker.walk import cat, ls

prediction("00-count", "c", list="a", count="b")

exercise("00-list", lambda: len(page.images), info=lambda: page.info["Images"], heading=lambda: len(page.images) + 1)

exercise(
    "00-images",
    lambda: len(ls(data_root(), "image/overlay2/imagedb/content/sha256")),
    names=lambda: sum(len(image.names) for image in data_root().images()),
    references=lambda: sum(len(names) for names in data_root().repositories().values()),
    named=lambda: sum(bool(image.names) for image in data_root().images()),
    lines=lambda: lines(),
    layers=lambda: len(data_root().layer_folders()),
)


def lines() -> int:
    """The number of lines of ``docker image list``: one a name, and one for an image with neither name nor child."""
    metadata = "image/overlay2/imagedb/metadata/sha256"
    directories = [f"{metadata}/{name}" for name in ls(data_root(), metadata)]
    parents = {cat(data_root(), f"{path}/parent") for path in directories if "parent" in ls(data_root(), path)}
    return sum(len(image.names) or image.id not in parents for image in data_root().images())


def route(value: Any) -> Any:
    """Letters whose order counts, with anything or nothing between them."""
    text = "".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return "".join(char for char in text.lower() if char.isalpha()) if isinstance(text, str) else text


exercise("00-journey", "cfadbe", read=route, backwards="ebdafc", chain_first="cafdbe", cache_first="cfdabe")
