"""The playground without a browser: its words, its steps back and forth, its bounds, and the kernel."""

import sys

import pytest

import overlaylab as ol
from overlaylab.errors import KernelUnavailable
from overlaylab.kernel import replays as replaying
from overlaylab.kernel.mount import Availability
from overlaylab.views.kit import panel
from overlaylab.views.overlay import playground


@pytest.fixture
def play(monkeypatch):
    """One that waits for nothing: a test of the browser in the same process may have left an event loop."""

    def none():
        raise RuntimeError("no running event loop")

    monkeypatch.setattr(panel.asyncio, "get_running_loop", none)
    return ol.Playground()


def press_enter(widget, line):
    """What the browser sends when somebody types a line and presses Enter."""
    widget.typed.set_state({"value": line})
    widget.typed._handle_custom_msg({"event": "submit"}, [])


def upper(widget):
    return sorted(widget.overlay.upperdir.names)


def test_enter_runs_the_line_and_empties_the_field(play):
    press_enter(play, "rm /Tomato")

    assert play.typed.value == ""
    assert (
        play.picture.alt
        == "You deleted /Tomato. The lower layer with /Tomato cannot change, so the upper now holds a whiteout for it."
    )
    assert "⊘ Tomato" in play.picture.text and "− Tomato" in play.picture.text
    press_enter(play, "")
    assert len(play.turns) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("echo x > Apple", ["You wrote /Apple.", "copied up, whole"]),
        ("echo x >> Beef", ["You added to /Beef.", "changed in the upper, in place"]),
        ("mkdir box", ["You made the directory /box.", "/box is new"]),
        ("mv Apple Pear", ["You moved /Apple to /Pear.", "In the upper, /Apple is now /Pear.", "whiteout"]),
        ("chmod 600 Carrots", ["You changed the permissions of /Carrots.", "copied up"]),
        ("ln Apple B", ["You gave /Apple a second name, /B.", "copied up"]),
        ("ln -s Apple B", ["You made /B, a link that says /Apple."]),
        ("rm Beef", ["You deleted /Beef.", "/Beef was taken out of the upper."]),
        ("cat Apple", ["Nothing changed in the upper."]),
        ("rm nope", ["rm: cannot remove 'nope': No such file or directory (ENOENT)", "no layer has it"]),
        ("rm a|b", ["At character 5: expected a plain character, or quotes around it, found |."]),
    ],
)
def test_each_command_is_told_in_words(play, line, words):
    play.enter(line)

    assert all(word in play.picture.alt for word in words), play.picture.alt
    assert "{" not in play.picture.text


def test_a_lower_directory_cannot_be_moved_and_it_says_why():
    lower = ol.make_tree({"box": {"old": "x"}})
    play = ol.Playground(ol.Overlay(lowerdirs=[lower], upperdir=ol.Directory()), commands=["mv /box /new"])

    assert "mv: cannot move '/box' to '/new': Invalid cross-device link (EXDEV)" in play.picture.alt
    assert "has a part in a lower layer" in play.picture.alt


def test_time_goes_back_and_forth_and_a_new_command_starts_another_future(play):
    for line in ("rm Tomato", "mkdir Tomato", "echo x > Tomato/y"):
        play.enter(line)
    assert (play.number.value, play.number.max, play.next.disabled, play.back.disabled) == (3, 3, True, False)
    texts = {play.turn: play.picture.text}
    play.back.click()
    texts[2] = play.picture.text
    play.number.set_state({"value": 0})
    assert upper(play) == ["Beef", "Pork", "cccc"] and play.back.disabled
    play.next.click()
    play.next.click()
    assert play.picture.text == texts[2]
    play.next.click()
    assert play.picture.text == texts[3]
    play.number.value = 1
    play.enter("rm Apple")
    assert [turn.line for turn in play.turns] == ["rm Tomato", "rm Apple"]
    assert (play.number.value, play.number.max) == (2, 2)


def test_the_stack_that_was_given_is_not_changed():
    folders = ol.page_overlay()
    stack = ol.Overlay(lowerdirs=[folders["Fruits"]], upperdir=folders["Meat"])
    play = ol.Playground(stack, commands=["rm Apple", "rm Beef", "echo x >> Pork"])

    assert sorted(folders["Meat"].names) == ["Beef", "Pork", "cccc"]
    assert folders["Meat"].names["Pork"].data == b"Pork from Meat\n"
    assert upper(play) == ["Apple", "Pork", "cccc"]


def test_any_path_can_be_looked_up(play):
    play.path.value = "/Carrots"
    assert "Carrots comes from Vegetables (lower 2)." in play.picture.text
    play.path.value = "../x"
    assert "inside the overlay" in play.picture.text


def test_it_starts_from_a_stack_the_bowl_or_nothing():
    play = ol.Playground(ol.Overlay(lowerdirs=[ol.make_tree({"etc": {"motd": "hi"}})]))
    assert [key for _, key in play.start.options] == ["given", "bowl", "empty"]
    play.enter("rm /etc/motd")
    play.start.value = "bowl"
    assert (play.turn, upper(play)) == (0, ["Beef", "Pork", "cccc"])
    play.start.value = "empty"
    assert upper(play) == []
    play.enter("mkdir -p a/b")
    play.again.click()
    assert (upper(play), play.turns) == ([], [])


