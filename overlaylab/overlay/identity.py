"""What stat shows of a merged name: whose data, how many links, which inode number, and which names are one inode.

The rules are those of Linux 6.18, fs/overlayfs/inode.c.
"""

from __future__ import annotations

import errno
from typing import Any

from overlaylab.errors import fail
from overlaylab.tree import Directory, File, Inode

from .filesystem import Node
from .lookup import Stack
from .lookup_result import Part
from .marks import Numbers

__all__ = ["Identity"]


class Identity(Stack):
    """A stack of layers whose names are told apart, also after they were copied up or moved.

    Attributes:
        numbers: The inode numbers of the disk that holds the layers.
        index: With index=on, what the work directory knows about lower hard links.
        dead: Numbers of directories that were removed.
    """

    numbers: Numbers
    index: dict[int, Inode]
    dead: dict[int, bool]

    def _parts(self, node: Node) -> tuple[Part, ...]:
        upper = () if node.upper is None else (Part(len(self.lowerdirs), node.upper),)
        return upper + node.lowers

    def data_of(self, node: Node) -> File:
        """The inode whose data is read: for metadata without data the one below. Kernel, section 16: mc-08, mount-48 (ENOENT)."""
        if not self.book.has(node.inode, "metacopy") or not isinstance(node.inode, File):
            return node.inode
        if len(self._parts(node)) < 2:
            raise fail(errno.ENOENT, node.path)
        return node.lowers[-1].inode

    def nlink(self, node: Node) -> int:
        """The link count.

        Spec:
            Kernel, section 4: 1 for merged directories (merge-23); real counts of one layer (merge-21, merge-22, rm-20). One
            of the upper that was removed has none; read off a live mount.
        """
        if not node.is_dir:
            return self.book.shown_nlink(node.upper) if self._is_indexed(node) else node.inode.nlink
        if self._is_merged(node):
            return 1
        if node.upper is not None and self.number(node) in self.dead:
            return 0
        return 2 + sum(isinstance(child, Directory) for child in node.inode.names.values())

    def names_left(self, node: Node) -> int:
        """How many names an open file still has; one of a lower layer loses its own to a whiteout. Read off a live mount."""
        if node.upper is not None or node.parent is None:
            return node.inode.nlink
        upper = node.parent.upper
        return node.inode.nlink - (upper is not None and node.name in upper.names)

    def number(self, node: Node) -> int:
        """The inode number. Kernel, section 4: kept over copy-up and rename (cu-40, mv-43), not of a broken hard link (cu-41)."""
        return self.numbers.of(self._shown_inode(node))

    def _shown_inode(self, node: Node) -> Inode:
        """The inode whose number is shown: what it is a copy of, unless that has several links. Kernel, section 4: cu-40, cu-41."""
        if node.upper is None or node.is_dir:
            return node.lowers[0].inode if node.lowers else node.upper
        kept = node.origin is not None and (node.origin.nlink == 1 or self._is_indexed(node))
        return node.origin if kept else node.upper

    def identity(self, node: Node) -> Any:
        """What makes two names one inode.

        Spec:
            Kernel, section 8: not two names of one lower hard link (mv-30), but of an upper one (mv-31); a link is looked up anew
            (ovl_instantiate), so where its origin cannot be read back, it is another inode than the name that was
            copied up. Read off a live mount.
        """
        if node.upper is None:
            return self._slot(node)
        return id(node.upper) if node.is_dir else (id(node.upper), self._has_origin(node))

    def _slot(self, node: Node) -> Any:
        """What makes two lower names one inode: not two of one hard link, except with index=on. Kernel, sections 8 and 10: mv-30, ln-11."""
        lower = node.lowers[0].inode if node.lowers else node.upper
        if not self._is_shared(lower) or self.features.index or self.upperdir is None or node.parent is None:
            return id(lower)
        return id(lower), id(node.parent.lowers[0].inode if node.parent.lowers else node.parent.upper), node.name

    def _is_shared(self, lower: Inode) -> bool:
        return not isinstance(lower, Directory) and lower.nlink > 1

    def _is_indexed(self, node: Node) -> bool:
        return self.features.index and node.upper is not None and self.book.has(node.upper, "nlink")

    def _is_merged(self, node: Node) -> bool:
        """Whether a directory has parts in several layers. Kernel, section 3: merge-01."""
        return len(node.lowers) > (node.upper is None)

    def _has_origin(self, node: Node) -> bool:
        """Whether a name, once it is in the upper, makes its directory impure. Kernel, sections 8 and 10: mv-34, mv-54, ln-20."""
        if node.is_dir:
            return node.upper is not None and bool(node.lowers)
        return node.upper is not None and self._shown_inode(node) is not node.upper

    def _origin(self, node: Node) -> Inode | None:
        """What a file of the upper is a copy of: its mark says it, or its data is below. Read off a live mount."""
        if node.upper is None or node.is_dir:
            return None
        below = node.lowers[0].inode if self.book.has(node.upper, "metacopy") and node.lowers else None
        return self.book.origin(node) or below
