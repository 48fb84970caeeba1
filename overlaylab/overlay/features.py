"""What the mount options make an overlay do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the options make an overlay do.

    Args:
        redirect: ``on`` makes and follows redirects, ``follow`` follows them, ``nofollow`` refuses them.
        metacopy: Whether a change of metadata copies up metadata only.
        index: Whether lower hard links stay together.
        xino: Whether it was asked for; on one file system it changes marks only.
        userxattr: Whether marks are ``user.overlay.*``.
    """

    redirect: str = "follow"
    metacopy: bool = False
    index: bool = False
    xino: bool = False
    userxattr: bool = False

    @property
    def plain(self) -> bool:
        """Whether lower layers may change between mounts. Kernel: if not, new directories are opaque (cr-08, cr-28)."""
        return not (self.redirect == "on" or self.metacopy or self.index or self.xino)
