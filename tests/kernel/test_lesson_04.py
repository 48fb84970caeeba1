"""What notebook 04 mounts, mounted now, as root and without: equal to the model, and to the record that stands in
elsewhere.
"""

import os

import pytest

import overlaylab as ol
from overlaylab.kernel import mount
from overlaylab.kernel import recorded_mounts as record
from overlaylab.tree import entry, walk
from overlaylab.views.overlay import kernel_comparison as sides

pytestmark = pytest.mark.tier("kernel")

MODES = [mount.USER] + ([mount.ROOT] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])
STACKS = record.recordable() | record.recordable_images()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", STACKS)
def test_the_kernel_shows_what_the_model_shows(monkeypatch, name, mode):
    monkeypatch.setattr(sides, "mounted_view", lambda *layers, **given: mount.mounted_view(*layers, **given, mode=mode))
    stack = STACKS[name]
    both = ol.side_by_side(ol.Overlay(lowerdirs=stack.lowerdirs, upperdir=stack.upperdir), name, stack.options)

    assert both.now
    assert both.differences == ()
    assert ("only root may make them" in both.origin) is (mode == mount.USER and not name.startswith("page"))


@pytest.mark.parametrize("name", record.recordable_images())
def test_the_record_of_a_real_image_is_what_this_kernel_shows(name):
    stack = STACKS[name]
    view = mount.mounted_view(stack.lowerdirs, stack.upperdir)
    if view.mode != mount.ROOT:
        return  # without root the layers are others: compared above
    now = {path: entry(inode) for path, inode in walk(view.merged)}
    for fields in now.values():
        fields.get("xattrs_hex", {}).pop("security.selinux", None)

    assert now == {path: entry(inode) for path, inode in walk(record.recorded(name).merged)}


def test_no_layer_moves():
    stack = STACKS["page"]
    view = mount.mounted_view(stack.lowerdirs, stack.upperdir, options=stack.options)

    assert [sorted(layer.names) for layer in view.lowerdirs] == [sorted(layer.names) for layer in stack.lowerdirs]
    assert sorted(view.upperdir.names) == sorted(stack.upperdir.names)


def test_a_wh_file_in_a_lower_folder_hides_nothing():
    raw = ol.make_tree({".wh.Tomato": "", "Kiwi": "Kiwi\n"})
    view = mount.mounted_view([raw, ol.page_overlay()["Fruits"]])

    assert view.listing["."] == (".wh.Tomato", "Apple", "Kiwi", "Orange", "Tomato")


def test_without_an_upper_every_write_is_refused():
    view = mount.mounted_view([ol.page_overlay()["Fruits"], ol.page_overlay()["Vegetables"]])

    assert view.mount_line.split()[3].split(",")[0] == "ro"
