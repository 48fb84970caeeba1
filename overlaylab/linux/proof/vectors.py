"""Recorded kernel experiments, read: layers, operations, and what was listed, as plain entries.

The form is that of the files in ``tests/data/overlay-vectors``; its README describes it. A few of them come with the
kit: see `lessons`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overlaylab.errors import Finding, error_name
from overlaylab.linux.operations import Op, parse_op
from overlaylab.linux.system import System
from overlaylab.overlay.filesystem import TYPES, Stat
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink, find, parent_of, walk, whiteout

__all__ = [
    "DEFAULT_TIME",
    "NOTHING",
    "Entries",
    "content",
    "field",
    "inode",
    "operations",
    "raw",
    "raw_entry",
    "recorded",
    "seconds",
    "shown",
    "tree",
]

Entries = list[dict[str, Any]]

DEFAULT_TIME = 1_000_000_000

# The model's clock begins here; no recorded time is as late.
NOW = 1_999_999_999 * 10**9

NOTHING = object()


def field(record: Any, name: str, kind: Any, where: str, default: Any = NOTHING) -> Any:
    """A field of a type, or a typed error with its position."""
    if not isinstance(record, dict):
        raise Finding("wrong-call", where, "an object", repr(record)[:80])
    value = record.get(name, default)
    if value is default and default is not NOTHING:
        return default
    if value is NOTHING or not isinstance(value, kind):
        raise Finding(
            "wrong-call",
            f"{where}.{name}",
            getattr(kind, "__name__", kind),
            "nothing" if value is NOTHING else repr(value)[:80],
        )
    return value


def content(item: Mapping[str, Any], where: str) -> bytes:
    """Content of a file: text, or so many zeros."""
    data = item.get("content", "")
    if isinstance(data, dict):
        return bytes(field(data, "zeros", int, f"{where}.content"))
    return field(item, "content", str, where, "").encode("utf-8", "surrogateescape")


def xattr_value(text: str) -> bytes:
    """An attribute's value: text, or hex digits behind 0x."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("utf-8", "surrogateescape")


def numbers(item: Mapping[str, Any], where: str) -> tuple[int, int]:
    """A device number."""
    value = field(item, "rdev", list, where)
    if len(value) != 2 or not all(isinstance(number, int) for number in value):
        raise Finding("wrong-call", f"{where}.rdev", "two numbers", repr(value))
    return tuple(value)


def bits(item: Mapping[str, Any], where: str, default: str) -> int:
    """Permission bits."""
    text = field(item, "mode", str, where, default)
    try:
        return int(text, 8)
    except ValueError:
        raise Finding("wrong-call", f"{where}.mode", "an octal number", repr(text)) from None


def inode(item: Any, where: str) -> Inode:
    """One entry as an inode."""
    kind = field(item, "type", str, where)
    attributes = {
        "mode": bits(item, where, "0755" if kind == "dir" else "0644"),
        "uid": field(item, "uid", int, where, 0),
        "gid": field(item, "gid", int, where, 0),
        "mtime_ns": field(item, "mtime", int, where, DEFAULT_TIME) * 10**9,
        "xattrs": {key: xattr_value(value) for key, value in field(item, "xattrs", dict, where, {}).items()},
    }
    match kind:
        case "file":
            return File.of(content(item, where), **attributes)
        case "dir":
            return Directory(**attributes)
        case "symlink":
            return Symlink(target=field(item, "target", str, where), **attributes | {"mode": 0o777})
        case "char" | "block":
            return Device(kind=kind, rdev=numbers(item, where), **attributes)
        case "whiteout":
            return whiteout()
        case "fifo":
            return Fifo(**attributes)
        case "socket":
            return Socket(**attributes)
    raise Finding("wrong-call", f"{where}.type", "a known type", repr(kind))


def tree(items: Sequence[Any], where: str) -> Directory:
    """A list of entries as a tree, every link counted."""
    root = Directory()
    for position, item in enumerate(items):
        here = f"{where}[{position}]"
        path = field(item, "path", str, here)
        if path == ".":
            made = inode(item, here)
            made.names = root.names
            root = made
            continue
        parent, name = parent_of(path)
        directory = find(root, parent)
        if not isinstance(directory, Directory):
            raise Finding("wrong-call", f"{here}.path", "a directory above", repr(path))
        if item.get("type") != "hardlink":
            directory.names[name] = inode(item, here)
            continue
        target = find(root, field(item, "target", str, here))
        if target is None or isinstance(target, Directory):
            raise Finding("wrong-call", f"{here}.target", "a file before", repr(item["target"]))
        target.nlink += 1
        directory.names[name] = target
    return root


