"""Recompute everything that can be recomputed, and report every mismatch, not the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from overlaylab.errors import Finding, Problem
from overlaylab.image.image import Container, Image
from overlaylab.image.layer_blob import Progress
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.store import NotChecked, Store, home
from overlaylab.tree import entry

from .layer_reader import Apart, Later, LayerReader

if TYPE_CHECKING:
    from overlaylab.overlay.overlay import Overlay

__all__ = ["Report", "merged_entries", "merged_view", "overlay_of", "validate"]

NO_PROOF = "the store keeps this layer as a folder, and neither its tar nor a recipe to rebuild it"

# Findings about a store that concern every image in it.
OF_THE_WHOLE = ("truncated", "duplicate-member", "changed-while-reading")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found wrong, and what could not be looked at."""

    problems: tuple[Problem, ...]
    not_checked: tuple[NotChecked, ...] = ()

    @property
    def ok(self) -> bool:
        """No problem of severity ``error``."""
        return not any(problem.severity == "error" for problem in self.problems)


def validate(
    store: Store,
    targets: Iterable[Image | Container] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    readers: dict[int, LayerReader] | None = None,
    later: Later = partial,
    apart: Apart = lambda *_: {},
) -> Report:
    """Recompute every digest of a store's images, read every layer, and look at every path of the merged views.

    Args:
        store: Where they lie.
        targets: Which images and containers; all if None.
        limits: How much the input may ask for.
        progress: Called with each number of stored bytes that was read.
        readers: The reader of a store, by the store's ``id``, to use and to look into later.
        later: See `LayerReader`: what can be done side by side; `apart` too. The report is the same.

    Returns:
        All problems, each once, and what was not checked, with the reason.
    """
    # What is wrong with the store's other images does not matter to some of them.
    problems = [problem for problem in store.problems if targets is None or problem.kind in OF_THE_WHOLE]
    not_checked = list(store.not_checked)
    later_looks, readers = readers is not None, {} if readers is None else readers
    for target in (*store.images(), *store.containers()) if targets is None else targets:
        part = home(store, target)
        reader = readers.setdefault(
            id(part), LayerReader(part, limits, progress=progress, digests=later_looks, later=later, apart=apart)
        )
        problems += _view_problems(target, part, reader)
        for layer in target.layers if isinstance(target, Image) else ():
            if layer.directory is not None and layer.readable:
                proof = reader.proof(layer)
                problems += proof or ()
                if proof is None:
                    not_checked.append(NotChecked(layer.diff_id, NO_PROOF))
    for reader in readers.values():
        problems += reader.lost.problems()
        not_checked += reader.lost.not_checked()
    return Report(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(not_checked)))


def _view_problems(target: Image | Container, store: Store, reader: LayerReader) -> list[Problem]:
    """Everything that is wrong with what an image or a container shows."""
    if isinstance(target, Image):
        reader.read_ahead(target)
    # Imported only now, when others are at work already.
    from overlaylab.overlay.overlay import Overlay

    try:
        if isinstance(target, Container):
            overlay, problems = overlay_of(target, store, reader)
            return [*problems, *_walk_problems(overlay)]
        layers, odd = reader.trees(target)
        # While other threads hash, there is time to look at the merged view.
        walked = _walk_problems(Overlay.of_layers(layers, marks=store.marks))
        return [*target.problems, *reader.named(target, odd), *walked]
    except Finding as finding:
        return [*target.problems, finding.problem]


def _walk_problems(overlay: Overlay) -> list[Problem]:
    """Look every visible path up once, so that marks which cannot be followed are found."""
    try:
        overlay.look_everywhere()
    except Finding as finding:
        return [finding.problem]
    return []


def overlay_of(target: Image | Container, store: Store, reader: LayerReader) -> tuple[Overlay, list[Problem]]:
    """The stack that an image or a container sees, and what is wrong with its layers.

    Args:
        target: An image: all its layers are lower. A container: its upper is on top.
    """
    from overlaylab.overlay.overlay import Overlay

    layers, problems = reader.stack(target)
    upper = layers.pop() if isinstance(target, Container) else None
    return Overlay.of_layers(layers, upper, marks=store.marks), problems


def merged_view(
    target: Image | Container, store: Store, reader: LayerReader
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """What an image or a container shows, see `merged_entries`, and all that is wrong with what it needs.

    Raises:
        Finding: ``changed-while-reading``, where an engine at work took away what is needed.
    """
    problems = list(target.problems)
    try:
        overlay, problems = overlay_of(target, store, reader)
        return dict(merged_entries(overlay)), problems
    except Finding as finding:
        if finding.problem.severity == "warning":
            raise
        return {}, [*problems, finding.problem]


def merged_entries(overlay: Overlay) -> Mapping[str, dict[str, Any]]:
    """The merged view as plain data: path -> entry, with the layer that each comes from, counted from the bottom."""
    return {path: entry(parts[0].inode, overlay.marks) | {"layer": parts[0].layer} for path, parts in overlay.walk()}
