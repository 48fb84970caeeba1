"""How layers combine: looking a name up, listing a directory, and the merged view.

Read `look_up` first: it is the whole rule. What the overlay xattrs add (redirects, files without data, impure
directories) stands in `marked_lookup`, and is not needed to understand this file. Each function that is a rule names
the section of the written rules and the recorded kernel experiments that prove it (docs/rules.md). The rules are those
of Linux 6.18, fs/overlayfs/namei.c and readdir.c. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from overlaylab.tree import Device, Directory, Inode, clean, parts_of

from .lookup_result import Found, Part, Seen, Verdict
from .whiteouts import TRUSTED, is_opaque, is_whiteout, is_whiteout_device


def look_up(parents: Sequence[Part], name: str, marks: str = TRUSTED) -> tuple[tuple[Part, ...], Part | None]:
    """Look a name up in a merged directory: the topmost wins, a whiteout ends the search, an opaque directory too.

    Args:
        parents: The parts of the directory, topmost first.
        marks: The namespace of the overlay xattrs.

    Returns:
        The parts of what was found, topmost first: several for a merged directory, none if there is no such name. And
        the entry that ended the search; None if all layers were searched.

    Spec:
        Kernel, section 2: the topmost file shows (merge-02); directories merge (merge-19) until a file ends it
        (merge-06, merge-07, merge-08, merge-11); whiteouts end it (wo-03, wo-08); so does an opaque directory, itself
        still part of the merge (wo-10, wo-12).
    """
    found: list[Part] = []
    for layer, directory in parents:
        inode = directory.names.get(name) if isinstance(directory, Directory) else None
        if inode is None:
            continue
        entry = Part(layer, inode)
        # Most inodes can be neither opaque nor a whiteout, and are not asked.
        special = inode.xattrs or type(inode) is Device
        if isinstance(inode, Directory):
            found.append(entry)
            if special and is_opaque(inode, marks):
                return tuple(found), entry
        elif special and is_whiteout(inode, marks):
            return tuple(found), entry
        else:
            # A file below a directory is hidden by it.
            return tuple(found) if found else (entry,), entry
    return tuple(found), None


def list_merged(parts: Sequence[Part]) -> set[str]:
    """List a merged directory: the union of its parts, without what a whiteout above hides.

    Args:
        parts: The parts of the directory, topmost first.

    Spec:
        Kernel, section 3: the first part wins (merge-01), whiteouts are left out (wo-05). Only devices count as
        whiteouts here (wo-19).
    """
    names: set[str] = set()
    hidden: set[str] = set()
    for part in parts:
        merge_names(names_of(part.inode), names, hidden)
    return names


def merge_names(entries: Mapping[str, Inode], names: set[str], hidden: set[str]) -> None:
    """Add what one part holds to the names, and to the hidden names, of the parts above it.

    Kernel, section 3: merge-01, wo-05.
    """
    deleted = {name for name, inode in entries.items() if type(inode) is Device and is_whiteout_device(inode)}
    names |= entries.keys() - hidden - deleted
    hidden |= deleted - names


class Stack(Protocol):
    """Layers on top of each other: what the functions below need to know of them.

    Attributes:
        root_parts: The roots of the layers, topmost first. All roots always merge (wo-15, wo-16).
    """

    root_parts: tuple[Part, ...]

    def child(
        self, parents: Sequence[Part], name: str, path: str, seen: dict[int, Seen] | None = None
    ) -> tuple[Part, ...]:
        """Look a name up in a directory: `look_up`, and what the overlay xattrs add to it.

        Args:
            parents: The parts of the directory, topmost first.
            path: The path of the name, for messages and the trace.
            seen: Where to note what was met, by layer; None for no trace.
        """

    def entries(self, parts: Sequence[Part]) -> set[str]:
        """List a directory: `list_merged`, and what the overlay xattrs add to it."""


def lookup(stack: Stack, path: str) -> Found:
    """Resolve a path, and keep what was met in every layer. Symlinks are not followed.

    Args:
        path: Relative or absolute; ``.`` or ``/`` is the root.

    Raises:
        Finding: ``path-escape`` for ``..``.

    Spec:
        Kernel, section 2: topmost wins (merge-02, merge-04, mount-01); all roots always merge (wo-15, wo-16).
    """
    path, _ = clean(path, "path")
    parts = stack.root_parts
    seen: dict[int, Seen] = {}
    walked = ""
    for name in parts_of(path):
        if not parts:
            break
        walked = f"{walked}/{name}" if walked else name
        parts = stack.child(parts, name, walked, seen)
    for part in parts:
        seen[part.layer] = Seen(part.layer, Verdict.SHOWN if part is parts[0] else Verdict.MERGED, path)
    return Found(path, parts, tuple(seen[root.layer] for root in stack.root_parts if root.layer in seen))


def note(
    seen: dict[int, Seen], parents: Sequence[Part], found: Sequence[Part], end: Part | None, path: str, marks: str
) -> None:
    """Note what one step of a lookup met in each layer where nothing was found.

    Args:
        seen: What was noted before, by layer; it stays.
        parents: What was searched.
        found: What was found, and `end` what ended the search; see `look_up`.
    """
    with_part = {part.layer for part in found}
    for layer, _ in parents:
        if layer in seen or layer in with_part:
            continue
        if end is None or layer > end.layer:
            seen[layer] = Seen(layer, Verdict.ABSENT, path)
        elif layer < end.layer:
            seen[layer] = Seen(layer, Verdict.HIDDEN, path, end.layer, _reason(end.inode, marks))
        elif is_whiteout(end.inode, marks):
            seen[layer] = Seen(layer, Verdict.WHITEOUT, path)
        else:
            seen[layer] = Seen(layer, Verdict.HIDDEN, path, found[-1].layer, found[-1].inode.type)


def _reason(inode: Inode, marks: str) -> str:
    if isinstance(inode, Directory):
        return "opaque"
    return "whiteout" if is_whiteout(inode, marks) else inode.type


def readdir(stack: Stack, path: str = ".") -> tuple[str, ...]:
    """List a directory as the kernel does, sorted.

    A directory that is not merged is listed straight from its layer: a stray whiteout is a name that is not found.

    Raises:
        FileNotFoundError: There is no such path.
        NotADirectoryError: It is no directory.

    Spec:
        Kernel, section 3: merged listing without whiteouts (merge-01, wo-05, wo-34); straight listing (wo-06, rm-14).
    """
    found = lookup(stack, path)
    if found.inode is None:
        raise FileNotFoundError(2, "No such file or directory", path)
    if not isinstance(found.inode, Directory):
        raise NotADirectoryError(20, "Not a directory", path)
    return tuple(sorted(stack.entries(found.parts)))


def walk(stack: Stack) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """Every visible path with its parts, the root first, names sorted, each directory before its content."""
    waiting: list[tuple[str, tuple[Part, ...]]] = [(".", stack.root_parts)] if stack.root_parts else []
    while waiting:
        path, parts = waiting.pop()
        yield path, parts
        if isinstance(parts[0].inode, Directory):
            waiting += children(stack, path, parts)


def children(
    stack: Stack, path: str, parts: tuple[Part, ...], among: set[str] | None = None
) -> list[tuple[str, tuple[Part, ...]]]:
    """The visible paths in a directory with their parts, names sorted backwards.

    Args:
        parts: The directory's parts, topmost first.
        among: Look these names up; None for all that are listed.
    """
    prefix = "" if path == "." else path + "/"
    found = []
    for name in sorted(stack.entries(parts) if among is None else among, reverse=True):
        if child := stack.child(parts, name, prefix + name):
            found.append((prefix + name, child))
    return found


def merged(stack: Stack) -> Directory:
    """The merged view as a tree of its own. Files are shared with the layers, directories are new."""
    made: dict[str, Directory] = {}
    for path, parts in walk(stack):
        inode = parts[0].inode
        if isinstance(inode, Directory):
            inode = made[path] = Directory(
                mode=inode.mode, uid=inode.uid, gid=inode.gid, mtime_ns=inode.mtime_ns, xattrs=inode.xattrs
            )
        if path != ".":
            parent, _, name = path.rpartition("/")
            made[parent or "."].names[name] = inode
    return made.get(".", Directory())


def provenance(stack: Stack) -> dict[str, int]:
    """For every visible path the layer it comes from, counted from the bottom."""
    return {path: parts[0].layer for path, parts in walk(stack)}


def names_of(inode: Inode | None) -> dict[str, Inode]:
    """The names in a directory; none in anything else."""
    return inode.names if isinstance(inode, Directory) else {}
