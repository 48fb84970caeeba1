"""Operations as data, and steps: what a call gave, what it did, and what it changed.

An operation names a call of `System`. There is no other dispatch: running one looks
its name up there, a kernel runner looks the same name up in its own surface, and a
generator shrinks the data. A step keeps the changes of the upper, not a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from overlaylab.errors import Finding, error_name
from overlaylab.overlay.features import Features
from overlaylab.overlay.filesystem import EXCHANGE, NOREPLACE, TYPES, WHITEOUT, makedev
from overlaylab.overlay.journal import Change, Effect, redo, undo
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import copied

from .attributes import XATTR_CREATE, XATTR_REPLACE
from .open_files import OPEN_FLAGS
from .system import System

__all__ = ["Op", "Player", "Step", "op", "parse_op", "run", "simulate"]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Args:
        call: The name of a method of `System`.
        args: Its arguments by name.
        uid: The caller's effective user.
        gid: The caller's effective group.

    Example:
        >>> op("mkdir", path="d")
        op('mkdir', path='d')
    """

    call: str
    args: Mapping[str, Any] = field(default_factory=dict)
    uid: int = 0
    gid: int = 0

    def __repr__(self) -> str:
        words = [repr(self.call), *(f"{name}={value!r}" for name, value in self.args.items())]
        words += [f"by={(self.uid, self.gid)}"] if self.uid or self.gid else []
        return f"op({', '.join(words)})"


def op(call: str, /, *, by: tuple[int, int] = (0, 0), **args: Any) -> Op:
    """Make an operation.

    Args:
        call: The name of a method of `System`.
        by: Effective user and group of the caller.
        args: The call's arguments.

    Raises:
        Finding: ``wrong-call`` for a call that `System` does not have.
    """
    if call.startswith("_") or not callable(getattr(System, call, None)):
        raise Finding("wrong-call", "operation", "a call of System", call)
    return Op(call, args, *by)


@dataclass(frozen=True, slots=True)
class Step:
    """What one operation did.

    Args:
        op: The operation.
        value: What the call gave back; None if it failed.
        errno: The number of the error, or None.
        effects: What happened in the upper layer besides, in order.
        changes: Every write, for `undo` and `redo`.
    """

    op: Op
    value: Any
    errno: int | None
    effects: tuple[Effect, ...]
    changes: tuple[Change, ...] = field(repr=False)

    @property
    def error(self) -> str:
        """The name of the error, such as ``ENOENT``; empty if the call worked."""
        return "" if self.errno is None else error_name(self.errno)


def run(system: System, operation: Op) -> Step:
    """Run one operation."""
    value, number = None, None
    with system.acting(operation.uid, operation.gid):
        try:
            value = getattr(system, operation.call)(**operation.args)
        except OSError as error:
            number = error.errno
    changes, effects = system.journal.take()
    return Step(operation, value, number, effects, changes)


def simulate(overlay: Overlay, ops: Iterable[Op], options: MountOptions | Features | None = None) -> tuple[Step, ...]:
    """Run operations on a copy of an overlay's upper layer; the lower layers are shared.

    Args:
        overlay: Where it begins. It is not changed.
        ops: What to do, in order.
        options: How it is mounted, if not as `overlay` is.
    """
    return Player(overlay, ops, options).steps


class Player:
    """Steps that can be walked back and forth.

    Args:
        overlay: Where it begins. It is not changed: the player works on a copy of its upper layer.
        ops: What to do, in order; more can be done with `do`.
        options: How it is mounted, if not as `overlay` is.
        model: The class of the copy: another one than `Overlay` to try a deliberately wrong rule.
    """

    def __init__(
        self,
        overlay: Overlay,
        ops: Iterable[Op] = (),
        options: MountOptions | Features | None = None,
        model: type[Overlay] = Overlay,
    ) -> None:
        features = options.features() if isinstance(options, MountOptions) else options or overlay.features
        own = model(
            lowerdirs=overlay.lowerdirs,
            datadirs=overlay.datadirs,
            features=features,
            userns=overlay.userns,
            upperdir=None if overlay.upperdir is None else copied(overlay.upperdir),
            read_only=overlay.read_only,
        )
        self.system = System.over(own)
        self._steps: list[Step] = []
        self.position = 0
        self.system.journal.take()
        for operation in ops:
            self.do(operation)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, also those that were taken back."""
        return tuple(self._steps)

    @property
    def overlay(self) -> Overlay:
        """The overlay as it is at the present position."""
        return self.system.cwd.fs

    def do(self, operation: Op) -> Step:
        """Run one more operation; steps that were taken back are forgotten.

        Raises:
            Finding: ``missing-content`` for the data of a file that was not kept; nothing has changed then.
        """
        self.system.journal.take()
        del self._steps[self.position :]
        try:
            step = run(self.system, operation)
        except Finding:
            self._undo_looks()
            raise
        self._steps.append(step)
        self.position += 1
        return step

    def go(self, position: int) -> None:
        """Go to the moment after so many steps, taking changes back or making them again.

        Raises:
            Finding: ``wrong-call`` for a position that does not exist.
        """
        if not 0 <= position <= len(self._steps):
            raise Finding("wrong-call", "position", f"0 to {len(self._steps)}", position)
        self._undo_looks()
        while self.position > position:
            self.position -= 1
            undo(self._steps[self.position].changes)
        while self.position < position:
            redo(self._steps[self.position].changes)
            self.position += 1

    def _undo_looks(self) -> None:
        """Looking writes marks too (cu-23); what a viewer's looks wrote belongs to no step."""
        undo(self.system.journal.take()[0])


