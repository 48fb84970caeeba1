"""The walk through a data root, the ID detective, owners, stores side by side."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "detective": "Detective names_picture",
        "docker_walk": "folders_table layerdb_picture mount_picture tell_visit walk_picture walk_table",
        "name_lookup": "names_table",
        "path_finder": "PathFinder",
        "ownership": "owners_table sharing_picture sharing_table",
        "stores_compared": "ids_table kinds_table layers_table own_stores recipe_table stores_picture tell_roots",
    },
)
__dir__ = partial(list_names, __name__)
