# Made by tools/stubs.py from the names that __init__.py gives.
from .chain import (ChainStepper, chain_picture, layer_table, packing_table)
from .config_tables import (config_picture, field_table, history_picture, image_table, writing_table)
from .flipper import (ByteFlipper, differing, flip_bit)
__all__ = ["ByteFlipper", "ChainStepper", "chain_picture", "config_picture", "differing", "field_table", "flip_bit",
    "history_picture", "image_table", "layer_table", "packing_table", "writing_table"]
