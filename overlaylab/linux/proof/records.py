"""Records in JSON, read with types: a field that is missing or wrong is an error with its position.

The form is that of the files in ``tests/data/overlay-vectors``; its README describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from overlaylab.errors import Finding
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Socket, Symlink, parent_of

T = TypeVar("T")


def field(record: Any, name: str, kind: type[T], where: str, default: T | None = None) -> T:
    """A field of a record.

    Args:
        record: A JSON object.
        name: Its key.
        kind: The type that the value must have.
        where: The position of the record, for the error.
        default: The value of a missing field; without one the field must be there.

    Raises:
        Finding: ``wrong-call`` with the position.
    """
    if not isinstance(record, dict):
        raise Finding("wrong-call", where, "an object", repr(record)[:80])
    value = record.get(name, default)
    if isinstance(value, kind) and isinstance(value, bool) is (kind is bool):
        return value
    found = repr(value)[:80] if name in record else "nothing"
    raise Finding("wrong-call", f"{where}.{name}", kind.__name__, found)


def octal(record: Any, name: str, where: str, default: str | None = None) -> int:
    """Permission bits, which are recorded as octal digits."""
    text = field(record, name, str, where, default)
    try:
        return int(text, 8)
    except ValueError:
        raise Finding("wrong-call", f"{where}.{name}", "an octal number", repr(text)) from None


def device_numbers(record: Any, where: str, default: list[int] | None = None) -> tuple[int, int]:
    """Major and minor of a device."""
    match field(record, "rdev", list, where, default):
        case [int(major), int(minor)]:
            return major, minor
        case value:
            raise Finding("wrong-call", f"{where}.rdev", "two numbers", repr(value))


def data_bytes(text: str) -> bytes:
    """Text as bytes: hex digits behind ``0x``, or else text with ``surrogateescape``."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("utf-8", "surrogateescape")


def new_inode(
    kind: str, attributes: Mapping[str, Any], data: bytes = b"", target: str = "", rdev: tuple[int, int] = (0, 0)
) -> Inode:
    """An inode of a type.

    Args:
        kind: As `Inode.type` calls it: ``file``, ``dir``, ``symlink``, ``char``, ``block``, ``fifo`` or ``socket``.
        attributes: Mode, owner, time and the like.

    Raises:
        ValueError: There is no such type.
    """
    if kind == "file":
        return File.of(data, **attributes)
    if kind == "symlink":
        return Symlink(target=target, **attributes)
    if kind in ("char", "block"):
        return Device(kind=kind, rdev=rdev, **attributes)
    plain: dict[str, type[Inode]] = {"dir": Directory, "fifo": Fifo, "socket": Socket}
    if kind in plain:
        return plain[kind](**attributes)
    raise ValueError(f"expected a type of a file, found {kind!r}")


def plant(entries: Iterable[tuple[str, Inode]]) -> Directory:
    """A tree of paths and inodes, each directory before its content, ``.`` the root; KeyError without a directory."""
    directories = {".": Directory()}
    for path, inode in entries:
        if path != ".":
            parent, name = parent_of(path)
            directories[parent].names[name] = inode
        if isinstance(inode, Directory):
            directories[path] = inode
    return directories["."]
