"""The map of the course with its stations, and a report in plain words on what this machine can do."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overlaylab.image.digest import short
from overlaylab.kernel.machine import Fact, check_machine
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import merged_entries, overlay_of
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.docker.walk import follow
from overlaylab.stores.selection import select_image
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.panel import Panel, Pick, button
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet
from overlaylab.views.kit.tables import html_table, table
from overlaylab.words import printable, say

# Station -> the style of its box.
STATIONS = {"config": "hash", "diff": "hash", "chain": "hash", "cache": "plain", "mount": "lower", "view": "merged"}

WIDTH, HEIGHT, GAP = 268, 4 * LINE + 10, 36

MARKS = {True: ("✓", "info.ok"), False: ("✗", "info.bad"), None: ("·", "info.neutral")}


@dataclass(frozen=True, slots=True)
class Sights:
    """The examples at each station, from one data root.

    Args:
        shown: Station -> the line in its box.
        digests: Station -> the digest whose chip stands before it.
    """

    shown: Mapping[str, str]
    digests: Mapping[str, str]


def sights(store: DockerRoot, image: str = "kit/app:1", container: str = "web") -> Sights:
    """The examples for an image, and for a container that was made from it."""
    walk, found, running = follow(store, image), select_image(store, image), follow(store, container).container
    assert running is not None
    layer = found.layers[walk.position]
    overlay, _ = overlay_of(running, store, LayerReader(store))
    return Sights(
        shown={
            "config": f"image ID {short(found.id)}…",
            "diff": f"diff_id {short(layer.diff_id)}…",
            "chain": f"chain_id {short(layer.chain_id)}…",
            "cache": f"cache-id {short(walk['cache-id'].found)}…",
            "mount": say("map.folders", lowers=len(running.lower)),
            "view": say("map.names", names=len(merged_entries(overlay)) - 1),
        },
        digests={"config": found.id.hex, "diff": layer.diff_id.hex, "chain": layer.chain_id.hex},
    )


def map_picture(
    store: DockerRoot, station: int = 0, seen: Sights | None = None, done: Mapping[str, str] | None = None
) -> Picture:
    """The course as a map: in the upper row what a hash gives, in the lower row what one machine has.

    Args:
        station: The highlighted station, 1 to 6; 0 for none.
        seen: The examples from this store, if they were read before.
        done: Number of a notebook -> the text after it, such as the learner's progress.
    """
    seen, done = seen or sights(store), done or {}
    where = {key: _where(key, done) for key in STATIONS}
    sheet = Sheet("map")
    sheet.text(0, 0, say("map.upper_row"))
    sheet.text(0, 62 + HEIGHT, say("map.lower_row"))
    for number, key in enumerate(STATIONS, 1):
        _station(sheet, number, key, seen, where[key], number == station)
    step = WIDTH + GAP
    for row, y in enumerate((26 + HEIGHT / 2, 88 + 1.5 * HEIGHT)):
        for column in (1, 2):
            ends = (column * step - GAP, column * step)
            start, end = ends[::-1] if row else ends
            sheet.arrow(start, y, end, y)
    sheet.arrow(2 * step + WIDTH / 2, 26 + HEIGHT, 2 * step + WIDTH / 2, 88 + HEIGHT)
    return Picture(sheet.dot, _map_alt(station), _map_text(seen, station, where))


def _where(key: str, done: Mapping[str, str]) -> str:
    """The notebook of a station, and the progress in it."""
    notebook = say(f"map.notebook.{key}")
    return "  ".join(filter(None, [say("map.where", notebook=notebook), done.get(notebook, "")]))


def _station(sheet: Sheet, number: int, key: str, seen: Sights, where: str, here: bool) -> None:
    """The box of a station: its name, question, example and notebook; the lower row runs from right to left."""
    column = number - 1 if number < 4 else 6 - number
    x, y = column * (WIDTH + GAP), 26 if number < 4 else 88 + HEIGHT
    name = f"{number}  {say(f'map.name.{key}')}"
    sheet.box(x, y, WIDTH, HEIGHT, "", STATIONS[key], title=name)
    sheet.text(x + 12, y + 5, f"{name}   {say('map.here')}" if here else name)
    sheet.text(x + 12, y + 5 + LINE, say(f"map.question.{key}"))
    if key in seen.digests:
        sheet.chip(x + 14, y + 8 + 2 * LINE, seen.digests[key])
    elif key == "cache":
        sheet.square(x + 14, y + 9 + 2 * LINE)
    sheet.text(x + (34 if key in (*seen.digests, "cache") else 12), y + 5 + 2 * LINE, seen.shown[key], face=MONO)
    sheet.text(x + 12, y + 5 + 3 * LINE, where)


def _map_alt(station: int) -> str:
    if not station:
        return say("map.alt_all", names=", ".join(say(f"map.name.{key}") for key in STATIONS))
    key = list(STATIONS)[station - 1]
    parts = {part: say(f"map.{part}.{key}") for part in ("name", "question", "answer", "notebook")}
    return say("map.alt", number=station, **parts)


def _map_text(seen: Sights, station: int, where: Mapping[str, str]) -> str:
    lines = []
    for number, key in enumerate(STATIONS, 1):
        here = f"  {say('map.here')}" if number == station else ""
        lines.append(f"{number}  {say(f'map.name.{key}'):<18} {where[key]}  {seen.shown[key]}{here}")
        lines.append(f"   {say(f'map.question.{key}')} {say(f'map.answer.{key}')}")
    return "\n".join(lines)


class MapGuide(Panel):
    """Go through the stations of the map.

    Args:
        station: The station to begin with, 1 to 6.
    """

    def __init__(self, store: DockerRoot, station: int = 1) -> None:
        self.store, self.seen = store, sights(store)
        options = [(say(f"map.name.{key}"), number) for number, key in enumerate(STATIONS, 1)]
        self.station = Pick(say("guide.station"), options, station)
        self.back = button(say("guide.back"), lambda _: self.station.step(-1))
        self.next = button(say("guide.next"), lambda _: self.station.step(1))
        super().__init__([self.back, self.station, self.next])
        self.station.observe(self.redraw, "value")

    def show(self) -> Picture:
        """The map with the chosen station highlighted."""
        return map_picture(self.store, self.station.value, self.seen)


@dataclass(frozen=True, slots=True)
class MachineReport:
    """Facts about this machine, as a table that a notebook shows."""

    facts: tuple[Fact, ...]

    def __repr__(self) -> str:
        width = max(len(fact.name) for fact in self.facts)
        return "\n".join(
            f"{MARKS[fact.ok][0]} {fact.name:<{width}}  {printable(fact.value)}\n  {'':<{width}}  {fact.meaning}"
            for fact in self.facts
        )

    def _repr_html_(self) -> str:
        names = (html.escape(say(f"info.column_{name}")) for name in ("name", "found", "means"))
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in names)
        return html_table(f"<td></td>{head}", map(_fact_cells, self.facts))


def _fact_cells(fact: Fact) -> str:
    glyph, word = MARKS[fact.ok]
    cells = "".join(
        f"<td style='text-align:left'>{html.escape(printable(text))}</td>"
        for text in (fact.name, fact.value, fact.meaning)
    )
    return f"<td title='{html.escape(say(word))}'>{glyph}</td>{cells}"


def machine_report(facts: Sequence[Fact] | None = None) -> MachineReport:
    """A report on this machine: Python, pictures, kernel, engines, and the facts of ``docker info``, without Docker."""
    return MachineReport(tuple(check_machine() if facts is None else facts))


def info_table(info: Mapping[str, str]) -> Any:
    """Fields of ``docker info``, each with what it means."""
    rows = [(name, value, say(f"info.{name}")) for name, value in info.items()]
    return table(("", say("info.column_page"), say("info.column_means")), rows)
