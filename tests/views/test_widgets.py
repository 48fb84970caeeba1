"""All widgets at once: the controls in them, that a step is one change of the page, and that each has a text twin."""

import ast
from pathlib import Path

import ipywidgets
import pytest

import overlaylab as ol
from overlaylab import views
from overlaylab.course.map import MapGuide
from overlaylab.stores.audit.learner_image import open_own
from overlaylab.views.kit.panel import CSS_CLASS, NARROWEST, Pick, drawing, focus_style
from overlaylab.words import say

PACKAGE = Path(views.__file__).parent.parent
# Dropdowns, radio buttons and sliders need the arrow keys, which JupyterLab takes; Tab cannot reach folded parts.
FORBIDDEN = {
    "Accordion",
    "Dropdown",
    "IntSlider",
    "Play",
    "RadioButtons",
    "Select",
    "SelectionSlider",
    "Tab",
    "ToggleButton",
    "ToggleButtons",
    "Output",
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_controls_are_buttons_boxes_and_fields(path):
    used = {
        node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
    }

    assert "ipywidgets" not in path.read_text(encoding="utf-8") or not used & FORBIDDEN


@pytest.fixture(scope="module")
def root():
    return ol.shipped_root()


@pytest.fixture(scope="module")
def own():
    return open_own()


def stack():
    folders = ol.page_overlay()
    return ol.Overlay(lowerdirs=[folders["Fruits"], folders["Vegetables"]], upperdir=folders["Meat"])


def image(root):
    app = ol.select(root, "kit/app:1")
    return ol.overlay_of(app, root, ol.LayerReader(root))[0], app


MAKERS = {
    "guide": lambda root, own: MapGuide(root),
    "flipper": lambda root, own: ol.ByteFlipper(ol.select(root, "kit/app:1").config.raw, 17),
    "stepper": lambda root, own: ol.ChainStepper(ol.select(root, "kit/app:1").diff_ids, 3),
    "finder": lambda root, own: ol.PathFinder(root),
    "order": lambda root, own: ol.LowerdirOrder(ol.page_overlay(), ["Fruits", "Vegetables"], "Meat", "Tomato"),
    "lookup": lambda root, own: ol.LookupTrace(stack(), path="Tomato"),
    "picker": lambda root, own: ol.LayerPicker(*image(root), layer=3),
    "playground": lambda root, own: ol.Playground(commands=["rm /Tomato"]),
    "breaker": lambda root, own: ol.RuleBreaker(),
    "detective": lambda root, own: ol.Detective({"docker": root}, "7bbf"),
    "chooser": lambda root, own: ol.SourceChooser(live=()),
    "browser": lambda root, own: ol.LayerBrowser(own),
    "lab": lambda root, own: ol.TamperLab(own, "config", "config"),
    "keeper": lambda root, own: ol.ReportKeeper(ol.own_report(own)),
}


@pytest.fixture(params=MAKERS)
def widget(request, root, own):
    return MAKERS[request.param](root, own)


def controls(part):
    """Every control of a widget, in the order of the Tab key."""
    if isinstance(
        part,
        (ipywidgets.Button, ipywidgets.Text, ipywidgets.BoundedIntText, ipywidgets.Checkbox, ipywidgets.FileUpload),
    ):
        yield part
    for child in getattr(part, "children", ()):
        yield from controls(child)


def test_every_kind_of_widget_is_here(root, own):
    written = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Panel" for base in node.bases)
    }

    assert {type(make(root, own)).__name__ for make in MAKERS.values()} == written


def changed(widget, act):
    """How often the picture of the page is replaced by an action."""
    seen = []
    widget.view.observe(lambda change: seen.append(change["new"]), "value")
    act()
    widget.view.unobserve_all()
    return seen


def act_on(control):
    """What a learner does with a control, as the page tells it."""
    if isinstance(control, ipywidgets.Button):
        return control.click
    if isinstance(control, ipywidgets.Checkbox):
        return lambda: control.set_state({"value": not control.value})
    if isinstance(control, ipywidgets.BoundedIntText):
        return lambda: control.set_state({"value": control.value + 1 if control.value < control.max else control.min})
    return lambda: control.set_state({"value": control.value + "1"})


def test_a_step_replaces_the_picture_once(widget, tmp_path, monkeypatch):
    """More often would flicker, and a screen reader would say what nobody asked for."""
    monkeypatch.chdir(tmp_path)
    for control in controls(widget):
        if control.disabled or isinstance(control, ipywidgets.FileUpload) or control.description == say("play.kernel"):
            continue
        seen = changed(widget, act_on(control))
        assert len(seen) <= 1, control.description


def test_every_control_has_a_name_of_its_own(widget):
    names = [control.description for control in controls(widget) if control.layout.display != "none"]

    assert all(names)
    assert len(set(names)) == len(names)


def test_the_twin_is_unfolded_by_a_button_and_stays_so(widget):
    assert widget.twin.layout.display == "none"
    widget.fold.click()
    assert (widget.twin.layout.display, widget.fold.description) == (None, say("picture.fold"))
    widget.redraw()
    assert widget.twin.layout.display is None
    assert len(widget.picture.text) > 20 and "<pre" in widget.twin.value
    widget.fold.click()
    assert (widget.twin.layout.display, widget.fold.description) == ("none", say("picture.unfold"))


def test_a_widget_can_be_found_by_its_mark_and_shows_the_focus(widget):
    assert CSS_CLASS in widget._dom_classes
    assert any(isinstance(child, ipywidgets.HTML) and child.value == focus_style().value for child in widget.children)
    assert "outline:3px solid" in focus_style().value


# The parts


def test_a_wide_drawing_shrinks_as_far_as_it_can_be_read_and_is_then_scrolled_by_keyboard():
    wide, narrow = (
        drawing(f'<svg width="{width}" height="10"></svg>', "words") for width in (NARROWEST + 1, NARROWEST)
    )

    assert f"min-width:{NARROWEST}px" in wide and 'tabindex="0"' in wide
    assert "tabindex" not in narrow
    assert drawing(None, "words") == ""


def test_a_pick_is_a_number_with_words():
    pick, seen = Pick("Fruit", [("an apple", "a"), ("a <pear>", "p")]), []
    pick.observe(lambda change: seen.append(change["new"]), "value")
    pick.number.set_state({"value": 2})

    assert (pick.value, pick.description) == ("p", "Fruit")
    assert "of 2: a &lt;pear&gt;" in pick.words.value and 'role="status"' in pick.words.value
    pick.step(5)
    pick.step(-9)
    assert (pick.value, pick.number.value, seen) == ("a", 1, ["p", "a"])
    pick.value = "p"
    assert pick.number.value == 2


def test_a_pick_of_other_things_says_so():
    pick = Pick("Fruit", [("an apple", "a"), ("a pear", "p"), ("a plum", "q")], "q")
    pick.offer([("a cherry", "c"), ("a fig", "f")], "f")
    assert (pick.value, pick.number.value, pick.number.max) == ("f", 2, 2)

    pick.offer([])
    assert (pick.value, pick.number.disabled) == (None, True)
    assert say("pick.nothing") in pick.words.value
