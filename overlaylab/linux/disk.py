"""A plain disk: a tree that is its own file system, without layers and without the xattrs of an overlay."""

from __future__ import annotations

import errno
from dataclasses import replace

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import EXCHANGE, WHITEOUT, Node, shown_xattrs
from overlaylab.overlay.journal import Journal
from overlaylab.overlay.overlay_xattrs import InodeAllocator
from overlaylab.tree import Directory, File, Inode, Symlink, whiteout


class Disk:
    """A file system that stores what it is given.

    Args:
        tree: Its root; it is changed in place.
        journal: Where changes are noted; one of its own if there is none.
        numbers: Gives out inode numbers; one of its own if there is none.
    """

    hidden = ""

    def __init__(self, tree: Directory, journal: Journal | None = None, numbers: InodeAllocator | None = None) -> None:
        self.device = 1
        self.journal, self.numbers = journal or Journal(), numbers or InodeAllocator()
        self.read_only = self.no_devices = False
        self.dead: dict[int, bool] = {}
        self.root = Node(self, None, ".", tree)

    def look(self, parent: Node, name: str) -> Node | None:
        """Find a name in a directory."""
        inode = directory_of(parent).names.get(name)
        return None if inode is None else Node(self, parent, name, inode)

    def names(self, node: Node) -> list[str]:
        """List a directory."""
        return list(directory_of(node).names)

    def writable(self, node: Node, data: bool = True, size: int | None = None) -> Inode:
        """The inode itself."""
        return node.inode

    def xattrs_of(self, node: Node) -> Inode:
        """The inode itself."""
        return node.inode

    def fresh(self, node: Node) -> Node:
        """The node itself."""
        return node

    def data_of(self, node: Node) -> File:
        """The inode itself, a file."""
        if not isinstance(node.inode, File):
            raise fail(errno.EINVAL, node.path)
        return node.inode

    def nlink(self, node: Node) -> int:
        """The link count; a directory is counted by itself, its name and its sub-directories."""
        if not isinstance(node.inode, Directory):
            return node.inode.nlink
        if self.number(node) in self.dead:
            return 0
        return 2 + sum(isinstance(child, Directory) for child in node.inode.names.values())

    def names_left(self, node: Node) -> int:
        """The link count."""
        return node.inode.nlink

    def number(self, node: Node) -> int:
        """The inode number."""
        return self.numbers.of(node.inode)

    def identity(self, node: Node) -> int:
        """Equal for names of one inode."""
        return id(node.inode)

    def make(self, parent: Node, name: str, inode: Inode, now: int) -> Node:
        """Put a new inode into a directory."""
        self.journal.put(directory_of(parent).names, name, inode)
        self.journal.set(parent.inode, "mtime_ns", now)
        return Node(self, parent, name, inode)

    def temporary(self, parent: Node, inode: Inode) -> Node:
        """A file without a name."""
        return Node(self, parent, "", inode)

    def link(self, node: Node, parent: Node, name: str, now: int) -> None:
        """Give an inode another name."""
        self.journal.set(node.inode, "nlink", node.inode.nlink + 1)
        self.journal.put(directory_of(parent).names, name, node.inode)
        self.journal.set(parent.inode, "mtime_ns", now)

    def remove(self, node: Node, now: int) -> None:
        """Remove a name; ENOTEMPTY for a directory that holds others."""
        self._unlink(node)
        parent = _parent(node)
        self.journal.drop(parent.names, node.name)
        self.journal.set(parent, "mtime_ns", now)

    def _unlink(self, node: Node) -> None:
        """Count one name less; a directory must be empty."""
        if not isinstance(node.inode, Directory):
            self.journal.set(node.inode, "nlink", node.inode.nlink - 1)
        elif node.inode.names:
            raise fail(errno.ENOTEMPTY, node.path)

    def rename(self, old: Node, parent: Node, name: str, new: Node | None, flags: int, now: int) -> None:
        """Move a name; the flag `WHITEOUT` leaves one behind."""
        here, there = _parent(old), directory_of(parent)
        if flags & EXCHANGE and new is not None:
            self.journal.put(here.names, old.name, new.inode)
        else:
            if new is not None:
                self._unlink(new)
            self.journal.drop(here.names, old.name)
        self.journal.put(there.names, name, old.inode)
        if flags & WHITEOUT:
            self.journal.put(here.names, old.name, whiteout())
        for directory in (here, there):
            self.journal.set(directory, "mtime_ns", now)


def directory_of(node: Node) -> Directory:
    """The inode of a node that must be a directory, else ENOTDIR."""
    if not isinstance(node.inode, Directory):
        raise fail(errno.ENOTDIR, node.path)
    return node.inode


def _parent(node: Node) -> Directory:
    """The directory that holds a name; EBUSY for the root."""
    if node.parent is None:
        raise fail(errno.EBUSY, node.path)
    return directory_of(node.parent)


def snapshot(node: Node) -> Directory:
    """What a directory of any file system shows, as a tree of its own: an overlay as the layer of another one.

    Spec:
        Kernel, sections 14 and 15: whiteouts of the inner overlay are gone (mount-65), its xattrs lose one escape
        (mount-68).
    """
    root = node.inode
    xattrs = shown_xattrs(root, node.fs.hidden)
    made = Directory(mode=root.mode, uid=root.uid, gid=root.gid, mtime_ns=root.mtime_ns, xattrs=xattrs)
    for name in node.fs.names(node):
        try:
            child = node.fs.look(node, name)
        except OSError:
            continue
        if child is not None:
            made.names[name] = snapshot(child) if child.is_dir else _leaf(child)
    return made


def _leaf(node: Node) -> Inode:
    inode = node.inode
    if isinstance(inode, File):
        data = node.fs.data_of(node)
        inode = replace(inode, size=data.size, data=data.data, sha256=data.sha256)
    return replace(inode, xattrs=shown_xattrs(node.inode, node.fs.hidden)) if not isinstance(inode, Symlink) else inode
