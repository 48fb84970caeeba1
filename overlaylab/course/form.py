"""Forms to answer exercises and predictions in: choices to tick or a text field, and buttons."""

from __future__ import annotations

import html
from functools import partial
from typing import Any

import ipywidgets

from overlaylab.course import notes
from overlaylab.views.kit.panel import CSS_CLASS, button, checkbox, focus_style, with_stored
from overlaylab.words import say

from .answers import letters
from .exercises import Feedback, check, choices, find_exercise, hint


class Card(ipywidgets.VBox):
    """A question, controls that take the answer, buttons below them, and a line for messages."""

    def __init__(self, name: str, controls: list[ipywidgets.Widget], buttons: list[ipywidgets.Widget]) -> None:
        self.name = name
        self.said = ipywidgets.HTML()
        question = ipywidgets.HTML(f"<p>{html.escape(say(f'exercise.{name}.question'))}</p>")
        below = ipywidgets.HBox(buttons, layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([question, *controls, below, self.said, focus_style()])
        self.add_class(CSS_CLASS)
        self.tell("")

    def tell(self, inner: str) -> None:
        """Show a message, in HTML, where a screen reader announces it at once."""
        self.said.value = f'<div role="status" aria-live="polite">{inner}</div>'

    def bundle(self, stored: dict[str, str]) -> Any:
        """The form's MIME bundle, with what a page shows where no kernel runs."""
        return with_stored(super()._repr_mimebundle_(), stored)


class Choices(ipywidgets.VBox):
    """Boxes to tick, one for each choice. Radio buttons would need the arrow keys, which JupyterLab takes for itself.

    Args:
        offered: Letter -> words.
        many: Whether several may be ticked; else a tick clears the others.
    """

    def __init__(self, offered: dict[str, str], many: bool = False) -> None:
        self.boxes = {letter: checkbox(f"{letter}  {text}", max_width="100%") for letter, text in offered.items()}
        if not many:
            for letter, box in self.boxes.items():
                box.observe(partial(self._ticked, letter), "value")
        super().__init__([ipywidgets.HTML(html.escape(say("form.many" if many else "form.one"))), *self.boxes.values()])

    def _ticked(self, letter: str, change: dict[str, Any]) -> None:
        """Keep one box ticked."""
        if change["new"]:
            self.value = letter

    @property
    def value(self) -> str:
        """The letters of the ticked boxes; empty for none."""
        return "".join(letter for letter, box in self.boxes.items() if box.value)

    @value.setter
    def value(self, chosen: str) -> None:
        for letter, box in self.boxes.items():
            box.value = letter in chosen


class Form(Card):
    """Answer an exercise here instead of in code."""

    def __init__(self, name: str) -> None:
        offered = choices(name)
        self.choice = Choices(offered, find_exercise(name).read is letters) if offered else None
        wide = ipywidgets.Layout(width="40em", max_width="100%")
        self.field: Any = None if offered else ipywidgets.Text(description=say("form.answer"), layout=wide)
        self.checks = button(say("form.check"), lambda _: self._check())
        self.hints = button(say("form.hint"), lambda _: self.tell(hint(name).html()))
        super().__init__(name, [self.choice or self.field], [self.checks, self.hints])

    @property
    def answer(self) -> str:
        """The present answer as text; empty for none."""
        return self.choice.value if self.choice is not None else str(self.field.value)

    def _check(self) -> None:
        feedback = check(self.name, self.answer)
        if feedback.verdict == "open":
            return self.tell(f"<p>{html.escape(say('form.empty'))}</p>")
        code = html.escape(say("form.code", answer=self.answer if self.answer.isdecimal() else repr(self.answer)))
        self.tell(feedback.html() + (f"<p>{code}</p>" if feedback.verdict == "right" else ""))


class Ballot(Card):
    """Choose what you expect before the experiment."""

    def __init__(self, name: str) -> None:
        self.choice, self.keep = Choices(choices(name)), button(say("predict.keep"), lambda _: self._keep())
        super().__init__(name, [self.choice], [self.keep])
        if (before := notes.kept(name)) in choices(name):
            self.choice.value = before
            self._confirm()

    def _keep(self) -> None:
        if self.choice.value:
            notes.choose(self.name, self.choice.value)
            return self._confirm()
        self.tell(f"<p>{html.escape(say('form.empty'))}</p>")

    def _confirm(self) -> None:
        self.tell(f"<p>{html.escape(say('predict.kept', letter=self.choice.value))}</p>")

    def __repr__(self) -> str:
        offered = (f"  {letter}  {text}" for letter, text in choices(self.name).items())
        return "\n".join([say(f"exercise.{self.name}.question"), *offered])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> Any:
        question = html.escape(say(f"exercise.{self.name}.question"))
        offered = "<br>".join(f"<b>{letter}</b>  {html.escape(text)}" for letter, text in choices(self.name).items())
        return self.bundle({"text/plain": repr(self), "text/html": f"<p><b>{question}</b></p><p>{offered}</p>"})


def predict(name: str, choice: str | None = None) -> Any:
    """Ask what the learner expects, and keep the choice until the experiment was looked at.

    Args:
        choice: A letter, to choose without a form.

    Returns:
        A form; with a choice a sentence that says which choice was kept.

    Raises:
        Finding: ``wrong-call`` if there is no such prediction.
    """
    find_exercise(name)
    if choice is None:
        return Ballot(name)
    letter = str(choice).strip().lower()
    if letter not in choices(name):
        return Feedback("open", "", say("predict.wrong", choices=", ".join(choices(name))))
    notes.choose(name, letter)
    return Feedback("hint", "", say("predict.kept", letter=letter))
