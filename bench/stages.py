"""Where the time of ``verify`` goes: its stages, one after the other in one thread."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import overlaylab as ol
from overlaylab.image.layer_blob import hash_blob
from overlaylab.overlay.oci.import_layer import Seeker

from .measure import RUNS, Figure, in_python, median, processor_seconds, seconds

__all__ = ["stage_figures"]


def stage_figures(folder: Path) -> Iterator[Figure]:
    """Processor time of each stage for the save tar, the best of several runs."""
    gc.disable()
    runs = [_stages(folder / "save.tar") for _ in range(RUNS)]
    gc.enable()
    count = runs[0].pop("entries")
    for stage in (
        "the layers are hashed",
        "headers are read and understood",
        "layers as overlayfs has them",
        "the merged view",
    ):
        best = min(run[stage] for run in runs)
        yield Figure(f"stage: {stage}", best, "s", note=f"{1e6 * best / count:.2f} µs for each of {count:,.0f} entries")
    yield Figure("stage: Python starts and imports", median(_start), "s")
    for name in ("gzip", "zstd"):
        bare = min(_bare(folder / name) for _ in range(RUNS))
        yield Figure(f"stage: {name} is unpacked, and hashed packed and plain", bare, "s", note="C code alone")


def _bare(path: Path) -> float:
    """Processor time of what no program can leave out, whatever it is written in."""
    store = ol.open_store(path)
    start = time.process_time()
    for layer in store.images()[0].layers:
        with store.open_layer(layer) as stream:
            hash_blob(stream, layer)
            stream.seek(0)
            hasher = ol.image.Hasher()
            for piece in ol.image.inflate(stream, layer.source):
                hasher.update(piece)
    return time.process_time() - start


def _start() -> float:
    before = processor_seconds()
    seconds(
        in_python(
            "-c",
            "import sys, overlaylab.cli.commands, overlaylab.stores.audit.validation, "
            "overlaylab.overlay.oci.import_layer, overlaylab.stores.detect, overlaylab.stores.files.workers",
        )
    )
    return processor_seconds() - before


def _stages(path: Path) -> dict[str, float]:
    store = ol.open_store(path)
    layers = store.images()[0].layers
    marks = [time.process_time()]
    for layer in layers:
        with store.open_layer(layer) as stream:
            hash_blob(stream, layer)
    marks.append(time.process_time())
    changesets = []
    for layer in layers:
        with store.open_layer(layer) as stream:
            changesets.append(ol.read_changeset(stream, layer.source, digests=False))
    marks.append(time.process_time())
    lowers: list[ol.Directory] = []
    for changeset in changesets:
        lowers.append(ol.to_lowerdir(changeset, Seeker(ol.Overlay.of_layers(lowers)))[0])
    marks.append(time.process_time())
    ol.Overlay.of_layers(lowers).look_everywhere()
    marks.append(time.process_time())
    names = (
        "the layers are hashed",
        "headers are read and understood",
        "layers as overlayfs has them",
        "the merged view",
    )
    entries = sum(len(changeset.changes) for changeset in changesets)
    return {name: end - start for name, start, end in zip(names, marks, marks[1:], strict=False)} | {"entries": entries}
