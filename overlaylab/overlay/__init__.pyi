# Made by tools/stubs.py from the names that __init__.py gives.
from .lookup_result import (Found, Verdict)
from .mount_options import (MountOptions, parse_options)
from .oci.commits import (commit)
from .oci.export_upper import (to_changeset)
from .oci.import_layer import (to_lowerdir, to_lowerdirs)
from .overlay import (Overlay)
from .whiteouts import (is_opaque, is_whiteout)
__all__ = ["Found", "MountOptions", "Overlay", "Verdict", "commit", "is_opaque", "is_whiteout", "parse_options",
    "to_changeset", "to_lowerdir", "to_lowerdirs"]
