# Made by tools/stubs.py from the names that __init__.py gives.
from .commits import (commit)
from .lookup_result import (Found, Verdict)
from .mount_options import (MountOptions, parse_options)
from .overlay import (Overlay)
from .translate import (to_changeset, to_lowerdir, to_lowerdirs)
from .whiteouts import (is_opaque, is_whiteout)
__all__ = ["Found", "MountOptions", "Overlay", "Verdict", "commit", "is_opaque", "is_whiteout", "parse_options",
    "to_changeset", "to_lowerdir", "to_lowerdirs"]
