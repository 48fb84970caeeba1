"""The model against recorded kernel behaviour: lookup, listing, the merged view, and layers made from archives.

Vectors that change the mount belong to the write side. Of those that only look, a few need mount options that
the read side does not have; each is named with its reason.
"""

import io

import pytest
import vectorkit as kit

import overlaylab as ol

# The kernel's answer depends on a mount option, or on an errno for one name; here the whole walk is refused in words.
REFUSED = {
    "rd-13": "redirect_dir=nofollow",
    "rd-22": "redirect_dir=nofollow",
    "rd-18": "malformed redirects",
    "ux-06": "redirects with userxattr",
}
# The recorder left both namespaces out of its listings.
UNRECORDED = ("trusted.overlay.", "user.overlay.")
LOOKING = [v for v in kit.vectors("merge", "wo", "ro", "img", "rd", "ux") if "ops" in v and kit.only_reads(v)]


def overlay(vector):
    marks = "user.overlay." if "userxattr" in vector.get("options", {}) else "trusted.overlay."
    upper = kit.tree(vector["upper"]) if vector["upper"] is not None else None
    return ol.Overlay(lowerdirs=[kit.tree(layer) for layer in vector["lower"]], upperdir=upper, marks=marks)


def without_marks(listing):
    out = {}
    for path, item in listing.items():
        kept = {key: value for key, value in item.get("xattrs_hex", {}).items() if not key.startswith(UNRECORDED)}
        out[path] = {key: value for key, value in item.items() if key != "xattrs_hex"} | (
            {"xattrs_hex": kept} if kept else {}
        )
    return out


@pytest.mark.parametrize("vector", [v for v in LOOKING if v["id"] not in REFUSED], ids=lambda v: v["id"])
def test_merged_view_and_listings_are_the_kernels(vector):
    stack = overlay(vector)

    assert without_marks(kit.facts(stack.merged(), stack.marks)) == without_marks(
        kit.recorded(vector["expected"]["merged"])
    )
    for op, result in zip(vector["ops"], vector["expected"]["results"], strict=False):
        # Following symlinks and the slash behind a name are the path walk of the system calls, not the overlay's.
        if op["path"].endswith("/") or isinstance(stack.lookup(op["path"]).inode, ol.Symlink):
            continue
        if op["op"] == "listdir" and "value" in result:
            assert list(stack.readdir(op["path"])) == result["value"]
        if op["op"] == "lstat":
            assert (stack.lookup(op["path"]).inode is None) == (result.get("errno") in ("ENOENT", "ENOTDIR"))


def test_enough_vectors_are_compared():
    assert len(LOOKING) - len(REFUSED) >= 50


@pytest.mark.parametrize("vector", [v for v in LOOKING if v["id"] in ("rd-18", "ux-06")], ids=lambda v: v["id"])
def test_redirect_that_cannot_be_followed_is_a_typed_refusal(vector):
    with pytest.raises(ol.errors.Finding) as refused:
        overlay(vector).merged()
    assert refused.value.problem.kind == "unsupported-mark"


IMPORTS = [v for v in kit.vectors("oci") if v["kind"] == "import"]


def changesets(vector):
    return [ol.read_changeset(io.BytesIO(kit.archive(items)), keep=1 << 20) for items in vector["changesets"]]


@pytest.mark.parametrize("vector", [v for v in IMPORTS if v["expected"]["flat_equal"]], ids=lambda v: v["id"])
def test_layers_made_from_archives_are_the_recorded_ones_and_merge_as_the_kernel_does(vector):
    read = changesets(vector)
    layers = ol.to_lowerdirs(read)
    merged = kit.facts(ol.Overlay.of_layers([ol.Directory(), *layers]).merged())

    assert merged == kit.recorded(vector["expected"]["merged"])
    assert merged == kit.facts(ol.image.flatten(read))
    for layer, native in zip(layers, vector["expected"]["native"], strict=False):
        assert kit.facts(layer, "no marks are hidden") == kit.recorded(native, "no marks are hidden")


@pytest.mark.parametrize("vector", [v for v in IMPORTS if not v["expected"]["flat_equal"]], ids=lambda v: v["id"])
def test_traps_of_the_simple_minded_conversion_are_avoided_or_named(vector):
    read = changesets(vector)
    below = []
    problems = [problem.kind for changeset in read for problem in changeset.problems]
    for changeset in read:
        stack = ol.Overlay.of_layers(below)
        layer, odd = ol.to_lowerdir(changeset, lambda path, stack=stack: stack.lookup(path).inode)
        below.append(layer)
        problems += [problem.kind for problem in odd]
    merged = kit.facts(ol.Overlay.of_layers(below).merged())
    flat = without_marks(kit.recorded(vector["expected"]["flat"]))

    if merged != flat:
        opaque_root = any(item["path"] == ".wh..wh..opq" for items in vector["changesets"] for item in items)
        assert problems == (["opaque-root"] if opaque_root else ["device-whiteout"])
        if opaque_root:
            assert merged == kit.recorded(vector["expected"]["merged"])


@pytest.mark.parametrize("vector", list(kit.vectors("chainid")), ids=lambda v: v["id"])
def test_chain_ids_are_the_recorded_ones(vector):
    assert list(ol.chain_ids(vector["diff_ids"])) == vector["chain_ids"]
