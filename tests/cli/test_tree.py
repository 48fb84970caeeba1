"""The contract of `tree`: the form of its answer, and what it heeds."""

import json
import os

import pytest
from builders import DATA, config, docker_archive, member, tar, write
from clikit import INPUTS, VERIFY, check_problems, has_errors, refusal, run, run_json, tree_of
from realdata import archive

ENTRY = {"type", "mode", "uid", "gid", "mtime_ns", "size", "sha256", "nlink", "target", "rdev", "xattrs_hex", "layer"}


LAYER_A, LAYER_B = tar(member("a", b"a")), tar(member("b", b"b"))


@pytest.mark.parametrize("name", INPUTS)
def test_tree_has_its_form(name):
    """Of every image and container that inspect lists."""
    _, listed = run_json("inspect", INPUTS[name])
    targets = [(image["id"], image["platform"]) for image in listed.get("images", [])[:6]]
    targets += [(container["id"], None) for container in listed.get("containers", [])]
    for target, platform in targets:
        status, answer = run_json("tree", INPUTS[name], target, *(["--platform", platform] if platform else []))
        if status:
            assert list(answer) == VERIFY and has_errors(answer["problems"])
            check_problems(answer["problems"])
            continue
        assert answer["."]["type"] == "dir"
        for path, entry in answer.items():
            assert {"type", "mode", "uid", "gid", "mtime_ns", "layer"} <= entry.keys() <= ENTRY
            assert not path.startswith(("/", "./")) and ".." not in path.split("/")


def test_names_that_are_not_utf8_survive():
    for name in ("docker20-save", "docker20-dataroot"):
        entries = run_json("tree", archive(name), "kit/app:1")[1]
        assert os.fsdecode(b"data/latin1-caf\xe9.txt") in entries


def test_tree_heeds_only_what_it_needs(tmp_path):
    """One good image beside one whose config is cut short."""
    path = write(
        tmp_path,
        docker_archive(
            ([LAYER_A], {"tags": ["good:1"]}), ([LAYER_B], {"tags": ["bad:1"], "raw": config([LAYER_B])[:-5]})
        ),
    )
    assert run_json("inspect", path)[0] == 1
    assert "a" in tree_of(path, "good:1")
    assert refusal("tree", path, "bad:1") == "no-such-image"


def test_tree_of_what_is_damaged_has_the_form_of_verify():
    path = DATA / "broken-images" / "docker-diffid-mismatch.tar"
    status, answer = run_json("tree", path, "broken/img:1")
    assert (status, list(answer), answer["ok"]) == (1, VERIFY, False)
    assert "diffid-mismatch" in [problem["kind"] for problem in answer["problems"]]


def test_warnings_go_to_standard_error():
    path = DATA / "broken-images" / "layer-absolute.tar"
    status, out, err = run("tree", path, "broken/img:1", "--json")
    assert status == 0 and json.loads(out)
    assert err.startswith("warning: absolute-name")
