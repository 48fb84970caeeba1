"""The widgets of notebook 04, pressed and typed into in a real page."""

import pytest

pytestmark = pytest.mark.tier("browser")

NOTEBOOK = "04_overlayfs.ipynb"


@pytest.fixture
def lesson(page):
    page.open_notebook(NOTEBOOK)
    page.run_all()
    return page


def test_turning_the_order_round_lets_the_other_tomato_win(lesson):
    from playwright.sync_api import expect

    cell = "ol.LowerdirOrder("
    expect(lesson.figure(cell)).to_have_attribute(
        "aria-label", lambda_for("lowerdir=Fruits:Vegetables", "Tomato comes from Fruits")
    )
    lesson.click("▲ Vegetables up", within=cell)

    expect(lesson.figure(cell)).to_have_attribute(
        "aria-label", lambda_for("lowerdir=Vegetables:Fruits", "Tomato comes from Vegetables")
    )
    lesson.output(cell).get_by_label("with upperdir=Meat").uncheck()

    expect(lesson.output(cell).locator("figure svg")).not_to_contain_text("Beef")
    lesson.shot("04-order", height=900)


def lambda_for(*words):
    """A pattern that finds these words, in this order."""
    import re

    return re.compile(".*".join(map(re.escape, words)))


def test_a_path_is_typed_and_those_that_are_there_are_offered(lesson):
    from playwright.sync_api import expect

    cell = "ol.LookupTrace(image"
    expect(lesson.figure(cell)).to_have_attribute(
        "aria-label", "etc/motd comes from layer 7. It hides the one in layer 1."
    )
    field = lesson.output(cell).get_by_label("Path", exact=True)
    field.fill("opt/old/one")

    expect(lesson.figure(cell)).to_have_attribute(
        "aria-label", "There is no opt/old/one: layer 4 has a whiteout for opt/old."
    )
    lesson.shot("04-lookup", height=900)
    field.fill("app/cache/old1")

    expect(lesson.figure(cell)).to_have_attribute("aria-label", lambda_for("There is no app/cache/old1", "layer 3"))
    expect(lesson.output(cell).locator("datalist option[value='app/cache/old1']")).to_have_count(1)


def test_the_layers_of_an_image_can_be_gone_through(lesson):
    from playwright.sync_api import expect

    cell = "ol.LayerPicker("
    lesson.click("▲ one up", within=cell)

    expect(lesson.figure(cell)).to_have_attribute("aria-label", lambda_for("layer 6: adds 0, changes 1"))
    lesson.output(cell).get_by_label("Layer", exact=True).fill("4")
    lesson.output(cell).get_by_label("Layer", exact=True).press("Enter")

    expect(lesson.output(cell).locator("figure svg")).to_contain_text("opt/old")
    lesson.shot("04-picker", height=900)


@pytest.mark.parametrize(
    ("theme", "width"), [("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 700)]
)
def test_nothing_is_wider_than_the_page(lesson, theme, width):
    lesson.set_theme(theme)
    lesson.tab.set_viewport_size({"width": width, "height": 900})
    for mark in ("ol.LowerdirOrder(", "ol.LookupTrace(image", "ol.LayerPicker(", "ol.stack_table("):
        box = lesson.output(mark).bounding_box()
        lesson.shot(f"04-{theme.split()[-1].lower()}-{width}-{mark.split('.')[1].split('(')[0].lower()}")

        assert box["x"] + box["width"] <= width
