"""What the proof makes: layers, mount options and operations, as data that Hypothesis shrinks.

Everything is drawn from tables whose first entries are the simplest, so that a
failure shrinks to few, plain operations on few, plain entries. The same data is
printed in a failure and can be pasted back.
"""

import os
from dataclasses import dataclass

from hypothesis import strategies as st

from overlaylab.linux.operations import Op
from overlaylab.linux.proof import experiments
from overlaylab.linux.proof.experiments import DRESSES
from overlaylab.overlay.filesystem import NOBODY
from overlaylab.tree import Directory, File, Symlink

NAMES = ("a", "b", "c")
# Most paths lie below a and a/b, so that layers and operations meet there.
HOME = tuple(f"a/{name}" for name in NAMES)
DEEP = tuple(f"a/b/{name}" for name in NAMES)
FURTHER = (*(f"b/{name}" for name in NAMES), "c/a", "a/a/b", "a/c/a", "b/c/a", "b/c/b")
PATHS = NAMES * 4 + HOME * 4 + DEEP * 3 + FURTHER
# Paths that only a path walk knows; a few of them among many ordinary ones. None leads out of the mount, nor may any
# symlink: it would be another place for the kernel than for the model.
ODD_PATHS = ("a/", "a/b/", "a/.", "a/..", ".", "a/../b", "b//a", "x" * 256, "")
OP_PATHS = PATHS * 4 + ODD_PATHS
FDS = ("f", "f", "f", "g")
OLD = 1_000_000_000 * 10**9


@dataclass(frozen=True)
class Case:
    """One mount before anything is done.

    Args:
        mode: ``root``, or ``user`` and ``mapped`` for a user namespace: see `places`.
        options: Mount options without the layers.
        lowers: Topmost first; each a tuple of (path, kind, dress).
        upper: What the upper holds at first, or None for a mount without one.
        read_only: Whether it is mounted read-only.
        odd: Whether layers may have marks that no kernel would have left there.
    """

    mode: str
    options: str
    lowers: tuple
    upper: tuple | None = ()
    read_only: bool = False
    odd: bool = False

    @property
    def frozen(self):
        """Whether nothing may be done, only looked: one lower object under two names is not in the model."""
        return any(kind in REDIRECTS for entries in self.lowers for _, kind, _ in entries)

    @property
    def spoilt(self):
        """Whether the upper may have names that cannot be looked up: whether one spoils a listing depends on the order
        of entries.
        """
        return self.odd or any(kind == "metadata only" for _, kind, _ in self.upper or ())


OFF = {"index": "off", "metacopy": "off", "redirect_dir": "off", "xino": "off"}


def options(**changed):
    """Option text in which nothing depends on the defaults of this machine's kernel module."""
    return ",".join(f"{name}={value}" for name, value in {**OFF, **changed}.items() if value)


OPTIONS = {
    "root": (
        *(options(),) * 5,
        *(options(redirect_dir="on"),) * 3,
        options(redirect_dir="nofollow"),
        options(xino="on"),
        options(metacopy="on", redirect_dir="on"),
        options(metacopy="on", redirect_dir=""),
        options(index="on"),
        options(index="on", redirect_dir="on"),
        options(index="on", metacopy="on", redirect_dir="on"),
        "userxattr",
        "userxattr,xino=on",
        options(xino="on", redirect_dir="on"),
        options(index="on", xino="on"),
    ),
    "user": (
        "userxattr",
        "userxattr",
        "userxattr",
        "userxattr,xino=on",
        "userxattr,index=on",
        "userxattr,index=on,xino=on",
        "",
        "index=on,xino=on",
    ),
}

OPTIONS["mapped"] = OPTIONS["user"]

