"""A prediction that is committed before the look: choices as buttons, and at once the word about a slip."""

from __future__ import annotations

import ipywidgets

from ..exercises import check
from ..views.believe_widgets import card
from ..views.panel import Panel
from ..views.picture import Picture
from ..words import say

__all__ = ["Prediction"]


class Prediction(Panel):
    """A question with choices. The first answer counts, and is kept; then it says whether it was right, or which slip it was.

    Args:
        name: Of the exercise; its choices stand in the table of words.
    """

    def __init__(self, name: str) -> None:
        self.name, self.answer = name, ""
        letters = say(f"exercise.{name}.letters")
        self.buttons = {letter: ipywidgets.Button(description=letter, layout=ipywidgets.Layout(width="4em")) for letter in letters}
        for letter, button in self.buttons.items():
            button.tooltip = say(f"exercise.{name}.choice.{letter}")
            button.on_click(lambda _, letter=letter: self._commit(letter))
        self.again = ipywidgets.Button(description=say("believe.again"), disabled=True, layout=ipywidgets.Layout(width="auto"))
        self.again.on_click(lambda _: self._commit(""))
        super().__init__([*self.buttons.values(), self.again])

    def _commit(self, letter: str) -> None:
        self.answer = letter
        for button in self.buttons.values():
            button.disabled = bool(letter)
        self.again.disabled = not letter
        self.redraw()

    def show(self) -> Picture:
        """The question with its choices, and after a choice what is to be said about it."""
        question = say(f"exercise.{self.name}.question")
        lines = [question, *(f"  {letter}  {say(f'exercise.{self.name}.choice.{letter}')}" for letter in self.buttons)]
        if not self.answer:
            return card("prediction", f"{question} {say('believe.choose')}", "\n".join(lines))
        feedback = check(self.name, self.answer)
        sentence = say("believe.chosen", answer=self.answer, feedback=feedback)
        return card("prediction", sentence, "\n".join([*lines, "", sentence]), "merged" if feedback.verdict == "right" else "whiteout")
