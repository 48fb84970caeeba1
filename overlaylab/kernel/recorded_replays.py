"""Comparisons with a kernel that work on every machine: with its own kernel, or else with a record.

``python tools/record_replays.py`` renews the records, by running the notebooks on a machine that can mount.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from overlaylab.errors import KernelUnavailable
from overlaylab.linux.operations import Op
from overlaylab.overlay.overlay import Overlay
from overlaylab.words import say

from .replays import Answer, Replay, Replayed, compared, replay
from .syscalls import ROOT

# Replays by this machine's kernel in this process: name of the record -> what the kernel did.
LIVE: dict[str, Replayed] = {}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The model compared with a kernel, or with its record.

    Args:
        replay: Both sides.
        now: Whether this is no record, but this machine's kernel.
        why: Why this machine's kernel could not be used; empty if it was.
    """

    replay: Replay
    now: bool
    why: str = ""

    @property
    def equal(self) -> bool:
        """Whether model and kernel agree."""
        return self.replay.equal

    @property
    def origin(self) -> str:
        """Where the kernel's side comes from."""
        return origin(self.replay.kernel.kernel, self.replay.kernel.mode, self.now, self.why)

    def __repr__(self) -> str:
        return repr(self.replay)


def origin(release: str, mode: str, now: bool, why: str) -> str:
    """Say where a kernel's side comes from: this machine's kernel, or a record and why."""
    how = say("sides.root" if mode == ROOT else "sides.user")
    return say("tried.now" if now else "tried.recorded", kernel=release.partition("-")[0], how=how, why=why)


def compare_with_kernel(overlay: Overlay, ops: Sequence[Op], record: str, model: type[Overlay] = Overlay) -> Comparison:
    """Compare the model with this machine's kernel, or else with a record.

    Args:
        overlay: The stack before the operations.
        record: The name of the record of these operations.
    """
    try:
        done = replay(overlay, ops, model=model)
    except KernelUnavailable as unavailable:
        return Comparison(compared(overlay, ops, recorded(record), model), now=False, why=unavailable.reason)
    LIVE[record] = done.kernel
    return Comparison(done, now=True)


def recorded(name: str) -> Replayed:
    """Read the record of a replay; KeyError if there is none."""
    return from_plain(_records()[name])


@cache
def _records() -> dict[str, Any]:
    text = files("overlaylab").joinpath("data", "replays.json").read_text(encoding="utf-8")
    records: dict[str, Any] = json.loads(text)
    return records


def to_plain(done: Replayed) -> dict[str, Any]:
    """As data for JSON: bytes and tuples are told apart from text and lists."""
    answers = [[answer.errno, _packed(answer.value)] for answer in done.answers]
    return {
        "kernel": done.kernel.partition("-")[0],
        "mode": done.mode,
        "answers": answers,
        "merged": _packed(done.merged),
        "upper": _packed(done.upper),
    }


def from_plain(data: dict[str, Any]) -> Replayed:
    """The other way."""
    answers = tuple(Answer(number, _unpacked(value)) for number, value in data["answers"])
    listings = {side: _unpacked(data[side]) for side in ("merged", "upper")}
    return Replayed(answers=answers, kernel=data["kernel"], mode=data["mode"], **listings)


def _packed(value: Any) -> Any:
    match value:
        case bytes():
            return {"bytes": value.decode("utf-8", "surrogateescape")}
        case tuple():
            return {"tuple": [_packed(item) for item in value]}
        case list():
            return [_packed(item) for item in value]
        case dict():
            return {"dict": {key: _packed(item) for key, item in value.items()}}
    return value


def _unpacked(value: Any) -> Any:
    match value:
        case {"bytes": text}:
            return text.encode("utf-8", "surrogateescape")
        case {"tuple": items}:
            return tuple(_unpacked(item) for item in items)
        case {"dict": items}:
            return {key: _unpacked(item) for key, item in items.items()}
        case list():
            return [_unpacked(item) for item in value]
    return value
