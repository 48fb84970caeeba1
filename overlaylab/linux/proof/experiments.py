"""Experiments with an overlay, generated from a number: layers, operations on them, and the result of each operation.

The same number gives the same experiment on every machine. Two models, or a model and a kernel, are compared after each
operation; where they differ, the experiment is shrunk to the smallest one that still shows the difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from overlaylab.linux.operations import Op, Player
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import TRUSTED
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Symlink, parent_of, walk, whiteout

from .compare import Identities, Listing, comparable, first_difference, layer_listing, mount_listing
from .coverage import Coverage
from .records import new_inode

LENGTH = 20

OLD = 1_000_000_000 * 10**9

NAMES = ("a", "b", "c")

# Most paths lie below a and a/b, so that layers and operations meet there.
PATHS = NAMES * 3 + tuple(f"a/{name}" for name in NAMES) * 4 + ("a/b/a", "a/b/b") * 2 + ("b/a", "c/b")

KINDS = ("dir", "file") * 2 + ("dir", "whiteout", "opaque", "file", "hard link", "hard link", "link to a", "fifo")

# dress -> owner, group, mode of a directory, mode of anything else, attributes
DRESSES: dict[str, tuple[int, int, int, int, dict[str, bytes]]] = {
    "plain": (0, 0, 0o755, 0o644, {}),
    "open": (0, 0, 0o777, 0o666, {}),
    "closed": (0, 0, 0o700, 0o600, {}),
    "noted": (0, 0, 0o755, 0o644, {"user.k": b"v"}),
    "ann": (1000, 50, 0o755, 0o644, {}),
    "ann's setuid": (1000, 1000, 0o2775, 0o6755, {}),
    "sticky": (0, 50, 0o1777, 0o4755, {"user.k": b"v"}),
    "ann's sticky": (1000, 0, 0o3777, 0o2666, {}),
}


# --- layers


def layer(
    entries: Iterable[tuple[str, str, str]],
    number: int,
    prefix: str = TRUSTED,
    make: Callable[..., Inode | None] | None = None,
) -> Directory:
    """A layer's tree, every link counted.

    Args:
        entries: Tuples of path, kind and dress; an entry whose place is taken is left out.
        number: Of the layer; it tells content and times of the layers apart.
        prefix: The namespace of overlay xattrs.
        make: Makes one inode; `entry` by default.
    """
    root = Directory(mode=0o777, mtime_ns=OLD)
    for path, kind, dress in entries:
        parent, name = parent_of(path)
        directory = make_directories(root, parent)
        if directory is None or directory.names.get(name) is not None:
            continue
        if (inode := (make or entry)(root, kind, dress, number, prefix)) is not None:
            directory.names[name] = inode
    return root


def make_directories(root: Directory, path: str) -> Directory | None:
    """The directory at a path, made if need be; None if a name on the way is no directory."""
    directory = root
    for name in [] if path == "." else path.split("/"):
        node = directory.names.setdefault(name, Directory(mode=0o777, mtime_ns=OLD))
        if not isinstance(node, Directory):
            return None
        directory = node
    return directory


def entry(root: Directory, kind: str, dress: str, number: int, prefix: str) -> Inode | None:
    """One inode of a layer.

    Args:
        root: The layer; the kind "hard link" gives its first file once more.
        kind: One of `KINDS`, or another kind that a test makes.
    """
    uid, gid, directory_mode, mode, xattrs = DRESSES[dress]
    common: dict[str, Any] = {"uid": uid, "gid": gid, "mtime_ns": OLD + number * 10**9 + 7}
    plain: dict[str, Any] = {**common, "mode": mode}
    match kind:
        case "dir":
            return Directory(**common, mode=directory_mode, xattrs=xattrs)
        case "opaque":
            return Directory(**common, mode=directory_mode, xattrs={**xattrs, prefix + "opaque": b"y"})
        case "file":
            return File.of(b"layer %d" % number, **plain, xattrs=xattrs)
        case "empty":
            return File.of(b"", **plain, xattrs=xattrs)
        case "whiteout":
            return whiteout()
        case "marked whiteout":
            return File.of(b"", **plain, xattrs={prefix + "whiteout": b"y"})
        case "metadata only":
            return File.of(bytes(7), **plain, xattrs={prefix + "metacopy": b""})
        case "fifo" | "socket":
            return new_inode(kind, plain)
        case "device":
            return Device(**plain, kind="char", rdev=(1, 3))
        case "hard link":
            first = next((node for _, node in walk(root) if isinstance(node, (File, Symlink, Fifo))), None)
            if first is not None:
                first.nlink += 1
            return first
    return Symlink(**common, mode=0o777, target=kind.removeprefix("link to "))


# --- experiments

# Weight, call, and what each argument may be: calls that root of a user namespace may make as well as root.
CALLS: tuple[tuple[int, str, dict[str, tuple[Any, ...]]], ...] = (
    (5, "create", {"path": PATHS, "data": (b"new",)}),
    (3, "write_file", {"path": PATHS, "data": (b"w", b"")}),
    (4, "append", {"path": PATHS, "data": (b"+",)}),
    (1, "read_file", {"path": PATHS}),
    (7, "mkdir", {"path": PATHS, "mode": (0o755, 0o700)}),
    (7, "rmdir", {"path": PATHS}),
    (9, "unlink", {"path": PATHS}),
    (11, "rename", {"src": PATHS, "dst": PATHS}),
    (2, "rename", {"src": PATHS, "dst": PATHS, "flags": (1, 2)}),
    (5, "link", {"src": PATHS, "dst": PATHS}),
    (1, "symlink", {"target": ("a", "b/c", "nowhere"), "path": PATHS}),
    (4, "chmod", {"path": PATHS, "mode": (0o600, 0o644, 0o755)}),
    (1, "utime", {"path": PATHS, "ns": ((OLD + 5, OLD + 5),)}),
    (2, "truncate", {"path": PATHS, "length": (0, 2)}),
    (1, "setxattr", {"path": PATHS, "name": ("user.k",), "value": (b"w",)}),
    (2, "lstat", {"path": PATHS}),
    (3, "listdir", {"path": (".", *PATHS)}),
    (1, "readlink", {"path": PATHS}),
)

LOOK = Op("listdir", {"path": "."})

WEIGHTED = tuple((call, arguments) for weight, call, arguments in CALLS for _ in range(weight))


@dataclass(frozen=True, slots=True)
class Experiment:
    """Layers, and operations on them.

    Args:
        lowers: **Topmost first**; each a tuple of (path, kind, dress), see `layer`.
        ops: What is done, in order.
    """

    lowers: tuple[tuple[tuple[str, str, str], ...], ...]
    ops: tuple[Op, ...]

    def overlay(self) -> Overlay:
        """The layers, under an empty upper."""
        return Overlay(
            lowerdirs=[layer(entries, number) for number, entries in enumerate(self.lowers)],
            upperdir=Directory(mode=0o777, mtime_ns=OLD),
        )


class _Dice:
    """Pseudo-random numbers that are the same everywhere: a linear congruential generator (Knuth, MMIX)."""

    def __init__(self, seed: int) -> None:
        self._state = (seed + 1) * 0x9E3779B97F4A7C15
        for _ in range(4):
            self.below(1)

    def below(self, limit: int) -> int:
        """A number from 0 up to, and without, the limit."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self._state >> 33) % limit

    def one(self, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return choices[self.below(len(choices))]


def experiment(number: int, length: int = LENGTH) -> Experiment:
    """The experiment of a number, the seed: one to three lower layers, and `length` operations.

    Example:
        >>> experiment(1) == experiment(1), len(experiment(1).ops)
        (True, 20)
    """
    dice = _Dice(number)
    lowers = tuple(
        tuple((dice.one(PATHS), dice.one(KINDS), "plain") for _ in range(3 + dice.below(8)))
        for _ in range(1 + dice.below(3))
    )
    ops = []
    for _ in range(length):
        call, arguments = dice.one(WEIGHTED)
        ops.append(Op(call, {name: dice.one(choices) for name, choices in arguments.items()}))
    return Experiment(lowers, tuple(ops))


# --- results


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that is compared after one operation.

    Args:
        error: The name of the errno; empty if the call worked.
        value: What the call returned, as `comparable` data.
        upper: The upper directory as it lies on disk, listed before the mount, since a lookup may set xattrs.
        merged: The merged view.
        lowers: Whether all lower layers are unchanged.
    """

    error: str
    value: Any
    upper: Listing
    merged: Listing
    lowers: bool = True

    def digest(self, numbers: bool = True) -> str:
        """A short hash of all of it; without `numbers` not of which names of the merged view share an inode."""
        left_out = () if numbers else ("number",)
        merged = [{key: value for key, value in item.items() if key not in left_out} for item in self.merged]
        text = repr((self.error, self.value, self.upper, merged, self.lowers))
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def moments(
    overlay: Overlay, ops: Iterable[Op], model: type[Overlay] = Overlay, coverage: Coverage | None = None
) -> Iterator[Moment]:
    """Run operations on a model and list everything after each.

    Args:
        model: A subclass of `Overlay` to try a mutant.
        coverage: Counts the places that were reached.
    """
    player, identities = Player(overlay, model=model), Identities()
    before = [layer_listing(lower) for lower in overlay.lowerdirs]
    for operation in ops:
        step = player.do(operation)
        if coverage is not None:
            coverage.take(step, player.overlay)
        upper, merged = layer_listing(player.overlay.upperdir or Directory()), mount_listing(player.system, identities)
        same = before == [layer_listing(lower) for lower in overlay.lowerdirs]
        yield Moment(step.error, comparable(step.value), upper, merged, same)


@dataclass(frozen=True, slots=True)
class Parting:
    """The first difference of two models.

    Args:
        number: Of the operation, from 1.
        what: What differs: ``answer``, ``upper``, ``merged`` or ``lowers``.
        right: The moment of the right model.
        wrong: The moment of the other.
        difference: The first difference of two listings, in words.
    """

    number: int
    op: Op
    what: str
    right: Moment
    wrong: Moment
    difference: str = ""


def parting(given: Experiment, wrong: type[Overlay], right: type[Overlay] = Overlay) -> Parting | None:
    """The first operation after which two models differ; None if they never do."""
    first, second = (moments(given.overlay(), given.ops, model) for model in (right, wrong))
    both = zip(given.ops, first, second, strict=True)
    for number, (operation, one, two) in enumerate(both, start=1):
        if (one.error, one.value) != (two.error, two.value):
            return Parting(number, operation, "answer", one, two)
        for what in ("merged", "upper"):
            if said := first_difference(getattr(one, what), getattr(two, what)):
                return Parting(number, operation, what, one, two, said)
        if one.lowers != two.lowers:
            return Parting(number, operation, "lowers", one, two)
    return None


def shortest(given: Experiment, differs: Callable[[Experiment], bool]) -> Experiment:
    """Shrink an experiment that `differs` until no operation, layer or entry of it can be left out."""
    while (smaller := next(filter(differs, _smaller(given)), None)) is not None:
        given = smaller
    return given


def _smaller(given: Experiment) -> Iterator[Experiment]:
    """All experiments with one thing less, or a plainer one: operations first, then layers, then entries."""
    for position, operation in reversed(list(enumerate(given.ops))):
        yield replace(given, ops=given.ops[:position] + given.ops[position + 1 :])
        if operation != LOOK:
            yield replace(given, ops=(*given.ops[:position], LOOK, *given.ops[position + 1 :]))
    for position, entries in enumerate(given.lowers):
        if len(given.lowers) > 1:
            yield replace(given, lowers=given.lowers[:position] + given.lowers[position + 1 :])
        for fewer in _fewer(entries):
            yield replace(given, lowers=(*given.lowers[:position], fewer, *given.lowers[position + 1 :]))


def _fewer(entries: tuple[tuple[str, str, str], ...]) -> Iterator[tuple[tuple[str, str, str], ...]]:
    """All layers with one entry less, or a plain file or directory in its place."""
    for position, (path, kind, dress) in enumerate(entries):
        before, after = entries[:position], entries[position + 1 :]
        yield (*before, *after)
        if kind not in ("file", "dir"):
            yield (*before, (path, "dir" if kind == "opaque" else "file", dress), *after)
