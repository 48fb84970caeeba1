"""overlayfs as a model: lookup, listing and the merged view over a stack of layers.

The rules are those of Linux 6.18. Each function is one rule and names the
recorded kernel experiments ("vectors") that prove it. Changing the merged view
(copy-up, whiteouts, rename) is the write side and has its place after `readdir`;
here the stack is read only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .errors import Finding
from .tree import Device, Directory, File, Inode, clean, find, parts_of

__all__ = ["Found", "Overlay", "Part", "Seen", "Verdict", "is_opaque", "is_whiteout"]

TRUSTED = "trusted.overlay."
USER = "user.overlay."


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
        lowerdirs: **Topmost first**, as in ``lowerdir=top:middle:bottom``.
        upperdir: The writable layer, or None for a read-only overlay.
        marks: The namespace of overlay marks: ``trusted.overlay.``, or ``user.overlay.`` with userxattr.

    Spec:
        Kernel documentation, overlayfs.rst, "Upper and Lower", "Multiple lower layers".
    """

    def __init__(self, *, lowerdirs: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED) -> None:
        self.lowerdirs = tuple(lowerdirs)
        self.upperdir = upperdir
        self.marks = marks
        stack = ([upperdir] if upperdir is not None else []) + list(lowerdirs)
        self._roots = tuple(Part(len(stack) - 1 - i, root) for i, root in enumerate(stack))

    @classmethod
    def of_layers(cls, layers: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED) -> Overlay:
        """Stack layers that come **bottom first**, as images list them: the one place where the order turns."""
        return cls(lowerdirs=tuple(reversed(layers)), upperdir=upperdir, marks=marks)

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
            if not parts:
                break
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
        return tuple(sorted(self._list(found.parts)))

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
        for name in sorted(self._list(parts), reverse=True):
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

    def _list(self, parts: tuple[Part, ...]) -> set[str]:
        """The names that the kernel lists: the union without whiteouts, or one layer's table as it is."""
        top = parts[0].inode
        if len(parts) == 1 and self.marks + "origin" not in top.xattrs:
            return set(top.names)
        names: set[str] = set()
        gone: set[str] = set()
        for part in parts:
            # Kernel: marked files count as whiteouts in a listing only where the lower directory says x
            # (wo-18, wo-25, wo-26); in the upper x has no effect (wo-22).
            marked = part.inode.xattrs.get(self.marks + "opaque") == b"x" and not self._is_upper(part)
            # Kernel: every name of an impure upper directory is looked up before it is listed (wo-36).
            impure = self._is_upper(part) and self.marks + "impure" in part.inode.xattrs
            for name, inode in part.inode.names.items():
                if name in names or name in gone:
                    continue
                deletes = is_whiteout(inode, self.marks) and (isinstance(inode, Device) or marked or impure)
                (gone if deletes else names).add(name)
        return names

    def _is_upper(self, part: Part) -> bool:
        return self.upperdir is not None and part.layer == len(self.lowerdirs)

    def _lookup_name(
        self, parents: tuple[Part, ...], name: str, path: str, seen: dict[int, Seen] | None = None
    ) -> tuple[Part, ...]:
        """Look a name up in every part of a directory, topmost first, until something ends the search.

        Spec:
            Kernel: a whiteout ends it (wo-03, wo-08); so does a non-directory, which shows only if nothing was
            found above it (merge-06, merge-07, merge-08, merge-11); so does an opaque directory, itself still part
            of the merge (wo-10, wo-12), and opaque wins over redirect (rd-19); a redirect goes on below under
            another name (rd-01, rd-14), an absolute one in every layer below (rd-02).
        """
        found: list[Part] = []
        look, end = name, ""
        absolute = False
        layers = deque(parents)
        while layers:
            part = layers.popleft()
            if end:
                self._note(seen, part.layer, Verdict.HIDDEN, path, found, end)
                continue
            inode = find(part.inode, look) if absolute else _child(part.inode, look)
            if inode is None:
                self._note(seen, part.layer, Verdict.ABSENT, path)
            elif is_whiteout(inode, self.marks):
                end = f"whiteout@{part.layer}"
                self._note(seen, part.layer, Verdict.WHITEOUT, path)
            elif not isinstance(inode, Directory):
                if found:
                    self._note(seen, part.layer, Verdict.HIDDEN, path, found, f"{found[-1].inode.type}@{found[-1].layer}")
                else:
                    found = [Part(part.layer, self._checked(inode, path))]
                end = end or f"{inode.type}@{part.layer}"
            else:
                found.append(Part(part.layer, inode))
                if is_opaque(inode, self.marks):
                    end = f"opaque@{part.layer}"
                elif target := self._redirect(inode, path):
                    look, absolute = target.lstrip("/"), target.startswith("/")
                    if absolute:
                        layers = deque(root for root in self._roots if root.layer < part.layer)
        return tuple(found)

    def _note(
        self, seen: dict[int, Seen] | None, layer: int, verdict: Verdict, path: str,
        found: Sequence[Part] = (), end: str = "",
    ) -> None:
        if seen is not None and layer not in seen:
            reason, _, by = end.partition("@")
            seen[layer] = Seen(layer, verdict, path, int(by) if by else None, reason)

    def _checked(self, inode: Inode, path: str) -> Inode:
        """Metadata without data cannot be shown as a whole file."""
        if self.marks + "metacopy" in inode.xattrs:
            raise Finding("unsupported-mark", path, "a file with its content", "metacopy")
        return inode

    def _redirect(self, directory: Directory, path: str) -> str:
        """Where the part below a renamed directory is to be looked for; empty if it was not renamed.

        Raises:
            Finding: ``unsupported-mark`` for a value that the kernel refuses too (rd-18), and, with
                userxattr, for every redirect (ux-06).
        """
        value = directory.xattrs.get(self.marks + "redirect")
        if value is None:
            return ""
        target = value.decode("utf-8", "surrogateescape")
        names = target.removeprefix("/").split("/")
        if self.marks == USER or not all(names) or (len(names) > 1 and not target.startswith("/")):
            raise Finding("unsupported-mark", path, "a name, or a path from the root", f"redirect {target!r}")
        return target


def _child(directory: Inode, name: str) -> Inode | None:
    return directory.names.get(name) if isinstance(directory, Directory) else None
