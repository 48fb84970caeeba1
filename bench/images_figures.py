"""The images of gigabytes: `verify` beside the bare hash of the same bytes, and beside what engines do with them."""

from __future__ import annotations

import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .measure import ROOT, RUNS, Figure, anonymous_memory, in_python, processor_seconds, seconds

__all__ = ["entry_figures", "image_figures", "peer_figures"]

MEGABYTES = 150
BYTES_PER_ENTRY = 400
ENTRIES = 1_000_000


def verify(path: Path) -> list[str]:
    """Our command, as a person calls it."""
    return in_python("-m", "overlaylab", "verify", str(path))


def image_figures(folder: Path, name: str) -> Iterator[Figure]:
    """``verify`` of one of the images in a folder that `bench.images` filled, beside hashing it.

    Args:
        name: ``save.tar``, ``gzip`` or ``zstd``.
    """
    path = folder / name
    unpack, most = {"save.tar": ("", 0.7), "gzip": ("zcat", 0.2), "zstd": ("zstd -dc", 0.7)}[name]
    command = piped(path, unpack) if unpack else f"openssl dgst -sha256 {shlex.quote(str(path))}"
    (theirs, their_work), (ours, our_work) = alternately(command, verify(path))
    note = f"{ours:.2f} s against {theirs:.2f} s; of the processors {our_work:.2f} s against {their_work:.2f} s"
    yield Figure(f"verify {name}", ours / theirs, "of hashing it", most, note)
    used = max(anonymous_memory(verify(path)) for _ in range(3)) - bare_memory()
    yield Figure(f"memory of verify {name}", used, "MB beside the interpreter", MEGABYTES)


def entry_figures(folder: Path) -> Iterator[Figure]:
    """What an entry of a large image takes in memory."""
    used = anonymous_memory(verify(folder / "many.tar")) - bare_memory()
    yield Figure("memory of an entry, of a million", used * 1e6 / ENTRIES, "bytes", BYTES_PER_ENTRY)


def bare_memory() -> float:
    """What Python takes that does nothing."""
    return anonymous_memory(in_python("-c", "import time; time.sleep(0.1)"))


def piped(layout: Path, unpack: str) -> str:
    """Unpack each layer of a layout and hash it, one after the other."""
    blobs = sorted((layout / "blobs" / "sha256").iterdir())
    layers = [path for path in blobs if path.stat().st_size > 1 << 20]
    return " && ".join(f"{unpack} < {shlex.quote(str(path))} | openssl dgst -sha256" for path in layers)


def alternately(theirs: str, ours: list[str]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Medians of both, on the clock and of the processors. They take turns: a machine that slows
    down does so for both.
    """
    rows: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for mine in (True, False) * (RUNS + 1):
        before = processor_seconds()
        rows[mine].append((seconds(ours if mine else theirs), processor_seconds() - before))
    # The first run of each fills the page cache.
    middle = {
        mine: tuple(statistics.median(column) for column in zip(*found[1:], strict=False))
        for mine, found in rows.items()
    }
    return middle[False], middle[True]


def peer_figures(folder: Path) -> Iterator[Figure]:
    """For scale: what other programs take for the same image, as a multiple of hashing it."""
    unit = seconds(f"openssl dgst -sha256 {shlex.quote(str(folder / 'save.tar'))}")
    for name, needs, run in PEERS:
        if shutil.which(needs) is None:
            continue
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                took = run(folder, Path(scratch))
            except Exception as error:
                # A program that is there and cannot work here, such as dockerd without root, is said to be so.
                yield Figure(name, None, "times hashing it", note=f"it does not run here: {type(error).__name__}")
                continue
        yield Figure(name, took / unit, "times hashing it", note=f"{took:.2f} s, one run")


def _sha256sum(folder: Path, scratch: Path) -> float:
    return seconds(["sha256sum", str(folder / "save.tar")])


def _umoci(folder: Path, scratch: Path) -> float:
    return seconds(["umoci", "unpack", "--rootless", "--image", f"{folder / 'gzip'}:1", str(scratch / "bundle")])


def _skopeo(folder: Path, scratch: Path) -> float:
    return seconds(
        [
            "skopeo",
            "copy",
            "-q",
            "--insecure-policy",
            f"docker-archive:{folder / 'save.tar'}",
            f"dir:{scratch / 'copy'}",
        ]
    )


def _podman(folder: Path, scratch: Path) -> float:
    root = ["--root", str(scratch / "root"), "--runroot", str(scratch / "run"), "--storage-driver", "vfs"]
    return seconds(["podman", *root, "load", "-q", "-i", str(folder / "save.tar")])


def _docker(folder: Path, scratch: Path) -> float:
    """With the Docker that the tests start for themselves; its own start does not count."""
    sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "engines")]
    from dockerd import Dockerd

    docker = Dockerd(scratch)
    try:
        docker.start()
        return seconds(["docker", "--host", docker.host, "load", "-q", "-i", str(folder / "save.tar")])
    finally:
        docker.stop()


PEERS: tuple[tuple[str, str, Callable[[Path, Path], float]], ...] = (
    ("sha256sum", "sha256sum", _sha256sum),
    ("umoci unpack", "umoci", _umoci),
    ("skopeo copy", "skopeo", _skopeo),
    ("podman load", "podman", _podman),
    ("docker load", "docker", _docker),
)
