"""What Docker's classic store has with every storage driver: from a name to the directories of the layers.

    repositories.json -> imagedb/content -> diff_ids -> chain_ids -> layerdb/<chain_id> -> cache-id -> a directory

The layout is internal to Docker and differs by version: this one is that of Docker 1.10 to 28, and of 29 where the
containerd image store is not in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from overlaylab.errors import Finding, Problem
from overlaylab.image.config import history_problems, parse_config
from overlaylab.image.digest import ChainID, Digest, ImageID
from overlaylab.image.document import parse_json
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.files.place import Place
from overlaylab.stores.storage_driver import StorageDriver, collected
from overlaylab.stores.store import NotChecked
from overlaylab.stores.tar_split import TarSplitStore
from overlaylab.stores.unpacked_store import config_layers, unpacked_in

from .layerdb import CACHE_ID, LayerDB, LayerEntry

DEFAULT_ROOT = "/var/lib/docker"

# The length of the names that BuildKit gives to directories: 25 letters and digits; all others have 64 hex digits.
BUILDKIT = 25

_CONTAINER = re.compile(r"[0-9a-f]{64}")


class ClassicStore(TarSplitStore):
    """What Docker's classic stores have in common, whatever their storage driver: configs, layerdb, containers.

    Args:
        place: The data root; a directory or a tar of one, read alike and never changed.
    """

    kind = "docker-root"
    directory_kind = "cache-id"
    default_root = DEFAULT_ROOT
    driver_name: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place
        self.driver = self._open_driver()
        self.db = f"image/{self.driver_name}"
        self.layerdb = LayerDB(self.driver, f"{self.db}/layerdb")
        self._blobs = self._pulled_blobs()
        problems: list[Problem] = []
        names = self._names(problems)
        self._images = tuple(self._read_images(names, problems))
        self._containers = tuple(self._read_containers(problems))
        problems += self.layerdb.orphans()
        self.problems = tuple(problems)
        self.not_checked = tuple(self._not_checked())

    def _open_driver(self) -> StorageDriver:
        """The directories of this store, as the storage driver lays them out."""
        raise NotImplementedError

    # names and images

    def repositories(self) -> dict[str, dict[str, str]]:
        """The names: ``{repository: {"repository:tag" or "repository@digest": image ID}}``."""
        path = f"{self.db}/repositories.json"
        if not self.place.has(path):
            return {}
        root = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-manifest").get("Repositories")
        if root is None:
            return {}
        return {repository: {name: node.text() for name, node in tags.fields()} for repository, tags in root.fields()}

    def _names(self, problems: list[Problem]) -> dict[str, list[str]]:
        """Image ID -> names; a tag without an image is a problem."""
        where = f"{self.place.where}: {self.db}/repositories.json"
        known: dict[str, list[str]] = {}
        with collected(problems):
            for tags in self.repositories().values():
                for name, image_id in tags.items():
                    known.setdefault(image_id, []).append(name)
        for image_id, names in known.items():
            config = f"{self.db}/imagedb/content/{image_id.replace(':', '/', 1)}"
            for name in names if not self.place.has(config) else ():
                problems.append(Problem("missing-image", f"{where}: {name}", f"a config {image_id}", "nothing"))
        return known

    def _pulled_blobs(self) -> dict[str, list[Digest]]:
        """diff_id -> the digests of the blobs that Docker pulled or pushed for it, as far as it kept them."""
        directory = f"{self.db}/distribution/diffid-by-digest"
        known: dict[str, list[Digest]] = {}
        for algorithm in self.place.names(directory):
            for name in self.place.names(f"{directory}/{algorithm}"):
                try:
                    blob = Digest(f"{algorithm}:{name}")
                    known.setdefault(self.driver.text(f"{directory}/{algorithm}/{name}") or "", []).append(blob)
                except Finding:
                    # A file of another kind. This is a cache of Docker, and nothing depends on it.
                    continue
        return known

    def _read_images(self, names: dict[str, list[str]], problems: list[Problem]) -> Iterator[Image]:
        directory = f"{self.db}/imagedb/content"
        for algorithm in self.place.names(directory):
            for name in self.place.names(f"{directory}/{algorithm}"):
                # Docker writes a file under such a name and then renames it; after a crash it may still be there.
                if name.startswith(".tmp-"):
                    continue
                path = f"{directory}/{algorithm}/{name}"
                with collected(problems):
                    claimed = ImageID(f"{algorithm}:{name}", f"{self.place.where}: {path}")
                    yield self._image(claimed, path, names.get(claimed, []))

    def _image(self, claimed: ImageID, path: str, names: list[str]) -> Image:
        where = f"{self.place.where}: {path}"
        raw = self.place.read(path)
        config = parse_config(raw, where)
        problems = list(history_problems(config, where))
        actual = Digest.of(raw, claimed.algorithm)
        if actual != claimed:
            problems.append(Problem("digest-mismatch", where, claimed, actual))
        layers = []
        below = None
        for layer in config_layers(config):
            entry, found = self.layerdb.checked(layer.chain_id, layer.diff_id, below)
            below = layer.chain_id
            problems += found
            blobs = tuple(self._blobs.get(layer.diff_id, ()))
            layers.append(unpacked_in(layer, entry.cache_id if entry else None, found, blobs))
        return Image(
            id=claimed,
            names=tuple(sorted(name for name in names if "@" not in name)),
            platform=config.platform,
            config=config,
            config_digest=claimed,
            layers=tuple(layers),
            problems=tuple(problems),
            references=tuple(sorted(name for name in names if "@" in name)),
        )

    # the layerdb

    def folder(self, chain_id: ChainID) -> LayerEntry:
        """Look a chain_id up in the layerdb; see `LayerDB.entry`."""
        return self.layerdb.entry(chain_id)

    def layer_folders(self) -> tuple[LayerEntry, ...]:
        """All layers of the layerdb that can be read, in the order of their chain_ids."""
        return tuple(self.layerdb.entries([]))

    def _directory_chain_ids(self) -> Iterator[tuple[str, str]]:
        return ((layer.cache_id, layer.chain_id) for layer in self.layer_folders())

    def _is_build_cache(self, name: str, holds_layer: bool) -> bool:
        return len(name) == BUILDKIT and not holds_layer

    # containers

    def _read_containers(self, problems: list[Problem]) -> Iterator[Container]:
        mounts = f"{self.layerdb.path}/mounts"
        for name in self.place.names(mounts):
            with collected(problems):
                if _CONTAINER.fullmatch(name):
                    yield self._as_mounted(self._container(name, f"{mounts}/{name}"))

    def _container(self, container_id: str, path: str) -> Container:
        mount_id = self.layerdb.need(f"{path}/mount-id")
        if not CACHE_ID.fullmatch(mount_id):
            raise Finding("path-escape", f"{self.place.where}: {path}/mount-id", "64 hex digits", mount_id)
        problems: list[Problem] = []
        lower = self._lower(mount_id, self._recorded_lower(path, problems), problems)
        name, image_id, self._recorded = self._config(container_id)
        return Container(
            id=container_id,
            name=name,
            image_id=image_id,
            lower=lower,
            upper=mount_id,
            mount="",
            problems=tuple(problems),
            init=lower[0] if lower and lower[0] == f"{mount_id}-init" else "",
        )

    def _as_mounted(self, container: Container) -> Container:
        """A container with its mount options, where the storage driver mounts."""
        return container

    def _recorded_lower(self, path: str, problems: list[Problem]) -> tuple[str, ...] | None:
        """A container's init layer and its image's layers by the layerdb, topmost first; None if these are damaged."""
        parent, init = self.driver.text(f"{path}/parent"), self.driver.text(f"{path}/init-id") or ""
        try:
            if init and not CACHE_ID.fullmatch(init):
                raise Finding("path-escape", f"{self.place.where}: {path}/init-id", "64 hex digits and -init", init)
            chain = self.layerdb.stack(ChainID(parent, f"{self.place.where}: {path}/parent")) if parent else []
        except Finding as finding:
            problems.append(finding.problem)
            return None
        return (*filter(None, [init]), *(entry.cache_id for entry in chain))

    def _lower(self, mount_id: str, recorded: tuple[str, ...] | None, problems: list[Problem]) -> tuple[str, ...]:
        """The directories below a container's own, topmost first.

        They come from the list in its directory; where there is none, or one of them is missing, from the layerdb.
        """
        with collected(problems):
            if not self.driver.is_there(mount_id):
                raise self.driver.gone(mount_id)
            listed = self.driver.below(mount_id)
            if listed is None:
                return recorded or ()
            found = tuple(listed)
            if recorded is not None and found != recorded:
                where = f"{self.place.where}: {self.driver.path}/{mount_id}/lower"
                problems.append(Problem("lower-mismatch", where, ":".join(recorded), ":".join(found)))
            return found
        problems += self.driver.missing(recorded or ())
        return recorded or ()

    def _config(self, container_id: str) -> tuple[str, str, str]:
        """A container's name, its image ID, and the data root's own path, from ``config.v2.json``."""
        path = f"containers/{container_id}/config.v2.json"
        if not self.place.has(path):
            return "", "", self._recorded
        config = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-config")
        recorded, _, rest = config.string("HostnamePath").partition("/containers/")
        return config.string("Name").removeprefix("/"), config.string("Image"), recorded if rest else self._recorded

    def _tar_split_path(self, layer: Layer) -> str:
        return f"{self.layerdb.path}/{layer.chain_id.algorithm}/{layer.chain_id.hex}/tar-split.json.gz"

    def _not_checked(self) -> Iterator[NotChecked]:
        for name in self.place.names("image"):
            if name != self.driver_name and self.place.type_of(f"image/{name}") == "dir":
                yield NotChecked(f"images of the storage driver {name}", f"only {self.driver_name} is read")
