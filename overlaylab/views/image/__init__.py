"""Configs, chains of digests, and bits that are flipped."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "chain": "ChainStepper chain_picture layer_table packing_table",
        "config_tables": "config_picture field_table history_picture image_table writing_table",
        "flipper": "ByteFlipper differing flip_bit",
    },
)
