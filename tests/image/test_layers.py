"""Layer tars: names, times, links and marks survive exactly; hostile ones are refused and cost little."""

import gzip
import io
import tarfile
import time
import tracemalloc
from itertools import pairwise

import pytest
import zstandard
from builders import member, tar

import overlaylab as ol
from overlaylab.image.compression import Inflated
from overlaylab.image.tar_reader import TarReader

FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


def read(data, **options):
    return ol.read_changeset(io.BytesIO(data), **options)


def merged(*layers):
    return ol.Overlay.of_layers(ol.to_lowerdirs([read(layer, keep=1 << 20) for layer in layers])).merged()


def paths(root):
    return [path for path, _ in ol.tree.walk(root)]


def kinds(data):
    return [problem.kind for problem in read(data).problems]


# what a tar can hold


@pytest.mark.parametrize("form", FORMATS)
def test_names_that_are_not_utf8_survive(form):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    root = merged(tar(member(name, b"x"), form=FORMATS[form]))

    assert ol.find(root, name).data == b"x"
    assert [path.encode("utf-8", "surrogateescape") for path in paths(root)] == [b".", b"caf\xe9"]


@pytest.mark.parametrize("form", ["pax", "gnu"])
def test_long_names_and_targets_survive(form):
    name, target = "d/" + "n" * 200, "t" * 300
    root = merged(tar(member(name, kind="symlink", link=target), form=FORMATS[form]))

    assert ol.find(root, name).target == target


def test_long_name_that_is_cut_right_behind_a_slash_is_still_a_file():
    name = "d" * 99 + "/file"
    root = merged(tar(member(name, b"content"), member("next", b"n"), form=tarfile.GNU_FORMAT))

    assert ol.find(root, name).data == b"content"
    assert ol.find(root, "next").data == b"n"


def test_name_with_a_slash_behind_it_is_a_directory_in_the_oldest_tars():
    root = merged(tar((member("old/")[0], b""), member("old/f", b"x")))

    assert ol.find(root, "old").type == "dir"


def test_ustar_prefix_is_part_of_the_name():
    name = "/".join(["p" * 60, "q" * 60, "f"])

    assert paths(merged(tar(member(name), form=tarfile.USTAR_FORMAT)))[-1] == name


@pytest.mark.parametrize(
    "text,nanoseconds",
    [("1700000000.123456789", 1700000000123456789), ("-1.5", -1500000000), ("3", 3 * 10**9), ("0.000000001", 1)],
)
def test_times_are_exact_to_the_nanosecond(text, nanoseconds):
    changeset = read(tar(member("f", pax={"mtime": text})))

    assert changeset.changes[0].inode.mtime_ns == nanoseconds


def test_large_numbers_in_base_256_and_in_pax_are_read():
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        inode = read(tar(member("f", uid=3_000_000_000, gid=2**33, mtime=-5), form=form)).changes[0].inode
        assert (inode.uid, inode.gid, inode.mtime_ns) == (3_000_000_000, 2**33, -5 * 10**9)


def test_extended_attributes_are_exact_bytes():
    value = b"\x01\x00\x00\x02\xff\n=".decode("utf-8", "surrogateescape")
    record = b"SCHILY.xattr.security.capability=" + value.encode("utf-8", "surrogateescape")
    length = len(record) + 2
    length += len(str(length))
    body = b"%d %s\n" % (length, record)
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(body)
    data = header.tobuf() + body + bytes(-len(body) % 512) + tar(member("f"))

    assert read(data).changes[0].inode.xattrs == {"security.capability": value.encode("utf-8", "surrogateescape")}


def test_device_numbers_fifos_and_modes_are_read():
    root = merged(
        tar(
            member("c", kind="char", rdev=(1, 3)),
            member("b", kind="block", rdev=(7, 9)),
            member("p", kind="fifo"),
            member("s", b"x", mode=0o106755),
        )
    )

    assert [(ol.find(root, name).type, ol.find(root, name).rdev) for name in "cb"] == [
        ("char", (1, 3)),
        ("block", (7, 9)),
    ]
    assert ol.find(root, "p").type == "fifo"
    assert ol.find(root, "s").mode == 0o6755


