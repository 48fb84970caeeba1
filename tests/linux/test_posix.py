"""What any Linux file system does, on a plain disk: the walk, permissions, the order of errors, descriptors."""

import errno

import pytest

import overlaylab as ol
from overlaylab.linux.open_files import OPEN_FLAGS as O
from overlaylab.linux.system import System
from overlaylab.overlay.filesystem import EXCHANGE, NOREPLACE, WHITEOUT, makedev, numbers_of
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink


def disk():
    """Two files, a few links, a directory that is shut, one that is sticky."""
    file = File.of(b"data", mode=0o640, uid=1000, gid=50)
    tree = ol.make_tree(
        {
            "f": file,
            "d": {"g": "text", "e": {}},
            "full": {"x": ""},
            "link": Symlink(target="d/g"),
            "dir": Symlink(target="d"),
            "loop": Symlink(target="loop"),
            "away": Symlink(target="nowhere"),
            "slash": Symlink(target="f/"),
            "shut": Directory(mode=0o700, names={"in": File.of(b"s", mode=0o666)}),
            "t": Directory(mode=0o1777, names={"theirs": File.of(b"", uid=2000), "mine": File.of(b"", uid=1000)}),
            "g": Directory(mode=0o2777, gid=50),
            "p": Fifo(mode=0o666),
            "s": Socket(),
            "c": Device(kind="char", rdev=(5, 1)),
            "null": Device(kind="char", rdev=(1, 3)),
        }
    )
    chain = tree
    for number in range(41):
        chain.names[f"n{number}"] = Symlink(target=f"n{number + 1}")
    chain.names["n41"] = File.of(b"end")
    return System(tree)


USER = (1000, 1000)

