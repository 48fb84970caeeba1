"""overlayfs as a model: a stack of layers that can be looked at, mounted and written.

The rules are those of Linux 6.18, and stand as functions in other files: how layers combine in `lookup`, what the
overlay xattrs add in `marked_lookup`, copy-up in `copy_up`, whiteouts and renames in `changes`, what stat shows in
`nodes`, what later mounts remember in `overlay_xattrs`. `Overlay` is the value that they work on, with the functions as
its methods. Looking changes nothing; writing changes the upper layer alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from overlaylab.tree import Directory, Inode

from . import changes, marked_lookup, nodes
from . import copy_up as copying
from . import lookup as reading
from .features import Features
from .filesystem import Node
from .journal import Journal
from .lookup_result import Part
from .overlay_xattrs import InodeAllocator, OverlayXattrs
from .whiteouts import TRUSTED, UNSEEN, USER

# The release whose rules these are.
KERNEL = "6.18"


class Overlay:
    """A stack of layers as one file system.

    Args:
        lowerdirs: **Topmost first**, as in ``lowerdir=top:middle:bottom``. They are never changed.
        upperdir: The writable layer, or None for a read-only overlay. Writing changes it in place.
        marks: The namespace of the overlay xattrs: ``trusted.overlay.``, or ``user.overlay.`` with userxattr.
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

    # Another class only in a model that is wrong on purpose.
    xattrs_class = OverlayXattrs

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
        numbers: InodeAllocator | None = None,
        index: dict[int, Inode] | None = None,
    ) -> None:
        userxattr = marks == USER
        self.features = features or Features(userxattr=userxattr, redirect="nofollow" if userxattr else "follow")
        stored = not userns or self.features.userxattr
        # A mount shows no overlay xattrs.
        self.marks = self.hidden = (USER if self.features.userxattr else marks) if stored else UNSEEN
        self.lowerdirs, self.upperdir, self.datadirs = tuple(lowerdirs), upperdir, tuple(datadirs)
        self.journal, self.numbers = journal or Journal(), numbers or InodeAllocator()
        self.xattrs = self.xattrs_class(self.marks, self.journal, self.numbers, stored, decodes=not userns)
        self.userns = self.no_devices = userns
        self.read_only = read_only or upperdir is None
        self.index = {} if index is None else index
        self.moved: dict[Hashable, Inode] = {}
        self.dead: dict[int, bool] = {}
        self.traps: set[int] = set()
        self.device, self.depth = 0, 1
        layers = (() if upperdir is None else (upperdir,)) + self.lowerdirs
        self.root_parts = tuple(Part(len(layers) - 1 - i, root) for i, root in enumerate(layers))
        self.root = Node(self, None, ".", upperdir, self.root_parts[upperdir is not None :])
        if upperdir is not None and self.features.index and self.lowerdirs:
            self.xattrs.set_origin(upperdir, self.lowerdirs[0], ".")

    @classmethod
    def of_layers(cls, layers: Sequence[Directory], upperdir: Directory | None = None, marks: str = TRUSTED) -> Overlay:
        """Stack layers that come **bottom first**, as images list them: the one place where the order turns."""
        return cls(lowerdirs=tuple(reversed(layers)), upperdir=upperdir, marks=marks)

    def again(self, rotated: bool = False) -> Overlay:
        """The same layers mounted anew.

        Args:
            rotated: Whether the upper becomes the topmost lower layer, under a new empty one.

        Spec:
            Kernel, sections 5, 8 and 9: img-03, img-07, img-10.
        """
        upper = () if self.upperdir is None else (self.upperdir,)
        new = Overlay(
            lowerdirs=upper + self.lowerdirs if rotated else self.lowerdirs,
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

    # To look at: `lookup` and `marked_lookup`.
    lookup = reading.lookup
    readdir = reading.readdir
    walk = reading.walk
    merged = reading.merged
    provenance = reading.provenance
    child = marked_lookup.child
    entries = marked_lookup.entries
    look_everywhere = marked_lookup.look_everywhere

    # What system calls ask for: the protocol `filesystem.FileSystem`.
    look = nodes.look
    names = nodes.names
    data_of = nodes.data_of
    nlink = nodes.nlink
    names_left = nodes.names_left
    number = nodes.number
    identity = nodes.identity
    fresh = copying.fresh
    writable = copying.writable
    xattrs_of = copying.xattrs_of
    make = changes.make
    temporary = changes.temporary
    link = changes.link
    remove = changes.remove
    rename = changes.rename

    # Rules that a wrong model replaces.
    lower_has = changes.lower_has
    may_move = changes.may_move
    copy_up = copying.copy_up
    copy_inode = copying.copy_inode
