"""Mounting: the calls, and the layers of a new overlay, which are checked in the kernel's order.

Linux 6.18, fs/overlayfs/super.c. Kernel: section "Mounting" of the vectors' rules.
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterable, Sequence

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import FileSystem, Node
from overlaylab.overlay.mount_parameters import Parsed, cut, split_options
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import TRUSTED, USER
from overlaylab.tree import Directory, File, Inode

from .disk import Disk, directory_of, snapshot
from .mount_command import flags_and_words
from .path_walk import find, with_parents
from .process import Mount, Process

MS_RDONLY = 1

# An overlay may lie on an overlay, and no deeper.
DEEPEST = 2

# Options that mount(8) turns into flags; they mean nothing to the model.
GENERAL = ("noatime", "nodev", "nosuid", "noexec", "relatime", "defaults")


# --- the calls


def mount_disk(process: Process, at: str) -> None:
    """Mount another, empty disk, as ``mount -t tmpfs`` does."""
    _attach(process, Mount(find(process, at), Disk(Directory(), process.journal, process.numbers).root))


def mount(process: Process, at: str, data: str, flags: int = 0) -> Mount:
    """Mount an overlay as mount(2) does.

    Args:
        at: The directory to cover.
        data: Options, paths relative to the current directory.
        flags: `MS_RDONLY`.

    Raises:
        OSError: EINVAL, ENOENT, ENOTDIR, ELOOP, EBUSY, ESTALE.

    Spec:
        Kernel, section 14: mount-01 to mount-75. Options are taken one by one, and each path is looked for at once, so
        the first mistake in the text decides.
    """
    return _mount_overlay(process, at, split_options(cut(data)), flags)


def fsmount(process: Process, at: str, parameters: Iterable[Sequence[str | None]], flags: int = 0) -> Mount:
    """Mount an overlay as fsopen(2), fsconfig(2) and fsmount(2) do, option by option.

    Args:
        at: The directory to cover.
        parameters: Pairs of name and value; a flag has no value.
        flags: `MS_RDONLY`.

    Spec:
        Kernel, section 14: mount-40 to mount-52.
    """
    pairs = ((str(key), value[0] if value else None) for key, *value in parameters)
    return _mount_overlay(process, at, pairs, flags)


def run_command(process: Process, command: str) -> int:
    """Run ``mount -t overlay ... -o OPTIONS ... DIR`` or ``umount DIR``; any other command does nothing.

    Returns the exit status as `os.system` does.
    """
    words = shlex.split(command)
    try:
        if words[:1] == ["umount"]:
            umount(process, words[-1])
        elif words[:1] == ["mount"]:
            flags, plain = flags_and_words(words[1:])
            targets = [word for word in plain if not word.startswith("-")]
            if flags.get("-t") == "overlay" and targets:
                options = split_options(flags.get("-o", ""))
                kept = [(key, value) for key, value in options if key not in GENERAL]
                _mount_overlay(process, targets[-1], kept, 0)
    except OSError:
        return 32 << 8
    return 0


def umount(process: Process, at: str) -> None:
    """Take away what was mounted last at a place; descriptors on it are closed."""
    node = find(process, at)
    found = next((mount for mount in reversed(process.mounts) if mount.root is node), None)
    if found is None:
        raise fail(errno.EINVAL, at)
    close_all(process, found.root.fs)
    if process.cwd.fs is found.root.fs:
        process.cwd = process.root
    process.mounts.remove(found)


def remount(process: Process) -> None:
    """Unmount the overlay that the process stands in, and mount it again."""
    _replace(process, process.overlay.again())


def rotate(process: Process) -> None:
    """Make the upper the topmost lower layer, under a new empty one: a commit.

    Spec:
        Kernel, sections 5, 8 and 9: img-03, img-07, img-10.
    """
    _replace(process, process.overlay.again(rotated=True))


def close_all(process: Process, fs: FileSystem) -> None:
    """Close all descriptors on a file system, and all memory maps."""
    for fd, descriptor in list(process.files.items()):
        if descriptor.node.fs is fs:
            process.journal.drop(process.files, fd)
    for name in list(process.maps):
        process.journal.drop(process.maps, name)


def _replace(process: Process, overlay: Overlay) -> None:
    """Put a new overlay in the place of the one that the process stands in."""
    old = process.overlay
    close_all(process, process.cwd.fs)
    overlay.device, overlay.root.covered = old.device, old.root.covered
    for mounted in process.mounts:
        if mounted.root is old.root:
            process.journal.set(mounted, "root", overlay.root)
    if process.root is old.root:
        process.journal.set(process, "root", overlay.root)
    process.journal.set(process, "cwd", overlay.root)


def _attach(process: Process, mounted: Mount) -> Mount:
    mounted.root.covered = mounted.at
    process.devices += 1
    mounted.root.fs.device = process.devices
    process.mounts.append(mounted)
    return mounted


def _mount_overlay(process: Process, at: str, options: Iterable[tuple[str, str | None]], flags: int) -> Mount:
    target = find(process, at)
    if not target.is_dir:
        raise fail(errno.ENOTDIR, at)
    parsed = Parsed()
    for key, value in options:
        for kind, path in parsed.take(key, value):
            _layer_node(process, path, kind)
    parsed.verify(process.caller.userns)
    stack = _NewStack(process, parsed)
    overlay = stack.overlay(bool(flags & MS_RDONLY) if parsed.read_only is None else parsed.read_only)
    shown = parsed.shown(overlay.read_only, stack.several)
    # Upper and work directory, which no other mount may use.
    in_use = tuple(node.inode for node in (stack.upper, stack.work) if node is not None)
    return _attach(process, Mount(target, overlay.root, shown, in_use))


# --- the layers of a new mount


def _layer_node(process: Process, path: str, kind: str) -> Node:
    """The directory of a layer. Kernel, section 14: mount-19, mount-21, mount-23, mount-67."""
    if not path:
        raise fail(errno.EINVAL, path)
    node = find(process, path)
    if not node.is_dir or (kind != "lower" and not isinstance(node.fs, Disk)):
        raise fail(errno.EINVAL, path)
    return node


class _NewStack:
    """The layers of a mount that is being made; each of the `parsed` options is valid by itself."""

    def __init__(self, process: Process, parsed: Parsed) -> None:
        self.process, self.parsed = process, parsed
        self.features = parsed.features()
        self.upper: Node | None = None
        self.work: Node | None = None
        self.traps: dict[tuple[int, int], Node] = {}
        # Whether the layers lie on several file systems.
        self.several = False

    def overlay(self, read_only: bool) -> Overlay:
        """Check everything, prepare the work directory, and build the overlay."""
        parsed, process = self.parsed, self.process
        if not parsed.lowerdirs and not parsed.datadirs:
            raise fail(errno.EINVAL, "lowerdir")
        if parsed.upperdir is not None:
            self._take_upper(parsed.upperdir)
        lowers = [_layer_node(process, path, "lower") for path in parsed.lowerdirs]
        datas = [_layer_node(process, path, "lower") for path in parsed.datadirs]
        self._check_lowers(lowers, datas)
        overlay = Overlay(
            lowerdirs=[_tree(node) for node in lowers],
            datadirs=[_tree(node) for node in datas],
            upperdir=directory_of(self.upper) if self.upper else None,
            features=self.features,
            userns=process.caller.userns,
            read_only=read_only,
            journal=process.journal,
            numbers=process.numbers,
            index=process.indexes.setdefault(id(self.work.inode), {}) if self.work else {},
        )
        overlay.depth = 1 + max(_depth(node) for node in (*lowers, *datas))
        overlay.traps = {id(node.inode) for node in self.traps.values() if isinstance(node.fs, Disk)}
        return overlay

    def _take_upper(self, upperdir: str) -> None:
        """Check upper and work directory. Kernel, section 14: mount-07, mount-09 to mount-11, mount-58, mount-59."""
        if self.parsed.workdir is None:
            raise fail(errno.EINVAL, "workdir")
        upper = _layer_node(self.process, upperdir, "upper")
        work = _layer_node(self.process, self.parsed.workdir, "work")
        self._trap(upper)
        self._refuse_in_use(upper)
        nested = any(node.inode is upper.inode for node in with_parents(work))
        nested = nested or any(node.inode is work.inode for node in with_parents(upper))
        if upper.fs is not work.fs or nested:
            raise fail(errno.EINVAL, "workdir")
        self._refuse_in_use(work)
        self._trap(work)
        self.upper, self.work = upper, work
        self._prepare(directory_of(work))

    def _trap(self, node: Node) -> None:
        if _identity(node) in self.traps:
            raise fail(errno.ELOOP, node.path)
        self.traps[_identity(node)] = node

    def _refuse_in_use(self, node: Node) -> None:
        used = any(node.inode is inode for mounted in self.process.mounts for inode in mounted.layers)
        if used and self.features.index:
            raise fail(errno.EBUSY, node.path)

    def _check_lowers(self, lowers: list[Node], datas: list[Node]) -> None:
        """Check the lower layers. Kernel, section 14: mount-03, mount-13 to mount-18, mount-65, mount-66, mount-73."""
        every = [*lowers, *datas]
        if (self.upper is None and len(every) == 1) or not lowers:
            raise fail(errno.EINVAL, "lowerdir")
        if max(_depth(node) for node in every) + 1 > DEEPEST:
            raise fail(errno.EINVAL, "lowerdir")
        for node in every:
            self._trap(node)
            self._refuse_in_use(node)
        if not all(isinstance(node.fs, Disk) for node in every):
            # An overlay as a lower layer has no file handles, which the index needs. Read off a live mount.
            self.parsed.values["index"] = self.parsed.values["nfs_export"] = "off"
            if self.upper is not None and self.parsed.value("xino") == "auto":
                self.parsed.values["xino"] = "off"
            self.features = self.parsed.features()
        self.several = len({id(node.fs) for node in (*lowers, *([self.upper] if self.upper else []))}) > 1
        if self.several and self.parsed.value("uuid") == "off":
            self.parsed.values["uuid"] = "null"
        if self.upper is not None and self.work is not None:
            self._settle_uuid(self.upper.inode)
            if self.features.index:
                self._check_owner(self.upper.inode, "origin", lowers[0])
                self._check_owner(directory_of(self.work).names["index"], "upper", self.upper)
        for node in every:
            if any(above is not node and _identity(above) in self.traps for above in with_parents(node)):
                raise fail(errno.ELOOP, node.path)

    def _check_owner(self, inode: Inode, xattr: str, owner: Node) -> None:
        """With index=on an upper belongs to one lower layer, and an index to one upper: ESTALE with another one.

        Spec:
            Kernel: ovl_get_indexdir; read off a live mount.
        """
        name, numbers = self._prefix + xattr, self.process.numbers
        known = numbers.decode(inode.xattrs.get(name))
        if known is not None and known is not owner.inode:
            raise fail(errno.ESTALE, owner.path)
        if name not in inode.xattrs:
            self._set_xattr(inode, name, numbers.handle(owner.inode))

    def _prepare(self, work: Directory) -> None:
        """Make ``work/work`` anew. Kernel, section 14: mount-61; what ``volatile`` left blocks the mount (mount-62)."""
        journal = self.process.journal
        now = journal.now()
        old = work.names.get("work")
        incompatible = old.names.get("incompat") if isinstance(old, Directory) else None
        if isinstance(incompatible, Directory) and incompatible.names:
            raise fail(errno.EINVAL, "workdir")
        made = {"work": _empty(now)}
        if "volatile" in self.parsed.flags:
            dirty = File(mode=0, mtime_ns=now)
            made["work"] = _empty(now, incompat=_empty(now, volatile=_empty(now, dirty=dirty)))
        if self.features.index and "index" not in work.names:
            made["index"] = _empty(now)
        for name, inode in made.items():
            journal.put(work.names, name, inode)
        journal.set(work, "mtime_ns", now)

    def _settle_uuid(self, upper: Inode) -> None:
        """Decide what ``uuid=auto`` means: a new upper gets an xattr, one that was used before does without.

        Spec:
            Kernel: ovl_init_uuid_xattr; ``uuid=on`` is shown at the first mount (mount-71), nothing when the xattr is
            found, ``uuid=null`` for an impure upper without it.
        """
        prefix, wanted = self._prefix, self.parsed.value("uuid")
        if wanted not in ("auto", "on") or prefix + "uuid" in upper.xattrs:
            return
        if wanted == "auto" and prefix + "impure" in upper.xattrs:
            self.parsed.values["uuid"] = "null"
            return
        self.parsed.values["uuid"] = "on"
        if self.features.userxattr or not self.process.caller.userns:
            self._set_xattr(upper, prefix + "uuid", bytes(16))

    @property
    def _prefix(self) -> str:
        return USER if self.features.userxattr else TRUSTED

    def _set_xattr(self, inode: Inode, name: str, value: bytes) -> None:
        self.process.journal.set(inode, "xattrs", {**inode.xattrs, name: value})


def _identity(node: Node) -> tuple[int, int]:
    """Equal for nodes of one directory; the root of an overlay differs from the layer that it shows."""
    return id(node.fs), id(node.inode)


def _depth(node: Node) -> int:
    """How many overlays lie on each other there."""
    return node.fs.depth if isinstance(node.fs, Overlay) else 0


def _empty(now: int, **names: Inode) -> Directory:
    return Directory(mode=0, mtime_ns=now, names=dict(names))


def _tree(node: Node) -> Directory:
    """A layer: a directory of the disk itself, or what an overlay shows now (mount-65)."""
    return directory_of(node) if isinstance(node.fs, Disk) else snapshot(node)