REFUSED = [
    # The walk
    ("lstat", {"path": ""}, (0, 0), "ENOENT"),
    ("lstat", {"path": "nothing"}, (0, 0), "ENOENT"),
    ("lstat", {"path": "f/x"}, (0, 0), "ENOTDIR"),
    ("lstat", {"path": "f/"}, (0, 0), "ENOTDIR"),
    ("lstat", {"path": "f/."}, (0, 0), "ENOTDIR"),
    ("stat", {"path": "loop"}, (0, 0), "ELOOP"),
    ("stat", {"path": "n0"}, (0, 0), "ELOOP"),
    ("stat", {"path": "slash"}, (0, 0), "ENOTDIR"),
    ("lstat", {"path": "link/"}, (0, 0), "ENOTDIR"),
    ("lstat", {"path": "x" * 256}, (0, 0), "ENAMETOOLONG"),
    ("lstat", {"path": "ü" * 128}, (0, 0), "ENAMETOOLONG"),
    ("lstat", {"path": "./" * 2048}, (0, 0), "ENAMETOOLONG"),
    ("lstat", {"path": "shut/in"}, USER, "EACCES"),
    ("lstat", {"path": "shut/nothing"}, USER, "EACCES"),
    # Creating
    ("mkdir", {"path": "f"}, (0, 0), "EEXIST"),
    ("mkdir", {"path": "."}, (0, 0), "EEXIST"),
    ("mkdir", {"path": "away"}, (0, 0), "EEXIST"),
    ("mkdir", {"path": "nothing/x"}, (0, 0), "ENOENT"),
    ("mkdir", {"path": "new"}, USER, "EACCES"),
    ("mkdir", {"path": "f"}, USER, "EEXIST"),
    ("symlink", {"target": "", "path": "new"}, (0, 0), "ENOENT"),
    ("symlink", {"target": "x", "path": "new/"}, (0, 0), "ENOENT"),
    ("mknod", {"path": "t/new", "mode": 0o020644, "device": 0x103}, USER, "EPERM"),
    ("mknod", {"path": "new", "mode": 0o040755}, (0, 0), "EPERM"),
    ("link", {"src": "d", "dst": "new"}, (0, 0), "EPERM"),
    ("link", {"src": "nothing", "dst": "f"}, (0, 0), "ENOENT"),
    ("link", {"src": "f", "dst": "d"}, (0, 0), "EEXIST"),
    ("link", {"src": "t/theirs", "dst": "t/new"}, USER, "EPERM"),
    # Removing
    ("unlink", {"path": "d"}, (0, 0), "EISDIR"),
    ("unlink", {"path": "d/"}, (0, 0), "EISDIR"),
    ("unlink", {"path": "f/"}, (0, 0), "ENOTDIR"),
    ("unlink", {"path": "."}, (0, 0), "EISDIR"),
    ("unlink", {"path": "f"}, USER, "EACCES"),
    ("unlink", {"path": "nothing"}, USER, "ENOENT"),
    ("unlink", {"path": "t/theirs"}, USER, "EPERM"),
    ("rmdir", {"path": "f"}, (0, 0), "ENOTDIR"),
    ("rmdir", {"path": "dir"}, (0, 0), "ENOTDIR"),
    ("rmdir", {"path": "full"}, (0, 0), "ENOTEMPTY"),
    ("rmdir", {"path": "full"}, USER, "EACCES"),
    ("rmdir", {"path": "d/."}, (0, 0), "EINVAL"),
    ("rmdir", {"path": "d/.."}, (0, 0), "ENOTEMPTY"),
    ("rmdir", {"path": "/"}, (0, 0), "EBUSY"),
    # Renaming
    ("rename", {"src": "nothing", "dst": "f"}, (0, 0), "ENOENT"),
    ("rename", {"src": "f", "dst": "d"}, (0, 0), "EISDIR"),
    ("rename", {"src": "d", "dst": "f"}, (0, 0), "ENOTDIR"),
    ("rename", {"src": "d", "dst": "full"}, (0, 0), "ENOTEMPTY"),
    ("rename", {"src": "d", "dst": "d/e/x"}, (0, 0), "EINVAL"),
    ("rename", {"src": "d/e", "dst": "d"}, (0, 0), "ENOTEMPTY"),
    ("rename", {"src": "d/e", "dst": "d", "flags": EXCHANGE}, (0, 0), "EINVAL"),
    ("rename", {"src": "f/", "dst": "new"}, (0, 0), "ENOTDIR"),
    ("rename", {"src": "f", "dst": "new/"}, (0, 0), "ENOTDIR"),
    ("rename", {"src": "f", "dst": "d/g", "flags": NOREPLACE}, (0, 0), "EEXIST"),
    ("rename", {"src": "f", "dst": "new", "flags": EXCHANGE}, (0, 0), "ENOENT"),
    ("rename", {"src": "f", "dst": "d/g", "flags": NOREPLACE | EXCHANGE}, (0, 0), "EINVAL"),
    ("rename", {"src": "f", "dst": "d/g", "flags": 8}, (0, 0), "EINVAL"),
    ("rename", {"src": ".", "dst": "new"}, (0, 0), "EBUSY"),
    ("rename", {"src": "f", "dst": "d/.."}, (0, 0), "EBUSY"),
    ("rename", {"src": "t/theirs", "dst": "t/new"}, USER, "EPERM"),
    ("rename", {"src": "t/mine", "dst": "t/theirs"}, USER, "EPERM"),
    # Attributes
    ("chmod", {"path": "d/g", "mode": 0o600}, USER, "EPERM"),
    ("chmod", {"path": "away", "mode": 0o600, "follow_symlinks": False}, (0, 0), "EOPNOTSUPP"),
    ("chown", {"path": "f", "uid": 2000, "gid": -1}, USER, "EPERM"),
    ("chown", {"path": "f", "uid": -1, "gid": 2000}, USER, "EPERM"),
    ("utime", {"path": "d/g", "ns": (1, 1)}, USER, "EPERM"),
    ("utime", {"path": "d/g"}, USER, "EACCES"),
    ("access", {"path": "d/g", "mode": 1}, (0, 0), "EACCES"),
    ("readlink", {"path": "f"}, (0, 0), "EINVAL"),
    ("setxattr", {"path": "link", "name": "user.k", "value": b""}, (0, 0), "EPERM"),
    ("setxattr", {"path": "f", "name": "trusted.k", "value": b""}, USER, "EPERM"),
    ("setxattr", {"path": "f", "name": "odd", "value": b""}, (0, 0), "EOPNOTSUPP"),
    ("getxattr", {"path": "f", "name": "user.k"}, (0, 0), "ENODATA"),
    ("truncate", {"path": "f", "length": -1}, (0, 0), "EINVAL"),
    ("truncate", {"path": "d", "length": 0}, (0, 0), "EISDIR"),
    ("truncate", {"path": "p", "length": 0}, (0, 0), "EINVAL"),
    ("chdir", {"path": "f"}, (0, 0), "ENOTDIR"),
    # Opening
    ("open", {"path": "d", "flags": O["O_WRONLY"]}, (0, 0), "EISDIR"),
    ("open", {"path": "d", "flags": O["O_CREAT"]}, (0, 0), "EISDIR"),
    ("open", {"path": "new/", "flags": O["O_CREAT"]}, (0, 0), "EISDIR"),
    ("open", {"path": "f", "flags": O["O_DIRECTORY"]}, (0, 0), "ENOTDIR"),
    ("open", {"path": "link", "flags": O["O_NOFOLLOW"]}, (0, 0), "ELOOP"),
    ("open", {"path": "away", "flags": O["O_CREAT"] | O["O_EXCL"]}, (0, 0), "EEXIST"),
    ("open", {"path": "new", "flags": O["O_CREAT"] | O["O_DIRECTORY"]}, (0, 0), "EINVAL"),
    ("open", {"path": "d", "flags": O["O_TMPFILE"]}, (0, 0), "EINVAL"),
    ("open", {"path": "f", "flags": O["O_TMPFILE"] | O["O_RDWR"]}, (0, 0), "ENOTDIR"),
    ("open", {"path": "p", "flags": O["O_WRONLY"] | O["O_NONBLOCK"]}, (0, 0), "ENXIO"),
    ("open", {"path": "s", "flags": 0}, (0, 0), "ENXIO"),
    ("open", {"path": "c", "flags": 0}, (0, 0), "ENXIO"),
    ("open", {"path": "shut", "flags": 0}, USER, "EACCES"),
    ("open", {"path": "f", "flags": 0}, (2000, 2000), "EACCES"),
    ("close", {"fd": 99}, (0, 0), "EBADF"),
    ("read", {"fd": "none", "count": 1}, (0, 0), "EBADF"),
]


