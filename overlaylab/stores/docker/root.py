"""Docker's data root with the storage driver overlay2, whose directories the kernel's overlayfs mounts.

layerdb/<chain_id>/cache-id -> overlay2/<cache-id>/{diff,link,lower,work} -> the short names in l/
-> the lower chain of a mount
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from overlaylab.image.image import Container, Image
from overlaylab.overlay.mount_options import Mount, docker_options
from overlaylab.stores.files.place import DirectoryPlace
from overlaylab.stores.overlay_driver import OverlayDriver
from overlaylab.stores.store import NotChecked

from .classic_store import ClassicStore
from .layerdb import CACHE_ID

OVERLAY2 = "overlay2"


class DockerRoot(ClassicStore):
    """A data root whose storage driver is overlay2; for its argument, see `ClassicStore`."""

    driver: OverlayDriver
    driver_name = OVERLAY2

    def _open_driver(self) -> OverlayDriver:
        return OverlayDriver(self.place, OVERLAY2, CACHE_ID, "a cache-id")

    def link_target(self, link: str) -> str | None:
        """The directory that a short name in ``l/`` points to; see `OverlayDriver.target`."""
        return self.driver.target(link)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How Docker mounts it: by the short names, whole paths while they fit into a page; see `docker_options`."""
        base = f"{(root or self.root()).rstrip('/')}/{OVERLAY2}"
        if isinstance(target, Container):
            links, upper = list(target.links), target.upper
        else:
            links, upper = [self.driver.mount_name(name) for name in self.lower_names(target)], None
        if not links:
            # An image of no layers: the kernel refuses such a mount, and so does Docker.
            return Mount(lowerdir=())
        return Mount.of(docker_options(base, links, upper), base)

    def _as_mounted(self, container: Container) -> Container:
        listed = self.driver.lower(container.upper)
        links = listed or tuple(self.driver.mount_name(name) for name in container.lower)
        container = replace(container, links=links)
        return replace(container, mount=self.mount(container).options)

    def _not_checked(self) -> Iterator[NotChecked]:
        yield from super()._not_checked()
        if isinstance(self.place, DirectoryPlace) and hasattr(os, "geteuid") and os.geteuid() != 0:
            yield NotChecked(
                "trusted.overlay.* marks", "only root may read them, so an opaque directory looks like a plain one"
            )
