"""Replay recorded kernel behaviour on the model.

    python -m tests.vectors DIR [--level N]

DIR holds JSON files of the schema that `tests/data/overlay-vectors/README.md`
describes. Levels: 1 results and merged trees without times and link counts; 2 also
the upper directory without origin and impure marks; 3, the default, everything.
Prints the id and the first difference of each failure, and ends with the counts.
No code here, nor in the package, looks at a vector's id, title or position.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from overlaylab.access import error_name
from overlaylab.changeset import OPAQUE, PREFIX, Changeset, Link, OpaqueWhiteout, Upsert, Whiteout, apply, read_changeset, write_tar
from overlaylab.digest import chain_ids
from overlaylab.errors import Finding
from overlaylab.invariants import Corrupt, Guard
from overlaylab.ops import parse_op, run
from overlaylab.overlay import Overlay
from overlaylab.system import MS_RDONLY, System
from overlaylab.translate import to_changeset, to_lowerdir
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink, find, parent_of, walk, whiteout
from overlaylab.vnode import TYPES, Stat

BASE = {"index": "off", "metacopy": "off", "redirect_dir": "off", "xino": "off"}
DEFAULT_TIME = 1_000_000_000
# The model's clock begins here; no recorded time is as late.
NOW = 1_999_999_999 * 10**9
NOTHING = object()
MARKS = (".opaque", ".redirect", ".metacopy", ".origin", ".impure", ".whiteout")


class Difference(Exception):
    """The first thing that is not as it was recorded."""


# --- reading


def field(record, name, kind, where, default=NOTHING):
    """A field of a type, or a typed error with its position."""
    if not isinstance(record, dict):
        raise Finding("wrong-call", where, "an object", repr(record)[:80])
    value = record.get(name, default)
    if value is default and default is not NOTHING:
        return default
    if value is NOTHING or not isinstance(value, kind):
        raise Finding("wrong-call", f"{where}.{name}", getattr(kind, "__name__", kind), "nothing" if value is NOTHING else repr(value)[:80])
    return value


def content(item, where):
    """Content of a file: text, or so many zeros."""
    data = item.get("content", "")
    if isinstance(data, dict):
        return bytes(field(data, "zeros", int, f"{where}.content"))
    return field(item, "content", str, where, "").encode("utf-8", "surrogateescape")


def xattr_value(text):
    """An attribute's value: text, or hex digits behind 0x."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("utf-8", "surrogateescape")


def numbers(item, where):
    """A device number."""
    value = field(item, "rdev", list, where)
    if len(value) != 2 or not all(isinstance(number, int) for number in value):
        raise Finding("wrong-call", f"{where}.rdev", "two numbers", repr(value))
    return tuple(value)


def bits(item, where, default):
    """Permission bits."""
    text = field(item, "mode", str, where, default)
    try:
        return int(text, 8)
    except ValueError:
        raise Finding("wrong-call", f"{where}.mode", "an octal number", repr(text)) from None


def inode(item, where):
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


def tree(items, where):
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


def operations(records, where):
    """Operations; the short form of a list names the arguments by position."""
    short = {"unlink": ("path",), "rmdir": ("path",), "mkdir": ("path", "mode"), "create": ("path", "data", "mode"),
             "append": ("path", "data"), "write_file": ("path", "data"), "rename": ("src", "dst"), "link": ("src", "dst"),
             "symlink": ("target", "path"), "chmod": ("path", "mode")}  # fmt: skip
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


def seconds(mtime_ns):
    """A time; "now" for one that an operation has set."""
    return "now" if mtime_ns >= NOW else mtime_ns // 10**9


def raw_entry(path, node):
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
    item["nlink"] = 2 + sum(isinstance(child, Directory) for child in children) if isinstance(node, Directory) else node.nlink
    return item


def raw(root):
    """A tree as entries, and the groups of names that share an inode."""
    groups = {}
    items = []
    for path, node in walk(root):
        items.append(raw_entry(path, node))
        if items[-1]["type"] != "whiteout":
            groups.setdefault(id(node), []).append(path)
    return items, sorted(group for group in groups.values() if len(group) > 1)


