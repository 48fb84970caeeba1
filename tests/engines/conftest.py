"""Real engines as a second opinion: a dockerd of our own, and tools that read the same archives."""

import json
import shutil

import pytest
from engines.dockerd import Dockerd, ground, unmount_below
from engines.images import build_all
from engines.second_opinion import overlaylab


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


@pytest.fixture(scope="module")
def seen(docker):
    """What ``overlaylab inspect`` sees while dockerd runs."""
    return overlaylab("inspect", docker.root)


@pytest.fixture(scope="module")
def told(docker):
    """What ``docker inspect`` tells of every image and container, by ID."""
    images = docker.docker("images", "--all", "--quiet", "--no-trunc").split()
    containers = docker.docker("ps", "--all", "--quiet", "--no-trunc").split()
    answers = json.loads(docker.docker("inspect", *dict.fromkeys(images), *containers))
    return {answer["Id"]: answer for answer in answers}
