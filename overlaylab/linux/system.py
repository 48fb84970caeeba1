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

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import FileSystem, Node
from overlaylab.overlay.journal import Journal
from overlaylab.overlay.marks import Numbers
from overlaylab.overlay.mount_parameters import Parsed, cut, split_options
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, Inode

from .descriptors import FileCalls, Shorthand
from .disk import Disk
from .mount_checks import Stacked

__all__ = ["MS_RDONLY", "Mount", "System"]

MS_RDONLY = 1


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
            Kernel, section 14: mount-01 to mount-75. Options are taken one by one, and each path is looked for at once, so the
            first mistake in the text decides.
        """
        return self._mount(at, split_options(cut(data)), flags)

    def fsmount(self, at: str, parameters: Iterable[Sequence[str | None]], flags: int = 0) -> Mount:
        """Mount an overlay as fsopen(2), fsconfig(2) and fsmount(2) do, option by option. Kernel, section 14: mount-40 to mount-52."""
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
        stack = Stacked(self, parsed)
        overlay = stack.overlay(bool(flags & MS_RDONLY) if parsed.read_only is None else parsed.read_only)
        shown = parsed.shown(overlay.read_only, stack.several)
        return self._mounted(target, overlay.root, shown=shown, layers=stack.kept)

    def _layer(self, path: str, kind: str) -> Node:
        """The directory of a layer. Kernel, section 14: mount-19, mount-21, mount-23, mount-67."""
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
        """Make the upper the topmost lower layer, under a new empty one: a commit. Kernel, sections 5, 8 and 9: img-03, img-07, img-10."""
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
