"""Measure everything, print one table, and write it as JSON.

python -m bench [FOLDER] [--only PART]...   # FOLDER: where the images are, or are made (5 GB); .bench if none is named
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from .browser import browser_figures
from .document import table
from .images import main as make_images
from .images_figures import entry_figures, image_figures, peer_figures
from .inside import growth_figures, model_figures, root_figures, start_figures
from .kernel import kernel_figures, nbval_figures
from .measure import ROOT, Figure, machine
from .stages import stage_figures


def parts(folder: Path) -> dict[str, Callable[[], Iterator[Figure]]]:
    """All that can be measured, by name."""
    return {
        "save.tar": lambda: image_figures(folder, "save.tar"),
        "gzip": lambda: image_figures(folder, "gzip"),
        "zstd": lambda: image_figures(folder, "zstd"),
        "stages": lambda: stage_figures(folder),
        "peers": lambda: peer_figures(folder),
        "entry": lambda: entry_figures(folder),
        "growth": growth_figures,
        "model": model_figures,
        "browser": browser_figures,
        "start": start_figures,
        "kernels": kernel_figures,
        "nbval": nbval_figures,
        "roots": root_figures,
    }


# What needs the images of gigabytes.
OF_IMAGES = {"save.tar", "gzip", "zstd", "stages", "peers", "entry"}


def line(figure: Figure) -> str:
    """One line of the table."""
    if figure.value is None:
        return f"{figure.what:36} {figure.note}"
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
    if OF_IMAGES & set(chosen) and not (options.folder / "many.tar").exists():
        make_images(str(options.folder))
    found = {"machine": machine(), "figures": []}
    for key, value in found["machine"].items():
        print(f"{key}: {value}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        for figure in measured(name, parts(options.folder)[name]):
            print(line(figure), flush=True)
            found["figures"].append(asdict(figure) | {"reached": figure.reached})
            (options.folder / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n" + table(found))


def measured(name: str, figures: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """The figures of one part; what cannot be measured here is said, and the others are measured all the same."""
    try:
        yield from figures()
    except Exception as error:
        yield Figure(name, None, "", note=f"not measured: {type(error).__name__}: {error}"[:200])


if __name__ == "__main__":
    main()
