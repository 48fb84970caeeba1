"""Which images and containers use which directories, and what images share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.store import Store, StoreDirectory

from .facts import directories_of, one_per_config


def images_of(store: Store, container: Container) -> list[Image]:
    """The images that a container was made from: one, or one for each platform that its index names."""
    where = (container.store, container.namespace)
    images = [image for image in store.images() if image.id == container.image_id]
    return [image for image in images if (image.store, image.namespace) == where]


def owner_facts(
    store: Store, layer_bytes: Callable[[Store, Layer], int], directory: str | None = None
) -> dict[str, Any]:
    """Everything that ``owners`` prints, with fixed keys.

    Args:
        store: Holds them.
        layer_bytes: Returns the bytes of the files of a layer that is not unpacked.
        directory: Report only this directory and the images that use it.
    """
    directories: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for part in store.parts:
        census = Census(part, layer_bytes)
        directories += [census.directory(item) for item in part.directories() if directory in (None, item.name)]
        images += [
            census.image(number)
            for number, image in enumerate(census.images)
            if directory is None or any(layer.directory == directory for layer in image.layers)
        ]
    return {"directories": directories, "images": images}


def _place(layer: Layer) -> str:
    """Where a layer is kept: its directory, or its blob. Never the diff_id, since equal layers are kept twice."""
    return layer.directory or layer.source


class Census:
    """The users of every layer and directory of one store, not of a root of several; see `owner_facts`."""

    def __init__(self, store: Store, layer_bytes: Callable[[Store, Layer], int]) -> None:
        self._store, self._layer_bytes = store, layer_bytes
        self.images: Sequence[Image] = one_per_config(store.images())
        self._users: dict[str, dict[int, Layer]] = {}
        self._sizes: dict[str, int] = {}
        for number, image in enumerate(self.images):
            for layer in image.layers:
                self._users.setdefault(_place(layer), {})[number] = layer
        self._containers: dict[str, list[Container]] = {}
        for container in store.containers():
            for name in dict.fromkeys((container.upper, *container.lower)):
                self._containers.setdefault(name, []).append(container)

    def directory(self, item: StoreDirectory) -> dict[str, Any]:
        """One directory: its layers, the images and containers that use it, and what it most likely is."""
        users, containers = self._users.get(item.name, {}), self._containers.get(item.name, [])
        chains = [layer.chain_id for layer in users.values()]
        return {
            "directory": item.name,
            "layers": list(dict.fromkeys([*chains, *item.chain_ids])),
            "images": list(dict.fromkeys(str(self.images[number].id) for number in users)),
            "containers": [container.id for container in containers],
            "guess": _guess(item, bool(users), containers),
        }

    def image(self, number: int) -> dict[str, Any]:
        """One image: its directories, the bytes that it alone uses, and those that it shares."""
        image = self.images[number]
        places = list(dict.fromkeys(_place(layer) for layer in image.layers))
        own = [place for place in places if len(self._users[place]) == 1]
        others = sorted({other for place in places for other in self._users[place]} - {number})
        return {
            "id": image.id,
            "names": list(image.names),
            "directories": directories_of(image, self._store),
            "own_bytes": sum(map(self._size, own)),
            "shared_bytes": sum(self._size(place) for place in places if place not in own),
            "shared_with": list(dict.fromkeys(str(self.images[other].id) for other in others)),
        }

    def _size(self, place: str) -> int:
        if place not in self._sizes:
            layer = next(iter(self._users[place].values()))
            packed = layer.directory is None
            self._sizes[place] = self._layer_bytes(self._store, layer) if packed else self._store.directory_size(place)
        return self._sizes[place]


def _guess(directory: StoreDirectory, has_image: bool, containers: Sequence[Container]) -> str:
    """What a directory most likely is, by its users, or else by the form of its name."""
    if has_image:
        return "image layer"
    if any(container.upper == directory.name for container in containers):
        return "container"
    if any(container.init == directory.name for container in containers):
        return "init layer"
    if containers:
        # The image of a container may have been removed.
        return "image layer"
    return "build cache" if directory.cache else "leftover"
