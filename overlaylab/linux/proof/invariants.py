"""Invariants: what must hold for the model after every operation."""

from __future__ import annotations

from overlaylab.errors import OverlayLabError
from overlaylab.linux.path_walk import LONGEST_NAME
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, Inode

from .compare import layer_listing


class Corrupt(OverlayLabError, RuntimeError):
    """The model contradicts itself: a bug of the model, never of the input."""


class Guard:
    """Checks the invariants of an overlay in tests.

    Args:
        overlay: The overlay; the present state of its lower layers is recorded.
    """

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = overlay
        self._lowers = [layer_listing(layer) for layer in (*overlay.lowerdirs, *overlay.datadirs)]
        self._foreign: set[int] = set()
        for layer in (*overlay.lowerdirs, *overlay.datadirs):
            self._collect(layer, self._foreign)

    def check(self, deep: bool = True) -> None:
        """Check everything.

        Args:
            deep: Whether the lower layers are compared with their recorded state.

        Raises:
            Corrupt: A directory has two names, a link count is wrong, a name is impossible, an inode of a lower layer
                stands in the upper, or a lower layer has changed.
        """
        if self.overlay.upperdir is not None:
            self._check_upper(self.overlay.upperdir)
        if deep and self._lowers != [
            layer_listing(layer) for layer in (*self.overlay.lowerdirs, *self.overlay.datadirs)
        ]:
            raise Corrupt("a lower layer has changed")

    def _check_upper(self, upper: Directory) -> None:
        inodes: list[Inode] = []
        names: dict[int, int] = {}
        waiting: list[tuple[str, Inode]] = [(".", upper)]
        while waiting:
            path, inode = waiting.pop()
            names[id(inode)] = names.get(id(inode), 0) + 1
            inodes.append(inode)
            if id(inode) in self._foreign:
                raise Corrupt(f"{path} is an inode of a lower layer")
            if isinstance(inode, Directory):
                if names[id(inode)] > 1:
                    raise Corrupt(f"{path} is a directory with two names")
                waiting += [(f"{path}/{self._name(path, name)}", child) for name, child in inode.names.items()]
        self._check_links(inodes, names)

    def _name(self, path: str, name: str) -> str:
        if name in ("", ".", "..") or "/" in name or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
            raise Corrupt(f"{name!r} in {path} is no name")
        return name

    def _check_links(self, inodes: list[Inode], names: dict[int, int]) -> None:
        indexed = {id(inode) for inode in self.overlay.index.values()}
        for inode in inodes:
            if not isinstance(inode, Directory) and inode.nlink != names[id(inode)] + (id(inode) in indexed):
                raise Corrupt(f"a {inode.type} has {names[id(inode)]} names and counts {inode.nlink}")

    def _collect(self, directory: Directory, into: set[int]) -> None:
        waiting: list[Inode] = [directory]
        while waiting:
            inode = waiting.pop()
            into.add(id(inode))
            if isinstance(inode, Directory):
                waiting += inode.names.values()
