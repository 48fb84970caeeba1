"""A small Linux in memory: a plain disk with mounts on it, reached by calls named like Python's `os`.

Programs that were written for a real mount run on it unchanged. An overlay may also
be its whole world: `System.over(overlay)`. Kernel: section "Mounting" of the vectors'
rules; Linux 6.18, fs/overlayfs/super.c.
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .access import fail
from .descriptors import FileCalls, O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY
from .disk import Disk, snapshot
from .journal import Journal
from .marks import Numbers
from .options import Parsed, cut, split_options
from .overlay import TRUSTED, USER, Overlay
from .tree import Directory, File, Inode
from .vnode import FileSystem, Node

__all__ = ["MS_RDONLY", "Mount", "Shorthand", "System"]

MS_RDONLY = 1
DEEPEST = 2


class Shorthand:
    """What a program does with an open, a write and a close; for the model and for the real `os` alike."""

    def create(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make a new file with some content."""
        self._put(path, data, O_WRONLY | O_CREAT | O_EXCL, mode)

    def write_file(self, path: str, data: bytes) -> None:
        """Replace the content of a file, which is made if need be: ``echo x > path``."""
        self._put(path, data, O_WRONLY | O_CREAT | O_TRUNC, 0o644)

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the beginning of a file."""
        self._put(path, data, O_WRONLY)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file: ``echo x >> path``, but the file must be there."""
        self._put(path, data, O_WRONLY | O_APPEND)

    def _put(self, path: str, data: bytes, flags: int, mode: int = 0o777) -> None:
        fd = self.open(path, flags | O_NONBLOCK, mode)
        try:
            self.write(fd, data)
        finally:
            self.close(fd)

    def read_file(self, path: str) -> bytes:
        """The content of a file: ``cat path``."""
        fd = self.open(path, O_RDONLY | O_NONBLOCK)
        try:
            return self.read(fd, 1 << 62)
        finally:
            self.close(fd)


@dataclass(slots=True, eq=False)
class Mount:
    """Something mounted.

    Args:
        at: The directory that it covers.
        root: The root that is seen instead.
        shown: Its options as the kernel shows them.
        layers: Upper and work directory, which are in use as long as it is mounted.
    """

    at: Node
    root: Node
    shown: str = ""
    layers: tuple[Inode, ...] = ()


