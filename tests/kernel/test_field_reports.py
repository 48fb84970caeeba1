"""What real users met with overlay mounts, done on this kernel too."""

import errno
import os

import pytest

import overlaylab as ol
from overlaylab.kernel import mount
from overlaylab.linux.operations import op
from overlaylab.tree import Device, Directory, File, Symlink

pytestmark = pytest.mark.tier("kernel")

MODES = [mount.USER] + ([mount.ROOT] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])
LINKED = File.of(b"old", nlink=2)


def on_kernel(lower, operations, mode):
    """The comparison with the model, and what the kernel gave."""
    both = ol.kernel.replay(ol.Overlay(lowerdirs=[lower], upperdir=Directory()), operations, mode)
    assert both.equal, both
    return [answer.errno for answer in both.kernel.answers], both.kernel


@pytest.mark.parametrize("mode", MODES)
def test_hard_link_breaks_on_copy_up(mode):
    given, kernel = on_kernel(
        Directory(names={"x": LINKED, "y": LINKED}),
        [op("append", path="x", data=b"+"), op("read_file", path="y")],
        mode,
    )

    assert given == [0, 0] and kernel.answers[1].value == b"old"


@pytest.mark.parametrize("mode", MODES)
def test_directory_of_a_lower_layer_cannot_be_renamed(mode):
    operations = [op("rename", src="d", dst="e"), op("append", path="d/f", data=b"+"), op("rename", src="d", dst="e")]

    assert on_kernel(ol.make_tree({"d": {"f": "f"}}), operations, mode)[0] == [errno.EXDEV, 0, errno.EXDEV]


@pytest.mark.parametrize("mode", MODES)
def test_whiteout_files_of_an_archive_mean_nothing_to_the_kernel(mode):
    lower = ol.make_tree({".wh.f": "", "f": "f", "d": {".wh..wh..opq": "", "x": "x"}})

    assert on_kernel(
        lower, [op("read_file", path="f"), op("read_file", path="d/x"), op("read_file", path=".wh.f")], mode
    )[0] == [0, 0, 0]


@pytest.mark.skipif(mount.ROOT not in MODES, reason="only root can make device nodes")
@pytest.mark.parametrize("path", ["full", "link", "made"])
def test_no_operation_reaches_a_device_of_this_machine(path):
    """Char 1:7 is /dev/full, whose driver refuses every write with ENOSPC: an answer that no file
    of the mount gives.
    """
    lower = Directory(names={"full": Device(kind="char", rdev=(1, 7), mode=0o666), "link": Symlink(target="/full")})
    over = ol.Overlay(lowerdirs=[lower], upperdir=Directory())
    operations = [
        op("mknod", path="made", mode=0o020666, device=os.makedev(1, 7)),
        op("append", path=path, data=b"x"),
        op("read_file", path=path),
    ]

    assert [answer.errno for answer in ol.kernel.replay(over, operations, mount.ROOT).kernel.answers] == [
        0,
        errno.ENXIO,
        errno.ENXIO,
    ]


@pytest.mark.skipif(mount.ROOT not in MODES, reason="only root can make device nodes")
def test_block_devices_and_memory_are_not_opened_and_the_model_says_so_too():
    lower = Directory(
        names={
            "disk": Device(kind="block", rdev=(7, 0), mode=0o666),
            "null": Device(kind="char", rdev=(1, 3), mode=0o666),
        }
    )

    assert on_kernel(lower, [op("read_file", path="disk"), op("append", path="null", data=b"x")], mount.ROOT)[0] == [
        errno.ENXIO,
        0,
    ]
