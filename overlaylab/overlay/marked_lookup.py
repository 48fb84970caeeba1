"""What the overlay xattrs add to looking up and listing: redirects, files without data, impure directories.

`lookup` has the plain rules; the functions here use them wherever no such xattr is met. Each is a rule of Linux 6.18,
fs/overlayfs/namei.c and readdir.c, and names its section and the recorded kernel experiments that prove it
(docs/rules.md). Nothing here changes anything.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from overlaylab.errors import Finding, fail
from overlaylab.tree import Device, Directory, File, Inode

from .features import Features
from .lookup import Stack, look_up, merge_names, names_of, note
from .lookup_result import Part, Seen, Verdict
from .whiteouts import TRUSTED, USER, XattrReader, is_opaque, is_whiteout


class MarkedStack(Stack, Protocol):
    """A stack of layers with what the mount options say of their overlay xattrs; the attributes are `Overlay`'s.

    `traps` are directories that are layers themselves, by `id`: what leads into one from another layer is ELOOP
    (mount-14, mount-74).
    """

    lowerdirs: tuple[Directory, ...]
    upperdir: Directory | None
    datadirs: tuple[Directory, ...]
    features: Features
    marks: str
    traps: set[int]

    @property
    def xattrs(self) -> XattrReader:
        """Reads the overlay xattrs."""


class Refused(Finding):
    """An overlay xattr that cannot be followed: a sentence for a reader, an errno for a system call."""

    def __init__(self, number: int, path: str, expected: str, found: str) -> None:
        super().__init__("unsupported-mark", path, expected, found)
        self.number = number


def child(
    stack: MarkedStack, parents: Sequence[Part], name: str, path: str, seen: dict[int, Seen] | None = None
) -> tuple[Part, ...]:
    """Look a name up: by the plain rule, unless what it finds carries an xattr that leads on.

    Raises:
        Refused: EPERM, EINVAL, EIO for an xattr that cannot be followed.
        OSError: ELOOP for a layer inside a layer.

    Spec:
        Kernel, sections 2 and 16: redirects (rd-01), files without data (mc-03).
    """
    found, end = look_up(parents, name, stack.marks)
    for _, inode in found:
        if inode.xattrs or stack.traps:
            marked = stack.xattrs.has(inode, "redirect") or stack.xattrs.has(inode, "metacopy")
            if marked or id(inode) in stack.traps:
                return _look_up_marked(stack, parents, name, path, seen)
    if seen is not None:
        note(seen, parents, found, end, path, stack.marks)
    return found


@dataclass(slots=True)
class _Search:
    """A lookup on its way down the layers.

    Args:
        names: What to look for in the next layer: one name, or a path from its root, if `absolute`.
        path: The name in the merged view, for messages.
        redirect: The last redirect that was met.
        is_dir: Whether a directory was found.
        metacopy: Whether what was found last has no data of its own.
        end: What ended it, and the layer where: ``("whiteout", 3)``.
        restart: Whether it goes on in all layers below, also where the parent has no part.
    """

    names: list[str]
    path: str
    absolute: bool = False
    redirect: str = ""
    is_dir: bool = False
    metacopy: bool = False
    end: tuple[str, int] | None = None
    restart: bool = False


def _look_up_marked(
    stack: MarkedStack, parents: Sequence[Part], name: str, path: str, seen: dict[int, Seen] | None
) -> tuple[Part, ...]:
    """Look a name up in every part of a directory, topmost first, following redirects, until something ends the search.

    Kernel, section 2: what ends it in `look_up` ends it here; opaque wins over redirect (rd-19); a redirect goes on
    below under another name (rd-01, rd-14), an absolute one in every layer below (rd-02).
    """
    seen = {} if seen is None else seen
    search = _Search([name], path)
    found: list[Part] = []
    layers = deque(parents)
    while layers:
        part = layers.popleft()
        if search.end is not None:
            reason, by = search.end
            seen.setdefault(part.layer, Seen(part.layer, Verdict.HIDDEN, path, by, reason))
            continue
        _may_follow(stack, search)
        inode = _in_layer(stack, part, search, last=_is_last(stack, part, search, layers))
        if inode is None:
            seen.setdefault(part.layer, _missed(part.layer, path, search, found))
        elif not (search.metacopy and any(not is_upper(stack, above) for above in found)):
            found.append(Part(part.layer, inode))
        if search.restart:
            layers, search.restart = deque(root for root in stack.root_parts if root.layer < part.layer), False
    return tuple(found + _last_data(stack, search, found))


def _missed(layer: int, path: str, search: _Search, found: Sequence[Part]) -> Seen:
    if search.end == ("whiteout", layer):
        return Seen(layer, Verdict.WHITEOUT, path)
    if search.end is not None and found:
        return Seen(layer, Verdict.HIDDEN, path, found[-1].layer, found[-1].inode.type)
    return Seen(layer, Verdict.ABSENT, path)


def _is_last(stack: MarkedStack, part: Part, search: _Search, rest: deque[Part]) -> bool:
    """Whether the xattrs of a part no longer matter, since there is no layer to go on to.

    Kernel, section 16: ovl_lookup. A malformed redirect in the bottom layer is not even read; with data-only layers
    below, a file's is (mount-46).
    """
    if stack.features.redirect == "nofollow":
        return not rest
    return part.layer == 0 and not is_upper(stack, part) and (search.is_dir or not stack.datadirs)


def _in_layer(stack: MarkedStack, part: Part, search: _Search, last: bool) -> Inode | None:
    """Search one part for a name, or a path from the layer's root; why the search ends is noted in `search`.

    Kernel, section 2: whiteouts end it (wo-03, wo-08), opaque directories after themselves (wo-10), redirects lead it
    on (rd-14).
    """
    node: Inode = part.inode
    for left in range(len(search.names), 0, -1):
        inode = names_of(node).get(search.names[-left])
        if inode is None:
            return None
        if is_whiteout(inode, stack.marks):
            search.end = ("whiteout", part.layer)
            return None
        if not isinstance(inode, Directory):
            return _a_file(stack, inode, part, search, final=left == 1, last=last)
        if search.metacopy and left == 1:
            search.end = (inode.type, part.layer)
            return None
        if id(inode) in stack.traps:
            raise fail(errno.ELOOP, search.path)
        search.is_dir = search.is_dir or left == 1
        if is_opaque(inode, stack.marks) and not last:
            search.end = ("opaque", part.layer)
        elif not last:
            _redirect(stack, inode, search, left)
        node = inode
    return node


def _a_file(stack: MarkedStack, inode: Inode, part: Part, search: _Search, final: bool, last: bool) -> Inode | None:
    """A non-directory ends the search; a file without data goes on to where its data is.

    Kernel, section 16: mc-03, mc-08.
    """
    if search.is_dir or not final or (search.metacopy and not isinstance(inode, File)):
        search.end = (inode.type, part.layer)
        return None
    search.metacopy = isinstance(inode, File) and stack.xattrs.has(inode, "metacopy")
    if not search.metacopy:
        search.end = (inode.type, part.layer)
    elif not last:
        _redirect(stack, inode, search, 1)
    return inode


def _redirect(stack: MarkedStack, inode: Inode, search: _Search, left: int) -> None:
    """Go on below under another name, if the redirect xattr says so; `left` names are not passed yet, with this one.

    Kernel, sections 2 and 9: what is malformed, EINVAL (rd-18); by name (rd-01), by path (rd-02, rd-14).
    """
    value = stack.xattrs.get(inode, "redirect")
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
        search.end, search.restart = None, not search.absolute
        search.absolute = True


def _may_follow(stack: MarkedStack, search: _Search) -> None:
    """Refuse with EPERM to go on below where the options do not allow it.

    Kernel, sections 2, 16 and 17: a redirect with nofollow or userxattr (rd-13, rd-22, ux-06); metadata without data
    with metacopy=off (mc-07).
    """
    if search.redirect and stack.features.redirect == "nofollow":
        raise Refused(errno.EPERM, search.path, "a name, or a path from the root", f"redirect {search.redirect!r}")
    if search.metacopy and not stack.features.metacopy:
        raise Refused(errno.EPERM, search.path, "a file with its content", "metacopy")


def _last_data(stack: MarkedStack, search: _Search, found: Sequence[Part]) -> list[Part]:
    """The end of a search: data of a file may lie in a data-only layer, reached by an absolute redirect.

    Kernel, section 16: mount-46; needs neither metacopy=on nor redirects from a file of the bottom layer; missing data
    shows at open only (mount-48), no data at all is EIO (mc-09).
    """
    in_lower = any(not is_upper(stack, part) for part in found)
    if search.metacopy and in_lower and stack.datadirs and search.absolute:
        for position, layer in enumerate(stack.datadirs):
            inode = _find(layer, search.names)
            if isinstance(inode, File):
                return [Part(-1 - position, inode)]
        return []
    _may_follow(stack, search)
    if search.metacopy:
        raise Refused(errno.EIO, search.path, "a file with its content", "metacopy")
    return []


def _find(directory: Inode, names: Sequence[str]) -> Inode | None:
    """The inode at a path inside one layer."""
    node: Inode | None = directory
    for name in names:
        node = names_of(node).get(name)
    return node


def look_everywhere(stack: MarkedStack) -> None:
    """Look up every visible path where a search may lead on or be refused: directories, and all that carries xattrs.

    Raises:
        Refused: for the first xattr that cannot be followed.
    """
    waiting = [(".", stack.root_parts)] if stack.root_parts else []
    while waiting:
        path, parts = waiting.pop()
        if isinstance(parts[0].inode, Directory):
            leading, prefix = _leading_on(stack, parts), "" if path == "." else path + "/"
            for name in sorted(stack.entries(parts) if leading is None else leading, reverse=True):
                if found := stack.child(parts, name, prefix + name):
                    waiting.append((prefix + name, found))


def _leading_on(stack: MarkedStack, parts: Sequence[Part]) -> set[str] | None:
    """The names in a directory that are not plain files in all of its parts; None for all, where it has xattrs."""
    if stack.traps or any(part.inode.xattrs for part in parts):
        return None
    return {
        name
        for part in parts
        for name, inode in names_of(part.inode).items()
        if inode.xattrs or isinstance(inode, Directory)
    }


# --- listing


def entries(stack: MarkedStack, parts: Sequence[Part], gone: Callable[[str, Inode], bool] | None = None) -> set[str]:
    """The names that the kernel lists: the merged ones, or one layer's directory as it is.

    Args:
        stack: The layers.
        parts: The parts of a directory, topmost first.
        gone: Tells of a name in an impure upper directory, or of a file in a marked lower one, whether looking it up
            finds nothing; by default whether it is a whiteout.

    Spec:
        Kernel, section 3: the first part wins (merge-01), whiteouts are left out (wo-05); any other directory is listed
        as it is (wo-06); marked files (wo-18, wo-25, wo-26), names of an impure directory (wo-36).
    """
    if not is_merged_list(stack, parts):
        return set(names_of(parts[0].inode))
    names: set[str] = set()
    hidden: set[str] = set()
    for part in parts:
        marked = _has_marked_files(stack, part)
        impure = is_upper(stack, part) and stack.xattrs.has(part.inode, "impure")
        if not (marked or impure):
            merge_names(names_of(part.inode), names, hidden)
            continue
        for name, inode in names_of(part.inode).items():
            if name in names or name in hidden:
                continue
            whiteout = is_whiteout(inode, stack.marks)
            deletes = whiteout and (marked or isinstance(inode, Device))
            if not deletes and (impure or (marked and isinstance(inode, File))):
                deletes = whiteout if gone is None else gone(name, inode)
            (hidden if deletes else names).add(name)
    return names


def is_merged_list(stack: MarkedStack, parts: Sequence[Part]) -> bool:
    """Whether a directory is listed as a merged one.

    Kernel, section 3: several parts (merge-01), or one that carries an origin (wo-37).
    """
    return len(parts) > 1 or stack.xattrs.has(parts[0].inode, "origin")


def _has_marked_files(stack: MarkedStack, part: Part) -> bool:
    """Whether files with the whiteout xattr count as whiteouts in a listing: only where the lower directory says ``x``.

    Kernel, section 3: wo-18, wo-25, wo-26; in the upper ``x`` has no effect (wo-22), nor in the bottom layer below its
    root. Read off a live mount.
    """
    if is_upper(stack, part) or stack.xattrs.get(part.inode, "opaque") != b"x":
        return False
    return part.layer > 0 or part.inode is stack.root_parts[-1].inode


def is_upper(stack: MarkedStack, part: Part) -> bool:
    """Whether a part lies in the writable layer."""
    return stack.upperdir is not None and part.layer == len(stack.lowerdirs)


class ReadOnlyStack:
    """Lower layers to look at, as a read-only mount shows them.

    Args:
        layers: **Bottom first**, as images list them. They are never changed.
        marks: The namespace of the overlay xattrs.
    """

    upperdir: Directory | None = None
    datadirs: tuple[Directory, ...] = ()

    def __init__(self, layers: Sequence[Directory], marks: str = TRUSTED) -> None:
        self.lowerdirs, self.marks, self.xattrs = tuple(reversed(layers)), marks, XattrReader(marks)
        self.features = Features(userxattr=marks == USER, redirect="nofollow" if marks == USER else "follow")
        self.traps: set[int] = set()
        self.root_parts = tuple(Part(len(layers) - 1 - i, root) for i, root in enumerate(self.lowerdirs))

    child, entries, look_everywhere = child, entries, look_everywhere