def shown(system):
    """The mounted tree as entries, listed name by name, and the groups of names that share an inode number."""
    items, groups = [], {}

    def visit(path):
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


def shown_entry(system, path, stat):
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


def recorded(items, where):
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
        full |= {"mode": {"dir": "0755", "symlink": "0777"}.get(kind, "0644"), "nlink": 2 + below if kind == "dir" else 1}
        full |= {key: item[key] for key in item if key not in ("content", "xattrs")}
        full["xattrs"] = {key: value if value == "*" else xattr_value(value) for key, value in item.get("xattrs", {}).items()}
        if kind == "file" and "content_errno" not in item:
            full["content"] = content(item, f"{where}[{position}]")
        out.append(full)
    return out


# --- comparing


def compare_entries(what, expected, found, skip=(), marks=()):
    """Compare two lists of entries; the first difference is raised.

    Args:
        skip: Keys that do not count.
        marks: Ends of attribute names that do not count.
    """
    want, have = {item["path"]: item for item in expected}, {item["path"]: item for item in found}
    for path in sorted({*want, *have}):
        if path not in have or path not in want:
            raise Difference(f"{what}: {path}: expected {want.get(path, 'nothing')}, found {have.get(path, 'nothing')}")
        compare_fields(f"{what}: {path}", want[path], have[path], skip, marks)


def compare_fields(what, want, have, skip, marks):
    for key in sorted({*want, *have} - set(skip)):
        one, two = want.get(key, "nothing"), have.get(key, "nothing")
        if key == "xattrs" and isinstance(one, dict) and isinstance(two, dict):
            one, two = kept(one, marks), kept(two, marks)
            two = {name: "*" if one.get(name) == "*" else value for name, value in two.items()}
        if one != two:
            raise Difference(f"{what}: {key}: expected {one!r}, found {two!r}")


def kept(xattrs, marks):
    return {key: value for key, value in xattrs.items() if not (marks and ".overlay." in key and key.endswith(tuple(marks)))}


def compare(what, expected, found):
    if expected != found:
        raise Difference(f"{what}: expected {expected!r}, found {found!r}")


def compare_merged(what, expected, system, level, where):
    """The mounted tree, and which names share an inode number."""
    items, links = shown(system)
    skip = ("mtime", "nlink") if level < 3 else ()
    compare_entries(what, recorded(field(expected, what, list, where), where), items, skip)
    if level >= 3:
        compare(links_of(what), sorted(field(expected, links_of(what), list, where, [])), links)


def links_of(what):
    """The key of the groups that belong to a listing."""
    return "merged_links" + what.removeprefix("merged")


def compare_upper(what, expected, upper, level, where):
    """A raw directory."""
    if level < 2:
        return []
    items, links = raw(upper)
    skip, marks = (("mtime",), (".impure", ".origin")) if level < 3 else ((), ())
    compare_entries(what, recorded(expected, where), items, skip, marks)
    return links


