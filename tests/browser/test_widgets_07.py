"""The widgets of notebook 07 in a real page: predictions that are kept, and rules that are broken."""

import re

import pytest

pytestmark = pytest.mark.tier("browser")

NOTEBOOK = "07_believing.ipynb"
REFUSED, LOOKED, BREAKER = 'ol.predict("07-refused")', 'ol.check("07-refused")', "ol.RuleBreaker("


@pytest.fixture
def lesson(page):
    page.open_notebook(NOTEBOOK)
    page.run_all()
    return page


def says(page, cell, *words):
    """Wait until a cell's picture says these words, in this order."""
    from playwright.sync_api import expect

    expect(page.output(cell).get_by_role("img").first).to_have_attribute(
        "aria-label", re.compile(".*".join(map(re.escape, words)))
    )


def keep(page, words):
    """Choose, keep the choice, and run the cell that looks at it."""
    ballot = page.output(REFUSED)
    ballot.get_by_label(words).check()
    ballot.get_by_role("button", name="Keep my prediction").click()
    page.cell(LOOKED).locator(".cm-content").click()
    page.command("notebook:run-cell")


def test_a_prediction_is_kept_and_told_which_slip_it_was(lesson):
    from playwright.sync_api import expect

    keep(lesson, "Nothing: the call was refused")
    expect(lesson.output(LOOKED)).to_contain_text("the kernel had begun already")
    lesson.shot("07-prediction", height=1000)
    keep(lesson, "d is marked opaque")

    expect(lesson.output(LOOKED)).to_contain_text("You saw it coming.")


def test_another_rule_is_broken_and_caught(lesson):
    from playwright.sync_api import expect

    says(lesson, BREAKER, "every deleted name gets a whiteout", "Operations needed: 2", "in the upper tells")
    number = lesson.output(BREAKER).get_by_label("Break")
    number.fill("7")
    number.press("Enter")

    says(lesson, BREAKER, "can be renamed", "What tells first?")
    lesson.click("the upper", within=BREAKER)

    says(lesson, BREAKER, "You said: the upper.", "another look", "the answer tells")
    expect(lesson.output(BREAKER).locator("figure svg")).to_contain_text("EXDEV")
    lesson.shot("07-breaker", height=1000)


@pytest.mark.parametrize(
    ("theme", "width"), [("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 700)]
)
def test_nothing_is_wider_than_the_page(lesson, theme, width):
    lesson.set_theme(theme)
    lesson.tab.set_viewport_size({"width": width, "height": 900})
    for mark in (REFUSED, BREAKER, 'ol.recorded_table("mv-01")', "ol.places_table("):
        box = lesson.output(mark).bounding_box()
        lesson.shot(f"07-{theme.split()[-1].lower()}-{width}-{re.sub('[^a-z0-9]+', '-', mark.lower())}")

        assert box["x"] + box["width"] <= width
