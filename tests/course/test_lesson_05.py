"""Notebook 05: what its exercises compute, checked by other means, and what its cells show."""

import pytest

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.course.lessons import l05
from overlaylab.errors import KernelUnavailable
from overlaylab.image.samples import ODD_LAYERS
from overlaylab.kernel import recorded_replays as tried

BASE = {"docs": {"a": "a\n", "b": "b\n", "c": "c\n"}, "note": "a note\n"}


@pytest.fixture
def stack():
    return ol.Overlay(lowerdirs=[ol.make_tree(BASE)])


def paths(upper):
    """What an upper holds: each path with the letter that a listing begins with."""
    return {
        path: "w" if ol.is_whiteout(inode) else "o" if ol.is_opaque(inode) else ""
        for path, inode in ol.tree.walk(upper)
        if path != "."
    }


# Exercises


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("05-upper", ["c", "a"]),
        ("05-upper", "A, C"),
        ("05-marks", [1, 1]),
        ("05-marks", "1 1"),
        ("05-archive", "docs/.wh..wh..opq, .wh.note"),
        ("05-left", "new b"),
        ("05-pull", "125"),
    ],
)
def test_what_does_not_matter_does_not_count(name, answer):
    assert check(name, answer).verdict == "right"


@pytest.mark.parametrize(
    ("name", "answer", "slip"),
    [
        ("05-upper", "ab", "opaque"),
        ("05-upper", "abc", "opaque_too"),
        ("05-upper", "acde", "each"),
        ("05-upper", "ade", "files"),
        ("05-upper", "c", "no_parent"),
        ("05-pull", 25, "shrinks"),
        ("05-marks", (2, 1), "one_more"),
        ("05-marks", (1, 0), "no_opaque"),
        ("05-archive", [".wh.note", ".wh.docs"], "two_whiteouts"),
        ("05-left", ["new"], "order"),
    ],
)
def test_a_slip_is_recognised_by_what_it_gives(name, answer, slip):
    assert check(name, answer).slip == slip


def test_the_lines_that_are_offered_are_those_of_a_listing():
    upper = l05.upper(l05.SITE, [l05.DELETED])

    assert ol.listing(upper).splitlines() == ["drwxr-xr-x  0:0        site/", "c---------  0:0  0, 0  site/old"]
    assert find_exercise("05-upper").answer() == "ac"


def test_one_deletion_alone_makes_nothing_opaque():
    assert [path for path, sign in paths(l05.upper(l05.SITE, [l05.DELETED])).items() if sign == "o"] == []
    assert paths(l05.upper(l05.SITE, [l05.DELETED, "mkdir /site/old"]))["site/old"] == "o"


# The commands of the walk


@pytest.mark.parametrize(
    ("lines", "upper"),
    [
        (["rm /note"], {"note": "w"}),
        (["echo mine > /mine", "rm /mine"], {}),
        (["rm /note", "echo again > /note"], {"note": ""}),
        (["rm -r /docs"], {"docs": "w"}),
        (["rm -r /docs", "mkdir /docs"], {"docs": "o"}),
        (["mkdir /fresh"], {"fresh": ""}),
        (["rm /nobody"], {}),
    ],
)
def test_commands_leave_these_marks(stack, lines, upper):
    assert paths(ol.after(stack, *lines).upperdir) == upper


def test_the_stack_that_commands_begin_with_is_not_changed(stack):
    lower = stack.lowerdirs[0]
    upper = ol.make_tree({"own": ""})
    ol.after(ol.Overlay(lowerdirs=[lower], upperdir=upper), "rm -r /docs", "rm /own", "echo x > /new")

    assert (stack.upperdir, sorted(upper.names), sorted(lower.names)) == (None, ["own"], ["docs", "note"])


def test_a_line_that_is_no_command_is_refused_with_its_place(stack):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.after(stack, "rm /note | cat")

    assert refused.value.problem.kind == "wrong-call"


# The table of odd layers


def test_every_odd_layer_has_its_row_with_what_is_left():
    rows = ol.odd_layers(ol.make_tree(BASE))

    assert list(rows.index) == list(ODD_LAYERS)
    assert rows.loc["the mark after its sibling"].iloc[1] == "docs docs/new note"
    assert [row.iloc[1] for title, row in rows.iterrows() if title != "the mark after its sibling"] == [
        "docs docs/a docs/b docs/c note"
    ] * 5
    assert list(rows.iloc[:, 2]) == [
        "",
        "no-op-whiteout",
        "no-op-whiteout",
        "bad-whiteout",
        "bookkeeping-member",
        "no-op-whiteout",
    ]


# The kernel's side


def unavailable(*_, **__):
    raise KernelUnavailable("you are not root")


@pytest.mark.parametrize(
    ("record", "lines"),
    [("05-folder", ["rm -r /docs"]), ("05-box", ["rm -r /docs", "mkdir /docs", "ls -A /docs", "mkdir /fresh"])],
)
def test_without_a_kernel_the_record_of_the_same_commands_speaks(monkeypatch, stack, record, lines):
    monkeypatch.setattr(tried, "replay", unavailable)
    box = ol.Session(stack, ["Base"])
    box(*lines)
    done = box.on_kernel(record)

    assert done.equal and not done.now
    assert (
        repr(done)
        == f"Model and kernel agree: {len(box.ops)} calls, each answer, the merged view, and the upper with its marks."
    )
    assert "you are not root" in done.origin


def test_a_record_of_other_commands_is_not_equal(monkeypatch, stack):
    monkeypatch.setattr(tried, "replay", unavailable)
    box = ol.Session(stack, ["Base"])
    box("rm -r /docs", "mkdir /docs", "ls -A /docs", "mkdir /other")

    assert not box.on_kernel("05-box").equal