# Dresses of this proof's own, as in `DRESSES`.
MORE = {"to be searched": (0, 50, 0o711, 0o6711, {})}
# What only root of the machine can make, for layers of a user namespace.
FAR = {
    "nobody's": (NOBODY, NOBODY, 0o755, 0o644, {"user.k": b"v"}),
    "nobody's open": (NOBODY, NOBODY, 0o777, 0o666, {}),
    "nobody's sticky": (NOBODY, NOBODY, 0o1777, 0o6755, {}),
    "nobody's group": (0, NOBODY, 0o2775, 0o2755, {}),
    "nobody's and mine": (NOBODY, 0, 0o2775, 0o664, {}),
    "noted by root": (0, 0, 0o755, 0o644, {"trusted.t": b"v"}),
}
DRESSED = {
    "root": ("plain", "plain", "open", "open", *DRESSES, *MORE, "sticky", "ann's sticky", "sticky"),
    "user": ("plain", "plain", "open", "closed", "noted"),
    "mapped": ("plain", "open", "closed", *FAR),
}
COMMON = (
    *("file", "dir", "file", "dir", "dir", "whiteout", "whiteout", "opaque", "empty", "hard link"),
    "link to a",
    "link to b/c",
    "link to nowhere",
    "link to b/../c/",
    "fifo",
)
KINDS = {
    "root": (*COMMON, "socket", "device", "marked whiteout", "metadata only"),
    "user": (*COMMON, "socket", "marked whiteout"),
}
KINDS["mapped"] = (*KINDS["user"], "device")
# Marks as no kernel would have left them, in some of the cases: kind -> the type, and marks with their values.
ODD = {
    "dir opaque=x": ("dir", {"opaque": b"x"}),
    "dir opaque=n": ("dir", {"opaque": b"n"}),
    "dir impure": ("dir", {"impure": b"y"}),
    "dir with a bad origin": ("dir", {"origin": b"\0"}),
    "dir with an escaped mark": ("dir", {"overlay.opaque": b"y"}),
    "file whiteout": ("file", {"whiteout": b""}),
    "file metacopy": ("file", {"metacopy": b""}),
    "file opaque": ("file", {"opaque": b"y"}),
    "file with an escaped mark": ("file", {"overlay.whiteout": b""}),
    "file with an unknown mark": ("file", {"zzz": b"1"}),
}
REDIRECTS = {
    **{
        f"dir to {target}": ("dir", {"redirect": target.encode()}) for target in ("a", "/b", "/a/b", "nowhere", "/a//b")
    },
    **{f"file to {target}": ("file", {"metacopy": b"", "redirect": target.encode()}) for target in ("/a", "b")},
}


def layer(entries, number, marks):
    """A layer's tree, as `overlaylab.linux.proof.experiments` makes it, with the kinds and dresses of this proof's own
    besides.
    """
    return experiments.layer(entries, number, marks, entry)


def entry(root, kind, dress, number, marks):
    """One inode."""
    base, odd = {**ODD, **REDIRECTS}.get(kind, (kind, {}))
    own = {**MORE, **FAR}.get(dress)
    inode = experiments.entry(
        root, "empty" if odd and base == "file" else base, "plain" if own else dress, number, marks
    )
    if inode is None or kind in ("whiteout", "hard link"):
        return inode
    if own:
        dress_up(inode, *own)
    inode.xattrs = {**inode.xattrs, **{marks + name: value for name, value in odd.items()}}
    return inode


def dress_up(inode, uid, gid, directory_mode, mode, xattrs):
    """Give an inode owner, mode and attributes."""
    inode.uid, inode.gid = uid, gid
    if isinstance(inode, Directory):
        inode.mode = directory_mode
    elif not isinstance(inode, Symlink):
        inode.mode = mode
    if isinstance(inode, (Directory, File)):
        inode.xattrs = {**inode.xattrs, **xattrs}


