"""Two roads to one file system: flattening an image by the OCI rules, and stacking its layers by the kernel's.

The first road knows nothing of overlayfs: it applies each layer to a plain tree. The
second translates each layer to a directory and looks at the stack through lookup and
listing. No kernel is needed. Where the roads are known to part stands in `EXCEPTIONS`.
"""

import io
from dataclasses import replace

import pytest
import realdata
from builders import member, tar
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import overlaylab as ol
from overlaylab.tree import copied

# Finding -> why an image that has it is left out, or what is expected of it instead.
EXCEPTIONS = {
    "opaque-root": (
        "the kernel heeds no mark on a layer's own root; with all engines, lower names stay, and the finding says so"
    ),
    "no-op-whiteout": "it stays as a stray one, as engines write it (vector oci-08): directories on its way are made, "
    "and in a "
    "directory of one layer its name is listed though no lookup finds it",
    "bad-layer": "a name below something that is no directory in the same layer: an error, and no engine unpacks it",
    "path-escape": "the same below a symlink",
    "duplicate-entry": "the same path twice: which one counts depends on the order, which only the first road keeps",
    "dangling-hardlink": "a link to nothing: left out, and an error",
}
# What no image here has, without a finding that would tell.
NOT_GENERATED = {
    "an opaque mark without its directory": "engines make the directory; archives that engines write always have it",
    "a whiteout of a directory that the archive then fills without naming it": (
        "what attributes it has is not written anywhere"
    ),
}
# Facts of an entry that the roads do not share.
NOT_COMPARED = {"nlink": "counted in one layer by the kernel, not at all by the rules for changesets"}

NAMES = ("a", "b", "c")
PATHS = (*NAMES, *(f"a/{name}" for name in NAMES), "b/a", "b/c", *(f"a/b/{name}" for name in NAMES))
KINDS = ("file", "dir", "file", "dir", "whiteout", "whiteout", "whiteout", "opaque", "symlink", "fifo", "char", "link")
DRESSES = ((0o755, 0), (0o644, 1000), (0o1777, 0))

entries = st.tuples(st.sampled_from(PATHS), st.sampled_from(KINDS), st.sampled_from(DRESSES))
layers = st.lists(
    st.tuples(st.lists(entries, max_size=6), st.lists(entries, max_size=6)).map(lambda both: both[0] + both[1]),
    min_size=1,
    max_size=4,
)


def member_of(path, kind, dress, number, targets):
    """One member of a layer tar."""
    mode, uid = dress
    directory, _, name = path.rpartition("/")
    prefix = directory + "/" if directory else ""
    common = {"mode": mode, "uid": uid, "mtime": 1_000_000_000 + number}
    if kind == "whiteout":
        return member(f"{prefix}.wh.{name}")
    if kind == "opaque":
        return member(f"{path}/.wh..wh..opq")
    if kind == "link":
        return member(path, kind="hardlink", link=targets[-1]) if targets else member(path, b"no target", **common)
    data = b"layer %d" % number if kind == "file" else b""
    return member(
        path, data, kind, "b" if kind == "symlink" else "", rdev=(1, 3) if kind == "char" else (0, 0), **common
    )


def changeset(drawn, number=0, below=()):
    """A layer, written as a tar by Python's own module and read by ours.

    Each path is put once, and only where this layer has no file above. A whiteout is written only where something is
    below; a few layers may break the last two rules.
    """
    members, put, gone, targets, flat, free = (
        [],
        {},
        set(),
        [],
        ol.image.flatten(below),
        number % 2 and len(drawn) % 4 == 0,
    )
    for path, kind, dress in drawn:
        blocked = any(path.startswith(above + "/") and there != "dir" for above, there in put.items())
        unnamed = path not in put and any(other.startswith(path + "/") for other in put)
        if (kind == "whiteout" and unnamed) or any(path.startswith(above + "/") and above not in put for above in gone):
            continue
        if not free and (blocked or (kind == "whiteout" and ol.find(flat, path) is None)):
            continue
        if kind == "opaque" and path not in put:
            members.append(member_of(path, "dir", dress, number, targets))
            put[path] = "dir"
        if kind in ("whiteout", "opaque") or path not in put:
            members.append(member_of(path, kind, dress, number, targets))
            targets += [path] if kind == "file" else []
            gone |= {path} if kind == "whiteout" else set()
            if kind not in ("whiteout", "opaque"):
                put[path] = kind
    return ol.read_changeset(io.BytesIO(tar(*members)), keep=1 << 20)


def image(drawn):
    """All layers of an image, bottom first."""
    read = []
    for number, layer in enumerate(drawn):
        read.append(changeset(layer, number, read))
    return read


def both_roads(changesets):
    """What each road shows, what the stack lists, and the findings on the way."""
    below, problems = [], [problem.kind for read in changesets for problem in read.problems]
    for read in changesets:
        stack = ol.Overlay.of_layers(below)
        layer, odd = ol.to_lowerdir(read, lambda path, stack=stack: stack.lookup(path).inode)
        below.append(layer)
        problems += [problem.kind for problem in odd]
    # As in a new container: an empty upper, whose root is like the image's.
    container = ol.Overlay.of_layers(below, replace(below[-1], names={}))
    return facts(ol.image.flatten(changesets)), container, problems


