"""Whole images written as archives, in chunks.

Two forms: Docker's (``manifest.json``, a config, one plain tar for each layer) and an
OCI image layout. Nothing in them comes from a clock or a machine: the same image gives
the same bytes. Layers stay uncompressed, because the bytes that a compressor gives
depend on its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from overlaylab.errors import Finding
from overlaylab.image.config import ImageConfig
from overlaylab.image.digest import Digest
from overlaylab.image.document import go_json
from overlaylab.image.media_types import MediaType
from overlaylab.image.tar_writer import END, file_member, member_header, padded
from overlaylab.overlay.oci.commits import LayerTar


def write_docker_archive(
    out: BinaryIO, config: ImageConfig, layers: Sequence[LayerTar], names: Sequence[str] = ()
) -> None:
    """Write what ``docker load`` reads.

    Args:
        out: Takes the bytes; need not be seekable.
        config: Of the image. Its bytes go into the archive as they are, so the image keeps its ID.
        layers: Bottom first, one for each diff_id of the config.
        names: Such as ``fruit/bowl:1``; without a tag it is ``latest``. None: the image is known by its ID alone.

    Raises:
        Finding: ``layer-count``, ``diffid-mismatch`` if the layers are not those of the config, ``wrong-call`` for a
            name that is a digest.

    Spec:
        moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
    """
    _check(config, layers)
    member = f"{config.image_id.hex}.json"
    entry = {
        "Config": member,
        "RepoTags": [_tagged(name) for name in names] or None,
        "Layers": [f"{layer.diff_id.hex}.tar" for layer in layers],
    }
    archive = _Archive(out)
    archive.put("manifest.json", go_json([entry]))
    archive.put(member, config.raw)
    for layer in layers:
        archive.stream(f"{layer.diff_id.hex}.tar", layer.size, layer.pieces)
    archive.end()


def write_oci_layout(out: BinaryIO, config: ImageConfig, layers: Sequence[LayerTar], name: str = "latest") -> Digest:
    """Write an OCI image layout as a tar.

    Args:
        out: Takes the bytes; need not be seekable.
        config: Of the image, as it is.
        layers: Bottom first, one for each diff_id of the config.
        name: What the index calls the image; tools expect a tag, such as ``1``.

    Returns:
        The digest of the manifest.

    Raises:
        Finding: ``layer-count``, ``diffid-mismatch`` if the layers are not those of the config.

    Spec:
        image-spec, image-layout.md, manifest.md, image-index.md.
    """
    _check(config, layers)
    blobs = [_descriptor(MediaType.OCI_LAYER, layer.diff_id, layer.size) for layer in layers]
    manifest = go_json(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "config": _descriptor(MediaType.OCI_CONFIG, config.image_id, len(config.raw)),
            "layers": blobs,
        }
    )
    entry = _descriptor(MediaType.OCI_MANIFEST, Digest.of(manifest), len(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    archive = _Archive(out)
    archive.put("oci-layout", go_json({"imageLayoutVersion": "1.0.0"}))
    archive.put("index.json", go_json({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": [entry]}))
    archive.put(_blob(Digest.of(manifest)), manifest)
    archive.put(_blob(config.image_id), config.raw)
    for layer in layers:
        archive.stream(_blob(layer.diff_id), layer.size, layer.pieces)
    archive.end()
    return Digest.of(manifest)


def _check(config: ImageConfig, layers: Sequence[LayerTar]) -> None:
    """Refuse layers that do not match the config, as every engine does."""
    if len(layers) != len(config.diff_ids):
        raise Finding("layer-count", "layers", f"{len(config.diff_ids)} layers, as the config says", len(layers))
    for position, (layer, diff_id) in enumerate(zip(layers, config.diff_ids, strict=True)):
        if layer.diff_id != diff_id:
            raise Finding("diffid-mismatch", f"layers[{position}]", diff_id, layer.diff_id)


def _tagged(name: str) -> str:
    """A name with its tag."""
    if "@" in name or not name:
        raise Finding("wrong-call", "name", "a name with or without a tag", name)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _blob(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


class _Archive:
    """A tar of plain files, each name once: a layer that occurs twice in an image is stored once."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._names = out, set[str]()

    def put(self, name: str, data: bytes) -> None:
        """Write a small file."""
        self.stream(name, len(data), lambda: iter([data]))

    def stream(self, name: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> None:
        """Write a file whose content comes in chunks.

        Raises:
            Finding: ``size-mismatch`` if the pieces are not as many bytes as was said.
        """
        if name in self._names:
            return
        self._names.add(name)
        self._out.write(member_header(file_member(name, size)))
        written = 0
        for piece in pieces():
            written += len(piece)
            self._out.write(piece)
        if written != size:
            raise Finding("size-mismatch", name, size, written)
        self._out.write(b"".join(padded((), size)))

    def end(self) -> None:
        """Write the end of the tar."""
        self._out.write(END)
