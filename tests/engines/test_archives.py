"""skopeo and umoci read the same archives: they agree with us on every digest and on every file."""

import hashlib
import json
import shutil
import subprocess
import tarfile

import pytest
import tiers
from builders import unpack
from engines.second_opinion import but_root, different, listing, overlaylab, tree
from realdata import archive, expected, manifests

from overlaylab.image.config import layer_history
from overlaylab.stores.detect import open_store
from overlaylab.stores.selection import select

pytestmark = pytest.mark.tier("engines")

DOCKER = [
    "docker20-save",
    "docker20-save-by-id",
    "docker26-save",
    "docker28-containerd-save",
    "podman5-save-docker-archive",
    "crane-tarball",
]
OCI = [
    "oci-gzip",
    "oci-zstd",
    "oci-multi",
    "oci-docker-media-types",
    "podman5-save-oci-archive",
    "docker26-save",
    "docker28-containerd-save",
]


def docker_images():
    """One case for each image of each docker archive: the archive, and the image's number in it."""
    return [(name, number) for name in DOCKER for number in range(len(expected(name)["docker_manifest"]))]


def oci_images():
    """One case for each image of each layout: the layout, the place in its index.json, and the recorded manifest."""
    found = {}
    for name in OCI:
        for number, top in enumerate(expected(name)["oci_index"]):
            for entry in manifests([top]):
                found.setdefault((name, entry["digest"]), (name, number, entry["digest"], platform_options(entry)))
    return list(found.values())


def platform_options(entry):
    """How to tell skopeo which image of an index is meant."""
    platform = entry.get("platform") or {}
    words = {"os": "os", "arch": "architecture", "variant": "variant"}
    return [f"--override-{word}={platform[key]}" for word, key in words.items() if key in platform]


