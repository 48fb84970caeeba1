"""What proves the model, as data: experiments, recorded vectors, comparisons, mutants."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "experiments": "experiment shortest",
        "mutants": "BROKEN",
    },
)