class System(FileCalls, Shorthand):
    """A disk with mounts, and one process on it.

    Args:
        root: A tree to be the disk, or the root of a file system.
        userns: Whether the process is root of a user namespace only.
    """

    def __init__(self, root: Directory | Node, userns: bool = False) -> None:
        node = Disk(root).root if isinstance(root, Directory) else root
        super().__init__(node, userns)
        self.journal: Journal = node.fs.journal
        self.numbers: Numbers = node.fs.numbers
        self.mounts: list[Mount] = []
        # What work directories know with index=on, kept over mounts.
        self._indexes: dict[int, dict[int, Inode]] = {}
        self._devices = 1

    @classmethod
    def over(cls, overlay: Overlay) -> System:
        """A process that sees an overlay and nothing else."""
        return cls(overlay.root, overlay.userns)

    def _into(self, node: Node) -> Node:
        for mount in reversed(self.mounts):
            if mount.at.fs is node.fs and mount.at.inode is node.inode:
                return mount.root
        return node

    def _mounted(self, at: Node, root: Node, **more: Any) -> Mount:
        root.covered = at
        self._devices += 1
        root.fs.device = self._devices
        mount = Mount(at, root, **more)
        self.mounts.append(mount)
        return mount

    # --- mounting

    def mount_disk(self, at: str) -> None:
        """Mount another, empty disk, as ``mount -t tmpfs`` does."""
        self._mounted(self._find(at), Disk(Directory(), self.journal, self.numbers).root)

    def mount(self, at: str, data: str, flags: int = 0) -> Mount:
        """Mount an overlay as mount(2) does.

        Args:
            at: The directory to cover.
            data: Options, paths relative to the current directory.
            flags: `MS_RDONLY`.

        Raises:
            OSError: EINVAL, ENOENT, ENOTDIR, ELOOP, EBUSY, ESTALE.

        Spec:
            Kernel: mount-01 to mount-75. Options are taken one by one, and each path is looked for at once, so the
            first mistake in the text decides.
        """
        return self._mount(at, split_options(cut(data)), flags)

    def fsmount(self, at: str, parameters: Iterable[Sequence[str | None]], flags: int = 0) -> Mount:
        """Mount an overlay as fsopen(2), fsconfig(2) and fsmount(2) do, option by option. Kernel: mount-40 to mount-52."""
        pairs = ((str(key), value[0] if value else None) for key, *value in parameters)
        return self._mount(at, pairs, flags)

    def _mount(self, at: str, options: Iterable[tuple[str, str | None]], flags: int) -> Mount:
        target = self._find(at)
        if not target.is_dir:
            raise fail(errno.ENOTDIR, at)
        parsed = Parsed()
        for key, value in options:
            for kind, path in parsed.take(key, value):
                self._layer(path, kind)
        parsed.verify(self.caller.userns)
        stack = _Stacked(self, parsed)
        overlay = stack.overlay(bool(flags & MS_RDONLY) if parsed.read_only is None else parsed.read_only)
        shown = parsed.shown(overlay.read_only, stack.several)
        return self._mounted(target, overlay.root, shown=shown, layers=stack.kept)

    def _layer(self, path: str, kind: str) -> Node:
        """The directory of a layer. Kernel: mount-19, mount-21, mount-23, mount-67."""
        if not path:
            raise fail(errno.EINVAL, path)
        node = self._find(path)
        if not node.is_dir or (kind != "lower" and not isinstance(node.fs, Disk)):
            raise fail(errno.EINVAL, path)
        return node

    def umount(self, at: str) -> None:
        """Take away what was mounted last at a place; descriptors on it are closed."""
        node = self._find(at)
        mount = next((mount for mount in reversed(self.mounts) if mount.root is node), None)
        if mount is None:
            raise fail(errno.EINVAL, at)
        self._close_all(mount.root.fs)
        if self.cwd.fs is mount.root.fs:
            self.cwd = self.root
        self.mounts.remove(mount)

    def _close_all(self, fs: FileSystem) -> None:
        for fd, descriptor in list(self.files.items()):
            if descriptor.node.fs is fs:
                self.journal.drop(self.files, fd)
        for name in list(self.maps):
            self.journal.drop(self.maps, name)

    def remount(self) -> None:
        """Unmount the overlay that the process stands in, and mount it again."""
        self._again(self.cwd.fs.again())

    def rotate(self) -> None:
        """Make the upper the topmost lower layer, under a new empty upper: what a commit does. Kernel: img-01 to img-12."""
        self._again(self.cwd.fs.again(rotated=True))

    def _again(self, overlay: Overlay) -> None:
        old = self.cwd.fs
        self._close_all(old)
        overlay.device, overlay.root.covered = old.device, old.root.covered
        for mount in self.mounts:
            if mount.root is old.root:
                self.journal.set(mount, "root", overlay.root)
        if self.root is old.root:
            self.journal.set(self, "root", overlay.root)
        self.journal.set(self, "cwd", overlay.root)

    def system(self, command: str) -> int:
        """Run ``mount -t overlay … -o OPTIONS … DIR`` or ``umount DIR``; any other command does nothing.

        Returns:
            The exit status as `os.system` gives it.
        """
        words = shlex.split(command)
        try:
            if words[:1] == ["umount"]:
                self.umount(words[-1])
            elif words[:1] == ["mount"]:
                self._mount_command(words[1:])
        except OSError:
            return 32 << 8
        return 0

    def _mount_command(self, words: list[str]) -> None:
        kind, options, places = "", [], []
        rest = iter(words)
        for word in rest:
            if word.startswith("-t"):
                kind = word[2:] or next(rest, "")
            elif word.startswith("-o"):
                options.append(word[2:] or next(rest, ""))
            elif not word.startswith("-"):
                places.append(word)
        if kind == "overlay" and places:
            general = ("noatime", "nodev", "nosuid", "noexec", "relatime", "defaults")
            pairs = [(key, value) for key, value in split_options(",".join(options)) if key not in general]
            self._mount(places[-1], pairs, 0)


