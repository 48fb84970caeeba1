"""What the data roots of engines have in common: layers that are unpacked into the directories of a storage driver.

Docker, containerd and podman keep different documents, and each reader reads its own. What a store says of its
directories is derived here from the primitives of its `StorageDriver`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from overlaylab.errors import Finding, Problem
from overlaylab.image.config import ImageConfig, layer_history
from overlaylab.image.digest import Digest
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.files.place import DirectoryPlace, Place
from overlaylab.tree import Directory

from .storage_driver import StorageDriver
from .store import Store, StoreDirectory


class UnpackedStore(Store):
    """A data root. A subclass reads its documents, and says with which chain_ids they name the directories."""

    default_root: str
    place: Place
    driver: StorageDriver
    # The root's path on the machine that it comes from, as documents of containers say; empty if none does.
    _recorded: str = ""

    def _directory_chain_ids(self) -> Iterator[tuple[str, str]]:
        """Directories and the chain_ids of the layers that they hold, by the store's own documents."""
        raise NotImplementedError

    def _is_build_cache(self, name: str, holds_layer: bool) -> bool:
        """Whether a directory looks like one of BuildKit's."""
        return False

    def root(self) -> str:
        """The root's own path: where a directory lies, else what documents of containers say, else the default."""
        return self.place.root if isinstance(self.place, DirectoryPlace) else self._recorded or self.default_root

    def lower_names(self, target: Image | Container) -> list[str]:
        """The directories of an image's layers, or those below a container's upper directory; topmost first.

        Raises:
            Finding: ``missing-layer`` for an image of which a layer has no directory.
        """
        if isinstance(target, Container):
            return list(target.lower)
        names = [layer.directory for layer in reversed(target.layers) if layer.directory is not None]
        if len(names) < len(target.layers):
            layer = next(layer for layer in target.layers if layer.directory is None)
            raise self._not_unpacked(layer)
        return names

    def _not_unpacked(self, layer: Layer) -> Finding:
        """The finding for a layer without a directory."""
        where = f"{self.place.where}: {self.driver.path}"
        return Finding("missing-layer", where, f"a folder for {layer.chain_id}", "nothing")

    def directories(self) -> tuple[StoreDirectory, ...]:
        """All directories of the storage driver, with the layers that the documents say they hold."""
        chain_ids: dict[str, dict[str, None]] = {}
        for name, chain_id in self._directory_chain_ids():
            chain_ids.setdefault(name, {})[chain_id] = None
        return tuple(
            StoreDirectory(
                name=name,
                chain_ids=tuple(chain_ids.get(name, ())),
                links=tuple(filter(None, [self.driver.link(name)])),
                cache=self._is_build_cache(name, name in chain_ids),
            )
            for name in self.driver.names()
        )

    def directory_path(self, name: str) -> str:
        """The place of a directory's content, as findings name it."""
        return f"{self.place.where}: {self.driver.content(name)}"

    def directory_size(self, name: str) -> int:
        """Bytes of the regular files in a directory, hard links once."""
        return self.place.content_bytes(self.driver.content(name))

    def directory_of(self, path: str) -> str | None:
        """The directory that a path leads through, or that a name means."""
        return self.driver.find(path)

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """The content of a directory as a tree.

        Raises:
            Finding: ``path-escape`` for a name that no directory has; ``missing-cache-dir``, ``changed-while-reading``.
        """
        if not self.driver.pattern.fullmatch(name):
            raise Finding("path-escape", f"{self.place.where}: {self.driver.path}", self.driver.noun, name)
        try:
            return self.place.tree(self.driver.content(name), keep)
        except Finding as finding:
            if finding.problem.kind != "not-found":
                raise
            raise self.driver.gone(name) from None


def config_layers(config: ImageConfig) -> Iterator[Layer]:
    """The layers that a config names, bottom first, not yet found anywhere."""
    steps = zip(config.diff_ids, config.chain_ids, layer_history(config), strict=True)
    for position, (diff_id, chain_id, step) in enumerate(steps):
        yield Layer(
            position=position, diff_id=diff_id, chain_id=chain_id, history=step, source=chain_id, readable=False
        )


def unpacked_in(layer: Layer, name: str | None, problems: Sequence[Problem], blobs: tuple[Digest, ...]) -> Layer:
    """The layer as it lies in a directory, with what is wrong there; the same layer if there is no directory."""
    if name is None:
        return replace(layer, blobs=blobs)
    readable = not any(problem.severity == "error" for problem in problems)
    return replace(layer, source=name, directory=name, blobs=blobs, readable=readable)
