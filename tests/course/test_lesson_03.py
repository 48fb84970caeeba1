"""Notebook 03: its answers found by other means, its pictures, and the path finder without a browser."""

import re

import pytest

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.stores.shipped_files import Visit
from overlaylab.views.stores.docker_walk import (
    folders_table,
    layerdb_picture,
    mount_picture,
    tell_visit,
    walk_picture,
    walk_table,
)
from overlaylab.views.stores.path_finder import PathFinder
from overlaylab.words import say

WIDEST = 960


@pytest.fixture(scope="module")
def root():
    return ol.shipped_root()


@pytest.fixture(scope="module")
def app(root):
    return ol.select(root, "kit/app:1")


@pytest.fixture
def finder(root):
    return PathFinder(root, "kit/app:1")


# Exercises


@pytest.mark.parametrize(
    "form",
    [
        lambda names: [name[:12] for name in names],
        lambda names: ":".join(names),
        lambda names: ", ".join(f"'{name[:12]}'" for name in names),
        lambda names: tuple(f"../{name}/diff" for name in names),
        lambda names: [name.upper() for name in names],
    ],
    ids=["short", "colons", "quoted", "targets", "capitals"],
)
def test_a_list_of_folders_may_be_written_in_many_ways(form):
    assert check("03-lower", form(find_exercise("03-lower").answer())).verdict == "right"


@pytest.mark.parametrize("answer", ["abc", "cba", "a, b, c", ["a", "b", "c"], {"a", "b", "c"}, "ABC"])
def test_letters_may_be_given_in_any_order(answer):
    assert check("03-computed", answer).verdict == "right"


def test_the_answers_are_those_of_the_data_root(root, app):
    assert find_exercise("03-chain").answer() == app.layers[8].chain_id.hex
    names = ol.cat(root, f"overlay2/{app.layers[3].directory}/lower").split(":")
    assert find_exercise("03-lower").answer() == tuple(root.link_target(name[2:]) for name in names)
    link = ol.cat(root, f"overlay2/{app.layers[3].directory}/link")
    assert find_exercise("03-short").answer() == (root.link_target(link),)
    chains = {
        chain_id
        for name in ("kit/app:1", "kit/web:latest", "127.0.0.1:5000/kit/sibling:1")
        for chain_id in ol.select(root, name).chain_ids
    }
    assert find_exercise("03-shared").answer() == len(chains) == 12 + 1 + 2


# Pictures


def width(picture):
    return float(re.search(r'<svg width="([0-9.]+)"', picture.svg())[1])


def test_a_walks_picture_says_every_name_in_full_in_its_text(root, app):
    picture = walk_picture(ol.stores.docker.follow(root, "kit/app:1", 8))
    layer = app.layers[8]

    for name in (app.id, layer.diff_id, layer.chain_id, layer.directory):
        assert name in picture.text
    assert "layer 9 of 12" in picture.alt
    assert all(
        say(f"walk.means.{step.key}") in picture.text for step in ol.stores.docker.follow(root, "kit/app:1", 8).steps
    )


@pytest.mark.parametrize("query", ["kit/app:1", "kit/base:1", "8c58", "web", "8b74"])
def test_pictures_fit_on_a_page(root, query):
    for position in (0, -1):
        assert width(walk_picture(ol.stores.docker.follow(root, query, position))) <= WIDEST


def test_a_mounts_picture_lists_the_stack_from_top_to_bottom(root, app):
    web = root.containers()[0]
    picture = mount_picture(root, web)
    folders = [re.search("□ (\\S+)", line)[1] for line in picture.text.splitlines()]

    assert folders == [web.upper, *web.lower]
    assert folders[2:] == [layer.directory for layer in reversed(app.layers)]
    assert "init layer" in picture.text.splitlines()[1]
    assert width(picture) <= WIDEST


