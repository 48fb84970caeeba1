"""This machine's own overlayfs, mounted in a private namespace, and the model compared with it."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "mount": "mounted_view probe",
        "proof": "catch prove",
        "replays": "replay",
    },
)
