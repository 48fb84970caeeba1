"""Docker's classic store: the data root, its layerdb, and the archive of `docker save`."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "walk": "cat follow layer_size ls",
    },
)
