"""What we read in the data root of a dockerd with the storage driver vfs is what dockerd says, and what lies there."""

import os
import shutil
import tarfile

import pytest
from engines.dockerd import Dockerd, fingerprint, ground, unmount_below
from engines.images import BASE, CHANGES, OFF, SIBLING, WRITES, build, run
from engines.second_opinion import but_root, different, listing, overlaylab, tree

pytestmark = pytest.mark.tier("engines")

NAMED = ["kit/base:1", "kit/app:1", "kit/sibling:1", "kit/loaded:1", "kit/committed:1"]
CONTAINERS = ["web", "never"]


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    """A running dockerd that copies: it has built, loaded and committed images, and has containers."""
    folder = ground(tmp_path_factory.mktemp("vfs"))
    daemon = Dockerd(folder, "vfs")
    try:
        daemon.start()
        context = folder / "context"
        build(daemon, context, "kit/base:1", BASE)
        build(daemon, context, "kit/app:1", CHANGES)
        build(daemon, context, "kit/sibling:1", SIBLING)
        # Its layers are unpacked anew from their tars, beside those that were built.
        build(daemon, context, "kit/loaded:1", f"{BASE}RUN rm /etc/motd && echo loaded > /etc/loaded\n")
        daemon.docker("save", "--output", str(folder / "saved.tar"), "kit/loaded:1")
        daemon.docker("rmi", "kit/loaded:1")
        daemon.docker("load", "--input", str(folder / "saved.tar"))
        run(daemon, "web", "kit/app:1", "/bin/sh", "-c", WRITES)
        daemon.docker("commit", "web", "kit/committed:1")
        daemon.docker("create", *OFF, "--name", "never", "kit/base:1")
        yield daemon
    finally:
        daemon.stop()
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


def image_called(seen, name):
    return next(image for image in seen["images"] if name in image["names"])


def container_called(seen, name):
    return next(container for container in seen["containers"] if container["name"] == name)


def directory(docker, name):
    return docker.root / "vfs/dir" / name


def but_links(entries):
    """A listing without numbers of links: a copy has its own inodes, and counts what a layer's tar cannot."""
    return {
        path: {key: value for key, value in entry.items() if key != "nlink"}
        for path, entry in but_root(entries).items()
    }


def test_the_engine_is_the_one_that_is_meant(docker):
    assert docker.docker("info", "--format", "{{.Driver}}").strip() == "vfs"


def test_images_are_those_of_docker(seen, told):
    expected = {key: answer for key, answer in told.items() if "RootFS" in answer}
    assert (seen["kind"], seen["problems"]) == ("docker-root", [])
    assert sorted(image["id"] for image in seen["images"]) == sorted(expected)
    assert len(expected) >= 15
    for image in seen["images"]:
        assert image["names"] == sorted(expected[image["id"]]["RepoTags"])
        assert image["diff_ids"] == (expected[image["id"]]["RootFS"]["Layers"] or [])


def test_directories_are_those_of_the_layerdb_and_each_has_an_owner(seen, docker):
    for image in seen["images"]:
        for chain_id, name in zip(image["chain_ids"], image["directories"], strict=True):
            entry = docker.root / "image/vfs/layerdb/sha256" / chain_id.removeprefix("sha256:")
            assert (entry / "cache-id").read_text() == name
    owned = overlaylab("owners", docker.root)["directories"]
    assert sorted(item["directory"] for item in owned) == sorted(os.listdir(docker.root / "vfs/dir"))
    assert seen["unowned_directories"] == []
    assert {item["guess"] for item in owned} == {"image layer", "init layer", "container"}


def test_containers_are_those_of_docker(seen, told):
    expected = {key: answer for key, answer in told.items() if "State" in answer}
    assert sorted(container["id"] for container in seen["containers"]) == sorted(expected)
    for container in seen["containers"]:
        answer = expected[container["id"]]
        assert ("/" + container["name"], container["image_id"]) == (answer["Name"], answer["Image"])
        assert (container["mount"], container["lower"][0]) == ("", f"{container['upper']}-init")


