"""A pipe from a store's layers to the directories that they become, which reads every layer once.

read: `image.layer_blob` unpacks and hashes a blob, in one thread or in several. stack: `to_lowerdir_on` makes a
directory of each layer, the bottom one first. judge: `Reading.problems` and `directory_problems` compare what was read
with what was promised. `LayerReader` remembers what each step returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from overlaylab.errors import Finding, Problem
from overlaylab.image.changeset import Changeset, Upsert
from overlaylab.image.image import Container, Image, Layer
from overlaylab.image.layer_blob import BlobReader, Content, Progress, Reading, Stored, pass_key
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.store import Store, stacked_names
from overlaylab.tree import Directory, File

from .directory_check import LostMarks, directory_problems, whole_directory_problems

# Findings that are true only if all layers below could be read.
ABOUT_LAYERS_BELOW = ("no-op-whiteout", "dangling-hardlink")


class LayerReader:
    """The layers of a store as overlayfs directories: a memo.

    Args:
        store: Holds the layers.
        limits: Bounds on what is read.
        keep: See `read_changeset`.
        progress: Called with each number of stored bytes that was read, by the thread that reads them.
        digests: See `read_changeset`.
        blobs: What reads the layers' bytes: `BlobReader` when they are asked for, `ParallelReader` ahead of that.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits = DEFAULT_LIMITS,
        keep: int = 0,
        progress: Progress | None = None,
        digests: bool = True,
        blobs: Callable[..., BlobReader] = BlobReader,
    ) -> None:
        self._store, self._keep = store, keep
        self._blobs = blobs(store, limits, keep, digests, progress)
        self._contents: dict[tuple[str, ...], Content] = {}
        self._readings: dict[tuple[str, ...], Reading] = {}
        self._directories: dict[str, Directory] = {}
        # A layer's directory depends on all layers below, so the key is those.
        self._lowerdirs: dict[tuple[str, ...], tuple[Directory | None, tuple[Problem, ...]]] = {}
        # For a directory that holds a whole file system: its layer and those below, to compare it with.
        self._stacks: dict[str, tuple[Directory, ...]] = {}
        self._proofs: dict[tuple[str | None, ...], tuple[Problem, ...] | None] = {}
        self.lost = LostMarks()

    # --- read

    def prefetch(self, image: Image) -> None:
        """Announce the image whose layers will be needed next."""
        blobs = {
            pass_key(layer): layer
            for layer in image.layers
            if layer.readable and layer.directory is None and pass_key(layer) not in self._contents
        }
        self._blobs.prefetch(list(blobs.values()))

    def content(self, layer: Layer) -> Content | None:
        """What a layer's tar says; None where the store has neither its blob nor a recipe for it.

        Raises:
            Finding: It cannot be opened.
        """
        key = pass_key(layer)
        if key not in self._contents:
            content = self._blobs.content(layer)
            if content is None:
                return None
            self._contents[key] = content
        return self._contents[key]

    def reading(self, layer: Layer) -> Reading | None:
        """What a layer's bytes hash to; None where the store has none.

        Raises:
            Finding: It cannot be opened.
        """
        key = pass_key(layer)
        if key not in self._readings:
            content = self.content(layer)
            if content is None:
                return None
            stored = self._blobs.stored(layer) if content.stored is None else Stored(content.stored)
            self._readings[key] = Reading(layer, replace(content, changeset=None), stored)
        return replace(self._readings[key], layer=layer)

    def known_reading(self, layer: Layer) -> Reading | None:
        """What `reading` returned before; None if the layer has not been read."""
        return self._readings.get(pass_key(layer))

    def directory(self, name: str) -> Directory:
        """A directory of the store as a tree."""
        if name not in self._directories:
            self._directories[name] = self._store.layer_directory(name, self._keep)
        return self._directories[name]

    def bytes_of(self, layer: Layer) -> int:
        """Bytes of the files in a layer's blob; 0 if it cannot be read."""
        content = self.content(layer) if layer.readable else None
        changes = content.changeset.changes if content and content.changeset else ()
        return sum(
            change.inode.size for change in changes if isinstance(change, Upsert) and isinstance(change.inode, File)
        )

    def reuse(self, other: LayerReader, layers: Iterable[Layer]) -> None:
        """Copy another reader's memo of layers whose bytes are the same for both."""
        for layer in layers:
            key = pass_key(layer)
            if key in other._contents:
                self._contents[key] = other._contents[key]
            if key in other._readings:
                self._readings[key] = other._readings[key]
            if _proof_key(layer) in other._proofs:
                self._proofs[_proof_key(layer)] = other._proofs[_proof_key(layer)]
            if layer.directory is not None and layer.directory in other._directories:
                self._directories[layer.directory] = other._directories[layer.directory]

    # --- stack

    def stack(self, target: Image | Container) -> tuple[list[Directory], list[Problem]]:
        """The directories of an image or a container, **bottom first**, an upper last, and what is wrong with them."""
        if isinstance(target, Container):
            return [self.directory(name) for name in stacked_names(self._store, target)], list(target.problems)
        directories, problems = self.directories(target)
        return directories, [*target.problems, *self.problems(target, problems)]

    def directories(self, image: Image) -> tuple[list[Directory], list[list[Problem]]]:
        """Make a directory of each layer of an image that can be read.

        Returns:
            The directories; and for each layer, readable or not, what is wrong with it besides its digests. Both
            **bottom first**.

        Raises:
            Finding: ``changed-while-reading``: an engine at work removed what is needed, so there is no answer.
        """
        directories: list[Directory] = []
        problems: list[list[Problem]] = []
        is_whole = True
        for layer in image.layers:
            directory: Directory | None = None
            found: tuple[Problem, ...] = ()
            if layer.readable:
                try:
                    directory, found = self._lowerdir(image, layer, directories)
                except Finding as finding:
                    found = (_damage(finding),)
            problems.append([problem for problem in found if is_whole or problem.kind not in ABOUT_LAYERS_BELOW])
            is_whole = is_whole and directory is not None
            if directory is not None:
                directories.append(directory)
                if is_whole and layer.directory is not None and self._store.whole_directories:
                    self._stacks[layer.directory] = tuple(directories)
        return directories, problems

    def _lowerdir(
        self, image: Image, layer: Layer, below: Sequence[Directory]
    ) -> tuple[Directory | None, tuple[Problem, ...]]:
        if layer.directory is not None and not self._store.whole_directories:
            return self.directory(layer.directory), ()
        key = tuple(other.directory or other.source for other in image.layers[: layer.position + 1])
        if key not in self._lowerdirs:
            content = self.content(layer)
            self._lowerdirs[key] = (None, ()) if content is None else stack_layer(below, layer, content)
        return self._lowerdirs[key]

    # --- judge

    def problems(self, image: Image, found: Sequence[Sequence[Problem]]) -> list[Problem]:
        """Add what is wrong with the digests of an image's layers to what `directories` found, layer by layer.

        Raises:
            Finding: See `directories`.
        """
        problems: list[Problem] = []
        for layer, of_layer in zip(image.layers, found, strict=True):
            problems += of_layer
            if layer.readable and layer.directory is None:
                try:
                    problems += self._digest_problems(layer)
                except Finding as finding:
                    damage = _damage(finding)
                    problems += [damage] if damage not in of_layer else []
        return problems

    def proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        """Compare a layer that lies in a directory with its tar, and that tar with its diff_id.

        Returns:
            What is wrong; None if the store has no tar, and no recipe for one.
        """
        key = _proof_key(layer)
        if key not in self._proofs:
            try:
                self._proofs[key] = self._proof(layer)
            except Finding as finding:
                self._proofs[key] = (finding.problem,)
        return self._proofs[key]

    def _proof(self, layer: Layer) -> tuple[Problem, ...] | None:
        content = self.content(layer)
        if content is None or layer.directory is None:
            return None
        changeset = content.changeset
        proof = [*content.problems, *(changeset.problems if changeset else ()), *self._digest_problems(layer)]
        if changeset and not any(problem.severity == "error" for problem in proof):
            proof += self._directory_problems(layer.directory, changeset)
        # The directory is what is shown, so the changes are no longer needed.
        self._contents.pop(pass_key(layer), None)
        return tuple(proof)

    def _directory_problems(self, name: str, changeset: Changeset) -> list[Problem]:
        """Compare a directory with its layer's tar; one that holds the whole file system, with the layers up to it."""
        where = self._store.directory_path(name)
        if not self._store.whole_directories:
            return directory_problems(changeset, self.directory(name), where, self._store.marks, self.lost)
        if name not in self._stacks:
            # What is wrong with a layer below is reported there.
            return []
        # Imported when it is needed: few stores have such directories.
        from overlaylab.overlay.overlay import Overlay  # noqa: PLC0415

        merged = Overlay.of_layers(self._stacks[name]).merged()
        return whole_directory_problems(merged, self._store.layer_directory(name), where, self.lost)

    def _digest_problems(self, layer: Layer) -> Iterator[Problem]:
        """Compare a layer's digests with its documents, and name the files that differ where that is known."""
        reading = self.reading(layer)
        for problem in reading.problems() if reading else ():
            yield problem
            if problem.kind == "diffid-mismatch":
                try:
                    yield from self._store.changed_files(layer)
                except Finding as finding:
                    yield finding.problem


def stack_layer(
    below: Sequence[Directory], layer: Layer, content: Content
) -> tuple[Directory | None, tuple[Problem, ...]]:
    """Make the directory of one layer on top of others, **bottom first**; None if its tar could not be read."""
    if content.changeset is None:
        return None, content.problems
    # Imported when other threads are hashing already.
    from overlaylab.overlay.oci.import_layer import to_lowerdir_on  # noqa: PLC0415

    directory, problems = to_lowerdir_on(below, content.changeset, layer.source)
    return directory, (*content.problems, *content.changeset.problems, *problems)


def _proof_key(layer: Layer) -> tuple[str | None, ...]:
    return layer.source, layer.diff_id, layer.directory


def _damage(finding: Finding) -> Problem:
    """The problem of a finding; a warning is raised again: an engine at work removed what is needed."""
    if finding.problem.severity == "warning":
        raise finding
    return finding.problem
