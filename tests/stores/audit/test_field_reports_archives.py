"""Archives that real users brought, each standing for a kind: shapes of archives, and hostile ones."""

import gzip
import io
import json
import os
import tarfile

import pytest
import zstandard
from builders import CONFIG, LAYER, MANIFEST, Layout, config, docker_archive, member, sha, tar
from field_reports import BASE, EMPTY, TOP, kinds, opened

import overlaylab as ol


def test_layer_that_is_an_empty_tar_is_a_layer_of_no_entries(tmp_path):
    store = opened(tmp_path, docker_archive(([BASE, gzip.compress(EMPTY)], {"plain": {1: EMPTY}})))

    assert kinds(store) == []
    assert store.images()[0].diff_ids[1] == sha(EMPTY)
    assert store.images()[0].diff_ids[1].hex.startswith("5f70bf18a0860070")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes], ids=["gzip", "zstd", "plain"])
def test_layers_of_a_save_are_found_by_the_order_of_the_manifest_whatever_their_packing(pack, tmp_path):
    store = opened(tmp_path, docker_archive(([pack(BASE), pack(TOP)], {"plain": {0: BASE, 1: TOP}})))

    assert kinds(store) == []
    assert list(store.images()[0].diff_ids) == [sha(BASE), sha(TOP)]


def both_views(manifest_layers):
    """A save whose OCI manifest lists other layers than its manifest.json."""
    layout = Layout()
    raw = config([BASE, TOP])
    blobs = [layout.blob(layer, LAYER) for layer in (BASE, TOP)]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.blob(raw, CONFIG),
        "layers": blobs[:manifest_layers],
    }
    layout.name(layout.blob(json.dumps(document).encode(), MANIFEST), "1")
    paths = ["blobs/" + blob["digest"].replace(":", "/") for blob in blobs]
    entry = {"Config": "blobs/" + sha(raw).replace(":", "/"), "RepoTags": ["a/b:1"], "Layers": paths}
    return layout, entry


def test_oci_manifest_without_layers_beside_a_right_manifest_json_is_reported_and_not_used(tmp_path):
    layout, entry = both_views(manifest_layers=0)
    store = opened(tmp_path, tar(*layout.members(), member("manifest.json", json.dumps([entry]).encode())))

    assert kinds(store) == ["views-differ"]
    assert len(store.images()[0].layers) == 2


def test_manifest_json_without_layers_beside_a_right_oci_manifest_is_reported_and_not_used(tmp_path):
    layout, entry = both_views(manifest_layers=2)
    entry["Layers"] = []
    store = opened(tmp_path, tar(*layout.members(), member("manifest.json", json.dumps([entry]).encode())))

    assert kinds(store) == ["views-differ"]
    assert len(store.images()[0].layers) == 2


def test_index_of_null_falls_back_to_manifest_json(tmp_path):
    extra = [member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), member("index.json", b'{"manifests": null}')]
    store = opened(tmp_path, docker_archive(([BASE], {}), extra=extra))

    assert kinds(store, "error") == []
    assert [image.names for image in store.images()] == [("test/image:1",)]


def test_all_images_of_one_archive_are_listed_and_none_is_taken_silently(tmp_path):
    archive = docker_archive(([BASE], {"tags": ["one:1"]}), ([TOP], {"tags": ["two:1"]}))
    store = opened(tmp_path, archive)

    assert sorted(image.names for image in store.images()) == [("one:1",), ("two:1",)]
    with pytest.raises(ol.NoSuchImage) as refused:
        ol.select(store, "three:1")
    assert "one:1" in refused.value.problem.found


def test_index_that_drops_an_image_of_manifest_json_is_reported(tmp_path):
    layout, entry = both_views(manifest_layers=2)
    other = config([BASE])
    second = {"Config": "x.json", "RepoTags": ["other:1"], "Layers": entry["Layers"][:1]}
    members = [
        *layout.members(),
        member("x.json", other),
        member("manifest.json", json.dumps([entry, second]).encode()),
    ]
    store = opened(tmp_path, tar(*members))

    assert "views-differ" in kinds(store)
    assert len(store.images()) == 2


def test_layout_without_manifest_json_is_read_by_its_index(tmp_path):
    layout = Layout()
    store = opened(tmp_path, layout.name(layout.image([BASE, TOP]), "a/b:1").tar())

    assert (store.kind, kinds(store)) == ("oci-layout", [])
    assert store.images()[0].names == ("a/b:1",)


