"""Widgets for the learner's image: choose where it comes from, browse its layers, tamper with a copy, keep a report."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from overlaylab.errors import InputError
from overlaylab.image.image import Container, Image
from overlaylab.stores.audit.learner_image import LIVE, UPLOAD, Own, live_stores, packed_again, upload_own
from overlaylab.stores.audit.learner_image import open_own as open_quietly
from overlaylab.stores.audit.tampering import CHECKS, Spot, spots, tamper
from overlaylab.stores.files.flipped import Flip
from overlaylab.stores.shipped_files import FOUR, shipped
from overlaylab.views.kit.panel import Panel, Pick
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.progress import Meter, cell_meter
from overlaylab.views.kit.sheet import Sheet
from overlaylab.views.kit.text import size_text
from overlaylab.words import printable, say

from .layers import browse_picture
from .overview import called, own_picture, refusal, sentence
from .report import OwnReport
from .tamper_lab import NOBODY, Lesson, spot_name

__all__ = ["LayerBrowser", "ReportKeeper", "SourceChooser", "TamperLab", "open_own"]


def open_own(path: str | Path = "", image: str = "") -> Own:
    """Open what the learner gives, read it whole, and say how far it has come; see `learner_image.open_own`.

    Args:
        path: An archive, a layout, a store's folder, or a packed one of these; ``~`` is the home folder. The shipped
            data root if it is empty.
        image: A name or an ID in it; a good first one if it is empty.

    Raises:
        NotReadable: It cannot be read, in one sentence.
        NoSuchImage: There is no such image in it.
    """
    with cell_meter(printable(str(path))[-60:]) as meter:
        own = open_quietly(path, image, meter)
        _ = own.report, own.stack
    return own


STYLE = {"description_width": "initial"}

# Seconds in which the text of a field comes after its Enter, also when the kernel is busy.
PAUSE = 0.3

# The shipped image that is packed again in memory.
PLAIN = "plain"


class SourceChooser(Panel):
    """Choose an image: by path, by upload, from a store of this machine, or a shipped one.

    `own` is what is open. What is chosen is read whole and every digest recomputed, in one stream.

    Args:
        path: To begin with; the shipped data root if it is empty.
        image: A name or an ID in it.
        live: Where to look for this machine's stores.
    """

    def __init__(self, path: str = "", image: str = "", live: Sequence[str] = LIVE) -> None:
        self.own: Own | None = None
        self.note, self._filling = "", False
        self.status = ipywidgets.HTML()
        self.meter = Meter(self.status)
        self._make_controls(live)
        self._try(path or "Docker", lambda: open_quietly(path, image, self.meter))
        if self.own is None:
            self._try("Docker", lambda: open_quietly(progress=self.meter), keep_note=True)
        super().__init__(
            [
                _row(self.path, self.button),
                _row(
                    self.upload,
                    ipywidgets.HTML(f"<small>{html.escape(say('chooser.limit', limit=UPLOAD // 1_000_000))}</small>"),
                ),
                _row(self.live, self.shipped),
                _row(self.image),
                self.status,
            ]
        )
        self._connect()

    def _make_controls(self, live: Sequence[str]) -> None:
        wide = ipywidgets.Layout(width="34em", max_width="100%")
        self.path = ipywidgets.Text(
            description=say("chooser.path"),
            placeholder=say("chooser.path_hint"),
            style=STYLE,
            layout=wide,
            continuous_update=False,
        )
        self.button = _button(say("chooser.open"))
        self.upload = ipywidgets.FileUpload(
            description=say("chooser.upload"), multiple=False, layout=ipywidgets.Layout(width="auto")
        )
        stores = live_stores(live)
        self.live = Pick(
            say("chooser.live"),
            [
                (say("chooser.live_some" if stores else "chooser.live_none"), ""),
                *((printable(store), store) for store in stores),
            ],
        )
        kept = [(say(f"chooser.shipped_{label}"), label) for label in (*FOUR, PLAIN)]
        self.shipped = Pick(say("chooser.shipped"), [(say("chooser.shipped_none"), ""), *kept])
        self.image = Pick(say("chooser.image"))

    def _connect(self) -> None:
        self.path.on_msg(self._entered)
        self.button.on_click(self._open)
        self.upload.observe(self._uploaded, "value")
        self.live.observe(
            lambda change: (
                change["new"] and self._then(change["new"], lambda: open_quietly(change["new"], progress=self.meter))
            ),
            "value",
        )
        self.shipped.observe(self._shipped, "value")
        self.image.observe(self._chosen, "value")

    # --- what was asked for

    def _entered(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Enter was pressed; the text comes a moment later, unless it has come before."""
        if content.get("event") != "submit":
            return
        try:
            asyncio.get_running_loop().call_later(PAUSE, self._open)
        except RuntimeError:
            self._open()

    def _open(self, _: Any = None) -> None:
        """Open what stands in the field."""
        path = self.path.value.strip()
        if not path:
            self.note = say("chooser.empty_path")
            self.redraw()
        else:
            self._then(path, lambda: open_quietly(path, progress=self.meter))

    def _uploaded(self, change: dict[str, Any]) -> None:
        """A file came; it is let go at once, so that the same one can be sent again."""
        if not change["new"]:
            return
        file = change["new"][0]
        name, size, data = str(file["name"]), len(file["content"]), file["content"]
        if size > UPLOAD:
            self.note = say("chooser.too_large", size=size_text(size), limit=UPLOAD // 1_000_000)
            self.redraw()
        else:
            self._then(name, lambda: upload_own(name, data, self.meter))
        self.upload.value = ()

    def _shipped(self, change: dict[str, Any]) -> None:
        label = change["new"]
        if label:
            self._then(
                label, lambda: packed_again(open_quietly()) if label == PLAIN else open_quietly(shipped(FOUR[label]))
            )

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._filling and self.own is not None and change["new"] is not None:
            targets = self._targets()
            self._then(
                called(targets[change["new"]]),
                lambda: self.own.choose(targets[change["new"]]) if self.own else open_quietly(),
            )

    def _then(self, what: str, make: Callable[[], Own]) -> None:
        self._try(what, make)
        self.redraw()

    def _try(self, what: str, make: Callable[[], Own], keep_note: bool = False) -> None:
        """Open and read it all; if it is refused, what was open stays open."""
        note, self.note = self.note, ""
        self.meter.start(printable(what)[-60:])
        try:
            own = make()
            _ = own.report, own.stack, own.work
            if self.own is not None:
                self.note = say("chooser.found")
            self.own = own
            self._fill()
        except InputError as error:
            self.note = refusal(error)
        finally:
            self.meter.end()
        if keep_note:
            self.note = note

    def _targets(self) -> tuple[Image | Container, ...]:
        return (*self.own.store.images(), *self.own.store.containers()) if self.own else ()

    def _fill(self) -> None:
        """Offer the images and containers of what is open."""
        assert self.own is not None
        self._filling = True
        targets = self._targets()
        opened = next(number for number, target in enumerate(targets) if target is self.own.target)
        self.image.offer([(called(target), number) for number, target in enumerate(targets)], opened)
        self._filling = False

    def show(self) -> Picture:
        return own_picture(self.own, self.note)


class LayerBrowser(Panel):
    """Go through the layers of an image: what each brought, changed and removed, and what of it is wasted.

    Args:
        own: The image.
        layer: To begin with, counted from 1, the base; the one that wastes most if it is left out.
    """

    def __init__(self, own: Own, layer: int = 0) -> None:
        self.own = own
        count = len(own.stack)
        worst = max(range(count), key=lambda number: own.work[number].wasted, default=0)
        self.layer = ipywidgets.BoundedIntText(
            value=layer or worst + 1,
            min=1,
            max=max(1, count),
            description=say("browse.layer"),
            style=STYLE,
            layout=ipywidgets.Layout(width="9em"),
        )
        self.down, self.up, self.worst = (_button(say(f"browse.{key}")) for key in ("down", "up", "worst"))
        self.layer.observe(self.redraw, "value")
        self.down.on_click(lambda _: self._go(self.layer.value - 1))
        self.up.on_click(lambda _: self._go(self.layer.value + 1))
        self.worst.on_click(lambda _: self._go(worst + 1))
        super().__init__([self.down, self.up, self.layer, self.worst])

    def _go(self, number: int) -> None:
        self.layer.value = max(1, min(self.layer.max, number))

    def show(self) -> Picture:
        return browse_picture(self.own, self.layer.value - 1)


class TamperLab(Panel):
    """Choose a byte, say who will notice, flip it on a copy in memory, and look.

    Args:
        own: The image; its files are only read.
        kind: Of the place to begin with.
        guess: What is ticked to begin with; with a guess the first flip is done at once.
    """

    def __init__(self, own: Own, kind: str = "config", guess: Sequence[str] | str = ()) -> None:
        self.own, self.lesson, self.note = own, None, ""
        self.spots: tuple[Spot, ...] = ()
        try:
            self.spots = spots(own)
        except InputError as error:
            self.note = say("tamper.failed", why=sentence(error.problem))
        narrow = ipywidgets.Layout(width="11em")
        first = next((number for number, spot in enumerate(self.spots) if spot.kind == kind), 0)
        self.what = Pick(
            say("tamper.what"), [(spot_name(spot), number) for number, spot in enumerate(self.spots)], first
        )
        self.offset = ipywidgets.BoundedIntText(
            description=say("tamper.offset"), style=STYLE, min=0, max=0, layout=narrow
        )
        self.bit = ipywidgets.BoundedIntText(
            description=say("tamper.bit"), style=STYLE, min=0, max=7, layout=ipywidgets.Layout(width="6em")
        )
        names = guess.replace(",", " ").split() if isinstance(guess, str) else guess
        self.expect = {
            check: ipywidgets.Checkbox(
                value=check in names,
                description=say(f"tamper.check.{check}"),
                indent=False,
                layout=ipywidgets.Layout(width="auto", margin="0 12px 0 0"),
            )
            for check in (*CHECKS, NOBODY)
        }
        self.look, self.status = _button(say("tamper.look")), ipywidgets.HTML()
        self.meter = Meter(self.status)
        self._moved()
        if names and self.spots:
            self._flip()
        label = ipywidgets.HTML(f"<b>{html.escape(say('tamper.expect'))}</b>&emsp;")
        super().__init__(
            [_row(self.what, self.offset, self.bit), _row(label, *self.expect.values()), _row(self.look), self.status]
        )
        self.what.observe(self._chosen, "value")
        for control in (self.offset, self.bit, *self.expect.values()):
            control.observe(self._changed, "value")
        self.look.on_click(self._pressed)
        self._settle()

    @property
    def spot(self) -> Spot:
        """The chosen place."""
        return self.spots[self.what.value or 0]

    def _moved(self) -> None:
        """Another place: begin at its own good byte."""
        if self.spots:
            self.offset.max = self.spot.size - 1
            self.offset.value, self.bit.value = self.spot.offset, self.spot.bit

    def _settle(self) -> None:
        self.look.disabled = not self.spots or not self._guess()

    def _guess(self) -> frozenset[str]:
        return frozenset(check for check, box in self.expect.items() if box.value)

    def _chosen(self, _: Any) -> None:
        self._moved()
        self._changed()

    def _changed(self, _: Any = None) -> None:
        """Another question: the old answer goes, and a new prediction is due."""
        self.lesson, self.note = None, ""
        self._settle()
        self.redraw()

    def _pressed(self, _: Any) -> None:
        self._flip()
        self.redraw()

    def _flip(self) -> None:
        """Do it, and keep what came of it."""
        self.note = ""
        self.meter.start(spot_name(self.spot))
        try:
            result = tamper(self.own, Flip(self.spot.path, self.offset.value, self.bit.value), self.meter)
            self.lesson = Lesson(self.spot, result, self._guess())
            _ = result.witnesses, result.differing
        except InputError as error:
            self.lesson, self.note = None, say("tamper.failed", why=sentence(error.problem))
        finally:
            self.meter.end()

    def show(self) -> Picture:
        if self.lesson is not None:
            return self.lesson.picture()
        text = self.note or say("tamper.ready" if self.spots else "tamper.nothing")
        return _said(text)


class ReportKeeper(Panel):
    """Write a report to a file, when asked, next to the notebook; nothing is ever overwritten.

    Args:
        report: The report.
        folder: Where the notebook is.
    """

    def __init__(self, report: OwnReport, folder: str = ".") -> None:
        self.report, self.folder, self.note = report, folder, ""
        self.form = Pick(say("report.form"), [("Markdown", "markdown"), ("JSON", "json")])
        self.name = ipywidgets.Text(
            description=say("report.name"),
            placeholder=say("report.name_hint"),
            style=STYLE,
            layout=ipywidgets.Layout(width="24em", max_width="100%"),
        )
        self.button = _button(say("report.save"))
        self.button.on_click(self._save)
        super().__init__([self.form, self.name, self.button])

    def _save(self, _: Any) -> None:
        try:
            self.note = say(
                "report.saved", name=self.report.save(self.name.value.strip(), self.form.value, self.folder)
            )
        except InputError as error:
            self.note = say("report.not_saved", why=sentence(error.problem))
        self.redraw()

    def show(self) -> Picture:
        return own_picture(self.report.own, self.note)


def _row(*controls: ipywidgets.Widget) -> ipywidgets.HBox:
    return ipywidgets.HBox(controls, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%"))


def _button(text: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=text, layout=ipywidgets.Layout(width="auto"))


def _said(text: str) -> Picture:
    sheet = Sheet("said")
    sheet.text(0, 0, text, width=len(text) * 9)
    return Picture(sheet.dot, text, text)
