"""A widget's answer in the browser, from the click to what is drawn, with a stack of 100,000 entries."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from overlaylab.words import say

from .images import write_many
from .measure import ROOT, Figure

__all__ = ["browser_figures"]

ENTRIES, LAYERS = 100_000, 5
CLICKS, STEPS = 100, 10
CELL = """
import overlaylab as ol
store = ol.open_store({path!r})
overlay, _ = ol.overlay_of(store.images()[0], store, ol.LayerReader(store))
ol.Playground(overlay, commands=[f"echo {{number}} > /d0/s0/0/new{{number}}" for number in range({steps})])
"""
# Seconds from the click until the new picture has been painted: the frame after it is in the page.
ANSWER = """async name => {
    const button = [...document.querySelectorAll('.jp-OutputArea-output button')].find(each => each.textContent.trim() === name);
    const before = document.querySelector('figure[role=img]');
    const start = performance.now();
    await new Promise((done, fail) => {
        setTimeout(fail, 20000);
        const watch = new MutationObserver(() => {
            if (document.querySelector('figure[role=img]') === before) return;
            watch.disconnect();
            requestAnimationFrame(() => setTimeout(done, 0));
        });
        watch.observe(document.querySelector('.jp-Notebook'), {subtree: true, childList: true});
        button.click();
    });
    return (performance.now() - start) / 1000;
}"""  # noqa: E501


def browser_figures() -> Iterator[Figure]:
    """Back and forth in the playground, a hundred times."""
    from playwright.sync_api import sync_playwright

    kit = _test_kit()
    with tempfile.TemporaryDirectory() as folder:
        lab = kit.Lab(Path(folder))
        try:
            _write_notebook(Path(folder), lab.wait().notebooks / "bench.ipynb")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=kit.tiers.chromium(), headless=True, args=kit.CHROME_FLAGS
                )
                page = kit.LabPage(lab, browser.new_page(viewport={"width": 1280, "height": 900}), Path(folder))
                page.open_notebook("bench.ipynb")
                page.run_all()
                page.tab.wait_for_selector("figure[role=img]")
                took = sorted(_answers(page.tab))
                browser.close()
        finally:
            lab.stop()
    note = f"half of them within {1e3 * statistics.median(took):.0f} ms, the slowest {1e3 * took[-1]:.0f} ms"
    yield Figure(
        "a widget's answer, 95 of 100", 1e3 * took[int(0.95 * CLICKS) - 1], "ms from click to drawn", 100, note
    )


def _answers(tab) -> Iterator[float]:
    """How long each click took; what a learner does in between is to look."""
    for number in range(CLICKS):
        tab.wait_for_timeout(100)
        yield tab.evaluate(ANSWER, say("play.back") if number // STEPS % 2 == 0 else say("play.next"))


def _write_notebook(folder: Path, path: Path) -> None:
    image = folder / "image.tar"
    write_many(image, ENTRIES, LAYERS)
    # Without a kernel's name the lab asks for one.
    named = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = nbformat.v4.new_notebook(
        metadata=named, cells=[nbformat.v4.new_code_cell(CELL.format(path=str(image), steps=STEPS))]
    )
    nbformat.write(book, path)


def _test_kit():
    """The lab and the page that the tests use."""
    sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests"), str(ROOT / "tools")]
    spec = importlib.util.spec_from_file_location("lab_and_page", ROOT / "tests" / "browser" / "conftest.py")
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    return kit
