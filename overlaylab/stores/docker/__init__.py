"""Docker's classic store: the data root, its layerdb, and the archive of `docker save`."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(load_name, __name__, {"walk": "cat follow layer_size ls"})
__dir__ = partial(list_names, __name__)