def facts(root):
    """A tree as data."""
    return {
        path: {key: value for key, value in ol.tree.entry(inode).items() if key not in NOT_COMPARED}
        for path, inode in ol.tree.walk(root)
    }


def names_in(flat, directory):
    """The names that a flat tree has in a directory."""
    prefix = "" if directory == "." else directory + "/"
    inside = (path.removeprefix(prefix) for path in flat if path != "." and path.startswith(prefix))
    return tuple(sorted(name for name in inside if "/" not in name))


@settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(layers)
def test_generated_images_come_out_alike_on_both_roads(drawn):
    flat, overlay, problems = both_roads(image(drawn))
    if set(problems) & set(EXCEPTIONS):
        event("left out: " + min(set(problems) & set(EXCEPTIONS)))
        return

    assert facts(overlay.merged()) == flat
    for path in [path for path, item in flat.items() if item["type"] == "dir"]:
        assert overlay.readdir(path) == names_in(flat, path)


def test_most_generated_images_are_compared():
    counts = {"compared": 0, "left out": 0, "whiteouts": 0, "opaque": 0}

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(layers)
    def count(drawn):
        read = image(drawn)
        problems = {problem.kind for one in read for problem in one.problems} | set(both_roads(read)[2])
        counts["left out" if problems & set(EXCEPTIONS) else "compared"] += 1
        if not problems & set(EXCEPTIONS):
            changes = [type(change).__name__ for one in read[1:] for change in one.changes]
            counts["whiteouts"] += "Whiteout" in changes
            counts["opaque"] += "OpaqueWhiteout" in changes

    count()

    assert counts["compared"] >= 100
    assert min(counts["whiteouts"], counts["opaque"]) >= 20


@pytest.mark.parametrize("name", realdata.ARCHIVES)
def test_real_images_come_out_alike_on_both_roads(name):
    store = ol.open_store(realdata.archive(name))
    for target in store.images():
        changesets = []
        for layer in target.layers:
            with store.open_layer(layer) as blob:
                changesets.append(ol.read_changeset(io.BytesIO(b"".join(ol.image.inflate(blob, layer.source)))))
        flat, overlay, problems = both_roads(changesets)

        assert not set(problems) & set(EXCEPTIONS)
        assert facts(overlay.merged()) == flat
        for path in [path for path, item in flat.items() if item["type"] == "dir"]:
            assert overlay.readdir(path) == names_in(flat, path)


def test_there_are_enough_real_images():
    assert sum(len(list(ol.open_store(realdata.archive(name)).images())) for name in realdata.ARCHIVES) >= 30


def test_the_exception_of_the_root_is_as_written():
    """Lower names stay visible, the flat road drops them, and the finding says that something is odd."""
    lower, upper = (
        changeset([("a", "file", DRESSES[0])]),
        ol.read_changeset(io.BytesIO(tar(member(".wh..wh..opq"), member("b")))),
    )

    flat, overlay, problems = both_roads([lower, upper])

    assert problems == ["opaque-root"]
    assert (names_in(flat, "."), overlay.readdir(".")) == (("b",), ("a", "b"))


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(layers)
def test_a_layer_that_is_committed_and_read_again_is_the_same_layer(drawn):
    """Directory to archive and back, with the same bytes each time; then both roads end where the
    first layers ended.
    """
    changesets = image(drawn)
    below = []
    for position, read in enumerate(changesets):
        stack = ol.Overlay.of_layers(below)
        layer, odd = ol.to_lowerdir(read, lambda path, stack=stack: stack.lookup(path).inode)
        written = ol.write_tar(ol.to_changeset(layer))
        again = ol.read_changeset(io.BytesIO(written), keep=1 << 20)
        back, _ = ol.to_lowerdir(again, lambda path, stack=stack: stack.lookup(path).inode)

        assert marked(back) == marked(layer)
        assert ol.write_tar(ol.to_changeset(back)) == written
        problems = {problem.kind for problem in (*again.problems, *odd)} | {
            problem.kind for one in changesets[: position + 1] for problem in one.problems
        }
        if not problems & set(EXCEPTIONS):
            assert facts(ol.image.flatten([*changesets[:position], again])) == facts(
                ol.image.flatten(changesets[: position + 1])
            )
        below.append(layer)


def marked(root):
    """A layer's tree as data, its marks with it."""
    return {path: ol.tree.entry(inode, hidden="none") for path, inode in ol.tree.walk(root)}


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(layers)
def test_marks_of_a_user_say_the_same_as_those_of_root(drawn):
    """An upper with ``user.overlay.`` marks, as it lies after a mount without root, gives the same layer."""
    for layer in ol.to_lowerdirs(image(drawn)):
        of_user = copied(layer)
        for _, inode in ol.tree.walk(of_user):
            inode.xattrs = {
                key.replace("trusted.overlay.", "user.overlay."): value for key, value in inode.xattrs.items()
            }

        assert ol.write_tar(ol.to_changeset(of_user, marks="user.overlay.")) == ol.write_tar(ol.to_changeset(layer))
