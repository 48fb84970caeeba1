"""An image that the learner brings: opened, refused in words, recomputed, and tampered with in memory."""

import gzip
import io
import os
import tarfile
import tracemalloc

import builders
import pytest
import realdata

import overlaylab as ol
from overlaylab.stores.audit.learner_image import UPLOAD, as_layout, live_stores, open_own, packed_again, upload_own
from overlaylab.stores.audit.tampering import spots, tamper
from overlaylab.stores.files.flipped import Flip, FlippedPlace
from overlaylab.stores.files.open_place import open_place

every_store = pytest.mark.parametrize("name", realdata.NAMES)


@pytest.fixture(scope="module")
def shipped():
    return open_own()


def first_spot(own, kind, **wanted):
    return next(
        spot
        for spot in spots(own)
        if spot.kind == kind and all(getattr(spot, key) == value for key, value in wanted.items())
    )


# Opening


@every_store
def test_every_kind_of_store_opens_and_every_digest_fits(name):
    own = open_own(realdata.archive(name))

    assert own.report.ok
    assert [proof.sound for proof in own.proofs] == [True] * len(own.layers)
    assert [proof.chain_id for proof in own.proofs] == list(own.image.chain_ids)
    assert len(own.work) == len(own.layers)


@every_store
def test_every_image_and_container_of_a_store_can_be_chosen(name):
    own = open_own(realdata.archive(name))
    for target in (*own.store.images(), *own.store.containers()):
        other = own.choose(target)

        assert other.target is target
        assert len(other.stack) == len(other.work)
        assert sum(problem.severity == "error" for problem in other.report.problems) == 0


def test_without_a_path_it_is_the_shipped_image(shipped):
    assert "kit/app:1" in shipped.image.names


def test_a_path_may_have_quotes_and_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    builders.write(tmp_path, realdata.archive("crane-tarball").read_bytes(), "image.tar")

    assert open_own(' "~/image.tar" ').store.kind == "docker-archive"


def test_bytes_open_as_a_file_does():
    data = realdata.archive("oci-gzip").read_bytes()

    assert upload_own("any name", memoryview(data)).image.id == open_own(realdata.archive("oci-gzip")).image.id


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("no/such", "not-found"),
        ("\0", "not-found"),
        ("x" * 5000, "not-found"),
        (os.devnull, "not-an-image"),
        (__file__, "not-an-image"),
    ],
)
def test_a_path_that_is_no_image_is_refused_in_one_sentence(path, kind):
    with pytest.raises(ol.errors.NotReadable) as refusal:
        open_own(path)

    assert refusal.value.problem.kind == kind


def test_a_large_upload_is_refused_before_it_is_read():
    with pytest.raises(ol.errors.NotReadable) as refusal:
        upload_own("large.tar", bytes(UPLOAD + 1))

    assert refusal.value.problem.kind == "limit"


def test_only_folders_that_are_there_are_live_stores(tmp_path):
    (tmp_path / "docker").mkdir()

    assert live_stores([str(tmp_path / "docker"), str(tmp_path / "containerd")]) == (str(tmp_path / "docker"),)


@pytest.mark.parametrize("count", [0, 1, 127])
@pytest.mark.parametrize("history", [None, []])
def test_odd_numbers_of_layers_and_no_history(count, history):
    layers = [builders.tar(builders.member(f"f{number % 7}", b"x" * number)) for number in range(count)]
    own = upload_own("odd.tar", builders.docker_archive((layers, {"history": history})))

    assert own.report.ok
    assert len(own.stack) == len(own.proofs) == count
    assert sum(work.size for work in own.work) - sum(work.wasted for work in own.work) == sum(
        range(max(0, count - 7), count)
    )


def test_a_stack_ends_below_the_layer_that_cannot_be_read():
    good, bad = builders.tar("a"), b"no tar at all" * 100
    own = upload_own("bad.tar", builders.docker_archive(([good, bad, good], {})))

    assert len(own.stack) == len(own.work) == 1
    assert not own.report.ok


