# Made by tools/stubs.py from the names that __init__.py gives.
from .walk import (cat, follow, layer_size, ls)
__all__ = ["cat", "follow", "layer_size", "ls"]
