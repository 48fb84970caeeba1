"""The walk through a data root as a value: from a name or an ID to the layers' directories, step by step.

    name -> image ID -> diff_id -> chain_id -> layerdb entry -> cache-id -> overlay2 directory -> l/ name -> lower chain
    container -> mount-id and init-id -> overlay2 directory -> lower chain -> mount options

Every step says which file or directory was read, what was in it, and where the resulting name comes from: the names in
the first half of the walk are hashes, those in the second half are random.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from overlaylab.errors import Finding
from overlaylab.image.digest import chain_text
from overlaylab.image.image import Container, Image
from overlaylab.stores.files.place import Place
from overlaylab.stores.selection import familiar, select
from overlaylab.stores.store import Store
from overlaylab.tree import Directory, File, Symlink, walk
from overlaylab.words import printable

from .classic_store import ClassicStore
from .root import DockerRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: something is read or computed, and the result is a name.

    Args:
        key: Which step it is, for example ``cache-id``.
        path: The file or directory that was read, beneath the data root; empty where nothing was read.
        content: What was in it, or the text that was hashed.
        found: The name that the next step starts from.
        origin: Where `found` comes from: ``hash`` (computed from bytes), ``random`` (a random number),
            or ``list`` (composed of other names).
    """

    key: str
    path: str
    content: str
    found: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """All steps from one name to the directories.

    Args:
        query: The name or ID that was asked for.
        steps: In the order of the walk.
        image: The image, if one was asked for.
        position: Its layer, counted from the bottom; 0 is the base, -1 means none.
        container: The container, if one was asked for.
    """

    query: str
    steps: tuple[Step, ...]
    image: Image | None = None
    position: int = -1
    container: Container | None = None

    def __getitem__(self, key: str) -> Step:
        """The step of this key, such as ``walk["cache-id"]``."""
        for step in self.steps:
            if step.key == key:
                return step
        raise KeyError(f"this walk has no step {key!r}; it has {', '.join(step.key for step in self.steps)}")


def follow(store: Store, query: str, position: int = -1) -> Walk:
    """Walk from a name or an ID prefix to the directories of one layer, or from a container to its mount.

    Args:
        store: A Docker data root.
        query: As `select` takes it: a name first, else the beginning of an ID; or a container.
        position: Which layer, counted from the bottom; 0 is the base, -1 the topmost.

    Raises:
        NoSuchImage: ``no-such-image``, ``ambiguous-image``.
        Finding: ``wrong-call`` for another kind of store and for a layer that is not there, and what
            is wrong with the layer.
    """
    if not isinstance(store, ClassicStore):
        raise Finding("wrong-call", "follow", "a Docker data root", store.kind)
    query = query.strip()
    found = select(store, query)
    if isinstance(found, Container):
        return Walk(query=query, steps=tuple(_container_steps(store, found)), container=found)
    layers = len(found.layers)
    if not -layers <= position < layers:
        expected = f"0 to {layers - 1}" if layers else "an image with layers"
        raise Finding("wrong-call", "follow: position", expected, position)
    position %= layers
    return Walk(query=query, steps=tuple(_image_steps(store, found, query, position)), image=found, position=position)


# An image's layer


def _image_steps(store: ClassicStore, image: Image, query: str, position: int) -> Iterator[Step]:
    layer = image.layers[position]
    yield _name_step(store, image, query)
    config = f"{store.db}/imagedb/content/{image.id.algorithm}/{image.id.hex}"
    listed = "\n".join(f"{number:>3}  {other.diff_id}" for number, other in enumerate(image.layers, 1))
    yield Step(key="config", path=config, content=listed, found=layer.diff_id, origin="hash")
    hashed = layer.diff_id if position == 0 else chain_text(image.layers[position - 1].chain_id, layer.diff_id)
    yield Step(key="chain", path="", content=hashed, found=layer.chain_id, origin="hash")
    entry = f"{store.layerdb.path}/{layer.chain_id.algorithm}/{layer.chain_id.hex}"
    yield _listing(store, "layerdb", entry, layer.chain_id, "hash")
    cache_id = store.folder(layer.chain_id).cache_id
    yield Step(key="cache-id", path=f"{entry}/cache-id", content=cache_id, found=cache_id, origin="random")
    steps = {step.key: step for step in _directory_steps(store, cache_id)}
    yield from steps.values()
    if "link" in steps:
        chain = ":".join(filter(None, (f"l/{steps['link'].content}", steps["lower"].content)))
        yield Step(key="lowerdir", path="", content=chain, found=f"lowerdir={chain}", origin="list")


