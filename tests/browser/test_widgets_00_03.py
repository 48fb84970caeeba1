"""The widgets of notebooks 00 and 03, pressed and typed into in a real page."""

import re

import pytest

pytestmark = pytest.mark.tier("browser")


def says(*words):
    """A pattern that finds these words in this order."""
    return re.compile(".*".join(map(re.escape, words)))


def test_the_map_is_walked_station_by_station(page):
    from playwright.sync_api import expect

    page.open_notebook("00_map.ipynb")
    page.run_all()
    cell = "ol.MapGuide("
    expect(page.figure(cell)).to_have_attribute("aria-label", says("Station 1 of 6", "image config", "Notebook 01"))
    page.click("Next ▶", within=cell)
    page.click("Next ▶", within=cell)

    expect(page.figure(cell)).to_have_attribute("aria-label", says("Station 3 of 6", "chain_ids", "Notebook 02"))
    expect(page.output(cell).locator("figure svg")).to_contain_text("you are here")
    station = page.output(cell).get_by_label("Station", exact=True)
    station.fill("6")
    station.press("Enter")

    expect(page.figure(cell)).to_have_attribute("aria-label", says("Station 6 of 6", "process view", "Notebook 04"))
    page.shot("00-map", height=900)
    assert (page.outside, page.complaints) == ([], [])


def test_the_path_finder_goes_down_a_layer_and_takes_an_id_prefix(page):
    from playwright.sync_api import expect

    page.open_notebook("03_cache_id.ipynb")
    page.run_all()
    cell = "ol.PathFinder("
    expect(page.figure(cell)).to_have_attribute("aria-label", says("kit/app:1, layer 12 of 12", "11 layers beneath"))
    page.click("▼ one down", within=cell)

    expect(page.figure(cell)).to_have_attribute("aria-label", says("kit/app:1, layer 11 of 12", "10 layers beneath"))
    page.shot("03-path", height=900)
    page.output(cell).get_by_label("Image or container").fill("fd83")

    expect(page.figure(cell)).to_have_attribute("aria-label", says("fd83, layer 1 of 1", "0 layers beneath"))
    page.output(cell).get_by_label("Image or container").fill("f")

    expect(page.figure(cell)).to_have_attribute("aria-label", says("There is no way from here", "several images"))
    assert (page.outside, page.complaints) == ([], [])
