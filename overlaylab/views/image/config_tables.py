"""An image config as tables and pictures: its fields, its history, and how its bytes become the image ID."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from overlaylab.image.config import ImageConfig
from overlaylab.image.digest import DiffID, digest_bytes
from overlaylab.image.document import compact_json, pretty_json
from overlaylab.stores.store import Store
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import CHAR, Sheet, width_of
from overlaylab.views.kit.tables import DigestTable, brief
from overlaylab.views.kit.text import cut
from overlaylab.words import say

__all__ = ["config_picture", "field_table", "history_picture", "image_table", "writing_table"]

# The width of a build step's box.
STEP = width_of("x" * 60)

# The fields that a lesson speaks of, in the order in which it does; their words are "field.<name>".
FIELDS = """
    architecture os created config.Entrypoint config.Cmd config.Env config.WorkingDir config.User config.ExposedPorts
    config.Volumes config.Labels config.StopSignal rootfs.type rootfs.diff_ids history
    config.Image config.Hostname container container_config docker_version
""".split()

# What only Docker writes; the others are in image-spec, config.md, "Properties".
DOCKER_ONLY = {"config.Image", "config.Hostname", "container", "container_config", "docker_version"}


def field_table(raw: bytes) -> DigestTable:
    """What a config says, field by field, and what each field is for.

    Args:
        raw: The config's bytes. Fields that are not there are left out.
    """
    document = json.loads(raw)
    found = [(name, value) for name in FIELDS for value in _values(document, name)]
    rows = [
        (
            name,
            _value(name, value),
            say(f"field.{name}"),
            say("config.docker" if name in DOCKER_ONLY else "config.spec"),
        )
        for name, value in found
    ]
    return DigestTable.of([say(f"config.column.{name}") for name in ("field", "value", "meaning", "by")], rows)


def _values(document: Any, name: str) -> Iterable[Any]:
    """The value at a dotted path, or nothing."""
    for step in name.split("."):
        if not isinstance(document, dict) or step not in document:
            return
        document = document[step]
    yield document


def _value(name: str, value: Any) -> Any:
    """A value for the table: lists as lines, nested settings cut."""
    if name == "history":
        return say("config.steps", count=len(value)) if value else say("config.no_steps")
    if name == "rootfs.diff_ids":
        return tuple(DiffID(digest) for digest in value)
    if isinstance(value, list):
        return tuple(json.dumps(item, ensure_ascii=False) for item in value)
    if name == "config.Labels" and value:
        return tuple(f"{key} = {text}" for key, text in value.items())
    return cut(json.dumps(value, ensure_ascii=False), 40)


def writing_table(raw: bytes) -> DigestTable:
    """One document written in several ways: the same meaning, other bytes, other digests."""
    text = raw.decode("utf-8")
    ways = {
        "compact": compact_json(text),
        "newline": compact_json(text) + b"\n",
        "pretty": pretty_json(raw),
        "sorted": compact_json(json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)),
    }
    rows = [(say(f"config.written.{name}"), len(data), digest_bytes(data)) for name, data in ways.items()]
    return DigestTable.of([say("config.column.written"), say("config.column.bytes"), "sha256"], rows)


def image_table(store: Store) -> DigestTable:
    """All images of a store: the name of the config's file, the digest of its bytes, and how much is in it."""
    rows = [
        (
            ", ".join(image.names) or "–",
            image.config_digest,
            image.config.image_id,
            len(image.config.raw),
            len(image.config.history),
            len(image.diff_ids),
        )
        for image in store.images()
        if image.config is not None
    ]
    columns = [say(f"config.column.{name}") for name in ("names", "file", "computed", "bytes", "steps", "layers")]
    return DigestTable.of(columns, rows)


# Pictures