class Results:
    """Runs operations and compares each with its recorded result."""

    def __init__(self, system, level, upper=lambda: None):
        self.system, self.level, self.upper = system, level, upper
        self.numbers = {}
        self.watch = None

    def run(self, ops, expected, where):
        compare(f"{where}: count", len(expected), len(ops))
        for position, (operation, want) in enumerate(zip(ops, expected)):
            here = f"{where}[{position}] {operation!r}"
            before = self.upper()
            step = run(self.system, operation)
            self.guard()
            compare(here, named(want), step.error)
            if operation.call == "rotate":
                compare_upper(here, want["value"], before, self.level, here)
            elif "value" in want or (step.errno is None and operation.call in ("lstat", "stat", "fstat", "read_file", "pread")):
                self.value(here, want.get("value", NOTHING), step.value)

    def guard(self):
        """Nothing may corrupt the model, and no lower layer may change."""
        overlay = self.system.cwd.fs
        if self.watch is None or self.watch.overlay is not overlay:
            self.watch = Guard(overlay)
        self.watch.check()

    def value(self, here, want, value):
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
            if isinstance(want, str) and want.startswith("0x") and not value.startswith("0x"):
                value = "0x" + value.encode("utf-8", "surrogateescape").hex()
            if isinstance(want, dict):
                want = "\0" * want["zeros"]
        if isinstance(value, Stat):
            value = self.stat(value)
            for key in ("mtime", "nlink", "ino") if self.level < 3 else ():
                value.pop(key, None)
                want = {name: item for name, item in want.items() if name != key}
        compare(here, want, value)

    def stat(self, stat):
        kind = next(name for name, number in TYPES.items() if number == stat.st_mode & 0o170000)
        number = self.numbers.setdefault(stat.st_ino, f"i{len(self.numbers) + 1}")
        out = {"type": kind, "mode": f"{stat.st_mode & 0o7777:04o}", "uid": stat.st_uid, "gid": stat.st_gid,
               "nlink": stat.st_nlink, "ino": number, "mtime": seconds(stat.st_mtime_ns)}  # fmt: skip
        if kind in ("file", "symlink"):
            out["size"] = stat.st_size
        if kind in ("char", "block"):
            out["rdev"] = [stat.st_rdev >> 8 & 0xFFF, stat.st_rdev & 0xFF]
        return out


def named(want):
    """The errno that was recorded, under the name that we use: two names share a number."""
    return {"ENOTSUP": "EOPNOTSUPP", "EWOULDBLOCK": "EAGAIN"}.get(want.get("errno", ""), want.get("errno", ""))


# --- the kinds of vectors


def mounted(vector, where):
    """A disk with the vector's layers, and its overlay mounted, the process standing in it."""
    lowers = [tree(items, f"{where}.lower[{i}]") for i, items in enumerate(field(vector, "lower", list, where))]
    disk = {f"l{i}": lower for i, lower in enumerate(lowers)} | {"m": Directory()}
    upper = field(vector, "upper", (list, type(None)), where)
    words = ["lowerdir=" + ":".join(disk[f"l{i}"] and f"l{i}" for i in range(len(lowers)))]
    if upper is not None:
        disk |= {"u": tree(upper, f"{where}.upper"), "w": Directory()}
        words += ["upperdir=u,workdir=w"]
    system = System(Directory(names=disk), userns=vector.get("userns", False))
    options = field(vector, "options", dict, where, {})
    base = {} if vector.get("userns") or "userxattr" in options else BASE
    for key, value in {**base, **options}.items():
        if value is not None:
            words.append(key if value is True else f"{key}={value}")
    system.mount("m", ",".join(words))
    system.chdir("m")
    return system


def run_ordinary(vector, level, where):
    """Operations on a mount: results, the upper directory, the merged tree, also after a remount."""
    expected = field(vector, "expected", dict, where)
    ops = operations(field(vector, "ops", list, where, []), f"{where}.ops")
    try:
        system = mounted(vector, where)
        error = ""
    except OSError as failure:
        error = error_name(failure.errno)
    compare("mount", named(field(expected, "mount", dict, where)), error)
    if error:
        return None
    guard = [repr(raw(lower)) for lower in system.cwd.fs.lowerdirs]
    lowers = system.cwd.fs.lowerdirs
    Results(system, level, lambda: system.cwd.fs.upperdir).run(ops, expected.get("results", []), f"{where}.ops")
    system._close_all(system.cwd.fs)
    overlay = system.cwd.fs
    if overlay.upperdir is not None:
        links = compare_upper("upper", field(expected, "upper", list, where), overlay.upperdir, level, where)
        if level >= 3:
            compare("upper_links", sorted(expected.get("upper_links", [])), links)
    compare_merged("merged", expected, system, level, where)
    system.remount()
    after = dict(expected)
    after.setdefault("merged_after_remount", expected["merged"])
    after.setdefault("merged_links_after_remount", expected.get("merged_links", []))
    compare_merged("merged_after_remount", after, system, level, where)
    compare("lower layers", guard, [repr(raw(lower)) for lower in lowers])
    return system


