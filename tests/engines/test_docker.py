"""What we read in the data root of a running dockerd is what dockerd itself says, and what the kernel has mounted."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
import tiers
from engines.dockerd import fingerprint, mounts
from engines.second_opinion import but_root, different, kernel_view, listing, overlaylab, tree

from overlaylab.stores.detect import open_store
from overlaylab.stores.selection import select

pytestmark = pytest.mark.tier("engines")

NAMED = ["kit/base:1", "kit/app:1", "kit/sibling:1", "kit/deep:1", "kit/imported:1", "kit/committed:1"]
CONTAINERS = ["web", "deep", "done", "never"]
RUNNING = ["web", "deep"]


def layer_folders(answer):
    """The folders of an image's layers by ``docker inspect``, topmost first: its top layer is not in LowerDir."""
    data = answer["GraphDriver"]["Data"]
    return [data["UpperDir"], *filter(None, data.get("LowerDir", "").split(":"))]


def cache_ids(folders):
    return [folder.split("/")[-2] for folder in folders]


def by_name(seen, name):
    return next(image for image in seen["images"] if name in image["names"])


# Images


def test_the_engine_is_the_one_that_is_meant(docker):
    assert docker.docker("info", "--format", "{{.Driver}} {{.DockerRootDir}}").split() == ["overlay2", str(docker.root)]


def test_nothing_is_wrong_with_a_live_root(seen, docker):
    assert (seen["kind"], seen["problems"], seen["path"]) == ("docker-root", [], str(docker.root))


def test_images_are_those_of_docker(seen, told):
    expected = {key: answer for key, answer in told.items() if "RootFS" in answer}
    assert sorted(image["id"] for image in seen["images"]) == sorted(expected)
    assert len(expected) >= 60  # the steps in between, too
    for image in seen["images"]:
        answer = expected[image["id"]]
        assert image["names"] == sorted(answer["RepoTags"])
        assert image["platform"] == f"{answer['Os']}/{answer['Architecture']}"
        assert image["diff_ids"] == (answer["RootFS"]["Layers"] or [])
        assert (image["config_digest"], image["manifest_digest"]) == (image["id"], None)


def test_tags_that_differ_from_the_build_name_the_same_image(seen):
    assert by_name(seen, "kit/app:1")["names"] == ["kit/app:1", "kit/app:latest", "localhost:5000/team/app:v1.2"]


def test_chain_ids_are_the_folders_of_the_layerdb(seen, docker):
    layerdb = docker.root / "image/overlay2/layerdb/sha256"
    ours = {chain_id.removeprefix("sha256:") for image in seen["images"] for chain_id in image["chain_ids"]}
    assert ours == set(os.listdir(layerdb))
    for image in seen["images"]:
        below = None
        for chain_id, diff_id, directory in zip(
            image["chain_ids"], image["diff_ids"], image["directories"], strict=True
        ):
            entry = layerdb / chain_id.removeprefix("sha256:")
            assert (entry / "diff").read_text() == diff_id
            assert (entry / "cache-id").read_text() == directory
            assert ((entry / "parent").read_text() if below else (entry / "parent").exists()) == (below or False)
            below = chain_id


def test_directories_are_those_of_docker_inspect(seen, told):
    for image in seen["images"]:
        assert image["directories"][::-1] == cache_ids(layer_folders(told[image["id"]]))


def test_every_folder_has_an_owner(seen):
    assert seen["unowned_directories"] == []


def test_history_and_size_are_those_of_docker(docker, told):
    store = open_store(docker.root)
    sizes = {folder.chain_id: folder.size for folder in store.layer_folders()}
    for image in store.images():
        assert sum(sizes[chain_id] for chain_id in image.chain_ids) == told[image.id]["Size"]
    image = select(store, "kit/app:1")
    shown = docker.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "kit/app:1").splitlines()
    assert [entry.created_by for entry in reversed(image.config.history)] == shown


