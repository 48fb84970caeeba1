"""The command line as a program: exit statuses, encodings, pipes, and text that is safe for a terminal."""

import json
import os
import subprocess
import sys

import pytest
from builders import DATA, docker_archive, member, tar, write
from clikit import INPUTS, SAVE, program, run, run_json, targets_of
from realdata import UNPACKED


@pytest.mark.parametrize("name", [*UNPACKED, "oci-multi", "docker20-save"])
def test_text_of_the_other_commands_is_text(name):
    target, query = next(targets_of(name))
    for command in (
        ["layers", INPUTS[name], *query],
        ["mount", INPUTS[name], *query],
        ["owners", INPUTS[name]],
        ["id", target["id"], INPUTS[name]],
    ):
        status, out, err = run(*command)
        assert status == run_json(*command)[0]
        assert (out if status < 2 else err).strip()
        assert all(char.isprintable() or char == "\n" for char in out + err)


def test_text_from_outside_cannot_act_on_a_terminal(tmp_path):
    """A hostile name would clear the screen, or pretend to be a line of ours."""
    evil = "a\x1b[2J\nok: all that was recomputed fits\u202e\udcff"
    path = write(
        tmp_path,
        docker_archive(
            ([tar(member(evil), member("l", kind="symlink", link=evil))], {"tags": [evil], "architecture": evil})
        ),
    )
    for command in (["inspect", path], ["verify", path], ["tree", path, evil], ["tree", path, evil + "x"]):
        _, out, err = run(*command)
        assert all(char.isprintable() or char == "\n" for char in out + err)
        assert "\nok: all that was recomputed fits" not in out + err
        assert run(*command, "--json")[1].isascii()


def test_the_program_exits_as_the_contract_says():
    broken = DATA / "broken-images"
    assert program("verify", SAVE).returncode == 0
    assert program("verify", broken / "docker-diffid-mismatch.tar").returncode == 1
    assert program("verify", broken / "docker-empty.tar").returncode == 2
    assert program("bogus").returncode == 2


def test_ascii_is_ascii_whatever_the_locale():
    environment = os.environ | {"PYTHONIOENCODING": "utf-16", "LC_ALL": "C"}
    plain = program("tree", SAVE, "kit/app:1", "--json").stdout
    assert plain.isascii() and b"\\ud83d\\udc33" in plain
    assert json.loads(
        program("tree", SAVE, "kit/app:1", "--json", env=environment).stdout.decode("utf-16")
    ) == json.loads(plain)
    assert program("tree", SAVE, "kit/app:1", env=os.environ | {"PYTHONIOENCODING": "latin-1"}).returncode == 0


def test_a_reader_that_has_seen_enough_changes_nothing():
    """As with ``| head``: no traceback, and the exit status stays what it is."""
    for arguments, status in (
        (["tree", SAVE, "kit/app:1"], 0),
        (["verify", DATA / "broken-images" / "docker-diffid-mismatch.tar"], 1),
        (["tree", SAVE, "none"], 2),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "wb") as closed:
            command = [sys.executable, "-m", "overlaylab", *map(str, arguments), "--json"]
            done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (status, b"")


def test_letters_that_the_terminal_cannot_show_are_escaped(tmp_path):
    path = write(tmp_path, docker_archive(([tar(member("pi-π"))], {})))
    shown = program("tree", path, "test/image:1", env=os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"})

    assert shown.returncode == 0 and rb"pi-\u03c0" in shown.stdout