def attested(subject_layers=(BASE,)):
    layout = Layout()
    image = layout.image(list(subject_layers)) | {"platform": {"os": "linux", "architecture": "amd64"}}
    statement = layout.image([b'{"statement": 1}'], pack=bytes, media_type="application/vnd.in-toto+json")
    statement |= {
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        },
    }
    return layout.name(layout.index(image, statement), "a/b:1"), image


def test_attestation_is_said_to_be_a_statement_and_is_no_image(tmp_path):
    layout, image = attested()
    store = opened(tmp_path, layout.tar())
    report = ol.validate(store)

    assert report.problems == ()
    assert [found.platform for found in store.images()] == ["linux/amd64"]
    assert any(image["digest"] in item.why and "attestation" in item.what for item in report.not_checked)


def test_attestation_is_never_chosen_for_a_platform():
    layout, image = attested()
    index = ol.image.parse_index(layout.blobs[layout.entries[0]["digest"]])

    assert ol.image.select_platform(index.manifests, ol.image.Platform.parse("linux/amd64")).digest == image["digest"]
    with pytest.raises(ol.errors.Finding):
        ol.image.select_platform(index.manifests, ol.image.Platform.parse("unknown/unknown"))


def test_image_saved_by_id_has_no_names(tmp_path):
    store = opened(tmp_path, docker_archive(([BASE], {"tags": None})))

    assert store.images()[0].names == ()
    assert ol.select(store, store.images()[0].id.hex[:12]) is store.images()[0]


@pytest.mark.parametrize(
    "pack,media_type", [(bytes, LAYER + "+gzip"), (gzip.compress, LAYER), (gzip.compress, LAYER + "+zstd")]
)
def test_bytes_decide_where_the_media_type_says_another_compression(pack, media_type, tmp_path):
    layout = Layout()
    store = opened(tmp_path, layout.name(layout.image([BASE], pack=pack, media_type=media_type)).tar())

    assert kinds(store) == ["media-type-mismatch"]
    assert ol.validate(store).ok


def test_bomb_is_stopped_at_the_limit_and_the_limit_can_be_set(tmp_path):
    layer = tar(member("zeros", bytes(4 << 20)))
    store = opened(tmp_path, docker_archive(([gzip.compress(layer)], {"plain": {0: layer}})))

    assert {problem.kind for problem in ol.validate(store, limits=ol.limits.Limits(expanded=1 << 20)).problems} == {
        "limit"
    }
    assert "limit" in [
        problem.kind for problem in ol.validate(store, limits=ol.limits.Limits(free=1 << 10, ratio=20)).problems
    ]
    assert ol.validate(store).ok


def test_pax_path_before_a_gnu_long_name_does_not_crash(tmp_path):
    """Two long names for one member: the pax one counts, as the later standard."""
    name = "p/" + "a" * 120
    pax = tar(member(name, b"x", pax={"path": name}))
    gnu = tar(member("g/" + "b" * 120, b"x"), form=tarfile.GNU_FORMAT)
    both = pax[:1024] + gnu[:1024] + pax[1024:]
    changes = ol.read_changeset(io.BytesIO(both)).changes

    assert [change.path for change in changes] in ([name], ["g/" + "b" * 120])


def test_name_that_is_not_utf8_and_empty_name_are_kept_or_named(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    changes = ol.read_changeset(io.BytesIO(tar(member(odd, b"x"), member("", b"y")))).changes

    assert odd in [change.path for change in changes]


def test_binary_attribute_is_kept_to_the_byte(tmp_path):
    value = bytes.fromhex("0100000200040000000000000000000000000000")
    layer = tar(member("bin/ping", b"x", pax={"SCHILY.xattr.security.capability": value.decode("latin-1")}))
    (change,) = ol.read_changeset(io.BytesIO(layer)).changes

    assert change.inode.xattrs["security.capability"] == value


def test_names_that_differ_in_case_only_are_two(tmp_path):
    store = opened(tmp_path, docker_archive(([tar(member("PAM.7.gz", b"1"), member("pam.7.gz", b"22"))], {})))
    entries = ol.merged_entries(ol.overlay_of(store.images()[0], store, ol.LayerReader(store))[0])

    assert (entries["PAM.7.gz"]["size"], entries["pam.7.gz"]["size"]) == (1, 2)


def test_content_that_is_missing_is_named(tmp_path):
    layer = tar(member("etc/long", bytes(5000)))[:2000]
    store = opened(tmp_path, docker_archive(([layer], {})))

    assert "truncated" in kinds(store, "error")
