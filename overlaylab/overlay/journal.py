"""What a call did: every change of the upper layer, so that it can be taken back, and its effects in words.

Only the upper layer changes, in place. A step of a simulation keeps the list of its
changes, never a copy of a tree, so that a player can go back and forth in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

ABSENT = object()


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One write: the attribute `key` of an object, or the entry `key` of a table.

    Args:
        thing: An inode, an open file, or a `dict`.
        key: The attribute's name, or the table's key.
        before: What was there; `ABSENT` for no entry.
        after: What is there now.
    """

    thing: Any
    key: Any
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a call did to the upper layer besides what was asked for.

    Args:
        path: Where, in the merged view.
        detail: A value that belongs to it, such as a redirect.
    """

    words: ClassVar[str] = "changed {path}"
    path: str
    detail: str = ""

    def __str__(self) -> str:
        return self.words.format(path="/" if self.path == "." else "/" + self.path, detail=self.detail)


class CopyUp(Effect):
    """An object of a lower layer was copied to the upper."""

    words = "copied up {path}"


class MetadataCopyUp(Effect):
    """Only the metadata was copied; the data stays below."""

    words = "copied up the metadata of {path}"


class Created(Effect):
    """A new object."""

    words = "made {path} in the upper"


class Removed(Effect):
    """An entry of the upper went away."""

    words = "removed {path} from the upper"


class Moved(Effect):
    """An entry of the upper got another name."""

    words = "moved {path} to {detail} in the upper"


class WhiteoutMade(Effect):
    """A whiteout hides a lower name."""

    words = "whiteout made at {path}"


class WhiteoutRemoved(Effect):
    """A whiteout gave way to something new."""

    words = "whiteout at {path} replaced"


class OpaqueSet(Effect):
    """A directory hides what is below it."""

    words = "{path} marked opaque"


class RedirectSet(Effect):
    """A directory, or a file without data, remembers where its lower part is."""

    words = "{path} marked: its lower part is {detail}"


class OriginSet(Effect):
    """A copy remembers what it is a copy of."""

    words = "{path} marked with its origin"


class ImpureSet(Effect):
    """A directory holds copies."""

    words = "{path} marked impure: it holds copied-up names"


class ImpureCleared(Effect):
    """A directory holds no copies any more."""

    words = "{path} is not impure any more"


class Journal:
    """Writes objects and tables, and remembers what was there; has the clock of the model, which no machine drives."""

    def __init__(self) -> None:
        self.clock = 2_000_000_000 * 10**9
        self.changes: list[Change] = []
        self.effects: list[Effect] = []

    def set(self, thing: Any, name: str, value: Any) -> None:
        """Give an object's attribute a new value."""
        self.changes.append(Change(thing, name, getattr(thing, name), value))
        setattr(thing, name, value)

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Put an entry into a table."""
        self.changes.append(Change(table, key, table.get(key, ABSENT), value))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        """Take an entry out of a table."""
        self.changes.append(Change(table, key, table.pop(key), ABSENT))

    def now(self) -> int:
        """The time, in nanoseconds since 1970; it moves on each time somebody looks."""
        self.clock += 1000
        return self.clock

    def note(self, effect: Effect) -> None:
        """Remember an effect."""
        self.effects.append(effect)

    def take(self) -> tuple[tuple[Change, ...], tuple[Effect, ...]]:
        """Hand over what was noted since the last time, and begin anew."""
        taken = tuple(self.changes), tuple(self.effects)
        self.changes, self.effects = [], []
        return taken


def undo(changes: Iterable[Change]) -> None:
    """Take changes back, the last one first."""
    for change in reversed(tuple(changes)):
        _write(change.thing, change.key, change.before)


def redo(changes: Iterable[Change]) -> None:
    """Make changes once more."""
    for change in changes:
        _write(change.thing, change.key, change.after)


def _write(thing: Any, key: Any, value: Any) -> None:
    if not isinstance(thing, dict):
        setattr(thing, key, value)
    elif value is ABSENT:
        thing.pop(key, None)
    else:
        thing[key] = value
