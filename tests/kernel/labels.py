"""What a proof must reach, root and user: the places that `overlaylab.labels` knows, and every errno of the semantics."""

from overlaylab import labels
from overlaylab.labels import PLACES

# Every errno that the written semantics name for operations. Root and user runs together must reach them all.
ERRNOS = (
    "EACCES", "EEXIST", "EINVAL", "EIO", "EISDIR", "ELOOP", "ENAMETOOLONG", "ENODATA", "ENOENT", "ENOTDIR", "ENOTEMPTY", "EPERM", "EROFS", "EXDEV",
)  # fmt: skip
# Those that no generated operation can meet, each with where it is proved instead.
NOT_GENERATED = {
    "EBUSY": "given by a mount whose upper is in use; vector mount-59",
    "ESTALE": "given by a mount with index=on over another lower; vectors of the group mount",
    "EOVERFLOW": "needs owners that the user namespace does not map, which nobody inside can make; vector ux-10",
    "ETXTBSY": "named only as something that does not happen",
}
REQUIRED = {"root": (*PLACES, *ERRNOS), "user": tuple(place for place in PLACES if place != "refused for want of permission")}


class Labels(labels.Labels):
    """Counts what was reached."""

    def missing(self, mode):
        """The required labels of a mode that were not reached."""
        return super().missing(REQUIRED[mode])