def test_id_knows_the_names(docker, seen):
    web, app = container_called(seen, "web"), image_called(seen, "kit/app:1")
    for name, kind in ((web["upper"], "mount-id"), (app["directories"][3], "cache-id"), (app["id"][7:], "config")):
        assert kind in {match["kind"] for match in overlaylab("id", name[:20], docker.root)["matches"]}


@pytest.mark.parametrize("name", NAMED)
def test_tree_of_an_image_is_the_directory_of_its_top_layer(docker, seen, name):
    top = directory(docker, image_called(seen, name)["directories"][-1])
    assert different(but_links(listing(top)), but_links(tree(docker.root, name))) == {}


@pytest.mark.parametrize("name", CONTAINERS)
def test_tree_of_a_container_is_its_directory(docker, seen, name):
    there = listing(directory(docker, container_called(seen, name)["upper"]))
    assert different(there, tree(docker.root, name)) == {}
    assert ".dockerenv" in there


@pytest.mark.parametrize("name", CONTAINERS)
def test_tree_of_a_container_is_what_docker_exports(docker, name, tmp_path):
    path = tmp_path / "export.tar"
    docker.docker("export", "--output", str(path), name)
    with tarfile.open(path) as archive:
        exported = {item.name.rstrip("/"): item for item in archive}
    ours = tree(docker.root, name)
    assert set(exported) == {path for path in ours if path != "."}
    for path, item in exported.items():
        assert (path, f"{item.mode & 0o7777:04o}", item.uid) == (path, ours[path]["mode"], ours[path]["uid"])
        assert not item.isreg() or item.size == ours[path]["size"]


def test_layers_are_what_each_step_changed(docker, seen):
    layers = overlaylab("layers", docker.root, "kit/app:1")
    assert [layer["chain_id"] for layer in layers] == image_called(seen, "kit/app:1")["chain_ids"]
    deleted = next(layer for layer in layers if "rm -rf /opt/old" in layer["created_by"])
    assert (deleted["added"], deleted["removed"]) == (0, 4)
    before = directory(docker, image_called(seen, "kit/app:1")["directories"][0])
    assert layers[0]["added"] == len(listing(before)) - 1


def test_verify_finds_nothing(docker):
    report = overlaylab("verify", docker.root)
    assert (report["ok"], report["problems"], report["not_checked"]) == (True, [], [])
    assert overlaylab("verify", docker.root, "web")["ok"]


@pytest.mark.parametrize("name", ["kit/app:1", "web"])
def test_mount_is_refused(docker, name):
    (problem,) = overlaylab("mount", docker.root, name, status=2)["problems"]
    assert (problem["kind"], problem["found"]) == ("unsupported-driver", "vfs")


def test_reading_changes_nothing(docker):
    with docker.frozen():
        before = fingerprint(docker.root)
        overlaylab("verify", docker.root)
        overlaylab("tree", docker.root, "kit/app:1")
        overlaylab("tree", docker.root, "web")
        assert different(before, fingerprint(docker.root)) == {}


# What changes the store, last


@pytest.mark.parametrize("path", ["app/lib/a.txt", "app/main.txt"])
def test_a_file_that_was_changed_in_a_copy_is_found(docker, seen, path):
    """A layer further up holds a copy of what a lower one brought: its own tar knows nothing of it."""
    names = image_called(seen, "kit/app:1")["directories"]
    file = directory(docker, names[2]) / path
    content, info = file.read_bytes(), file.stat()
    file.write_bytes(content.upper())
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    try:
        report = overlaylab("verify", docker.root, "kit/app:1", status=1)
        (problem,) = report["problems"]
        assert (problem["kind"], problem["where"].endswith(f"{names[2]}/{path}")) == ("diffid-mismatch", True)
    finally:
        file.write_bytes(content)
        os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert overlaylab("verify", docker.root, "kit/app:1")["ok"]


def test_a_file_that_was_changed_where_its_layer_put_it_is_found(docker, seen):
    name = image_called(seen, "kit/base:1")["directories"][0]
    file = directory(docker, name) / "app/main.txt"
    file.write_bytes(file.read_bytes().upper())
    report = overlaylab("verify", docker.root, "kit/base:1", status=1)
    assert [problem["kind"] for problem in report["problems"]] == ["diffid-mismatch", "crc-mismatch"]
    assert report["problems"][1]["where"].endswith(f"{name}/app/main.txt")
