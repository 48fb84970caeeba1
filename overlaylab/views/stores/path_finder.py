"""The path finder: a widget that walks from a name through Docker's data root to a layer's directory."""

from __future__ import annotations

from typing import Any

from overlaylab.errors import KINDS, InputError
from overlaylab.image.image import Image
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.docker.walk import follow
from overlaylab.stores.selection import select
from overlaylab.views.kit.panel import Panel, combobox, number_field, step_button
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import Sheet
from overlaylab.words import printable, say

from .docker_walk import walk_picture


class PathFinder(Panel):
    """Name an image and a layer; see the whole walk to its directory, and what is read at each step.

    Args:
        query: The image to begin with; the first that has a name if it is empty.
    """

    def __init__(self, store: DockerRoot, query: str = "") -> None:
        self.store = store
        names = sorted(
            {name for image in store.images() if image.layers for name in image.names if printable(name) == name}
        )
        first = query or next(iter(names), "")
        self.query = combobox(say("finder.query"), say("finder.query_hint"), names, first, "24em")
        self.layer = number_field(say("finder.layer"), width="8em")
        self.down = step_button(say("finder.down"), self.layer, -1)
        self.up = step_button(say("finder.up"), self.layer, 1)
        self._to_top()
        super().__init__([self.query, self.layer, self.down, self.up])
        self.query.observe(self._typed, "value")
        self.layer.observe(self.redraw, "value")

    @property
    def wanted(self) -> str:
        """The name or ID to look for."""
        return str(self.query.value).strip()

    def _typed(self, _: Any) -> None:
        self._to_top()
        self.redraw()

    def _to_top(self) -> None:
        """Choose the image's topmost layer, and let the field count to it."""
        try:
            found = select(self.store, self.wanted)
        except InputError:
            return
        count = len(found.layers) if isinstance(found, Image) else 1
        self.layer.max = max(1, count)
        self.layer.value = self.layer.max

    def show(self) -> Picture:
        """The walk, or the reason why there is none."""
        try:
            return walk_picture(follow(self.store, self.wanted, self.layer.value - 1))
        except InputError as finding:
            return _no_walk(finding)


def _no_walk(finding: InputError) -> Picture:
    """A card with the reason in plain words."""
    problem = finding.problem
    alt = say("walk.none", why=KINDS[problem.kind][1])
    found = f"\n{printable(problem.where)}: {printable(problem.found)}" if problem.found else ""
    sheet = Sheet("none")
    sheet.box(0, 0, 12 + 8 * len(alt), 40, "", "whiteout", title=alt)
    sheet.text(12, 10, alt, width=8 * len(alt))
    return Picture(sheet.dot, alt, alt + found)
