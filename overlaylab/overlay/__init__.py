"""overlayfs as a value: lookup, merge, copy-up, whiteouts, mount options, and the two encodings of a deletion."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
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
