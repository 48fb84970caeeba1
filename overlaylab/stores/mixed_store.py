"""Several stores in one root, such as Docker's old and new store after a switch to the containerd image store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from overlaylab.errors import Finding, Problem
from overlaylab.image.image import Container, Image, Layer

from .store import Store, StoreDirectory


class MixedStore(Store):
    """Several stores as one: each image and container says which store it is in, and that store must be asked.

    Args:
        parts: The stores.
    """

    kind = "mixed"
    directory_kind = "folder"

    def __init__(self, parts: Sequence[Store]) -> None:
        self._parts = tuple(part.labelled() for part in parts)
        self.problems = tuple(dict.fromkeys(problem for part in parts for problem in part.problems))
        self.not_checked = tuple(dict.fromkeys(item for part in parts for item in part.not_checked))

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

    def directory_of(self, path: str) -> str | None:
        """Refused, since a path does not say which store is meant: ask `parts`."""
        raise self._refusal(path)

    def changed_files(self, layer: Layer) -> Iterator[Problem]:
        """Refused: ask the store that `home` returns."""
        raise self._refusal(layer.source)

    def _refusal(self, name: str) -> Finding:
        return Finding("wrong-call", name, "one store", ", ".join(part.kind for part in self.parts))
