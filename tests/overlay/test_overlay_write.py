"""The rules of the overlay's write side, one by one: copy-up, whiteouts, opaque directories, rename, marks."""

import pytest

import overlaylab as ol
from overlaylab.linux.operations import op, run
from overlaylab.linux.proof.invariants import Corrupt, Guard
from overlaylab.linux.system import System
from overlaylab.overlay.features import Features
from overlaylab.overlay.filesystem import EXCHANGE, NOREPLACE, WHITEOUT
from overlaylab.overlay.journal import (
    CopyUp,
    ImpureSet,
    MetadataCopyUp,
    Moved,
    OpaqueSet,
    RedirectSet,
    Removed,
    WhiteoutMade,
    WhiteoutRemoved,
)
from overlaylab.overlay.whiteouts import TRUSTED, USER
from overlaylab.tree import Device, Directory, File, Symlink


def world(lower, upper=None, *more, **features):
    """A process that sees an overlay; layers **topmost first** behind the upper."""
    layers = [ol.make_tree(layer) for layer in (lower, *more)]
    overlay = ol.Overlay(lowerdirs=layers, upperdir=ol.make_tree(upper or {}), features=Features(**features))
    return System.over(overlay)


def after(system, *operations):
    """Run operations under guard; the last step."""
    guard = Guard(system.cwd.fs)
    step = None
    for operation in operations:
        step = run(system, operation)
        guard.check()
    return step


def upper(system):
    """The upper directory in short: a name, and what is there."""

    def say(inode):
        if isinstance(inode, Device) and inode.rdev == (0, 0):
            return "whiteout"
        marks = sorted(name.removeprefix(TRUSTED).removeprefix(USER) for name in inode.xattrs if ".overlay." in name)
        return " ".join([inode.type, *marks])

    return {path: say(inode) for path, inode in ol.tree.walk(system.cwd.fs.upperdir) if path != "."}


LOWER = {"a": "A", "d": {"x": "X", "s": {"y": "Y"}}, "l": Symlink(target="a")}

EFFECTS = {
    "append copies up": (
        op("append", path="d/s/y", data=b"+"),
        {"d": "dir impure origin", "d/s": "dir impure origin", "d/s/y": "file origin"},
    ),
    "chmod copies up": (op("chmod", path="a", mode=0o600), {"a": "file origin"}),
    "chmod of a directory leaves its content below": (op("chmod", path="d", mode=0o700), {"d": "dir origin"}),
    "chown of nobody copies up": (op("chown", path="a", uid=-1, gid=-1), {"a": "file origin"}),
    "lchown copies the link": (op("lchown", path="l", uid=1, gid=1), {"l": "symlink origin"}),
    "chmod through a link copies the target": (op("chmod", path="l", mode=0o600), {"a": "file origin"}),
    "utime copies up": (op("utime", path="a"), {"a": "file origin"}),
    "setxattr copies up": (op("setxattr", path="a", name="user.k", value=b"v"), {"a": "file origin"}),
    "a failing setxattr has copied up": (
        op("setxattr", path="a", name="user.k", value=b"v", flags=2),
        {"a": "file origin"},
    ),
    "one for the wrong type has not": (op("setxattr", path="l", name="user.k", value=b"v"), {}),
    "removexattr of nothing does not": (op("removexattr", path="a", name="user.k"), {}),
    "reading does not": (op("read_file", path="a"), {}),
    "access does not": (op("access", path="a", mode=2), {}),
    "a refused call does not": (op("append", path="a", data=b"+", by=(1000, 1000)), {}),
    "rename onto itself does not": (op("rename", src="a", dst="a"), {}),
    "unlink leaves a whiteout": (op("unlink", path="d/x"), {"d": "dir origin", "d/x": "whiteout"}),
    "create copies up the parent": (op("create", path="d/new", data=b""), {"d": "dir origin", "d/new": "file"}),
    "mkdir is plain": (op("mkdir", path="d/new"), {"d": "dir origin", "d/new": "dir"}),
    "rename moves the copy": (op("rename", src="a", dst="b"), {"a": "whiteout", "b": "file origin"}),
    "rename into a directory": (
        op("rename", src="a", dst="d/a"),
        {"a": "whiteout", "d": "dir impure origin", "d/a": "file origin"},
    ),
    "rename of a directory is refused": (op("rename", src="d", dst="e"), {}),
    "link": (op("link", src="a", dst="b"), {"a": "file origin", "b": "file origin"}),
    "exchange makes no whiteouts": (
        op("rename", src="a", dst="l", flags=EXCHANGE),
        {"a": "symlink origin", "l": "file origin"},
    ),
}


