"""The real archives and data roots, each with what is known about it."""

import json
from pathlib import Path

from builders import DATA

STORES = DATA / "real-stores"
NAMES = sorted(folder.name for folder in STORES.iterdir())
ROOTS = [name for name in NAMES if name.endswith("-dataroot")]
ARCHIVES = [name for name in NAMES if name not in ROOTS]
SHIPPED = Path(__file__).parent.parent / "overlaylab" / "data" / "docker20-dataroot.tar.gz"


def expected(name):
    """All recorded facts of a store."""
    return json.loads((STORES / name / "expected.json").read_text(encoding="utf-8"))


def archive(name):
    """The store itself; the one that the package ships is not kept twice."""
    path = STORES / name / expected(name)["archive"]
    return path if path.exists() else SHIPPED


def manifests(entries):
    """All image manifests of a recorded index, nested ones too, without attestations."""
    for item in entries:
        if item["kind"] == "index":
            yield from manifests(item["manifests"])
        elif item["kind"] == "manifest":
            yield item


def rootfs_by_chain():
    """Chain_ids -> the merged view that the kernel showed."""
    known = {}
    for name in ROOTS:
        for image in expected(name)["images"]:
            if "rootfs" in image:
                known[tuple(image["chain_ids"])] = image["rootfs"]
    return known