@pytest.mark.parametrize(("call", "arguments", "who", "name"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_call_is_refused_with_linux_errno(call, arguments, who, name):
    system = disk()

    with system.acting(*who), pytest.raises(OSError, match=r".") as refused:
        getattr(system, call)(**arguments)
    assert refused.value.errno == getattr(errno, name)
    assert system.journal.changes == []


def test_forty_links_are_followed():
    system = disk()

    assert system.read_file("n1") == b"end"


def test_the_walk_goes_up_and_stops_at_the_root():
    system = disk()

    assert system.stat("d/../../../dir/./e/../g").st_size == 4
    assert system.lstat("dir/").st_mode == system.lstat("d").st_mode
    system.chdir("d/e")
    assert system.read_file("../g") == b"text"
    assert system.read_file("/f") == b"data"


def test_new_objects_belong_to_the_caller_without_the_masked_bits():
    system = disk()
    with system.acting(*USER):
        system.umask(0o027)
        system.mkdir("t/d", 0o7777)
        system.create("t/f", b"", 0o666)

    assert (system.lstat("t/d").st_mode, system.lstat("t/d").st_uid, system.lstat("t/d").st_gid) == (
        0o041750,
        1000,
        1000,
    )
    assert system.lstat("t/f").st_mode == 0o100640


def test_a_setgid_directory_passes_its_group_on():
    system = disk()
    with system.acting(*USER):
        system.mkdir("g/d", 0o755)
        system.create("g/f", b"", 0o2777)

    assert (system.lstat("g/d").st_mode, system.lstat("g/d").st_gid) == (0o042755, 50)
    assert (system.lstat("g/f").st_mode, system.lstat("g/f").st_gid) == (0o100755, 50)


@pytest.mark.parametrize(
    ("mode", "who", "change", "after"),
    [
        (0o6755, (0, 0), lambda s: s.chown("f", 1, 1), 0o755),
        (0o2640, (0, 0), lambda s: s.chown("f", 1, 1), 0o2640),
        (0o6777, (0, 0), lambda s: s.append("f", b"x"), 0o6777),
        (0o6777, USER, lambda s: s.append("f", b"x"), 0o777),
        (0o6777, USER, lambda s: s.truncate("f", 1), 0o777),
        (0o755, USER, lambda s: s.chmod("f", 0o2755), 0o755),
    ],
    ids=[
        "chown by root",
        "no group execute",
        "write by root",
        "write by owner",
        "truncate by owner",
        "chmod by a stranger to the group",
    ],
)
def test_setuid_and_setgid_are_taken_off(mode, who, change, after):
    system = disk()
    system.root.inode.names["f"].mode = mode
    with system.acting(*who):
        change(system)

    assert system.root.inode.names["f"].mode == after


def test_nothing_for_nobody_is_open_to_all_but_not_with_a_setuid_bit():
    system = disk()
    with system.acting(2000, 2000):
        system.chown("f", -1, -1)
        system.root.inode.names["f"].mode = 0o4755
        with pytest.raises(PermissionError):
            system.chown("f", -1, -1)


def test_file_capabilities_do_not_survive_a_write():
    system = disk()
    system.setxattr("f", "security.capability", b"c")
    system.chmod("f", 0o755)
    kept = system.listxattr("f")
    system.append("f", b"x")

    assert (kept, system.listxattr("f")) == (["security.capability"], [])


def test_descriptors_read_write_seek_and_append():
    system = disk()
    fd = system.open("f", O["O_RDWR"] | O["O_APPEND"])

    assert (system.read(fd, 2), system.write(fd, b"++"), system.read(fd, 9)) == (b"da", 2, b"")
    assert (system.lseek(fd, -3, 2), system.read(fd, 9), system.fstat(fd).st_size) == (3, b"a++", 6)
    assert (system.pwrite(fd, b"!", 0), system.pread(fd, 9, 0)) == (1, b"data++!")
    system.close(fd)
    assert fd == 3 and system.open("f", 0) == 3


def test_a_gap_is_filled_with_zeros():
    system = disk()
    fd = system.open("f", O["O_WRONLY"])
    system.pwrite(fd, b"x", 6)

    assert system.read_file("f") == b"data\0\0x"


def test_a_descriptor_follows_its_object_over_rename_and_unlink():
    system = disk()
    fd = system.open("f", O["O_RDWR"])
    system.rename("f", "d/new")
    system.write(fd, b"D")
    system.unlink("d/new")

    assert (system.pread(fd, 9, 0), system.fstat(fd).st_nlink) == (b"Data", 0)
    with pytest.raises(FileNotFoundError):
        system.linkfd(fd, "back")


def test_a_file_without_a_name_gets_one():
    system = disk()
    fd = system.open("d", O["O_TMPFILE"] | O["O_RDWR"], 0o600)
    system.write(fd, b"tmp")
    before = system.listdir("d")
    system.linkfd(fd, "d/named")

    assert (before, system.read_file("d/named"), system.lstat("d/named").st_nlink) == (["e", "g"], b"tmp", 1)


def test_a_fifo_needs_a_reader_and_keeps_what_is_written():
    system = disk()
    reader = system.open("p", O["O_NONBLOCK"])
    writer = system.open("p", O["O_WRONLY"] | O["O_NONBLOCK"])
    with pytest.raises(BlockingIOError):
        system.read(reader, 1)
    system.write(writer, b"abc")

    assert (system.read(reader, 2), system.read(reader, 2)) == (b"ab", b"c")
    system.close(reader)
    with pytest.raises(BrokenPipeError):
        system.write(writer, b"x")


def test_an_open_directory_keeps_its_list_until_it_is_rewound():
    system = disk()
    fd = system.opendir("d")
    system.create("d/a", b"")
    first, again = system.readdir(fd), system.readdir(fd)
    system.unlink("d/g")
    system.rewinddir(fd)

    assert (first, again, system.readdir(fd)) == (["a", "e", "g"], [], ["a", "e"])


def test_hard_links_are_counted():
    system = disk()
    system.link("f", "d/f")
    system.link("link", "followed", follow_symlinks=True)
    counts = system.lstat("f").st_nlink, system.lstat("followed").st_ino == system.lstat("d/g").st_ino
    system.unlink("f")
    system.rename("d/f", "d/g")

    assert (counts, system.lstat("d/g").st_nlink, system.lstat("followed").st_nlink) == ((2, True), 1, 1)


def test_exchange_and_whiteout_on_a_plain_disk():
    system = disk()
    system.rename("f", "d", EXCHANGE)
    system.rename("f", "moved", WHITEOUT)

    assert (system.read_file("d"), system.listdir("moved")) == (b"data", ["e", "g"])
    assert (system.lstat("f").st_mode, system.lstat("f").st_rdev) == (0o020000, 0)


@pytest.mark.parametrize("pair", [(0, 0), (1, 3), (8, 1), (259, 5), (7, 300), (4095, 1 << 19)])
def test_device_numbers_come_back(pair):
    assert numbers_of(makedev(*pair)) == pair


def test_names_that_are_no_text_are_names():
    system = disk()
    system.create(b"\xff\xfe", b"odd")

    assert system.read_file("\udcff\udcfe") == b"odd"
