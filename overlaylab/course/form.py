"""A form to answer with: choices to tick or a field, a button that checks, a button that gives a hint; the keyboard is enough."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from overlaylab.course import notes
from overlaylab.views.kit.panel import CSS_CLASS, focus_style
from overlaylab.words import say

from .exercises import Feedback, check, choices, find_exercise, hint, letters

__all__ = ["Ballot", "Choices", "Form", "predict"]


class Card(ipywidgets.VBox):
    """A question, controls, and a line that says what happened.

    Args:
        name: Of the exercise.
        controls: The widgets that take the answer.
        buttons: Below them, in the order of the Tab key.
    """

    def __init__(self, name: str, controls: list[ipywidgets.Widget], buttons: list[ipywidgets.Widget]) -> None:
        self.name = name
        self.said = ipywidgets.HTML()
        question = ipywidgets.HTML(f"<p>{html.escape(say(f'exercise.{name}.question'))}</p>")
        super().__init__(
            [
                question,
                *controls,
                ipywidgets.HBox(buttons, layout=ipywidgets.Layout(flex_flow="row wrap")),
                self.said,
                focus_style(),
            ]
        )
        self.add_class(CSS_CLASS)
        self.tell("")

    def tell(self, inner: str) -> None:
        """Show some HTML where a screen reader says it at once."""
        self.said.value = f'<div role="status" aria-live="polite">{inner}</div>'

    def bundle(self, stored: dict[str, str]) -> Any:
        """What a notebook shows: the live form, and what is stored for a page that runs none."""
        live = super()._repr_mimebundle_() or {}
        data, *rest = live if isinstance(live, tuple) else (live,)
        data = {**data, **stored}
        return (data, *rest) if rest else data


class Choices(ipywidgets.VBox):
    """Boxes to tick, one each choice. Round buttons would need the arrow keys, which JupyterLab takes for itself.

    Args:
        offered: Letter -> words.
        many: Whether several may be ticked; else a tick takes back the one before.
    """

    def __init__(self, offered: dict[str, str], many: bool = False) -> None:
        wide = {"width": "auto", "max_width": "100%"}
        self.boxes = {
            letter: ipywidgets.Checkbox(description=f"{letter}  {text}", indent=False, layout=wide)
            for letter, text in offered.items()
        }
        if not many:
            for letter, box in self.boxes.items():
                box.observe(lambda change, letter=letter: change["new"] and self._only(letter), "value")
        super().__init__([ipywidgets.HTML(html.escape(say("form.many" if many else "form.one"))), *self.boxes.values()])

    def _only(self, letter: str) -> None:
        for other, box in self.boxes.items():
            box.value = other == letter

    @property
    def value(self) -> str:
        """The letters that are ticked; empty for none."""
        return "".join(letter for letter, box in self.boxes.items() if box.value)

    @value.setter
    def value(self, chosen: str) -> None:
        for letter, box in self.boxes.items():
            box.value = letter in chosen


class Form(Card):
    """Answer an exercise here instead of in code.

    Args:
        name: Of the exercise.
    """

    def __init__(self, name: str) -> None:
        offered = choices(name)
        self.choice = Choices(offered, find_exercise(name).read is letters) if offered else None
        self.field = (
            None
            if offered
            else ipywidgets.Text(
                description=say("form.answer"), layout=ipywidgets.Layout(width="40em", max_width="100%")
            )
        )
        self.checks, self.hints = _button("form.check"), _button("form.hint")
        super().__init__(name, [self.choice or self.field], [self.checks, self.hints])
        self.checks.on_click(lambda _: self._check())
        self.hints.on_click(lambda _: self.tell(hint(name).html()))

    @property
    def answer(self) -> str:
        """What is answered at the moment, as text; empty for nothing."""
        return (self.choice or self.field).value

    def _check(self) -> None:
        feedback = check(self.name, self.answer)
        if feedback.verdict == "open":
            return self.tell(f"<p>{html.escape(say('form.empty'))}</p>")
        code = html.escape(say("form.code", answer=self.answer if self.answer.isdecimal() else repr(self.answer)))
        self.tell(feedback.html() + (f"<p>{code}</p>" if feedback.verdict == "right" else ""))


class Ballot(Card):
    """Choose what you expect, before you look.

    Args:
        name: Of the prediction.
    """

    def __init__(self, name: str) -> None:
        self.choice, self.keep = Choices(choices(name)), _button("predict.keep")
        super().__init__(name, [self.choice], [self.keep])
        if (before := notes.kept(name)) in choices(name):
            self.choice.value = before
            self._told()
        self.keep.on_click(lambda _: self._keep())

    def _keep(self) -> None:
        if self.choice.value:
            notes.choose(self.name, self.choice.value)
            return self._told()
        self.tell(f"<p>{html.escape(say('form.empty'))}</p>")

    def _told(self) -> None:
        self.tell(f"<p>{html.escape(say('predict.kept', letter=self.choice.value))}</p>")

    def __repr__(self) -> str:
        lines = [
            say(f"exercise.{self.name}.question"),
            *(f"  {letter}  {text}" for letter, text in choices(self.name).items()),
        ]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> Any:
        question = html.escape(say(f"exercise.{self.name}.question"))
        offered = "<br>".join(f"<b>{letter}</b>  {html.escape(text)}" for letter, text in choices(self.name).items())
        return self.bundle({"text/plain": repr(self), "text/html": f"<p><b>{question}</b></p><p>{offered}</p>"})


def predict(name: str, choice: str | None = None) -> Any:
    """Ask what is expected, and keep the choice until the experiment has been looked at.

    Args:
        name: Of the prediction.
        choice: A letter, to choose without the form.

    Returns:
        A form; with a choice a sentence that says what was kept.

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


def _button(key: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=say(key), layout=ipywidgets.Layout(width="auto"))