@pytest.mark.parametrize(("operation", "expected"), EFFECTS.values(), ids=EFFECTS)
def test_what_one_operation_leaves_in_the_upper(operation, expected):
    system = world(LOWER)
    after(system, operation)

    assert upper(system) == expected


def test_copy_up_says_what_it_did():
    step = after(world(LOWER), op("append", path="d/x", data=b"+"))

    assert [effect for effect in step.effects if isinstance(effect, (CopyUp, ImpureSet))] == [
        CopyUp("d"),
        ImpureSet("."),
        CopyUp("d/x"),
        ImpureSet("d"),
    ]
    assert [str(effect) for effect in step.effects][:1] == ["copied up /d"]


def test_whiteouts_are_made_consumed_and_not_made_for_what_is_only_above():
    system = world(LOWER, {"up": "U"})
    made = after(system, op("unlink", path="a"))
    used = after(system, op("create", path="a", data=b"new"))
    gone = after(system, op("unlink", path="up"))

    assert [effect for effect in made.effects if isinstance(effect, WhiteoutMade)] == [WhiteoutMade("a")]
    assert [effect for effect in used.effects if isinstance(effect, WhiteoutRemoved)] == [WhiteoutRemoved("a")]
    assert gone.effects == (Removed("up"),)
    assert upper(system) == {"a": "file"}


def test_a_directory_made_over_a_whiteout_is_opaque():
    system = world(LOWER)
    step = after(
        system,
        op("unlink", path="d/s/y"),
        op("rmdir", path="d/s"),
        op("unlink", path="d/x"),
        op("rmdir", path="d"),
        op("mkdir", path="d"),
    )

    assert OpaqueSet("d") in step.effects
    assert (upper(system), system.listdir("d")) == ({"d": "dir opaque"}, [])


def test_a_whole_tree_ends_as_one_whiteout():
    system = world(LOWER)
    after(system, op("unlink", path="d/s/y"), op("rmdir", path="d/s"), op("unlink", path="d/x"), op("rmdir", path="d"))

    assert upper(system) == {"d": "whiteout"}


def test_a_stray_whiteout_keeps_a_plain_upper_directory_from_being_removed():
    system = world(LOWER, {"n": {"stray": None}})

    assert (after(system, op("rmdir", path="n")).error, system.listdir("n")) == ("ENOTEMPTY", ["stray"])


@pytest.mark.parametrize(
    ("lower", "above", "operation", "error", "left"),
    [
        (
            {"x": ""},
            {"d": {}, "e": {"y": ""}},
            op("rename", src="d", dst="e"),
            "ENOTEMPTY",
            {"d": "dir opaque", "e": "dir", "e/y": "file"},
        ),
        ({"x": ""}, {"d": {}}, op("rename", src="d", dst="e"), "", {"e": "dir opaque"}),
        ({"x": ""}, {"d": {}, "p": {}}, op("rename", src="d", dst="p/d"), "", {"p": "dir", "p/d": "dir"}),
        ({"e": {}}, {"d": {"y": ""}}, op("rename", src="d", dst="e"), "", {"e": "dir opaque", "e/y": "file"}),
        ({"e": {"x": ""}}, {"d": {}}, op("rename", src="d", dst="e"), "ENOTEMPTY", {"d": "dir"}),
        ({"b": "B"}, {"a": "A"}, op("rename", src="a", dst="b"), "", {"b": "file"}),
        (
            {"a": "A", "b": "B"},
            {"b": None},
            op("rename", src="a", dst="b", flags=NOREPLACE),
            "",
            {"a": "whiteout", "b": "file origin"},
        ),
        ({"a": "A"}, {}, op("rename", src="a", dst="b", flags=WHITEOUT), "EINVAL", {}),
        ({"d": {}, "e": {}}, {}, op("rename", src="d", dst="e", flags=EXCHANGE), "EXDEV", {}),
    ],
    ids=[
        "marked before it fails",
        "opaque on every move",
        "not in a plain parent",
        "over an empty lower",
        "not empty",
        "over a lower file",
        "onto a whiteout",
        "whiteout flag",
        "exchange of lower directories",
    ],
)
def test_rename(lower, above, operation, error, left):
    system = world(lower, above)

    assert (after(system, operation).error, upper(system)) == (error, left)


