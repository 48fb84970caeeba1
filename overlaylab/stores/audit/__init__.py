"""What can be asked of an image in a store: is it intact, what is this ID, who owns this directory."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "identify": "investigate names_of",
        "layer_changes": "layer_work",
        "layer_reader": "LayerReader",
        "learner_image": "as_layout live_stores open_own",
        "owners": "images_of owner_facts",
        "tampering": "tamper",
        "validation": "Report merged_entries overlay_of validate",
    },
)
__dir__ = partial(list_names, __name__)
