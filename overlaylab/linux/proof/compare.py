"""What two file systems are compared on: one table with reasons, and the first difference in words.

Both sides are listed in the same way. `mount_listing` lists a mounted tree by the calls that any program would make, on
the model and on the real kernel alike; `layer_listing` lists a layer as it lies on disk, with the xattrs of overlayfs
and whiteouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overlaylab.errors import error_name
from overlaylab.overlay.filesystem import TYPES, numbers_of
from overlaylab.tree import Device, Directory, File, Inode, Symlink, walk

# Times before this second are those of the layers, or were set on purpose; later ones were set by a running clock.
NOW = 1_500_000_000

COMPARED = {
    "path": "which names there are",
    "type": "what a name stands for; a name that is listed but not found is a ghost, with its errno",
    "mode": "permission bits, setuid, setgid, sticky",
    "uid": "owner",
    "gid": "group",
    "content": "every byte of a file, and the errno if it cannot be read",
    "target": "the text of a symbolic link",
    "rdev": "device numbers",
    "mtime": "modification time to the nanosecond; a time that the clock has set counts as one value: now",
    "nlink": "link count, where the model and the disk count alike",
    "xattrs": "extended attributes, on layers with all marks",
    "number": "which names share an inode, over the whole run, numbered in order of first sight",
}

NOT_COMPARED = {
    "atime": "the model keeps one time; the kernel's depends on mount options (relatime)",
    "ctime": "cannot be set, so it is always now",
    "st_dev": "a number of the machine",
    "raw inode numbers": "numbers of the machine; identity is compared instead",
    "size of directories": "each disk file system has its own",
    "blocks": "each disk file system has its own",
    "metadata of whiteouts": "several whiteouts may share one inode, and nobody sees them",
    "order of listings": "unspecified; both sides are sorted",
    "value of trusted.overlay.origin": "a file handle of the machine; that it is there is compared",
    "trusted.overlay.uuid": "random",
    "content of the work directory": "nobody sees it",
    "a name that a removed, open special file or directory takes by being copied up": "the kernel's cache of "
    "names keeps what was there, without links, as long as there is memory; both sides are mounted anew, and compared "
    "then",
}

Listing = list[dict[str, Any]]

# What of a stat must be equal; numbers of inodes are the machine's own.
OF_STAT = ("st_mode", "st_uid", "st_gid", "st_nlink", "st_size")

# In place of an xattr's value: any value.
ANY = b"*"


class Identities:
    """Names for inodes, in order of first sight: i1, i2, and so on."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def name(self, number: int) -> str:
        """The name of an inode, by its inode number or another number that is its own."""
        return self._names.setdefault(number, f"i{len(self._names) + 1}")


def _time(mtime_ns: int) -> int | str:
    """A time in seconds, with a fraction if it has one; "now" for one that a clock has set."""
    if mtime_ns >= NOW * 10**9:
        return "now"
    seconds, rest = divmod(mtime_ns, 10**9)
    return f"{seconds}.{rest:09d}" if rest else seconds


# --- a layer as it lies on disk


def layer_listing(root: Directory, handles: bool = False) -> Listing:
    """A layer as it lies on disk, the root first, each directory followed by its content.

    Args:
        handles: Whether the values of origin xattrs count; they are file handles of one machine.
    """
    identities = Identities()
    return [layer_entry(path, inode, identities, handles) for path, inode in walk(root)]


def layer_entry(path: str, inode: Inode, identities: Identities, handles: bool = False) -> dict[str, Any]:
    """One line of `layer_listing`."""
    if isinstance(inode, Device) and inode.kind == "char" and inode.rdev == (0, 0):
        return {"path": path, "type": "whiteout"}
    nlink = inode.nlink
    if isinstance(inode, Directory):
        nlink = 2 + sum(isinstance(child, Directory) for child in inode.names.values())
    item = {
        "path": path,
        "type": inode.type,
        "mode": f"{inode.mode & 0o7777:04o}",
        "uid": inode.uid,
        "gid": inode.gid,
        "mtime": _time(inode.mtime_ns),
        "nlink": nlink,
        "number": identities.name(id(inode)),
        "xattrs": {
            name: value if handles or not _is_origin(name) else ANY
            for name, value in sorted(inode.xattrs.items())
            if not name.endswith(".overlay.uuid")
        },
    }
    match inode:
        case File():
            item["content"] = inode.data if inode.data is not None else bytes(inode.size)
        case Symlink():
            item["target"] = inode.target
        case Device():
            item["rdev"] = list(inode.rdev)
    return item


