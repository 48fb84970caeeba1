"""The stores of a live containerd and of podman: what we read is what they say themselves, and nothing is changed."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest
import realdata
import tiers
from engines.dockerd import CONTAINERD, end, fingerprint, ground, mounts, unmount_below, wait_for
from engines.second_opinion import listing, overlaylab, tree

pytestmark = pytest.mark.tier("engines")

SAVED = realdata.STORES / "docker20-save/docker20-save.tar"
APP = "docker.io/kit/app:1"


def run(*command, check=True):
    done = subprocess.run(
        [tiers.tool(command[0]), *map(str, command[1:])], capture_output=True, text=True, timeout=120, check=False
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def asked(options):
    """What an engine asked for, of the options of a mount."""
    wanted = ("lowerdir", "upperdir", "workdir", "userxattr")
    return {
        option.partition("=")[0]: option.partition("=")[2]
        for option in options.split(",")
        if option.partition("=")[0] in wanted
    }


# containerd


@pytest.fixture(scope="module")
def containerd(tmp_path_factory):
    """A containerd of our own that has unpacked images and holds a writable snapshot for a container."""
    folder = ground(tmp_path_factory.mktemp("containerd"))
    (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [tiers.tool("containerd"), "--config", folder / "containerd.toml"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def alive():
        assert process.poll() is None, (folder / "log").read_text()

    def ctr(*arguments, check=True):
        return run("ctr", "--address", folder / "containerd.sock", *arguments, check=check)

    ctr.process = process
    try:
        wait_for("containerd", lambda: (folder / "containerd.sock").exists(), alive)
        ctr("images", "import", "--snapshotter", "overlayfs", SAVED)
        ctr("--namespace", "other", "images", "import", "--no-unpack", SAVED)
        ctr("container", "create", "--snapshotter", "overlayfs", APP, "held")
        yield folder / "containerd", ctr
    finally:
        end(process)
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


def test_containerd_knows_the_same_images(containerd):
    root, ctr = containerd
    facts = overlaylab("inspect", root)
    told = {line.split()[0]: line.split()[2] for line in ctr("images", "list").splitlines()[1:]}
    seen = {
        name: image["id"] for image in facts["images"] if image["namespace"] == "default" for name in image["names"]
    }

    assert (facts["kind"], facts["problems"]) == ("containerd-root", [])
    assert seen == told
    assert {image["namespace"] for image in facts["images"]} == {"default", "other"}


def test_containerd_knows_the_same_snapshots(containerd):
    root, ctr = containerd
    told = {line.split()[0] for line in ctr("snapshots", "--snapshotter", "overlayfs", "list").splitlines()[1:]}
    facts = overlaylab("owners", root)
    chains = {chain for item in facts["directories"] for chain in item["layers"]}

    assert chains == {key for key in told if key.startswith("sha256:")}
    assert [item["guess"] for item in facts["directories"] if not item["layers"]] == ["container"]
    assert len(facts["directories"]) == len(told)


def test_containerd_mounts_its_container_as_we_say(containerd, tmp_path):
    root, ctr = containerd
    command = ctr("snapshots", "--snapshotter", "overlayfs", "mounts", tmp_path, "held").split()
    assert asked(command[command.index("-o") + 1]) == asked(overlaylab("mount", root, "held")["options"])
    run(*command)
    try:
        (place,) = [options for place, _, options in mounts() if place == str(tmp_path)]
        assert asked(place) == asked(overlaylab("mount", root, "held")["options"])
        assert tree(root, "held") == listing(tmp_path)
    finally:
        run("umount", tmp_path)


def test_live_containerd_is_proven_and_left_as_it_is(containerd):
    """Held still meanwhile: it clears up by itself some time after an import."""
    root, ctr = containerd
    ctr.process.send_signal(signal.SIGSTOP)
    try:
        before = fingerprint(root)
        report = overlaylab("verify", root)
        after = fingerprint(root)
    finally:
        ctr.process.send_signal(signal.SIGCONT)

    assert (report["ok"], report["problems"]) == (True, [])
    assert after == before


def test_containerd_at_work_gives_warnings_at_most(containerd):
    """Images and snapshots come and go while we read; a database is never read half written."""
    root, ctr = containerd
    other = realdata.archive("crane-tarball")
    (moving,) = overlaylab("inspect", other)["images"][0]["names"]
    before = tree(root, APP)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            ctr("images", "tag", APP, "docker.io/kit/moving:1", check=False)
            ctr("images", "import", "--snapshotter", "overlayfs", other, check=False)
            ctr("snapshots", "--snapshotter", "overlayfs", "prepare", "scratch", check=False)
            for name in ("docker.io/kit/moving:1", moving):
                ctr("images", "rm", "--sync", name, check=False)
            ctr("snapshots", "--snapshotter", "overlayfs", "rm", "scratch", check=False)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            for command in ("inspect", "verify"):
                facts = overlaylab(command, root)
                assert {problem["kind"] for problem in facts["problems"]} <= {"changed-while-reading"}
            assert APP in [name for image in overlaylab("inspect", root)["images"] for name in image["names"]]
            assert tree(root, APP) == before
    finally:
        stop.set()
        worker.join()


# podman


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    """A storage of our own that podman has filled, with a container that is mounted."""
    folder = ground(tmp_path_factory.mktemp("podman"))
    # podman refuses a run root of more than 50 characters.
    runroot = tempfile.mkdtemp(prefix="run")

    def call(*arguments, check=True):
        return run(
            "podman",
            "--root",
            folder / "root",
            "--runroot",
            runroot,
            "--storage-driver",
            "overlay",
            *arguments,
            check=check,
        )

    try:
        call("load", "--input", SAVED)
        call("create", "--network", "none", "--name", "held", "localhost/kit/app:1")
        yield folder / "root", call
    finally:
        call("umount", "--all", "--force", check=False)
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(runroot, ignore_errors=True)


def test_podman_knows_the_same_images(podman):
    root, call = podman
    facts = overlaylab("inspect", root)
    told = {
        f"sha256:{item['Id']}": sorted(item.get("Names") or [])
        for item in json.loads(call("images", "--all", "--format", "json"))
    }

    assert (facts["kind"], facts["problems"], facts["unowned_directories"]) == ("containers-storage", [], [])
    assert {image["id"]: image["names"] for image in facts["images"]} == told
    for image in facts["images"]:
        (answer,) = json.loads(call("image", "inspect", image["id"]))
        assert answer["RootFS"]["Layers"] == image["diff_ids"]
        folders = [
            answer["GraphDriver"]["Data"]["UpperDir"],
            *filter(None, answer["GraphDriver"]["Data"].get("LowerDir", "").split(":")),
        ]
        assert [os.path.basename(os.path.dirname(path)) for path in reversed(folders)] == image["directories"]


def test_podman_mounts_its_container_as_we_say(podman):
    root, call = podman
    place = call("mount", "held").strip()
    (options,) = [options for where, kind, options in mounts() if where == place and kind == "overlay"]

    assert asked(overlaylab("mount", root, "held")["options"]) == asked(options)
    assert tree(root, "held") == listing(place)


def test_live_podman_storage_is_proven_and_left_as_it_is(podman):
    root, _ = podman
    before = fingerprint(root)
    report = overlaylab("verify", root)

    assert report == {"ok": True, "problems": [], "not_checked": []}
    assert fingerprint(root) == before
