"""Recompute everything that can be recomputed, and report every mismatch, not the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from .changeset import Changeset, Upsert, read_changeset
from .digest import Digest, Hasher
from .errors import Finding, Problem
from .image import Container, Image, Layer, NotChecked, Store, home
from .limits import DEFAULT_LIMITS, Limits
from .media import Compression, Inflated, Pieces, layer_compression, sniff
from .overlay import Overlay
from .translate import to_lowerdir
from .tree import Directory, File, entry

__all__ = ["LayerReader", "Report", "merged_entries", "merged_view", "overlay_of", "validate"]

NO_PROOF = "the store keeps this layer as a folder, and neither its tar nor a recipe to rebuild it"
Progress = Callable[[int], None]
# Bytes that are hashed at a time: this fits into the processor's caches.
PIECE = 1 << 20
# Findings after which a layer's bytes were read to their end all the same, so that their digest means something.
WHOLE = ("absurd-size", "bad-layer", "bad-tar-header", "media-type-mismatch", "truncated")
# Findings about a store that concern every image in it.
OF_THE_WHOLE = ("truncated", "duplicate-member", "changed-while-reading")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found wrong, and what could not be looked at."""

    problems: tuple[Problem, ...]
    not_checked: tuple[NotChecked, ...] = ()

    @property
    def ok(self) -> bool:
        """No problem of severity ``error``."""
        return not any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over one layer: what its bytes are called, what they mean, and what is odd.

    Args:
        diff_id: The digest of the uncompressed bytes, in the algorithm that the config uses.
        blob: The digest of the bytes as stored, in the algorithm that the manifest uses.
        size: Stored bytes.
        changeset: Its changes; None if the tar cannot be read.
        problems: Findings about the blob, not about any config.
    """

    diff_id: Digest
    blob: Digest
    size: int
    changeset: Changeset | None
    problems: tuple[Problem, ...]


def read_blob(
    stream: BinaryIO, layer: Layer, where: str, limits: Limits, keep: int = 0, progress: Progress | None = None, digests: bool = True
) -> Reading:
    """Hash, unpack, hash again and parse a layer in bounded memory.

    Args:
        stream: At its start: the blob as stored, seekable, whose first bytes say how it is packed; or a plain tar
            that cannot be sought, because it is rebuilt while it is read.
        layer: Says which algorithms its digests use, and its media type.
        where: What to call it in findings.
        keep: See `read_changeset`; `digests` too.
        progress: Called with each number of stored bytes.

    Spec:
        image-spec, config.md, "Layer DiffID"; descriptor.md, "Verification".
    """
    content = read_content(stream, layer, where, limits, keep, digests)
    if stream.seekable():
        stream.seek(0)
        return content.named(hash_blob(stream, layer, progress), layer)
    return content.named(content.plain, layer)


def hash_blob(stream: BinaryIO, layer: Layer, progress: Progress | None = None) -> Hasher:
    """Hash the bytes as stored, from where the stream is to its end."""
    hasher = Hasher(layer.diff_id.algorithm, _algorithm(layer))
    buffer = memoryview(bytearray(PIECE))
    while count := stream.readinto(buffer):
        hasher.update(buffer[:count])
        if progress:
            progress(count)
    return hasher


@dataclass(frozen=True, slots=True)
class Content:
    """What the plain tar of a layer says.

    Args:
        plain: Has hashed the plain bytes; None if they are the bytes as stored.
        changeset: See `Reading`.
        problems: See `Reading`.
    """

    plain: Hasher | None
    changeset: Changeset | None
    problems: tuple[Problem, ...]

    def named(self, stored: Hasher, layer: Layer) -> Reading:
        """The same with the digests that name it: bytes that are stored plain have only one."""
        diff_id = (self.plain or stored).digest(layer.diff_id.algorithm)
        return Reading(diff_id, stored.digest(_algorithm(layer)), stored.size, self.changeset, self.problems)


def read_content(stream: BinaryIO, layer: Layer, where: str, limits: Limits, keep: int = 0, digests: bool = True) -> Content:
    """Unpack a layer and read its tar; see `read_blob`. The plain bytes are hashed unless they are those stored."""
    problems: list[Problem] = []
    plain = None
    tar: BinaryIO = stream
    if not stream.seekable():
        plain = Hasher(layer.diff_id.algorithm, _algorithm(layer))
        tar = Pieces(iter(lambda: stream.read(PIECE), b""), plain.update)
    else:
        problems += _media_problem(stream, layer, where)
        if _packing(stream) is not Compression.NONE or _size(stream) > limits.expanded:
            plain = Hasher(layer.diff_id.algorithm)
            tar = Inflated(stream, where, limits, plain.update)
    changeset = None
    try:
        try:
            changeset = read_changeset(tar, where, limits, keep, digests)
        except Finding as finding:
            problems.append(_no_tar(finding).problem)
        # Padding after the end of the tar belongs to the layer's bytes.
        while plain is not None and tar.skip(PIECE):
            pass
    except Finding as finding:
        changeset = None
        if finding.problem not in problems:
            problems.append(finding.problem)
    return Content(plain, changeset, tuple(problems))


def _packing(stream: BinaryIO) -> Compression:
    """How a blob is packed; its stream is left at its start."""
    head = stream.read(4)
    stream.seek(0)
    return sniff(head)


def _size(stream: BinaryIO) -> int:
    """The bytes of a blob; its stream is left at its start."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def _algorithm(layer: Layer) -> str:
    return layer.descriptor.digest.algorithm if layer.descriptor else "sha256"


