"""How does a container image become the filesystem that a process sees?

The core (parsing, digests, layers, the overlay model) needs the standard library
only. Every module is loaded when one of its names is first used, so that importing
the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# The core: module -> the public names that it has.
_CORE: dict[str, str] = {
    "changeset": "Changeset Link OpaqueWhiteout Upsert Whiteout apply flatten read_changeset write_tar",
    "commit": "commit",
    "config": "HistoryEntry ImageConfig layer_history parse_config",
    "digest": "ChainID DiffID Digest Hasher ImageID chain_ids chain_text digest_bytes short verify",
    "document": "compact_json field_at pretty_json",
    "errors": "KINDS Finding InputError KernelUnavailable NoSuchImage NotReadable OverlayLabError Problem",
    "image": "Container Image Layer Store home unowned_directories",
    "layer_reader": "LayerReader",
    "limits": "Limits",
    "manifest": "Descriptor Index Manifest Platform parse_index parse_manifest select_platform",
    "media": "Compression MediaType inflate pack sniff unpack",
    "overlay": "Found Overlay Verdict is_opaque is_whiteout",
    "options": "MountOptions",
    "ops": "Op Player Step op simulate",
    "samples": "tiny_layer",
    "select": "select",
    "system": "System",
    "translate": "to_changeset to_lowerdir to_lowerdirs",
    "tree": "Device Directory File Inode Symlink entry find make_tree walk",
    "validate": "Report merged_entries overlay_of validate",
}

# What reads, mounts and draws: public name -> the module that has it.
_LATER: dict[str, str] = {
    "open_store": "readers.detect",
    "shipped_root": "readers.shipped",
    "table": "views.table",
    "check": "exercises",
    "hint": "exercises",
    "predict": "exercises.form",
    "progress": "exercises.course",
    "reset_progress": "exercises.notes",
    "Playground": "views.playground",
    "Session": "views.session",
    "BROKEN": "broken",
    "RuleBreaker": "views.believe_widgets",
    "catch": "kernel.proof",
    "prove": "kernel.proof",
    "compared_table": "views.believe",
    "experiment_table": "views.believe",
    "not_compared_table": "views.believe",
    "places_table": "views.believe",
    "recorded_list": "views.believe",
    "recorded_table": "views.believe",
    "road_differences": "views.believe",
    "after": "shell",
    "sizes": "tree",
    "member_names": "samples",
    "stream": "samples",
    "odd_layers": "views.odd",
    "to_changeset": "translate",
    "write_tar": "changeset",
    "Player": "ops",
    "op": "ops",
    "replay": "kernel.replay",
    "LayerPicker": "views.overlay_widgets",
    "LookupTrace": "views.overlay_widgets",
    "LowerdirOrder": "views.overlay_widgets",
    "layer_names": "views.provenance",
    "layer_tar": "samples",
    "listing": "views.overlay_words",
    "mount_words": "views.overlay_words",
    "page_overlay": "samples",
    "panes_picture": "views.overlay",
    "parse_mount": "kernel.command",
    "parse_options": "options",
    "provenance_table": "views.overlay_words",
    "side_by_side": "views.sides",
    "stack_picture": "views.overlay",
    "stack_table": "views.overlay_words",
    "trace": "views.overlay_words",
    "tree_text": "views.overlay_words",
    "Picture": "views.picture",
    "page": "readers.page",
    "packings": "readers.packings",
    "source": "views.text",
    "hex_dump": "views.text",
    "field_table": "views.config",
    "writing_table": "views.config",
    "image_table": "views.config",
    "config_picture": "views.config",
    "history_picture": "views.config",
    "packing_table": "views.packing",
    "layer_table": "views.chain",
    "chain_picture": "views.chain",
    "ByteFlipper": "views.flipper",
    "flip_bit": "views.flipper",
    "differing": "views.flipper",
    "ChainStepper": "views.stepper",
    "MapGuide": "views.map",
    "LayerBrowser": "views.own_widgets",
    "ReportKeeper": "views.own_widgets",
    "SourceChooser": "views.own_widgets",
    "TamperLab": "views.own_widgets",
    "findings": "views.own",
    "journey": "views.own",
    "journey_picture": "views.own",
    "mount_lines": "views.own",
    "open_own": "views.meter",
    "own_report": "views.own_report",
    "as_layout": "readers.own",
    "own_names": "views.own_layers",
    "proof_table": "views.own",
    "waste_table": "views.own_layers",
    "who_notices": "views.own_tamper",
    "PathFinder": "views.store",
    "cat": "readers.walk",
    "follow": "readers.walk",
    "folders_table": "views.store",
    "info_table": "views.map",
    "layer_size": "readers.walk",
    "layerdb_picture": "views.store",
    "ls": "readers.walk",
    "machine_report": "views.map",
    "map_picture": "views.map",
    "mount_picture": "views.store",
    "recorded_mount": "readers.shipped",
    "shipped": "readers.shipped",
    "tell_visit": "views.store",
    "Detective": "views.names",
    "four_stores": "readers.shipped",
    "ids_table": "views.beside",
    "kinds_table": "views.beside",
    "layers_table": "views.beside",
    "names_picture": "views.names",
    "names_table": "views.leads",
    "own_stores": "views.beside",
    "owners_table": "views.sharing",
    "podman_layer_ids": "readers.containers_storage",
    "recipe_table": "views.beside",
    "sharing_picture": "views.sharing",
    "sharing_table": "views.sharing",
    "stores_picture": "views.beside",
    "tell_roots": "views.beside",
    "visit": "readers.shipped",
    "walk_picture": "views.store",
    "walk_table": "views.store",
}

_MODULE_OF = {name: module for module, names in _CORE.items() for name in names.split()} | _LATER

__all__ = sorted(_MODULE_OF)


class _Package(ModuleType):
    """This package, in which a function is found even where a module has the same name, such as `validate`.

    Importing a module puts it into its package under its name, whoever does it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _MODULE_OF or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Load the module that has a name when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
