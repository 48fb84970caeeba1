"""What is mounted for real and simulated side by side, and what the two are compared on.

Runs also as a program, as another user: ``python mountproof.py`` prints the
differences, one a line, and last how many stacks were compared.
"""

import os
import random
from dataclasses import replace

from overlaylab.image.samples import page_overlay
from overlaylab.kernel.mount import Stack, mounted_views
from overlaylab.kernel.syscalls import ROOT
from overlaylab.kernel.write_layers import fit
from overlaylab.overlay.lookup_result import Verdict
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import TRUSTED, USER
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink, entry, find, make_tree, walk, whiteout

# Both ways to mount, as far as whoever runs this may take them.
MODES_OF_THIS_USER = ["root", "user-namespace"] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["user-namespace"]

COMPARED = {
    "names": "which paths there are, and what readdir lists, also names that lstat does not find",
    "entry": "type, mode, owner, mtime, size, content, link target, device number, nlink of files, extended attributes",
    "links": "which names are one inode",
    "lowers": "the lower layers on disk, before and after",
}
NOT_COMPARED = {
    "inode and device numbers, atime": "new on every mount",
    "size and nlink of directories": "the file system's own affair",
    "security.selinux": "set by the machine's policy, not by the layers",
    "owners, device nodes, trusted.* and security.* in a user namespace": (
        "cannot be made there; `fit` leaves them out on both sides"
    ),
    "marks in the upper after reading": "a lookup adds origin and impure (cu-23); the write side compares them",
}


# Stacks made by hand


def opaque(names=None, value=b"y", **attributes):
    return make_tree(names or {}, xattrs={TRUSTED + "opaque": value}, **attributes)


def redirected(target, names=None):
    return make_tree(names or {}, xattrs={TRUSTED + "redirect": target.encode()})


def marked_whiteout():
    return File.of(b"", xattrs={TRUSTED + "whiteout": b"y"})


def linked(*names, content="one inode"):
    """One file under several names."""
    file = File.of(content.encode(), nlink=len(names))
    return dict.fromkeys(names, file)


def stack(*lowers, upper=None, options=None):
    """Layers topmost first, as mappings for `make_tree`, or as trees."""
    trees = [tree if isinstance(tree, Directory) else make_tree(tree) for tree in lowers]
    over = upper if upper is None or isinstance(upper, Directory) else make_tree(upper)
    return Stack(lowerdirs=tuple(trees), upperdir=over, options=options)


D = {"d": {"low": "low", "both": "low"}}
ODD_NAMES = ("a:b", "c,d", "e\\f", "\\:", "\\,", "g h", "=#'\"$(x)", ":", ",", "\\", "\udcff", "ü", "x" * 200)

