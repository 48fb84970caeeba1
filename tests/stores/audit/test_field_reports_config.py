"""Configs that real users brought, each standing for a kind: digests, rootfs, history."""

import gzip
import json

import pytest
from builders import CONFIG, LAYER, MANIFEST, Layout, config, docker_archive, sha, tar
from field_reports import BASE, EMPTY, TOP, kinds, opened

import overlaylab as ol


def test_id_manifest_digest_and_blob_digest_are_three_things(tmp_path):
    layout = Layout()
    descriptor = layout.image([BASE])
    store = opened(tmp_path, layout.name(descriptor).tar())
    image = store.images()[0]

    assert image.manifest_digest == descriptor["digest"]
    assert image.config_digest == image.id == sha(image.config.raw)
    assert len({image.id, image.manifest_digest, image.layers[0].descriptor.digest, image.diff_ids[0]}) == 4


@pytest.mark.parametrize(
    "spaced", [lambda d: json.dumps(d, indent=3), lambda d: json.dumps(d, sort_keys=True) + "\n", json.dumps]
)
def test_id_is_the_digest_of_the_raw_bytes_whatever_their_spacing(spaced, tmp_path):
    raw = spaced(json.loads(config([BASE]))).encode()
    store = opened(tmp_path, docker_archive(([BASE], {"raw": raw})))

    assert store.images()[0].id == sha(raw)
    assert kinds(store) == []


def test_folder_names_of_an_old_save_are_no_digests(tmp_path):
    store = opened(tmp_path, docker_archive(([BASE, TOP], {})))
    names = {layer.source.partition("/")[0] for layer in store.images()[0].layers}
    known = {digest.hex for digest in (*store.images()[0].diff_ids, *store.images()[0].chain_ids)}

    assert not names & known


def test_sha512_digests_are_checked_with_sha512(tmp_path):
    layout = Layout("sha512")
    store = opened(tmp_path, layout.name(layout.image([BASE, TOP])).tar())

    assert kinds(store) == []
    assert store.images()[0].diff_ids[0].algorithm == "sha512"
    broken = Layout("sha512")
    broken.name(broken.image([BASE]))
    digest = next(key for key, data in broken.blobs.items() if data[:2] == b"\x1f\x8b")
    broken.blobs[digest] = gzip.compress(BASE, mtime=1)
    assert "digest-mismatch" in kinds(opened(tmp_path, broken.tar()))


def test_unknown_digest_algorithm_is_named(tmp_path):
    layout = Layout()
    descriptor = layout.image([BASE]) | {"digest": "blake3:" + "0" * 64}

    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, layout.name(descriptor).tar())
    assert refused.value.problem.kind == "unsupported-digest-algorithm"


def test_step_of_no_bytes_without_empty_layer_has_a_layer():
    steps = [{"created_by": "ADD"}, {"created_by": "CMD", "empty_layer": True}, {"created_by": "WORKDIR /x"}]
    image = ol.parse_config(config([BASE, EMPTY], history=steps))

    assert [step.created_by for step in ol.image.layer_history(image)] == ["ADD", "WORKDIR /x"]


@pytest.mark.parametrize("steps", [1, 3])
def test_history_that_does_not_fit_is_reported_and_not_aligned(steps, tmp_path):
    raw = config([BASE, TOP], history=[{"created_by": f"step {i}"} for i in range(steps)])
    store = opened(tmp_path, docker_archive(([BASE, TOP], {"raw": raw})))

    assert kinds(store) == ["history-mismatch"]
    assert [layer.history for layer in store.images()[0].layers] == [None, None]


@pytest.mark.parametrize("fields", [{"history": None}, {"history": []}])
def test_history_may_be_absent(fields, tmp_path):
    store = opened(tmp_path, docker_archive(([BASE], {"raw": config([BASE], **fields)})))

    assert kinds(store) == []


@pytest.mark.parametrize("rootfs", [None, "text", 3, ["sha256"]])
def test_config_without_rootfs_is_named(rootfs, tmp_path):
    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, docker_archive(([BASE], {"raw": config([BASE], rootfs=rootfs)})))

    assert refused.value.problem.kind == "bad-config"
    assert "rootfs" in refused.value.problem.where


@pytest.mark.parametrize("rootfs", [{}, {"type": "layers"}, {"type": "layers", "diff_ids": None}])
def test_rootfs_without_layers_is_an_image_of_no_layers(rootfs, tmp_path):
    raw = config([], rootfs=rootfs, history=None)
    store = opened(tmp_path, docker_archive(([], {"raw": raw})))

    assert kinds(store) == []
    assert store.images()[0].layers == ()


def test_null_counts_as_absent_for_every_optional_field():
    document = json.loads(config([BASE]))
    document |= {"config": None, "history": None, "created": None, "variant": None, "unknown": {"kept": [1]}}
    parsed = ol.parse_config(json.dumps(document).encode())

    assert parsed.execution.cmd == ()
    assert b'"unknown"' in parsed.raw


def test_equal_layers_are_not_removable(tmp_path):
    add, remove = tar("empty"), tar(".wh.empty")
    store = opened(tmp_path, docker_archive(([add, remove, add], {})))
    image = store.images()[0]
    overlay, _ = ol.overlay_of(image, store, ol.LayerReader(store))

    assert overlay.lookup("empty").layer == 2
    assert image.chain_ids[-1] not in ol.chain_ids(list(dict.fromkeys(image.diff_ids)))


def test_foreign_layer_whose_blob_is_only_an_url_is_missing_and_not_fetched(tmp_path):
    layout = Layout()
    foreign = layout.blob(
        gzip.compress(BASE), "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["http://x.invalid/l"]
    )
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.blob(config([BASE, TOP]), CONFIG),
        "layers": [foreign, layout.blob(gzip.compress(TOP), LAYER + "+gzip")],
    }
    layout.name(layout.blob(json.dumps(document).encode(), MANIFEST), "windows:1")
    store = opened(tmp_path, layout.tar(without=[foreign["digest"]]))
    problems = ol.validate(store).problems

    assert [problem.kind for problem in problems] == ["missing-blob"]
    assert "http://x.invalid/l" in problems[0].found
    assert len(store.images()) == 1
