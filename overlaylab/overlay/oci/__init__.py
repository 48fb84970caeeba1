"""Between images and overlayfs: layers become lower directories, an upper directory becomes a layer of a new image."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {"commits": "commit", "export_upper": "to_changeset", "import_layer": "to_lowerdir to_lowerdirs"},
)
__dir__ = partial(list_names, __name__)
