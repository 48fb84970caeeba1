"""A widget as a thin shell: labelled controls, and a view that a pure function makes from their values.

What is stored in a notebook is the same view without the controls, so a page
that runs no widgets still teaches, and nbval compares it.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from overlaylab.words import say

from .palette import INK
from .picture import CARD, Picture

__all__ = ["MARK", "Panel", "Pick", "focus_style", "suggesting"]

# The class of everything of ours that has controls.
MARK = "overlaylab"

# JupyterLab's own ring is thin and pale. The colour of its text stands out in each theme.
RING = f".{MARK} :is(button,input,figure,pre,a):focus-visible{{outline:3px solid var(--jp-ui-font-color0,{INK})!important;outline-offset:-1px}}"

STYLE = {"description_width": "initial"}


def focus_style() -> ipywidgets.HTML:
    """A part without content, which makes the focus seen in what has the class `MARK`."""
    return ipywidgets.HTML(f"<style>{RING}</style>", layout=ipywidgets.Layout(display="none"))


class Pick(ipywidgets.HBox):
    """Choose one of a few things: a field for its number, and the thing in words beside it.

    Args:
        description: The field's label.
        options: What can be chosen: words and value.
        value: What is chosen to begin with; the first if it is left out.
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
        return self.number.description

    def offer(self, options: Sequence[tuple[str, Any]], value: Any = None) -> None:
        """Put other things to choose in the place of the present ones."""
        self.options = tuple(options)
        self.number.disabled = len(self.options) < 2
        values = [each for _, each in self.options]
        self.value = value if value in values else next(iter(values), None)
        self._show()

    def step(self, by: int) -> None:
        """Go on or back; it stops at the ends."""
        self._take(max(1, min(len(self.options), self.number.value + by)))

    def _take(self, number: int) -> None:
        if number <= len(self.options):
            self.value = self.options[number - 1][1]

    def _show(self) -> None:
        """Let the field and the words say what is chosen."""
        place = next((number for number, (_, each) in enumerate(self.options, 1) if each == self.value), 1)
        self.number.max = max(1, len(self.options))
        self.number.value = place
        chosen = (
            say("pick.chosen", count=len(self.options), choice=self.options[place - 1][0])
            if self.options
            else say("pick.nothing")
        )
        self.words.value = f'<span role="status">{html.escape(chosen)}</span>'


def suggesting(description: str, hint: str, options: Sequence[str], value: str, width: str) -> ipywidgets.Combobox:
    """A field to type in, which offers names that begin or go on like what is typed; any other text is taken, too."""
    layout = ipywidgets.Layout(width=width, max_width="100%")
    return ipywidgets.Combobox(
        description=description, placeholder=hint, options=tuple(options), value=value, style=STYLE, layout=layout
    )


# Pixels: a wider drawing shrinks to this, and no further.
LEAST = 760


class Panel(ipywidgets.VBox):
    """Controls above a view.

    A subclass makes its controls, passes them to ``super().__init__(controls)``,
    and gives `show`, which makes the view from the controls' values. It calls
    `redraw` whenever one of them changes; nothing is printed.

    Args:
        controls: Widgets, in the order of the Tab key.
    """

    def __init__(self, controls: list[ipywidgets.Widget]) -> None:
        self.view, self.twin = ipywidgets.HTML(), ipywidgets.HTML()
        row = ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"))
        # Parts of their own, so that the text stays open while the picture changes.
        self.fold = ipywidgets.Button(layout=ipywidgets.Layout(width="auto"))
        self.fold.on_click(lambda _: self._unfold(self.twin.layout.display == "none"))
        super().__init__([row, self.view, self.fold, self.twin, focus_style()])
        self.add_class(MARK)
        self.redraw()
        self._unfold(not self.picture.svg())

    def show(self) -> Picture:
        """The view for the present values of the controls."""
        raise NotImplementedError

    def redraw(self, *_: Any) -> None:
        """Make the view again; safe as an observer of any control."""
        self.picture = self.show()
        self.view.value = self._live()
        self.twin.value = f"<pre>{html.escape(self.picture.text)}</pre>"

    def _unfold(self, is_open: bool) -> None:
        """Show the text twin, or hide it."""
        self.twin.layout.display = None if is_open else "none"
        self.fold.description = say("picture.fold" if is_open else "picture.unfold")

    def _live(self) -> str:
        """The view inside a running notebook: the drawing, and its sentence, which screen readers say when it changes."""
        alt = html.escape(self.picture.alt)
        figure = drawing(self.picture.svg(), alt)
        # As wide as the window and not as the picture, so that the sentence wraps and the picture scrolls by itself.
        return f'<div style="width:0;min-width:100%">{figure}<p role="status" aria-live="polite">{alt}</p></div>'

    def __repr__(self) -> str:
        """At most 110 characters, because ipywidgets cuts there; the digest stands for the rest."""
        mark = hashlib.sha256(self.picture.html().encode("utf-8")).hexdigest()[:8]
        return f"{type(self).__name__}({self.picture.alt[:80]!r}, {mark})"[:110]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(include=include, exclude=exclude, **options) or {}
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
        data = {**data, "text/plain": repr(self), "text/html": self.picture.html()}
        return (data, *rest) if rest else data


def drawing(svg: str | None, alt: str) -> str:
    """The drawing as a part of the page; it shrinks in a narrow one as far as it can be read, and then scrolls, also by keyboard."""
    if not svg:
        return ""
    width = float(svg.partition('width="')[2].partition('"')[0])
    svg = svg.replace(
        "<svg ", f'<svg style="max-width:100%;min-width:{min(width, LEAST):.0f}px;height:auto;vertical-align:top" ', 1
    )
    style = f"margin:4px 0;overflow-x:auto;width:fit-content;{CARD}"
    scrolls = ' tabindex="0"' if width > LEAST else ""
    return f'<figure role="img" aria-label="{alt}"{scrolls} style="{style}">{svg}</figure>'
