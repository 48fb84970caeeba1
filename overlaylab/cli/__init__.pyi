# Made by tools/stubs.py from the names that __init__.py gives.
from .commands import (main, run)
__all__ = ["main", "run"]
