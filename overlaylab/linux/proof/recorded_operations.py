"""Operations as they are recorded in files, read into `Op`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overlaylab.errors import Finding
from overlaylab.linux.attributes import XATTR_CREATE, XATTR_REPLACE
from overlaylab.linux.open_files import OPEN_FLAGS
from overlaylab.linux.operations import Op
from overlaylab.overlay.filesystem import EXCHANGE, NOREPLACE, TYPES, WHITEOUT, makedev

from .records import data_bytes, device_numbers, field, octal

__all__ = ["parse_op"]

ALL = 1 << 62

RENAME_FLAGS = {"NOREPLACE": NOREPLACE, "EXCHANGE": EXCHANGE, "WHITEOUT": WHITEOUT}

XATTR_FLAGS = {"": 0, "CREATE": XATTR_CREATE, "REPLACE": XATTR_REPLACE}

ACCESS_BITS = {"r": 4, "w": 2, "x": 1}


class _Record:
    """One recorded operation, whose fields are asked for by type.

    Args:
        record: A JSON object.
        where: Its position, for the error.
    """

    def __init__(self, record: Any, where: str) -> None:
        if not isinstance(record, dict):
            raise Finding("wrong-call", where, "an operation", record)
        self.record, self._where, self._used = record, where, {"op", "as"}

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        self._used.add(name)
        return field(self.record, name, str, self._where, default)

    def texts(self, *names: str) -> dict[str, Any]:
        """Several arguments that are texts."""
        return {name: self.text(name) for name in names}

    def number(self, name: str, default: int | None = None) -> int:
        """A number."""
        self._used.add(name)
        return field(self.record, name, int, self._where, default)

    def owner(self) -> dict[str, Any]:
        """User and group."""
        return {"uid": self.number("uid"), "gid": self.number("gid")}

    def follow(self) -> dict[str, Any]:
        """Whether symbolic links are followed."""
        self._used.add("follow")
        return {"follow_symlinks": field(self.record, "follow", bool, self._where, False)}

    def mode(self, default: str | None = None, name: str = "mode") -> dict[str, Any]:
        """Permission bits."""
        self._used.add(name)
        return {name: octal(self.record, name, self._where, default)}

    def data(self) -> dict[str, Any]:
        """What is written to a file."""
        return {"data": self.text("data").encode("utf-8", "surrogateescape")}

    def value(self) -> dict[str, Any]:
        """The value of an xattr."""
        try:
            return {"value": data_bytes(self.text("value"))}
        except ValueError:
            raise self.wrong("value", "hex digits") from None

    def flags(self, known: Mapping[str, int]) -> int:
        """Flags by name, added up."""
        self._used.add("flags")
        words = field(self.record, "flags", list, self._where, [])
        if unknown := [word for word in words if word not in known]:
            raise Finding("wrong-call", f"{self._where}.flags", "a list of flag names", repr(unknown[0]))
        value = 0
        for word in words:
            value |= known[word]
        return value

    def device(self) -> int:
        """A device number."""
        self._used.add("rdev")
        return makedev(*device_numbers(self.record, self._where, [0, 0]))

    def wrong(self, name: str, expected: str) -> Finding:
        """The error for a field that is not understood."""
        return Finding("wrong-call", f"{self._where}.{name}", expected, repr(self.record[name]))

    def finish(self) -> None:
        """Refuse fields that no argument was made of."""
        if unknown := sorted(set(self.record) - self._used):
            raise self.wrong(unknown[0], "no such field")


def _access(record: _Record) -> dict[str, Any]:
    letters = set(record.text("want"))
    if letters - set(ACCESS_BITS):
        raise record.wrong("want", "letters of rwx")
    return {**record.texts("path"), "mode": sum(ACCESS_BITS[letter] for letter in letters)}


def _utimens(record: _Record) -> dict[str, Any]:
    when = record.number("mtime") * 10**9
    return {**record.texts("path"), "ns": (when, when), **record.follow()}


def _mknod(record: _Record) -> dict[str, Any]:
    kind = record.text("type")
    if kind not in TYPES:
        raise record.wrong("type", ", ".join(TYPES))
    mode = TYPES[kind] | record.mode("0644")["mode"]
    return {**record.texts("path"), "mode": mode, "device": record.device()}


def _setxattr(record: _Record) -> dict[str, Any]:
    flag = record.text("flag", "")
    if flag not in XATTR_FLAGS:
        raise record.wrong("flag", ", ".join(filter(None, XATTR_FLAGS)))
    return {**record.texts("path", "name"), **record.value(), "flags": XATTR_FLAGS[flag]}


def _open(record: _Record) -> dict[str, Any]:
    flags = record.flags(OPEN_FLAGS) | OPEN_FLAGS["O_NONBLOCK"]
    return {**record.texts("path"), "flags": flags, **record.mode("0644"), **record.texts("fd")}


def _read(record: _Record) -> dict[str, Any]:
    return {**record.texts("fd"), "count": ALL, "offset": record.number("offset", 0)}


def _fallocate(record: _Record) -> dict[str, Any]:
    return {**record.texts("fd"), "offset": record.number("offset", 0), "length": record.number("size")}


def _path(record: _Record) -> dict[str, Any]:
    return record.texts("path")


def _path_data(record: _Record) -> dict[str, Any]:
    return {**record.texts("path"), **record.data()}


def _fd(record: _Record) -> dict[str, Any]:
    return record.texts("fd")


# Recorded name -> the call of `System`, and how its arguments are read.
RECORDED: dict[str, tuple[str, Callable[[_Record], dict[str, Any]]]] = {
    "create": ("create", lambda r: {**_path_data(r), **r.mode("0644")}),
    "write_file": ("write_file", _path_data),
    "overwrite": ("overwrite", _path_data),
    "append": ("append", _path_data),
    "read_file": ("read_file", _path),
    "open": ("open", _open),
    "read": ("pread", _read),
    "write": ("write", lambda r: {**_fd(r), **r.data()}),
    "pwrite": ("pwrite", lambda r: {**_fd(r), **r.data(), "offset": r.number("offset")}),
    "close": ("close", _fd),
    "fstat": ("fstat", _fd),
    "ftruncate": ("ftruncate", lambda r: {**_fd(r), "length": r.number("size")}),
    "fchmod": ("fchmod", lambda r: {**_fd(r), **r.mode()}),
    "fchown": ("fchown", lambda r: {**_fd(r), **r.owner()}),
    "fallocate": ("posix_fallocate", _fallocate),
    "mmap": ("mmap", lambda r: r.texts("fd", "map")),
    "mread": ("mread", lambda r: r.texts("map")),
    "linkfd": ("linkfd", lambda r: r.texts("fd", "dst")),
    "opendir": ("opendir", lambda r: r.texts("path", "fd")),
    "readdir": ("readdir", _fd),
    "rewinddir": ("rewinddir", _fd),
    "listdir": ("listdir", _path),
    "mkdir": ("mkdir", lambda r: {**_path(r), **r.mode("0755")}),
    "rmdir": ("rmdir", _path),
    "unlink": ("unlink", _path),
    "readlink": ("readlink", _path),
    "rename": ("rename", lambda r: {**r.texts("src", "dst"), "flags": r.flags(RENAME_FLAGS)}),
    "link": ("link", lambda r: {**r.texts("src", "dst"), **r.follow()}),
    "symlink": ("symlink", lambda r: r.texts("target", "path")),
    "mknod": ("mknod", _mknod),
    "chmod": ("chmod", lambda r: {**_path(r), **r.mode()}),
    "chown": ("chown", lambda r: {**_path(r), **r.owner(), **r.follow()}),
    "utimens": ("utime", _utimens),
    "truncate": ("truncate", lambda r: {**_path(r), "length": r.number("size")}),
    "setxattr": ("setxattr", _setxattr),
    "getxattr": ("getxattr", lambda r: r.texts("path", "name")),
    "removexattr": ("removexattr", lambda r: r.texts("path", "name")),
    "listxattr": ("listxattr", _path),
    "lstat": ("lstat", _path),
    "stat": ("stat", _path),
    "access": ("access", _access),
    "umask": ("umask", lambda r: r.mode(name="mask")),
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
    name = fields.text("op")
    name = "pwrite" if name == "write" and "offset" in record else name
    if name not in RECORDED:
        raise Finding("wrong-call", f"{where}.op", "a recorded operation", repr(name))
    call, arguments = RECORDED[name]
    caller = _Record(record.get("as", {}), f"{where}.as")
    made = Op(call, arguments(fields), caller.number("uid", 0), caller.number("gid", 0))
    fields.finish()
    return made
