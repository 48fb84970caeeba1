"""Docker's data root with the classic overlay2 store: from a name to the folders that are mounted.

    repositories.json -> imagedb/content -> diff_ids -> chain_ids -> layerdb/<chain_id> -> cache-id
    -> overlay2/<cache-id>/{diff,link,lower,work} -> the short names in l/ -> the lower chain of a mount

The layout is Docker's own affair and differs by version: this one is that of Docker 1.10 to 28, and of 29 where the
containerd image store is not in use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..config import history_problems, layer_history, parse_config
from ..digest import ChainID, DiffID, Digest, ImageID
from ..document import parse_json
from ..errors import Finding, NotReadable, Problem
from ..image import Container, Image, Layer, NotChecked
from ..tree import Directory
from .place import Folder, Place

__all__ = ["DockerRoot", "LayerFolder"]

DRIVER = "overlay2"
DEFAULT_ROOT = "/var/lib/docker"
# The mount system call takes one page of options; Docker shortens them when they reach it.
PAGE = 4096
_CACHE_ID = re.compile(r"[0-9a-z]{25}|[0-9a-f]{64}(-init)?")
_LINK = re.compile(r"[A-Z0-9]{26}")
_CONTAINER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFolder:
    """One entry of the layerdb.

    Args:
        chain_id: Its folder's name.
        diff_id: The file ``diff``.
        parent: The file ``parent``: the chain_id below; None for a bottom layer.
        cache_id: The file ``cache-id``: a random name, derivable from nothing.
        size: The file ``size``: bytes of the layer's files, hard links once.
    """

    chain_id: ChainID
    diff_id: DiffID
    parent: ChainID | None
    cache_id: str
    size: int | None


class DockerRoot:
    """A data root as a store; a folder or a tar of one, read alike and never changed.

    Args:
        place: The data root.

    Raises:
        NotReadable: ``no-layerdb``, ``unsupported-driver``.
    """

    kind = "docker-root"
    marks = "trusted.overlay."

    def __init__(self, place: Place) -> None:
        self.place = place
        self._db = f"image/{DRIVER}"
        self._layers: dict[ChainID, LayerFolder | Finding | None] = {}
        self._layer_problems: dict[ChainID, tuple[Problem, ...]] = {}
        problems: list[Problem] = []
        names = self._names(problems)
        self._images = tuple(self._read_images(names, problems))
        self._containers = tuple(self._read_containers(problems))
        problems += self._orphans()
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
                problems += [Problem("missing-image", f"{where}: {name}", f"a config {image_id}", "nothing") for name in names]
        return known

    def _read_images(self, names: dict[str, list[str]], problems: list[Problem]) -> Iterator[Image]:
        folder = f"{self._db}/imagedb/content"
        for algorithm in self.place.names(folder):
            for name in self.place.names(f"{folder}/{algorithm}"):
                path = f"{folder}/{algorithm}/{name}"
                try:
                    claimed = ImageID(f"{algorithm}:{name}", f"{self.place.where}: {path}")
                    yield self._image(claimed, path, names.get(claimed, []))
                except NotReadable:
                    raise
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
        for position, (diff_id, chain_id, step) in enumerate(zip(config.diff_ids, config.chain_ids, layer_history(config))):
            folder, found = self._checked_layer(chain_id, diff_id, below)
            below = chain_id
            problems += found
            layers.append(Layer(
                position=position, diff_id=diff_id, chain_id=chain_id, history=step,
                source=folder.cache_id if folder else str(chain_id), directory=folder.cache_id if folder else None,
                readable=folder is not None and not any(problem.severity == "error" for problem in found),
            ))
        return Image(
            id=claimed, names=tuple(sorted(name for name in names if "@" not in name)), platform=config.platform,
            config=config, config_digest=claimed, layers=tuple(layers), problems=tuple(problems),
            references=tuple(sorted(name for name in names if "@" in name)),
        )

    # the layerdb

    def folder(self, chain_id: ChainID) -> LayerFolder:
        """Look a chain_id up in the layerdb: the step that turns a computed name into a random one.

        Raises:
            Finding: ``missing-layer``, ``path-escape`` for a cache-id that is no plain name, ``bad-digest``.
        """
        if chain_id not in self._layers:
            try:
                self._layers[chain_id] = self._read_layer(chain_id)
            except NotReadable:
                raise
            except Finding as finding:
                self._layers[chain_id] = finding
        found = self._layers[chain_id]
        if isinstance(found, Finding):
            raise found
        return found

    def _read_layer(self, chain_id: ChainID) -> LayerFolder:
        path = f"{self._db}/layerdb/{chain_id.algorithm}/{chain_id.hex}"
        where = f"{self.place.where}: {path}"
        if not self.place.has(path):
            raise Finding("missing-layer", where, "a folder", "nothing")
        size = self._text(f"{path}/size")
        if size is not None and not (size.isascii() and size.isdigit() and len(size) < 20):
            raise Finding("absurd-size", f"{where}/size", "a number of bytes", size)
        parent = self._text(f"{path}/parent")
        cache_id = self._need(f"{path}/cache-id")
        if not _CACHE_ID.fullmatch(cache_id):
            raise Finding("path-escape", f"{where}/cache-id", "64 hex digits, or 25 letters and digits", cache_id)
        return LayerFolder(
            chain_id=chain_id, diff_id=DiffID(self._need(f"{path}/diff"), f"{where}/diff"),
            parent=ChainID(parent, f"{where}/parent") if parent else None,
            cache_id=cache_id, size=int(size) if size else None,
        )

    def _text(self, path: str) -> str | None:
        """One of the store's small files, stripped; None if it is absent."""
        if not self.place.has(path):
            return None
        return self.place.read(path).decode("utf-8", "surrogateescape").strip()

    def _need(self, path: str) -> str:
        text = self._text(path)
        if text is None:
            raise Finding("missing-layer", f"{self.place.where}: {path}", "a file", "nothing")
        return text

    def _checked_layer(
        self, chain_id: ChainID, diff_id: DiffID, below: ChainID | None
    ) -> tuple[LayerFolder | None, tuple[Problem, ...]]:
        """A layer with everything that is wrong with its folders; checked once, however many images use it."""
        try:
            folder = self.folder(chain_id)
        except NotReadable:
            raise
        except Finding as finding:
            return None, (finding.problem,)
        if chain_id not in self._layer_problems:
            self._layer_problems[chain_id] = tuple(self._chain_problems(folder, diff_id, below)) + tuple(
                self._directory_problems(folder)
            )
        return folder, self._layer_problems[chain_id]

    def _chain_problems(self, folder: LayerFolder, diff_id: DiffID, below: ChainID | None) -> Iterator[Problem]:
        """Compare what the layerdb says with what the config's diff_ids give."""
        where = f"{self.place.where}: {self._db}/layerdb/sha256/{folder.chain_id.hex}"
        if folder.diff_id != diff_id:
            yield Problem("chain-mismatch", f"{where}/diff", diff_id, folder.diff_id)
        if folder.parent != below:
            cyclic = folder.parent is not None and self._leads_back(folder)
            yield Problem("parent-cycle" if cyclic else "chain-mismatch", f"{where}/parent", below or "no such file", folder.parent or "nothing")

    def _leads_back(self, folder: LayerFolder) -> bool:
        """Whether following ``parent`` from a layer comes back to a layer that was met."""
        met = {folder.chain_id}
        try:
            while folder.parent is not None:
                if folder.parent in met:
                    return True
                met.add(folder.parent)
                folder = self.folder(folder.parent)
        except Finding:
            return False
        return False

    def _directory_problems(self, folder: LayerFolder) -> Iterator[Problem]:
        """Whether the layer's folder is there, its short name leads to it, and its lower list is its ancestry."""
        where = f"{self.place.where}: {DRIVER}/{folder.cache_id}"
        if self.place.type_of(f"{DRIVER}/{folder.cache_id}/diff") != "dir":
            yield Problem("missing-cache-dir", where, "a folder with diff/", "nothing")
            return
        link = self._text(f"{DRIVER}/{folder.cache_id}/link")
        if link is not None:
            target = self.link_target(link)
            if target != folder.cache_id:
                yield Problem("dangling-link", f"{self.place.where}: {DRIVER}/l/{link}", folder.cache_id, target or "nothing")
        found: list[str] = []
        for short in self._lower(folder.cache_id):
            target = self.link_target(short.removeprefix("l/"))
            if target is None:
                yield Problem("dangling-link", f"{where}/lower", f"a link {short}", "nothing")
                return
            found.append(target)
        expected = [ancestor.cache_id for ancestor in self._ancestors(folder)]
        if found != expected:
            yield Problem("lower-mismatch", f"{where}/lower", ":".join(expected), ":".join(found))

    def _ancestors(self, folder: LayerFolder) -> Iterator[LayerFolder]:
        """The layers beneath, nearest first."""
        met = {folder.chain_id}
        while folder.parent is not None and folder.parent not in met:
            met.add(folder.parent)
            try:
                folder = self.folder(folder.parent)
            except Finding:
                return
            yield folder

    def _layerdb(self) -> Iterator[ChainID]:
        for name in self.place.names(f"{self._db}/layerdb/sha256"):
            yield ChainID(f"sha256:{name}", f"{self.place.where}: {self._db}/layerdb/sha256/{name}")

    def layer_folders(self) -> tuple[LayerFolder, ...]:
        """All layers of the layerdb that can be read, in the order of their chain_ids."""
        out = []
        try:
            for chain_id in self._layerdb():
                try:
                    out.append(self.folder(chain_id))
                except NotReadable:
                    raise
                except Finding:
                    continue
        except NotReadable:
            raise
        except Finding:
            pass
        return tuple(out)

    def _orphans(self) -> Iterator[Problem]:
        """Problems of layerdb entries that no image leads to."""
        try:
            for chain_id in self._layerdb():
                if chain_id in self._layer_problems or isinstance(self._layers.get(chain_id), Finding):
                    continue
                folder = self.folder(chain_id)
                below = folder.parent
                expected = folder.diff_id if below is None else ChainID.of(f"{below} {folder.diff_id}".encode())
                if expected != chain_id:
                    yield Problem("chain-mismatch", f"{self.place.where}: {self._db}/layerdb/sha256/{chain_id.hex}", expected, chain_id)
                yield from self._directory_problems(folder)
        except NotReadable:
            raise
        except Finding as finding:
            yield finding.problem

    # folders, short names, mounts

    def link_target(self, link: str) -> str | None:
        """The folder that a short name in ``l/`` leads to; None if it leads nowhere.

        A short name is a symlink ``l/NAME -> ../<cache-id>/diff``, there to keep mount options short.
        """
        path = f"{DRIVER}/l/{link}"
        if not _LINK.fullmatch(link) or self.place.type_of(path) != "symlink":
            return None
        target = self.place.link_target(path).removeprefix("../").removesuffix("/diff")
        if not _CACHE_ID.fullmatch(target) or self.place.type_of(f"{DRIVER}/{target}/diff") != "dir":
            return None
        return target

    def _lower(self, name: str) -> tuple[str, ...]:
        """The file ``lower`` of a folder: short names, topmost first; none for a bottom layer."""
        text = self._text(f"{DRIVER}/{name}/lower")
        return tuple(text.split(":")) if text else ()

    def directory_names(self) -> tuple[str, ...]:
        """All folders in ``overlay2/``."""
        return tuple(name for name in self.place.names(DRIVER) if name != "l" and self.place.type_of(f"{DRIVER}/{name}") == "dir")

    def _read_containers(self, problems: list[Problem]) -> Iterator[Container]:
        mounts = f"{self._db}/layerdb/mounts"
        for name in self.place.names(mounts):
            if not _CONTAINER.fullmatch(name):
                continue
            try:
                yield self._container(name, f"{mounts}/{name}")
            except NotReadable:
                raise
            except Finding as finding:
                problems.append(finding.problem)

    def _container(self, container_id: str, path: str) -> Container:
        mount_id = self._need(f"{path}/mount-id")
        if not _CACHE_ID.fullmatch(mount_id):
            raise Finding("path-escape", f"{self.place.where}: {path}/mount-id", "64 hex digits", mount_id)
        if self.place.type_of(f"{DRIVER}/{mount_id}/diff") != "dir":
            raise Finding("missing-cache-dir", f"{self.place.where}: {DRIVER}/{mount_id}", "a folder with diff/", "nothing")
        links = self._lower(mount_id)
        lower = []
        for short in links:
            target = self.link_target(short.removeprefix("l/"))
            if target is None:
                raise Finding("dangling-link", f"{self.place.where}: {DRIVER}/{mount_id}/lower", f"a link {short}", "nothing")
            lower.append(target)
        name, image_id, root = self._config(container_id)
        return Container(
            id=container_id, name=name, image_id=image_id, lower=tuple(lower), upper=mount_id, links=links,
            mount=mount_options(root, links, mount_id),
        )

    def _config(self, container_id: str) -> tuple[str, str, str]:
        """Name, image ID and the data root's own path, as ``config.v2.json`` has them."""
        path = f"containers/{container_id}/config.v2.json"
        root = self.place.root if isinstance(self.place, Folder) else DEFAULT_ROOT
        if not self.place.has(path):
            return "", "", root
        config = parse_json(self.place.read(path), f"{self.place.where}: {path}", "bad-config")
        recorded, _, rest = config.string("HostnamePath").partition("/containers/")
        if rest and not isinstance(self.place, Folder):
            root = recorded
        return config.string("Name").removeprefix("/"), config.string("Image"), root

    def unowned_directories(self) -> tuple[str, ...]:
        """Folders of ``overlay2/`` that no image and no container uses: build cache, or leftovers."""
        owned = {layer.directory for image in self._images for layer in image.layers}
        owned |= {layer.cache_id for layer in self.layer_folders()}
        for container in self._containers:
            owned |= {container.upper, *container.lower}
        return tuple(name for name in self.directory_names() if name not in owned)

    # the store as every store

    def images(self) -> tuple[Image, ...]:
        """Every config of imagedb, intermediate ones too, in the order of their IDs."""
        return self._images

    def containers(self) -> tuple[Container, ...]:
        """Every container that has a mount in the layerdb."""
        return self._containers

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """None: a data root keeps folders, not blobs."""
        return None

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """The folder ``overlay2/<name>/diff`` as overlayfs has it."""
        if not _CACHE_ID.fullmatch(name):
            raise Finding("path-escape", f"{self.place.where}: {DRIVER}", "a cache-id", name)
        return self.place.tree(f"{DRIVER}/{name}/diff", keep)

    def _not_checked(self) -> Iterator[NotChecked]:
        if isinstance(self.place, Folder) and hasattr(os, "geteuid") and os.geteuid() != 0:
            yield NotChecked("trusted.overlay.* marks", "only root may read them, so an opaque directory looks like a plain one")


