"""Notebook 06: what its exercises compute, checked by other means, and what its commands cost."""

import pytest

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.course.lessons import l06
from overlaylab.errors import KernelUnavailable
from overlaylab.kernel import recorded_replays as tried

BASE = {"log": "x" * 100_000, "docs": {"a": "a\n", "b": "b\n"}, "hollow": {}}


@pytest.fixture
def stack():
    return ol.Overlay(lowerdirs=[ol.make_tree(BASE)])


@pytest.fixture
def box(stack):
    return ol.Session(stack, ["Base"])


# Exercises


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("06-bytes", "5302"),
        ("06-names", "b"),
        ("06-readers", ["d", "c", "a"]),
        ("06-readers", "A, C, D"),
        ("06-moves", "e c a"),
        ("06-commit", "13 0"),
        ("06-commit", [13, 0]),
    ],
)
def test_what_does_not_matter_does_not_count(name, answer):
    assert check(name, answer).verdict == "right"


@pytest.mark.parametrize(
    ("name", "answer", "slip"),
    [
        ("06-readers", "cd", "stale"),
        ("06-readers", "abcd", "map_too"),
        ("06-readers", "ac", "maps_stale"),
        ("06-readers", "bcd", "turned"),
        ("06-bytes", 2, "change_only"),
        ("06-bytes", 302, "chmod_free"),
        ("06-names", ["a", "b", "c"], "as_on_disk"),
        ("06-moves", "abce", "empty_too"),
        ("06-moves", "acde", "nothing_left"),
        ("06-moves", "abcde", "both_empty"),
        ("06-commit", (13, 12), "all_change"),
        ("06-commit", (12, 1), "in_place"),
    ],
)
def test_a_slip_is_recognised_by_what_it_gives(name, answer, slip):
    assert check(name, answer).slip == slip


def test_of_what_was_opened_before_the_write_the_map_alone_is_stale():
    before, after = l06.READERS

    assert find_exercise("06-readers").answer() == "acd"
    assert before == (ol.op("open", path="note", flags=0, fd="a"), ol.op("mmap", fd="a", map="b"))
    assert after == (ol.op("open", path="note", flags=0, fd="c"), ol.op("mmap", fd="c", map="d"))


# The commands of the walk


@pytest.mark.parametrize(
    ("lines", "cost"),
    [
        (["cat /log", "ls -l /docs"], 0),
        (["echo one line >> /log"], 100_009),
        (["echo one line >> /log", "echo two lines >> /log"], 100_019),
        (["chmod 600 /log"], 100_000),
        (["mv /log /old"], 100_000),
        (["chmod 700 /docs"], 0),
        (["rm /log"], 0),
    ],
)
def test_a_change_costs_the_whole_file_once(stack, lines, cost):
    assert ol.sizes(ol.after(stack, *lines).upperdir) == cost


@pytest.mark.parametrize(
    ("lines", "moved"),
    [
        (["mv /docs /moved"], False),
        (["mv /hollow /moved"], False),
        (["rm /docs/a", "rm /docs/b", "mv /docs /moved"], False),
        (["mkdir /mine", "mv /mine /moved"], True),
        (["rm -r /docs", "mkdir /docs", "mv /docs /moved"], True),
        (["mv /log /moved"], True),
    ],
)
def test_what_has_a_part_in_a_lower_layer_does_not_move_unless_it_is_a_file(stack, lines, moved):
    assert ("moved" in ol.after(stack, *lines).readdir()) == moved


def test_a_real_commit_left_the_layers_below_as_they_were():
    """Docker made ``kit/web:committed`` from a running container of ``kit/app:1``."""
    store = ol.shipped_root()
    app, committed = ol.select(store, "kit/app:1"), ol.select(store, "kit/web:committed")

    assert committed.config.diff_ids[:-1] == app.config.diff_ids
    assert committed.chain_ids[:-1] == app.chain_ids
    assert [layer.directory for layer in committed.layers[:-1]] == [layer.directory for layer in app.layers]
    assert committed.id != app.id


# The kernel's side


def unavailable(*_, **__):
    raise KernelUnavailable("you are not root")


def test_without_a_kernel_the_record_of_the_same_calls_speaks(monkeypatch, box):
    monkeypatch.setattr(tried, "replay", unavailable)
    fruit, redirected = ol.Session(), ol.Session(box.beginning, box.names, redirect="on")
    for operation in (ol.op("open", path="Apple", flags=0, fd="r"), ol.op("mmap", fd="r", map="m")):
        fruit.do(operation)
    fruit("echo new > /Apple")
    shown = [fruit.do(look).value for look in (ol.op("pread", fd="r", count=99, offset=0), ol.op("mread", map="m"))]
    box("mv /hollow /filled", "mkdir /mine", "mv /mine /yours")
    redirected("mv /docs /papers", "ls /papers")

    assert shown == [b"new\n", b"Apple from Fruits\n"]
    for session, record in ((fruit, "06-open"), (box, "06-move"), (redirected, "06-redirect")):
        done = session.on_kernel(record)
        assert done.equal and not done.now and "you are not root" in done.origin


def test_the_record_knows_that_the_map_is_stale_and_the_descriptor_is_not():
    last_two = tried.recorded("06-open").answers[-2:]

    assert [answer.value for answer in last_two] == [b"new\n", b"Apple from Fruits\n"]
