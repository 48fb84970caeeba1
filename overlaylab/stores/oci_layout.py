"""An OCI image layout: ``oci-layout``, ``index.json`` and ``blobs/``, as a directory or as a tar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.config import ImageConfig, history_problems, layer_history, parse_config
from overlaylab.image.digest import ChainID, Digest, verify
from overlaylab.image.document import parse_json
from overlaylab.image.image import Image, Layer
from overlaylab.image.manifest import Descriptor, Index, Manifest, is_attestation, parse_index, parse_manifest
from overlaylab.image.media_types import MediaType, layer_compression
from overlaylab.stores.files.place import Place

from .store import BlobStore, Collector, NotChecked

if TYPE_CHECKING:
    pass


CONTAINERD_NAME = "io.containerd.image.name"

REF_NAME = "org.opencontainers.image.ref.name"

REFERENCE = "vnd.docker.reference.digest"


class OciLayout(BlobStore):
    """An OCI image layout as a store. Spec: image-spec, image-layout.md."""

    kind = "oci-layout"

    def _read(self) -> Collector:
        found = Collector()
        check_layout(self.place, found)
        if not self.place.has("index.json"):
            raise NotReadable("not-an-image", self.place.where, "index.json beside oci-layout", "nothing")
        walker = read_index(self.place, found)
        found.images = [entry.image for entry in walker.entries.values()]
        if not found.images:
            self._explain(walker.artifacts, found)
        return found

    def _explain(self, artifacts: list[str], found: Collector) -> None:
        """Raise the reason why there is no image at all."""
        if any(problem.severity == "error" for problem in found.problems):
            raise NotReadable.of(found.problems)
        if artifacts:
            raise NotReadable("not-a-container-image", self.place.where, "an image config", ", ".join(artifacts))
        raise NotReadable("empty-index", f"{self.place.where}: index.json", "an image", "nothing")


def check_layout(place: Place, found: Collector) -> None:
    """Check the version in ``oci-layout``; the specification requires that file."""
    where = f"{place.where}: oci-layout"
    if not place.has("oci-layout"):
        found.problems.append(Problem("missing-member", where, "a file", "nothing"))
        return
    version = parse_json(place.read("oci-layout"), where, "bad-manifest").string("imageLayoutVersion")
    if version.split(".")[0] != "1":
        raise NotReadable("unsupported-version", where, "imageLayoutVersion 1.0.0", version or "nothing")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An image that an index leads to, and the number of the entry of index.json that led there."""

    image: Image
    top: int


def read_index(place: Place, found: Collector) -> IndexWalker:
    """Follow ``index.json`` to every image, through nested indexes.

    Args:
        place: The layout.
        found: Collects the problems and what is not checked.

    Returns:
        The walker, with one entry per manifest; a manifest with two names is one entry with both.
    """
    where = f"{place.where}: index.json"
    if "index.json" in place.duplicates():
        found.problems.append(Problem("duplicate-member", where, "one member", "two"))
    index = parse_index(place.read("index.json"), where, found.problems)
    walker = IndexWalker(place, found)
    for number, descriptor in enumerate(index.manifests):
        walker.visit(descriptor, number, reference_name(descriptor), ())
    return walker


def reference_name(descriptor: Descriptor) -> str:
    """The name in an entry of index.json: containerd's full name, else the reference name as it stands."""
    return descriptor.annotations.get(CONTAINERD_NAME) or descriptor.annotations.get(REF_NAME) or ""


