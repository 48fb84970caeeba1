"""Recorded kernel behaviour as trees: the vectors of overlay-vectors, read for the model."""

import json

from builders import DATA, member, tar

import overlaylab as ol
from overlaylab.tree import Fifo, Socket, parent_of, whiteout

VECTORS = DATA / "overlay-vectors"
READS = {"lstat", "stat", "listdir", "read_file", "readlink", "access", "getxattr", "listxattr"}


def vectors(*groups):
    """All vectors of some groups, in their order."""
    for group in groups:
        yield from json.loads((VECTORS / f"{group}.json").read_text(encoding="utf-8"))["vectors"]


def content(item):
    data = item.get("content", "")
    return bytes(data["zeros"]) if isinstance(data, dict) else data.encode()


def xattrs(item):
    values = item.get("xattrs", {})
    return {key: bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode() for key, value in values.items()}


def inode(item):
    """One entry of a vector as an inode."""
    kind = item["type"]
    attributes = {
        "mode": int(item.get("mode", "0755" if kind == "dir" else "0644"), 8),
        "uid": item.get("uid", 0),
        "gid": item.get("gid", 0),
        "xattrs": xattrs(item),
    }
    match kind:
        case "file":
            return ol.File.of(content(item), **attributes)
        case "dir":
            return ol.Directory(**attributes)
        case "symlink":
            return ol.Symlink(target=item["target"], **attributes | {"mode": 0o777})
        case "char" | "block":
            return ol.Device(kind=kind, rdev=tuple(item["rdev"]), **attributes)
        case "whiteout":
            return whiteout()
        case "fifo":
            return Fifo(**attributes)
        case "socket":
            return Socket(**attributes)
    raise ValueError(kind)


def tree(items):
    """A layer of a vector as a tree."""
    root = ol.Directory()
    for item in items:
        if item["path"] == ".":
            made = inode(item)
            made.names = root.names
            root = made
            continue
        parent, name = parent_of(item["path"])
        ol.find(root, parent).names[name] = ol.find(root, item["target"]) if item["type"] == "hardlink" else inode(item)
    return root


def archive(items):
    """A changeset of a vector as a layer tar."""
    members = []
    for item in items:
        mode = int(item["mode"], 8) if "mode" in item else None
        pax = {"SCHILY.xattr." + key: value.decode("utf-8", "surrogateescape") for key, value in xattrs(item).items()}
        members.append(member(
            item["path"], content(item), item["type"], item.get("target", ""), mode,
            item.get("uid", 0), item.get("gid", 0), tuple(item.get("rdev", (0, 0))), pax=pax,
        ))  # fmt: skip
    return tar(*members)


def facts(root, marks="trusted.overlay."):
    """A tree as comparable data, without times and link counts."""
    out = {}
    for path, node in ol.walk(root):
        out[path] = {key: value for key, value in ol.entry(node, marks).items() if key not in ("mtime_ns", "nlink")}
    return out


def recorded(items, marks="trusted.overlay."):
    """A recorded listing as comparable data; the recorder left all overlay marks and unfindable names out."""
    root = {".": inode({"path": ".", "type": "dir"})}
    for item in items:
        if item["type"] != "ghost":
            root[item["path"]] = root[item["target"]] if item["type"] == "hardlink" else inode(item)
    skip = ("mtime_ns", "nlink")
    return {path: {k: v for k, v in ol.entry(node, marks).items() if k not in skip} for path, node in root.items()}


def only_reads(vector):
    """Whether a vector mounts and looks, and changes nothing."""
    return all(op["op"] in READS for op in vector.get("ops", ())) and not vector["expected"].get("mount")