def test_a_file_moved_into_a_new_directory_makes_it_impure_until_it_leaves():
    system = world(LOWER)
    after(system, op("mkdir", path="n"), op("rename", src="a", dst="n/a"))
    before = upper(system)["n"]
    after(system, op("unlink", path="n/a"), op("listdir", path="n"))

    assert (before, upper(system)["n"]) == ("dir impure", "dir")


def test_lower_hard_links_part_and_their_copies_know_no_origin():
    shared = File.of(b"A", nlink=2)
    system = world({"a": shared, "b": shared})
    numbers = system.lstat("a").st_ino, system.lstat("b").st_ino
    after(system, op("append", path="a", data=b"+"))

    assert numbers[0] == numbers[1] != system.lstat("a").st_ino
    assert (system.read_file("b"), upper(system), shared.data) == (b"A", {"a": "file"}, b"A")


def test_with_index_they_stay_together():
    shared = File.of(b"A", nlink=2)
    system = world({"a": shared, "b": shared}, index=True)
    after(system, op("append", path="a", data=b"+"))
    together = system.read_file("b"), system.lstat("b").st_nlink
    after(system, op("unlink", path="a"))

    assert (together, system.lstat("b").st_nlink, system.read_file("b")) == ((b"A+", 2), 1, b"A+")
    assert after(system, op("rename", src="b", dst="b2"), op("unlink", path="b2")).errno is None
    assert system.cwd.fs.index == {}


def test_a_redirect_is_the_first_name_or_the_path_below():
    system = world({"p": {"d": {"x": "X"}}, "q": {}}, redirect="on")
    first = after(system, op("rename", src="p/d", dst="p/e"))
    second = after(system, op("rename", src="p/e", dst="p/f"))
    third = after(system, op("rename", src="p/f", dst="q/g"))

    assert [
        effect.detail for step in (first, second, third) for effect in step.effects if isinstance(effect, RedirectSet)
    ] == ["d", "/p/d"]
    assert [effect.path for effect in third.effects if isinstance(effect, Moved)] == ["p/f"]
    assert system.read_file("q/g/x") == b"X"


def test_a_redirect_of_more_than_256_bytes_is_refused():
    deep = {"x": ""}
    for letter in "abcdefgh":
        deep = {letter * 40: deep}
    system = world({"top": deep, "q": {}}, redirect="on")
    path = "/".join(["top", *(letter * 40 for letter in reversed("abcdefgh"))])

    assert after(system, op("rename", src=path, dst="q/new")).error == "EXDEV"
    assert after(system, op("rename", src="/".join(path.split("/")[:6]), dst="q/new")).error == ""


def test_metacopy_brings_the_data_when_it_is_written():
    system = world({"a": "data"}, metacopy=True, redirect="on")
    step = after(system, op("chmod", path="a", mode=0o600))
    kept = upper(system), system.read_file("a"), system.lstat("a").st_size
    after(system, op("rename", src="a", dst="b"), op("append", path="b", data=b"+"))

    assert MetadataCopyUp("a") in step.effects
    assert (kept, system.read_file("b")) == (({"a": "file metacopy origin"}, b"data", 4), b"data+")
    assert upper(system) == {"a": "whiteout", "b": "file origin redirect"}


def test_userxattr_keeps_marks_where_a_user_can_write_them():
    system = world(LOWER, userxattr=True, redirect="nofollow")
    after(system, op("chmod", path="a", mode=0o600), op("lchown", path="l", uid=1, gid=1))

    assert upper(system) == {"a": "file origin", "l": "symlink"}
    assert sorted(system.cwd.fs.upperdir.xattrs) == [USER + "impure"]