def _no_tar(finding: Finding) -> Finding:
    """A bad header at the very start means that this is no tar at all."""
    problem = finding.problem
    if problem.kind in ("bad-tar-header", "truncated") and problem.where.endswith(" at byte 0"):
        return Finding("bad-layer", problem.where, "a tar", problem.found)
    return finding


def _media_problem(stream: BinaryIO, layer: Layer, where: str) -> Iterable[Problem]:
    """Compare what the media type claims with what the bytes are; the bytes decide."""
    head = stream.read(4)
    stream.seek(0)
    claimed = layer_compression(layer.descriptor.media_type) if layer.descriptor else None
    actual = sniff(head)
    if claimed is not None and head and claimed is not actual:
        yield Problem("media-type-mismatch", where, claimed.value, actual.value)


def _kept(problems: Iterable[Problem]) -> Iterable[Problem]:
    """Problems as they come; what stops them is the last."""
    try:
        yield from problems
    except Finding as finding:
        yield finding.problem


class LayerReader:
    """Layers of a store as overlayfs directories, each read once in a run.

    Args:
        store: Where the layers lie.
        limits: How much they may ask for.
        keep: See `read_changeset`.
        progress: Called with each number of stored bytes that was read.
    """

    def __init__(self, store: Store, limits: Limits = DEFAULT_LIMITS, keep: int = 0, progress: Progress | None = None) -> None:
        self._store, self._limits, self._keep, self._progress = store, limits, keep, progress
        self._readings: dict[tuple[str, ...], Reading] = {}
        self._lowerdirs: dict[tuple[str, ...], tuple[Directory | None, tuple[Problem, ...]]] = {}
        self._folders: dict[str, Directory] = {}
        self._proofs: dict[tuple[str, str], tuple[Problem, ...] | None] = {}

    def reading(self, layer: Layer) -> Reading | None:
        """The one pass over a layer's blob; None where the store has none."""
        key = _key(layer)
        if key not in self._readings:
            stream = self._store.open_layer(layer)
            if stream is None:
                return None
            with stream:
                self._readings[key] = read_blob(stream, layer, layer.source, self._limits, self._keep, self._progress)
        return self._readings[key]

    def bytes_of(self, layer: Layer) -> int:
        """Bytes of the files in a layer's blob; 0 if it cannot be read."""
        reading = self.reading(layer) if layer.readable else None
        changes = reading.changeset.changes if reading and reading.changeset else ()
        return sum(change.inode.size for change in changes if isinstance(change, Upsert) and isinstance(change.inode, File))

    def stack(self, target: Image | Container) -> tuple[list[Directory], list[Problem]]:
        """The directories of an image or a container, **bottom first**, an upper last, and what is wrong with them."""
        if isinstance(target, Container):
            return [self.folder(name) for name in (*reversed(target.lower), target.upper)], list(target.problems)
        layers, problems = self.lowerdirs(target)
        return layers, [*target.problems, *problems]

    def folder(self, name: str) -> Directory:
        """A folder of the store as a tree."""
        if name not in self._folders:
            self._folders[name] = self._store.layer_directory(name, self._keep)
        return self._folders[name]

    def lowerdirs(self, image: Image) -> tuple[list[Directory], list[Problem]]:
        """An image's layers as directories, **bottom first**, and everything that is wrong with them."""
        layers: list[Directory] = []
        problems: list[Problem] = []
        whole = True
        for layer in image.layers:
            tree, found = None, ()
            if layer.readable:
                try:
                    tree, found = self._lowerdir(image, layer, layers)
                except Finding as finding:
                    found = (finding.problem,)
            # Above a layer that cannot be read nobody knows what is below.
            problems += [problem for problem in found if whole or problem.kind not in ("no-op-whiteout", "dangling-hardlink")]
            whole = whole and tree is not None
            if tree is not None:
                layers.append(tree)
        return layers, problems

    def _lowerdir(self, image: Image, layer: Layer, below: list[Directory]) -> tuple[Directory | None, tuple[Problem, ...]]:
        if layer.directory is not None:
            return self.folder(layer.directory), ()
        key = tuple(other.directory or other.source for other in image.layers[: layer.position + 1])
        if key not in self._lowerdirs:
            reading = self.reading(layer)
            if reading is None or reading.changeset is None:
                self._lowerdirs[key] = None, reading.problems if reading else ()
            else:
                stack = Overlay.of_layers(below)
                tree, odd = to_lowerdir(reading.changeset, lambda path: stack.lookup(path).inode, layer.source)
                self._lowerdirs[key] = tree, (*reading.problems, *reading.changeset.problems, *odd)
        tree, problems = self._lowerdirs[key]
        return tree, problems + tuple(self._digest_problems(layer))

    def proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        """Prove a layer that lies in a folder: its tar, or its blob, against diff_id. None if the store has neither."""
        key = (layer.source, layer.diff_id)
        if key not in self._proofs:
            try:
                self._proofs[key] = self._proof(layer)
            except Finding as finding:
                self._proofs[key] = (finding.problem,)
        return self._proofs[key]

    def _proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        reading = self.reading(layer)
        if reading is None:
            return None
        odd = reading.changeset.problems if reading.changeset else ()
        proof = (*reading.problems, *odd, *self._digest_problems(layer))
        # The folder is what is shown; what the tar said need not be kept.
        self._readings.pop(_key(layer))
        return proof

    def _digest_problems(self, layer: Layer) -> Iterable[Problem]:
        """Compare the names that the documents give with the digests of the bytes."""
        reading = self.reading(layer)
        if reading is None:
            return
        if layer.descriptor is not None:
            if reading.blob != layer.descriptor.digest:
                yield Problem("digest-mismatch", layer.source, layer.descriptor.digest, reading.blob)
            if reading.size != layer.descriptor.size:
                yield Problem("size-mismatch", layer.source, f"{layer.descriptor.size} bytes", f"{reading.size} bytes")
        if reading.diff_id != layer.diff_id and all(problem.kind in WHOLE for problem in reading.problems):
            yield Problem("diffid-mismatch", layer.source, layer.diff_id, reading.diff_id)
            yield from _kept(self._store.changed_files(layer))


