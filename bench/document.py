"""The table in docs/explanation/performance.md, made from the figures of one run, so that nobody copies a number by
hand.

python -m bench.document FIGURES.json      # keep them as docs/explanation/performance.json, and renew the table
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

__all__ = ["table", "with_table"]

DOCS = Path(__file__).parent.parent / "docs" / "explanation"
PAGE, FIGURES = DOCS / "performance.md", DOCS / "performance.json"
BEGIN, END = "<!-- table: python -m bench.document -->\n", "<!-- end of table -->\n"


def table(found: dict[str, Any]) -> str:
    """The machine and all figures beside their targets, as Markdown."""
    lines = [f"{key}: {value}  " for key, value in found["machine"].items()]
    lines += ["", "| figure | target | measured | | made of |", "| --- | ---: | ---: | --- | --- |"]
    for figure in found["figures"]:
        target = "" if figure["most"] is None else f"{figure['most']:g}"
        measured = "" if figure["value"] is None else f"{figure['value']:.3g} {figure['unit']}".replace("e+02", "00")
        verdict = {True: "reached", False: "**missed**", None: ""}[figure["reached"]]
        lines.append(f"| {figure['what']} | {target} | {measured} | {verdict} | {figure['note']} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, found: dict[str, Any]) -> str:
    """The page with the table of these figures."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(found) + END + after


def main(path: str) -> None:
    """Keep the figures of a run, and write its table into the page."""
    if Path(path).resolve() != FIGURES:
        shutil.copyfile(path, FIGURES)
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
