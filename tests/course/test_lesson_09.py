"""Notebook 09: its exercises with every slip, its pictures and report, and its widgets without a browser."""

import json
import re
import time

import builders
import ipywidgets
import pytest
import realdata

import overlaylab as ol
from overlaylab.course import find_exercise
from overlaylab.stores.audit.learner_image import UPLOAD, open_own, packed_again, upload_own
from overlaylab.views.kit.progress import ReadProgress
from overlaylab.views.kit.text import size_text
from overlaylab.views.own.layers import LayerBrowser, browse_picture, waste_table, wasted_files
from overlaylab.views.own.overview import findings, journey, journey_picture, mount_lines, own_picture, proof_table
from overlaylab.views.own.report import ReportKeeper, own_report
from overlaylab.views.own.source_chooser import SourceChooser
from overlaylab.views.own.tamper_lab import TamperLab, read_guess, slip_of, who_notices
from overlaylab.words import say

WIDEST = 1010


@pytest.fixture(scope="module")
def own():
    return open_own()


@pytest.fixture(scope="module")
def layout(own):
    return packed_again(own)


@pytest.fixture
def chooser():
    return SourceChooser(live=())


@pytest.fixture(scope="module")
def hostile():
    """An image whose names mean mischief to a page, a terminal and a table."""
    layer = builders.tar(builders.member("<script>|`*\x1b[31m\n", b"x"))
    return upload_own(
        "<b>\x1b",
        builders.docker_archive(([layer], {"tags": ["<img src=x>:1"], "history": [{"created_by": "`|<script>\x1b"}]})),
    )


# Exercises


# Their answers are typed, so the image is asked whether they are true


def test_most_is_wasted_in_the_base_and_nothing_in_the_layers_that_delete(own):
    wasted = [work.wasted for work in own.work]

    assert find_exercise("09-wasted").answer() == "b"
    assert wasted[0] > sum(wasted[1:])
    assert [wasted[number - 1] for number in (2, 4, 5, 12)] == [0, 0, 0, 0]


def test_a_flip_in_a_file_leaves_the_id_and_breaks_the_diff_id(own):
    lesson = who_notices(own, "file")

    assert find_exercise("09-file").answer() == "c"
    assert lesson.result.after.image.id == own.image.id and "diff_id" in lesson.noticed


def test_a_flip_in_a_manifest_is_noticed_there_alone(layout):
    assert find_exercise("09-pointer").answer() == "b"
    assert who_notices(layout, "manifest").noticed == ("manifest",)


def test_a_flip_in_a_folder_that_has_no_recipe_shows_both_digests():
    """What differs is shown whole enough: not the mode and size that are equal."""
    picture = who_notices(open_own(ol.shipped("docker28-containerd-store.tar.gz")), "file").picture()

    for text in (picture.text, picture.svg()):
        assert len(set(re.findall(r"content sha256:([0-9a-f]{12})", text))) == 2
        assert "65536 bytes" not in text


# The way


def width(picture):
    return float(re.search(r'<svg width="([0-9.]+)"', picture.svg())[1])


def test_the_way_of_a_data_root_recomputes_config_diff_ids_and_chain(own):
    verdicts = {row.key: row.verdict for row in journey(own)}

    assert {key for key, verdict in verdicts.items() if verdict == "equal"} == {"config", "id", "diff_ids", "chain"}
    assert verdicts["blobs"] == "none"


def test_a_lie_shows_on_the_way():
    rows = journey(open_own(builders.DATA / "broken-images" / "docker-diffid-mismatch.tar"))

    assert [row.key for row in rows if row.verdict == "differs"] == ["diff_ids", "chain"]


