"""What changes a directory: making, linking, removing and renaming, with the whiteouts that they leave.

The rules are those of Linux 6.18, fs/overlayfs/dir.c. Each function changes the upper layer alone.
"""

from __future__ import annotations

import errno

from overlaylab.errors import fail
from overlaylab.tree import Directory, Inode, whiteout

from .copy_up import drop_name, writable_directory
from .filesystem import EXCHANGE, WHITEOUT, Node
from .journal import Created, Moved, Removed, WhiteoutMade, WhiteoutRemoved
from .lookup import names_of
from .marked_lookup import is_merged_list
from .nodes import MountedStack, has_origin, is_indexed, is_merged, is_shared, parent_node, parts_of_node, upper_inode
from .whiteouts import is_opaque, is_whiteout, is_whiteout_device


def lower_has(overlay: MountedStack, node: Node) -> bool:
    """Whether a lower layer shows something under this name, so that removing it needs a whiteout.

    Kernel, section 7: rm-01, rm-02, rm-03, rm-22 to rm-24; the present name and the parent's parts count (rd-21).
    """
    if node.upper is None:
        return True
    for part in parent_node(node).lowers:
        inode = names_of(part.inode).get(node.name)
        if inode is not None:
            return not is_whiteout(inode, overlay.marks)
    return False


def _is_upper_only(overlay: MountedStack, node: Node) -> bool:
    """Whether a directory is of the upper alone: then it is the real one that must be empty.

    Kernel, section 7: rm-30.
    """
    return node.upper is not None and not node.lowers and not overlay.xattrs.has(node.upper, "origin")


def must_be_empty(overlay: MountedStack, node: Node) -> None:
    """Refuse a directory with visible names. Kernel, section 7: rm-07, rm-11, rm-14, wo-34."""
    parts = parts_of_node(overlay, node)
    if is_merged_list(overlay, parts):
        visible = bool(overlay.entries(parts, lambda name, inode: False))
    else:
        visible = any(not is_whiteout_device(inode) for inode in names_of(node.inode).values())
    if visible:
        raise fail(errno.ENOTEMPTY, node.path)


def _clear(overlay: MountedStack, node: Node) -> None:
    """Whiteouts in a directory that is to go are cleared by an opaque stand-in.

    Kernel, section 17: EIO where none can be made (ux-12).
    """
    if isinstance(node.upper, Directory) and node.upper.names:
        if not overlay.xattrs.stored:
            raise fail(errno.EIO, node.path)
        for name in list(node.upper.names):
            drop_name(overlay, node.upper, name)


# --- making and linking


def make(overlay: MountedStack, parent: Node, name: str, inode: Inode, now: int) -> Node:
    """Put a new object into a directory.

    Kernel, section 6: the parent is copied up (cr-09). Over a whiteout of the upper a directory becomes opaque (cr-01
    to cr-03), over one of a lower it does not (cr-04); other objects just replace it (cr-05, cr-06).
    """
    upper = writable_directory(overlay, parent)
    node = Node(overlay, parent, name, inode)
    over = name in upper.names
    if isinstance(inode, Directory):
        if over:
            overlay.xattrs.set_opaque(inode, node.path, errno.EIO)
        elif is_merged(parent) and not overlay.features.plain:
            overlay.xattrs.set_opaque(inode, node.path, None)
    place(overlay, upper, node, now)
    overlay.journal.note(Created(node.path))
    return node


def place(overlay: MountedStack, upper: Directory, node: Node, now: int) -> None:
    """Put a name into an upper directory, whose time changes; a whiteout that is there gives way.

    Kernel, section 6: cr-01, cr-09.
    """
    if node.name in upper.names:
        drop_name(overlay, upper, node.name)
        overlay.journal.note(WhiteoutRemoved(node.path))
    overlay.journal.put(upper.names, node.name, upper_inode(node))
    overlay.journal.set(upper, "mtime_ns", now)


def temporary(overlay: MountedStack, parent: Node, inode: Inode) -> Node:
    """A file without a name; its directory is copied up. Kernel, section 6: cr-24."""
    overlay.writable(parent, data=False)
    return Node(overlay, parent, "", inode)


