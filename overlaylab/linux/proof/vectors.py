"""Recorded kernel experiments, read: layers, operations, and listings with all defaults filled in.

The form is that of the files in ``tests/data/overlay-vectors``; its README describes it. A few of them come with the
package: see `overlaylab.stores.shipped_files.recorded_experiments`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from overlaylab.errors import Finding
from overlaylab.linux.operations import Op
from overlaylab.linux.system import System
from overlaylab.tree import Directory, Inode, parent_of, whiteout

from .compare import Listing, layer_listing, mount_listing
from .recorded_operations import RECORDED, parse_op
from .records import data_bytes, device_numbers, field, new_inode, octal, plant

DEFAULT_TIME = 1_000_000_000

# Operations that have a short form, a list of the first arguments.
SHORT = ("unlink", "rmdir", "mkdir", "create", "append", "write_file", "rename", "link", "symlink", "chmod")


def content(item: Mapping[str, Any], where: str) -> bytes:
    """The recorded content of a file: text, or a number of zeros."""
    if isinstance(item.get("content"), dict):
        return bytes(field(item["content"], "zeros", int, f"{where}.content"))
    return field(item, "content", str, where, "").encode("utf-8", "surrogateescape")


def inode(item: Any, where: str) -> Inode:
    """A recorded entry as an inode; a wrong one is a Finding ``wrong-call`` with its position, `where`."""
    kind = field(item, "type", str, where)
    if kind == "whiteout":
        return whiteout()
    attributes = {
        "mode": 0o777 if kind == "symlink" else octal(item, "mode", where, "0755" if kind == "dir" else "0644"),
        "uid": field(item, "uid", int, where, 0),
        "gid": field(item, "gid", int, where, 0),
        "mtime_ns": field(item, "mtime", int, where, DEFAULT_TIME) * 10**9,
        "xattrs": {key: data_bytes(value) for key, value in field(item, "xattrs", dict, where, {}).items()},
    }
    data = content(item, where) if kind == "file" else b""
    target = field(item, "target", str, where) if kind == "symlink" else ""
    rdev = device_numbers(item, where) if kind in ("char", "block") else (0, 0)
    try:
        return new_inode(kind, attributes, data, target, rdev)
    except ValueError:
        raise Finding("wrong-call", f"{where}.type", "a known type", repr(kind)) from None


def tree(items: Sequence[Any], where: str) -> Directory:
    """A list of entries as a tree, every link counted.

    Args:
        items: Entries, each directory before its content.

    Raises:
        Finding: ``wrong-call`` with the position, below `where`.
    """
    return plant(_inodes(items, where))


def _inodes(items: Sequence[Any], where: str) -> Iterator[tuple[str, Inode]]:
    made: dict[str, Inode] = {".": Directory()}
    for position, item in enumerate(items):
        here = f"{where}[{position}]"
        path = field(item, "path", str, here)
        if not isinstance(made.get(parent_of(path)[0]), Directory):
            raise Finding("wrong-call", f"{here}.path", "a directory above", repr(path))
        if item.get("type") == "hardlink":
            node = made.get(field(item, "target", str, here))
            if node is None or isinstance(node, Directory):
                raise Finding("wrong-call", f"{here}.target", "a file before", repr(item["target"]))
            node.nlink += 1
        else:
            node = inode(item, here)
        made[path] = node
        yield path, node


def operations(records: Sequence[Any], where: str) -> list[Op]:
    """Recorded operations; a list is a short form, which names the arguments by position."""
    made = []
    for position, record in enumerate(records):
        here = f"{where}[{position}]"
        if isinstance(record, list):
            if not record or record[0] not in SHORT:
                raise Finding("wrong-call", here, "an operation", repr(record))
            names = [argument.partition("=")[0] for argument in RECORDED[record[0]]]
            record = {"op": record[0], **dict(zip(names, record[1:], strict=False))}
        made.append(parse_op(record, here))
    return made


# --- listings


def raw(root: Directory) -> tuple[Listing, list[list[str]]]:
    """A layer as a listing, and the groups of paths that share an inode."""
    return _grouped(layer_listing(root, handles=True))


def shown(system: System) -> tuple[Listing, list[list[str]]]:
    """The mounted tree as a listing, and the groups of paths that share an inode number."""
    return _grouped(mount_listing(system))


def _grouped(listing: Listing) -> tuple[Listing, list[list[str]]]:
    groups: dict[str, list[str]] = {}
    for item in listing:
        if "number" in item:
            groups.setdefault(item.pop("number"), []).append(item["path"])
    return listing, sorted(group for group in groups.values() if len(group) > 1)


def recorded(items: Sequence[Any], where: str) -> Listing:
    """A recorded listing with every key, defaults filled in."""
    out = []
    directories = [item["path"] for item in items if item.get("type") == "dir"]
    for position, item in enumerate(items):
        here = f"{where}[{position}]"
        path, kind = field(item, "path", str, here), field(item, "type", str, here)
        if kind in ("whiteout", "ghost"):
            out.append({key: item[key] for key in ("path", "type", "errno") if key in item})
            continue
        below = sum(1 for other in directories if other != "." and parent_of(other)[0] == path)
        full: dict[str, Any] = {"uid": 0, "gid": 0, "mtime": DEFAULT_TIME}
        full["mode"] = {"dir": "0755", "symlink": "0777"}.get(kind, "0644")
        full["nlink"] = 2 + below if kind == "dir" else 1
        full |= {key: item[key] for key in item if key != "content"}
        full["xattrs"] = {key: data_bytes(value) for key, value in item.get("xattrs", {}).items()}
        if kind == "file" and "content_errno" not in item:
            full["content"] = content(item, here)
        out.append(full)
    return out
