"""Notebook 08: its exercises with every slip, the stores side by side, and what this machine has."""

import re

import pytest
import realdata

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.errors import Finding
from overlaylab.views.stores.stores_compared import KINDS, kept_as, which_id

WIDEST = 960


@pytest.fixture(scope="module")
def stores():
    return ol.four_stores()


@pytest.fixture(scope="module")
def apps(stores):
    return {label: ol.select(store, "kit/app:1") for label, store in stores.items()}


def width(picture):
    return float(re.search(r'<svg width="([0-9.]+)"', picture.svg())[1])


# Exercises


@pytest.mark.parametrize(
    "form",
    [str, lambda name: name[:12], lambda name: f"sha256:{name[:12]}…", str.upper],
    ids=["whole", "short", "cut", "capitals"],
)
def test_a_layer_id_may_be_cut_and_prefixed(form):
    assert check("08-podman", form(find_exercise("08-podman").answer())).verdict == "right"


@pytest.mark.parametrize("answer", [18, "18", "18 bytes", "18 byte"])
def test_an_amount_may_have_its_unit(answer):
    assert check("08-freed", answer).verdict == "right"


@pytest.mark.parametrize("answer", ["ace", "eca", "a, c, e", ["a", "c", "e"], {"a", "c", "e"}, "ACE"])
def test_letters_may_be_given_in_any_order(answer):
    assert check("08-found", answer).verdict == "right"


# Predictions: their answers are typed, so the stores are asked whether they are true


def test_docker_29_shows_the_digest_of_the_manifest(apps):
    new, old = apps["docker29"], apps["docker"]

    assert find_exercise("08-docker29").answer() == "b"
    assert new.config.raw == old.config.raw
    assert new.id == ol.digest_bytes(new.manifest.raw) != new.config_digest == old.id


def test_equal_in_all_are_diff_ids_and_chain_ids_alone(apps):
    sides = {
        "ids": lambda app: app.id,
        "blobs": lambda app: tuple(layer.descriptor and layer.descriptor.digest for layer in app.layers),
        "diff_ids": lambda app: app.diff_ids,
        "chain_ids": lambda app: app.chain_ids,
        "folders": lambda app: tuple(layer.directory for layer in app.layers),
    }
    equal = [name for name, side in sides.items() if len(set(map(side, apps.values()))) == 1]

    assert find_exercise("08-equal").answer() == "b"
    assert equal == ["diff_ids", "chain_ids"]


def test_only_the_layout_keeps_two_equal_layers_in_one_place(apps):
    copies = {label: len({layer.directory or layer.source for layer in app.layers[7:9]}) for label, app in apps.items()}

    assert find_exercise("08-copies").answer() == "d"
    assert copies == {"docker": 2, "docker29": 2, "podman": 2, "oci": 1}


def test_packing_changes_blobs_and_manifest_alone(apps):
    gzip, zstd = apps["oci"], ol.select(ol.open_store(ol.shipped("oci-zstd.tar")), "kit/app:1")
    parts = {
        "config": lambda app: app.config_digest,
        "manifest": lambda app: app.manifest_digest,
        "blobs": lambda app: [layer.descriptor.digest for layer in app.layers],
        "diff_ids": lambda app: app.diff_ids,
        "chain_ids": lambda app: app.chain_ids,
    }

    assert find_exercise("08-zstd").answer() == "b"
    assert [name for name, part in parts.items() if part(gzip) != part(zstd)] == ["manifest", "blobs"]


def test_the_trees_are_equal_as_the_answer_says(stores, apps):
    trees = []
    for label, store in stores.items():
        overlay, problems = ol.overlay_of(apps[label], store, ol.LayerReader(store))
        tree = dict(ol.merged_entries(overlay))
        del tree["."]
        trees.append(tree)
        assert problems == []

    assert trees[0] and trees[1:] == trees[:1] * 3


# The stores side by side


def test_the_table_of_ids_says_what_each_id_is_the_digest_of(stores, apps):
    rows = {row[0]: row for row in ol.ids_table(stores).rows}

    assert {label: row[2] for label, row in rows.items()} == {
        "docker": "config",
        "docker29": "manifest",
        "podman": "config",
        "oci": "config",
    }
    assert {label: row[1] for label, row in rows.items()} == {label: app.id for label, app in apps.items()}


def test_an_index_is_named_as_what_the_id_is_the_digest_of(stores):
    image = ol.select(stores["docker29"], "kit/bk:1")

    assert which_id(image) == "index"
    assert image.id in image.indexes


def test_podmans_rule_gives_the_folders_of_every_image(stores):
    for image in stores["podman"].images():
        assert tuple(layer.directory for layer in image.layers) == ol.podman_layer_ids(image.diff_ids)


