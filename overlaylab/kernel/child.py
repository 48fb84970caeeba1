"""The child process that mounts: it reads one request, writes one reply, and its namespace ends with it.

`mount` starts it and never imports it. It has one thread, so it may create a user namespace.
"""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from overlaylab.errors import Finding
from overlaylab.linux.operations import Op
from overlaylab.linux.proof.compare import layer_listing, mount_listing
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.stores.files.directory import read_directory
from overlaylab.tree import Directory, make_tree

from .mount import KernelView, Reply, Request, Stack
from .os_calls import OsCalls
from .replays import Replayed, Watched, run_ops
from .syscalls import ROOT, enter_namespaces, filesystem_of, mount, umount
from .watch import watch_ops
from .write_layers import fit, materialise

# Bytes of file content to keep of an upper directory, in all.
KEEP = 16 << 20


def main() -> None:
    """Answer one request from standard input on standard output."""
    request = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(answer(request)))


def answer(request: Request) -> Reply:
    """Carry out a request; failures come back as data."""
    try:
        enter_namespaces(request.mode)
        os.umask(0)
        with _working_directory(request) as place:
            return Reply(value=TASKS[request.task](request, place))
    except Finding as finding:
        problem = finding.problem
        return Reply(finding=(problem.kind, problem.where, problem.expected, problem.found))
    except RecursionError:
        return Reply(finding=("limit", "tree", "directories nested less deeply", "too many levels"))
    except OSError as error:
        known = error.filename in ("unshare", "id-map", "private", "tmpfs", "marks", "place", "overlay", "umount")
        return Reply(step=error.filename if known else "write", errno=error.errno or 0, detail=error.strerror or "")


@contextmanager
def _working_directory(request: Request) -> Iterator[str]:
    """A directory for layers that supports the overlay's xattrs: a tmpfs, or else the temporary directory itself.

    The tmpfs first: it ends with the namespace, and the temporary directory may lie on an overlay, which cannot hold an
    upper directory. Kernel: tmpfs takes user.* xattrs since Linux 6.6; an overlay as upper is EINVAL (mount-67).
    """
    directory = request.directory
    mount("tmpfs", directory, "tmpfs", data=b"mode=0700")
    os.chdir(directory)
    if not _supports_xattrs(directory, request.mode):
        if request.mode == ROOT:
            raise OSError(errno.EPERM, "", "marks")
        os.chdir("/")
        umount(directory)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            kind = filesystem_of(directory, file.read())
        if kind == "overlay" or not _supports_xattrs(directory, request.mode):
            reason = f"tmpfs takes no user.* attributes, and the temporary folder lies on {kind}"
            raise OSError(errno.ENOTSUP, reason, "place")
    try:
        yield directory
    finally:
        os.chdir("/")
        _empty(directory)


def _supports_xattrs(directory: str, mode: str) -> bool:
    name = "trusted.overlay.trial" if mode == ROOT else "user.overlay.trial"
    try:
        os.setxattr(directory, name, b"y")
        os.removexattr(directory, name)
    except OSError:
        return False
    return True


def _empty(directory: str) -> None:
    """Remove the layers, with the rights that this process has inside its namespace."""
    for name in os.listdir(directory):
        shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def _each(task: Callable[[Request, Stack, str, tuple[Op, ...]], object]) -> Callable[[Request, str], object]:
    """A task for every stack of a request, each in a directory of its own, with the operations for it."""

    def every(request: Request, place: str) -> tuple[object, ...]:
        cases = zip(request.stacks, request.ops or ((),) * len(request.stacks), strict=True)
        return tuple(
            task(request, stack, _make_directory(place, str(number)), ops) for number, (stack, ops) in enumerate(cases)
        )

    return every


def _view(request: Request, stack: Stack, directory: str, ops: tuple[Op, ...] = ()) -> KernelView:
    """Write one stack to disk, mount it, read it, unmount it, and read the layers again."""
    assert stack.options is not None, "mount.py fills them in"
    options = replace(stack.options, userxattr=stack.options.userxattr or request.mode != ROOT)
    names = [*options.lowerdirs, *filter(None, [options.upperdir])]
    left_out = _write_stack(request, stack, directory)
    with mounted(options, directory) as merged:
        # List first. Kernel: a lookup sets xattrs on the upper, and these change a later listing (cu-23, wo-36).
        listing = dict(_listing(merged))
        tree, mount_line = read_directory(merged, keep=request.keep), _mount_line()
    after = [read_directory(os.path.join(directory, name)) for name in names]
    return KernelView(
        merged=tree,
        listing=listing,
        mount_line=mount_line,
        options=options,
        kernel=os.uname().release,
        mode=request.mode,
        left_out=left_out,
        lowerdirs=tuple(after[: len(options.lowerdirs)]),
        upperdir=after[-1] if options.upperdir else None,
    )


def _replay(request: Request, stack: Stack, directory: str, ops: tuple[Op, ...]) -> Replayed:
    """Write one stack to disk, mount it, run operations in it with the mount as root directory, and read the result."""
    options, left_out = _replay_options(request, stack), _write_stack(request, stack, directory)
    with mounted(options, directory) as merged:
        os.umask(0o022)
        with confined(merged):
            calls = OsCalls()
            try:
                answers = run_ops(calls, ops)
            finally:
                calls.close_all()
        upper = layer_listing(read_directory(os.path.join(directory, str(options.upperdir)), keep=KEEP))
        with confined(merged):
            shown = mount_listing(OsCalls())
    return Replayed(
        answers=answers, merged=shown, upper=upper, kernel=os.uname().release, mode=request.mode, left_out=left_out
    )


