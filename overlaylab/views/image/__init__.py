"""Configs, chains of digests, and bits that are flipped."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "chain": "ChainStepper chain_picture layer_table packing_table",
        "config_tables": "config_picture field_table history_picture image_table writing_table",
        "flipper": "ByteFlipper differing flip_bit",
    },
)
__dir__ = partial(list_names, __name__)
