"""Random mount options on the model and on the real kernel: the errno, and the options that are shown.

    python -m tests.kernel.random_mounts [--seed S] [--count N]

For root, in a mount namespace and a tmpfs of its own.
"""

import argparse
import os
import random
import sys
from pathlib import Path

from overlaylab.errors import error_name
from overlaylab.linux.mounts import MS_RDONLY
from overlaylab.linux.system import System
from overlaylab.tree import Directory, File, Symlink
from tests.kernel import live

PATHS = (
    "l0",
    "l1",
    "l2",
    "l0/s",
    "u",
    "w",
    "u2",
    "w2",
    "u/x",
    "l0/w",
    "nope",
    "file",
    "file/x",
    "link",
    "x:y",
    "x,y",
    "x\\y",
    "a b",
    "./l1",
    "l1/",
    "",
    "m",
    "over",
)
WORDS = (
    "userxattr",
    "volatile",
    "default_permissions",
    "override_creds",
    "nooverride_creds",
    "ro",
    "rw",
    "bogus",
    "index",
    "userxattr=1",
    "=x",
    "",
    *(f"redirect_dir={value}" for value in ("on", "off", "follow", "nofollow", "maybe")),
    *(f"{name}={value}" for name in ("metacopy", "index", "nfs_export", "xino") for value in ("on", "off")),
    *(f"uuid={value}" for value in ("on", "off", "null", "auto")),
    "xino=auto",
    "verity=on",
    "verity=off",
    "verity=require",
    "lowerdir",
    "upperdir",
)


def tree():
    def folder(**names):
        return Directory(names=names)

    return {
        "l0": folder(s=folder(), w=folder(), a=File.of(b"0")),
        "l1": folder(a=File.of(b"1")),
        "l2": folder(),
        "u": folder(x=folder()),
        "w": folder(),
        "u2": folder(),
        "w2": folder(),
        "file": File.of(b"x"),
        "link": Symlink(target="l1", mode=0o777),
        "x:y": folder(),
        "x,y": folder(),
        "x\\y": folder(),
        "a b": folder(),
        "m": folder(),
        "over": folder(),
        "inner": folder(),
    }


def escape(r, path):
    if r.random() < 0.7:
        path = path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
    return path


def options(r):
    """A random option text, mostly sensible."""
    lowers = [escape(r, r.choice(PATHS if r.random() < 0.25 else PATHS[:3])) for _ in range(r.choice((1, 1, 2, 2, 3)))]
    if r.random() < 0.6:
        lowers = list(dict.fromkeys(lowers))
    words = [
        "lowerdir="
        + "".join(r.choice((":", ":", ":", ":", "::", ":::")) * (i > 0) + path for i, path in enumerate(lowers))
    ]
    if r.random() < 0.8:
        words.append("upperdir=" + escape(r, r.choice(PATHS if r.random() < 0.15 else ("u", "u", "u2"))))
    if r.random() < 0.8:
        words.append("workdir=" + escape(r, r.choice(PATHS if r.random() < 0.15 else ("w", "w", "w2"))))
    words += r.choices(WORDS, k=r.choice((0, 0, 1, 1, 2, 3)))
    if r.random() < 0.2:
        r.shuffle(words)
    return ",".join(words)


def shown():
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    for line in table.split("\n")[:-1]:
        if line.split()[4] == os.getcwd() + "/m":
            return line.split(" - ")[1].split(" ", 2)[2].strip()
    return ""


def trial(seed):
    """Some mounts in a row on one disk.

    Returns:
        How many, and the first difference in words.
    """
    r = random.Random(seed)
    disk = tree()
    for name, node in disk.items():
        live.build(name, node)
    model = System(Directory(names=disk))
    live.mount("o", "over", "overlay", 0, "lowerdir=l1:l2")
    model.mount("over", "lowerdir=l1:l2")
    kept = []
    for number in range(6):
        text, flags = options(r), MS_RDONLY if r.random() < 0.1 else 0
        real = ours = ""
        try:
            live.mount("o", "m", "overlay", flags, text)
        except OSError as error:
            real = error_name(error.errno)
        try:
            mount = model.mount("m", text, flags)
        except OSError as error:
            ours = error_name(error.errno)
        kept.append(text)
        if real != ours:
            return number, f"kernel {real or 'mounts'}, model {ours or 'mounts'}: {kept}"
        if not real:
            if shown() != mount.shown:
                return number, f"kernel shows {shown()}, model {mount.shown}: {kept}"
            live.umount("m")
            model.umount("m")
    return 6, ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--most", type=int, default=10)
    chosen = parser.parse_args()
    live.call("unshare", live.CLONE_NEWNS)
    live.mount("none", "/", "", live.MS_PRIVATE_ALL, "")
    mounts = bad = 0
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        live.mount("none", "/mnt", "tmpfs", 0, "mode=755")
        os.chdir("/mnt")
        count, said = trial(seed)
        os.chdir("/")
        live.call("umount2", b"/mnt", live.MNT_DETACH)
        mounts, bad = mounts + count, bad + bool(said)
        if said:
            print(f"# seed {seed}: {said}", flush=True)
        if bad >= chosen.most:
            break
    print(f"{mounts} mounts, {bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
