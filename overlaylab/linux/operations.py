"""Operations as data, and steps: what a call returned, what it did, and what it changed.

An operation names a call of `System`. There is no other dispatch: running one looks the name up there, and on a real
kernel the same name is looked up in a class with the calls of `os`. A step keeps the changes of the upper, not a tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from overlaylab.errors import Finding, error_name
from overlaylab.overlay.features import Features
from overlaylab.overlay.journal import Change, Effect, redo, undo
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import copied

from .system import System


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Args:
        call: The name of a method of `System`.
        args: Its arguments by name.
        uid: The caller's effective user.
        gid: The caller's effective group.

    Example:
        >>> op("mkdir", path="d")
        op('mkdir', path='d')
    """

    call: str
    args: Mapping[str, Any] = field(default_factory=dict)
    uid: int = 0
    gid: int = 0

    def __repr__(self) -> str:
        words = [repr(self.call), *(f"{name}={value!r}" for name, value in self.args.items())]
        words += [f"by={(self.uid, self.gid)}"] if self.uid or self.gid else []
        return f"op({', '.join(words)})"


def op(call: str, /, *, by: tuple[int, int] = (0, 0), **args: Any) -> Op:
    """Make an operation: the name of a method of `System`, and its arguments.

    Args:
        by: Effective user and group of the caller.

    Raises:
        Finding: ``wrong-call`` for a call that `System` does not have.
    """
    if call.startswith("_") or not callable(getattr(System, call, None)):
        raise Finding("wrong-call", "operation", "a call of System", call)
    return Op(call, args, *by)


@dataclass(frozen=True, slots=True)
class Step:
    """What one operation did.

    Args:
        op: The operation.
        value: What the call returned; None if it failed.
        errno: The number of the error, or None.
        effects: Side effects in the upper layer, in order.
        changes: Every write, for `undo` and `redo`.
    """

    op: Op
    value: Any
    errno: int | None
    effects: tuple[Effect, ...]
    changes: tuple[Change, ...] = field(repr=False)

    @property
    def error(self) -> str:
        """The name of the error, such as ``ENOENT``; empty if the call worked."""
        return "" if self.errno is None else error_name(self.errno)


def run(system: System, operation: Op) -> Step:
    """Run one operation."""
    value, number = None, None
    with system.acting(operation.uid, operation.gid):
        try:
            value = getattr(system, operation.call)(**operation.args)
        except OSError as error:
            number = error.errno
    changes, effects = system.journal.take()
    return Step(operation, value, number, effects, changes)


def simulate(overlay: Overlay, ops: Iterable[Op], options: MountOptions | Features | None = None) -> tuple[Step, ...]:
    """Run operations on a copy of an overlay's upper layer; the lower layers are shared.

    Args:
        overlay: The start. It is not changed.
        options: Mount options, if not those of `overlay`.
    """
    return Player(overlay, ops, options).steps


class Player:
    """A run of operations whose steps can be undone and redone.

    Args:
        overlay: The start. It is not changed: the player works on a copy of its upper layer.
        ops: What to do, in order; `do` adds more.
        options: Mount options, if not those of `overlay`.
        model: The class of the copy; a subclass of `Overlay` to try a mutant.
    """

    def __init__(
        self,
        overlay: Overlay,
        ops: Iterable[Op] = (),
        options: MountOptions | Features | None = None,
        model: type[Overlay] = Overlay,
    ) -> None:
        features = options.features() if isinstance(options, MountOptions) else options or overlay.features
        own = model(
            lowerdirs=overlay.lowerdirs,
            datadirs=overlay.datadirs,
            features=features,
            userns=overlay.userns,
            upperdir=None if overlay.upperdir is None else copied(overlay.upperdir),
            read_only=overlay.read_only,
        )
        self.system = System.over(own)
        self._steps: list[Step] = []
        self.position = 0
        self.system.journal.take()
        for operation in ops:
            self.do(operation)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, also those that were undone."""
        return tuple(self._steps)

    @property
    def overlay(self) -> Overlay:
        """The overlay at the present position."""
        return self.system.overlay

    def do(self, operation: Op) -> Step:
        """Run one more operation; steps that were undone are forgotten.

        Raises:
            Finding: ``missing-content`` for the data of a file that was not kept; nothing has changed then.
        """
        self.system.journal.take()
        del self._steps[self.position :]
        try:
            step = run(self.system, operation)
        except Finding:
            self._undo_lookups()
            raise
        self._steps.append(step)
        self.position += 1
        return step

    def go(self, position: int) -> None:
        """Go to the moment after so many steps, by undoing or redoing changes.

        Raises:
            Finding: ``wrong-call`` for a position that does not exist.
        """
        if not 0 <= position <= len(self._steps):
            raise Finding("wrong-call", "position", f"0 to {len(self._steps)}", position)
        self._undo_lookups()
        while self.position > position:
            self.position -= 1
            undo(self._steps[self.position].changes)
        while self.position < position:
            redo(self._steps[self.position].changes)
            self.position += 1

    def _undo_lookups(self) -> None:
        """Undo what was written outside of any step: even a lookup may set xattrs (cu-23)."""
        undo(self.system.journal.take()[0])
