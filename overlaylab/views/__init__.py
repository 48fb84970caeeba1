"""Values as text, tables, pictures and widgets."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "image": (
            "ByteFlipper ChainStepper chain_picture config_picture differing field_table flip_bit history_picture "
            "image_table layer_table packing_table writing_table"
        ),
        "kit": "Picture hex_dump source table",
        "overlay": (
            "LayerPicker LookupTrace LowerdirOrder Playground RuleBreaker Session compared_table experiment_table "
            "layer_names listing mount_words not_compared_table odd_layers panes_picture places_table "
            "provenance_table recorded_list recorded_table road_differences side_by_side stack_picture "
            "stack_table trace tree_text"
        ),
        "own": (
            "LayerBrowser ReportKeeper SourceChooser TamperLab findings journey journey_picture mount_lines "
            "open_own own_names own_report proof_table waste_table who_notices"
        ),
        "stores": (
            "Detective PathFinder folders_table ids_table kinds_table layerdb_picture layers_table mount_picture "
            "names_picture names_table own_stores owners_table recipe_table sharing_picture sharing_table "
            "stores_picture tell_roots tell_visit walk_picture walk_table"
        ),
    },
)
__dir__ = partial(list_names, __name__)
