"""The command line."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "commands": "main run",
    },
)
