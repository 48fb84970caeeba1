"""What harmed inputs have brought to light: each find as a small test."""

import json
import os
import shutil
import tarfile

import pytest
import realdata
from builders import unpack

import overlaylab as ol
from overlaylab.cli.commands import run
from overlaylab.stores import detect

posix = pytest.mark.skipif(os.name != "posix", reason="symlinks to anywhere")


def answer(capsys, *arguments):
    """Exit status, kinds of the problems, and the whole answer."""
    status = run([*map(str, arguments), "--json"])
    value = json.loads(capsys.readouterr().out)
    return status, [problem["kind"] for problem in value.get("problems", ())] if isinstance(value, dict) else [], value


def unpacked(name, folder):
    """A recorded store as a folder, without device nodes."""
    with tarfile.open(realdata.archive(name)) as tar:
        unpack(tar, folder)
    return folder


# Folders of a store that are symlinks: nothing outside is listed or read.

LINKED = [
    ("docker20-dataroot", "overlay2/{folder}"),
    ("docker20-dataroot", "overlay2/{folder}/diff"),
    ("podman5-rootless", "overlay/{folder}"),
    ("podman5-rootless", "overlay/{folder}/diff"),
    ("containerd16-root", "io.containerd.snapshotter.v1.overlayfs/snapshots/{folder}"),
    ("containerd16-root", "io.containerd.snapshotter.v1.overlayfs/snapshots/{folder}/fs"),
    ("containerd16-root", "io.containerd.content.v1.content"),
    ("containerd16-root", "io.containerd.content.v1.content/blobs"),
    ("docker20-dataroot", "image/overlay2/layerdb/sha256"),
    ("docker20-dataroot", "overlay2"),
    ("docker20-dataroot", "image"),
]


@posix
@pytest.mark.parametrize(("name", "path"), LINKED)
def test_folder_that_is_a_link_to_somewhere_else_is_not_followed(name, path, tmp_path, capsys):
    root = unpacked(name, tmp_path / "root")
    top = root if (root / path.split("/")[0]).exists() else next(root.iterdir())
    image = next(image for image in ol.open_store(root).images() if image.layers)
    place = top / path.format(folder=image.layers[0].directory)
    outside = tmp_path / "outside"
    # The same content, so that whoever follows the link finds nothing amiss.
    shutil.move(place, outside)
    (outside / "secret").mkdir()
    place.symlink_to(outside)

    for command in (["verify", root], ["tree", root, image.config_digest], ["owners", root], ["inspect", root]):
        status, kinds, value = answer(capsys, *command)
        assert status in (0, 1, 2) and "secret" not in json.dumps(value)
        assert command[0] in ("owners",) or (
            status > 0 and {"path-escape", "missing-cache-dir", "not-an-image"} & set(kinds)
        ), kinds


@posix
def test_folder_that_goes_while_it_is_read_is_named_in_text(tmp_path, monkeypatch):
    """Not as bytes, and never as an empty one."""
    from overlaylab.stores.files import directory

    (tmp_path / "gone").mkdir()
    listed = os.listdir
    monkeypatch.setattr(
        directory.os, "listdir", lambda path: listed(path) if not path.endswith(b"gone") else listed(path + b"/absent")
    )
    with pytest.raises(ol.errors.Finding) as caught:
        directory.read_directory(tmp_path)

    assert (caught.value.problem.kind, caught.value.problem.where) == ("changed-while-reading", "gone")


# An engine at work: what comes and goes between two readings is no damage.


@pytest.fixture
def podman(tmp_path):
    """A store of podman's as a folder, and one image's manifest in it."""
    root = unpacked("podman4-storage", tmp_path / "root")
    return root, next(path for path in sorted(root.rglob("overlay-images/*/manifest")))


def test_document_that_is_written_between_two_readings_is_no_damage(podman, monkeypatch, capsys):
    root, manifest = podman
    data = manifest.read_bytes()
    manifest.unlink()
    monkeypatch.setattr(detect.time, "sleep", lambda _: manifest.write_bytes(data))

    assert answer(capsys, "inspect", root)[1] == ["changed-while-reading"]


def test_store_that_never_holds_still_has_no_damage_that_one_reading_alone_has_seen(podman, monkeypatch, capsys):
    root, _ = podman
    manifests = sorted(root.rglob("overlay-images/*/manifest"))
    gone = []

    def work(_):
        """Each time another image is being written."""
        for path, data in gone:
            path.write_bytes(data)
        path = manifests[len(gone) % len(manifests)]
        gone[:] = [*gone, (path, path.read_bytes())]
        path.unlink()

    work(0)
    monkeypatch.setattr(detect.time, "sleep", work)

    assert answer(capsys, "inspect", root)[1] == ["changed-while-reading"]


def test_document_that_stays_away_is_damage(podman, capsys):
    root, manifest = podman
    manifest.unlink()

    assert answer(capsys, "inspect", root)[1] == ["missing-member"]