def mount_options(root: str, links: tuple[str, ...], mount_id: str) -> str:
    """The option text of a container's mount.

    Args:
        root: The data root's path.
        links: Short names with ``l/``, topmost first.
        mount_id: The container's folder.

    Spec:
        Docker, seen on 20.10 and 28.5: where the text would fill a page, Docker changes into overlay2/ and uses
        relative names.
    """
    base = f"{root}/{DRIVER}"
    text = f"lowerdir={':'.join(f'{base}/{link}' for link in links)},upperdir={base}/{mount_id}/diff,workdir={base}/{mount_id}/work"
    # Docker counts its own "index=off," too.
    if len("index=off,") + len(text) < PAGE:
        return text
    return f"lowerdir={':'.join(links)},upperdir={mount_id}/diff,workdir={mount_id}/work"


def check_driver(place: Place) -> None:
    """Refuse a root that has no layerdb for the driver that is known.

    Raises:
        NotReadable: ``no-layerdb``, ``unsupported-driver``.
    """
    drivers = [name for name in place.names("image") if place.type_of(f"image/{name}") == "dir"]
    if DRIVER in drivers:
        if not place.names(f"image/{DRIVER}/layerdb") and not place.names(f"image/{DRIVER}/imagedb/content/sha256"):
            raise NotReadable("no-layerdb", place.where, f"image/{DRIVER}/layerdb", "none")
        return
    if drivers:
        raise NotReadable("unsupported-driver", place.where, DRIVER, ", ".join(drivers))
    raise NotReadable("no-layerdb", place.where, f"image/{DRIVER}/layerdb", "none: the containerd image store, or no Docker root")