def operations(records: Sequence[Any], where: str) -> list[Op]:
    """Operations; the short form of a list names the arguments by position."""
    short = {
        "unlink": ("path",),
        "rmdir": ("path",),
        "mkdir": ("path", "mode"),
        "create": ("path", "data", "mode"),
        "append": ("path", "data"),
        "write_file": ("path", "data"),
        "rename": ("src", "dst"),
        "link": ("src", "dst"),
        "symlink": ("target", "path"),
        "chmod": ("path", "mode"),
    }
    made = []
    for position, record in enumerate(records):
        here = f"{where}[{position}]"
        if isinstance(record, list):
            if not record or record[0] not in short:
                raise Finding("wrong-call", here, "an operation", repr(record))
            record = {"op": record[0], **dict(zip(short[record[0]], record[1:]))}
        made.append(parse_op(record, here))
    return made


# --- what is shown, as it is recorded


def seconds(mtime_ns: int) -> Any:
    """A time; "now" for one that an operation has set."""
    return "now" if mtime_ns >= NOW else mtime_ns // 10**9


def raw_entry(path: str, node: Inode) -> dict[str, Any]:
    """An inode of a layer as an entry, with every key."""
    item = {"path": path, "type": node.type}
    if isinstance(node, Device) and node.kind == "char" and node.rdev == (0, 0):
        return {"path": path, "type": "whiteout"}
    item |= {"mode": f"{node.mode & 0o7777:04o}", "uid": node.uid, "gid": node.gid, "mtime": seconds(node.mtime_ns)}
    item["xattrs"] = {key: value for key, value in node.xattrs.items() if not key.endswith(".overlay.uuid")}
    if isinstance(node, File):
        item["content"] = node.data if node.data is not None else bytes(node.size)
    if isinstance(node, Symlink):
        item["target"] = node.target
    if isinstance(node, Device):
        item["rdev"] = list(node.rdev)
    children = node.names.values() if isinstance(node, Directory) else ()
    item["nlink"] = (
        2 + sum(isinstance(child, Directory) for child in children) if isinstance(node, Directory) else node.nlink
    )
    return item


def raw(root: Directory) -> tuple[Entries, list[list[str]]]:
    """A tree as entries, and the groups of names that share an inode."""
    groups = {}
    items = []
    for path, node in walk(root):
        items.append(raw_entry(path, node))
        if items[-1]["type"] != "whiteout":
            groups.setdefault(id(node), []).append(path)
    return items, sorted(group for group in groups.values() if len(group) > 1)


def shown(system: System) -> tuple[Entries, list[list[str]]]:
    """The mounted tree as entries, listed name by name, and the groups of names that share an inode number."""
    items, groups = [], {}

    def visit(path: str) -> None:
        try:
            stat = system.lstat(path)
        except OSError as error:
            items.append({"path": path, "type": "ghost", "errno": error_name(error.errno)})
            return
        item = shown_entry(system, path, stat)
        items.append(item)
        groups.setdefault(stat.st_ino, []).append(path)
        if item["type"] == "dir":
            for name in system.listdir(path):
                visit(name if path == "." else f"{path}/{name}")

    visit(".")
    return items, sorted(group for group in groups.values() if len(group) > 1)


def shown_entry(system: System, path: str, stat: Stat) -> dict[str, Any]:
    """One name of the mounted tree."""
    kind = next(name for name, number in TYPES.items() if number == stat.st_mode & 0o170000)
    item = {"path": path, "type": kind, "mode": f"{stat.st_mode & 0o7777:04o}", "uid": stat.st_uid, "gid": stat.st_gid}
    item |= {"mtime": seconds(stat.st_mtime_ns), "nlink": stat.st_nlink, "xattrs": {}}
    for name in system.listxattr(path):
        item["xattrs"][name] = system.getxattr(path, name)
    if kind == "file":
        try:
            item["content"] = system.read_file(path)
        except OSError as error:
            item["content_errno"] = error_name(error.errno)
    if kind == "symlink":
        item["target"] = system.readlink(path)
    if kind in ("char", "block"):
        item["rdev"] = [stat.st_rdev >> 8 & 0xFFF, stat.st_rdev & 0xFF]
    return item


def recorded(items: Sequence[Any], where: str) -> Entries:
    """Recorded entries with every key, defaults filled in."""
    out = []
    directories = [item["path"] for item in items if item.get("type") == "dir"]
    for position, item in enumerate(items):
        path, kind = field(item, "path", str, f"{where}[{position}]"), field(item, "type", str, f"{where}[{position}]")
        if kind in ("whiteout", "ghost"):
            out.append({key: item[key] for key in ("path", "type", "errno") if key in item})
            continue
        below = sum(1 for other in directories if other != "." and parent_of(other)[0] == path)
        full = {"path": path, "type": kind, "uid": 0, "gid": 0, "mtime": DEFAULT_TIME, "xattrs": {}}
        full |= {
            "mode": {"dir": "0755", "symlink": "0777"}.get(kind, "0644"),
            "nlink": 2 + below if kind == "dir" else 1,
        }
        full |= {key: item[key] for key in item if key not in ("content", "xattrs")}
        full["xattrs"] = {
            key: value if value == "*" else xattr_value(value) for key, value in item.get("xattrs", {}).items()
        }
        if kind == "file" and "content_errno" not in item:
            full["content"] = content(item, f"{where}[{position}]")
        out.append(full)
    return out