def test_hostile_names_are_shown_safely():
    picture = layerdb_picture(["ab" * 32], {'<script>"\\\x1b\n': [ol.DiffID(f"sha256:{'ab' * 32}")]})

    assert "\x1b" not in picture.text + picture.html()
    assert "<script>" not in picture.html()
    assert len(picture.text.splitlines()) == 1


def test_a_walk_as_a_table_has_a_row_for_each_step(root):
    walk = ol.stores.docker.follow(root, "kit/app:1")

    assert list(walk_table(walk)["step"]) == [say(f"walk.what.{step.key}") for step in walk.steps]


def test_the_table_of_folders_shows_the_equal_layers_with_other_cache_ids(root):
    frame = folders_table(root, "kit/app:1").frame()

    assert frame.loc["8", "diff_id"] == frame.loc["9", "diff_id"]
    assert frame.loc["8", "chain_id"] != frame.loc["9", "chain_id"]
    assert frame.loc["8", "cache-id"] != frame.loc["9", "cache-id"]
    assert frame.loc["1", "diff_id"] == frame.loc["1", "chain_id"]


def test_a_visit_is_told_in_plain_words(root):
    assert tell_visit(Visit("/x", root)) == "/x can be read: 24 images, 17 layers in the layerdb, 1 containers."
    assert "cannot be read here" in tell_visit(Visit("/x", None, "no way"))


# The path finder


def test_the_finder_begins_at_the_top(finder):
    assert finder.picture.alt.startswith("kit/app:1, layer 12 of 12")


def test_the_finder_steps_down_and_up_and_stops_at_the_ends(finder):
    finder.up.click()
    assert finder.layer.value == 12
    finder.down.click()
    assert "layer 11 of 12" in finder.picture.alt
    finder.layer.set_state({"value": 1})
    assert "layer 1 of 12" in finder.picture.alt
    finder.down.click()
    assert finder.layer.value == 1


def test_another_image_has_its_own_number_of_layers(finder):
    finder.query.value = "kit/web:latest"

    assert (finder.layer.max, finder.layer.value) == (13, 13)
    assert finder.picture.alt.startswith("kit/web:latest, layer 13 of 13")
    finder.query.value = "kit/base:1"
    assert (finder.layer.max, finder.layer.value) == (1, 1)


def test_names_are_offered_and_an_id_can_be_typed(finder):
    assert "kit/web:latest" in finder.query.options
    finder.query.value = "fd83"

    assert finder.picture.alt.startswith("fd83, layer 1 of 1")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("f", "fits several"),
        ("zz", "no image or container"),
        ("\x1b[31m", "no image or container"),
        ("a" * 500, "no image or container"),
    ],
    ids=["ambiguous", "nothing", "control", "long"],
)
def test_where_there_is_no_way_the_finder_says_why(finder, query, why):
    finder.query.value = query

    assert why in finder.picture.alt
    assert "\x1b" not in finder.view.value
    finder.query.value = "kit/app:1"
    assert finder.picture.alt.startswith("kit/app:1")


def test_a_container_can_be_typed(finder):
    finder.query.value = "web"

    assert finder.picture.alt.startswith("The container web")


def test_every_control_has_a_name(finder):
    assert all(control.description for control in finder.children[0].children)


def test_the_finder_answers_at_once(finder):
    import time

    finder.picture.svg()
    start = time.perf_counter()
    finder.down.click()

    assert time.perf_counter() - start < 0.1


def test_the_stored_form_is_short_and_has_its_picture(finder):
    bundle = finder._repr_mimebundle_()

    assert len(bundle["text/plain"]) <= 110
    assert "layer 12 of 12" in bundle["text/html"]
    assert "<img alt=" in bundle["text/html"]


def test_a_root_without_named_images_opens_too(root, monkeypatch):
    class Nameless:
        def __getattr__(self, name):
            return getattr(root, name)

        def images(self):
            return ()

        def containers(self):
            return ()

    assert "There is no way" in PathFinder(Nameless()).picture.alt