def test_hard_link_is_one_inode_under_two_names_wherever_it_stands():
    after = merged(tar(member("a", b"x"), member("d/b", kind="hardlink", link="./a")))
    before = merged(tar(member("d/b", kind="hardlink", link="a"), member("a", b"x")))
    for root in (after, before):
        assert ol.find(root, "a") is ol.find(root, "d/b")
        assert ol.find(root, "a").nlink == 2


def test_hard_links_to_hard_links_are_resolved_whatever_their_order_and_number():
    names = [f"h{i}" for i in range(2000)]
    links = [member(name, kind="hardlink", link=target) for name, target in pairwise(names)]
    root = merged(tar(*links, member(names[-1], b"x")))

    assert len({id(root.names[name]) for name in names}) == 1 and root.names["h0"].nlink == 2000


def test_hard_links_in_a_circle_lead_nowhere():
    circle = [member(name, kind="hardlink", link=target) for name, target in ("ab", "bc", "ca", "dd")]
    root, problems = ol.to_lowerdir(read(tar(*circle)), lambda path: None)

    assert (dict(root.names), {problem.kind for problem in problems}, len(problems)) == ({}, {"dangling-hardlink"}, 4)


@pytest.mark.parametrize("depth", [3000])
def test_deep_trees_are_read_in_little_time(depth):
    """Each step down is a member of its own: work that grows with the square of the depth per member takes minutes."""
    start = time.process_time()
    root = merged(tar(*(member("/".join("d" * i), kind="dir") for i in range(1, depth))))

    assert len(paths(root)) == depth
    assert time.process_time() - start < 20


def test_hard_link_to_a_lower_layer_is_a_copy_in_its_own_layer():
    root = merged(tar(member("a", b"x")), tar(member("b", kind="hardlink", link="a")))

    assert ol.find(root, "b").data == b"x"
    assert (ol.find(root, "a").nlink, ol.find(root, "b").nlink) == (1, 1)


def test_hard_links_of_one_layer_to_one_lower_file_share_their_copy():
    links = tar(*(member(name, kind="hardlink", link="a") for name in ("b", "c")))
    root = merged(tar(member("a", b"x")), links)

    assert ol.find(root, "b") is ol.find(root, "c") is not ol.find(root, "a")
    assert (ol.find(root, "a").nlink, ol.find(root, "b").nlink) == (1, 2)


def test_hard_link_to_a_lower_layer_leaves_that_layer_as_it_was():
    linked = [member("f", b"x"), member("also", kind="hardlink", link="f")]
    base, top = ol.to_lowerdirs([read(tar(*linked)), read(tar(member("g", kind="hardlink", link="f")))])

    assert (base.names["f"].nlink, top.names["g"].nlink) == (2, 1)


def test_overlay_marks_inside_a_layer_are_dropped():
    """They would act on the mount: overlay vector oci-21."""
    marks = {f"SCHILY.xattr.{space}.overlay.opaque": "y" for space in ("trusted", "user")}
    [change] = read(tar(member("d", kind="dir", pax=marks | {"SCHILY.xattr.user.note": "kept"}))).changes

    assert change.inode.xattrs == {"user.note": b"kept"}


def test_opaque_directory_holds_no_whiteouts():
    """The kernel would list them as they are: overlay vector wo-06."""
    layer = read(tar(member("d/.wh.gone"), member("d/e/.wh.too"), member("d/.wh..wh..opq"), member("d/new")))
    root, _ = ol.to_lowerdir(layer, lambda path: None)

    assert paths(root) == [".", "d", "d/e", "d/new"]


def test_names_that_differ_in_case_are_two():
    assert paths(merged(tar(member("man/PAM.7.gz"), member("man/pam.7.gz")))) == [
        ".",
        "man",
        "man/PAM.7.gz",
        "man/pam.7.gz",
    ]