# name -> a stack that every mode can mount.
STACKS = {
    "page": stack(
        page_overlay()["Fruits"],
        page_overlay()["Vegetables"],
        upper=page_overlay()["Meat"],
        options=MountOptions(lowerdirs=("Fruits", "Vegetables"), upperdir="Meat", workdir="work"),
    ),
    "leftmost lower wins": stack({"a": "top"}, {"a": "middle"}, {"a": "bottom", "b": "bottom"}),
    "upper beats all": stack({"a": "low"}, upper={"a": "up"}),
    "directories merge": stack({"d": {"top": "t", "both": "t"}}, D, upper={"d": {"up": "u"}}),
    "three directories merge": stack({"d": {"1": "1"}}, {"d": {"2": "2"}}, {"d": {"3": "3", "1": "3"}}),
    "whiteout in the upper": stack(D, upper={"d": {"both": None}}),
    "whiteout of a directory": stack(D, upper={"d": None}),
    "whiteout in the middle": stack({"d": {"new": "n"}}, {"d": None}, D),
    "whiteout of a name in the middle": stack({"d": {}}, {"d": {"low": None}}, D),
    "whiteout of nothing": stack({"gone": None, "a": "a"}, {"b": "b"}),
    "whiteout at the bottom": stack({"a": "a"}, {"gone": None}),
    "file over whiteout": stack({"d": {"low": "again"}}, {"d": {"low": None}}, D),
    "stray whiteout in a plain directory": stack({"d": {"ghost": None, "f": "f"}}, {"other": "o"}),
    "stray whiteout in a plain upper directory": stack({"other": "o"}, upper={"d": {"ghost": None, "f": "f"}}),
    "opaque at the top": stack({"d": opaque({"new": "n"})}, D),
    "opaque in the middle": stack({"d": {"top": "t"}}, {"d": opaque({"mid": "m"})}, D),
    "opaque in the upper": stack(D, upper={"d": opaque({"up": "u"})}),
    "opaque with whiteouts inside": stack({"d": opaque({"low": None, "new": "n"})}, D),
    "opaque of another value": stack({"d": opaque({"new": "n"}, value=b"n")}, D),
    "opaque root": stack(opaque({"new": "n"}), D, upper=opaque({"up": "u"})),
    "opaque on a file": stack({"d": {"both": File.of(b"f", xattrs={TRUSTED + "opaque": b"y"})}}, D),
    "opaque deep inside": stack({"p": {"q": opaque({"r": {"new": "n"}})}}, {"p": {"q": {"r": {"old": "o"}}, "s": "s"}}),
    "file over directory": stack({"d": "a file"}, D),
    "directory over file": stack({"d": {"new": "n"}}, {"d": "a file"}, D),
    "file in the middle of directories": stack({"d": {"new": "n"}}, {"d": "a file"}, D, upper={"d": {"up": "u"}}),
    "symlink over directory": stack({"d": Symlink(target="/elsewhere")}, D),
    "directory over symlink": stack({"d": {"new": "n"}}, {"d": Symlink(target="e")}, {"e": {"f": "f"}}),
    "symlinks verbatim": stack(
        {"a": Symlink(target="../../etc/passwd"), "b": Symlink(target="b"), "c": Symlink(target="\udcfe,:")}, D
    ),
    "special files": stack(
        {"pipe": Fifo(mode=0o600), "socket": Socket(mode=0o755)}, {"pipe": "f", "socket": {"x": "x"}}
    ),
    "hard links": stack(linked("a", "b"), {"a": "low", "c": "c"}),
    "hard link with a hidden name": stack({"b": "top"}, linked("a", "b", "c")),
    "hard links over directories": stack(
        {"d": linked("x", "y"), **linked("z", "w")}, D, upper={"d": linked("x", "low")}
    ),
    "root attributes": stack(
        make_tree({"a": "a"}, mode=0o1711, mtime_ns=5),
        make_tree({}, mode=0o700),
        upper=make_tree({}, mode=0o2750, mtime_ns=7),
    ),
    "directory attributes from the top": stack(
        {"d": make_tree({}, mode=0o1777, mtime_ns=123456789)}, {"d": make_tree({}, mode=0o700)}
    ),
    "modes": stack({f"{mode:04o}": File.of(b"", mode=mode) for mode in (0, 0o4755, 0o2755, 0o1644, 0o7777, 0o111)}, D),
    "times": stack(
        {str(time): File.of(b"", mtime_ns=time) for time in (0, 1, 999_999_999, 2**31 * 10**9, -(10**9))}, D
    ),
    "attributes": stack({"a": File.of(b"", xattrs={"user.x": b"\0\xff"})}, D),
    "no union of attributes": stack(
        {"d": make_tree({}, xattrs={"user.a": b"1"})}, {"d": make_tree({}, xattrs={"user.b": b"2"})}
    ),
    ".wh. names mean nothing": stack({".wh.low": "", "d": {".wh..wh..opq": ""}}, {"low": "l", **D}),
    "odd entry names": stack(
        {name: name for name in ODD_NAMES if "/" not in name}, {"\udcff": "below", "y" * 255: "long"}
    ),
    "odd layer names": stack(
        *({f"{i}": str(i), "all": str(i)} for i in range(len(ODD_NAMES))),
        upper={"up": "up"},
        options=MountOptions(lowerdirs=ODD_NAMES, upperdir="u,p\\:", workdir="w:o,r\\k"),
    ),
    "layer names odd without an upper": stack({"1": "1"}, {"2": "2"}, options=MountOptions(lowerdirs=("\\\\", "::"))),
    "three hundred layers": stack(*({"all": str(i), str(i): ""} for i in range(300))),
    "deep": stack(*[make_tree({"d": {"d": {"d": {"d": {"d": {str(i): "x"}}}}}}) for i in range(3)]),
    "empty layers": stack({}, {}, upper={}),
}

