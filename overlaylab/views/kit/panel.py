"""Widgets are thin: labelled controls, and a view that a pure function makes from their values.

A notebook stores the same view without the controls, so a page that runs no widgets still teaches, and nbval compares
it. ipywidgets has no type hints: what this module makes is the only place where the other views touch its layouts.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import traitlets

from overlaylab.words import say

from .palette import INK
from .picture import CARD, Picture

# The CSS class of every widget of ours that has controls.
CSS_CLASS = "overlaylab"

# JupyterLab's own focus ring is thin and pale; the theme's text colour stands out in every theme.
RING = (
    f".{CSS_CLASS} :is(button,input,figure,pre,a):focus-visible"
    f"{{outline:3px solid var(--jp-ui-font-color0,{INK})!important;outline-offset:-1px}}"
)

STYLE = {"description_width": "initial"}


def focus_style() -> ipywidgets.HTML:
    """An invisible widget that draws a clear focus ring in widgets of the class `CSS_CLASS`."""
    return ipywidgets.HTML(f"<style>{RING}</style>", layout=ipywidgets.Layout(display="none"))


def button(text: str, action: Callable[[Any], object] | None = None) -> ipywidgets.Button:
    """A button as wide as its text; `action` is called with it when it is pressed."""
    made = ipywidgets.Button(description=text, layout=ipywidgets.Layout(width="auto"))
    if action is not None:
        made.on_click(action)
    return made


def number_field(
    label: str, value: int = 1, *, least: int = 1, most: int = 1, width: str = "9em"
) -> ipywidgets.BoundedIntText:
    """A field for a whole number from `least` to `most`."""
    layout = ipywidgets.Layout(width=width)
    return ipywidgets.BoundedIntText(description=label, value=value, min=least, max=most, style=STYLE, layout=layout)


def step_button(text: str, field: ipywidgets.BoundedIntText, by: int) -> ipywidgets.Button:
    """A button that adds `by` to a number field, which stops at its least and its most."""

    def step(_: object) -> None:
        field.value = max(field.min, min(field.max, field.value + by))

    return button(text, step)


def text_field(label: str, hint: str, *, value: str = "", width: str, every_key: bool = False) -> ipywidgets.Text:
    """A field for one line of text.

    Args:
        hint: What is shown while it is empty.
        width: As CSS has it; the field shrinks in a narrow page.
        every_key: Whether each key sends the text, or only Enter and leaving the field.
    """
    layout = ipywidgets.Layout(width=width, max_width="100%")
    return ipywidgets.Text(
        description=label, placeholder=hint, value=value, continuous_update=every_key, style=STYLE, layout=layout
    )


def checkbox(label: str, value: bool = False, **layout: str) -> ipywidgets.Checkbox:
    """A box to tick, as wide as its label; `layout` takes more settings, as CSS has them."""
    wide = ipywidgets.Layout(width="auto", **layout)
    return ipywidgets.Checkbox(value=value, description=label, indent=False, layout=wide)


def on_enter(field: ipywidgets.Text, entered: Callable[[], object], later: Callable[[], object], pause: float) -> None:
    """Notice Enter in a text field, of which the browser sends the text some time before or after.

    Args:
        entered: Called at once.
        later: Called after the pause, when the text has surely come.
        pause: Seconds.
    """

    def noticed(_: object, content: dict[str, Any], __: object) -> None:
        if content.get("event") != "submit":
            return
        entered()
        try:
            asyncio.get_running_loop().call_later(pause, later)
        except RuntimeError:  # No event loop: nothing can come later.
            later()

    field.on_msg(noticed)


def combobox(label: str, hint: str, options: Sequence[str], value: str, width: str) -> ipywidgets.Combobox:
    """A text field that suggests options that match what is typed; other text is accepted, too."""
    layout = ipywidgets.Layout(width=width, max_width="100%")
    return ipywidgets.Combobox(
        description=label, placeholder=hint, options=tuple(options), value=value, style=STYLE, layout=layout
    )


def control_row(*controls: ipywidgets.Widget) -> ipywidgets.HBox:
    """Controls side by side; they wrap where the page is narrow."""
    return ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%"))


def with_stored(live: Any, stored: dict[str, str]) -> Any:
    """A widget's MIME bundle, with what a page shows where no kernel runs.

    Args:
        live: What ipywidgets gives: data, or data and metadata.
        stored: MIME type -> content, put in place of ipywidgets' own.
    """
    data, *metadata = live if isinstance(live, tuple) else (live or {},)
    data = {**data, **stored}
    return (data, *metadata) if metadata else data


class Pick(ipywidgets.HBox):
    """Choose one of a few options: a field for the option's number, and the option in words beside it.

    Args:
        options: What can be chosen: words and value, in order.
        value: The choice to begin with; the first option if it is left out.
    """

    value = traitlets.Any(None, allow_none=True)

    def __init__(self, description: str, options: Sequence[tuple[str, Any]] = (), value: Any = None) -> None:
        self.options: tuple[tuple[str, Any], ...] = ()
        self.number = ipywidgets.BoundedIntText(
            description=description, min=1, max=1, style=STYLE, layout=ipywidgets.Layout(width="auto", max_width="14em")
        )
        self.words = ipywidgets.HTML()
        super().__init__(
            [self.number, self.words],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", max_width="100%"),
        )
        self.offer(options, value)
        self.number.observe(lambda change: self._take(change["new"]), "value")
        self.observe(lambda _: self._show(), "value")

    @property
    def description(self) -> str:
        """The label of the field."""
        return str(self.number.description)

    def offer(self, options: Sequence[tuple[str, Any]], value: Any = None) -> None:
        """Replace the options."""
        self.options = tuple(options)
        self.number.disabled = len(self.options) < 2
        values = [each for _, each in self.options]
        self.value = value if value in values else next(iter(values), None)
        self._show()

    def step(self, by: int) -> None:
        """Move by so many options; it stops at the first and the last."""
        self._take(max(1, min(len(self.options), self.number.value + by)))

    def _take(self, number: int) -> None:
        if number <= len(self.options):
            self.value = self.options[number - 1][1]

    def _show(self) -> None:
        """Make the field and the words show the choice."""
        place = next((number for number, (_, each) in enumerate(self.options, 1) if each == self.value), 1)
        self.number.max = max(1, len(self.options))
        self.number.value = place
        chosen = (
            say("pick.chosen", count=len(self.options), choice=self.options[place - 1][0])
            if self.options
            else say("pick.nothing")
        )
        self.words.value = f'<span role="status">{html.escape(chosen)}</span>'


# A wider drawing shrinks to so many pixels, and no further.
NARROWEST = 760


class Panel(ipywidgets.VBox):
    """Controls above a view.

    A subclass makes its controls, passes them to ``super().__init__(controls)``, and implements `show`, which makes
    the view from the controls' values. It calls `redraw` whenever one of them changes; nothing is printed.

    Args:
        controls: Widgets, in Tab order.
    """

    children: tuple[ipywidgets.Widget, ...]

    def __init__(self, controls: list[ipywidgets.Widget]) -> None:
        self.view, self.twin = ipywidgets.HTML(), ipywidgets.HTML()
        top = ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"))
        # Widgets of their own, so that the text stays unfolded while the picture changes.
        self.fold = button("", lambda _: self._unfold(self.twin.layout.display == "none"))
        super().__init__([top, self.view, self.fold, self.twin, focus_style()])
        self.add_class(CSS_CLASS)
        self.redraw()
        self._unfold(not self.picture.svg())

    def show(self) -> Picture:
        """The view for the present values of the controls."""
        raise NotImplementedError

    def redraw(self, *_: Any) -> None:
        """Draw the view again; fits as an observer of any control."""
        self.picture = self.show()
        self.view.value = self._live()
        self.twin.value = f"<pre>{html.escape(self.picture.text)}</pre>"

    def _unfold(self, is_open: bool) -> None:
        """Show the text twin, or hide it."""
        self.twin.layout.display = None if is_open else "none"
        self.fold.description = say("picture.fold" if is_open else "picture.unfold")

    def _live(self) -> str:
        """The view in a running notebook: the drawing, and a sentence that screen readers announce when it changes."""
        alt = html.escape(self.picture.alt)
        figure = drawing(self.picture.svg(), alt)
        # As wide as the page, not as the picture: the sentence wraps, and the picture scrolls by itself.
        return f'<div style="width:0;min-width:100%">{figure}<p role="status" aria-live="polite">{alt}</p></div>'

    def __repr__(self) -> str:
        """At most 110 characters, where ipywidgets cuts; a digest stands for the rest, so that nbval compares all."""
        mark = hashlib.sha256(self.picture.html().encode("utf-8")).hexdigest()[:8]
        return f"{type(self).__name__}({self.picture.alt[:80]!r}, {mark})"[:110]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> Any:
        live = super()._repr_mimebundle_(include=include, exclude=exclude, **options)
        return with_stored(live, {"text/plain": repr(self), "text/html": self.picture.html()})


def drawing(svg: str | None, alt: str) -> str:
    """The drawing in a page: it shrinks as far as it stays readable, and then scrolls, with the keyboard, too."""
    if not svg:
        return ""
    width = float(svg.partition('width="')[2].partition('"')[0])
    shrinks = f"max-width:100%;min-width:{min(width, NARROWEST):.0f}px;height:auto;vertical-align:top"
    svg = svg.replace("<svg ", f'<svg style="{shrinks}" ', 1)
    style = f"margin:4px 0;overflow-x:auto;width:fit-content;{CARD}"
    scrolls = ' tabindex="0"' if width > NARROWEST else ""
    return f'<figure role="img" aria-label="{alt}"{scrolls} style="{style}">{svg}</figure>'
