"""A report on an image that the learner can keep: the same facts as a value, as Markdown and as JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from overlaylab.errors import Finding, InputError
from overlaylab.image.digest import short
from overlaylab.image.image import Container
from overlaylab.stores.audit.facts import container_facts, image_facts, mount_facts
from overlaylab.stores.audit.layer_changes import layer_facts
from overlaylab.stores.audit.learner_image import Own
from overlaylab.stores.audit.validation import report_facts
from overlaylab.views.kit.palette import CHANGES
from overlaylab.views.kit.panel import Panel, Pick, button, text_field
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.text import short_digests, size_text
from overlaylab.words import printable, say

from .layers import own_names, wasted_files
from .overview import VERDICTS, called, findings, journey, own_picture, sentence

FORMATS = {"markdown": "md", "json": "json"}

# A digest, or its digits alone.
_LONG = re.compile("(?:sha256:)?[0-9a-f]{64}")

# What stands in Markdown for a character that would be markup.
MARKUP = str.maketrans({"\\": "\\\\", "|": "\\|", "`": "ˋ", "<": "&lt;", "*": "\\*"})

_NAME = re.compile(r"[A-Za-z0-9._ -]{1,100}")


@dataclass(frozen=True)
class OwnReport:
    """Everything that is known about one image."""

    own: Own

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The facts of ``inspect``, ``verify``, ``layers``, ``mount``, the way with its verdicts, and wasted files."""
        own = self.own
        target = container_facts(own.target) if isinstance(own.target, Container) else image_facts(own.target, own.home)
        whole = isinstance(own.target, Container) or len(own.stack) == len(own.layers)
        return {
            "source": printable(own.source),
            "kind": own.store.kind,
            "target": target,
            "image": image_facts(own.image, own.home) if own.image else None,
            "journey": [
                {"station": row.key, "claimed": row.claimed, "found": row.found, "verdict": row.verdict}
                for row in journey(own)
            ],
            "layers": layer_facts(own.home, own.target, own.stack, own.home.marks) if whole else None,
            "wasted": [
                {"path": printable(item.path), "layer": item.layer, "bytes": item.size, "hidden_by": item.by}
                for item in wasted_files(own)
            ],
            "mount": self._mount(),
            "verify": report_facts(own.report),
        }

    def _mount(self) -> dict[str, Any] | None:
        try:
            mount = self.own.mount
        except Finding:
            return None
        return None if mount is None or not mount.lowerdir else mount_facts(mount)

    @cached_property
    def json(self) -> str:
        """The facts as JSON, ASCII only."""
        return json.dumps(self.facts, indent=1, sort_keys=False)

    @cached_property
    def markdown(self) -> str:
        """The same as a page of Markdown."""
        own = self.own
        lines = [f"# {_cell(called(own.target))}", ""]
        lines += [say("report.from", source=_cell(own.source), kind=own.store.kind), ""]
        lines += [*self._journey_lines(), "", *self._layer_lines()]
        lines += ["", f"## {say('report.verify')}", "", *(f"* {_cell(line)}" for line in findings(own).splitlines())]
        return "\n".join(lines) + "\n"

    def _journey_lines(self) -> list[str]:
        """The way as a table, and its digests in full."""
        rows = journey(self.own)
        lines = [f"## {say('report.journey')}", ""]
        cells = []
        for row in rows:
            names = f"`{_brief(row.claimed)}`", f"`{_brief(row.found)}`"
            cells.append((VERDICTS[row.verdict][1], say(f"own.row.{row.key}"), *names))
        lines += _table([say(f"report.{key}") for key in ("sign", "row", "claimed", "found")], cells)
        whole = {
            digits: say(f"own.row.{row.key}")
            for row in reversed(rows)
            for digits in _LONG.findall(f"{row.claimed} {row.found}")
        }
        return [*lines, "", *(f"* {name}: `{digits}`" for digits, name in reversed(whole.items()))]

    def _layer_lines(self) -> list[str]:
        """The layers as a table, base first, and the largest wasted files."""
        own, names = self.own, reversed(own_names(self.own))
        signs = [CHANGES[key] for key in ("added", "changed", "removed")]
        head = (say("report.layer"), *signs, *(say(f"report.{key}") for key in ("bytes", "wasted", "step")))
        rows = []
        for number, (name, work) in enumerate(zip(names, own.work, strict=False)):
            sizes = (f"{work.size:,}", f"{work.wasted:,}")
            rows.append((name, work.added, work.changed, work.removed, *sizes, _brief(self._step(number))))
        lines = [f"## {say('report.layers')}", "", *_table(head, rows)]
        total, wasted = sum(work.size for work in own.work), sum(work.wasted for work in own.work)
        lines += ["", say("browse.total", size=size_text(total), wasted=size_text(wasted)), ""]
        return lines + [
            f"* `{_cell(item['path'])}`: {item['bytes']:,} B, {say('overlay.layer_name', number=item['layer'] + 1)}"
            for item in self.facts["wasted"]
        ]

    def _step(self, number: int) -> str:
        layers = self.own.layers
        history = layers[number].history if number < len(layers) else None
        return history.created_by[:100] if history else ""

    def save(self, name: str = "", form: str = "markdown", folder: str = ".") -> str:
        """Write a new file beside the notebook, and return its name; nothing is ever overwritten.

        Args:
            name: A plain file name; made from the image's ID if it is empty, with a number if the file exists.
            form: ``markdown`` or ``json``.

        Raises:
            Finding: ``wrong-call`` for a file that exists, or a name that leads to another directory.
        """
        if form not in FORMATS:
            raise Finding("wrong-call", "form", "markdown or json", form)
        text = self.markdown if form == "markdown" else self.json + "\n"
        start, ending = f"report-{short(self.own.target.id)}", FORMATS[form]
        if name and (not _NAME.fullmatch(name) or name.startswith(".") or os.path.basename(name) != name):
            raise Finding("wrong-call", "name", "a plain file name: letters, digits, dots, dashes", printable(name))
        made = (f"{start}.{ending}", *(f"{start}-{number}.{ending}" for number in range(2, 1000)))
        return _write_new(text, [name] if name else made, folder)

    def __repr__(self) -> str:
        return self.markdown

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.markdown, "text/markdown": self.markdown}


