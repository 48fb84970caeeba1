"""Choose the image to look at: by path, by upload, from a store of this machine, or a shipped one."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from overlaylab.errors import InputError
from overlaylab.image.image import Container, Image
from overlaylab.stores.audit.learner_image import LIVE, UPLOAD, Own, live_stores, packed_again, upload_own
from overlaylab.stores.audit.learner_image import open_own as open_quietly
from overlaylab.stores.shipped_files import FOUR, shipped
from overlaylab.views.kit.panel import Panel, Pick, button, control_row, on_enter, text_field
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.progress import ReadProgress, cell_progress
from overlaylab.views.kit.text import size_text
from overlaylab.words import printable, say

from .overview import called, own_picture, refusal

# Seconds that the text of a field may come after its Enter, even if the kernel is busy.
PAUSE = 0.3

# The key of the shipped image that is packed again in memory.
PLAIN = "plain"


def open_own(path: str | Path = "", image: str = "") -> Own:
    """Open an image and read all of it, with progress in the cell's output; see `learner_image.open_own`.

    Args:
        path: An archive, a layout, a store's directory, or a packed one of these; ``~`` is the home directory. The
            shipped data root if it is empty.
        image: A name or an ID in it; a good first one if it is empty.

    Raises:
        NotReadable: It cannot be read, in one sentence.
        NoSuchImage: There is no such image in it.
    """
    with cell_progress(printable(str(path))[-60:]) as progress:
        own = open_quietly(path, image, progress)
        _ = own.report, own.stack
    return own


class SourceChooser(Panel):
    """Choose an image: by path, by upload, from a store of this machine, or a shipped one.

    `own` is the open image. It is read whole, as a stream, and every digest is recomputed.

    Args:
        path: To begin with; the shipped data root if it is empty.
        image: A name or an ID in it.
        live: Paths at which this machine may have stores.
    """

    def __init__(self, path: str = "", image: str = "", live: Sequence[str] = LIVE) -> None:
        self.own: Own | None = None
        self.note, self._filling = "", False
        self.status = ipywidgets.HTML()
        self.progress = ReadProgress(self.status)
        self._make_controls(live)
        self._try(path or "Docker", lambda: open_quietly(path, image, self.progress))
        if self.own is None:
            self._try("Docker", lambda: open_quietly(progress=self.progress), keep_note=True)
        limit = say("chooser.limit", limit=UPLOAD // 1_000_000)
        super().__init__(
            [
                control_row(self.path, self.button),
                control_row(self.upload, ipywidgets.HTML(f"<small>{html.escape(limit)}</small>")),
                control_row(self.live, self.shipped),
                control_row(self.image),
                self.status,
            ]
        )
        self._connect()

    def _make_controls(self, live: Sequence[str]) -> None:
        self.path = text_field(say("chooser.path"), say("chooser.path_hint"), width="34em")
        self.button = button(say("chooser.open"), self._open)
        self.upload = ipywidgets.FileUpload(
            description=say("chooser.upload"), multiple=False, layout=ipywidgets.Layout(width="auto")
        )
        stores = live_stores(live)
        none = (say("chooser.live_some" if stores else "chooser.live_none"), "")
        self.live = Pick(say("chooser.live"), [none, *((printable(store), store) for store in stores)])
        kept = [(say(f"chooser.shipped_{label}"), label) for label in (*FOUR, PLAIN)]
        self.shipped = Pick(say("chooser.shipped"), [(say("chooser.shipped_none"), ""), *kept])
        self.image = Pick(say("chooser.image"))

    def _connect(self) -> None:
        on_enter(self.path, lambda: None, self._open, PAUSE)
        self.upload.observe(self._uploaded, "value")
        self.live.observe(self._choose_live, "value")
        self.shipped.observe(self._choose_shipped, "value")
        self.image.observe(self._choose_image, "value")

    def _open(self, _: Any = None) -> None:
        """Open the path in the field."""
        path = self.path.value.strip()
        if not path:
            self.note = say("chooser.empty_path")
            self.redraw()
        else:
            self._then(path, lambda: open_quietly(path, progress=self.progress))

    def _uploaded(self, change: dict[str, Any]) -> None:
        """A file was uploaded; the widget forgets it at once, so that the same one can be sent again."""
        if not change["new"]:
            return
        file = change["new"][0]
        name, size, data = str(file["name"]), len(file["content"]), file["content"]
        if size > UPLOAD:
            self.note = say("chooser.too_large", size=size_text(size), limit=UPLOAD // 1_000_000)
            self.redraw()
        else:
            self._then(name, lambda: upload_own(name, data, self.progress))
        self.upload.value = ()

    def _choose_live(self, change: dict[str, Any]) -> None:
        path = change["new"]
        if path:
            self._then(path, lambda: open_quietly(path, progress=self.progress))

    def _choose_shipped(self, change: dict[str, Any]) -> None:
        label = change["new"]
        if label == PLAIN:
            self._then(label, lambda: packed_again(open_quietly()))
        elif label:
            self._then(label, lambda: open_quietly(shipped(FOUR[label])))

    def _choose_image(self, change: dict[str, Any]) -> None:
        own = self.own
        if not self._filling and own is not None and change["new"] is not None:
            target = self._targets()[change["new"]]
            self._then(called(target), lambda: own.choose(target))

    def _then(self, what: str, make: Callable[[], Own]) -> None:
        """Open and draw."""
        self._try(what, make)
        self.redraw()

    def _try(self, what: str, make: Callable[[], Own], keep_note: bool = False) -> None:
        """Open an image and read all of it; where that fails, the image before stays open."""
        note, self.note = self.note, ""
        self.progress.start(printable(what)[-60:])
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
            self.progress.end()
        if keep_note:
            self.note = note

    def _targets(self) -> tuple[Image | Container, ...]:
        return (*self.own.store.images(), *self.own.store.containers()) if self.own else ()

    def _fill(self) -> None:
        """Offer the images and containers of the open store."""
        assert self.own is not None
        self._filling = True
        targets = self._targets()
        opened = next(number for number, target in enumerate(targets) if target is self.own.target)
        self.image.offer([(called(target), number) for number, target in enumerate(targets)], opened)
        self._filling = False

    def show(self) -> Picture:
        """The open image, and a note about the last attempt."""
        return own_picture(self.own, self.note)
