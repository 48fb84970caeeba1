"""Recorded kernel experiments, replayed on the model and compared: every result, the merged tree, the upper, the lowers.

Levels: 1 results and merged trees without times and link counts; 2 also the upper directory without origin and impure
marks; 3 everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from overlaylab.errors import OverlayLabError, error_name
from overlaylab.linux.mounts import close_all
from overlaylab.linux.operations import Op, run
from overlaylab.linux.system import System
from overlaylab.overlay.filesystem import TYPES, Stat
from overlaylab.tree import Directory

from .invariants import Guard
from .vectors import NOTHING, Entries, field, operations, raw, recorded, seconds, shown, tree

__all__ = [
    "Difference",
    "Results",
    "compare",
    "compare_entries",
    "compare_merged",
    "compare_upper",
    "mounted",
    "named",
    "outcomes",
    "run_ordinary",
    "verdict",
]

BASE = {"index": "off", "metacopy": "off", "redirect_dir": "off", "xino": "off"}


class Difference(OverlayLabError, AssertionError):
    """The first thing that is not as it was recorded."""


def compare_entries(
    what: str, expected: Entries, found: Entries, skip: Sequence[str] = (), marks: Sequence[str] = ()
) -> None:
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


def compare_fields(
    what: str, want: Mapping[str, Any], have: Mapping[str, Any], skip: Sequence[str], marks: Sequence[str]
) -> None:
    """Compare two entries."""
    for key in sorted({*want, *have} - set(skip)):
        one, two = want.get(key, "nothing"), have.get(key, "nothing")
        if key == "xattrs" and isinstance(one, dict) and isinstance(two, dict):
            one, two = kept(one, marks), kept(two, marks)
            two = {name: "*" if one.get(name) == "*" else value for name, value in two.items()}
        if one != two:
            raise Difference(f"{what}: {key}: expected {one!r}, found {two!r}")


def kept(xattrs: Mapping[str, Any], marks: Sequence[str]) -> dict[str, Any]:
    """Attributes without the marks that do not count."""
    return {
        key: value for key, value in xattrs.items() if not (marks and ".overlay." in key and key.endswith(tuple(marks)))
    }


def compare(what: str, expected: Any, found: Any) -> None:
    """Refuse two values that differ."""
    if expected != found:
        raise Difference(f"{what}: expected {expected!r}, found {found!r}")


def compare_merged(what: str, expected: Mapping[str, Any], system: System, level: int, where: str) -> None:
    """The mounted tree, and which names share an inode number."""
    items, links = shown(system)
    skip = ("mtime", "nlink") if level < 3 else ()
    compare_entries(what, recorded(field(expected, what, list, where), where), items, skip)
    if level >= 3:
        compare(links_of(what), sorted(field(expected, links_of(what), list, where, [])), links)


def links_of(what: str) -> str:
    """The key of the groups that belong to a listing."""
    return "merged_links" + what.removeprefix("merged")


def compare_upper(what: str, expected: Sequence[Any], upper: Directory, level: int, where: str) -> list[list[str]]:
    """A raw directory."""
    if level < 2:
        return []
    items, links = raw(upper)
    skip, marks = (("mtime",), (".impure", ".origin")) if level < 3 else ((), ())
    compare_entries(what, recorded(expected, where), items, skip, marks)
    return links


class Results:
    """Runs operations and compares each with its recorded result."""

    def __init__(self, system: System, level: int, upper: Callable[[], Any] = lambda: None) -> None:
        self.system, self.level, self.upper = system, level, upper
        self.numbers: dict[Any, str] = {}
        self.watch: Guard | None = None

    def run(self, ops: Sequence[Op], expected: Sequence[Any], where: str) -> None:
        """Run all of them."""
        compare(f"{where}: count", len(expected), len(ops))
        for position, (operation, want) in enumerate(zip(ops, expected)):
            here = f"{where}[{position}] {operation!r}"
            before = self.upper()
            step = run(self.system, operation)
            self.guard()
            compare(here, named(want), step.error)
            if operation.call == "rotate":
                compare_upper(here, want["value"], before, self.level, here)
            elif "value" in want or (
                step.errno is None and operation.call in ("lstat", "stat", "fstat", "read_file", "pread")
            ):
                self.value(here, want.get("value", NOTHING), step.value)

    def guard(self) -> None:
        """Nothing may corrupt the model, and no lower layer may change."""
        overlay = self.system.cwd.fs
        if self.watch is None or self.watch.overlay is not overlay:
            self.watch = Guard(overlay)
        self.watch.check()

    def value(self, here: str, want: Any, value: Any) -> None:
        """Compare what a call gave."""
        compare(here, *self.alike(want, value))

    def alike(self, want: Any, value: Any) -> tuple[Any, Any]:
        """A recorded value and ours, written the same way."""
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
        return want, value

    def stat(self, stat: Stat) -> dict[str, Any]:
        """A stat as it is recorded."""
        kind = next(name for name, number in TYPES.items() if number == stat.st_mode & 0o170000)
        number = self.numbers.setdefault(stat.st_ino, f"i{len(self.numbers) + 1}")
        out = {
            "type": kind,
            "mode": f"{stat.st_mode & 0o7777:04o}",
            "uid": stat.st_uid,
            "gid": stat.st_gid,
            "nlink": stat.st_nlink,
            "ino": number,
            "mtime": seconds(stat.st_mtime_ns),
        }
        if kind in ("file", "symlink"):
            out["size"] = stat.st_size
        if kind in ("char", "block"):
            out["rdev"] = [stat.st_rdev >> 8 & 0xFFF, stat.st_rdev & 0xFF]
        return out


def named(want: Mapping[str, Any]) -> str:
    """The errno that was recorded, under the name that we use: two names share a number."""
    return {"ENOTSUP": "EOPNOTSUPP", "EWOULDBLOCK": "EAGAIN"}.get(want.get("errno", ""), want.get("errno", ""))


def mounted(vector: Any, where: str) -> System:
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


def run_ordinary(vector: Any, level: int, where: str) -> System | None:
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
    close_all(system, system.cwd.fs)
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


def outcomes(vector: Any) -> list[tuple[Any, Any]]:
    """What the kernel gave for each operation of an experiment, and what the model gives: an errno's name, or the value."""
    system, expected = mounted(vector, "vector"), field(vector, "expected", dict, "vector")
    results, rows = Results(system, 3), []
    for operation, want in zip(
        operations(field(vector, "ops", list, "vector", []), "vector.ops"), expected["results"], strict=True
    ):
        step = run(system, operation)
        kernel, model = (
            results.alike(want["value"], step.value)
            if "value" in want and not step.errno
            else (want.get("value"), None)
        )
        rows.append((named(want) or kernel, step.error or model))
    return rows


def verdict(vector: Any, level: int = 3) -> str:
    """The first difference of an experiment, in words; empty if model and kernel agree."""
    try:
        run_ordinary(vector, level, "vector")
    except Difference as difference:
        return str(difference)
    return ""
