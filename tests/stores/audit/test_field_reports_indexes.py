"""Layouts that real users brought, each standing for a kind: indexes, manifests, blobs."""

import gzip
import json

import pytest
from builders import CONFIG, MANIFEST, Layout, docker_archive, member, sha, tar, write
from field_reports import BASE, TOP, kinds, opened

import overlaylab as ol


def test_platform_that_was_not_fetched_is_normal_in_an_index(tmp_path):
    layout = Layout()
    here = layout.image([BASE]) | {"platform": {"os": "linux", "architecture": "amd64"}}
    absent = {
        "mediaType": MANIFEST,
        "digest": sha(b"absent"),
        "size": 3,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
    }
    store = opened(tmp_path, layout.name(layout.index(here, absent), "a/b:1").tar())
    report = ol.validate(store)

    assert report.problems == ()
    assert any(sha(b"absent") in item.what for item in report.not_checked)
    assert [(image.platform, image.diff_ids is None) for image in store.images()] == [
        ("linux/amd64", False),
        ("linux/arm/v7", True),
    ]
    assert ol.select(store, "a/b:1").platform == "linux/amd64"


def test_deep_index_is_stopped(tmp_path):
    layout = Layout()
    descriptor = layout.image([BASE])
    for _ in range(12):
        descriptor = layout.index(descriptor)
    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, layout.name(descriptor).tar())

    assert refused.value.problem.kind == "index-depth"


def test_artifact_is_named_as_no_image(tmp_path):
    layout = Layout()
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example+json",
        "config": layout.blob(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [],
    }
    layout.name(layout.blob(json.dumps(document).encode(), MANIFEST), "x")
    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, layout.tar())

    assert refused.value.problem.kind == "not-a-container-image"


def test_layout_folder_with_links_inside_is_read_and_links_outside_are_refused(tmp_path):
    layout = Layout()
    layout.name(layout.image([BASE]), "a:1")
    folder = tmp_path / "layout"
    for info, data in layout.members():
        path = folder / info.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    blob = next(path for path in (folder / "blobs/sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b")
    blob.rename(folder / "elsewhere")
    blob.symlink_to("../../elsewhere")
    assert kinds(ol.open_store(folder)) == []
    blob.unlink()
    (tmp_path / "outside").write_bytes(gzip.compress(BASE))
    blob.symlink_to("../../../outside")

    assert "path-escape" in [problem.kind for problem in ol.validate(ol.open_store(folder)).problems]


def test_index_media_type_may_be_absent(tmp_path):
    layout = Layout()
    inner = layout.index(layout.image([BASE]))
    inner["mediaType"] = ""
    store = opened(tmp_path, layout.name(inner, "a:1").tar())

    assert len(store.images()) == 1


def test_indexes_that_multiply_are_walked_once(tmp_path):
    """Seven levels, each naming the one below twelve times, are 36 million ways to one image."""
    layout = Layout()
    image = layout.image([tar(member("f"))])
    index = image
    for _ in range(7):
        index = layout.index(*[index] * 12)
    store = ol.open_store(write(tmp_path, layout.name(index, "kit/app:1").tar()))

    assert [found.names for found in store.images()] == [("kit/app:1",)]
    assert store.problems == ()


@pytest.mark.parametrize("data", [b"x", b"BZh91AY" * 9, b"x" * 5000])
def test_layer_that_is_no_tar_however_short_is_a_bad_layer(data, tmp_path):
    store = ol.open_store(write(tmp_path, docker_archive(([data], {}))))

    assert "bad-layer" in kinds(store)


def test_size_of_a_manifest_that_is_not_that_of_its_bytes_is_named(tmp_path):
    layout = Layout()
    image = layout.image([BASE])
    layout.name(image | {"size": image["size"] + 1}, "kit/app:1")

    assert kinds(opened(tmp_path, layout.tar())) == ["size-mismatch"]


@pytest.mark.parametrize("kind", [MANIFEST, CONFIG])
def test_document_whose_bytes_are_others_than_its_digest_is_named(kind, tmp_path):
    """The same length, one byte changed; a second image beside it is read all the same."""
    layout = Layout()
    whole, harmed = layout.image([BASE]), layout.image([TOP])
    layout.name(whole, "kit/whole:1").name(harmed, "kit/harmed:1")
    digest = harmed["digest"] if kind == MANIFEST else json.loads(layout.blobs[harmed["digest"]])["config"]["digest"]
    layout.blobs[digest] = layout.blobs[digest].replace(b"linux", b"Linux").replace(b"schemaVersion", b"SchemaVersion")
    store = opened(tmp_path, layout.tar())
    problems = ol.validate(store).problems

    assert [problem.kind for problem in problems] == ["digest-mismatch"]
    assert problems[0].expected == digest and digest[7:] in problems[0].where
    assert ol.select(store, "kit/whole:1").config is not None


def test_manifest_that_index_json_names_itself_must_be_there(tmp_path):
    layout = Layout()
    image, absent = layout.image([BASE]), layout.image([TOP])
    layout.name(image, "kit/app:1").name(absent, "kit/absent:1")

    assert kinds(opened(tmp_path, layout.tar(without=[absent["digest"]]))) == ["missing-blob"]


def test_padding_behind_the_end_of_a_layer_belongs_to_its_diff_id(tmp_path):
    """Tools fill up to blocks of their own size; more than one buffer of zeros here."""
    padded = BASE + bytes(3 << 20)

    assert kinds(opened(tmp_path, docker_archive(([padded], {})))) == []
    assert kinds(opened(tmp_path, docker_archive(([padded], {"plain": {0: BASE}})))) == ["diffid-mismatch"]
