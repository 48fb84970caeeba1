"""The layers of a mount that is being made, checked in the kernel's order. Linux 6.18, fs/overlayfs/super.c."""

from __future__ import annotations

import errno
from typing import Any

from overlaylab.errors import fail
from overlaylab.overlay.filesystem import Node
from overlaylab.overlay.mount_parameters import Parsed
from overlaylab.overlay.overlay import TRUSTED, USER, Overlay
from overlaylab.tree import Directory, File, Inode

from .disk import Disk, snapshot

__all__ = ["Stacked"]

DEEPEST = 2


class Stacked:
    """The layers of a mount that is being made, checked in the kernel's order."""

    def __init__(self, system: Any, parsed: Parsed) -> None:
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
            lowerdirs=[_tree(node) for node in lowers],
            datadirs=[_tree(node) for node in datas],
            upperdir=self.upper.inode if self.upper else None,
            features=self.features,
            userns=system.caller.userns,
            read_only=read_only,
            journal=system.journal,
            numbers=system.numbers,
            index=index,
        )
        overlay.depth = 1 + max(node.fs.depth for node in (*lowers, *datas))
        overlay.traps = {id(node.inode) for node in self.traps.values() if isinstance(node.fs, Disk)}
        return overlay

    def _take_upper(self) -> None:
        """Check upper and work directory. Kernel, section 14: mount-07, mount-09 to mount-11, mount-58, mount-59."""
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
        """Check the lower layers. Kernel, section 14: mount-03, mount-13 to mount-18, mount-65, mount-66, mount-73."""
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
        """Clean ``work/work`` and make it anew. Kernel, section 14: mount-61; what ``volatile`` left blocks the mount (mount-62)."""
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
