# Made by tools/stubs.py from the names that __init__.py gives.
from . import proof as proof
from .mount_command import (parse_mount)
from .operations import (Op, Player, Step, op, simulate)
from .shell import (after)
from .system import (System)
__all__ = ["Op", "Player", "Step", "System", "after", "op", "parse_mount", "simulate"]