@pytest.mark.parametrize("name", realdata.NAMES)
def test_every_store_has_its_pictures_tables_and_report(name):
    some = open_own(realdata.archive(name))
    for picture in (journey_picture(some), own_picture(some), browse_picture(some, 0)):
        assert picture.alt and picture.text
        assert width(picture) <= WIDEST
    report = own_report(some)

    assert len(proof_table(some)) == len(some.layers)
    assert str(findings(some)).endswith("All that was recomputed fits.")
    assert mount_lines(some)
    assert json.loads(report.json)["verify"]["ok"] is True
    assert some.image.config_digest in report.markdown


def test_hostile_names_are_shown_safely(hostile):
    pages = [own_report(hostile).markdown, str(waste_table(hostile)), str(findings(hostile))]
    pages += [
        item.html()
        for item in (
            journey_picture(hostile),
            own_picture(hostile),
            browse_picture(hostile, 0),
            who_notices(hostile, "layer").picture(),
        )
    ]
    for page in pages:
        assert "\x1b" not in page
        assert "<script>" not in page and "<img src=x>" not in page


# Wasted bytes


def test_wasted_files_are_those_that_nobody_sees_and_add_up(own):
    found = wasted_files(own, most=1000)

    assert sum(item.size for item in found) == sum(work.wasted for work in own.work)
    assert (found[0].path, found[0].layer, found[0].by) == ("etc/motd", 0, 6)


@pytest.mark.parametrize("name", realdata.NAMES)
def test_wasted_files_add_up_in_every_store(name):
    some = open_own(realdata.archive(name))

    assert sum(item.size for item in wasted_files(some, most=10_000)) == sum(work.wasted for work in some.work)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (9_999, "9,999 B"), (10_000, "10.0 kB"), (5_000_000, "5.0 MB"), (5_300_000_000, "5.3 GB")],
)
def test_sizes_are_written_for_people(count, text):
    assert size_text(count) == text


# Predictions in a call


@pytest.mark.parametrize(
    ("kind", "guess", "noticed", "slip"),
    [
        ("layer", "", ["blob"], "open"),
        ("layer", "diff_id, blob", ["blob", "diff_id"], "right"),
        ("layer", "nobody", [], "right"),
        ("layer", "nobody", ["blob"], "nobody"),
        ("file", "config diff_id", [], "unwatched"),
        ("layer", "config blob", ["blob"], "id"),
        ("file", "manifest", ["diff_id"], "manifest"),
        ("config", "config blob", ["config"], "untouched"),
        ("layer", "blob", ["blob", "diff_id"], "too_few"),
        ("config", "config tables", ["config"], "too_many"),
    ],
)
def test_a_prediction_is_told_its_slip(kind, guess, noticed, slip):
    assert slip_of(kind, read_guess(guess), noticed) == slip
    assert say(f"tamper.guess.{slip}", expected="x", noticed="y")


def test_an_unknown_check_is_refused():
    with pytest.raises(ol.errors.Finding):
        read_guess("config and more")


def test_nothing_is_said_about_a_prediction_that_was_not_made_here(own):
    assert say("tamper.guess.open") not in who_notices(own, "file").picture().text


def test_the_famous_slip_is_named(own):
    lesson = who_notices(own, "file", "config diff_id")

    assert lesson.slip == "id"
    assert "the config was not touched" in lesson.feedback
    assert lesson.noticed == ("diff_id", "content")
    assert "the config was not touched" in lesson.picture().svg()


def test_an_archive_has_no_folder_so_its_blob_is_taken(layout):
    assert (
        "This store keeps no folder with a layer's files" in who_notices(layout, "file", "blob diff_id").picture().text
    )


def test_an_image_without_layers_says_so():
    empty = upload_own("empty.tar", builders.docker_archive(([], {})))

    assert "nothing to flip" in str(who_notices(empty, "layer"))


# The widgets


def controls(widget):
    """All widgets inside, at any depth."""
    for child in getattr(widget, "children", ()):
        yield child
        yield from controls(child)


def press_enter(field):
    field._handle_custom_msg({"event": "submit"}, [])


