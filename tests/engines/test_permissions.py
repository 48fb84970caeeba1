"""Stores of every kind, looked at by someone who may not: what to do is said, and nothing else."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
import realdata
from builders import unpack

import overlaylab as ol

pytestmark = pytest.mark.tier("engines")

# Everything is imported first, so that only the store can be what may not be read.
NOBODY = (
    "import json, os, sys, zoneinfo, overlaylab.cli.commands, overlaylab.stores.selection, overlaylab.stores.detect\n"
    "import overlaylab.stores.files.open_place, overlaylab.stores.containerd.root, overlaylab.stores.docker.drivers\n"
    "import overlaylab.stores.containers_storage, overlaylab.stores.mixed_store\n"
    "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
    "overlaylab.cli.commands.main(sys.argv[1:])"
)
STORES = [
    "docker20-dataroot",
    "docker28-containerd-store",
    "containerd16-root",
    "podman5-storage",
    "podman5-rootless",
    "oci-gzip",
    "docker26-save",
]


def close(root, what):
    """Take the right to read away: the root, the folders in it, or all files."""
    for place, folders, files in os.walk(root):
        for name in folders if what == "folders" else files if what == "files" else ():
            if not os.path.islink(path := os.path.join(place, name)):
                os.chmod(path, 0o711 if what == "folders" else 0o600)
        if what == "root":
            break
    os.chmod(root, 0o700 if what == "root" else 0o755)


@pytest.fixture
def reachable():
    """A folder that others may enter; pytest's own they may not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


# Of a layout every file is known by its name, so that nobody needs to list a folder.
@pytest.mark.parametrize(
    ("name", "what"),
    [
        (name, what)
        for name in STORES
        for what in ("root", "folders", "files")
        if what != "folders" or name in realdata.UNPACKED
    ],
)
def test_who_may_not_read_is_told_how(name, what, reachable):
    with tarfile.open(realdata.archive(name)) as packed:
        unpack(packed, reachable / "root", lambda item: True)
    image = next(image for image in ol.open_store(reachable / "root").images() if image.config).config_digest
    close(reachable / "root", what)
    for command in [["tree", reachable / "root", image] if what == "root" else ["inspect", reachable / "root"]]:
        done = subprocess.run(
            [sys.executable, "-c", NOBODY, *map(str, command), "--json"], capture_output=True, text=True, check=False
        )
        report = json.loads(done.stdout)
        denied = [problem for problem in report["problems"] if problem["kind"] == "permission-denied"]
        assert (done.returncode, report["ok"], "Traceback" in done.stderr) == (2, False, False)
        assert denied and all("sudo overlaylab" in problem["expected"] for problem in denied)
        assert all("tar --xattrs --xattrs-include='*'" in problem["expected"] for problem in denied)
