"""The tamper lab: flip one bit of an image on a copy in memory, and see which checks notice."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets

from overlaylab.errors import KINDS, Finding, InputError
from overlaylab.image.digest import Digest
from overlaylab.image.image import Image
from overlaylab.stores.audit.learner_image import Own
from overlaylab.stores.audit.tampering import CHECKS, Spot, Tampering, Witness, spots, tamper
from overlaylab.stores.files.flipped import Flip
from overlaylab.views.kit.palette import MONO, SANS
from overlaylab.views.kit.panel import Panel, Pick, button, checkbox, control_row, number_field
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.progress import ReadProgress, cell_progress
from overlaylab.views.kit.sheet import LINE, Sheet, fitted, sentence_picture
from overlaylab.views.kit.tables import Text
from overlaylab.views.kit.text import letter
from overlaylab.views.overlay.text import path_text
from overlaylab.words import printable, say

from .overview import brief_text, draw_name, sentence, wrapped

NOBODY = "nobody"

# The kinds of spots that are tampered with instead, where a store keeps nothing of the kind.
INSTEAD = {
    "config": (),
    "diff_id": ("config",),
    "manifest": ("config",),
    "index": ("manifest", "config"),
    "layer": ("file", "recipe"),
    "file": ("layer",),
    "recipe": ("layer", "file"),
    "table": ("index", "config"),
}

STYLES = {
    "notices": ("whiteout", "✗"),
    "silent": ("merged", "✓"),
    "unasked": ("hidden", "?"),
    "absent": ("hidden", "–"),
}

# The kinds of spots that are a layer's own bytes.
OF_A_LAYER = ("layer", "file", "recipe")

WIDE = 900


def spot_name(spot: Spot) -> str:
    """A spot in words."""
    number = "" if spot.position is None else spot.position + 1
    if spot.kind == "table":
        return say("tamper.spot.table", path=brief_text("/".join(spot.path.split("/")[-2:]), 40))
    return say(f"tamper.spot.{spot.kind}", number=number, path=brief_text(spot.path.rpartition("/")[2], 30))


def read_guess(guess: str | Collection[str] | None) -> frozenset[str]:
    """A prediction as a set of checks; `nobody` alone is a prediction, too.

    Raises:
        Finding: ``wrong-call`` for a word that is no check.
    """
    words = re.split(r"[\s,]+", guess) if isinstance(guess, str) else map(str, guess or ())
    found = frozenset(word.lower() for word in words if word)
    if unknown := found - {*CHECKS, NOBODY}:
        raise Finding("wrong-call", "guess", ", ".join((*CHECKS, NOBODY)), ", ".join(sorted(unknown)))
    return found


def slip_of(kind: str, guess: Collection[str], noticed: Collection[str]) -> str:
    """The slip that a prediction (see `read_guess`) makes; ``right`` for none, ``open`` without a prediction."""
    if not guess:
        return "open"
    expected = set(guess) - {NOBODY}
    if expected == set(noticed):
        return "right"
    if not expected:
        return "nobody"
    if not noticed:
        return "unwatched"
    extra = expected - set(noticed)
    if kind in OF_A_LAYER and extra & {"config", "manifest"}:
        return "id" if "config" in extra else "manifest"
    if kind in ("config", "diff_id") and extra & {"blob", "content"}:
        return "untouched"
    return "too_many" if extra else "too_few"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A flip, its result, and the prediction.

    Args:
        instead: The kind that was asked for, if this store keeps nothing of the kind.
    """

    spot: Spot
    result: Tampering
    guess: frozenset[str] = frozenset()
    instead: str = ""

    @property
    def slip(self) -> str:
        """See `slip_of`."""
        return slip_of(self.spot.kind, self.guess, self.result.noticed)

    @property
    def noticed(self) -> tuple[str, ...]:
        """The checks that noticed."""
        return self.result.noticed

    @property
    def feedback(self) -> str:
        """The words about the prediction."""
        expected, noticed = _names(sorted(self.guess, key=[*CHECKS, NOBODY].index)), _names(self.noticed)
        return say(f"tamper.guess.{self.slip}", expected=expected, noticed=noticed)

    def picture(self) -> Picture:
        """Everything on one card; without a prediction there are no words about it."""
        notes = []
        if self.instead:
            notes.append(say("tamper.instead", kind=say(f"tamper.kind.{self.instead}"), spot=spot_name(self.spot)))
        if self.guess:
            notes.append(self.feedback)
        return tamper_picture(self.result, self.spot, notes)

    def __repr__(self) -> str:
        return repr(self.picture())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_(include, exclude)