def _key(layer: Layer) -> tuple[str, ...]:
    """What one pass over a layer depends on."""
    blob = layer.descriptor
    return (layer.source, layer.diff_id.algorithm, *((blob.digest.algorithm, blob.media_type) if blob else ()))


def validate(
    store: Store, targets: Iterable[Image | Container] | None = None, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> Report:
    """Recompute every digest of a store's images, read every layer, and look at every path of the merged views.

    Args:
        store: Where they lie.
        targets: Which images and containers; all if None.
        limits: How much the input may ask for.
        progress: Called with each number of stored bytes that was read.

    Returns:
        All problems, each once, and what was not checked, with the reason.
    """
    # What is wrong with the store's other images does not matter to some of them.
    problems = [problem for problem in store.problems if targets is None or problem.kind in OF_THE_WHOLE]
    not_checked = list(store.not_checked)
    readers: dict[int, LayerReader] = {}
    for target in (*store.images(), *store.containers()) if targets is None else targets:
        part = home(store, target)
        reader = readers.setdefault(id(part), LayerReader(part, limits, progress=progress))
        problems += _view_problems(target, part, reader)
        for layer in target.layers if isinstance(target, Image) else ():
            if layer.directory is not None and layer.readable:
                proof = reader.proof(layer)
                problems += proof or ()
                if proof is None:
                    not_checked.append(NotChecked(layer.diff_id, NO_PROOF))
    return Report(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(not_checked)))


def _view_problems(target: Image | Container, store: Store, reader: LayerReader) -> list[Problem]:
    """Everything that is wrong with what an image or a container shows."""
    problems = list(target.problems)
    try:
        overlay, problems = overlay_of(target, store, reader)
        # Every visible path is looked up once, so that marks which cannot be followed are found.
        for _ in overlay.walk():
            pass
    except Finding as finding:
        problems.append(finding.problem)
    return problems


def overlay_of(target: Image | Container, store: Store, reader: LayerReader) -> tuple[Overlay, list[Problem]]:
    """The stack that an image or a container sees, and what is wrong with its layers.

    Args:
        target: An image: all its layers are lower. A container: its upper is on top.
    """
    layers, problems = reader.stack(target)
    upper = layers.pop() if isinstance(target, Container) else None
    return Overlay.of_layers(layers, upper, marks=store.marks), problems


def merged_view(target: Image | Container, store: Store, reader: LayerReader) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """What an image or a container shows, see `merged_entries`, and all that is wrong with what it needs."""
    problems = list(target.problems)
    try:
        overlay, problems = overlay_of(target, store, reader)
        return dict(merged_entries(overlay)), problems
    except Finding as finding:
        return {}, [*problems, finding.problem]


def merged_entries(overlay: Overlay) -> Mapping[str, dict[str, Any]]:
    """The merged view as plain data: path -> entry, with the layer that each comes from, counted from the bottom."""
    return {path: entry(parts[0].inode, overlay.marks) | {"layer": parts[0].layer} for path, parts in overlay.walk()}
