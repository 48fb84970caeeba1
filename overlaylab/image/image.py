"""Images, layers and containers, as values that every store gives in the same form."""

from __future__ import annotations

from dataclasses import dataclass

from overlaylab.errors import Problem

from .config import HistoryEntry, ImageConfig
from .digest import ChainID, DiffID, Digest
from .manifest import Descriptor, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image, with its three identifiers: diff_id, chain_id, and what the store calls it.

    Args:
        position: Counted from the bottom; 0 is the base.
        diff_id: The digest of its uncompressed tar, as the config says.
        chain_id: The digest that names this layer together with everything beneath it.
        source: Where the store keeps it: an archive member, a blob's path, or a cache-id. This distinguishes layers;
            the diff_id does not, since an image may contain equal layers.
        descriptor: The manifest's descriptor of its blob, where there is a manifest.
        history: The build step that made it, if the history fits.
        directory: The directory that it is unpacked in, for stores that unpack layers.
        readable: False if the reader found that it cannot be read; a problem then says why.
        v1_ids: Its directories in an archive of an old ``docker save``: IDs that cannot be computed from its content.
        blobs: Digests of the blobs that it is known to come from, where no manifest names them.
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
        config_digest: As claimed by a manifest or a file name, or else computed from the config.
        manifest_digest: None where there is no manifest.
        manifest: The parsed manifest, if there is one.
        layers: Bottom first.
        problems: What is wrong with this image's documents.
        references: Further names of the form ``repo@sha256:…``.
        indexes: The indexes that lead to it, outermost first.
        other_manifests: Further manifests in the store that describe the same image.
        namespace: Its namespace in containerd's store; empty in others.
        store: The kind of its store, where one data root holds several stores.
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
    """A container as a store knows it.

    Args:
        id: 64 hex digits.
        name: Without the leading slash.
        image_id: The image it was made from.
        lower: Directory names, **topmost first**, the init layer among them.
        upper: Directory name of its writable layer.
        mount: The mount options that the engine used, or would use.
        links: The short names of `lower` as the store writes them, topmost first.
        problems: What is wrong with it.
        init: The directory with the engine's own files (such as ``etc/hosts``) right below the upper; empty if none.
        namespace: Its namespace in containerd's store; empty in others.
        store: The kind of its store, where one data root holds several stores.
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
