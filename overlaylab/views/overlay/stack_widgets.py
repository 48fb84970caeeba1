"""Widgets over an overlay: look a path up, reorder the lower directories, go through an image's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from overlaylab.errors import Finding
from overlaylab.image.image import Image
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory
from overlaylab.views.kit.panel import Panel, button, checkbox, combobox, number_field, step_button
from overlaylab.views.kit.picture import Picture, new_graph
from overlaylab.words import printable, say

from .pictures import layer_picture, lookup_picture, stack_picture
from .provenance import build_step_text, layer_names, paths_of
from .text import outcome

# The most paths that the field suggests; all others can be typed.
SUGGESTED = 3000


class LookupTrace(Panel):
    """Type a path, or choose a suggested one; see what each layer says about it.

    Args:
        names: Of its layers, in the order of the mount options: lowers topmost first, then the upper.
        path: To begin with; the first one of the stack if it is empty.
    """

    def __init__(self, overlay: Overlay, names: Sequence[str] = (), path: str = "") -> None:
        self.overlay, self.names = overlay, tuple(names)
        paths = paths_of(overlay)[:SUGGESTED]
        # A path that cannot be printed cannot be typed.
        options, first = [each for each in paths if printable(each) == each], path or next(iter(paths), "")
        self.path = combobox(say("lookup.path"), say("lookup.hint"), options, first, "34em")
        self.path.observe(self.redraw, "value")
        super().__init__([self.path])

    def show(self) -> Picture:
        """The lookup of the path in the field; an empty field is the root."""
        path = self.path.value.strip() or "."
        try:
            return lookup_picture(self.overlay, self.overlay.lookup(path).path, self.names)
        except Finding:
            return _sentence_picture(say("lookup.outside", path=printable(path)))


def _sentence_picture(sentence: str) -> Picture:
    """A sentence in place of a picture."""
    graph = new_graph("said")
    graph.node("said", sentence.replace("\\", "\\\\"), shape="none", style="")
    return Picture(graph.source, sentence, sentence)


class LowerdirOrder(Panel):
    """Move lower directories up and down; see the mount command change, and who wins.

    Args:
        folders: Name -> layer.
        lowers: The names of the lower directories, **topmost first**.
        upper: The name of the upper directory; empty for none.
        path: A path that several of them have.
    """

    def __init__(
        self,
        folders: Mapping[str, Directory],
        lowers: Sequence[str],
        upper: str = "",
        path: str = "",
        target: str = "/mnt/tmp",
    ) -> None:
        self.directories, self.lowers = dict(folders), list(lowers)
        self.upper, self.wanted, self.target = upper, path, target
        self.buttons = {name: button(say("order.up", name=name), partial(self._up, name)) for name in lowers}
        self.with_upper = checkbox(say("order.upper", name=upper), bool(upper))
        self.with_upper.observe(self.redraw, "value")
        super().__init__([*self.buttons.values(), *([self.with_upper] if upper else [])])

    def _up(self, name: str, _: object) -> None:
        """Move a lower directory up by one; the topmost stays."""
        place = self.lowers.index(name)
        if place:
            self.lowers.insert(place - 1, self.lowers.pop(place))
        self.redraw()

    @property
    def options(self) -> MountOptions:
        """The present order as mount options."""
        lowers = tuple(self.lowers)
        if not self.with_upper.value:
            return MountOptions(lowerdirs=lowers)
        return MountOptions(lowerdirs=lowers, upperdir=self.upper, workdir="work")

    def show(self) -> Picture:
        """The stack in the present order, with the mount command."""
        upper = self.directories[self.upper] if self.with_upper.value else None
        overlay = Overlay(lowerdirs=[self.directories[name] for name in self.lowers], upperdir=upper)
        names = (*self.lowers, *([self.upper] if self.with_upper.value else []))
        picture = stack_picture(overlay, names, self.target, self.wanted)
        command = self.options.command(self.target)
        won = outcome(overlay, self.wanted, names) if self.wanted else ""
        alt = f"{command}: {won}" if won else command
        return Picture(picture.dot, alt, f"{command}\n\n{picture.text}\n{won}".rstrip())


class LayerPicker(Panel):
    """Go through the layers of an image; see what each adds and deletes, and what of it layers above hide.

    Args:
        image: Gives the layers' build steps.
        layer: To begin with, counted from 1, the base.
    """

    def __init__(self, overlay: Overlay, image: Image, layer: int = 1) -> None:
        self.overlay, self.image = overlay, image
        self.names = layer_names(image)
        self.layer = number_field(say("picker.layer"), layer, most=len(image.layers), width="8em")
        self.layer.observe(self.redraw, "value")
        self.down = step_button(say("picker.down"), self.layer, -1)
        self.up = step_button(say("picker.up"), self.layer, 1)
        super().__init__([self.layer, self.down, self.up])

    def show(self) -> Picture:
        """The chosen layer."""
        layer = self.image.layers[self.layer.value - 1]
        step = build_step_text(printable(layer.history.created_by), 80) if layer.history else ""
        return layer_picture(self.overlay, layer.position, self.names, step)