def own_report(own: Own) -> OwnReport:
    """Everything about an image in one value."""
    return OwnReport(own)


def _write_new(text: str, names: Sequence[str], folder: str) -> str:
    """Write a file under the first of these names that is free, and return the name."""
    for name in names:
        try:
            with open(os.path.join(folder, name), "x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            return name
        except FileExistsError:
            continue
        except OSError as error:
            raise Finding("wrong-call", name, "a folder that can be written to", error.strerror or str(error)) from None
    raise Finding("wrong-call", names[0], "a name that is free: nothing is overwritten", "a file of this name")


def _cell(text: str) -> str:
    """Text from outside for a Markdown table or line: what would be markup is escaped."""
    return printable(text).translate(MARKUP)


def _brief(text: str) -> str:
    """The same with digests cut to twelve digits, so that a table is not wider than a page."""
    return short_digests(_cell(text))


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


class ReportKeeper(Panel):
    """Write a report to a new file beside the notebook, when asked; nothing is ever overwritten."""

    def __init__(self, report: OwnReport, folder: str = ".") -> None:
        self.report, self.folder, self.note = report, folder, ""
        self.form = Pick(say("report.form"), [("Markdown", "markdown"), ("JSON", "json")])
        self.name = text_field(say("report.name"), say("report.name_hint"), width="24em", every_key=True)
        self.button = button(say("report.save"), self._save)
        super().__init__([self.form, self.name, self.button])

    def _save(self, _: object) -> None:
        try:
            name = self.report.save(self.name.value.strip(), self.form.value, self.folder)
            self.note = say("report.saved", name=name)
        except InputError as error:
            self.note = say("report.not_saved", why=sentence(error.problem))
        self.redraw()

    def show(self) -> Picture:
        """The image, and a note about the last file."""
        return own_picture(self.report.own, self.note)
