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
from typing import BinaryIO

from ..config import history_problems, layer_history, parse_config
from ..digest import ChainID, Digest, ImageID
from ..document import parse_json
from ..errors import Finding, NotReadable, Problem
from ..image import Container, Image, Layer, NotChecked
from ..tree import Directory
from .layerdb import CACHE_ID, DRIVER, LayerDB, LayerFolder
from .place import Folder, Place
from .tar_split import Rebuilt, Recipe

__all__ = ["DockerRoot", "LayerFolder"]

DEFAULT_ROOT = "/var/lib/docker"
# The mount system call takes one page of options; Docker shortens them when they reach it.
PAGE = 4096
_CONTAINER = re.compile(r"[0-9a-f]{64}")


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
        self.layerdb = LayerDB(place)
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
            folder, found = self.layerdb.checked(chain_id, diff_id, below)
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

    # folders and mounts

    def folder(self, chain_id: ChainID) -> LayerFolder:
        """Look a chain_id up in the layerdb; see `LayerDB.folder`."""
        return self.layerdb.folder(chain_id)

    def layer_folders(self) -> tuple[LayerFolder, ...]:
        """All layers of the layerdb that can be read, in the order of their chain_ids."""
        return self.layerdb.layer_folders()

    def link_target(self, link: str) -> str | None:
        """The folder that a short name in ``l/`` leads to; see `LayerDB.link_target`."""
        return self.layerdb.link_target(link)

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
            except Finding as finding:
                problems.append(finding.problem)

    def _container(self, container_id: str, path: str) -> Container:
        mount_id = self.layerdb.need(f"{path}/mount-id")
        if not CACHE_ID.fullmatch(mount_id):
            raise Finding("path-escape", f"{self.place.where}: {path}/mount-id", "64 hex digits", mount_id)
        if self.place.type_of(f"{DRIVER}/{mount_id}/diff") != "dir":
            raise Finding("missing-cache-dir", f"{self.place.where}: {DRIVER}/{mount_id}", "a folder with diff/", "nothing")
        links = self.layerdb.lower(mount_id)
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
        """The layer's tar, rebuilt from its folder and the recipe in the layerdb; None without a recipe."""
        recipe = self.recipe(layer)
        return Rebuilt.open(recipe) if recipe else None

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """The files of a layer's folder that are not what the recipe recorded."""
        recipe = self.recipe(layer)
        return recipe.changed_files() if recipe else iter(())

    def recipe(self, layer: Layer) -> Recipe | None:
        """What Docker kept to rebuild a layer's tar; None if that is gone."""
        path = f"{self.layerdb.path}/{layer.chain_id.algorithm}/{layer.chain_id.hex}/tar-split.json.gz"
        if layer.directory is None or not self.place.has(path):
            return None
        return Recipe(self.place, path, f"{DRIVER}/{layer.directory}/diff")

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """The folder ``overlay2/<name>/diff`` as overlayfs has it."""
        if not CACHE_ID.fullmatch(name):
            raise Finding("path-escape", f"{self.place.where}: {DRIVER}", "a cache-id", name)
        try:
            return self.place.tree(f"{DRIVER}/{name}/diff", keep)
        except Finding as finding:
            if finding.problem.kind != "not-found":
                raise
            # It was there when the store was opened.
            raise Finding("changed-while-reading", f"{self.place.where}: {DRIVER}/{name}", "a folder", "nothing") from None

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
