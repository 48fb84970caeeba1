"""Stores of every kind, looked at by someone who may not: what to do is said, and nothing else."""

import json
import os
import subprocess
import sys
import tarfile

import pytest
import realdata
from builders import unpack

import overlaylab as ol

pytestmark = pytest.mark.tier("engines")

# Everything is imported first, so that only the store can be what may not be read.
NOBODY = (
    "import json, os, sys, zoneinfo, overlaylab.cli, overlaylab.select, overlaylab.readers.detect, overlaylab.readers.opening\n"
    "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
    "overlaylab.cli.main(sys.argv[1:])"
)
STORES = ["docker20-dataroot", "docker28-containerd-store", "containerd16-root", "podman5-storage", "podman5-rootless", "oci-gzip", "docker26-save"]


def close(root, what):
    """Take the right to read away: the root, the folders in it, or all files."""
    for place, folders, files in os.walk(root):
        for name in folders if what == "folders" else files if what == "files" else ():
            if not os.path.islink(path := os.path.join(place, name)):
                os.chmod(path, 0o711 if what == "folders" else 0o600)
        if what == "root":
            break
    os.chmod(root, 0o700 if what == "root" else 0o755)


@pytest.mark.parametrize("what", ["root", "folders", "files"])
@pytest.mark.parametrize("name", STORES)
def test_who_may_not_read_is_told_how(name, what, tmp_path):
    with tarfile.open(realdata.archive(name)) as packed:
        unpack(packed, tmp_path / "root", lambda item: True)
    image = next(image for image in ol.open_store(tmp_path / "root").images() if image.config).config_digest
    close(tmp_path / "root", what)
    for above in [tmp_path, *tmp_path.parents]:
        if above.stat().st_uid == 0 and above.stat().st_mode & 0o5 != 0o5:
            above.chmod(above.stat().st_mode | 0o5)
    for command in (["inspect", tmp_path / "root"], ["tree", tmp_path / "root", image]):
        done = subprocess.run([sys.executable, "-c", NOBODY, *map(str, command), "--json"], capture_output=True, text=True, check=False)
        report = json.loads(done.stdout)
        denied = [problem for problem in report["problems"] if problem["kind"] == "permission-denied"]
        assert (done.returncode, report["ok"], "Traceback" in done.stderr) == (2, False, False)
        assert denied and all("sudo overlaylab" in problem["expected"] for problem in denied)
        assert all("tar --xattrs --xattrs-include='*'" in problem["expected"] for problem in denied)
