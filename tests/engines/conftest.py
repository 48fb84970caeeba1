"""Real engines as a second opinion: a dockerd of our own, and tools that read the same archives."""

import shutil

import pytest
from engines.dockerd import Dockerd, ground, unmount_below
from engines.images import build_all


@pytest.fixture(scope="session")
def docker(tmp_path_factory):
    """A running dockerd that has built images and runs containers."""
    folder = ground(tmp_path_factory.mktemp("docker"))
    daemon = Dockerd(folder)
    try:
        daemon.start()
        build_all(daemon, folder / "context")
        yield daemon
    finally:
        daemon.stop()
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
