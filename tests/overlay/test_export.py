"""An upper directory as the next layer of an image: a commit."""

import io

import pytest

import overlaylab as ol
from overlaylab.linux.operations import op, run
from overlaylab.linux.proof.compare import first_difference, layer_listing
from overlaylab.linux.system import System
from overlaylab.overlay.features import Features
from overlaylab.tree import Device, Directory, Fifo, File, Socket, Symlink

LOWER = {"a": "A", "d": {"x": "X", "s": {"y": "Y"}}, "gone": {"z": ""}}


def committed(operations, **features):
    """The overlay after some operations."""
    system = System.over(
        ol.Overlay(lowerdirs=[ol.make_tree(LOWER)], upperdir=Directory(), features=Features(**features))
    )
    for operation in operations:
        assert run(system, operation).errno is None
    return system.cwd.fs


def reread(changeset):
    return ol.read_changeset(io.BytesIO(ol.write_tar(changeset)), keep=1 << 20)


def kinds(changeset):
    return [(type(change).__name__, change.path) for change in changeset.changes]


def test_deletions_come_before_their_siblings_and_links_after_their_first_name():
    overlay = committed(
        [
            op("unlink", path="a"),
            op("create", path="!", data=b"early"),
            op("link", src="!", dst="zz"),
            op("unlink", path="gone/z"),
            op("rmdir", path="gone"),
            op("mkdir", path="gone"),
            op("create", path="gone/new", data=b"n"),
            op("unlink", path="d/x"),
        ]
    )

    assert kinds(ol.to_changeset(overlay.upperdir)) == [
        ("Upsert", "."),
        ("Whiteout", "a"),
        ("Upsert", "!"),
        ("Upsert", "d"),
        ("Whiteout", "d/x"),
        ("Upsert", "gone"),
        ("OpaqueWhiteout", "gone"),
        ("Upsert", "gone/new"),
        ("Link", "zz"),
    ]


def everything():
    """Changes with all that an archive can hold."""
    long = "n" * 120
    put = [
        ("d", Directory(mode=0o1777, uid=1, gid=2)),
        ("d/" + long, File.of(b"x" * 600, mode=0o4755, mtime_ns=5 * 10**9 + 7)),
        ("big", File.of(b"", uid=1 << 30, xattrs={"user.k": b"\0\xff", "security.capability": b"c", "user.é": b"1"})),
        ("s", Symlink(target="t" * 150)),
        ("c", Device(kind="char", rdev=(1, 3))),
        ("b", Device(kind="block", rdev=(8, 1))),
        ("p", Fifo(mode=0o600)),
        ("old", File.of(b"", mtime_ns=-1)),
        ("odd\udcff", File.of(b"odd")),
    ]
    return ol.Changeset(
        (
            *(ol.image.Upsert(path, inode) for path, inode in put),
            ol.image.Link("l", "big"),
            ol.Whiteout("w"),
            ol.Whiteout("d/w"),
            ol.image.OpaqueWhiteout("d"),
        )
    )


def test_a_written_tar_reads_back_the_same_and_has_the_same_bytes_each_time():
    changeset = everything()

    assert reread(changeset).changes == changeset.changes
    assert (reread(changeset).problems, ol.write_tar(changeset)) == ((), ol.write_tar(everything()))


def test_the_bytes_of_a_written_tar_are_fixed():
    assert str(ol.DiffID.of(ol.write_tar(everything()))) == DIGEST


DIGEST = "sha256:e6c3c8ccfe4c92d82ae7802a4a1ce01cec2a122ca1374dd17c11c1962e6cfb09"


def test_marks_do_not_leave_and_sockets_are_left_out():
    overlay = committed([op("chmod", path="d/x", mode=0o600), op("mknod", path="sock", mode=0o140600)])
    changeset = ol.to_changeset(overlay.upperdir)

    assert [name for change in changeset.changes for name in change.inode.xattrs] == []
    assert isinstance(overlay.upperdir.names["sock"], Socket) and "sock" not in [
        change.path for change in changeset.changes
    ]


@pytest.mark.parametrize(
    ("features", "operations", "where"),
    [
        ({"redirect": "on"}, [op("rename", src="d", dst="e"), op("append", path="e/s/y", data=b"+")], "e"),
        ({"redirect": "on", "metacopy": True}, [op("chmod", path="a", mode=0o600), op("link", src="a", dst="b")], "a"),
    ],
    ids=["redirect", "metacopy"],
)
def test_what_an_archive_cannot_say_is_refused_or_written_out(features, operations, where):
    overlay = committed(operations, **features)
    with pytest.raises(ol.errors.Finding) as refused:
        ol.to_changeset(overlay.upperdir)
    whole = ol.image.apply(overlay.lowerdirs[0], reread(ol.to_changeset(overlay.upperdir, overlay)))
    merged = ol.Directory()
    merged.names = {}
    for path, parts in overlay.walk():
        assert ol.find(whole, path) is not None
        if isinstance(parts[0].inode, File):
            assert ol.find(whole, path).data == parts[-1].inode.data

    assert (refused.value.problem.kind, refused.value.problem.where) == ("unsupported-mark", where)
    assert {path for path, _ in ol.tree.walk(whole)} == {path for path, _ in overlay.walk()}


def test_a_commit_over_its_base_is_the_merged_view_on_both_roads():
    overlay = committed(
        [
            op("append", path="d/x", data=b"+"),
            op("unlink", path="a"),
            op("mkdir", path="a"),
            op("rename", src="gone/z", dst="a/z"),
            op("rmdir", path="gone"),
            op("symlink", target="a", path="l"),
        ]
    )
    changeset = reread(ol.to_changeset(overlay.upperdir))
    base = overlay.lowerdirs[0]
    flat = ol.image.apply(base, changeset)
    layer, problems = ol.to_lowerdir(changeset, lambda path: ol.find(base, path))
    merged = ol.Overlay.of_layers([base, layer]).merged()

    assert problems == ()
    skip, marks = ("nlink", "number"), (".opaque", ".origin", ".impure")
    assert first_difference(layer_listing(flat), layer_listing(merged), skip, marks) == ""
    assert first_difference(layer_listing(flat), layer_listing(overlay.merged()), skip, marks) == ""


def test_a_file_whose_content_was_not_kept_cannot_be_written():
    with pytest.raises(ol.errors.Finding) as refused:
        ol.write_tar(ol.Changeset((ol.image.Upsert("f", File(size=5, sha256="0" * 64)),)))
    assert refused.value.problem.kind == "missing-content"
