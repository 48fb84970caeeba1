"""An image that the learner brings: opened from a path, from bytes in memory, from a store of this machine, or shipped.

Everything that is recomputed about it is computed once, when it is first asked for, and streamed: a layer is never
held whole. Whatever is wrong with the input becomes one sentence, never a traceback.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from overlaylab.errors import Finding, InputError, NotReadable
from overlaylab.image.compression import inflate
from overlaylab.image.digest import ChainID, DiffID, Digest, chain_ids
from overlaylab.image.image import Container, Image, Layer
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.overlay.mount_options import Mount
from overlaylab.overlay.oci.commits import LayerTar
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.archive_writer import write_oci_layout
from overlaylab.stores.detect import store_in
from overlaylab.stores.files.open_place import Progress, open_place, place_of
from overlaylab.stores.files.place import Place
from overlaylab.stores.selection import familiar, select
from overlaylab.stores.shipped_files import ROOT, shipped
from overlaylab.stores.store import Store, home
from overlaylab.tree import Directory

from .layer_changes import LayerWork, layer_work
from .layer_reader import LayerReader
from .owners import images_of
from .validation import Report, validate

# Bytes of a file that the upload widget may send: a message of Jupyter's that is larger breaks the connection.
UPLOAD = 7_000_000

UPLOAD_LIMITS = Limits(expanded=1 << 30)

# Bytes of the plain layers that are packed again in memory.
PACKED = 32 << 20

# Where engines keep their stores, those of root first.
LIVE = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers/storage",
    "~/.local/share/docker",
    "~/.local/share/containerd",
    "~/.local/share/containers/storage",
)

FIRST = "kit/app:1"


@dataclass(frozen=True, slots=True)
class LayerProof:
    """One layer, and what its bytes are called when they are hashed again.

    Args:
        layer: With the names that the documents claim.
        blob: The digest of the stored bytes; None if there is no blob, or nothing to compare it with.
        diff_id: The digest of the plain tar; None if it could not be had.
        chain_id: From all recomputed diff_ids up to this one; None above a layer without one.
    """

    layer: Layer
    blob: Digest | None
    diff_id: Digest | None
    chain_id: ChainID | None

    @property
    def sound(self) -> bool | None:
        """Whether every name that was recomputed is the claimed one; None if nothing could be."""
        if self.diff_id is None:
            return None
        claimed = self.layer.descriptor.digest if self.layer.descriptor and self.blob else self.blob
        return self.diff_id == self.layer.diff_id and self.blob == claimed


class Own:
    """One image or container of a store, with everything that can be recomputed about it.

    Args:
        place: Where the store was opened.
        source: What to call it.
        target: The image or container; a good first one if none is given.
        limits: How much the input may ask for.
        progress: Called with each number of bytes that was read.
    """

    def __init__(
        self,
        place: Place,
        store: Store,
        source: str,
        target: Image | Container | None = None,
        limits: Limits = DEFAULT_LIMITS,
        progress: Progress | None = None,
    ) -> None:
        self.place, self.store, self.source = place, store, source
        self.target = first_of(store) if target is None else target
        self.limits, self.progress = limits, progress
        self.home = home(store, self.target)

    @property
    def image(self) -> Image | None:
        """The image; for a container the one that it was made from, None if that is gone."""
        if isinstance(self.target, Image):
            return self.target
        return next(iter(images_of(self.home, self.target)), None)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The image's layers, bottom first."""
        return self.image.layers if self.image else ()

    def choose(self, target: Image | Container | str) -> Own:
        """Another image or container of the same store.

        Raises:
            NoSuchImage: see `select`.
        """
        found = select(self.store, target) if isinstance(target, str) else target
        return Own(self.place, self.store, self.source, found, self.limits, self.progress)

    @cached_property
    def reader(self) -> LayerReader:
        """Reads the layers, each once."""
        return LayerReader(self.home, self.limits, progress=self.progress)

    @cached_property
    def report(self) -> Report:
        """Everything that is wrong, and what could not be checked: each digest is recomputed.

        Raises:
            NotReadable: The disk fails while it is read.
        """
        image = self.image
        targets = [self.target, *([image] if image and image is not self.target else [])]
        with plainly(self.source):
            return validate(self.store, targets, reader_of=lambda _: self.reader)

    @cached_property
    def proofs(self) -> tuple[LayerProof, ...]:
        """What each layer's bytes are called, bottom first."""
        _ = self.report
        seen = [self.reader.known_reading(layer) for layer in self.layers]
        plain = [DiffID(reading.diff_id) for reading in takewhile(bool, seen) if reading]
        chains = (*chain_ids(plain), *[None] * len(self.layers))
        return tuple(
            LayerProof(layer, reading.blob if layer.descriptor else None, reading.diff_id, chain)
            if reading
            else LayerProof(layer, None, None, chain)
            for layer, reading, chain in zip(self.layers, seen, chains, strict=False)
        )

    @cached_property
    def stack(self) -> tuple[Directory, ...]:
        """The directories, bottom first, an upper last; they end below the first that cannot be read."""
        _ = self.report
        with plainly(self.source):
            if isinstance(self.target, Container):
                return tuple(self.reader.stack(self.target)[0])
            count = next((layer.position for layer in self.layers if not self._can_be_read(layer)), len(self.layers))
            return tuple(self.reader.stack(replace(self.target, layers=self.layers[:count]))[0])

    def _can_be_read(self, layer: Layer) -> bool:
        try:
            if not layer.readable:
                return False
            if layer.directory is not None:
                return self.reader.directory(layer.directory) is not None
            content = self.reader.content(layer)
            return content is not None and content.changeset is not None
        except Finding:
            return False

    @cached_property
    def overlay(self) -> Overlay:
        """What is mounted, or as much of it as can be read."""
        upper = isinstance(self.target, Container)
        lowers = self.stack[: len(self.stack) - upper]
        return Overlay.of_layers(lowers, self.stack[-1] if upper else None, marks=self.home.marks)

    @cached_property
    def work(self) -> tuple[LayerWork, ...]:
        """What each of `stack` did, bottom first."""
        return layer_work(self.stack, self.home.marks) if self.stack else ()

    @property
    def mount(self) -> Mount | None:
        """How its engine mounts it; None where nothing says that.

        Raises:
            Finding: see `Store.mount`.
        """
        return self.home.mount(self.target) if self.home.directory_kind else None


