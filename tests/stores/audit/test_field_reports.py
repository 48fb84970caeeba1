"""Inputs that real users brought, each standing for a kind: archive shapes, digests, configs and history."""

import gzip
import io
import json
import os
import shutil
import tarfile

import pytest
import realdata
import zstandard
from builders import CONFIG, DATA, LAYER, MANIFEST, Layout, config, docker_archive, member, sha, tar, write

import overlaylab as ol
from overlaylab.stores.audit.facts import inspect_facts
from overlaylab.stores.audit.owners import owner_facts

EMPTY = bytes(1024)
BASE = tar("etc/", member("etc/hello", b"hello\n"))
TOP = tar("etc/", member("etc/.wh.hello"), member("etc/new", b"new\n"))


def kinds(store, severity=None):
    return [p.kind for p in ol.validate(store).problems if severity in (None, p.severity)]


def opened(tmp_path, data):
    return ol.open_store(write(tmp_path, data))


# A. archive shapes


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


# B. which digest is this?


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


# C. config and history


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


# indexes


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


# F. data roots and the stores beside them


@pytest.fixture
def roots(tmp_path):
    """Real stores as folders: a function that unpacks one below the test's own folder."""

    def unpack(name, path="root"):
        where = tmp_path / path
        where.mkdir(parents=True, exist_ok=True)
        with tarfile.open(realdata.archive(name)) as packed:
            packed.extractall(
                where, members=[m for m in packed if not m.ischr() and not m.isblk()], filter="fully_trusted"
            )
        return where

    return unpack


def test_cache_id_without_its_folder_and_folder_without_an_entry_are_both_reported(roots):
    root = roots("docker20-dataroot")
    layer = ol.select(ol.open_store(root), "kit/imported:1").layers[0]
    (root / "overlay2" / layer.directory).rename(root / "overlay2" / ("0" * 64))
    (root / "overlay2" / ("z" * 25)).mkdir()
    store = ol.open_store(root)
    guesses = {item["directory"]: item["guess"] for item in owner_facts(store, lambda *_: 0)["directories"]}

    assert kinds(store, "error").count("missing-cache-dir") == 1
    assert ol.stores.unowned_directories(store) == ("0" * 64, "z" * 25)
    assert (guesses["0" * 64], guesses["z" * 25]) == ("leftover", "build cache")


def test_layer_that_no_image_names_is_a_leftover(roots):
    root = roots("docker20-dataroot")
    image = ol.select(ol.open_store(root), "kit/imported:1")
    (root / "image/overlay2/imagedb/content/sha256" / image.id.hex).unlink()
    store = ol.open_store(root)
    (owned,) = owner_facts(store, lambda *_: 0, image.layers[0].directory)["directories"]

    assert kinds(store) == ["missing-image"]
    assert (owned["guess"], owned["layers"], owned["images"]) == ("leftover", [image.layers[0].chain_id], [])


@pytest.mark.parametrize("driver", ["btrfs", "devicemapper", "zfs"])
def test_root_of_another_driver_is_named(driver, tmp_path):
    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, tar(f"image/{driver}/imagedb/content/sha256/", f"{driver}/dir/"))

    assert (refused.value.problem.kind, refused.value.problem.found) == ("unsupported-driver", driver)


def test_podman_storage_of_another_driver_is_named(tmp_path):
    with pytest.raises(ol.errors.NotReadable) as refused:
        opened(tmp_path, tar(member("vfs-layers/layers.json", b"[]"), "vfs-images/", "vfs-containers/"))

    assert (refused.value.problem.kind, refused.value.problem.found) == ("unsupported-driver", "vfs")


def test_two_drivers_in_one_root_are_read_by_the_known_one(roots):
    root = roots("docker20-dataroot")
    (root / "image/vfs/imagedb/content/sha256").mkdir(parents=True)
    store = ol.open_store(root)

    assert (store.kind, len(store.images())) == ("docker-root", 24)
    assert any("vfs" in item.what for item in ol.validate(store).not_checked)


def test_both_image_stores_of_docker_in_one_root_are_shown_as_such(roots):
    """After a switch of the image store the old images are still on the disk."""
    roots("docker20-dataroot")
    store = ol.open_store(roots("docker28-containerd-store"))
    facts = inspect_facts(store, "x")

    assert facts["kind"] == "mixed"
    assert {item["store"] for item in (*facts["images"], *facts["containers"])} == {
        "docker-root",
        "docker-containerd-root",
    }
    assert (len(facts["images"]), len(facts["containers"])) == (24 + 9, 1 + 3)
    assert ol.validate(store).problems == ()
    for query in ("web", "web28c"):
        target = ol.select(store, query)
        overlay, problems = ol.overlay_of(
            target, ol.stores.home(store, target), ol.LayerReader(ol.stores.home(store, target))
        )
        assert not problems and overlay.lookup("app/main.txt").layer is not None


