"""The tar of a layer: how a changeset is read from it and written to it.

Whiteouts appear in the tar as names that begin with ``.wh.``, and in the changeset as values; see `changeset`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from overlaylab.errors import Finding, Problem
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.tree import Device, Directory, Fifo, File, Inode, Symlink, clean, is_clean, parent_of

from .changeset import BOOKKEEPING, MARKS, OPAQUE, PREFIX, Change, Changeset, Link, OpaqueWhiteout, Upsert, Whiteout
from .tar_reader import NO_XATTRS, Member, Readable, TarReader
from .tar_writer import END, file_member, member_header, padded

# The type flags of members that are no plain files: symlinks, devices, directories, FIFOs, and sparse files, which are
# not read.
NO_FILES = frozenset("23456S")

# Inode types and their type flags.
TYPE_FLAGS = {"file": "0", "symlink": "2", "char": "3", "block": "4", "dir": "5", "fifo": "6"}


def read_changeset(
    tar: Readable, where: str = "layer", limits: Limits = DEFAULT_LIMITS, keep: int = 0, digests: bool = True
) -> Changeset:
    """Read an uncompressed layer tar in one pass.

    Args:
        tar: The plain tar, at its start; need not be seekable. See `TarReader`.
        where: What to call the layer in findings.
        limits: Bounds on members and names.
        keep: Keep the content of files in memory while it has at most this many bytes in all; 0 keeps digests only.
        digests: Whether to read the content of files at all. Without it no file has a digest or content.

    Returns:
        The changes, and the problems that leave the layer readable. A member with a problem of severity ``error`` is
        left out.

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
    """The change that one member stands for, if any."""
    path = _path(member, f"{layer}: {member.name}", problems)
    directory, name = parent_of(path)
    if name.startswith(PREFIX):
        deletion = _deletion(directory, name, f"{layer}: {member.name}", problems)
        return () if deletion is None else (deletion,)
    if member.type == "1":
        return (Link(path, clean(member.link, f"{layer}: {member.name} (hard link)")[0]),)
    return (Upsert(path, _inode(member, layer, digest, data)),)


def _path(member: Member, where: str, problems: list[Problem]) -> str:
    """The path that a member's name stands for, in its shortest form."""
    path, absolute = clean(member.name, where)
    if absolute:
        problems.append(Problem("absolute-name", where, "a relative name", member.name))
    if path == "." and member.type != "5":
        raise Finding("bad-layer", where, "a name", f"none: {member.name!r}")
    return path


def _deletion(directory: str, name: str, where: str, problems: list[Problem]) -> Change | None:
    """The deletion that a name beginning with ``.wh.`` stands for, if any."""
    if name == OPAQUE:
        return OpaqueWhiteout(directory)
    if name.startswith(BOOKKEEPING):
        # AUFS kept its own files under this prefix. They are no whiteouts.
        problems.append(Problem("bookkeeping-member", where, "", name))
        return None
    target = name[len(PREFIX) :]
    if target in ("", ".", ".."):
        raise Finding("bad-whiteout", where, "a name after .wh.", name)
    return Whiteout(_below(directory, target))


def _inode(member: Member, layer: str, digest: str, data: bytes | None) -> Inode:
    mode, uid, gid, mtime_ns, xattrs = member.mode, member.uid, member.gid, member.mtime_ns, member.xattrs
    if xattrs:
        # Attributes of overlayfs inside an archive would act on the mount, so they are dropped (overlay vector oci-21).
        xattrs = {key: value for key, value in xattrs.items() if not key.startswith(MARKS)} or NO_XATTRS
    kind = member.type
    if kind not in NO_FILES:
        # Positional arguments are faster than keywords, and there are very many files.
        return File(mode, uid, gid, mtime_ns, xattrs, 1, member.size, digest, data)
    if kind == "5":
        return Directory(mode, uid, gid, mtime_ns, xattrs)
    if kind == "2":
        return Symlink(0o777, uid, gid, mtime_ns, xattrs, 1, member.link)
    if kind in ("3", "4"):
        if kind == "3" and member.rdev == (0, 0):
            raise Finding("device-whiteout", f"{layer}: {member.name}", "a device with a number", "0:0")
        return Device(mode, uid, gid, mtime_ns, xattrs, 1, "char" if kind == "3" else "block", member.rdev)
    if kind == "6":
        return Fifo(mode, uid, gid, mtime_ns, xattrs)
    raise Finding("bad-tar-header", f"{layer}: {member.name}", "a plain member", "a sparse file")


def _order_problems(changes: Sequence[Change], where: str) -> Iterable[Problem]:
    """Problems that only show when all members of a layer are seen together."""
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
    """The first part of a path that this layer makes something else than a directory; empty if there is none.

    Args:
        path: A directory that members of the layer lie in.
        put: The layer's changes by their paths.
        sound: A memo of paths that are known to be directories; more are added.
    """
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
    """Whether a change leaves a directory; a path that the layer does not mention is one in a layer below."""
    return change is None or (isinstance(change, Upsert) and isinstance(change.inode, Directory))


def write_tar(changeset: Changeset) -> bytes:
    """Write a layer tar that is small enough to be held in memory; see `tar_pieces`."""
    return b"".join(tar_pieces(changeset))


def tar_pieces(changeset: Changeset) -> Iterator[bytes]:
    """Write a layer tar in pieces: the same changes give the same bytes on every machine.

    Args:
        changeset: The changes, in the order of the members; files with their content.

    Returns:
        The pieces of a plain tar. `read_changeset` reads the same changes from it.

    Raises:
        Finding: ``missing-content`` for a file whose content was not kept; ``bad-whiteout`` for a path whose name
            would be read as another change; ``unsupported-mark`` for a socket; otherwise as
            `tar_writer.member_header`.

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
    """The member that stands for a change, and its content."""
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
