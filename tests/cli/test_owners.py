"""The contract of `owners`: the form of its answer, and paths on the host."""

import subprocess

import pytest
from clikit import INPUTS, refused, run_json
from realdata import archive

OWNED = ["directory", "layers", "images", "containers", "guess"]


SHARING = ["id", "names", "directories", "own_bytes", "shared_bytes", "shared_with"]


GUESSES = {"image layer", "container", "init layer", "build cache", "leftover"}


@pytest.mark.parametrize("name", INPUTS)
def test_owners_has_its_form(name):
    status, answer = run_json("owners", INPUTS[name])
    if status:
        assert refused(answer)
        return
    listed = run_json("inspect", INPUTS[name])[1]
    assert all(list(item) == OWNED and item["guess"] in GUESSES for item in answer["directories"])
    assert all(list(item) == SHARING for item in answer["images"])
    assert [item["id"] for item in answer["images"]] == [image["id"] for image in listed["images"]]
    assert [item["directories"] for item in answer["images"]] == [image["directories"] for image in listed["images"]]
    unowned = [item["directory"] for item in answer["directories"] if not item["images"] and not item["containers"]]
    assert unowned == listed["unowned_directories"]
    for item in answer["directories"][:3]:
        one = run_json("owners", INPUTS[name], item["directory"])[1]
        assert one["directories"] == [item]
        assert {image["id"] for image in one["images"]} == set(item["images"])


def test_owner_of_a_path_on_the_host_is_found_upwards(tmp_path):
    """By a path through the store that was packed elsewhere, and by a path of this machine with the store around it."""
    path = archive("podman5-storage")
    layer = run_json("inspect", path)[1]["images"][0]["directories"][0]
    (tmp_path / "storage").mkdir()
    subprocess.run(
        ["tar", "-C", tmp_path / "storage", "--exclude=diff/dev/*", "-xzf", path],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    by_path = run_json("owners", path, f"/var/lib/containers/storage/overlay/{layer}/diff/usr")
    by_host = run_json("owners", tmp_path / "storage/overlay" / layer / "diff/etc")

    for status, answer in (by_path, by_host):
        assert status == 0
        assert [item["directory"] for item in answer["directories"]] == [layer]
        assert len(answer["images"]) == 7