# Stacks that need root: redirects, devices, owners.
ROOT_STACKS = {
    "renamed directory": stack({"new": redirected("old"), "old": None}, {"old": {"f": "f"}}),
    "renamed twice": stack({"c": redirected("b"), "b": None}, {"b": redirected("a"), "a": None}, {"a": {"f": "f"}}),
    "moved directory": stack(
        {"to": {"new": redirected("/from/old")}, "from": {"old": None}}, {"from": {"old": {"f": "f"}}, "to": {}}
    ),
    "moved where nothing was": stack({"to": {"new": redirected("/from/old")}}, {"from": {"old": {"f": "f"}}}),
    "redirect to nothing": stack({"new": redirected("missing", {"f": "f"})}, {"old": {"g": "g"}}),
    "opaque wins over redirect": stack(
        {"new": make_tree({}, xattrs={TRUSTED + "opaque": b"y", TRUSTED + "redirect": b"old"})},
        {"old": {"f": "f"}},
    ),
    "renamed in the upper": stack({"old": {"f": "f"}}, upper={"new": redirected("old", {"g": "g"}), "old": None}),
    "devices": stack(
        {"null": Device(kind="char", rdev=(1, 3)), "disk": Device(kind="block", rdev=(8, 0))}, {"null": "f"}
    ),
    "block device 0:0 is no whiteout": stack({"a": Device(kind="block", rdev=(0, 0))}, {"a": "below"}),
    "owners": stack(
        {"a": File.of(b"", uid=1000, gid=2000), "d": make_tree({}, uid=65534)}, {"d": {"b": Symlink(target="x", uid=5)}}
    ),
    "setuid of another owner": stack({"su": File.of(b"x", uid=7, gid=8, mode=0o6755)}, {}),
    "security attributes": stack(
        {
            "cap": File.of(
                b"", xattrs={"security.capability": bytes.fromhex("0100000200200000000000000000000000000000")}
            )
        },
        {},
    ),
    "marks of the other namespace": stack(
        {"d": make_tree({"n": "n"}, xattrs={USER + "opaque": b"y", "trusted.x": b"1"})}, D
    ),
    "escaped marks": stack({"d": make_tree({"n": "n"}, xattrs={TRUSTED + "overlay.opaque": b"y"})}, D),
}

# Marks on files came with Linux 6.7; before, such a file is just an empty file.
FILE_MARK_STACKS = {
    "file as whiteout": stack({"d": {"low": marked_whiteout()}}, D),
    "file as whiteout in the upper": stack(D, upper={"d": {"low": marked_whiteout()}}),
    "file as whiteout, listing says so": stack({"d": opaque({"low": marked_whiteout()}, value=b"x")}, D),
    "file as whiteout, x in the upper": stack(D, upper={"d": opaque({"low": marked_whiteout()}, value=b"x")}),
    "file with content is no whiteout": stack(
        {"d": {"low": File.of(b"x", xattrs={TRUSTED + "whiteout": b"y"})}},
        D,
    ),
}


# Stacks made by chance


