"""The detective of notebook 08, typed into by keyboard in a real page; its pictures in both themes and in a narrow
window.
"""

import re

import pytest

pytestmark = pytest.mark.tier("browser")

NOTEBOOK = "08_four_stores.ipynb"
DETECTIVE = 'ol.Detective(stores, "29497a")'


@pytest.fixture
def lesson(page):
    page.open_notebook(NOTEBOOK)
    page.run_all()
    return page


def says(text):
    return re.compile("^" + re.escape(text))


def test_a_name_is_typed_and_its_meaning_chosen_by_keyboard(lesson):
    from playwright.sync_api import expect

    expect(lesson.figure(DETECTIVE)).to_have_attribute(
        "aria-label", says("In docker29, 29497a338339… is the manifest digest")
    )
    lesson.output(DETECTIVE).get_by_label("Hex digits or path").focus()
    lesson.tab.keyboard.press("Control+a")
    lesson.tab.keyboard.type("cb84", delay=20)

    expect(lesson.figure(DETECTIVE)).to_have_attribute(
        "aria-label", says("In docker, cb84e4e548e1… is the diff_id of layer 8 of 12 of kit/app:1")
    )
    lesson.tab.keyboard.press("Tab")
    lesson.tab.keyboard.press("ArrowUp")

    expect(lesson.figure(DETECTIVE)).to_have_attribute(
        "aria-label", says("In docker, cb84e4e548e1… is the diff_id of layer 9 of 12 of kit/app:1")
    )
    expect(lesson.output(DETECTIVE).locator("figure svg")).to_contain_text("a72fbd970371")
    lesson.click("▸ next meaning", within=DETECTIVE)

    expect(lesson.figure(DETECTIVE)).to_have_attribute(
        "aria-label", says("In docker29, cb84e4e548e1… is the diff_id of layer 8")
    )
    lesson.shot("08-typed", height=1000)


def test_a_path_leads_to_its_folder_and_nonsense_to_a_sentence(lesson):
    from playwright.sync_api import expect

    field = lesson.output(DETECTIVE).get_by_label("Hex digits or path")
    field.fill("/var/lib/containers/storage/overlay/99b08b")

    expect(lesson.figure(DETECTIVE)).to_have_attribute(
        "aria-label", says("In podman, 99b08b7d3192… is the layer-id of layer 13 of 13")
    )
    field.fill("no such thing")

    expect(lesson.figure(DETECTIVE)).to_have_attribute("aria-label", says("No name can begin with no such thing"))
    field.fill("")

    expect(lesson.figure(DETECTIVE)).to_have_attribute("aria-label", says("Type hex digits"))
    assert lesson.outside == [] and lesson.complaints == []


@pytest.mark.parametrize(
    ("theme", "width"), [("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 700)]
)
def test_nothing_is_wider_than_the_page(lesson, theme, width):
    lesson.set_theme(theme)
    lesson.tab.set_viewport_size({"width": width, "height": 900})
    for number, mark in enumerate(
        ("ol.ids_table(stores)", "ol.stores_picture(stores", DETECTIVE, 'ol.sharing_picture(stores["podman"]'), 1
    ):
        box = lesson.output(mark).bounding_box()
        lesson.shot(f"08-{theme.split()[-1].lower()}-{width}-{number}")

        assert box["x"] + box["width"] <= width