def run_mount(vector, level, where):
    """Mounts in order: errors, the options shown, the last merged tree, directories afterwards."""
    expected = field(vector, "expected", dict, where)
    system, mounts = scratch(vector, where)
    live = None
    for position, (spec, want) in enumerate(zip(mounts, field(expected, "mounts", list, where), strict=True)):
        here = f"{where}.mount[{position}]"
        outcome, mount = one_mount(system, spec, level, want, here)
        compare(here, named(want), outcome)
        if mount is not None:
            live = mount
            if "shown_options" in want:
                compare(f"{here}: shown_options", want["shown_options"], mount.shown)
            if spec.get("umount"):
                system.umount(spec["at"])
    if "after" in expected:
        after = {name: raw(find(system.root.inode, name))[0] for name in expected["after"]}
    if live is not None and ("results" in expected or "merged" in expected):
        system.cwd = live.root
        if "results" in expected:
            ops = operations(field(vector, "ops", list, where, []), f"{where}.ops")
            Results(system, level).run(ops, expected["results"], f"{where}.ops")
        if "merged" in expected:
            compare_merged("merged", expected, system, level, where)
    for name, items in expected.get("after", {}).items():
        compare_entries(f"after: {name}", recorded(items, where), after[name], ("mtime",) if level < 3 else ())


def scratch(vector, where):
    """The scratch directory of a mount vector as a disk, and its mounts."""
    if "gen" in vector:
        return generated(field(vector, "gen", dict, where), where)
    system = System(tree(field(vector, "tree", list, where), f"{where}.tree"))
    for name in vector.get("tmpfs", []):
        system.mount_disk(name)
    for name in vector.get("premake", []):
        system.mkdir(name, 0o755)
    return system, field(vector, "mount", list, where)


def generated(spec, where):
    """Numbered directories, all of them layers in their order."""
    first, last = (int(number) for number in field(spec, "dirs", str, f"{where}.gen").split(".."))
    names = [str(number) for number in range(first, last + 1)]
    disk = {name: Directory() for name in names} | {"m": Directory()}
    disk[names[0]].names["a"], disk[names[-1]].names["z"] = File.of(b"first"), File.of(b"last")
    mount = {"at": "m"}
    if "lowerdir" in spec:
        mount["data"] = "lowerdir=" + ":".join(names)
    else:
        mount["params"] = [["lowerdir+", name] for name in names]
    return System(Directory(names=disk)), [mount]


def one_mount(system, spec, level, want, here):
    """One mount, and what is run on it at once."""
    at, flags = field(spec, "at", str, here), MS_RDONLY if spec.get("ro") else 0
    for name in spec.get("mkdir", []):
        system.mkdir(name, 0o755)
    try:
        if "params" in spec:
            mount = system.fsmount(at, field(spec, "params", list, here), flags)
        else:
            mount = system.mount(at, field(spec, "data", str, here), flags)
    except OSError as error:
        return error_name(error.errno), None
    if "ops" in spec:
        system.cwd = mount.root
        Results(system, level).run(operations(spec["ops"], f"{here}.ops"), want.get("results", []), f"{here}.ops")
        system.cwd = system.root
    return "", mount


def archive_member(item, where):
    """One recorded member as a change; whiteouts are spelled as in an archive."""
    path = field(item, "path", str, where)
    directory, name = parent_of(path)
    if name == OPAQUE:
        return OpaqueWhiteout(directory)
    if name.startswith(PREFIX):
        target = name[len(PREFIX) :]
        return Whiteout(target if directory == "." else f"{directory}/{target}")
    if item.get("type") == "hardlink":
        return Link(path, field(item, "target", str, where))
    return Upsert(path, inode(item, where))


def archives(vector, where):
    """The recorded archives, written as tars by our own writer and read again."""
    read = []
    for i, items in enumerate(field(vector, "changesets", list, where)):
        changes = tuple(archive_member(item, f"{where}.changesets[{i}][{j}]") for j, item in enumerate(items))
        read.append(read_changeset(io.BytesIO(write_tar(Changeset(changes))), keep=1 << 30))
    return read