def link(overlay: MountedStack, node: Node, parent: Node, name: str, now: int) -> None:
    """Give an object a second name.

    Kernel, sections 10 and 16: the source is copied up, both names share the copy (ln-01, ln-02, ln-06); the receiving
    directory becomes impure (ln-20); a file without data remembers where it is (mc-05).
    """
    inode = overlay.writable(node, data=False)
    upper = writable_directory(overlay, parent)
    _start_nlink(overlay, node)
    if overlay.xattrs.has(inode, "metacopy"):
        overlay.xattrs.set_redirect(node, absolute=True)
    if has_origin(overlay, node):
        overlay.xattrs.set_impure(upper, parent.path)
    overlay.journal.set(inode, "nlink", inode.nlink + 1)
    place(overlay, upper, Node(overlay, parent, name, inode), now)


def _start_nlink(overlay: MountedStack, node: Node) -> None:
    """With index=on, note the link count before it changes; a lower name is copied up for that.

    Kernel, section 10: ln-11.
    """
    if node.is_dir or not overlay.features.index:
        return
    if not node.alias if node.upper is not None else is_shared(node.lowers[0].inode):
        overlay.writable(node, data=False)
    if is_indexed(overlay, node):
        copy = upper_inode(node)
        overlay.xattrs.set_nlink(copy, overlay.xattrs.shown_nlink(copy))


def _end_nlink(overlay: MountedStack, node: Node) -> None:
    """With index=on, the index lets go of a file that has no name any more. Read off a live mount."""
    if is_indexed(overlay, node) and overlay.xattrs.shown_nlink(upper_inode(node)) <= 0:
        for number, inode in list(overlay.index.items()):
            if inode is node.upper:
                overlay.journal.drop(overlay.index, number)
                overlay.journal.set(inode, "nlink", inode.nlink - 1)


# --- removing


def remove(overlay: MountedStack, node: Node, now: int) -> None:
    """Take a name away, leaving a whiteout if and only if a lower layer has it.

    Kernel, section 7: rm-01 to rm-03, rm-08, rm-09, rm-12; one whiteout for a whole tree (rm-15). A directory must show
    no names (rm-07, rm-11), one of the upper alone must be really empty, without whiteouts too (rm-30).
    """
    lower = overlay.lower_has(node)
    really = node.is_dir and _is_upper_only(overlay, node) and not lower
    if node.is_dir and not really:
        must_be_empty(overlay, node)
    upper = writable_directory(overlay, parent_node(node))
    _start_nlink(overlay, node)
    if really and names_of(node.upper):
        raise fail(errno.ENOTEMPTY, node.path)
    _clear(overlay, node)
    if node.alias:
        drop_name(overlay, upper, node.name)
        overlay.journal.note(Removed(node.path))
    if lower:
        _white_out(overlay, upper, node.name, node.path)
    overlay.journal.set(upper, "mtime_ns", now)
    _end_nlink(overlay, node)


def _white_out(overlay: MountedStack, upper: Directory, name: str, path: str, used: Inode | None = None) -> None:
    """Put a whiteout where a name was: a character device 0:0. Kernel, section 7: rm-01."""
    overlay.journal.put(upper.names, name, used or whiteout())
    overlay.journal.note(WhiteoutMade(path))


# --- rename


def rename(overlay: MountedStack, old: Node, parent: Node, name: str, new: Node | None, flags: int, now: int) -> None:
    """Move a name, or exchange two.

    Args:
        old: What is moved, to `name` in the directory `parent`.
        new: What has this name now, or None.
        flags: Those of renameat2(2).
        now: The new time of both directories, in nanoseconds.

    Raises:
        OSError: EINVAL for `WHITEOUT`; EXDEV; ENOTEMPTY; ESTALE for names that are one inode only in the upper.

    Spec:
        Kernel, section 8: the upper entry moves, a whiteout stays if and only if a lower layer has the old name, one
        at the new name is consumed (mv-01 to mv-05, mv-17, mv-20, mv-40, mv-49); an exchange makes none (mv-22).
        A refusal because the target is not really empty comes after copy-up and overlay xattrs (mv-52, rd-23).
    """
    if flags & WHITEOUT:
        raise fail(errno.EINVAL, old.path)
    if flags & EXCHANGE and new is not None:
        _exchange(overlay, old, parent, new, now)
        return
    overlay.may_move(old)
    if new is not None and new.is_dir and not _is_upper_only(overlay, new):
        must_be_empty(overlay, new)
    lower = overlay.lower_has(old)
    overlay.writable(old, data=False)
    there = writable_directory(overlay, parent)
    if new is not None:
        _start_nlink(overlay, new)
        if not _is_upper_only(overlay, new):
            _clear(overlay, new)
    _mark_moved(overlay, old, parent)
    if new is not None and new.upper is old.upper:
        raise fail(errno.ESTALE, new.path)
    if new is not None and new.is_dir and _is_upper_only(overlay, new) and names_of(new.upper):
        raise fail(errno.ENOTEMPTY, new.path)
    _move(overlay, old, there, Node(overlay, parent, name, old.upper), lower, now)
    if new is not None:
        _end_nlink(overlay, new)


