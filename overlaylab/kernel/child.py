"""The process that mounts: a request comes in, a reply goes out, and the namespace ends with it.

Started by `mount`, never imported by it. It has one thread, so it may make a
user namespace.
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
from overlaylab.linux.proof.compare import seen, stored
from overlaylab.stores.files.directory import read_directory
from overlaylab.tree import Directory, make_tree

from .mount import KernelView, MountOptions, Reply, Request, Stack
from .os_calls import Surface
from .replays import Replayed, Watched, done_here
from .syscalls import ROOT, enter_namespaces, filesystem_of, mount, umount
from .watch import moments_here
from .write_layers import fit, materialise

__all__ = ["main"]

# Bytes of content to keep of an upper directory after operations.
KEEP = 16 << 20


def main() -> None:
    """Answer one request from standard input on standard output."""
    request = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(answer(request)))


def answer(request: Request) -> Reply:
    """Do what is asked, and turn each failure into data."""
    try:
        enter_namespaces(request.mode)
        os.umask(0)
        with _place(request) as place:
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
def _place(request: Request) -> Iterator[str]:
    """A folder for layers that can carry marks: memory, or else our temporary folder itself.

    Memory first: it goes with the namespace, and a temporary folder may itself lie on an overlay, where no upper
    directory can be. Kernel: tmpfs takes user.* attributes since Linux 6.6; an overlay as upper is EINVAL (mount-67).
    """
    folder = request.folder
    mount("tmpfs", folder, "tmpfs", data=b"mode=0700")
    os.chdir(folder)
    if not _takes_marks(folder, request.mode):
        if request.mode == ROOT:
            raise OSError(errno.EPERM, "", "marks")
        os.chdir("/")
        umount(folder)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            kind = filesystem_of(folder, file.read())
        if kind == "overlay" or not _takes_marks(folder, request.mode):
            raise OSError(
                errno.ENOTSUP, f"tmpfs takes no user.* attributes, and the temporary folder lies on {kind}", "place"
            )
    try:
        yield folder
    finally:
        os.chdir("/")
        _empty(folder)


def _takes_marks(folder: str, mode: str) -> bool:
    name = "trusted.overlay.trial" if mode == ROOT else "user.overlay.trial"
    try:
        os.setxattr(folder, name, b"y")
        os.removexattr(folder, name)
    except OSError:
        return False
    return True


def _empty(folder: str) -> None:
    """Remove what we put into the folder, with the rights that we have in here."""
    for name in os.listdir(folder):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _views(request: Request, place: str) -> tuple[KernelView, ...]:
    return tuple(_view(request, stack, _folder(place, str(number))) for number, stack in enumerate(request.stacks))


def _view(request: Request, stack: Stack, folder: str) -> KernelView:
    """Write one stack, mount it, read it, unmount it, and look at the layers again."""
    options = stack.options
    assert options is not None, "mount.py fills them in"
    options = replace(options, userxattr=options.userxattr or request.mode != ROOT)
    os.chdir(folder)
    left_out: dict[str, None] = {}
    names = [*options.lowerdirs, *filter(None, [options.upperdir])]
    for name, tree in zip(names, [*stack.lowerdirs, *filter(None, [stack.upperdir])], strict=True):
        left_out |= dict.fromkeys(_write(tree, _folder(folder, name), request.mode))
    with mounted(options, folder) as merged:
        # Listed first. Kernel: looking names up sets marks on the upper, and those change a later listing (cu-23, wo-36).
        seen = {
            "listing": dict(_listing(merged)),
            "merged": read_directory(merged, keep=request.keep),
            "mount_line": _mount_line(merged),
        }
    after = [read_directory(os.path.join(folder, name)) for name in names]
    return KernelView(
        **seen,
        options=options,
        kernel=os.uname().release,
        mode=request.mode,
        left_out=tuple(left_out),
        lowerdirs=tuple(after[: len(options.lowerdirs)]),
        upperdir=after[-1] if options.upperdir else None,
    )


def _replays(request: Request, place: str) -> tuple[Replayed, ...]:
    cases = zip(request.stacks, request.ops, strict=True)
    return tuple(_replay(request, stack, ops, _folder(place, str(number))) for number, (stack, ops) in enumerate(cases))


def _replay(request: Request, stack: Stack, ops: tuple[Op, ...], folder: str) -> Replayed:
    """Write one stack, mount it, run operations with the mount as the root of all paths, and look at what became of it."""
    options, left_out = _laid_out(request, stack, folder)
    with mounted(options, folder) as merged:
        os.umask(0o022)
        with confined(merged):
            calls = Surface()
            try:
                answers = done_here(calls, ops)
            finally:
                calls.close_all()
        upper = stored(read_directory(os.path.join(folder, str(options.upperdir)), keep=KEEP))
        with confined(merged):
            shown = seen(Surface())
    return Replayed(
        answers=answers, merged=shown, upper=upper, kernel=os.uname().release, mode=request.mode, left_out=left_out
    )


def _laid_out(request: Request, stack: Stack, folder: str) -> tuple[MountOptions, tuple[str, ...]]:
    """Write one stack to disk; how it is to be mounted, and what had to be left out."""
    assert stack.options is not None and stack.upperdir is not None, "replay.py sees to it"
    options = stack.options
    if request.mode != ROOT:
        # Kernel: userxattr and redirect_dir or metacopy exclude each other (mount-55).
        options = replace(options, userxattr=True, redirect_dir=None, metacopy=None)
    os.chdir(folder)
    left_out: dict[str, None] = {}
    for name, tree in zip([*options.lowerdirs, str(options.upperdir)], [*stack.lowerdirs, stack.upperdir], strict=True):
        left_out |= dict.fromkeys(_write(tree, _folder(folder, name), request.mode))
    return options, tuple(left_out)


def _watches(request: Request, place: str) -> tuple[Watched, ...]:
    cases = zip(request.stacks, request.ops, strict=True)
    return tuple(_watch(request, stack, ops, _folder(place, str(number))) for number, (stack, ops) in enumerate(cases))


def _watch(request: Request, stack: Stack, ops: tuple[Op, ...], folder: str) -> Watched:
    """As `_replay`, and look at everything after each operation."""
    options, _ = _laid_out(request, stack, folder)
    upper, lowers = (
        os.path.join(folder, str(options.upperdir)),
        [os.path.join(folder, name) for name in options.lowerdirs],
    )
    with mounted(options, folder) as merged:
        os.umask(0o022)
        moments = tuple(moments_here(ops, lambda: confined(merged), upper, lowers, KEEP))
    return Watched(moments=moments, kernel=os.uname().release, mode=request.mode)


@contextmanager
def confined(root: str) -> Iterator[None]:
    """Make a directory the root of this process for a while, so that no path leads out of it: an absolute one, one with ``..``, a symlink.

    Operations come from learners. Without this, ``rm /x`` would reach the machine's own files.
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


