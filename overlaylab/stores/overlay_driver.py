"""The layers' directories of Docker's overlay2 and of containers-storage's overlay, and their short names in ``l/``.

    l/<26 characters>   -> ../<directory>/diff
    <directory>/link    its own short name
    <directory>/lower   the short names of the layers below, topmost first

The short names keep mount options short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from overlaylab.errors import Finding, Problem
from overlaylab.stores.files.place import Place

from .storage_driver import StorageDriver

_LINK = re.compile(r"[A-Z0-9]{26}")


class OverlayDriver(StorageDriver):
    """The directories of overlay2 or overlay; each has its content in ``diff/``. For arguments, see `StorageDriver`."""

    inner = "diff"

    def __init__(self, place: Place, path: str, pattern: re.Pattern[str], noun: str) -> None:
        super().__init__(place, path, pattern, noun)
        # A memo of short names: each occurs in the lists of all layers above its own.
        self._targets: dict[str, str] = {}

    def names(self) -> tuple[str, ...]:
        """All directories but ``l/``, by their names."""
        return tuple(name for name in super().names() if name != "l")

    def link(self, name: str) -> str | None:
        """A directory's own short name, from its file ``link``."""
        return self.text(f"{self.path}/{name}/link")

    def target(self, link: str) -> str | None:
        """The directory that a short name points to; None if it points nowhere."""
        if link in self._targets:
            return self._targets[link]
        path = f"{self.path}/l/{link}"
        if not _LINK.fullmatch(link) or self.place.type_of(path) != "symlink":
            return None
        target = self.place.link_target(path).removeprefix("../").removesuffix("/diff")
        if not self.is_there(target):
            return None
        self._targets[link] = target
        return target

    def lower(self, name: str) -> tuple[str, ...]:
        """The short names of the layers below, topmost first, from the file ``lower``; none for a bottom layer."""
        text = self.text(f"{self.path}/{name}/lower")
        return tuple(text.split(":")) if text else ()

    def below(self, name: str) -> list[str]:
        """The directories of the layers below, topmost first, as ``lower`` names them.

        Raises:
            Finding: ``dangling-link``.
        """
        found = []
        for short in self.lower(name):
            target = self.target(short.removeprefix("l/"))
            if target is None:
                where = f"{self.place.where}: {self.path}/{name}/lower"
                raise Finding("dangling-link", where, f"a link {short}", "nothing")
            found.append(target)
        return found

    def mount_name(self, name: str) -> str:
        """What a directory is called in mount options: its short name, if it has one."""
        link = self.link(name)
        return f"l/{link}" if link else f"{name}/diff"

    def problems(self, name: str, expected: Sequence[str]) -> Iterator[Problem]:
        """Check that a directory exists, that its short name leads to it, and that ``lower`` lists its ancestors."""
        try:
            yield from self._problems(name, expected)
        except Finding as finding:
            yield finding.problem

    def _problems(self, name: str, expected: Sequence[str]) -> Iterator[Problem]:
        where = f"{self.place.where}: {self.path}"
        if missing := list(self.missing([name])):
            yield from missing
            return
        link = self.link(name)
        if link is not None and self.target(link) != name:
            yield Problem("dangling-link", f"{where}/l/{link}", name, self.target(link) or "nothing")
        found = self.below(name)
        if found != list(expected):
            yield Problem("lower-mismatch", f"{where}/{name}/lower", ":".join(expected), ":".join(found))

    def find(self, path: str) -> str | None:
        """The directory that a path leads through, also by a short name in ``l/``, or that a name means."""
        for above, name in pairwise(path.rstrip("/").split("/")):
            if above == "l" and (target := self.target(name)):
                return target
        return super().find(path)
