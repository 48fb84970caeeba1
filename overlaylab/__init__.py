"""How does a container image become the filesystem that a process sees?

The package has eight rooms: `image`, `overlay`, `linux`, `stores`, `kernel`, `views`, `course` and `cli`. Each says in
one sentence what it is for and names what it gives; what notebooks use of all rooms stands here. Parsing, digests,
layers and the overlay model need the standard library only. Every module is loaded when one of its names is first
used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

__version__ = "0.1.0"


def load_name(package: str, modules: Mapping[str, str], name: str, rooms: Sequence[str] = ()) -> Any:
    """Load a name of a package when it is first used: the package's ``__getattr__`` (PEP 562) is a `partial` of this.

    Args:
        package: The package's own name.
        modules: Module, relative to the package -> the names that it gives, with spaces between them.
        name: What is asked for; ``__all__`` is all names of `modules`.
        rooms: Packages in it that are loaded when they are first used.

    Raises:
        AttributeError: The package gives no such name.
    """
    if name == "__all__":
        return sorted(" ".join(modules.values()).split())
    if name in rooms:
        return importlib.import_module(f".{name}", package)
    module = next((module for module, given in modules.items() if name in given.split()), None)
    if module is None:
        raise AttributeError(_no_such_name(package, name))
    value = getattr(importlib.import_module(f".{module}", package), name)
    setattr(sys.modules[package], name, value)
    return value


def list_names(package: str, rooms: Sequence[str] = ()) -> list[str]:
    """List what a package gives, loaded or not: its ``__dir__`` is a `partial` of this."""
    module = sys.modules[package]
    return sorted({*vars(module), *module.__all__, *rooms})


# Room -> the names that notebooks use of it. In this order a name is looked for that is not given here.
_GIVEN = {
    "limits": "",
    "errors": "InputError KernelUnavailable NoSuchImage",
    "tree": "Device Directory File Symlink find make_tree sizes",
    "image": (
        "ChainID Changeset Container DiffID Digest Image ImageConfig ImageID Layer Whiteout chain_ids "
        "chain_text compact_json digest_bytes layer_tar member_names pack page_overlay parse_config "
        "pretty_json read_changeset short stream tiny_layer unpack verify write_tar"
    ),
    "overlay": "Overlay commit is_opaque is_whiteout parse_options to_changeset to_lowerdir to_lowerdirs",
    "linux": "after op parse_mount",
    "linux.proof": "BROKEN",
    "stores": (
        "Store four_stores open_store packings podman_layer_ids recorded_mount select shipped shipped_root visit"
    ),
    "stores.docker": "cat layer_size ls",
    "stores.audit": "LayerReader as_layout merged_entries overlay_of validate",
    "kernel": "catch prove",
    "views": (
        "ByteFlipper ChainStepper Detective LayerBrowser LayerPicker LookupTrace LowerdirOrder PathFinder "
        "Playground ReportKeeper RuleBreaker Session SourceChooser TamperLab chain_picture compared_table "
        "config_picture differing experiment_table field_table findings flip_bit folders_table hex_dump "
        "history_picture ids_table image_table journey_picture kinds_table layer_names layer_table "
        "layerdb_picture layers_table listing mount_lines mount_picture mount_words names_picture "
        "not_compared_table odd_layers open_own own_names own_report owners_table packing_table panes_picture "
        "places_table proof_table provenance_table recipe_table recorded_list recorded_table road_differences "
        "sharing_picture side_by_side source stack_table stores_picture table tell_visit trace tree_text "
        "waste_table who_notices writing_table"
    ),
    "course": "MapGuide check hint info_table machine_report map_picture page predict progress reset_progress",
}
_ROOMS = [*(room for room in _GIVEN if "." not in room), "cli"]

__getattr__ = partial(load_name, __name__, _GIVEN, rooms=_ROOMS)
__dir__ = partial(list_names, __name__, _ROOMS)


def _no_such_name(package: str, name: str) -> str:
    """Say that a package has no such name, and which room gives it."""
    complaint = f"module {package!r} has no attribute {name!r}"
    if package != __name__ or name.startswith("_"):
        return complaint
    rooms = (f"{package}.{room}" for room in _GIVEN)
    place = next((room for room in rooms if name in importlib.import_module(room).__all__), None)
    return f"{complaint}; {place} gives it" if place else complaint
