"""The ID detective and the pictures of sharing: from any name to all others, from any folder to its owners."""

import re
import time

import pytest
import realdata

import overlaylab as ol
from overlaylab.errors import Finding
from overlaylab.stores.audit.identify import investigate, names_of
from overlaylab.stores.audit.owners import owner_facts
from overlaylab.views.stores.detective import Detective, names_picture
from overlaylab.views.stores.name_lookup import find_meanings
from overlaylab.views.stores.ownership import facts_of
from overlaylab.words import known

WIDEST = 960


@pytest.fixture(scope="module")
def stores():
    return ol.four_stores()


@pytest.fixture
def detective(stores):
    return Detective(stores, "29497a")


def width(picture):
    return float(re.search(r'<svg width="([0-9.]+)"', picture.svg())[1])


# Leads


@pytest.mark.parametrize("label", ["docker", "docker29", "podman", "oci"])
def test_every_name_of_a_store_leads_to_a_map_that_has_it(stores, label):
    """Every name that the store knows: the map has it in full, with all its kinds, and highlights it."""
    one = {label: stores[label]}
    for name in {match.value for match in names_of(stores[label])}:
        found = find_meanings(name, one)
        picture = names_picture(name, one)

        assert {kind for meaning in found for kind in meaning.kinds} >= {
            match.kind for match in investigate(name, one.items())
        }
        assert any(name in line for line in picture.text.splitlines() if line.startswith("="))


@pytest.mark.parametrize("name", sorted(set(realdata.NAMES)))
def test_every_real_store_can_be_asked(name):
    store = ol.open_store(realdata.archive(name))
    for value in sorted({match.value for match in names_of(store)})[::20]:
        picture = names_picture(value, {name: store})

        assert value in picture.text
        assert width(picture) <= WIDEST


def test_a_base_layer_has_many_meanings_and_is_one_thing(stores):
    found = find_meanings("517afd", stores)

    assert [(meaning.label, meaning.kinds) for meaning in found] == [
        ("docker", ("diff_id", "chain_id")),
        ("docker29", ("diff_id", "chain_id")),
        ("podman", ("diff_id", "chain_id", "layer-blob")),
        ("podman", ("layer-id",)),
        ("oci", ("diff_id", "chain_id")),
    ]
    assert found[0].images == 23
    assert "more digits" not in names_picture("517afd", stores).text


def test_equal_layers_are_two_leads(stores):
    assert [meaning.position for meaning in find_meanings("cb84e4", {"docker": stores["docker"]})] == [7, 8]


@pytest.mark.parametrize(
    ("query", "label", "kind"),
    [
        ("29497a338339", "docker29", "manifest"),
        ("7bbf", "docker", "config"),
        ("sha256:7bbf", "docker", "config"),
        (" 7bbf… ", "docker", "config"),
        ("7BBF", "docker", "config"),
        ("e103a38bc531", "docker29", "index"),
        ("12", "docker29", "snapshot"),
        ("CQHV", "docker", "link"),
        ("/var/lib/docker/overlay2/l/CQHVEPHCJOWF2SHM5MDPTXZKDA", "docker", "cache-id"),
        ("4183d828", "docker", "container"),
        ("/var/lib/containers/storage/overlay/99b08b", "podman", "layer-id"),
        ("/srv/x/io.containerd.x/snapshots/12/fs/etc", "docker29", "snapshot"),
        ("image/overlay2/layerdb/sha256/f1a1d2af", "docker", "chain_id"),
        ("blobs/sha256/bb14a1c6595f", "docker29", "layer-blob"),
    ],
)
def test_a_name_may_be_given_in_many_ways(stores, query, label, kind):
    assert (label, kind) in [
        (meaning.label, name) for meaning in find_meanings(query, stores) for name in meaning.kinds
    ]


def test_the_map_goes_on_in_the_other_stores_by_the_chain_id(stores):
    text = names_picture("a72fbd97", stores).text
    ninth = {label: ol.select(store, "kit/app:1").layers[8] for label, store in stores.items()}

    assert ninth["podman"].directory in text and "snapshot: 9" in text and ninth["oci"].descriptor.digest in text
    assert ninth["docker"].chain_id in text


def test_a_container_leads_to_its_own_folder_and_its_image(stores):
    web = stores["docker"].containers()[0]
    picture = names_picture(web.id, stores)

    assert picture.alt.startswith(f"In docker, {web.id[:12]}… is the container web, made from kit/app:1")
    assert f"□ mount-id               {web.upper}" in picture.text and web.image_id in picture.text


def test_a_folder_that_nobody_uses_has_holes_and_no_image(stores):
    meaning = next(meaning for meaning in find_meanings("14", stores) if meaning.label == "docker29")
    picture = names_picture("14", {"docker29": stores["docker29"]})

    assert (meaning.image, meaning.images) == (None, 0)
    assert "no image uses" in picture.alt
    assert "· chain_id" in picture.text and "= snapshot" in picture.text


def test_a_prefix_of_several_names_says_so(stores):
    assert "different names begin so" in names_picture("14", stores).text


