"""Storage drivers: where an engine keeps the directories of its layers, and what each directory says of those below.

A driver answers four questions: which directories exist, where the content of one lies, which ones it names as lying
below it, and which short name it has. What a store says of its directories follows from these answers; see
`UnpackedStore`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Protocol

from overlaylab.errors import Finding, Problem


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


@contextmanager
def collected(problems: list[Problem]) -> Iterator[None]:
    """Add the problem of a finding to a list, and go on after the block."""
    try:
        yield
    except Finding as finding:
        problems.append(finding.problem)


class StorageDriver:
    """The layers' directories of a store.

    A subclass overrides some of the four primitives: `names`, `content`, `below`, `link`. By default a directory is
    all content, and neither lists others nor has a short name.

    Args:
        place: The store's root.
        path: The directory that holds the layers' directories, such as ``overlay2``.
        pattern: Matches the names of layers' directories.
        noun: What such a name is called, such as ``a cache-id``.
    """

    # The subdirectory that holds the content, such as ``diff``; empty if a directory is all content.
    inner = ""

    def __init__(self, place: Files, path: str, pattern: re.Pattern[str], noun: str) -> None:
        self.place, self.path, self.pattern, self.noun = place, path, pattern, noun
        self._missed: set[str] = set()

    # The four primitives

    def names(self) -> tuple[str, ...]:
        """All directories, by their names."""
        return tuple(name for name in self.place.names(self.path) if self.place.type_of(f"{self.path}/{name}") == "dir")

    def content(self, name: str) -> str:
        """The path of a directory's content, relative to the store's root."""
        return f"{self.path}/{name}/{self.inner}" if self.inner else f"{self.path}/{name}"

    def below(self, name: str) -> list[str] | None:
        """The directories of the layers below, topmost first, as the directory itself lists them; None without a list.

        Raises:
            Finding: ``dangling-link``.
        """
        return None

    def link(self, name: str) -> str | None:
        """A directory's own short name, if it has one."""
        return None

    # What follows from them

    def text(self, path: str) -> str | None:
        """The text of a small file, stripped; None if there is no such file."""
        if not self.place.has(path):
            return None
        return self.place.read(path).decode("utf-8", "surrogateescape").strip()

    def is_there(self, name: str) -> bool:
        """Whether a directory exists, with its content."""
        there = bool(self.pattern.fullmatch(name)) and self.place.type_of(self.content(name)) == "dir"
        if not there:
            self._missed.add(name)
        return there

    def missing(self, names: Iterable[str]) -> Iterator[Problem]:
        """Report each directory that does not exist."""
        return (self._absent("missing-cache-dir", name).problem for name in names if not self.is_there(name))

    def gone(self, name: str) -> Finding:
        """The finding for a directory that is gone: since before the store was opened, or only since then."""
        return self._absent("missing-cache-dir" if name in self._missed else "changed-while-reading", name)

    def _absent(self, kind: str, name: str) -> Finding:
        expected = f"a folder with {self.inner}/" if self.inner else "a folder"
        return Finding(kind, f"{self.place.where}: {self.path}/{name}", expected, "nothing")

    def problems(self, name: str, expected: Sequence[str]) -> Iterator[Problem]:
        """Check that a directory exists, that its short name leads to it, and that it lists its ancestors.

        Args:
            name: The directory.
            expected: The directories of the layers beneath it, topmost first.
        """
        return self.missing([name])

    def find(self, path: str) -> str | None:
        """The directory that a path leads through, or that a name or the unique prefix of one means.

        Args:
            path: ``3f2c…``, or ``/var/lib/docker/overlay2/3f2c…/diff/usr``.
        """
        parts, names = [part for part in path.split("/") if part not in ("", ".")], self.names()
        for parent, name in pairwise(parts):
            if parent == self.path.rpartition("/")[2] and name in names:
                return name
        if len(parts) != 1:
            return None
        fitting = [name for name in names if name == parts[0]] or [name for name in names if name.startswith(parts[0])]
        return fitting[0] if len(fitting) == 1 else None
