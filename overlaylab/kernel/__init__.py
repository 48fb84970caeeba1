"""This machine's own overlayfs, mounted in a private namespace, and the model compared with it."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(load_name, __name__, {"mount": "mounted_view probe", "proof": "catch prove", "replays": "replay"})
__dir__ = partial(list_names, __name__)
