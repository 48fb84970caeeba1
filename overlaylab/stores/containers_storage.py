"""containers-storage: where podman, buildah and CRI-O keep images, as root or as a user.

    overlay-images/images.json -> overlay-images/<id>/{manifest,=<base64 of the config's digest>} -> diff_ids
    images.json "layer": the top one -> overlay-layers/layers.json "parent" down to the bottom
    -> overlay/<layer id>/{diff/,link,lower}, overlay-layers/<layer id>.tar-split.gz

A layer's ID looks like a chain_id but is not one. Only ``parent`` says which layer lies below which.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.config import ImageConfig, history_problems, parse_config
from overlaylab.image.digest import DiffID, Digest
from overlaylab.image.document import Node, parse_json
from overlaylab.image.image import Container, Image, Layer
from overlaylab.image.manifest import Manifest, parse_manifest
from overlaylab.overlay.mount_options import Mount
from overlaylab.overlay.mount_parameters import PAGE
from overlaylab.stores.files.place import Place

from .overlay_driver import OverlayDriver
from .storage_driver import collected
from .store import IMAGES, NotChecked
from .tar_split import TarSplitStore
from .unpacked_store import config_layers, unpacked_in

T = TypeVar("T")
DRIVER = "overlay"
DEFAULT_ROOT, ROOTLESS_ROOT = "/var/lib/containers/storage", "~/.local/share/containers/storage"
LAYER_ID = re.compile(r"[0-9a-f]{64}")
_PLAIN = re.compile(r"[a-z0-9.]+")


def podman_layer_ids(diff_ids: Sequence[DiffID]) -> tuple[str, ...]:
    """The IDs that podman gives to the layers of an image: a chain of hashes, but not the chain_ids.

    This holds for layers that were pulled whole, loaded, built or committed. A container's layer has a random ID.

    Args:
        diff_ids: Bottom first.

    Returns:
        Hex digits, bottom first.

    Spec:
        containers-storage, as seen in podman 4.3 and 5.8: parent ID, plus sign, diff_id, all without ``sha256:``.
    """
    ids: list[str] = []
    for diff_id in diff_ids:
        ids.append(Digest.of(f"{ids[-1]}+{diff_id.hex}".encode()).hex if ids else diff_id.hex)
    return tuple(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayer:
    """One entry of layers.json: the ID is its directory's name.

    Args:
        parent: The ID of the layer below; empty for a bottom layer.
        diff_id: None for a container's layer.
        blob: The digest of the blob that it was unpacked from, if there was one.
    """

    id: str
    parent: str
    diff_id: DiffID | None
    blob: Digest | None


class LayerDirectories(OverlayDriver):
    """The directories in ``overlay/``; those with other names than layer IDs belong to no layer."""

    def names(self) -> tuple[str, ...]:
        """The directories whose names are layer IDs."""
        return tuple(name for name in super().names() if self.pattern.fullmatch(name))


class ContainersStorage(TarSplitStore):
    """A storage root as a store; a directory or a tar of one, read alike and never changed.

    Raises:
        NotReadable: ``unsupported-driver``.
    """

    kind = "containers-storage"
    directory_kind = "layer-id"
    driver: LayerDirectories

    def __init__(self, place: Place) -> None:
        if not place.has(IMAGES):
            drivers = [name.removesuffix("-images") for name in place.names(".") if name.endswith("-images")]
            raise NotReadable("unsupported-driver", place.where, DRIVER, ", ".join(drivers) or "none")
        self.place = place
        self.driver = LayerDirectories(place, DRIVER, LAYER_ID, "a layer ID")
        # Without root, overlayfs keeps its xattrs in a namespace that a user may write, and is mounted with userxattr.
        self.rootless = place.owner(DRIVER) != 0
        self.default_root = ROOTLESS_ROOT if self.rootless else DEFAULT_ROOT
        self.marks = "user.overlay." if self.rootless else "trusted.overlay."
        problems: list[Problem] = []
        self._layers = {layer.id: layer for layer in self._table("overlay-layers/layers.json", _layer, problems)}
        self._checked: dict[str, tuple[Problem, ...]] = {}
        self._images = tuple(self._table(IMAGES, self._image, problems))
        self._containers = tuple(self._table("overlay-containers/containers.json", self._container, problems))
        self.problems = tuple(problems)
        self.not_checked: tuple[NotChecked, ...] = ()

    # the tables

    def _table(self, path: str, make: Callable[[Node], T], problems: list[Problem]) -> Iterator[T]:
        """Make something of each entry of a table, and of the volatile table beside it, which a boot deletes."""
        directory, _, name = path.rpartition("/")
        for part in (path, f"{directory}/volatile-{name}"):
            where = f"{self.place.where}: {part}"
            if not self.place.has(part):
                continue
            with collected(problems):
                for node in replace(parse_json(self.place.read(part), where, "bad-manifest"), where=where).items():
                    with collected(problems):
                        yield make(node)

    def big_data(self, image_id: str, name: str) -> str:
        """The path of a document of an image; a name with other characters than a-z, 0-9 and . is base64-encoded."""
        encoded = name if _PLAIN.fullmatch(name) else "=" + base64.b64encode(name.encode()).decode()
        return f"overlay-images/{image_id}/{encoded}"

    # images

    def _image(self, node: Node) -> Image:
        image_id = _id(node, "id")
        names = node.strings("names")
        manifest, manifest_digest, problems = self._manifest(node, image_id)
        path = self.big_data(image_id, manifest.config.digest)
        raw, where = self.place.read(path), f"{self.place.where}: {path}"
        config = parse_config(raw, where)
        if Digest.of(raw, manifest.config.digest.algorithm) != manifest.config.digest:
            problems.append(Problem("digest-mismatch", where, manifest.config.digest, config.image_id))
        layers, found = self._image_layers(node, config)
        indexes, others = self._other_documents(node, image_id, manifest_digest)
        return Image(
            id=Digest(f"sha256:{image_id}"),
            names=tuple(sorted({name for name in names if "@" not in name})),
            platform=config.platform,
            config=config,
            config_digest=manifest.config.digest,
            manifest_digest=manifest_digest,
            manifest=manifest,
            layers=layers,
            problems=(*problems, *found, *history_problems(config, where)),
            indexes=tuple(indexes),
            other_manifests=tuple(others),
            references=tuple(sorted(name for name in names if "@" in name)),
        )

    def _manifest(self, node: Node, image_id: str) -> tuple[Manifest, Digest, list[Problem]]:
        """The manifest in use, its digest, and a problem if images.json records another digest."""
        path = self.big_data(image_id, "manifest")
        raw, where = self.place.read(path), f"{self.place.where}: {path}"
        digest = Digest.of(raw)
        recorded = node.string_map("big-data-digests").get("manifest", digest)
        problems = [] if recorded == digest else [Problem("digest-mismatch", where, recorded, digest)]
        return parse_manifest(raw, where), digest, problems

    def _other_documents(self, node: Node, image_id: str, used: Digest) -> tuple[list[Digest], list[Digest]]:
        """The digests of the image's indexes, and of its manifests other than the one in use."""
        indexes: list[Digest] = []
        manifests: list[Digest] = []
        for name in node.strings("big-data-names"):
            path = self.big_data(image_id, name)
            if not name.startswith("manifest-") or name == f"manifest-{used}" or not self.place.has(path):
                continue
            digest = Digest(name.removeprefix("manifest-"), f"{node.where}.big-data-names")
            document = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-manifest")
            (manifests if document.get("manifests") is None else indexes).append(digest)
        return indexes, manifests

    def _image_layers(self, node: Node, config: ImageConfig) -> tuple[tuple[Layer, ...], list[Problem]]:
        """The layers, bottom first, and what is wrong with them; their order is that of ``parent``."""
        top = node.string("layer")
        chain, problems = self._chain(top) if top else ([], [])
        if len(chain) != len(config.diff_ids) and not problems:
            expected = f"{len(config.diff_ids)} layers"
            problems.append(Problem("layer-count", f"{node.where}.layer", expected, str(len(chain))))
        known = dict(enumerate(reversed(chain))) if not problems else {}
        layers = []
        for layer in config_layers(config):
            stored = known.get(layer.position)
            found = self._layer_problems(stored, layer.diff_id) if stored else ()
            problems += found
            blobs = (stored.blob,) if stored and stored.blob else ()
            layers.append(unpacked_in(layer, stored.id if stored else None, found, blobs))
        return tuple(layers), problems

    def _chain(self, top: str) -> tuple[list[StoredLayer], list[Problem]]:
        """A layer and those beneath it, topmost first, and what is wrong with the chain."""
        chain: list[StoredLayer] = []
        met: set[str] = set()
        where = f"{self.place.where}: overlay-layers/layers.json"
        while top:
            if top in met:
                return chain, [Problem("parent-cycle", where, "an end", top)]
            if top not in self._layers:
                return chain, [Problem("missing-layer", where, f"a layer {top}", "nothing")]
            met.add(top)
            chain.append(self._layers[top])
            top = self._layers[top].parent
        return chain, []

    def _layer_problems(self, stored: StoredLayer, diff_id: DiffID) -> tuple[Problem, ...]:
        """What is wrong with a layer's entry and its directory; the directory is checked once."""
        if stored.id not in self._checked:
            below, _ = self._chain(stored.parent)
            self._checked[stored.id] = tuple(self.driver.problems(stored.id, [layer.id for layer in below]))
        if stored.diff_id in (None, diff_id):
            return self._checked[stored.id]
        where = f"{self.place.where}: overlay-layers/layers.json: {stored.id}"
        return (*self._checked[stored.id], Problem("chain-mismatch", where, diff_id, stored.diff_id))

    # containers and mounts

    def _container(self, node: Node) -> Container:
        upper = _id(node, "layer")
        names = node.strings("names")
        chain, problems = self._chain(upper)
        lower = [layer.id for layer in chain[1:]]
        # The directory's own list can be compared only with an intact chain.
        problems += self.driver.problems(upper, lower) if not problems or not self.driver.is_there(upper) else ()
        problems += self.driver.missing(lower)
        image, container_id = node.string("image"), node.need("id").text()
        self._recorded = self._recorded or self._recorded_root(container_id)
        container = Container(
            id=container_id,
            name=names[0] if names else "",
            image_id=f"sha256:{image}" if image else "",
            lower=tuple(lower),
            upper=upper,
            mount="",
            links=self.driver.lower(upper),
            problems=tuple(problems),
        )
        return replace(container, mount=self.mount(container).options)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How podman mounts it: by short names, or since podman 5 by layer IDs where the file ``lower-layers`` exists.

        Spec:
            podman, seen on 4.3 and 5.8; relative short names where the text would not fit into a page.
        """
        base = f"{(root or self.root()).rstrip('/')}/{DRIVER}"
        upper = target.upper if isinstance(target, Container) else None
        names = self.lower_names(target)
        short = [self.driver.mount_name(name) for name in names]
        whole = self.place.has(f"{DRIVER}/{upper or (names or ['.'])[0]}/lower-layers")
        lower = [f"{name}/diff" for name in names] if whole else short
        mount = Mount.at(base, lower, upper and f"{upper}/diff", upper and f"{upper}/work", self.rootless)
        return mount if len(mount.options) <= PAGE else mount.relative(base, short)

    def _not_unpacked(self, layer: Layer) -> Finding:
        return Finding("missing-layer", f"{self.place.where}: {DRIVER}", "a folder for each layer", "nothing")

    def _recorded_root(self, container_id: str) -> str:
        """The root's path when a container ran, from its runtime config; empty if that does not say it."""
        path = f"overlay-containers/{container_id}/userdata/config.json"
        if not LAYER_ID.fullmatch(container_id) or not self.place.has(path):
            return ""
        root = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-config").get("root")
        above, _, rest = (root.string("path") if root else "").partition(f"/{DRIVER}/")
        return above if rest else ""

    # directories

    def _directory_chain_ids(self) -> Iterator[tuple[str, str]]:
        layers = (layer for image in self._images for layer in image.layers)
        return ((layer.directory, layer.chain_id) for layer in layers if layer.directory is not None)

    def _tar_split_path(self, layer: Layer) -> str:
        return f"overlay-layers/{layer.directory}.tar-split.gz"


def _layer(node: Node) -> StoredLayer:
    diff, blob = node.get("diff-digest"), node.get("compressed-diff-digest")
    parent = node.string("parent")
    if parent and not LAYER_ID.fullmatch(parent):
        raise Finding("path-escape", f"{node.where}.parent", "64 hex digits", parent)
    return StoredLayer(
        id=_id(node, "id"),
        parent=parent,
        diff_id=diff.digest(DiffID) if diff else None,
        blob=blob.digest(Digest) if blob else None,
    )


def _id(node: Node, key: str) -> str:
    """An ID, checked, because it becomes part of a path."""
    text = node.need(key).text()
    if not LAYER_ID.fullmatch(text):
        raise Finding("path-escape", f"{node.where}.{key}", "64 hex digits", text)
    return text