# deletion

LOWER = tar("a/", "a/b/", member("a/b/old", b"o"), member("a/f", b"f"), member("g", b"g"))


@pytest.mark.parametrize(
    "members,visible",
    [
        ([member("a/.wh.f")], [".", "a", "a/b", "a/b/old", "g"]),
        ([member(".wh.a")], [".", "g"]),
        (["a/", member("a/.wh..wh..opq"), member("a/n")], [".", "a", "a/n", "g"]),
        (["a/", member("a/n"), member("a/.wh..wh..opq")], [".", "a", "a/n", "g"]),
        ([member("a/.wh.b"), member("a/b/c/d")], [".", "a", "a/b", "a/b/c", "a/b/c/d", "a/f", "g"]),
        ([member(".wh.a"), "a/", member("a/n")], [".", "a", "a/n", "g"]),
        ([member("a/b/.wh.old"), member(".wh.a")], [".", "g"]),
        ([member("a")], [".", "a", "g"]),
        (["g/", member("g/n")], [".", "a", "a/b", "a/b/old", "a/f", "g", "g/n"]),
        (
            [member(".wh..wh.plnk"), member(".wh..wh.aufs"), member(".wh..wh..opaque")],
            [".", "a", "a/b", "a/b/old", "a/f", "g"],
        ),
        ([member(".wh.nothing")], [".", "a", "a/b", "a/b/old", "a/f", "g"]),
        (
            ["new/", member("new/.wh..wh..opq"), member("new/x")],
            [".", "a", "a/b", "a/b/old", "a/f", "g", "new", "new/x"],
        ),
    ],
)
def test_deletions_of_a_layer(members, visible):
    layer = tar(*members)

    assert paths(merged(LOWER, layer)) == visible
    assert paths(ol.image.flatten([read(LOWER), read(layer)])) == visible


def test_deleted_directory_that_is_made_again_does_not_bring_its_old_content_back():
    assert paths(merged(LOWER, tar(member(".wh.a")), tar("a/", member("a/n")))) == [".", "a", "a/n", "g"]


def test_whiteout_of_a_whiteouts_name_hides_exactly_that_name():
    lower = tar(member("foo.wh.bar"), member("bar"), member("foo"))

    assert paths(merged(lower, tar(member(".wh.foo.wh.bar")))) == [".", "bar", "foo"]


def test_whiteout_hides_one_path_and_not_every_file_of_that_name():
    assert paths(merged(tar(member("test"), member("d/test")), tar(member(".wh.test")))) == [".", "d", "d/test"]


def test_directory_over_a_symlink_replaces_it_and_the_link_is_not_followed():
    lower = tar("usr/", "usr/lib/", member("usr/lib/old"), member("lib", kind="symlink", link="usr/lib"))

    assert paths(merged(lower, tar("lib/", member("lib/new")))) == [
        ".",
        "lib",
        "lib/new",
        "usr",
        "usr/lib",
        "usr/lib/old",
    ]


def test_parents_that_the_archive_leaves_out_are_as_they_are_below():
    root = merged(tar(member("d", kind="dir", mode=0o700, uid=5)), tar(member("d/f")))

    assert (ol.find(root, "d").mode, ol.find(root, "d").uid) == (0o700, 5)


