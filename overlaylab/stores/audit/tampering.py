"""Turn one bit over, in memory, and ask every check again: the reader's files stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from overlaylab.errors import Finding, NotReadable, Problem
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.detect import store_in
from overlaylab.stores.files.flipped import Flip, FlippedPlace, RecordingPlace
from overlaylab.stores.files.open_place import Progress
from overlaylab.stores.files.place import Place
from overlaylab.stores.store import Store, home
from overlaylab.tree import Directory, File, walk

from .learner_image import Own, plainly
from .validation import merged_entries

_HEX = re.compile(r"[0-9a-f]{64}")
_TEXT = re.compile(rb'"(?:created_by|comment|author)" ?: ?"[^"\\]*?([a-z])[a-z]')

# Entries of a layer's directory that are looked at to find a file, and bytes of a document that are looked into.
ENTRIES, DOCUMENT = 20_000, 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot(Flip):
    """A file that can be tampered with, and a good bit of it to begin with.

    Args:
        kind: A word of `ORDER`; ``diff_id`` lies in the config, ``layer`` is a blob, ``file`` one of its directory.
        size: Bytes of the file.
        position: The layer that it belongs to, counted from the bottom; None if it belongs to all.
    """

    kind: str
    size: int
    position: int | None = None


ORDER = ("config", "diff_id", "manifest", "index", "layer", "file", "recipe", "table")


def spots(own: Own) -> tuple[Spot, ...]:
    """Every file that reading this image needs, each with a good place for a flip; no layer is read for it.

    Raises:
        NotReadable: see `open_own`.
    """
    place = RecordingPlace(own.place)
    with plainly(own.source):
        store = store_in(place)
        target = _again(own, store)
        image = target if isinstance(target, Image) else own.image
        documents = tuple(place.opened)
        found = list(_documents(own, place, documents, image)) if image else []
        for layer in own.layers:
            try:
                found += _layer_spots(own, place, home(store, target) if target else store, layer)
            except Finding:
                # A layer that is damaged already: its problems are reported elsewhere.
                continue
    known: dict[tuple[str, str, int | None], Spot] = {}
    for spot in found:
        known.setdefault((spot.kind, spot.path, spot.position if spot.kind == "diff_id" else None), spot)
    return tuple(sorted(known.values(), key=lambda spot: ORDER.index(spot.kind)))


def _documents(own: Own, place: Place, paths: tuple[str, ...], image: Image) -> Iterator[Spot]:
    """The documents that name the image and its layers; those of other images are left out."""
    named = filter(None, (image.id, image.config_digest, image.manifest_digest, *image.indexes))
    ours = list(dict.fromkeys(digest.hex for digest in named))
    layers = {name: layer.position for layer in image.layers for name in (layer.chain_id.hex, layer.directory)}
    for path in paths:
        size = place.size(path)
        names = _HEX.findall(path)
        if not size or (names and not any(name in ours or name in layers for name in names)):
            continue
        position = next((layers[name] for name in names if name in layers), None)
        raw = b"" if size > DOCUMENT else place.read(path)
        if image.config and raw == image.config.raw:
            yield Spot(kind="config", path=path, size=size, **_quiet(raw))
            for layer in image.layers:
                yield Spot(
                    kind="diff_id", path=path, size=size, position=layer.position, **_digit(raw, [layer.diff_id.hex])
                )
        elif image.manifest and raw == image.manifest.raw:
            yield Spot(kind="manifest", path=path, size=size, **_digit(raw, ours))
        elif path.endswith(("index.json", "manifest.json", *(digest.hex for digest in image.indexes))):
            yield Spot(kind="index", path=path, size=size, **_digit(raw, ours))
        else:
            yield Spot(kind="table", path=path, size=size, position=position, **_digit(raw, ours))


def _layer_spots(own: Own, place: RecordingPlace, store: Store, layer: Layer) -> Iterator[Spot]:
    """A layer's blob or recipe, and a file of its directory."""
    if not layer.readable:
        return
    known, directories = set(place.opened), set(place.directories)
    stream = store.open_layer(layer)
    if stream is not None:
        with stream:
            stream.read(1)
        for path in [path for path in place.opened if path not in known or path == layer.source]:
            size = place.size(path)
            if size and "/diff/" not in path:
                kind = "recipe" if "tar-split" in path else "layer"
                yield Spot(kind=kind, path=path, size=size, offset=size // 2, position=layer.position)
    if layer.directory is not None:
        store.layer_directory(layer.directory)
        for directory in [directory for directory in place.directories if directory not in directories]:
            inside = _a_file(own.reader.directory(layer.directory))
            if inside and (size := place.size(f"{directory}/{inside}")):
                path = f"{directory}/{inside}"
                yield Spot(kind="file", path=path, size=size, offset=size // 2, position=layer.position)


def _a_file(tree: Directory) -> str:
    """The largest file with one name only."""
    best, name = 0, ""
    for count, (path, inode) in enumerate(walk(tree)):
        if isinstance(inode, File) and inode.size > best and inode.nlink == 1:
            best, name = inode.size, path
        if count > ENTRIES:
            break
    return name


def _quiet(raw: bytes) -> dict[str, int]:
    """A letter of a text, and a bit that makes another letter of it, so that the document stays JSON."""
    found = _TEXT.search(raw)
    at = found.start(1) if found else len(raw) // 2
    return {"offset": at, "bit": next((bit for bit in range(5) if chr(raw[at] ^ 1 << bit).isalpha()), 0)}


def _digit(raw: bytes, ours: Iterable[str]) -> dict[str, int]:
    """A digit of a digest of ours, else of the first digest, and a bit that makes another digit of it."""
    text = raw.decode("latin-1")
    found = _HEX.search(text)
    if found is None:
        return {"offset": len(raw) // 2}
    at = next((at for name in ours if (at := text.find(name)) >= 0), found.start())
    return {"offset": at, "bit": next(bit for bit in range(7) if chr(raw[at] ^ 1 << bit) in "0123456789abcdef")}


@dataclass
class Tampering:
    """What a flip did.

    Args:
        before: The image as it is.
        flip: The bit.
        after: The image with the flip; None if it can no longer be listed.
        problems: What is wrong now.
    """

    before: Own
    flip: Flip
    after: Own | None
    problems: tuple[Problem, ...]

    @cached_property
    def witnesses(self) -> tuple[Witness, ...]:
        """What each check of `CHECKS` says; what was wrong before the flip does not count."""
        image = self.before.image
        assert image is not None
        old = {_told(problem) for problem in self.before.report.problems}
        found = {check_of(problem, image): problem for problem in reversed(self.problems) if _told(problem) not in old}
        possible, reached = _made(self.before), _made(self.after) if self.after else {"reads"}
        return tuple(
            Witness(check, "notices", found[check])
            if check in found
            else Witness(check, "absent" if check not in possible else "silent" if check in reached else "unasked")
            for check in CHECKS
        )

    @property
    def noticed(self) -> tuple[str, ...]:
        """The checks that notice."""
        return tuple(witness.check for witness in self.witnesses if witness.verdict == "notices")

    @cached_property
    def differing(self) -> tuple[str, ...]:
        """The paths that a process would see otherwise than before; none if it cannot be told."""
        if self.after is None or len(self.after.stack) != len(self.before.stack):
            return ()
        old, new = merged_entries(self.before.overlay), merged_entries(self.after.overlay)
        return tuple(path for path in sorted({*old, *new}) if old.get(path) != new.get(path))


def _made(own: Own) -> set[str]:
    """The checks that reading this image makes."""
    image = own.image
    made = {"reads": True, "config": True, "manifest": bool(image and image.manifest_digest)}
    if image and image.config:
        proofs = [proof for proof in own.proofs if proof.diff_id is not None]
        made |= {"tables": bool(own.home.directory_kind), "diff_id": bool(proofs)}
        made["blob"] = any(proof.blob is not None for proof in proofs)
        made["content"] = any(proof.layer.directory for proof in proofs)
    return {check for check in CHECKS if made.get(check)}


def tamper(own: Own, flip: Flip, progress: Progress | None = None) -> Tampering:
    """Turn a bit over and read again all that it can touch; nothing is written.

    Args:
        flip: The bit, such as a `Spot`.
        progress: Called with each number of bytes that was read.

    Raises:
        Finding: ``wrong-call`` if there is no such byte.
        NotReadable: The disk fails while it is read.
    """
    if own.image is None:
        raise Finding("missing-image", own.source, "an image", "a container whose image is gone")
    place = FlippedPlace(own.place, flip)
    try:
        with plainly(own.source):
            store = store_in(place)
            target = _again(own, store)
    except NotReadable as refusal:
        return Tampering(own, flip, None, refusal.problems)
    if target is None:
        return Tampering(own, flip, None, store.problems)
    after = Own(place, store, own.source, target, own.limits, progress)
    _ = own.report
    after.reader.reuse(own.reader, [layer for layer in own.layers if not _touches(flip, layer)])
    return Tampering(own, flip, after, after.report.problems)


def _touches(flip: Flip, layer: Layer) -> bool:
    """Whether a layer's bytes may be other ones now; what cannot be touched need not be read again."""
    names = (layer.source, layer.directory, layer.chain_id.hex, layer.diff_id.hex)
    return any(name and name in flip.path for name in names)


def _again(own: Own, store: Store) -> Image | Container | None:
    """The same image or container in the store as it is read now, whatever it is called there."""
    target = own.target
    if isinstance(target, Container):
        return next((item for item in store.containers() if item.id == target.id), None)
    place = next(number for number, item in enumerate(own.store.images()) if item is target)
    images = store.images()
    key = attrgetter("id", "platform", "namespace", "store")
    same = [item for item in images if key(item) == key(target)]
    # A config of other bytes may have another ID, but goes by the names that it had.
    named = [item for item in images if item.names and item.names == target.names and item.platform == target.platform]
    at_its_place = [images[place]] if len(images) == len(own.store.images()) else []
    return next(iter((*same, *named, *at_its_place)), None)


# The checks, in the order in which a reader comes to them.
CHECKS = ("reads", "manifest", "config", "tables", "blob", "diff_id", "content")

# What a check compares, by the kind of its findings; all other kinds say that something cannot be read.
KINDS_OF = {
    "diff_id": {"diffid-mismatch"},
    "content": {"crc-mismatch", "missing-content", "tarsplit-order"},
    "tables": set(
        "chain-mismatch dangling-link lower-mismatch missing-cache-dir missing-image missing-layer parent-cycle".split()
    ),
}

OF_A_NAME = {"digest-mismatch", "name-mismatch", "size-mismatch"}


@dataclass(frozen=True, slots=True)
class Witness:
    """One check, and what it says about a change.

    Args:
        check: A word of `CHECKS`.
        verdict: ``notices``; ``silent``, it was made and found nothing new; ``unasked``, the reading ended before it;
            ``absent``, this kind of store has nothing to compare.
        problem: What it found.
    """

    check: str
    verdict: str
    problem: Problem | None = None


def check_of(problem: Problem, image: Image) -> str:
    """Which check found this problem of an image, which is given as it was before the change."""
    if problem.kind in OF_A_NAME | KINDS_OF["diff_id"] and any(
        layer.directory and f"/{layer.directory}/" in problem.where for layer in image.layers
    ):
        return "content"
    for check, kinds in KINDS_OF.items():
        if problem.kind in kinds:
            return check
    if problem.kind not in OF_A_NAME:
        return "reads"
    if any(problem.where.endswith(layer.source) for layer in image.layers):
        return "blob"
    if not image.config_digest or image.config_digest.hex in problem.where:
        return "config"
    documents = filter(None, (image.manifest_digest, *image.indexes, *image.other_manifests))
    return "manifest" if any(digest.hex in problem.where for digest in documents) else "config"


def _told(problem: Problem) -> tuple[str, str, str, str]:
    """A problem, the same whether its store was opened as a directory or in a tar."""
    return problem.kind, problem.where.replace(": ", "/"), problem.expected, problem.found
