# Made by tools/stubs.py from the names that __init__.py gives.
from .mount import (mounted_view, probe)
from .proof import (catch, prove)
from .replays import (replay)
__all__ = ["catch", "mounted_view", "probe", "prove", "replay"]
