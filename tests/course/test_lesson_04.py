"""Notebook 04: its exercises with every slip, its widgets without a browser, its comparison on any machine."""

import re

import pytest

import overlaylab as ol
from overlaylab.course import check
from overlaylab.errors import KernelUnavailable
from overlaylab.kernel import recorded_mounts as record
from overlaylab.tree import Directory
from overlaylab.views.overlay import kernel_comparison as sides
from overlaylab.views.overlay import provenance
from overlaylab.views.overlay import text as overlay_words
from overlaylab.views.overlay.pictures import layer_picture, lookup_picture, panes_picture, stack_picture
from overlaylab.words import say

NAMES = ("Fruits", "Vegetables", "Meat")


def page_stack():
    folders = ol.page_overlay()
    return ol.Overlay(lowerdirs=[folders["Fruits"], folders["Vegetables"]], upperdir=folders["Meat"])


@pytest.fixture(scope="module")
def store():
    return ol.shipped_root()


@pytest.fixture(scope="module")
def app(store):
    return ol.select(store, "kit/app:1")


@pytest.fixture(scope="module")
def image(store, app):
    return ol.overlay_of(app, store, ol.LayerReader(store))[0]


# Exercises


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("04-menu", " bakery "),
        ("04-menu", ["Bakery"]),
        ("04-party", ("Tea", ".wh.Cake", "Cake", "Apple")),
        ("04-party", ".wh.Cake, Apple, Cake, Tea"),
        ("04-lowerdir", "lowerdir=init:app:tools:base"),
        ("04-lowerdir", "init : app : tools : base"),
        ("04-lowerdir", ["init", "app", "tools", "base"]),
        ("04-hard2", "6"),
        ("04-hard2", "layer 6"),
    ],
)
def test_what_does_not_matter_does_not_count(name, answer):
    assert check(name, answer).verdict == "right"


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("04-menu", "bottom_first"),
        ("04-party", "wh_hides"),
        ("04-lowerdir", "bottom_first"),
        ("04-hard2", "bottom_first"),
    ],
)
def test_each_exercise_is_recognised_by_computing_the_slip(name, slip):
    expected = {
        "04-menu": "Garden",
        "04-party": ["Apple", "Tea"],
        "04-lowerdir": "base:tools:app:init",
        "04-hard2": 1,
    }[name]

    assert check(name, expected).slip == slip


def test_the_numbers_in_the_prose_are_the_image_s(image):
    story = provenance.layer_story(image, 0)
    dup = [line.fate for line in provenance.layer_story(image, 7)]

    assert [line.change for line in story].count("added") == 67
    assert provenance.Fate("hidden", 8) in dup


# Words


def test_a_trace_stops_at_the_first_file():
    assert ol.trace(page_stack(), "Tomato", NAMES).splitlines() == [
        "  Meat (upper): absent, look on",
        "▤ Fruits (lower 1): found it, stop",
        "· Vegetables (lower 2): not asked; it has one, hidden by Fruits (lower 1)",
        "Tomato comes from Fruits (lower 1). It hides the one in Vegetables (lower 2).",
    ]


D = {"d": {"low": "x"}}
OPAQUE = {"d": Directory(names={}, xattrs={"trusted.overlay.opaque": b"y"})}


@pytest.mark.parametrize(
    ("layers", "path", "kinds"),
    [
        ([{}, D], "d", ["absent", "directory"]),
        ([D, D], "d", ["directory", "merged"]),
        ([{"d": None}, D], "d", ["whiteout", "hidden"]),
        ([{"d": None}, D], "d/low", ["whiteout-above", "hidden"]),
        ([{"d": None}, {}], "d", ["whiteout", "unasked"]),
        ([{"d": "file"}, {"d": None}, D], "d", ["file", "stale", "hidden"]),
        ([{"d": "file"}, D], "d/low", ["cuts", "hidden"]),
        ([OPAQUE, D], "d", ["opaque", "hidden"]),
        ([OPAQUE, D], "d/low", ["cuts-opaque", "hidden"]),
        ([D, {"d": "file"}, D], "d", ["directory", "other-type", "hidden"]),
        ([{"d": {}}, {"d": "file"}, D], "d/low", ["absent", "cuts", "hidden"]),
        ([{}, {}], "d/low", ["absent-above", "absent-above"]),
        ([D, {}, D], ".", ["directory", "merged", "merged"]),
    ],
)
def test_each_verdict_has_its_sentence(layers, path, kinds):
    overlay = ol.Overlay(lowerdirs=[ol.make_tree(layer) for layer in layers])
    steps = provenance.lookup_steps(overlay, overlay.lookup(path))

    assert [step.kind for step in steps] == kinds
    assert "{" not in ol.trace(overlay, path)


