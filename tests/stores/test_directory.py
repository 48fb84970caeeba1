"""A real directory read into a Tree: nothing followed, nothing opened that could block, nothing lost."""

import hashlib
import os
import sys

import pytest

from overlaylab.errors import Finding
from overlaylab.kernel.write_layers import materialise
from overlaylab.limits import Limits
from overlaylab.stores.files import directory
from overlaylab.stores.files.directory import read_directory
from overlaylab.tree import Directory, Fifo, File, Socket, Symlink, entry, find, make_tree, walk

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def kind_of(path, **options):
    with pytest.raises(Finding) as caught:
        read_directory(path, **options)
    return caught.value.problem.kind


def test_files_carry_digest_size_and_time(tmp_path):
    (tmp_path / "a").write_bytes(b"text\n")
    os.utime(tmp_path / "a", ns=(1, 123_456_789_012_345_600))

    file = read_directory(tmp_path).names["a"]

    assert (file.size, file.sha256, file.data) == (5, hashlib.sha256(b"text\n").hexdigest(), None)
    assert file.mtime_ns == 123_456_789_012_345_600


def test_content_is_kept_as_long_as_it_fits(tmp_path):
    for name, size in {"a": 4, "b": 10, "c": 6}.items():
        (tmp_path / name).write_bytes(b"x" * size)

    kept = {name: file.data for name, file in read_directory(tmp_path, keep=10).names.items()}

    assert kept == {"a": b"xxxx", "b": None, "c": b"xxxxxx"}


def test_a_large_file_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "PIECE", 7)
    (tmp_path / "a").write_bytes(b"0123456789" * 5)

    file = read_directory(tmp_path, keep=50).names["a"]

    assert (file.size, file.data, file.sha256) == (50, b"0123456789" * 5, hashlib.sha256(b"0123456789" * 5).hexdigest())


@unix
def test_symlinks_are_kept_and_not_followed(tmp_path):
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "outside").symlink_to("/etc")
    (tmp_path / "nowhere").symlink_to("no/such")

    tree = read_directory(tmp_path)

    assert {name: link.target for name, link in tree.names.items()} == {
        "loop": ".",
        "outside": "/etc",
        "nowhere": "no/such",
    }
    assert all(isinstance(link, Symlink) for link in tree.names.values())


@unix
def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)

    assert isinstance(read_directory(tmp_path).names["pipe"], Fifo)


def test_hard_links_are_one_inode(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_bytes(b"x")
    os.link(tmp_path / "a", tmp_path / "d" / "b")

    tree = read_directory(tmp_path, keep=1)

    assert find(tree, "a") is find(tree, "d/b")
    assert (find(tree, "a").nlink, find(tree, "a").data) == (2, b"x")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems refuse such names")
def test_names_that_are_not_utf8_survive(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff\xfe", "wb"):
        pass
    os.symlink(b"\xfd", os.fsencode(tmp_path) + b"/link")

    tree = read_directory(tmp_path)

    assert sorted(tree.names) == ["link", "\udcff\udcfe"]
    assert tree.names["link"].target == "\udcfd"


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes in this Python")
def test_attributes_are_exact_bytes(tmp_path):
    (tmp_path / "a").touch()
    try:
        os.setxattr(tmp_path / "a", "user.note", b"\0\xff")
        os.setxattr(tmp_path, "user.root", b"1")
    except OSError:
        pytest.skip("the temporary folder takes no attributes")

    tree = read_directory(tmp_path)

    assert tree.names["a"].xattrs["user.note"] == b"\0\xff"
    assert tree.xattrs["user.root"] == b"1"


def test_a_system_without_attributes_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "listxattr", raising=False)
    (tmp_path / "a").touch()

    assert read_directory(tmp_path).names["a"].xattrs == {}


def test_a_name_that_is_listed_but_not_found_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: [*listed(path), b"ghost"])

    assert list(read_directory(tmp_path).names) == ["a"]


@pytest.mark.parametrize("call", ["listdir", "lstat"])
def test_what_may_not_be_read_is_named(tmp_path, monkeypatch, call):
    (tmp_path / "d").mkdir()
    real = getattr(os, call)

    def refuse(path, *rest, **options):
        if os.path.basename(path) == b"d":
            raise PermissionError(13, "Permission denied", path)
        return real(path, *rest, **options)

    monkeypatch.setattr(os, call, refuse)

    with pytest.raises(Finding) as caught:
        read_directory(tmp_path)
    assert (caught.value.problem.kind, caught.value.problem.where) == ("permission-denied", "d")


def test_bad_calls_and_limits(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()

    assert kind_of(tmp_path / "missing") == "not-found"
    assert kind_of(tmp_path / "a") == "wrong-call"
    assert kind_of(tmp_path, limits=Limits(entries=2)) == "limit"
    assert kind_of(tmp_path, limits=Limits(path=3)) == "limit"


@unix
def test_what_was_written_is_what_is_read(tmp_path):
    shared = File.of(b"both", nlink=2, mode=0o640)
    tree = make_tree(
        {
            "d": make_tree({"a": shared, "e": make_tree({}, mode=0o1700, mtime_ns=5)}, mode=0o500, mtime_ns=10**9),
            "b": shared,
            "link": Symlink(target="d/a"),
            "pipe": Fifo(mode=0o600),
            "socket": Socket(mode=0o700),
            "setuid": File.of(b"s", mode=0o4755),
            "\udcff": "name",
        },
        mode=0o711,
    )
    for _, inode in walk(tree):
        inode.uid, inode.gid = os.geteuid(), os.getegid()

    left_out = materialise(tree, str(tmp_path))
    found = read_directory(tmp_path, keep=100)

    assert left_out == ()
    for _, inode in walk(found):
        inode.xattrs = {name: value for name, value in inode.xattrs.items() if name != "security.selinux"}
    assert {path: entry(inode) for path, inode in walk(found)} == {path: entry(inode) for path, inode in walk(tree)}
    assert find(found, "b") is find(found, "d/a")
    assert isinstance(found, Directory)
    (tmp_path / "d").chmod(0o700)
