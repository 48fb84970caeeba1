"""The facts of a store as plain data, for JSON and for tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overlaylab.image.image import Container, Image
from overlaylab.stores.store import Store, unowned_directories

from .validation import problem_facts

if TYPE_CHECKING:
    from overlaylab.overlay.mount_options import Mount


def inspect_facts(store: Store, path: str) -> dict[str, Any]:
    """Everything that ``inspect`` prints, with fixed keys."""
    images = store.images()
    problems = [*store.problems, *(problem for image in images for problem in image.problems)]
    problems += [problem for container in store.containers() for problem in container.problems]
    return {
        "path": path,
        "kind": store.kind,
        "images": [image_facts(image, store) for image in one_per_config(images)],
        "containers": [container_facts(container) for container in store.containers()],
        "unowned_directories": list(unowned_directories(store)),
        "problems": [problem_facts(problem) for problem in dict.fromkeys(problems)],
    }


def one_per_config(images: Iterable[Image]) -> list[Image]:
    """Merge images of one config: the first manifest stands for all, and has all names."""
    known: dict[tuple[str | None, ...], Image] = {}
    names: dict[tuple[str | None, ...], set[str]] = {}
    for image in images:
        key = (image.store, image.namespace, image.id, image.config_digest or image.manifest_digest)
        known.setdefault(key, image)
        names.setdefault(key, set()).update(image.names)
    return [replace(image, names=tuple(sorted(names[key]))) for key, image in known.items()]


def image_facts(image: Image, store: Store) -> dict[str, Any]:
    """One image; lists are bottom first."""
    return {
        "id": image.id,
        "names": list(image.names),
        "platform": image.platform,
        "config_digest": image.config_digest,
        "manifest_digest": image.manifest_digest,
        "diff_ids": None if image.diff_ids is None else list(image.diff_ids),
        "chain_ids": None if image.chain_ids is None else list(image.chain_ids),
        "directories": directories_of(image, store),
        **_where(image),
    }


def _where(item: Image | Container) -> dict[str, str]:
    """What distinguishes equal ones: an image's namespace in containerd's stores, the store in a root of several."""
    namespace = {"namespace": item.namespace} if item.namespace and isinstance(item, Image) else {}
    return namespace | ({"store": item.store} if item.store else {})


def directories_of(image: Image, store: Store) -> list[str | None] | None:
    """The directories of an image, bottom first; None for archives and for a platform whose blobs are absent."""
    if image.config is None or not store.directory_kind:
        return None
    return [layer.directory for layer in image.layers]


def container_facts(container: Container) -> dict[str, Any]:
    """One container; `lower` is topmost first."""
    return {
        "id": container.id,
        "name": container.name,
        "image_id": container.image_id,
        "lower": list(container.lower),
        "upper": container.upper,
        "mount": container.mount,
        **_where(container),
    }


def mount_facts(mount: Mount) -> dict[str, Any]:
    """Everything that ``mount`` prints; `lowerdir` is topmost first."""
    return {
        "lowerdir": list(mount.lowerdir),
        "upperdir": mount.upperdir,
        "workdir": mount.workdir,
        "options": mount.options,
        "command": mount.command,
    }
