"""The contract of `verify`: the form of its answer, of a store and of one image."""

import pytest
from builders import Layout, member, tar, write
from clikit import INPUTS, VERIFY, check_problems, has_errors, refusal, run, run_json
from realdata import ARCHIVES, archive


@pytest.mark.parametrize("name", INPUTS)
def test_verify_has_its_form(name):
    status, answer = run_json("verify", INPUTS[name])
    check_problems(answer["problems"])
    assert list(answer) == VERIFY
    assert answer["ok"] is not has_errors(answer["problems"])
    assert answer["ok"] == (status == 0)
    assert all(list(item) == ["what", "why"] and item["why"] for item in answer["not_checked"])


@pytest.mark.parametrize("name", ARCHIVES)
def test_verify_of_one_image_is_about_that_image(name):
    for image in run_json("inspect", archive(name))[1]["images"]:
        assert run_json("verify", archive(name), image["id"])[0] == 0


def test_a_limit_can_be_set(tmp_path):
    assert refusal("verify", archive("docker20-dataroot"), "--max-expand", "100000") == "limit"
    layout = Layout()
    path = write(tmp_path, tar(*layout.name(layout.image([tar(member("zeros", bytes(1 << 20)))]), "one:1").members()))
    assert run_json("verify", path)[0] == 0
    for command in (["verify", path], ["tree", path, "one:1"]):
        status, answer = run_json(*command, "--max-expand", "10000")
        assert (status, "limit" in [problem["kind"] for problem in answer["problems"]]) == (1, True)


@pytest.mark.parametrize("name", INPUTS)
def test_text_says_the_same_and_never_a_traceback(name):
    """Without ``--json``: the same status, something to read, and no control characters in it."""
    for command in ("inspect", "verify"):
        status, out, err = run(command, INPUTS[name])
        assert status == run_json(command, INPUTS[name])[0]
        assert (out if status < 2 else err).strip()
        assert all(char.isprintable() or char == "\n" for char in out + err)
