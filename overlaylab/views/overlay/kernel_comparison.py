"""The merged views of the simulation and of the real kernel, compared path by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import KernelUnavailable
from overlaylab.kernel.mount import KernelView, mounted_view
from overlaylab.kernel.recorded_mounts import recorded
from overlaylab.kernel.syscalls import ROOT
from overlaylab.kernel.write_layers import fit
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import USER
from overlaylab.tree import Directory, File, entry, walk
from overlaylab.views.kit.tables import Text, table
from overlaylab.words import say

from .text import path_text

# The machine's policy sets this xattr on every file, whatever is in the layers.
FOREIGN = "security.selinux"


@dataclass(frozen=True, slots=True)
class KernelComparison:
    """The merged views of one stack: the simulation's and the kernel's.

    Args:
        overlay: The simulated stack; without root it lacks what could not be written to disk.
        view: The kernel's merged view.
        now: True if it comes from this machine's kernel; False for the record that comes with the kit.
        why: Why this machine's kernel could not be used; empty if it was.
    """

    overlay: Overlay
    view: KernelView
    now: bool
    why: str = ""

    @property
    def equal(self) -> bool:
        """Whether both show the same names, with the same types, attributes and contents."""
        return not self.differences

    @property
    def differences(self) -> tuple[str, ...]:
        """One line for each path on which the two disagree."""
        ours, theirs = _entries(self.overlay.merged(), self.overlay.marks), _entries(self.view.merged)
        return tuple(
            say("sides.differs", path=path_text(path), ours=ours.get(path), theirs=theirs.get(path))
            for path in sorted({*ours, *theirs})
            if ours.get(path) != theirs.get(path)
        )

    def table(self) -> Any:
        """What the two show at each path: the text of a short file, or the type of anything else."""
        ours, theirs = dict(walk(self.overlay.merged())), dict(walk(self.view.merged))
        rows = [
            (path_text(path), _content(ours.get(path)), _content(theirs.get(path)))
            for path in sorted({*ours, *theirs} - {"."})
        ]
        return table(("", say("sides.ours"), say("sides.theirs")), rows)

    @property
    def origin(self) -> Text:
        """Where the kernel's view comes from: this machine, or the record and why; and what was left out."""
        how = say("sides.root" if self.view.mode == ROOT else "sides.user")
        lines = [say("sides.now" if self.now else "sides.recorded", kernel=self.view.kernel.partition("-")[0], how=how)]
        lines += [say("sides.why", why=self.why)] if self.why else []
        lines += [say("sides.left_out", what=what) for what in self.view.left_out]
        return Text("\n".join([*lines, say("sides.line"), f"  {self.view.line_at('/mnt/tmp')}"]))

    def __repr__(self) -> str:
        return "\n".join([say("sides.equal", equal=self.equal), *self.differences])


def side_by_side(overlay: Overlay, record: str, options: MountOptions | None = None) -> KernelComparison:
    """Mount a stack with the real kernel, and compare the merged view with the simulated one.

    Where no real mount is possible, the kernel's view is a recorded one.

    Args:
        overlay: Small layers; every file with its content.
        record: The name of the record of the same stack: ``page``, ``page-turned``, ``kit/app:1`` or ``web``.
        options: The layers' names, and how they are mounted.
    """
    try:
        view = mounted_view(overlay.lowerdirs, overlay.upperdir, options=options)
    except KernelUnavailable as unavailable:
        return KernelComparison(overlay, recorded(record), now=False, why=unavailable.reason)
    return KernelComparison(overlay if view.mode == ROOT else _fitted(overlay), view, now=True)


def _fitted(overlay: Overlay) -> Overlay:
    """The stack as a user without root can write it to disk."""
    upper = overlay.upperdir and fit(overlay.upperdir)[0]
    return Overlay(lowerdirs=[fit(layer)[0] for layer in overlay.lowerdirs], upperdir=upper, marks=USER)


def _entries(tree: Directory, hidden: str = "\0") -> Mapping[str, dict[str, Any]]:
    """Every path with the facts that are compared. The kernel's view hides no xattr, so a leaked one is found."""
    found = {path: entry(inode, hidden) for path, inode in walk(tree)}
    for fields in found.values():
        fields["xattrs_hex"] = {name: value for name, value in fields.get("xattrs_hex", {}).items() if name != FOREIGN}
    return found


def _content(inode: Any) -> str:
    if inode is None:
        return say("sides.nothing")
    if isinstance(inode, File) and inode.data is not None and len(inode.data) <= 60:
        return inode.data.decode("utf-8", "replace").rstrip("\n")
    return say(f"overlay.kind.{inode.type}")
