"""How layers combine: looking a name up, listing a directory, and the merged view.

The read side of the model of Linux 6.18. Each function is one rule; its docstring names
the section of the written rules (tests/data/overlay-sections.json) and the recorded kernel
experiments ("vectors") that prove it. Nothing here changes anything; writing is in `overlay`.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from overlaylab.errors import fail
from overlaylab.tree import Device, Directory, File, Inode, clean, parts_of

from .features import Features
from .lookup_result import Found, Part, Refused, Seen, Verdict
from .marks import Marks
from .whiteouts import is_opaque, is_whiteout

__all__ = ["Stack"]


class Stack:
    """Layers on top of each other, to be looked at.

    Args:
        lowerdirs: **Topmost first**, as in ``lowerdir=top:middle:bottom``. They are never changed.
        upperdir: The writable layer, or None.
        datadirs: Data-only layers, topmost first.
        features: What the mount options make the overlay do.
        book: Reads the marks.

    Spec:
        Kernel documentation, overlayfs.rst, "Upper and Lower", "Multiple lower layers".
    """

    def __init__(
        self,
        lowerdirs: Sequence[Directory],
        upperdir: Directory | None,
        datadirs: Sequence[Directory],
        features: Features,
        book: Marks,
    ) -> None:
        self.lowerdirs, self.upperdir, self.datadirs = tuple(lowerdirs), upperdir, tuple(datadirs)
        self.features, self.book, self.marks = features, book, book.prefix
        # Directories that are layers themselves: what leads into one from another layer is ELOOP (mount-14, mount-74).
        self.traps: set[int] = set()
        stack = ([upperdir] if upperdir is not None else []) + list(lowerdirs)
        self.root_parts = tuple(Part(len(stack) - 1 - i, root) for i, root in enumerate(stack))

    def lookup(self, path: str) -> Found:
        """Resolve a path, and keep what was met in every layer.

        Symlinks are not followed.

        Args:
            path: Relative or absolute; ``.`` or ``/`` is the root.

        Raises:
            Finding: ``path-escape`` for ``..``.

        Spec:
            Kernel, section 2: topmost wins (merge-02, merge-04, mount-01); all roots always merge (wo-15, wo-16).
        """
        path, _ = clean(path, "path")
        parts = self.root_parts
        seen: dict[int, Seen] = {}
        walked = "."
        for name in parts_of(path):
            if not parts:
                break
            walked = name if walked == "." else f"{walked}/{name}"
            parts = self._lookup_name(parts, name, walked, seen)
        for part in parts:
            seen[part.layer] = Seen(part.layer, Verdict.SHOWN if part is parts[0] else Verdict.MERGED, path)
        return Found(path, parts, tuple(seen[root.layer] for root in self.root_parts if root.layer in seen))

    def readdir(self, path: str = ".") -> tuple[str, ...]:
        """List a directory as the kernel does, sorted.

        A directory that is not merged is listed straight from its layer, so a
        stray whiteout shows up as a name that lookup does not find.

        Raises:
            FileNotFoundError: There is no such path.
            NotADirectoryError: It is no directory.

        Spec:
            Kernel, section 3: merged listing without whiteouts (merge-01, wo-05, wo-34); straight listing (wo-06, rm-14).
        """
        found = self.lookup(path)
        if found.inode is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        if not isinstance(found.inode, Directory):
            raise NotADirectoryError(20, "Not a directory", path)
        return tuple(sorted(self._list(found.parts, self._deletes)))

    def walk(self) -> Iterator[tuple[str, tuple[Part, ...]]]:
        """Every visible path with its parts, the root first, names sorted, each directory before its content."""
        stack: list[tuple[str, tuple[Part, ...]]] = [(".", self.root_parts)] if self.root_parts else []
        while stack:
            path, parts = stack.pop()
            yield path, parts
            if isinstance(parts[0].inode, Directory):
                stack += self._children(path, parts)

    def _children(
        self, path: str, parts: tuple[Part, ...], among: set[str] | None = None
    ) -> list[tuple[str, tuple[Part, ...]]]:
        """The visible paths in a directory with their parts, names sorted backwards; of some names only, if these are given."""
        prefix = "" if path == "." else path + "/"
        found = []
        for name in sorted(self._list(parts, self._deletes) if among is None else among, reverse=True):
            if child := self.child(parts, name, prefix + name):
                found.append((prefix + name, child))
        return found

    def look_everywhere(self) -> None:
        """Look up every visible path where a search may lead on or be refused: directories, and all that is marked.

        Raises:
            Refused: for the first mark that cannot be followed.
        """
        waiting = [(".", self.root_parts)] if self.root_parts else []
        while waiting:
            path, parts = waiting.pop()
            if isinstance(parts[0].inode, Directory):
                waiting += self._children(path, parts, self._leads_on(parts))

    def _leads_on(self, parts: tuple[Part, ...]) -> set[str] | None:
        """The names in a directory that are not plain files in all of its parts; None for all, where the directory is marked."""
        if self.traps or any(part.inode.xattrs for part in parts):
            return None
        return {
            name
            for part in parts
            for name, inode in part.inode.names.items()
            if inode.xattrs or isinstance(inode, Directory)
        }

    def merged(self) -> Directory:
        """The merged view as a tree of its own. Files are shared with the layers, directories are new."""
        made: dict[str, Directory] = {}
        for path, parts in self.walk():
            inode = parts[0].inode
            if isinstance(inode, Directory):
                inode = made[path] = Directory(
                    mode=inode.mode,
                    uid=inode.uid,
                    gid=inode.gid,
                    mtime_ns=inode.mtime_ns,
                    xattrs=inode.xattrs,
                )
            if path != ".":
                parent, _, name = path.rpartition("/")
                made[parent or "."].names[name] = inode
        return made.get(".", Directory())

    def provenance(self) -> Mapping[str, int]:
        """For every visible path the layer it comes from, counted from the bottom."""
        return {path: parts[0].layer for path, parts in self.walk()}

    # --- the rules

    def _list(self, parts: tuple[Part, ...], gone: Callable[[str, Inode], bool] | None = None) -> set[str]:
        """The names that the kernel lists: the union without whiteouts, or one layer's table as it is.

        Args:
            gone: Tells of a name in an impure upper directory whether looking it up finds nothing.

        Spec:
            Kernel, section 3: the first part wins (merge-01), whiteouts are left out (wo-05); any other directory is listed
            as it is (wo-06); marked files (wo-18, wo-25, wo-26), names of an impure directory (wo-36).
        """
        top = parts[0].inode
        if not self._is_merged_list(parts):
            return set(top.names)
        names: set[str] = set()
        hidden: set[str] = set()
        for part in parts:
            # Kernel: marked files count as whiteouts in a listing only where the lower directory says x
            # (wo-18, wo-25, wo-26); in the upper x has no effect (wo-22).
            marked = self.book.get(part.inode, "opaque") == b"x" and not self._is_upper(part) and self._counts(part)
            # Kernel: every name of an impure upper directory is looked up before it is listed (wo-36); so is every
            # file beside the marked ones.
            impure = gone is not None and self._is_upper(part) and self.book.has(part.inode, "impure")
            if not marked and not impure:
                # Only devices can delete here.
                deleted = {
                    name
                    for name, inode in part.inode.names.items()
                    if isinstance(inode, Device) and is_whiteout(inode, self.marks)
                }
                names |= part.inode.names.keys() - hidden - deleted
                hidden |= deleted - names
                continue
            for name, inode in part.inode.names.items():
                if name in names or name in hidden:
                    continue
                deletes = (marked or isinstance(inode, Device)) and is_whiteout(inode, self.marks)
                asked = gone is not None and (impure or (marked and isinstance(inode, File)))
                (hidden if deletes or (asked and gone(name, inode)) else names).add(name)
        return names

    def _counts(self, part: Part) -> bool:
        """Whether ``x`` on a lower directory is seen at all: not in the bottom layer below its root. Read off a live mount."""
        return part.layer > 0 or part.inode is self.root_parts[-1].inode

    def _deletes(self, name: str, inode: Inode) -> bool:
        """Whether an entry stands for a deletion to a mere reader. Kernel, section 1: wo-01."""
        return is_whiteout(inode, self.marks)

    def _is_merged_list(self, parts: Sequence[Part]) -> bool:
        """Kernel, section 3: several parts (merge-01), or one that carries an origin (wo-37)."""
        return len(parts) > 1 or self.book.has(parts[0].inode, "origin")

    def _is_upper(self, part: Part) -> bool:
        return self.upperdir is not None and part.layer == len(self.lowerdirs)

    def child(self, parents: Sequence[Part], name: str, path: str) -> tuple[Part, ...]:
        """Look a name up, without a trace. Where no mark and no whiteout is met, the rules of `_lookup_name` are these few.

        Spec:
            Kernel, section 2: the topmost file shows (merge-02); directories merge (merge-01) until a file ends it (merge-06, merge-07).
        """
        found: list[Part] = []
        for part in parents:
            inode = part.inode.names.get(name) if isinstance(part.inode, Directory) else None
            if inode is None:
                continue
            if inode.xattrs or isinstance(inode, Device) or self.traps:
                return self._lookup_name(parents, name, path)
            if not isinstance(inode, Directory):
                return tuple(found) or (Part(part.layer, inode),)
            found.append(Part(part.layer, inode))
        return tuple(found)

    def _lookup_name(
        self, parents: Sequence[Part], name: str, path: str, seen: dict[int, Seen] | None = None
    ) -> tuple[Part, ...]:
        """Look a name up in every part of a directory, topmost first, until something ends the search.

        Spec:
            Kernel, section 2: a whiteout ends it (wo-03, wo-08); so does a non-directory, which shows only if nothing was
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
                layers, search.restart = deque(root for root in self.root_parts if root.layer < part.layer), False
        return tuple(found + self._last_data(search, found))

    def _is_last(self, part: Part, search: _Search, rest: deque[Part]) -> bool:
        """Whether marks of a part no longer matter, since there is nothing to go on to.

        Spec:
            Kernel, section 16: ovl_lookup. A malformed redirect in the bottom layer is not even read; with data-only layers
            below, a file's is (mount-46).
        """
        if self.features.redirect == "nofollow":
            return not rest
        return part.layer == 0 and not self._is_upper(part) and (search.is_dir or not self.datadirs)

    def _in_layer(self, part: Part, search: _Search, last: bool) -> Inode | None:
        """Look one part through for what the search is after: a name, or a path from the layer's root.

        Returns:
            What belongs to the merged object, or None; whether and why the search ends is noted in `search`.

        Spec:
            Kernel, section 2: whiteouts end it (wo-03, wo-08), opaque directories after themselves (wo-10), redirects lead
            it on (rd-14).
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
        """A non-directory ends the search; a file without data goes on to where its data is. Kernel, section 16: mc-03, mc-08."""
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
            Refused: EINVAL for a malformed value.

        Spec:
            Kernel, sections 2 and 9: what is malformed (rd-18); by name (rd-01), by path (rd-02, rd-14).
        """
        value = self.book.get(inode, "redirect")
        if value is None:
            return
        target = value.decode("utf-8", "surrogateescape")
        names = target.removeprefix("/").split("/")
        if not all(names) or (len(names) > 1 and not target.startswith("/")):
            raise Refused(errno.EINVAL, search.path, "a name, or a path from the root", f"redirect {target!r}")
        rest = search.names[len(search.names) - left + 1 :]
        before = [] if target.startswith("/") else search.names[: len(search.names) - left]
        search.names, search.redirect = before + names + rest, target
        if target.startswith("/"):
            search.end, search.restart = "", not search.absolute
            search.absolute = True

    def _may_follow(self, search: _Search) -> None:
        """Refuse to go on below where the options do not allow it.

        Raises:
            Refused: EPERM.

        Spec:
            Kernel, sections 2, 16 and 17: a redirect with nofollow or userxattr (rd-13, rd-22, ux-06); metadata without
            data with metacopy=off (mc-07).
        """
        if search.redirect and self.features.redirect == "nofollow":
            raise Refused(errno.EPERM, search.path, "a name, or a path from the root", f"redirect {search.redirect!r}")
        if search.metacopy and not self.features.metacopy:
            raise Refused(errno.EPERM, search.path, "a file with its content", "metacopy")

    def _last_data(self, search: _Search, found: Sequence[Part]) -> list[Part]:
        """The end of a search: data of a file may lie in a data-only layer, reached by an absolute redirect.

        Raises:
            Refused: EIO if there is no data at all (mc-09).

        Spec:
            Kernel, section 16: mount-46; needs neither metacopy=on nor redirects from a file of the bottom layer; missing data
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
            raise Refused(errno.EIO, search.path, "a file with its content", "metacopy")
        return []

    def _note(self, seen: dict[int, Seen] | None, layer: int, verdict: Verdict, path: str, end: str = "") -> None:
        if seen is not None and layer not in seen:
            reason, _, by = end.partition("@")
            seen[layer] = Seen(layer, verdict, path, int(by) if by else None, reason)

    def _note_miss(
        self, seen: dict[int, Seen] | None, layer: int, path: str, search: _Search, found: Sequence[Part]
    ) -> None:
        if search.end.startswith("whiteout@"):
            self._note(seen, layer, Verdict.WHITEOUT, path)
        elif search.end and found:
            self._note(seen, layer, Verdict.HIDDEN, path, f"{found[-1].inode.type}@{found[-1].layer}")
        else:
            self._note(seen, layer, Verdict.ABSENT, path)


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
