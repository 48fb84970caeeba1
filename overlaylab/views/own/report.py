"""A report that the learner can keep: the same facts as a value, as Markdown and as JSON."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from overlaylab.errors import Finding
from overlaylab.image.digest import short
from overlaylab.image.image import Container
from overlaylab.stores.audit.facts import container_facts, image_facts, mount_facts
from overlaylab.stores.audit.layer_changes import layer_facts
from overlaylab.stores.audit.learner_image import Own
from overlaylab.stores.audit.validation import report_facts
from overlaylab.views.kit.palette import CHANGES
from overlaylab.views.kit.text import size_text
from overlaylab.words import printable, say

from .layers import own_names, wasted_files
from .overview import VERDICTS, called, findings, journey

__all__ = ["OwnReport", "own_report", "save_text"]

FORMATS = {"markdown": "md", "json": "json", "text": "txt"}

# A digest, or the digits of one.
_LONG = re.compile("(?:sha256:)?[0-9a-f]{64}")

_NAME = re.compile(r"[A-Za-z0-9._ -]{1,100}")


@dataclass(frozen=True)
class OwnReport:
    """Everything that was found out about one image.

    Args:
        own: The image.
    """

    own: Own

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Plain data: what ``inspect``, ``verify``, ``layers`` and ``mount`` say, and the way with its verdicts."""
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
        """The same as a page to read."""
        own, facts = self.own, self.facts
        lines = [
            f"# {_cell(called(own.target))}",
            "",
            say("report.from", source=_cell(own.source), kind=own.store.kind),
            "",
            f"## {say('report.journey')}",
            "",
        ]
        rows = journey(own)
        lines += _table(
            tuple(say(f"report.{key}") for key in ("sign", "row", "claimed", "found")),
            [
                (_sign(row.verdict), say(f"own.row.{row.key}"), f"`{_brief(row.claimed)}`", f"`{_brief(row.found)}`")
                for row in rows
            ],
        )
        whole = {
            digits: say(f"own.row.{row.key}")
            for row in reversed(rows)
            for digits in _LONG.findall(f"{row.claimed} {row.found}")
        }
        lines += ["", *(f"* {name}: `{digits}`" for digits, name in reversed(whole.items()))]
        lines += ["", f"## {say('report.layers')}", ""]
        lines += _table(
            (
                say("report.layer"),
                CHANGES["added"],
                CHANGES["changed"],
                CHANGES["removed"],
                say("report.bytes"),
                say("report.wasted"),
                say("report.step"),
            ),
            [
                (
                    name,
                    work.added,
                    work.changed,
                    work.removed,
                    f"{work.size:,}",
                    f"{work.wasted:,}",
                    _brief(self._step(number)),
                )
                for number, (name, work) in enumerate(zip(reversed(own_names(own)), own.work))
            ],
        )
        total, wasted = sum(work.size for work in own.work), sum(work.wasted for work in own.work)
        lines += ["", say("browse.total", size=size_text(total), wasted=size_text(wasted)), ""]
        lines += [
            f"* `{_cell(item['path'])}`: {item['bytes']:,} B, {say('overlay.layer_name', number=item['layer'] + 1)}"
            for item in facts["wasted"]
        ]
        lines += ["", f"## {say('report.verify')}", "", *(f"* {_cell(line)}" for line in findings(own).splitlines())]
        return "\n".join(lines) + "\n"

    def _step(self, number: int) -> str:
        layers = self.own.layers
        history = layers[number].history if number < len(layers) else None
        return history.created_by[:100] if history else ""

    def save(self, name: str = "", form: str = "markdown", folder: str = ".") -> str:
        """Write it next to the notebook, once; nothing is ever overwritten.

        Args:
            name: A plain file name; made from the image's ID if it is empty, with a number if there is one already.
            form: ``markdown`` or ``json``.
            folder: Where.

        Returns:
            The name of the file.

        Raises:
            Finding: ``wrong-call`` for a name that exists, or that leads elsewhere.
        """
        if form not in ("markdown", "json"):
            raise Finding("wrong-call", "form", "markdown or json", form)
        text = self.markdown if form == "markdown" else self.json + "\n"
        start = f"report-{short(self.own.target.id)}"
        return save_text(text, name, start, FORMATS[form], folder)

    def __repr__(self) -> str:
        return self.markdown

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.markdown, "text/markdown": self.markdown}


def own_report(own: Own) -> OwnReport:
    """Everything about an image in one value."""
    return OwnReport(own)


def save_text(text: str, name: str, start: str, ending: str, folder: str = ".") -> str:
    """Write a new file; see `OwnReport.save`."""
    if name:
        if not _NAME.fullmatch(name) or name.startswith(".") or os.path.basename(name) != name:
            raise Finding("wrong-call", "name", "a plain file name: letters, digits, dots, dashes", printable(name))
        names = [name]
    else:
        names = [f"{start}.{ending}", *(f"{start}-{number}.{ending}" for number in range(2, 1000))]
    for candidate in names:
        try:
            with open(os.path.join(folder, candidate), "x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            return candidate
        except FileExistsError:
            continue
        except OSError as error:
            raise Finding(
                "wrong-call", candidate, "a folder that can be written to", error.strerror or str(error)
            ) from None
    raise Finding("wrong-call", names[0], "a name that is free: nothing is overwritten", "a file of this name")


def _sign(verdict: str) -> str:
    return VERDICTS[verdict][1]


def _cell(text: str) -> str:
    """Text from outside in a Markdown table or line: nothing in it is markup."""
    return (
        printable(text)
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("`", "ˋ")
        .replace("<", "&lt;")
        .replace("*", "\\*")
    )


def _brief(text: str) -> str:
    """The same with twelve digits of each long name, so that a table is not wider than a page."""
    return _LONG.sub(lambda name: f"{name[0][:-52]}…", _cell(text))


def _table(head: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
