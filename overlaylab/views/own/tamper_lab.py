"""One bit turned over, and who notices: the byte, the names before and after, and what each check says."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import KINDS, Finding
from overlaylab.image.digest import Digest
from overlaylab.image.image import Image
from overlaylab.stores.audit.learner_image import Own
from overlaylab.stores.audit.tampering import CHECKS, Spot, Tampering, Witness, spots, tamper
from overlaylab.stores.files.flipped import Flip
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.progress import cell_meter
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.views.kit.tables import Text, brief
from overlaylab.views.kit.text import letter
from overlaylab.views.overlay.text import path_text
from overlaylab.words import printable, say

from .overview import brief_text, sentence, wrapped

__all__ = ["NOBODY", "Lesson", "read_guess", "slip_of", "spot_name", "tamper_picture", "who_notices"]

NOBODY = "nobody"

# What is tampered with instead, where a store keeps nothing of the kind.
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
    """What to call a place to tamper with."""
    number = "" if spot.position is None else spot.position + 1
    if spot.kind == "table":
        return say("tamper.spot.table", path=brief_text("/".join(spot.path.split("/")[-2:]), 40))
    return say(f"tamper.spot.{spot.kind}", number=number, path=brief_text(spot.path.rpartition("/")[2], 30))


def read_guess(guess: str | Collection[str] | None) -> frozenset[str]:
    """A prediction as a set of checks; `nobody` alone is a prediction too.

    Raises:
        Finding: ``wrong-call`` for what is no check.
    """
    words = (
        re.split(r"[\s,]+", guess.strip().lower())
        if isinstance(guess, str)
        else [str(word).lower() for word in guess or ()]
    )
    found = frozenset(word for word in words if word)
    if not found <= {*CHECKS, NOBODY}:
        raise Finding("wrong-call", "guess", ", ".join((*CHECKS, NOBODY)), ", ".join(sorted(found - {*CHECKS, NOBODY})))
    return found


def slip_of(kind: str, guess: Collection[str], noticed: Collection[str]) -> str:
    """Which slip a prediction makes; ``right`` for none, ``open`` without one.

    Args:
        kind: Of the spot.
        guess: As `read_guess` gives it.
        noticed: The checks that did notice.
    """
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
    """A flip, what came of it, and what was predicted.

    Args:
        spot: Where.
        result: What the checks say.
        guess: The checks that were expected to notice.
        instead: The kind that was asked for, if this store keeps nothing of it.
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
        """The checks that notice."""
        return self.result.noticed

    @property
    def feedback(self) -> str:
        """What there is to say about the prediction."""
        expected, noticed = _names(sorted(self.guess, key=[*CHECKS, NOBODY].index)), _names(self.noticed)
        return say(f"tamper.guess.{self.slip}", expected=expected, noticed=noticed)

    def picture(self) -> Picture:
        """Everything in one card; where nothing was predicted in the call, nothing is said about it."""
        note = (
            [say("tamper.instead", kind=say(f"tamper.kind.{self.instead}"), spot=spot_name(self.spot))]
            if self.instead
            else []
        )
        return tamper_picture(self.result, self.spot, [*note, self.feedback] if self.guess else note)

    def __repr__(self) -> str:
        return repr(self.picture())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_(include, exclude)


