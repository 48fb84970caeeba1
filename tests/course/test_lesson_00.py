"""Notebook 00: how its answers may be written, the map without a browser, this machine in words."""

import pytest

import overlaylab as ol
from overlaylab.course import check
from overlaylab.course.map import STATIONS, MapGuide, machine_report, map_picture
from overlaylab.kernel.machine import Fact
from overlaylab.words import say


@pytest.fixture(scope="module")
def root():
    return ol.shipped_root()


# Exercises


@pytest.mark.parametrize("answer", [24, "24", " 24 ", "'24'"])
def test_a_number_may_be_given_as_text(answer):
    assert check("00-images", answer).verdict == "right"


@pytest.mark.parametrize("answer", ["cfadbe", "C F A D B E", "c, f, a, d, b, e", list("cfadbe"), tuple("cfadbe")])
def test_an_order_may_be_given_in_many_ways(answer):
    assert check("00-journey", answer).verdict == "right"


# The map


def test_the_map_names_all_stations_and_their_notebooks(root):
    picture = map_picture(root)

    for key in STATIONS:
        assert say(f"map.name.{key}") in picture.alt
        assert say(f"map.question.{key}") in picture.text
    assert [picture.text.count(f"notebook 0{number}") for number in (1, 2, 3, 4)] == [1, 2, 1, 2]


def test_the_map_shows_real_values(root):
    image = ol.select(root, "kit/app:1")
    text = map_picture(root).text

    for name in (image.id, image.diff_ids[-1], image.chain_ids[-1]):
        assert ol.short(name) in text
    assert image.layers[-1].directory[:12] in text


def test_the_guide_goes_from_station_to_station(root):
    guide = MapGuide(root)
    seen = [guide.picture.alt]
    for _ in range(7):
        guide.next.click()
        seen.append(guide.picture.alt)

    assert [alt.split(" of ")[0] for alt in seen] == [f"Station {number}" for number in (1, 2, 3, 4, 5, 6, 6, 6)]
    guide.back.click()
    assert guide.picture.alt.startswith("Station 5 of 6")
    guide.station.number.set_state({"value": 3})
    assert guide.picture.alt.startswith("Station 3 of 6")
    assert guide.picture.text.count(say("map.here")) == 1


def test_every_control_of_the_guide_has_a_name(root):
    assert all(control.description for control in MapGuide(root).children[0].children)


def test_the_stored_form_of_the_guide_is_short_and_has_its_picture(root):
    bundle = MapGuide(root)._repr_mimebundle_()

    assert len(bundle["text/plain"]) <= 110
    assert "Station 1 of 6" in bundle["text/html"]


# This machine


def test_a_report_says_each_fact_with_its_glyph():
    facts = (Fact("A", "1", "good", True), Fact("B", "2", "bad", False), Fact("C", "\x1b[31m", "so", None))
    report = machine_report(facts)

    assert [line[0] for line in repr(report).splitlines()[::2]] == ["✓", "✗", "·"]
    assert "\x1b" not in repr(report) + report._repr_html_()


def test_a_report_escapes_what_it_found():
    assert "<b>" not in machine_report((Fact("<b>", "<b>", "<b>", True),))._repr_html_()


def test_this_machine_is_reported_with_the_pages_four_facts():
    names = [fact.name for fact in machine_report().facts]

    assert names[-4:] == ["Storage Driver", "Backing Filesystem", "Supports d_type", "Native Overlay Diff"]
