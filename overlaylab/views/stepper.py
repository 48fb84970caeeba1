"""Go up a chain of layers step by step."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from ..digest import DiffID
from .chain import step_picture
from .panel import Panel
from .picture import Picture
from ..words import say

__all__ = ["ChainStepper"]


class ChainStepper(Panel):
    """Choose a layer; see the text that is hashed for it, and the chain so far.

    Args:
        diff_ids: Bottom layer first.
        layer: The layer to begin at, counted from 1.
    """

    def __init__(self, diff_ids: Sequence[DiffID], layer: int = 1) -> None:
        self.diff_ids = tuple(diff_ids)
        self.layer = ipywidgets.BoundedIntText(
            value=layer, min=1, max=len(self.diff_ids), description=say("stepper.layer")
        )
        self.layer.layout.width = "130px"
        self.layer.style.description_width = "50px"
        self.back = ipywidgets.Button(description=say("stepper.back"))
        self.next = ipywidgets.Button(description=say("stepper.next"))
        self.layer.observe(self.redraw, "value")
        self.back.on_click(lambda _: self._move(-1))
        self.next.on_click(lambda _: self._move(1))
        super().__init__([self.back, self.next, self.layer])

    def _move(self, by: int) -> None:
        self.layer.value = max(1, min(len(self.diff_ids), self.layer.value + by))

    def show(self) -> Picture:
        return step_picture(self.diff_ids, self.layer.value)