def who_notices(
    own: Own, kind: str = "config", guess: str | Collection[str] | None = None, layer: int | None = None
) -> Lesson | Text:
    """Flip one bit on a copy in memory, and run every check.

    Args:
        kind: ``config``, ``diff_id``, ``manifest``, ``index``, ``layer``, ``file``, ``recipe``, ``table``.
        guess: The checks that you expect to notice, such as ``"config blob"``, or ``"nobody"``.
        layer: Counted from 1, the base; the first that has such bytes if it is left out.

    Returns:
        The result; a sentence where there is nothing to flip.

    Raises:
        Finding: ``wrong-call`` for an unknown kind or guess.
    """
    expected = read_guess(guess)
    if kind not in INSTEAD:
        raise Finding("wrong-call", "kind", ", ".join(INSTEAD), kind)
    known = spots(own) if own.image else ()
    for other in (kind, *INSTEAD[kind]):
        there = [spot for spot in known if spot.kind == other and layer in (None, (spot.position or 0) + 1)]
        if there:
            with cell_progress(spot_name(there[0])) as progress:
                result = tamper(own, there[0], progress)
            return Lesson(there[0], result, expected, "" if other == kind else kind)
    return Text(say("tamper.nothing_of", kind=say(f"tamper.kind.{kind}")))


def _names(checks: Sequence[str]) -> str:
    return ", ".join(say(f"tamper.short.{check}") for check in checks) or say(f"tamper.short.{NOBODY}")


def tamper_picture(result: Tampering, spot: Spot, notes: Sequence[str] = ()) -> Picture:
    """The flipped byte, the names before and after, and what each check says; the notes below."""
    sheet, lines = Sheet("tamper"), list(_byte(result, spot))
    for row, line in enumerate(lines):
        sheet.text(0, row * 22, line, width=WIDE, face=MONO if row else SANS)
    y = 56.0
    for key, old, new in _changes(result):
        sign, shown = ("=", say("tamper.same")) if old == new else ("→", new)
        sheet.text(0, y, say(f"tamper.name.{key}"))
        draw_name(sheet, 150, y, old, 50)
        sheet.text(400, y, sign, face=MONO)
        draw_name(sheet, 430, y, shown, 50)
        lines.append(f"{say(f'tamper.name.{key}'):16} {printable(old)} {sign} {printable(shown)}")
        y += 24
    y += 12
    for witness in result.witnesses:
        y = _witness(sheet, y, witness)
        found = sentence(witness.problem) if witness.problem else say(f"tamper.verdict.{witness.verdict}")
        lines.append(f"{STYLES[witness.verdict][1]} {say(f'tamper.check.{witness.check}')}: {found}")
    noticed = result.noticed
    verdict = say("tamper.noticed" if noticed else "tamper.unnoticed", spot=spot_name(spot), checks=_names(noticed))
    for row, line in enumerate(line for said in (verdict, *notes) for line in wrapped(said, 112)):
        sheet.text(0, y + 4 + row * LINE, line, width=WIDE)
    alt = " ".join([verdict, *notes])
    return Picture(sheet.dot, alt, "\n".join([*lines, verdict, *notes]))


def _witness(sheet: Sheet, y: float, witness: Witness) -> float:
    """One check as a box, with a second line for what it found; returns the y below it."""
    style, glyph = STYLES[witness.verdict]
    problem = witness.problem
    words = [say(f"tamper.verdict.{witness.verdict}")] if problem is None else [KINDS[problem.kind][1]]
    if problem and (problem.expected or problem.found):
        expected, found = brief_text(problem.expected, 50), brief_text(problem.found, 50)
        words.append(say("own.expected", expected=expected, found=found).strip(" ()"))
    sheet.box(0, y, WIDE, 6 + LINE * len(words), "", style, title=say(f"tamper.check.{witness.check}"))
    sheet.text(10, y + 3, f"{glyph} {say(f'tamper.check.{witness.check}')}")
    for row, line in enumerate(words):
        sheet.text(250, y + 3 + row * LINE, fitted(line, 80), width=WIDE - 260)
    return y + 6 + LINE * len(words) + 8


def _byte(result: Tampering, spot: Spot) -> tuple[str, str]:
    """Two lines: where the flip is, and the bytes around it."""
    flip: Flip = result.flip
    first = flip.offset - min(flip.offset, 8)
    with result.before.place.open_plain(flip.path) as stream:
        stream.seek(first)
        data = stream.read(24)
    old = data[flip.offset - first]
    new = old ^ 1 << flip.bit
    where = {"spot": spot_name(spot), "offset": f"{flip.offset:,}", "last": f"{spot.size - 1:,}"}
    title = say("tamper.byte", old=f'{old:02x} "{letter(old)}"', new=f'{new:02x} "{letter(new)}"', **where)
    shown = [f"{byte:02x}" for byte in data]
    shown[flip.offset - first] = f"[{old:02x}→{new:02x}]"
    return title, f"{' '.join(shown)}   {''.join(map(letter, data))}"


