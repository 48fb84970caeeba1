"""Folders of a data root that are damaged, of layers and of containers: what `verify` and `tree` say of them."""

import gzip
import io
import json
import os
import shutil
import tarfile

import pytest
import realdata
from builders import member, tar, write

import overlaylab as ol
from overlaylab.cli.commands import run
from overlaylab.overlay.mount_options import docker_options


@pytest.fixture
def root(tmp_path):
    with tarfile.open(realdata.SHIPPED) as packed:
        packed.extractall(
            tmp_path / "root", members=[m for m in packed if not m.ischr() and not m.isblk()], filter="fully_trusted"
        )
    return tmp_path / "root"


def container(root):
    [found] = ol.open_store(root).containers()
    return found


def answer(capsys, *arguments):
    """Exit status, kinds of the problems, and the whole answer."""
    status = run([*map(str, arguments), "--json"])
    value = json.loads(capsys.readouterr().out)
    return status, [problem["kind"] for problem in value.get("problems", ())], value


@pytest.mark.parametrize("lower", [None, "", "l/last"])
def test_lower_list_that_is_not_init_layer_and_chain_is_named(root, capsys, lower):
    item = container(root)
    file = root / "overlay2" / item.upper / "lower"
    text = file.read_text()
    file.unlink()
    if lower is not None:
        file.write_text(lower.replace("l/last", text.rpartition(":")[2]))

    for command in (["inspect", root], ["verify", root], ["verify", root, item.id], ["tree", root, item.id]):
        assert answer(capsys, *command)[:2] == (1, ["lower-mismatch"])
    assert answer(capsys, "verify", root, "kit/app:1")[:2] == (0, [])


OTHERS = [*realdata.CONTAINERD, *realdata.STORAGES]


def changed(tmp_path, name, leave_out=None, extra=()):
    """A recorded store as a plain tar, without what lies in one folder of it, and with more members."""
    made = io.BytesIO()
    with (
        tarfile.open(realdata.archive(name)) as packed,
        tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as left,
    ):
        for item in packed:
            if not leave_out or leave_out not in item.name.split("/"):
                left.addfile(item, packed.extractfile(item) if item.isreg() else None)
        for item, data in extra:
            left.addfile(item, io.BytesIO(data))
    return write(tmp_path, made.getvalue())


@pytest.mark.parametrize("name", OTHERS)
def test_mark_that_cannot_be_followed_is_found_in_a_container_of_every_store(name, capsys, tmp_path):
    store = ol.open_store(realdata.archive(name))
    item = store.containers()[0]
    with tarfile.open(realdata.archive(name)) as packed:
        [upper] = [path for path in packed.getnames() if path.endswith((f"/{item.upper}/diff", f"/{item.upper}/fs"))]
    path = changed(
        tmp_path, name, extra=[member(f"{upper}/moved", b"", pax={f"SCHILY.xattr.{store.marks}metacopy": ""})]
    )

    for command in (["verify", path], ["verify", path, item.id], ["tree", path, item.id], ["layers", path, item.id]):
        assert answer(capsys, *command)[:2] == (1, ["unsupported-mark"])
    assert answer(capsys, "mount", path, item.id)[0] == 0


@pytest.mark.parametrize("name", OTHERS)
def test_folder_beneath_a_container_that_is_gone_is_named_as_such_in_every_store(name, capsys, tmp_path):
    """Not as one that went while it was read: it was not there from the beginning."""
    item = ol.open_store(realdata.archive(name)).containers()[0]
    path = changed(tmp_path, name, leave_out=item.lower[-1])
    images = [
        image for image in ol.open_store(path).images() if item.lower[-1] in [layer.directory for layer in image.layers]
    ]

    for command in ("verify", "tree", "layers", "mount"):
        status, kinds, _ = answer(capsys, command, path, item.id)
        assert status == 1 and kinds and set(kinds) <= {"missing-cache-dir", "dangling-link"}
    assert images
    for image in images:
        chosen = [path, image.config_digest, *(["--namespace", image.namespace] if image.namespace else [])]
        for command in ("tree", "mount"):
            status, kinds, _ = answer(capsys, command, *chosen)
            assert status == 1 and "missing-cache-dir" in kinds


def test_mark_that_cannot_be_followed_is_found_in_a_container_too(capsys, tmp_path):
    with tarfile.open(realdata.SHIPPED) as packed:
        [mount] = [packed.extractfile(m).read().decode() for m in packed if m.name.endswith("/mount-id")]
    extra = member(f"overlay2/{mount}/diff/moved", b"", pax={"SCHILY.xattr.trusted.overlay.metacopy": ""})
    path = write(tmp_path, _with(extra))

    for command in (["verify", path], ["tree", path, mount_container(path)]):
        assert answer(capsys, *command)[:2] == (1, ["unsupported-mark"])
    assert answer(capsys, "tree", path, "kit/app:1")[0] == 0


def test_root_that_the_store_recorded_is_in_the_mount_options(tmp_path):
    """A tar of a root elsewhere than in /var/lib/docker."""
    path = write(tmp_path, _with())
    container_id = mount_container(path)
    recorded = {"Name": "/web", "Image": "", "HostnamePath": f"/data/docker/containers/{container_id}/hostname"}
    moved = write(
        tmp_path, _with(member(f"containers/{container_id}/config.v2.json", json.dumps(recorded).encode())), "moved"
    )
    here, there = (ol.open_store(file).containers()[0].mount for file in (path, moved))

    assert there == here.replace("/var/lib/docker/", "/data/docker/") != here


