"""What each layer of an image added, changed and removed, and which of its bytes are wasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.image.image import Container, Image, Layer
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.store import Store, stacked_names
from overlaylab.tree import Directory, File, Inode, entry, sizes, walk


@dataclass(frozen=True, slots=True)
class LayerWork:
    """One layer against the merged view below it.

    Args:
        added: Paths that do not exist below.
        changed: Paths that exist below, and differ.
        removed: Paths that exist below only, each path of a removed tree.
        size: Bytes of the layer's files, hard links once.
        wasted: Bytes of the layer's files that a higher layer hides.
    """

    added: int
    changed: int
    removed: int
    size: int
    wasted: int


def layer_work(layers: Sequence[Directory], marks: str) -> tuple[LayerWork, ...]:
    """Compare each layer with the merged view below it.

    The root directory itself is not counted: engines set its time when they unpack a layer.

    Args:
        layers: Directories as overlayfs has them, **bottom first**.
        marks: The namespace of the overlay xattrs.

    Returns:
        One for each layer, bottom first.
    """
    counts: list[tuple[int, int, int]] = []
    below = Directory()
    for layer in layers:
        merged = Overlay.of_layers([below, layer] if counts else [layer], marks=marks).merged()
        counts.append(_differences(_paths(below), _paths(merged), marks))
        below = merged
    # Equal layers may share inodes, so the layer belongs to the identity.
    visible = {(parts[0].layer, id(parts[0].inode)) for _, parts in Overlay.of_layers(layers, marks=marks).walk()}
    return tuple(
        LayerWork(*count, sizes(layer), _hidden_bytes(layer, number, visible))
        for number, (layer, count) in enumerate(zip(layers, counts, strict=True))
    )


def _paths(tree: Directory) -> dict[str, Inode]:
    paths = dict(walk(tree))
    paths.pop(".")
    return paths


def _differences(below: dict[str, Inode], now: dict[str, Inode], marks: str) -> tuple[int, int, int]:
    """Count the paths that are new, different and gone."""
    both = below.keys() & now.keys()
    changed = sum(
        below[path] is not now[path] and _look(below[path], marks) != _look(now[path], marks) for path in both
    )
    return len(now) - len(both), changed, len(below) - len(both)


def _look(inode: Inode, marks: str) -> dict[str, Any]:
    """What stat shows of an inode, without the link count, which belongs to a layer and not to a path."""
    look = entry(inode, marks)
    look.pop("nlink", None)
    return look


def _hidden_bytes(layer: Directory, number: int, visible: set[tuple[int, int]]) -> int:
    """Bytes of the files that have no name in the merged view of all layers."""
    hidden = {
        id(inode): inode.size
        for _, inode in walk(layer)
        if isinstance(inode, File) and (number, id(inode)) not in visible
    }
    return sum(hidden.values())


def layer_facts(
    store: Store, target: Image | Container, layers: Sequence[Directory], marks: str
) -> list[dict[str, Any]]:
    """Everything that ``layers`` prints, with fixed keys; bottom first, a container's upper last."""
    known = list(target.layers) if isinstance(target, Image) else _container_layers(store, target)
    return [_facts(layer, work) for layer, work in zip(known, layer_work(layers, marks), strict=False)]


def _container_layers(store: Store, container: Container) -> list[Layer | None]:
    """The layers in a container's directories, bottom first; None for the engine's own directory and the upper."""
    found: dict[str | None, Layer] = {}
    for image in store.images():
        if (image.store, image.namespace) == (container.store, container.namespace):
            for layer in image.layers:
                # The history of the container's own image is preferred.
                if layer.directory not in found or image.id == container.image_id:
                    found[layer.directory] = layer
    return [found.get(name) for name in stacked_names(store, container)]


def _facts(layer: Layer | None, work: LayerWork) -> dict[str, Any]:
    return {
        "chain_id": layer and layer.chain_id,
        "diff_id": layer and layer.diff_id,
        "created_by": layer.history.created_by if layer and layer.history else "",
        "added": work.added,
        "changed": work.changed,
        "removed": work.removed,
        "bytes": work.size,
        "wasted_bytes": work.wasted,
    }
