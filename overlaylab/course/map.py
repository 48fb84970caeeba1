"""The map of the journey with its stations, and what this machine can do, in plain words."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets

from overlaylab.image.digest import short
from overlaylab.kernel.machine import Fact, check_machine
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import merged_entries, overlay_of
from overlaylab.stores.docker.root import DockerRoot
from overlaylab.stores.docker.walk import follow
from overlaylab.views.kit.palette import MONO
from overlaylab.views.kit.panel import Panel, Pick
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet
from overlaylab.views.kit.tables import table
from overlaylab.words import printable, say

__all__ = ["STATIONS", "MachineReport", "MapGuide", "info_table", "machine_report", "map_picture"]

# Station -> the style of its box.
STATIONS = {"config": "hash", "diff": "hash", "chain": "hash", "cache": "plain", "mount": "lower", "view": "merged"}

WIDTH, HEIGHT, GAP = 268, 4 * LINE + 10, 36

MARKS = {True: ("✓", "info.ok"), False: ("✗", "info.bad"), None: ("·", "info.neutral")}


@dataclass(frozen=True, slots=True)
class Sights:
    """What is to be seen at each station, in one data root.

    Args:
        shown: Station -> the line in its box.
        digests: Station -> the digest whose chip stands before it.
    """

    shown: Mapping[str, str]
    digests: Mapping[str, str]


def sights(store: DockerRoot, image: str = "kit/app:1", container: str = "web") -> Sights:
    """Visit every station once, with an image and a container that runs from it."""
    walk, run = follow(store, image), follow(store, container)
    layer = walk.image.layers[walk.position]
    overlay, _ = overlay_of(run.container, store, LayerReader(store))
    return Sights(
        shown={
            "config": f"image ID {short(walk.image.id)}…",
            "diff": f"diff_id {short(layer.diff_id)}…",
            "chain": f"chain_id {short(layer.chain_id)}…",
            "cache": f"cache-id {short(walk['cache-id'].found)}…",
            "mount": say("map.folders", lowers=len(run.container.lower)),
            "view": say("map.names", names=len(merged_entries(overlay)) - 1),
        },
        digests={"config": walk.image.id.hex, "diff": layer.diff_id.hex, "chain": layer.chain_id.hex},
    )


def map_picture(
    store: DockerRoot, station: int = 0, seen: Sights | None = None, done: Mapping[str, str] | None = None
) -> Picture:
    """The journey as a map: what a hash computes in the upper row, what one machine has in the lower.

    Args:
        store: Where the examples in the boxes are read.
        station: 1 to 6 marks one; 0 none.
        seen: What `sights` gave for this store, where it is known already.
        done: Number of a notebook -> what is written after it, such as how far it is.
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
    """The notebook of a station, and how far it is."""
    notebook = say(f"map.notebook.{key}")
    return "  ".join(filter(None, [say("map.where", notebook=notebook), done.get(notebook, "")]))


def _station(sheet: Sheet, number: int, key: str, seen: Sights, where: str, here: bool) -> None:
    """One station's box: its name and question, what is seen there, and the notebook; the lower row runs leftwards."""
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
    return say(
        "map.alt",
        number=station,
        **{part: say(f"map.{part}.{key}") for part in ("name", "question", "answer", "notebook")},
    )


def _map_text(seen: Sights, station: int, where: Mapping[str, str]) -> str:
    lines = []
    for number, key in enumerate(STATIONS, 1):
        here = f"  {say('map.here')}" if number == station else ""
        lines.append(f"{number}  {say(f'map.name.{key}'):<18} {where[key]}  {seen.shown[key]}{here}")
        lines.append(f"   {say(f'map.question.{key}')} {say(f'map.answer.{key}')}")
    return "\n".join(lines)


class MapGuide(Panel):
    """Go from station to station of the map.

    Args:
        store: Where the examples are read.
        station: Where to begin, 1 to 6.
    """

    def __init__(self, store: DockerRoot, station: int = 1) -> None:
        self.store, self.seen = store, sights(store)
        options = [(say(f"map.name.{key}"), number) for number, key in enumerate(STATIONS, 1)]
        self.station = Pick(say("guide.station"), options, station)
        self.back, self.next = (
            ipywidgets.Button(description=say(f"guide.{key}"), layout=ipywidgets.Layout(width="auto"))
            for key in ("back", "next")
        )
        super().__init__([self.back, self.station, self.next])
        self.station.observe(self.redraw, "value")
        self.back.on_click(lambda _: self.station.step(-1))
        self.next.on_click(lambda _: self.station.step(1))

    def show(self) -> Picture:
        """The map with the chosen station marked."""
        return map_picture(self.store, self.station.value, self.seen)


# This machine


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What was found out about this machine, as a table that a notebook shows.

    Args:
        facts: One line each.
    """

    facts: tuple[Fact, ...]

    def __repr__(self) -> str:
        width = max(len(fact.name) for fact in self.facts)
        return "\n".join(
            f"{MARKS[fact.ok][0]} {fact.name:<{width}}  {printable(fact.value)}\n  {'':<{width}}  {fact.meaning}"
            for fact in self.facts
        )

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th style='text-align:left'>{html.escape(say(f'info.{name}'))}</th>"
            for name in ("column_name", "column_found", "column_means")
        )
        return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(map(_fact_row, self.facts))}</tbody></table>"


def _fact_row(fact: Fact) -> str:
    glyph, word = MARKS[fact.ok]
    cells = "".join(
        f"<td style='text-align:left'>{html.escape(printable(text))}</td>"
        for text in (fact.name, fact.value, fact.meaning)
    )
    return f"<tr><td title='{html.escape(say(word))}'>{glyph}</td>{cells}</tr>"


def machine_report(facts: Sequence[Fact] | None = None) -> MachineReport:
    """Look at this machine: Python, pictures, kernel, engines, and what ``docker info`` would say, found without Docker."""
    return MachineReport(tuple(check_machine() if facts is None else facts))


def info_table(info: Mapping[str, str]) -> Any:
    """Fields of ``docker info``, each with what it means."""
    rows = [(name, value, say(f"info.{name}")) for name, value in info.items()]
    return table(("", say("info.column_page"), say("info.column_means")), rows)
