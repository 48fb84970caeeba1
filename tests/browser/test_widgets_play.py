"""The playground in a real page: typed into, stepped back, compared with the kernel."""

import re

import pytest

pytestmark = pytest.mark.tier("browser")

NOTEBOOK = "04_overlayfs.ipynb"
CELL = "ol.Playground("


@pytest.fixture
def lesson(page):
    page.open_notebook(NOTEBOOK)
    page.run_all()
    return page


def figure(page):
    """The sentence that a screen reader hears for the picture."""
    return page.output(CELL).get_by_role("img").first


def says(page, *words):
    """Wait until the picture says these words, in this order."""
    from playwright.sync_api import expect

    expect(figure(page)).to_have_attribute("aria-label", re.compile(".*".join(map(re.escape, words))))


def typed(page, line):
    """Type a command, letter by letter, and press Enter."""
    field = page.output(CELL).get_by_label("Command")
    field.press_sequentially(line)
    field.press("Enter")
    return field


def test_commands_are_typed_and_taken_back(lesson):
    from playwright.sync_api import expect

    says(lesson, "You deleted /Tomato.", "whiteout")
    field = typed(lesson, "mkdir /Tomato")
    says(lesson, "You made the directory /Tomato.", "opaque")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    lesson.shot("play-opaque", height=1100)

    typed(lesson, "mv /Tomato")
    says(lesson, "At character 11: expected 2 words after mv")
    lesson.click("◀ Back", within=CELL)
    lesson.click("◀ Back", within=CELL)
    says(lesson, "You deleted /Tomato.")
    number = lesson.output(CELL).get_by_label("Step", exact=True)
    expect(number).to_have_value("1")
    number.fill("2")
    number.press("Enter")
    says(lesson, "You made the directory /Tomato.")


def test_the_keyboard_alone_is_enough(lesson):
    """Tab leads from the field to each control that can be used; Enter and Space press."""
    from playwright.sync_api import expect

    lesson.output(CELL).get_by_label("Command").click()
    typed(lesson, "echo hello > /new")
    says(lesson, "You wrote /new.")
    lesson.tab.keyboard.press("Tab")
    expect(lesson.output(CELL).get_by_role("button", name="Run", exact=True)).to_be_focused()
    seen = []
    for _ in range(12):
        lesson.tab.keyboard.press("Tab")
        seen.append(
            lesson.tab.evaluate("() => document.activeElement.textContent.trim() || document.activeElement.tagName")
        )
        if seen[-1] == "◀ Back":
            break
    assert seen[-1] == "◀ Back", seen
    lesson.tab.keyboard.press("Space")
    says(lesson, "You deleted /Tomato.")


def test_a_path_is_looked_up_in_every_layer(lesson):
    from playwright.sync_api import expect

    lesson.output(CELL).get_by_label("Look up").fill("/Carrots")

    expect(lesson.output(CELL).locator("figure svg")).to_contain_text("Carrots comes from Vegetables")


def test_the_same_is_done_on_the_kernel_or_it_is_said_why_not(lesson):
    from playwright.sync_api import expect

    from overlaylab.kernel.mount import probe

    typed(lesson, "echo more >> /Apple")
    says(lesson, "You added to /Apple.")
    button = lesson.output(CELL).get_by_role("button", name="Do the same on the real kernel")
    if not probe():
        expect(button).to_be_disabled()
        expect(lesson.output(CELL)).to_contain_text("No comparison with a kernel here")
        return
    button.click()

    expect(lesson.output(CELL)).to_contain_text("Model and kernel agree")
    lesson.shot("play-kernel", height=1100)


@pytest.mark.parametrize(
    ("theme", "width"), [("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 700)]
)
def test_nothing_is_wider_than_the_page(lesson, theme, width):
    lesson.set_theme(theme)
    lesson.tab.set_viewport_size({"width": width, "height": 1100})
    typed(lesson, "rm /nothing")
    says(lesson, "rm: cannot remove '/nothing': No such file or directory (ENOENT)")
    box = lesson.output(CELL).bounding_box()
    lesson.shot(f"play-{theme.split()[-1].lower()}-{width}")

    assert box["x"] + box["width"] <= width
