"""A small Linux in memory to mount an overlay in: paths, permissions, open files, mounts, a shell."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {"mount_command": "parse_mount", "operations": "Op Player Step op simulate", "shell": "after", "system": "System"},
    rooms=["proof"],
)
__dir__ = partial(list_names, __name__)