def test_a_listing_shows_a_whiteout_as_the_device_that_it_is():
    tree = ol.make_tree({"gone": None, "d": OPAQUE["d"], "f": "text"})

    assert ol.listing(tree).splitlines() == [
        "drwxr-xr-x  0:0        d/   trusted.overlay.opaque=y",
        "-rw-r--r--  0:0     4  f",
        "c---------  0:0  0, 0  gone",
    ]


def test_provenance_names_the_giver_and_what_it_hides(image, app):
    rows = ol.provenance_table(image, ol.layer_names(app))

    assert list(rows.loc["etc/motd"]) == ["layer 7 (file)", "layer 2 (whiteout), layer 1 (file)"]
    assert list(rows.loc["opt/old"]) == ["nobody: it is gone", "layer 4 (whiteout), layer 1 (directory)"]
    assert "app/lib" not in rows.index


def test_the_counts_of_a_layer_agree_with_the_picture(image, app):
    rows = ol.stack_table(image, app)

    assert list(rows.loc["layer 1"])[1:] == [67, 0, 0, 20, 47]
    assert list(rows.loc["layer 10"])[1:] == [0, 0, 0, 0, 0]


def test_tables_do_without_pandas(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    shown = ol.mount_words(ol.page.mount_command)

    assert type(shown).__name__ == "Table"
    assert "Fruits is on top" in repr(shown) and "Fruits is on top" in shown._repr_html_()


def test_a_mount_without_an_upper_is_said_to_be_read_only():
    assert "read-only" in repr(ol.mount_words("mount -t overlay overlay -o lowerdir=a:b /mnt"))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("", "nothing"),
        ("umount /mnt", "umount"),
        ("mount -t ext4 a b", "-t ext4"),
        ("mount -t overlay /mnt -o lowerdir=a:b", "/mnt"),
        ("mount -t overlay overlay /mnt", "none"),
        ("mount -t overlay overlay -o lowerdir=a,upperdir=b /mnt", "upperdir alone"),
        ("mount -t overlay overlay -o lowerdir=a:,upperdir=b,workdir=c /mnt", "an empty one"),
        ("mount -t overlay overlay -o lowerdir=a:b,colour=red /mnt", "colour"),
    ],
)
def test_a_wrong_command_is_refused_in_words(command, found):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.parse_mount(command)

    assert (refused.value.problem.kind, refused.value.problem.found) == ("wrong-call", found)


@pytest.mark.parametrize(
    "text", ["lowerdir=a\\:b:c,upperdir=u\\,v,workdir=w\\\\x", "lowerdir=l", "lowerdir=a:b,userxattr,index=off"]
)
def test_options_are_read_as_they_are_written(text):
    assert ol.parse_options(text).text() == text


def test_the_kernel_s_own_line_of_a_container_is_read(store):
    web = ol.select(store, "web")
    options = ol.parse_options(ol.recorded_mount().split()[3])

    assert [path.rpartition("/")[2] for path in options.lowerdirs] == [link.removeprefix("l/") for link in web.links]


# Pictures


def pictures(image, app):
    names = ol.layer_names(app)
    yield stack_picture(page_stack(), NAMES, "/mnt/tmp", "Tomato")
    yield panes_picture(page_stack(), NAMES, "Tomato")
    yield panes_picture(page_stack())
    yield stack_picture(image, names)
    yield from (lookup_picture(image, path, names) for path in ("etc/motd", "opt/old/one", "data", "nowhere/at/all"))
    yield from (layer_picture(image, layer, names, "step") for layer in range(12))


def test_no_picture_is_wider_than_the_page_and_each_says_the_same_as_text(image, app):
    for picture in pictures(image, app):
        width = float(re.match(r'<svg width="([0-9.]+)"', picture.svg())[1])

        assert width <= 960
        assert picture.alt and picture.text
        assert 'font-size="1' in picture.svg() and not re.findall(r'font-size="(?:[0-9]|1[0-2])\.', picture.svg())


def test_a_picture_is_the_same_each_time(image, app):
    assert [picture.dot for picture in pictures(image, app)] == [picture.dot for picture in pictures(image, app)]


