"""Archives and data roots that real engines wrote, read as it is known that they must be."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile

import pytest
import realdata
from builders import unpack

import overlaylab as ol
from overlaylab.image.tar_reader import TarReader
from overlaylab.stores.audit.facts import inspect_facts


def without_layer(entries):
    return {path: {key: value for key, value in item.items() if key != "layer"} for path, item in entries.items()}


def merged(store, target):
    overlay, problems = ol.overlay_of(target, store, ol.LayerReader(store))
    assert not problems
    return without_layer(ol.merged_entries(overlay))


@pytest.mark.parametrize("name", realdata.NAMES)
def test_every_digest_of_a_real_store_is_recomputed_and_fits(name):
    store = ol.open_store(realdata.archive(name))
    report = ol.validate(store)

    assert report.problems == ()
    assert len(store.images()) > 0


@pytest.mark.parametrize("name", realdata.ARCHIVES)
def test_archive_has_the_images_of_its_manifest_json(name):
    facts = realdata.expected(name)
    store = ol.open_store(realdata.archive(name))
    images = {image["id"]: image for image in inspect_facts(store, name)["images"]}

    assert store.kind == ("docker-archive" if "docker_manifest" in facts else "oci-layout")
    for item in facts.get("docker_manifest", []):
        image = images[item["id"]]
        assert image["names"] == sorted(item["repo_tags"] or [])
        assert image["diff_ids"] == [layer["diff_id"] for layer in item["layers"]]
        assert image["chain_ids"] == item["chain_ids"]
        assert image["directories"] is None


@pytest.mark.parametrize("name", [name for name in realdata.ARCHIVES if "oci_index" in realdata.expected(name)])
def test_archive_has_the_manifests_of_its_index(name):
    facts = realdata.expected(name)
    images = {image["id"]: image for image in inspect_facts(ol.open_store(realdata.archive(name)), name)["images"]}
    recorded = list(realdata.manifests(facts["oci_index"]))

    assert set(images) == {item["config"] for item in recorded}
    for item in recorded:
        image = images[item["config"]]
        assert image["manifest_digest"] == item["digest"]
        assert image["chain_ids"] == item["chain_ids"]
        assert image["config_digest"] == item["config"]


def test_platforms_of_an_index_carry_the_name_of_their_index():
    facts = inspect_facts(ol.open_store(realdata.archive("docker28-containerd-save")), "x")
    platforms = [image["platform"] for image in facts["images"] if image["names"] == ["kit/multi:1"]]

    assert sorted(platforms) == ["linux/amd64", "linux/arm/v7", "linux/arm64", "linux/riscv64"]


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_data_root_has_the_images_layers_and_folders_that_docker_knew(name):
    recorded = realdata.expected(name)
    facts = inspect_facts(ol.open_store(realdata.archive(name)), name)

    assert facts["kind"] == "docker-root"
    assert facts["problems"] == []
    assert facts["unowned_directories"] == sorted(recorded["unowned_overlay2_dirs"])
    assert [image["id"] for image in facts["images"]] == sorted(image["id"] for image in recorded["images"])
    for image, known in zip(facts["images"], sorted(recorded["images"], key=lambda item: item["id"]), strict=True):
        assert image["names"] == sorted(known["repo_tags"])
        assert image["diff_ids"] == known["diff_ids"]
        assert image["chain_ids"] == known["chain_ids"]
        assert image["directories"] == known["cache_ids"]


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_layerdb_entry_is_read_as_docker_wrote_it(name):
    store = ol.open_store(realdata.archive(name))
    recorded = realdata.expected(name)["layers"]

    assert len(store.layer_folders()) == len(recorded)
    for known in recorded:
        folder = store.folder(ol.ChainID(known["chain_id"]))
        assert (folder.diff_id, folder.parent, folder.cache_id) == (
            known["diff_id"],
            known["parent"],
            known["cache_id"],
        )
        assert folder.size == known["size"]
        assert store.link_target(known["link"]) == known["cache_id"]


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_recorded_size_is_that_of_the_distinct_files_and_links_of_the_folder(name):
    store = ol.open_store(realdata.archive(name))
    for folder in store.layer_folders():
        inodes = {id(inode): inode for _, inode in ol.tree.walk(store.layer_directory(folder.cache_id))}.values()
        files = sum(inode.size for inode in inodes if isinstance(inode, ol.File))
        links = sum(len(inode.target.encode()) for inode in inodes if isinstance(inode, ol.Symlink))
        assert folder.size == files + links


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_container_has_the_lower_chain_and_the_mount_that_docker_used(name):
    recorded = realdata.expected(name)["containers"]
    found = {item["id"]: item for item in inspect_facts(ol.open_store(realdata.archive(name)), name)["containers"]}

    assert set(found) == {known["id"] for known in recorded}
    for known in recorded:
        container = found[known["id"]]
        assert (container["name"], container["image_id"]) == (known["name"], known["image_id"])
        assert (container["lower"], container["upper"]) == (known["lower_ids"], known["mount_id"])
        assert container["lower"][0] == known["init_id"]
        if known.get("proc_mounts_line"):
            options = known["proc_mounts_line"].split()[3].split(",")
            wanted = [option for option in options if option.split("=")[0] in ("lowerdir", "upperdir", "workdir")]
            assert container["mount"] == ",".join(wanted)


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_merged_view_of_every_image_is_what_the_kernel_showed(name):
    store = ol.open_store(realdata.archive(name))
    compared = 0
    for known in realdata.expected(name)["images"]:
        if "rootfs" in known:
            assert merged(store, ol.select(store, known["id"])) == known["rootfs"]
            compared += 1

    assert compared >= 4


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_merged_view_of_a_running_container_is_what_the_kernel_showed(name):
    store = ol.open_store(realdata.archive(name))
    known = [item for item in realdata.expected(name)["containers"] if item.get("merged")]

    assert known
    for item in known:
        assert merged(store, ol.select(store, item["name"])) == item["merged"]


def test_same_image_is_the_same_tree_in_every_archive():
    roots = realdata.rootfs_by_chain()
    compared = 0
    for name in realdata.ARCHIVES:
        store = ol.open_store(realdata.archive(name))
        for image in store.images():
            if image.chain_ids in roots:
                mine, known = merged(store, image), dict(roots[image.chain_ids])
                mine.pop("."), known.pop(".")
                assert mine == known
                compared += 1

    assert compared == 19


@pytest.mark.parametrize("shape", ["folder", "random name", "plain tar", "below its path", "zstd"])
def test_data_root_is_told_by_content(shape, tmp_path):
    source = realdata.archive("docker20-dataroot")
    plain = gzip.decompress(source.read_bytes())
    path = tmp_path / "holiday.jpg"
    if shape == "folder":
        path = tmp_path / "root"
        with tarfile.open(source) as tar:
            unpack(tar, path)
    elif shape == "random name":
        shutil.copy(source, path)
    elif shape == "plain tar":
        path.write_bytes(plain)
    elif shape == "below its path":
        inner = tmp_path / "in/var/lib/docker"
        inner.mkdir(parents=True)
        with tarfile.open(source) as tar:
            unpack(tar, inner)
        subprocess.run(["tar", "-C", tmp_path / "in", "-czf", path, "var"], check=True)
    else:
        import zstandard

        path.write_bytes(zstandard.compress(plain))
    store = ol.open_store(path)

    assert store.kind == "docker-root"
    assert len(store.images()) == 24
    assert [problem for problem in ol.validate(store).problems] == []


@pytest.mark.parametrize("name", realdata.ROOTS)
def test_layer_tar_is_rebuilt_byte_for_byte(name):
    """Its size, its digest, and every member of it, from the folder and tar-split."""
    store = ol.open_store(realdata.archive(name))
    layers = {layer.chain_id: layer for image in store.images() for layer in image.layers}
    recorded = realdata.expected(name)["layers"]

    assert set(layers) == {known["chain_id"] for known in recorded}
    for known in recorded:
        layer = layers[known["chain_id"]]
        plain = store.open_layer(layer).read()
        assert (len(plain), ol.DiffID.of(plain)) == (known["tar_bytes"], known["diff_id"])
        assert members(plain) == [wanted(member) for member in known["tar_members"]]
        assert count(store, layer) == known["tar_split_entries"]


def members(plain):
    found = []
    for item in TarReader(io.BytesIO(plain), "layer"):
        link = item.link if item.type in "12" else None
        found.append(
            (item.name.rstrip("/"), item.type, item.mode, item.uid, item.gid, item.size, item.mtime_ns // 10**9, link)
        )
    return found


def wanted(known):
    mode, link = int(known["mode"], 8) & 0o7777, known["link"] if known["type"] in "12" else None
    return (
        known["name"].rstrip("/"),
        known["type"],
        mode,
        known["uid"],
        known["gid"],
        known["size"],
        int(known["mtime"]),
        link,
    )


def count(store, layer):
    return sum(piece.raw is None for piece in store.tar_split(layer).pieces())


@pytest.mark.parametrize("name", [*realdata.ROOTS, *realdata.STORAGES])
def test_every_layer_is_proven(name):
    assert ol.validate(ol.open_store(realdata.archive(name))).not_checked == ()


@pytest.mark.parametrize("name", realdata.STORAGES)
def test_storage_layer_is_rebuilt_to_its_diff_id_and_size(name):
    store = ol.open_store(realdata.archive(name))
    sizes = {node["id"]: node.get("diff-size") for node in json.loads(store.place.read("overlay-layers/layers.json"))}
    layers = {layer.directory: layer for image in store.images() for layer in image.layers}

    assert len(layers) >= 4
    for name, layer in layers.items():
        plain = store.open_layer(layer).read()
        assert ol.DiffID.of(plain) == layer.diff_id
        assert sizes[name] in (None, len(plain))


# containerd, and Docker with its image store


@pytest.mark.parametrize("name", realdata.CONTAINERD)
def test_containerd_root_has_the_images_of_every_namespace(name):
    known = realdata.containerd_images(name)
    facts = inspect_facts(ol.open_store(realdata.archive(name)), name)
    found = {
        (image["namespace"], image["id"], image["config_digest"] or image["manifest_digest"]): image
        for image in facts["images"]
    }

    assert facts["kind"] == ("containerd-root" if name.startswith("containerd") else "docker-containerd-root")
    assert facts["problems"] == []
    assert len(facts["images"]) == len(found)
    assert set(found) == set(known)
    for key, image in found.items():
        names, leaf = known[key]
        assert image["names"] == sorted(names)
        assert image["manifest_digest"] == leaf["digest"]
        assert image["config_digest"] == leaf.get("config")
        assert image["diff_ids"] == leaf.get("diff_ids")
        assert image["chain_ids"] == leaf.get("chain_ids")
        assert image["directories"] == (texts(leaf["snapshot_ids"]) if leaf["present"] else None)


def texts(numbers):
    return [None if number is None else str(number) for number in numbers]


@pytest.mark.parametrize("name", realdata.CONTAINERD)
def test_folders_without_an_owner_are_those_that_neither_image_nor_container_names(name):
    recorded = realdata.expected(name)
    facts = inspect_facts(ol.open_store(realdata.archive(name)), name)
    all_folders, used = set(), {number for image in facts["images"] for number in image["directories"] or ()}
    ids = {container["id"] for container in facts["containers"]}
    for namespace in recorded["namespaces"].values():
        all_folders |= {str(item["id"]) for item in namespace["snapshots"]}
        for item in namespace["active"]:
            if item["key"] in ids:
                used |= {str(item["upper_id"]), *texts(item["lower_ids"])}

    assert set(facts["unowned_directories"]) == all_folders - used


@pytest.mark.parametrize("name", realdata.CONTAINERD)
def test_containerd_container_has_the_snapshots_that_containerd_mounted(name):
    recorded = realdata.expected(name)
    store = ol.open_store(realdata.archive(name))
    named = {item["id"]: item for item in recorded.get("docker_containers", [])}
    active = {item["key"]: item for namespace in recorded["namespaces"].values() for item in namespace["active"]}
    found = {container.id: container for container in store.containers()}

    assert set(found) == (set(named) or {"c1"})
    for key, container in found.items():
        assert container.upper == str(active[key]["upper_id"])
        assert list(container.lower) == texts(active[key]["lower_ids"])
        if key in named:
            assert (container.name, container.image_id) == (named[key]["name"], named[key]["image"])
        if line := active[key].get("proc_mounts_line"):
            # Docker's files say where the root was; containerd alone does not, and has its usual place.
            assert (
                container.mount
                == store.mount(container, recorded["original_root"]).options
                == realdata.option_text(line)
            )
            assert merged(store, container) == active[key]["merged"]


# podman


@pytest.mark.parametrize("name", realdata.STORAGES)
def test_storage_has_the_images_and_layers_that_podman_knew(name):
    recorded = realdata.expected(name)["images"]
    facts = inspect_facts(ol.open_store(realdata.archive(name)), name)

    assert (facts["kind"], facts["problems"], facts["unowned_directories"]) == ("containers-storage", [], [])
    assert len(facts["images"]) == len(recorded)
    for image, known in zip(facts["images"], recorded, strict=True):
        assert image["id"] == image["config_digest"] == f"sha256:{known['id']}"
        assert image["names"] == sorted(known["names"] or [])
        assert image["diff_ids"] == known["diff_ids"]
        assert image["chain_ids"] == known["chain_ids"]
        assert image["directories"] == known["layer_ids"]


@pytest.mark.parametrize("name", realdata.STORAGES)
def test_image_is_found_by_every_manifest_that_the_storage_knows(name):
    store = ol.open_store(realdata.archive(name))
    for image, known in zip(store.images(), realdata.expected(name)["images"], strict=True):
        assert known["digest"] in (image.manifest_digest, *image.other_manifests, *image.indexes)


@pytest.mark.parametrize("name", realdata.STORAGES)
def test_storage_container_has_the_layers_and_the_mount_that_podman_used(name):
    recorded = realdata.expected(name)
    store = ol.open_store(realdata.archive(name))

    assert len(store.containers()) == len(recorded["containers"]) == 1
    for container, known in zip(store.containers(), recorded["containers"], strict=True):
        assert (container.id, container.name) == (known["id"], known["names"][0])
        assert container.image_id == f"sha256:{known['image']}"
        assert (container.upper, list(container.lower)) == (known["layer"], known["lower_ids"])
        assert store.mount(container, recorded["original_root"]).options == realdata.option_text(
            known["proc_mounts_line"]
        )
        assert merged(store, container) == known["merged"]


# all that unpack


@pytest.mark.parametrize("name", [*realdata.CONTAINERD, *realdata.STORAGES])
def test_merged_view_is_what_the_kernel_showed(name):
    """Of every image; in a containerd root the layers that are not unpacked come from their blobs."""
    store = ol.open_store(realdata.archive(name))
    known = realdata.containerd_images(name) if name in realdata.CONTAINERD else {}
    listings = {
        ("", f"sha256:{item['id']}", f"sha256:{item['id']}"): item for item in realdata.expected(name).get("images", [])
    }
    listings |= {key: leaf for key, (_, leaf) in known.items()}
    compared = 0
    for image in store.images():
        listing = listings[image.namespace, image.id, image.config_digest or image.manifest_digest].get("rootfs")
        if listing:
            assert merged(store, image) == listing
            compared += 1

    assert compared >= 2


def test_same_image_has_the_same_tree_in_every_store():
    """Whatever the store calls the image and its folders; but for the root, and owners that a user's map shifts."""
    roots, compared = realdata.rootfs_by_chain(), 0
    for name in [*realdata.CONTAINERD, *realdata.STORAGES]:
        store = ol.open_store(realdata.archive(name))
        for image in store.images():
            if image.chain_ids in roots and not getattr(store, "rootless", False):
                mine, known = merged(store, image), dict(roots[image.chain_ids])
                mine.pop("."), known.pop(".")
                assert mine == known
                compared += 1

    assert compared == 16
