"""Objects and their names: what is open though its name is gone, and which names are one. All
answers were read off Linux 6.18.
"""

import pytest

import overlaylab as ol
from overlaylab.linux.operations import op, run
from overlaylab.linux.system import System
from overlaylab.overlay.features import Features
from overlaylab.overlay.filesystem import EXCHANGE
from overlaylab.overlay.whiteouts import TRUSTED, USER
from overlaylab.tree import Device, Directory, Fifo, File, walk


def world(**more):
    """A process in an overlay whose one lower layer has a file, a FIFO and an empty directory below ``d``."""
    lower = ol.make_tree({"d": {"f": "F", "p": Fifo(mode=0o644), "e": {}, "s": {"q": Fifo(mode=0o644), "g": "G"}}})
    return System.over(ol.Overlay(lowerdirs=[lower], upperdir=Directory(), **more))


def upper(system):
    """What the upper holds below ``d``: types, and w for a whiteout."""
    shown = walk(system.cwd.fs.upperdir)
    return {path: "w" if isinstance(inode, Device) else inode.type for path, inode in shown if path.startswith("d/")}


# What is opened, what is done then, what fchmod gives, and what the upper holds below d afterwards.
COPIES = {
    "a file does not get its name back": ("d/f", [op("unlink", path="d/f")], "EEXIST", {"d/f": "w"}),
    "a FIFO takes the place of its whiteout": ("d/p", [op("unlink", path="d/p")], "", {"d/p": "fifo"}),
    "a FIFO takes the place of a new file": (
        "d/p",
        [op("unlink", path="d/p"), op("create", path="d/p", data=b"")],
        "",
        {"d/p": "fifo"},
    ),
    "a FIFO does not take that of a directory": (
        "d/p",
        [op("unlink", path="d/p"), op("mkdir", path="d/p")],
        "EISDIR",
        {"d/p": "dir"},
    ),
    "a directory does not take that of its whiteout": ("d/e", [op("rmdir", path="d/e")], "ENOTDIR", {"d/e": "w"}),
    "a directory takes that of an empty one": (
        "d/e",
        [op("rmdir", path="d/e"), op("mkdir", path="d/e")],
        "",
        {"d/e": "dir"},
    ),
    "a directory does not take that of a full one": (
        "d/e",
        [op("rmdir", path="d/e"), op("mkdir", path="d/e"), op("mkdir", path="d/e/x")],
        "ENOTEMPTY",
        {"d/e": "dir", "d/e/x": "dir"},
    ),
    "nothing goes into a dead directory": (
        "d/s/q",
        [op("unlink", path="d/s/q"), op("unlink", path="d/s/g"), op("rmdir", path="d/s")],
        "EIO",
        {"d/s": "w"},
    ),
    "nor does a file": (
        "d/s/g",
        [op("unlink", path="d/s/q"), op("unlink", path="d/s/g"), op("rmdir", path="d/s")],
        "ENOENT",
        {"d/s": "w"},
    ),
}


@pytest.mark.parametrize(("path", "before", "error", "expected"), COPIES.values(), ids=COPIES)
def test_copy_up_of_what_has_no_name(path, before, error, expected):
    system = world()
    fd = system.open(path, 0o4000)
    assert [run(system, operation).error for operation in before] == [""] * len(before)

    assert run(system, op("fchmod", fd=fd, mode=0o600)).error == error
    assert upper(system) == expected


def test_a_refused_copy_has_marked_its_directory():
    system = world()
    system.open("d/f", 0, fd="old")
    run(system, op("unlink", path="d/f"))
    run(system, op("fchmod", fd="old", mode=0o600))

    assert TRUSTED + "impure" in system.cwd.fs.upperdir.names["d"].xattrs


GONE = {
    "removed": [op("rmdir", path="d/e")],
    "replaced": [op("mkdir", path="n"), op("rename", src="n", dst="d/e")],
    "removed and made again": [op("rmdir", path="d/e"), op("mkdir", path="d/e")],
}


@pytest.mark.parametrize("before", GONE.values(), ids=GONE)
def test_a_dead_directory_is_not_read(before):
    system = world()
    system.opendir("d/e", fd="old")
    assert [run(system, operation).error for operation in before] == [""] * len(before)

    assert run(system, op("readdir", fd="old")).error == "ENOENT"
    assert run(system, op("fstat", fd="old")).error == ""


def test_a_dead_directory_of_the_upper_has_no_links():
    system = world()
    system.mkdir("d/n")
    system.opendir("d/n", fd="upper")
    system.opendir("d/e", fd="lower")
    before = [system.fstat(fd).st_nlink for fd in ("upper", "lower")]
    system.rmdir("d/n")
    system.rmdir("d/e")

    assert (before, [system.fstat(fd).st_nlink for fd in ("upper", "lower")]) == ([2, 2], [0, 2])


