"""Invariants: what must hold for the model after every operation."""

from __future__ import annotations

from collections import Counter

from overlaylab.errors import OverlayLabError
from overlaylab.linux.path_walk import LONGEST_NAME
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, Inode, walk

from .compare import layer_listing


class Corrupt(OverlayLabError, RuntimeError):
    """The model contradicts itself: a bug of the model, never of the input."""


class Guard:
    """Checks the invariants of an overlay; the present state of its lower layers is recorded."""

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = overlay
        self._layers = (*overlay.lowerdirs, *overlay.datadirs)
        self._lowers = [layer_listing(layer) for layer in self._layers]
        self._foreign = {id(inode) for layer in self._layers for _, inode in walk(layer)}

    def check(self, deep: bool = True) -> None:
        """Check everything; the lower layers only if `deep`.

        Raises:
            Corrupt: A directory has two names, a link count is wrong, a name is impossible, an inode of a lower layer
                stands in the upper, or a lower layer has changed.
        """
        if self.overlay.upperdir is not None:
            self._check_upper(self.overlay.upperdir)
        if deep and self._lowers != [layer_listing(layer) for layer in self._layers]:
            raise Corrupt("a lower layer has changed")

    def _check_upper(self, upper: Directory) -> None:
        inodes: dict[int, Inode] = {}
        names: Counter[int] = Counter()
        for path, inode in walk(upper):
            inodes[id(inode)] = inode
            names[id(inode)] += 1
            if id(inode) in self._foreign:
                raise Corrupt(f"{path} is an inode of a lower layer")
            if isinstance(inode, Directory):
                if names[id(inode)] > 1:
                    raise Corrupt(f"{path} is a directory with two names")
                for name in inode.names:
                    if (
                        name in ("", ".", "..")
                        or "/" in name
                        or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME
                    ):
                        raise Corrupt(f"{name!r} in {path} is no name")
        indexed = {id(inode) for inode in self.overlay.index.values()}
        for key, inode in inodes.items():
            if not isinstance(inode, Directory) and inode.nlink != names[key] + (key in indexed):
                raise Corrupt(f"a {inode.type} has {names[key]} names and counts {inode.nlink}")
