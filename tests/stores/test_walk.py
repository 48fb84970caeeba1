"""The walk through a data root: every step read from a file, the same as what the real Docker recorded."""

import json
import tarfile

import pytest
import realdata
from builders import unpack

from overlaylab.errors import Finding, InputError, NoSuchImage, NotReadable
from overlaylab.image.digest import ChainID, DiffID, Digest, chain_text
from overlaylab.stores.detect import open_store
from overlaylab.stores.docker.walk import cat, follow, layer_size, ls
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import NEW_ROOT, recorded_mount, shipped_root, visit
from overlaylab.tree import File, Symlink, make_tree

APP = "kit/app:1"
KNOWN = realdata.expected("docker20-dataroot")
LAYERS = KNOWN["layers"] if isinstance(KNOWN["layers"], list) else list(KNOWN["layers"].values())
BY_CHAIN = {layer["chain_id"]: layer for layer in LAYERS}


@pytest.fixture(scope="module")
def root():
    return shipped_root()


@pytest.fixture(scope="module")
def app(root):
    return select(root, APP)


def test_a_walk_visits_the_stations_in_order(root):
    keys = [step.key for step in follow(root, APP).steps]

    assert keys == ["name", "config", "chain", "layerdb", "cache-id", "directory", "link", "lower", "lowerdir"]


def test_every_path_of_a_walk_is_there(root, app):
    for position in range(len(app.layers)):
        for step in follow(root, APP, position).steps:
            if step.path and not (position == 0 and step.key == "lower"):
                assert root.place.has(step.path.rstrip("/")), step


@pytest.mark.parametrize("position", range(12))
def test_each_layer_is_found_as_docker_recorded_it(root, app, position):
    walk = follow(root, APP, position)
    known = BY_CHAIN[app.layers[position].chain_id]

    assert walk["config"].found == known["diff_id"]
    assert walk["chain"].found == known["chain_id"]
    assert walk["cache-id"].content == known["cache_id"]
    assert walk["link"].content == known["link"]
    assert walk["lower"].content == ":".join(known["lower"])
    assert walk["lower"].found.split("\n") == (known["lower_cache_ids"] or [""])
    assert walk["directory"].path == f"overlay2/{known['cache_id']}/"


@pytest.mark.parametrize("position", range(12))
def test_the_text_that_is_hashed_gives_the_chain_id(root, position):
    walk = follow(root, APP, position)
    hashed = walk["chain"].content

    assert hashed == walk["chain"].found if position == 0 else Digest.of(hashed.encode()) == walk["chain"].found


def test_the_config_that_is_read_has_its_name_as_digest(root, app):
    step = follow(root, APP)["config"]

    assert Digest.of(root.place.read(step.path)) == app.id
    assert step.path.endswith(app.id.hex)
    assert [line.split()[1] for line in step.content.splitlines()] == list(app.diff_ids)


def test_what_a_mount_says_is_the_layer_and_then_its_lower_list(root, app):
    walk = follow(root, APP)

    assert walk["lowerdir"].content == f"l/{walk['link'].content}:{walk['lower'].content}"
    # Docker's own text for the container that runs from it has the same, behind the init layer.
    container = ":".join(root.containers()[0].links)
    assert container.partition(":")[2] == walk["lowerdir"].content


def test_only_the_base_has_no_parent_no_lower_and_no_work(root, app):
    base, above = follow(root, APP, 0), follow(root, APP, 1)

    assert "parent" not in base["layerdb"].content.split()
    assert {"lower", "work"}.isdisjoint(base["directory"].content.split())
    assert (base["lower"].content, base["lower"].found) == ("", "")
    assert "parent" in above["layerdb"].content.split()
    assert {"lower", "work"} <= set(above["directory"].content.split())


def test_equal_layers_have_one_diff_id_and_two_folders(root):
    eighth, ninth = follow(root, APP, 7), follow(root, APP, 8)

    assert eighth["config"].found == ninth["config"].found
    assert eighth["chain"].found != ninth["chain"].found
    assert eighth["cache-id"].found != ninth["cache-id"].found


def test_where_each_name_comes_from(root):
    origins = {step.key: step.origin for step in follow(root, APP).steps}

    assert {key for key, origin in origins.items() if origin == "hash"} == {"name", "config", "chain", "layerdb"}
    assert {key for key, origin in origins.items() if origin == "random"} == {"cache-id", "directory", "link"}


# How one asks


@pytest.mark.parametrize("query", ["7bbf", "sha256:7bbf0405c20c", " 7bbf0405c20c "])
def test_an_id_prefix_is_looked_up_among_the_configs(root, app, query):
    step = follow(root, query).steps[0]

    assert (step.key, step.found) == ("prefix", app.id)
    assert step.content == app.id.hex


def test_a_name_is_looked_up_in_the_table_of_names(root, app):
    step = follow(root, "127.0.0.1:5000/kit/app:1").steps[0]

    assert step.path == "image/overlay2/repositories.json"
    assert json.loads(f"{{{step.content}}}") == {"127.0.0.1:5000/kit/app:1": app.id}


def test_a_name_without_tag_is_the_latest(root):
    assert json.loads(f"{{{follow(root, 'kit/web').steps[0].content}}}").keys() == {"kit/web:latest"}


