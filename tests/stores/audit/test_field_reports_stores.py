"""Data roots that real users brought, each standing for a kind, and several stores in one."""

import json
import shutil
import tarfile

import pytest
import realdata
from builders import DATA, member, tar
from field_reports import kinds, opened

import overlaylab as ol
from overlaylab.stores.audit.facts import inspect_facts
from overlaylab.stores.audit.owners import owner_facts


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
