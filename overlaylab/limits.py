"""Limits that keep a hostile input from exhausting memory, disk or time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an input may require before it is refused with a problem of the kind ``limit``.

    Args:
        document: Bytes of one JSON document (config, manifest, index).
        database: Bytes of one database file.
        expanded: Bytes that one compressed stream may expand to.
        ratio: Expanded bytes per compressed byte, checked beyond `free` expanded bytes.
        free: Expanded bytes up to which any ratio is allowed.
        entries: Members of one tar, or entries of one layer.
        depth: Levels of nested indexes.
        path: Bytes of one path, and of one extended tar header value.
    """

    document: int = 32 << 20
    database: int = 512 << 20
    expanded: int = 64 << 30
    ratio: int = 500
    free: int = 1 << 30
    entries: int = 5_000_000
    depth: int = 8
    path: int = 1 << 20


DEFAULT_LIMITS = Limits()
