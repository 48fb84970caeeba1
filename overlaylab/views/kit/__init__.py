"""What every view is made of: palette, sheet, picture, table, panel."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(load_name, __name__, {"picture": "Picture", "tables": "table", "text": "hex_dump source"})
__dir__ = partial(list_names, __name__)
