"""The short names in ``l/``: symlinks to the layers' directories, which keep mount options short.

    l/<26 characters>   -> ../<directory>/diff
    <directory>/link    its own short name
    <directory>/lower   the short names of the layers below, topmost first

Docker's overlay2 and containers-storage's overlay use the same layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

from overlaylab.errors import Finding, Problem

__all__ = ["Files", "ShortNames", "named_directory"]

_LINK = re.compile(r"[A-Z0-9]{26}")


class Files(Protocol):
    """Read access to the files of a store: a `Place`, be it a directory or a tar of one."""

    where: str

    def has(self, name: str, /) -> bool:
        """Whether there is something of this name; symlinks are followed."""

    def read(self, name: str, /) -> bytes:
        """The bytes of a file."""

    def names(self, path: str, /) -> tuple[str, ...]:
        """The names in a directory, sorted; none if it does not exist."""

    def type_of(self, path: str, /) -> str | None:
        """``file``, ``dir``, ``symlink``, ``other``, or None; a symlink is not followed."""

    def link_target(self, path: str, /) -> str:
        """The text of a symlink."""


class ShortNames:
    """The layers' directories of a driver, with their short names.

    Args:
        place: The store's root.
        driver: The directory that holds the layers' directories and ``l/``, such as ``overlay2``.
        pattern: Matches the names of layers' directories.
    """

    def __init__(self, place: Files, driver: str, pattern: re.Pattern[str]) -> None:
        self.place, self.driver, self._pattern = place, driver, pattern
        # A memo of short names: each occurs in the lists of all layers above its own.
        self._targets: dict[str, str] = {}
        self._missed: set[str] = set()

    def text(self, path: str) -> str | None:
        """The text of a small file, stripped; None if there is no such file."""
        if not self.place.has(path):
            return None
        return self.place.read(path).decode("utf-8", "surrogateescape").strip()

    def names(self) -> tuple[str, ...]:
        """All directories that may belong to a layer, by their names."""
        names = self.place.names(self.driver)
        return tuple(
            name
            for name in names
            if self._pattern.fullmatch(name) and self.place.type_of(f"{self.driver}/{name}") == "dir"
        )

    def is_there(self, name: str) -> bool:
        """Whether a directory exists and has its ``diff/``."""
        there = bool(self._pattern.fullmatch(name)) and self.place.type_of(f"{self.driver}/{name}/diff") == "dir"
        if not there:
            self._missed.add(name)
        return there

    def missing(self, names: Iterable[str]) -> Iterator[Problem]:
        """Report each directory that does not exist."""
        for name in names:
            if not self.is_there(name):
                yield Problem(
                    "missing-cache-dir", f"{self.place.where}: {self.driver}/{name}", "a folder with diff/", "nothing"
                )

    def gone(self, name: str) -> Finding:
        """The finding for a directory that is gone: since before the store was opened, or only since then."""
        kind = "missing-cache-dir" if name in self._missed else "changed-while-reading"
        return Finding(kind, f"{self.place.where}: {self.driver}/{name}", "a folder with diff/", "nothing")

    def link(self, name: str) -> str | None:
        """A directory's own short name, from its file ``link``."""
        return self.text(f"{self.driver}/{name}/link")

    def target(self, link: str) -> str | None:
        """The directory that a short name points to; None if it points nowhere."""
        if link in self._targets:
            return self._targets[link]
        path = f"{self.driver}/l/{link}"
        if not _LINK.fullmatch(link) or self.place.type_of(path) != "symlink":
            return None
        target = self.place.link_target(path).removeprefix("../").removesuffix("/diff")
        if not self.is_there(target):
            return None
        self._targets[link] = target
        return target

    def lower(self, name: str) -> tuple[str, ...]:
        """The short names of the layers below, topmost first, from the file ``lower``; none for a bottom layer."""
        text = self.text(f"{self.driver}/{name}/lower")
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
                raise Finding(
                    "dangling-link", f"{self.place.where}: {self.driver}/{name}/lower", f"a link {short}", "nothing"
                )
            found.append(target)
        return found

    def problems(self, name: str, expected: Sequence[str]) -> Iterator[Problem]:
        """Check that a directory exists, that its short name leads to it, and that ``lower`` lists its ancestors.

        Args:
            name: The directory.
            expected: The directories of the layers beneath it, topmost first.
        """
        try:
            yield from self._problems(name, expected)
        except Finding as finding:
            yield finding.problem

    def _problems(self, name: str, expected: Sequence[str]) -> Iterator[Problem]:
        where = f"{self.place.where}: {self.driver}/{name}"
        if missing := list(self.missing([name])):
            yield from missing
            return
        link = self.link(name)
        if link is not None and self.target(link) != name:
            yield Problem(
                "dangling-link", f"{self.place.where}: {self.driver}/l/{link}", name, self.target(link) or "nothing"
            )
        found = self.below(name)
        if found != list(expected):
            yield Problem("lower-mismatch", f"{where}/lower", ":".join(expected), ":".join(found))


def named_directory(path: str, driver: str, names: Sequence[str]) -> str | None:
    """Find a directory by its name, by a unique prefix of it, or by a path that leads through it.

    Args:
        path: ``3f2c…``, or ``/var/lib/docker/overlay2/3f2c…/diff/usr``.
        driver: The name of the directory that holds them, such as ``overlay2``.
        names: The existing directories.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for above, name in pairwise(parts):
        if above == driver and name in names:
            return name
    if len(parts) != 1:
        return None
    fitting = [name for name in names if name == parts[0]] or [name for name in names if name.startswith(parts[0])]
    return fitting[0] if len(fitting) == 1 else None
