"""Recompute everything that can be recomputed, and report every mismatch, not the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from overlaylab.errors import Finding, Problem
from overlaylab.image.image import Container, Image
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.store import NotChecked, Store, home
from overlaylab.tree import entry

from .layer_reader import LayerReader

if TYPE_CHECKING:
    from overlaylab.overlay.marked_lookup import ReadOnlyStack
    from overlaylab.overlay.overlay import Overlay


NO_PROOF = "the store keeps this layer as a folder, and neither its tar nor a recipe to rebuild it"

# Findings about a store that concern every image in it.
ABOUT_THE_STORE = ("truncated", "duplicate-member", "changed-while-reading")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found wrong, what could not be checked, and how many images were looked at."""

    problems: tuple[Problem, ...]
    not_checked: tuple[NotChecked, ...] = ()
    images: int = 0

    @property
    def ok(self) -> bool:
        """No problem of severity ``error``."""
        return not any(problem.severity == "error" for problem in self.problems)


def validate(
    store: Store,
    targets: Iterable[Image | Container] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    reader_of: Callable[[Store], LayerReader] | None = None,
) -> Report:
    """Recompute every digest of a store's images, read every layer, and look up every path of the merged views.

    Args:
        store: Holds them.
        targets: Which images and containers; all if None.
        limits: Bounds on what is read.
        reader_of: Gives the reader of a store, or of each of several in one root; then its own limits hold.

    Returns:
        All problems, each once, and what was not checked, with the reason.
    """
    # What is wrong with the store's other images does not concern the chosen ones.
    problems = [problem for problem in store.problems if targets is None or problem.kind in ABOUT_THE_STORE]
    not_checked = list(store.not_checked)
    reader_of = reader_of or partial(LayerReader, limits=limits, digests=False)
    readers: dict[int, tuple[Store, LayerReader]] = {}
    images = 0
    for part, target in _targets(store, targets):
        if id(part) not in readers:
            readers[id(part)] = part, reader_of(part)
        reader = readers[id(part)][1]
        images += isinstance(target, Image)
        problems += _view_problems(target, part, reader)
        for layer in target.layers if isinstance(target, Image) else ():
            if layer.directory is not None and layer.readable:
                proof = reader.proof(layer)
                problems += proof or ()
                if proof is None:
                    not_checked.append(NotChecked(layer.diff_id, NO_PROOF))
    for part, reader in readers.values():
        # Archives have no directories, so there is nothing that these could have lost.
        if part.directory_kind:
            problems += reader.lost.problems()
            not_checked += reader.lost.not_checked()
    return Report(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(not_checked)), images)


def _targets(store: Store, targets: Iterable[Image | Container] | None) -> Iterator[tuple[Store, Image | Container]]:
    """Each image and container to look at, with the store that it lies in: all images first if none are chosen."""
    if targets is not None:
        yield from ((home(store, target), target) for target in targets)
        return
    for part in store.parts:
        yield from ((part, image) for image in part.images())
    for part in store.parts:
        yield from ((part, container) for container in part.containers())


def _view_problems(target: Image | Container, store: Store, reader: LayerReader) -> list[Problem]:
    """Everything that is wrong with an image's layers, or a container's, and with their merged view."""
    if isinstance(target, Image):
        reader.prefetch(target)
    # Imported when other threads are reading already.
    from overlaylab.overlay.marked_lookup import ReadOnlyStack  # noqa: PLC0415

    try:
        if isinstance(target, Container):
            overlay, problems = overlay_of(target, store, reader)
            return [*problems, *_walk_problems(overlay)]
        directories, found = reader.directories(target)
        # The merged view is walked while other threads are hashing.
        walked = _walk_problems(ReadOnlyStack(directories, store.marks))
        return [*target.problems, *reader.problems(target, found), *walked]
    except Finding as finding:
        return [*target.problems, finding.problem]


def _walk_problems(stack: Overlay | ReadOnlyStack) -> list[Problem]:
    """Look up every visible path, to find xattrs of overlayfs that cannot be followed."""
    try:
        stack.look_everywhere()
    except Finding as finding:
        return [finding.problem]
    return []


def overlay_of(target: Image | Container, store: Store, reader: LayerReader) -> tuple[Overlay, list[Problem]]:
    """The stack that an image or a container sees, and what is wrong with its layers.

    Args:
        target: An image: all its layers are lower. A container: its upper is on top.
    """
    from overlaylab.overlay.overlay import Overlay  # noqa: PLC0415 - readers of documents alone do not need it

    layers, problems = reader.stack(target)
    upper = layers.pop() if isinstance(target, Container) else None
    return Overlay.of_layers(layers, upper, marks=store.marks), problems


def merged_view(
    target: Image | Container, store: Store, reader: LayerReader
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """The merged view of an image or a container, see `merged_entries`, and what is wrong with its layers.

    Raises:
        Finding: ``changed-while-reading``: an engine at work removed what is needed.
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


def problem_facts(problem: Problem) -> dict[str, str]:
    """One finding as plain data."""
    return {key: str(getattr(problem, key)) for key in ("kind", "severity", "where", "expected", "found")}


def report_facts(report: Report) -> dict[str, Any]:
    """Everything that ``verify`` prints, with fixed keys."""
    return {
        "ok": report.ok,
        "problems": [problem_facts(problem) for problem in report.problems],
        "not_checked": [{"what": str(item.what), "why": item.why} for item in report.not_checked],
    }