def test_hostile_names_are_shown_safely(stores):
    from dataclasses import replace

    class Hostile:
        parts = property(lambda self: (self,))

        def __getattr__(self, attribute):
            return getattr(stores["oci"], attribute)

        def images(self):
            images = [
                replace(image, names=(f'<script>"\\\x1b\n{len(image.layers)}:1',)) for image in stores["oci"].images()
            ]
            bad = {"descriptor": None, "source": "\x1b<script>\n", "readable": False}
            return tuple(replace(image, layers=tuple(replace(one, **bad) for one in image.layers)) for image in images)

    hostile = {"here": Hostile(), "docker": stores["docker"]}
    shown = [names_picture("517afd", hostile, choice) for choice in (0, 1)] + [ol.sharing_picture(hostile["here"])]
    shown += [
        ol.stores_picture({"here": hostile["here"]}, "9239c68cf11a"),
        ol.layers_table({"here": hostile["here"]}, "9239c68cf11a"),
    ]
    shown += [ol.ids_table({"here": hostile["here"]}, "9239c68cf11a"), ol.views.sharing_table(hostile["here"])]

    for item in shown:
        both = repr(item) + item._repr_mimebundle_()["text/html"]
        assert "\x1b" not in both and "<script>" not in item._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("query", ["", "z!", "\x1b[31m", "../..", "<script>", "a" * 500, "zz", "0" * 64, "ß", "a b"])
def test_what_is_no_name_is_said_to_be_none(stores, query):
    picture = names_picture(query, stores)

    assert picture.text == picture.alt
    assert "\x1b" not in picture.html() and "<script>" not in picture.html()
    assert width(picture) <= WIDEST


def test_the_table_has_a_row_for_each_lead(stores):
    table = ol.views.names_table("517afd", stores)

    assert len(table.rows) == 5
    assert table.rows[0][:5] == ("docker", "diff_id and chain_id", "kit/base:1", 1, 23)


def test_every_kind_that_can_be_found_is_told_from_the_others(stores):
    kinds = {match.kind for store in stores.values() for match in names_of(store)}

    assert all(known(f"names.not.{kind}") and known(f"names.made.{kind}") for kind in kinds)


def test_a_root_of_several_stores_is_searched_part_by_part(stores):
    from overlaylab.stores.mixed_store import MixedStore

    mixed = MixedStore([stores["docker"], stores["docker29"]])
    found = find_meanings("7bbf", {"both": mixed})

    assert [meaning.label for meaning in found] == ["both (docker-root)", "both (docker-containerd-root)"]
    assert "config = IMAGE ID" in names_picture("7bbf", {"both": mixed}).text


# The widget


def test_the_detective_begins_with_what_it_was_given(detective):
    assert detective.picture.alt.startswith("In docker29, 29497a338339… is the manifest digest of docker.io/kit/app:1")
    assert (detective.meaning.value, detective.meaning.max) == (1, 2)
    assert "2. In podman, 29497a338339… is the manifest digest of localhost/kit/app:1" in detective.picture.text


def test_what_is_typed_is_looked_up_letter_by_letter(detective):
    for query in ("c", "cb", "cb8", "cb84"):
        detective.query.set_state({"value": query})

    assert detective.picture.alt.startswith("In docker, cb84e4e548e1… is the diff_id of layer 8 of 12 of kit/app:1")
    assert detective.meaning.max == 8


def test_another_meaning_can_be_chosen(detective):
    detective.query.value = "cb84"
    detective.meaning.set_state({"value": 2})

    assert "layer 9 of 12" in detective.picture.alt and detective.picture.alt.endswith("Meaning 2 of 8.")
    detective.next.click()
    assert detective.picture.alt.startswith("In docker29")
    detective.query.value = "7bbf"
    assert detective.meaning.value == 1 and "config digest" in detective.picture.alt


@pytest.mark.parametrize("query", ["zz", "\x1b", "a" * 300, "//", "0" * 64])
def test_typing_nonsense_does_no_harm(detective, query):
    detective.query.value = query

    assert detective.meaning.max == 1 and detective.next.disabled
    assert "\x1b" not in detective.view.value
    detective.query.value = "29497a"
    assert "29497a338339…" in detective.picture.alt


def test_without_a_name_it_says_what_to_type(stores):
    assert Detective(stores).picture.alt.startswith("Type hex digits")


def test_the_next_meaning_after_the_last_is_the_first(detective):
    detective.next.click()
    assert detective.picture.alt.startswith("In podman")
    detective.next.click()
    assert detective.picture.alt.startswith("In docker29")


def test_every_control_has_a_name(detective):
    assert all(control.description for control in detective.children[0].children)


def test_the_detective_answers_at_once(detective):
    detective.picture.svg()
    start = time.perf_counter()
    detective.query.value = "7"

    assert time.perf_counter() - start < 1


def test_the_stored_form_is_short_and_has_its_picture(detective):
    bundle = detective._repr_mimebundle_()

    assert len(bundle["text/plain"]) <= 110
    assert "<img alt=" in bundle["text/html"]


