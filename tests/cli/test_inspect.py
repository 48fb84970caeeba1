"""The contract of `inspect`: the form of its answer, and which places it reads."""

import os
import re
import sys

import pytest
from builders import Layout, member, tar, write
from clikit import INPUTS, SAVE, VERIFY, check_problems, has_errors, refusal, run, run_json
from realdata import NAMES, archive

INSPECT = ["path", "kind", "images", "containers", "unowned_directories", "problems"]


IMAGE = ["id", "names", "platform", "config_digest", "manifest_digest", "diff_ids", "chain_ids", "directories"]


CONTAINER = ["id", "name", "image_id", "lower", "upper", "mount"]


KINDS_OF_STORES = [
    "docker-archive",
    "oci-layout",
    "docker-root",
    "docker-containerd-root",
    "containerd-root",
    "containers-storage",
]


DIGEST = re.compile("sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("name", INPUTS)
def test_inspect_has_its_form(name):
    status, answer = run_json("inspect", INPUTS[name])
    check_problems(answer["problems"])
    if status == 2:
        assert list(answer) == VERIFY and has_errors(answer["problems"]) and not answer["ok"]
        return
    assert list(answer) == INSPECT
    assert answer["path"] == str(INPUTS[name])
    assert answer["kind"] in KINDS_OF_STORES
    assert status == has_errors(answer["problems"])
    for image in answer["images"]:
        check_image(image, answer["kind"])
    for container in answer["containers"]:
        assert list(container) == CONTAINER
        assert container["mount"].startswith("lowerdir=")
        assert not {*container["lower"], container["upper"]} & {*answer["unowned_directories"]}


def check_image(image, kind):
    in_containerd = kind in ("containerd-root", "docker-containerd-root")
    assert list(image) == IMAGE + ["namespace"] * in_containerd
    assert image["names"] == sorted(set(image["names"]))
    digests = [
        image["id"],
        image["config_digest"],
        image["manifest_digest"],
        *(image["diff_ids"] or []),
        *(image["chain_ids"] or []),
    ]
    assert all(DIGEST.fullmatch(digest) for digest in digests if digest is not None)
    if image["diff_ids"] is None:
        assert image["chain_ids"] is image["directories"] is None
    else:
        assert in_containerd or image["id"] == image["config_digest"]
        assert len(image["diff_ids"]) == len(image["chain_ids"])
        assert (image["directories"] is None) == (kind in ("docker-archive", "oci-layout"))


def test_the_same_question_has_the_same_answer():
    for name in NAMES:
        assert run("inspect", archive(name), "--json") == run("inspect", archive(name), "--json")


@pytest.mark.parametrize("path", ["absent", "", "absent/deeper", "x" * 300, "file/below", "loop"])
def test_what_is_not_there_is_not_found(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    os.symlink("loop", tmp_path / "loop")
    for command in ("inspect", "verify"):
        assert refusal(command, path) == "not-found"


def test_what_is_something_else_is_no_image(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "empty").write_text("")
    assert [refusal("inspect", tmp_path / name) for name in ("folder", "text", "empty")] == [
        "not-an-image",
        "not-an-image",
        "empty",
    ]


def test_the_content_decides_and_not_the_name(tmp_path):
    for name in ("docker20-dataroot", "docker26-save", "oci-multi"):
        for suffix in ("zip", "json", "tar.zst", ""):
            other = tmp_path / f"{name}.{suffix}"
            other.symlink_to(archive(name))
            status, answer = run_json("inspect", other)
            assert (status, answer["path"]) == (0, str(other))
            assert answer["images"] == run_json("inspect", archive(name))[1]["images"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_path_that_is_not_utf8_is_read_and_told_in_ascii(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tar")
    with open(path, "wb") as file:
        file.write(SAVE.read_bytes())
    status, answer = run_json("inspect", path)
    assert (status, os.fsencode(answer["path"])) == (0, os.fsencode(path))
    assert "caf\\xe9.tar" in run("inspect", path)[1]


def test_two_manifests_of_one_config_are_one_image_with_both_names(tmp_path):
    layout = Layout()
    layer = tar("f")
    layout.name(layout.image([layer]), "kit/packed:1").name(layout.image([layer], pack=bytes), "kit/plain:1")
    _, answer = run_json("inspect", write(tmp_path, layout.tar()))

    assert [image["names"] for image in answer["images"]] == [["kit/packed:1", "kit/plain:1"]]


def test_half_a_surrogate_pair_in_a_document_is_printed_as_an_escape(tmp_path):
    """JSON can hold what no encoding takes."""
    raw = rb'{"os": "\ud800", "architecture": "\udcff", "rootfs": {}}'
    manifest = rb'[{"Config": "c.json", "RepoTags": ["\ud83dx:1"], "Layers": []}, {"Config": "\ud800", "Layers": []}]'
    path = write(tmp_path, tar(member("c.json", raw), member("manifest.json", manifest)))

    for command in (["inspect", path], ["verify", path], ["tree", path, "absent"]):
        _, out, err = run(*command)
        assert all(char.isprintable() or char == "\n" for char in out + err)
        assert "Traceback" not in out + err
    assert "\\ud83dx:1" in run("inspect", path)[1]