def test_an_image_of_many_megabytes_is_never_held_whole(tmp_path):
    size, name = 96 << 20, tmp_path / "big.tar"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as inner:
        info = tarfile.TarInfo("data")
        info.size = size
        inner.addfile(info, io.BytesIO(bytes(size)))
    packed = gzip.compress(layer.getvalue(), 1)
    name.write_bytes(builders.docker_archive(([packed], {"plain": {0: layer.getvalue()}})))
    del layer, packed
    seen = []
    tracemalloc.start()
    own = open_own(name, progress=seen.append)
    assert own.report.ok
    tamper(own, first_spot(own, "layer"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 48 << 20
    assert sum(seen) > 0


# Another dress


@pytest.mark.parametrize(
    "name", ["docker20-dataroot", "oci-zstd", "podman5-storage", "containerd16-root", "crane-tarball"]
)
def test_the_same_image_packed_again_keeps_its_config(name):
    own = open_own(realdata.archive(name))
    again = packed_again(own)

    assert again.image.config_digest == own.image.config_digest
    assert again.image.chain_ids == own.image.chain_ids
    assert again.report.ok
    assert ol.merged_entries(again.overlay).keys() == ol.merged_entries(own.overlay).keys()


def test_what_cannot_be_packed_again_is_replaced_and_that_is_said():
    own = open_own(builders.DATA / "broken-images" / "docker-layer-missing.tar")

    assert "missing-layer" in as_layout(own).source
    assert "kit/app:1" in as_layout(own).image.names


# One bit turned over


@pytest.mark.parametrize("offset", [0, 1, 511, 700, 1199])
@pytest.mark.parametrize("bit", [0, 7])
def test_exactly_one_bit_is_another_however_it_is_read(tmp_path, offset, bit):
    data = bytes(range(256)) * 5
    (tmp_path / "file").write_bytes(data[:1200])
    place = FlippedPlace(open_place(tmp_path), Flip("file", offset, bit))
    expected = ol.flip_bit(data[:1200], offset, bit)

    assert place.read("file") == expected
    with place.open("file") as stream:
        stream.seek(max(0, offset - 3))
        assert stream.read(7) == expected[max(0, offset - 3) :][:7]
    assert (tmp_path / "file").read_bytes() == data[:1200]


def test_a_flip_shows_in_the_tree_under_every_name_of_the_file(tmp_path):
    members = [
        "d/",
        builders.member("d/one", b"cat"),
        builders.member("d/two", kind="hardlink", link="d/one"),
        builders.member("d/other", b"cat"),
    ]
    place = FlippedPlace(open_place(builders.write(tmp_path, builders.tar(*members))), Flip("d/one", 0))
    tree = place.tree("d", keep=100)

    assert [tree.names[name].data for name in ("one", "two", "other")] == [b"bat", b"bat", b"cat"]
    assert tree.names["one"].sha256 == ol.digest_bytes(b"bat").hex


@pytest.mark.parametrize("flip", [Flip("no", 0), Flip("file", 3), Flip("file", -1), Flip(".", 0)])
def test_what_is_no_byte_cannot_be_flipped(tmp_path, flip):
    (tmp_path / "file").write_bytes(b"cat")
    with pytest.raises(ol.errors.Finding) as refusal:
        FlippedPlace(open_place(tmp_path), flip)

    assert refusal.value.problem.kind == "wrong-call"


# Store -> who notices a flip in a layer's own bytes.
LAYER_FLIPS = {
    "docker20-dataroot": ("file", {"diff_id", "content"}),
    "docker28-dataroot": ("file", {"diff_id", "content"}),
    "podman4-storage": ("file", {"diff_id", "content"}),
    "podman5-storage": ("file", {"diff_id", "content"}),
    "docker20-save": ("layer", {"diff_id"}),
    "oci-gzip": ("layer", {"blob", "reads"}),
    "oci-zstd": ("layer", {"blob", "reads"}),
    "docker26-save": ("layer", {"blob", "diff_id"}),
    "podman5-save-docker-archive": ("layer", {"diff_id"}),
    "containerd16-root": ("file", {"content"}),
    "docker28-containerd-store": ("file", {"content"}),
}


@pytest.mark.parametrize("name", LAYER_FLIPS)
def test_a_flip_in_a_layer_never_changes_the_image_id_and_breaks_the_promises(name):
    kind, expected = LAYER_FLIPS[name]
    own = open_own(realdata.archive(name))
    result = tamper(own, first_spot(own, kind, position=0))

    assert set(result.noticed) == expected
    assert result.after.image.id == own.image.id
    assert own.report.ok
    if kind == "file":
        assert len(result.differing) == 1


@every_store
def test_a_flip_in_the_config_is_always_noticed_by_its_digest(name):
    own = open_own(realdata.archive(name))
    result = tamper(own, first_spot(own, "config"))

    assert "config" in result.noticed or result.after.image.id != own.image.id
    assert not {"blob", "diff_id", "content"} & set(result.noticed)


@pytest.mark.parametrize("name", realdata.ARCHIVES)
def test_a_flip_in_a_diff_id_is_noticed(name):
    own = open_own(realdata.archive(name))

    assert tamper(own, first_spot(own, "diff_id")).noticed


def test_a_flip_in_the_manifest_ends_the_reading(shipped):
    result = tamper(packed_again(shipped), first_spot(packed_again(shipped), "manifest"))

    assert result.noticed == ("manifest",)
    assert {witness.check for witness in result.witnesses if witness.verdict == "unasked"} == {
        "config",
        "blob",
        "diff_id",
    }


@every_store
def test_nothing_that_a_flip_does_is_a_traceback(name):
    own = open_own(realdata.archive(name))
    for spot in spots(own):
        for bit in (0, 7):
            result = tamper(own, Flip(spot.path, spot.size // 3, bit))
            assert len(result.witnesses) == 7
            assert result.differing is not None


@pytest.mark.parametrize("path", sorted((builders.DATA / "broken-images").glob("*.tar*")), ids=lambda path: path.name)
def test_damaged_images_are_refused_in_words_or_walked(path):
    try:
        own = open_own(path)
    except ol.errors.NotReadable as refusal:
        assert refusal.problem.kind in ol.errors.KINDS
        return

    assert len(own.stack) <= len(own.layers)
    for spot in spots(own):
        assert len(tamper(own, spot).witnesses) == 7


def test_tampering_writes_nothing(tmp_path):
    path = builders.write(tmp_path, realdata.archive("docker26-save").read_bytes())
    before = {item: (item.read_bytes(), item.stat().st_mtime_ns) for item in tmp_path.iterdir()}
    own = open_own(path)
    for spot in spots(own):
        tamper(own, spot)

    assert {item: (item.read_bytes(), item.stat().st_mtime_ns) for item in tmp_path.iterdir()} == before


def test_only_what_a_flip_touches_is_read_again(shipped):
    layout = packed_again(shipped)
    whole, seen = sum(spot.size for spot in spots(layout) if spot.kind == "layer"), []
    tamper(layout, first_spot(layout, "config"), seen.append)
    tamper(layout, first_spot(layout, "layer", position=1), seen.append)

    assert first_spot(layout, "layer", position=1).size <= sum(seen) < whole / 10


def test_what_was_wrong_before_is_noticed_by_nobody(tmp_path):
    archive = builders.DATA / "broken-images" / "root-tarsplit-corrupt.tar.gz"
    with tarfile.open(archive) as packed:
        builders.unpack(packed, tmp_path)
    own = open_own(tmp_path)
    table = next(spot for spot in spots(own) if spot.path.endswith("/size"))

    assert not own.report.ok
    assert tamper(own, table).noticed == ()
