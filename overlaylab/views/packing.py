"""One layer in several packings, as a table: other blobs, the same diff_id."""

from __future__ import annotations

from collections.abc import Mapping

from ..digest import DiffID, digest_bytes
from ..media import unpack
from .chips import DigestTable
from ..words import say

__all__ = ["packing_table"]


def packing_table(blobs: Mapping[str, bytes]) -> DigestTable:
    """Each blob's own digest, and the digest of what is inside.

    Args:
        blobs: What to call it -> the bytes as they are stored.
    """
    rows = [(name, len(blob), digest_bytes(blob), DiffID.of(unpack(blob))) for name, blob in blobs.items()]
    return DigestTable.of([say(f"packing.{name}") for name in ("name", "bytes", "blob", "diff_id")], rows)
