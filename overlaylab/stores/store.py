"""What every store can be asked, and the values that readers share."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Self

from overlaylab.errors import Finding, Problem
from overlaylab.image.image import Container, Image, Layer
from overlaylab.tree import Directory

if TYPE_CHECKING:
    from overlaylab.overlay.mount_options import Mount
    from overlaylab.stores.files.place import Place

# The files by which a store is recognised, relative to its root. containerd's database of images and containers:
META = "io.containerd.metadata.v1.bolt/meta.db"
# The root of the containerd that dockerd runs by itself.
DAEMON = "containerd/daemon"
# The images of podman, buildah and CRI-O.
IMAGES = "overlay-images/images.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDirectory:
    """A directory of a storage driver: of a layer, of a container, of the build cache, or a leftover.

    Args:
        name: As `Layer.directory` and `Container.upper` have it.
        chain_ids: The layers that it holds by the store's own documents.
        links: Its short names.
        cache: Whether its name or its namespace is typical of BuildKit's build cache.
    """

    name: str
    chain_ids: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    cache: bool = False


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that could not be verified, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Collector:
    """What a reader collects on its way through a store's documents."""

    images: list[Image] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)


class Store:
    """A place that holds images. Readers make stores; no other code knows where the bytes lie.

    A reader fills `problems`, `not_checked`, `_images` and `_containers`. By default a store has no directories.
    """

    kind: str
    # The word for its directories: cache-id, snapshot or layer-id; empty for archives.
    directory_kind: str
    # The namespace of the overlay xattrs in the store's directories.
    marks: str = "trusted.overlay."
    # Whether a directory holds the whole file system up to its layer, and not the layer's changes alone.
    whole_directories = False
    problems: tuple[Problem, ...]
    not_checked: tuple[NotChecked, ...]
    _images: tuple[Image, ...] = ()
    _containers: tuple[Container, ...] = ()

    @property
    def parts(self) -> tuple[Store, ...]:
        """The stores in it: several where one root holds several, else itself."""
        # Made on demand, since a stored tuple would be a reference cycle.
        return (self,)

    def images(self) -> tuple[Image, ...]:
        """All images, in a stable order."""
        return self._images

    def containers(self) -> tuple[Container, ...]:
        """All containers, those that have ended too; none in archives."""
        return self._containers

    def directories(self) -> tuple[StoreDirectory, ...]:
        """All directories in which layers or containers could lie; none in archives."""
        return ()

    def directory_path(self, name: str) -> str:
        """The place of a directory's content, as findings name it."""
        raise self._refusal(name)

    def directory_size(self, name: str) -> int:
        """Bytes of the regular files in a directory, hard links once."""
        raise self._refusal(name)

    def directory_of(self, path: str) -> str | None:
        """The directory that a path on the host leads through, or that a name means; None if there is none."""
        return None

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """The content of a directory as a tree.

        Args:
            name: The directory's name in the store.
            keep: How many bytes of file contents to keep in memory, in all.
        """
        raise self._refusal(name)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How the engine mounts an image or a container, with `root` in place of the store's own path."""
        raise self._refusal(target.id)

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """The layer's bytes: its blob as stored, seekable; or the plain tar, rebuilt from a directory, not seekable.

        None where the store keeps neither the blob nor a tar-split file.
        """
        raise self._refusal(layer.source)

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """Name the files of a layer's directory that differ from their recorded checksums, where a store has some."""
        return iter(())

    def _refusal(self, name: str) -> Finding:
        """The finding for a call that this store cannot answer."""
        return Finding("missing-layer", name, "a store with unpacked layers", self.kind)

    def labelled(self) -> Self:
        """The same store, whose images and containers say its kind: for a root that holds several stores."""
        labelled = copy(self)
        labelled._images = tuple(replace(image, store=self.kind) for image in self._images)
        labelled._containers = tuple(replace(container, store=self.kind) for container in self._containers)
        return labelled


class BlobStore(Store):
    """What archives have in common: layers are blobs, and there are no containers and no directories."""

    kind = directory_kind = ""

    def __init__(self, place: Place) -> None:
        self.place = place
        found = self._read()
        self.problems = tuple(found.problems)
        self.not_checked = tuple(found.not_checked)
        self._images = tuple(found.images)

    def _read(self) -> Collector:
        raise NotImplementedError

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """Refused: an archive's layers are tars, and only directories can be mounted."""
        raise Finding("wrong-call", "mount", "a store that unpacks layers into folders", f"an archive: {self.kind}")

    def open_layer(self, layer: Layer) -> BinaryIO:
        """The blob as stored."""
        return self.place.open(layer.source)


def home(store: Store, target: Image | Container) -> Store:
    """The store that holds an image or a container: `store` itself, or one of its parts."""
    for part in store.parts:
        if any(item is target for item in (*part.images(), *part.containers())):
            return part
    return store


def stacked_names(store: Store, container: Container) -> tuple[str, ...]:
    """The directories that a container's view consists of, **bottom first**, its own last."""
    return (container.upper,) if store.whole_directories else (*reversed(container.lower), container.upper)


def unowned_directories(store: Store) -> tuple[str, ...]:
    """The directories that no image and no container uses, in the store's order."""
    found: list[str] = []
    for part in store.parts:
        used = {layer.directory for image in part.images() for layer in image.layers}
        for container in part.containers():
            used |= {container.upper, *container.lower}
        found += [directory.name for directory in part.directories() if directory.name not in used]
    return tuple(found)