def test_one_that_was_exchanged_is_read():
    system = world()
    system.opendir("d/e", fd="old")
    system.mkdir("n")
    run(system, op("rename", src="d/f", dst="n", flags=EXCHANGE))

    assert system.readdir("old") == []


def test_a_removal_that_is_taken_back_is_no_death():
    player = ol.linux.Player(world().cwd.fs, [op("opendir", path="d/e", fd="old"), op("rmdir", path="d/e")])
    player.go(1)

    assert player.do(op("readdir", fd="old")).value == []


@pytest.mark.parametrize(
    "back",
    [
        [op("rename", src="a", dst="b"), op("link", src="b", dst="a")],
        [
            op("chmod", path="a", mode=0o600),
            op("link", src="a", dst="b"),
            op("unlink", path="a"),
            op("link", src="b", dst="a"),
        ],
    ],
    ids=["moved away", "unlinked"],
)
def test_a_link_that_comes_back_to_an_old_name_has_a_new_number_in_a_user_namespace(back):
    """No origin can be read back there, so only the name that was copied up keeps the number."""
    system = System.over(
        ol.Overlay(lowerdirs=[ol.make_tree({"a": "A"})], upperdir=Directory(), marks=USER, userns=True)
    )
    number = system.lstat("a").st_ino
    assert [run(system, operation).error for operation in back] == [""] * len(back)

    assert system.lstat("a").st_ino != number


def test_names_that_are_one_inode_in_the_upper_alone_are_no_target_of_each_other():
    system = System.over(
        ol.Overlay(lowerdirs=[ol.make_tree({"a": "A"})], upperdir=Directory(), marks=USER, userns=True)
    )
    system.link("a", "b")
    system.link("a", "c")

    assert run(system, op("rename", src="a", dst="b")).error == "ESTALE"
    assert (run(system, op("rename", src="b", dst="c")).error, system.listdir(".")) == ("", ["a", "b", "c"])


def test_what_waits_in_a_fifo_is_still_there_after_copy_up_and_under_another_name():
    system = world(marks=USER, userns=True)
    system.open("d/p", 0o4002, fd="both")
    system.write("both", b"abc")
    run(system, op("rename", src="d/p", dst="d/f", flags=EXCHANGE))
    system.open("d/f", 0o4000, fd="new")

    assert (system.read("both", 1), system.read("new", 1)) == (b"a", b"b")
    assert run(system, op("overwrite", path="d/f", data=b"d")).error == ""
    assert system.read("new", 9) == b"cd"


def test_a_fifo_that_nobody_has_open_is_empty():
    system = world()
    system.open("d/p", 0o4002, fd="both")
    system.write("both", b"abc")
    system.close("both")
    system.open("d/p", 0o4000, fd="new")

    assert system.read("new", 9) == b""


def test_metadata_without_an_origin_is_a_copy_of_what_its_data_is_taken_from():
    lower, here = (
        ol.make_tree({"a": "A"}),
        ol.make_tree({"a": File(data=bytes(1), size=1, xattrs={TRUSTED + "metacopy": b""}), "d": {}}),
    )
    system = System.over(ol.Overlay(lowerdirs=[lower], upperdir=here, features=Features(metacopy=True, redirect="on")))
    number = system.lstat("a").st_ino
    system.append("a", b"+")
    system.rename("a", "d/a")

    assert TRUSTED + "impure" in here.names["d"].xattrs
    assert (system.lstat("d/a").st_ino, system.read_file("d/a")) == (number, b"A+")


def test_two_upper_names_of_one_broken_hard_link_are_one_inode():
    lower = ol.make_tree({"a": "A"})
    lower.names["b"], lower.names["a"].nlink = lower.names["a"], 2
    system = System.over(ol.Overlay(lowerdirs=[lower], upperdir=Directory()))
    system.link("a", "x")

    assert (run(system, op("rename", src="a", dst="x")).error, system.listdir(".")) == ("", ["a", "b", "x"])


def in_a_user_namespace(**lower):
    return System.over(ol.Overlay(lowerdirs=[Directory(names=lower)], upperdir=Directory(), marks=USER, userns=True))


def test_a_user_namespace_opens_and_copies_no_device():
    system = in_a_user_namespace(null=Device(kind="char", rdev=(1, 3), mode=0o666))

    assert run(system, op("open", path="null", flags=0, fd="f")).error == "EACCES"
    assert run(system, op("chmod", path="null", mode=0o600)).error == "EPERM"
    assert (system.cwd.fs.upperdir.names, system.cwd.fs.upperdir.xattrs) == ({}, {USER + "impure": b"y"})


def test_a_copy_in_a_user_namespace_has_no_attributes_of_roots_own():
    system = in_a_user_namespace(a=File.of(b"", xattrs={"trusted.t": b"v", "user.k": b"v"}))
    system.chmod("a", 0o600)

    assert sorted(system.cwd.fs.upperdir.names["a"].xattrs) == ["user.k", USER + "origin"]
