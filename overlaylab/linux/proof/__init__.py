"""What proves the model, as data: experiments, recorded vectors, comparisons, mutants."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(load_name, __name__, {"experiments": "experiment shortest", "mutants": "BROKEN"})
__dir__ = partial(list_names, __name__)
