"""What real users met when layers are merged and written to, each standing for a kind: merge
semantics, kernel facts.
"""

import errno

import pytest
from builders import member, tar

import overlaylab as ol
from overlaylab.kernel import mount
from overlaylab.kernel import why_not as reasons
from overlaylab.linux.operations import op, run
from overlaylab.linux.system import System
from overlaylab.overlay.mount_options import docker_options, parse_options
from overlaylab.overlay.mount_parameters import PAGE
from overlaylab.tree import Directory, File, Symlink


def layers(*tars):
    """Changesets, bottom first."""
    return [ol.read_changeset(ol.stream(data), keep=1 << 20) for data in tars]


def merged(*tars):
    """What a container sees, and the findings; the plain road must agree."""
    read, problems, below = layers(*tars), [], []
    for changes in read:
        stack = ol.Overlay.of_layers(below)
        layer, odd = ol.to_lowerdir(changes, lambda path, stack=stack: stack.lookup(path).inode)
        below.append(layer)
        problems += [problem.kind for problem in (*changes.problems, *odd)]
    seen = [path for path, _ in ol.tree.walk(ol.Overlay.of_layers(below, Directory()).merged())]
    assert seen == [path for path, _ in ol.tree.walk(ol.image.flatten(read))]
    return seen[1:], problems


def gone(*names):
    """Whiteouts by their full names in a tar."""
    return [member(name) for name in names]


# D. merge semantics


@pytest.mark.parametrize("order", [1, -1], ids=["mark-last", "mark-first"])
def test_opaque_mark_spares_its_own_layer_wherever_it_stands(order):
    below = tar("d/", member("d/old", b"o"), member("d/kept", b"o"))
    above = [member("d/kept", b"n"), *gone("d/.wh..wh..opq")][::order]

    assert merged(below, tar("d/", *above)) == (["d", "d/kept"], [])


def test_whiteout_and_a_directory_of_the_same_name_leave_only_what_is_new():
    below = tar("a/", "a/b/", member("a/b/old", b"o"))

    assert merged(below, tar(*gone("a/.wh.b"), member("a/b/c/d", b"n"))) == (["a", "a/b", "a/b/c", "a/b/c/d"], [])


def test_whiteout_under_a_path_that_is_deleted_below_may_stand_before_its_parents():
    below = tar("a/", "a/b/", member("a/b/old", b"o"), member("z", b"z"))

    assert merged(below, tar(*gone("a/b/.wh.old", "a/.wh.b", ".wh.a"))) == (["z"], [])


def test_whiteout_of_nothing_is_accepted_and_noted():
    seen, problems = merged(tar("d/", member("f", b"f")), tar("d/", *gone(".wh.never", "d/.wh.never")))

    assert ([name for name in seen if "never" not in name], problems) == (["d", "f"], ["no-op-whiteout"] * 2)


@pytest.mark.parametrize("name", [".wh.", "d/.wh.", ".wh..", ".wh..."])
def test_whiteout_without_a_name_deletes_nothing_and_is_reported(name):
    assert merged(tar("d/", member("d/f", b"f")), tar("d/", *gone(name))) == (["d", "d/f"], ["bad-whiteout"])


def test_whiteout_of_a_name_with_the_prefix_inside_hides_that_name():
    below = tar(member("foo.wh.bar", b"1"), member("bar", b"2"), member("foo", b"3"))

    assert merged(below, tar(*gone(".wh.foo.wh.bar"))) == (["bar", "foo"], [])


@pytest.mark.parametrize("name", [".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh..opaque", "d/.wh..wh.orph"])
def test_leftover_of_aufs_is_no_opaque_mark(name):
    assert merged(tar("d/", member("d/f", b"f")), tar("d/", *gone(name))) == (["d", "d/f"], ["bookkeeping-member"])


def test_directory_that_was_deleted_and_made_again_has_nothing_old():
    """Deleted in layer 2, made in layer 3, whose directory carries no mark."""
    assert merged(tar("d/", member("d/old", b"o")), tar(*gone(".wh.d")), tar("d/", member("d/new", b"n"))) == (
        ["d", "d/new"],
        [],
    )


