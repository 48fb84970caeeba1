"""overlayfs as a model: copy-up, whiteouts, opaque directories and rename over a stack of layers.

The rules are those of Linux 6.18. Each function is one rule; its docstring names the
section of the written rules (tests/data/overlay-sections.json) and the recorded kernel
experiments ("vectors") that prove it. An `Overlay` can be looked at
(`lookup`, `readdir`, `walk`, `merged`, `provenance`, see `lookup.Stack`), which changes
nothing, and written by the system calls of `posix`, which changes the upper layer
alone. What stat shows is in `identity`; bookkeeping that no reader sees is in `marks`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from overlaylab.errors import fail
from overlaylab.tree import Device, Directory, File, Inode, whiteout

from .features import Features
from .filesystem import EXCHANGE, NOBODY, WHITEOUT, Node
from .identity import Identity
from .journal import CopyUp, Created, Journal, MetadataCopyUp, Moved, Removed, WhiteoutMade, WhiteoutRemoved
from .lookup_result import Found, Part, Refused, Seen, Verdict
from .marks import Marks, Numbers
from .whiteouts import TRUSTED, UNSEEN, USER, is_opaque, is_whiteout

__all__ = ["KERNEL", "TRUSTED", "USER", "Found", "Overlay", "Part", "Seen", "Verdict", "is_opaque", "is_whiteout"]

# The release whose rules these are.
KERNEL = "6.18"


class Overlay(Identity):
    """A stack of layers as one file system.

    Args:
        lowerdirs: **Topmost first**, as in ``lowerdir=top:middle:bottom``. They are never changed.
        upperdir: The writable layer, or None for a read-only overlay. Writing changes it in place.
        marks: The namespace of overlay marks: ``trusted.overlay.``, or ``user.overlay.`` with userxattr.
        features: What the mount options make the overlay do.
        datadirs: Data-only layers, topmost first.
        userns: Whether it is mounted in a user namespace.
        read_only: Whether it is mounted read-only though it has an upper.
        journal: Where changes are noted; one of its own if there is none.
        numbers: The inode numbers of the disk that holds the layers.
        index: With index=on, what the work directory knows about lower hard links.

    Spec:
        Kernel documentation, overlayfs.rst, "Upper and Lower", "Multiple lower layers".
    """

    # Another one only in a model that is wrong on purpose.
    book_of_marks = Marks

    def __init__(
        self,
        *,
        lowerdirs: Sequence[Directory],
        upperdir: Directory | None = None,
        marks: str = TRUSTED,
        features: Features | None = None,
        datadirs: Sequence[Directory] = (),
        userns: bool = False,
        read_only: bool = False,
        journal: Journal | None = None,
        numbers: Numbers | None = None,
        index: dict[int, Inode] | None = None,
    ) -> None:
        userxattr = marks == USER
        features = features or Features(userxattr=userxattr, redirect="nofollow" if userxattr else "follow")
        stored = not userns or features.userxattr
        prefix = (USER if features.userxattr else marks) if stored else UNSEEN
        self.journal, self.numbers = journal or Journal(), numbers or Numbers()
        super().__init__(
            lowerdirs,
            upperdir,
            datadirs,
            features,
            self.book_of_marks(prefix, self.journal, self.numbers, stored, decodes=not userns),
        )
        self.userns, self.read_only = userns, read_only or upperdir is None
        self.no_devices = userns
        self.index = {} if index is None else index
        # Where lower objects went when they were copied up, for descriptors that are open on them.
        self._moved: dict[Any, Inode] = {}
        self.device, self.depth = 0, 1
        self.dead: dict[int, bool] = {}
        self.root = Node(self, None, ".", upperdir, self.root_parts[upperdir is not None :])
        if upperdir is not None and features.index and lowerdirs:
            self.book.set_origin(upperdir, lowerdirs[0], ".")

    @property
    def hidden(self) -> str:
        """The namespace that the mount does not show."""
        return self.marks

    @classmethod
    def of_layers(cls, layers: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED) -> Overlay:
        """Stack layers that come **bottom first**, as images list them: the one place where the order turns."""
        return cls(lowerdirs=tuple(reversed(layers)), upperdir=upperdir, marks=marks)

    def again(self, rotated: bool = False) -> Overlay:
        """The same layers mounted anew.

        Args:
            rotated: Whether the upper becomes the topmost lower layer, under a new empty one. Kernel, sections 5, 8 and 9: img-03, img-07, img-10.
        """
        lowers = [self.upperdir, *self.lowerdirs] if rotated else self.lowerdirs
        new = Overlay(
            lowerdirs=lowers,
            upperdir=Directory() if rotated else self.upperdir,
            features=self.features,
            datadirs=self.datadirs,
            userns=self.userns,
            read_only=self.read_only and self.upperdir is not None,
            journal=self.journal,
            numbers=self.numbers,
            index={} if rotated else self.index,
        )
        new.traps, new.depth = self.traps, self.depth
        return new

    # --- to find, for system calls

    def look(self, parent: Node, name: str) -> Node | None:
        """Find a name in a directory; mending marks on the way.

        Raises:
            OSError: EPERM, EINVAL, EIO for marks that cannot be followed; ELOOP for a layer inside a layer.

        Spec:
            Kernel, sections 2 and 14: an origin is mended (cu-23); the layer inside a layer (mount-14).
        """
        path = name if parent.parent is None else f"{parent.path}/{name}"
        try:
            parts = self._lookup_name(self._parts(parent), name, path)
        except Refused as refused:
            raise fail(refused.number, path) from None
        if not parts:
            return None
        upper = parts[0].inode if self._is_upper(parts[0]) else None
        node = Node(self, parent, name, upper, parts[upper is not None :])
        if isinstance(upper, Directory) and node.lowers and parent.upper is not None:
            self.book.fix_origin(upper, node.lowers[0].inode, parent.upper, path, parent.path)
        self._indexed(node)
        node.origin = self._origin(node)
        return node

    def _indexed(self, node: Node) -> None:
        """With index=on, names of one lower hard link share one upper inode. Kernel, section 10: ln-11."""
        if node.upper is None and self.features.index and self._is_shared(node.lowers[0].inode):
            node.upper, node.alias = self.index.get(self.numbers.of(node.lowers[0].inode)), False

    def names(self, node: Node) -> list[str]:
        """List a directory; what is listed because of the impure mark is looked up. Kernel, section 3: wo-36, cu-52."""
        parts = self._parts(node)
        if node.upper is not None and not self._is_merged_list(parts) and self.book.has(node.upper, "impure"):
            self._still_impure(node)
        return list(self._list(parts, lambda name, inode: self._quiet_look(node, name) is None))

    def _quiet_look(self, parent: Node, name: str) -> Node | None:
        try:
            return self.look(parent, name)
        except OSError:
            return None

    def _still_impure(self, node: Node) -> None:
        """Take the impure mark off a directory without copies.

        Spec:
            Kernel, section 3: cu-52. A name that cannot be looked up makes the listing fail; read off a live mount.
        """
        children = [self.look(node, name) for name in list(node.upper.names)]
        if all(child is None or self._shown_inode(child) is child.upper for child in children):
            self.book.clear_impure(node.upper, node.path)

    def fresh(self, node: Node) -> Node:
        """The node of an open file, as it is now: it may have been copied up since. Kernel, section 11: cu-29, cu-32."""
        if node.parent is not None:
            self.fresh(node.parent)
        if node.upper is None and (copy := self._moved.get(self._slot(node))) is not None:
            node.upper, node.alias = copy, not self.features.index or self._stands(node, copy)
            node.origin = node.lowers[0].inode
            if isinstance(copy, File) and not self.book.has(copy, "metacopy"):
                node.lowers = ()
        return node

    def _stands(self, node: Node, copy: Inode) -> bool:
        """Whether a copy has its name in the upper; with index=on it may have other names only. Kernel, section 10: ln-11."""
        table = node.parent.upper.names if node.parent is not None and node.parent.upper is not None else {}
        return table.get(node.name) is copy or not self._is_shared(node.lowers[0].inode)

    # --- copy-up

    def writable(self, node: Node, data: bool = True, size: int | None = None) -> Inode:
        """The upper inode of a node, copied up first if need be.

        Args:
            data: Whether the content is wanted too, or metadata only.
            size: 0 if the old content is to go.

        Spec:
            Kernel, section 5: what triggers it, cu-02 to cu-17, mv-01, ln-01, cr-09; the root is always there (cu-28).
        """
        if not self.fresh(node).alias:
            self._copy_up(node, data, size)
        if data and isinstance(node.upper, File) and self.book.has(node.upper, "metacopy"):
            self._bring_data(node, size)
        return node.upper

    def xattrs_of(self, node: Node) -> Inode:
        """The inode whose attributes can be set; with index=on a shared copy without a name here will do. Read off a live mount."""
        return self.writable(node, data=False) if self.fresh(node).upper is None else node.upper

    def _copy_up(self, node: Node, data: bool, size: int | None) -> None:
        """Copy one object to the upper layer, its parents first, each alone.

        Spec:
            Kernel, section 5: parents top down, without their contents (cu-20, cu-21, cu-27); their times stay (cu-02);
            names of one lower hard link part (cu-42).

        Raises:
            OSError: For an open file whose name is gone as in `_take_place`, whose directory is gone ENOENT, anything
                else EIO; EOVERFLOW, EPERM as in `_may_copy`.
        """
        parent = self.writable(node.parent, data=False)
        lower = node.lowers[0].inode
        shared = self.features.index and self._is_shared(lower)
        self._may_copy(node, lower, parent)
        if self.number(node.parent) in self.dead:
            raise fail(errno.ENOENT if isinstance(lower, File) else errno.EIO, node.path)
        taken = node.name in parent.names
        if taken:
            self._take_place(node, lower, parent)
        if node.upper is not None:
            self._link_up(node, parent)
        else:
            node.upper = self._copy(node, lower, data or not self.features.metacopy, size)
            if not taken:
                self.journal.put(self.book.copies, (id(parent), node.name), (node.upper, lower))
            self.journal.put(self._moved, self._slot(node), node.upper)
            if isinstance(lower, Directory) or lower.nlink == 1 or shared:
                self.book.set_origin(node.upper, lower, node.path)
            if shared:
                self._enter_index(node.upper, lower)
            self.journal.put(parent.names, node.name, node.upper)
        node.alias, node.origin = True, lower
        self.book.set_impure(parent, node.parent.path)
        if not node.is_dir and not self.book.has(node.upper, "metacopy"):
            node.lowers = ()

    def _take_place(self, node: Node, lower: Inode, parent: Directory) -> None:
        """Copy up what is open, but has lost its name to a whiteout or to something new.

        Raises:
            OSError: EEXIST for a file; ENOTDIR, EISDIR and ENOTEMPTY for anything else, as a rename would.

        Spec:
            Kernel: ovl_do_copy_up links a file to its name, and moves anything else there. So a file is refused, and
            a FIFO, or a directory over an empty one, takes the place. The directory is marked impure before that is
            known. Read off a live mount.
        """
        there = parent.names[node.name]
        self.book.set_impure(parent, node.parent.path)
        if isinstance(lower, File):
            raise fail(errno.EEXIST, node.path)
        if isinstance(lower, Directory) is not isinstance(there, Directory):
            raise fail(errno.ENOTDIR if isinstance(lower, Directory) else errno.EISDIR, node.path)
        if isinstance(there, Directory) and there.names:
            raise fail(errno.ENOTEMPTY, node.path)
        self._leave(parent, node.name)

    def _copy(self, node: Node, lower: Inode, data: bool, size: int | None) -> Inode:
        """The copy: type, data, text, number, mode, owner, time and attributes, but no marks. Kernel, section 5: cu-20, cu-26, cu-36."""
        # In a user namespace attributes of root's own are not there.
        kept = {
            name: value
            for name, value in self.book.copied(lower).items()
            if not (self.userns and name.startswith("trusted."))
        }
        common = {"mode": lower.mode, "uid": lower.uid, "gid": lower.gid, "mtime_ns": lower.mtime_ns, "xattrs": kept}
        if isinstance(lower, Directory):
            made: Inode = Directory(**common)
        elif not isinstance(lower, File):
            made = replace(lower, nlink=1, **common)
        elif size == 0:
            made = File(data=b"", **common)
        elif data:
            made = _sized(self.data_of(node), lower.size, common)
        else:
            made = File(size=lower.size, sha256="", data=None, **common)
            self.book.set_metacopy(made)
        self.journal.note((CopyUp if data or not isinstance(lower, File) else MetadataCopyUp)(node.path))
        return made

    def _bring_data(self, node: Node, size: int | None) -> None:
        """Give a metadata-only copy its data. Kernel, section 16: mc-02, mc-06."""
        made = File(data=b"") if size == 0 else _sized(self.data_of(node), node.upper.size, {})
        for name in ("data", "size", "sha256"):
            self.journal.set(node.upper, name, getattr(made, name))
        if made.size:
            # Kernel: read off a live mount. The data is written into a file that is there already, so its time changes.
            self.journal.set(node.upper, "mtime_ns", self.journal.now())
        self.book.clear_metacopy(node.upper)
        self.journal.note(CopyUp(node.path))
        if node.origin is not None and node.parent is not None:
            self.journal.put(self.book.copies, (id(node.parent.upper), node.name), (node.upper, node.origin))
        node.lowers = ()

    def _may_copy(self, node: Node, lower: Inode, parent: Directory) -> None:
        """Refuse copies that cannot be made in a user namespace.

        Raises:
            OSError: EOVERFLOW for an owner that is not mapped; EPERM for a device.

        Spec:
            Kernel, section 17: owners (ux-10), devices (ux-14); the directory is marked impure before the device is tried.
        """
        if self.userns and NOBODY in (lower.uid, lower.gid):
            raise fail(errno.EOVERFLOW, node.path)
        if self.userns and isinstance(lower, Device):
            self.book.set_impure(parent, node.parent.path)
            raise fail(errno.EPERM, node.path)

    def _enter_index(self, copy: Inode, lower: Inode) -> None:
        """With index=on the work directory keeps the copy under the lower file's handle. Kernel, section 10: ln-11."""
        self.journal.put(self.index, self.numbers.of(lower), copy)
        self.journal.set(copy, "nlink", 2)
        self.book.set_nlink(copy, lower.nlink)

    def _link_up(self, node: Node, parent: Directory) -> None:
        """Give a shared copy the name of another lower hard link. Kernel, section 10: index=on, ln-11."""
        shown = self.book.shown_nlink(node.upper)
        self._enter(parent, node.name, node.upper)
        self.book.set_nlink(node.upper, shown)
        self.journal.note(CopyUp(node.path))

    # --- names of the upper layer

    def _enter(self, parent: Directory, name: str, inode: Inode) -> None:
        """Give an inode one more name."""
        if not isinstance(inode, Directory):
            self.journal.set(inode, "nlink", inode.nlink + 1)
        self.journal.put(parent.names, name, inode)

    def _leave(self, parent: Directory, name: str) -> None:
        """Take a name away."""
        inode = parent.names.get(name)
        if inode is None:
            return
        if not isinstance(inode, Directory):
            self.journal.set(inode, "nlink", inode.nlink - 1)
        self.journal.drop(parent.names, name)
        self.book.forget((id(parent), name))

    def lower_has(self, node: Node) -> bool:
        """Whether a lower layer shows something under this name, so that removing it needs a whiteout.

        Spec:
            Kernel, section 7: rm-01, rm-02, rm-03, rm-22 to rm-24; the present name and the parent's parts count (rd-21).
        """
        if node.upper is None:
            return True
        for part in node.parent.lowers:
            inode = part.inode.names.get(node.name)
            if inode is not None:
                return not is_whiteout(inode, self.marks)
        return False

    def _is_plain(self, node: Node) -> bool:
        """Whether a directory is of the upper alone: then it is the real one that must be empty. Kernel, section 7: rm-30."""
        return node.upper is not None and not node.lowers and not self.book.has(node.upper, "origin")

    def _must_be_empty(self, node: Node) -> None:
        """Refuse a directory with visible names. Kernel, section 7: rm-07, rm-11, rm-14, wo-34."""
        if self._list(self._parts(node)) if self._is_merged_list(self._parts(node)) else self._visible(node):
            raise fail(errno.ENOTEMPTY, node.path)

    def _visible(self, node: Node) -> bool:
        """Whether a directory of one layer holds anything but whiteouts. Kernel, section 7: rm-11, rm-14."""
        return any(not (isinstance(inode, Device) and is_whiteout(inode)) for inode in node.inode.names.values())

    def _clear(self, node: Node) -> None:
        """Whiteouts in a directory that is to go are cleared by an opaque stand-in. Kernel, section 17: EIO where none can be made (ux-12)."""
        if node.is_dir and node.upper is not None and node.upper.names:
            if not self.book.stored:
                raise fail(errno.EIO, node.path)
            for name in list(node.upper.names):
                self._leave(node.upper, name)

    # --- making, linking, removing

    def make(self, parent: Node, name: str, inode: Inode, now: int) -> Node:
        """Put a new object into a directory.

        Spec:
            Kernel, section 6: the parent is copied up (cr-09). Over a whiteout of the upper a directory becomes opaque (cr-01 to
            cr-03), over one of a lower it does not (cr-04); other objects just replace it (cr-05, cr-06).
        """
        upper = self.writable(parent, data=False)
        node = Node(self, parent, name, inode)
        over = name in upper.names
        if isinstance(inode, Directory):
            if over:
                self.book.set_opaque(inode, node.path, errno.EIO)
            elif self._is_merged(parent) and not self.features.plain:
                self.book.set_opaque(inode, node.path, None)
        self._place(upper, node, now)
        self.journal.note(Created(node.path))
        return node

    def _place(self, upper: Directory, node: Node, now: int) -> None:
        """Put a name into an upper directory, whose time changes; a whiteout that is there gives way. Kernel, section 6: cr-01, cr-09."""
        if node.name in upper.names:
            self._leave(upper, node.name)
            self.journal.note(WhiteoutRemoved(node.path))
        self.journal.put(upper.names, node.name, node.upper)
        self.journal.set(upper, "mtime_ns", now)

    def temporary(self, parent: Node, inode: Inode) -> Node:
        """A file without a name; its directory is copied up. Kernel, section 6: cr-24."""
        self.writable(parent, data=False)
        return Node(self, parent, "", inode)

    def link(self, node: Node, parent: Node, name: str, now: int) -> None:
        """Give an object a second name.

        Spec:
            Kernel, sections 10 and 16: the source is copied up, both names share the copy (ln-01, ln-02, ln-06); the receiving directory
            becomes impure (ln-20); a file without data remembers where it is (mc-05).
        """
        inode = self.writable(node, data=False)
        upper = self.writable(parent, data=False)
        self._start_nlink(node)
        if self.book.has(inode, "metacopy"):
            self.book.set_redirect(node, absolute=True)
        if self._has_origin(node):
            self.book.set_impure(upper, parent.path)
        self.journal.set(inode, "nlink", inode.nlink + 1)
        self._place(upper, Node(self, parent, name, inode), now)

    def _start_nlink(self, node: Node) -> None:
        """With index=on, note the link count before it changes; a lower name is copied up for that. Kernel, section 10: ln-11."""
        if not node.is_dir and self.features.index:
            if (
                node.upper is None
                and self._is_shared(node.lowers[0].inode)
                or node.upper is not None
                and not node.alias
            ):
                self.writable(node, data=False)
            if self._is_indexed(node):
                self.book.set_nlink(node.upper, self.book.shown_nlink(node.upper))

    def _end_nlink(self, node: Node) -> None:
        """With index=on, the index lets go of a file that has no name any more. Read off a live mount."""
        if self._is_indexed(node) and self.book.shown_nlink(node.upper) <= 0:
            for number, inode in list(self.index.items()):
                if inode is node.upper:
                    self.journal.drop(self.index, number)
                    self.journal.set(inode, "nlink", inode.nlink - 1)

    def remove(self, node: Node, now: int) -> None:
        """Take a name away, leaving a whiteout if and only if a lower layer has it.

        Spec:
            Kernel, section 7: rm-01 to rm-03, rm-08, rm-09, rm-12; one whiteout for a whole tree (rm-15). A directory must show
            no names (rm-07, rm-11), one of the upper alone must be really empty, without whiteouts too (rm-30).
        """
        lower = self.lower_has(node)
        really = node.is_dir and self._is_plain(node) and not lower
        if node.is_dir and not really:
            self._must_be_empty(node)
        upper = self.writable(node.parent, data=False)
        self._start_nlink(node)
        if really and node.upper.names:
            raise fail(errno.ENOTEMPTY, node.path)
        self._clear(node)
        if node.alias:
            self._leave(upper, node.name)
            self.journal.note(Removed(node.path))
        if lower:
            self._white_out(upper, node.name, node.path)
        self.journal.set(upper, "mtime_ns", now)
        self._end_nlink(node)

    def _white_out(self, upper: Directory, name: str, path: str, used: Inode | None = None) -> None:
        """Put a whiteout where a name was: a character device 0:0. Kernel, section 7: rm-01."""
        self.journal.put(upper.names, name, used or whiteout())
        self.journal.note(WhiteoutMade(path))

    # --- rename

    def rename(self, old: Node, parent: Node, name: str, new: Node | None, flags: int, now: int) -> None:
        """Move a name, or exchange two.

        Spec:
            Kernel, section 8: the upper entry moves, a whiteout stays if and only if a lower layer has the old name, one at the
            new name is consumed (mv-01 to mv-05, mv-17, mv-20, mv-40, mv-49); an exchange makes none (mv-22).
            A refusal because the target is not really empty comes after copy-up and marks (mv-52, rd-23).

        Raises:
            OSError: EINVAL for `WHITEOUT`; EXDEV; ENOTEMPTY; ESTALE for names that are one inode only in the upper.
        """
        exchange = bool(flags & EXCHANGE)
        if flags & WHITEOUT:
            raise fail(errno.EINVAL, old.path)
        for moved in (old, new) if exchange else (old,):
            self._may_move(moved)
        if new is not None and not exchange and new.is_dir and not self._is_plain(new):
            self._must_be_empty(new)
        lower = not exchange and self.lower_has(old)
        self.writable(old, data=False)
        there = self.writable(parent, data=False)
        if new is not None:
            self.writable(new, data=False) if exchange else self._start_nlink(new)
            if not exchange and not self._is_plain(new):
                self._clear(new)
        self._mark_moved(old, parent)
        if exchange:
            self._mark_moved(new, old.parent)
        if new is not None and new.upper is old.upper:
            raise fail(errno.ESTALE, new.path)
        if new is not None and not exchange and new.is_dir and self._is_plain(new) and new.upper.names:
            raise fail(errno.ENOTEMPTY, new.path)
        self._move(old, there, Node(self, parent, name, old.upper), new if exchange else None, lower, now)
        if new is not None and not exchange:
            self._end_nlink(new)

    def _may_move(self, node: Node) -> None:
        """Refuse to move a directory with a lower part.

        Spec:
            Kernel, sections 2 and 8: EXDEV even if it is empty or all is whited out (mv-08, mv-10, mv-11, mv-26), unless
            redirect_dir=on (rd-01); directories of the upper alone move (mv-12 to mv-14).
        """
        if node.is_dir and node.lowers and self.features.redirect != "on":
            raise fail(errno.EXDEV, node.path)

    def _mark_moved(self, node: Node, parent: Node) -> None:
        """Marks of an object that gets a new place.

        Spec:
            Kernel, sections 2, 8 and 16: a new parent becomes impure (mv-33, mv-34); a lower part is remembered (rd-01, rd-02, mc-03); a
            directory without one becomes opaque in a merged parent, on every move (mv-12, mv-15, mv-18, mv-44), in
            no other (mv-46).
        """
        same = self.identity(node.parent) == self.identity(parent)
        if not same and self._has_origin(node):
            self.book.set_impure(parent.upper, parent.path)
        if (node.is_dir and node.lowers) or self.book.has(node.upper, "metacopy"):
            shared = not node.is_dir and any(part.inode.nlink > 1 for part in node.lowers[:1])
            self.book.set_redirect(node, absolute=not same or shared)
        elif node.is_dir and not is_opaque(node.upper, self.marks) and self._is_merged(parent):
            self.book.set_opaque(node.upper, node.path, errno.EXDEV)

    def _move(self, old: Node, there: Directory, target: Node, partner: Node | None, lower: bool, now: int) -> None:
        """Change the two tables of names, and both directories' times. Kernel, section 5: the object's own time is kept (mv-01)."""
        here = old.parent.upper
        replaced = there.names.get(target.name)
        consumed = replaced is not None and partner is None and is_whiteout(replaced, self.marks)
        if partner is None and not (consumed and lower):
            self._leave(there, target.name)
        self.book.move((id(here), old.name), (id(there), target.name))
        self.journal.drop(here.names, old.name)
        self.journal.put(there.names, target.name, old.upper)
        self.journal.note(Moved(old.path, "/" + target.path))
        if consumed:
            self.journal.note(WhiteoutRemoved(target.path))
        if partner is not None:
            self.journal.put(here.names, old.name, partner.upper)
        elif lower:
            # The whiteout of the new name changes places with the object.
            self._white_out(here, old.name, old.path, replaced if consumed else None)
        for directory in (here, there):
            self.journal.set(directory, "mtime_ns", now)


def _sized(file: File, size: int, common: Mapping[str, Any]) -> File:
    """A copy of a file's data with the size that its metadata says: only so much is copied. Read off a live mount."""
    if file.data is None or file.size == size:
        return File(size=file.size, sha256=file.sha256, data=file.data, **common)
    return File.of(file.data[:size].ljust(size, b"\0"), **common)