def who_notices(
    own: Own, kind: str = "config", guess: str | Collection[str] | None = None, layer: int | None = None
) -> Lesson | Text:
    """Flip one bit, on a copy in memory, and ask every check.

    Args:
        kind: ``config``, ``diff_id``, ``manifest``, ``index``, ``layer``, ``file``, ``recipe``, ``table``.
        guess: The checks that you expect to notice, such as ``"config blob"``, or ``"nobody"``.
        layer: Counted from 1, the base; the first that has such bytes if it is left out.

    Returns:
        What came of it; a sentence where there is nothing to flip.

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
            with cell_meter(spot_name(there[0])) as meter:
                return Lesson(there[0], tamper(own, there[0], meter), expected, "" if other == kind else kind)
    return Text(say("tamper.nothing_of", kind=say(f"tamper.kind.{kind}")))


def _names(checks: Sequence[str]) -> str:
    return ", ".join(say(f"tamper.short.{check}") for check in checks) or say(f"tamper.short.{NOBODY}")


def tamper_picture(result: Tampering, spot: Spot, notes: Sequence[str] = ()) -> Picture:
    """The byte, the names before and after, what each check says.

    Args:
        notes: Sentences above all that.
    """
    sheet, lines = Sheet("tamper"), []
    title, byte = _byte(result, spot)
    for row, line in enumerate((title, byte)):
        sheet.text(0, row * 22, line, width=WIDE, face=MONO if row else "Verdana")
        lines.append(line)
    y = 56
    for key, old, new in _changes(result):
        sheet.text(0, y, say(f"tamper.name.{key}"))
        _name(sheet, 150, y, old)
        sheet.text(400, y, "=" if old == new else "→", face=MONO)
        _name(sheet, 430, y, new if old != new else say("tamper.same"))
        lines.append(
            f"{say(f'tamper.name.{key}'):16} {printable(old)} {'=' if old == new else '→'} {say('tamper.same') if old == new else printable(new)}"
        )
        y += 24
    y += 12
    for witness in result.witnesses:
        y = _witness(sheet, y, witness)
        lines.append(f"{STYLES[witness.verdict][1]} {say(f'tamper.check.{witness.check}')}: {_words(witness)}")
    noticed = result.noticed
    verdict = say("tamper.noticed" if noticed else "tamper.unnoticed", spot=spot_name(spot), checks=_names(noticed))
    for row, line in enumerate(line for said in (verdict, *notes) for line in wrapped(said, 112)):
        sheet.text(0, y + 4 + row * LINE, line, width=WIDE)
    alt = " ".join([verdict, *notes])
    return Picture(sheet.dot, alt, "\n".join([*lines, verdict, *notes]))


def _witness(sheet: Sheet, y: float, witness: Witness) -> float:
    """One check as a box; where it found something, a second line says what."""
    style, glyph = STYLES[witness.verdict]
    problem = witness.problem
    words = [say(f"tamper.verdict.{witness.verdict}")] if problem is None else [KINDS[problem.kind][1]]
    if problem and (problem.expected or problem.found):
        words.append(
            say("own.expected", expected=brief_text(problem.expected, 50), found=brief_text(problem.found, 50)).strip(
                " ()"
            )
        )
    sheet.box(0, y, WIDE, 6 + LINE * len(words), "", style, title=say(f"tamper.check.{witness.check}"))
    sheet.text(10, y + 3, f"{glyph} {say(f'tamper.check.{witness.check}')}")
    for row, line in enumerate(words):
        sheet.text(250, y + 3 + row * LINE, fitted(line, 80), width=WIDE - 260)
    return y + 6 + LINE * len(words) + 8


def _words(witness: Witness) -> str:
    return sentence(witness.problem) if witness.problem else say(f"tamper.verdict.{witness.verdict}")


def _name(sheet: Sheet, x: float, y: float, text: str) -> None:
    is_digest = text.startswith(("sha256:", "sha512:"))
    if is_digest:
        sheet.chip(x, y + 3, text)
    sheet.text(x + 22 * is_digest, y, brief(text) if is_digest else fitted(text, 50), face=MONO)


def _byte(result: Tampering, spot: Spot) -> tuple[str, str]:
    """Where the flip is, and the bytes around it."""
    flip: Flip = result.flip
    first = flip.offset - min(flip.offset, 8)
    with result.before.place.open_plain(flip.path) as stream:
        stream.seek(first)
        data = stream.read(24)
    old = data[flip.offset - first]
    new = old ^ 1 << flip.bit
    title = say(
        "tamper.byte",
        spot=spot_name(spot),
        offset=f"{flip.offset:,}",
        last=f"{spot.size - 1:,}",
        old=f'{old:02x} "{letter(old)}"',
        new=f'{new:02x} "{letter(new)}"',
    )
    shown = [
        f"[{byte:02x}→{new:02x}]" if first + number == flip.offset else f"{byte:02x}"
        for number, byte in enumerate(data)
    ]
    return title, f"{' '.join(shown)}   {''.join(map(letter, data))}"


def _changes(result: Tampering) -> list[tuple[str, str, str]]:
    """The names before and after, and what a process sees."""
    gone = say("tamper.gone")
    old, new = result.before.image, result.after.image if result.after else None
    assert old is not None
    rows = [("id", _shown(old, "id"), _shown(new, "id"))]
    if old.manifest_digest:
        rows.append(("manifest", old.manifest_digest, _computed(new) or gone))
    rows.append(("chain", _shown(old, "chain"), _shown(new, "chain")))
    rows.append(("view", *_views(result)))
    return rows


def _shown(image: Image | None, key: str) -> str:
    """The IMAGE ID that the store still shows, or the top chain_id that the config now leads to."""
    if image is None:
        return say("tamper.gone")
    if key == "id":
        return image.id
    return image.chain_ids[-1] if image.chain_ids else say("tamper.gone" if image.chain_ids is None else "own.nothing")


def _computed(image: Image | None) -> str | None:
    return None if image is None or image.manifest is None else Digest.of(image.manifest.raw)


def _views(result: Tampering) -> tuple[str, str]:
    before = say("own.paths", count=sum(1 for _ in result.before.overlay.walk()) - 1 if result.before.stack else 0)
    if result.after is None or len(result.after.stack) != len(result.before.stack):
        return before, say("tamper.cannot_tell")
    if not result.differing:
        return before, before
    return before, say("tamper.differs", count=len(result.differing), path=path_text(result.differing[0], 30))
