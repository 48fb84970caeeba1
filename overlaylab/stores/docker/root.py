"""Docker's data root with the classic overlay2 store: from a name to the directories that are mounted.

    repositories.json -> imagedb/content -> diff_ids -> chain_ids -> layerdb/<chain_id> -> cache-id
    -> overlay2/<cache-id>/{diff,link,lower,work} -> the short names in l/ -> the lower chain of a mount

The layout is Docker's own affair and differs by version: this one is that of Docker 1.10 to 28, and of 29 where the
containerd image store is not in use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.config import history_problems, layer_history, parse_config
from overlaylab.image.digest import ChainID, Digest, ImageID
from overlaylab.image.document import parse_json
from overlaylab.image.image import Container, Image, Layer
from overlaylab.overlay.mount_options import Mount, docker_options
from overlaylab.stores.files.place import DirectoryPlace, Place
from overlaylab.stores.short_names import named_directory
from overlaylab.stores.store import Alone, NotChecked, StoreDirectory
from overlaylab.stores.tar_split import KeepsRecipes, Recipe
from overlaylab.tree import Directory

from .layerdb import CACHE_ID, DRIVER, LayerDB, LayerEntry

__all__ = ["DockerRoot", "LayerEntry"]

DEFAULT_ROOT = "/var/lib/docker"

# BuildKit's names for directories have 25 letters and digits, all others 64 hex digits.
BUILDKIT = 25

_CONTAINER = re.compile(r"[0-9a-f]{64}")


class DockerRoot(KeepsRecipes, Alone):
    """A data root as a store; a directory or a tar of one, read alike and never changed.

    Args:
        place: The data root.

    Raises:
        NotReadable: ``no-layerdb``, ``unsupported-driver``.
    """

    kind = "docker-root"
    directory_kind = "cache-id"
    marks = "trusted.overlay."

    def __init__(self, place: Place) -> None:
        self.place = place
        self._db = f"image/{DRIVER}"
        self.layerdb = LayerDB(place)
        self.short_names = self.layerdb.short_names
        self._recorded = ""
        self._blobs = self._pulled_blobs()
        problems: list[Problem] = []
        names = self._names(problems)
        self._images = tuple(self._read_images(names, problems))
        self._containers = tuple(self._read_containers(problems))
        problems += self.layerdb.orphans()
        self.problems = tuple(problems)
        self.not_checked = tuple(self._not_checked())

    # names and images

    def repositories(self) -> dict[str, dict[str, str]]:
        """The names: ``{repository: {"repository:tag" or "repository@digest": image ID}}``."""
        path = f"{self._db}/repositories.json"
        if not self.place.has(path):
            return {}
        root = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-manifest").get("Repositories")
        if root is None:
            return {}
        return {repository: {name: node.text() for name, node in names.fields()} for repository, names in root.fields()}

    def _names(self, problems: list[Problem]) -> dict[str, list[str]]:
        """Image ID -> names, with a finding for each tag that names no image."""
        where = f"{self.place.where}: {self._db}/repositories.json"
        known: dict[str, list[str]] = {}
        try:
            for names in self.repositories().values():
                for name, image_id in names.items():
                    known.setdefault(image_id, []).append(name)
        except Finding as finding:
            problems.append(finding.problem)
        for image_id, names in known.items():
            if not self.place.has(f"{self._db}/imagedb/content/{image_id.replace(':', '/', 1)}"):
                problems += [
                    Problem("missing-image", f"{where}: {name}", f"a config {image_id}", "nothing") for name in names
                ]
        return known

    def _pulled_blobs(self) -> dict[str, list[Digest]]:
        """diff_id -> the blobs that Docker pulled or pushed for it, as far as it remembers."""
        directory = f"{self._db}/distribution/diffid-by-digest"
        known: dict[str, list[Digest]] = {}
        for algorithm in self.place.names(directory):
            for name in self.place.names(f"{directory}/{algorithm}"):
                try:
                    blob = Digest(f"{algorithm}:{name}")
                    known.setdefault(self.short_names.text(f"{directory}/{algorithm}/{name}") or "", []).append(blob)
                except Finding:
                    # A file of another kind: this is a memory of Docker's, and nothing depends on it.
                    continue
        return known

    def _read_images(self, names: dict[str, list[str]], problems: list[Problem]) -> Iterator[Image]:
        directory = f"{self._db}/imagedb/content"
        for algorithm in self.place.names(directory):
            for name in self.place.names(f"{directory}/{algorithm}"):
                # Docker writes a file under such a name before it renames it; after a crash it may stay.
                if name.startswith(".tmp-"):
                    continue
                path = f"{directory}/{algorithm}/{name}"
                try:
                    claimed = ImageID(f"{algorithm}:{name}", f"{self.place.where}: {path}")
                    yield self._image(claimed, path, names.get(claimed, []))
                except Finding as finding:
                    problems.append(finding.problem)

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
        for position, (diff_id, chain_id, step) in enumerate(
            zip(config.diff_ids, config.chain_ids, layer_history(config))
        ):
            directory, found = self.layerdb.checked(chain_id, diff_id, below)
            below = chain_id
            problems += found
            layers.append(
                Layer(
                    position=position,
                    diff_id=diff_id,
                    chain_id=chain_id,
                    history=step,
                    blobs=tuple(self._blobs.get(diff_id, ())),
                    source=directory.cache_id if directory else str(chain_id),
                    directory=directory.cache_id if directory else None,
                    readable=directory is not None and not any(problem.severity == "error" for problem in found),
                )
            )
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

    # directories and mounts

    def folder(self, chain_id: ChainID) -> LayerEntry:
        """Look a chain_id up in the layerdb; see `LayerDB.entry`."""
        return self.layerdb.entry(chain_id)

    def layer_folders(self) -> tuple[LayerEntry, ...]:
        """All layers of the layerdb that can be read, in the order of their chain_ids."""
        return tuple(self.layerdb.entries([]))

    def link_target(self, link: str) -> str | None:
        """The directory that a short name in ``l/`` leads to; see `ShortNames.target`."""
        return self.short_names.target(link)

    def directory_names(self) -> tuple[str, ...]:
        """All directories in ``overlay2/``."""
        return tuple(
            name for name in self.place.names(DRIVER) if name != "l" and self.place.type_of(f"{DRIVER}/{name}") == "dir"
        )

    def directories(self) -> tuple[StoreDirectory, ...]:
        """All directories in ``overlay2/``, with what the layerdb says they hold."""
        chains: dict[str, tuple[str, ...]] = {}
        for layer in self.layer_folders():
            chains[layer.cache_id] = (*chains.get(layer.cache_id, ()), layer.chain_id)
        return tuple(
            StoreDirectory(
                name=name,
                chain_ids=chains.get(name, ()),
                links=tuple(filter(None, [self.short_names.link(name)])),
                cache=len(name) == BUILDKIT and name not in chains,
            )
            for name in self.directory_names()
        )

    def directory_path(self, name: str) -> str:
        """The place of a directory's content, as findings name it."""
        return f"{self.place.where}: {DRIVER}/{name}/diff"

    def directory_size(self, name: str) -> int:
        """Bytes of the regular files in a directory, hard links once."""
        return self.place.content_bytes(f"{DRIVER}/{name}/diff")

    def directory_of(self, path: str) -> str | None:
        """The directory that a path goes through, a short name in ``l/`` too."""
        parts = path.rstrip("/").split("/")
        for above, name in zip(parts, parts[1:]):
            if above == "l" and (target := self.link_target(name)):
                return target
        return named_directory(path, DRIVER, self.directory_names())

    def _read_containers(self, problems: list[Problem]) -> Iterator[Container]:
        mounts = f"{self._db}/layerdb/mounts"
        for name in self.place.names(mounts):
            if not _CONTAINER.fullmatch(name):
                continue
            try:
                yield self._container(name, f"{mounts}/{name}")
            except Finding as finding:
                problems.append(finding.problem)

    def _container(self, container_id: str, path: str) -> Container:
        mount_id = self.layerdb.need(f"{path}/mount-id")
        if not CACHE_ID.fullmatch(mount_id):
            raise Finding("path-escape", f"{self.place.where}: {path}/mount-id", "64 hex digits", mount_id)
        problems: list[Problem] = []
        lower = self._lower(mount_id, self._chain_beneath(path, problems), problems)
        name, image_id, self._recorded = self._config(container_id)
        container = Container(
            id=container_id,
            name=name,
            image_id=image_id,
            lower=lower,
            upper=mount_id,
            mount="",
            problems=tuple(problems),
            init=lower[0] if lower and lower[0] == f"{mount_id}-init" else "",
            links=self.short_names.lower(mount_id) or self._links(lower),
        )
        return replace(container, mount=self.mount(container).options)

    def _chain_beneath(self, path: str, problems: list[Problem]) -> tuple[str, ...] | None:
        """What lies beneath a container by the layerdb: its init layer and its image's chain, topmost first; None if that is broken."""
        parent, init = self.short_names.text(f"{path}/parent"), self.short_names.text(f"{path}/init-id") or ""
        try:
            if init and not CACHE_ID.fullmatch(init):
                raise Finding("path-escape", f"{self.place.where}: {path}/init-id", "64 hex digits and -init", init)
            chain = self.layerdb.stack(ChainID(parent, f"{self.place.where}: {path}/parent")) if parent else []
        except Finding as finding:
            problems.append(finding.problem)
            return None
        return (*filter(None, [init]), *(directory.cache_id for directory in chain))

    def _lower(self, mount_id: str, expected: tuple[str, ...] | None, problems: list[Problem]) -> tuple[str, ...]:
        """What lies beneath a container by its own list; where that, or a directory, is gone, by the layerdb. Topmost first."""
        where = f"{self.place.where}: {DRIVER}/{mount_id}"
        try:
            if not self.short_names.is_there(mount_id):
                raise self.short_names.gone(mount_id)
            found = tuple(self.short_names.below(mount_id))
            if expected is not None and found != expected:
                problems.append(Problem("lower-mismatch", f"{where}/lower", ":".join(expected), ":".join(found)))
            return found
        except Finding as finding:
            problems.append(finding.problem)
        problems += self.short_names.missing(expected or ())
        return expected or ()

    def _links(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names of directories in mount options: short ones as far as there are any."""
        links = ((name, self.short_names.link(name)) for name in names)
        return tuple(f"l/{link}" if link else f"{name}/diff" for name, link in links)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How Docker mounts it: by the short names, whole paths while they fit into a page; see `docker_options`."""
        base = f"{(root or self.root()).rstrip('/')}/{DRIVER}"
        lowers = self._lowers(target)
        if not lowers:
            # An image of no layers: the kernel refuses such a mount, and so does Docker.
            return Mount(lowerdir=())
        return Mount.of(docker_options(base, lowers, target.upper if isinstance(target, Container) else None), base)

    def _lowers(self, target: Image | Container) -> list[str]:
        """Names beneath ``overlay2/``, topmost first."""
        if isinstance(target, Container):
            return list(target.links)
        missing = [layer for layer in target.layers if layer.directory is None]
        if missing:
            raise Finding(
                "missing-layer", f"{self.place.where}: {DRIVER}", f"a folder for {missing[0].chain_id}", "nothing"
            )
        return list(self._links(layer.directory for layer in reversed(target.layers)))

    def root(self) -> str:
        """The data root's own path: a directory's is where it lies, else what the containers' configs say."""
        return self.place.root if isinstance(self.place, DirectoryPlace) else self._recorded or DEFAULT_ROOT

    def _config(self, container_id: str) -> tuple[str, str, str]:
        """Name, image ID and the data root's own path, as ``config.v2.json`` has them."""
        path = f"containers/{container_id}/config.v2.json"
        if not self.place.has(path):
            return "", "", self._recorded
        config = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-config")
        recorded, _, rest = config.string("HostnamePath").partition("/containers/")
        return config.string("Name").removeprefix("/"), config.string("Image"), recorded if rest else self._recorded

    # the store as every store

    def images(self) -> tuple[Image, ...]:
        """Every config of imagedb, intermediate ones too, in the order of their IDs."""
        return self._images

    def containers(self) -> tuple[Container, ...]:
        """Every container that has a mount in the layerdb."""
        return self._containers

    def recipe(self, layer: Layer) -> Recipe | None:
        """What Docker kept to rebuild a layer's tar; None if that is gone."""
        path = f"{self.layerdb.path}/{layer.chain_id.algorithm}/{layer.chain_id.hex}/tar-split.json.gz"
        if layer.directory is None or not self.place.has(path):
            return None
        return Recipe(self.place, path, f"{DRIVER}/{layer.directory}/diff")

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """The directory ``overlay2/<name>/diff`` as overlayfs has it."""
        if not CACHE_ID.fullmatch(name):
            raise Finding("path-escape", f"{self.place.where}: {DRIVER}", "a cache-id", name)
        try:
            return self.place.tree(f"{DRIVER}/{name}/diff", keep)
        except Finding as finding:
            if finding.problem.kind != "not-found":
                raise
            raise self.short_names.gone(name) from None

    def _not_checked(self) -> Iterator[NotChecked]:
        for name in self.place.names("image"):
            if name != DRIVER and self.place.type_of(f"image/{name}") == "dir":
                yield NotChecked(f"images of the storage driver {name}", f"only {DRIVER} is read")
        if isinstance(self.place, DirectoryPlace) and hasattr(os, "geteuid") and os.geteuid() != 0:
            yield NotChecked(
                "trusted.overlay.* marks", "only root may read them, so an opaque directory looks like a plain one"
            )


def has_layerdb(place: Place) -> bool:
    """Whether there is a layerdb, or at least an image, of the driver that is known."""
    return bool(place.names(f"image/{DRIVER}/layerdb") or place.names(f"image/{DRIVER}/imagedb/content/sha256"))


def check_driver(place: Place) -> None:
    """Refuse a root that has no layerdb for the driver that is known.

    Raises:
        NotReadable: ``no-layerdb``, ``unsupported-driver``.
    """
    drivers = [name for name in place.names("image") if place.type_of(f"image/{name}") == "dir"]
    if DRIVER in drivers:
        if not has_layerdb(place):
            raise NotReadable("no-layerdb", place.where, f"image/{DRIVER}/layerdb", "none")
        return
    if drivers:
        raise NotReadable("unsupported-driver", place.where, DRIVER, ", ".join(drivers))
    raise NotReadable(
        "no-layerdb", place.where, f"image/{DRIVER}/layerdb", "none: the containerd image store, or no Docker root"
    )
