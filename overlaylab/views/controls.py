"""Controls that work by keyboard inside a notebook, with a focus that is seen.

Outside a field that can be typed into, JupyterLab takes the arrow keys and plain
letters for itself: in a list that folds out, or among round buttons, an arrow
would lead to the next cell. So the kit has buttons, boxes to tick, and fields.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from .palette import INK
from ..words import say

__all__ = ["MARK", "Pick", "focus_style", "suggesting"]

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
