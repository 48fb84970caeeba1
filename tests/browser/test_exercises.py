"""Predictions, forms, hints and progress, used in a real page, with the keyboard alone where it says so."""

import json
import shutil

import pytest

pytestmark = pytest.mark.tier("browser")

DARK = "JupyterLab Dark"
# The cell in which an exercise is answered; the folded solution above it has a check, too.
ANSWER = 'answer = None\nol.check("{}", answer)'


@pytest.fixture(autouse=True)
def nothing_noted(lab):
    yield
    shutil.rmtree(lab.notebooks / ".overlaylab", ignore_errors=True)


def noted(lab):
    return json.loads((lab.notebooks / ".overlaylab" / "progress.json").read_text(encoding="utf-8"))


def test_a_prediction_is_made_with_the_keyboard_and_its_slip_is_named(page, lab):
    from playwright.sync_api import expect

    page.open_notebook("02_diff_id_and_chain_id.ipynb")
    page.run_all()
    ballot = page.output('ol.predict("02-order")')
    ballot.get_by_role("checkbox").first.focus()
    page.tab.keyboard.press("Space")
    for _ in range(4):  # past the other choices
        page.tab.keyboard.press("Tab")
    expect(ballot.get_by_role("button", name="Keep my prediction")).to_be_focused()
    page.tab.keyboard.press("Enter")

    expect(ballot.get_by_role("status")).to_contain_text("Kept: a.")
    page.shot("02-ballot", height=900)
    page.command("notebook:run-all-cells")
    expect(page.output('ol.check("02-order")')).to_contain_text("A chain_id does not depend on its own layer only")
    assert noted(lab)["predictions"] == {"02-order": "a"}
    assert (page.outside, page.complaints) == ([], [])


def test_an_exercise_is_answered_in_its_form_and_shown_on_the_map(page, lab):
    from playwright.sync_api import expect

    page.open_notebook("01_image_config.ipynb")
    page.run_all()
    form = page.output(ANSWER.format("01-layers"))
    form.get_by_role("button", name="Hint").click()
    expect(form.get_by_role("status")).to_contain_text("Hint 1 of 3.")
    form.get_by_label("Answer").fill("21")
    form.get_by_role("button", name="Check").click()
    expect(form.get_by_role("status")).to_contain_text("You counted every build step.")
    form.get_by_label("Answer").fill("13")
    form.get_by_role("button", name="Check").click()
    expect(form.get_by_role("status")).to_contain_text("answer = 13")
    page.shot("01-form", height=900)
    choice = page.output(ANSWER.format("01-changes"))
    for letter in "bce":
        choice.get_by_role("checkbox").nth("abcdef".index(letter)).press("Space")
    choice.get_by_role("button", name="Check").press("Enter")
    expect(choice.get_by_role("status")).to_contain_text("Right.")
    page.shot("01-choice", height=900)

    assert noted(lab)["exercises"] == {"01-changes": "right", "01-layers": "right"}
    page.open_notebook("00_map.ipynb")
    page.run_all()
    expect(page.output("ol.progress()")).to_contain_text("2 of 4")
    page.shot("00-progress", height=900)
    assert (page.outside, page.complaints) == ([], [])


@pytest.mark.parametrize("name", ["00_map", "01_image_config", "02_diff_id_and_chain_id", "03_cache_id"])
def test_run_all_leaves_no_note(page, lab, name):
    page.open_notebook(f"{name}.ipynb")
    page.run_all()

    assert not (lab.notebooks / ".overlaylab").exists()


@pytest.mark.parametrize(("theme", "width"), [(DARK, 1280), ("JupyterLab Light", 1000)], ids=["dark", "narrow"])
def test_forms_fit_in_a_dark_and_in_a_narrow_page(page, theme, width):
    from playwright.sync_api import expect

    page.tab.set_viewport_size({"width": width, "height": 900})
    page.open_notebook("03_cache_id.ipynb")
    page.set_theme(theme)
    page.run_all()
    for name, mark in (("predict", 'ol.predict("03-cache")'), ("form", ANSWER.format("03-computed"))):
        output = page.output(mark)
        expect(output.get_by_role("button").first).to_be_visible()
        page.shot(f"03-{name}-{width}", height=900)
        wide = output.evaluate(
            "element => [...element.querySelectorAll('.widget-vbox, label, button')]"
            ".filter(e => e.getBoundingClientRect().right > element.getBoundingClientRect().right + 1).length"
        )
        assert wide == 0, "nothing is cut off at the right"
    assert page.complaints == []
