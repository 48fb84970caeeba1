"""overlayfs as a value: lookup, merge, copy-up, whiteouts, mount options, and the two encodings of a deletion."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "lookup_result": "Found Verdict",
        "mount_options": "MountOptions parse_options",
        "oci.commits": "commit",
        "oci.export_upper": "to_changeset",
        "oci.import_layer": "to_lowerdir to_lowerdirs",
        "overlay": "Overlay",
        "whiteouts": "is_opaque is_whiteout",
    },
)
__dir__ = partial(list_names, __name__)
