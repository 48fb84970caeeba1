"""Who owns what: folders and the images and containers that use them, and what images share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .image import Container, Image, Store, StoreFolder
from .present import one_per_config

__all__ = ["folder_facts", "images_of", "owner_facts", "sharing_facts"]

# A layer's bytes, in a store that has no folders.
LayerSize = Callable[[Store, Image, int], int]


def images_of(store: Store, container: Container) -> list[Image]:
    """The images that a container was made from: one, or one for each platform that its index names."""
    where = (container.store, container.namespace)
    return [image for image in store.images() if image.id == container.image_id and (image.store, image.namespace) == where]


def owner_facts(store: Store, layer_size: LayerSize, folder: str | None = None) -> dict[str, Any]:
    """Everything that ``owners`` says, with fixed keys.

    Args:
        store: Where.
        layer_size: Gives the bytes of a layer that lies in no folder.
        folder: Only this folder and the images that use it.
    """
    directories, images = [], []
    for part in store.parts:
        folders = [item for item in part.folders() if folder in (None, item.name)]
        directories += [folder_facts(part, item) for item in folders]
        images += [item for item in sharing_facts(part, layer_size) if folder is None or folder in (item["directories"] or ())]
    return {"directories": directories, "images": images}


def folder_facts(store: Store, folder: StoreFolder) -> dict[str, Any]:
    """One folder: the layers that it holds, the images and containers that use it, and what it most likely is."""
    images = [image for image in one_per_config(store.images()) if any(layer.directory == folder.name for layer in image.layers)]
    containers = [item for item in store.containers() if folder.name in (item.upper, *item.lower)]
    chains = [layer.chain_id for image in images for layer in image.layers if layer.directory == folder.name]
    return {
        "directory": folder.name,
        "layers": list(dict.fromkeys([*chains, *folder.chain_ids])),
        "images": list(dict.fromkeys(str(image.id) for image in images)),
        "containers": [container.id for container in containers],
        "guess": _guess(folder, images, containers),
    }


def _guess(folder: StoreFolder, images: Sequence[Image], containers: Sequence[Container]) -> str:
    """What a folder most likely is: by who uses it, else by the form of its name."""
    if images:
        return "image layer"
    if any(container.upper == folder.name for container in containers):
        return "container"
    if any(container.init == folder.name for container in containers):
        return "init layer"
    if containers:
        # The image is gone, its container is not.
        return "image layer"
    return "build cache" if folder.cache else "leftover"


def sharing_facts(store: Store, layer_size: LayerSize) -> list[dict[str, Any]]:
    """For each image what it alone uses, and what it shares with others."""
    images = one_per_config(store.images())
    users: dict[str, set[int]] = {}
    for number, image in enumerate(images):
        for position in range(len(image.layers)):
            users.setdefault(_place_of(image, position), set()).add(number)
    sizes = {place: _size(store, images, place, layer_size) for place in users}
    return [_sharing(store, images, number, users, sizes) for number in range(len(images))]


def _place_of(image: Image, position: int) -> str:
    """What tells one kept layer from another: its folder, or what keeps it."""
    layer = image.layers[position]
    return layer.directory or layer.source


def _size(store: Store, images: Sequence[Image], place: str, layer_size: LayerSize) -> int:
    image, position = next(
        (image, position) for image in images for position in range(len(image.layers)) if _place_of(image, position) == place
    )
    if image.layers[position].directory is not None:
        return store.folder_size(place)
    return layer_size(store, image, position)


def _sharing(store: Store, images: Sequence[Image], number: int, users: dict[str, set[int]], sizes: dict[str, int]) -> dict[str, Any]:
    image = images[number]
    places = list(dict.fromkeys(_place_of(image, position) for position in range(len(image.layers))))
    own = [place for place in places if users[place] == {number}]
    others = sorted({other for place in places for other in users[place]} - {number})
    return {
        "id": image.id,
        "names": list(image.names),
        "directories": _directories(image, store),
        "own_bytes": sum(sizes[place] for place in own),
        "shared_bytes": sum(sizes[place] for place in places if place not in own),
        "shared_with": list(dict.fromkeys(str(images[other].id) for other in others)),
    }


def _directories(image: Image, store: Store) -> list[str | None] | None:
    return None if image.config is None or not store.folder_kind else [layer.directory for layer in image.layers]
