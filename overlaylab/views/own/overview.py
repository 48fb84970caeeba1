"""The learner's image: what it is, and the way from its name to the merged view with every hash recomputed."""

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
from overlaylab.views.kit.text import short_digests
from overlaylab.views.overlay.provenance import build_step_text
from overlaylab.words import printable, say

# Verdict -> style and glyph: recomputed and equal, recomputed and different, nothing to recompute, none, not possible.
VERDICTS = {
    "equal": ("merged", "✓"),
    "differs": ("whiteout", "✗"),
    "given": ("lower", "·"),
    "none": ("hidden", "–"),
    "unknown": ("hidden", "?"),
}

WIDE, SHOWN = 900, 14


@dataclass(frozen=True, slots=True)
class Station:
    """One station on the way from the name to the merged view.

    Args:
        key: In the word table, after ``own.row.``.
        claimed: What a document or a directory says.
        found: What was recomputed, or where it leads.
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
    more = ", ".join(printable(part) for part in (target.platform, target.namespace, target.store) if part)
    return f"{printable(name) if name else say('own.no_name')} · {short(target.id)}{f' · {more}' if more else ''}"


def sentence(problem: Problem) -> str:
    """A finding in words for a person."""
    text = say("own.finding", meaning=KINDS[problem.kind][1], where=brief_text(problem.where, 90))
    if problem.expected or problem.found:
        expected, found = (brief_text(part or say("own.nothing"), 60) for part in (problem.expected, problem.found))
        text += say("own.expected", expected=expected, found=found)
    return text


def refusal(error: InputError) -> str:
    """Why an input cannot be used, in words for a person."""
    return say("own.refused", why=sentence(error.problem))


def brief_text(text: str, limit: int) -> str:
    """A text from outside, safe to print, with digests cut to twelve digits, and of at most `limit` characters."""
    return fitted(short_digests(text), limit)


def journey(own: Own) -> tuple[Station, ...]:
    """From a name to the merged view: what each station claims, and what was recomputed."""
    return tuple(_stations(own))


def _stations(own: Own) -> Iterator[Station]:
    image = own.image
    if isinstance(own.target, Container):
        yield Station("container", printable(own.target.name or own.target.id[:12]), own.target.image_id[:19], "given")
    if image is None:
        yield Station("config", say("own.nothing"), say("own.nothing"), "unknown")
        return
    yield Station("name", ", ".join(map(printable, image.names)) or say("own.no_name"), image.id, "given")
    for digest in image.indexes:
        yield Station("index", digest, digest, _blamed(own, digest))
    if image.manifest is not None and image.manifest_digest:
        yield _recomputed("manifest", image.manifest_digest, image.manifest.raw)
    if image.config is None:
        yield Station("config", image.config_digest or say("own.nothing"), say("own.cannot"), "unknown")
        return
    yield _recomputed("config", image.config_digest or image.id, image.config.raw)
    yield Station("id", image.id, _id_is(image), "equal" if _id_is(image) else "differs")
    yield _layers_row(own, "blobs")
    yield _layers_row(own, "diff_ids")
    top = own.proofs[-1].chain_id if own.proofs else None
    claimed = image.chain_ids[-1] if image.chain_ids else say("own.nothing")
    verdict = "unknown" if top is None else "equal" if top == claimed else "differs"
    yield Station("chain", claimed, top or say("own.cannot"), verdict)
    yield _directories_row(own)
    yield _mount_row(own)
    paths = say("own.paths", count=len(merged_entries(own.overlay)) - 1 if own.stack else 0)
    whole = len(own.stack) >= len(image.layers)
    yield Station("merged", say("own.layers", count=len(own.stack)), paths, "given" if whole else "unknown")


def _recomputed(key: str, claimed: Digest, raw: bytes) -> Station:
    found = Digest.of(raw, claimed.algorithm)
    return Station(key, claimed, found, "equal" if found == claimed else "differs")


def _blamed(own: Own, digest: Digest) -> str:
    """The verdict on a document whose digest was checked when the store was opened."""
    errors = (problem for problem in own.report.problems if problem.severity == "error")
    return "differs" if any(digest.hex in problem.where for problem in errors) else "equal"


def _id_is(image: Image) -> str:
    """Which document's digest the IMAGE ID is."""
    known = {image.config_digest: "config", image.manifest_digest: "manifest"}
    known |= dict.fromkeys(image.indexes, "index")
    return say(f"own.id.{known[image.id]}") if image.id in known else ""


