"""Media types: what a manifest says a blob is, and how a layer is compressed."""

from __future__ import annotations

from enum import StrEnum


class MediaType(StrEnum):
    """The media types of an image's documents and layers.

    Spec: image-spec, media-types.md; Docker's own are those of the distribution project.
    """

    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
    SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

    @classmethod
    def indexes(cls) -> tuple[str, ...]:
        """Documents that list manifests."""
        return (cls.OCI_INDEX, cls.DOCKER_LIST)

    @classmethod
    def manifests(cls) -> tuple[str, ...]:
        """Documents that describe one platform's image."""
        return (cls.OCI_MANIFEST, cls.DOCKER_MANIFEST)

    @classmethod
    def configs(cls) -> tuple[str, ...]:
        """Documents that are image configs."""
        return (cls.OCI_CONFIG, cls.DOCKER_CONFIG)


class Compression(StrEnum):
    """How a layer blob is compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


# The compression that each layer type claims. image-spec, layer.md; "foreign" (Docker) and "nondistributable" (OCI)
# layers are fetched from URLs (Windows base layers).
_LAYERS = {
    "application/vnd.oci.image.layer.v1.tar": Compression.NONE,
    "application/vnd.oci.image.layer.v1.tar+gzip": Compression.GZIP,
    "application/vnd.oci.image.layer.v1.tar+zstd": Compression.ZSTD,
    "application/vnd.oci.image.layer.nondistributable.v1.tar": Compression.NONE,
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": Compression.GZIP,
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": Compression.ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar": Compression.NONE,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": Compression.GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": Compression.ZSTD,
    "application/vnd.docker.image.rootfs.foreign.diff.tar": Compression.NONE,
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": Compression.GZIP,
}


def layer_compression(media_type: str) -> Compression | None:
    """The compression that a layer's media type claims; None if it is no known layer type."""
    return _LAYERS.get(media_type.partition(";")[0].strip().lower())