# Weight, call, and what each argument may be. Contents differ, so that it shows which of them is kept. The first does
# nothing and has nothing to choose: what a failure does not need shrinks to it, and then goes.
CALLS = (
    (1, "lstat", {"path": (".",)}),
    (5, "create", {"path": OP_PATHS, "data": (b"new",), "mode": (0o644, 0o666, 0o2755, 0o4777)}),
    (3, "write_file", {"path": OP_PATHS, "data": (b"w", b"")}),
    (3, "append", {"path": OP_PATHS, "data": (b"+", b"")}),
    (1, "overwrite", {"path": OP_PATHS, "data": (b"O",)}),
    (1, "read_file", {"path": OP_PATHS}),
    (7, "mkdir", {"path": OP_PATHS, "mode": (0o755, 0o777, 0o700, 0o3777)}),
    (7, "rmdir", {"path": OP_PATHS}),
    (9, "unlink", {"path": OP_PATHS}),
    (10, "rename", {"src": OP_PATHS, "dst": OP_PATHS}),
    (5, "rename", {"src": OP_PATHS, "dst": OP_PATHS, "flags": (2, 1, 2, 4, 3)}),
    (5, "link", {"src": OP_PATHS, "dst": OP_PATHS, "follow_symlinks": (False, False, True)}),
    (2, "symlink", {"target": ("a", "b/c", "nowhere", "c", "b/../c/", ""), "path": OP_PATHS}),
    (1, "mknod", {"path": OP_PATHS, "mode": (0o010644, 0o140644, 0o100644)}),
    (1, "mknod", {"path": OP_PATHS, "mode": (0o020644, 0o060644), "device": (0x103, 0, 0x801)}),
    (4, "chmod", {"path": OP_PATHS, "mode": (0o644, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0, 0o2666)}),
    (
        3,
        "chown",
        {"path": OP_PATHS, "uid": (-1, 0, 1000, 50), "gid": (-1, 0, 1000, 50), "follow_symlinks": (False, True)},
    ),
    (2, "utime", {"path": OP_PATHS, "ns": ((OLD + 5, OLD + 5), (OLD, OLD)), "follow_symlinks": (False, True)}),
    (1, "utime", {"path": OP_PATHS, "follow_symlinks": (False,)}),
    (3, "truncate", {"path": OP_PATHS, "length": (0, 1, 3, 9, -1)}),
    (
        3,
        "setxattr",
        {
            "path": OP_PATHS,
            "name": (
                "user.k",
                "user.n",
                "trusted.t",
                "trusted.overlay.opaque",
                "user.overlay.x",
                "security.x",
                "nonsense",
            ),
            "value": (b"w",),
            "flags": (0, 0, 1, 2),
        },
    ),
    (1, "removexattr", {"path": OP_PATHS, "name": ("user.k", "trusted.t", "trusted.overlay.opaque")}),
    (1, "getxattr", {"path": OP_PATHS, "name": ("user.k", "trusted.t", "trusted.overlay.opaque")}),
    (1, "listxattr", {"path": OP_PATHS}),
    (1, "lstat", {"path": OP_PATHS}),
    (1, "stat", {"path": OP_PATHS}),
    (2, "access", {"path": OP_PATHS, "mode": tuple(range(8))}),
    (2, "listdir", {"path": (".", *PATHS, *NAMES)}),
    (1, "readlink", {"path": OP_PATHS}),
    (4, "open", {"path": OP_PATHS, "flags": (0, os.O_RDWR, os.O_WRONLY | os.O_APPEND), "fd": FDS}),
    (
        3,
        "open",
        {
            "path": OP_PATHS,
            "mode": (0o644, 0o4755),
            "fd": FDS,
            "flags": (
                os.O_CREAT | os.O_RDWR,
                os.O_CREAT | os.O_EXCL | os.O_WRONLY,
                os.O_CREAT,
                os.O_TRUNC,
                os.O_DIRECTORY,
                os.O_NOFOLLOW,
                os.O_TMPFILE | os.O_RDWR,
                os.O_CREAT | os.O_TRUNC | os.O_RDWR,
                os.O_CREAT | os.O_NOFOLLOW,
                os.O_CREAT | os.O_DIRECTORY,
                os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW,
                os.O_EXCL | os.O_APPEND,
                os.O_DIRECTORY | os.O_RDWR,
                os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW,
                os.O_CREAT | os.O_APPEND | os.O_WRONLY,
                os.O_DIRECTORY | os.O_NOFOLLOW,
            ),
        },
    ),
    (1, "opendir", {"path": (".", *PATHS), "fd": FDS}),
    (2, "readdir", {"fd": FDS}),
    (1, "rewinddir", {"fd": FDS}),
    (1, "read", {"fd": FDS, "count": (3,)}),
    (1, "pread", {"fd": FDS, "count": (99,), "offset": (0, 2)}),
    (2, "write", {"fd": FDS, "data": (b"FD",)}),
    (1, "pwrite", {"fd": FDS, "data": (b"p",), "offset": (0, 2, 5)}),
    (1, "lseek", {"fd": FDS, "position": (0, 1, 20)}),
    (1, "fstat", {"fd": FDS}),
    (1, "ftruncate", {"fd": FDS, "length": (0, 2, 7)}),
    (1, "posix_fallocate", {"fd": FDS, "offset": (0,), "length": (1, 6)}),
    (1, "fchmod", {"fd": FDS, "mode": (0o600, 0o4755)}),
    (1, "fchown", {"fd": FDS, "uid": (-1, 1000), "gid": (-1,)}),
    (2, "linkfd", {"fd": FDS, "dst": OP_PATHS}),
    (1, "close", {"fd": FDS}),
    (1, "umask", {"mask": (0o022, 0o077, 0)}),
    (1, "remount", {}),
    (1, "rotate", {}),
)
# Calls that an operation may name, but none of these: each with the reason, and where it is proved.
CALLS_LEFT_OUT = {
    "mmap, mread": "a map that reaches behind the end of a file that was cut ends the process; vector cu-30",
    "lseek in a directory to other places than the beginning": "they are each file system's own",
    "chdir": "both sides stand in the mount's root",
    "mount, umount": "every case is a mount; vectors of the group mount",
}
# Whose layers the upper is like: one that its own root cannot write to is none.
OF_UPPER = {"root": "root", "user": "user", "mapped": "user"}
# What layers do not have, with the reason.
LAYERS_LEFT_OUT = {
    "objects of unmapped owners that the namespace may not read": (
        "whether a mark on them is seen, and with which errno a search ends, depends on the order in which the kernel "
        "asks for marks"
    ),
    "index=on together with userxattr, for root": (
        "copying up a hard-linked symlink is EPERM, and leaves an index with which no mount works any more (ENODATA)"
    ),
    "attributes of security modules, in a user namespace": (
        "whether its root may write them depends on whose file system holds the layers"
    ),
}
# Each mode's callers; root of a user namespace is alone there.
USERS = {"root": ((0, 0), (0, 0), (0, 0), (1000, 1000), (1000, 50), (2000, 50)), "user": ((0, 0),), "mapped": ((0, 0),)}


