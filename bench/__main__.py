"""Measure everything, print one table, and write it as JSON.

    python -m bench [FOLDER] [--only WORD]     # FOLDER: where the images are, or are made (5 GB); .bench if none is named
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from .images import main as make_images
from .images_figures import image_figures
from .inside import growth_figures, model_figures, root_figures, start_figures
from .kernel import kernel_figures
from .measure import ROOT, Figure, machine


def parts(folder: Path) -> dict[str, Callable[[], Iterator[Figure]]]:
    """All that can be measured, by name."""
    return {
        "images": lambda: image_figures(folder),
        "growth": growth_figures,
        "model": model_figures,
        "start": start_figures,
        "roots": root_figures,
        "notebooks": kernel_figures,
    }


def line(figure: Figure) -> str:
    """One line of the table."""
    target = "" if figure.most is None else f"at most {figure.most:g}"
    verdict = {True: "reached", False: "MISSED", None: ""}[figure.reached]
    return f"{figure.what:36} {figure.value:9.3f} {figure.unit:26} {target:14} {verdict:8} {figure.note}".rstrip()


def main() -> None:
    """Measure, print each figure as it comes, write all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / ".bench")
    parser.add_argument("--only", choices=list(parts(ROOT)), action="append", help="a part of it; may be given again")
    options = parser.parse_args()
    chosen = options.only or list(parts(options.folder))
    if "images" in chosen and not (options.folder / "many.tar").exists():
        make_images(str(options.folder))
    found = {"machine": machine(), "figures": []}
    for key, value in found["machine"].items():
        print(f"{key}: {value}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        for figure in parts(options.folder)[name]():
            print(line(figure), flush=True)
            found["figures"].append(asdict(figure) | {"reached": figure.reached})
            (options.folder / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
