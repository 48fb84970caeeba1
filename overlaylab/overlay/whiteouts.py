"""What hides: whiteouts and opaque directories, and the namespaces of the xattrs that mark them.

The names are those of Linux 6.18, fs/overlayfs.
"""

from __future__ import annotations

from overlaylab.tree import Device, Directory, File, Inode

__all__ = ["TRUSTED", "UNSEEN", "USER", "is_opaque", "is_whiteout"]

TRUSTED = "trusted.overlay."

USER = "user.overlay."

# In a user namespace without userxattr the marks of the layers are out of sight (ux-12).
UNSEEN = "trusted.overlay.(unseen)."


def is_whiteout(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether an inode of a layer stands for a deletion.

    Spec:
        Kernel, section 1: a character device 0:0 (wo-01, wo-27), or an empty file with the ``whiteout`` mark
        (wo-18, wo-19), but not one with content (wo-21).
    """
    if isinstance(inode, Device):
        return inode.kind == "char" and inode.rdev == (0, 0)
    return isinstance(inode, File) and inode.size == 0 and marks + "whiteout" in inode.xattrs


def is_opaque(inode: Inode, marks: str = TRUSTED) -> bool:
    """Whether a directory of a layer hides what is below it.

    Spec:
        Kernel, section 2: only the exact value ``y`` counts (wo-13), only on directories (wo-14).
    """
    return isinstance(inode, Directory) and inode.xattrs.get(marks + "opaque") == b"y"
