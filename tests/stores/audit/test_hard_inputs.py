"""Inputs that are rare and hard: no layers, deep trees, holes in files, bombs everywhere, missing short names."""

import contextlib
import gzip
import io
import json
import tarfile
import time

import pytest
import realdata
from builders import Layout, docker_archive, member, tar, write

import overlaylab as ol
from overlaylab.cli.commands import run


def answer(*arguments):
    """Exit status, kinds of the problems, and the whole answer."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        status = run([*map(str, arguments), "--json"])
    value = json.loads(out.getvalue())
    return (
        status,
        {problem["kind"] for problem in value.get("problems", ())} if isinstance(value, dict) else set(),
        value,
    )


def test_image_of_no_layers_shows_nothing_and_that_is_no_error(tmp_path):
    layout = Layout()
    layout.name(layout.image([]), "none:1")
    for path in (
        write(tmp_path, docker_archive(([], {"tags": ["none:1"]})), "save"),
        write(tmp_path, layout.tar(), "layout"),
    ):
        assert answer("verify", path)[:2] == (0, set())
        assert answer("tree", path, "none:1") == (0, set(), {})
        assert answer("layers", path, "none:1") == (0, set(), [])
        assert answer("inspect", path)[2]["images"][0]["diff_ids"] == []


DEEP = 1500
WAYS = {
    "one whiteout at the bottom": [member("/".join("d" * (DEEP - 1)) + "/.wh.d")],
    "one in each folder": [member("/".join("d" * depth) + f"/.wh.x{depth}") for depth in range(1, DEEP, 3)],
    "an opaque mark in each folder": [member("/".join("d" * depth) + "/.wh..wh..opq") for depth in range(1, DEEP, 3)],
    "many in the lowest folder": [member("/".join("d" * (DEEP - 1)) + f"/.wh.x{number}") for number in range(300)],
}


@pytest.mark.parametrize("way", WAYS)
def test_deletions_deep_in_a_tree_take_no_longer_than_their_names(way, tmp_path):
    path = write(tmp_path, docker_archive(([tar(member("/".join("d" * DEEP), b"x")), tar(*WAYS[way])], {})))
    start = time.process_time()
    status, kinds, _ = answer("verify", path)

    assert status == 0 and kinds <= {"no-op-whiteout"}
    assert time.process_time() - start < 10


@pytest.mark.parametrize("name", [*realdata.ROOTS, *realdata.STORAGES])
def test_short_names_that_are_gone_are_links_to_nowhere(name, tmp_path):
    made = io.BytesIO()
    with (
        tarfile.open(realdata.archive(name)) as packed,
        tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as left,
    ):
        for item in packed:
            if "l" not in item.name.split("/")[:2]:
                left.addfile(item, packed.extractfile(item) if item.isreg() else None)
    path = write(tmp_path, made.getvalue())
    whole = ol.open_store(realdata.archive(name))

    assert answer("verify", path)[:2] == (1, {"dangling-link"})
    for target in (next(image for image in whole.images() if image.layers), whole.containers()[0]):
        assert answer("mount", path, target.id)[:2] == (1, {"dangling-link"})


def test_file_with_holes_is_named_in_a_layer_and_in_a_packed_root(tmp_path):
    """GNU tar's own form and that of pax: what is stored is not the file's content."""
    old = bytearray(tar(member("holes", b"data" * 128)))
    old[156:157] = b"S"
    old[148:156] = b" " * 8
    old[148:156] = f"{sum(old[:512]):06o}\0 ".encode()
    for layer in (
        bytes(old),
        tar(
            member("holes", b"data", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real"})
        ),
    ):
        assert answer("verify", write(tmp_path, docker_archive(([layer], {}))))[:2] == (1, {"bad-tar-header"})
    with tarfile.open(realdata.archive("containerd16-root")) as packed:
        folder = next(name for name in packed.getnames() if name.endswith("/fs"))
        data = gzip.decompress(realdata.archive("containerd16-root").read_bytes()).rstrip(b"\0")
    hole = member(f"{folder}/holes", b"data", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    status, kinds, _ = answer("verify", write(tmp_path, data + bytes(-len(data) % 512) + tar(hole), "root"))

    assert (status, kinds) == (1, {"bad-tar-header"})


def bombs(tmp_path):
    """A few kilobytes that stand for 40 megabytes, in each place that is unpacked."""
    zeros = bytes(40 << 20)
    layer = tar(member("zeros", zeros))
    for name in ("gzip", "zstd"):
        yield write(tmp_path, docker_archive(([ol.pack(layer, name)], {"plain": {0: layer}})), f"layer {name}")
        yield write(tmp_path, ol.pack(docker_archive(([layer], {})), name), f"whole {name}")
    layout = Layout()
    layout.name(layout.image([layer]), "bomb:1")
    yield write(tmp_path, layout.tar(), "layout")
    made = io.BytesIO()
    with tarfile.open(realdata.SHIPPED) as packed, tarfile.open(fileobj=made, mode="w") as left:
        for item in packed:
            data = packed.extractfile(item).read() if item.isreg() else None
            data = gzip.compress(zeros) if item.name.endswith("tar-split.json.gz") else data
            item.size = len(data or b"")
            left.addfile(item, io.BytesIO(data or b""))
    yield write(tmp_path, made.getvalue(), "tar-split")


def test_bomb_is_stopped_wherever_it_lies(tmp_path):
    for path in bombs(tmp_path):
        status, kinds, _ = answer("verify", path, "--max-expand", 1 << 20)
        assert status in (1, 2) and "limit" in kinds, path.name


@pytest.mark.parametrize("name", [*realdata.ROOTS, *realdata.STORAGES, "docker26-save", "oci-multi"])
def test_namespace_and_platform_that_are_not_there_find_nothing_in_any_store(name):
    path = realdata.archive(name)
    image = next(image for image in ol.open_store(path).images() if image.config)

    assert answer("verify", path, image.config_digest, "--platform", image.platform)[0] == 0
    for option in (["--namespace", "absent"], ["--platform", "plan9/mips"]):
        assert answer("verify", path, image.config_digest, *option)[:2] == (2, {"no-such-image"})


@pytest.mark.parametrize("name", realdata.CONTAINERD)
def test_namespace_chooses_among_images_and_containers_of_containerd(name):
    path = realdata.archive(name)
    store = ol.open_store(path)
    for target in (*(image for image in store.images() if image.config), *store.containers()):
        query = target.id if isinstance(target, ol.Container) else target.config_digest
        assert ol.select(store, query, namespace=target.namespace).namespace == target.namespace
        assert answer("verify", path, query, "--namespace", "absent")[:2] == (2, {"no-such-image"})
