"""The overlay xattrs: what overlayfs remembers on the objects of the upper layer.

They lie below ``trusted.overlay.`` (``user.overlay.`` with userxattr). `copy_up` and `changes` call these functions at
named points; none of them changes what a reader sees at once. They make later mounts, renames and inode numbers come
out right. The rules are those of Linux 6.18, fs/overlayfs/util.c, copy_up.c and dir.c.
"""

from __future__ import annotations

import errno

from overlaylab.errors import fail
from overlaylab.tree import Directory, File, Inode

from .filesystem import Node
from .journal import ImpureCleared, ImpureSet, Journal, OpaqueSet, OriginSet, RedirectSet
from .whiteouts import XattrReader

# Longest redirect, the module's parameter redirect_max.
LONGEST_REDIRECT = 256

# struct ovl_fb: version, magic, length, flags, type; a file-system id follows, then the handle.
HANDLE = bytes([0, 0xFB, 29, 1, 1]) + bytes(16)


class InodeAllocator:
    """Allocates the inode numbers of one disk when an inode is first met, and makes file handles of them."""

    def __init__(self) -> None:
        self._of: dict[int, int] = {}
        self._inodes: list[Inode] = []

    def of(self, inode: Inode) -> int:
        """The number of an inode, from 1."""
        number = self._of.get(id(inode))
        if number is None:
            # The list keeps the inode alive, so that no other gets its identity.
            self._inodes.append(inode)
            number = self._of[id(inode)] = len(self._inodes)
        return number

    def handle(self, inode: Inode) -> bytes:
        """The file handle that an origin xattr holds."""
        return HANDLE + self.of(inode).to_bytes(8, "little")

    def decode(self, handle: bytes | None) -> Inode | None:
        """The inode that a handle stands for; None for one of another disk."""
        if not handle or len(handle) != len(HANDLE) + 8 or not handle.startswith(HANDLE):
            return None
        number = int.from_bytes(handle[len(HANDLE) :], "little")
        return self._inodes[number - 1] if 0 < number <= len(self._inodes) else None


