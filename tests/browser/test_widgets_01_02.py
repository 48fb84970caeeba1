"""The widgets of notebooks 01 and 02 in a real page, as a learner uses them."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.tier("browser")


@pytest.fixture
def flipper(page):
    page.open_notebook("01_image_config.ipynb")
    page.run_all()
    return page.output("ol.ByteFlipper(")


@pytest.fixture
def stepper(page):
    page.open_notebook("02_diff_id_and_chain_id.ipynb")
    page.run_all()
    return page.output("ol.ChainStepper(")


def test_the_flipper_answers_and_puts_all_back(page, flipper):
    caption = flipper.locator("p[aria-live]")
    expect(caption).to_contain_text("62 of 64")
    page.click("Put all back", within="ol.ByteFlipper(")
    expect(caption).to_contain_text("Changed bytes: 0")
    page.click("Next byte", within="ol.ByteFlipper(")
    expect(caption).to_contain_text("byte 18")
    page.click("Flip this bit", within="ol.ByteFlipper(")
    expect(caption).to_contain_text("Changed bytes: 1")
    expect(flipper.locator("figure[role=img] svg")).to_have_count(1)
    page.shot("flipper")

    assert page.outside == [] and page.complaints == []


def test_a_byte_can_be_typed(page, flipper):
    field = flipper.get_by_label("byte", exact=True)
    field.fill("1300")
    field.press("Enter")

    expect(flipper.locator("figure svg")).to_contain_text("history[1].created_by")


def test_the_stepper_goes_up_the_chain(page, stepper):
    caption = stepper.locator("p[aria-live]")
    for number in (4, 5, 6):
        page.click("Next", within="ol.ChainStepper(")
        expect(caption).to_contain_text(f"Step {number} of 6")
    expect(stepper.locator("figure svg")).to_contain_text("63d268dd303e")
    field = stepper.get_by_label("layer", exact=True)
    field.fill("1")
    field.press("Enter")
    expect(caption).to_contain_text(re.compile("Step 1 of 6"))
    page.shot("stepper")

    assert page.outside == [] and page.complaints == []


def test_the_twin_of_the_stepper_is_unfolded_and_stays_so(stepper):
    stepper.get_by_text("The same as text").click()
    expect(stepper.locator("pre")).to_be_visible()
    expect(stepper.locator("pre")).to_contain_text("layer 1   diff_id sha256:764055ebc9a7")
    before = stepper.locator("pre").inner_text()

    stepper.get_by_role("button", name="Next").click()
    expect(stepper.locator("pre")).not_to_have_text(before)
    expect(stepper.locator("pre")).to_be_visible()


def test_a_slip_is_named_in_the_page(page, stepper):
    page.cell('answer = None\nol.check("02-repeat"').locator(".cm-content").click()
    page.tab.keyboard.press("Control+A")
    page.tab.keyboard.insert_text('answer = 11\nol.check("02-repeat", answer)')
    page.tab.keyboard.press("Shift+Enter")

    expect(page.output('answer = 11\nol.check("02-repeat"')).to_contain_text("You merged two equal layers")
