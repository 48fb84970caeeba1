"""A widget that breaks a rule of the model, and shows which observation reveals it; and text on a card."""

from __future__ import annotations

from functools import partial

from overlaylab.kernel.proof import catch
from overlaylab.linux.proof.mutants import BROKEN
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.panel import Panel, Pick, button
from overlaylab.views.kit.picture import Picture, new_graph
from overlaylab.words import say

from .proof import layers_text, op_text, two_sides

# The most characters in a line of a card.
WIDEST = 84

# What can reveal a broken rule: a result, the merged view, or the upper on disk.
LOOKS = ("answer", "merged", "upper")


def card(name: str, alt: str, text: str, look: str = "plain") -> Picture:
    """Text on a card, its lines aligned to the left."""
    lines = [piece for line in text.splitlines() for piece in _wrapped(line)]
    label = "".join(line.replace("\\", "\\\\") + "\\l" for line in lines)
    style = PALETTE[look]
    graph = new_graph(name)
    border = {"color": style.line, "style": "filled,rounded", "penwidth": str(style.width)}
    graph.node("card", label, fontname=MONO, fillcolor=style.fill, **border)
    return Picture(graph.source, alt, text)


def _wrapped(line: str) -> list[str]:
    """A line wrapped to the card's width; continuation lines are indented by two more."""
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
    """Choose a rule and break it; predict what reveals it; see which experiment notices, and the shortest that does.

    Args:
        name: The rule to begin with, one of ``ol.BROKEN``; its result is shown at once.
    """

    def __init__(self, name: str = "whiteout") -> None:
        self.rule = Pick(say("believe.break"), [(say(f"believe.rule.{key}"), key) for key in BROKEN], name)
        self.guess, self.shown = "", True
        self.looks = {look: button(say(f"believe.look.{look}"), partial(self._guessed, look)) for look in LOOKS}
        for look in self.looks.values():
            look.disabled = True
        self.rule.observe(lambda _: self._turn("", False), "value")
        super().__init__([self.rule, *self.looks.values()])

    def _guessed(self, look: str, _: object) -> None:
        self._turn(look, True)

    def _turn(self, guess: str, shown: bool) -> None:
        """Show the result, or hide it until the learner has made a prediction."""
        self.guess, self.shown = guess, shown
        for look in self.looks.values():
            look.disabled = shown
        self.redraw()

    def show(self) -> Picture:
        """What reveals that the chosen rule is broken; before a prediction, the question."""
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
        """The words about the prediction; empty without one."""
        if not self.guess:
            return ""
        key = "believe.guessed" if self.guess == what else "believe.missed"
        return say(key, guess=say(f"believe.look.{self.guess}"))
