"""Manifests and indexes: how documents point at blobs by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overlaylab.errors import Finding, Problem

from .digest import Digest
from .document import Node, parse_json
from .media_types import MediaType

ATTESTATION = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an image runs on. Spec: image-spec, image-index.md, "platform"."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/architecture`` or ``os/architecture/variant``.

        Raises:
            Finding: ``wrong-call``.
        """
        parts = text.split("/")
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise Finding("wrong-call", "platform", "os/architecture or os/architecture/variant", text)
        return cls(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) == 3 else "")

    def accepts(self, offered: str) -> bool:
        """Whether an image for the platform `offered` satisfies this request; no variant matches any variant.

        Spec: containerd, platforms.Normalize: ``arm64/v8`` is the same as ``arm64``.
        """
        asked, offered = (
            text.removesuffix("/v8") if text.endswith("/arm64/v8") else text for text in (str(self), offered)
        )
        return offered == asked or (not self.variant and offered.startswith(f"{asked}/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Media type, digest and size: how documents point at blobs.

    Args:
        media_type: Of the blob.
        digest: Of the blob as stored, compressed or not.
        size: Of the blob, in bytes.
        platform: In an index, the platform that the manifest is for.
        annotations: Free text by key.
        urls: Where to download a layer that is not stored with the image.
        where: The descriptor's place in the document, for findings.

    Spec:
        image-spec, descriptor.md.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str]
    urls: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One platform's image: its config and its layers, bottom first. Spec: image-spec, manifest.md."""

    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A list of manifests, or of further indexes, to choose from. Spec: image-spec, image-index.md."""

    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]


def parse_index(raw: bytes, where: str = "index", problems: list[Problem] | None = None) -> Index:
    """Read an image index or a Docker manifest list.

    ``"manifests": null`` counts as absent: an index without entries.

    Args:
        raw: The document's bytes.
        where: What to call the document in findings.
        problems: Gets the problems of single entries, which are then left out; if None, the first problem is raised.

    Raises:
        Finding: ``bad-json``, ``duplicate-json-key``, ``bad-manifest``, ``bad-digest``,
            ``absurd-size``, ``unsupported-digest-algorithm``.
    """
    root = parse_json(raw, where, "bad-manifest")
    manifests = []
    for node in root.list_of("manifests"):
        try:
            manifests.append(_descriptor(node))
        except Finding as finding:
            if problems is None:
                raise
            problems.append(finding.problem)
    return Index(raw=raw, media_type=root.string("mediaType", MediaType.OCI_INDEX), manifests=tuple(manifests))


def parse_manifest(raw: bytes, where: str = "manifest") -> Manifest:
    """Read an image manifest, OCI's or Docker's schema 2.

    Raises:
        Finding: As `parse_index`, and ``unsupported-schema1`` for a manifest from before content addressing.
    """
    root = parse_json(raw, where, "bad-manifest")
    if root.get("fsLayers") is not None or (root.get("schemaVersion") is not None and root.value["schemaVersion"] == 1):
        raise Finding("unsupported-schema1", where, "schemaVersion 2", "schemaVersion 1")
    return Manifest(
        raw=raw,
        media_type=root.string("mediaType", MediaType.OCI_MANIFEST),
        config=_descriptor(root.need("config")),
        layers=tuple(_descriptor(node) for node in root.list_of("layers")),
        artifact_type=root.string("artifactType"),
        annotations=root.string_map("annotations"),
    )


def _descriptor(node: Node) -> Descriptor:
    platform = node.get("platform")
    return Descriptor(
        media_type=node.string("mediaType"),
        digest=node.need("digest").digest(Digest),
        size=node.need("size").integer(),
        platform=None if platform is None else _platform(platform),
        annotations=node.string_map("annotations"),
        urls=node.strings("urls"),
        where=node.where,
    )


def _platform(node: Node) -> Platform:
    return Platform(os=node.string("os"), architecture=node.string("architecture"), variant=node.string("variant"))


def is_attestation(descriptor: Descriptor) -> bool:
    """Whether an index entry is an attestation, BuildKit's statement *about* an image, and not an image.

    Such entries have the platform ``unknown/unknown``; the annotation ``vnd.docker.reference.digest`` names the
    image that they describe.
    """
    if ATTESTATION in descriptor.annotations:
        return True
    return descriptor.platform is not None and str(descriptor.platform) == "unknown/unknown"


def select_platform(candidates: Sequence[Descriptor], platform: Platform) -> Descriptor:
    """Choose the manifest for a platform; attestations are never chosen.

    Args:
        candidates: The entries of an index, in its order; the first that fits wins, as the specification says.
        platform: Without a variant any variant fits.

    Raises:
        Finding: ``no-such-image`` with the platforms that the index offers.

    Spec:
        image-spec, image-index.md.
    """
    images = [entry for entry in candidates if not is_attestation(entry)]
    for entry in images:
        if entry.platform is not None and platform.accepts(str(entry.platform)):
            return entry
    raise Finding("no-such-image", "platform", str(platform), ", ".join(str(entry.platform) for entry in images))
