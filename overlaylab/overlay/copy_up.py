"""Copy-up: what is written to is first copied from a lower layer to the upper.

The rules are those of Linux 6.18, fs/overlayfs/copy_up.c. Each function changes the upper layer alone.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

from overlaylab.errors import fail
from overlaylab.tree import Device, Directory, File, Inode

from .filesystem import NOBODY, Node
from .journal import CopyUp, MetadataCopyUp
from .lookup import names_of
from .nodes import MountedStack, is_shared, lower_slot, parent_node, upper_inode


def writable(overlay: MountedStack, node: Node, data: bool = True, size: int | None = None) -> Inode:
    """The upper inode of a node, copied up first if need be.

    Args:
        data: Whether the content is wanted too, or metadata only.
        size: 0 if the old content is to go.

    Spec:
        Kernel, section 5: what triggers it, cu-02 to cu-17, mv-01, ln-01, cr-09; the root is always there (cu-28).
    """
    if not overlay.fresh(node).alias:
        overlay.copy_up(node, data, size)
    upper = upper_inode(node)
    if data and isinstance(upper, File) and overlay.xattrs.has(upper, "metacopy"):
        _copy_data(overlay, node, upper, size)
    return upper


def writable_directory(overlay: MountedStack, node: Node) -> Directory:
    """The upper directory of a node, copied up first if need be. Kernel, section 5: cr-09."""
    upper = overlay.writable(node, data=False)
    assert isinstance(upper, Directory)
    return upper


def xattrs_of(overlay: MountedStack, node: Node) -> Inode:
    """The inode whose attributes can be set; with index=on a shared copy without a name here will do.

    Read off a live mount.
    """
    upper = overlay.fresh(node).upper
    return overlay.writable(node, data=False) if upper is None else upper


def fresh(overlay: MountedStack, node: Node) -> Node:
    """The node of an open file, as it is now: it may have been copied up since. Kernel, section 11: cu-29, cu-32."""
    if node.parent is not None:
        fresh(overlay, node.parent)
    if node.upper is None and (copy := overlay.moved.get(lower_slot(overlay, node))) is not None:
        node.upper, node.alias = copy, not overlay.features.index or _has_name(node, copy)
        node.origin = node.lowers[0].inode
        if isinstance(copy, File) and not overlay.xattrs.has(copy, "metacopy"):
            node.lowers = ()
    elif node.parent is not None and node.upper is not None:
        # With index=on another descriptor, or a call before, may have given the copy this name. Read off a live mount.
        node.alias = node.alias or names_of(node.parent.upper).get(node.name) is node.upper
    return node


def _has_name(node: Node, copy: Inode) -> bool:
    """Whether a copy has its name in the upper; with index=on maybe only others. Kernel, section 10: ln-11."""
    upper = None if node.parent is None else node.parent.upper
    return names_of(upper).get(node.name) is copy or not is_shared(node.lowers[0].inode)


def copy_up(overlay: MountedStack, node: Node, data: bool, size: int | None) -> None:
    """Copy one object to the upper layer, its parents first, each alone.

    Args:
        data: Whether the content is wanted too, or metadata only.
        size: 0 if the old content is to go.

    Raises:
        OSError: For an open file whose name is gone as in `_take_place`, whose directory is gone ENOENT, anything
            else EIO; EOVERFLOW, EPERM as in `_may_copy`.

    Spec:
        Kernel, section 5: parents top down, without their contents (cu-20, cu-21, cu-27); their times stay (cu-02);
        names of one lower hard link part (cu-42).
    """
    above = parent_node(node)
    parent = writable_directory(overlay, above)
    lower = node.lowers[0].inode
    shared = overlay.features.index and is_shared(lower)
    _may_copy(overlay, node, lower, parent)
    if overlay.number(above) in overlay.dead:
        raise fail(errno.ENOENT if isinstance(lower, File) else errno.EIO, node.path)
    taken = node.name in parent.names
    if taken:
        _take_place(overlay, node, lower, parent)
    if node.upper is not None:
        copy = node.upper
        _link_copy(overlay, node, copy, parent)
    else:
        copy = node.upper = overlay.copy_inode(node, lower, data or not overlay.features.metacopy, size)
        if not taken:
            overlay.journal.put(overlay.xattrs.copies, (id(parent), node.name), (copy, lower))
        overlay.journal.put(overlay.moved, lower_slot(overlay, node), copy)
        if isinstance(lower, Directory) or lower.nlink == 1 or shared:
            overlay.xattrs.set_origin(copy, lower, node.path)
        if shared:
            _enter_index(overlay, copy, lower)
        overlay.journal.put(parent.names, node.name, copy)
    node.alias, node.origin = True, lower
    overlay.xattrs.set_impure(parent, above.path)
    if not node.is_dir and not overlay.xattrs.has(copy, "metacopy"):
        node.lowers = ()


def _may_copy(overlay: MountedStack, node: Node, lower: Inode, parent: Directory) -> None:
    """Refuse copies that cannot be made in a user namespace.

    Kernel, section 17: EOVERFLOW for an owner that is not mapped (ux-10), EPERM for a device (ux-14); the directory is
    marked impure before the device is tried.
    """
    if overlay.userns and NOBODY in (lower.uid, lower.gid):
        raise fail(errno.EOVERFLOW, node.path)
    if overlay.userns and isinstance(lower, Device):
        overlay.xattrs.set_impure(parent, parent_node(node).path)
        raise fail(errno.EPERM, node.path)


def _take_place(overlay: MountedStack, node: Node, lower: Inode, parent: Directory) -> None:
    """Copy up what is open, but has lost its name to a whiteout or to something new.

    Raises:
        OSError: EEXIST for a file; ENOTDIR, EISDIR and ENOTEMPTY for anything else, as a rename would.

    Spec:
        Kernel: ovl_do_copy_up links a file to its name, and moves anything else there. So a file is refused, and
        a FIFO, or a directory over an empty one, takes the place. The directory is marked impure before that is
        known. Read off a live mount.
    """
    there = parent.names[node.name]
    overlay.xattrs.set_impure(parent, parent_node(node).path)
    if isinstance(lower, File):
        raise fail(errno.EEXIST, node.path)
    if isinstance(lower, Directory) is not isinstance(there, Directory):
        raise fail(errno.ENOTDIR if isinstance(lower, Directory) else errno.EISDIR, node.path)
    if names_of(there):
        raise fail(errno.ENOTEMPTY, node.path)
    drop_name(overlay, parent, node.name)


def copy_inode(overlay: MountedStack, node: Node, lower: Inode, data: bool, size: int | None) -> Inode:
    """The copy: type, data, text, number, mode, owner, time and xattrs, but no overlay xattrs.

    Kernel, section 5: cu-20, cu-26, cu-36.
    """
    # In a user namespace the trusted xattrs of root's own are not there.
    kept = {
        name: value
        for name, value in overlay.xattrs.copied(lower).items()
        if not (overlay.userns and name.startswith("trusted."))
    }
    common: dict[str, Any] = {name: getattr(lower, name) for name in ("mode", "uid", "gid", "mtime_ns")}
    common["xattrs"] = kept
    made: Inode
    if isinstance(lower, Directory):
        made = Directory(**common)
    elif not isinstance(lower, File):
        made = replace(lower, nlink=1, **common)
    elif size == 0:
        made = File(data=b"", **common)
    elif data:
        made = _sized(overlay.data_of(node), lower.size, common)
    else:
        made = File(size=lower.size, sha256="", data=None, **common)
        overlay.xattrs.set_metacopy(made)
    overlay.journal.note((CopyUp if data or not isinstance(lower, File) else MetadataCopyUp)(node.path))
    return made


def _copy_data(overlay: MountedStack, node: Node, upper: File, size: int | None) -> None:
    """Give a metadata-only copy its data. Kernel, section 16: mc-02, mc-06."""
    made = File(data=b"") if size == 0 else _sized(overlay.data_of(node), upper.size, {})
    for name in ("data", "size", "sha256"):
        overlay.journal.set(upper, name, getattr(made, name))
    if made.size:
        # Kernel: read off a live mount. The data is written into a file that is there already, so its time changes.
        overlay.journal.set(upper, "mtime_ns", overlay.journal.now())
    overlay.xattrs.clear_metacopy(upper)
    overlay.journal.note(CopyUp(node.path))
    if node.origin is not None and node.parent is not None:
        overlay.journal.put(overlay.xattrs.copies, (id(node.parent.upper), node.name), (upper, node.origin))
    node.lowers = ()


def _sized(file: File, size: int, common: dict[str, Any]) -> File:
    """A copy of a file's data with the size that its metadata says: only so much is copied. Read off a live mount."""
    if file.data is None or file.size == size:
        return File(size=file.size, sha256=file.sha256, data=file.data, **common)
    return File.of(file.data[:size].ljust(size, b"\0"), **common)


