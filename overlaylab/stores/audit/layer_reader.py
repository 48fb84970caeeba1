"""The layers of a store, each read once in a run: what their bytes are called, and the directories that they become."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, BinaryIO

from overlaylab.errors import Finding, InputError, Problem
from overlaylab.image.changeset import Upsert
from overlaylab.image.digest import Names
from overlaylab.image.image import Container, Image, Layer
from overlaylab.image.layer_blob import Content, Progress, Reading, hash_blob, look, read_content
from overlaylab.image.media_types import Compression
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.store import Store
from overlaylab.tree import Directory, File

from .directory_check import LostMarks, directory_problems

__all__ = ["Apart", "Later", "LayerReader"]

# Begins with a call, and gives what waits for its result.
Later = Callable[..., Callable[[], Any]]

# Begins with calls for some of some items, and gives what waits for their results, by number.
Apart = Callable[..., Mapping[int, Callable[[], Any]]]

# Findings after which a layer's bytes were read to their end all the same, so that their digest means something.
WHOLE = ("absurd-size", "bad-layer", "bad-tar-header", "media-type-mismatch", "truncated")


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
        self,
        store: Store,
        limits: Limits = DEFAULT_LIMITS,
        keep: int = 0,
        progress: Progress | None = None,
        digests: bool = True,
        later: Later = partial,
        apart: Apart = lambda *_: {},
    ) -> None:
        self._store, self._limits, self._keep, self._progress = store, limits, keep, progress
        self._digests, self._later, self._apart = digests, later, apart
        self._contents: dict[tuple[str, ...], Callable[[], Content | None]] = {}
        self._hashes: dict[tuple[str, ...], Callable[[], tuple[Names, set[object]]]] = {}
        # What a file was like before and after each reading: its bytes are hashed and understood at two times.
        self._states: defaultdict[tuple[str, ...], set[object]] = defaultdict(set)
        self._readings: dict[tuple[str, ...], Reading] = {}
        self._lowerdirs: dict[tuple[str, ...], tuple[Directory | None, tuple[Problem, ...]]] = {}
        self._directories: dict[str, Directory] = {}
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
        # Before there are threads: a process that has some is not easily copied.
        hashes = self._apart(
            self._hash, [layer for _, (_, _, layer) in blobs], [size for _, (size, _, _) in blobs], self._progress
        )
        for key, (_, packing, layer) in blobs:
            if self._digests or packing is not Compression.NONE:
                self._contents[key] = self._later(self._content, layer)
        for number, (key, (_, _, layer)) in enumerate(blobs):
            self._hashes[key] = hashes.get(number) or self._later(self._hash, layer, self._progress)

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
            # What lies in a directory is compared with it, file by file.
            digests = self._digests or layer.directory is not None
            before = _state(stream)
            content = read_content(stream, layer, self._limits, self._keep, digests, self._progress)
            self._states[_key(layer)] |= {before, _state(stream)}
            return content

    def _hash(self, layer: Layer, progress: Progress | None) -> tuple[Names, set[object]]:
        """What a blob is called, and what its file was like before and after it was read."""
        stream = self._store.open_layer(layer)
        if stream is None:
            # It was there when it was understood; an engine at work took it away.
            raise Finding("changed-while-reading", layer.source, "a blob", "nothing")
        with stream:
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
            mine = (self._readings, self._seen, self._proofs, self._directories)
            for found, known, name in zip(
                mine, (other._readings, other._seen, other._proofs, other._directories), names
            ):
                if name in known:
                    found[name] = known[name]

    def bytes_of(self, layer: Layer) -> int:
        """Bytes of the files in a layer's blob; 0 if it cannot be read."""
        reading = self.reading(layer) if layer.readable else None
        changes = reading.changeset.changes if reading and reading.changeset else ()
        return sum(
            change.inode.size for change in changes if isinstance(change, Upsert) and isinstance(change.inode, File)
        )

    def stack(self, target: Image | Container) -> tuple[list[Directory], list[Problem]]:
        """The directories of an image or a container, **bottom first**, an upper last, and what is wrong with them."""
        if isinstance(target, Container):
            return [self.folder(name) for name in (*reversed(target.lower), target.upper)], list(target.problems)
        layers, problems = self.lowerdirs(target)
        return layers, [*target.problems, *problems]

    def folder(self, name: str) -> Directory:
        """A directory of the store as a tree."""
        if name not in self._directories:
            self._directories[name] = self._store.layer_directory(name, self._keep)
        return self._directories[name]

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
            odd.append(
                [problem for problem in found if whole or problem.kind not in ("no-op-whiteout", "dangling-hardlink")]
            )
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

    def _lowerdir(
        self, image: Image, layer: Layer, below: list[Directory]
    ) -> tuple[Directory | None, tuple[Problem, ...]]:
        if layer.directory is not None:
            return self.folder(layer.directory), ()
        key = tuple(other.directory or other.source for other in image.layers[: layer.position + 1])
        if key not in self._lowerdirs:
            reading = self.reading(layer)
            if reading is None or reading.changeset is None:
                self._lowerdirs[key] = None, reading.problems if reading else ()
            else:
                # Imported only now, when others are at work already.
                from overlaylab.overlay.translate import to_lowerdir_on

                tree, odd = to_lowerdir_on(below, reading.changeset, layer.source)
                self._lowerdirs[key] = tree, (*reading.problems, *reading.changeset.problems, *odd)
        return self._lowerdirs[key]

    def proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        """Prove a layer that lies in a directory: its tar, or its blob, against diff_id, and the directory against that tar.

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
            where = self._store.directory_path(layer.directory)
            proof += tuple(
                directory_problems(reading.changeset, self.folder(layer.directory), where, self._store.marks, self.lost)
            )
        # The directory is what is shown; what the tar said need not be kept.
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


def _kept(problems: Iterable[Problem]) -> Iterable[Problem]:
    """Problems as they come; what stops them is the last."""
    try:
        yield from problems
    except Finding as finding:
        yield finding.problem
