# Made by tools/stubs.py from the names that __init__.py gives.
from .kernel_comparison import (side_by_side)
from .pictures import (panes_picture, stack_picture)
from .playground import (Playground)
from .proof import (compared_table, experiment_table, not_compared_table, places_table, recorded_list, recorded_table,
    road_differences)
from .provenance import (layer_names)
from .rule_breaker import (RuleBreaker)
from .session import (Session)
from .text import (listing, mount_words, odd_layers, provenance_table, stack_table, trace, tree_text)
from .stack_widgets import (LayerPicker, LookupTrace, LowerdirOrder)
__all__ = ["LayerPicker", "LookupTrace", "LowerdirOrder", "Playground", "RuleBreaker", "Session", "compared_table",
    "experiment_table", "layer_names", "listing", "mount_words", "not_compared_table", "odd_layers", "panes_picture",
    "places_table", "provenance_table", "recorded_list", "recorded_table", "road_differences", "side_by_side",
    "stack_picture", "stack_table", "trace", "tree_text"]