# --- operations as they are recorded in files

_OCTAL, _FLAGS = "an octal number in text", "a list of flag names"


class _Record:
    """One recorded operation, whose fields are asked for by type."""

    def __init__(self, record: Any, where: str) -> None:
        if not isinstance(record, dict):
            raise Finding("wrong-call", where, "an operation", record)
        self._record, self._where, self.used = record, where, {"op", "as"}

    def get(self, name: str, kind: type | tuple[type, ...] = str, default: Any = ...) -> Any:
        """A field of a type; without a default it must be there."""
        self.used.add(name)
        value = self._record.get(name, default)
        if value is default and default is not ...:
            return default
        if value is ... or not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise Finding("wrong-call", f"{self._where}.{name}", kind, "nothing" if value is ... else repr(value))
        return value

    def octal(self, name: str, default: int | None = None) -> int:
        """Permission bits."""
        text = self.get(name, str, ... if default is None else "")
        try:
            return int(text, 8) if text else default
        except ValueError:
            raise Finding("wrong-call", f"{self._where}.{name}", _OCTAL, repr(text)) from None

    def bits(self, name: str, known: Mapping[str, int]) -> int:
        """Flags by name."""
        value = 0
        for word in self.get(name, list, []):
            if word not in known:
                raise Finding("wrong-call", f"{self._where}.{name}", _FLAGS, repr(word))
            value |= known[word]
        return value

    def bytes(self, name: str) -> bytes:
        """Text as bytes; ``0x`` before hex digits."""
        text = self.get(name)
        try:
            return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("utf-8", "surrogateescape")
        except ValueError:
            raise Finding("wrong-call", f"{self._where}.{name}", "hex digits", repr(text)) from None

    def text(self, name: str) -> bytes:
        """Content of a file."""
        return self.get(name).encode("utf-8", "surrogateescape")

    def rdev(self) -> int:
        """A device number."""
        value = self.get("rdev", list, [0, 0])
        if len(value) != 2 or not all(isinstance(number, int) for number in value):
            raise Finding("wrong-call", f"{self._where}.rdev", "two numbers", repr(value))
        return makedev(*value)

    def finish(self) -> None:
        """Refuse fields that nobody asked for."""
        if unknown := sorted(set(self._record) - self.used):
            raise Finding("wrong-call", f"{self._where}.{unknown[0]}", "no such field", repr(self._record[unknown[0]]))


_RENAME = {"NOREPLACE": NOREPLACE, "EXCHANGE": EXCHANGE, "WHITEOUT": WHITEOUT}

_XATTR = {"": 0, "CREATE": XATTR_CREATE, "REPLACE": XATTR_REPLACE}

_WANT = {"r": 4, "w": 2, "x": 1}


def _path(record: _Record) -> dict[str, Any]:
    return {"path": record.get("path")}


def _path_data(record: _Record) -> dict[str, Any]:
    return {"path": record.get("path"), "data": record.text("data")}


def _fd(record: _Record) -> dict[str, Any]:
    return {"fd": record.get("fd")}


def _choice(record: _Record, name: str, known: Mapping[str, int]) -> int:
    word = record.get(name, str, "")
    if word not in known:
        raise Finding("wrong-call", name, ", ".join(filter(None, known)), repr(word))
    return known[word]


def _want(record: _Record) -> int:
    letters = record.get("want")
    if set(letters) - set(_WANT):
        raise Finding("wrong-call", "want", "letters of rwx", repr(letters))
    return sum(_WANT[letter] for letter in set(letters))


def _utimens(record: _Record) -> dict[str, Any]:
    when = record.get("mtime", int) * 10**9
    return {"path": record.get("path"), "ns": (when, when), "follow_symlinks": record.get("follow", bool, False)}


def _mknod(record: _Record) -> dict[str, Any]:
    kind = record.get("type")
    if kind not in TYPES:
        raise Finding("wrong-call", "type", ", ".join(TYPES), repr(kind))
    return {"path": record.get("path"), "mode": TYPES[kind] | record.octal("mode", 0o644), "device": record.rdev()}


