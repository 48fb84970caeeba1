"""Recompute everything that can be recomputed, and report every mismatch, not the first."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, BinaryIO

from .blob import Content, Progress, Reading, hash_blob, look, read_content
from .changeset import Upsert
from .digest import Names
from .errors import Finding, InputError, Problem
from .image import Container, Image, Layer, NotChecked, Store, home
from .limits import DEFAULT_LIMITS, Limits
from .media import Compression
from .overlay import Overlay
from .seeker import Seeker
from .translate import to_lowerdir
from .tree import Directory, File, entry
from .unpacked import LostMarks, folder_problems

__all__ = ["LayerReader", "Report", "merged_entries", "merged_view", "overlay_of", "validate"]

NO_PROOF = "the store keeps this layer as a folder, and neither its tar nor a recipe to rebuild it"
# Begins with a call, and gives what waits for its result.
Later = Callable[..., Callable[[], Any]]
# Begins with a call for each of some items, and gives what waits for each result.
Apart = Callable[..., list[Callable[[], Any]]]
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


def _kept(problems: Iterable[Problem]) -> Iterable[Problem]:
    """Problems as they come; what stops them is the last."""
    try:
        yield from problems
    except Finding as finding:
        yield finding.problem


def _here(function: Callable[..., Any], items: Iterable[Any], sizes: Iterable[int], progress: Progress | None) -> list[Callable[[], Any]]:
    """Each call is made when its result is asked for."""
    return [partial(function, item, progress) for item in items]


class LayerReader:
    """Layers of a store as overlayfs directories, each read once in a run.

    Args:
        store: Where the layers lie.
        limits: How much they may ask for.
        keep: See `read_changeset`; `digests` too.
        progress: Called with each number of stored bytes that was read, by whichever thread reads them.
        later: Begins with a call in another thread; without it everything is done when it is asked for.
        apart: Begins with calls in other processes, likewise; see `Workers.apart`.
    """

    def __init__(
        self, store: Store, limits: Limits = DEFAULT_LIMITS, keep: int = 0, progress: Progress | None = None,
        digests: bool = True, later: Later = partial, apart: Apart = _here,
    ) -> None:  # fmt: skip
        self._store, self._limits, self._keep, self._progress = store, limits, keep, progress
        self._digests, self._later, self._apart = digests, later, apart
        self._contents: dict[tuple[str, ...], Callable[[], Content | None]] = {}
        self._hashes: dict[tuple[str, ...], Callable[[], tuple[Names, set[object]]]] = {}
        # What a file was like before and after each reading: its bytes are hashed and understood at two times.
        self._states: defaultdict[tuple[str, ...], set[object]] = defaultdict(set)
        self._readings: dict[tuple[str, ...], Reading] = {}
        self._lowerdirs: dict[tuple[str, ...], tuple[Directory | None, tuple[Problem, ...]]] = {}
        self._folders: dict[str, Directory] = {}
        self._proofs: dict[tuple[str | None, ...], tuple[Problem, ...] | None] = {}
        self.lost = LostMarks()
        self._seen: dict[tuple[str, ...], Reading] = {}

    def read_ahead(self, image: Image) -> None:
        """Begin with the blobs of an image, the largest first, so that they are read side by side."""
        sizes: dict[tuple[str, ...], tuple[int, Compression, Layer]] = {}
        for layer in image.layers:
            if layer.readable and layer.directory is None and _key(layer) not in self._readings:
                sizes[_key(layer)] = *self._look(layer), layer
        blobs = sorted(sizes.items(), key=lambda item: -item[1][0])
        hashes = self._apart(self._hash, [layer for _, (_, _, layer) in blobs], [size for _, (size, _, _) in blobs], self._progress)
        self._hashes |= zip((key for key, _ in blobs), hashes)
        for key, (_, packing, layer) in blobs:
            if self._digests or packing is not Compression.NONE:
                self._contents[key] = self._later(self._content, layer)

    def _look(self, layer: Layer) -> tuple[int, Compression]:
        try:
            with self._store.open_layer(layer) or io.BytesIO() as stream:
                packing, size = look(stream)
                return size, packing
        except (InputError, OSError):
            # Whoever needs this blob next says why.
            return 0, Compression.NONE

    def _content(self, layer: Layer) -> Content | None:
        stream = self._store.open_layer(layer)
        if stream is None:
            return None
        with stream:
            # What lies in a folder is compared with it, file by file.
            digests = self._digests or layer.directory is not None
            before = _state(stream)
            content = read_content(stream, layer, self._limits, self._keep, digests, self._progress)
            self._states[_key(layer)] |= {before, _state(stream)}
            return content

    def _hash(self, layer: Layer, progress: Progress | None) -> tuple[Names, set[object]]:
        """What a blob is called, and what its file was like before and after it was read."""
        with self._store.open_layer(layer) as stream:
            before = _state(stream)
            return hash_blob(stream, layer, progress), {before, _state(stream)}

    def _names(self, layer: Layer) -> Names:
        names, states = self._hashes.pop(_key(layer), partial(self._hash, layer, self._progress))()
        self._states[_key(layer)] |= states
        return names

    def reading(self, layer: Layer) -> Reading | None:
        """What is in a layer's blob, read once; None where the store has none."""
        key = _key(layer)
        if key not in self._readings:
            content = self._contents.pop(key, partial(self._content, layer))()
            if content is None:
                return None
            stored = cache(partial(self._names, layer)) if content.stored is None else lambda: content.stored
            self._readings[key] = Reading(layer, content, stored)
            self._seen[key] = replace(self._readings[key], content=replace(content, changeset=None))
        return self._readings[key]

    def seen(self, layer: Layer) -> Reading | None:
        """What a layer's bytes were called when they were read, without its changes; None if they were not."""
        return self._seen.get(_key(layer))

    def adopt(self, other: LayerReader, layers: Iterable[Layer]) -> None:
        """Take over what another reader found out about layers whose bytes are the same for both."""
        for layer in layers:
            names = (_key(layer), _key(layer), (layer.source, layer.diff_id, layer.directory), layer.directory)
            mine = (self._readings, self._seen, self._proofs, self._folders)
            for found, known, name in zip(mine, (other._readings, other._seen, other._proofs, other._folders), names):
                if name in known:
                    found[name] = known[name]

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
        layers, odd = self.trees(image)
        return layers, self.named(image, odd)

    def trees(self, image: Image) -> tuple[list[Directory], list[list[Problem]]]:
        """An image's layers as directories, and what is wrong with each of its layers apart from digests, both **bottom first**."""
        layers: list[Directory] = []
        odd: list[list[Problem]] = []
        whole = True
        for layer in image.layers:
            tree, found = None, ()
            if layer.readable:
                try:
                    tree, found = self._lowerdir(image, layer, layers)
                except Finding as finding:
                    if finding.problem.severity == "warning":
                        # An engine at work took it away: what is left is no answer.
                        raise
                    found = (finding.problem,)
            # Above a layer that cannot be read nobody knows what is below.
            odd.append([problem for problem in found if whole or problem.kind not in ("no-op-whiteout", "dangling-hardlink")])
            whole = whole and tree is not None
            if tree is not None:
                layers.append(tree)
        return layers, odd

    def named(self, image: Image, odd: list[list[Problem]]) -> list[Problem]:
        """What is wrong with an image's layers, see `trees`, with what is wrong with their digests."""
        problems: list[Problem] = []
        for layer, found in zip(image.layers, odd):
            problems += found
            if layer.readable and layer.directory is None:
                try:
                    problems += self._digest_problems(layer)
                except Finding as finding:
                    if finding.problem.severity == "warning":
                        raise
                    problems += [finding.problem] if finding.problem not in found else []
        return problems

    def _lowerdir(self, image: Image, layer: Layer, below: list[Directory]) -> tuple[Directory | None, tuple[Problem, ...]]:
        if layer.directory is not None:
            return self.folder(layer.directory), ()
        key = tuple(other.directory or other.source for other in image.layers[: layer.position + 1])
        if key not in self._lowerdirs:
            reading = self.reading(layer)
            if reading is None or reading.changeset is None:
                self._lowerdirs[key] = None, reading.problems if reading else ()
            else:
                tree, odd = to_lowerdir(reading.changeset, Seeker(Overlay.of_layers(below)), layer.source)
                self._lowerdirs[key] = tree, (*reading.problems, *reading.changeset.problems, *odd)
        return self._lowerdirs[key]

    def proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        """Prove a layer that lies in a folder: its tar, or its blob, against diff_id, and the folder against that tar.

        None if the store has neither.
        """
        key = (layer.source, layer.diff_id, layer.directory)
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
        if reading.changeset and not any(problem.severity == "error" for problem in proof):
            where = self._store.folder_path(layer.directory)
            proof += tuple(folder_problems(reading.changeset, self.folder(layer.directory), where, self._store.marks, self.lost))
        # The folder is what is shown; what the tar said need not be kept.
        self._readings.pop(_key(layer))
        return proof

    def _digest_problems(self, layer: Layer) -> Iterable[Problem]:
        """Compare the names that the documents give with the digests of the bytes."""
        reading = self.reading(layer)
        if reading is None:
            return
        # Hashed also where no document names them, so that whoever waits is told of all stored bytes.
        reading.stored()
        if len(self._states[_key(layer)]) > 1:
            yield Problem("changed-while-reading", layer.source, "a file at rest", "one that was written meanwhile")
        if layer.descriptor is not None:
            if reading.blob != layer.descriptor.digest:
                yield Problem("digest-mismatch", layer.source, layer.descriptor.digest, reading.blob)
            if reading.size != layer.descriptor.size:
                yield Problem("size-mismatch", layer.source, f"{layer.descriptor.size} bytes", f"{reading.size} bytes")
        if reading.diff_id != layer.diff_id and all(problem.kind in WHOLE for problem in reading.problems):
            yield Problem("diffid-mismatch", layer.source, layer.diff_id, reading.diff_id)
            yield from _kept(self._store.changed_files(layer))


