"""What each layer of an image did: what it added, changed and removed, and which of its bytes are wasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.image.image import Container, Image, Layer
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.store import Store, stacked_names
from overlaylab.tree import Directory, File, Inode, entry, sizes, walk

__all__ = ["LayerWork", "layer_facts", "layer_work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWork:
    """One layer against the merged view below it.

    Args:
        added: Paths that are new.
        changed: Paths that are there below, and look different now.
        removed: Paths that are gone, each path of a removed tree.
        size: Bytes of the layer's files, hard links once.
        wasted: Bytes of the layer's files that a higher layer hides.
    """

    added: int
    changed: int
    removed: int
    size: int
    wasted: int


def layer_work(layers: Sequence[Directory], marks: str) -> tuple[LayerWork, ...]:
    """Compare each layer with what is below it.

    The root directory itself is not counted: engines give it a time of their own when they unpack.

    Args:
        layers: Directories as overlayfs has them, **bottom first**.
        marks: The namespace of overlay marks.

    Returns:
        One for each layer, bottom first.
    """
    counts = []
    below = Directory()
    for layer in layers:
        merged = Overlay.of_layers([below, layer] if counts else [layer], marks=marks).merged()
        counts.append(_differences(_paths(below), _paths(merged), marks))
        below = merged
    # Equal layers may share their inodes, so what is visible is told by layer as well.
    visible = {(parts[0].layer, id(parts[0].inode)) for _, parts in Overlay.of_layers(layers, marks=marks).walk()}
    return tuple(
        LayerWork(
            added=added,
            changed=changed,
            removed=removed,
            size=sizes(layer),
            wasted=_hidden_bytes(layer, number, visible),
        )
        for number, (layer, (added, changed, removed)) in enumerate(zip(layers, counts))
    )


def _paths(tree: Directory) -> dict[str, Inode]:
    paths = dict(walk(tree))
    paths.pop(".")
    return paths


def _differences(below: dict[str, Inode], now: dict[str, Inode], marks: str) -> tuple[int, int, int]:
    """How many paths are new, different, gone."""
    both = below.keys() & now.keys()
    changed = sum(
        below[path] is not now[path] and _look(below[path], marks) != _look(now[path], marks) for path in both
    )
    return len(now) - len(both), changed, len(below) - len(both)


def _look(inode: Inode, marks: str) -> dict[str, Any]:
    """What a reader sees of an inode; the number of its names belongs to a layer, not to a path."""
    look = entry(inode, marks)
    look.pop("nlink", None)
    return look


def _hidden_bytes(layer: Directory, number: int, visible: set[tuple[int, int]]) -> int:
    """Bytes of the files of which no name is left in the final view."""
    hidden = {
        id(inode): inode.size
        for _, inode in walk(layer)
        if isinstance(inode, File) and (number, id(inode)) not in visible
    }
    return sum(hidden.values())


def layer_facts(
    store: Store, target: Image | Container, layers: Sequence[Directory], marks: str
) -> list[dict[str, Any]]:
    """Everything that ``layers`` says, with fixed keys; bottom first, a container's upper last."""
    known = list(target.layers) if isinstance(target, Image) else _container_layers(store, target)
    return [_facts(layer, work) for layer, work in zip(known, layer_work(layers, marks))]


def _container_layers(store: Store, container: Container) -> list[Layer | None]:
    """The layers in a container's directories, bottom first; None for the engine's own directory and the upper."""
    found: dict[str | None, Layer] = {}
    for image in store.images():
        if (image.store, image.namespace) == (container.store, container.namespace):
            for layer in image.layers:
                # The image that the container was made from says best which step made a layer.
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
