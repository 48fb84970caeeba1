"""Views of real mounts, recorded for machines that cannot mount an overlay.

``python -m overlaylab.kernel.recorded_mounts > overlaylab/data/kernel-transcript.json`` renews the record.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from overlaylab.image.samples import page_overlay
from overlaylab.linux.proof.records import new_inode, plant
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import overlay_of
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import shipped_root
from overlaylab.tree import File, Inode, entry, walk

from .mount import KernelView, Stack, mounted_views

FORMAT = 1

# The mount point in the recorded mount line: the temporary directory has a new name each time.
TARGET = "/mnt/tmp"

# Up to so many bytes of content are recorded as they are, more as a digest.
SHORT = 200


def recordable() -> dict[str, Stack]:
    """The stacks to record: the page's, and the same with the lower directories in reverse order."""
    directories = page_overlay()
    return {
        name: Stack(
            lowerdirs=tuple(directories[lower] for lower in lowers),
            upperdir=directories["Meat"],
            options=MountOptions(lowerdirs=lowers, upperdir="Meat", workdir="work"),
        )
        for name, lowers in {"page": ("Fruits", "Vegetables"), "page-turned": ("Vegetables", "Fruits")}.items()
    }


def recordable_images() -> dict[str, Stack]:
    """The stacks of the shipped data root to record: an image's, and that of its container."""
    store = shipped_root()
    reader = LayerReader(store, keep=1 << 20)
    overlays = {name: overlay_of(select(store, name), store, reader)[0] for name in ("kit/app:1", "web")}
    return {name: Stack(lowerdirs=overlay.lowerdirs, upperdir=overlay.upperdir) for name, overlay in overlays.items()}


def recorded(name: str) -> KernelView:
    """Read the record of a mount; it does not contain the layers.

    Args:
        name: ``page`` or ``page-turned``, as in `recordable`; ``kit/app:1`` or ``web``, as in `recordable_images`.

    Raises:
        KeyError: There is no such record.
    """
    text = files("overlaylab").joinpath("data", "kernel-transcript.json").read_text(encoding="utf-8")
    return _from_plain(json.loads(text)["views"][name])


def to_plain(view: KernelView) -> dict[str, Any]:
    """Convert a view to data for JSON."""
    merged = []
    for path, inode in walk(view.merged):
        line = {"path": path, **entry(inode)}
        if isinstance(inode, File) and inode.size <= SHORT:
            line["content"] = (inode.data or b"").decode("utf-8", "surrogateescape")
        merged.append(line)
    options = {key: value for key, value in asdict(view.options).items() if value not in (None, False)}
    return {
        "kernel": view.kernel.partition("-")[0],  # The local suffix says nothing about overlayfs.
        "mode": view.mode,
        "options": options,
        "mount_line": view.line_at(TARGET),
        "listing": {path: list(names) for path, names in view.listing.items()},
        "merged": merged,
    }


def _from_plain(data: Mapping[str, Any]) -> KernelView:
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data["options"].items()
    }
    return KernelView(
        merged=plant((line["path"], _inode(line)) for line in data["merged"]),
        listing={path: tuple(names) for path, names in data["listing"].items()},
        options=MountOptions(**options),
        mount_line=data["mount_line"],
        kernel=data["kernel"],
        mode=data["mode"],
    )


def _inode(line: Mapping[str, Any]) -> Inode:
    attributes = {
        "mode": int(line["mode"], 8),
        "uid": line["uid"],
        "gid": line["gid"],
        "mtime_ns": line["mtime_ns"],
        "nlink": line.get("nlink", 1),
        "xattrs": {name: bytes.fromhex(value) for name, value in line.get("xattrs_hex", {}).items()},
    }
    if "sha256" in line and "content" not in line:
        return File(**attributes, size=line["size"], sha256=line["sha256"])
    content = line.get("content", "").encode("utf-8", "surrogateescape")
    major, minor = line.get("rdev", (0, 0))
    return new_inode(line["type"], attributes, content, line.get("target", ""), (major, minor))


def transcript() -> str:
    """Make the record on this machine's kernel, as text; needs root."""
    stacks = recordable() | recordable_images()
    views = mounted_views(list(stacks.values()), mode="root")
    plain = {name: to_plain(view) for name, view in zip(stacks, views, strict=True)}
    return json.dumps({"format": FORMAT, "views": plain}, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(transcript())
