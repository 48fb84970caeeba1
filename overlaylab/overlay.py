"""overlayfs as a model: lookup, listing, copy-up, whiteouts and rename over a stack of layers.

The rules are those of Linux 6.18. Each function is one rule and names the
recorded kernel experiments ("vectors") that prove it. `Overlay` has two sides: to
look (`lookup`, `readdir`, `walk`, `merged`, `provenance`), which changes nothing, and
to write, which is called by the system calls of `posix` and changes the upper layer
alone. Bookkeeping that no reader sees is in `marks`.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .access import NOBODY, fail
from .errors import Finding
from .journal import CopyUp, Created, Journal, MetadataCopyUp, Moved, Removed, WhiteoutMade, WhiteoutRemoved
from .marks import Marks, Numbers
from .options import Features
from .posix import EXCHANGE, WHITEOUT, Node
from .tree import Device, Directory, File, Inode, clean, parts_of, whiteout

__all__ = ["Found", "Overlay", "Part", "Seen", "Verdict", "is_opaque", "is_whiteout"]

TRUSTED = "trusted.overlay."
USER = "user.overlay."
# In a user namespace without userxattr the marks of the layers are out of sight (ux-12).
UNSEEN = "trusted.overlay.(unseen)."


class Verdict(StrEnum):
    """What the lookup of a path met in one layer."""

    SHOWN = "shown"
    MERGED = "merged"
    ABSENT = "absent"
    WHITEOUT = "whiteout"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Part:
    """A layer's share of a merged name. `layer` counts from the bottom: 0 is the bottom lower, an upper is the last."""

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
        """What stat shows: the topmost part. Kernel: no union of attributes (merge-05, merge-15)."""
        return self.parts[0].inode if self.parts else None

    @property
    def layer(self) -> int | None:
        """The layer that the attributes, or the content, come from, counted from the bottom."""
        return self.parts[0].layer if self.parts else None


class _Refused(Finding):
    """A mark that cannot be followed: a sentence for a reader, an errno for a system call."""

    def __init__(self, number: int, path: str, expected: str, found: str) -> None:
        super().__init__("unsupported-mark", path, expected, found)
        self.number = number


