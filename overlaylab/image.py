"""Images, layers and containers as values, and what every store can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .config import HistoryEntry, ImageConfig
from .digest import ChainID, DiffID, Digest
from .errors import Problem
from .manifest import Descriptor, Manifest
from .tree import Directory

if TYPE_CHECKING:
    from .mounts import Mount

__all__ = ["Alone", "Container", "Image", "Layer", "NotChecked", "Store", "StoreFolder", "home", "unowned_directories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image, with its three different names.

    Args:
        position: Counted from the bottom; 0 is the base.
        diff_id: The digest of its uncompressed tar, as the config says.
        chain_id: The name of it and everything beneath.
        source: Where the store keeps it: an archive member, a blob's path, or a cache-id. Layers are told
            apart by this, never by diff_id: equal layers repeat.
        descriptor: How the manifest points at its blob, where there is a manifest.
        history: The build step that made it, if the history fits.
        directory: The folder it is unpacked in, where the store unpacks.
        readable: False if it is known already that it cannot be read; a problem then says why.
        v1_ids: The folders that an old ``docker save`` keeps it under: digests of nothing that can be checked.
        blobs: Digests of blobs that it is known to have come from, where no manifest names them.
    """

    position: int
    diff_id: DiffID
    chain_id: ChainID
    source: str
    descriptor: Descriptor | None = None
    history: HistoryEntry | None = None
    directory: str | None = None
    readable: bool = True
    v1_ids: tuple[str, ...] = ()
    blobs: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image as a store knows it.

    Args:
        id: What the engine prints as IMAGE ID, in full.
        names: RepoTags, sorted.
        platform: ``os/architecture[/variant]``.
        config: The parsed config; None for a platform whose blobs are absent.
        config_digest: As a manifest or a file name claims it, or computed from the config.
        manifest_digest: None where there is no manifest.
        manifest: The parsed manifest, if there is one.
        layers: Bottom first.
        problems: What is wrong with this image's documents.
        references: ``repo@sha256:…`` names that the store also knows it by.
        indexes: The indexes that led to it, outermost first.
        other_manifests: Further manifests that the store knows it by.
        namespace: In containerd's stores.
        store: The kind of its store, where one root holds several.
    """

    id: Digest
    names: tuple[str, ...] = ()
    platform: str = ""
    config: ImageConfig | None = None
    config_digest: Digest | None = None
    manifest_digest: Digest | None = None
    manifest: Manifest | None = None
    layers: tuple[Layer, ...] = ()
    problems: tuple[Problem, ...] = ()
    references: tuple[str, ...] = ()
    indexes: tuple[Digest, ...] = ()
    other_manifests: tuple[Digest, ...] = ()
    namespace: str = ""
    store: str = ""

    @property
    def diff_ids(self) -> tuple[DiffID, ...] | None:
        """Bottom first; None if the config is absent."""
        return None if self.config is None else self.config.diff_ids

    @property
    def chain_ids(self) -> tuple[ChainID, ...] | None:
        """Bottom first; None if the config is absent."""
        return None if self.config is None else self.config.chain_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container's place in a store.

    Args:
        id: 64 hex digits.
        name: Without the leading slash.
        image_id: The image it was made from.
        lower: Folder names, **topmost first**, the init layer among them.
        upper: Folder name of its writable layer.
        mount: The option text that the engine used, or would use.
        links: The short names of `lower` as the store writes them, topmost first.
        problems: What is wrong with it.
        init: The folder of the engine's own files (``etc/hosts`` and the like) right below the upper; empty if none.
        namespace: In containerd's stores.
        store: The kind of its store, where one root holds several.
    """

    id: str
    name: str
    image_id: str
    lower: tuple[str, ...]
    upper: str
    mount: str
    links: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    init: str = ""
    namespace: str = ""
    store: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFolder:
    """A folder in which a store keeps a layer, or something else.

    Args:
        name: As `Layer.directory` and `Container.upper` have it.
        chain_ids: The layers that the store's own tables say it holds.
        links: Its short names.
        cache: Whether its name or its namespace is that of BuildKit's build cache.
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
class Found:
    """What a reader collects while it goes through a store's documents."""

    images: list[Image] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)


class Store(Protocol):
    """A place that holds images. Readers make stores; nothing else knows where the bytes lie."""

    kind: str
    # The word for its folders: cache-id, snapshot or layer-id; empty for archives.
    folder_kind: str
    # The stores in it: several where one root holds several, else itself.
    parts: tuple[Store, ...]
    problems: tuple[Problem, ...]
    not_checked: tuple[NotChecked, ...]
    # The namespace of overlay marks in the store's folders.
    marks: str

    def images(self) -> tuple[Image, ...]:
        """All images, in a stable order."""

    def containers(self) -> tuple[Container, ...]:
        """All containers; none in archives."""

    def folders(self) -> tuple[StoreFolder, ...]:
        """All folders in which layers or containers could lie; none in archives."""

    def folder_path(self, name: str) -> str:
        """The place of a folder's content, as findings name it."""

    def folder_size(self, name: str) -> int:
        """Bytes of the regular files in a folder, hard links once."""

    def folder_of(self, path: str) -> str | None:
        """The folder that a path on the host, or the name of a folder, leads into."""

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How the engine mounts an image or a container, with `root` in place of the store's own path."""

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """The layer's bytes: its blob as it is stored, seekable; or the plain tar, rebuilt from a folder, not seekable.

        None where the store keeps neither the blob nor a recipe for the tar.
        """

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """Name the files of a layer's folder that are not what was recorded, where the store recorded that."""

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """A layer's folder as overlayfs has it, by its name in the store; with contents while `keep` bytes last."""


class Alone:
    """A store that holds no others. It does not keep itself, so that it goes when nobody has it any more."""

    @property
    def parts(self) -> tuple[Store, ...]:
        """The stores in it: itself."""
        return (self,)


def home(store: Store, target: Image | Container) -> Store:
    """The store that an image or a container lies in: `store` itself, or one of several in one root."""
    for part in store.parts:
        if any(item is target for item in (*part.images(), *part.containers())):
            return part
    return store


def unowned_directories(store: Store) -> tuple[str, ...]:
    """Folders of a store that no image and no container uses, in the store's order."""
    found: list[str] = []
    for part in store.parts:
        used = {layer.directory for image in part.images() for layer in image.layers}
        for container in part.containers():
            used |= {container.upper, *container.lower}
        found += [folder.name for folder in part.folders() if folder.name not in used]
    return tuple(found)
