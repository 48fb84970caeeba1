"""Containers of a data root that are damaged: what `verify` and `tree` say of them."""

import json
import os
import shutil
import tarfile

import pytest
import realdata
from builders import member, tar, write

import overlaylab as ol
from overlaylab.cli import run


@pytest.fixture
def root(tmp_path):
    with tarfile.open(realdata.SHIPPED) as packed:
        packed.extractall(tmp_path / "root", members=[m for m in packed if not m.ischr() and not m.isblk()], filter="fully_trusted")
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


def test_mark_that_cannot_be_followed_is_found_in_a_container_too(capsys, tmp_path):
    with tarfile.open(realdata.SHIPPED) as packed:
        [mount] = [packed.extractfile(m).read().decode() for m in packed if m.name.endswith("/mount-id")]
    extra = member(f"overlay2/{mount}/diff/moved", b"", pax={"SCHILY.xattr.trusted.overlay.metacopy": ""})
    path = write(tmp_path, _with(extra))

    for command in (["verify", path], ["tree", path, mount_container(path)]):
        assert answer(capsys, *command)[:2] == (1, ["unsupported-mark"])
    assert answer(capsys, "tree", path, "kit/app:1")[0] == 0


def mount_container(path):
    [found] = ol.open_store(path).containers()
    return found.id


def _with(*extra):
    """The data root that comes with the kit as a plain tar, with more members."""
    import gzip

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
