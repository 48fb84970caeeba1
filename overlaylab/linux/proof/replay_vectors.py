"""Recorded kernel experiments, replayed on the model and compared: each result, the merged tree, upper and lowers.

Levels: 1 results and merged trees without times and link counts; 2 also the upper directory without origin and impure
xattrs; 3 everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from overlaylab.errors import OverlayLabError, error_name
from overlaylab.linux.mounts import close_all
from overlaylab.linux.operations import Op, run
from overlaylab.linux.system import System
from overlaylab.overlay.filesystem import Stat, numbers_of
from overlaylab.tree import Directory, Inode

from .compare import Identities, Listing, first_difference, stat_entry
from .invariants import Guard
from .records import field
from .vectors import operations, raw, recorded, shown, tree

BASE = {"index": "off", "metacopy": "off", "redirect_dir": "off", "xino": "off"}


class Difference(OverlayLabError, AssertionError):
    """The first difference from a record."""


def compare_entries(
    what: str, expected: Listing, found: Listing, skip: Sequence[str] = (), ignored: Sequence[str] = ()
) -> None:
    """Raise the `first_difference` of two listings."""
    if difference := first_difference(expected, found, skip, ignored):
        raise Difference(f"{what}: {difference}")


def compare(what: str, expected: Any, found: Any) -> None:
    """Raise a `Difference` if two values differ."""
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
    """Compare a layer as it lies on disk; returns its groups of hard links."""
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
        self.identities = Identities()
        self.watch: Guard | None = None

    def run(self, ops: Sequence[Op], expected: Sequence[Any], where: str) -> None:
        """Run all of them."""
        compare(f"{where}: count", len(expected), len(ops))
        for position, (operation, want) in enumerate(zip(ops, expected, strict=True)):
            here = f"{where}[{position}] {operation!r}"
            before = self.upper()
            step = run(self.system, operation)
            overlay = self.system.overlay
            if self.watch is None or self.watch.overlay is not overlay:
                self.watch = Guard(overlay)
            self.watch.check()
            compare(here, named(want), step.error)
            if operation.call == "rotate":
                compare_upper(here, want["value"], before, self.level, here)
            elif "value" in want or (
                step.errno is None and operation.call in ("lstat", "stat", "fstat", "read_file", "pread")
            ):
                compare(here, *self.alike(want.get("value", "nothing"), step.value))

    def alike(self, want: Any, value: Any) -> tuple[Any, Any]:
        """A recorded value and ours, in one form."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
            if isinstance(want, str) and want.startswith("0x") and not value.startswith("0x"):
                value = "0x" + value.encode("utf-8", "surrogateescape").hex()
            if isinstance(want, dict):
                want = "\0" * want["zeros"]
        if isinstance(value, Stat):
            stat, value = value, stat_entry(value, self.identities)
            value["ino"] = value.pop("number")
            if value["type"] in ("file", "symlink"):
                value["size"] = stat.st_size
            if value["type"] in ("char", "block"):
                value["rdev"] = list(numbers_of(stat.st_rdev))
            for key in ("mtime", "nlink", "ino") if self.level < 3 else ():
                value.pop(key, None)
                want = {name: item for name, item in want.items() if name != key}
        return want, value


def named(want: Mapping[str, Any]) -> str:
    """The recorded name of an errno; of two names for one number the one that we use."""
    name = str(want.get("errno", ""))
    return {"ENOTSUP": "EOPNOTSUPP", "EWOULDBLOCK": "EAGAIN"}.get(name, name)


def mounted(vector: Any, where: str) -> System:
    """A system with the vector's overlay mounted, and the current directory in it."""
    lowers = [tree(items, f"{where}.lower[{i}]") for i, items in enumerate(field(vector, "lower", list, where))]
    disk: dict[str, Inode] = {"m": Directory(), **{f"l{i}": lower for i, lower in enumerate(lowers)}}
    words = ["lowerdir=" + ":".join(f"l{i}" for i in range(len(lowers)))]
    if "upper" not in vector or vector["upper"] is not None:
        disk |= {"u": tree(field(vector, "upper", list, where), f"{where}.upper"), "w": Directory()}
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
    """Replay operations on a mount: results, the upper directory, the merged tree, also after a remount.

    Returns:
        The system afterwards; None if the mount fails as recorded.

    Raises:
        Difference: The model does something else.
    """
    expected = field(vector, "expected", dict, where)
    ops = operations(field(vector, "ops", list, where, []), f"{where}.ops")
    error = ""
    try:
        system = mounted(vector, where)
    except OSError as failure:
        error = error_name(failure.errno or 0)
    compare("mount", named(field(expected, "mount", dict, where)), error)
    if error:
        return None
    lowers = system.overlay.lowerdirs
    before = [raw(lower) for lower in lowers]
    Results(system, level, lambda: system.overlay.upperdir).run(ops, expected.get("results", []), f"{where}.ops")
    close_all(system, system.cwd.fs)
    overlay = system.overlay
    if overlay.upperdir is not None:
        links = compare_upper("upper", field(expected, "upper", list, where), overlay.upperdir, level, where)
        if level >= 3:
            compare("upper_links", sorted(expected.get("upper_links", [])), links)
    compare_merged("merged", expected, system, level, where)
    system.remount()
    same = {"merged_after_remount": expected["merged"], "merged_links_after_remount": expected.get("merged_links", [])}
    compare_merged("merged_after_remount", {**same, **expected}, system, level, where)
    compare("lower layers", before, [raw(lower) for lower in lowers])
    return system


def outcomes(vector: Any) -> list[tuple[Any, Any]]:
    """The answers of kernel and model to each operation of an experiment: an errno's name, or the value."""
    system, expected = mounted(vector, "vector"), field(vector, "expected", dict, "vector")
    ops = operations(field(vector, "ops", list, "vector", []), "vector.ops")
    results, rows = Results(system, 3), []
    for operation, want in zip(ops, expected["results"], strict=True):
        step, kernel, model = run(system, operation), want.get("value"), None
        if "value" in want and not step.errno:
            kernel, model = results.alike(kernel, step.value)
        rows.append((named(want) or kernel, step.error or model))
    return rows


def mismatch(vector: Any, level: int = 3) -> str:
    """The first difference of an experiment, in words; empty if model and kernel agree."""
    try:
        run_ordinary(vector, level, "vector")
    except Difference as difference:
        return str(difference)
    return ""
