"""Many look-ups in a stack that stays as it is: what was found on the way to one path serves the next."""

from __future__ import annotations

from .lookup import Stack
from .parts import Part
from .tree import Inode

__all__ = ["Seeker"]


class Seeker:
    """Looks paths up in a stack that does not change: each directory on the way once, so that deep trees are quick too.

    Args:
        stack: What to look in.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._known: dict[str, tuple[Part, ...]] = {".": stack.root_parts}

    def __call__(self, path: str) -> Inode | None:
        """The inode that the stack shows at a path, or None."""
        names: list[str] = []
        while path not in self._known:
            path, _, name = path.rpartition("/")
            path = path or "."
            names.append(name)
        parts = self._known[path]
        for name in reversed(names):
            path = name if path == "." else f"{path}/{name}"
            parts = self._known[path] = self._stack.child(parts, name, path) if parts else ()
        return parts[0].inode if parts else None
