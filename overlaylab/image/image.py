"""Images, layers and containers as values, and what every store can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from overlaylab.errors import Problem

from .config import HistoryEntry, ImageConfig
from .digest import ChainID, DiffID, Digest
from .manifest import Descriptor, Manifest

__all__ = ["Container", "Image", "Layer"]


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
        directory: The directory it is unpacked in, where the store unpacks.
        readable: False if it is known already that it cannot be read; a problem then says why.
        v1_ids: The directories that an old ``docker save`` keeps it under: digests of nothing that can be checked.
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
        lower: Directory names, **topmost first**, the init layer among them.
        upper: Directory name of its writable layer.
        mount: The option text that the engine used, or would use.
        links: The short names of `lower` as the store writes them, topmost first.
        problems: What is wrong with it.
        init: The directory of the engine's own files (``etc/hosts`` and the like) right below the upper; empty if none.
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