class OverlayXattrs(XattrReader):
    """Reads and writes the overlay xattrs of inodes; each function takes a name without its namespace.

    Args:
        prefix: The namespace, with its dot at the end.
        journal: Where changes are noted.
        numbers: The inode numbers of the disk that holds the layers.
        stored: Whether the upper layer can keep them; in a user namespace without userxattr it cannot (ux-12).
        decodes: Whether an origin can be read back. Kernel, section 17: ovl_decode_real_fh asks for
            CAP_DAC_READ_SEARCH over the whole machine, so in a user namespace only a name that was copied up in this
            mount keeps its number.
    """

    def __init__(
        self, prefix: str, journal: Journal, numbers: InodeAllocator, stored: bool = True, decodes: bool = True
    ) -> None:
        super().__init__(prefix)
        self.journal, self.numbers, self.stored, self.decodes = journal, numbers, stored, decodes
        # Names that were copied up in this mount, by directory and name: the copy, and what it is a copy of. It holds
        # also where no xattr can be kept (ux-04), but not for other names that the copy is given.
        self.copies: dict[tuple[int, str], tuple[Inode, Inode]] = {}

    def _set(self, inode: Inode, name: str, value: bytes) -> bool:
        """Write an overlay xattr; False if it cannot be kept, or is there already. Kernel, section 17: ux-04, ux-12."""
        ordinary = isinstance(inode, (Directory, File))
        if not self.stored or (self.prefix.startswith("user.") and not ordinary) or self.get(inode, name) == value:
            return False
        self.journal.set(inode, "xattrs", {**inode.xattrs, self.prefix + name: value})
        return True

    def _drop(self, inode: Inode, name: str) -> None:
        kept = {key: value for key, value in inode.xattrs.items() if key != self.prefix + name}
        self.journal.set(inode, "xattrs", kept)

    def copied(self, inode: Inode) -> dict[str, bytes]:
        """The xattrs that a copy takes along: all but overlay xattrs, and those that are escaped.

        Kernel, section 5: cu-15, wo-35, img-03.
        """
        escaped = self.prefix + "overlay."
        return {
            key: value
            for key, value in inode.xattrs.items()
            if not key.startswith(self.prefix) or key.startswith(escaped)
        }

    def set_origin(self, copy: Inode, lower: Inode, path: str) -> None:
        """Remember what a copy is a copy of.

        Kernel, sections 5 and 17: directories always, others if their lower link count is 1 (cu-02, cu-42, cu-48); with
        userxattr not on symlinks and special files (ux-04).
        """
        if self._set(copy, "origin", self.numbers.handle(lower)):
            self.journal.note(OriginSet(path))

    def origin(self, node: Node) -> Inode | None:
        """What an upper object is a copy of, if that is known.

        Kernel, section 4: also after a remount (cu-40, mv-43).
        """
        known = self.copies.get((id(node.parent.upper), node.name)) if node.parent is not None else None
        if known is not None and known[0] is node.upper:
            return known[1]
        if node.upper is None or not self.decodes:
            return None
        return self.numbers.decode(self.get(node.upper, "origin"))

    def move(self, old: tuple[int, str], new: tuple[int, str]) -> None:
        """What is known of a name goes with it; two names are exchanged. Kernel, section 4: mv-43."""
        one, two = self.copies.get(old), self.copies.get(new)
        for key, value in ((new, one), (old, two)):
            self.forget(key)
            if value is not None:
                self.journal.put(self.copies, key, value)

    def forget(self, key: tuple[int, str]) -> None:
        """What was known of a name goes when the name does; it is not known again when a link comes back.

        Read off a live mount.
        """
        if key in self.copies:
            self.journal.drop(self.copies, key)

    def set_impure(self, directory: Inode, path: str) -> None:
        """Mark a directory that holds copies impure: its entries must be looked up when it is listed.

        Kernel, sections 5, 8 and 10: cu-48, mv-33, ln-20.
        """
        if self._set(directory, "impure", b"y"):
            self.journal.note(ImpureSet(path))

    def clear_impure(self, directory: Inode, path: str) -> None:
        """Take the impure xattr off a directory that holds no copies any more. Kernel, section 3: cu-52."""
        self._drop(directory, "impure")
        self.journal.note(ImpureCleared(path))

    def fix_origin(self, directory: Inode, lower: Inode, parent: Inode, path: str, above: str) -> None:
        """Give an upper directory that is found over a lower one its origin: even a mere stat writes.

        Kernel, section 2: cu-23, merge-05, wo-10.
        """
        if not self.has(directory, "origin") and self.stored:
            self.set_origin(directory, lower, path)
            self.set_impure(parent, above)

    def set_opaque(self, directory: Inode, path: str, number: int | None) -> None:
        """Mark a directory opaque.

        Args:
            number: The errno where overlay xattrs cannot be kept; None where the xattr is an optimization only.

        Raises:
            OSError: With this number.

        Spec:
            Kernel, section 17: EIO when a directory is made over a whiteout or cleared (ux-12), EXDEV when it is moved.
        """
        if not self.stored:
            if number is not None:
                raise fail(number, path)
            return
        self._set(directory, "opaque", b"y")
        self.journal.note(OpaqueSet(path))

    def set_redirect(self, node: Node, absolute: bool) -> None:
        """Remember where the lower part of a moved object is.

        Args:
            absolute: Whether the parent changes.

        Raises:
            OSError: EXDEV for a path of more than 256 bytes.

        Spec:
            Kernel, sections 9 and 16: same parent, the first name (rd-01, rd-03); other parent, the path as the layers
            below know it (rd-02, rd-08); files without data too (mc-03, mc-05).
        """
        value = self.redirect(node.upper)
        if value and (not absolute or value.startswith("/")):
            return
        value = self._lower_path(node) if absolute else node.name
        assert node.upper is not None
        if not self._set(node.upper, "redirect", value.encode("utf-8", "surrogateescape")):
            raise fail(errno.EXDEV, node.path)
        self.journal.note(RedirectSet(node.path, value))

    def redirect(self, inode: Inode | None) -> str:
        """The redirect of an upper inode, or nothing."""
        value = None if inode is None else self.get(inode, "redirect")
        return "" if value is None else value.decode("utf-8", "surrogateescape")

    def _lower_path(self, node: Node) -> str:
        """The path of a node in the layers below, with the redirects of its ancestors applied.

        Kernel, section 9: rd-08.
        """
        path = ""
        while node.parent is not None and not path.startswith("/"):
            path = (self.redirect(node.upper) or node.name) + ("/" + path if path else "")
            node = node.parent
        path = path if path.startswith("/") else "/" + path
        if len(path.encode("utf-8", "surrogateescape")) > LONGEST_REDIRECT:
            raise fail(errno.EXDEV, path)
        return path

    def set_metacopy(self, copy: Inode) -> None:
        """Mark a copy whose data is still below with the metacopy xattr. Kernel, section 16: mc-01."""
        self._set(copy, "metacopy", b"")

    def clear_metacopy(self, copy: Inode) -> None:
        """Take the metacopy xattr off once the data is there. Kernel, section 16: mc-02."""
        self._drop(copy, "metacopy")

    # --- index=on: what follows was read off a live mount, see ln-11 and cr-28

    def set_nlink(self, inode: Inode, shown: int) -> None:
        """Keep the link count that an indexed file shows, relative to its own: ``U+1``.

        Kernel, section 10: ln-11. Written after each copy-up of one of its names, and before link, unlink and being
        replaced. Its own count includes the index's entry; the count shown is that of all lower and upper names.
        """
        self._set(inode, "nlink", f"U{shown - inode.nlink:+d}".encode())

    def shown_nlink(self, inode: Inode) -> int:
        """The link count that an indexed file shows. Kernel, section 10: ln-11."""
        value = self.get(inode, "nlink") or b""
        offset = value[1:].decode("ascii", "replace")
        return inode.nlink + int(offset) if value[:1] == b"U" and offset.lstrip("+-").isdigit() else inode.nlink
