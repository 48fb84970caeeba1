"""What every view is made of: palette, sheet, picture, table, panel."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "picture": "Picture",
        "tables": "table",
        "text": "hex_dump source",
    },
)
