"""What a layer tar means: a list of changes to the filesystem beneath it.

A whiteout is spelled ``.wh.NAME``, an opaque mark ``.wh..wh..opq``; neither
appears in the result. This is the image specification's encoding of deletion.
overlayfs has another; `translate` is the one place where they meet.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from .errors import Finding, Problem
from .limits import DEFAULT_LIMITS, Limits
from .tarball import Member, TarReader
from .tree import Device, Directory, Fifo, File, Inode, Symlink, clean, find, parent_of, parts_of

__all__ = ["Changeset", "Link", "OpaqueWhiteout", "Upsert", "Whiteout", "apply", "flatten", "read_changeset", "write_tar"]

PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"
BOOKKEEPING = ".wh..wh."
MARKS = ("trusted.overlay.", "user.overlay.")


@dataclass(frozen=True, slots=True)
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


def read_changeset(tar: BinaryIO, where: str = "layer", limits: Limits = DEFAULT_LIMITS, keep: int = 0) -> Changeset:
    """Read an uncompressed layer tar in one pass.

    Args:
        tar: The plain tar, at its start; need not be seekable.
        where: What to call it in findings.
        limits: Bounds on members and names.
        keep: Keep the content of files in memory as long as the layer's files together have at most
            this many bytes; 0 keeps digests only.

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
        if member.type not in "123456":
            hasher, pieces = hashlib.sha256(), []
            for piece in reader.content():
                hasher.update(piece)
                if member.size <= keep:
                    pieces.append(piece)
            digest = hasher.hexdigest()
            if member.size <= keep:
                keep -= member.size
                data = b"".join(pieces)
        try:
            changes.append(_change(member, f"{where}: {member.name}", digest, data, problems))
        except Finding as finding:
            problems.append(finding.problem)
        if changes and changes[-1] is None:
            changes.pop()
    return Changeset(tuple(changes), tuple(problems + list(_order_problems(changes, where))))


def _change(member: Member, where: str, digest: str, data: bytes | None, problems: list[Problem]) -> Change | None:
    """The meaning of one member; None if it has none."""
    path, absolute = clean(member.name, where)
    if absolute:
        problems.append(Problem("absolute-name", where, "a relative name", member.name))
    directory, name = parent_of(path)
    if name == OPAQUE:
        return OpaqueWhiteout(directory)
    if name.startswith(BOOKKEEPING):
        # AUFS kept its own files under this prefix. They are not opaque marks.
        problems.append(Problem("bookkeeping-member", where, "", name))
        return None
    if name.startswith(PREFIX):
        target = name[len(PREFIX) :]
        if target in ("", ".", ".."):
            raise Finding("bad-whiteout", where, "a name after .wh.", name)
        return Whiteout(f"{directory}/{target}" if directory != "." else target)
    if member.type == "1":
        return Link(path, clean(member.link, f"{where} (hard link)")[0])
    return Upsert(path, _inode(member, where, digest, data))


def _inode(member: Member, where: str, digest: str, data: bytes | None) -> Inode:
    attributes = {
        "mode": member.mode,
        "uid": member.uid,
        "gid": member.gid,
        "mtime_ns": member.mtime_ns,
        # Marks inside an archive would act on the mount, so they are dropped (overlay vector oci-21).
        "xattrs": {key: value for key, value in member.xattrs.items() if not key.startswith(MARKS)},
    }
    match member.type:
        case "2":
            return Symlink(**attributes | {"mode": 0o777}, target=member.link)
        case "3" | "4":
            if member.type == "3" and member.rdev == (0, 0):
                raise Finding("device-whiteout", where, "a device with a number", "0:0")
            return Device(**attributes, kind="char" if member.type == "3" else "block", rdev=member.rdev)
        case "5":
            return Directory(**attributes)
        case "6":
            return Fifo(**attributes)
    return File(**attributes, size=member.size, sha256=digest, data=data)


def _order_problems(changes: Iterable[Change], where: str) -> Iterable[Problem]:
    """What only shows when the members of a layer are seen together."""
    put: dict[str, bool] = {}
    for change in changes:
        if isinstance(change, Whiteout):
            if change.path in put:
                yield Problem("whiteout-conflict", f"{where}: {change.path}", "the whiteout first", "the name first")
        elif not isinstance(change, OpaqueWhiteout):
            if change.path in put and change.path != ".":
                yield Problem("duplicate-entry", f"{where}: {change.path}", "each path once", "twice")
            put[change.path] = isinstance(change, Upsert) and isinstance(change.inode, Directory)
    links = {change.path for change in changes if isinstance(change, Upsert) and isinstance(change.inode, Symlink)}
    for path in put:
        parts = parts_of(path)
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if not put.get(above, True):
                kind, expected = ("path-escape", "a directory, not a symlink") if above in links else ("bad-layer", "a directory")
                yield Problem(kind, f"{where}: {path}", f"{expected} at {above}", "another type in the same layer")
                break


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
            mode=directory.mode, uid=directory.uid, gid=directory.gid, mtime_ns=directory.mtime_ns,
            xattrs=directory.xattrs, nlink=directory.nlink, names=dict(directory.names),
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


TYPE_FLAGS = {"file": b"0", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}


def write_tar(changeset: Changeset) -> bytes:
    """Write a layer tar: the same bytes for the same changes, on every machine.

    Args:
        changeset: Its changes, in the order of the members; files with their content.

    Returns:
        A plain tar. `read_changeset` reads the same changes from it.

    Raises:
        Finding: ``missing-content`` for a file whose content was not kept.

    Spec:
        image-spec, layer.md, "Creating", "Whiteouts"; pax headers for what an old header cannot hold.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for change in changeset.changes:
            member, data = _written(change)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _written(change: Change) -> tuple[tarfile.TarInfo, bytes]:
    """One member: its header and its content."""
    match change:
        case Whiteout():
            directory, name = parent_of(change.path)
            return tarfile.TarInfo(_below(directory, PREFIX + name)), b""
        case OpaqueWhiteout():
            return tarfile.TarInfo(_below(change.path, OPAQUE)), b""
        case Link():
            member = tarfile.TarInfo(change.path)
            member.type, member.linkname = b"1", change.target
            return member, b""
    return _header(change.path, change.inode), _data(change.path, change.inode)


def _below(directory: str, name: str) -> str:
    return name if directory == "." else f"{directory}/{name}"


def _header(path: str, inode: Inode) -> tarfile.TarInfo:
    member = tarfile.TarInfo("./" if path == "." else path)
    member.type, member.mode, member.uid, member.gid = TYPE_FLAGS[inode.type], inode.mode & 0o7777, inode.uid, inode.gid
    seconds, rest = divmod(abs(inode.mtime_ns), 10**9)
    member.mtime = -seconds if inode.mtime_ns < 0 else seconds
    if rest:
        member.pax_headers["mtime"] = f"{'-' * (inode.mtime_ns < 0)}{seconds}.{rest:09d}"
    for name, value in sorted(inode.xattrs.items()):
        member.pax_headers["SCHILY.xattr." + name] = value.decode("utf-8", "surrogateescape")
    if isinstance(inode, Symlink):
        member.linkname = inode.target
    if isinstance(inode, Device):
        member.devmajor, member.devminor = inode.rdev
    if isinstance(inode, File):
        member.size = inode.size
    return member


def _data(path: str, inode: Inode) -> bytes:
    if not isinstance(inode, File) or not inode.size:
        return b""
    if inode.data is None:
        raise Finding("missing-content", path, "a file with its content", "only its digest was kept")
    return inode.data
