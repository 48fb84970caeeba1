"""Two layers, and what is wrong with a store: shared by the tests of inputs that real users brought."""

from __future__ import annotations

from pathlib import Path

import overlaylab as ol
from tests.support.builders import member, tar, write

EMPTY = bytes(1024)
BASE = tar("etc/", member("etc/hello", b"hello\n"))
TOP = tar("etc/", member("etc/.wh.hello"), member("etc/new", b"new\n"))


def kinds(store: ol.Store, severity: str | None = None) -> list[str]:
    """The kinds of the problems that `validate` reports, of one severity or of all."""
    return [p.kind for p in ol.validate(store).problems if severity in (None, p.severity)]


def opened(folder: Path, data: bytes) -> ol.Store:
    """Write an archive and open it."""
    return ol.open_store(write(folder, data))