def _replay_options(request: Request, stack: Stack) -> MountOptions:
    assert stack.options is not None and stack.upperdir is not None, "replays.py checks it"
    if request.mode == ROOT:
        return stack.options
    # Kernel: userxattr and redirect_dir or metacopy exclude each other (mount-55).
    return replace(stack.options, userxattr=True, redirect_dir=None, metacopy=None)


def _write_stack(request: Request, stack: Stack, directory: str) -> tuple[str, ...]:
    """Write one stack to disk; returns what had to be left out."""
    assert stack.options is not None, "mount.py fills them in"
    os.chdir(directory)
    left_out: dict[str, None] = {}
    names = [*stack.options.lowerdirs, *filter(None, [stack.options.upperdir])]
    for name, tree in zip(names, [*stack.lowerdirs, *filter(None, [stack.upperdir])], strict=True):
        left_out |= dict.fromkeys(_write(tree, _make_directory(directory, name), request.mode))
    return tuple(left_out)


def _watch(request: Request, stack: Stack, directory: str, ops: tuple[Op, ...]) -> Watched:
    """Like `_replay`, but read everything after each operation."""
    options, _ = _replay_options(request, stack), _write_stack(request, stack, directory)
    upper = os.path.join(directory, str(options.upperdir))
    lowers = [os.path.join(directory, name) for name in options.lowerdirs]
    with mounted(options, directory) as merged:
        os.umask(0o022)
        moments = tuple(watch_ops(ops, lambda: confined(merged), upper, lowers, KEEP))
    return Watched(moments=moments, kernel=os.uname().release, mode=request.mode)


@contextmanager
def confined(root: str) -> Iterator[None]:
    """Change the root directory of this process for a while, so that no path, ``..`` or symlink leads out of it.

    Operations come from learners. Without this, ``rm /x`` would remove a file of the machine itself.
    """
    before = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chroot(root)
        os.chdir("/")
        yield
    finally:
        os.fchdir(before)
        os.chroot(".")
        os.close(before)


def _write(tree: Directory, directory: str, mode: str) -> tuple[str, ...]:
    if mode == ROOT:
        return materialise(tree, directory)
    reduced, left_out = fit(tree)
    return left_out + materialise(reduced, directory)


@contextmanager
def mounted(options: MountOptions, directory: str) -> Iterator[str]:
    """Mount an overlay on ``merged``, in the directory that holds its layers, and unmount it at the end."""
    if options.workdir:
        _make_directory(directory, options.workdir)
    merged = _make_directory(directory, "merged")
    # Relative paths, so that hundreds of layers fit into the one page of options.
    os.chdir(directory)
    mount("overlay", merged, "overlay", data=options.data())
    try:
        yield merged
    finally:
        umount(merged)


def _make_directory(*parts: str) -> str:
    path = os.path.join(*parts)
    os.mkdir(path.encode("utf-8", "surrogateescape"))
    return path


def _listing(root: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each directory with its names as readdir returns them, sorted."""
    waiting = ["."]
    while waiting:
        path = waiting.pop()
        with os.scandir(os.path.join(root, path)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        yield path, tuple(entry.name for entry in found)
        prefix = "" if path == "." else path + "/"
        waiting += [prefix + entry.name for entry in found if entry.is_dir(follow_symlinks=False)]


def _mount_line() -> str:
    """Read our line of the mount table: the last overlay's, since new mounts are added at the end."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        return [line for line in file.read().splitlines() if line.startswith("overlay ")][-1]


def _trial(request: Request, place: str) -> str:
    """Mount a minimal overlay in which both layers and a whiteout have an effect; returns the mode that worked."""
    lower = make_tree({"lower": "", "gone": ""})
    stack = Stack(lowerdirs=(lower,), upperdir=make_tree({"upper": "", "gone": None}))
    stack = replace(stack, options=MountOptions(lowerdirs=("lower1",), upperdir="upper", workdir="work"))
    names = _view(request, stack, _make_directory(place, "trial")).listing["."]
    if names != ("lower", "upper"):
        raise OSError(errno.EIO, f"a trial mount showed {names}", "overlay")
    return request.mode


def _native_diff(request: Request, place: str) -> str:
    """Say which xattr the kernel leaves in the upper directory that no layer tar can express; empty if none.

    Spec:
        moby, daemon/graphdriver/overlay2, doesSupportNativeDiff: opaque must not be copied up, a renamed directory
        must not carry a redirect.
    """
    prefix = "trusted.overlay." if request.mode == ROOT else "user.overlay."
    middle = make_tree({"d": Directory(xattrs={"trusted.overlay.opaque": b"y"})})
    for name, tree in (("l2", middle), ("l1", make_tree({"d": {}, "d1": {}})), ("l3", make_tree({}))):
        _write(tree, _make_directory(place, name), request.mode)
    options = MountOptions(lowerdirs=("l2", "l1"), upperdir="l3", workdir="work", userxattr=request.mode != ROOT)
    with mounted(options, place) as merged:
        with open(os.path.join(merged, "d", "f"), "wb"):
            pass
        if _xattr(os.path.join(place, "l3", "d"), prefix + "opaque") == b"y":
            return "copy-up keeps the opaque mark"
        try:
            os.rename(os.path.join(merged, "d1"), os.path.join(merged, "d2"))
        except OSError as error:
            return "" if error.errno == errno.EXDEV else f"a directory cannot be renamed: {error.strerror}"
        renamed = _xattr(os.path.join(place, "l3", "d2"), prefix + "redirect")
        return "a renamed directory is only a redirect" if renamed == b"d1" else ""


def _xattr(path: str, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name)
    except OSError:
        return None


TASKS: dict[str, Callable[[Request, str], object]] = {
    "views": _each(_view),
    "trial": _trial,
    "native-diff": _native_diff,
    "replay": _each(_replay),
    "watch": _each(_watch),
}

if __name__ == "__main__":
    main()