def _listing(store: ClassicStore, key: str, path: str, found: str, origin: str) -> Step:
    return Step(key=key, path=f"{path}/", content="  ".join(ls(store, path)), found=found, origin=origin)


def _name_step(store: ClassicStore, image: Image, query: str) -> Step:
    """How a query becomes an image ID: by the table of names, else as the prefix of an ID."""
    names = {*image.names, *image.references}
    for name in (query, familiar(query)):
        if name in names:
            line = f"{json.dumps(name)}: {json.dumps(image.id)}"
            return Step(key="name", path=f"{store.db}/repositories.json", content=line, found=image.id, origin="hash")
    directory = f"{store.db}/imagedb/content/{image.id.algorithm}"
    prefix = query.rpartition(":")[2]
    content = "\n".join(name for name in ls(store, directory) if name.startswith(prefix))
    return Step(key="prefix", path=f"{directory}/", content=content, found=image.id, origin="hash")


def _directory_steps(store: ClassicStore, name: str) -> Iterator[Step]:
    """What lies in a layer's directory; with overlay2 its short name and the chain beneath it, too."""
    directory = f"{store.driver.path}/{name}"
    yield _listing(store, "directory", directory, store.driver.content(name), "random")
    if not isinstance(store, DockerRoot):
        return
    link = store.driver.link(name)
    if link is not None:
        found = f"l/{link} -> ../{store.link_target(link) or '?'}/diff"
        yield Step(key="link", path=f"{directory}/link", content=link, found=found, origin="random")
    lower = store.driver.lower(name)
    targets = "\n".join(store.link_target(short.removeprefix("l/")) or "?" for short in lower)
    yield Step(key="lower", path=f"{directory}/lower", content=":".join(lower), found=targets, origin="list")


# A container


def _container_steps(store: ClassicStore, container: Container) -> Iterator[Step]:
    config = f"containers/{container.id}/config.v2.json"
    said = f'"Name": "/{container.name}"  "Image": "{container.image_id}"'
    yield Step(key="container", path=config, content=said, found=container.id, origin="random")
    mounts = f"{store.layerdb.path}/mounts/{container.id}"
    yield _listing(store, "mounts", mounts, container.id, "random")
    for key, origin in (("parent", "hash"), ("init-id", "random"), ("mount-id", "random")):
        text = store.driver.text(f"{mounts}/{key}")
        if text is not None:
            yield Step(key=key, path=f"{mounts}/{key}", content=text, found=text, origin=origin)
    yield from _directory_steps(store, container.upper)
    if isinstance(store, DockerRoot):
        yield Step(key="mount", path="", content=container.mount, found=container.mount, origin="list")


# Looking around, as with a shell


def ls(store: Store, path: str = ".") -> tuple[str, ...]:
    """The names in a directory of a data root, sorted, as ``ls`` shows them.

    Raises:
        Finding: ``not-found``.
    """
    place = _place(store)
    path = path.strip("/") or "."
    real = place.resolve(path)
    if real is None or place.type_of(real) != "dir":
        raise Finding("not-found", path, "a folder", _neighbours(place, path))
    return place.names(real)


def cat(store: Store, path: str) -> str:
    """The text of a small file of a data root, as ``cat`` shows it.

    Raises:
        Finding: ``not-found``, ``limit`` for a file that is no small document.
    """
    place = _place(store)
    path = path.strip("/")
    real = place.resolve(path)
    if real is None or place.type_of(real) != "file":
        raise Finding("not-found", path, "a file", _neighbours(place, path))
    return "\n".join(map(printable, place.read(real).decode("utf-8", "surrogateescape").split("\n")))


def layer_size(directory: Directory) -> int:
    """What Docker writes into the file ``size``: the bytes of all files of a layer, each inode once.

    A hard link is a further name of an inode and adds nothing. A symlink counts the length of its text; a directory
    counts nothing.
    """
    sizes = {id(inode): inode.size for _, inode in walk(directory) if isinstance(inode, File)}
    links = {id(inode): inode.target for _, inode in walk(directory) if isinstance(inode, Symlink)}
    return sum(sizes.values()) + sum(len(target.encode("utf-8", "surrogateescape")) for target in links.values())


def _place(store: Store) -> Place:
    if not isinstance(store, ClassicStore):
        raise Finding("wrong-call", "ls and cat", "a Docker data root", store.kind)
    return store.place


def _neighbours(place: Place, path: str) -> str:
    """What is there instead: the names in the directory that should have held `path`."""
    parent = path.rpartition("/")[0] or "."
    names = place.names(parent)
    return f"only {', '.join(map(printable, names[:8]))}" if names else f"no folder {parent} either"
