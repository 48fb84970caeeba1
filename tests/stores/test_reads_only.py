"""A store in use is read without locks and left as it is: what the process asks of the system is watched."""

import json
import os
import subprocess
import sys
import tarfile

import pytest
import realdata
from builders import unpack

import overlaylab as ol

WATCH = """
import os, sys, overlaylab.cli.commands
import overlaylab.stores.selection, overlaylab.stores.detect, overlaylab.stores.files.open_place
root = os.path.realpath(sys.argv[1])
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown"}
CHANGES |= {"os.utime", "os.truncate", "os.setxattr", "os.removexattr"}
seen = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and os.fsdecode(arguments[0]).startswith(root):
        seen.append("opened")
        if arguments[2] & WRITES:
            seen.append(f"opened to write: {arguments[0]}")
    elif event.startswith("fcntl.") or event in CHANGES:
        seen.append(f"{event} {arguments}")
sys.addaudithook(watch)
status = overlaylab.cli.commands.run(sys.argv[2:])
print("\\n".join(sorted(set(seen))), file=sys.stderr)
sys.exit(status)
"""


def state(root):
    """What a reader must leave: names, inodes, sizes, times of change."""
    found = {}
    for place, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            info = os.lstat(os.path.join(place, name))
            found[os.path.join(place, name)] = (
                info.st_ino,
                info.st_mode,
                info.st_size,
                info.st_mtime_ns,
                info.st_ctime_ns,
            )
    return found


@pytest.mark.skipif(os.name != "posix", reason="the stores of engines lie on Linux")
@pytest.mark.parametrize("name", ["docker20-dataroot", "docker28-containerd-store", "podman5-storage"])
def test_store_is_opened_for_reading_alone_and_never_locked(name, tmp_path):
    root = tmp_path / "root"
    with tarfile.open(realdata.archive(name)) as packed:
        unpack(packed, root)
    image = next(image for image in ol.open_store(root).images() if image.layers).config_digest
    before = state(root)
    for command in (["verify", root], ["tree", root, image], ["owners", root]):
        done = subprocess.run(
            [sys.executable, "-c", WATCH, root, *map(str, command), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
        assert set(done.stderr.split("\n")) - {"", "opened"} == set()
        assert command[0] == "owners" or "opened" in done.stderr
    assert state(root) == before
