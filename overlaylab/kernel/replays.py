"""The same operations on the model and on this machine's kernel: answers, merged view and upper directory compared.

The kernel's side runs in a child process with a private mount, as in `mount`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from overlaylab.errors import KernelUnavailable
from overlaylab.linux.operations import Op, Player
from overlaylab.linux.proof.compare import Listing, comparable, first_difference, layer_listing, mount_listing
from overlaylab.linux.proof.experiments import Moment
from overlaylab.overlay.overlay import KERNEL, Overlay
from overlaylab.overlay.whiteouts import USER as MARKS_OF_USER
from overlaylab.tree import Directory, File, some
from overlaylab.words import say

from .mount import Availability, Stack, ask_child, probe, with_options
from .syscalls import ROOT
from .write_layers import fit

# More entries than these are not written to disk for a comparison.
MOST_ENTRIES = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one call.

    Args:
        errno: 0 if the call succeeded.
        value: The value that it returned, as plain data.
    """

    errno: int
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the kernel did.

    Args:
        answers: One for each operation.
        merged: The mounted tree afterwards.
        upper: The upper directory on disk afterwards.
        kernel: The kernel's release.
        mode: `ROOT` or `USER`.
        left_out: What could not be written to disk, in words.
    """

    answers: tuple[Answer, ...]
    merged: Listing
    upper: Listing
    kernel: str
    mode: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the kernel did, with everything that is visible after each operation.

    Args:
        moments: One for each operation.
        kernel: The kernel's release.
        mode: `ROOT` or `USER`.
    """

    moments: tuple[Moment, ...]
    kernel: str
    mode: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A comparison of the model with a kernel.

    Args:
        ops: The operations, in order.
        kernel: The kernel's side.
        differences: One line for each difference; empty if both agree.
    """

    ops: tuple[Op, ...]
    kernel: Replayed
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether model and kernel agree."""
        return not self.differences

    def __repr__(self) -> str:
        if self.equal:
            return say("replay.equal", count=len(self.ops))
        head = say("replay.differs", count=len(self.ops), model=KERNEL, kernel=self.kernel.kernel)
        return "\n".join([head, *self.differences])


def replay(overlay: Overlay, ops: Sequence[Op], mode: str | None = None, model: type[Overlay] = Overlay) -> Replay:
    """Run operations on the model and on this machine's kernel, and compare.

    Args:
        overlay: The stack before the operations; small layers whose files carry their content.
        mode: `ROOT` or `USER`; None takes what works.

    Raises:
        KernelUnavailable: This machine cannot mount the stack; the reason says why.
    """
    return replays([(overlay, ops)], mode, model)[0]


def replays(
    cases: Sequence[tuple[Overlay, Sequence[Op]]], mode: str | None = None, model: type[Overlay] = Overlay
) -> tuple[Replay, ...]:
    """Make many comparisons in one child process, each on its own mount; otherwise like `replay`."""
    done: tuple[Replayed, ...] = _ask_kernel("replay", cases, mode)
    return tuple(compared(overlay, ops, answer, model) for (overlay, ops), answer in zip(cases, done, strict=True))


def watched(cases: Sequence[tuple[Overlay, Sequence[Op]]], mode: str | None = None) -> tuple[Watched, ...]:
    """Run operations on this machine's kernel and read everything after each; otherwise like `replays`."""
    done: tuple[Watched, ...] = _ask_kernel("watch", cases, mode)
    return done


def _ask_kernel(
    task: Literal["replay", "watch"], cases: Sequence[tuple[Overlay, Sequence[Op]]], mode: str | None
) -> Any:
    """Run cases on the kernel, in a child process."""
    if why := next(filter(None, (obstacle(overlay) for overlay, _ in cases)), ""):
        raise KernelUnavailable(why)
    stacks = tuple(_stack(overlay) for overlay, _ in cases)
    return ask_child(task, mode=mode, stacks=stacks, ops=tuple(tuple(ops) for _, ops in cases)).value


def compared(overlay: Overlay, ops: Sequence[Op], done: Replayed, model: type[Overlay] = Overlay) -> Replay:
    """Compare the model with what a kernel did, now or in a record."""
    return Replay(tuple(ops), done, tuple(_differences(as_mounted(overlay, done.mode, model), ops, done)))


def _stack(overlay: Overlay) -> Stack:
    """The layers of an overlay, with the options that make the kernel behave as the overlay does."""
    stack, features = Stack(lowerdirs=overlay.lowerdirs, upperdir=overlay.upperdir), overlay.features
    settings: dict[str, Any] = {
        name: "on" if getattr(features, name) else "off" for name in ("metacopy", "index", "xino")
    }
    settings["redirect_dir"] = "on" if features.redirect == "on" else "off"
    return replace(stack, options=replace(with_options(stack), **settings))


def obstacle(overlay: Overlay) -> str:
    """Say why the kernel cannot mount a stack; empty if it can."""
    if not (available := _probed()):
        return available.reason
    if overlay.upperdir is None:
        return say("replay.read_only")
    entries = [item for layer in (*overlay.lowerdirs, overlay.upperdir) for item in some(layer, MOST_ENTRIES + 1)]
    if len(entries) > MOST_ENTRIES:
        return say("replay.large", most=f"{MOST_ENTRIES:,}")
    without = [path for path, inode in entries if isinstance(inode, File) and inode.data is None and inode.size]
    return say("replay.content", path=without[0]) if without else ""


@cache
def _probed() -> Availability:
    """Whether this machine can mount an overlay at all; probed once."""
    return probe()


def as_mounted(overlay: Overlay, mode: str, model: type[Overlay] = Overlay) -> Overlay:
    """Return a stack for the model as this mode can have it on disk."""
    if mode == ROOT:
        return model(lowerdirs=overlay.lowerdirs, upperdir=overlay.upperdir, features=overlay.features)
    lowers = [fit(layer)[0] for layer in overlay.lowerdirs]
    return model(lowerdirs=lowers, upperdir=fit(overlay.upperdir or Directory())[0], marks=MARKS_OF_USER, userns=True)


def _differences(overlay: Overlay, ops: Sequence[Op], done: Replayed) -> list[str]:
    player = Player(overlay, ops, model=type(overlay))
    lines = []
    for number, (step, answer) in enumerate(zip(player.steps, done.answers, strict=True), start=1):
        ours = Answer(step.errno or 0, comparable(step.value))
        if ours != answer:
            lines.append(say("replay.answer", number=number, op=step.op, ours=_told(ours), theirs=_told(answer)))
    upper = first_difference(done.upper, layer_listing(player.overlay.upperdir or Directory()))
    merged = first_difference(done.merged, mount_listing(player.system))
    lines += [say("replay.upper", difference=upper)] if upper else []
    return lines + ([say("replay.merged", difference=merged)] if merged else [])


def _told(answer: Answer) -> str:
    return errno.errorcode.get(answer.errno, str(answer.errno)) if answer.errno else repr(answer.value)


def run_ops(calls: Any, ops: Sequence[Op]) -> tuple[Answer, ...]:
    """Run operations by system calls of this process; for the child."""
    answers = []
    for operation in ops:
        try:
            answers.append(Answer(0, comparable(getattr(calls, operation.call)(**operation.args))))
        except OSError as error:
            answers.append(Answer(error.errno or 0))
    return tuple(answers)
