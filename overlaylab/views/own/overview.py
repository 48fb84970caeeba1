"""The learner's image in rows and pictures: what it is, and the whole way with every hash recomputed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import KINDS, Finding, InputError, Problem
from overlaylab.image.digest import Digest, short
from overlaylab.image.image import Container, Image
from overlaylab.stores.audit.learner_image import LayerProof, Own
from overlaylab.stores.audit.validation import merged_entries
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.views.kit.tables import Text, brief, table
from overlaylab.views.overlay.provenance import step_text
from overlaylab.views.stores.docker_walk import brief as without_long_names
from overlaylab.words import printable, say

__all__ = [
    "Row",
    "called",
    "findings",
    "journey",
    "journey_picture",
    "mount_lines",
    "own_picture",
    "proof_table",
    "refusal",
    "sentence",
]

# Verdict -> style and glyph: recomputed and equal, recomputed and different, nothing to recompute, not possible.
VERDICTS = {
    "equal": ("merged", "✓"),
    "differs": ("whiteout", "✗"),
    "given": ("lower", "·"),
    "none": ("hidden", "–"),
    "unknown": ("hidden", "?"),
}

WIDE, SHOWN = 900, 14


@dataclass(frozen=True, slots=True)
class Row:
    """One station of the way.

    Args:
        key: Of its words.
        claimed: What a document or a folder says.
        found: What was recomputed, or what it leads to.
        verdict: A key of `VERDICTS`.
    """

    key: str
    claimed: str
    found: str
    verdict: str


def called(target: Image | Container) -> str:
    """A short name for an image or a container, safe to print."""
    if isinstance(target, Container):
        return say("own.container", name=printable(target.name or target.id[:12]))
    name = min(target.names, key=len, default="")
    more = [part for part in (target.platform, target.namespace, target.store) if part]
    return f"{printable(name) if name else say('own.no_name')} · {short(target.id)}" + (
        f" · {', '.join(map(printable, more))}" if more else ""
    )


def sentence(problem: Problem) -> str:
    """A finding in words for a person."""
    text = say("own.finding", meaning=KINDS[problem.kind][1], where=brief_text(problem.where, 90))
    if problem.expected or problem.found:
        text += say(
            "own.expected",
            expected=brief_text(problem.expected or say("own.nothing"), 60),
            found=brief_text(problem.found or say("own.nothing"), 60),
        )
    return text


def refusal(error: InputError) -> str:
    """Why an input cannot be used, in words for a person."""
    return say("own.refused", why=sentence(error.problem))


def brief_text(text: str, limit: int) -> str:
    """A text from outside, safe to print, with its digests cut to 12 digits, and of bounded length."""
    return fitted(without_long_names(text), limit)


# The way


def journey(own: Own) -> tuple[Row, ...]:
    """From a name to the merged view: what each station claims, and what was recomputed."""
    return tuple(_journey(own))


def _journey(own: Own) -> Iterator[Row]:
    image = own.image
    if isinstance(own.target, Container):
        yield Row("container", printable(own.target.name or own.target.id[:12]), own.target.image_id[:19], "given")
    if image is None:
        yield Row("config", say("own.nothing"), say("own.nothing"), "unknown")
        return
    yield Row("name", ", ".join(map(printable, image.names)) or say("own.no_name"), image.id, "given")
    for digest in image.indexes:
        yield Row("index", digest, digest, _blamed(own, digest))
    if image.manifest is not None and image.manifest_digest:
        yield _recomputed("manifest", image.manifest_digest, image.manifest.raw)
    if image.config is None:
        yield Row("config", image.config_digest or say("own.nothing"), say("own.cannot"), "unknown")
        return
    yield _recomputed("config", image.config_digest or image.id, image.config.raw)
    yield Row("id", image.id, _id_is(image), "equal" if _id_is(image) else "differs")
    yield _layers_row(own, "blobs")
    yield _layers_row(own, "diff_ids")
    top, claimed = (
        own.proofs[-1].chain_id if own.proofs else None,
        image.chain_ids[-1] if image.chain_ids else say("own.nothing"),
    )
    yield Row(
        "chain",
        claimed,
        top or say("own.cannot"),
        "unknown" if top is None else "equal" if top == claimed else "differs",
    )
    yield _directories_row(own)
    yield _mount_row(own)
    entries = len(merged_entries(own.overlay)) - 1 if own.stack else 0
    whole = len(own.stack) >= len(image.layers)
    yield Row(
        "merged",
        say("own.layers", count=len(own.stack)),
        say("own.paths", count=entries),
        "given" if whole else "unknown",
    )


def _recomputed(key: str, claimed: Digest, raw: bytes) -> Row:
    found = Digest.of(raw, claimed.algorithm)
    return Row(key, claimed, found, "equal" if found == claimed else "differs")


def _blamed(own: Own, digest: Digest) -> str:
    """A document that was checked while the store was opened."""
    return (
        "differs"
        if any(digest.hex in problem.where for problem in own.report.problems if problem.severity == "error")
        else "equal"
    )


def _id_is(image: Image) -> str:
    """Which document's digest the IMAGE ID is."""
    known = {image.config_digest: "config", image.manifest_digest: "manifest"} | {
        digest: "index" for digest in image.indexes
    }
    return say(f"own.id.{known[image.id]}") if image.id in known else ""


