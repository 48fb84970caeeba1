"""The playground: type a command, see what it does to the layers, and step back and forth through the commands."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.kernel.replays import Replay, obstacle, replay
from overlaylab.kernel.syscalls import ROOT
from overlaylab.linux.operations import Player, Step
from overlaylab.linux.shell import Said, carry_out
from overlaylab.linux.shell_parser import Command, parse
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, File, some
from overlaylab.views.kit.palette import CHANGES
from overlaylab.views.kit.panel import Panel, Pick, button, control_row, number_field, on_enter, text_field
from overlaylab.views.kit.picture import Picture
from overlaylab.words import printable, say

from .board import Board, board_picture
from .command_text import explain, misread_text, wrote
from .session import BOWL, fruit_bowl
from .text import trace

# Seconds after Enter until a line runs that came before it; a line that comes after it runs at once.
PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Turn:
    """One command line of the learner.

    Args:
        start: The number of operations done before it.
        end: The number of operations done after it.
        command: None if it could not be read.
        misread: Why it could not be read.
    """

    line: str
    start: int
    end: int
    command: Command | None = None
    said: Said | None = None
    misread: str = ""


class Playground(Panel):
    """Type commands, or press buttons, and see lower layers, upper and merged view change.

    Args:
        overlay: The stack of an image or a container to begin with; the bowl of fruit if None. It is not changed.
        names: Of its layers, in the order of the mount options: lowers topmost first, then the upper.
        commands: Command lines to run first.
    """

    def __init__(self, overlay: Overlay | None = None, names: Sequence[str] = (), commands: Sequence[str] = ()) -> None:
        self._given = overlay, tuple(names)
        self._reset("given" if overlay is not None else "bowl")
        self._make_controls(overlay is not None)
        for line in commands:
            self._do(line)
        super().__init__(self._rows())
        controls, *view = self.children
        self.children = (controls, self.kernel_says, *view)
        self._settle()
        self._offer()

    def _make_controls(self, given: bool) -> None:
        # The browser sends the line as a whole: with every key sent, a busy kernel would run the first half of it.
        self.typed = text_field(say("play.command"), say("play.hint"), width="30em")
        on_enter(self.typed, self._entered, self._arrived, PAUSE)
        self.typed.observe(self._arrived, "value")
        self.awaited = False
        self.run = button(say("play.run"), self._run)
        self.quick = [button("", lambda pressed: self.enter(pressed.description)) for _ in range(8)]
        self.back = button(say("play.back"), lambda _: self._go(self.turn - 1))
        self.next = button(say("play.next"), lambda _: self._go(self.turn + 1))
        self.number = number_field(say("play.step"), 0, least=0, most=0)
        self.number.observe(lambda change: self._go(change["new"]), "value")
        self.path = text_field(say("play.look"), say("play.look_hint"), width="18em", every_key=True)
        self.path.observe(self.redraw, "value")
        self.kernel = button(say("play.kernel"), self._compare)
        self.kernel_says = ipywidgets.HTML()
        starts = ["given"] * given + ["bowl", "empty"]
        self.start = Pick(say("play.start.label"), [(say(f"play.start.{key}"), key) for key in starts])
        self.start.observe(lambda change: self._begin(), "value")
        self.again = button(say("play.again"), lambda _: self._begin())

    def _rows(self) -> list[ipywidgets.Widget]:
        """The controls in rows; each row wraps where the window is narrow."""
        return [
            control_row(self.typed, self.run),
            control_row(*self.quick),
            control_row(self.back, self.next, self.number, self.path),
            control_row(self.kernel, self.start, self.again),
        ]

    def _reset(self, start: str) -> None:
        """Begin anew with one of the stacks."""
        overlay, self.names = self._stack(start)
        if overlay.upperdir is None:
            overlay = Overlay(
                lowerdirs=overlay.lowerdirs, upperdir=Directory(), marks=overlay.marks, features=overlay.features
            )
            self.names = (*self.names, say("palette.upper")) if self.names else ()
        self.beginning, self.player = overlay, Player(overlay)
        self.turns: list[Turn] = []
        self.turn = 0

    def _stack(self, start: str) -> tuple[Overlay, tuple[str, ...]]:
        overlay, names = self._given
        if start == "given" and overlay is not None:
            return overlay, names
        if start == "empty":
            return Overlay(lowerdirs=[Directory()], upperdir=Directory()), ()
        return fruit_bowl(), BOWL

    def _begin(self) -> None:
        self._reset(self.start.value)
        self.kernel_says.value = ""
        self.path.value = ""
        self._settle()
        self._offer()
        self.redraw()

    @property
    def overlay(self) -> Overlay:
        """The stack at the present step."""
        return self.player.overlay

    def enter(self, line: str) -> None:
        """Run a command line as if it were typed."""
        self._do(line)
        self._settle()
        self.redraw()

    def _do(self, line: str) -> None:
        """Run a command line; lines after the present step are forgotten."""
        line = line.strip()
        if not line:
            return
        start = self.player.position
        del self.turns[self.turn :]
        try:
            command = parse(line)
            said = carry_out(command, self.player.do)
            self.turns.append(Turn(line, start, self.player.position, command, said))
        except Finding as finding:
            self.turns.append(Turn(line, start, start, misread=misread_text(finding)))
        self.turn = len(self.turns)

    def _go(self, turn: int) -> None:
        """Go to the state after so many command lines."""
        if turn == self.turn or not 0 <= turn <= len(self.turns):
            return
        self.player.go(self.turns[turn - 1].end if turn else 0)
        self.turn = turn
        self._settle()
        self.redraw()

    def _settle(self) -> None:
        """Make the controls fit the present step."""
        self.number.max = len(self.turns)
        self.number.value = self.turn
        self.back.disabled, self.next.disabled = self.turn == 0, self.turn == len(self.turns)

    def _offer(self) -> None:
        """Make the buttons fit the stack to begin with."""
        for quick, line in zip(self.quick, _suggestions(self.beginning), strict=True):
            quick.description, quick.layout.display = line, None if line else "none"
        self._settle_kernel()

    def _entered(self) -> None:
        """Enter was pressed in the field."""
        self.awaited = True

    def _arrived(self, _: Any = None) -> None:
        """The line has come; run it if Enter was pressed."""
        if self.awaited and self.typed.value:
            self._run()

    def _run(self, _: Any = None) -> None:
        """Run the line in the field, and empty the field."""
        self.awaited = False
        line, self.typed.value = self.typed.value, ""
        self.enter(line)

    def _settle_kernel(self) -> None:
        """Disable the button, and say why, where no kernel can be used or the stack cannot be written to disk."""
        why = obstacle(self.beginning)
        self.kernel.disabled = bool(why)
        self.kernel_says.value = _status(say("play.no_kernel", why=why)) if why else ""

    def compare(self) -> Replay:
        """Repeat all operations up to the present step on the real kernel.

        Raises:
            KernelUnavailable: No kernel can be used on this machine.
        """
        return replay(self.beginning, [step.op for step in self.player.steps[: self.player.position]])

    def _compare(self, _: Any) -> None:
        try:
            result = self.compare()
        except (KernelUnavailable, Finding) as refused:
            self.kernel_says.value = _status(say("play.no_kernel", why=getattr(refused, "reason", str(refused))))
            return
        how = say("sides.root" if result.kernel.mode == ROOT else "sides.user")
        where = say("play.kernel_was", kernel=result.kernel.kernel.partition("-")[0], how=how)
        self.kernel_says.value = _status(f"{'✓' if result.equal else '✗'} {result}\n{where}")

    def show(self) -> Picture:
        """The stack at the present step, and what the last command did."""
        turn = self.turns[self.turn - 1] if self.turn else None
        steps = self.player.steps[turn.start : turn.end] if turn else ()
        changed = _changed(steps, turn.said.paths if turn and turn.said else ())
        lit, looked = self._looked(turn)
        lines, alt = self._told(turn, steps)
        line = f"$ {printable(turn.line[:80])}" if turn else say("play.beginning")
        head = say("play.head", step=self.turn, count=len(self.turns), line=line)
        return board_picture(Board(self.overlay, self.names, changed, lit, head, [*lines, *looked], alt))

    def _looked(self, turn: Turn | None) -> tuple[str, list[str]]:
        """The path that is looked up (the typed one, else the last command's) and the lines of its lookup."""
        path = self.path.value.strip() or (turn.said.paths[0] if turn and turn.said and turn.said.paths else "")
        if not path:
            return "", []
        try:
            found = self.overlay.lookup(path)
            lines = str(trace(self.overlay, found.path, self.names)).splitlines()
        except Finding:
            return "", [say("lookup.outside", path=printable(path))]
        if len(lines) > 7:
            lines = [*lines[:6], say("overlay.more", count=len(lines) - 7), lines[-1]]
        shown = "/" if found.path == "." else f"/{printable(found.path)}"
        return found.path, ["", f"{say('overlay.looking_for')} {shown}:", *("  " + line for line in lines)]

    def _told(self, turn: Turn | None, steps: Sequence[Step]) -> tuple[list[str], str]:
        """The words about the last command: lines for the picture, and one text for screen readers."""
        if turn is None:
            alt = say("play.alt", lowers=len(self.overlay.lowerdirs))
            return [alt], alt
        if turn.misread:
            return [turn.misread], turn.misread
        assert turn.said is not None and turn.command is not None
        output, words = explain(turn.command, turn.said, steps, self.overlay, self.names)
        return [*output, *words], " ".join(words)


# The sign of a row in the picture, by the effect on the upper.
SIGNS = {
    "CopyUp": CHANGES["copied_up"],
    "MetadataCopyUp": CHANGES["copied_up"],
    "Created": CHANGES["added"],
    "Removed": CHANGES["removed"],
}


def _changed(steps: Sequence[Step], paths: Sequence[str] = ()) -> dict[str, str]:
    """The paths whose entries in the upper changed, each with a sign; a change in place counts for `paths`."""
    found: dict[str, str] = {}
    for effect in (effect for step in steps for effect in step.effects):
        if type(effect).__name__ == "Moved":
            found[effect.detail.strip("/")] = CHANGES["added"]
        found.setdefault(effect.path, CHANGES["changed"])
        found[effect.path] = SIGNS.get(type(effect).__name__, found[effect.path])
    if not found and wrote(steps):
        found = dict.fromkeys((path.strip("/") for path in paths), CHANGES["changed"])
    return {path: sign for path, sign in found.items() if path not in (".", "")}


def _suggestions(overlay: Overlay) -> list[str]:
    """Eight command lines for the buttons, with names of this stack; empty where none fits."""
    below = [item for layer in overlay.lowerdirs for item in some(layer, 300)]
    files = [path for path, inode in below if isinstance(inode, File)]
    folders = [path for path, inode in below if isinstance(inode, Directory) and "/" not in path]
    one = next((path for path in files if "/" not in path), files[0] if files else "")
    other = next((path for path in files if path != one), one)
    lines = [
        "ls -l /",
        one and f"echo new > /{one}",
        other and f"echo more >> /{other}",
        one and f"rm /{one}",
        "mkdir /box",
        one and f"mv /{one} /{one}.old",
        other and f"chmod 600 /{other}",
        f"rm -r /{folders[0]}" if folders else "rm -r /box",
    ]
    return [line if line and len(line) <= 40 else "" for line in lines]


def _status(text: str) -> str:
    return f'<p role="status" style="white-space:pre-wrap;margin:2px 0">{html.escape(text)}</p>'