def _state(stream: BinaryIO) -> object:
    """What changes when a program writes into a stream's file."""
    return stream.state() if hasattr(stream, "state") else None


def _key(layer: Layer) -> tuple[str, ...]:
    """What one pass over a layer depends on."""
    blob = layer.descriptor
    return (layer.source, layer.diff_id.algorithm, *((blob.digest.algorithm, blob.media_type) if blob else ()))


def validate(
    store: Store, targets: Iterable[Image | Container] | None = None, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None,
    readers: dict[int, LayerReader] | None = None, later: Later = partial, apart: Apart = _here,
) -> Report:
    """Recompute every digest of a store's images, read every layer, and look at every path of the merged views.

    Args:
        store: Where they lie.
        targets: Which images and containers; all if None.
        limits: How much the input may ask for.
        progress: Called with each number of stored bytes that was read.
        readers: The reader of a store, by the store's ``id``, to use and to look into later.
        later: See `LayerReader`: what can be done side by side; `apart` too. The report is the same.

    Returns:
        All problems, each once, and what was not checked, with the reason.
    """
    # What is wrong with the store's other images does not matter to some of them.
    problems = [problem for problem in store.problems if targets is None or problem.kind in OF_THE_WHOLE]
    not_checked = list(store.not_checked)
    later_looks, readers = readers is not None, {} if readers is None else readers
    for target in (*store.images(), *store.containers()) if targets is None else targets:
        part = home(store, target)
        reader = readers.setdefault(id(part), LayerReader(part, limits, progress=progress, digests=later_looks, later=later, apart=apart))
        problems += _view_problems(target, part, reader)
        for layer in target.layers if isinstance(target, Image) else ():
            if layer.directory is not None and layer.readable:
                proof = reader.proof(layer)
                problems += proof or ()
                if proof is None:
                    not_checked.append(NotChecked(layer.diff_id, NO_PROOF))
    for reader in readers.values():
        problems += reader.lost.problems()
        not_checked += reader.lost.not_checked()
    return Report(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(not_checked)))