def _layers_row(own: Own, key: str) -> Row:
    """All layers in one line: how many names were recomputed, and how many of them are the claimed ones."""
    pairs = [_pair(proof, key) for proof in own.proofs]
    made = [pair for pair in pairs if pair[1] is not None]
    good = sum(claimed == found for claimed, found in made)
    if not pairs:
        return Row(key, say("own.layers", count=0), say("own.nothing"), "none")
    if not made:
        return Row(
            key, say("own.layers", count=len(pairs)), say(f"own.none.{key}"), "none" if key == "blobs" else "unknown"
        )
    verdict = "differs" if good < len(made) else "equal" if len(made) == len(pairs) else "unknown"
    return Row(key, say("own.layers", count=len(pairs)), say("own.of", good=good, count=len(made)), verdict)


def _pair(proof: LayerProof, key: str) -> tuple[str | None, str | None]:
    if key == "diff_ids":
        return proof.layer.diff_id, proof.diff_id
    return (proof.layer.descriptor.digest if proof.layer.descriptor else None), proof.blob


def _directories_row(own: Own) -> Row:
    if not own.home.directory_kind:
        return Row("folders", say("own.archive"), say("own.no_folders"), "none")
    there = [layer.directory for layer in own.layers if layer.directory]
    some = f"□ {printable(there[-1][:12])}" if there else say("own.nothing")
    return Row(
        "folders",
        f"{own.home.directory_kind} {some}",
        say("own.of_layers", good=len(there), count=len(own.layers)),
        "given",
    )


def _mount_row(own: Own) -> Row:
    try:
        mount = own.mount
    except Finding as finding:
        return Row("mount", say("own.cannot"), sentence(finding.problem), "unknown")
    if mount is None or not mount.lowerdir:
        return Row("mount", say("own.unpack_first"), say("own.nothing"), "none")
    return Row(
        "mount",
        f"lowerdir={fitted(printable(mount.lowerdir[0]), 46)}…",
        say("own.lowers", count=len(mount.lowerdir)),
        "given",
    )


def journey_picture(own: Own) -> Picture:
    """The way as a ladder: each station with what it claims, what was recomputed, and whether they are equal."""
    rows = journey(own)
    sheet, lines = Sheet("journey"), []
    for number, row in enumerate(rows):
        y, (style, glyph) = number * (2 * LINE + 18), VERDICTS[row.verdict]
        sheet.box(0, y, WIDE, 2 * LINE + 8, "", style, title=f"{number + 1}  {say(f'own.row.{row.key}')}")
        sheet.text(12, y + 14, glyph, size=18)
        sheet.text(44, y + 4, f"{number + 1}  {say(f'own.row.{row.key}')}")
        sheet.text(44, y + 24, fitted(_text(row.claimed), 58), face=MONO)
        sheet.text(520, y + 4, say(f"own.verdict.{row.verdict}"))
        _found(sheet, row, y + 24)
        lines.append(f"{glyph} {number + 1:>2}  {say(f'own.row.{row.key}')}: {printable(row.claimed)}")
        lines.append(f"      {say(f'own.verdict.{row.verdict}')}: {printable(row.found)}")
    bad = sum(row.verdict == "differs" for row in rows)
    key = "own.journey_bad" if bad else "own.journey"
    alt = say(
        key, name=called(own.target), stations=len(rows), equal=sum(row.verdict == "equal" for row in rows), bad=bad
    )
    return Picture(sheet.dot, alt, "\n".join(lines))


def _found(sheet: Sheet, row: Row, y: float) -> None:
    is_digest = row.found.startswith(("sha256:", "sha512:"))
    if is_digest:
        sheet.chip(520, y + 3, row.found)
    sheet.text(542 if is_digest else 520, y, fitted(_text(row.found), 44), face=MONO)


