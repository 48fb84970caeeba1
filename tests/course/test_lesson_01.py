"""Notebook 01: how its answers may be written, its pictures, and the byte flipper without a browser."""

import json

import pytest

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.views.image.config_tables import step_words
from overlaylab.words import say


@pytest.fixture
def raw():
    return ol.compact_json(ol.page.busybox_text)


# The exercises


@pytest.mark.parametrize("answer", [" {} ", "'{}'", '"{}"'])
def test_spaces_and_quotes_around_a_digest_do_not_count(answer):
    digest = find_exercise("01-image-id").answer()

    assert check("01-image-id", answer.format(digest)).verdict == "right"


@pytest.mark.parametrize(
    "answer", ["bce", "ECB", "b, c, e", "b c e", ["b", "c", "e"], ("e", "b", "c"), {"b", "c", "e"}], ids=range(7)
)
def test_letters_may_be_written_in_any_way(answer):
    assert check("01-changes", answer).verdict == "right"


@pytest.mark.parametrize("answer", [13, "13", " 13 "])
def test_a_number_may_be_a_text(answer):
    assert check("01-layers", answer).verdict == "right"


def test_an_answer_shows_itself_as_text_and_as_html():
    bundle = check("01-newline", "<b>")._repr_mimebundle_()

    assert bundle["text/plain"].startswith("✗ Not yet.")
    assert "<p>" in bundle["text/html"]


# Ways to write a document


def test_the_same_document_in_four_writings_has_four_digests(raw):
    rows = ol.writing_table(raw).rows

    assert len({digest for _, _, digest in rows}) == 4
    assert [size for _, size, _ in rows] == [1457, 1458, 1864, 1457]


@pytest.mark.parametrize(
    "needle,field",
    [
        (b"amd64", "architecture"),
        (b"PATH=", "config.Env[0]"),
        (b'"sh"],"Image"', "config.Cmd[0]"),
        (b"CMD [", "container_config.Cmd[3]"),
        (b"ADD file", "history[0].created_by"),
        (b"empty_layer", "history[1].empty_layer"),
        (b"5b8c7293", "rootfs.diff_ids[0]"),
        (b"19.03.12", "docker_version"),
    ],
)
def test_the_field_of_a_byte_is_found(raw, needle, field):
    assert ol.image.field_at(raw, raw.index(needle) + 1) == field


def test_every_byte_lies_in_a_field_or_outside_of_all(raw):
    found = {ol.image.field_at(raw, position).partition(".")[0].partition("[")[0] for position in range(len(raw))}

    assert found - {""} == set(json.loads(raw))


@pytest.mark.parametrize("position", [0, len('{"a":1}') - 1, 100])
def test_outside_of_all_fields_there_is_no_name(position):
    assert ol.image.field_at(b'{"a":1}', position) == ""


@pytest.mark.parametrize(
    "created_by,words",
    [
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in /"),
        ("/bin/sh -c echo a && echo b", "RUN echo a && echo b"),
        ("COPY /a /b # buildkit", "COPY /a /b # buildkit"),
        ("", ""),
    ],
)
def test_a_build_step_is_read_as_its_author_wrote_it(created_by, words):
    assert step_words(created_by) == words


# Pictures and tables


def test_the_history_picture_says_which_step_made_which_layer():
    picture = ol.history_picture(ol.select(ol.shipped_root(), "kit/app:1").config)
    lines = picture.text.splitlines()

    assert len(lines) == 20
    assert lines[-1].startswith(" 1  ADD") and "layer 1 " in lines[-1]
    assert "RUN true" in lines[-7] and "no layer" in lines[-7]
    assert "12" in picture.alt and "8" in picture.alt


def test_the_config_picture_tells_the_same_in_words(raw):
    picture = ol.config_picture(ol.parse_config(raw), "busybox:latest")

    assert "busybox:latest" in picture.alt and "1,457 bytes" in picture.alt
    assert ol.short(ol.digest_bytes(raw)) in picture.alt
    assert "linux/amd64" in picture.text