def config_picture(config: ImageConfig, name: str) -> Picture:
    """From a name to the image ID, and what the ID is computed from.

    Args:
        config: The parsed config.
        name: A name that a person uses, for example ``busybox:latest``.
    """
    sheet, lines = Sheet("config"), _card(config)
    height = 44 + 24 * len(lines)
    middle = height / 2
    sheet.box(0, middle - 24, 170, 48, "", "plain", title=name)
    sheet.text(12, middle - 22, say("config.name"))
    sheet.text(12, middle - 2, cut(name, 18), face=MONO)
    sheet.arrow(170, middle, 236, middle)
    sheet.box(236, middle - 24, 226, 48, "", "hash", title=config.image_id)
    sheet.text(248, middle - 22, "image ID")
    sheet.chip(248, middle + 1, config.image_id)
    sheet.text(270, middle - 2, brief(config.image_id), face=MONO)
    sheet.arrow(560, middle, 462, middle, "hash")
    sheet.text(468, middle - 26, f"{PALETTE['hash'].glyph} {say('palette.hash')}")
    sheet.box(560, 0, 340, height, "", "plain", title=say("config.card", size=f"{len(config.raw):,}"))
    sheet.text(576, 10, say("config.card", size=f"{len(config.raw):,}"))
    for row, (label, text) in enumerate(lines):
        y = 38 + 24 * row
        sheet.text(576, y, label)
        sheet.chip(652, y + 3, text) if isinstance(text, DiffID) else None
        sheet.text(674, y, brief(text) if isinstance(text, DiffID) else text, face=MONO)
    alt = say(
        "config.alt", name=name, digest=brief(config.image_id), size=f"{len(config.raw):,}", layers=len(config.diff_ids)
    )
    text = [f"{name}  ->  image ID {brief(config.image_id)}  {PALETTE['hash'].glyph} {say('palette.hash')}:", ""]
    text += [
        say("config.card", size=f"{len(config.raw):,}"),
        *(f"  {label:9} {brief(text) if isinstance(text, DiffID) else text}" for label, text in lines),
    ]
    return Picture(sheet.dot, alt, "\n".join(text))


def _card(config: ImageConfig) -> list[tuple[str, str]]:
    """What the picture of a config shows; layers as they lie, top layer first."""
    command = " ".join((*config.execution.entrypoint, *config.execution.cmd))
    lines = [
        (say("config.platform"), config.platform),
        (say("config.runs"), cut(command or "–", 26)),
        (say("config.history"), say("config.steps", count=len(config.history))),
    ]
    return lines + [
        (say("config.layer", number=number), config.diff_ids[number - 1])
        for number in range(len(config.diff_ids), 0, -1)
    ]


def history_picture(config: ImageConfig) -> Picture:
    """Every build step, and the layer that it made or did not make; first step at the bottom, as layers lie."""
    numbers = _layer_numbers(config)
    sheet = Sheet("history")
    lines = []
    for row, (entry, number) in enumerate(reversed(list(zip(config.history, numbers)))):
        y, step = row * 36, len(numbers) - row
        text = cut(step_words(entry.created_by), 52)
        sheet.box(0, y, STEP, 28, f"{step:2}  {text}", "plain" if number else "hidden")
        if number:
            diff_id = config.diff_ids[number - 1]
            sheet.arrow(STEP, y + 14, STEP + 70, y + 14)
            sheet.box(STEP + 70, y, 300, 28, "", "lower", title=diff_id)
            sheet.text(STEP + 82, y + 4, f"{PALETTE['lower'].glyph} {say('config.layer', number=number)}")
            sheet.chip(STEP + 168, y + 7, diff_id)
            sheet.text(STEP + 190, y + 4, brief(diff_id), width=24 * CHAR, face=MONO)
        else:
            sheet.text(STEP + 82, y + 4, f"{PALETTE['hidden'].glyph} {say('config.no_layer')}")
        lines.append(f"{step:2}  {text:52}  {_made(config, number)}")
    made = sum(number > 0 for number in numbers)
    alt = say("config.alt_history", steps=len(numbers), layers=made, empty=len(numbers) - made)
    return Picture(sheet.dot, alt, "\n".join(lines))


def _layer_numbers(config: ImageConfig) -> list[int]:
    """For each build step the layer it made, counted from 1, or 0; told by ``empty_layer`` alone."""
    numbers, count = [], 0
    for entry in config.history:
        count += not entry.empty_layer
        numbers.append(0 if entry.empty_layer else count)
    return numbers


def _made(config: ImageConfig, number: int) -> str:
    return (
        f"-> {say('config.layer', number=number)}  {brief(config.diff_ids[number - 1])}"
        if number
        else f"·  {say('config.no_layer')}"
    )


def step_words(created_by: str) -> str:
    """A build step as its author wrote it.

    Docker's old builder writes every step as a call of the shell; ``#(nop)`` (no
    operation) marks those that run nothing.

    Example:
        >>> step_words('/bin/sh -c #(nop)  CMD ["sh"]')
        'CMD ["sh"]'
        >>> step_words("/bin/sh -c rm -rf /opt/old")
        'RUN rm -rf /opt/old'
    """
    shell = "/bin/sh -c "
    if not created_by.startswith(shell):
        return created_by
    step = created_by.removeprefix(shell)
    return step.removeprefix("#(nop)").strip() if step.startswith("#(nop)") else f"RUN {step}"