def _write(tree: Directory, folder: str, mode: str) -> tuple[str, ...]:
    if mode == ROOT:
        return materialise(tree, folder)
    reduced, left_out = fit(tree)
    return left_out + materialise(reduced, folder)


@contextmanager
def mounted(options: MountOptions, folder: str) -> Iterator[str]:
    """Mount an overlay on ``merged`` in a folder that holds the layers, and unmount it at the end."""
    if options.workdir:
        _folder(folder, options.workdir)
    merged = _folder(folder, "merged")
    # The paths are relative, as on a command line: so hundreds of layers fit into the one page of options.
    os.chdir(folder)
    mount("overlay", merged, "overlay", data=options.data())
    try:
        yield merged
    finally:
        umount(merged)


def _folder(*parts: str) -> str:
    path = os.path.join(*parts)
    os.mkdir(path.encode("utf-8", "surrogateescape"))
    return path


def _listing(root: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each directory the names that readdir gives, sorted."""
    waiting = ["."]
    while waiting:
        path = waiting.pop()
        with os.scandir(os.path.join(root, path)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        yield path, tuple(entry.name for entry in found)
        prefix = "" if path == "." else path + "/"
        waiting += [prefix + entry.name for entry in found if entry.is_dir(follow_symlinks=False)]


def _mount_line(merged: str) -> str:
    """The last mount in the table is ours: a new one is always added at the end."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        return [line for line in file.read().splitlines() if line.startswith("overlay ")][-1]


def _trial(request: Request, place: str) -> str:
    """Mount the smallest overlay in which each layer and a whiteout have something to say; the mode that worked."""
    lower = make_tree({"lower": "", "gone": ""})
    stack = Stack(lowerdirs=(lower,), upperdir=make_tree({"upper": "", "gone": None}))
    stack = replace(stack, options=MountOptions(lowerdirs=("lower1",), upperdir="upper", workdir="work"))
    names = _view(request, stack, _folder(place, "trial")).listing["."]
    if names != ("lower", "upper"):
        raise OSError(errno.EIO, f"a trial mount showed {names}", "overlay")
    return request.mode


def _native_diff(request: Request, place: str) -> str:
    """Whether the kernel leaves marks in the upper directory that no layer archive can express; empty if not.

    Spec:
        moby, daemon/graphdriver/overlay2, doesSupportNativeDiff: opaque must not be copied up, a renamed directory
        must not carry a redirect.
    """
    marks = "trusted.overlay." if request.mode == ROOT else "user.overlay."
    middle = make_tree({"d": Directory(xattrs={"trusted.overlay.opaque": b"y"})})
    for name, tree in (("l2", middle), ("l1", make_tree({"d": {}, "d1": {}})), ("l3", make_tree({}))):
        _write(tree, _folder(place, name), request.mode)
    options = MountOptions(lowerdirs=("l2", "l1"), upperdir="l3", workdir="work", userxattr=request.mode != ROOT)
    with mounted(options, place) as merged:
        with open(os.path.join(merged, "d", "f"), "wb"):
            pass
        if _mark(os.path.join(place, "l3", "d"), marks + "opaque") == b"y":
            return "copy-up keeps the opaque mark"
        try:
            os.rename(os.path.join(merged, "d1"), os.path.join(merged, "d2"))
        except OSError as error:
            return "" if error.errno == errno.EXDEV else f"a directory cannot be renamed: {error.strerror}"
        renamed = _mark(os.path.join(place, "l3", "d2"), marks + "redirect")
        return "a renamed directory is only a redirect" if renamed == b"d1" else ""


def _mark(path: str, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name)
    except OSError:
        return None


TASKS: dict[str, Callable[[Request, str], object]] = {
    "views": _views,
    "trial": _trial,
    "native-diff": _native_diff,
    "replay": _replays,
    "watch": _watches,
}

if __name__ == "__main__":
    main()
