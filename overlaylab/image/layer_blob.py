"""One layer's blob: hashed, unpacked, hashed again and read, all in bounded memory.

A blob is read twice, so that two threads can share the work: `read_content` unpacks it and reads its tar, `hash_blob`
hashes the bytes as they are stored. A `Reading` compares what both found with what the documents promise.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol, cast

from overlaylab.errors import Finding, InputError, Problem
from overlaylab.limits import DEFAULT_LIMITS, Limits

from .changeset import Changeset
from .changeset_tar import read_changeset
from .compression import Inflated, Pieces, sniff
from .digest import Digest, Hasher, Names
from .image import Layer
from .media_types import Compression, layer_compression

Progress = Callable[[int], None]

# What is known of a file when it is opened and when it is closed; it differs if a program wrote into the file between.
States = frozenset[object]

# Bytes that are hashed at a time: they fit into the processor's caches.
PIECE = 1 << 19

# Findings after which the layer was read to its end all the same, so that its digest can be compared.
READ_TO_THE_END = ("absurd-size", "bad-layer", "bad-tar-header", "media-type-mismatch", "truncated")


@dataclass(frozen=True, slots=True)
class Content:
    """What the plain tar of a layer says.

    Args:
        plain: Digests of the plain bytes; None if the plain bytes are those that are stored.
        stored: Digests of the bytes as stored, if these can be read only once.
        changeset: The layer's changes; None if the tar cannot be read.
        problems: Findings about the blob, not about any config.
        states: Of the blob's file.
    """

    plain: Names | None
    stored: Names | None
    changeset: Changeset | None
    problems: tuple[Problem, ...]
    states: States = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    """What the bytes of a blob hash to, as they are stored, and the states of its file."""

    names: Names
    states: States = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """Both readings of a layer together, without its changes; `layer` is what the documents promise."""

    layer: Layer
    content: Content
    stored: Stored

    @property
    def diff_id(self) -> Digest:
        """The digest of the plain bytes, in the algorithm that the config uses."""
        return (self.content.plain or self.stored.names).digests[self.layer.diff_id.algorithm]

    @property
    def blob(self) -> Digest:
        """The digest of the bytes as stored, in the algorithm that the manifest uses."""
        return self.stored.names.digests[_blob_algorithm(self.layer)]

    def problems(self) -> Iterator[Problem]:
        """Compare the digests and the size that the documents promise with those of the bytes.

        Spec: image-spec, descriptor.md, "Verification"; config.md, "Layer DiffID".
        """
        layer, size = self.layer, self.stored.names.size
        if len(self.content.states | self.stored.states) > 1:
            yield Problem("changed-while-reading", layer.source, "a file at rest", "one that was written meanwhile")
        if layer.descriptor is not None:
            if self.blob != layer.descriptor.digest:
                yield Problem("digest-mismatch", layer.source, layer.descriptor.digest, self.blob)
            if size != layer.descriptor.size:
                yield Problem("size-mismatch", layer.source, f"{layer.descriptor.size} bytes", f"{size} bytes")
        is_whole = all(problem.kind in READ_TO_THE_END for problem in self.content.problems)
        if self.diff_id != layer.diff_id and is_whole:
            yield Problem("diffid-mismatch", layer.source, layer.diff_id, self.diff_id)


class Blobs(Protocol):
    """What opens a layer's bytes: a store."""

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """Open the blob as it is stored, seekable; or the plain tar, rebuilt from a directory, not seekable.

        None where the store keeps neither the blob nor a recipe for the tar.
        """