def test_the_chooser_begins_with_the_shipped_image(chooser):
    assert "kit/app:1" in chooser.own.image.names
    assert "docker20-dataroot" in chooser.picture.text


def test_a_path_is_opened_with_enter_and_with_the_button(chooser):
    chooser.path.value = str(realdata.archive("oci-zstd"))
    press_enter(chooser.path)
    assert chooser.own.store.kind == "oci-layout"

    chooser.path.value = str(realdata.archive("docker20-save"))
    chooser.button.click()
    assert chooser.own.store.kind == "docker-archive"
    assert "run the cells below again" in chooser.picture.alt


@pytest.mark.parametrize(
    "path", ["", "  ", "/no/such", "\0", "../" * 50 + "etc/passwd", "<script>alert(1)</script>", "x" * 9000]
)
def test_a_refused_path_leaves_what_was_open(chooser, path):
    before = chooser.own
    chooser.path.value = path
    chooser.button.click()

    assert chooser.own is before
    assert "<script>" not in chooser.view.value
    assert chooser.picture.alt.startswith(("Type a path first", "This cannot be opened"))


def test_a_first_path_that_is_refused_gives_the_shipped_image_and_the_reason():
    chooser = SourceChooser("no/such/path", live=())

    assert "kit/app:1" in chooser.own.image.names
    assert "there is nothing at this path" in chooser.picture.alt


def uploaded(name, data):
    return (
        {
            "name": name,
            "type": "application/x-tar",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": None,
        },
    )


def test_an_upload_is_opened_and_let_go(chooser):
    chooser._uploaded({"new": uploaded("my.tar", realdata.archive("docker26-save").read_bytes())})

    assert (chooser.own.source, chooser.own.store.kind) == ("my.tar", "docker-archive")
    assert chooser.upload.value == ()


def test_a_large_upload_is_refused_in_words(chooser):
    before = chooser.own
    chooser._uploaded({"new": uploaded("large.tar", bytes(UPLOAD + 1))})

    assert chooser.own is before
    assert "at most 7 MB" in chooser.picture.alt and "Type its path" in chooser.picture.alt


def test_the_limit_is_said_before_anything_is_sent(chooser):
    assert any(
        "At most 7 MB by upload" in getattr(item, "value", "")
        for item in controls(chooser)
        if isinstance(getattr(item, "value", None), str)
    )


def test_live_stores_are_offered_or_it_is_said_that_there_are_none(tmp_path):
    (tmp_path / "docker").mkdir()
    chooser = SourceChooser(live=[str(tmp_path / "docker")])
    chooser.live.value = str(tmp_path / "docker")

    assert "This cannot be opened" in chooser.picture.alt
    assert SourceChooser(live=()).live.number.disabled


def test_every_shipped_store_and_every_image_of_one_can_be_chosen(chooser):
    kinds = {}
    for label, key in chooser.shipped.options[1:]:
        chooser.shipped.value = key
        kinds[key] = chooser.own.store.kind
        assert "kit/app:1" in str(chooser.own.image.names), label
        assert chooser.own.image.config_digest.hex.startswith("7bbf0405c20c") or key == "oci"
    assert list(kinds.values()) == [
        "docker-root",
        "docker-containerd-root",
        "containers-storage",
        "oci-layout",
        "oci-layout",
    ]

    chooser.shipped.value = "docker"
    for number in range(len(chooser.image.options)):
        chooser.image.value = number
        assert chooser.own.target is chooser._targets()[number]


def test_progress_shows_nothing_about_a_small_image():
    place = ipywidgets.HTML()
    progress = ReadProgress(place)
    progress.start("some.tar")
    progress(1 << 20)
    assert place.value == ""
    progress(64 << 20)
    assert "some.tar: 68.2 MB so far" in place.value
    progress.end()

    assert place.value == ""


