"""Random operations on the model and on the real kernel, compared after every one.

    python -m tests.kernel.random_proof [--seed S] [--sequences N] [--length L]

For root. Works in a mount namespace and a tmpfs of its own. Compared are the error or
the value, the upper directory with all its marks, the merged tree, and that no lower
layer moved; what exactly, says `overlaylab.compare`. Prints the first difference of each
sequence as a snippet, and counts at the end.
"""

import argparse
import errno
import os
import random
import sys
import time
from collections import Counter

from overlaylab.access import error_name
from overlaylab.compare import Sights, first_difference, seen, stored
from overlaylab.invariants import Guard
from overlaylab.ops import Op, run
from overlaylab.system import System
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink, walk, whiteout
from overlaylab.vnode import Stat

from tests.kernel import live

NAMES = ("a", "b", "c", "d")
OLD = 1_000_000_000 * 10**9
OPTIONS = (
    {}, {}, {}, {}, {"redirect_dir": "on"}, {"redirect_dir": "on"}, {"redirect_dir": "nofollow"}, {"xino": "on"},
    {"metacopy": "on", "redirect_dir": "on"}, {"metacopy": "on"}, {"index": "on"}, {"index": "on", "redirect_dir": "on"},
    {"index": "on", "metacopy": "on", "redirect_dir": "on"}, {"userxattr": True},
)
BASE = {"index": "off", "metacopy": "off", "redirect_dir": "off", "xino": "off"}
USERS = ((0, 0), (0, 0), (0, 0), (1000, 1000), (1000, 50), (2000, 50))


def marked(**marks):
    return {f"trusted.overlay.{name}": value for name, value in marks.items()}


DIRECTORY_MARKS = (
    marked(opaque=b"x"), marked(opaque=b"x"), marked(opaque=b"n"), marked(impure=b"y"), marked(origin=b"\0"), marked(redirect=b"a"),
    marked(redirect=b"/b"), marked(redirect=b"/a/b"), marked(redirect=b"nowhere"), marked(redirect=b"/a//b"), marked(**{"overlay.opaque": b"y"}),
)
FILE_MARKS = (
    marked(whiteout=b""), marked(whiteout=b""), marked(metacopy=b""), marked(metacopy=b"", redirect=b"/a"), marked(metacopy=b"", redirect=b"b"),
    marked(opaque=b"y"), marked(**{"overlay.whiteout": b""}), marked(zzz=b"1"),
)


