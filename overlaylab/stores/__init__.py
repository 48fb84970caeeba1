"""Where engines keep images: one reader for each store, one protocol for all."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "archive_writer": "write_docker_archive write_oci_layout",
        "containers_storage": "podman_layer_ids",
        "detect": "open_store",
        "selection": "select",
        "shipped_files": "four_stores packings recorded_mount shipped shipped_root visit",
        "store": "Store home unowned_directories",
    },
    rooms=["docker", "audit"],
)
__dir__ = partial(list_names, __name__)
