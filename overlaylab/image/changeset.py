"""What a layer tar means: a list of changes to the filesystem beneath it.

A whiteout is spelled ``.wh.NAME``, an opaque mark ``.wh..wh..opq``; neither
appears in the result. This is the image specification's encoding of deletion.
overlayfs has another; `translate` is the one place where they meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Symlink, clean, find, is_clean, parent_of, parts_of

from .tar_reader import NO_XATTRS, Member, TarReader
from .tar_writer import END, file_member, member_header, padded

__all__ = [
    "Changeset",
    "Link",
    "OpaqueWhiteout",
    "Upsert",
    "Whiteout",
    "apply",
    "flatten",
    "read_changeset",
    "tar_pieces",
    "write_tar",
]

PREFIX = ".wh."

OPAQUE = ".wh..wh..opq"

BOOKKEEPING = ".wh..wh."

MARKS = ("trusted.overlay.", "user.overlay.")

# Types of members that are no plain files: symlinks, devices, directories, FIFOs, and sparse files, which are not read.
NO_FILES = frozenset("23456S")


# Not frozen, as the others are: that would make a layer of very many files a good deal slower to read.
@dataclass(slots=True)
class Upsert:
    """Put an inode at a path; a directory on a directory only changes its attributes."""

    path: str
    inode: Inode


@dataclass(frozen=True, slots=True)
class Link:
    """Give the inode at `target` a second name."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Whiteout:
    """Delete what layers beneath have at a path."""

    path: str


@dataclass(frozen=True, slots=True)
class OpaqueWhiteout:
    """Delete everything that layers beneath have inside a directory; what this layer puts there stays."""

    path: str


Change = Upsert | Link | Whiteout | OpaqueWhiteout


@dataclass(frozen=True, slots=True)
class Changeset:
    """One layer's changes in the order of its tar, and what was odd about them.

    Spec:
        image-spec, layer.md, "Changeset".
    """

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()


def read_changeset(
    tar: BinaryIO, where: str = "layer", limits: Limits = DEFAULT_LIMITS, keep: int = 0, digests: bool = True
) -> Changeset:
    """Read an uncompressed layer tar in one pass.

    Args:
        tar: The plain tar, at its start; need not be seekable. See `TarReader`.
        where: What to call it in findings.
        limits: Bounds on members and names.
        keep: Keep the content of files in memory as long as the layer's files together have at most
            this many bytes; 0 keeps digests only.
        digests: Whether to read the content of files at all. Without it no file has a digest or content.

    Returns:
        Problems that leave the layer readable are in `problems`, those of severity ``error`` too:
        the member they name is then left out.

    Raises:
        Finding: ``bad-tar-header``, ``truncated``, ``absurd-size``, ``limit``: reading cannot go on.

    Spec:
        image-spec, layer.md, "Representing Changes", "Whiteouts".
    """
    reader = TarReader(tar, where, limits)
    changes: list[Change] = []
    problems: list[Problem] = []
    for member in reader:
        data, digest = None, ""
        if digests and member.type not in "123456":
            data, digest = _content(reader, member.size <= keep)
            keep -= len(data or b"")
        try:
            path = member.name
            if is_clean(path) and PREFIX not in path and member.type != "1":
                changes.append(Upsert(path, _inode(member, where, digest, data)))
            else:
                changes += _change(member, where, digest, data, problems)
        except Finding as finding:
            problems.append(finding.problem)
    return Changeset(tuple(changes), tuple(problems + list(_order_problems(changes, where))))


def _content(reader: TarReader, keep: bool) -> tuple[bytes | None, str]:
    """The current member's content, if it is to be kept, and its digest."""
    hasher, pieces = hashlib.sha256(), []
    for piece in reader.content():
        hasher.update(piece)
        if keep:
            pieces.append(piece)
    return b"".join(pieces) if keep else None, hasher.hexdigest()


def _change(member: Member, layer: str, digest: str, data: bytes | None, problems: list[Problem]) -> Iterable[Change]:
    """The meaning of one member, if it has one."""
    path = _path(member, f"{layer}: {member.name}", problems)
    directory, name = parent_of(path)
    if name.startswith(PREFIX):
        mark = _mark(directory, name, f"{layer}: {member.name}", problems)
        return () if mark is None else (mark,)
    if member.type == "1":
        return (Link(path, clean(member.link, f"{layer}: {member.name} (hard link)")[0]),)
    return (Upsert(path, _inode(member, layer, digest, data)),)


def _path(member: Member, where: str, problems: list[Problem]) -> str:
    """The path that a name stands for which is written in another way."""
    path, absolute = clean(member.name, where)
    if absolute:
        problems.append(Problem("absolute-name", where, "a relative name", member.name))
    if path == "." and member.type != "5":
        raise Finding("bad-layer", where, "a name", f"none: {member.name!r}")
    return path