def test_folder_of_a_layer_that_no_image_uses_is_unowned(root):
    content = root / "image/overlay2/imagedb/content/sha256"
    used = {layer.directory for layer in ol.select(ol.open_store(root), "kit/app:1").layers} | {*container(root).lower}
    before = {*ol.stores.unowned_directories(ol.open_store(root))}
    for file in content.iterdir():
        file.unlink()
    after = {*ol.stores.unowned_directories(ol.open_store(root))}

    assert before < after and not after & used


def mount_container(path):
    [found] = ol.open_store(path).containers()
    return found.id


def _with(*extra):
    """The data root that comes with the kit as a plain tar, with more members."""
    data = gzip.decompress(realdata.SHIPPED.read_bytes()).rstrip(b"\0")
    return data + bytes(-len(data) % 512) + tar(*extra)


def test_very_deep_folders_are_read_from_a_tar(capsys, tmp_path):
    with tarfile.open(realdata.SHIPPED) as packed:
        [mount] = [packed.extractfile(m).read().decode() for m in packed if m.name.endswith("/mount-id")]
    deep = "/".join("d" * 2000)
    path = write(tmp_path, _with(member(f"overlay2/{mount}/diff/{deep}/f", b"x")))

    status, _, entries = answer(capsys, "tree", path, mount_container(path))
    assert (status, entries[f"{deep}/f"]["size"]) == (0, 1)


@pytest.mark.skipif(os.name != "posix", reason="folders are entered one by one")
def test_folder_that_is_too_deep_for_one_name_is_a_limit(root, capsys, monkeypatch):
    item = container(root)
    monkeypatch.chdir(root / "overlay2" / item.upper / "diff")
    for _ in range(20):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)

    status, kinds, _ = answer(capsys, "tree", root, item.id)
    monkeypatch.chdir(root)
    shutil.rmtree(root / "overlay2" / item.upper, ignore_errors=True)

    assert (status, kinds) == (1, ["limit"])


@pytest.mark.parametrize(("length", "relative"), [(4085, False), (4086, True), (4095, True), (4096, True)])
def test_long_mount_options_become_relative_where_docker_makes_them_so(length, relative):
    """Docker counts its own ``index=off,`` too, and leaves one byte of the page for the end of the text."""
    link, mount_id = "l/" + "A" * 26, "f" * 64
    base = "/" + "r" * ((length - docker_options("", (link,), mount_id).size) // 3 - 1)
    missing = length - docker_options(base, (link,), mount_id).size
    text = docker_options(base, (link + "A" * missing,), mount_id).text()

    assert text.startswith("lowerdir=l/") == relative
    assert relative or len(text) == length


def test_lower_list_of_a_layer_that_is_not_its_chain_is_named(root):
    layer = ol.select(ol.open_store(root), "kit/app:1").layers[2]
    file = root / "overlay2" / layer.directory / "lower"
    file.write_text(":".join(reversed(file.read_text().split(":"))))
    problems = ol.validate(ol.open_store(root)).problems

    assert {problem.kind for problem in problems} == {"lower-mismatch"}
    assert any(layer.directory in problem.where for problem in problems)


def test_name_of_an_image_comes_before_the_name_of_a_container(root):
    """As in the engines: `web` is both here."""
    repositories = root / "image/overlay2/repositories.json"
    names = json.loads(repositories.read_text())
    image_id = names["Repositories"]["kit/app"]["kit/app:1"]
    names["Repositories"]["web"] = {"web:latest": image_id}
    repositories.write_text(json.dumps(names))

    assert ol.select(ol.open_store(root), "web").id == image_id
    assert ol.select(ol.open_store(root), "/web") == container(root)


# A container whose own folder, or one beneath it, is gone.

WITH_LISTS = [name for name in (*realdata.ROOTS, *realdata.STORAGES)]


@pytest.mark.parametrize("name", WITH_LISTS)
@pytest.mark.parametrize("which", ["upper", "lower"])
def test_container_without_one_of_its_folders_is_listed_and_named(name, which, tmp_path, capsys):
    whole = ol.open_store(realdata.archive(name)).containers()[0]
    path = changed(tmp_path, name, leave_out=whole.upper if which == "upper" else whole.lower[-1])
    status, _, facts = answer(capsys, "inspect", path)
    [found] = [item for item in facts["containers"] if item["id"] == whole.id]

    assert status == 1
    assert (found["name"], found["image_id"], found["upper"], tuple(found["lower"])) == (
        whole.name,
        whole.image_id,
        whole.upper,
        whole.lower,
    )
    assert not {*whole.lower, whole.upper} & {*facts["unowned_directories"]}
    for command in ("verify", "tree", "layers", "mount"):
        status, kinds, _ = answer(capsys, command, path, whole.id)
        assert status == 1 and "missing-cache-dir" in kinds
    _, _, owned = answer(capsys, "owners", path)
    assert {item["directory"] for item in owned["directories"] if whole.id in item["containers"]} >= {*whole.lower} - {
        whole.lower[-1]
    }


def test_root_in_the_mount_of_a_packed_storage_is_the_recorded_one_or_the_engines_default(capsys, tmp_path):
    for name, default in (
        ("podman5-storage", "/var/lib/containers/storage"),
        ("podman5-rootless", "~/.local/share/containers/storage"),
    ):
        item = ol.open_store(realdata.archive(name)).containers()[0]
        runtime = json.dumps({"root": {"path": f"/data/pods/overlay/{item.upper}/merged"}}).encode()
        path = changed(tmp_path, name, extra=[member(f"overlay-containers/{item.id}/userdata/config.json", runtime)])

        for source, root in ((realdata.archive(name), default), (path, "/data/pods")):
            assert answer(capsys, "mount", source, item.id)[2]["upperdir"] == f"{root}/overlay/{item.upper}/diff"