@pytest.mark.parametrize(
    "members,expected",
    [
        ([member(".wh.")], ["bad-whiteout"]),
        ([member("d/.wh..")], ["bad-whiteout"]),
        ([member("d/.wh...")], ["bad-whiteout"]),
        ([member("x"), member(".wh.x")], ["whiteout-conflict"]),
        ([member(".wh.x"), member("x")], []),
        ([member("d", kind="char")], ["device-whiteout"]),
        ([member("a/../../x")], ["path-escape"]),
        ([member("l", kind="hardlink", link="../../etc/passwd")], ["path-escape"]),
        ([member("out", kind="symlink", link="/tmp"), member("out/evil")], ["path-escape"]),
        ([member("f"), member("f/below")], ["bad-layer"]),
        (["d/", "d/"], ["duplicate-entry"]),
        (["./", "./d/", member("./d/f")], []),
        (["./", "./"], []),
        ([member("")], ["bad-layer"]),
        ([member(".wh..wh.plnk"), member("d/.wh..wh.aufs"), member("d/.wh..wh..opaque")], ["bookkeeping-member"] * 3),
        ([member("d/h", kind="hardlink", link="f"), member(".", kind="symlink", link="f"), member("f")], ["bad-layer"]),
        ([member("f"), member("a/b/c"), "a/b/", member("f/x/y")], ["bad-layer"]),
    ],
)
def test_odd_members_are_named_by_kind(members, expected):
    assert kinds(tar(*members)) == expected


def test_bare_whiteout_deletes_neither_the_directory_nor_the_root():
    assert paths(merged(LOWER, tar(member(".wh."), member("a/.wh.")))) == [".", "a", "a/b", "a/b/old", "a/f", "g"]


@pytest.mark.parametrize("mark", ["a/.wh.f", "a/b/.wh.old", "a/.wh..wh..opq", "a/b/.wh..wh..opq"])
def test_whiteout_below_what_is_no_directory_any_more_changes_nothing(mark):
    """umoci writes such layers when a folder became a file."""
    layers = [LOWER, tar(member("a", b"now a file"), member(mark))]
    changesets = [read(layer) for layer in layers]
    top, problems = ol.to_lowerdir(changesets[1], lambda path: ol.find(ol.image.flatten(changesets[:1]), path))

    assert paths(merged(*layers)) == paths(ol.image.flatten(changesets)) == [".", "a", "g"]
    assert [problem.kind for problem in problems] == ["no-op-whiteout"]
    assert paths(top) == [".", "a"]


def test_member_that_is_refused_is_left_out_and_the_rest_is_read():
    assert paths(merged(tar(member("../evil", b"x"), member("good", b"y")))) == [".", "good"]


# damage


@pytest.mark.parametrize("cut", [100, 512, 700, 1100])
def test_tar_that_is_cut_within_a_member_is_truncated(cut):
    with pytest.raises(ol.errors.Finding) as refused:
        read(tar(member("f", b"x" * 600))[:cut])

    assert refused.value.problem.kind == "truncated"


@pytest.mark.parametrize("position,value", [(0, b"9"), (100, b"zz"), (124, b"-1"), (148, b"9999")])
def test_header_whose_bytes_were_changed_is_refused(position, value):
    data = bytearray(tar(member("f")))
    data[position : position + len(value)] = value

    with pytest.raises(ol.errors.Finding) as refused:
        read(bytes(data))
    assert refused.value.problem.kind == "bad-tar-header"


@pytest.mark.parametrize("body", [b"9 a=b", b"99 path=x\n", b"x path=y\n", b"7 path\n", b"0 a=b\n", b"-1 a=b\n", b"\n"])
def test_pax_record_of_a_wrong_form_is_refused(body):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(body)
    data = header.tobuf() + body + bytes(-len(body) % 512) + tar(member("f"))

    with pytest.raises(ol.errors.Finding) as refused:
        read(data)
    assert refused.value.problem.kind == "bad-tar-header"


@pytest.mark.parametrize(
    "key,value", [("size", "-5"), ("size", "x"), ("uid", "1" * 30), ("mtime", "now"), ("mtime", "1e9"), ("mtime", ".")]
)
def test_pax_number_of_a_wrong_form_is_refused(key, value):
    with pytest.raises(ol.errors.Finding) as refused:
        list(TarReader(io.BytesIO(tar(member("f", pax={key: value}))), "layer"))
    assert refused.value.problem.kind == "bad-tar-header"


