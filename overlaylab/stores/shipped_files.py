"""The files that come with the kit, and this machine's data roots."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from overlaylab.errors import Finding, InputError
from overlaylab.stores.docker.classic_store import DEFAULT_ROOT
from overlaylab.stores.docker.root import DockerRoot

from .detect import open_store
from .store import Store

# Made once from samples.tiny_layer() with GNU gzip 1.12 (-1, then -9, then each half by itself) and zstd 1.5.4. What a
# compressor writes depends on its version, so these bytes are stored.
PACKINGS = ("gzip-1.tar.gz", "gzip-9.tar.gz", "gzip-two-members.tar.gz", "zstd.tar.zst")


def packings() -> dict[str, bytes]:
    """The layer of `samples.tiny_layer`, compressed: file name -> blob."""
    return {name: (files("overlaylab") / "data" / "packings" / name).read_bytes() for name in PACKINGS}


ROOT = "docker20-dataroot.tar.gz"

# A root of the containerd image store, the default of Docker 29: the directories that make it one, without images.
NEW_ROOT = "docker29-dataroot.tar.gz"

# The line of /proc/mounts for the container of `ROOT` while it ran.
MOUNT = "docker20-proc-mounts.txt"

# Stores that hold the same image, in the order in which they are shown. Docker 28.5.2 made the second, with the
# containerd image store that Docker 29 uses by default; skopeo made the layout.
FOUR = {
    "docker": ROOT,
    "docker29": "docker28-containerd-store.tar.gz",
    "podman": "podman4-storage.tar.gz",
    "oci": "oci-gzip.tar",
}

# Where engines keep their images by default; the last is podman's without root.
DEFAULT_ROOTS = (
    DEFAULT_ROOT,
    "/var/lib/containerd",
    "/var/lib/containers/storage",
    "~/.local/share/containers/storage",
)


def shipped(name: str) -> str:
    """The path of a file that comes with the kit, for example ``docker20-dataroot.tar.gz``."""
    return str(files("overlaylab") / "data" / name)


def shipped_root(name: str = ROOT) -> DockerRoot:
    """Open the real data root that comes with the kit, without unpacking it.

    Docker 20.10.24 made it: an image of twelve layers, its intermediate images, and a container that was running.

    Raises:
        NotReadable: For a root that has no layerdb.
        Finding: ``wrong-call`` for a file that is no data root.
    """
    store = open_store(shipped(name))
    if not isinstance(store, DockerRoot):
        raise Finding("wrong-call", name, "a Docker data root", store.kind)
    return store


def four_stores() -> dict[str, Store]:
    """Open four real stores that hold the same image, ``kit/app:1``: what to call each -> the store."""
    return {label: open_store(shipped(name)) for label, name in FOUR.items()}


def recorded_mount() -> str:
    """The line of /proc/mounts for the shipped root's container, recorded while it ran."""
    with open(shipped(MOUNT), encoding="utf-8") as file:
        return file.read().strip()


@cache
def recorded_experiments() -> dict[str, Any]:
    """Experiments recorded on a real kernel, Linux 6.18: id -> experiment with the results."""
    with open(shipped("vectors.json"), encoding="utf-8") as file:
        return {vector["id"]: vector for vector in json.load(file)["vectors"]}


@dataclass(frozen=True, slots=True)
class Visit:
    """The attempt to open a data root: the store, or the reason why there is none.

    Args:
        path: The path that was opened.
        store: The store; None if it cannot be read.
        why: The reason, a sentence; empty if there is a store.
    """

    path: str
    store: Store | None
    why: str = ""


def visit(path: str = DEFAULT_ROOT) -> Visit:
    """Open a data root, or say why that is not possible; never raises for what is found there."""
    try:
        return Visit(path, open_store(os.path.expanduser(path)))
    except (InputError, OSError) as error:
        return Visit(path, None, str(error))