@dataclass
class BlobReader:
    """Reads layers, each when it is asked for. Nothing is remembered.

    Args:
        blobs: Opens them.
        limits: Bounds on what is read.
        keep: See `read_changeset`.
        digests: See `read_changeset`. A layer that lies in a directory is compared with it, so its files are hashed
            in any case.
        progress: Called with each number of stored bytes that was read, by the thread that reads them.
    """

    blobs: Blobs
    limits: Limits = DEFAULT_LIMITS
    keep: int = 0
    digests: bool = True
    progress: Progress | None = None

    def prefetch(self, layers: Sequence[Layer]) -> None:
        """Announce the layers that will be asked for next; this reader does nothing about it."""

    def content(self, layer: Layer) -> Content | None:
        """Read what a layer's tar says; None where the store has neither a blob nor a recipe.

        Raises:
            Finding: The blob cannot be opened.
        """
        stream = self.blobs.open_layer(layer)
        if stream is None:
            return None
        with stream:
            before = _state(stream)
            # What can be sought is read again by `stored`, which reports progress.
            source = stream if stream.seekable() else self._metered(stream)
            digests = self.digests or layer.directory is not None
            content = read_content(source, layer, self.limits, self.keep, digests)
            return replace(content, states=frozenset({before, _state(stream)}))

    def stored(self, layer: Layer) -> Stored:
        """Hash a layer's blob as it is stored.

        Raises:
            Finding: The blob cannot be opened; ``changed-while-reading`` if there is none any more.
        """
        stream = self.blobs.open_layer(layer)
        if stream is None:
            # There was one when its content was read: an engine at work removed it.
            raise Finding("changed-while-reading", layer.source, "a blob", "nothing")
        with stream:
            before = _state(stream)
            return Stored(hash_blob(self._metered(stream), layer), frozenset({before, _state(stream)}))

    def look(self, layer: Layer) -> tuple[Compression, int]:
        """Tell how a blob is compressed, and its size; 0 bytes if it cannot be opened."""
        try:
            with self.blobs.open_layer(layer) or io.BytesIO() as stream:
                return _look(stream)
        except (InputError, OSError):
            # Reported when the blob is read.
            return Compression.NONE, 0

    def _metered(self, stream: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", _Metered(stream, self.progress)) if self.progress else stream


class _Metered:
    """A stream that reports how many bytes are read from it."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress

    def seekable(self) -> bool:
        return self._stream.seekable()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if data:
            self._progress(len(data))
        return data

    def readinto(self, buffer: memoryview) -> int:
        count = _read_into(self._stream, buffer)
        if count:
            self._progress(count)
        return count


def pass_key(layer: Layer) -> tuple[str, ...]:
    """What reading a layer's bytes depends on: layers of the same key are read once."""
    blob = layer.descriptor
    return (layer.source, layer.diff_id.algorithm, *((blob.digest.algorithm, blob.media_type) if blob else ()))


def hash_blob(stream: BinaryIO, layer: Layer) -> Names:
    """Hash the bytes as stored, from the start of the stream to its end.

    Args:
        stream: The blob, at its start.
        layer: Says which algorithms its digests use.

    Spec:
        image-spec, descriptor.md, "Verification".
    """
    hasher = Hasher(layer.diff_id.algorithm, _blob_algorithm(layer))
    buffer = memoryview(bytearray(PIECE))
    while count := _read_into(stream, buffer):
        hasher.update(buffer[:count])
    return hasher.names()


def read_content(stream: BinaryIO, layer: Layer, limits: Limits, keep: int = 0, digests: bool = True) -> Content:
    """Unpack a layer and read its tar. The plain bytes are hashed, unless they are those that are stored.

    Args:
        stream: At its start: the blob as stored, seekable, whose first bytes say how it is compressed; or a plain tar
            that is not seekable, because it is rebuilt while it is read.
        layer: Says which algorithms its digests use, its media type, and what to call it in findings.
        limits: Bounds on what is read.
        keep: See `read_changeset`.
        digests: See `read_changeset`.

    Spec:
        image-spec, config.md, "Layer DiffID".
    """
    problems: list[Problem] = []
    plain: Hasher | None = None
    tar: Any = stream
    if not stream.seekable():
        plain = Hasher(layer.diff_id.algorithm, _blob_algorithm(layer))
        tar = Pieces(iter(lambda: stream.read(PIECE), b""), plain.update)
    else:
        compression, size = _look(stream)
        problems += _media_type_problems(compression, size, layer)
        if compression is not Compression.NONE or size > limits.expanded:
            plain = Hasher(layer.diff_id.algorithm)
            tar = Inflated(stream, layer.source, limits, plain.update)
    changeset = None
    try:
        try:
            changeset = read_changeset(tar, layer.source, limits, keep, digests)
        except Finding as finding:
            problems.append(_as_no_tar(finding.problem))
        # The padding after the end of the tar belongs to the layer's bytes.
        while plain is not None and tar.read(PIECE):
            pass
    except Finding as finding:
        changeset = None
        if finding.problem not in problems:
            problems.append(finding.problem)
    names = plain.names() if plain else None
    return Content(names, None if stream.seekable() else names, changeset, tuple(problems))


def _read_into(stream: BinaryIO, buffer: memoryview) -> int:
    """Fill a buffer; returns how many bytes came, 0 at the end."""
    return cast("io.RawIOBase", stream).readinto(buffer) or 0


def _state(stream: BinaryIO) -> object:
    """What changes when a program writes into a stream's file."""
    return stream.state() if hasattr(stream, "state") else None


def _look(stream: BinaryIO) -> tuple[Compression, int]:
    """Tell how a blob is compressed, and its size; the stream is left at its start."""
    stream.seek(0)
    compression = sniff(stream.read(4))
    size = stream.seek(0, 2)
    stream.seek(0)
    return compression, size


def _blob_algorithm(layer: Layer) -> str:
    """The algorithm of the digest that the manifest gives a layer's blob."""
    return layer.descriptor.digest.algorithm if layer.descriptor else "sha256"


def _as_no_tar(problem: Problem) -> Problem:
    """A bad header at the very start means that this is no tar at all."""
    if problem.kind in ("bad-tar-header", "truncated") and problem.where.endswith(" at byte 0"):
        return Problem("bad-layer", problem.where, "a tar", problem.found)
    return problem


def _media_type_problems(compression: Compression, size: int, layer: Layer) -> Iterator[Problem]:
    """Compare what the media type claims with what the bytes are; the bytes decide."""
    claimed = layer_compression(layer.descriptor.media_type) if layer.descriptor else None
    if claimed is not None and size and claimed is not compression:
        yield Problem("media-type-mismatch", layer.source, claimed.value, compression.value)