def run_import(vector, level, where):
    """Archives to layers: the layers, and the merged view over them."""
    expected = field(vector, "expected", dict, where)
    read = archives(vector, where)
    problems = [problem for changeset in read for problem in changeset.problems]
    layers = []
    for changeset in read:
        stack = Overlay.of_layers(layers)
        layer, odd = to_lowerdir(changeset, lambda path, stack=stack: stack.lookup(path).inode)
        layers.append(layer)
        problems += odd
    overlay = Overlay.of_layers([Directory(), *layers])
    if not field(expected, "flat_equal", bool, where):
        return trap(vector, expected, overlay, problems, where)
    for i, (layer, native) in enumerate(zip(layers, field(expected, "native", list, where), strict=True)):
        items = [item for item in raw(layer)[0] if item["path"] != "." or any(entry["path"] == "." for entry in native)]
        compare_entries(f"native[{i}]", recorded(plain_links(native), where), items, ("mtime",) if level < 3 else ())
    compare_merged("merged", expected | {"merged_links": shown(System.over(overlay))[1]}, System.over(overlay), level, where)
    flat = Directory()
    for changeset in read:
        flat = apply(flat, changeset)
    compare_entries("flat", raw(flat)[0], raw(overlay.merged())[0], ("mtime", "nlink"), MARKS)
    return None


def plain_links(items):
    """Hard links of a recorded layer as the entries that they are, every link counted."""
    count = {}
    for item in items:
        target = item["target"] if item["type"] == "hardlink" else item["path"]
        count[target] = count.get(target, 0) + 1
    by_path = {item["path"]: item for item in items}
    out = []
    for item in items:
        target = item["target"] if item["type"] == "hardlink" else item["path"]
        links = {"nlink": count[target]} if by_path[target]["type"] not in ("dir", "whiteout") else {}
        out.append(by_path[target] | {"path": item["path"]} | links)
    return out


def trap(vector, expected, overlay, problems, where):
    """What the simple-minded conversion gets wrong: our view is the specification's, or a finding says why not."""
    kinds = {problem.kind for problem in problems}
    members = [item for items in vector["changesets"] for item in items]
    if any(item["path"] == OPAQUE for item in members):
        compare("finding", True, "opaque-root" in kinds)
        return compare_entries("merged", recorded(expected["merged"], where), raw(overlay.merged())[0], ("mtime", "nlink"))
    devices = [item["path"] for item in members if item.get("type") == "char" and item.get("rdev") == [0, 0]]
    if devices:
        named = {problem.where for problem in problems if problem.kind == "device-whiteout"}
        return compare("refused", True, all(any(path in text for text in named) for path in devices))
    return compare_entries("flat", recorded(expected["flat"], where), raw(overlay.merged())[0], ("mtime", "nlink"), MARKS)


def run_export(vector, level, where):
    """An upper directory to an archive."""
    system = run_ordinary(vector, level, where)
    overlay, expected = system.cwd.fs, vector["expected"]
    below = overlay.lowerdirs[0] if len(overlay.lowerdirs) == 1 else Overlay(lowerdirs=overlay.lowerdirs).merged()
    if not field(expected, "flat_equal", bool, where):
        try:
            to_changeset(overlay.upperdir)
            raise Difference("changeset: expected a refusal, found an archive that loses something")
        except Finding as finding:
            refused = finding.problem.where
        compare("refused", True, any(item["path"] == refused for item in expected["upper"]))
        whole = apply(below, reread(to_changeset(overlay.upperdir, overlay)))
        return compare_entries("expanded", recorded(expected["merged"], where), raw(whole)[0], ("mtime", "nlink"))
    changeset = to_changeset(overlay.upperdir, marks=overlay.marks)
    compare_entries("changeset", recorded(expected["changeset"], where), members_of(changeset), ("nlink", "mtime") if level < 3 else ("nlink",))
    flat = apply(below, reread(changeset))
    return compare_entries("flat", recorded(expected["merged"], where), raw(flat)[0], ("mtime", "nlink"))