def test_a_config_without_a_command_and_without_layers_can_be_drawn():
    config = ol.parse_config(b'{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}')

    assert "Layers in it: 0" in ol.config_picture(config, "nothing").alt
    assert "Build steps: 0" in ol.history_picture(config).alt


def test_the_field_table_shows_what_is_there_and_nothing_else(raw):
    fields = [row[0] for row in ol.field_table(raw).rows]

    assert {"config.Cmd", "rootfs.diff_ids", "docker_version"} <= set(fields)
    assert "config.StopSignal" not in fields
    assert ol.field_table(b"{}").rows == ()


def test_a_digest_in_a_table_is_short_to_read_and_whole_on_hover(raw):
    table, digest = ol.writing_table(raw), ol.digest_bytes(raw)
    page = table._repr_mimebundle_()["text/html"]

    assert f'title="{digest}"' in page
    assert digest not in repr(table) and ol.short(digest) in repr(table)


def test_a_table_escapes_what_comes_from_an_image():
    table = ol.field_table(b'{"config":{"Cmd":["<script>"]}}')

    assert "<script>" not in table._repr_mimebundle_()["text/html"]


# The byte flipper


def test_the_flipper_begins_as_it_is_asked_to(raw):
    plain, flipped = ol.ByteFlipper(raw), ol.ByteFlipper(raw, byte=17, flipped=True)

    assert (plain.now, plain.byte.value) == (raw, 0)
    assert flipped.now == ol.flip_bit(raw, 17)
    assert "62 of 64" in flipped.picture.alt


def test_flipping_twice_gives_the_old_digest_back(raw):
    panel = ol.ByteFlipper(raw, byte=17)
    first = panel.picture.text
    panel.flip.click()
    between = panel.picture.text
    panel.flip.click()

    assert panel.picture.text == first != between
    assert str(ol.digest_bytes(ol.flip_bit(raw, 17))) in between


def test_all_flips_can_be_put_back(raw):
    panel = ol.ByteFlipper(raw, byte=17, flipped=True)
    panel.byte.value = 500
    panel.bit.value = 3
    panel.flip.click()

    assert "Changed bytes: 2" in panel.picture.alt
    panel.reset.click()
    assert panel.now == raw
    assert "Changed bytes: 0" in panel.picture.alt


def test_the_flipper_says_whether_it_is_still_json(raw):
    panel = ol.ByteFlipper(raw, byte=17, flipped=True)
    assert say("flipper.is_json") in panel.picture.text

    panel.byte.value = 0
    panel.flip.click()
    assert say("flipper.no_json") in panel.picture.text


def test_the_flipper_stays_within_the_document(raw):
    panel = ol.ByteFlipper(raw)
    panel.back.click()
    assert panel.byte.value == 0

    panel.byte.value = 10**9
    panel.next.click()
    assert panel.byte.value == len(raw) - 1
    assert "1,456" in panel.picture.alt


def test_the_front_ends_own_messages_move_the_flipper(raw):
    panel = ol.ByteFlipper(raw)
    panel.byte.set_state({"value": 1300})
    panel.next._handle_custom_msg({"event": "click"}, [])

    assert panel.byte.value == 1301
    assert "history[1].created_by" in panel.picture.text
    assert panel.picture.alt in panel.view.value


@pytest.mark.parametrize("data", [b"a", b"short", b"x" * 16, b"x" * 17])
def test_the_flipper_takes_small_documents(data):
    panel = ol.ByteFlipper(data)
    panel.byte.value = len(data) - 1
    panel.flip.click()

    assert "Changed bytes: 1" in panel.picture.alt


def test_every_control_of_the_flipper_has_a_name(raw):
    controls = ol.ByteFlipper(raw).children[0].children

    assert all(control.description for control in controls)
    assert len({control.description for control in controls}) == len(controls)
