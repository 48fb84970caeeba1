"""What is this PATH? One table, told by content and never by name."""

from __future__ import annotations

from pathlib import Path

from ..errors import Finding, NotReadable, Problem
from ..image import Store
from ..limits import DEFAULT_LIMITS, Limits
from .docker_archive import DockerArchive
from .docker_root import DockerRoot, check_driver
from .oci_layout import OciLayout
from .opening import Progress, open_place
from .place import Folder, Inside, Place
from .tar_place import Tar

__all__ = ["open_store"]

LEVELS = 6
READINGS = 5


def open_store(path: str | Path, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> Store:
    """Open an archive, a layout or a data root; a folder, a .tar or a compressed .tar alike.

    Args:
        path: Under any name: the content decides.
        limits: How much the input may ask for.
        progress: Called with each number of bytes that was unpacked.

    Raises:
        NotReadable: with the kind that says why no image can be listed.
    """
    place = open_place(path, limits, progress)
    try:
        store = _steady(place) if isinstance(place, Folder) else _recognise(_root_of(place))
    except Finding as finding:
        raise NotReadable.of([finding.problem]) from None
    if isinstance(place, Tar) and not place.complete:
        store.problems += (Problem("truncated", place.where, "two blocks of zeros at the end", "the end"),)
    return store


def _steady(place: Folder) -> Store:
    """Read a folder again while it does not hold still: an engine may be at work in it.

    What only one of two readings finds is no damage but a change between them.
    """
    store = _recognise(_root_of(place))
    for reading in range(READINGS):
        errors = _errors(store)
        again = _recognise(_root_of(place)) if errors else store
        if _errors(again) == errors:
            if reading:
                store.problems += (Problem("changed-while-reading", place.where, "a store at rest", "an engine at work"),)
            return store
        store = again
    return store


def _errors(store: Store) -> set[Problem]:
    found = [*store.problems, *(problem for item in (*store.images(), *store.containers()) for problem in item.problems)]
    return {problem for problem in found if problem.severity == "error"}


def _root_of(place: Place) -> Place:
    """Go down while there is one folder and nothing else: tars of a store often keep its path."""
    prefix = ""
    for _ in range(LEVELS):
        here = prefix or "."
        names = place.names(here)
        if len(names) != 1 or place.type_of(names[0] if here == "." else f"{here}/{names[0]}") != "dir":
            break
        prefix = names[0] if not prefix else f"{prefix}/{names[0]}"
    if not prefix or _marks(place):
        return place
    if isinstance(place, Folder):
        return Folder(f"{place.root}/{prefix}", f"{place.where}/{prefix}", place.limits)
    return Inside(place, prefix)


def _marks(place: Place) -> bool:
    return any(place.has(name) for name in ("manifest.json", "oci-layout", "image", "overlay2"))


def _recognise(place: Place) -> Store:
    """The table: the first mark that is there decides."""
    if place.has("manifest.json"):
        return DockerArchive(place)
    if place.has("oci-layout") or (place.has("index.json") and place.has("blobs")):
        return OciLayout(place)
    if place.has("image") and (place.has("overlay2") or any(place.has(f"image/{name}/imagedb") for name in place.names("image"))):
        check_driver(place)
        return DockerRoot(place)
    raise _refusal(place)


def _refusal(place: Place) -> NotReadable:
    """Why this is nothing that can be read, in the words of what it is."""
    names = place.names(".")
    if isinstance(place, Tar) and not place.complete:
        return NotReadable("truncated", place.where, "manifest.json or index.json", "neither before the end, and no closing blocks")
    if "repositories" in names and any(place.has(f"{name}/layer.tar") for name in names):
        return NotReadable("legacy-v1", place.where, "manifest.json", "repositories and version-1 folders")
    if place.has("containerd/daemon") or "overlay2" in names or ("containers" in names and "image" in names):
        return NotReadable("no-layerdb", place.where, "image/overlay2/layerdb", "a Docker root that keeps its images in containerd")
    if any(name.startswith("io.containerd.") for name in names):
        return NotReadable("not-an-image", place.where, "an archive, a layout or Docker's classic store", "a containerd root")
    if "overlay-images" in names:
        return NotReadable("not-an-image", place.where, "an archive, a layout or Docker's classic store", "containers-storage, as podman has it")
    return NotReadable("not-an-image", place.where, "manifest.json, oci-layout or image/overlay2", ", ".join(names[:8]) or "nothing")