class Maker:
    """Layers and operations from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        # Marks in layers as no kernel would have left them there.
        self.odd = self.random.random() < 0.25

    def layer(self, depth=0, top=False):
        """A random directory."""
        r = self.random
        node = Directory(**self.attributes((0o755, 0o755, 0o777, 0o700, 0o1777, 0o2775, 0o711)), names={})
        for name in NAMES:
            if r.random() < (0.55 if depth < 2 else 0.35):
                node.names[name] = self.thing(depth)
        if top:
            self.hardlinks(node)
            node.mode, node.uid = r.choice((0o755, 0o777)), 0
        return node

    def attributes(self, modes):
        r = self.random
        xattrs = {"user.k": b"v"} if r.random() < 0.15 else {}
        return {"mode": r.choice(modes), "uid": r.choice((0, 0, 1000)), "gid": r.choice((0, 0, 50)), "mtime_ns": OLD + r.randrange(3) * 10**9, "xattrs": xattrs}

    def thing(self, depth):
        r = self.random
        kind = r.choices(("dir", "file", "symlink", "whiteout", "fifo", "char", "socket"), (8 if depth < 2 else 2, 8, 2, 2.5, 0.5, 0.4, 0.2))[0]
        plain = self.attributes((0o644, 0o644, 0o666, 0o600, 0o4755, 0o2755, 0o6711))
        match kind:
            case "dir":
                node = self.layer(depth + 1)
                if r.random() < 0.12:
                    node.xattrs = {**node.xattrs, "trusted.overlay.opaque": b"y"}
                if self.odd and r.random() < 0.25:
                    node.xattrs = {**node.xattrs, **r.choice(DIRECTORY_MARKS)}
                return node
            case "file":
                if self.odd and r.random() < 0.2:
                    return File(**plain | {"xattrs": r.choice(FILE_MARKS)}, data=b"")
                return File.of(r.choice((b"", b"x", b"data", b"longer content")), **plain)
            case "symlink":
                return Symlink(**plain | {"mode": 0o777, "xattrs": {}}, target=r.choice(("a", "b", "../a", "a/b", "c/", "nowhere")))
            case "fifo":
                return Fifo(**plain | {"xattrs": {}})
            case "socket":
                return Socket(**plain | {"xattrs": {}})
            case "char":
                return Device(**plain | {"xattrs": {}}, kind="char", rdev=(1, 3))
        return whiteout()

    def hardlinks(self, root):
        """Give some files a second name in the same layer."""
        files, directories = [], []

        def visit(node):
            directories.append(node)
            for child in node.names.values():
                if isinstance(child, Directory):
                    visit(child)
                elif not isinstance(child, Device):
                    files.append(child)

        visit(root)
        for _ in range(self.random.choice((0, 0, 1, 2))):
            if files:
                target, directory, name = self.random.choice(files), self.random.choice(directories), self.random.choice(NAMES)
                if name not in directory.names:
                    directory.names[name] = target
                    target.nlink += 1

    def path(self):
        r = self.random
        parts = [r.choice(NAMES) for _ in range(r.choice((1, 1, 2, 2, 3)))]
        if r.random() < 0.02:
            parts.insert(r.randrange(len(parts) + 1), r.choice(("..", ".")))
        return "/".join(parts) + ("/" if r.random() < 0.02 else "")

    def operation(self):
        r = self.random
        calls = {
            "create": 6, "write_file": 4, "append": 4, "overwrite": 1, "read_file": 1, "mkdir": 7, "rmdir": 8, "unlink": 9, "rename": 16, "link": 5,
            "symlink": 2, "mknod": 2, "chmod": 4, "chown": 3, "utime": 3, "truncate": 3, "setxattr": 3, "removexattr": 1, "getxattr": 1,
            "listxattr": 1, "lstat": 1, "stat": 1, "access": 2, "listdir": 2, "readlink": 1, "open": 6, "fd": 8, "umask": 0.3, "remount": 1, "rotate": 0.5,
        }  # fmt: skip
        call = r.choices(list(calls), list(calls.values()))[0]
        user = r.choice(USERS)
        return Op(*getattr(self, "_" + call, lambda: (call, {"path": self.path()}))(), *user)

    def _create(self):
        return "create", {"path": self.path(), "data": b"new", "mode": self.random.choice((0o644, 0o666, 0o2755, 0o4777))}

    def _write_file(self):
        return "write_file", {"path": self.path(), "data": self.random.choice((b"", b"w"))}

    def _append(self):
        return "append", {"path": self.path(), "data": self.random.choice((b"+", b"+", b""))}

    def _overwrite(self):
        return "overwrite", {"path": self.path(), "data": b"O"}

    def _mkdir(self):
        return "mkdir", {"path": self.path(), "mode": self.random.choice((0o755, 0o777, 0o700, 0o3777))}

    def _rename(self):
        return "rename", {"src": self.path(), "dst": self.path(), "flags": self.random.choice((0, 0, 0, 0, 1, 2, 2, 4, 3))}

    def _link(self):
        return "link", {"src": self.path(), "dst": self.path(), "follow_symlinks": self.random.random() < 0.2}

    def _symlink(self):
        return "symlink", {"target": self.random.choice(("a", "b/c", "..", "nowhere")), "path": self.path()}

    def _mknod(self):
        mode, device = self.random.choice(((0o010644, 0), (0o140644, 0), (0o020644, 0x103), (0o020644, 0), (0o060644, 0x801), (0o100644, 0)))
        return "mknod", {"path": self.path(), "mode": mode, "device": device}

    def _chmod(self):
        return "chmod", {"path": self.path(), "mode": self.random.choice((0o644, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o000, 0o2666))}

    def _chown(self):
        ids = (-1, 0, 1000, 50)
        return "chown", {"path": self.path(), "uid": self.random.choice(ids), "gid": self.random.choice(ids), "follow_symlinks": self.random.random() < 0.3}

    def _utime(self):
        r = self.random
        when = r.choice((None, None, (1_234_567_890 * 10**9,) * 2, (1_111_111_111 * 10**9 + 5,) * 2))
        return "utime", {"path": self.path(), "ns": when, "follow_symlinks": r.random() < 0.3} if when else {"path": self.path(), "follow_symlinks": False}

    def _truncate(self):
        return "truncate", {"path": self.path(), "length": self.random.choice((0, 1, 3, 9, -1))}

    def _setxattr(self):
        names = ("user.k", "user.k", "user.n", "trusted.t", "trusted.overlay.opaque", "user.overlay.x", "security.x", "nonsense")
        return "setxattr", {"path": self.path(), "name": self.random.choice(names), "value": b"w", "flags": self.random.choice((0, 0, 0, 1, 2))}

    def _removexattr(self):
        return "removexattr", {"path": self.path(), "name": self.random.choice(("user.k", "trusted.overlay.opaque", "trusted.t"))}

    def _getxattr(self):
        return "getxattr", {"path": self.path(), "name": self.random.choice(("user.k", "trusted.overlay.opaque", "trusted.t"))}

    def _access(self):
        return "access", {"path": self.path(), "mode": self.random.randrange(8)}

    def _open(self):
        r = self.random
        flags = r.choice((0, 0, 1, 2)) | os.O_NONBLOCK
        for flag, chance in ((os.O_CREAT, 0.4), (os.O_EXCL, 0.15), (os.O_TRUNC, 0.2), (os.O_APPEND, 0.2), (os.O_DIRECTORY, 0.1), (os.O_NOFOLLOW, 0.15)):
            flags |= flag if r.random() < chance else 0
        if r.random() < 0.08:
            flags = os.O_TMPFILE | os.O_RDWR
        return "open", {"path": self.path(), "flags": flags, "mode": r.choice((0o644, 0o666, 0o4755)), "fd": r.choice("fgh")}

    def _fd(self):
        r = self.random
        fd = {"fd": r.choice("fgh")}
        return r.choice((
            ("read", {**fd, "count": 3}), ("pread", {**fd, "count": 99, "offset": 0}), ("write", {**fd, "data": b"FD"}),
            ("pwrite", {**fd, "data": b"p", "offset": 2}), ("fstat", fd), ("ftruncate", {**fd, "length": r.choice((0, 2, 7))}),
            ("fchmod", {**fd, "mode": r.choice((0o600, 0o4755))}), ("fchown", {**fd, "uid": r.choice((-1, 1000)), "gid": -1}),
            ("linkfd", {**fd, "dst": self.path()}), ("lseek", {**fd, "position": r.choice((0, 1, 20))}), ("close", fd),
            ("readdir", fd), ("posix_fallocate", {**fd, "offset": 0, "length": r.choice((1, 6))}),
        ))  # fmt: skip

    def _umask(self):
        return "umask", {"mask": self.random.choice((0o022, 0o077, 0))}

    def _remount(self):
        return "remount", {}

    def _rotate(self):
        return "rotate", {}


def redirects(layers):
    return [node for layer in layers for _, node in walk(layer) if any(name.endswith(".redirect") for name in node.xattrs)]


def without_redirects(layer):
    for node in redirects([layer]):
        node.xattrs = {name: value for name, value in node.xattrs.items() if not name.endswith(".redirect")}


class Pair:
    """One stack, mounted by the kernel and by the model."""

    def __init__(self, maker):
        r = maker.random
        options, self.odd = r.choice(OPTIONS), maker.odd
        self.lowers = [maker.layer(top=True) for _ in range(r.choice((1, 1, 2, 3)))]
        upper = None if r.random() < 0.05 and len(self.lowers) > 1 else maker.layer(top=True) if r.random() < 0.3 else Directory()
        self.names = [f"l{i}" for i in range(len(self.lowers))]
        words = ["lowerdir=" + ":".join(self.names)]
        words += ["upperdir=u,workdir=w"] if upper is not None else []
        words += [key if value is True else f"{key}={value}" for key, value in {**({} if "userxattr" in options else BASE), **options}.items()]
        if "metacopy" in options and "redirect_dir" not in options:
            words = [word for word in words if not word.startswith("redirect_dir")]
        # One lower object under two names, which redirects made by hand can do, is not in the model: only looked at.
        self.frozen = bool(redirects(self.lowers)) or (upper is not None and bool(redirects([upper])))
        if upper is not None and self.frozen:
            without_redirects(upper)
        self.words, self.data = words, ",".join(words)
        self.upper = upper
        self.disk = {f"l{i}": layer for i, layer in enumerate(self.lowers)} | {"m": Directory()}
        if upper is not None:
            self.disk |= {"u": upper, "w": Directory()}
        for name, node in self.disk.items():
            live.build(name, node)
        self.real = live.Live()
        self.model = System(Directory(names=self.disk))
        self.sights = Sights(), Sights()
        self.mount()

    def mount(self):
        live.mount("o", "m", "overlay", 0, self.data)
        self.model.mount("m", self.data)
        self.model.chdir("m")
        os.chdir("m")
        self.guard = Guard(self.model.cwd.fs)

    def umount(self):
        self.real.close_all()
        for fd in list(self.model.files):
            self.model.close(fd)
        os.chdir("..")
        live.umount("m")

    def step(self, operation):
        """Run an operation on both sides; the first difference in words."""
        if operation.call == "remount":
            self.umount()
            self.model.umount("/m")
            self.mount()
            return self.states()
        if operation.call == "rotate":
            return self.rotate()
        if operation.call == "lseek" and operation.args["position"] and self.is_directory(operation.args["fd"]):
            # A place inside a directory is a number of the disk file system, and no concern of the model.
            return ""
        step = run(self.model, operation)
        number, value = 0, None
        try:
            os.setegid(operation.gid)
            os.seteuid(operation.uid)
            value = getattr(self.real, operation.call)(**operation.args)
        except OSError as error:
            number = error.errno
        finally:
            os.seteuid(0)
            os.setegid(0)
        if number != (step.errno or 0):
            return f"kernel {error_name(number) if number else 'works'}, model {step.error or 'works'}"
        if number == 0 and (said := self.values(operation, value, step.value)):
            return said
        return self.states()

    def rotate(self):
        """Unmount, make the upper the topmost lower, mount again over an empty upper."""
        if self.upper is None:
            return ""
        self.umount()
        self.model.umount("/m")
        self.model.chdir("/")
        name = f"r{len(self.lowers)}"
        old, self.upper = self.upper, Directory()
        self.lowers.insert(0, old)
        self.names.insert(0, name)
        os.rename("u", name)
        os.rename("w", f"w{name}")
        self.model.root.inode.names.update({name: old, f"w{name}": Directory(), "u": self.upper, "w": Directory()})
        for fresh in ("u", "w"):
            live.build(fresh, Directory())
        self.words[0] = "lowerdir=" + ":".join(self.names)
        self.data = ",".join(self.words)
        self.mount()
        return self.states()

    def is_directory(self, fd):
        return fd in self.model.files and self.model.files[fd].node.is_dir

    def values(self, operation, real, model):
        if isinstance(model, Stat):
            for key in ("st_mode", "st_uid", "st_gid", "st_nlink", "st_size", "st_rdev"):
                if key == "st_size" and real.st_mode & 0o170000 == 0o040000:
                    continue
                if getattr(real, key) != getattr(model, key):
                    return f"{key}: kernel {getattr(real, key)}, model {getattr(model, key)}"
            return ""
        if operation.call in ("open", "opendir", "umask"):
            return ""
        return "" if real == model else f"kernel gives {real!r}, model {model!r}"

    def states(self):
        if self.upper is not None:
            if said := first_difference(stored(live.taken("../u")), stored(self.upper), skip=()):
                return "upper: " + said
        self.guard.check()
        kernel, ours = seen(self.real, self.sights[0]), seen(self.model, self.sights[1])
        if any("listing_errno" in item for item in kernel) and self.odd:
            # Whether a name that cannot be looked up spoils a merged listing depends on the order of the entries.
            self.frozen = True
            return ""
        if said := first_difference(kernel, ours):
            return "merged: " + said
        if self.upper is not None:
            if said := first_difference(stored(live.taken("../u")), stored(self.upper)):
                return "upper after listing: " + said
        return ""


def sequence(seed, length, labels):
    """One random sequence.

    Returns:
        The number of operations, and the first difference as a snippet.
    """
    maker = Maker(seed)
    done = []
    live.mount("none", ".", "tmpfs", 0, "mode=755")
    here = os.getcwd()
    os.chdir(here)
    try:
        pair = Pair(maker)
        said = pair.states()
        while not said and not pair.frozen and len(done) < length:
            operation = maker.operation()
            done.append(operation)
            said = pair.step(operation)
            labels[operation.call] += 1
        pair.umount()
        if not said:
            for name, layer in zip(pair.names, pair.lowers, strict=True):
                said = said or first_difference(stored(live.taken(name)), stored(layer))
    finally:
        os.chdir("/")
        os.chdir(here)
        live.call("umount2", live.encoded(here), live.MNT_DETACH)
        os.chdir("/")
    if not said:
        return len(done), ""
    lines = [f"# seed {seed}: {said}", f"# {pair.data}"] + [f"{operation!r}," for operation in done]
    return len(done), "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--length", type=int, default=15)
    parser.add_argument("--most", type=int, default=10, help="stop after so many differences")
    chosen = parser.parse_args()
    live.call("unshare", live.CLONE_NEWNS)
    live.mount("none", "/", "", live.MS_PRIVATE_ALL, "")
    live.mount("none", "/mnt", "tmpfs", 0, "")
    os.setgroups([])
    os.umask(0o022)
    os.mkdir("/mnt/here")
    labels, bad, operations, began = Counter(), 0, 0, time.monotonic()
    for seed in range(chosen.seed, chosen.seed + chosen.sequences):
        os.umask(0o022)
        os.chdir("/mnt/here")
        count, said = sequence(seed, chosen.length, labels)
        operations += count
        if said:
            print(said, flush=True)
            bad += 1
            if bad >= chosen.most:
                break
    rate = operations / (time.monotonic() - began)
    print(f"{operations} operations, {bad} differences, {rate:.0f} a second")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