def _changes(result: Tampering) -> list[tuple[str, str, str]]:
    """Pairs of before and after, each with its key: the names, and what a process sees."""
    gone = say("tamper.gone")
    old, new = result.before.image, result.after.image if result.after else None
    assert old is not None
    rows = [("id", _shown(old, "id"), _shown(new, "id"))]
    if old.manifest_digest:
        now = gone if new is None or new.manifest is None else Digest.of(new.manifest.raw)
        rows.append(("manifest", old.manifest_digest, now))
    rows.append(("chain", _shown(old, "chain"), _shown(new, "chain")))
    rows.append(("view", *_views(result)))
    return rows


def _shown(image: Image | None, key: str) -> str:
    """The IMAGE ID that the store shows, or the top chain_id that its config leads to."""
    if image is None:
        return say("tamper.gone")
    if key == "id":
        return image.id
    return image.chain_ids[-1] if image.chain_ids else say("tamper.gone" if image.chain_ids is None else "own.nothing")


def _views(result: Tampering) -> tuple[str, str]:
    before = say("own.paths", count=sum(1 for _ in result.before.overlay.walk()) - 1 if result.before.stack else 0)
    if result.after is None or len(result.after.stack) != len(result.before.stack):
        return before, say("tamper.cannot_tell")
    if not result.differing:
        return before, before
    return before, say("tamper.differs", count=len(result.differing), path=path_text(result.differing[0], 30))


class TamperLab(Panel):
    """Choose a bit, predict who will notice, flip it on a copy in memory, and look.

    Args:
        own: The image; its files are only read.
        kind: The kind of spot to begin with.
        guess: The checks that are ticked to begin with; with a guess the first flip is done at once.
    """

    def __init__(self, own: Own, kind: str = "config", guess: Sequence[str] | str = ()) -> None:
        self.own, self.note = own, ""
        self.lesson: Lesson | None = None
        self.spots: tuple[Spot, ...] = ()
        try:
            self.spots = spots(own)
        except InputError as error:
            self.note = say("tamper.failed", why=sentence(error.problem))
        first = next((number for number, spot in enumerate(self.spots) if spot.kind == kind), 0)
        options = [(spot_name(spot), number) for number, spot in enumerate(self.spots)]
        self.what = Pick(say("tamper.what"), options, first)
        self.offset = number_field(say("tamper.offset"), 0, least=0, most=0, width="11em")
        self.bit = number_field(say("tamper.bit"), 0, least=0, most=7, width="6em")
        names = guess.replace(",", " ").split() if isinstance(guess, str) else guess
        self.expect = {
            check: checkbox(say(f"tamper.check.{check}"), check in names, margin="0 12px 0 0")
            for check in (*CHECKS, NOBODY)
        }
        self.look, self.status = button(say("tamper.look"), self._pressed), ipywidgets.HTML()
        self.progress = ReadProgress(self.status)
        self._moved()
        if names and self.spots:
            self._flip()
        label = ipywidgets.HTML(f"<b>{html.escape(say('tamper.expect'))}</b>&emsp;")
        place, expected = control_row(self.what, self.offset, self.bit), control_row(label, *self.expect.values())
        super().__init__([place, expected, control_row(self.look), self.status])
        self.what.observe(self._chosen, "value")
        for control in (self.offset, self.bit, *self.expect.values()):
            control.observe(self._changed, "value")
        self._settle()

    @property
    def spot(self) -> Spot:
        """The chosen spot."""
        return self.spots[self.what.value or 0]

    def _moved(self) -> None:
        """Another spot was chosen: begin at the bit that it proposes."""
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
        """Another bit or another prediction: the result before is no longer shown."""
        self.lesson, self.note = None, ""
        self._settle()
        self.redraw()

    def _pressed(self, _: Any) -> None:
        self._flip()
        self.redraw()

    def _flip(self) -> None:
        """Flip the chosen bit, and keep the result."""
        self.note = ""
        self.progress.start(spot_name(self.spot))
        try:
            result = tamper(self.own, Flip(self.spot.path, self.offset.value, self.bit.value), self.progress)
            self.lesson = Lesson(self.spot, result, self._guess())
            _ = result.witnesses, result.differing
        except InputError as error:
            self.lesson, self.note = None, say("tamper.failed", why=sentence(error.problem))
        finally:
            self.progress.end()

    def show(self) -> Picture:
        """The result of the flip, or a sentence that says what to do."""
        if self.lesson is not None:
            return self.lesson.picture()
        return sentence_picture("said", self.note or say("tamper.ready" if self.spots else "tamper.nothing"))
