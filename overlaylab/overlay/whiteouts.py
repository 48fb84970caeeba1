"""What hides a lower name: whiteouts and opaque directories, and the namespaces of the xattrs that mark them.

The names are those of Linux 6.18, fs/overlayfs.
"""

from __future__ import annotations

from overlaylab.tree import Device, Directory, File, Inode

TRUSTED = "trusted.overlay."

USER = "user.overlay."

# In a user namespace without userxattr the overlay xattrs of the layers cannot be read (ux-12).
UNSEEN = "trusted.overlay.(unseen)."


def is_whiteout(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether an inode of a layer stands for a deletion.

    Args:
        inode: An entry of a layer's directory.
        marks: The namespace of the overlay xattrs, with its dot at the end.

    Spec:
        Kernel, section 1: a character device 0:0 (wo-01, wo-27), or an empty file with the ``whiteout`` xattr
        (wo-18, wo-19), but not one with content (wo-21).
    """
    if isinstance(inode, File):
        return inode.size == 0 and marks + "whiteout" in inode.xattrs
    return is_whiteout_device(inode)


def is_whiteout_device(inode: Inode) -> bool:
    """Whether an inode is a character device 0:0, the whiteout that needs no xattr. Kernel, section 1: wo-01, wo-27."""
    return isinstance(inode, Device) and inode.kind == "char" and inode.rdev == (0, 0)


def is_opaque(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether a directory of a layer hides what is below it.

    Kernel, section 2: only the exact value ``y`` counts (wo-13), only on directories (wo-14).
    """
    return isinstance(inode, Directory) and inode.xattrs.get(marks + "opaque") == b"y"


class XattrReader:
    """Reads the overlay xattrs of inodes.

    Args:
        prefix: Their namespace, with its dot at the end.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def has(self, inode: Inode, name: str) -> bool:
        """Whether an inode carries an overlay xattr."""
        return self.prefix + name in inode.xattrs

    def get(self, inode: Inode, name: str) -> bytes | None:
        """The value of an overlay xattr; None if the inode does not carry it."""
        return inode.xattrs.get(self.prefix + name)
