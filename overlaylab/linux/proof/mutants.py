"""Mutants: rules of the model, each broken on purpose, to show what a proof is worth when it meets a mistake."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overlaylab.overlay.copy_up import add_name
from overlaylab.overlay.filesystem import Node
from overlaylab.overlay.lookup import names_of
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.overlay_xattrs import OverlayXattrs
from overlaylab.tree import Directory


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule and its wrong form.

    Args:
        owner: The class that has it as a method; the tests break functions of modules too.
        wrong: Makes the wrong function from the right one.
    """

    name: str
    owner: Any
    attribute: str
    wrong: Callable[[Any], Any]

    @property
    def model(self) -> type[Overlay]:
        """The model with this rule broken, and everything else as it is."""
        method = {self.attribute: self.wrong(getattr(self.owner, self.attribute))}
        name = f"Wrong{self.name.title()}"
        if self.owner is OverlayXattrs:
            method = {"xattrs_class": type(name, (OverlayXattrs,), method)}
        return type(name, (Overlay,), method)


def instead(function: Any) -> Callable[[Any], Any]:
    """Put a function in the place of the right one."""
    return lambda right: function


def not_over_whiteouts(right: Any) -> Any:
    """Making a directory asks for EIO where no xattr can be kept; that tells it from other opaque directories."""
    return lambda self, directory, path, number: None if number == errno.EIO else right(self, directory, path, number)


def without_data(right: Any) -> Any:
    """Copy a file up as if all its content were to go."""
    return lambda overlay, node, lower, data, size: right(overlay, node, lower, data, 0)


def all_names(right: Any) -> Any:
    """List the union of all parts as it is."""
    return lambda overlay, parts, *more: {name for part in parts for name in names_of(part.inode)}


def with_its_links(right: Any) -> Any:
    """Copy a file up under all names that it has in its directory, as if links could be kept."""

    def copy_up(overlay: Overlay, node: Node, *more: Any) -> None:
        lower = node.lowers[0].inode if node.upper is None else None
        right(overlay, node, *more)
        assert node.parent is not None and node.upper is not None and isinstance(node.parent.upper, Directory)
        upper = node.parent.upper
        for name, inode in [pair for part in node.parent.lowers for pair in names_of(part.inode).items()]:
            if inode is lower and not isinstance(inode, Directory) and name not in upper.names:
                add_name(overlay, upper, name, node.upper)

    return copy_up


RULES = (
    Mutant("whiteout", Overlay, "lower_has", instead(lambda overlay, node: False)),
    Mutant("everywhere", Overlay, "lower_has", instead(lambda overlay, node: True)),
    Mutant("opaque", OverlayXattrs, "set_opaque", not_over_whiteouts),
    Mutant("listing", Overlay, "entries", all_names),
    Mutant("data", Overlay, "copy_inode", without_data),
    Mutant("links", Overlay, "copy_up", with_its_links),
    Mutant("exdev", Overlay, "may_move", instead(lambda overlay, node: None)),
    Mutant("origin", OverlayXattrs, "set_origin", instead(lambda xattrs, copy, lower, path: None)),
)

BROKEN = {rule.name: rule for rule in RULES}
