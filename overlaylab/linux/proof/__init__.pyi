# Made by tools/stubs.py from the names that __init__.py gives.
from .experiments import (experiment, shortest)
from .mutants import (BROKEN)
__all__ = ["BROKEN", "experiment", "shortest"]
