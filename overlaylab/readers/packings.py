"""One small layer, packed in several ways: bytes that come with the kit."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["packings"]

# Made once from samples.tiny_layer() with GNU gzip 1.12 (-1, then -9, then the two halves one by one) and zstd 1.5.4:
# what a compressor writes depends on its version, so these bytes are kept and not made anew.
PACKINGS = ("gzip-1.tar.gz", "gzip-9.tar.gz", "gzip-two-members.tar.gz", "zstd.tar.zst")


def packings() -> dict[str, bytes]:
    """The layer of `samples.tiny_layer`, packed: file name -> blob."""
    return {name: (files("overlaylab") / "data" / "packings" / name).read_bytes() for name in PACKINGS}
