"""Open what a PATH names: a directory, a tar, or a compressed tar."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from typing import BinaryIO

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.compression import Inflated, sniff
from overlaylab.image.media_types import Compression
from overlaylab.image.tar_reader import looks_like_tar
from overlaylab.limits import DEFAULT_LIMITS, Limits

from .place import DirectoryPlace, Place
from .tar_place import Tar

Progress = Callable[[int], None]

# Bytes of a decompressed tar that are kept in memory; a larger one goes to a temporary file.
IN_MEMORY = 32 << 20


def open_place(
    path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> Place:
    """Open a directory, a tar, or a compressed tar.

    A compressed tar is decompressed once, as one stream, into memory or an unnamed temporary file; its members are
    never written as files.

    Args:
        path: Of the directory or the file.
        limits: Bounds on what is read.
        progress: Called with each number of bytes that was decompressed.

    Raises:
        NotReadable: ``not-found``, ``permission-denied``, ``empty``, ``not-an-image``, ``truncated``,
            ``bad-tar-header``, ``bad-compression``, ``limit``, ``absurd-size``.
    """
    path = os.fspath(path)
    where = os.path.basename(os.path.normpath(path)) or path
    try:
        if os.path.isdir(path):
            os.listdir(path)
            return DirectoryPlace(path, where, limits)
        stream = _regular(path)
    except FileNotFoundError:
        raise NotReadable("not-found", path, "a file or folder", "nothing") from None
    except PermissionError:
        raise DirectoryPlace(path, where, limits).denied(".") from None
    except NotReadable:
        raise
    except (OSError, ValueError) as error:
        raise NotReadable("not-found", path, "a file or folder", str(error)) from None
    return place_of(stream, where, limits, progress)


def place_of(stream: BinaryIO, where: str, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> Place:
    """Open a tar or a compressed tar in a stream, such as bytes in memory.

    Args:
        stream: Seekable, at its start.
        where: What findings call it.
        limits: Bounds on what is read.
        progress: See `open_place`.

    Raises:
        NotReadable: As `open_place`.
    """
    try:
        return _open_tar(stream, where, limits, progress)
    except Finding as finding:
        raise NotReadable.of([finding.problem]) from None


def bolt_problems(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> tuple[Problem, ...] | None:
    """What is wrong with a bolt database that is not part of a store; None if `path` is something else."""
    path = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as stream:
            if not is_bolt(stream):
                return None
            data = stream.read(limits.database + 1)
    except (OSError, ValueError):
        # Reported by `open_place`.
        return None
    where = os.path.basename(path)
    if len(data) > limits.database:
        return (Problem("limit", where, f"at most {limits.database} bytes", "more"),)
    from .bolt import problems_of  # noqa: PLC0415 - archives and directories do not need it

    return problems_of(data, where, limits)


def is_bolt(stream: BinaryIO) -> bool:
    """Whether the first pages of a file are those of a bolt database; the stream is left at its start."""
    stream.seek(0)
    if looks_like_tar(stream.read(512)):
        stream.seek(0)
        return False
    from .bolt import HEAD, looks_like_bolt  # noqa: PLC0415 - archives do not need it

    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    return looks_like_bolt(head)


def _regular(path: str) -> BinaryIO:
    """Open a regular file; anything else (a pipe, a device) could block for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NotReadable("not-an-image", path, "a regular file or a folder", "a device, a pipe or a socket")
    return open(path, "rb")


def _open_tar(stream: BinaryIO, where: str, limits: Limits, progress: Progress | None) -> Tar:
    head = stream.read(512)
    stream.seek(0)
    if not head:
        raise NotReadable("empty", where, "an archive", "no bytes")
    if sniff(head) is not Compression.NONE:
        stream = _spool(stream, where, limits, progress)
        head = stream.read(512)
        if not head:
            raise NotReadable("empty", where, "an archive", "compressed data of no bytes")
    if not looks_like_tar(head) and head.strip(b"\0"):
        found = "a bolt database alone: only verify reads it" if is_bolt(stream) else _describe(head)
        raise NotReadable("not-an-image", where, "an archive, a layout or a store", found)
    size = stream.seek(0, 2)
    return Tar(stream, size, where, limits)


def _spool(stream: BinaryIO, where: str, limits: Limits, progress: Progress | None) -> BinaryIO:
    """Decompress into memory, or into an unnamed temporary file if there are many bytes."""
    spool: BinaryIO = io.BytesIO()
    plain = Inflated(stream, where, limits)
    while piece := plain.read(1 << 18):
        if isinstance(spool, io.BytesIO) and spool.tell() + len(piece) > IN_MEMORY:
            spool = _on_disk(spool)
        spool.write(piece)
        if progress:
            progress(len(piece))
    stream.close()
    spool.flush()
    spool.seek(0)
    return spool


def _on_disk(memory: io.BytesIO) -> BinaryIO:
    import tempfile  # noqa: PLC0415 - few archives are so large

    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the place, and has no name
    file.write(memory.getbuffer())
    return file


def _describe(head: bytes) -> str:
    """Guess what a file is, by its first bytes."""
    kinds = {b"PK": "a zip file", b"\xfd7zXZ": "xz data", b"BZh": "bzip2 data", b"{": "JSON", b"\x7fELF": "a program"}
    for magic, name in kinds.items():
        if head.startswith(magic):
            return name
    return "something else"
