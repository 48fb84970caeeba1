# Made by tools/stubs.py from the names that __init__.py gives.
from .identify import (investigate, names_of)
from .layer_changes import (layer_work)
from .layer_reader import (LayerReader)
from .learner_image import (as_layout, live_stores, open_own)
from .owners import (images_of, owner_facts)
from .tampering import (tamper)
from .validation import (Report, merged_entries, overlay_of, validate)
__all__ = ["LayerReader", "Report", "as_layout", "images_of", "investigate", "layer_work", "live_stores",
    "merged_entries", "names_of", "open_own", "overlay_of", "owner_facts", "tamper", "validate"]
