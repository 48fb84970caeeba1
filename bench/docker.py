"""A Docker for one measurement: daemons with roots and sockets of their own, and nothing of them left afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["private_docker"]

PATIENCE = 60
# The address stands in the file because containerd takes it for the sockets of what it starts, too.
CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-run"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
"""
NO_NETWORK = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")


@contextmanager
def private_docker(folder: Path) -> Iterator[list[str]]:
    """Run a Docker that shares no file with another one on this machine, needs no network and changes no firewall rule.

    Args:
        folder: Holds everything of it; it is the caller's to remove.

    Yields:
        The client's command, to which the arguments are added.

    Raises:
        PermissionError: The daemons need root.
        FileNotFoundError: One of the programs is not installed.
        TimeoutError: A daemon ended, or was not ready in time.
    """
    if os.geteuid() != 0:
        raise PermissionError("dockerd needs root")
    for program in ("unshare", "containerd", "dockerd", "docker"):
        if shutil.which(program) is None:
            raise FileNotFoundError(program)
    (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder), encoding="utf-8")
    (folder / "dockerd.json").write_text("{}", encoding="utf-8")
    containerd = ["containerd", "--log-level", "warn", "--config", f"{folder}/containerd.toml"]
    dockerd = [
        "dockerd", "--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid",
        "--host", f"unix://{folder}/docker.sock", "--containerd", f"{folder}/containerd.sock", "--config-file", f"{folder}/dockerd.json",
        "--storage-driver", "overlay2", *NO_NETWORK,
    ]  # fmt: skip
    client = ["docker", "--config", f"{folder}/client", "--host", f"unix://{folder}/docker.sock"]
    with ExitStack() as daemons:
        daemons.enter_context(_running(containerd, lambda: (folder / "containerd.sock").exists()))
        daemons.enter_context(_running(dockerd, lambda: _quietly([*client, "version"]).returncode == 0))
        yield client


@contextmanager
def _running(command: list[str], ready: Callable[[], bool]) -> Iterator[None]:
    """A daemon, from the moment when it is ready; what it mounts is mounted for it alone, and goes with it."""
    # In a session of its own, so that a Ctrl-C reaches us alone, and the daemons end in order.
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(["unshare", "--mount", *command], **quiet)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{command[0]} is not ready")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _quietly(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE)
