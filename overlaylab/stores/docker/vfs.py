"""Docker's data root with the storage driver vfs, which mounts nothing and copies everything.

    layerdb/<chain_id>/cache-id -> vfs/dir/<cache-id>/: the whole file system up to that layer

A new layer, and a container, begin as a full copy of the directory below. What one layer changed is known from its
tar-split file alone; the content of the files that it brought lies in its own copy. Docker uses this driver where the
kernel's overlayfs cannot be used, such as within a container.
"""

from __future__ import annotations

from overlaylab.errors import NotReadable
from overlaylab.image.image import Container, Image
from overlaylab.overlay.mount_options import Mount
from overlaylab.stores.storage_driver import StorageDriver

from .classic_store import ClassicStore
from .layerdb import CACHE_ID


class VfsRoot(ClassicStore):
    """A data root whose storage driver is vfs; for its argument, see `ClassicStore`."""

    driver_name = "vfs"
    # What follows from it stands in `audit/layer_reader.py`: layers come from tar-split, and directories are compared.
    whole_directories = True

    def _open_driver(self) -> StorageDriver:
        return StorageDriver(self.place, "vfs/dir", CACHE_ID, "a cache-id")

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """Refused: a container sees its own copy, which is no overlay.

        Raises:
            NotReadable: ``unsupported-driver``.
        """
        raise NotReadable(
            "unsupported-driver", self.place.where, "overlay2, whose directories are mounted", self.driver_name
        )
