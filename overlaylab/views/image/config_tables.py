"""An image config as tables and pictures: its fields, its history, and how its bytes give the image ID."""

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

# The width of a build step's box.
STEP = width_of("x" * 60)

# The fields that a lesson explains, in its order; their words are "field.<name>".
FIELDS = """
    architecture os created config.Entrypoint config.Cmd config.Env config.WorkingDir config.User config.ExposedPorts
    config.Volumes config.Labels config.StopSignal rootfs.type rootfs.diff_ids history
    config.Image config.Hostname container container_config docker_version
""".split()

# Fields that only Docker writes; the others are in image-spec, config.md, "Properties".
DOCKER_ONLY = {"config.Image", "config.Hostname", "container", "container_config", "docker_version"}


def field_table(raw: bytes) -> DigestTable:
    """The fields of a config, their values, and what each is for. Absent fields are left out."""
    document = json.loads(raw)
    rows = []
    for name, value in [(field, value) for field in FIELDS for value in _values(document, field)]:
        writer = say("config.docker" if name in DOCKER_ONLY else "config.spec")
        rows.append((name, _value(name, value), say(f"field.{name}"), writer))
    return DigestTable.of([say(f"config.column.{name}") for name in ("field", "value", "meaning", "by")], rows)


def _values(document: Any, name: str) -> Iterable[Any]:
    """The value at a dotted path, or nothing."""
    for step in name.split("."):
        if not isinstance(document, dict) or step not in document:
            return
        document = document[step]
    yield document


def _value(name: str, value: Any) -> Any:
    """A value as a cell: lists as lines, objects cut."""
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
    """One JSON document serialized in several ways: the same meaning, other bytes, other digests."""
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
    """All images of a store: the name of the config's file, the digest of its bytes, its size, steps and layers."""
    rows = []
    for image in store.images():
        if (config := image.config) is not None:
            counts = len(config.raw), len(config.history), len(image.diff_ids or ())
            rows.append((", ".join(image.names) or "–", image.config_digest, config.image_id, *counts))
    columns = [say(f"config.column.{name}") for name in ("names", "file", "computed", "bytes", "steps", "layers")]
    return DigestTable.of(columns, rows)


def config_picture(config: ImageConfig, name: str) -> Picture:
    """From a name of the image to its ID, and the config that the ID is computed from."""
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
    size = f"{len(config.raw):,}"
    alt = say("config.alt", name=name, digest=brief(config.image_id), size=size, layers=len(config.diff_ids))
    twin = [f"{name}  ->  image ID {brief(config.image_id)}  {PALETTE['hash'].glyph} {say('palette.hash')}:", ""]
    twin += [say("config.card", size=size)]
    twin += [f"  {label:9} {brief(text) if isinstance(text, DiffID) else text}" for label, text in lines]
    return Picture(sheet.dot, alt, "\n".join(twin))


def _card(config: ImageConfig) -> list[tuple[str, str]]:
    """The lines about a config in the picture, each with its label; layers topmost first."""
    command = " ".join((*config.execution.entrypoint, *config.execution.cmd))
    lines = [(say("config.platform"), config.platform), (say("config.runs"), cut(command or "–", 26))]
    lines += [(say("config.history"), say("config.steps", count=len(config.history)))]
    numbered = reversed(list(enumerate(config.diff_ids, 1)))
    return lines + [(say("config.layer", number=number), diff_id) for number, diff_id in numbered]


def history_picture(config: ImageConfig) -> Picture:
    """Every build step, and the layer that it made, if any; the first step at the bottom."""
    numbers = _layer_numbers(config)
    sheet = Sheet("history")
    lines = []
    for row, (entry, number) in enumerate(reversed(list(zip(config.history, numbers, strict=True)))):
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
        lines.append(f"{step:2}  {text:52}  {_layer_text(config, number)}")
    made = sum(number > 0 for number in numbers)
    alt = say("config.alt_history", steps=len(numbers), layers=made, empty=len(numbers) - made)
    return Picture(sheet.dot, alt, "\n".join(lines))


def _layer_numbers(config: ImageConfig) -> list[int]:
    """For each build step the number of its layer, from 1; 0 for a step with ``empty_layer``."""
    numbers, count = [], 0
    for entry in config.history:
        count += not entry.empty_layer
        numbers.append(0 if entry.empty_layer else count)
    return numbers


def _layer_text(config: ImageConfig, number: int) -> str:
    if not number:
        return f"·  {say('config.no_layer')}"
    return f"-> {say('config.layer', number=number)}  {brief(config.diff_ids[number - 1])}"


def step_words(created_by: str) -> str:
    """A build step as its author wrote it.

    Docker's old builder records every step as a shell command; ``#(nop)`` (no operation) marks steps that run nothing.

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