def first_of(store: Store) -> Image | Container:
    """The image to begin with: one with a name and layers, else one that can be read, else the first of all."""
    images = store.images()
    good = [image for image in images if image.config is not None]
    named = [image for image in good if image.names and image.layers]
    preferred = [image for image in named if FIRST in map(familiar, image.names)]
    ranked: list[Image | Container] = [*preferred, *named, *good, *images, *store.containers()]
    found = next(iter(ranked), None)
    if found is None:
        raise NotReadable("empty-index", store.kind, "an image or a container", "none")
    return found


def open_own(path: str | Path = "", image: str = "", progress: Progress | None = None) -> Own:
    """Open what the learner gives.

    Args:
        path: An archive, a layout, a store's directory, or a packed one of these; ``~`` is the home directory. If it is
            empty, the shipped data root.
        image: A name or an ID in it; a good first one if it is empty.
        progress: Called with each number of bytes that was read.

    Raises:
        NotReadable: It cannot be read, in one sentence.
        NoSuchImage: There is no such image in it.
    """
    text = os.fspath(path).strip().strip("'\"")
    where = os.path.expanduser(text) if text else shipped(ROOT)
    with plainly(text or ROOT):
        place = open_place(where, progress=progress)
        own = Own(place, store_in(place), text or ROOT, progress=progress)
    return own.choose(image) if image else own


def upload_own(name: str, data: bytes | memoryview, progress: Progress | None = None) -> Own:
    """Open a file that was sent as bytes; it stays in memory.

    Args:
        name: As the browser gives it.
        data: Its content.

    Raises:
        NotReadable: It cannot be read, or is too large.
    """
    if len(data) > UPLOAD:
        raise NotReadable("limit", name, f"at most {UPLOAD:,} bytes by upload", f"{len(data):,}")
    with plainly(name):
        place = place_of(io.BytesIO(bytes(data)), name, UPLOAD_LIMITS, progress)
        return Own(place, store_in(place), name, limits=UPLOAD_LIMITS, progress=progress)


def live_stores(paths: Sequence[str] = LIVE) -> tuple[str, ...]:
    """The stores of engines that are on this machine, whether they may be read or not."""
    return tuple(path for path in map(os.path.expanduser, paths) if os.path.isdir(path))


@contextmanager
def plainly(where: str) -> Iterator[None]:
    """Turn what the system refuses into one sentence."""
    try:
        yield
    except NotReadable:
        raise
    except Finding as finding:
        raise NotReadable.of([finding.problem]) from None
    except PermissionError as error:
        place = str(error.filename or where)
        raise NotReadable("permission-denied", place, "the right to read it", error.strerror) from None
    except FileNotFoundError as error:
        raise NotReadable("changed-while-reading", str(error.filename or where), "a file", "nothing") from None
    except (OSError, ValueError) as error:
        raise NotReadable("truncated", where, "all of it", str(error)) from None


def packed_again(own: Own) -> Own:
    """The same image as an OCI image layout with plain layers, made in memory.

    Raises:
        Finding: ``limit`` if it is too large for that, ``missing-layer`` if a layer's tar cannot be had,
            ``diffid-mismatch`` if it is not what the config says.
    """
    image, left = own.image, PACKED
    if image is None or image.config is None:
        raise Finding("missing-image", own.source, "an image with a config", "none")
    layers = []
    for layer in image.layers:
        data = _plain_tar(own, layer, left)
        left -= len(data)
        layers.append(LayerTar.of(data))
    out = io.BytesIO()
    write_oci_layout(out, image.config, layers, min(image.names, key=len, default="latest"))
    out.seek(0)
    place = place_of(out, "layout.tar")
    return Own(place, store_in(place), "layout.tar")


def as_layout(own: Own) -> Own:
    """The same image as a layout in memory, or the shipped one where that is impossible; `source` says why."""
    try:
        return packed_again(own)
    except InputError as error:
        layout = packed_again(open_own())
        layout.source += f" of {FIRST}, because there is none of this image: {error.problem.kind}"
        return layout


def _plain_tar(own: Own, layer: Layer, left: int) -> bytes:
    stream = own.home.open_layer(layer) if layer.readable else None
    if stream is None:
        raise Finding("missing-layer", layer.source, "the layer's tar", "nothing to make it from")
    pieces, size, packed = [], 0, stream.seekable()
    with stream:
        for piece in inflate(stream, layer.source, own.limits) if packed else iter(lambda: stream.read(1 << 18), b""):
            pieces.append(piece)
            size += len(piece)
            if size > left:
                raise Finding("limit", layer.source, f"layers of at most {PACKED:,} bytes for a copy in memory", "more")
    return b"".join(pieces)
