"""What is this PATH? Told by content; what cannot be read is refused in words."""

import gzip
import os
import tarfile

import pytest
from builders import docker_archive, member, tar, unpack, write

import overlaylab as ol


def refusal(path):
    with pytest.raises(ol.errors.NotReadable) as refused:
        ol.open_store(path)
    return refused.value.problem


@pytest.mark.parametrize(
    "data,kind",
    [
        (b"", "empty"),
        (b"text\n" * 300, "not-an-image"),
        (b'{"a": 1}', "not-an-image"),
        (bytes(10240), "not-an-image"),
        (tar("hello"), "not-an-image"),
        (tar("overlay-images/", "overlay-layers/"), "not-an-image"),
        (tar("io.containerd.content.v1.content/", "io.containerd.metadata.v1.bolt/"), "not-an-image"),
        (tar("containerd/daemon/io.containerd.metadata.v1.bolt/", "containers/"), "no-layerdb"),
        (tar("overlay2/l/", "containers/"), "no-layerdb"),
        (tar("image/btrfs/imagedb/content/sha256/", "btrfs/subvolumes/"), "unsupported-driver"),
        (tar("image/vfs/imagedb/content/sha256/", "vfs/dir/"), "no-layerdb"),
        (tar("image/overlay2/distribution/", "overlay2/l/"), "no-layerdb"),
        (tar(member("repositories", b"{}"), member("abc/layer.tar")), "legacy-v1"),
        (tar(member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')), "not-an-image"),
        (tar(member("manifest.json", b"[]")), "empty-index"),
        (tar(member("manifest.json", b"")), "empty"),
        (
            tar(member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), member("index.json", b'{"manifests": []}')),
            "empty-index",
        ),
    ],
)
def test_what_is_no_store_is_refused_by_kind(data, kind, tmp_path):
    assert refusal(write(tmp_path, data)).kind == kind


def test_nothing_at_a_path(tmp_path):
    assert refusal(tmp_path / "nothing").kind == "not-found"


def test_folder_that_holds_nothing(tmp_path):
    assert refusal(tmp_path).kind == "not-an-image"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert refusal(tmp_path / "pipe").kind == "not-an-image"


def test_other_parts_of_the_system_are_no_docker_root(tmp_path):
    for name in ("containerd", "docker", "network"):
        (tmp_path / name).mkdir()

    assert refusal(tmp_path).kind == "not-an-image"


def test_folder_with_an_unpacked_save_is_read_as_one(tmp_path):
    layer = tar("etc/")
    packed = write(tmp_path, docker_archive(([layer], {})))
    with tarfile.open(packed) as archive:
        unpack(archive, tmp_path / "out")

    assert ol.open_store(tmp_path / "out").kind == "docker-archive"


def test_compressed_archive_beyond_the_limit_is_refused(tmp_path):
    path = write(tmp_path, gzip.compress(bytes(4 << 20)))
    with pytest.raises(ol.errors.NotReadable) as refused:
        ol.open_store(path, ol.limits.Limits(expanded=1 << 20))

    assert refused.value.problem.kind == "limit"