def skopeo(*arguments):
    """Run skopeo and return what it prints."""
    command = [tiers.tool("skopeo"), "--insecure-policy", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout


def umoci(*arguments):
    done = subprocess.run([tiers.tool("umoci"), *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def images(path):
    """Our images by config digest."""
    return {image["config_digest"]: image for image in overlaylab("inspect", path)["images"]}


def only_image(path):
    (image,) = overlaylab("inspect", path)["images"]
    assert overlaylab("verify", path) == {"ok": True, "problems": [], "not_checked": []}
    return image


def layers_of(image):
    return image["diff_ids"], image["chain_ids"]


def unpacked(layout, bundle):
    """What umoci makes of a layout's image ``t``: link counts differ, as it has one folder and an overlay several."""
    umoci("unpack", "--image", f"{layout}:t", bundle)
    return without_links(listing(bundle / "rootfs"))


def without_links(entries):
    return {
        path: {key: value for key, value in entry.items() if key != "nlink"}
        for path, entry in but_root(entries).items()
    }


@pytest.fixture(scope="module")
def layout_folder(tmp_path_factory):
    """A recorded layout as a folder, which is what other tools read."""
    made = {}

    def folder(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            with tarfile.open(archive(name)) as packed:
                unpack(packed, made[name])
        return made[name]

    return folder


# Docker archives


@pytest.mark.parametrize(("name", "number"), docker_images())
def test_docker_archive_by_skopeo_and_umoci(name, number, tmp_path):
    source = f"docker-archive:{archive(name)}:@{number}"
    raw = skopeo("inspect", "--config", "--raw", source)
    ours = images(archive(name))[digest(raw)]
    # skopeo makes a manifest of plain layers for such an archive, so its layers' digests are diff_ids.
    assert json.loads(skopeo("inspect", source))["Layers"] in (ours["diff_ids"], blobs(archive(name), ours["id"]))

    skopeo("copy", source, f"oci:{tmp_path}/gzip:t")
    copy = only_image(tmp_path / "gzip")
    assert layers_of(copy) == layers_of(ours)
    check_manifest(tmp_path / "gzip", copy)
    view = tree(archive(name), ours["id"])
    assert different(but_root(view), but_root(tree(tmp_path / "gzip", "t"))) == {}
    assert different(without_links(view), unpacked(tmp_path / "gzip", tmp_path / "bundle")) == {}


def blobs(path, image_id):
    """The layers' digests as the archive stores them."""
    image = select(open_store(path), image_id)
    return [layer.descriptor.digest if layer.descriptor else layer.source for layer in image.layers]


def check_manifest(layout, image):
    """skopeo's digests of manifest, config and layers are ours."""
    raw = skopeo("inspect", "--raw", f"oci:{layout}:t")
    manifest = json.loads(raw)
    assert digest(raw) == image["manifest_digest"]
    assert (
        manifest["config"]["digest"]
        == image["config_digest"]
        == digest(skopeo("inspect", "--config", "--raw", f"oci:{layout}:t"))
    )
    assert [layer["digest"] for layer in manifest["layers"]] == blobs(layout, image["id"])
    told = json.loads(skopeo("inspect", f"oci:{layout}:t"))
    assert (told["Digest"], told["Layers"]) == (image["manifest_digest"], blobs(layout, image["id"]))


# OCI layouts


def alone(folder, number, place):
    """A layout with one entry of another's index.json, without its name: tags repeat, and skopeo misses some types."""
    index = json.loads((folder / "index.json").read_text())
    entry = {key: value for key, value in index["manifests"][number].items() if key != "annotations"}
    place.mkdir()
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (place / "oci-layout").write_text((folder / "oci-layout").read_text())
    shutil.copytree(folder / "blobs", place / "blobs")
    return place


@pytest.mark.parametrize(("name", "number", "manifest", "platform"), oci_images())
def test_oci_layout_by_skopeo_and_umoci(layout_folder, name, number, manifest, platform, tmp_path):
    source = alone(layout_folder(name), number, tmp_path / "source")
    ours = {image["manifest_digest"]: image for image in overlaylab("inspect", source)["images"]}[manifest]
    config = skopeo(*platform, "inspect", "--config", "--raw", f"oci:{source}")
    assert digest(config) == ours["config_digest"] == ours["id"]
    assert json.loads(config)["rootfs"]["diff_ids"] == ours["diff_ids"]
    assert json.loads(skopeo(*platform, "inspect", f"oci:{source}"))["Layers"] == blobs(source, manifest)

    skopeo(*platform, "copy", f"oci:{source}", f"oci:{tmp_path}/copy:t")
    copy = only_image(tmp_path / "copy")
    check_manifest(tmp_path / "copy", copy)
    assert layers_of(copy) == layers_of(ours)
    view = tree(archive(name), manifest)
    assert different(view, tree(source, manifest)) == {}
    assert different(view, tree(tmp_path / "copy", "t")) == {}
    if umoci_can_read(tmp_path / "copy"):
        assert different(without_links(view), unpacked(tmp_path / "copy", tmp_path / "bundle")) == {}


def umoci_can_read(layout):
    """umoci knows neither zstd nor Docker's media types."""
    layers = json.loads(skopeo("inspect", "--raw", f"oci:{layout}:t"))["layers"]
    return all(layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip" for layer in layers)


# What other tools write


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """kit/app as gzip, as zstd, and as the other archives that skopeo writes."""
    folder = tmp_path_factory.mktemp("layouts")
    source = f"docker-archive:{archive('docker20-save')}:kit/app:1"
    skopeo("copy", source, f"oci:{folder}/gzip:t")
    skopeo("copy", "--dest-compress-format", "zstd", source, f"oci:{folder}/zstd:t")
    skopeo("copy", source, f"oci-archive:{folder}/oci.tar:t")
    skopeo("copy", f"oci:{folder}/gzip:t", f"docker-archive:{folder}/docker.tar:kit/app:1")
    skopeo("copy", source, f"dir:{folder}/dir")
    return folder


@pytest.mark.parametrize("form", ["zstd", "oci.tar", "docker.tar"])
def test_every_form_holds_the_same_image(layouts, form):
    one, other = only_image(layouts / "gzip"), only_image(layouts / form)
    assert layers_of(one) == layers_of(other)
    assert different(tree(layouts / "gzip", "t"), tree(layouts / form, other["id"])) == {}


def test_zstd_is_zstd(layouts):
    raw = json.loads(skopeo("inspect", "--raw", f"oci:{layouts}/zstd:t"))
    assert {layer["mediaType"] for layer in raw["layers"]} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    check_manifest(layouts / "zstd", only_image(layouts / "zstd"))


def test_skopeos_own_folder_form_is_refused_by_name(layouts):
    (problem,) = overlaylab("inspect", layouts / "dir", status=2)["problems"]
    assert problem["severity"] == "error"
    assert problem["kind"] in ("bad-manifest", "not-an-image")


def test_what_umoci_changes_is_what_we_read(layouts, tmp_path):
    """Another writer of layers: deleted, replaced by another kind, new, linked, renamed over."""
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    skopeo("copy", f"oci:{layouts}/gzip:t", f"oci:{layout}:t")
    umoci("unpack", "--image", f"{layout}:t", bundle)
    root = bundle / "rootfs"
    (root / "etc/motd").unlink()
    subprocess.run(["rm", "-r", root / "app/cache", root / "data/dir-to-link"], check=True)
    (root / "app/cache").write_bytes(b"now a file\n")
    (root / "data/dir-to-link").mkdir()
    (root / "new").write_bytes(b"new\n")
    (root / "new-too").hardlink_to(root / "new")
    (root / "data/empty").rename(root / "data/pipe")
    (root / "data/compressible").chmod(0o4711)
    umoci("repack", "--refresh-bundle", "--image", f"{layout}:t", bundle)
    seen = next(image for image in overlaylab("inspect", layout)["images"] if image["names"] == ["t"])
    assert len(seen["diff_ids"]) == len(only_image(layouts / "gzip")["diff_ids"]) + 1
    assert overlaylab("verify", layout)["ok"]
    view = without_links(tree(layout, "t"))
    assert different(view, unpacked(layout, tmp_path / "again")) == {}
    # Its tars have whole seconds.
    assert different(without_times(without_links(listing(root))), without_times(view)) == {}


def without_times(entries):
    return {path: entry | {"mtime_ns": None} for path, entry in entries.items()}


def test_history_is_the_one_that_umoci_tells(layouts):
    told = json.loads(umoci("stat", "--json", "--image", f"{layouts}/gzip:t"))["history"]
    (image,) = open_store(layouts / "gzip").images()
    steps = iter(zip(image.diff_ids, layer_history(image.config), image.manifest.layers, strict=True))
    for entry in told:
        if entry["layer"] is not None:
            diff_id, step, blob = next(steps)
            assert (entry["diff_id"], entry["created_by"], entry["layer"]["digest"]) == (
                diff_id,
                step.created_by,
                blob.digest,
            )
    assert list(steps) == []
    assert len(told) == len(image.config.history)
