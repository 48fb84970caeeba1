"""All ten notebooks as people meet them: opened and not run, run, used by keys alone, narrow, dark; axe-core looks on.

Each notebook is opened once, and gone through as a reader would; the tests then
ask what was noted on the way.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import reviewer

from overlaylab.words import say

pytestmark = pytest.mark.tier("browser")

NOTEBOOKS = sorted(path.name for path in (Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
NARROW, WIDE = 1000, 1280
DARK = "JupyterLab Dark"


@dataclass
class Reading:
    """What was noted while a notebook was gone through."""

    name: str
    findings: dict = field(default_factory=dict)
    wider: dict = field(default_factory=dict)
    pictures: dict = field(default_factory=dict)
    walks: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    texts: dict = field(default_factory=dict)
    outside: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    def look(self, page, moment, contrast=False):
        """Note what axe-core finds now, with everything unfolded."""
        reviewer.unfold(page, say("picture.unfold"))
        self.findings[moment] = reviewer.findings(page, contrast)


@pytest.fixture(scope="module", params=NOTEBOOKS)
def reading(request, new_page, lab):
    noted = Reading(request.param)
    with new_page() as page:
        read_stored(page, noted)
        page.let_kernel_come()
        run_and_use(page, noted)
        noted.outside, noted.complaints = page.outside, page.complaints
    shutil.rmtree(lab.notebooks / ".overlaylab", ignore_errors=True)
    for path in lab.notebooks.glob("report-*"):
        path.unlink()
    return noted


def read_stored(page, noted):
    """The page as it is opened, before anything runs."""
    page.open_unanswered(noted.name)
    reviewer.draw_all(page)
    page.shot(f"{Path(noted.name).stem}-stored")
    noted.pictures["stored"] = reviewer.pictures(page)
    noted.texts["stored"] = page.tab.locator(".jp-Notebook").inner_text()
    noted.look(page, "as opened")
    page.set_width(NARROW)
    noted.wider["as opened"] = reviewer.wider(page)
    page.set_width(WIDE)


def run_and_use(page, noted):
    """Run it, go through every widget by keys, use every control; then look at it narrow, and dark."""
    page.run_all()
    page.shot(Path(noted.name).stem)
    noted.pictures["run"] = reviewer.pictures(page)
    noted.texts["run"] = page.tab.locator(".jp-Notebook").inner_text()
    count = reviewer.widgets(page).count()
    noted.walks = [reviewer.walk(page, number) for number in range(count)]
    noted.look(page, "run")
    noted.answers = [reviewer.operate(page, number) for number in range(count)]
    noted.look(page, "used", contrast=True)
    page.set_width(NARROW)
    noted.wider["used"] = reviewer.wider(page)
    page.shot(f"{Path(noted.name).stem}-narrow")
    page.set_theme(DARK)
    noted.look(page, "dark", contrast=True)
    page.shot(f"{Path(noted.name).stem}-dark")


def test_a_notebook_runs_to_its_end_and_asks_nothing_of_the_network(reading):
    assert len(reading.walks) > 2, "there are widgets"
    assert reading.outside == []
    assert reading.complaints == []


@pytest.mark.parametrize("moment", ["as opened", "run", "used", "dark"])
def test_axe_finds_nothing(reading, moment):
    """As opened, as run, with every form answered and every widget in another state; and so in the dark theme."""
    assert reading.findings[moment] == []


def test_without_a_kernel_all_pictures_and_words_are_there(reading):
    """Every picture that a run shows is stored too, with a sentence for those who do not see it,
    and no place is empty.
    """
    stored, run = reading.pictures["stored"], reading.pictures["run"]

    assert [picture for picture in stored if picture["width"] < 50 or len(picture["words"]) < 20] == []
    assert [picture["words"] for picture in stored] == [picture["words"] for picture in run]
    assert "Error displaying widget" not in reading.texts["stored"]
    assert "Loading widget" not in reading.texts["run"]


def test_every_control_is_reached_by_tab_and_left_again(reading):
    for visited, wanted in reading.walks:
        assert [stop["name"] for stop in visited] == wanted


def test_every_control_has_a_name_and_shows_its_focus(reading):
    stops = [stop for visited, _ in reading.walks for stop in visited]

    assert [stop for stop in stops if len(stop["name"].split()) < 2] == []
    assert [stop for stop in stops if stop["ring"] < 2] == []


def test_every_widget_is_worked_by_keys_alone(reading):
    assert [number for number, answers in enumerate(reading.answers) if answers == 0] == []


@pytest.mark.parametrize("moment", ["as opened", "used"])
def test_nothing_is_cut_at_1000_pixels(reading, moment):
    assert reading.wider[moment] == []


# The reviewer is worth something only if it finds what is wrong.

FAULTS = {
    "label": ("<input type='text'>", "label"),
    "button": ("<button></button>", "button-name"),
    "contrast": ("<p style='color:#bbbbbb;background:#ffffff'>hardly to be read</p>", "color-contrast"),
    "alt": ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "image-alt"),
}


@pytest.fixture(scope="module")
def faulty(new_page):
    """A notebook in whose first widget each fault is planted in turn."""
    with new_page() as page:
        page.open_notebook("00_map.ipynb")
        page.run_all()
        reviewer.draw_all(page)
        yield page


@pytest.mark.parametrize(("markup", "rule"), FAULTS.values(), ids=FAULTS)
def test_axe_finds_a_planted_fault(faulty, markup, rule):
    assert reviewer.findings(faulty) == []
    faulty.tab.evaluate(
        "markup => document.querySelector('.overlaylab')"
        ".insertAdjacentHTML('beforeend', `<div id='planted'>${markup}</div>`)",
        markup,
    )
    found = reviewer.findings(faulty)
    faulty.tab.evaluate("() => document.getElementById('planted').remove()")

    assert any(line.startswith(("serious ", "critical ")) and f" {rule}:" in line for line in found)


def test_a_control_that_tab_does_not_reach_and_one_without_a_ring_are_found(faulty):
    faulty.tab.evaluate(
        """() => document.querySelector('.overlaylab').insertAdjacentHTML('beforeend',
            "<div id='planted'><button tabindex='3'>out of order</button><span tabindex='0' style='outline:none'>no ring</span></div>")"""  # noqa: E501
    )
    visited, wanted = reviewer.walk(faulty, 0)
    faulty.tab.evaluate("() => document.getElementById('planted').remove()")

    assert [stop["name"] for stop in visited] != wanted
    assert [stop["name"] for stop in visited if stop["ring"] < 2] == ["span no ring"]


def test_what_is_too_wide_is_found(faulty):
    faulty.tab.evaluate(
        "() => document.querySelector('.overlaylab').insertAdjacentHTML('beforeend', `"
        "<div id='planted' style='overflow-x:auto'><div style='width:5000px'>wide</div></div>`)"
    )
    found = reviewer.wider(faulty)
    faulty.tab.evaluate("() => document.getElementById('planted').remove()")

    assert any("5000 px in" in line for line in found)