def test_the_browser_begins_where_most_is_wasted_and_stays_within_the_image(own):
    browser = LayerBrowser(own)
    assert browser.layer.value == 1
    browser.down.click()
    assert browser.layer.value == 1
    browser.up.click()
    assert "layer 2" in browser.picture.alt
    browser.layer.value = 12
    browser.up.click()
    browser.worst.click()

    assert "layer 1:" in browser.picture.alt and "103 B wasted" in browser.picture.alt


def test_the_lab_wants_a_prediction_before_the_look(own):
    lab = TamperLab(own, "file")
    assert lab.look.disabled and lab.lesson is None
    lab.expect["diff_id"].value = True
    lab.expect["content"].value = True
    assert not lab.look.disabled
    lab.look.click()
    assert lab.lesson.slip == "right"

    lab.offset.value += 1
    assert lab.lesson is None and "Choose a place" in lab.picture.alt


def test_every_place_of_the_lab_can_be_flipped(layout):
    lab = TamperLab(layout, guess="blob")
    for number in range(len(lab.spots)):
        lab.what.value = number
        lab.look.click()
        assert lab.lesson is not None and lab.offset.max == lab.spots[number].size - 1


def test_each_widget_answers_at_once(own):
    lab, browser = TamperLab(own, "file", "diff_id"), LayerBrowser(own)
    browser.picture.svg()
    for act in (browser.up.click, browser.down.click, lab.look.click, lambda: setattr(lab.what, "value", 3)):
        fastest = min(_seconds(act) for _ in range(3))
        assert fastest < 0.1


def _seconds(act):
    """Its own time: what else the machine does meanwhile does not count."""
    start = time.process_time()
    act()
    return time.process_time() - start


@pytest.mark.parametrize(
    "make",
    [lambda own: SourceChooser(live=()), LayerBrowser, TamperLab, lambda own: ReportKeeper(own_report(own))],
    ids=["chooser", "browser", "lab", "keeper"],
)
def test_every_control_has_a_name_and_the_stored_form_is_short(own, make):
    widget = make(own)
    rows = [
        item
        for item in controls(widget.children[0])
        if hasattr(item, "description") and type(item).__name__ not in ("HTML", "HBox")
    ]

    assert rows and all(item.description for item in rows)
    assert len(widget._repr_mimebundle_()["text/plain"]) <= 110


# The report


def test_a_report_is_written_once_and_never_over_another(own, tmp_path):
    report = own_report(own)
    names = [
        report.save(folder=tmp_path),
        report.save(folder=tmp_path),
        report.save(form="json", folder=tmp_path),
        report.save("mine.md", folder=tmp_path),
    ]

    assert names == ["report-7bbf0405c20c.md", "report-7bbf0405c20c-2.md", "report-7bbf0405c20c.json", "mine.md"]
    assert (tmp_path / names[0]).read_text(encoding="utf-8") == report.markdown
    assert json.loads((tmp_path / names[2]).read_text(encoding="ascii")) == json.loads(json.dumps(report.facts))


@pytest.mark.parametrize(
    "name", ["mine.md", "../out.md", "/etc/out.md", "a/b.md", ".hidden", "..", "a\0b", "x" * 101, "con\n"]
)
def test_a_name_that_exists_or_leads_elsewhere_is_refused(own, tmp_path, name):
    (tmp_path / "mine.md").write_text("keep me", encoding="utf-8")
    with pytest.raises(ol.errors.Finding):
        own_report(own).save(name, folder=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]
    assert (tmp_path / "mine.md").read_text(encoding="utf-8") == "keep me"


def test_the_keeper_writes_when_asked_and_says_where(own, tmp_path):
    keeper = ReportKeeper(own_report(own), tmp_path)
    assert list(tmp_path.iterdir()) == []
    keeper.button.click()
    assert "report-7bbf0405c20c.md" in keeper.picture.alt
    keeper.name.value = "../x"
    keeper.button.click()

    assert "Not written" in keeper.picture.alt
    assert len(list(tmp_path.iterdir())) == 1