def test_opaque_mark_on_a_new_directory_is_no_deletion():
    seen, problems = merged(tar(member("f", b"f")), tar("new/", *gone("new/.wh..wh..opq"), member("new/x", b"x")))

    assert (seen, problems) == (["f", "new", "new/x"], [])


def test_whiteout_files_in_a_lower_directory_are_plain_files_until_they_are_translated():
    base = ol.make_tree({"f": "f", "d": {"x": "x"}})
    raw = ol.make_tree({".wh.f": "", "d": {".wh..wh..opq": ""}})
    changes = ol.read_changeset(ol.layer_tar({".wh.f": "", "d/": "", "d/.wh..wh..opq": ""}))
    layer, _ = ol.to_lowerdir(changes, lambda path: ol.find(base, path))

    assert ol.Overlay(lowerdirs=[raw, base]).readdir() == (".wh.f", "d", "f")
    assert ol.Overlay(lowerdirs=[raw, base]).readdir("d") == (".wh..wh..opq", "x")
    assert (ol.Overlay(lowerdirs=[layer, base]).readdir(), ol.Overlay(lowerdirs=[layer, base]).readdir("d")) == (
        ("d",),
        (),
    )


def test_whiteout_hides_one_path_not_every_file_of_that_name():
    assert merged(tar("d/", member("d/test", b"1"), member("test", b"2")), tar(*gone(".wh.test"))) == (
        ["d", "d/test"],
        [],
    )


def test_hard_link_whose_directory_has_no_entry_gets_one():
    seen, problems = merged(tar(member("f", b"f"), member("some/where/l", kind="hardlink", link="f")))

    assert (seen, problems) == (["f", "some", "some/where", "some/where/l"], [])


def test_hard_link_may_stand_before_its_target():
    [layer] = ol.to_lowerdirs(layers(tar(member("l", kind="hardlink", link="f"), member("f", b"content"))))

    assert layer.names["l"] is layer.names["f"] and (layer.names["f"].data, layer.names["f"].nlink) == (b"content", 2)


def test_directory_replaces_a_symlink_below_and_the_link_is_not_followed():
    below = tar("usr/", "usr/lib/", member("usr/lib/a", b"a"), member("lib", kind="symlink", link="usr/lib"))

    assert merged(below, tar("lib/", member("lib/b", b"b"))) == (["lib", "lib/b", "usr", "usr/lib", "usr/lib/a"], [])


def test_symlink_to_a_directory_whose_target_is_gone_is_replaced_without_being_followed():
    below = tar("old/", member("old/x", b"x"), member("now", kind="symlink", link="old"))
    seen, problems = merged(below, tar(*gone(".wh.old"), "new/", member("now", kind="symlink", link="new")))

    assert (seen, problems) == (["new", "now"], [])


def test_names_below_a_dangling_symlink_of_a_lower_layer_make_a_directory():
    assert merged(tar(member("l", kind="symlink", link="nowhere")), tar(member("l/f", b"f"))) == (["l", "l/f"], [])


# E. kernel facts


def written(lower, *operations):
    """An overlay on one layer after some operations, with what each gave."""
    system = System.over(ol.Overlay(lowerdirs=[lower], upperdir=Directory()))
    return system, [run(system, operation).errno for operation in operations]


def test_hard_link_breaks_on_copy_up():
    linked = File.of(b"old", nlink=2)
    system, given = written(Directory(names={"x": linked, "y": linked}), op("append", path="x", data=b"+new"))
    before, after = (
        System.over(ol.Overlay(lowerdirs=[Directory(names={"x": linked, "y": linked})], upperdir=Directory())),
        system,
    )

    assert given == [None]
    assert before.stat("x").st_ino == before.stat("y").st_ino and after.stat("x").st_ino != after.stat("y").st_ino
    assert [run(after, op("read_file", path=name)).value for name in "xy"] == [b"old+new", b"old"]
    assert list(after.cwd.fs.upperdir.names) == ["x"]