def random_stacks(seed, count):
    """The same stacks for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        lowers = tuple(random_layer(chance) for _ in range(chance.choice((1, 2, 2, 3, 3, 4, 6))))
        over = random_layer(chance) if len(lowers) == 1 or chance.random() < 0.5 else None
        yield Stack(lowerdirs=lowers, upperdir=over)


def random_layer(chance):
    files: list[File] = []
    tree = random_directory(chance, 0, files)
    for _, inode in walk(tree):
        if isinstance(inode, File):
            inode.nlink = 0
    for _, inode in walk(tree):
        if isinstance(inode, File):
            inode.nlink += 1
    return tree


def random_directory(chance, depth, files):
    names = {}
    for name in chance.sample(("a", "b", "c", "d", "\udcff"), chance.randint(0, 4)):
        names[name] = random_inode(chance, depth, files)
    attributes = random_attributes(chance)
    if depth and chance.random() < 0.2:
        attributes["xattrs"] = {**attributes["xattrs"], TRUSTED + "opaque": chance.choice((b"y", b"y", b"y", b"n"))}
    return Directory(names=names, **attributes)


def random_inode(chance, depth, files):
    kind = chance.choices(
        ("dir", "file", "link", "whiteout", "symlink", "fifo", "socket", "device"),
        (6 if depth < 3 else 0, 5, 1, 3, 1, 0.3, 0.2, 0.3),
    )[0]
    attributes = random_attributes(chance)
    if kind == "dir":
        return random_directory(chance, depth + 1, files)
    if kind == "whiteout":
        return whiteout()
    if kind == "link" and files:
        return chance.choice(files)
    attributes["xattrs"] = attributes["xattrs"] if kind in ("file", "link") else {}
    if kind == "symlink":
        return Symlink(target=chance.choice(("a", "../b", "/c/d", "nowhere")), **attributes | {"mode": 0o777})
    if kind == "fifo":
        return Fifo(**attributes)
    if kind == "socket":
        return Socket(**attributes)
    if kind == "device":
        return Device(
            kind=chance.choice(("char", "block")), rdev=(chance.randint(1, 9), chance.randint(0, 300)), **attributes
        )
    files.append(File.of(chance.randbytes(chance.randint(0, 40)), **attributes))
    return files[-1]


def random_attributes(chance):
    return {
        "mode": chance.choice((0o644, 0o755, 0o700, 0o4755, 0o1777, chance.randint(0, 0o7777))),
        "uid": chance.choice((0, 0, 1000)),
        "gid": chance.choice((0, 0, 100)),
        "mtime_ns": chance.randint(0, 2 * 10**18),
        "xattrs": {"user.note": chance.randbytes(3)} if chance.random() < 0.2 else {},
    }


# The comparison


def as_written(stack, mode):
    """The stack as this mode can write it to disk, and the namespace of its marks."""
    if mode == ROOT:
        return stack, TRUSTED
    lowers = tuple(fit(tree)[0] for tree in stack.lowerdirs)
    return replace(stack, lowerdirs=lowers, upperdir=stack.upperdir and fit(stack.upperdir)[0]), USER


def simulated(stack, mode):
    stack, marks = as_written(stack, mode)
    return Overlay(lowerdirs=stack.lowerdirs, upperdir=stack.upperdir, marks=marks)


def entries(tree, hidden="\0"):
    """Every path and its entry; by default with all marks, so that one that shines through the mount is found."""
    found = {path: entry(inode, hidden) for path, inode in walk(tree)}
    for fields in found.values():
        attributes = {name: value for name, value in fields.pop("xattrs_hex", {}).items() if name != "security.selinux"}
        fields["xattrs"] = attributes
    return found


def link_groups(tree):
    """The names that are one inode. A redirect can show an inode of one name twice; that makes no link of it."""
    groups: dict[int, list[str]] = {}
    for path, inode in walk(tree):
        if inode.nlink > 1 and not isinstance(inode, Directory):
            groups.setdefault(id(inode), []).append(path)
    return sorted(paths for paths in groups.values() if len(paths) > 1)


def unlike(what, expected, found):
    """One line for each key on which two mappings differ."""
    for key in sorted({*expected, *found}):
        if expected.get(key) != found.get(key):
            yield f"{what} {key!r}: simulated {expected.get(key)}, kernel {found.get(key)}"


def differences(stack, view):
    """What the simulation and the kernel disagree on, and layers that moved; nothing if all is well."""
    overlay = simulated(stack, view.mode)
    merged = overlay.merged()
    listing = {path: overlay.readdir(path) for path, inode in walk(merged) if isinstance(inode, Directory)}
    yield from unlike("entry", entries(merged, overlay.marks), entries(view.merged))
    yield from unlike("listing", listing, view.listing)
    if link_groups(merged) != link_groups(view.merged):
        yield f"links: simulated {link_groups(merged)}, kernel {link_groups(view.merged)}"
    for number, (before, after) in enumerate(zip(overlay.lowerdirs, view.lowerdirs, strict=True)):
        yield from unlike(f"lowerdir {number}", entries(before), entries(after))


def labels(stack):
    """The interesting places that a stack reaches in the simulation."""
    overlay = simulated(stack, ROOT)
    merged = overlay.merged()
    for path, inode in walk(merged):
        found = overlay.lookup(path)
        verdicts = [step.verdict for step in found.trace]
        if path != "." and verdicts.count(Verdict.MERGED) >= 2:
            yield "three directories merge"
        yield from (f"hidden by {step.reason}" for step in found.trace if step.verdict is Verdict.HIDDEN)
        if isinstance(inode, Directory):
            yield from (
                "ghost in a listing"
                for name in overlay.readdir(path)
                if find(merged, f"{path}/{name}".removeprefix("./")) is None
            )
        elif found.layer is not None and any(part.verdict is Verdict.WHITEOUT for part in found.trace):
            yield "whiteout below a file"
    if link_groups(merged):
        yield "hard links"
    for tree in overlay.lowerdirs:
        yield from (
            "whiteout hides a name"
            for path, inode in walk(tree)
            if inode == whiteout() and not overlay.lookup(path).parts
        )


def prove(stacks, mode):
    """Mount many stacks and say, by name, what differs."""
    views = mounted_views(list(stacks.values()), mode=mode)
    return {name: list(differences(stack, view)) for (name, stack), view in zip(stacks.items(), views, strict=True)}


def main():
    stacks = {**STACKS, **{f"random {i}": made for i, made in enumerate(random_stacks(11, 200))}}
    results = prove(stacks, None)
    for name, lines in results.items():
        for line in lines:
            print(f"{name}: {line}".encode("unicode_escape").decode())
    print("compared", len(results))


if __name__ == "__main__":
    main()
