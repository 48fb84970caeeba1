"""A mount as an engine makes it, as a value: the directories, the option text, the command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .options import MountOptions

__all__ = ["Mount"]

TARGET = "/mnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The directories of an overlay, and how they are written.

    Args:
        lowerdir: Paths, **topmost first**, as in the options.
        upperdir: None for a read-only mount of an image.
        workdir: None without an upper.
        userxattr: Whether marks are ``user.overlay.*``, as for mounts without root.
        start: The directory that relative paths count from; empty if all are absolute.
    """

    lowerdir: tuple[str, ...]
    upperdir: str | None = None
    workdir: str | None = None
    userxattr: bool = False
    start: str = ""

    @classmethod
    def at(
        cls, base: str, lower: Sequence[str], upper: str | None = None, work: str | None = None, userxattr: bool = False
    ) -> Mount:
        """A mount whose names are relative to `base`; `lower` is topmost first."""
        paths = tuple(f"{base}/{name}" for name in lower)
        return cls(
            lowerdir=paths, upperdir=upper and f"{base}/{upper}", workdir=work and f"{base}/{work}", userxattr=userxattr
        )

    @classmethod
    def of(cls, options: MountOptions, base: str) -> Mount:
        """A mount with these options; relative paths count from `base`."""
        start = "" if options.lowerdirs[0].startswith("/") else base
        return cls(
            lowerdir=options.lowerdirs,
            upperdir=options.upperdir,
            workdir=options.workdir,
            userxattr=options.userxattr,
            start=start,
        )

    def relative(self, base: str, names: Sequence[str] = (), upper_too: bool = True) -> Mount:
        """The same mount made from within `base`: shorter, so that many lowers fit into a page.

        Args:
            base: The directory to change into.
            names: Other names of the lowers, topmost first; by default their paths from `base` on.
            upper_too: Whether upper and work are shortened as well.
        """

        def cut(path: str | None) -> str | None:
            return path and path.removeprefix(base + "/")

        lower = tuple(names) or tuple(path.removeprefix(base + "/") for path in self.lowerdir)
        made = replace(self, lowerdir=lower, start=base)
        return replace(made, upperdir=cut(self.upperdir), workdir=cut(self.workdir)) if upper_too else made

    @property
    def is_bind(self) -> bool:
        """One layer and nothing to write to: overlayfs wants two lowers then, so engines bind the directory."""
        return len(self.lowerdir) == 1 and self.upperdir is None

    @property
    def options(self) -> str:
        """The option text, see `MountOptions.text`; empty without a lower: the kernel refuses such a mount."""
        if not self.lowerdir:
            return ""
        if self.is_bind:
            return "ro,bind"
        return MountOptions(
            lowerdirs=self.lowerdir, upperdir=self.upperdir, workdir=self.workdir, userxattr=self.userxattr
        ).text()

    @property
    def command(self) -> str:
        """What a person types, as root, to see the same."""
        if not self.lowerdir:
            return ""
        source = shlex.quote(self.lowerdir[0]) if self.is_bind else "-t overlay overlay"
        text = f"mount {source} -o {shlex.quote(self.options)} {TARGET}"
        return f"cd {shlex.quote(self.start)} && {text}" if self.start else text