def test_all_stores_below_one_folder_are_found(roots, tmp_path):
    roots("docker20-dataroot", "var/lib/docker")
    roots("containerd16-root", "var/lib/containerd")
    roots("podman5-storage", "var/lib/containers/storage")
    facts = inspect_facts(ol.open_store(tmp_path / "var/lib"), "x")

    assert {image["store"] for image in facts["images"]} == {"docker-root", "containerd-root", "containers-storage"}
    assert facts["problems"] == []


def test_containerd_beside_a_classic_docker_holds_no_images(roots):
    """A dockerd that runs its own containerd keeps an empty image table there; that is no second store."""
    root = roots("docker20-dataroot")
    path = root / "containerd/daemon/io.containerd.metadata.v1.bolt"
    path.mkdir(parents=True)
    (path / "meta.db").write_bytes((DATA / "broken-images/control-bolt.db").read_bytes())

    assert ol.open_store(root).kind == "docker-root"


def test_entries_that_do_not_outlive_a_reboot_are_read_too(roots):
    root = roots("podman5-storage")
    for kind in ("layers", "containers"):
        table = root / f"overlay-{kind}/{kind}.json"
        entries = json.loads(table.read_text())
        table.write_text(json.dumps(entries[:-1]))
        table.with_name(f"volatile-{kind}.json").write_text(json.dumps(entries[-1:]))
    store = ol.open_store(root)

    assert [container.name for container in store.containers()] == ["podweb"]
    assert ol.validate(store).problems == ()


def edited(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "table,change,kind",
    [
        ("overlay-layers/layers.json", lambda d: d[1].update(parent=d[1]["id"]), "parent-cycle"),
        ("overlay-layers/layers.json", lambda d: d.pop(0), "missing-layer"),
        ("overlay-layers/layers.json", lambda d: d[1].update(parent="../../etc"), "path-escape"),
        ("overlay-layers/layers.json", lambda d: d[1].update({"diff-digest": "sha256:" + "0" * 64}), "chain-mismatch"),
        ("overlay-layers/layers.json", lambda d: d[1].update({"diff-digest": "sha256:ABC"}), "bad-digest"),
        ("overlay-images/images.json", lambda d: d[0].update(id="../escape"), "path-escape"),
        ("overlay-images/images.json", lambda d: d[0].update(layer=d[-1]["layer"]), "layer-count"),
        (
            "overlay-images/images.json",
            lambda d: d[0]["big-data-digests"].update(manifest="sha256:" + "1" * 64),
            "digest-mismatch",
        ),
        ("overlay-images/images.json", lambda d: d[0].update(names="kit/app:1"), "bad-manifest"),
        ("overlay-containers/containers.json", lambda d: d[0].update(layer="0" * 64), "missing-cache-dir"),
    ],
)
def test_damaged_table_of_a_storage_is_named(table, change, kind, roots):
    root = roots("podman5-storage")
    edited(root / table, change)

    assert kind in kinds(ol.open_store(root), "error")


def test_snapshot_without_its_folder_is_missing(roots):
    root = roots("containerd16-root")
    shutil.rmtree(root / "io.containerd.snapshotter.v1.overlayfs/snapshots/13")

    assert "missing-cache-dir" in kinds(ol.open_store(root), "error")


def test_blob_that_was_dropped_after_unpacking_is_said_and_no_damage(roots):
    root = roots("containerd16-root")
    layer = ol.select(ol.open_store(root), "127.0.0.1:5000/kit/app:1").layers[5]
    (root / "io.containerd.content.v1.content" / layer.source).unlink()
    report = ol.validate(ol.open_store(root))

    assert report.problems == ()
    assert layer.diff_id in [item.what for item in report.not_checked]


def test_changed_blob_of_a_containerd_store_is_found(roots):
    root = roots("containerd16-root")
    layer = ol.select(ol.open_store(root), "kit/imported:1").layers[0]
    path = root / "io.containerd.content.v1.content" / layer.source
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)

    assert "digest-mismatch" in kinds(ol.open_store(root), "error")


# G. hostile and hard inputs


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
