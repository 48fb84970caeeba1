"""Operations as they are recorded in files, read into `Op`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overlaylab.errors import Finding
from overlaylab.linux.attributes import XATTR_CREATE, XATTR_REPLACE
from overlaylab.linux.open_files import OPEN_FLAGS
from overlaylab.linux.operations import Op
from overlaylab.overlay.filesystem import EXCHANGE, NOREPLACE, TYPES, WHITEOUT, makedev

from .records import data_bytes, device_numbers, field, octal

# Arguments, as `_Arguments` reads them (after ``=`` the default) -> the recorded names of the calls that take them.
SIGNATURES = {
    "": "remount rotate",
    "path": "read_file listdir rmdir unlink readlink listxattr lstat stat",
    "path data": "write_file overwrite append",
    "path data mode=0644": "create",
    "path open_flags mode=0644 fd": "open",
    "path fd": "opendir",
    "fd": "close fstat readdir rewinddir",
    "fd all offset=0": "read",
    "fd data": "write",
    "fd data offset": "pwrite",
    "fd size": "ftruncate",
    "fd mode": "fchmod",
    "fd uid gid": "fchown",
    "fd offset=0 size": "fallocate",
    "fd map": "mmap",
    "map": "mread",
    "fd dst": "linkfd",
    "path mode=0755": "mkdir",
    "path mode": "chmod",
    "path type_and_mode rdev": "mknod",
    "path uid gid follow": "chown",
    "path mtime follow": "utimens",
    "path size": "truncate",
    "path want": "access",
    "src dst rename_flags": "rename",
    "src dst follow": "link",
    "target path": "symlink",
    "path name value xattr_flag": "setxattr",
    "path name": "getxattr removexattr",
    "mask": "umask",
}

RECORDED = {name: arguments.split() for arguments, names in SIGNATURES.items() for name in names.split()}

# Where `System` has another name for a recorded call.
CALLS = {"read": "pread", "fallocate": "posix_fallocate", "utimens": "utime"}

ALL = 1 << 62

RENAME_FLAGS = {"NOREPLACE": NOREPLACE, "EXCHANGE": EXCHANGE, "WHITEOUT": WHITEOUT}

XATTR_FLAGS = {"": 0, "CREATE": XATTR_CREATE, "REPLACE": XATTR_REPLACE}

ACCESS_BITS = {"r": 4, "w": 2, "x": 1}


class _Arguments:
    """The fields of one recorded operation, read as arguments.

    Args:
        record: A JSON object.
        where: Its position, for the error.
    """

    def __init__(self, record: Any, where: str) -> None:
        if not isinstance(record, dict):
            raise Finding("wrong-call", where, "an operation", record)
        self._record, self._where, self._used = record, where, {"op", "as"}

    def get(self, name: str, kind: type[Any], default: Any = None) -> Any:
        """A field of a type."""
        self._used.add(name)
        return field(self._record, name, kind, self._where, default)

    def read(self, name: str, default: str = "") -> dict[str, Any]:
        """An argument of a call, by its name in `SIGNATURES`, and the text after ``=`` there."""
        match name:
            case "data":
                return {name: self.get(name, str).encode("utf-8", "surrogateescape")}
            case "value":
                return {name: self._bytes(name)}
            case "mode" | "mask":
                return {name: self._octal(name, default)}
            case "type_and_mode":
                return {"mode": TYPES[self._word("type", TYPES)] | self._octal("mode", "0644")}
            case "rdev":
                self._used.add(name)
                return {"device": makedev(*device_numbers(self._record, self._where, [0, 0]))}
            case "uid" | "gid" | "offset":
                return {name: self.get(name, int, int(default) if default else None)}
            case "size":
                return {"length": self.get(name, int)}
            case "all":
                return {"count": ALL}
            case "mtime":
                return {"ns": (self.get(name, int) * 10**9,) * 2}
            case "follow":
                return {"follow_symlinks": self.get(name, bool, False)}
            case "open_flags":
                return {"flags": self._flags(OPEN_FLAGS) | OPEN_FLAGS["O_NONBLOCK"]}
            case "rename_flags":
                return {"flags": self._flags(RENAME_FLAGS)}
            case "xattr_flag":
                return {"flags": XATTR_FLAGS[self._word("flag", XATTR_FLAGS, "")]}
            case "want":
                letters = set(self.get(name, str))
                if letters - set(ACCESS_BITS):
                    raise self._wrong(name, "letters of rwx")
                return {"mode": sum(ACCESS_BITS[letter] for letter in letters)}
        return {name: self.get(name, str)}

    def _octal(self, name: str, default: str) -> int:
        self._used.add(name)
        return octal(self._record, name, self._where, default or None)

    def _bytes(self, name: str) -> bytes:
        try:
            return data_bytes(self.get(name, str))
        except ValueError:
            raise self._wrong(name, "hex digits") from None

    def _word(self, name: str, known: Mapping[str, int], default: str | None = None) -> str:
        word: str = self.get(name, str, default)
        if word not in known:
            raise self._wrong(name, ", ".join(filter(None, known)))
        return word

    def _flags(self, known: Mapping[str, int]) -> int:
        value = 0
        for word in self.get("flags", list, []):
            if word not in known:
                raise self._wrong("flags", "a list of flag names")
            value |= known[word]
        return value

    def _wrong(self, name: str, expected: str) -> Finding:
        return Finding("wrong-call", f"{self._where}.{name}", expected, repr(self._record[name]))

    def finish(self) -> None:
        """Refuse fields that no argument was read from."""
        if unknown := sorted(set(self._record) - self._used):
            raise self._wrong(unknown[0], "no such field")


def parse_op(record: Any, where: str = "op") -> Op:
    """Read an operation as it is recorded in files.

    Args:
        record: For example ``{"op": "mkdir", "path": "d", "as": {"uid": 1000, "gid": 1000}}``.
        where: Its position, for the error.

    Raises:
        Finding: ``wrong-call`` with the position, for an operation that does not exist, and for fields that are
            missing, unknown or of the wrong type.
    """
    fields = _Arguments(record, where)
    name = fields.get("op", str)
    name = "pwrite" if name == "write" and "offset" in record else name
    if name not in RECORDED:
        raise Finding("wrong-call", f"{where}.op", "a recorded operation", repr(name))
    arguments: dict[str, Any] = {}
    for argument in RECORDED[name]:
        argument, _, default = argument.partition("=")
        arguments |= fields.read(argument, default)
    caller = _Arguments(record.get("as", {}), f"{where}.as")
    made = Op(CALLS.get(name, name), arguments, caller.get("uid", int, 0), caller.get("gid", int, 0))
    fields.finish()
    return made
