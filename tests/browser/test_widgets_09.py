"""The widgets of notebook 09 in a real page: a path, an upload, a file that is too large, the
layers, the tamper lab.
"""

import os
import re

import pytest
import realdata

pytestmark = pytest.mark.tier("browser")

NOTEBOOK = "09_your_own_image.ipynb"
CHOOSER, OPENED, BROWSER, LAB, KEEPER = (
    "ol.SourceChooser()",
    "own.store.kind",
    "ol.LayerBrowser(",
    "ol.TamperLab(",
    "ol.ReportKeeper(",
)


@pytest.fixture
def lesson(page):
    page.open_notebook(NOTEBOOK)
    page.run_all()
    return page


def says(page, cell, *words):
    """Wait until the sentence under a cell's picture says these words, in this order."""
    from playwright.sync_api import expect

    expect(page.output(cell).locator("p[aria-live]")).to_contain_text(re.compile(".*".join(map(re.escape, words))))


def send(page, path):
    """Press the upload button with a key, and choose a file in the browser's dialog."""
    with page.tab.expect_file_chooser() as dialog:
        page.output(CHOOSER).get_by_role("button", name=re.compile("Upload")).press("Enter")
    dialog.value.set_files(str(path))


def open_path(page, path):
    """Type a path and press Enter."""
    field = page.output(CHOOSER).get_by_label("Path", exact=True)
    field.fill(str(path))
    field.press("Enter")


def test_a_path_is_typed_and_everything_below_is_about_it(lesson):
    from playwright.sync_api import expect

    says(lesson, CHOOSER, "Open now: kit/app:1", "docker20-dataroot")
    open_path(lesson, realdata.archive("oci-zstd"))
    says(lesson, CHOOSER, "Opened. Now run the cells below again")
    expect(lesson.output(CHOOSER).locator("figure svg")).to_contain_text("oci-zstd.tar")

    lesson.cell(OPENED).locator(".cm-content").click()
    lesson.command("notebook:run-all-below")
    expect(lesson.output(OPENED)).to_contain_text("oci-layout, images: 2, containers: 0")
    expect(lesson.output("ol.mount_lines(own)")).to_contain_text("An archive holds layers, not folders.")
    assert (lesson.errors(), lesson.outside, lesson.complaints) == ([], [], [])


def test_hostile_paths_are_refused_in_words(lesson):
    for path, why in (
        ("/dev/zero", "readable, but no image archive"),
        ("../../../no/passwd", "there is nothing at this path"),
        ("<img src=x onerror=alert(1)>", "there is nothing at this path: <img src=x onerror=alert(1)>"),
        ("/" + "x" * 5000, "there is nothing at this path: /xxx"),
    ):
        open_path(lesson, path)
        says(lesson, CHOOSER, "This cannot be opened:", why, "Nothing was changed")

    assert lesson.output(CHOOSER).locator("p[aria-live] img").count() == 0
    assert lesson.complaints == []


def test_a_small_archive_is_uploaded(lesson):
    from playwright.sync_api import expect

    send(lesson, realdata.archive("docker26-save"))

    says(lesson, CHOOSER, "Opened. Now run the cells below again")
    expect(lesson.output(CHOOSER).locator("figure svg")).to_contain_text("docker-archive, images:")
    lesson.shot("09-upload", height=900)


def test_a_file_that_is_too_large_is_refused_in_words_and_the_kernel_lives_on(lesson, tmp_path):
    large = tmp_path / "large.tar"
    large.write_bytes(os.urandom(12_000_000))
    send(lesson, large)
    says(lesson, CHOOSER, "This file has 12.0 MB. By upload at most 7 MB", "Type its path instead")
    lesson.shot("09-too-large", height=900)

    send(lesson, realdata.archive("crane-tarball"))
    says(lesson, CHOOSER, "Opened.")
    assert lesson.complaints == []


def test_the_layers_are_gone_through_by_keyboard_alone(lesson):
    from playwright.sync_api import expect

    says(lesson, BROWSER, "layer 1:", "103 B wasted")
    lesson.output(BROWSER).get_by_role("button", name="▼ one down").focus()
    lesson.tab.keyboard.press("Tab")
    expect(lesson.output(BROWSER).get_by_role("button", name="▲ one up")).to_be_focused()
    lesson.tab.keyboard.press("Space")
    says(lesson, BROWSER, "layer 2:")
    lesson.tab.keyboard.press("Tab")
    lesson.tab.keyboard.press("ArrowUp")
    says(lesson, BROWSER, "layer 3:")

    expect(lesson.output(BROWSER).locator("figure svg")).to_contain_text("empties app/cache/")
    lesson.shot("09-browser", height=900)


def test_a_prediction_comes_before_the_look(lesson):
    from playwright.sync_api import expect

    cell, look = lesson.output(LAB), "Flip it, and look who notices"
    says(lesson, LAB, "Noticed by: blob, diff_id", "You predicted blob, and there are more")
    cell.get_by_label("Flip in", exact=True).fill("1")
    cell.get_by_label("Flip in", exact=True).press("Enter")
    says(lesson, LAB, "Choose a place, and who you expect to notice")
    cell.get_by_label("blob: each layer as stored").uncheck()
    expect(cell.get_by_role("button", name=look)).to_be_disabled()
    cell.get_by_label("config: its digest").check()
    expect(cell.get_by_role("button", name=look)).to_be_enabled()
    cell.get_by_role("button", name=look).press("Enter")

    says(lesson, LAB, "A flip in the config. Noticed by: config.", "Right.")
    lesson.shot("09-lab", height=1000)
    assert lesson.complaints == []


def test_a_report_is_kept_only_when_asked_and_never_over_another(lesson):
    from playwright.sync_api import expect

    folder = lesson.lab.notebooks
    assert list(folder.glob("report-*")) == []
    lesson.click("Keep it as a file", within=KEEPER)
    says(lesson, KEEPER, "Written next to the notebook: report-7bbf0405c20c.md")
    lesson.click("Keep it as a file", within=KEEPER)
    says(lesson, KEEPER, "report-7bbf0405c20c-2.md")
    lesson.output(KEEPER).get_by_label("File name").fill("report-7bbf0405c20c.md")
    lesson.click("Keep it as a file", within=KEEPER)
    says(lesson, KEEPER, "Not written:", "nothing is overwritten")

    expect(lesson.output(KEEPER).locator("figure svg")).to_have_count(1)
    assert len(list(folder.glob("report-*"))) == 2
    for path in folder.glob("report-*"):
        path.unlink()


def test_nothing_is_wider_than_the_page(lesson):
    for theme, width in (("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 700)):
        lesson.set_theme(theme)
        lesson.tab.set_viewport_size({"width": width, "height": 1000})
        for mark in (
            CHOOSER,
            "ol.journey_picture(own)",
            "ol.proof_table(",
            BROWSER,
            'ol.who_notices(own, "file"',
            LAB,
            KEEPER,
        ):
            box = lesson.output(mark).bounding_box()
            lesson.shot(f"09-{theme.split()[-1].lower()}-{width}-{re.sub('[^a-z]+', '-', mark.lower())}")

            assert box["x"] + box["width"] <= width