def is_whiteout(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether an inode of a layer stands for a deletion.

    Spec:
        Kernel: a character device 0:0 (wo-01, wo-27), or an empty file with the ``whiteout`` mark
        (wo-18, wo-19), but not one with content (wo-21).
    """
    if isinstance(inode, Device):
        return inode.kind == "char" and inode.rdev == (0, 0)
    return isinstance(inode, File) and inode.size == 0 and marks + "whiteout" in inode.xattrs


def is_opaque(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether a directory of a layer hides what is below it.

    Spec:
        Kernel: only the exact value ``y`` counts (wo-13), only on directories (wo-14).
    """
    return isinstance(inode, Directory) and inode.xattrs.get(marks + "opaque") == b"y"


class Overlay:
    """A stack of layers as one file system.

    Args:
        lowerdirs: **Topmost first**, as in ``lowerdir=top:middle:bottom``. They are never changed.
        upperdir: The writable layer, or None for a read-only overlay. Writing changes it in place.
        marks: The namespace of overlay marks: ``trusted.overlay.``, or ``user.overlay.`` with userxattr.
        features: What the mount options make the overlay do.
        datadirs: Data-only layers, topmost first.
        userns: Whether it is mounted in a user namespace.
        read_only: Whether it is mounted read-only though it has an upper.
        journal: Where changes are noted; one of its own if there is none.
        numbers: The inode numbers of the disk that holds the layers.
        index: With index=on, what the work directory knows about lower hard links.

    Spec:
        Kernel documentation, overlayfs.rst, "Upper and Lower", "Multiple lower layers".
    """

    def __init__(
        self, *, lowerdirs: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED,
        features: Features | None = None, datadirs: Sequence[Directory] = (), userns: bool = False, read_only: bool = False,
        journal: Journal | None = None, numbers: Numbers | None = None, index: dict[int, Inode] | None = None,
    ) -> None:
        userxattr = marks == USER
        self.features = features or Features(userxattr=userxattr, redirect="nofollow" if userxattr else "follow")
        stored = not userns or self.features.userxattr
        self.marks = (USER if self.features.userxattr else marks) if stored else UNSEEN
        self.lowerdirs, self.upperdir, self.datadirs = tuple(lowerdirs), upperdir, tuple(datadirs)
        self.userns, self.read_only = userns, read_only or upperdir is None
        self.journal, self.numbers = journal or Journal(), numbers or Numbers()
        self.book = Marks(self.marks, self.journal, self.numbers, stored, decodes=not userns)
        self.index = {} if index is None else index
        # Directories that are layers themselves: what leads into one from another layer is ELOOP (mount-14, mount-74).
        self.traps: set[int] = set()
        # Where lower objects went when they were copied up, for descriptors that are open on them.
        self._moved: dict[Any, Inode] = {}
        stack = ([upperdir] if upperdir is not None else []) + list(lowerdirs)
        self._roots = tuple(Part(len(stack) - 1 - i, root) for i, root in enumerate(stack))
        self.root = Node(self, None, ".", upperdir, self._roots[upperdir is not None :])
        self.device, self.depth = 0, 1
        if upperdir is not None and self.features.index and lowerdirs:
            self.book.set_origin(upperdir, lowerdirs[0], ".")

    @property
    def hidden(self) -> str:
        """The namespace that the mount does not show."""
        return self.marks

    @classmethod
    def of_layers(cls, layers: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED) -> Overlay:
        """Stack layers that come **bottom first**, as images list them: the one place where the order turns."""
        return cls(lowerdirs=tuple(reversed(layers)), upperdir=upperdir, marks=marks)

    # --- to look

    def lookup(self, path: str) -> Found:
        """Resolve a path, and keep what was met in every layer.

        Symlinks are not followed.

        Args:
            path: Relative or absolute; ``.`` or ``/`` is the root.

        Raises:
            Finding: ``path-escape`` for ``..``.

        Spec:
            Kernel: topmost wins (merge-02, merge-04, mount-01); all roots always merge (wo-15, wo-16).
        """
        path, _ = clean(path, "path")
        parts = self._roots
        seen: dict[int, Seen] = {}
        walked = "."
        for name in parts_of(path):
            walked = name if walked == "." else f"{walked}/{name}"
            parts = self._lookup_name(parts, name, walked, seen)
        for part in parts:
            seen[part.layer] = Seen(part.layer, Verdict.SHOWN if part is parts[0] else Verdict.MERGED, path)
        return Found(path, parts, tuple(seen[root.layer] for root in self._roots if root.layer in seen))

    def readdir(self, path: str = ".") -> tuple[str, ...]:
        """List a directory as the kernel does, sorted.

        A directory that is not merged is listed straight from its layer, so a
        stray whiteout shows up as a name that lookup does not find.

        Raises:
            FileNotFoundError: There is no such path.
            NotADirectoryError: It is no directory.

        Spec:
            Kernel: merged listing without whiteouts (merge-01, wo-05, wo-34); straight listing (wo-06, rm-14).
        """
        found = self.lookup(path)
        if found.inode is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        if not isinstance(found.inode, Directory):
            raise NotADirectoryError(20, "Not a directory", path)
        return tuple(sorted(self._list(found.parts, self._deletes)))

    def walk(self) -> Iterator[tuple[str, tuple[Part, ...]]]:
        """Every visible path with its parts, the root first, names sorted, each directory before its content."""
        stack: list[tuple[str, tuple[Part, ...]]] = [(".", self._roots)] if self._roots else []
        while stack:
            path, parts = stack.pop()
            yield path, parts
            if isinstance(parts[0].inode, Directory):
                stack += self._children(path, parts)

    def _children(self, path: str, parts: tuple[Part, ...]) -> Iterator[tuple[str, tuple[Part, ...]]]:
        prefix = "" if path == "." else path + "/"
        for name in sorted(self._list(parts, self._deletes), reverse=True):
            if found := self._lookup_name(parts, name, prefix + name):
                yield prefix + name, found

    def merged(self) -> Directory:
        """The merged view as a tree of its own. Files are shared with the layers, directories are new."""
        made: dict[str, Directory] = {}
        for path, parts in self.walk():
            inode = parts[0].inode
            if isinstance(inode, Directory):
                inode = made[path] = Directory(
                    mode=inode.mode, uid=inode.uid, gid=inode.gid, mtime_ns=inode.mtime_ns, xattrs=inode.xattrs,
                )
            if path != ".":
                parent, _, name = path.rpartition("/")
                made[parent or "."].names[name] = inode
        return made.get(".", Directory())

    def provenance(self) -> Mapping[str, int]:
        """For every visible path the layer it comes from, counted from the bottom."""
        return {path: parts[0].layer for path, parts in self.walk()}

    # --- listing and lookup, for both sides

    def _list(self, parts: tuple[Part, ...], gone: Callable[[str, Inode], bool] | None = None) -> set[str]:
        """The names that the kernel lists: the union without whiteouts, or one layer's table as it is.

        Args:
            gone: Tells of a name in an impure upper directory whether looking it up finds nothing.
        """
        top = parts[0].inode
        if not self._is_merged_list(parts):
            return set(top.names)
        names: set[str] = set()
        hidden: set[str] = set()
        for part in parts:
            # Kernel: marked files count as whiteouts in a listing only where the lower directory says x
            # (wo-18, wo-25, wo-26); in the upper x has no effect (wo-22).
            marked = self.book.get(part.inode, "opaque") == b"x" and not self._is_upper(part)
            # Kernel: every name of an impure upper directory is looked up before it is listed (wo-36).
            impure = gone is not None and self._is_upper(part) and self.book.has(part.inode, "impure")
            for name, inode in part.inode.names.items():
                if name in names or name in hidden:
                    continue
                deletes = is_whiteout(inode, self.marks) and (isinstance(inode, Device) or marked)
                (hidden if deletes or (impure and gone(name, inode)) else names).add(name)
        return names

    def _deletes(self, name: str, inode: Inode) -> bool:
        return is_whiteout(inode, self.marks)

    def _is_merged_list(self, parts: Sequence[Part]) -> bool:
        """Kernel: several parts (merge-01), or one that carries an origin (wo-37)."""
        return len(parts) > 1 or self.book.has(parts[0].inode, "origin")

    def _is_upper(self, part: Part) -> bool:
        return self.upperdir is not None and part.layer == len(self.lowerdirs)

    def _lookup_name(
        self, parents: Sequence[Part], name: str, path: str, seen: dict[int, Seen] | None = None
    ) -> tuple[Part, ...]:
        """Look a name up in every part of a directory, topmost first, until something ends the search.

        Spec:
            Kernel: a whiteout ends it (wo-03, wo-08); so does a non-directory, which shows only if nothing was
            found above it (merge-06, merge-07, merge-08, merge-11); so does an opaque directory, itself still part
            of the merge (wo-10, wo-12), and opaque wins over redirect (rd-19); a redirect goes on below under
            another name (rd-01, rd-14), an absolute one in every layer below (rd-02).
        """
        search = _Search([name], path)
        found: list[Part] = []
        layers = deque(parents)
        while layers:
            part = layers.popleft()
            if search.end:
                self._note(seen, part.layer, Verdict.HIDDEN, path, search.end)
                continue
            self._may_follow(search)
            inode = self._in_layer(part, search, last=self._is_last(part, search, layers))
            if inode is None:
                self._note_miss(seen, part.layer, path, search, found)
            elif not (search.metacopy and any(not self._is_upper(above) for above in found)):
                found.append(Part(part.layer, inode))
            if search.restart:
                layers, search.restart = deque(root for root in self._roots if root.layer < part.layer), False
        return tuple(found + self._last_data(search, found))

    def _is_last(self, part: Part, search: _Search, rest: deque[Part]) -> bool:
        """Whether marks of a part no longer matter, since there is nothing to go on to.

        Spec:
            Kernel: ovl_lookup. A malformed redirect in the bottom layer is not even read; with data-only layers
            below, a file's is (mount-46).
        """
        if self.features.redirect == "nofollow":
            return not rest
        return part.layer == 0 and not self._is_upper(part) and (search.is_dir or not self.datadirs)

    def _in_layer(self, part: Part, search: _Search, last: bool) -> Inode | None:
        """Look one part through for what the search is after: a name, or a path from the layer's root.

        Returns:
            What belongs to the merged object, or None; whether and why the search ends is noted in `search`.
        """
        node: Inode = part.inode
        for left in range(len(search.names), 0, -1):
            inode = node.names.get(search.names[-left]) if isinstance(node, Directory) else None
            if inode is None:
                return None
            if is_whiteout(inode, self.marks):
                return search.stop("whiteout", part.layer)
            if not isinstance(inode, Directory):
                return self._a_file(inode, part, search, final=left == 1, last=last)
            if search.metacopy and left == 1:
                return search.stop(inode.type, part.layer)
            if id(inode) in self.traps:
                raise fail(errno.ELOOP, search.path)
            search.is_dir = search.is_dir or left == 1
            if is_opaque(inode, self.marks) and not last:
                search.stop("opaque", part.layer)
            elif not last:
                self._redirected(inode, search, left)
            node = inode
        return node

    def _a_file(self, inode: Inode, part: Part, search: _Search, final: bool, last: bool) -> Inode | None:
        """A non-directory ends the search; a file without data goes on to where its data is. Kernel: mc-03, mc-08."""
        if search.is_dir or not final or (search.metacopy and not isinstance(inode, File)):
            return search.stop(inode.type, part.layer)
        search.metacopy = isinstance(inode, File) and self.book.has(inode, "metacopy")
        if not search.metacopy:
            search.stop(inode.type, part.layer)
        elif not last:
            self._redirected(inode, search, 1)
        return inode

    def _redirected(self, inode: Inode, search: _Search, left: int) -> None:
        """Go on below under another name, if an object says so.

        Args:
            left: How many names of the search are not passed yet, this one included.

        Raises:
            _Refused: EINVAL for a malformed value (rd-18).
        """
        value = self.book.get(inode, "redirect")
        if value is None:
            return
        target = value.decode("utf-8", "surrogateescape")
        names = target.removeprefix("/").split("/")
        if not all(names) or (len(names) > 1 and not target.startswith("/")):
            raise _Refused(errno.EINVAL, search.path, "a name, or a path from the root", f"redirect {target!r}")
        rest = search.names[len(search.names) - left + 1 :]
        before = [] if target.startswith("/") else search.names[: len(search.names) - left]
        search.names, search.redirect = before + names + rest, target
        if target.startswith("/"):
            search.end, search.restart = "", not search.absolute
            search.absolute = True

    def _may_follow(self, search: _Search) -> None:
        """Refuse to go on below where the options do not allow it.

        Raises:
            _Refused: EPERM for a redirect with nofollow or userxattr (rd-13, rd-22, ux-06), for metadata without
                data with metacopy=off (mc-07).
        """
        if search.redirect and self.features.redirect == "nofollow":
            raise _Refused(errno.EPERM, search.path, "a name, or a path from the root", f"redirect {search.redirect!r}")
        if search.metacopy and not self.features.metacopy:
            raise _Refused(errno.EPERM, search.path, "a file with its content", "metacopy")

    def _last_data(self, search: _Search, found: Sequence[Part]) -> list[Part]:
        """The end of a search: data of a file may lie in a data-only layer, reached by an absolute redirect.

        Raises:
            _Refused: EIO if there is no data at all (mc-09).

        Spec:
            Kernel: mount-46; needs neither metacopy=on nor redirects from a file of the bottom layer; missing data
            shows at open only (mount-48).
        """
        in_lower = any(not self._is_upper(part) for part in found)
        if search.metacopy and in_lower and self.datadirs and search.absolute:
            for position, layer in enumerate(self.datadirs):
                inode = _beneath(layer, search.names)
                if isinstance(inode, File):
                    return [Part(-1 - position, inode)]
            return []
        self._may_follow(search)
        if search.metacopy:
            raise _Refused(errno.EIO, search.path, "a file with its content", "metacopy")
        return []

    def _note(self, seen: dict[int, Seen] | None, layer: int, verdict: Verdict, path: str, end: str = "") -> None:
        if seen is not None and layer not in seen:
            reason, _, by = end.partition("@")
            seen[layer] = Seen(layer, verdict, path, int(by) if by else None, reason)

    def _note_miss(self, seen: dict[int, Seen] | None, layer: int, path: str, search: _Search, found: Sequence[Part]) -> None:
        if search.end.startswith("whiteout@"):
            self._note(seen, layer, Verdict.WHITEOUT, path)
        elif search.end and found:
            self._note(seen, layer, Verdict.HIDDEN, path, f"{found[-1].inode.type}@{found[-1].layer}")
        else:
            self._note(seen, layer, Verdict.ABSENT, path)

    def again(self, rotated: bool = False) -> Overlay:
        """The same layers mounted anew.

        Args:
            rotated: Whether the upper becomes the topmost lower layer, under a new empty one. Kernel: img-01 to img-12.
        """
        lowers = [self.upperdir, *self.lowerdirs] if rotated else self.lowerdirs
        new = Overlay(
            lowerdirs=lowers, upperdir=Directory() if rotated else self.upperdir, features=self.features, datadirs=self.datadirs,
            userns=self.userns, read_only=self.read_only and self.upperdir is not None, journal=self.journal,
            numbers=self.numbers, index={} if rotated else self.index,
        )
        new.traps, new.depth = self.traps, self.depth
        return new

    # --- to find, for system calls

    def look(self, parent: Node, name: str) -> Node | None:
        """Find a name in a directory; mending marks on the way (cu-23).

        Raises:
            OSError: EPERM, EINVAL, EIO for marks that cannot be followed; ELOOP for a layer inside a layer (mount-14).
        """
        path = name if parent.parent is None else f"{parent.path}/{name}"
        try:
            parts = self._lookup_name(self._parts(parent), name, path)
        except _Refused as refused:
            raise fail(refused.number, path) from None
        if not parts:
            return None
        upper = parts[0].inode if self._is_upper(parts[0]) else None
        node = Node(self, parent, name, upper, parts[upper is not None :])
        if isinstance(upper, Directory) and node.lowers and parent.upper is not None:
            self.book.fix_origin(upper, node.lowers[0].inode, parent.upper, path, parent.path)
        return self._indexed(node)

    def _indexed(self, node: Node) -> Node:
        """With index=on, names of one lower hard link share one upper inode. Kernel: ln-11."""
        if node.upper is None and self.features.index and self._is_shared(node.lowers[0].inode):
            node.upper, node.alias = self.index.get(self.numbers.of(node.lowers[0].inode)), False
        return node

    def _parts(self, node: Node) -> tuple[Part, ...]:
        upper = () if node.upper is None else (Part(len(self.lowerdirs), node.upper),)
        return upper + node.lowers

    def names(self, node: Node) -> list[str]:
        """List a directory; what is listed because of the impure mark is looked up. Kernel: wo-36, cu-52."""
        parts = self._parts(node)
        if node.upper is not None and not self._is_merged_list(parts) and self.book.has(node.upper, "impure"):
            self._still_impure(node)
        return list(self._list(parts, lambda name, inode: self._quiet_look(node, name) is None))

    def _quiet_look(self, parent: Node, name: str) -> Node | None:
        try:
            return self.look(parent, name)
        except OSError:
            return None

    def _still_impure(self, node: Node) -> None:
        """Take the impure mark off a directory without copies. Kernel: cu-52."""
        children = [self._quiet_look(node, name) for name in list(node.upper.names)]
        if all(child is None or self._shown_inode(child) is child.upper for child in children):
            self.book.clear_impure(node.upper, node.path)

    def fresh(self, node: Node) -> Node:
        """The node of an open file, as it is now: it may have been copied up since. Kernel: cu-29, cu-32."""
        if node.parent is not None:
            self.fresh(node.parent)
        if node.upper is None and (copy := self._moved.get(self._slot(node))) is not None:
            node.upper, node.alias = copy, not self.features.index or self._stands(node, copy)
            if isinstance(copy, File) and not self.book.has(copy, "metacopy"):
                node.lowers = ()
        return node

    def _stands(self, node: Node, copy: Inode) -> bool:
        """Whether a copy has its name in the upper; with index=on it may have other names only."""
        table = node.parent.upper.names if node.parent is not None and node.parent.upper is not None else {}
        return table.get(node.name) is copy or not self._is_shared(node.lowers[0].inode)

    # --- what stat shows

    def data_of(self, node: Node) -> File:
        """The inode whose data is read: for metadata without data the one below. Kernel: mc-08, mount-48 (ENOENT)."""
        if not self.book.has(node.inode, "metacopy") or not isinstance(node.inode, File):
            return node.inode
        if len(self._parts(node)) < 2:
            raise fail(errno.ENOENT, node.path)
        return node.lowers[-1].inode

    def nlink(self, node: Node) -> int:
        """The link count. Kernel: 1 for merged directories (merge-23); real counts of one layer (merge-21, merge-22, rm-20)."""
        if not node.is_dir:
            return self.book.shown_nlink(node.upper) if self._is_indexed(node) else node.inode.nlink
        if self._is_merged(node):
            return 1
        return 2 + sum(isinstance(child, Directory) for child in node.inode.names.values())

    def number(self, node: Node) -> int:
        """The inode number. Kernel: kept over copy-up and rename (cu-40, mv-43), not of a broken hard link (cu-41)."""
        return self.numbers.of(self._shown_inode(node))

    def _shown_inode(self, node: Node) -> Inode:
        if node.upper is None or node.is_dir:
            return node.lowers[0].inode if node.lowers else node.upper
        origin = self.book.origin(node)
        return origin if origin is not None and (origin.nlink == 1 or self._is_indexed(node)) else node.upper

    def identity(self, node: Node) -> Any:
        """What makes two names one inode. Kernel: not two names of one lower hard link (mv-30), but of an upper one (mv-31)."""
        return id(node.upper) if node.upper is not None else self._slot(node)

    def _slot(self, node: Node) -> Any:
        lower = node.lowers[0].inode if node.lowers else node.upper
        if not self._is_shared(lower) or self.features.index or self.upperdir is None or node.parent is None:
            return id(lower)
        return id(lower), id(node.parent.lowers[0].inode if node.parent.lowers else node.parent.upper), node.name

    def _is_shared(self, lower: Inode) -> bool:
        return not isinstance(lower, Directory) and lower.nlink > 1

    def _is_indexed(self, node: Node) -> bool:
        return self.features.index and node.upper is not None and self.book.has(node.upper, "nlink")

    def _is_merged(self, node: Node) -> bool:
        return len(node.lowers) > (node.upper is None)

    def _has_origin(self, node: Node) -> bool:
        """Whether a name, once it is in the upper, makes its directory impure. Kernel: mv-34, mv-54, ln-20."""
        if node.is_dir:
            return node.upper is not None and bool(node.lowers)
        return node.upper is not None and self._shown_inode(node) is not node.upper

    # --- copy-up

    def writable(self, node: Node, data: bool = True, size: int | None = None) -> Inode:
        """The upper inode of a node, copied up first if need be.

        Args:
            data: Whether the content is wanted too, or metadata only.
            size: 0 if the old content is to go.

        Spec:
            Kernel: what triggers it, cu-02 to cu-17, mv-01, ln-01, cr-09; the root is always there (cu-28).
        """
        if not self.fresh(node).alias:
            self._copy_up(node, data, size)
        if data and isinstance(node.upper, File) and self.book.has(node.upper, "metacopy"):
            self._bring_data(node, size)
        return node.upper

    def xattrs_of(self, node: Node) -> Inode:
        """The inode whose attributes can be set. Kernel: with index=on, a shared copy without a name here will do."""
        return self.writable(node, data=False) if self.fresh(node).upper is None else node.upper

    def _copy_up(self, node: Node, data: bool, size: int | None) -> None:
        """Copy one object to the upper layer, its parents first, each alone.

        Spec:
            Kernel: parents top down, without their contents (cu-20, cu-21, cu-27); their times stay (cu-02);
            names of one lower hard link part (cu-42).

        Raises:
            OSError: EEXIST for an open file whose name is gone; EOVERFLOW, EPERM as in `_may_copy`.
        """
        parent = self.writable(node.parent, data=False)
        lower = node.lowers[0].inode
        shared = self.features.index and self._is_shared(lower)
        self._may_copy(lower, node.path)
        taken = node.name in parent.names
        if taken:
            self._take_place(node, lower, parent)
        if node.upper is not None:
            self._link_up(node, parent)
        else:
            node.upper = self._copy(node, lower, data or not self.features.metacopy, size)
            if not taken:
                self.journal.put(self.book.copies, (id(parent), node.name), (node.upper, lower))
            self.journal.put(self._moved, self._slot(node), node.upper)
            if isinstance(lower, Directory) or lower.nlink == 1 or shared:
                self.book.set_origin(node.upper, lower, node.path)
            if shared:
                self._enter_index(node.upper, lower)
            self.journal.put(parent.names, node.name, node.upper)
        node.alias = True
        self.book.set_impure(parent, node.parent.path)
        if not node.is_dir and not self.book.has(node.upper, "metacopy"):
            node.lowers = ()

    def _take_place(self, node: Node, lower: Inode, parent: Directory) -> None:
        """Copy up what is open, but has lost its name to a whiteout or to something new.

        Spec:
            Kernel: ovl_do_copy_up links a file to its name, and moves anything else there. So a file is refused, a
            directory too, and a FIFO takes the place. Read off a live mount.
        """
        there = parent.names[node.name]
        if isinstance(lower, File) or isinstance(lower, Directory) is isinstance(there, Directory) is True:
            raise fail(errno.EEXIST, node.path)
        if isinstance(lower, Directory) or isinstance(there, Directory):
            raise fail(errno.ENOTDIR if isinstance(lower, Directory) else errno.EISDIR, node.path)
        self._leave(parent, node.name)

    def _copy(self, node: Node, lower: Inode, data: bool, size: int | None) -> Inode:
        """The copy: type, data, text, number, mode, owner, time and attributes, but no marks. Kernel: cu-20, cu-26, cu-36."""
        common = {"mode": lower.mode, "uid": lower.uid, "gid": lower.gid, "mtime_ns": lower.mtime_ns, "xattrs": self.book.copied(lower)}
        if isinstance(lower, Directory):
            made: Inode = Directory(**common)
        elif not isinstance(lower, File):
            made = replace(lower, nlink=1, **common)
        elif size == 0:
            made = File(data=b"", **common)
        elif data:
            made = _sized(self.data_of(node), lower.size, common)
        else:
            made = File(size=lower.size, sha256="", data=None, **common)
            self.book.set_metacopy(made)
        self.journal.note((CopyUp if data or not isinstance(lower, File) else MetadataCopyUp)(node.path))
        return made

    def _bring_data(self, node: Node, size: int | None) -> None:
        """Give a metadata-only copy its data. Kernel: mc-02, mc-06."""
        made = File(data=b"") if size == 0 else _sized(self.data_of(node), node.upper.size, {})
        for name in ("data", "size", "sha256"):
            self.journal.set(node.upper, name, getattr(made, name))
        if made.size:
            # Kernel: read off a live mount. The data is written into a file that is there already, so its time changes.
            self.journal.set(node.upper, "mtime_ns", self.journal.now())
        self.book.clear_metacopy(node.upper)
        self.journal.note(CopyUp(node.path))
        node.lowers = ()

    def _may_copy(self, lower: Inode, path: str) -> None:
        """Kernel: in a user namespace owners must be mapped (ux-10), and devices cannot be made (ux-14)."""
        if self.userns and NOBODY in (lower.uid, lower.gid):
            raise fail(errno.EOVERFLOW, path)
        if self.userns and isinstance(lower, Device):
            raise fail(errno.EPERM, path)

    def _enter_index(self, copy: Inode, lower: Inode) -> None:
        """With index=on the work directory keeps the copy under the lower file's handle. Kernel: ln-11."""
        self.journal.put(self.index, self.numbers.of(lower), copy)
        self.journal.set(copy, "nlink", 2)
        self.book.set_nlink(copy, lower.nlink)

    def _link_up(self, node: Node, parent: Directory) -> None:
        """Give a shared copy the name of another lower hard link. Kernel: index=on, ln-11."""
        shown = self.book.shown_nlink(node.upper)
        self._enter(parent, node.name, node.upper)
        self.book.set_nlink(node.upper, shown)
        self.journal.note(CopyUp(node.path))

    # --- names of the upper layer

    def _enter(self, parent: Directory, name: str, inode: Inode) -> None:
        """Give an inode one more name."""
        if not isinstance(inode, Directory):
            self.journal.set(inode, "nlink", inode.nlink + 1)
        self.journal.put(parent.names, name, inode)

    def _leave(self, parent: Directory, name: str) -> None:
        """Take a name away."""
        inode = parent.names.get(name)
        if inode is None:
            return
        if not isinstance(inode, Directory):
            self.journal.set(inode, "nlink", inode.nlink - 1)
        self.journal.drop(parent.names, name)

    def lower_has(self, node: Node) -> bool:
        """Whether a lower layer shows something under this name, so that removing it needs a whiteout.

        Spec:
            Kernel: rm-01, rm-02, rm-03, rm-22 to rm-24; the present name and the parent's parts count (rd-21).
        """
        if node.upper is None:
            return True
        for part in node.parent.lowers:
            inode = part.inode.names.get(node.name)
            if inode is not None:
                return not is_whiteout(inode, self.marks)
        return False

    def _is_plain(self, node: Node) -> bool:
        """Whether a directory is of the upper alone: then it is the real directory that must be empty (rm-30)."""
        return node.upper is not None and not node.lowers and not self.book.has(node.upper, "origin")

    def _must_be_empty(self, node: Node) -> None:
        """Refuse a directory with visible names. Kernel: rm-07, rm-11, rm-14, wo-34."""
        if self._list(self._parts(node)) if self._is_merged_list(self._parts(node)) else self._visible(node):
            raise fail(errno.ENOTEMPTY, node.path)

    def _visible(self, node: Node) -> bool:
        """Whether a directory of one layer holds anything but whiteouts."""
        return any(not (isinstance(inode, Device) and is_whiteout(inode)) for inode in node.inode.names.values())

    def _clear(self, node: Node) -> None:
        """Whiteouts in a directory that is to go are cleared by an opaque stand-in. Kernel: EIO where none can be made (ux-12)."""
        if node.is_dir and node.upper is not None and node.upper.names:
            if not self.book.stored:
                raise fail(errno.EIO, node.path)
            for name in list(node.upper.names):
                self._leave(node.upper, name)

    # --- making, linking, removing

    def make(self, parent: Node, name: str, inode: Inode, now: int) -> Node:
        """Put a new object into a directory.

        Spec:
            Kernel: the parent is copied up (cr-09). Over a whiteout of the upper a directory becomes opaque (cr-01 to
            cr-03), over one of a lower it does not (cr-04); other objects just replace it (cr-05, cr-06).
        """
        upper = self.writable(parent, data=False)
        node = Node(self, parent, name, inode)
        over = name in upper.names
        if isinstance(inode, Directory):
            if over:
                self.book.set_opaque(inode, node.path, errno.EIO)
            elif self._is_merged(parent) and not self.features.plain:
                self.book.set_opaque(inode, node.path, None)
        self._place(upper, node, now)
        self.journal.note(Created(node.path))
        return node

    def _place(self, upper: Directory, node: Node, now: int) -> None:
        """Put a name into an upper directory, whose time changes; a whiteout that is there gives way."""
        if node.name in upper.names:
            self._leave(upper, node.name)
            self.journal.note(WhiteoutRemoved(node.path))
        self.journal.put(upper.names, node.name, node.upper)
        self.journal.set(upper, "mtime_ns", now)

    def temporary(self, parent: Node, inode: Inode) -> Node:
        """A file without a name; its directory is copied up. Kernel: cr-24."""
        self.writable(parent, data=False)
        return Node(self, parent, "", inode)

    def link(self, node: Node, parent: Node, name: str, now: int) -> None:
        """Give an object a second name.

        Spec:
            Kernel: the source is copied up, both names share the copy (ln-01, ln-02, ln-06); the receiving directory
            becomes impure (ln-20); a file without data remembers where it is (mc-05).
        """
        inode = self.writable(node, data=False)
        upper = self.writable(parent, data=False)
        self._start_nlink(node)
        if self.book.has(inode, "metacopy"):
            self.book.set_redirect(node, absolute=True)
        if self._has_origin(node):
            self.book.set_impure(upper, parent.path)
        self.journal.set(inode, "nlink", inode.nlink + 1)
        self._place(upper, Node(self, parent, name, inode), now)
        if not node.name:
            node.parent, node.name = parent, name

    def _start_nlink(self, node: Node) -> None:
        """With index=on, note the link count before it changes; a lower name is copied up for that. Kernel: ln-11."""
        if not node.is_dir and self.features.index:
            if node.upper is None and self._is_shared(node.lowers[0].inode) or node.upper is not None and not node.alias:
                self.writable(node, data=False)
            if self._is_indexed(node):
                self.book.set_nlink(node.upper, self.book.shown_nlink(node.upper))

    def _end_nlink(self, node: Node) -> None:
        """With index=on, the index lets go of a file that has no name any more."""
        if self._is_indexed(node) and self.book.shown_nlink(node.upper) <= 0:
            for number, inode in list(self.index.items()):
                if inode is node.upper:
                    self.journal.drop(self.index, number)
                    self.journal.set(inode, "nlink", inode.nlink - 1)

    def remove(self, node: Node, now: int) -> None:
        """Take a name away, leaving a whiteout if and only if a lower layer has it.

        Spec:
            Kernel: rm-01 to rm-03, rm-08, rm-09, rm-12; one whiteout for a whole tree (rm-15). A directory must show
            no names (rm-07, rm-11), one of the upper alone must be really empty, without whiteouts too (rm-30).
        """
        lower = self.lower_has(node)
        really = node.is_dir and self._is_plain(node) and not lower
        if node.is_dir and not really:
            self._must_be_empty(node)
        upper = self.writable(node.parent, data=False)
        self._start_nlink(node)
        if really and node.upper.names:
            raise fail(errno.ENOTEMPTY, node.path)
        self._clear(node)
        if node.alias:
            self._leave(upper, node.name)
            self.journal.note(Removed(node.path))
        if lower:
            self._white_out(upper, node.name, node.path)
        self.journal.set(upper, "mtime_ns", now)
        self._end_nlink(node)

    def _white_out(self, upper: Directory, name: str, path: str) -> None:
        self.journal.put(upper.names, name, whiteout())
        self.journal.note(WhiteoutMade(path))

    # --- rename

    def rename(self, old: Node, parent: Node, name: str, new: Node | None, flags: int, now: int) -> None:
        """Move a name, or exchange two.

        Spec:
            Kernel: the upper entry moves, a whiteout stays if and only if a lower layer has the old name, one at the
            new name is consumed (mv-01 to mv-05, mv-17, mv-20, mv-40, mv-49); an exchange makes none (mv-22).
            A refusal because the target is not really empty comes after copy-up and marks (mv-52, rd-23).

        Raises:
            OSError: EINVAL for `WHITEOUT`; EXDEV; ENOTEMPTY.
        """
        exchange = bool(flags & EXCHANGE)
        if flags & WHITEOUT:
            raise fail(errno.EINVAL, old.path)
        for moved in (old, new) if exchange else (old,):
            self._may_move(moved)
        if new is not None and not exchange and new.is_dir and not self._is_plain(new):
            self._must_be_empty(new)
        lower = not exchange and self.lower_has(old)
        self.writable(old, data=False)
        there = self.writable(parent, data=False)
        if new is not None:
            self.writable(new, data=False) if exchange else self._start_nlink(new)
            if not exchange and not self._is_plain(new):
                self._clear(new)
        self._mark_moved(old, parent)
        if exchange:
            self._mark_moved(new, old.parent)
        if new is not None and not exchange and new.is_dir and self._is_plain(new) and new.upper.names:
            raise fail(errno.ENOTEMPTY, new.path)
        self._move(old, there, Node(self, parent, name, old.upper), new if exchange else None, lower, now)
        if new is not None and not exchange:
            self._end_nlink(new)

    def _may_move(self, node: Node) -> None:
        """Refuse to move a directory with a lower part.

        Spec:
            Kernel: EXDEV even if it is empty or all is whited out (mv-08, mv-10, mv-11, mv-26), unless
            redirect_dir=on (rd-01); directories of the upper alone move (mv-12 to mv-14).
        """
        if node.is_dir and node.lowers and self.features.redirect != "on":
            raise fail(errno.EXDEV, node.path)

    def _mark_moved(self, node: Node, parent: Node) -> None:
        """Marks of an object that gets a new place.

        Spec:
            Kernel: a new parent becomes impure (mv-33, mv-34); a lower part is remembered (rd-01, rd-02, mc-03); a
            directory without one becomes opaque in a merged parent, on every move (mv-12, mv-15, mv-18, mv-44), in
            no other (mv-46).
        """
        same = self.identity(node.parent) == self.identity(parent)
        if not same and self._has_origin(node):
            self.book.set_impure(parent.upper, parent.path)
        if (node.is_dir and node.lowers) or self.book.has(node.upper, "metacopy"):
            shared = not node.is_dir and any(part.inode.nlink > 1 for part in node.lowers[:1])
            self.book.set_redirect(node, absolute=not same or shared)
        elif node.is_dir and not is_opaque(node.upper, self.marks) and self._is_merged(parent):
            self.book.set_opaque(node.upper, node.path, errno.EXDEV)

    def _move(self, old: Node, there: Directory, target: Node, partner: Node | None, lower: bool, now: int) -> None:
        """Change the two tables of names, and both directories' times. Kernel: the object's own time is kept (mv-01)."""
        here = old.parent.upper
        self.book.move((id(here), old.name), (id(there), target.name))
        replaced = there.names.get(target.name)
        if partner is not None:
            self.journal.put(here.names, old.name, partner.upper)
        else:
            self._leave(there, target.name)
            self.journal.drop(here.names, old.name)
        self.journal.put(there.names, target.name, old.upper)
        self.journal.note(Moved(old.path, "/" + target.path))
        if replaced is not None and partner is None and is_whiteout(replaced, self.marks):
            self.journal.note(WhiteoutRemoved(target.path))
        if lower and replaced is not None and partner is None and is_whiteout(replaced, self.marks):
            # Kernel: ovl_rename exchanges the two, so the same whiteout goes on at the old name.
            self._enter(here, old.name, replaced)
            self.journal.note(WhiteoutMade(old.path))
        elif lower:
            self._white_out(here, old.name, old.path)
        for directory in (here, there):
            self.journal.set(directory, "mtime_ns", now)


@dataclass(slots=True)
class _Search:
    """A lookup on its way down the layers.

    Args:
        names: What to look for in the next layer: one name, or a path from its root.
        path: The name in the merged view, for messages.
        absolute: Whether `names` is such a path.
        redirect: The last redirect that was met.
        is_dir: Whether a directory was found.
        metacopy: Whether what was found last has no data of its own.
        end: What ended it, and where: ``whiteout@3``.
        restart: Whether it goes on in all layers below, also where the parent has no part.
    """

    names: list[str]
    path: str
    absolute: bool = False
    redirect: str = ""
    is_dir: bool = False
    metacopy: bool = False
    end: str = ""
    restart: bool = False

    def stop(self, reason: str, layer: int) -> None:
        """End the search; what is above stays."""
        self.end = f"{reason}@{layer}"


def _beneath(directory: Inode, names: Sequence[str]) -> Inode | None:
    """The inode at a path inside one layer."""
    node: Inode | None = directory
    for name in names:
        node = node.names.get(name) if isinstance(node, Directory) else None
    return node


def _sized(file: File, size: int, common: Mapping[str, Any]) -> File:
    """A copy of a file's data with the size that its metadata says. Kernel: only so much is copied."""
    if file.data is None or file.size == size:
        return File(size=file.size, sha256=file.sha256, data=file.data, **common)
    return File.of(file.data[:size].ljust(size, b"\0"), **common)
