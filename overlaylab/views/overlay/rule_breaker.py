"""A widget that breaks a rule of the model, and shows what tells; and text on a card."""

from __future__ import annotations

import ipywidgets

from overlaylab.kernel.proof import catch
from overlaylab.linux.proof.mutants import BROKEN
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.panel import Panel, Pick
from overlaylab.views.kit.picture import Picture, new_graph
from overlaylab.words import say

from .proof import layers_text, op_text, two_sides

__all__ = ["RuleBreaker", "card"]

WIDEST = 84


def card(name: str, alt: str, text: str, look: str = "plain") -> Picture:
    """Text on a paper card, each line from the left."""
    lines = [piece for line in text.splitlines() for piece in _wrapped(line)]
    label = "".join(line.replace("\\", "\\\\") + "\\l" for line in lines)
    style = PALETTE[look]
    graph = new_graph(name)
    graph.node(
        "card",
        label,
        fontname=MONO,
        color=style.line,
        fillcolor=style.fill,
        style="filled,rounded",
        penwidth=str(style.width),
    )
    return Picture(graph.source, alt, text)


def _wrapped(line: str) -> list[str]:
    """A line in pieces that fit on the card, the later ones indented as it is."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    pieces, words = [], line.split(" ")
    now = words[0]
    for word in words[1:]:
        if len(now) + 1 + len(word) > WIDEST:
            pieces.append(now)
            now = indent + word
        else:
            now += " " + word
    return [*pieces, now]


class RuleBreaker(Panel):
    """Choose a rule, and break it; predict what tells, and see which experiment notices, and the least that still does.

    Args:
        name: The rule to begin with, one of ``ol.BROKEN``; of this one all is shown at once.
    """

    def __init__(self, name: str = "whiteout") -> None:
        self.rule = Pick(say("believe.break"), [(say(f"believe.rule.{key}"), key) for key in BROKEN], name)
        self.guess, self.shown = "", True
        self.looks = {}
        for look in ("answer", "merged", "upper"):
            self.looks[look] = ipywidgets.Button(
                description=say(f"believe.look.{look}"), disabled=True, layout=ipywidgets.Layout(width="auto")
            )
            self.looks[look].on_click(lambda _, look=look: self._turn(look, True))
        self.rule.observe(lambda _: self._turn("", False), "value")
        super().__init__([self.rule, *self.looks.values()])

    def _turn(self, guess: str, shown: bool) -> None:
        """Hide what tells until somebody has said what it will be."""
        self.guess, self.shown = guess, shown
        for button in self.looks.values():
            button.disabled = shown
        self.redraw()

    def show(self) -> Picture:
        """What tells that the chosen rule is broken, or the question what it will be."""
        rule = say(f"believe.rule.{self.rule.value}")
        if not self.shown:
            question = say("believe.predict", rule=rule)
            return card("caught", question, question)
        caught = catch(self.rule.value)
        where, right, wrong = two_sides(caught.tells)
        told = say("believe.caught", rule=rule, count=len(caught.least.ops), op=op_text(caught.tells.op), where=where)
        verdict = self._verdict(caught.tells.what)
        lines = [
            say("believe.first", number=caught.number, position=caught.at.number, op=op_text(caught.at.op)),
            "",
            say("believe.least"),
            *(f"  {line}" for line in layers_text(caught.least).splitlines()),
            *(f"  {number}. {op_text(operation)}" for number, operation in enumerate(caught.least.ops, start=1)),
            "",
            say("believe.looked", where=where),
            f"  {say('believe.column.kernel')}: {right}",
            f"  {say('believe.wrong_says')}: {wrong}",
            "",
            say("believe.confirmed" if caught.kernel.equal and caught.noticed else "believe.not_confirmed"),
        ]
        return card("caught", f"{verdict} {told}".strip(), "\n".join([*([verdict, ""] if verdict else []), *lines]))

    def _verdict(self, what: str) -> str:
        """What is to be said about the prediction; nothing where there was none."""
        if not self.guess:
            return ""
        return say(
            "believe.guessed" if self.guess == what else "believe.missed", guess=say(f"believe.look.{self.guess}")
        )