def test_names_and_prefixes_find_what_docker_finds(docker, seen):
    app = by_name(seen, "kit/app:1")["id"].removeprefix("sha256:")
    unnamed = next(image["id"] for image in seen["images"] if not image["names"])
    queries = [
        *NAMED,
        "kit/app",
        "docker.io/kit/app:1",
        "kit/app:latest",
        "localhost:5000/team/app:v1.2",
        "kit/none:1",
        "kit/base",
        "app:1",
    ]
    queries += [
        app,
        app[:12],
        app[:10],
        f"sha256:{app}",
        f"sha256:{app[:12]}",
        unnamed,
        "0" * 12,
        "xyz",
        "docker.io/library/kit/app:1",
        "Kit/app:1",
    ]
    store = open_store(docker.root)
    for query in queries:
        answer = docker.try_docker("image", "inspect", "--format", "{{.Id}}", query)
        if answer.returncode == 0:
            assert (query, select(store, query).id) == (query, answer.stdout.strip())
        else:
            assert overlaylab("tree", docker.root, query, status=2)["problems"][0]["kind"] == "no-such-image", query


def test_an_ambiguous_prefix_is_refused_as_docker_refuses_it(docker, seen):
    layers = {}
    for image in seen["images"]:
        layers.setdefault(image["id"].removeprefix("sha256:")[0], set()).add(tuple(image["diff_ids"]))
    twice = next(digit for digit, several in layers.items() if len(several) > 1)
    assert docker.try_docker("image", "inspect", twice).returncode != 0
    (problem,) = overlaylab("tree", docker.root, twice, status=2)["problems"]
    assert problem["kind"] == "ambiguous-image"


# Containers


def test_containers_are_those_of_docker(seen, told):
    expected = {key: answer for key, answer in told.items() if "State" in answer}
    assert sorted(container["id"] for container in seen["containers"]) == sorted(expected)
    for container in seen["containers"]:
        answer = expected[container["id"]]
        data = answer["GraphDriver"]["Data"]
        assert "/" + container["name"] == answer["Name"]
        assert container["image_id"] == answer["Image"]
        assert container["upper"] == data["UpperDir"].split("/")[-2]
        assert container["lower"] == cache_ids(data["LowerDir"].split(":"))


@pytest.mark.parametrize("name", RUNNING)
def test_mount_options_are_those_of_proc_mounts(docker, seen, told, name):
    container = container_called(seen, name)
    options = mounted_options(told[container["id"]]["GraphDriver"]["Data"]["MergedDir"])
    assert options_of(container["mount"]) == {key: options[key] for key in ("lowerdir", "upperdir", "workdir")}


def test_the_deep_container_was_mounted_by_relative_names(docker, seen):
    text = container_called(seen, "deep")["mount"]
    assert text.startswith("lowerdir=l/") and str(docker.root) not in text
    assert text.count("l/") == 62


def test_mount_options_of_a_stopped_container_are_those_that_docker_then_uses(docker, seen, told):
    container = container_called(seen, "never")
    docker.docker("start", "never")
    try:
        options = mounted_options(told[container["id"]]["GraphDriver"]["Data"]["MergedDir"])
        assert options_of(container["mount"]) == {key: options[key] for key in ("lowerdir", "upperdir", "workdir")}
    finally:
        docker.docker("kill", "never")


def container_called(seen, name):
    return next(container for container in seen["containers"] if container["name"] == name)


def mounted_options(merged):
    """The options in the line of /proc/mounts for a container's merged folder."""
    (options,) = [options for place, kind, options in mounts() if place == merged and kind == "overlay"]
    return options_of(options)


def options_of(text):
    return dict(option.partition("=")[::2] for option in text.split(","))


# Content


def test_verify_finds_nothing(docker):
    report = overlaylab("verify", docker.root)
    assert (report["ok"], report["problems"]) == (True, [])
    assert report["not_checked"] == []
    for target in ("kit/app:1", "web"):
        assert overlaylab("verify", docker.root, target)["ok"]


@pytest.mark.parametrize("name", NAMED)
def test_tree_of_an_image_is_the_kernels_view(docker, told, tmp_path, name):
    answer = next(answer for answer in told.values() if name in answer.get("RepoTags", ()))
    with kernel_view(tmp_path / "view", layer_folders(answer)) as view:
        assert different(listing(view), tree(docker.root, name)) == {}


