"""Odd layers, each put on the same base: what is left, and what a reader has to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..changeset import read_changeset
from ..overlay import Overlay
from ..samples import ODD_LAYERS, layer_tar
from ..translate import to_lowerdir
from ..tree import Directory
from .table import table
from ..words import say

__all__ = ["odd_layers"]


def odd_layers(base: Directory, layers: Mapping[str, Mapping[str, str]] = ODD_LAYERS) -> Any:
    """A table with a row for each layer.

    Args:
        base: The layer beneath.
        layers: A title to the members of a tar, as `layer_tar` takes them; if none are given, layers that broke some tool once.
    """
    below = Overlay(lowerdirs=[base])
    rows = []
    for title, members in layers.items():
        changeset = read_changeset(layer_tar(members))
        layer, problems = to_lowerdir(changeset, lambda path: below.lookup(path).inode)
        seen = [path for path, inode in Overlay(lowerdirs=[layer, base]).provenance().items() if path != "."]
        kinds = dict.fromkeys(problem.kind for problem in (*changeset.problems, *problems))
        rows.append((title, " ".join(members), " ".join(seen), ", ".join(kinds)))
    return table(("", say("odd.members"), say("odd.seen"), say("odd.findings")), rows)
