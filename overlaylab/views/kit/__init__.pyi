# Made by tools/stubs.py from the names that __init__.py gives.
from .picture import (Picture)
from .tables import (table)
from .text import (hex_dump, source)
__all__ = ["Picture", "hex_dump", "source", "table"]
