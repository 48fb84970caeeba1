# Made by tools/stubs.py from the names that __init__.py gives.
from .image import (ByteFlipper, ChainStepper, chain_picture, config_picture, differing, field_table, flip_bit,
    history_picture, image_table, layer_table, packing_table, writing_table)
from .kit import (Picture, hex_dump, source, table)
from .overlay import (LayerPicker, LookupTrace, LowerdirOrder, Playground, RuleBreaker, Session, compared_table,
    experiment_table, layer_names, listing, mount_words, not_compared_table, odd_layers, panes_picture, places_table,
    provenance_table, recorded_list, recorded_table, road_differences, side_by_side, stack_picture, stack_table, trace,
    tree_text)
from .own import (LayerBrowser, ReportKeeper, SourceChooser, TamperLab, findings, journey, journey_picture, mount_lines,
    open_own, own_names, own_report, proof_table, waste_table, who_notices)
from .stores import (Detective, PathFinder, folders_table, ids_table, kinds_table, layerdb_picture, layers_table,
    mount_picture, names_picture, names_table, own_stores, owners_table, recipe_table, sharing_picture, sharing_table,
    stores_picture, tell_roots, tell_visit, walk_picture, walk_table)
__all__ = ["ByteFlipper", "ChainStepper", "Detective", "LayerBrowser", "LayerPicker", "LookupTrace", "LowerdirOrder",
    "PathFinder", "Picture", "Playground", "ReportKeeper", "RuleBreaker", "Session", "SourceChooser", "TamperLab",
    "chain_picture", "compared_table", "config_picture", "differing", "experiment_table", "field_table", "findings",
    "flip_bit", "folders_table", "hex_dump", "history_picture", "ids_table", "image_table", "journey",
    "journey_picture", "kinds_table", "layer_names", "layer_table", "layerdb_picture", "layers_table", "listing",
    "mount_lines", "mount_picture", "mount_words", "names_picture", "names_table", "not_compared_table", "odd_layers",
    "open_own", "own_names", "own_report", "own_stores", "owners_table", "packing_table", "panes_picture",
    "places_table", "proof_table", "provenance_table", "recipe_table", "recorded_list", "recorded_table",
    "road_differences", "sharing_picture", "sharing_table", "side_by_side", "source", "stack_picture", "stack_table",
    "stores_picture", "table", "tell_roots", "tell_visit", "trace", "tree_text", "walk_picture", "walk_table",
    "waste_table", "who_notices", "writing_table"]