def test_an_open_descriptor_sees_the_copy_and_a_map_does_not():
    system = world(LOWER)
    fd = system.open("a", 0)
    system.mmap(fd, map="m")
    system.append("a", b"+")

    assert (system.pread(fd, 9, 0), system.mread("m")) == (b"A+", b"A")


def test_an_open_file_whose_name_is_gone_cannot_be_copied_up():
    system = world(LOWER)
    fd = system.open("a", 0)
    system.unlink("a")

    assert run(system, op("fchmod", fd=fd, mode=0o600)).error == "EEXIST"
    assert (system.pread(fd, 9, 0), upper(system)) == (b"A", {"a": "whiteout"})


def test_a_mere_look_gives_an_upper_directory_its_origin():
    system = world(LOWER, {"d": {}})
    after(system, op("lstat", path="d/x"))

    assert upper(system) == {"d": "dir origin"}


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (op("create", path="n", data=b""), "EROFS"),
        (op("unlink", path="nothing"), "EROFS"),
        (op("mkdir", path="d"), "EEXIST"),
        (op("rename", src="nothing", dst="n"), "EROFS"),
        (op("link", src="nothing", dst="n"), "ENOENT"),
        (op("access", path="a", mode=2), "EROFS"),
        (op("chmod", path="a", mode=0, by=(1000, 1000)), "EROFS"),
        (op("truncate", path="d", length=0), "EISDIR"),
        (op("open", path="a", flags=0o100), ""),
    ],
    ids=repr,
)
def test_a_read_only_overlay_refuses_in_its_own_order(operation, error):
    system = System.over(ol.Overlay(lowerdirs=[ol.make_tree(LOWER), Directory()]))

    assert run(system, operation).error == error


def test_a_committed_directory_no_longer_moves():
    system = world({"x": ""})
    moved = after(system, op("mkdir", path="d"), op("rename", src="d", dst="e"))
    system.rotate()

    assert (moved.error, after(system, op("rename", src="e", dst="f")).error, system.listdir(".")) == (
        "",
        "EXDEV",
        ["e", "x"],
    )


def test_the_old_interface_for_looking_writes_nothing():
    overlay = ol.Overlay(lowerdirs=[ol.make_tree(LOWER)], upperdir=ol.make_tree({"d": {}}))
    overlay.merged(), overlay.lookup("d/x"), overlay.readdir("d"), overlay.provenance()

    assert overlay.upperdir == ol.make_tree({"d": {}})


HARM = {
    "a lower inode": lambda o: o.upperdir.names.update(x=o.lowerdirs[0].names["a"]),
    "two places": lambda o: o.upperdir.names.update(x=(d := Directory()), y=d),
    "a link count": lambda o: o.upperdir.names.update(x=File.of(b"", nlink=2)),
    "a name": lambda o: o.upperdir.names.update({"a/b": File.of(b"")}),
    "the lower layer": lambda o: o.lowerdirs[0].names.pop("a"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_the_guard_notices(harm):
    overlay = world(LOWER).cwd.fs
    guard = Guard(overlay)
    guard.check()
    harm(overlay)

    with pytest.raises(Corrupt):
        guard.check()


def test_a_shared_copy_gets_a_further_name_once_however_often_its_descriptor_is_used():
    """Read off a live mount: with index=on, fchmod gives the copy of a hard link its second name, and works again."""
    lower = ol.make_tree({"a": {"c": "x"}})
    lower.names["c"] = lower.names["a"].names["c"]
    lower.names["c"].nlink = 2
    upper = Directory()
    system = System.over(ol.Overlay(lowerdirs=[lower], upperdir=upper, features=Features(index=True)))
    system.overwrite("a/c", b"O")
    fd = system.open("c", 0o4000)

    for mode in (0o600, 0o640):
        system.fchmod(fd, mode)

    assert upper.names["c"] is upper.names["a"].names["c"]
    assert system.stat("c").st_mode & 0o777 == 0o640