@pytest.mark.parametrize(
    ("query", "position", "error", "kind"),
    [
        ("nothing/here", -1, NoSuchImage, "no-such-image"),
        ("f", -1, NoSuchImage, "ambiguous-image"),
        ("", -1, InputError, "no-such-image"),
        (APP, 12, Finding, "wrong-call"),
        (APP, -13, Finding, "wrong-call"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_kind(root, query, position, error, kind):
    with pytest.raises(error) as caught:
        follow(root, query, position)

    assert caught.value.problem.kind == kind


def test_another_kind_of_store_is_refused():
    archive = open_store(realdata.archive("docker20-save"))

    for call in (lambda: follow(archive, APP), lambda: ls(archive), lambda: cat(archive, "manifest.json")):
        with pytest.raises(Finding) as caught:
            call()
        assert caught.value.problem.kind == "wrong-call"


# A container


def test_a_container_is_walked_to_the_mount_that_the_kernel_showed(root):
    walk = follow(root, "web")
    known = KNOWN["containers"][0]

    assert [step.key for step in walk.steps] == [
        "container",
        "mounts",
        "parent",
        "init-id",
        "mount-id",
        "directory",
        "link",
        "lower",
        "mount",
    ]
    assert walk["parent"].found == known["parent_chain_id"]
    assert walk["init-id"].found == known["init_id"]
    assert walk["mount-id"].found == known["mount_id"]
    assert walk["lower"].found.split("\n") == known["lower_ids"]
    assert walk["mount"].content in known["proc_mounts_line"]


def test_the_shipped_record_of_the_mount_is_the_recorded_line():
    assert recorded_mount() == KNOWN["containers"][0]["proc_mounts_line"]


def test_a_missing_step_is_named(root):
    with pytest.raises(KeyError, match="mount-id"):
        follow(root, APP)["mount-id"]


# Looking around


def test_ls_and_cat_show_what_is_there(root, app):
    entry = f"image/overlay2/layerdb/sha256/{app.layers[-1].chain_id.hex}"

    assert ls(root) == ("containers", "image", "overlay2")
    assert ls(root, entry) == ("cache-id", "diff", "parent", "size", "tar-split.json.gz")
    assert cat(root, f"/{entry}/diff") == app.layers[-1].diff_id
    assert cat(root, f"image/overlay2/imagedb/content/sha256/{app.id.hex}").encode() == app.config.raw


@pytest.mark.parametrize("look", [ls, cat])
@pytest.mark.parametrize("path", ["oerlay2", "image/overlay2/nothing/at/all"])
def test_what_is_not_there_is_refused_with_what_is(root, look, path):
    with pytest.raises(Finding) as caught:
        look(root, path)

    assert caught.value.problem.kind == "not-found"
    assert "only" in caught.value.problem.found or "no folder" in caught.value.problem.found


@pytest.mark.parametrize("path", ["../../etc/passwd", "image/../../etc/passwd"])
def test_nothing_outside_is_read(root, path):
    with pytest.raises(InputError) as caught:
        cat(root, path)

    assert caught.value.problem.kind == "path-escape"


def test_the_size_of_every_layer_is_what_docker_wrote(root):
    for folder in root.layer_folders():
        assert layer_size(root.layer_directory(folder.cache_id)) == folder.size


@pytest.mark.parametrize(
    ("tree", "size"),
    [
        ({}, 0),
        ({"a": "12345"}, 5),
        ({"d": {"a": "12345", "b": None}}, 5),
        ({"a": Symlink(target="nowhere")}, 7),
        ({"a": Symlink(target="\udcff\udcfe")}, 2),
        ({"a": (shared := File.of(b"123")), "b": shared}, 3),
    ],
    ids=["empty", "file", "whiteout", "symlink", "raw-bytes", "hard-link"],
)
def test_size_counts_inodes(tree, size):
    assert layer_size(make_tree(tree)) == size


# Roots


def test_a_root_of_the_newer_store_is_refused_by_kind():
    with pytest.raises(NotReadable) as caught:
        shipped_root(NEW_ROOT)

    assert caught.value.problem.kind == "no-layerdb"


def test_a_visit_never_raises(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")

    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        seen = visit(str(path))
        assert seen.store is None
        assert seen.why


def test_a_visit_finds_the_shipped_root():
    seen = visit(str(realdata.SHIPPED))

    assert (seen.store.kind, seen.why) == ("docker-root", "")


def test_a_folder_is_walked_like_a_tar_of_it(root, tmp_path):
    """What a live data root gives: the same steps, read from files on the disk."""

    def bookkeeping(member):
        return "/diff/" not in f"{member.name}/" or member.name.endswith("/diff")

    try:
        with tarfile.open(realdata.SHIPPED) as archive:
            unpack(archive, tmp_path, bookkeeping)
    except OSError as error:
        pytest.skip(f"this machine cannot unpack symlinks: {error}")
    store = open_store(tmp_path)

    for query in (APP, "kit/base:1", "8b74"):
        assert follow(store, query).steps == follow(root, query).steps
    live, packed = follow(store, "web").steps, follow(root, "web").steps
    assert live[:-1] == packed[:-1]
    # The mount options name the root that was opened.
    assert live[-1].content == packed[-1].content.replace("/var/lib/docker", str(tmp_path.resolve()))


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_every_layer_of_every_real_root_can_be_followed(name):
    store, known = open_store(realdata.archive(name)), realdata.expected(name)
    for image in known["images"]:
        for position, cache_id in enumerate(image["cache_ids"]):
            walk = follow(store, image["id"], position)
            assert walk["cache-id"].content == cache_id
            below = image["chain_ids"][position - 1] if position else None
            diff_id = DiffID(image["diff_ids"][position])
            assert walk["chain"].content == (chain_text(ChainID(below), diff_id) if below else diff_id)
    for container in known["containers"]:
        assert follow(store, container["id"])["mount-id"].content == container["mount_id"]