def _layers_row(own: Own, key: str) -> Station:
    """All layers at one station: how many digests were recomputed, and how many of them are the claimed ones."""
    pairs = [_pair(proof, key) for proof in own.proofs]
    made = [pair for pair in pairs if pair[1] is not None]
    good, layers = sum(claimed == found for claimed, found in made), say("own.layers", count=len(pairs))
    if not pairs:
        return Station(key, layers, say("own.nothing"), "none")
    if not made:
        return Station(key, layers, say(f"own.none.{key}"), "none" if key == "blobs" else "unknown")
    verdict = "differs" if good < len(made) else "equal" if len(made) == len(pairs) else "unknown"
    return Station(key, layers, say("own.of", good=good, count=len(made)), verdict)


def _pair(proof: LayerProof, key: str) -> tuple[str | None, str | None]:
    """The claimed and the recomputed digest of a layer; None for what there is not."""
    if key == "diff_ids":
        return proof.layer.diff_id, proof.diff_id
    return (proof.layer.descriptor.digest if proof.layer.descriptor else None), proof.blob


def _directories_row(own: Own) -> Station:
    if not own.home.directory_kind:
        return Station("folders", say("own.archive"), say("own.no_folders"), "none")
    there = [layer.directory for layer in own.layers if layer.directory]
    some = f"□ {printable(there[-1][:12])}" if there else say("own.nothing")
    count = say("own.of_layers", good=len(there), count=len(own.layers))
    return Station("folders", f"{own.home.directory_kind} {some}", count, "given")


def _mount_row(own: Own) -> Station:
    try:
        mount = own.mount
    except Finding as finding:
        return Station("mount", say("own.cannot"), sentence(finding.problem), "unknown")
    if mount is None or not mount.lowerdir:
        return Station("mount", say("own.unpack_first"), say("own.nothing"), "none")
    first = f"lowerdir={fitted(printable(mount.lowerdir[0]), 46)}…"
    return Station("mount", first, say("own.lowers", count=len(mount.lowerdir)), "given")


def journey_picture(own: Own) -> Picture:
    """The way as a ladder of stations: what each claims, what was recomputed, and whether they are equal."""
    rows = journey(own)
    sheet, lines = Sheet("journey"), []
    for number, row in enumerate(rows):
        y, (style, glyph) = number * (2 * LINE + 18), VERDICTS[row.verdict]
        sheet.box(0, y, WIDE, 2 * LINE + 8, "", style, title=f"{number + 1}  {say(f'own.row.{row.key}')}")
        sheet.text(12, y + 14, glyph, size=18)
        sheet.text(44, y + 4, f"{number + 1}  {say(f'own.row.{row.key}')}")
        sheet.text(44, y + 24, fitted(_short(row.claimed), 58), face=MONO)
        sheet.text(520, y + 4, say(f"own.verdict.{row.verdict}"))
        draw_name(sheet, 520, y + 24, row.found, 44)
        lines.append(f"{glyph} {number + 1:>2}  {say(f'own.row.{row.key}')}: {printable(row.claimed)}")
        lines.append(f"      {say(f'own.verdict.{row.verdict}')}: {printable(row.found)}")
    bad, equal = (sum(row.verdict == verdict for row in rows) for verdict in ("differs", "equal"))
    key = "own.journey_bad" if bad else "own.journey"
    alt = say(key, name=called(own.target), stations=len(rows), equal=equal, bad=bad)
    return Picture(sheet.dot, alt, "\n".join(lines))


def draw_name(sheet: Sheet, x: float, y: float, name: str, limit: int) -> None:
    """A name in the monospace font, cut to `limit` characters; a digest short and with its chip."""
    is_digest = _is_digest(name)
    if is_digest:
        sheet.chip(x, y + 3, name)
    sheet.text(x + 22 * is_digest, y, fitted(_short(name), limit), face=MONO)


def _is_digest(name: str) -> bool:
    return name.startswith(("sha256:", "sha512:"))


