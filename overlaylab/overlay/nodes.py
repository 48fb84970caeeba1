"""What system calls see of an overlay: nodes that are found and listed, and what stat shows of them.

What is shown: whose data, how many links, which inode number, and which names are one inode. The rules are those of
Linux 6.18, fs/overlayfs/namei.c, readdir.c and inode.c.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

from overlaylab.errors import fail
from overlaylab.tree import Directory, File, Inode

from .filesystem import FileSystem, Node
from .lookup import names_of
from .lookup_result import Part
from .marked_lookup import MarkedStack, Refused, is_merged_list, is_upper
from .overlay_xattrs import InodeAllocator, OverlayXattrs


class MountedStack(MarkedStack, FileSystem, Protocol):
    """A stack of layers that is mounted: what the functions for system calls need to know of an overlay.

    Attributes:
        index: With index=on, the copies that the work directory knows, by the number of the lower hard link.
        moved: The copies that were made in this mount, for descriptors that are open on the lower objects.
    """

    xattrs: OverlayXattrs
    numbers: InodeAllocator
    index: dict[int, Inode]
    moved: dict[Hashable, Inode]
    userns: bool

    def entries(self, parts: Sequence[Part], gone: Callable[[str, Inode], bool] | None = None) -> set[str]:
        """See `marked_lookup.entries`."""

    def lower_has(self, node: Node) -> bool:
        """See `changes.lower_has`."""

    def may_move(self, node: Node) -> None:
        """See `changes.may_move`."""

    def copy_up(self, node: Node, data: bool, size: int | None) -> None:
        """See `copy_up.copy_up`."""

    def copy_inode(self, node: Node, lower: Inode, data: bool, size: int | None) -> Inode:
        """See `copy_up.copy_inode`."""


def parent_node(node: Node) -> Node:
    """The directory that a node was found in; a root has none."""
    assert node.parent is not None
    return node.parent


def upper_inode(node: Node) -> Inode:
    """The inode of the upper layer, of a node that has one."""
    assert node.upper is not None
    return node.upper


def parts_of_node(overlay: MountedStack, node: Node) -> tuple[Part, ...]:
    """The parts of a node, topmost first."""
    upper = () if node.upper is None else (Part(len(overlay.lowerdirs), node.upper),)
    return upper + node.lowers


# --- finding and listing


def look(overlay: MountedStack, parent: Node, name: str) -> Node | None:
    """Find a name in a directory; a missing origin xattr is written on the way.

    Raises:
        OSError: EPERM, EINVAL, EIO for overlay xattrs that cannot be followed; ELOOP for a layer inside a layer.

    Spec:
        Kernel, sections 2 and 14: an origin is mended (cu-23); the layer inside a layer (mount-14).
    """
    path = name if parent.parent is None else f"{parent.path}/{name}"
    try:
        parts = overlay.child(parts_of_node(overlay, parent), name, path)
    except Refused as refused:
        raise fail(refused.number, path) from None
    if not parts:
        return None
    upper = parts[0].inode if is_upper(overlay, parts[0]) else None
    node = Node(overlay, parent, name, upper, parts[upper is not None :])
    if isinstance(upper, Directory) and node.lowers and parent.upper is not None:
        overlay.xattrs.fix_origin(upper, node.lowers[0].inode, parent.upper, path, parent.path)
    _find_copy(overlay, node)
    node.origin = _origin(overlay, node)
    return node


def _find_copy(overlay: MountedStack, node: Node) -> None:
    """With index=on, names of one lower hard link share one upper inode. Kernel, section 10: ln-11."""
    if node.upper is None and overlay.features.index and is_shared(node.lowers[0].inode):
        node.upper, node.alias = overlay.index.get(overlay.numbers.of(node.lowers[0].inode)), False


def names(overlay: MountedStack, node: Node) -> list[str]:
    """List a directory; what is listed because of the impure xattr is looked up. Kernel, section 3: wo-36, cu-52."""
    parts = parts_of_node(overlay, node)
    if node.upper is not None and not is_merged_list(overlay, parts) and overlay.xattrs.has(node.upper, "impure"):
        _check_impure(overlay, node)
    return list(overlay.entries(parts, lambda name, inode: _look_quietly(overlay, node, name) is None))


def _look_quietly(overlay: MountedStack, parent: Node, name: str) -> Node | None:
    try:
        return overlay.look(parent, name)
    except OSError:
        return None


def _check_impure(overlay: MountedStack, node: Node) -> None:
    """Take the impure xattr off a directory that holds no copies.

    Kernel, section 3: cu-52. A name that cannot be looked up makes the listing fail; read off a live mount.
    """
    upper = upper_inode(node)
    children = [overlay.look(node, name) for name in list(names_of(upper))]
    if all(child is None or shown_inode(overlay, child) is child.upper for child in children):
        overlay.xattrs.clear_impure(upper, node.path)


# --- what stat shows


def data_of(overlay: MountedStack, node: Node) -> File:
    """The inode whose data is read: for metadata without data the one below.

    Kernel, section 16: mc-08, mount-48 (ENOENT).
    """
    inode = node.inode
    if isinstance(inode, File) and overlay.xattrs.has(inode, "metacopy"):
        if len(node.lowers) + (node.upper is not None) < 2:
            raise fail(errno.ENOENT, node.path)
        inode = node.lowers[-1].inode
    assert isinstance(inode, File)
    return inode


def nlink(overlay: MountedStack, node: Node) -> int:
    """The link count.

    Kernel, section 4: 1 for merged directories (merge-23); real counts of one layer (merge-21, merge-22, rm-20). One of
    the upper that was removed has none; read off a live mount.
    """
    if not node.is_dir:
        return overlay.xattrs.shown_nlink(upper_inode(node)) if is_indexed(overlay, node) else node.inode.nlink
    if is_merged(node):
        return 1
    if node.upper is not None and overlay.number(node) in overlay.dead:
        return 0
    return 2 + sum(isinstance(child, Directory) for child in names_of(node.inode).values())


def names_left(overlay: MountedStack, node: Node) -> int:
    """How many names an open file still has; one of a lower layer loses its own to a whiteout.

    Read off a live mount.
    """
    if node.upper is not None or node.parent is None:
        return node.inode.nlink
    return node.inode.nlink - (node.name in names_of(node.parent.upper))


def number(overlay: MountedStack, node: Node) -> int:
    """The inode number.

    Kernel, section 4: kept over copy-up and rename (cu-40, mv-43), not of a broken hard link (cu-41).
    """
    return overlay.numbers.of(shown_inode(overlay, node))


def shown_inode(overlay: MountedStack, node: Node) -> Inode:
    """The inode whose number is shown: what it is a copy of, unless that has several links.

    Kernel, section 4: cu-40, cu-41.
    """
    if node.upper is None or node.is_dir:
        return node.lowers[0].inode if node.lowers else upper_inode(node)
    if node.origin is not None and (node.origin.nlink == 1 or is_indexed(overlay, node)):
        return node.origin
    return node.upper


def identity(overlay: MountedStack, node: Node) -> Hashable:
    """What makes two names one inode.

    Kernel, section 8: not two names of one lower hard link (mv-30), but of an upper one (mv-31); a link is looked up
    anew (ovl_instantiate), so where its origin cannot be read back, it is another inode than the name that was copied
    up. Read off a live mount.
    """
    if node.upper is None:
        return lower_slot(overlay, node)
    return id(node.upper) if node.is_dir else (id(node.upper), has_origin(overlay, node))


def lower_slot(overlay: MountedStack, node: Node) -> Hashable:
    """What makes two lower names one inode: not two of one hard link, except with index=on.

    Kernel, sections 8 and 10: mv-30, ln-11.
    """
    lower = _topmost_lower(node)
    if not is_shared(lower) or overlay.features.index or overlay.upperdir is None or node.parent is None:
        return id(lower)
    return id(lower), id(_topmost_lower(node.parent)), node.name


def _topmost_lower(node: Node) -> Inode:
    """The topmost lower inode of a node, or the upper one where it is alone."""
    return node.lowers[0].inode if node.lowers else upper_inode(node)


def is_shared(lower: Inode) -> bool:
    """Whether a lower inode has several names."""
    return not isinstance(lower, Directory) and lower.nlink > 1


def is_indexed(overlay: MountedStack, node: Node) -> bool:
    """Whether a node is a copy that the index keeps."""
    return overlay.features.index and node.upper is not None and overlay.xattrs.has(node.upper, "nlink")


def is_merged(node: Node) -> bool:
    """Whether a directory has parts in several layers. Kernel, section 3: merge-01."""
    return len(node.lowers) > (node.upper is None)


def has_origin(overlay: MountedStack, node: Node) -> bool:
    """Whether a name, once it is in the upper, makes its directory impure.

    Kernel, sections 8 and 10: mv-34, mv-54, ln-20.
    """
    if node.is_dir:
        return node.upper is not None and bool(node.lowers)
    return node.upper is not None and shown_inode(overlay, node) is not node.upper


def _origin(overlay: MountedStack, node: Node) -> Inode | None:
    """What a file of the upper is a copy of: its origin xattr says it, or its data is below. Read off a live mount."""
    if node.upper is None or node.is_dir:
        return None
    below = node.lowers[0].inode if overlay.xattrs.has(node.upper, "metacopy") and node.lowers else None
    return overlay.xattrs.origin(node) or below