def _mark(directory: str, name: str, where: str, problems: list[Problem]) -> Change | None:
    """What a name that begins with ``.wh.`` means."""
    if name == OPAQUE:
        return OpaqueWhiteout(directory)
    if name.startswith(BOOKKEEPING):
        # AUFS kept its own files under this prefix. They are not opaque marks.
        problems.append(Problem("bookkeeping-member", where, "", name))
        return None
    target = name[len(PREFIX) :]
    if target in ("", ".", ".."):
        raise Finding("bad-whiteout", where, "a name after .wh.", name)
    return Whiteout(_below(directory, target))


def _inode(member: Member, layer: str, digest: str, data: bytes | None) -> Inode:
    mode, uid, gid, mtime_ns, xattrs = member.mode, member.uid, member.gid, member.mtime_ns, member.xattrs
    if xattrs:
        # Marks inside an archive would act on the mount, so they are dropped (overlay vector oci-21).
        xattrs = {key: value for key, value in xattrs.items() if not key.startswith(MARKS)} or NO_XATTRS
    kind = member.type
    if kind not in NO_FILES:
        # Names cost time; there are very many files.
        return File(mode, uid, gid, mtime_ns, xattrs, 1, member.size, digest, data)
    if kind == "5":
        return Directory(mode, uid, gid, mtime_ns, xattrs)
    if kind == "2":
        return Symlink(0o777, uid, gid, mtime_ns, xattrs, 1, member.link)
    if kind in ("3", "4"):
        if kind == "3" and member.rdev == (0, 0):
            raise Finding("device-whiteout", f"{layer}: {member.name}", "a device with a number", "0:0")
        return Device(
            mode=mode,
            uid=uid,
            gid=gid,
            mtime_ns=mtime_ns,
            xattrs=xattrs,
            kind="char" if kind == "3" else "block",
            rdev=member.rdev,
        )
    if kind == "6":
        return Fifo(mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, xattrs=xattrs)
    raise Finding("bad-tar-header", f"{layer}: {member.name}", "a plain member", "a sparse file")


def _order_problems(changes: Sequence[Change], where: str) -> Iterable[Problem]:
    """What only shows when the members of a layer are seen together."""
    put: dict[str, Change] = {}
    for change in changes:
        path = change.path
        if type(change) is Upsert or type(change) is Link:
            if path in put and path != ".":
                yield Problem("duplicate-entry", f"{where}: {path}", "each path once", "twice")
            put[path] = change
        elif path in put and type(change) is Whiteout:
            yield Problem("whiteout-conflict", f"{where}: {path}", "the whiteout first", "the name first")
    sound = {".", ""}
    if not any(_no_directory(above, put, sound) for above in {path.rpartition("/")[0] for path in put}):
        return
    links = {change.path for change in changes if isinstance(change, Upsert) and isinstance(change.inode, Symlink)}
    for path in put:
        if above := _no_directory(path.rpartition("/")[0], put, sound):
            kind, expected = (
                ("path-escape", "a directory, not a symlink") if above in links else ("bad-layer", "a directory")
            )
            yield Problem(kind, f"{where}: {path}", f"{expected} at {above}", "another type in the same layer")


def _no_directory(path: str, put: Mapping[str, Change], sound: set[str]) -> str:
    """The first name on the way to a path that is no directory in this layer; empty if there is none. Directories go to `sound`."""
    walked = []
    while path not in sound:
        walked.append(path)
        path, _ = parent_of(path)
    for path in reversed(walked):
        if not _is_directory(put.get(path)):
            return path
        sound.add(path)
    return ""


def _is_directory(change: Change | None) -> bool:
    """Whether a change leaves a directory; what a layer does not put is one below."""
    return change is None or (isinstance(change, Upsert) and isinstance(change.inode, Directory))


def apply(tree: Directory, changeset: Changeset) -> Directory:
    """Apply a changeset as the specification says: deletions first, then what the layer puts.

    Args:
        tree: The filesystem beneath. It is not changed; what did not change is shared with the result.
        changeset: Of the next layer up.

    Spec:
        image-spec, layer.md, "Applying Changesets". This is the plain road, without overlayfs; that both roads
        lead to one filesystem is tested.
    """
    edit = _Editor(tree)
    below = edit.root.names and tree
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
            target = find(edit.root, change.target) or (below and find(below, change.target))
            if target and not isinstance(target, Directory):
                edit.put(change.path, target)
    return edit.root


def flatten(changesets: Iterable[Changeset]) -> Directory:
    """Apply changesets one after the other on an empty root.

    Args:
        changesets: Bottom layer first.
    """
    tree = Directory()
    for changeset in changesets:
        tree = apply(tree, changeset)
    return tree