def entries(mode, most, odd=()):
    """The entries of one layer, some of an odd kind if there are any."""
    one = st.tuples(st.sampled_from(PATHS), st.sampled_from((*KINDS[mode], *odd)), st.sampled_from(DRESSED[mode]))
    # Two lists in one are longer on average, and shrink as well.
    return st.tuples(st.lists(one, max_size=most), st.lists(one, max_size=most)).map(
        lambda both: tuple(both[0] + both[1])
    )


@st.composite
def cases(draw, mode):
    """A mount."""
    odd = draw(st.sampled_from(((),) * 9 + (tuple(ODD),) * 2 + ((*ODD, *REDIRECTS),)))
    lowers = tuple(draw(st.lists(entries(mode, 7, odd), min_size=1, max_size=3)))
    form = draw(st.sampled_from(("new upper",) * 12 + ("old upper",) * 5 + ("no upper", "read-only")))
    old = entries(OF_UPPER[mode], 6, tuple(ODD) if odd else ())
    upper = None if form == "no upper" and len(lowers) > 1 else draw(old) if form in ("old upper", "read-only") else ()
    return Case(mode, draw(st.sampled_from(OPTIONS[mode])), lowers, upper, form == "read-only", bool(odd))


@st.composite
def operations(draw, mode):
    """One operation."""
    call, arguments = draw(st.sampled_from(WEIGHTED))
    drawn = {
        name: choices[0] if len(choices) == 1 else draw(st.sampled_from(choices)) for name, choices in arguments.items()
    }
    if call == "open":
        drawn["flags"] |= os.O_NONBLOCK
    if mode != "root":
        # Root of the namespace is the only owner that it maps.
        drawn.update({name: 0 for name in ("uid", "gid") if drawn.get(name, 0) > 0})
        drawn.update({name: "user.n" for name in ("name",) if drawn.get(name) == "security.x"})
    users = USERS[mode]
    return Op(call, drawn, *(users[0] if len(users) == 1 else draw(st.sampled_from(users))))


WEIGHTED = tuple((call, arguments) for weight, call, arguments in CALLS for _ in range(weight))
