"""The images in the data root that comes with the kit, as the lessons use them; opened once."""

from __future__ import annotations

from functools import cache

from overlaylab.errors import Finding
from overlaylab.image.config import ImageConfig
from overlaylab.image.image import Image
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.selection import select_image
from overlaylab.stores.shipped_files import shipped_root


@cache
def data_root() -> DockerRoot:
    """The data root that comes with the kit."""
    return shipped_root()


@cache
def kit_image(name: str = "kit/app:1") -> Image:
    """An image in it."""
    return select_image(data_root(), name)


def kit_config(name: str = "kit/app:1") -> ImageConfig:
    """The config of an image in it.

    Raises:
        Finding: ``not-found`` if the config is not there.
    """
    config = kit_image(name).config
    if config is None:
        raise Finding("not-found", name, "a config", "nothing")
    return config
