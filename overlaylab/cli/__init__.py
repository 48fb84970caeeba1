"""The command line."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(load_name, __name__, {"commands": "main run"})
__dir__ = partial(list_names, __name__)