def test_odd_names_can_be_drawn():
    names = ("a:b", 'quo"te', "back\\slash", "<b>", "new\nline", "\udcff", "x" * 300, "\\N", "{|}")
    odd = ol.make_tree(dict.fromkeys(names, ""))
    overlay = ol.Overlay(lowerdirs=[odd, odd])

    for picture in (
        stack_picture(overlay),
        panes_picture(overlay, path="a:b"),
        layer_picture(overlay, 1),
        lookup_picture(overlay, "back\\slash"),
    ):
        assert picture.svg().startswith("<svg")
        picture.text.encode("utf-8")


# Widgets


def test_the_order_widget_turns_the_stack_round():
    widget = ol.LowerdirOrder(ol.page_overlay(), ["Fruits", "Vegetables"], "Meat", "Tomato")
    widget.buttons["Vegetables"].click()

    assert widget.lowers == ["Vegetables", "Fruits"]
    assert "lowerdir=Vegetables:Fruits,upperdir=Meat" in widget.picture.alt
    assert "Tomato comes from Vegetables" in widget.view.value
    widget.buttons["Vegetables"].click()
    assert widget.lowers == ["Vegetables", "Fruits"]
    widget.with_upper.value = False
    assert "Beef" not in widget.picture.text and "upperdir" not in widget.picture.alt


def test_the_lookup_widget_takes_any_path_and_offers_those_that_are_there():
    widget = ol.LookupTrace(page_stack(), NAMES, "Tomato")
    assert {"Pork", "Carrots", "Tomato"} <= set(widget.path.options)
    widget.path.set_state({"value": "Pork"})

    assert widget.picture.alt == "Pork comes from Meat (upper)."
    widget.path.value = "Carrots"
    assert widget.picture.alt == "Carrots comes from Vegetables (lower 2)."
    widget.path.value = "/Tomato/"
    assert widget.picture.alt.startswith("Tomato comes from Fruits")


@pytest.mark.parametrize("path", ["../etc/passwd", "a\0b"])
def test_a_path_that_leads_outside_is_answered_in_words(path):
    widget = ol.LookupTrace(page_stack(), NAMES)
    widget.path.value = path

    assert "inside the overlay" in widget.picture.alt


def test_the_layer_widget_stays_within_the_image(image, app):
    widget = ol.LayerPicker(image, app, layer=11)
    for _ in range(3):
        widget.up.click()

    assert widget.layer.value == 12
    assert widget.picture.alt.startswith("layer 12: ")
    widget.layer.set_state({"value": 1})
    widget.down.click()
    assert widget.picture.alt == "layer 1: adds 67, changes 0, deletes 0. Hidden by layers above: 20."


def test_every_control_has_a_label(image, app):
    for widget in (
        ol.LowerdirOrder(ol.page_overlay(), ["Fruits", "Vegetables"], "Meat"),
        ol.LookupTrace(page_stack()),
        ol.LayerPicker(image, app),
    ):
        controls = widget.children[0].children

        assert all(control.description for control in controls)


# The kernel's side


def unavailable(*_, **__):
    raise KernelUnavailable("you are not root")


def test_without_a_kernel_the_record_speaks_and_says_why(monkeypatch, store, app):
    monkeypatch.setattr(sides, "mounted_view", unavailable)
    reader = ol.LayerReader(store)
    for name, overlay in {
        "page": page_stack(),
        **{name: ol.overlay_of(ol.select(store, name), store, reader)[0] for name in ("kit/app:1", "web")},
    }.items():
        both = ol.side_by_side(overlay, name)

        assert repr(both) == "The kernel's view and ours are equal: True"
        assert not both.now
        assert "from the record" in both.origin and "you are not root" in both.origin


def test_a_difference_is_found_and_named(monkeypatch):
    monkeypatch.setattr(sides, "mounted_view", unavailable)
    both = ol.side_by_side(page_stack(), "page-turned")

    assert not both.equal
    assert [line.split(":")[0].strip() for line in both.differences] == ["Tomato"]
    assert repr(both).startswith("The kernel's view and ours are equal: False\n")


def test_the_record_holds_all_that_can_be_recorded():
    assert {**record.recordable(), **record.recordable_images()}.keys() == {"page", "page-turned", "kit/app:1", "web"}
    for name in ("page", "page-turned", "kit/app:1", "web"):
        assert record.recorded(name).merged.names


def test_words_know_every_kind_of_inode():
    assert overlay_words.path_text(".") == "/"
    for kind in ("file", "dir", "symlink", "char", "block", "fifo", "socket"):
        assert say(f"overlay.kind.{kind}")