def blob_path(digest: Digest) -> str:
    """The path of a blob in a layout. A digest is checked when it is parsed, so the path stays inside."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


class IndexWalker:
    """One walk through an index; every blob is read once.

    Args:
        place: Holds ``blobs/``.
        found: Collects the problems and what is not checked.
        partial: Whether blobs of a platform may be missing, as in the store of an engine that did not fetch them.
    """

    def __init__(self, place: Place, found: Collector, partial: bool = False) -> None:
        self._partial = partial
        self._place, self._found = place, found
        self.entries: dict[tuple[Digest, Digest | None], IndexEntry] = {}
        self.artifacts: list[str] = []
        self._documents: dict[Digest, bytes] = {}
        self._walked: set[tuple[Digest, int, str]] = set()

    def visit(self, descriptor: Descriptor, top: int, name: str, above: tuple[Digest, ...]) -> None:
        """Follow one descriptor of an index; a problem is collected, and the walk goes on."""
        try:
            self._visit(descriptor, top, name, above)
        except Finding as finding:
            self._found.problems.append(finding.problem)

    def _visit(self, descriptor: Descriptor, top: int, name: str, above: tuple[Digest, ...]) -> None:
        if is_attestation(descriptor):
            subject = descriptor.annotations.get(REFERENCE, "an image")
            self._found.not_checked.append(
                NotChecked(f"attestation {descriptor.digest}", f"a statement about {subject}, not an image")
            )
            return
        if descriptor.digest in above:
            raise Finding("index-cycle", f"{self._place.where}: {descriptor.where}", "an end", descriptor.digest)
        if len(above) >= self._place.limits.depth:
            raise Finding(
                "index-depth",
                f"{self._place.where}: {descriptor.where}",
                f"at most {self._place.limits.depth} levels",
                "more",
            )
        if descriptor.media_type in (MediaType.SCHEMA1, MediaType.SCHEMA1_SIGNED):
            raise Finding(
                "unsupported-schema1",
                f"{self._place.where}: {descriptor.where}",
                "schemaVersion 2",
                descriptor.media_type,
            )
        if not self._place.has(blob_path(descriptor.digest)):
            self._absent(descriptor, top, name, above)
            return
        raw = self._document(descriptor)
        where = f"{self._place.where}: {blob_path(descriptor.digest)}"
        if _is_index(descriptor, raw, where):
            # Without this, nested indexes that each name one index many times would take exponential time.
            if (descriptor.digest, top, name) in self._walked:
                return
            self._walked.add((descriptor.digest, top, name))
            index: Index = parse_index(raw, where, self._found.problems)
            for entry in index.manifests:
                self.visit(entry, top, name, (*above, descriptor.digest))
        else:
            self._manifest(descriptor, parse_manifest(raw, where), top, name, above)

    def _document(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked against its descriptor, size first."""
        if descriptor.digest not in self._documents:
            where = blob_path(descriptor.digest)
            raw = self._place.read(where)
            where = f"{self._place.where}: {where}"
            if len(raw) != descriptor.size:
                self._found.problems.append(
                    Problem("size-mismatch", where, f"{descriptor.size} bytes", f"{len(raw)} bytes")
                )
            verify(raw, descriptor.digest, where)
            self._documents[descriptor.digest] = raw
        return self._documents[descriptor.digest]

    def _absent(self, descriptor: Descriptor, top: int, name: str, above: tuple[Digest, ...]) -> None:
        """Note a manifest that is not here: normal for a platform in an index, an error elsewhere."""
        where = f"{self._place.where}: {blob_path(descriptor.digest)}"
        if not above:
            raise Finding("missing-blob", where, "the manifest", "nothing")
        platform = str(descriptor.platform or "")
        self._found.not_checked.append(
            NotChecked(f"manifest {descriptor.digest}", f"the blobs of {platform or 'a platform'} are not here")
        )
        self._add(
            Image(id=descriptor.digest, platform=platform, manifest_digest=descriptor.digest, indexes=above), top, name
        )

    def _manifest(
        self, descriptor: Descriptor, manifest: Manifest, top: int, name: str, above: tuple[Digest, ...]
    ) -> None:
        if manifest.config.media_type not in MediaType.configs():
            self.artifacts.append(
                manifest.artifact_type or manifest.config.media_type or "a manifest without a config type"
            )
            return
        where = f"{self._place.where}: {blob_path(manifest.config.digest)}"
        platform = str(descriptor.platform or "")
        base = Image(
            id=manifest.config.digest,
            platform=platform,
            config_digest=manifest.config.digest,
            manifest_digest=descriptor.digest,
            manifest=manifest,
            indexes=above,
        )
        if self._partial and above and not self._place.has(blob_path(manifest.config.digest)):
            self._absent(descriptor, top, name, above)
            return
        try:
            if not self._place.has(blob_path(manifest.config.digest)):
                raise Finding("missing-blob", where, "the config", "nothing")
            config = parse_config(self._document(manifest.config), where)
        except Finding as finding:
            self._add(replace(base, problems=(finding.problem,)), top, name)
            return
        layers, problems = self._layers(config, manifest, descriptor)
        if (
            self._partial
            and above
            and layers
            and all(problem.kind == "missing-blob" for problem in problems)
            and not any(x.readable for x in layers)
        ):
            self._absent(descriptor, top, name, above)
            return
        image = replace(base, config=config, platform=config.platform or platform, layers=layers)
        self._add(replace(image, problems=(*problems, *history_problems(config, where))), top, name)

    def _layers(
        self, config: ImageConfig, manifest: Manifest, owner: Descriptor
    ) -> tuple[tuple[Layer, ...], list[Problem]]:
        problems: list[Problem] = []
        if len(manifest.layers) != len(config.diff_ids):
            where = f"{self._place.where}: {blob_path(owner.digest)}"
            problems.append(Problem("layer-count", where, f"{len(config.diff_ids)} layers", str(len(manifest.layers))))
        layers = []
        for position, (blob, diff_id, chain_id, step) in enumerate(
            zip(manifest.layers, config.diff_ids, config.chain_ids, layer_history(config), strict=False)
        ):
            directory = self.directory_of(chain_id)
            problem = None if directory else self._layer_problem(blob)
            if problem is not None:
                problems.append(problem)
            layers.append(
                Layer(
                    position=position,
                    diff_id=diff_id,
                    chain_id=chain_id,
                    source=blob_path(blob.digest),
                    descriptor=blob,
                    history=step,
                    readable=problem is None,
                    directory=directory,
                )
            )
        return tuple(layers), problems

    def directory_of(self, chain_id: ChainID) -> str | None:
        """The directory that a layer is unpacked in; None in a layout."""
        return None

    def _layer_problem(self, blob: Descriptor) -> Problem | None:
        where = f"{self._place.where}: {blob_path(blob.digest)}"
        if layer_compression(blob.media_type) is None:
            return Problem("unsupported-media-type", where, "a layer type", blob.media_type or "nothing")
        try:
            there = self._place.has(blob_path(blob.digest))
        except Finding as finding:
            return finding.problem
        if not there:
            urls = f"only URLs: {', '.join(blob.urls)}" if blob.urls else "nothing"
            return Problem("missing-blob", where, "the layer's blob", urls)
        return None

    def _add(self, image: Image, top: int, name: str) -> None:
        key = image.id, image.manifest_digest
        if key in self.entries:
            known = self.entries[key]
            image, top = known.image, known.top
        names = {*image.names, name} - {""}
        self.entries[key] = IndexEntry(replace(image, names=tuple(sorted(names))), top)


def _is_index(descriptor: Descriptor, raw: bytes, where: str) -> bool:
    """Whether a document is an index: by its media type in the descriptor, else by its keys."""
    if descriptor.media_type in MediaType.indexes():
        return True
    if descriptor.media_type in MediaType.manifests():
        return False
    root = parse_json(raw, where, "bad-manifest")
    return isinstance(root.value, dict) and "manifests" in root.value
