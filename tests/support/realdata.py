"""The real archives and data roots, each with what is known about it."""

import json
from pathlib import Path

from tests.support.builders import DATA

STORES = DATA / "real-stores"
NAMES = sorted(folder.name for folder in STORES.iterdir())
ROOTS = [name for name in NAMES if name.endswith("-dataroot")]
CONTAINERD = ["containerd16-root", "docker28-containerd-store"]
STORAGES = [name for name in NAMES if name.startswith("podman") and "save" not in name]
ARCHIVES = [name for name in NAMES if name not in (*ROOTS, *CONTAINERD, *STORAGES)]
UNPACKED = [*ROOTS, *CONTAINERD, *STORAGES]
KIT = Path(__file__).parent.parent.parent / "overlaylab" / "data"
SHIPPED = KIT / "docker20-dataroot.tar.gz"


def expected(name):
    """All recorded facts of a store."""
    return json.loads((STORES / name / "expected.json").read_text(encoding="utf-8"))


def archive(name):
    """The store itself; those that the package ships are not kept twice."""
    file = expected(name)["archive"]
    path = STORES / name / file
    return path if path.exists() else KIT / file


def inputs():
    """Every archive and root that is kept, the broken ones first."""
    folder = DATA / "broken-images"
    cases = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["cases"]
    return [*(folder / case["file"] for case in cases), *map(archive, NAMES)]


def manifests(entries):
    """All image manifests of a recorded index, nested ones too, without attestations."""
    for item in entries:
        if item["kind"] == "index":
            yield from manifests(item["manifests"])
        elif item["kind"] == "manifest":
            yield item


def leaves(tree):
    """The manifests of a recorded containerd image that are no attestations, with those whose blobs are absent."""
    if "manifests" in tree:
        for item in tree["manifests"]:
            yield from leaves(item)
    elif (tree.get("platform") or {}).get("os") != "unknown":
        yield tree


def containerd_images(name):
    """``(namespace, target digest, config or manifest digest)`` -> names and the recorded manifest."""
    known: dict[tuple[str, str, str], tuple[list[str], dict]] = {}
    for namespace, recorded in expected(name)["namespaces"].items():
        for image in recorded["images"]:
            for leaf in leaves(image["tree"]):
                key = (namespace, image["target"]["digest"], leaf.get("config") or leaf["digest"])
                names, first = known.get(key, ([], leaf))
                known[key] = ([*names, image["name"]], leaf if "rootfs" in leaf else first)
    return known


def option_text(line):
    """What of a line of /proc/mounts an engine asked for."""
    wanted = ("lowerdir", "upperdir", "workdir", "userxattr")
    return ",".join(option for option in line.split()[3].split(",") if option.split("=")[0] in wanted)


def rootfs_by_chain():
    """Chain_ids -> the merged view that the kernel showed."""
    known = {}
    for name in ROOTS:
        for image in expected(name)["images"]:
            if "rootfs" in image:
                known[tuple(image["chain_ids"])] = image["rootfs"]
    return known
