"""A changeset: the list of changes that one layer makes to the filesystem beneath it.

In a layer's tar a deletion is spelled as a file name: ``.wh.NAME`` deletes NAME, ``.wh..wh..opq`` hides all that a
directory had before. This is the image specification's encoding of deletion; overlayfs has another. `changeset_tar`
reads and writes the one, `overlay.oci` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from overlaylab.errors import Problem
from overlaylab.tree import Directory, Inode, find, parent_of, parts_of

# The names that stand for deletions, and the prefix under which AUFS kept its own files.
PREFIX = ".wh."

OPAQUE = ".wh..wh..opq"

BOOKKEEPING = ".wh..wh."

# The namespaces of overlayfs' own extended attributes.
MARKS = ("trusted.overlay.", "user.overlay.")


# Not frozen as the others are: frozen objects take longer to create, and a layer may have very many files.
@dataclass(slots=True)
class Upsert:
    """Put an inode at a path; a directory on top of a directory changes only its attributes."""

    path: str
    inode: Inode


@dataclass(frozen=True, slots=True)
class Link:
    """Give the inode at `target` a further name: a hard link."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Whiteout:
    """Delete what the layers beneath have at a path."""

    path: str


@dataclass(frozen=True, slots=True)
class OpaqueWhiteout:
    """Delete everything that the layers beneath have inside a directory; what this layer puts there stays."""

    path: str


Change = Upsert | Link | Whiteout | OpaqueWhiteout


@dataclass(frozen=True, slots=True)
class Changeset:
    """One layer's changes in the order of its tar, and what is wrong with the tar.

    Spec: image-spec, layer.md, "Changeset".
    """

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()


def apply(tree: Directory, changeset: Changeset) -> Directory:
    """Apply a changeset as the specification says: deletions first, then what the layer puts.

    Args:
        tree: The filesystem beneath. It is not changed; the result shares its unchanged parts.
        changeset: That of the next layer up.

    Spec:
        image-spec, layer.md, "Applying Changesets". This is the direct way, without overlayfs; tests show that
        both ways lead to the same filesystem.
    """
    edit = _Editor(tree)
    for change in changeset.changes:
        if isinstance(change, OpaqueWhiteout):
            edit.clear(change.path)
    for change in changeset.changes:
        if isinstance(change, Whiteout):
            edit.drop(change.path)
    for change in changeset.changes:
        if isinstance(change, Upsert):
            edit.put(change.path, change.inode)
    for change in changeset.changes:
        if isinstance(change, Link):
            # The target may be a name that this layer deletes.
            target = find(edit.root, change.target) or find(tree, change.target)
            if target and not isinstance(target, Directory):
                edit.put(change.path, target)
    return edit.root


def flatten(changesets: Iterable[Changeset]) -> Directory:
    """Apply changesets one after the other to an empty root.

    Args:
        changesets: Bottom layer first.
    """
    tree = Directory()
    for changeset in changesets:
        tree = apply(tree, changeset)
    return tree


class _Editor:
    """A copy-on-write view of a tree: a directory is copied once, when it is first changed."""

    def __init__(self, tree: Directory) -> None:
        self.root = replace(tree, names=dict(tree.names))
        self._own = {id(self.root)}

    def _directory(self, path: str) -> Directory:
        """The directory at a path, ready to be changed; where there is none, a plain one is made."""
        node = self.root
        for name in parts_of(path):
            child = node.names.get(name)
            if not isinstance(child, Directory):
                child = Directory()
            elif id(child) not in self._own:
                child = replace(child, names=dict(child.names))
            self._own.add(id(child))
            node.names[name] = child
            node = child
        return node

    def put(self, path: str, inode: Inode) -> None:
        """Put an inode; missing parents, and parents of another type, become plain directories."""
        if isinstance(inode, Directory):
            existing = self._directory(path)
            for name in ("mode", "uid", "gid", "mtime_ns", "xattrs"):
                setattr(existing, name, getattr(inode, name))
            return
        parent, name = parent_of(path)
        self._directory(parent).names[name] = inode

    def drop(self, path: str) -> None:
        """Delete a name and everything below it, if it exists."""
        parent, name = parent_of(path)
        if find(self.root, path) is not None:
            self._directory(parent).names.pop(name)

    def clear(self, path: str) -> None:
        """Delete everything inside a directory, if it is one."""
        if isinstance(find(self.root, path), Directory):
            self._directory(path).names.clear()