def _is_origin(name: str) -> bool:
    return name.endswith(".overlay.origin") and ".overlay.overlay." not in name


# --- a mounted tree


def mount_listing(calls: Any, identities: Identities | None = None) -> Listing:
    """A mounted tree as a program sees it, the root first, each directory followed by its content.

    Args:
        calls: The calls of `System`, or others of the same names; the current directory is the mount.
        identities: Names for inodes of earlier listings, so that identity is compared over time.
    """
    identities = identities or Identities()
    items: Listing = []
    waiting = ["."]
    while waiting:
        path = waiting.pop()
        try:
            stat = calls.lstat(path)
        except OSError as error:
            items.append({"path": path, "type": "ghost", "errno": error_name(error.errno or 0)})
            continue
        items.append(_mount_entry(calls, path, stat, identities))
        if items[-1]["type"] != "dir":
            continue
        try:
            names = calls.listdir(path)
        except OSError as error:
            items[-1]["listing_errno"] = error_name(error.errno or 0)
            continue
        prefix = "" if path == "." else path + "/"
        waiting += [prefix + name for name in reversed(names)]
    return items


def stat_entry(stat: Any, identities: Identities) -> dict[str, Any]:
    """What a listing says of a stat, a `Stat` of the model or an `os.stat_result`."""
    return {
        "type": next(name for name, bits in TYPES.items() if bits == stat.st_mode & 0o170000),
        "mode": f"{stat.st_mode & 0o7777:04o}",
        "uid": stat.st_uid,
        "gid": stat.st_gid,
        "mtime": _time(stat.st_mtime_ns),
        "nlink": stat.st_nlink,
        "number": identities.name(stat.st_ino),
    }


def _mount_entry(calls: Any, path: str, stat: Any, identities: Identities) -> dict[str, Any]:
    item = {"path": path, **stat_entry(stat, identities)}
    item["xattrs"] = {name: calls.getxattr(path, name) for name in sorted(calls.listxattr(path))}
    match item["type"]:
        case "file":
            try:
                item["content"] = calls.read_file(path)
            except OSError as error:
                item["content_errno"] = error_name(error.errno or 0)
        case "symlink":
            item["target"] = calls.readlink(path)
        case "char" | "block":
            item["rdev"] = list(numbers_of(stat.st_rdev))
    return item


# --- comparing


def first_difference(expected: Listing, found: Listing, skip: Sequence[str] = (), ignored: Sequence[str] = ()) -> str:
    """The first thing in which two listings differ, in words; nothing if they are alike.

    Args:
        skip: Keys of an entry that do not count.
        ignored: Ends of the names of overlay xattrs that do not count.
    """
    want, have = {item["path"]: item for item in expected}, {item["path"]: item for item in found}
    for path in sorted({*want, *have}):
        if path not in want or path not in have:
            return f"{path}: expected {want.get(path, 'nothing')}, found {have.get(path, 'nothing')}"
        if want[path]["type"] != have[path]["type"]:
            return f"{path}: expected {want[path]}, found {have[path]}"
        if said := _entry_difference(want[path], have[path], skip, ignored):
            return f"{path}: {said}"
    return ""


def _entry_difference(
    want: Mapping[str, Any], have: Mapping[str, Any], skip: Sequence[str], ignored: Sequence[str]
) -> str:
    for key in sorted({*want, *have} - set(skip)):
        one, two = want.get(key, "nothing"), have.get(key, "nothing")
        if key == "xattrs" and isinstance(one, Mapping) and isinstance(two, Mapping):
            one, two = _without(one, ignored), _without(two, ignored)
            two = {name: ANY if one.get(name) == ANY else value for name, value in two.items()}
        if one != two:
            return f"{key}: expected {one!r}, found {two!r}"
    return ""


def _without(xattrs: Mapping[str, Any], ends: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in xattrs.items() if not (".overlay." in name and name.endswith(tuple(ends)))}


def comparable(value: Any) -> Any:
    """What a call returned, as data that can be compared: of a stat only what a model and a kernel must agree on."""
    if hasattr(value, "st_mode"):
        is_dir = value.st_mode & 0o170000 == 0o040000
        return tuple((key, getattr(value, key)) for key in OF_STAT if not (is_dir and key == "st_size"))
    return sorted(value) if isinstance(value, list) else value