class _Stacked:
    """The layers of a mount that is being made, checked in the kernel's order."""

    def __init__(self, system: System, parsed: Parsed) -> None:
        self.system, self.parsed = system, parsed
        self.features = parsed.features()
        self.upper: Node | None = None
        self.work: Node | None = None
        self.traps: dict[tuple[int, int], Node] = {}
        # Whether the layers lie on several file systems.
        self.several = False

    @property
    def kept(self) -> tuple[Inode, ...]:
        """What is in use as long as the overlay is mounted."""
        return tuple(node.inode for node in (self.upper, self.work) if node is not None)

    def overlay(self, read_only: bool) -> Overlay:
        """Check everything, prepare the work directory, and put the overlay together."""
        parsed, system = self.parsed, self.system
        if not parsed.lowerdirs and not parsed.datadirs:
            raise fail(errno.EINVAL, "lowerdir")
        if parsed.upperdir is not None:
            self._take_upper()
        lowers = [system._layer(path, "lower") for path in parsed.lowerdirs]
        datas = [system._layer(path, "lower") for path in parsed.datadirs]
        self._check_lowers(lowers, datas)
        index = system._indexes.setdefault(id(self.work.inode), {}) if self.work else {}
        overlay = Overlay(
            lowerdirs=[_tree(node) for node in lowers], datadirs=[_tree(node) for node in datas],
            upperdir=self.upper.inode if self.upper else None, features=self.features, userns=system.caller.userns,
            read_only=read_only, journal=system.journal, numbers=system.numbers, index=index,
        )
        overlay.depth = 1 + max(node.fs.depth for node in (*lowers, *datas))
        overlay.traps = {id(node.inode) for node in self.traps.values() if isinstance(node.fs, Disk)}
        return overlay

    def _take_upper(self) -> None:
        """Check upper and work directory. Kernel: mount-07, mount-09 to mount-11, mount-58, mount-59."""
        if self.parsed.workdir is None:
            raise fail(errno.EINVAL, "workdir")
        upper, work = self.system._layer(self.parsed.upperdir, "upper"), self.system._layer(self.parsed.workdir, "work")
        self._trap(upper)
        self._refuse_in_use(upper)
        if upper.fs is not work.fs or _inside(work, upper) or _inside(upper, work):
            raise fail(errno.EINVAL, "workdir")
        self._refuse_in_use(work)
        self._trap(work)
        self.upper, self.work = upper, work
        self._prepare(work)

    def _trap(self, node: Node) -> None:
        if _place(node) in self.traps:
            raise fail(errno.ELOOP, node.path)
        self.traps[_place(node)] = node

    def _refuse_in_use(self, node: Node) -> None:
        used = any(node.inode is inode for mount in self.system.mounts for inode in mount.layers)
        if used and self.features.index:
            raise fail(errno.EBUSY, node.path)

    def _check_lowers(self, lowers: list[Node], datas: list[Node]) -> None:
        """Check the lower layers. Kernel: mount-03, mount-13 to mount-18, mount-65, mount-66, mount-73."""
        every = [*lowers, *datas]
        if (self.upper is None and len(every) == 1) or not lowers:
            raise fail(errno.EINVAL, "lowerdir")
        if max(node.fs.depth for node in every) + 1 > DEEPEST:
            raise fail(errno.EINVAL, "lowerdir")
        for node in every:
            self._trap(node)
            self._refuse_in_use(node)
        if not all(isinstance(node.fs, Disk) for node in every):
            self._without_handles()
        self.several = len({id(node.fs) for node in (*lowers, *([self.upper] if self.upper else []))}) > 1
        if self.several and self.parsed.value("uuid") == "off":
            self.parsed.values["uuid"] = "null"
        if self.upper is not None:
            self._settle_uuid(self.upper.inode)
            if self.features.index:
                self._belongs(self.upper.inode, "origin", lowers[0])
                self._belongs(self.work.inode.names["index"], "upper", self.upper)
        for node in every:
            above = node.parent
            while above is not None:
                if _place(above) in self.traps:
                    raise fail(errno.ELOOP, node.path)
                above = above.parent

    def _without_handles(self) -> None:
        """An overlay as a lower layer has no file handles, without which there is no index. Read off a live mount."""
        self.parsed.values["index"] = self.parsed.values["nfs_export"] = "off"
        if self.upper is not None and self.parsed.value("xino") == "auto":
            self.parsed.values["xino"] = "off"
        self.features = self.parsed.features()

    def _belongs(self, inode: Inode, mark: str, owner: Node) -> None:
        """With index=on an upper belongs to one lower layer, and an index to one upper: ESTALE with another one.

        Spec:
            Kernel: ovl_get_indexdir; read off a live mount.
        """
        name = (USER if self.features.userxattr else TRUSTED) + mark
        known = self.system.numbers.decode(inode.xattrs.get(name))
        if known is not None and known is not owner.inode:
            raise fail(errno.ESTALE, owner.path)
        if name not in inode.xattrs:
            self.system.journal.set(inode, "xattrs", {**inode.xattrs, name: self.system.numbers.handle(owner.inode)})

    def _prepare(self, work: Node) -> None:
        """Clean ``work/work`` and make it anew. Kernel: mount-61; what ``volatile`` left blocks the mount (mount-62)."""
        now, journal = self.system._now(), self.system.journal
        old = work.inode.names.get("work")
        incompatible = old.names.get("incompat") if isinstance(old, Directory) else None
        if isinstance(incompatible, Directory) and incompatible.names:
            raise fail(errno.EINVAL, "workdir")
        made = {"work": _empty(now)}
        if "volatile" in self.parsed.flags:
            dirty = File(mode=0, mtime_ns=now)
            made["work"] = _empty(now, incompat=_empty(now, volatile=_empty(now, dirty=dirty)))
        if self.features.index and "index" not in work.inode.names:
            made["index"] = _empty(now)
        for name, inode in made.items():
            journal.put(work.inode.names, name, inode)
        journal.set(work.inode, "mtime_ns", now)

    def _settle_uuid(self, upper: Inode) -> None:
        """What ``uuid=auto`` comes to: a new upper gets a mark, one that was used before does without.

        Spec:
            Kernel: ovl_init_uuid_xattr; ``uuid=on`` is shown at the first mount (mount-71), nothing when the mark is
            found, ``uuid=null`` for an impure upper without it.
        """
        prefix = USER if self.features.userxattr else TRUSTED
        wanted = self.parsed.value("uuid")
        if wanted not in ("auto", "on") or prefix + "uuid" in upper.xattrs:
            return
        if wanted == "auto" and prefix + "impure" in upper.xattrs:
            self.parsed.values["uuid"] = "null"
            return
        self.parsed.values["uuid"] = "on"
        if self.features.userxattr or not self.system.caller.userns:
            self.system.journal.set(upper, "xattrs", {**upper.xattrs, prefix + "uuid": bytes(16)})


def _place(node: Node) -> tuple[int, int]:
    """What makes two nodes one directory; an overlay's root is not the layer that it shows."""
    return id(node.fs), id(node.inode)


def _empty(now: int, **names: Inode) -> Directory:
    return Directory(mode=0, mtime_ns=now, names=dict(names))


def _inside(node: Node, directory: Node) -> bool:
    """Whether a node is a directory or lies inside it."""
    here: Node | None = node
    while here is not None:
        if here.inode is directory.inode:
            return True
        here = here.parent
    return False


def _tree(node: Node) -> Directory:
    """A layer: a directory of the disk itself, or what an overlay shows now (mount-65)."""
    return node.inode if isinstance(node.fs, Disk) else snapshot(node)

