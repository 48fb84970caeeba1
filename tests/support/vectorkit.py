"""Recorded kernel behaviour as trees: the vectors of overlay-vectors, read for the model."""

import json

import overlaylab as ol
from overlaylab.linux.proof import vectors as read
from overlaylab.linux.proof.records import data_bytes
from tests.support.builders import DATA, member, tar

VECTORS = DATA / "overlay-vectors"
READS = {"lstat", "stat", "listdir", "read_file", "readlink", "access", "getxattr", "listxattr"}


def vectors(*groups):
    """All vectors of some groups, in their order."""
    for group in groups:
        yield from json.loads((VECTORS / f"{group}.json").read_text(encoding="utf-8"))["vectors"]


def tree(items):
    """A layer of a vector as a tree."""
    return read.tree(items, "vector")


def archive(items):
    """A changeset of a vector as a layer tar."""
    members = []
    for item in items:
        mode = int(item["mode"], 8) if "mode" in item else None
        xattrs = {key: data_bytes(value) for key, value in item.get("xattrs", {}).items()}
        pax = {"SCHILY.xattr." + key: value.decode("utf-8", "surrogateescape") for key, value in xattrs.items()}
        members.append(
            member(
                item["path"],
                read.content(item, "vector"),
                item["type"],
                item.get("target", ""),
                mode,
                item.get("uid", 0),
                item.get("gid", 0),
                tuple(item.get("rdev", (0, 0))),
                pax=pax,
            )
        )
    return tar(*members)


def facts(root, marks="trusted.overlay."):
    """A tree as comparable data, without times and link counts."""
    out = {}
    for path, node in ol.tree.walk(root):
        out[path] = {
            key: value for key, value in ol.tree.entry(node, marks).items() if key not in ("mtime_ns", "nlink")
        }
    return out


def recorded(items, marks="trusted.overlay."):
    """A recorded listing as comparable data; the recorder left all overlay marks and unfindable names out."""
    root = {".": read.inode({"path": ".", "type": "dir"}, "vector")}
    for item in items:
        if item["type"] != "ghost":
            root[item["path"]] = root[item["target"]] if item["type"] == "hardlink" else read.inode(item, "vector")
    skip = ("mtime_ns", "nlink")
    return {path: {k: v for k, v in ol.tree.entry(node, marks).items() if k not in skip} for path, node in root.items()}


def only_reads(vector):
    """Whether a vector mounts and looks, and changes nothing."""
    return all(op["op"] in READS for op in vector.get("ops", ())) and not vector["expected"].get("mount")