def test_directory_of_a_lower_layer_cannot_be_renamed():
    """Not even when it was written to, so that its copy is in the upper; one that is only there can be."""
    lower = ol.make_tree({"d": {"f": "f"}})
    system, given = written(
        lower, op("rename", src="d", dst="e"), op("append", path="d/f", data=b"+"), op("rename", src="d", dst="e")
    )
    _, new = written(lower, op("mkdir", path="n"), op("rename", src="n", dst="m"))

    assert (given, new) == ([errno.EXDEV, None, errno.EXDEV], [None, None])
    assert system.cwd.fs.readdir() == ("d",)


def test_mount_that_apparmor_refuses_is_explained_and_the_lesson_goes_on(monkeypatch):
    """The trial ends with EPERM; the widget's answer is the model's, with the reason beside it."""
    monkeypatch.setattr(reasons, "_text_of", {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"}.get)
    why = reasons.explain(mount.USER, "id-map", errno.EPERM)
    monkeypatch.setattr("overlaylab.kernel.replays._probed", lambda: mount.Availability(mode=None, reason=why))
    box = ol.Session(ol.Overlay(lowerdirs=[ol.make_tree({"f": "f"})], upperdir=Directory()))
    box("rm /f")

    assert "AppArmor" in why
    assert box.overlay.readdir() == () and ol.is_whiteout(box.upper.names["f"])
    with pytest.raises(ol.KernelUnavailable, match="AppArmor"):
        ol.kernel.replay(ol.Overlay(lowerdirs=[Directory()], upperdir=Directory()), ())


@pytest.mark.parametrize("name", ["with:colon", "with,comma", "back\\slash", "all:of,them\\"])
def test_separators_in_a_path_are_escaped_and_read_back(name):
    made = docker_options(f"/data/{name}", ["l/A", "l/B"], "top")

    assert parse_options(made.text()) == made
    assert made.lowerdirs == (f"/data/{name}/l/A", f"/data/{name}/l/B")


def test_options_that_fill_a_page_are_made_from_within_the_folder():
    """Bytes count, not letters; relative names are what Docker turns to."""
    links = [f"l/{number:026}" for number in range(120)]
    long, short = docker_options("/ü" * 10, links, "top"), docker_options("/d", links[:5], "top")

    assert short.lowerdirs[0].startswith("/d/l/")
    assert long.lowerdirs == tuple(links) and long.size < PAGE
    assert len("/ü" * 10) * len(links) < PAGE < long.size + len(links) * len(("/ü" * 10).encode())


def test_more_than_a_page_is_refused_with_the_number_of_bytes():
    with pytest.raises(ol.errors.Finding, match=str(PAGE - 1)) as refused:
        ol.overlay.MountOptions(lowerdirs=tuple("n" * 40 for _ in range(130))).data()
    assert refused.value.problem.kind == "limit"


@pytest.mark.parametrize(("count", "kind"), [(129, None), (500, None), (501, "limit")])
def test_more_than_128_lowers_are_the_kernels_business_up_to_500(count, kind):
    """128 is Docker's own limit; the kernel's is 500 (vectors mount-38, mount-39)."""
    stack = mount.Stack(lowerdirs=(Directory(),) * count)
    if kind is None:
        assert len(mount.with_options(stack).data()) < PAGE
        return
    with pytest.raises(ol.errors.Finding) as refused:
        mount.mounted_views([stack])
    assert refused.value.problem.kind == kind


def test_a_symlink_of_a_lower_layer_leads_through_the_merged_view():
    """A link is text: it is walked where it is read, not in the layer that it comes from."""
    lower = Directory(names={"l": Symlink(target="d"), "d": ol.make_tree({"f": "lower"})})
    system, given = written(lower, op("unlink", path="d/f"), op("create", path="d/f", data=b"upper"))

    assert given == [None, None]
    assert run(system, op("read_file", path="l/f")).value == b"upper"
