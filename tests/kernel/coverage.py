"""What a proof must reach, in each mode: the places that `overlaylab.linux.proof.coverage` knows, and every errno of
the semantics.
"""

from overlaylab.linux.proof import coverage
from overlaylab.linux.proof.coverage import PLACES

# Every errno that the written semantics name for operations. The modes together must reach them all.
ERRNOS = tuple(
    "EACCES EEXIST EINVAL EIO EISDIR ELOOP ENAMETOOLONG ENODATA "
    "ENOENT ENOTDIR ENOTEMPTY EOVERFLOW EPERM EROFS EXDEV".split()
)
# Those that generated operations cannot be relied on to meet, each with where it is proved instead.
NOT_GENERATED = {
    "EBUSY": "given by a mount whose upper is in use; vector mount-59",
    "ESTALE": (
        "given by a mount with index=on over another lower, and seldom by a rename; "
        "vectors of the group mount, unit tests of names"
    ),
    "ETXTBSY": "named only as something that does not happen",
}
ALONE = tuple(place for place in PLACES if place != "refused for want of permission")
REQUIRED = {
    "root": (*PLACES, *(name for name in ERRNOS if name != "EOVERFLOW")),
    "user": ALONE,
    "mapped": (*ALONE, "EOVERFLOW"),
}


class Coverage(coverage.Coverage):
    """Counts what was reached."""

    def missing(self, mode):
        """The required labels of a mode that were not reached."""
        return super().missing(REQUIRED[mode])
