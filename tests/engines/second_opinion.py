"""What the machine itself says: listings by lstat, and mounts by the kernel. Nothing here uses overlaylab."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import tiers

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def listing(folder):
    """Everything below a folder, in the form that ``overlaylab tree`` prints, without the layer."""
    found = {".": described(os.fsencode(folder))}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            path = os.path.join(place, name)
            found[os.fsdecode(os.path.relpath(path, os.fsencode(folder)))] = described(path)
    return found


def described(path):
    info = os.lstat(path)
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    entry = {
        "type": kind,
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime_ns": info.st_mtime_ns,
    }
    if kind == "file":
        content = Path(os.fsdecode(path)).read_bytes()
        entry |= {"size": info.st_size, "nlink": info.st_nlink, "sha256": hashlib.sha256(content).hexdigest()}
    elif kind == "symlink":
        entry |= {"target": os.fsdecode(os.readlink(path)), "nlink": info.st_nlink}
    elif kind in ("char", "block"):
        entry["rdev"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
    attributes = {
        name: os.getxattr(path, name, follow_symlinks=False).hex() for name in os.listxattr(path, follow_symlinks=False)
    }
    return entry | ({"xattrs_hex": attributes} if attributes else {})


@contextmanager
def kernel_view(place, layers):
    """Mount layers read-only, as the kernel merges them.

    Args:
        place: A folder to make and mount on.
        layers: Their folders, topmost first.
    """
    view, short = place / "view", place / "short"
    for folder in (view, short):
        folder.mkdir(parents=True)
    # Short names, as Docker makes them too: mount options have one page.
    for number, layer in enumerate(layers):
        (short / f"{number}").symlink_to(layer)
    # One layer alone is no overlay; an empty one beneath it changes nothing.
    (short / "empty").mkdir()
    lower = ":".join([*(f"{number}" for number in range(len(layers))), "empty"])
    command = [tiers.tool("mount"), "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", str(view)]
    subprocess.run(command, cwd=short, check=True)
    try:
        yield view
    finally:
        subprocess.run([tiers.tool("umount"), str(view)], check=True)


def overlaylab(*arguments, status=0):
    """Run our own command line as a program, with ``--json``, and return the value that it prints."""
    command = [sys.executable, "-m", "overlaylab", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == status, f"{done.stdout.decode()}{done.stderr.decode()}"
    return json.loads(done.stdout.decode("ascii"))


def tree(path, image, *options):
    """The merged view as overlaylab has it, without the layers."""
    return {
        name: {key: value for key, value in entry.items() if key != "layer"}
        for name, entry in overlaylab("tree", path, image, *options).items()
    }


def but_root(entries):
    """A listing without ``.``, whose mode and time are the engine's affair and not the image's."""
    return {path: entry for path, entry in entries.items() if path != "."}


def different(expected, found):
    """Name the paths on which two listings disagree; comparing the whole dicts shows nobody anything."""
    return {
        path: (expected.get(path), found.get(path))
        for path in sorted({*expected, *found})
        if expected.get(path) != found.get(path)
    }
