"""A small Linux in memory to mount an overlay in: paths, permissions, open files, mounts, a shell."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "mount_command": "parse_mount",
        "operations": "Op Player Step op simulate",
        "shell": "after",
        "system": "System",
    },
    rooms=["proof"],
)