@pytest.mark.parametrize("name", RUNNING)
def test_tree_of_a_running_container_is_its_merged_folder(docker, told, name):
    answer = next(answer for answer in told.values() if answer.get("Name") == f"/{name}")
    ours = tree(docker.root, name)
    assert different(listing(answer["GraphDriver"]["Data"]["MergedDir"]), ours) == {}
    assert ".dockerenv" in ours


@pytest.mark.parametrize("name", ["done", "never"])
def test_tree_of_an_ended_container_is_the_kernels_view(docker, told, tmp_path, name):
    answer = next(answer for answer in told.values() if answer.get("Name") == f"/{name}")
    with kernel_view(tmp_path / "view", layer_folders(answer)) as view:
        assert different(listing(view), tree(docker.root, name)) == {}


@pytest.mark.parametrize("name", ["kit/app:1", "web"])
def test_the_layer_of_an_entry_is_the_topmost_folder_that_has_it(docker, told, name):
    answer = next(
        answer for answer in told.values() if name in answer.get("RepoTags", ()) or answer.get("Name") == f"/{name}"
    )
    folders = layer_folders(answer)[::-1]
    for path, entry in overlaylab("tree", docker.root, name).items():
        having = [number for number, folder in enumerate(folders) if os.path.lexists(os.path.join(folder, path))]
        assert (path, entry["layer"]) == (path, having[-1])


def test_what_a_container_wrote_and_deleted_shows(docker):
    web, image = tree(docker.root, "web"), tree(docker.root, "kit/app:1")
    assert {"etc/config", "data/hard3", "app/cache/fresh", "data/link-to-dir/inside"} <= image.keys() - web.keys()
    assert {"app/cache/mine", "moved", "dangling", "pipe", "ready"} <= web.keys() - image.keys()
    assert different(web, tree(docker.root, "kit/committed:1")).keys() >= {".dockerenv"}


# Reading only


def test_reading_changes_nothing(docker):
    with docker.frozen():
        before = fingerprint(docker.root)
        assert len(before) > 2000
        overlaylab("inspect", docker.root)
        overlaylab("verify", docker.root)
        overlaylab("tree", docker.root, "kit/app:1")
        overlaylab("tree", docker.root, "web")
        assert different(before, fingerprint(docker.root)) == {}


def test_someone_without_the_right_is_told_what_to_do(docker):
    """Everything is imported first, so that only the data root can be what may not be read."""
    script = (
        "import importlib, json, os, pkgutil, sys, zoneinfo, overlaylab.cli.commands\n"
        "for module in pkgutil.walk_packages(overlaylab.__path__, 'overlaylab.'):\n"
        "    module.name.endswith('__main__') or importlib.import_module(module.name)\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "overlaylab.cli.commands.main(sys.argv[1:])"
    )
    for command in ("inspect", "verify"):
        done = subprocess.run(
            [sys.executable, "-c", script, command, docker.root, "--json"], capture_output=True, check=False
        )
        (problem,) = json.loads(done.stdout)["problems"]
        assert (done.returncode, problem["kind"], problem["severity"]) == (2, "permission-denied", "error")
        assert "sudo overlaylab" in problem["expected"]
        assert b"Traceback" not in done.stderr


def test_a_tar_of_the_root_is_read_as_the_root(docker, seen, tmp_path):
    """While the containers run: their mounted views are left out, as anyone would."""
    packed = tmp_path / "no.suffix"
    command = [
        tiers.tool("tar"),
        "--xattrs",
        "--xattrs-include=*",
        "--numeric-owner",
        "--exclude=./overlay2/*/merged/*",
    ]
    with docker.frozen():
        subprocess.run([*command, "-C", docker.root, "-czf", packed, "."], check=True, capture_output=True)
    assert overlaylab("inspect", packed) == seen | {"path": str(packed)}
    for name in ("kit/app:1", "kit/committed:1", "web", "done"):
        assert different(overlaylab("tree", docker.root, name), overlaylab("tree", packed, name)) == {}
    assert overlaylab("verify", packed)["ok"]


# Archives that this engine writes