def _short(name: str) -> str:
    return brief(name) if _is_digest(name) and len(name) > 40 else printable(name)


def proof_table(own: Own) -> Any:
    """Each layer, topmost first: its digests, each with ✓ where the recomputed one is equal."""
    rows = []
    for proof in reversed(own.proofs):
        layer = proof.layer
        blob = _proved(layer.descriptor.digest if layer.descriptor else None, proof.blob)
        names = _proved(layer.diff_id, proof.diff_id), _proved(layer.chain_id, proof.chain_id)
        step = build_step_text(printable(layer.history.created_by if layer.history else ""), 32)
        rows.append((layer.position + 1, blob, *names, printable((layer.directory or "–")[:12]), step))
    columns = (say(f"own.column.{key}") for key in ("blob", "diff_id", "chain_id", "folder", "step"))
    return table(("layer", *columns), rows)


def _proved(claimed: Digest | None, found: Digest | None) -> str:
    if claimed is None:
        return "–"
    if found is None:
        return f"? {short(claimed)}"
    return f"✓ {short(claimed)}" if claimed == found else f"✗ {short(claimed)} ≠ {short(found)}"


def mount_lines(own: Own) -> Text:
    """The mount that its engine would make, laid out for reading: `lowerdir` topmost first, one directory a line."""
    try:
        mount = own.mount
    except Finding as finding:
        return Text(sentence(finding.problem))
    if mount is None:
        return Text(say("own.no_mount", count=len(own.layers)))
    if not mount.lowerdir:
        return Text(say("own.no_layers"))
    shown = [*mount.lowerdir[:SHOWN], *_more(len(mount.lowerdir))]
    lines = [f"lowerdir= {say('own.top_first')}", *(f"  {printable(path)}" for path in shown)]
    if mount.upperdir:
        lines.append(f"upperdir=\n  {printable(mount.upperdir)}\nworkdir=\n  {printable(mount.workdir or '')}")
    else:
        lines.append(say("own.read_only"))
    return Text("\n".join(lines))


def _more(count: int) -> list[str]:
    """A line that counts what goes beyond the lines that are shown; none if all are."""
    return [say("overlay.more", count=count - SHOWN)] if count > SHOWN else []


def findings(own: Own) -> Text:
    """All findings in words, and what could not be checked."""
    report = own.report
    lines = []
    for problem in report.problems[:SHOWN]:
        lines.append(f"{'✗' if problem.severity == 'error' else '!'} {sentence(problem)}")
    lines += _more(len(report.problems))
    for item in report.not_checked[:SHOWN]:
        lines.append(f"? {say('own.skipped', what=printable(item.what), why=printable(item.why))}")
    return Text("\n".join([*lines, say("own.all_fits" if report.ok else "own.not_all")]))


def own_picture(own: Own | None, note: str = "") -> Picture:
    """The open store and image, with a note about the last attempt to open one."""
    sheet, lines = Sheet("own"), []
    if own is not None:
        counts = {"images": len(own.store.images()), "containers": len(own.store.containers())}
        facts = [
            ("source", printable(own.source)),
            ("kind", say("own.store", kind=own.store.kind, **counts)),
            ("target", called(own.target)),
            ("layers", say("own.layers", count=len(own.layers))),
        ]
        sheet.box(0, 0, 760, LINE * len(facts) + 16, "", "lower", title=say("own.open"))
        for row, (key, text) in enumerate(facts):
            sheet.text(12, 8 + row * LINE, say(f"own.fact.{key}"))
            sheet.text(110, 8 + row * LINE, fitted(text, 80), face=MONO)
            lines.append(f"{say(f'own.fact.{key}'):9} {text}")
        alt = say("own.opened", name=called(own.target), source=printable(own.source))
    else:
        alt = say("own.nothing_open")
        sheet.text(0, 0, alt)
    alt = note or alt
    glyph = PALETTE["lower"].glyph
    return Picture(sheet.dot, alt, "\n".join([*(f"{glyph} {line}" for line in lines), *wrapped(note, 100)]) or alt)


def wrapped(text: str, width: int) -> list[str]:
    """A sentence in lines."""
    return textwrap.wrap(text, width, break_long_words=True)
