"""What a lookup finds: the parts of a merged name, and what was met in each layer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from overlaylab.tree import Inode


class Verdict(StrEnum):
    """What the lookup of a path met in one layer."""

    SHOWN = "shown"
    MERGED = "merged"
    ABSENT = "absent"
    WHITEOUT = "whiteout"
    HIDDEN = "hidden"


class Part(NamedTuple):
    """A layer's share of a merged name.

    Args:
        layer: Counted from the bottom: 0 is the bottom lower layer, an upper layer is the last; negative in a
            data-only layer.
        inode: The layer's inode.
    """

    layer: int
    inode: Inode


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of a lookup: what was met in one layer, and where.

    Args:
        layer: Counted from the bottom.
        verdict: What was met.
        path: Where it was decided: the path itself, or a directory above it.
        by: The layer that ended the search, for hidden ones.
        reason: What ended it: ``whiteout``, ``opaque``, or the type that is no directory.
    """

    layer: int
    verdict: Verdict
    path: str
    by: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path resolves to.

    Args:
        path: Relative, ``.`` for the root.
        parts: Topmost first; several only for merged directories, none if there is no such path.
        trace: One step per layer, topmost first.
    """

    path: str
    parts: tuple[Part, ...]
    trace: tuple[Seen, ...]

    @property
    def inode(self) -> Inode | None:
        """What stat shows: the topmost part. Kernel, section 4: attributes are not united (merge-05, merge-15)."""
        return self.parts[0].inode if self.parts else None

    @property
    def layer(self) -> int | None:
        """The layer that the attributes, or the content, come from, counted from the bottom."""
        return self.parts[0].layer if self.parts else None
