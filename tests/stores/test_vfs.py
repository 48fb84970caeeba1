"""Docker's storage driver vfs: every directory is a whole file system, and no layer is mounted."""

import json

import pytest
from builders import member, tar, write
from vfsroot import CONTAINER, MOUNT, cache_id, chain_ids, vfs_root

import overlaylab as ol
from overlaylab.cli.commands import run
from overlaylab.stores.docker.vfs import VfsRoot
from overlaylab.stores.docker.walk import follow

ETC, MOTD, HOSTS = member("etc", kind="dir"), member("etc/motd", b"hello\n"), member("etc/hosts", b"localhost\n")
LINK, NEW = member("etc/name", kind="symlink", link="motd", mode=0o777), member("new", b"new\n")
LAYERS = [tar(ETC, MOTD, HOSTS, LINK), tar(ETC, member("etc/.wh.motd")), tar(NEW)]
DIRECTORIES = [[ETC, MOTD, HOSTS, LINK], [ETC, HOSTS, LINK], [ETC, HOSTS, LINK, NEW]]
IN_CONTAINER = [ETC, HOSTS, member("written", b"by the container\n")]


@pytest.fixture
def root(tmp_path):
    """A function that writes a root, with other directories if some are given."""

    def made(directories=DIRECTORIES, layers=LAYERS, container=IN_CONTAINER):
        return write(tmp_path, vfs_root(layers, directories, container))

    return made


def answer(capsys, *arguments):
    status = run([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_inspect_shows_directories_and_no_mount(root, capsys):
    status, facts = answer(capsys, "inspect", root())
    (image,), (container,) = facts["images"], facts["containers"]

    assert (status, facts["kind"], facts["problems"]) == (0, "docker-root", [])
    assert (image["names"], image["chain_ids"]) == (["test/image:1"], chain_ids(LAYERS))
    assert image["directories"] == [cache_id(number) for number in range(3)]
    assert (container["name"], container["upper"], container["mount"]) == ("web", MOUNT, "")
    assert container["lower"] == [f"{MOUNT}-init", cache_id(2), cache_id(1), cache_id(0)]
    assert facts["unowned_directories"] == []


def test_tree_of_an_image_is_its_layers_one_on_the_other(root, capsys):
    status, entries = answer(capsys, "tree", root(), "test/image:1")

    assert status == 0
    assert {path: entry["layer"] for path, entry in entries.items()} == {
        ".": 2,
        "etc": 1,
        "etc/hosts": 0,
        "etc/name": 0,
        "new": 2,
    }


def test_tree_of_a_container_is_its_own_directory(root, capsys):
    status, entries = answer(capsys, "tree", root(), "web")

    assert (status, sorted(entries)) == (0, [".", "etc", "etc/hosts", "written"])


def test_layers_are_what_each_layer_changed(root, capsys):
    status, layers = answer(capsys, "layers", root(), "test/image:1")

    assert status == 0
    assert [(layer["added"], layer["changed"], layer["removed"]) for layer in layers] == [
        (4, 0, 0),
        (0, 0, 1),
        (1, 0, 0),
    ]
    status, (whole,) = answer(capsys, "layers", root(), "web")
    assert (status, whole["chain_id"], whole["added"]) == (0, None, 3)


def test_verify_finds_nothing_wrong(root, capsys):
    assert answer(capsys, "verify", root()) == (0, {"ok": True, "problems": [], "not_checked": []})
    assert answer(capsys, "verify", root(), "web")[0] == 0


def changed(number, *members):
    """The directories, one of which holds something else."""
    return [list(members) if place == number else there for place, there in enumerate(DIRECTORIES)]


@pytest.mark.parametrize(
    ("directories", "kind", "path"),
    [
        # The copy of a file that a lower layer brought.
        (changed(2, ETC, member("etc/hosts", b"otherhost\n"), LINK, NEW), "diffid-mismatch", "etc/hosts"),
        (changed(2, ETC, member("etc/hosts", b"localhost\n", mode=0o600), LINK, NEW), "diffid-mismatch", "etc/hosts"),
        (changed(2, ETC, LINK, NEW), "missing-content", "etc/hosts"),
        (changed(2, ETC, HOSTS, LINK, NEW, member("more")), "diffid-mismatch", "more"),
        # What a layer deleted is there again.
        (changed(1, ETC, HOSTS, LINK, MOTD), "diffid-mismatch", "etc/motd"),
        # A file that the layer itself brought: its tar is another one.
        (changed(2, ETC, HOSTS, LINK, member("new", b"NEW\n")), "diffid-mismatch", ""),
        (changed(2, ETC, HOSTS, LINK), "missing-content", "new"),
    ],
)
def test_what_differs_in_a_directory_is_found(directories, kind, path, root, capsys):
    status, report = answer(capsys, "verify", root(directories))

    assert status == 1
    assert [problem["kind"] for problem in report["problems"]] == [kind]
    assert not path or report["problems"][0]["where"].endswith(f"/{path}")


def test_a_directory_that_is_gone_is_missed(root, capsys):
    status, report = answer(capsys, "verify", root(DIRECTORIES[:2]))

    assert status == 1
    assert {problem["kind"] for problem in report["problems"]} == {"missing-cache-dir"}


@pytest.mark.parametrize("target", ["test/image:1", "web"])
def test_mount_is_refused(target, root, capsys):
    status, report = answer(capsys, "mount", root(), target)

    assert (status, report["problems"][0]["kind"]) == (2, "unsupported-driver")


def test_owners_and_names(root, capsys):
    path = root()
    _, facts = answer(capsys, "owners", path)
    guesses = {item["directory"]: item["guess"] for item in facts["directories"]}
    assert guesses[MOUNT] == "container" and guesses[f"{MOUNT}-init"] == "init layer"
    assert {guesses[cache_id(number)] for number in range(3)} == {"image layer"}
    # Each directory holds copies, so its size is that of the whole file system.
    assert facts["images"][0]["own_bytes"] == sum(len(data) for there in DIRECTORIES for _, data in there)
    _, facts = answer(capsys, "owners", path, f"/var/lib/docker/vfs/dir/{cache_id(1)}/etc")
    assert [item["directory"] for item in facts["directories"]] == [cache_id(1)]
    for name, kind in ((cache_id(1)[:12], "cache-id"), (MOUNT[:12], "mount-id"), (CONTAINER[:12], "container")):
        assert kind in {match["kind"] for match in answer(capsys, "id", name, path)[1]["matches"]}


def test_the_walk_ends_at_the_directory(root):
    store = ol.open_store(root())

    assert follow(store, "test/image:1")["directory"].found == f"vfs/dir/{cache_id(2)}"
    assert [step.key for step in follow(store, "web").steps][-1] == "directory"


def test_a_root_of_both_drivers_is_read_by_overlay2(tmp_path):
    members = [member(f"image/overlay2/{name}", b"") for name in ("layerdb/sha256/x", "layerdb/sha256/y")]
    store = ol.open_store(write(tmp_path, vfs_root(LAYERS, DIRECTORIES)[:-1024] + tar(*members)))

    assert not isinstance(store, VfsRoot)
    assert [item.what for item in store.not_checked] == ["images of the storage driver vfs"]


def test_a_root_whose_overlay2_is_unused_is_read_by_vfs(tmp_path):
    unused = tar("image/overlay2/imagedb/", "overlay2/l/")
    store = ol.open_store(write(tmp_path, vfs_root(LAYERS, DIRECTORIES)[:-1024] + unused))

    assert isinstance(store, VfsRoot) and len(store.images()) == 1
