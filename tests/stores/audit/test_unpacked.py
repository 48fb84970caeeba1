"""Folders of layers that are not what the layer's tar says: every store's `verify` names the path."""

import functools
import io
import json
import re
import tarfile

import pytest
import realdata
from builders import member, tar, write

import overlaylab as ol
from overlaylab.cli.commands import run
from overlaylab.stores.audit.directory_check import LostMarks, directory_problems

STORES = realdata.UNPACKED


def verify(capsys, path):
    status = run(["verify", str(path), "--json"])
    return status, json.loads(capsys.readouterr().out)


def folders_of(name):
    """``(driver's folder, name of a content folder)``."""
    return (
        ("snapshots", "fs")
        if name in realdata.CONTAINERD
        else ("overlay2", "diff")
        if name in realdata.ROOTS
        else ("overlay", "diff")
    )


@functools.cache
def headers(name):
    """The headers of a store's tar."""
    with tarfile.open(realdata.archive(name)) as packed:
        return packed.getmembers()


@functools.cache
def layer_paths(name):
    """Where the content of the layers of images lies in a store's tar."""
    above, below = folders_of(name)
    wanted = {
        layer.directory
        for image in ol.open_store(realdata.archive(name)).images()
        for layer in image.layers
        if layer.directory
    }
    return [
        item.name for item in headers(name) if re.fullmatch(f"(.*/)?{above}/({'|'.join(wanted)})/{below}", item.name)
    ]


def harmed(tmp_path, name, change, extra=()):
    """A recorded store in which each member went through `change`: header and bytes in, the same or None out."""
    made = io.BytesIO()
    with (
        tarfile.open(realdata.archive(name)) as packed,
        tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as left,
    ):
        for item in packed:
            found = change(item, packed.extractfile(item).read() if item.isreg() else None)
            if found is not None:
                found[0].size = len(found[1] or b"")
                left.addfile(found[0], io.BytesIO(found[1] or b""))
        for item, data in extra:
            left.addfile(item, io.BytesIO(data))
    return write(tmp_path, made.getvalue())


def some(name, wanted):
    """The first member in a layer's folder that is wanted; None if there is none."""
    places = tuple(f"{place}/" for place in layer_paths(name))
    return next((item.name for item in headers(name) if item.name.startswith(places) and wanted(item)), None)


def mode(item, data):
    item.mode ^= 0o111
    return item, data


def link(item, data):
    item.linkname += "x"
    item.pax_headers = {key: value for key, value in item.pax_headers.items() if key != "linkpath"}
    return item, data


# what -> which members can be harmed so, the harm, and the kind of the finding; content has digests of its own.
CHANGES = {
    "mode of a file": (lambda item: item.isreg() and item.size, mode, "diffid-mismatch"),
    "mode of a folder": (lambda item: item.isdir(), mode, "diffid-mismatch"),
    "target of a symlink": (lambda item: item.issym(), link, "diffid-mismatch"),
    "file that is gone": (lambda item: item.isreg() and not item.size, lambda item, data: None, "missing-content"),
    "whiteout": (
        lambda item: item.ischr() and not (item.devmajor or item.devminor),
        lambda item, data: None,
        "diffid-mismatch",
    ),
}


@pytest.mark.parametrize("name", STORES)
def test_each_path_that_differs_from_the_tar_is_named(name, tmp_path, capsys):
    """All at once in one store, and a file more. Where the only whiteout of a store is gone, that is said as well."""
    linked = {item.linkname for item in headers(name) if item.islnk()}
    chosen = {}
    for what, (wanted, _, _) in CHANGES.items():
        path = some(name, lambda item, fits=wanted, taken=chosen: fits(item) and item.name not in {*linked, *taken})
        chosen |= {path: what} if path else {}
    planted = f"{layer_paths(name)[0]}/planted"
    path = harmed(
        tmp_path,
        name,
        lambda item, data: CHANGES[chosen[item.name]][1](item, data) if item.name in chosen else (item, data),
        [member(planted, b"not of this image")],
    )
    status, report = verify(capsys, path)
    told = {
        (problem["where"].replace(": ", "/").removeprefix("input/"), problem["kind"]) for problem in report["problems"]
    }

    assert status == 1 and len(chosen) > 1
    told |= {
        (item["what"].rpartition(" at ")[2].replace(": ", "/").removeprefix("input/"), "diffid-mismatch")
        for item in report["not_checked"]
    }
    assert {(path, CHANGES[what][2]) for path, what in chosen.items()} | {(planted, "diffid-mismatch")} <= told


def without_attributes(item, data):
    item.pax_headers = {key: value for key, value in item.pax_headers.items() if "xattr" not in key}
    return item, data


@pytest.mark.parametrize("name", STORES)
def test_copy_without_attributes_has_lost_its_opaque_marks_and_that_is_said(name, tmp_path, capsys):
    status, report = verify(capsys, harmed(tmp_path, name, without_attributes))

    assert (status, report["problems"]) == (0, [])
    if name not in realdata.CONTAINERD:
        # containerd's differ writes single whiteouts and never an opaque mark.
        assert any("opaque" in item["what"] and "--xattrs" in item["why"] for item in report["not_checked"])


@pytest.mark.parametrize("name", STORES)
def test_copy_without_device_nodes_has_lost_its_whiteouts_and_that_is_said(name, tmp_path, capsys):
    path = harmed(
        tmp_path,
        name,
        lambda item, data: (
            None if item.ischr() or item.isblk() or (item.islnk() and _of_a_node(name, item.linkname)) else (item, data)
        ),
    )
    status, report = verify(capsys, path)

    assert (status, report["problems"]) == (0, [])
    assert any("device node" in item["why"] for item in report["not_checked"])


def _of_a_node(name, path):
    return next(item for item in headers(name) if item.name == path).ischr()


def test_mark_that_is_missing_among_others_is_damage():
    changeset = ol.read_changeset(
        io.BytesIO(tar("a/", "a/.wh..wh..opq", "b/", "b/.wh..wh..opq", ".wh.c", ".wh.d", "a/.wh.e"))
    )
    lost = LostMarks()
    opaque = {"trusted.overlay.opaque": b"y"}
    folder = ol.make_tree(
        {"a": ol.make_tree({}, xattrs=opaque, mode=0o755), "b": ol.make_tree({}, mode=0o755), "c": None}
    )

    assert directory_problems(changeset, folder, "layer", "trusted.overlay.", lost) == []
    assert [problem.where for problem in lost.problems()] == ["layer/d", "layer/b"]
    assert list(lost.not_checked()) == []
