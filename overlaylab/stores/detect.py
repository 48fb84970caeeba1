"""Recognise what lies at a PATH: by its content, never by its name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from overlaylab.errors import Finding, InputError, NotReadable, Problem
from overlaylab.image.image import Container, Image
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.docker.archive import DockerArchive
from overlaylab.stores.files.open_place import Progress, open_place
from overlaylab.stores.files.place import DirectoryPlace, Place, within
from overlaylab.stores.files.tar_place import Tar

from .oci_layout import OciLayout
from .store import DAEMON, IMAGES, META, Store

LEVELS = 6
READINGS = 5

# Seconds to wait before a directory with errors is read again; doubled before each further reading.
PAUSE = 0.02

# Where the roots of engines lie beneath /var/lib, or beneath a home directory's .local/share.
INNER = tuple(
    f"{above}{path}" for above in ("", "var/lib/", "lib/") for path in ("docker", "containerd", "containers/storage")
)


def open_store(
    path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> Store:
    """Open an archive, a layout or a data root; a directory, a .tar or a compressed .tar alike.

    Args:
        path: May have any name, since the content decides.
        limits: Bounds on what is read.
        progress: Called with each number of bytes that was unpacked.

    Raises:
        NotReadable: No image can be listed; the kind says why.
    """
    return store_in(open_place(path, limits, progress))


def store_in(place: Place) -> Store:
    """The store at a place, or in a directory of it.

    Raises:
        NotReadable: No image can be listed; the kind says why.
    """
    try:
        store = _steady(place) if isinstance(place, DirectoryPlace) else _recognise(_root_of(place))
    except Finding as finding:
        raise NotReadable.of([finding.problem]) from None
    if isinstance(place, Tar) and not place.complete:
        store.problems += (Problem("truncated", place.where, "two blocks of zeros at the end", "the end"),)
    return store


def _steady(place: DirectoryPlace) -> Store:
    """Read a directory until two readings find the same errors, since an engine may be writing to it.

    An error that only one of two readings finds is not damage but a change between them.
    """
    store = _recognise(_root_of(place))
    errors, moved, unconfirmed = _errors(store), False, set[Problem]()
    for reading in range(READINGS if errors else 0):
        # An engine writes a document first and its table later: without a pause both readings could fall in between.
        time.sleep(PAUSE * 2**reading)
        again = _recognise(_root_of(place))
        found = _errors(again)
        if found == errors:
            unconfirmed = set()
            break
        store, errors, unconfirmed, moved = again, found, found - errors, True
        if not found:
            break
    if moved:
        kept = (problem for problem in store.problems if problem not in unconfirmed)
        store.problems = (*kept, Problem("changed-while-reading", place.where, "a store at rest", "an engine at work"))
    return store


def _errors(store: Store) -> set[Problem]:
    items: list[Image | Container] = [*store.images(), *store.containers()]
    found = [*store.problems, *(problem for item in items for problem in item.problems)]
    return {problem for problem in found if problem.severity == "error"}


def _root_of(place: Place) -> Place:
    """Descend while a directory holds one directory and nothing else: a tar of a store often contains its path."""
    prefix = ""
    for _ in range(LEVELS):
        here = prefix or "."
        names = place.names(here)
        if len(names) != 1 or place.type_of(names[0] if here == "." else f"{here}/{names[0]}") != "dir":
            break
        prefix = names[0] if not prefix else f"{prefix}/{names[0]}"
    if not prefix or _marks(place):
        return place
    return within(place, prefix)


def _marks(place: Place) -> bool:
    return any(
        place.has(name)
        for name in ("manifest.json", "oci-layout", "image", "overlay2", f"{DAEMON}/{META}", META, IMAGES)
    )


def _recognise(place: Place) -> Store:
    """Open what a place holds: an archive, or else every store that has its root here."""
    if place.has("manifest.json"):
        return DockerArchive(place)
    if place.has("oci-layout") or (place.has("index.json") and place.has("blobs")):
        return OciLayout(place)
    refused: list[Problem] = []
    stores = list(_stores(place, refused))
    if not stores and not refused:
        # The engines' roots within a larger directory, such as /var/lib.
        inner = (within(place, path) for path in INNER if place.type_of(path) == "dir")
        stores = [store for root in inner for store in _stores(root, refused)]
    if not stores:
        raise NotReadable.of(refused) if refused else _refusal(place)
    store: Store = stores[0]
    if len(stores) > 1:
        from .mixed_store import MixedStore  # noqa: PLC0415 - few inputs hold several stores

        store = MixedStore(stores)
    # A store that cannot be read is reported; the others are read all the same.
    store.problems += tuple(refused)
    return store


def _stores(place: Place, refused: list[Problem]) -> Iterator[Store]:
    """Open the stores that have their root here; `refused` gets the problems of those that cannot be read."""
    makers: list[Callable[[Place], Store | None]] = [_docker, _containerd, _storage]
    for make in makers:
        try:
            store = make(place)
        except InputError as error:
            refused += error.problems if isinstance(error, NotReadable) else [error.problem]
            continue
        if store is not None:
            yield store


# Most inputs are archives: the readers of data roots are imported only for a data root, which keeps the start quick.


def _docker(place: Place) -> Store | None:
    """Open Docker's classic store; None if there is none."""
    classic = place.has("image") and (
        place.has("overlay2") or any(place.has(f"image/{name}/imagedb") for name in place.names("image"))
    )
    if not classic:
        return None
    from overlaylab.stores.docker.drivers import has_layerdb, open_data_root  # noqa: PLC0415 - for data roots alone

    if place.has(f"{DAEMON}/{META}") and not has_layerdb(place):
        return None
    return open_data_root(place)


