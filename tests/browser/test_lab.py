"""The kit in a real JupyterLab in a real browser, with nothing else on the network."""

import pytest

pytestmark = pytest.mark.tier("browser")


def test_the_lab_opens_on_the_start_notebook_and_nothing_pops_up(page):
    page.open_start()
    page.tab.wait_for_timeout(2000)  # what pops up does so a moment after the page is there

    assert page.tab.evaluate("() => window.jupyterapp.shell.currentWidget.context.path") == "00_map.ipynb"
    assert page.tab.locator(".jp-Dialog, .Toastify__toast").all_inner_texts() == []
    assert page.outside == []


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_the_theme_can_be_switched(page, theme):
    page.open_notebook("00_map.ipynb")
    page.set_theme(theme)

    assert page.tab.locator("body").get_attribute("data-jp-theme-name") == theme
    assert page.errors() == []
