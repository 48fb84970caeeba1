"""Figures from inside: growth with the number of entries and layers, look-ups, listings, operations, starts, data
roots.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import overlaylab as ol
from overlaylab.linux.operations import Player, op

from .images import write_many
from .measure import Figure, in_python, median, seconds
from .roots import write_root

__all__ = ["growth_figures", "model_figures", "root_figures", "start_figures"]

GROWTH = 2.2
ENTRIES = ((10_000, 1), (100_000, 10), (500_000, 50))
LAYERS = (1, 50, 200)
NAMES = 100


def growth_figures() -> Iterator[Figure]:
    """What twice as much costs, in the time of one `validate`."""
    for entries, layers in ENTRIES:
        yield _growth(f"{entries:,} entries to {2 * entries:,}", (entries, layers), (2 * entries, layers))
    for layers in LAYERS:
        yield _growth(f"{layers} layers to {2 * layers}", (layers * 200, layers), (layers * 400, 2 * layers))


def _growth(what: str, first: tuple[int, int], second: tuple[int, int]) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("one.tar", "two.tar")]
        for path, (entries, layers) in zip(paths, (first, second), strict=False):
            write_many(path, entries, layers)
        one, two = (median(lambda path=path: _timed(lambda: ol.validate(ol.open_store(path)))) for path in paths)
    return Figure(f"growth, {what}", two / one, "of the time", GROWTH, f"{two:.2f} s after {one:.2f} s")


def _timed(call: Callable[[], object]) -> float:
    """The processor time of one call, without the collector's: other programs on the machine do not count."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    call()
    gc.enable()
    return time.process_time() - start


def model_figures() -> Iterator[Figure]:
    """A look-up, a listing and an operation in a merged view of 100,000 entries in five layers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tar"
        write_many(path, 100_000, 5)
        store = ol.open_store(path)
        overlay, _ = ol.overlay_of(store.images()[0], store, ol.LayerReader(store))
    places = [
        path for path, parts in overlay.walk() if isinstance(parts[0].inode, ol.Directory) and path.count("/") == 2
    ][:NAMES]
    player = Player(ol.Overlay(lowerdirs=overlay.lowerdirs, upperdir=ol.Directory()))
    each = 1e3 / len(places)
    yield Figure(
        "a look-up", each * median(lambda: _timed(lambda: [overlay.lookup(f"{p}/f5") for p in places])), "ms", 0.1
    )
    yield Figure(
        "a listing of 100 names", each * median(lambda: _timed(lambda: [overlay.readdir(p) for p in places])), "ms", 1
    )
    numbers = iter(range(10**9))

    def operate() -> None:
        number = next(numbers)
        for place in places:
            player.do(op("unlink", path=f"{place}/f{10 + number}"))

    yield Figure("an operation (unlink with copy-up)", each * median(lambda: _timed(operate)), "ms", 0.3)


def start_figures() -> Iterator[Figure]:
    """What importing the package and the command line cost beyond a bare interpreter."""
    bare = median(lambda: seconds(in_python("-c", "pass")), 15)
    imported = median(lambda: seconds(in_python("-c", "import overlaylab")), 15)
    helped = median(lambda: seconds(in_python("-m", "overlaylab", "--help")), 15)
    yield Figure("import overlaylab", 1e3 * (imported - bare), "ms beyond the interpreter", 60)
    yield Figure("overlaylab --help", 1e3 * (helped - bare), "ms beyond the interpreter", 120)


def root_figures() -> Iterator[Figure]:
    """A Docker root with 2,000 layers: listed, and asked for owners."""
    with tempfile.TemporaryDirectory() as folder:
        write_root(Path(folder), 2_000)
        for command in ("inspect", "owners"):
            took = median(lambda command=command: seconds(in_python("-m", "overlaylab", command, folder)))
            yield Figure(f"{command}, 2,000 layers", took, "s", 1)