def _containerd(place: Place) -> Store | None:
    """Open containerd's own root, or that of the containerd that dockerd runs by itself; None if there is none."""
    if not place.has(META) and not place.has(f"{DAEMON}/{META}"):
        return None
    from overlaylab.stores.containerd.root import ContainerdRoot  # noqa: PLC0415 - for data roots alone
    from overlaylab.stores.docker.drivers import has_layerdb  # noqa: PLC0415 - for data roots alone

    store = ContainerdRoot(place)
    if place.has(META):
        return store
    # With the classic store, the containerd that dockerd runs holds no images.
    return store if store.images() or not has_layerdb(place) else None


def _storage(place: Place) -> Store | None:
    """Open the store of podman, buildah and CRI-O; None if there is none."""
    if not place.has(IMAGES) and not any(place.has(f"{name}-layers/layers.json") for name in ("vfs", "btrfs", "zfs")):
        return None
    from .containers_storage import ContainersStorage  # noqa: PLC0415 - for data roots alone

    return ContainersStorage(place)


def _refusal(place: Place) -> NotReadable:
    """Why nothing can be read here, in terms of what it looks like."""
    names = place.names(".")
    kind, expected = "not-an-image", "manifest.json, oci-layout or image/overlay2"
    found = ", ".join(names[:8]) or "nothing"
    if isinstance(place, Tar) and not place.complete:
        kind, expected = "truncated", "manifest.json or index.json"
        found = "neither before the end, and no closing blocks"
    elif "repositories" in names and any(place.has(f"{name}/layer.tar") for name in names):
        kind, expected, found = "legacy-v1", "manifest.json", "repositories and version-1 folders"
    elif place.has(DAEMON) or "overlay2" in names or ("containers" in names and "image" in names):
        kind, expected = "no-layerdb", "image/overlay2/layerdb"
        found = "a Docker root that keeps its images in containerd"
    elif any(name.startswith("io.containerd.") for name in names):
        expected, found = META, "a containerd root without its database"
    elif "overlay-images" in names:
        expected, found = IMAGES, "a containers-storage root without its table of images"
    return NotReadable(kind, place.where, expected, found)
