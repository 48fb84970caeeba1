"""Stores that engines write while we read: what we say is true of some moment, or we say that it changed meanwhile."""

import contextlib
import io
import json
import shutil
import subprocess
import tempfile
import threading

import pytest
import realdata
import tiers
from builders import member, tar
from engines.dockerd import ground, unmount_below

from overlaylab.cli.commands import run

pytestmark = pytest.mark.tier("engines")

READINGS = 3
SAVED = realdata.STORES / "docker20-save/docker20-save.tar"
# What a target that comes and goes may be answered with.
GONE = {"changed-while-reading", "no-such-image", "missing-layer", "missing-cache-dir"}
LAYER = tar(member("only", b"one layer\n"), *(member(f"folder{number}/file", b"x" * number) for number in range(60)))


def asked(*arguments):
    """Exit status and answer of the command line, in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        status = run([*map(str, arguments), "--json"])
    return status, json.loads(out.getvalue())


@contextlib.contextmanager
def working(call, actions):
    """An engine that does the same things over and over."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            for action in actions:
                call(*action)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def read_along(root, steady, moving):
    """Put every command to a store in which `steady` stays as it is while `moving` comes and goes."""
    before = asked("tree", root, steady)
    assert before[0] == 0
    for _ in range(READINGS):
        for command in ("inspect", "verify"):
            _, facts = asked(command, root)
            assert {problem["kind"] for problem in facts["problems"]} <= {"changed-while-reading"}, facts["problems"]
        assert asked("tree", root, steady) == before
        assert asked("owners", root)[0] == 0
        status, answer = asked("tree", root, moving)
        if status == 0:
            assert {"only", *(f"folder{number}/file" for number in range(60))} <= answer.keys()
        else:
            assert {problem["kind"] for problem in answer["problems"]} <= GONE, answer["problems"]


def test_docker_at_work(docker, tmp_path):
    packed = tmp_path / "layer.tar"
    packed.write_bytes(LAYER)
    off = ["--network", "none"]
    actions = [
        ["import", str(packed), "kit/moving:1"],
        ["create", *off, "--name", "moving", "kit/moving:1", "x"],
        ["commit", "moving", "kit/moved:1"],
        ["rm", "moving"],
        ["rmi", "kit/moved:1"],
        ["rmi", "kit/moving:1"],
    ]
    with working(docker.try_docker, actions):
        read_along(docker.root, "kit/app:1", "kit/moving:1")
        read_along(docker.root, "web", "moving")


def test_podman_at_work(tmp_path_factory):
    folder = ground(tmp_path_factory.mktemp("podman-at-work"))
    # podman refuses a run root of more than 50 characters.
    runroot = tempfile.mkdtemp(prefix="run")
    packed = folder / "layer.tar"
    packed.write_bytes(LAYER)
    podman = [tiers.tool("podman"), "--root", folder / "root", "--runroot", runroot, "--storage-driver", "overlay"]

    def call(*arguments):
        return subprocess.run([*podman, *arguments], capture_output=True, text=True, check=False)

    actions = [
        ["import", str(packed), "localhost/kit/moving:1"],
        ["create", "--network", "none", "--name", "moving", "localhost/kit/moving:1", "x"],
        ["rm", "moving"],
        ["rmi", "localhost/kit/moving:1"],
    ]
    try:
        loaded = call("load", "--input", SAVED)
        assert loaded.returncode == 0, loaded.stderr
        with working(call, actions):
            read_along(folder / "root", "kit/app:1", "kit/moving:1")
            read_along(folder / "root", "kit/app:1", "moving")
    finally:
        call("umount", "--all", "--force")
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(runroot, ignore_errors=True)