def _view_problems(target: Image | Container, store: Store, reader: LayerReader) -> list[Problem]:
    """Everything that is wrong with what an image or a container shows."""
    if isinstance(target, Image):
        reader.read_ahead(target)
    try:
        if isinstance(target, Container):
            overlay, problems = overlay_of(target, store, reader)
            return [*problems, *_walk_problems(overlay)]
        layers, odd = reader.trees(target)
        # While other threads hash, there is time to look at the merged view.
        walked = _walk_problems(Overlay.of_layers(layers, marks=store.marks))
        return [*target.problems, *reader.named(target, odd), *walked]
    except Finding as finding:
        return [*target.problems, finding.problem]


def _walk_problems(overlay: Overlay) -> list[Problem]:
    """Look every visible path up once, so that marks which cannot be followed are found."""
    try:
        overlay.look_everywhere()
    except Finding as finding:
        return [finding.problem]
    return []


def overlay_of(target: Image | Container, store: Store, reader: LayerReader) -> tuple[Overlay, list[Problem]]:
    """The stack that an image or a container sees, and what is wrong with its layers.

    Args:
        target: An image: all its layers are lower. A container: its upper is on top.
    """
    layers, problems = reader.stack(target)
    upper = layers.pop() if isinstance(target, Container) else None
    return Overlay.of_layers(layers, upper, marks=store.marks), problems


def merged_view(target: Image | Container, store: Store, reader: LayerReader) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """What an image or a container shows, see `merged_entries`, and all that is wrong with what it needs.

    Raises:
        Finding: ``changed-while-reading``, where an engine at work took away what is needed.
    """
    problems = list(target.problems)
    try:
        overlay, problems = overlay_of(target, store, reader)
        return dict(merged_entries(overlay)), problems
    except Finding as finding:
        if finding.problem.severity == "warning":
            raise
        return {}, [*problems, finding.problem]


def merged_entries(overlay: Overlay) -> Mapping[str, dict[str, Any]]:
    """The merged view as plain data: path -> entry, with the layer that each comes from, counted from the bottom."""
    return {path: entry(parts[0].inode, overlay.marks) | {"layer": parts[0].layer} for path, parts in overlay.walk()}