def claimed(size):
    data = bytearray(tar(member("f", b"x")))
    data[124:136] = b"\x80" + size.to_bytes(11, "big")
    data[148:156] = b"        "
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize("size,kind", [(2**60, "absurd-size"), (2**40, "absurd-size"), (2**33, "truncated")])
def test_memory_does_not_grow_with_a_claimed_size(size, kind):
    tracemalloc.start()
    with pytest.raises(ol.errors.Finding) as refused:
        read(claimed(size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refused.value.problem.kind == kind
    assert peak < 4 << 20


def test_extended_header_beyond_the_limit_is_refused():
    with pytest.raises(ol.errors.Finding) as refused:
        read(tar(member("n" * 3000)), limits=ol.limits.Limits(path=1000))
    assert refused.value.problem.kind == "limit"


def test_more_members_than_the_limit_are_refused():
    with pytest.raises(ol.errors.Finding) as refused:
        read(tar("a/", "b/", "c/"), limits=ol.limits.Limits(entries=2))
    assert refused.value.problem.kind == "limit"


# packing

PLAIN = tar(member("f", b"content" * 1000))


@pytest.mark.parametrize(
    "packed",
    [
        PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(PLAIN[:700]) + gzip.compress(PLAIN[700:]),
        gzip.compress(PLAIN) + bytes(300),
        zstandard.compress(PLAIN),
        zstandard.compress(PLAIN[:700]) + zstandard.compress(PLAIN[700:]),
        b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard.compress(PLAIN) + b"\x5f\x2a\x4d\x18\x00\x00\x00\x00",
    ],
    ids=["plain", "gzip", "members", "padded", "zstd", "frames", "skippable"],
)
def test_plain_bytes_are_the_same_however_they_are_packed(packed):
    assert b"".join(ol.image.inflate(io.BytesIO(packed), "blob")) == PLAIN


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "harm",
    [
        lambda b: b[:-1],
        lambda b: b[: len(b) // 2],
        lambda b: b[:20],
        lambda b: b[:-4] + b"\0\0\0\1",
        lambda b: b + b"junk",
    ],
)
def test_packed_data_that_is_cut_or_changed_is_refused(pack, harm):
    packed = pack(PLAIN)
    if pack is zstandard.compress and b"\0\0\0\1" in harm(packed)[-4:]:
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(PLAIN)
    with pytest.raises(ol.errors.Finding) as refused:
        list(ol.image.inflate(io.BytesIO(harm(packed)), "blob"))

    assert refused.value.problem.kind == "bad-compression"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_bomb_is_stopped_by_the_limit_and_by_the_ratio_in_little_memory(pack):
    bomb = pack(bytes(64 << 20))
    for limits in (ol.limits.Limits(expanded=8 << 20), ol.limits.Limits(ratio=100, free=8 << 20)):
        tracemalloc.start()
        with pytest.raises(ol.errors.Finding) as refused:
            for _ in ol.image.inflate(io.BytesIO(bomb), "blob", limits):
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert refused.value.problem.kind == "limit"
        assert peak < 72 << 20


def test_layer_is_streamed_and_not_held_in_memory():
    layer = tar(member("f", bytes(48 << 20)))
    packed = gzip.compress(layer, 1)
    del layer
    tracemalloc.start()
    changeset = ol.read_changeset(io.BufferedReader(Inflated(io.BytesIO(packed), "blob")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert changeset.changes[0].inode.size == 48 << 20
    assert peak < 8 << 20


def sparse(name):
    """A file with holes, as ``tar --sparse --format=gnu`` writes it: a map in the header, then one block of it."""
    info = tarfile.TarInfo(name)
    info.size, info.type = 5, b"S"
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"%011o\0" % 4096, b"%011o\0" % 5
    header[482], header[483:495] = 1, b"%011o\0" % 4101
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(512) + b"holes".ljust(512, b"\0")


def test_file_with_holes_is_named_and_the_members_behind_it_are_read():
    data = sparse("database") + tar(member("next", b"n"))

    assert kinds(data) == ["bad-tar-header"]
    assert paths(merged(data)) == [".", "next"]
