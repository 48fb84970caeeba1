"""overlayfs as a value: lookup, merge, copy-up, whiteouts, mount options, and the two encodings of a deletion."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "commits": "commit",
        "lookup_result": "Found Verdict",
        "mount_options": "MountOptions parse_options",
        "overlay": "Overlay",
        "translate": "to_changeset to_lowerdir to_lowerdirs",
        "whiteouts": "is_opaque is_whiteout",
    },
)
__dir__ = partial(list_names, __name__)