class _Editor:
    """A tree that is copied only where it is changed: each directory table on the way, once."""

    def __init__(self, tree: Directory) -> None:
        self.root = self._copy(tree)
        self._own = {id(self.root)}

    @staticmethod
    def _copy(directory: Directory) -> Directory:
        return Directory(
            mode=directory.mode,
            uid=directory.uid,
            gid=directory.gid,
            mtime_ns=directory.mtime_ns,
            xattrs=directory.xattrs,
            nlink=directory.nlink,
            names=dict(directory.names),
        )

    def _step(self, node: Directory, name: str, make: bool) -> Directory | None:
        child = node.names.get(name)
        if isinstance(child, Directory) and id(child) in self._own:
            return child
        if isinstance(child, Directory):
            child = self._copy(child)
        elif make:
            child = Directory()
        else:
            return None
        self._own.add(id(child))
        node.names[name] = child
        return child

    def _directory(self, path: str, make: bool) -> Directory | None:
        node: Directory | None = self.root
        for name in parts_of(path):
            if node is None:
                return None
            node = self._step(node, name, make)
        return node

    def put(self, path: str, inode: Inode) -> None:
        """Put an inode; parents that are missing, or are no directories, become plain directories."""
        if isinstance(inode, Directory):
            there = self._directory(path, make=True)
            for name in ("mode", "uid", "gid", "mtime_ns", "xattrs"):
                setattr(there, name, getattr(inode, name))
            return
        parent, name = parent_of(path)
        self._directory(parent, make=True).names[name] = inode

    def drop(self, path: str) -> None:
        """Delete a name and all below it, if it is there."""
        parent, name = parent_of(path)
        if find(self.root, path) is not None:
            self._directory(parent, make=False).names.pop(name)

    def clear(self, path: str) -> None:
        """Delete everything inside a directory, if it is one."""
        if isinstance(find(self.root, path), Directory):
            self._directory(path, make=False).names.clear()


TYPE_FLAGS = {"file": "0", "symlink": "2", "char": "3", "block": "4", "dir": "5", "fifo": "6"}


def write_tar(changeset: Changeset) -> bytes:
    """Write a layer tar that is small enough to be held whole; see `tar_pieces`."""
    return b"".join(tar_pieces(changeset))


def tar_pieces(changeset: Changeset) -> Iterator[bytes]:
    """Write a layer tar piece by piece: the same bytes for the same changes, on every machine.

    Args:
        changeset: Its changes, in the order of the members; files with their content.

    Returns:
        The pieces of a plain tar. `read_changeset` reads the same changes from it.

    Raises:
        Finding: ``missing-content`` for a file whose content was not kept; ``bad-whiteout`` for a change that would
            be read as another one, because of its name; ``unsupported-mark`` for a socket; otherwise as
            `tarwriter.member_header`.

    Spec:
        image-spec, layer.md, "Creating", "Whiteouts". Kernel: chown takes setuid bits and capabilities away, and
        engines apply owner, mode and attributes of a hard link's member to its inode, so a link repeats them all.
    """
    inodes = {change.path: change.inode for change in changeset.changes if isinstance(change, Upsert)}
    for change in changeset.changes:
        member, data = _written(change, inodes)
        yield member_header(member)
        yield from padded([data], member.size)
    yield END


def _written(change: Change, inodes: Mapping[str, Inode]) -> tuple[Member, bytes]:
    """One member: its header and its content."""
    directory, name = parent_of(change.path)
    match change:
        case Whiteout():
            if name in ("", ".", "..") or name.startswith(PREFIX):
                raise Finding("bad-whiteout", change.path, "a name that a whiteout can stand for", name)
            return file_member(_below(directory, PREFIX + name), 0), b""
        case OpaqueWhiteout():
            return file_member(_below(change.path, OPAQUE), 0), b""
    if name.startswith(PREFIX):
        raise Finding("bad-whiteout", change.path, f"a name that does not begin with {PREFIX}", name)
    if isinstance(change, Link):
        member = _member(change.path, inodes.get(change.target, File()))
        member.type, member.link, member.size, member.rdev = "1", change.target, 0, (0, 0)
        return member, b""
    return _member(change.path, change.inode), _data(change.path, change.inode)


def _below(directory: str, name: str) -> str:
    return name if directory == "." else f"{directory}/{name}"


def _member(path: str, inode: Inode) -> Member:
    if inode.type not in TYPE_FLAGS:
        raise Finding("unsupported-mark", path, "something that a tar can hold", f"a {inode.type}")
    return Member(
        name="./" if path == "." else path,
        type=TYPE_FLAGS[inode.type],
        mode=inode.mode,
        uid=inode.uid,
        gid=inode.gid,
        size=inode.size if isinstance(inode, File) else 0,
        mtime_ns=inode.mtime_ns,
        xattrs=dict(inode.xattrs),
        link=inode.target if isinstance(inode, Symlink) else "",
        rdev=inode.rdev if isinstance(inode, Device) else (0, 0),
    )


def _data(path: str, inode: Inode) -> bytes:
    if not isinstance(inode, File) or not inode.size:
        return b""
    if inode.data is None:
        raise Finding("missing-content", path, "a file with its content", "only its digest was kept")
    return inode.data