# Recorded name -> the call of System, and how its arguments are read.
RECORDED: dict[str, tuple[str, Callable[[_Record], dict[str, Any]]]] = {
    "create": ("create", lambda r: {**_path_data(r), "mode": r.octal("mode", 0o644)}),
    "write_file": ("write_file", _path_data),
    "overwrite": ("overwrite", _path_data),
    "append": ("append", _path_data),
    "read_file": ("read_file", _path),
    "open": (
        "open",
        lambda r: {
            "path": r.get("path"),
            "flags": r.bits("flags", OPEN_FLAGS) | OPEN_FLAGS["O_NONBLOCK"],
            "mode": r.octal("mode", 0o644),
            "fd": r.get("fd"),
        },
    ),
    "read": ("pread", lambda r: {**_fd(r), "count": 1 << 62, "offset": r.get("offset", int, 0)}),
    "write": ("write", lambda r: {**_fd(r), "data": r.text("data")}),
    "pwrite": ("pwrite", lambda r: {**_fd(r), "data": r.text("data"), "offset": r.get("offset", int)}),
    "close": ("close", _fd),
    "fstat": ("fstat", _fd),
    "ftruncate": ("ftruncate", lambda r: {**_fd(r), "length": r.get("size", int)}),
    "fchmod": ("fchmod", lambda r: {**_fd(r), "mode": r.octal("mode")}),
    "fchown": ("fchown", lambda r: {**_fd(r), "uid": r.get("uid", int), "gid": r.get("gid", int)}),
    "fallocate": (
        "posix_fallocate",
        lambda r: {**_fd(r), "offset": r.get("offset", int, 0), "length": r.get("size", int)},
    ),
    "mmap": ("mmap", lambda r: {**_fd(r), "map": r.get("map")}),
    "mread": ("mread", lambda r: {"map": r.get("map")}),
    "linkfd": ("linkfd", lambda r: {**_fd(r), "dst": r.get("dst")}),
    "opendir": ("opendir", lambda r: {**_path(r), **_fd(r)}),
    "readdir": ("readdir", _fd),
    "rewinddir": ("rewinddir", _fd),
    "listdir": ("listdir", _path),
    "mkdir": ("mkdir", lambda r: {**_path(r), "mode": r.octal("mode", 0o755)}),
    "rmdir": ("rmdir", _path),
    "unlink": ("unlink", _path),
    "readlink": ("readlink", _path),
    "rename": ("rename", lambda r: {"src": r.get("src"), "dst": r.get("dst"), "flags": r.bits("flags", _RENAME)}),
    "link": (
        "link",
        lambda r: {"src": r.get("src"), "dst": r.get("dst"), "follow_symlinks": r.get("follow", bool, False)},
    ),
    "symlink": ("symlink", lambda r: {"target": r.get("target"), **_path(r)}),
    "mknod": ("mknod", _mknod),
    "chmod": ("chmod", lambda r: {**_path(r), "mode": r.octal("mode")}),
    "chown": (
        "chown",
        lambda r: {
            **_path(r),
            "uid": r.get("uid", int),
            "gid": r.get("gid", int),
            "follow_symlinks": r.get("follow", bool, False),
        },
    ),
    "utimens": ("utime", _utimens),
    "truncate": ("truncate", lambda r: {**_path(r), "length": r.get("size", int)}),
    "setxattr": (
        "setxattr",
        lambda r: {
            **_path(r),
            "name": r.get("name"),
            "value": r.bytes("value"),
            "flags": _choice(r, "flag", _XATTR),
        },
    ),
    "getxattr": ("getxattr", lambda r: {**_path(r), "name": r.get("name")}),
    "removexattr": ("removexattr", lambda r: {**_path(r), "name": r.get("name")}),
    "listxattr": ("listxattr", _path),
    "lstat": ("lstat", _path),
    "stat": ("stat", _path),
    "access": ("access", lambda r: {**_path(r), "mode": _want(r)}),
    "umask": ("umask", lambda r: {"mask": r.octal("mask")}),
    "remount": ("remount", lambda r: {}),
    "rotate": ("rotate", lambda r: {}),
}


def parse_op(record: Any, where: str = "op") -> Op:
    """Read an operation as it is recorded in files.

    Args:
        record: For example ``{"op": "mkdir", "path": "d", "as": {"uid": 1000, "gid": 1000}}``.
        where: Its position, for the error.

    Raises:
        Finding: ``wrong-call`` with the position, for an operation that does not exist, and for fields that are
            missing, unknown or of the wrong type.
    """
    fields = _Record(record, where)
    name = fields.get("op")
    name = "pwrite" if name == "write" and "offset" in record else name
    if name not in RECORDED:
        raise Finding("wrong-call", f"{where}.op", "a recorded operation", repr(name))
    call, arguments = RECORDED[name]
    caller = _Record(record.get("as", {}), f"{where}.as")
    made = Op(call, arguments(fields), caller.get("uid", int, 0), caller.get("gid", int, 0))
    fields.finish()
    return made
