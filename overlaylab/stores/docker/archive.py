"""An archive of ``docker save`` in its old and its new form, also as other tools write it."""

from __future__ import annotations

import re
from dataclasses import replace

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.config import ImageConfig, history_problems, layer_history, parse_config
from overlaylab.image.document import Node, parse_json
from overlaylab.image.image import Image, Layer
from overlaylab.image.manifest import Descriptor
from overlaylab.stores.oci_layout import IndexEntry, check_layout, read_index
from overlaylab.stores.store import BlobStore, Collector

_V1 = re.compile(r"([0-9a-f]{64})/layer\.tar")

_HEX = re.compile(r"[0-9a-f]{64}")


class DockerArchive(BlobStore):
    """A ``manifest.json`` and the members that it names; since Docker 25 the same tar is an OCI layout, too.

    ``Config`` and ``Layers`` are opaque member names. The image ID is the digest of the config's content, not its
    name. Directory names of the old form are version-1 IDs: digests of nothing that can be checked.
    """

    kind = "docker-archive"
    # The member of a layer -> the directories with version-1 IDs that have a symlink to it; made on demand.
    _v1_directories: dict[str, list[str]] | None = None

    def _read(self) -> Collector:
        found = Collector()
        where = f"{self.place.where}: manifest.json"
        if "manifest.json" in self.place.duplicates():
            found.problems.append(Problem("duplicate-member", where, "one member", "two"))
        root = parse_json(self.place.read("manifest.json"), where, "bad-manifest")
        for node in replace(root, where=where).items():
            try:
                found.images.append(self._image(node))
            except Finding as finding:
                found.problems.append(finding.problem)
        if self.place.has("index.json"):
            self._add_index(found)
        if not found.images:
            if not any(problem.severity == "error" for problem in found.problems):
                found.problems.append(Problem("empty-index", where, "an image", "nothing"))
            raise NotReadable.of(found.problems)
        return found

    def _image(self, node: Node) -> Image:
        """One entry of manifest.json."""
        name = node.need("Config").text()
        raw = self.place.read(name)
        where = f"{self.place.where}: {name}"
        config = parse_config(raw, where)
        members = [item.text() for item in node.list_of("Layers")]
        layers, problems = self._layers(config, members, node.where)
        claimed = _HEX.search(name.rpartition("/")[2])
        if claimed and claimed[0] != config.image_id.hex:
            problems.append(Problem("name-mismatch", where, config.image_id.hex, claimed[0]))
        return Image(
            id=config.image_id,
            names=tuple(sorted(set(node.strings("RepoTags")))),
            platform=config.platform,
            config=config,
            config_digest=config.image_id,
            layers=layers,
            problems=(*problems, *history_problems(config, where)),
        )

    def _layers(self, config: ImageConfig, members: list[str], where: str) -> tuple[tuple[Layer, ...], list[Problem]]:
        problems: list[Problem] = []
        if len(members) != len(config.diff_ids):
            problems.append(
                Problem("layer-count", f"{where}.Layers", f"{len(config.diff_ids)} layers", str(len(members)))
            )
        layers = []
        for position, (member, diff_id, chain_id, step) in enumerate(
            zip(members, config.diff_ids, config.chain_ids, layer_history(config), strict=False)
        ):
            source, problem = self._member(member, f"{where}.Layers[{position}]")
            if problem is not None:
                problems.append(problem)
            layers.append(
                Layer(
                    position=position,
                    diff_id=diff_id,
                    chain_id=chain_id,
                    source=source,
                    history=step,
                    readable=problem is None,
                    v1_ids=self._v1_ids(member, source),
                )
            )
        return tuple(layers), problems

    def _v1_ids(self, member: str, source: str) -> tuple[str, ...]:
        """The directories ``<v1 id>/layer.tar`` of a layer: the one in manifest.json, else all symlinks to it."""
        named = _V1.fullmatch(member)
        if named:
            return (named[1],)
        if self._v1_directories is None:
            self._v1_directories = {}
            for name in self.place.names("."):
                path = f"{name}/layer.tar"
                if (
                    _V1.fullmatch(path)
                    and self.place.type_of(path) == "symlink"
                    and (target := self._member(path, name)[0]) != path
                ):
                    self._v1_directories.setdefault(target, []).append(name)
        return tuple(self._v1_directories.get(source, ()))

    def _member(self, name: str, where: str) -> tuple[str, Problem | None]:
        """The member that holds a layer; in the old form it is often behind a symlink."""
        try:
            path = self.place.resolve(name)
        except Finding as finding:
            return name, finding.problem
        if path is None or self.place.type_of(path) != "file":
            return name, Problem("missing-member", f"{self.place.where}: {where}", name, "nothing")
        return path, None

    def _add_index(self, found: Collector) -> None:
        """Read the same tar as an OCI layout too, and add what it says."""
        try:
            check_layout(self.place, found)
            entries = list(read_index(self.place, found).entries.values())
        except Finding as finding:
            found.problems.append(finding.problem)
            return
        names: dict[int, set[str]] = {}
        by_config = {image.id: i for i, image in reversed(list(enumerate(found.images)))}
        further: list[IndexEntry] = []
        for entry in entries:
            position = by_config.get(entry.image.id)
            if position is None:
                further.append(entry)
                continue
            image = found.images[position]
            names.setdefault(entry.top, set()).update(image.names)
            found.images[position] = self._joined(image, entry.image)
        for entry in further:
            found.images.append(replace(entry.image, names=tuple(sorted(names.get(entry.top, ())))))
        known = {entry.image.id for entry in entries}
        if any(image.id not in known for image in found.images):
            where = f"{self.place.where}: index.json"
            missing = ", ".join(image.id for image in found.images if image.id not in known)
            found.problems.append(
                Problem("views-differ", where, f"the images of manifest.json: {missing}", "not named")
            )

    def _joined(self, image: Image, other: Image) -> Image:
        """An image of manifest.json, with what the OCI manifest of the same config adds."""
        if image.manifest_digest is not None:
            return image
        image = replace(image, manifest_digest=other.manifest_digest, manifest=other.manifest, indexes=other.indexes)
        blobs = other.manifest.layers if other.manifest else ()
        same = len(blobs) == len(image.layers) and all(
            self._same_file(layer, blob) for layer, blob in zip(image.layers, blobs, strict=True)
        )
        if same:
            layers = tuple(replace(layer, descriptor=blob) for layer, blob in zip(image.layers, blobs, strict=True))
            mine = {problem.where for problem in image.problems}
            extra = [
                p for p in other.problems if p.kind not in ("history-mismatch", "missing-blob") and p.where not in mine
            ]
            return replace(image, layers=layers, problems=(*image.problems, *extra))
        where = f"{self.place.where}: manifest {other.manifest_digest}"
        differ = Problem(
            "views-differ", where, f"the {len(image.layers)} layers of manifest.json", f"{len(blobs)} others"
        )
        broken = any(problem.kind in ("layer-count", "missing-member") for problem in image.problems)
        if broken and not other.problems:
            # Only the view whose layers fit rootfs.diff_ids can be used.
            return replace(image, layers=other.layers, problems=(differ,))
        return replace(image, problems=(*image.problems, differ))

    def _same_file(self, layer: Layer, blob: Descriptor) -> bool:
        """Whether a descriptor points to the member that manifest.json names, or to the same layer uncompressed."""
        claimed = _HEX.findall(layer.source)
        return blob.digest.hex in claimed or blob.digest.hex == layer.diff_id.hex
