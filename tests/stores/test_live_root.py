"""A data root in which an engine is at work: what changes meanwhile is a warning, not damage."""

import shutil
import tarfile

import pytest
import realdata
from builders import unpack

import overlaylab as ol
from overlaylab.stores import detect


@pytest.fixture
def root(tmp_path):
    with tarfile.open(realdata.SHIPPED) as tar:
        unpack(tar, tmp_path)
    return tmp_path


def base(root):
    return ol.select(ol.open_store(root), "kit/base:1").layers[0]


def test_entry_that_docker_is_removing_is_no_entry(root):
    layerdb = root / "image/overlay2/layerdb/sha256"
    layer = base(root)
    shutil.copytree(layerdb / layer.chain_id.hex, layerdb / f"{layer.chain_id.hex}-{layer.directory}-removing")

    assert ol.validate(ol.open_store(root)).problems == ()


def test_folder_that_comes_back_while_the_store_is_read_is_a_change(root, monkeypatch):
    folder = root / "overlay2" / base(root).directory
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    recognise = detect._recognise

    def and_put_it_back(place):
        store = recognise(place)
        if hidden.exists():
            hidden.rename(folder)
        return store

    monkeypatch.setattr(detect, "_recognise", and_put_it_back)
    store = ol.open_store(root)

    assert [problem.kind for problem in store.problems] == ["changed-while-reading"]
    assert ol.validate(store).ok


def test_folder_that_goes_after_the_store_was_opened_is_a_change(root):
    store = ol.open_store(root)
    shutil.rmtree(root / "overlay2" / base(root).directory)

    assert {problem.kind for problem in ol.validate(store).problems} == {"changed-while-reading"}


def test_file_that_docker_had_not_renamed_yet_is_no_image(root):
    """Its own writer leaves such names behind after a crash."""
    (root / "image/overlay2/imagedb/content/sha256/.tmp-7bbf0405c20c123").write_bytes(b"{")

    assert ol.validate(ol.open_store(root)).problems == ()


def test_folder_that_is_gone_for_good_is_missing(root):
    shutil.rmtree(root / "overlay2" / base(root).directory)

    assert "missing-cache-dir" in {problem.kind for problem in ol.validate(ol.open_store(root)).problems}
