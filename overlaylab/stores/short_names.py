"""The short names in ``l/``: symlinks to the directories of layers, there to keep mount options short.

    l/<26 characters> -> ../<directory>/diff        <directory>/link: its own short name        <directory>/lower: those below it

Docker's overlay2 and containers-storage's overlay keep their directories in this same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from overlaylab.errors import Finding, Problem
from overlaylab.stores.files.place import Place

__all__ = ["ShortNames", "named_directory"]

_LINK = re.compile(r"[A-Z0-9]{26}")


class ShortNames:
    """The directories of a driver, with their short names.

    Args:
        place: The root.
        driver: The directory that holds the layers' directories and ``l/``.
        pattern: What names of directories look like.
    """

    def __init__(self, place: Place, driver: str, pattern: re.Pattern[str]) -> None:
        self.place, self.driver, self._pattern = place, driver, pattern
        # Where short names lead: each stands in the lists of all layers above its own.
        self._targets: dict[str, str] = {}
        self._missed: set[str] = set()

    def text(self, path: str) -> str | None:
        """One of the store's small files, stripped; None if it is absent."""
        if not self.place.has(path):
            return None
        return self.place.read(path).decode("utf-8", "surrogateescape").strip()

    def names(self) -> tuple[str, ...]:
        """All directories that could be a layer's."""
        names = self.place.names(self.driver)
        return tuple(
            name
            for name in names
            if self._pattern.fullmatch(name) and self.place.type_of(f"{self.driver}/{name}") == "dir"
        )

    def is_there(self, name: str) -> bool:
        """Whether a directory is there with its ``diff/``."""
        there = bool(self._pattern.fullmatch(name)) and self.place.type_of(f"{self.driver}/{name}/diff") == "dir"
        if not there:
            self._missed.add(name)
        return there

    def missing(self, names: Iterable[str]) -> Iterator[Problem]:
        """A problem for each directory that is not there."""
        for name in names:
            if not self.is_there(name):
                yield Problem(
                    "missing-cache-dir", f"{self.place.where}: {self.driver}/{name}", "a folder with diff/", "nothing"
                )

    def gone(self, name: str) -> Finding:
        """The finding for a directory that cannot be read: it was missed when the store was opened, or has gone since."""
        kind = "missing-cache-dir" if name in self._missed else "changed-while-reading"
        return Finding(kind, f"{self.place.where}: {self.driver}/{name}", "a folder with diff/", "nothing")

    def link(self, name: str) -> str | None:
        """The file ``link`` of a directory: its own short name."""
        return self.text(f"{self.driver}/{name}/link")

    def target(self, link: str) -> str | None:
        """The directory that a short name leads to; None if it leads nowhere."""
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
        """The file ``lower`` of a directory: short names, topmost first; none for a bottom layer."""
        text = self.text(f"{self.driver}/{name}/lower")
        return tuple(text.split(":")) if text else ()

    def below(self, name: str) -> list[str]:
        """The directories that ``lower`` names, topmost first.

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
        """Whether a layer's directory is there, its short name leads to it, and its lower list is its ancestry.

        Args:
            name: The directory.
            expected: The directories of the layers beneath, nearest first.
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
    """The directory that is meant: by its name, the unique beginning of it, or any path that goes through it.

    Args:
        path: ``3f2c…``, or ``/var/lib/docker/overlay2/3f2c…/diff/usr``.
        driver: The name of the directory that holds them all.
        names: The directories that there are.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for above, name in zip(parts, parts[1:]):
        if above == driver and name in names:
            return name
    if len(parts) != 1:
        return None
    fitting = [name for name in names if name == parts[0]] or [name for name in names if name.startswith(parts[0])]
    return fitting[0] if len(fitting) == 1 else None
