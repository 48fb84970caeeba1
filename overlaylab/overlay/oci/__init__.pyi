# Made by tools/stubs.py from the names that __init__.py gives.
from .commits import (commit)
from .export_upper import (to_changeset)
from .import_layer import (to_lowerdir, to_lowerdirs)
__all__ = ["commit", "to_changeset", "to_lowerdir", "to_lowerdirs"]
