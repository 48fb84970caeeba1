"""Layers mounted by this machine's kernel, in a private mount namespace.

Everything happens in a child process, with a mount namespace and a temporary directory of its own. When the child ends,
its namespace ends, and nothing stays mounted. A child is needed because a Jupyter kernel has threads, and a process
with threads cannot create a user namespace.
"""

from __future__ import annotations

import os
import pickle
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.mount_parameters import MOST_LOWERS
from overlaylab.tree import Directory

from .syscalls import ROOT, USER
from .why_not import explain

# How long the child may take, in seconds.
PATIENCE = 120.0

Task = Literal["trial", "native-diff", "views", "replay", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The layers of one mount, and its options.

    Args:
        lowerdirs: **Topmost first**; every file with its content.
        upperdir: The writable layer, or None. The kernel works on a copy.
        options: The mount options, whose names are those of the layers in the temporary directory; None for
            ``lower1:lower2:…``, ``upper``, ``work``. In a user namespace `userxattr` is added.
    """

    lowerdirs: tuple[Directory, ...]
    upperdir: Directory | None = None
    options: MountOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelView:
    """What the kernel showed.

    Args:
        merged: The mounted tree, read name by name.
        listing: For each directory the names that readdir returned, sorted, even those that lstat did not find.
        options: The mount options; the paths are relative to the temporary directory.
        mount_line: The kernel's line in /proc/self/mounts.
        kernel: The kernel's release.
        mode: `ROOT` or `USER`.
        left_out: What could not be written to disk, in words; empty for root.
        lowerdirs: The lower layers on disk after unmounting, topmost first, contents as digests.
        upperdir: The upper layer after unmounting.
    """

    merged: Directory
    listing: Mapping[str, tuple[str, ...]]
    options: MountOptions
    mount_line: str
    kernel: str
    mode: str
    left_out: tuple[str, ...] = ()
    lowerdirs: tuple[Directory, ...] = ()
    upperdir: Directory | None = None

    def line_at(self, target: str) -> str:
        """The mount line with another mount point: the temporary directory has a new name each time."""
        source, _, rest = self.mount_line.split(" ", 2)
        return f"{source} {target} {rest}"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether this machine can mount an overlay.

    Args:
        mode: `ROOT`, `USER`, or None if it cannot.
        reason: Why not, as one sentence; empty if it can.
    """

    mode: str | None
    reason: str = ""

    def __bool__(self) -> bool:
        return self.mode is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the child is asked to do, sent by pickle: both processes are ours."""

    task: Task
    mode: str = ROOT
    directory: str = ""
    stacks: tuple[Stack, ...] = ()
    keep: int = 0
    ops: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the child answers: a value, the fields of a Finding, or the step that failed, with its errno."""

    value: Any = None
    finding: tuple[str, str, str, str] | None = None
    step: str = ""
    errno: int = 0
    detail: str = ""


def probe(mode: str | None = None) -> Availability:
    """Try whether this machine can mount an overlay.

    Args:
        mode: `ROOT` or `USER`; None tries both: as root, if this is root, then in a user namespace.
    """
    try:
        return Availability(ask_child("trial", mode=mode).value)
    except KernelUnavailable as unavailable:
        return Availability(None, unavailable.reason)


def native_diff(mode: str | None = None) -> str:
    """Test for Docker's "Native Overlay Diff" as Docker does.

    Returns:
        Empty if an upper directory can be packed as a layer without further work, else why not.

    Raises:
        KernelUnavailable: This machine cannot mount an overlay.

    Spec:
        moby, daemon/graphdriver/overlay2, doesSupportNativeDiff.
    """
    return str(ask_child("native-diff", mode=mode).value)


def mounted_view(
    lowerdirs: Sequence[Directory],
    upperdir: Directory | None = None,
    *,
    options: MountOptions | None = None,
    keep: int = 16 << 20,
    mode: str | None = None,
) -> KernelView:
    """Mount a stack with the real kernel and read the merged tree back.

    Args:
        lowerdirs: **Topmost first**. Small trees whose files carry their content.
        upperdir: The writable layer, or None for a read-only overlay.
        options: Names and settings, as in `Stack`.
        keep: Bytes of content to keep in the result, all files together.
        mode: `ROOT` or `USER`; None takes what works.

    Raises:
        KernelUnavailable: This machine cannot mount an overlay; the reason says why.
        Finding: ``wrong-call`` for a stack that overlayfs refuses, ``limit`` for a file without content, for options
            longer than a page, or a name that is too long.
    """
    stack = Stack(lowerdirs=tuple(lowerdirs), upperdir=upperdir, options=options)
    return mounted_views([stack], keep=keep, mode=mode)[0]


def mounted_views(stacks: Sequence[Stack], *, keep: int = 16 << 20, mode: str | None = None) -> tuple[KernelView, ...]:
    """Mount many stacks, one after the other, in one child process; otherwise as `mounted_view`."""
    named = tuple(replace(stack, options=with_options(stack)) for stack in stacks)
    views: tuple[KernelView, ...] = ask_child("views", mode=mode, stacks=named, keep=keep).value
    return views


def with_options(stack: Stack) -> MountOptions:
    """The options of a stack: its own, checked against its layers, or default ones."""
    count = len(stack.lowerdirs)
    if count < (1 if stack.upperdir else 2):
        # Kernel: anything less is EINVAL (overlay vectors mount-03 to mount-05).
        raise Finding("wrong-call", "lowerdirs", "two lower layers, or one and an upper", count)
    if count > MOST_LOWERS:
        raise Finding("limit", "lowerdirs", f"at most {MOST_LOWERS} lower layers", count)
    options = stack.options
    if options is None:
        # Many layers get short names, so that they fit into one page.
        prefix, (upper, work) = "lower" if count < 100 else "", ("upper", "work") if stack.upperdir else (None, None)
        lowers = tuple(f"{prefix}{number}" for number in range(1, count + 1))
        options = MountOptions(lowerdirs=lowers, upperdir=upper, workdir=work)
    names = [*options.lowerdirs, *filter(None, (options.upperdir, options.workdir)), "merged"]
    if len(options.lowerdirs) != count or (options.upperdir is None) != (stack.upperdir is None):
        raise Finding("wrong-call", "options", "a name for each layer", options.text())
    if len({*names}) < len(names) or any("/" in name or name in ("", ".", "..") for name in names):
        raise Finding("wrong-call", "options", "different plain names, none of them 'merged'", options.text())
    options.data()
    return options


def ask_child(task: Task, mode: str | None = None, **request: Any) -> Reply:
    """Run a task in a child process, in each possible mode, until one works.

    Raises:
        KernelUnavailable: No mode works; the reason joins those of all modes.
        Finding: The child refuses the input.
    """
    if not sys.platform.startswith("linux"):
        system = platform.system() or sys.platform
        raise KernelUnavailable(f"overlayfs is a part of Linux, and this machine runs {system}")
    if not sys.executable:
        raise KernelUnavailable("the mount needs a second Python process, and this one does not know where Python is")
    reasons = []
    for way in [mode] if mode else [ROOT, USER] if os.geteuid() == 0 else [USER]:
        reply = _in_child(Request(task=task, mode=way, **request))
        if reply.finding:
            raise Finding(*reply.finding)
        if not reply.step:
            return reply
        reasons.append(explain(way, reply.step, reply.errno, reply.detail))
    raise KernelUnavailable("; ".join(dict.fromkeys(reasons)))


def _in_child(request: Request) -> Reply:
    """Run one child with a temporary directory, and always remove the directory."""
    try:
        directory = os.path.realpath(tempfile.mkdtemp(prefix="overlaylab-"))
    except OSError as error:
        return Reply(step="child", detail=f"no temporary folder can be made: {error.strerror}")
    try:
        outcome = subprocess.run(
            # Without site packages and the current directory: the child needs only Python and this package.
            [sys.executable, "-S", "-P", "-X", "utf8", "-m", "overlaylab.kernel.child"],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
            input=_pickled(replace(request, directory=directory)),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Reply(step="child", detail=f"it took longer than {PATIENCE:.0f} seconds")
    except OSError as error:
        return Reply(step="child", errno=error.errno or 0, detail=error.strerror or "")
    finally:
        _remove(directory)
    if outcome.returncode == 0:
        reply: Reply = pickle.loads(outcome.stdout)
        return reply
    said = outcome.stderr.decode("utf-8", "replace").strip().splitlines()
    return Reply(step="child", detail=said[-1] if said else f"it ended with {outcome.returncode}")


def _pickled(request: Request) -> bytes:
    try:
        return pickle.dumps(request)
    except RecursionError:
        raise Finding("limit", "tree", "directories nested less deeply", "too many levels") from None


def _remove(directory: str) -> None:
    """Remove the temporary directory; an interrupted child may leave directories in it that nobody may enter."""
    for path, names, _ in os.walk(directory):
        for name in names:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), 0o700)
    shutil.rmtree(directory, ignore_errors=True)
