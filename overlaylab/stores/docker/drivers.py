"""Which storage driver keeps the images of a Docker data root: each has its own tables in ``image/<driver>``."""

from __future__ import annotations

from overlaylab.errors import NotReadable
from overlaylab.stores.files.place import Place

from .classic_store import ClassicStore
from .root import DockerRoot
from .vfs import VfsRoot

# In the order in which they are chosen, if a root has images of several.
READERS: tuple[type[ClassicStore], ...] = (DockerRoot, VfsRoot)


def _has_layerdb(place: Place, driver: str) -> bool:
    """Whether there is a layerdb, or at least an image, of this driver."""
    return bool(place.names(f"image/{driver}/layerdb") or place.names(f"image/{driver}/imagedb/content/sha256"))


def has_layerdb(place: Place) -> bool:
    """Whether there is a layerdb, or at least an image, of a driver that can be read."""
    return any(_has_layerdb(place, reader.driver_name) for reader in READERS)


def open_data_root(place: Place) -> ClassicStore:
    """Open a data root by its storage driver.

    Raises:
        NotReadable: ``no-layerdb``, ``unsupported-driver``.
    """
    for reader in READERS:
        if _has_layerdb(place, reader.driver_name):
            return reader(place)
    drivers = [name for name in place.names("image") if place.type_of(f"image/{name}") == "dir"]
    for reader in READERS:
        if reader.driver_name in drivers:
            raise NotReadable("no-layerdb", place.where, f"image/{reader.driver_name}/layerdb", "none")
    if drivers:
        known = " or ".join(reader.driver_name for reader in READERS)
        raise NotReadable("unsupported-driver", place.where, known, ", ".join(drivers))
    raise NotReadable(
        "no-layerdb", place.where, "image/overlay2/layerdb", "none: the containerd image store, or no Docker root"
    )
