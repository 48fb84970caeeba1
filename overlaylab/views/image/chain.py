"""The chain of chain_ids: as a picture with the base at the bottom, as tables, and step by step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from overlaylab.image.compression import unpack
from overlaylab.image.digest import ChainID, DiffID, chain_ids, chain_text, digest_bytes
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.panel import Panel, number_field, step_button
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import CHAR, Sheet
from overlaylab.views.kit.tables import DigestTable, brief
from overlaylab.words import say

# The picture in pixels: three columns (the layer's number, diff_id, chain_id), one row a layer.
BOX, HIGH, STEP = 232, 46, 66

DIFF, CHAIN = 96, 428

PANEL = 200


def layer_table(diff_ids: Sequence[DiffID]) -> DigestTable:
    """Every layer with its two names, **topmost first**, as in a stack; `diff_ids` bottom first."""
    pairs = list(zip(diff_ids, chain_ids(diff_ids), strict=True))
    equal = f"{PALETTE['equal'].glyph} {say('palette.equal')}"
    rows = [(n, *pair, equal if str(pair[0]) == pair[1] else "") for n, pair in reversed([*enumerate(pairs, 1)])]
    return DigestTable.of([say(f"chain.column.{name}") for name in ("layer", "diff_id", "chain_id", "equal")], rows)


def chain_picture(diff_ids: Sequence[DiffID], before: Sequence[DiffID] = ()) -> Picture:
    """The whole chain.

    Args:
        diff_ids: Bottom layer first.
        before: Another stack to compare with, bottom first: what differs at the same height is marked.
    """
    chain, old = chain_ids(diff_ids), chain_ids(before)
    changed = {n for n, chain_id in enumerate(chain) if before and chain_id not in old[n : n + 1]}
    moved = {n for n, diff_id in enumerate(diff_ids) if before and diff_id not in before[n : n + 1]}
    sheet = Sheet("chain")
    _stack(sheet, diff_ids, chain, 0, compared=bool(before), changed=changed, moved=moved)
    lines = [
        _line(n, diff_ids, chain) + (f"  ~ {say('chain.changed')}" if n in changed else "")
        for n in reversed(range(len(chain)))
    ]
    alt = say("chain.alt_changed" if before else "chain.alt", count=len(chain), changed=len(changed))
    return Picture(sheet.dot, alt, "\n".join(lines))


def step_picture(diff_ids: Sequence[DiffID], number: int) -> Picture:
    """One step of the chain: the exact text that is hashed, and the chain so far.

    Args:
        diff_ids: Bottom layer first.
        number: The layer, counted from 1, the base.
    """
    chain = chain_ids(diff_ids)
    sheet = Sheet("step")
    _panel(sheet, diff_ids, chain, number)
    _stack(sheet, diff_ids, chain, PANEL, shown=number, now=number)
    stack = "\n".join(
        _line(n, diff_ids, chain) if n < number else _open_line(n, diff_ids) for n in reversed(range(len(chain)))
    )
    return Picture(sheet.dot, _sentence(diff_ids, chain, number), f"{step_text(diff_ids, number)}\n\n{stack}")


def step_text(diff_ids: Sequence[DiffID], number: int) -> str:
    """What is hashed for one layer, in lines: the two names, the space between them, the result."""
    chain = chain_ids(diff_ids)
    return "\n".join(f"{kind:12}{text}" if kind else text for kind, text in _parts(diff_ids, chain, number))


def _parts(diff_ids: Sequence[DiffID], chain: Sequence[ChainID], number: int) -> list[tuple[str, str]]:
    """The lines of one step: the kind of name, and the name; a line without a kind is a sentence."""
    if number == 1:
        named = ("diff_id 1", diff_ids[0]), ("chain_id 1", chain[0])
        return [("", say("chain.base_title")), named[0], ("", say("chain.base_gives")), named[1]]
    size = len(chain_text(chain[number - 2], diff_ids[number - 1]))
    return [
        ("", say("chain.title", number=number, size=size)),
        (f"chain_id {number - 1}", chain[number - 2]),
        ("␣", say("chain.space")),
        (f"diff_id {number}", diff_ids[number - 1]),
        ("", f"{PALETTE['hash'].glyph} {say('chain.gives')}"),
        (f"chain_id {number}", chain[number - 1]),
    ]


def _sentence(diff_ids: Sequence[DiffID], chain: Sequence[ChainID], number: int) -> str:
    if number == 1:
        return say("chain.alt_base", count=len(chain), digest=brief(chain[0]))
    parent, diff_id, digest = map(brief, (chain[number - 2], diff_ids[number - 1], chain[number - 1]))
    names = {"parent": parent, "diff_id": diff_id, "digest": digest}
    return say("chain.alt_step", number=number, count=len(chain), below=number - 1, **names)


def _line(position: int, diff_ids: Sequence[DiffID], chain: Sequence[ChainID]) -> str:
    """One layer in the text twin."""
    how = (
        f"= diff_id 1, {say('chain.nothing_beneath')}"
        if position == 0
        else f'# {say("palette.hash")} "chain_id {position} ␣ diff_id {position + 1}"'
    )
    names = f"diff_id {brief(diff_ids[position])}  chain_id {brief(chain[position])}"
    return f"{say('chain.row', number=position + 1):9} {names}  {how}"


def _open_line(position: int, diff_ids: Sequence[DiffID]) -> str:
    """One layer in the text twin whose chain_id is not computed yet."""
    names = f"diff_id {brief(diff_ids[position])}  chain_id {say('chain.later')}"
    return f"{say('chain.row', number=position + 1):9} {names}"


def _panel(sheet: Sheet, diff_ids: Sequence[DiffID], chain: Sequence[ChainID], number: int) -> None:
    """The text that is hashed, wrapped at its one space, above the stack."""
    style = "equal" if number == 1 else "hash"
    sheet.box(0, 0, 720, PANEL - 34, "", style, title=say("chain.panel"))
    for row, (kind, text) in enumerate(_parts(diff_ids, chain, number)):
        y = 8 + row * 25
        if not kind:
            sheet.text(14, y, text, width=len(text) * CHAR)
        elif kind == "␣":
            sheet.box(128, y - 1, 26, 22, kind, "equal", middle=True)
            sheet.text(162, y, text)
        else:
            sheet.text(14, y, kind)
            sheet.chip(106, y + 3, text)
            sheet.text(128, y, text, width=len(text) * CHAR, face=MONO)


def _stack(
    sheet: Sheet,
    diff_ids: Sequence[DiffID],
    chain: Sequence[ChainID],
    top: float,
    shown: int | None = None,
    now: int = 0,
    compared: bool = False,
    changed: Collection[int] = (),
    moved: Collection[int] = (),
) -> None:
    """One row a layer, the base at the bottom; chain_ids above `shown` are not computed yet."""
    known = len(chain) if shown is None else shown
    for n, (diff_id, chain_id) in enumerate(zip(diff_ids, chain, strict=True)):
        y = top + (len(chain) - 1 - n) * STEP
        sheet.text(0, y + 13, say("chain.row", number=n + 1))
        _name(sheet, DIFF, y, f"diff_id {n + 1}", diff_id, "equal" if n == 0 else "plain", "~" if n in moved else "")
        if n in changed:
            mark = f"~ {say('chain.changed')}"
        else:
            mark = say("chain.kept") if compared else say("chain.now") if n + 1 == now else ""
        if n >= known:
            sheet.box(CHAIN, y, BOX, HIGH, f"chain_id {n + 1}  {say('chain.later')}", "hidden")
            continue
        style = "equal" if n == 0 else "plain" if compared and n not in changed else "hash"
        _name(sheet, CHAIN, y, f"chain_id {n + 1}", chain_id, style, mark)
        _arrows(sheet, n, y)


def _name(sheet: Sheet, x: float, y: float, kind: str, digest: str, style: str, mark: str) -> None:
    """A box with the kind of name, its chip, and the short digest."""
    sheet.box(x, y, BOX, HIGH, "", style, title=digest)
    sheet.text(x + 12, y + 3, f"{kind}  {mark}".rstrip())
    sheet.chip(x + 12, y + 25, digest)
    sheet.text(x + 34, y + 22, brief(digest), width=24 * CHAR, face=MONO)


def _arrows(sheet: Sheet, position: int, y: float) -> None:
    """Arrows to a chain_id: from the diff_id beside it, and from the chain_id below."""
    middle = y + HIGH / 2
    style = "hash" if position else "equal"
    sheet.arrow(DIFF + BOX, middle, CHAIN, middle, style)
    sheet.text(DIFF + BOX + 38, middle - 24, PALETTE[style].glyph, face=MONO, size=16)
    if position:
        sheet.arrow(CHAIN + BOX / 2, y + STEP, CHAIN + BOX / 2, y + HIGH, "hash")


def packing_table(blobs: Mapping[str, bytes]) -> DigestTable:
    """The digest of each blob (its name -> the stored bytes), and the diff_id of the tar in it."""
    rows = [(name, len(blob), digest_bytes(blob), DiffID.of(unpack(blob))) for name, blob in blobs.items()]
    return DigestTable.of([say(f"packing.{name}") for name in ("name", "bytes", "blob", "diff_id")], rows)


class ChainStepper(Panel):
    """Choose a layer; see the text that is hashed for it, and the chain so far.

    Args:
        diff_ids: Bottom layer first.
        layer: The layer to begin with, counted from 1.
    """

    def __init__(self, diff_ids: Sequence[DiffID], layer: int = 1) -> None:
        self.diff_ids = tuple(diff_ids)
        self.layer = number_field(say("stepper.layer"), layer, most=len(self.diff_ids))
        self.layer.observe(self.redraw, "value")
        self.back = step_button(say("stepper.back"), self.layer, -1)
        self.next = step_button(say("stepper.next"), self.layer, 1)
        super().__init__([self.back, self.next, self.layer])

    def show(self) -> Picture:
        """The chosen step, and the chain so far."""
        return step_picture(self.diff_ids, self.layer.value)
