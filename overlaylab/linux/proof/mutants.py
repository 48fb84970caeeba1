"""Rules of the model, each broken on purpose: what a proof is worth shows when it meets a mistake."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overlaylab.overlay.filesystem import Node
from overlaylab.overlay.marks import Marks
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory

__all__ = ["BROKEN", "Mutant"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule and its wrong form.

    Args:
        name: A word for it.
        owner: The class that has it.
        attribute: Its method.
        wrong: Makes the wrong method from the right one.
    """

    name: str
    owner: type
    attribute: str
    wrong: Callable[[Any], Any]

    @property
    def model(self) -> type[Overlay]:
        """The model with this rule broken, and everything else as it is."""
        method = {self.attribute: self.wrong(getattr(self.owner, self.attribute))}
        name = f"Wrong{self.name.title()}"
        return type(
            name, (Overlay,), {"book_of_marks": type(name, (Marks,), method)} if self.owner is Marks else method
        )


def instead(function: Any) -> Callable[[Any], Any]:
    """Put a function in the place of the right one."""
    return lambda right: function


def not_over_whiteouts(right: Any) -> Any:
    """Making a directory asks for EIO where no mark can be kept; that tells it from other opaque marks."""
    return lambda self, directory, path, number: None if number == errno.EIO else right(self, directory, path, number)


def without_data(right: Any) -> Any:
    """Copy a file up as if all its content were to go."""
    return lambda self, node, lower, data, size: right(self, node, lower, data, 0)


def all_names(right: Any) -> Any:
    """List the union of all parts as it is."""
    return lambda self, parts, *more: {name for part in parts for name in part.inode.names}


def with_its_links(right: Any) -> Any:
    """Copy a file up under all names that it has in its directory, as if links could be kept."""

    def copy_up(self: Overlay, node: Node, *more: Any) -> None:
        lower = node.lowers[0].inode if node.upper is None else None
        right(self, node, *more)
        upper = node.parent.upper
        for name, inode in [pair for part in node.parent.lowers for pair in part.inode.names.items()]:
            if inode is lower and not isinstance(inode, Directory) and name not in upper.names:
                self._enter(upper, name, node.upper)

    return copy_up


RULES = (
    Mutant("whiteout", Overlay, "lower_has", instead(lambda self, node: False)),
    Mutant("everywhere", Overlay, "lower_has", instead(lambda self, node: True)),
    Mutant("opaque", Marks, "set_opaque", not_over_whiteouts),
    Mutant("listing", Overlay, "_list", all_names),
    Mutant("data", Overlay, "_copy", without_data),
    Mutant("links", Overlay, "_copy_up", with_its_links),
    Mutant("exdev", Overlay, "_may_move", instead(lambda self, node: None)),
    Mutant("origin", Marks, "set_origin", instead(lambda self, copy, lower, path: None)),
)

BROKEN = {rule.name: rule for rule in RULES}