def _exchange(overlay: MountedStack, old: Node, parent: Node, new: Node, now: int) -> None:
    """Let two names change places; no whiteout is needed. Kernel, section 8: mv-22."""
    for moved in (old, new):
        overlay.may_move(moved)
    overlay.writable(old, data=False)
    there = writable_directory(overlay, parent)
    overlay.writable(new, data=False)
    _mark_moved(overlay, old, parent)
    _mark_moved(overlay, new, parent_node(old))
    if new.upper is old.upper:
        raise fail(errno.ESTALE, new.path)
    here = _move_entry(overlay, old, there, Node(overlay, parent, new.name, old.upper))
    overlay.journal.put(here.names, old.name, upper_inode(new))
    _touch(overlay, here, there, now)


def may_move(overlay: MountedStack, node: Node) -> None:
    """Refuse to move a directory with a lower part.

    Kernel, sections 2 and 8: EXDEV even if it is empty or all is whited out (mv-08, mv-10, mv-11, mv-26), unless
    redirect_dir=on (rd-01); directories of the upper alone move (mv-12 to mv-14).
    """
    if node.is_dir and node.lowers and overlay.features.redirect != "on":
        raise fail(errno.EXDEV, node.path)


def _mark_moved(overlay: MountedStack, node: Node, parent: Node) -> None:
    """Write the overlay xattrs of an object that gets a new place.

    Kernel, sections 2, 8 and 16: a new parent becomes impure (mv-33, mv-34); a lower part is remembered (rd-01, rd-02,
    mc-03); a directory without one becomes opaque in a merged parent, on every move (mv-12, mv-15, mv-18, mv-44), in no
    other (mv-46).
    """
    upper = upper_inode(node)
    same = overlay.identity(parent_node(node)) == overlay.identity(parent)
    if not same and has_origin(overlay, node):
        overlay.xattrs.set_impure(upper_inode(parent), parent.path)
    if (node.is_dir and node.lowers) or overlay.xattrs.has(upper, "metacopy"):
        shared = not node.is_dir and any(part.inode.nlink > 1 for part in node.lowers[:1])
        overlay.xattrs.set_redirect(node, absolute=not same or shared)
    elif node.is_dir and not is_opaque(upper, overlay.marks) and is_merged(parent):
        overlay.xattrs.set_opaque(upper, node.path, errno.EXDEV)


def _move(overlay: MountedStack, old: Node, there: Directory, target: Node, lower: bool, now: int) -> None:
    """Change the two directories' names and times. Kernel, section 5: the object's own time is kept (mv-01)."""
    replaced = there.names.get(target.name)
    consumed = replaced if replaced is not None and is_whiteout(replaced, overlay.marks) else None
    if consumed is None or not lower:
        drop_name(overlay, there, target.name)
    here = _move_entry(overlay, old, there, target)
    if consumed is not None:
        overlay.journal.note(WhiteoutRemoved(target.path))
    if lower:
        # The whiteout of the new name changes places with the object.
        _white_out(overlay, here, old.name, old.path, consumed)
    _touch(overlay, here, there, now)


def _move_entry(overlay: MountedStack, old: Node, there: Directory, target: Node) -> Directory:
    """Move an upper entry, and what is known of its origin; returns the directory that it leaves.

    Kernel, section 8: mv-01.
    """
    here = parent_node(old).upper
    assert isinstance(here, Directory)
    overlay.xattrs.move((id(here), old.name), (id(there), target.name))
    overlay.journal.drop(here.names, old.name)
    overlay.journal.put(there.names, target.name, upper_inode(old))
    overlay.journal.note(Moved(old.path, "/" + target.path))
    return here


def _touch(overlay: MountedStack, here: Directory, there: Directory, now: int) -> None:
    for directory in (here, there):
        overlay.journal.set(directory, "mtime_ns", now)