def _enter_index(overlay: MountedStack, copy: Inode, lower: Inode) -> None:
    """With index=on the work directory keeps the copy under the lower file's handle. Kernel, section 10: ln-11."""
    overlay.journal.put(overlay.index, overlay.numbers.of(lower), copy)
    overlay.journal.set(copy, "nlink", 2)
    overlay.xattrs.set_nlink(copy, lower.nlink)


def _link_copy(overlay: MountedStack, node: Node, copy: Inode, parent: Directory) -> None:
    """Give a shared copy the name of another lower hard link. Kernel, section 10: index=on, ln-11."""
    shown = overlay.xattrs.shown_nlink(copy)
    add_name(overlay, parent, node.name, copy)
    overlay.xattrs.set_nlink(copy, shown)
    overlay.journal.note(CopyUp(node.path))


# --- names of the upper layer


def add_name(overlay: MountedStack, parent: Directory, name: str, inode: Inode) -> None:
    """Give an inode one more name in an upper directory."""
    if not isinstance(inode, Directory):
        overlay.journal.set(inode, "nlink", inode.nlink + 1)
    overlay.journal.put(parent.names, name, inode)


def drop_name(overlay: MountedStack, parent: Directory, name: str) -> None:
    """Take a name out of an upper directory."""
    inode = parent.names.get(name)
    if inode is None:
        return
    if not isinstance(inode, Directory):
        overlay.journal.set(inode, "nlink", inode.nlink - 1)
    overlay.journal.drop(parent.names, name)
    overlay.xattrs.forget((id(parent), name))