def _text(value: str) -> str:
    return brief(value) if value.startswith(("sha256:", "sha512:")) and len(value) > 40 else printable(value)


# The layers


def proof_table(own: Own) -> Any:
    """Each layer, topmost first as they lie: its names, each with ✓ where it was recomputed and fits."""
    rows = [
        (
            proof.layer.position + 1,
            _proved(proof.layer.descriptor.digest if proof.layer.descriptor else None, proof.blob),
            _proved(proof.layer.diff_id, proof.diff_id),
            _proved(proof.layer.chain_id, proof.chain_id),
            printable((proof.layer.directory or "–")[:12]),
            step_text(printable(proof.layer.history.created_by if proof.layer.history else ""), 32),
        )
        for proof in reversed(own.proofs)
    ]
    return table(
        ("layer", *(say(f"own.column.{key}") for key in ("blob", "diff_id", "chain_id", "folder", "step"))), rows
    )


def _proved(claimed: Digest | None, found: Digest | None) -> str:
    if claimed is None:
        return "–"
    if found is None:
        return f"? {short(claimed)}"
    return f"✓ {short(claimed)}" if claimed == found else f"✗ {short(claimed)} ≠ {short(found)}"


def mount_lines(own: Own) -> Text:
    """What its engine would mount, written to be read: `lowerdir` one folder a line, topmost first."""
    try:
        mount = own.mount
    except Finding as finding:
        return Text(sentence(finding.problem))
    if mount is None:
        return Text(say("own.no_mount", count=len(own.layers)))
    if not mount.lowerdir:
        return Text(say("own.no_layers"))
    shown = [
        *mount.lowerdir[:SHOWN],
        *([say("overlay.more", count=len(mount.lowerdir) - SHOWN)] if len(mount.lowerdir) > SHOWN else []),
    ]
    lines = [f"lowerdir= {say('own.top_first')}", *(f"  {printable(path)}" for path in shown)]
    lines += (
        [f"upperdir=\n  {printable(mount.upperdir)}\nworkdir=\n  {printable(mount.workdir or '')}"]
        if mount.upperdir
        else [say("own.read_only")]
    )
    return Text("\n".join(lines))


def findings(own: Own) -> Text:
    """Everything that is wrong, in words, and what could not be checked."""
    report = own.report
    lines = [
        f"{'✗' if problem.severity == 'error' else '!'} {sentence(problem)}" for problem in report.problems[:SHOWN]
    ]
    lines += [say("overlay.more", count=len(report.problems) - SHOWN)] if len(report.problems) > SHOWN else []
    skipped = [
        f"? {say('own.skipped', what=printable(item.what), why=printable(item.why))}"
        for item in report.not_checked[:SHOWN]
    ]
    return Text("\n".join([*lines, *skipped, say("own.all_fits" if report.ok else "own.not_all")]))


# What was chosen


def own_picture(own: Own | None, note: str = "") -> Picture:
    """What is open now: the store, the image, and a note about the last attempt."""
    sheet, lines = Sheet("own"), []
    if own is not None:
        image = own.image
        facts = [
            ("source", printable(own.source)),
            (
                "kind",
                say(
                    "own.store",
                    kind=own.store.kind,
                    images=len(own.store.images()),
                    containers=len(own.store.containers()),
                ),
            ),
            ("target", called(own.target)),
            ("layers", say("own.layers", count=len(image.layers) if image else 0)),
        ]
        sheet.box(0, 0, 760, LINE * len(facts) + 16, "", "lower", title=say("own.open"))
        for row, (key, text) in enumerate(facts):
            sheet.text(12, 8 + row * LINE, say(f"own.fact.{key}"))
            sheet.text(110, 8 + row * LINE, fitted(text, 80), face=MONO)
            lines.append(f"{say(f'own.fact.{key}'):9} {text}")
    alt = note or (
        say("own.opened", name=called(own.target), source=printable(own.source)) if own else say("own.nothing_open")
    )
    if own is None:
        sheet.text(0, 0, say("own.nothing_open"))
    glyph = PALETTE["lower"].glyph
    return Picture(sheet.dot, alt, "\n".join([*(f"{glyph} {line}" for line in lines), *wrapped(note, 100)]) or alt)


def wrapped(text: str, width: int) -> list[str]:
    """A sentence in lines."""
    return textwrap.wrap(text, width, break_long_words=True)
