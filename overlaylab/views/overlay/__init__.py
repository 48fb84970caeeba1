"""Stacks of layers, lookups, the playground, the proof."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "kernel_comparison": "side_by_side",
        "pictures": "panes_picture stack_picture",
        "playground": "Playground",
        "proof": (
            "compared_table experiment_table not_compared_table places_table recorded_list recorded_table "
            "road_differences"
        ),
        "provenance": "layer_names",
        "rule_breaker": "RuleBreaker",
        "session": "Session",
        "text": "listing mount_words odd_layers provenance_table stack_table trace tree_text",
        "stack_widgets": "LayerPicker LookupTrace LowerdirOrder",
    },
)
__dir__ = partial(list_names, __name__)