@pytest.fixture(scope="module")
def saved(docker, tmp_path_factory):
    """``docker save`` of all named images in one archive."""
    path = tmp_path_factory.mktemp("saved") / "all.tar"
    docker.docker("save", "--output", str(path), *NAMED)
    return path


def facts(image):
    """What an image is, wherever it lies."""
    return {key: image[key] for key in ("id", "platform", "config_digest", "diff_ids", "chain_ids")}


def test_saved_images_are_those_of_the_root(seen, saved):
    archive = overlaylab("inspect", saved)
    assert (archive["kind"], archive["problems"], archive["containers"]) == ("docker-archive", [], [])
    assert {name for image in archive["images"] for name in image["names"]} == set(NAMED)
    for name in NAMED:
        assert facts(by_name(archive, name)) == facts(by_name(seen, name))
        assert by_name(archive, name)["directories"] is None
    report = overlaylab("verify", saved)
    assert (report["ok"], report["problems"], report["not_checked"]) == (True, [], [])


@pytest.mark.parametrize("name", NAMED)
def test_tree_of_a_saved_image_is_that_of_the_root(docker, saved, name):
    assert different(but_root(tree(docker.root, name)), but_root(tree(saved, name))) == {}


def test_an_image_saved_by_its_id_has_no_name(docker, seen, tmp_path):
    image = by_name(seen, "kit/app:1")
    for number, query in enumerate((image["id"], image["id"][7:19])):
        path = tmp_path / f"{number}.tar"
        docker.docker("save", "--output", str(path), query)
        (found,) = overlaylab("inspect", path)["images"]
        assert (found["names"], facts(found)) == ([], facts(image))
        assert overlaylab("verify", path, image["id"][7:15])["ok"]


def test_an_image_with_several_names_is_saved_with_all_that_were_asked_for(docker, tmp_path):
    path = tmp_path / "two.tar"
    docker.docker("save", "--output", str(path), "kit/app:latest", "kit/sibling:1", "localhost:5000/team/app:v1.2")
    images = overlaylab("inspect", path)["images"]
    assert sorted(image["names"] for image in images) == [
        ["kit/app:latest", "localhost:5000/team/app:v1.2"],
        ["kit/sibling:1"],
    ]


def test_config_digests_are_the_ids(docker, saved):
    """The image ID is the digest of bytes that both keep."""
    store = open_store(saved)
    for image in store.images():
        raw = (docker.root / f"image/overlay2/imagedb/content/sha256/{image.id[7:]}").read_bytes()
        assert image.config.raw == raw
        assert image.id == "sha256:" + hashlib.sha256(raw).hexdigest()


# What changes the store, last


def test_a_loaded_image_keeps_its_layers(docker, saved, seen):
    """Remove and load: the same chain_ids lie in new folders, and no build step is known any more."""
    before = by_name(seen, "kit/imported:1")
    docker.docker("rmi", "kit/imported:1")
    assert "kit/imported:1" not in json.dumps(overlaylab("inspect", docker.root))
    docker.docker("load", "--input", str(saved))
    after = by_name(overlaylab("inspect", docker.root), "kit/imported:1")
    assert facts(after) == facts(before)
    assert after["directories"] != before["directories"]
    assert different(but_root(tree(saved, "kit/imported:1")), but_root(tree(docker.root, "kit/imported:1"))) == {}


def test_a_container_outlives_its_image(docker, told):
    """Docker removes the config and keeps the layers that a container stands on."""
    answer = next(answer for answer in told.values() if answer.get("Name") == "/done")
    before = tree(docker.root, "done")
    docker.docker("rmi", "--force", "kit/sibling:1")
    assert docker.try_docker("image", "inspect", answer["Image"]).returncode != 0
    after = overlaylab("inspect", docker.root)
    assert answer["Image"] not in [image["id"] for image in after["images"]]
    assert container_called(after, "done")["image_id"] == answer["Image"]
    assert (after["problems"], after["unowned_directories"]) == ([], [])
    assert different(before, tree(docker.root, "done")) == {}
    assert overlaylab("verify", docker.root, "done")["ok"]
