# Made by tools/stubs.py from the names that __init__.py gives.
from . import limits as limits
from . import errors as errors
from . import tree as tree
from . import image as image
from . import overlay as overlay
from . import linux as linux
from . import stores as stores
from . import kernel as kernel
from . import views as views
from . import course as course
from . import cli as cli
from .errors import (InputError, KernelUnavailable, NoSuchImage)
from .tree import (Device, Directory, File, Symlink, find, make_tree, sizes)
from .image import (ChainID, Changeset, Container, DiffID, Digest, Image, ImageConfig, ImageID, Layer, Whiteout,
    chain_ids, chain_text, compact_json, digest_bytes, layer_tar, member_names, pack, page_overlay, parse_config,
    pretty_json, read_changeset, short, stream, tiny_layer, unpack, verify, write_tar)
from .overlay import (Overlay, commit, is_opaque, is_whiteout, parse_options, to_changeset, to_lowerdir, to_lowerdirs)
from .linux import (after, op, parse_mount)
from .linux.proof import (BROKEN)
from .stores import (Store, four_stores, open_store, packings, podman_layer_ids, recorded_mount, select, shipped,
    shipped_root, visit)
from .stores.docker import (cat, layer_size, ls)
from .stores.audit import (LayerReader, as_layout, merged_entries, overlay_of, validate)
from .kernel import (catch, prove)
from .views import (ByteFlipper, ChainStepper, Detective, LayerBrowser, LayerPicker, LookupTrace, LowerdirOrder,
    PathFinder, Playground, ReportKeeper, RuleBreaker, Session, SourceChooser, TamperLab, chain_picture, compared_table,
    config_picture, differing, experiment_table, field_table, findings, flip_bit, folders_table, hex_dump,
    history_picture, ids_table, image_table, journey_picture, kinds_table, layer_names, layer_table, layerdb_picture,
    layers_table, listing, mount_lines, mount_picture, mount_words, names_picture, not_compared_table, odd_layers,
    open_own, own_names, own_report, owners_table, packing_table, panes_picture, places_table, proof_table,
    provenance_table, recipe_table, recorded_list, recorded_table, road_differences, sharing_picture, side_by_side,
    source, stack_table, stores_picture, table, tell_visit, trace, tree_text, waste_table, who_notices, writing_table)
from .course import (MapGuide, check, hint, info_table, machine_report, map_picture, page, predict, progress,
    reset_progress)
__version__: str
__all__ = ["BROKEN", "ByteFlipper", "ChainID", "ChainStepper", "Changeset", "Container", "Detective", "Device",
    "DiffID", "Digest", "Directory", "File", "Image", "ImageConfig", "ImageID", "InputError", "KernelUnavailable",
    "Layer", "LayerBrowser", "LayerPicker", "LayerReader", "LookupTrace", "LowerdirOrder", "MapGuide", "NoSuchImage",
    "Overlay", "PathFinder", "Playground", "ReportKeeper", "RuleBreaker", "Session", "SourceChooser", "Store",
    "Symlink", "TamperLab", "Whiteout", "after", "as_layout", "cat", "catch", "chain_ids", "chain_picture",
    "chain_text", "check", "commit", "compact_json", "compared_table", "config_picture", "differing", "digest_bytes",
    "experiment_table", "field_table", "find", "findings", "flip_bit", "folders_table", "four_stores", "hex_dump",
    "hint", "history_picture", "ids_table", "image_table", "info_table", "is_opaque", "is_whiteout", "journey_picture",
    "kinds_table", "layer_names", "layer_size", "layer_table", "layer_tar", "layerdb_picture", "layers_table",
    "listing", "ls", "machine_report", "make_tree", "map_picture", "member_names", "merged_entries", "mount_lines",
    "mount_picture", "mount_words", "names_picture", "not_compared_table", "odd_layers", "op", "open_own", "open_store",
    "overlay_of", "own_names", "own_report", "owners_table", "pack", "packing_table", "packings", "page",
    "page_overlay", "panes_picture", "parse_config", "parse_mount", "parse_options", "places_table", "podman_layer_ids",
    "predict", "pretty_json", "progress", "proof_table", "prove", "provenance_table", "read_changeset", "recipe_table",
    "recorded_list", "recorded_mount", "recorded_table", "reset_progress", "road_differences", "select",
    "sharing_picture", "shipped", "shipped_root", "short", "side_by_side", "sizes", "source", "stack_table",
    "stores_picture", "stream", "table", "tell_visit", "tiny_layer", "to_changeset", "to_lowerdir", "to_lowerdirs",
    "trace", "tree_text", "unpack", "validate", "verify", "visit", "waste_table", "who_notices", "write_tar",
    "writing_table"]
