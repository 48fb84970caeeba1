"""Replay recorded kernel behaviour on the model.

    python -m tests.support.vectors DIR [--level N]

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
from functools import partial
from pathlib import Path
from typing import Any, cast

from overlaylab.errors import Finding, error_name
from overlaylab.image.changeset import OPAQUE, PREFIX, Changeset, Link, OpaqueWhiteout, Upsert, Whiteout, apply
from overlaylab.image.changeset_tar import read_changeset, write_tar
from overlaylab.image.digest import chain_ids
from overlaylab.linux.mounts import MS_RDONLY
from overlaylab.linux.proof.compare import Identities, layer_entry
from overlaylab.linux.proof.invariants import Corrupt
from overlaylab.linux.proof.records import field
from overlaylab.linux.proof.replay_vectors import (
    Difference,
    Results,
    compare,
    compare_entries,
    compare_merged,
    named,
    run_ordinary,
)
from overlaylab.linux.proof.vectors import DEFAULT_TIME, inode, operations, raw, recorded, shown, tree
from overlaylab.linux.system import System
from overlaylab.overlay.oci.export_upper import to_changeset
from overlaylab.overlay.oci.import_layer import to_lowerdir
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, File, find, parent_of

MARKS = (".opaque", ".redirect", ".metacopy", ".origin", ".impure", ".whiteout")


# --- the other kinds of vectors


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
        after = {name: raw(cast(Directory, find(system.root.inode, name)))[0] for name in expected["after"]}
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
    layers = {name: Directory() for name in names}
    layers[names[0]].names["a"], layers[names[-1]].names["z"] = File.of(b"first"), File.of(b"last")
    mount: dict[str, Any] = {"at": "m"}
    if "lowerdir" in spec:
        mount["data"] = "lowerdir=" + ":".join(names)
    else:
        mount["params"] = [["lowerdir+", name] for name in names]
    return System(Directory(names={**layers, "m": Directory()})), [mount]


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
        return error_name(error.errno or 0), None
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
    layers: list[Directory] = []
    for changeset in read:
        stack = Overlay.of_layers(layers)
        layer, odd = to_lowerdir(changeset, partial(inode_at, stack))
        layers.append(layer)
        problems += odd
    overlay = Overlay.of_layers([Directory(), *layers])
    if not field(expected, "flat_equal", bool, where):
        return trap(vector, expected, overlay, problems, where)
    for i, (layer, native) in enumerate(zip(layers, field(expected, "native", list, where), strict=True)):
        items = [item for item in raw(layer)[0] if item["path"] != "." or any(entry["path"] == "." for entry in native)]
        compare_entries(f"native[{i}]", recorded(plain_links(native), where), items, ("mtime",) if level < 3 else ())
    compare_merged(
        "merged", expected | {"merged_links": shown(System.over(overlay))[1]}, System.over(overlay), level, where
    )
    flat = Directory()
    for changeset in read:
        flat = apply(flat, changeset)
    compare_entries("flat", raw(flat)[0], raw(overlay.merged())[0], ("mtime", "nlink"), MARKS)
    return None


def inode_at(stack, path):
    """What a stack shows at a path; None if it shows nothing."""
    return stack.lookup(path).inode


def plain_links(items):
    """Hard links of a recorded layer as the entries that they are, every link counted."""
    count: dict[str, int] = {}
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
        return compare_entries(
            "merged", recorded(expected["merged"], where), raw(overlay.merged())[0], ("mtime", "nlink")
        )
    devices = [item["path"] for item in members if item.get("type") == "char" and item.get("rdev") == [0, 0]]
    if devices:
        named = {problem.where for problem in problems if problem.kind == "device-whiteout"}
        return compare("refused", True, all(any(path in text for text in named) for path in devices))
    return compare_entries(
        "flat", recorded(expected["flat"], where), raw(overlay.merged())[0], ("mtime", "nlink"), MARKS
    )


def run_export(vector, level, where):
    """An upper directory to an archive."""
    system = run_ordinary(vector, level, where)
    assert system is not None
    overlay, expected = system.cwd.fs, vector["expected"]
    assert isinstance(overlay, Overlay) and overlay.upperdir is not None
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
    compare_entries(
        "changeset",
        recorded(expected["changeset"], where),
        members_of(changeset),
        ("nlink", "mtime") if level < 3 else ("nlink",),
    )
    flat = apply(below, reread(changeset))
    return compare_entries("flat", recorded(expected["merged"], where), raw(flat)[0], ("mtime", "nlink"))


def reread(changeset):
    """A changeset through its tar: the same changes come back."""
    read = read_changeset(io.BytesIO(write_tar(changeset)), keep=1 << 30)
    compare("tar", changeset.changes, read.changes)
    return read


def member_entry(path, inode):
    """A member of an archive as a recorded entry."""
    entry = layer_entry(path, inode, Identities(), handles=True)
    del entry["number"]
    return entry


def members_of(changeset):
    """A changeset as recorded members."""
    items = []
    for change in changeset.changes:
        match change:
            case Whiteout():
                directory, name = parent_of(change.path)
                items.append(
                    member_entry(PREFIX + name if directory == "." else f"{directory}/{PREFIX}{name}", File.of(b""))
                )
            case OpaqueWhiteout():
                items.append(member_entry(OPAQUE if change.path == "." else f"{change.path}/{OPAQUE}", File.of(b"")))
            case Link():
                items.append(
                    {
                        "path": change.path,
                        "type": "hardlink",
                        "target": change.target,
                        "uid": 0,
                        "gid": 0,
                        "mode": "0644",
                        "mtime": DEFAULT_TIME,
                        "xattrs": {},
                    }
                )
            case Upsert():
                items.append(member_entry(change.path, change.inode))
    return items


def run_chainid(vector, level, where):
    """The names of a stack."""
    compare(
        "chain_ids", field(vector, "chain_ids", list, where), list(chain_ids(field(vector, "diff_ids", list, where)))
    )


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


def mismatch(vector, group, level, where):
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
            said = mismatch(vector, group, level, f"{path.name}.vectors[{position}]")
            name = vector.get("id", position) if isinstance(vector, dict) else position
            passed, failed = passed + (not said), failed + bool(said)
            if said:
                say(f"{name}: {said}")
    return passed, failed


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.vectors", description="Replay recorded kernel behaviour on the model."
    )
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