def test_buttons_hold_commands_that_work():
    for start in ("bowl", "empty"):
        play = ol.Playground()
        play.start.value = start
        for button in play.quick:
            if button.description:
                button.click()
                assert play.turns[-1].line == button.description and not play.turns[-1].misread


def test_every_control_has_a_label(play):
    for row in play.children[0].children:
        assert all(control.description for control in row.children if control.layout.display != "none")


def big(flat, entries):
    """Some entries in one directory, or a hundred in each of many."""
    if flat:
        return ol.make_tree({"d": {f"n{i:06}": "x" for i in range(entries)}, "etc": {"motd": "hi"}})
    return ol.make_tree(
        {f"d{i}": {f"e{j}": {f"f{k}": "x" for k in range(100)} for j in range(10)} for i in range(entries // 1000)}
    )


def calls_of(play, line):
    """How many calls Python makes for one command, and what is shown then."""
    count = 0

    def counted(_, event, __):
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        play.enter(line)
    finally:
        sys.setprofile(None)
    return count, play.picture.text


FLAT = ["rm /d/n000500", "echo x > /d/n000501", "mkdir /d/zz", "mv /d /x", "ls -l /etc", "ls /d", "stat /d/n000007"]
DEEP = ["rm /d1/e1/f1", "echo x > /d5/e5/f5", "rm -r /d3/e3", "find /", "mv /d2 /x", "cat /d9/e9/f99"]


@pytest.mark.parametrize(("flat", "lines"), [(True, FLAT), (False, DEEP)], ids=["one-directory", "many-directories"])
def test_the_work_for_a_command_does_not_grow_with_the_image(flat, lines):
    """Counted, not timed: the same calls on ten thousand entries and on a hundred thousand."""
    small, large = (
        ol.Playground(ol.Overlay(lowerdirs=[big(flat, entries), ol.make_tree({"etc": {"hosts": "h"}})]))
        for entries in (10_000, 100_000)
    )
    for line in lines:
        few, (many, text) = calls_of(small, line)[0], calls_of(large, line)

        assert many <= few * 1.1 + 200, line
        assert len(text) < 8000
    assert "more than 2,000 names" in large.kernel_says.value and large.kernel.disabled


def test_a_high_stack_shares_one_column():
    store = ol.shipped_root()
    app = ol.select(store, "kit/app:1")
    image = ol.overlay_of(app, store, ol.LayerReader(store, keep=1_000_000))[0]
    play = ol.Playground(image, ol.layer_names(app), commands=["echo x > /etc/motd"])

    assert "12 lower layers" in play.picture.text
    assert "· motd · layer 7" in play.picture.text
    assert "↑ motd" in play.picture.text


def test_odd_names_can_be_typed_and_drawn(play):
    for line in (
        "mkdir 'a:b'",
        "echo x > 'quo\"te'",
        "touch 'back\\slash' '<b>' '{|}'",
        "mkdir " + "x" * 300,
        "touch " + "y" * 255,
    ):
        play.enter(line)
        assert play.picture.svg().startswith("<svg")
    assert float(play.picture.svg().split('width="')[1].split('"')[0].removesuffix("pt")) <= 960


def test_where_there_is_no_kernel_the_button_is_grey_and_says_why(monkeypatch):
    monkeypatch.setattr(replaying, "_probed", lambda: Availability(None, "you are not root"))
    play = ol.Playground(commands=["rm Apple"])

    assert play.kernel.disabled
    assert "No comparison with a kernel here: you are not root." in play.kernel_says.value
    monkeypatch.setattr(playground, "replay", lambda *_: (_ for _ in ()).throw(KernelUnavailable("it went away")))
    play._compare(None)
    assert "it went away" in play.kernel_says.value


@pytest.mark.tier("kernel")
def test_the_kernel_does_the_same_and_no_path_leads_out_of_the_mount(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    play = ol.Playground()
    for line in (
        "rm /Tomato",
        "mkdir -p /a/b",
        "mv /Apple /a/b",
        "cp -r /a /z",
        "rm -r /a",
        "ln -s / /root",
        "chmod 600 Orange",
        f"rm {victim}",
        f"echo x > /../../..{victim}",
        f"rm /root{victim}",
        f"cat {victim}",
    ):
        play.enter(line)
    play.kernel.click()

    assert "✓ Model and kernel agree" in play.kernel_says.value, play.kernel_says.value
    assert victim.read_text() == "mine"


@pytest.mark.tier("kernel")
def test_a_wrong_model_is_caught():
    class Forgetful(ol.Overlay):
        """Leaves no whiteouts."""

        def lower_has(self, node):
            return False

    result = ol.kernel.replay(ol.Playground().beginning, [ol.op("unlink", path="Apple")], model=Forgetful)

    assert not result.equal
    assert f"The model is that of Linux 6.18, the kernel is Linux {result.kernel.kernel}:" in repr(result)
