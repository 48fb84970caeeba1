"""A shell for notebooks: each line is shown as in a terminal, and then explained; a real kernel can repeat it all."""

from __future__ import annotations

from collections.abc import Sequence

from overlaylab.image.samples import page_overlay
from overlaylab.kernel.recorded_replays import Comparison, compare_with_kernel
from overlaylab.linux.operations import Op, Player, Step
from overlaylab.linux.shell import carry_out
from overlaylab.linux.shell_parser import parse
from overlaylab.overlay.features import Features
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory
from overlaylab.views.kit.tables import Text
from overlaylab.words import say

from .command_text import explain

# The layers of the bowl of fruit, in the order of the mount options.
BOWL = ("Fruits", "Vegetables", "Meat")


def fruit_bowl() -> Overlay:
    """The stack of the practice page: Fruits on Vegetables, with Meat as the upper."""
    fruits, vegetables, meat = map(page_overlay().__getitem__, BOWL)
    return Overlay(lowerdirs=[fruits, vegetables], upperdir=meat)


class Session:
    """A mounted stack, and a shell in it.

    Args:
        overlay: The stack to begin with; the bowl of fruit if none is given. It is not changed. A stack without an
            upper gets an empty one.
        names: Of the layers, in the order of the mount options.
        redirect: ``on`` to mount with ``redirect_dir=on``.

    Example:
        >>> print(Session()("rm /Beef"))
        $ rm /Beef
          You deleted /Beef. /Beef was taken out of the upper.
    """

    def __init__(self, overlay: Overlay | None = None, names: Sequence[str] = (), redirect: str = "follow") -> None:
        if overlay is None:
            overlay, names = fruit_bowl(), BOWL
        upper = Directory() if overlay.upperdir is None else overlay.upperdir
        names = (*names, say("palette.upper")) if names and len(names) == len(overlay.lowerdirs) else names
        self.beginning = Overlay(lowerdirs=overlay.lowerdirs, upperdir=upper, features=Features(redirect=redirect))
        self.names, self.player = tuple(names), Player(self.beginning)

    def __call__(self, *lines: str) -> Text:
        """Run some lines.

        Raises:
            Finding: ``wrong-call`` with the position, for a line that this shell does not understand.
        """
        return Text("\n".join(line for text in lines for line in self._run(text)))

    def _run(self, line: str) -> list[str]:
        command, start = parse(line), self.player.position
        said = carry_out(command, self.player.do)
        output, words = explain(command, said, self.player.steps[start:], self.overlay, self.names)
        quiet = [] if words == [say("play.nothing")] and output else ["  " + " ".join(words)]
        return [f"$ {line}", *output, *quiet]

    def do(self, operation: Op) -> Step:
        """Run one system call."""
        return self.player.do(operation)

    @property
    def overlay(self) -> Overlay:
        """The stack as it is now."""
        return self.player.overlay

    @property
    def upper(self) -> Directory:
        """The upper layer as it is now."""
        return self.overlay.upperdir or Directory()

    @property
    def ops(self) -> tuple[Op, ...]:
        """All system calls so far."""
        return tuple(step.op for step in self.player.steps)

    def on_kernel(self, record: str) -> Comparison:
        """Do the same on this machine's kernel and compare; where there is none, with the record of that name."""
        return compare_with_kernel(self.beginning, self.ops, record)