def reread(changeset):
    """A changeset through its tar: the same changes come back."""
    read = read_changeset(io.BytesIO(write_tar(changeset)), keep=1 << 30)
    compare("tar", changeset.changes, read.changes)
    return read


def members_of(changeset):
    """A changeset as recorded members."""
    items = []
    for change in changeset.changes:
        match change:
            case Whiteout():
                directory, name = parent_of(change.path)
                items.append(raw_entry(PREFIX + name if directory == "." else f"{directory}/{PREFIX}{name}", File.of(b"")))
            case OpaqueWhiteout():
                items.append(raw_entry(OPAQUE if change.path == "." else f"{change.path}/{OPAQUE}", File.of(b"")))
            case Link():
                items.append({"path": change.path, "type": "hardlink", "target": change.target, "uid": 0, "gid": 0, "mode": "0644",
                              "mtime": DEFAULT_TIME, "xattrs": {}})  # fmt: skip
            case Upsert():
                items.append(raw_entry(change.path, change.inode))
    return items


def run_chainid(vector, level, where):
    """The names of a stack."""
    compare("chain_ids", field(vector, "chain_ids", list, where), list(chain_ids(field(vector, "diff_ids", list, where))))


def run_oci(vector, level, where):
    """Archives and layers, one way or the other."""
    kinds = {"import": run_import, "export": run_export}
    kind = field(vector, "kind", str, where)
    if kind not in kinds:
        raise Finding("wrong-call", f"{where}.kind", "import or export", repr(kind))
    kinds[kind](vector, level, where)


GROUPS = {"mount": run_mount, "oci": run_oci, "chainid": run_chainid}


def check(vector, group, level=3, where="vector"):
    """Replay one vector.

    Raises:
        Difference: The model does something else.
        Finding: The vector cannot be parsed; says where.
    """
    GROUPS.get(group, run_ordinary)(vector, level, where)


def load(path):
    """The group and the vectors of a file.

    Raises:
        Finding: ``bad-json`` or ``wrong-call``, with the file's name.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Finding("bad-json", str(Path(path).name), "JSON", str(error)) from None
    schema = field(data, "schema", int, Path(path).name)
    if schema != 1:
        raise Finding("wrong-call", f"{Path(path).name}.schema", "1", schema)
    return field(data, "group", str, Path(path).name), field(data, "vectors", list, Path(path).name)


def verdict(vector, group, level, where):
    """The first difference of a vector in words; nothing if there is none."""
    try:
        check(vector, group, level, where)
    except (Difference, Finding, Corrupt) as found:
        return str(found)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OSError) as error:
        # A record of a shape that nobody foresaw, or a hole in the model: it counts as failed all the same.
        return f"{type(error).__name__} at {where}: {error}"
    return ""


def replay(folder, level=3, say=print):
    """Replay all files of a folder.

    Returns:
        How many passed, and how many failed.
    """
    passed = failed = 0
    for path in sorted(Path(folder).glob("*.json")):
        try:
            group, vectors = load(path)
        except Finding as finding:
            say(f"{path.name}: {finding}")
            failed += 1
            continue
        for position, vector in enumerate(vectors):
            said = verdict(vector, group, level, f"{path.name}.vectors[{position}]")
            name = vector.get("id", position) if isinstance(vector, dict) else position
            passed, failed = passed + (not said), failed + bool(said)
            if said:
                say(f"{name}: {said}")
    return passed, failed


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.vectors", description="Replay recorded kernel behaviour on the model.")
    parser.add_argument("folder", type=Path, help="folder of JSON files")
    parser.add_argument("--level", type=int, choices=(1, 2, 3), default=3, help="how much is compared")
    chosen = parser.parse_args(arguments)
    if not chosen.folder.is_dir():
        parser.error(f"{chosen.folder} is no folder")
    passed, failed = replay(chosen.folder, chosen.level)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
