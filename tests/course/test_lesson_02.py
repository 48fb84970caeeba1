"""Notebook 02: its answers found by other means, its pictures, and the chain stepper without a browser."""

import itertools

import pytest

import overlaylab as ol
from overlaylab.course import check
from overlaylab.views.image.chain import step_picture, step_text
from overlaylab.words import say


@pytest.fixture
def nginx():
    return ol.page.nginx_diff_ids


@pytest.fixture(scope="module")
def app():
    return ol.select(ol.shipped_root(), "kit/app:1").config


# The exercises


def test_the_slips_of_the_third_layer_are_what_a_shell_would_print(nginx):
    """The same sums without this package's digests, as a learner makes them by hand."""
    import hashlib

    one, two, three = nginx[:3]
    below = "sha256:" + hashlib.sha256(f"{one} {two}".encode()).hexdigest()

    def shell(text):
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    assert check("02-third", shell(f"{below} {three}")).verdict == "right"
    assert check("02-third", shell(f"{below} {three}\n")).slip == "newline"
    assert check("02-third", shell(f"{three} {below}")).slip == "turned"
    assert check("02-third", shell(f"{two} {three}")).slip == "diff_below"
    assert check("02-third", shell(f"{below}{three}")).slip == "no_space"
    assert check("02-third", shell(f"{below[7:]} {three[7:]}")).slip == "bare_parts"


def test_the_slip_of_the_first_member_is_what_one_inflater_gives():
    import zlib

    blob = ol.packings()["gzip-two-members.tar.gz"]
    first = zlib.decompressobj(wbits=31).decompress(blob)

    assert check("02-packed", ol.digest_bytes(first)).slip == "first_member"


# Packings


def test_every_shipped_packing_holds_the_tiny_layer():
    assert {ol.unpack(blob) for blob in ol.packings().values()} == {ol.tiny_layer()}


def test_a_packing_changes_the_blob_and_not_the_diff_id():
    rows = ol.packing_table({"plain": ol.tiny_layer()} | ol.packings()).rows

    assert len({blob for _, _, blob, _ in rows}) == 5
    assert {diff_id for *_, diff_id in rows} == {ol.DiffID.of(ol.tiny_layer())}


@pytest.mark.parametrize("compression,level", [("none", 1), ("gzip", 1), ("gzip", 9), ("zstd", 1), ("zstd", 19)])
def test_what_is_packed_comes_out_again(compression, level):
    assert ol.unpack(ol.pack(ol.tiny_layer(), compression, level)) == ol.tiny_layer()


def test_the_tiny_layer_is_a_layer():
    import io

    assert ol.read_changeset(io.BytesIO(ol.tiny_layer())) is not None


# Tables and pictures


def test_the_layer_table_lies_as_a_stack_lies(nginx):
    rows = ol.layer_table(nginx).rows

    assert [row[0] for row in rows] == [6, 5, 4, 3, 2, 1]
    assert [bool(row[3]) for row in rows] == [False] * 5 + [True]
    assert tuple(row[2] for row in reversed(rows)) == ol.chain_ids(nginx)


def test_the_frame_has_the_same_rows(nginx):
    frame = ol.layer_table(nginx).frame()

    assert list(frame.index) == ["6", "5", "4", "3", "2", "1"]
    assert list(frame.columns) == ["diff_id", "chain_id", "the same?"]


def test_without_pandas_there_is_a_plain_table(nginx, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    table = ol.layer_table(nginx).frame()

    assert len(table) == 6
    assert ol.short(nginx[0]) in repr(table)


def test_the_chain_picture_names_every_layer_in_its_text(nginx):
    picture = ol.chain_picture(nginx)

    assert all(ol.short(name) in picture.text for name in (*nginx, *ol.chain_ids(nginx)))
    assert picture.text.splitlines()[-1].startswith("layer 1 ")
    assert "6 layers" in picture.alt


def test_a_compared_chain_marks_what_changed(nginx):
    swapped = [nginx[0], nginx[1], nginx[3], nginx[2], nginx[4], nginx[5]]
    picture = ol.chain_picture(swapped, before=nginx)

    assert [line.endswith(say("chain.changed")) for line in picture.text.splitlines()] == [True] * 4 + [False] * 2
    assert "4 of the chain_ids" in picture.alt


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_marks_of_a_compared_chain_are_the_chain_ids_that_differ(nginx, order):
    before, now = nginx[:3], [nginx[n] for n in order]
    marked = ol.chain_picture(now, before=before).text.count(say("chain.changed"))

    assert marked == sum(a != b for a, b in zip(ol.chain_ids(before), ol.chain_ids(now), strict=False))


def test_equal_layers_can_be_drawn_twice(app):
    assert ol.chain_picture(app.diff_ids).text.count(ol.short(app.diff_ids[7])) == 2


def test_no_picture_is_wider_than_a_page(nginx, app):
    import re

    for picture in (
        ol.chain_picture(nginx),
        step_picture(nginx, 3),
        ol.history_picture(app),
        ol.config_picture(app, "kit/app:1"),
    ):
        svg = picture.svg()
        assert svg is None or float(re.search(r'width="([0-9.]+)"', svg)[1]) <= 960


def test_a_step_shows_the_exact_text_that_is_hashed(nginx):
    lines = step_text(nginx, 3).splitlines()
    parent, diff_id, chain_id = (lines[n].split()[-1] for n in (1, 3, 5))

    assert ol.digest_bytes(f"{parent} {diff_id}".encode()) == chain_id == ol.chain_ids(nginx)[2]
    assert "143" in lines[0]


# The chain stepper


def test_the_stepper_goes_up_and_down_and_stops_at_the_ends(nginx):
    panel = ol.ChainStepper(nginx)
    seen = [panel.layer.value]
    for _ in range(6):
        panel.next.click()
        seen.append(panel.layer.value)
    panel.back.click()

    assert seen == [1, 2, 3, 4, 5, 6, 6]
    assert panel.layer.value == 5


@pytest.mark.parametrize("number", range(1, 7))
def test_every_step_tells_its_chain_id(nginx, number):
    panel = ol.ChainStepper(nginx, layer=number)

    assert ol.short(ol.chain_ids(nginx)[number - 1]) in panel.picture.alt
    assert f"Step {number} of 6" in panel.picture.alt
    assert panel.picture.alt in panel.view.value


def test_later_chain_ids_are_not_told_early(nginx):
    panel = ol.ChainStepper(nginx, layer=2)

    assert ol.short(ol.chain_ids(nginx)[3]) not in panel.picture.text + panel.view.value


def test_the_front_ends_own_messages_move_the_stepper(nginx):
    panel = ol.ChainStepper(nginx)
    panel.layer.set_state({"value": 4})
    panel.next._handle_custom_msg({"event": "click"}, [])

    assert panel.layer.value == 5


def test_the_stored_form_of_the_stepper_is_its_picture(nginx):
    bundle = ol.ChainStepper(nginx, layer=3)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle

    assert data["text/html"] == step_picture(nginx, 3).html()
    assert len(data["text/plain"]) <= 110


def test_a_chain_of_one_layer_can_be_stepped(nginx):
    panel = ol.ChainStepper(nginx[:1])
    panel.next.click()

    assert panel.picture.alt.startswith("Step 1 of 1")
