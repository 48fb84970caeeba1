"""Nothing may stay behind: not a mount, not a folder."""

import os
import tempfile
from pathlib import Path

import pytest

MOUNTS = Path("/proc/self/mountinfo")


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    """Give each test a temporary folder of its own, and look at it and the mount table afterwards.

    Only our own lines of the table count: another test may run a container engine at the same time.
    """
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before = ours()
    yield place
    assert ours() == before
    assert os.listdir(place) == []


def ours():
    """The mounts that lie in a folder with our prefix or in a test's folder."""
    lines = MOUNTS.read_text(errors="surrogateescape").splitlines() if MOUNTS.exists() else []
    return [line for line in lines if "overlaylab-" in line or "/temporary" in line]
