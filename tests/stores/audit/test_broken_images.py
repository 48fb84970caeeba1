"""Broken and odd inputs: each is refused or warned of by its kind, quickly, in words, and harms nothing."""

import contextlib
import io
import json
import os

import pytest
from builders import DATA

from overlaylab.cli.commands import run as run_cli

BROKEN = DATA / "broken-images"
CASES = [case for case in json.loads((BROKEN / "expected.json").read_text(encoding="utf-8"))["cases"]]


def run(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = run_cli([*map(str, arguments), "--json"])
    return status, json.loads(out.getvalue())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_input_is_read_warned_of_or_refused_by_its_kind(case):
    status, report = run("verify", BROKEN / case["file"])
    kinds = {problem["kind"] for problem in report["problems"]}
    named = kinds & set(case["kind"].split("|"))

    match case["verdict"]:
        case "accept":
            assert (status, report["problems"]) == (0, [])
        case "warn":
            assert status == 0 and named and report["ok"]
        case "refuse":
            assert status in (1, 2) and named and not report["ok"]
        case "either":
            assert named and report["ok"] == (status == 0)
    assert all(problem["where"] for problem in report["problems"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_nothing_is_written_and_nothing_outside_is_read(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {name: (BROKEN / name).stat().st_mtime_ns for name in os.listdir(BROKEN)}
    for command in (("inspect", BROKEN / case["file"]), ("tree", BROKEN / case["file"], "broken/img:1")):
        status, answer = run(*command)
        assert status in (0, 1, 2)
        assert "root:x:0" not in json.dumps(answer)

    assert not os.path.exists("/tmp/overlaylab-evil")
    assert list(tmp_path.iterdir()) == []
    assert {name: (BROKEN / name).stat().st_mtime_ns for name in os.listdir(BROKEN)} == before


def test_later_one_of_two_entries_wins():
    status, entries = run("tree", BROKEN / "layer-duplicate-entry.tar", "broken/img:1")

    assert status == 0
    assert entries["etc/twice"]["size"] == len("second\n")


def test_absolute_name_is_read_inside_the_image():
    _, entries = run("tree", BROKEN / "layer-absolute.tar", "broken/img:1")

    assert entries["etc/abs"]["type"] == "file"


def test_config_with_another_name_keeps_the_id_of_its_content():
    _, odd = run("inspect", BROKEN / "docker-config-name.tar")
    _, control = run("inspect", BROKEN / "control-docker-archive.tar")

    assert [image["id"] for image in odd["images"]] == [image["id"] for image in control["images"]]


def test_image_without_its_tag_is_still_listed():
    _, facts = run("inspect", BROKEN / "root-tag-dangling.tar.gz")

    assert [image["names"] for image in facts["images"]].count([]) == 1