# Owners and sharing


@pytest.mark.parametrize("name", realdata.NAMES)
def test_the_sums_of_a_picture_are_those_of_the_store(name):
    """The groups that an image is in hold its layers once each, and their bytes are its own and shared ones."""
    from overlaylab.stores.audit.facts import one_per_config
    from overlaylab.views.stores.ownership import groups_of

    store = ol.open_store(realdata.archive(name))
    facts, known = facts_of(store)["images"], one_per_config(store.images())
    groups = groups_of(store, known)

    for number, image in enumerate(known):
        mine = [group for group in groups if number in group.users]
        assert sorted(position for group in mine for position in group.ranges[number]) == list(
            range(1, len(image.layers) + 1)
        )
        assert sum(group.size for group in mine if len(group.users) == 1) == facts[number]["own_bytes"]
        assert sum(group.size for group in mine if len(group.users) > 1) == facts[number]["shared_bytes"]
    picture = ol.sharing_picture(store)
    assert width(picture) <= WIDEST


def test_the_picture_puts_layers_of_the_same_users_into_one_row(stores):
    text = ol.sharing_picture(
        stores["podman"], ["kit/base:1", "kit/app:1", "kit/web", "kit/sibling:1", "kit/imported:1"]
    ).text.splitlines()

    assert text[0].startswith(
        "= 1 layer, 116,665 bytes: "
        "kit/base:1 layer 1; kit/app:1 layer 1; kit/web:latest layer 1; kit/sibling:1 layer 1; 5 more"
    )
    assert text[1].startswith("= 11 layers, 116 bytes: kit/app:1 layers 2–12; kit/web:latest layers 2–12; 5 more")
    assert "kit/web:latest: 18 bytes of its own, 116,781 shared" in text
    assert any("podweb" in line and line.startswith("✎") for line in text)


def test_orphans_are_told_with_what_they_most_likely_are(stores):
    picture = ol.sharing_picture(stores["docker29"], ["kit/app:1"])

    assert picture.text.splitlines()[-1] == "· no owner: most likely build cache: 34 folders, 14 to 54"
    assert picture.alt.endswith("34 folders of the store belong to no image and no container.")


def test_the_table_of_owners_has_every_folder_once(stores):
    facts = owner_facts(stores["docker29"], lambda store, layer: 0)["directories"]
    rows = ol.owners_table(stores["docker29"]).rows

    assert len(rows) == 1 + sum(item["guess"] not in ("build cache", "leftover") for item in facts)
    assert rows[-1][0] == "34 folders, 14 to 54"


def test_the_owners_of_a_path_are_found(stores):
    folder = ol.select(stores["docker"], "kit/app:1").layers[8].directory
    rows = ol.owners_table(stores["docker"], f"/var/lib/docker/overlay2/{folder}/diff/app").rows

    assert [row[2:] for row in rows] == [("kit/app:1, kit/web:latest, 6 without a name", "web", "image layer")]


@pytest.mark.parametrize("path", ["/nowhere", "zz", ""])
def test_a_folder_that_is_not_there_is_said_not_to_be(stores, path):
    with pytest.raises(Finding) as caught:
        ol.owners_table(stores["docker"], path)
    assert caught.value.problem.kind == "not-found"


def test_a_leftover_is_named_as_one(tmp_path):
    """A folder beside the others that no table names."""
    import tarfile

    with tarfile.open(ol.shipped("docker20-dataroot.tar.gz")) as packed:
        packed.extractall(
            tmp_path,
            members=[one for one in packed if one.isdir() or one.isreg() or one.issym()],
            filter="fully_trusted",
        )
    root = next(path.parent for path in tmp_path.rglob("overlay2") if path.parent.name != "image")
    (root / "overlay2" / ("0" * 64) / "diff").mkdir(parents=True)
    picture = ol.sharing_picture(ol.open_store(tmp_path), ["kit/app:1"])

    assert picture.text.splitlines()[-1] == "· no owner: a leftover: 000000000000…"
    alt = names_picture("000000", {"here": ol.open_store(tmp_path)}).alt
    assert alt == "In here, 000000000000… is a cache-id that no image uses. It means this alone."


def test_a_container_cannot_be_a_column(stores):
    with pytest.raises(Finding) as caught:
        ol.sharing_picture(stores["docker"], ["web"])
    assert caught.value.problem.kind == "wrong-call"


def test_the_table_of_sizes_has_the_named_images(stores):
    rows = ol.views.sharing_table(stores["podman"]).rows

    assert len(rows) == 8
    assert next(row for row in rows if "kit/web" in row[0])[2:4] == (18, 116_781)


def test_a_choice_is_kept_while_the_meanings_stay_the_same(stores):
    """What is typed may arrive after the choice."""
    detective = Detective(stores, "cb84")
    detective.meaning.value = 2
    detective.query.value = "cb84e"

    assert detective.meaning.value == 2
    detective.query.value = "29497a"
    assert detective.meaning.value == 1