def test_the_table_of_layers_marks_what_a_hash_gives(stores):
    table = ol.layers_table(stores)
    top, *_, base = table.rows

    assert [cell[0] for cell in top[3:]] == ["□", "□", "#", "#"]
    assert (top[0], base[0]) == (12, 1)
    assert base[1] == base[2] and base[5] == f"# {base[2].hex[:12]}…"


@pytest.mark.parametrize("layer", [1, 9, 12, None])
def test_the_picture_of_the_stores_says_every_name_in_full_in_its_text(stores, apps, layer):
    picture = ol.stores_picture(stores, layer=layer)
    number = (layer or 12) - 1

    for label, app in apps.items():
        one = app.layers[number]
        assert {app.id, one.diff_id, one.chain_id, kept_as(stores[label], one)[1]} <= set(
            re.split(r"[ ,\n]+", picture.text)
        )
    assert "Different IMAGE IDs: 3" in picture.alt
    assert width(picture) <= WIDEST


def test_images_that_are_not_the_same_are_said_to_differ(stores):
    picture = ol.stores_picture({"docker": stores["docker"], "docker29": stores["docker29"]}, "kit/base:1")
    other = ol.stores_picture(
        {"here": stores["docker"], "there": _renamed(stores["docker29"], "kit/bk:1", "kit/app:1")}, "kit/app:1", layer=2
    )

    assert "equal in all" in picture.alt
    assert "≠ chain_id of layer 2" in other.text and "not the same image" in other.alt


@pytest.mark.parametrize("name", realdata.NAMES)
def test_every_real_store_can_stand_beside_another(stores, name):
    store = ol.open_store(realdata.archive(name))
    image = next(image for image in store.images() if image.layers)
    pair = {"here": store, "there": store}
    picture = ol.stores_picture(pair, str(image.config_digest))

    assert "equal in all" in picture.alt and width(picture) <= WIDEST
    assert len(ol.layers_table(pair, str(image.config_digest)).rows) == len(image.layers)


def _renamed(store, name, new):
    """A store in which only one image is left, under another name."""
    from dataclasses import replace

    class Renamed:
        parts = property(lambda self: (self,))

        def __getattr__(self, attribute):
            return getattr(store, attribute)

        def images(self):
            return (replace(ol.select(store, name), names=(new,)),)

    return Renamed()


@pytest.mark.parametrize("layer", [0, -1, 13])
def test_a_layer_that_is_not_there_is_refused(stores, layer):
    if layer == 0:
        assert "layer 12" in ol.stores_picture(stores, layer=layer).text
        return
    with pytest.raises(Finding) as caught:
        ol.stores_picture(stores, layer=layer)
    assert caught.value.problem.kind == "wrong-call"


def test_a_container_is_no_image_to_compare(stores):
    with pytest.raises(Finding) as caught:
        ol.ids_table({"docker": stores["docker"]}, "web")
    assert caught.value.problem.expected == "an image"


def test_every_kind_of_name_has_its_words():
    assert [row[0] for row in ol.kinds_table().rows] == list(KINDS)
    assert all(all(row) for row in ol.kinds_table().rows)


# The recipe


@pytest.mark.parametrize("label", ["docker", "podman"])
def test_a_recipe_and_its_folder_give_the_tar_back(stores, apps, label):
    layer = apps[label].layers[1]
    with stores[label].open_layer(layer) as tar:
        data = tar.read()
    table = ol.recipe_table(stores[label], layer, rows=100)

    assert ol.digest_bytes(data) == layer.diff_id
    assert sum(row[3] for row in table.rows) == len(data)
    assert ("etc/.wh.motd", 0) in [row[2:] for row in table.rows]


@pytest.mark.parametrize("label", ["docker29", "oci"])
def test_a_store_that_keeps_blobs_has_no_recipe(stores, apps, label):
    with pytest.raises(Finding) as caught:
        ol.recipe_table(stores[label], apps[label].layers[1])
    assert caught.value.problem.kind == "wrong-call"


# This machine


def test_what_this_machine_has_is_told_without_more_than_its_path(tmp_path):
    (tmp_path / "other").write_text("x")
    nowhere, packed = str(tmp_path / "none"), ol.shipped("podman4-storage.tar.gz")
    told = str(ol.views.tell_roots([nowhere, packed])).splitlines()

    assert told == [
        f"· {nowhere}: there is nothing at this path",
        f"✓ {packed}: containers-storage, 11 images, 1 containers",
    ]
    assert list(ol.views.own_stores([nowhere, packed])) == [packed]


def test_the_default_roots_can_always_be_asked():
    assert len(str(ol.views.tell_roots()).splitlines()) == 4
    assert set(ol.views.own_stores()) <= {
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/containers/storage",
        "~/.local/share/containers/storage",
    }
