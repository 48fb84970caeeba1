"""Several stores in one root, such as Docker's old and new store after a switch to the containerd image store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.image.image import Container, Image, Layer
from overlaylab.overlay.mount_options import Mount
from overlaylab.tree import Directory

from .store import NotChecked, SingleStore, Store, StoreDirectory

__all__ = ["MixedStore"]


class MixedStore(Store):
    """Several stores as one: each image and container says which store it is in.

    Args:
        parts: The stores.
    """

    kind = "mixed"
    directory_kind = "folder"
    marks = "trusted.overlay."
    whole_directories = False

    def __init__(self, parts: Sequence[SingleStore]) -> None:
        self._parts = tuple(part.labelled() for part in parts)
        self.problems: tuple[Problem, ...] = tuple(
            dict.fromkeys(problem for part in parts for problem in part.problems)
        )
        self.not_checked: tuple[NotChecked, ...] = tuple(
            dict.fromkeys(item for part in parts for item in part.not_checked)
        )

    @property
    def parts(self) -> tuple[Store, ...]:
        """The stores."""
        return self._parts

    def images(self) -> tuple[Image, ...]:
        """The images of all stores, one store after the other."""
        return tuple(image for part in self.parts for image in part.images())

    def containers(self) -> tuple[Container, ...]:
        """The containers of all stores."""
        return tuple(container for part in self.parts for container in part.containers())

    def directories(self) -> tuple[StoreDirectory, ...]:
        """The directories of all stores."""
        return tuple(directory for part in self.parts for directory in part.directories())

    def directory_path(self, name: str) -> str:
        """Refused, since a name does not say which store is meant: ask `parts`."""
        raise self._unclear(name)

    def directory_size(self, name: str) -> int:
        """Refused, since a name does not say which store is meant: ask `parts`."""
        raise self._unclear(name)

    def directory_of(self, path: str) -> str | None:
        """Refused, since a path does not say which store is meant: ask `parts`."""
        raise self._unclear(path)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """Refused: ask the store that `home` returns."""
        raise self._unclear(target.id)

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """Refused: ask the store that `home` returns."""
        raise self._unclear(layer.source)

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """Refused: ask the store that `home` returns."""
        raise self._unclear(layer.source)

    def layer_directory(self, name: str, keep: int = 0) -> Directory:
        """Refused: ask the store that `home` returns."""
        raise self._unclear(name)

    def _unclear(self, name: str) -> Finding:
        return Finding("wrong-call", name, "one store", ", ".join(part.kind for part in self.parts))
