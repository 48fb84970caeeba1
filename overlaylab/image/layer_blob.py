"""One layer's blob: hashed, unpacked, hashed again and read, all in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.limits import Limits

from .changeset import Changeset
from .changeset_tar import read_changeset
from .compression import Inflated, Pieces, sniff
from .digest import Digest, Hasher, Names
from .image import Layer
from .media_types import Compression, layer_compression

__all__ = ["Content", "Progress", "Reading", "hash_blob", "read_content"]

Progress = Callable[[int], None]

# Bytes that are hashed at a time: this fits into the processor's caches.
PIECE = 1 << 19


@dataclass(frozen=True, slots=True)
class Content:
    """What the plain tar of a layer says.

    Args:
        plain: Names of the plain bytes; None if they are the bytes as stored.
        stored: Names of the bytes as stored, where these come only once.
        changeset: Its changes; None if the tar cannot be read.
        problems: Findings about the blob, not about any config.
    """

    plain: Names | None
    stored: Names | None
    changeset: Changeset | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A layer that was read: what its bytes are called, what they mean, and what is odd.

    Args:
        layer: Says which algorithms its digests use.
        content: What was read.
        stored: Gives the names of the bytes as stored, when all of them are hashed.
    """

    layer: Layer
    content: Content
    stored: Callable[[], Names]

    @property
    def changeset(self) -> Changeset | None:
        """Its changes; None if the tar cannot be read."""
        return self.content.changeset

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Findings about the blob, not about any config."""
        return self.content.problems

    @property
    def diff_id(self) -> Digest:
        """The digest of the uncompressed bytes, in the algorithm that the config uses."""
        return (self.content.plain or self.stored()).digests[self.layer.diff_id.algorithm]

    @property
    def blob(self) -> Digest:
        """The digest of the bytes as stored, in the algorithm that the manifest uses."""
        return self.stored().digests[_algorithm(self.layer)]

    @property
    def size(self) -> int:
        """Stored bytes."""
        return self.stored().size


def hash_blob(stream: BinaryIO, layer: Layer, progress: Progress | None = None) -> Names:
    """Hash the bytes as stored, from the start of the stream to its end.

    Args:
        progress: Called with each number of bytes.

    Spec:
        image-spec, descriptor.md, "Verification".
    """
    hasher = Hasher(layer.diff_id.algorithm, _algorithm(layer))
    buffer = memoryview(bytearray(PIECE))
    while count := stream.readinto(buffer):
        hasher.update(buffer[:count])
        if progress:
            progress(count)
    return hasher.names()


def read_content(
    stream: BinaryIO,
    layer: Layer,
    limits: Limits,
    keep: int = 0,
    digests: bool = True,
    progress: Progress | None = None,
) -> Content:
    """Unpack a layer and read its tar. The plain bytes are hashed, unless they are those stored.

    Args:
        stream: At its start: the blob as stored, seekable, whose first bytes say how it is packed; or a plain tar
            that cannot be sought, because it is rebuilt while it is read.
        layer: Says which algorithms its digests use, its media type, and what to call it in findings.
        keep: See `read_changeset`; `digests` too.
        progress: Called with each number of bytes that come only once.

    Spec:
        image-spec, config.md, "Layer DiffID".
    """
    problems: list[Problem] = []
    plain = stored = None
    tar: BinaryIO = stream
    if not stream.seekable():
        plain = stored = Hasher(layer.diff_id.algorithm, _algorithm(layer))
        tar = Pieces(_told(iter(lambda: stream.read(PIECE), b""), progress), plain.update)
    else:
        packing, size = look(stream)
        problems += _media_problem(packing, size, layer)
        if packing is not Compression.NONE or size > limits.expanded:
            plain = Hasher(layer.diff_id.algorithm)
            tar = Inflated(stream, layer.source, limits, plain.update)
    changeset = None
    try:
        try:
            changeset = read_changeset(tar, layer.source, limits, keep, digests)
        except Finding as finding:
            problems.append(_no_tar(finding).problem)
        # Padding after the end of the tar belongs to the layer's bytes.
        while plain is not None and tar.read(PIECE):
            pass
    except Finding as finding:
        changeset = None
        if finding.problem not in problems:
            problems.append(finding.problem)
    return Content(plain and plain.names(), stored and stored.names(), changeset, tuple(problems))


def _told(pieces: Iterator[bytes], progress: Progress | None) -> Iterator[bytes]:
    """The same pieces; of each the progress is told."""
    for piece in pieces:
        if progress:
            progress(len(piece))
        yield piece


def look(stream: BinaryIO) -> tuple[Compression, int]:
    """How a blob is packed, and its bytes as stored; its stream is left at its start."""
    stream.seek(0)
    packing = sniff(stream.read(4))
    size = stream.seek(0, 2)
    stream.seek(0)
    return packing, size


def _algorithm(layer: Layer) -> str:
    return layer.descriptor.digest.algorithm if layer.descriptor else "sha256"


def _no_tar(finding: Finding) -> Finding:
    """A bad header at the very start means that this is no tar at all."""
    problem = finding.problem
    if problem.kind in ("bad-tar-header", "truncated") and problem.where.endswith(" at byte 0"):
        return Finding("bad-layer", problem.where, "a tar", problem.found)
    return finding


def _media_problem(packing: Compression, size: int, layer: Layer) -> Iterable[Problem]:
    """Compare what the media type claims with what the bytes are; the bytes decide."""
    claimed = layer_compression(layer.descriptor.media_type) if layer.descriptor else None
    if claimed is not None and size and claimed is not packing:
        yield Problem("media-type-mismatch", layer.source, claimed.value, packing.value)
