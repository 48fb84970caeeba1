"""Options and arguments: where they may stand, and how a wrong call is refused."""

import json

import pytest
from clikit import SAVE, refusal, run


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "tree", SAVE, "kit/app:1"],
        ["tree", "--json", SAVE, "kit/app:1"],
        ["tree", SAVE, "--json", "kit/app:1"],
        ["tree", SAVE, "kit/app:1", "--json"],
        ["tree", "--json", "--", SAVE, "kit/app:1"],
        ["tree", SAVE, "kit/app:1", "--platform", "linux/amd64", "--json"],
        ["tree", "--platform=linux/amd64", SAVE, "kit/app:1", "--max-expand", "100000000", "--json"],
    ],
)
def test_options_may_stand_anywhere(arguments):
    status, out, _ = run(*arguments)
    assert status == 0
    assert json.loads(out)["etc/motd"]["type"] == "file"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["inspect"],
        ["verify"],
        ["tree"],
        ["tree", SAVE],
        ["inspect", SAVE, "extra"],
        ["tree", SAVE, "kit/app:1", "extra"],
        ["inspect", SAVE, "--bad"],
        ["inspect", "-x", SAVE],
        ["tree", SAVE, "kit/app:1", "--max-expand", "0"],
        ["inspect", SAVE, "--max-expand", "many"],
        ["tree", SAVE, "kit/app:1", "--platform", "linux"],
        ["tree", SAVE, "kit/app:1", "--platform", ""],
        ["tree", SAVE, "kit/app:1", "--platform", "linux/arm/v7/x"],
        ["inspect", SAVE, "--platform"],
    ],
)
def test_a_wrong_call_is_refused_as_such(arguments):
    assert refusal(*arguments) == "wrong-call"


def test_a_wrong_call_is_told_in_words_how_to_call():
    for arguments in (["tree", SAVE], ["inspect", SAVE, "--bad"]):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert f"Usage: overlaylab {arguments[0]} [OPTIONS] PATH" in err


def test_without_arguments_the_help_is_shown():
    status, out, err = run()
    assert status == 2
    assert all(
        f"  {command} " in out + err for command in ("inspect", "verify", "tree", "layers", "mount", "owners", "id")
    )


def test_help_is_no_error():
    for arguments in (["--help"], ["-h"], ["tree", "--help"], ["--version"]):
        assert run(*arguments)[0] == 0
