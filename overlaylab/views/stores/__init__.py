"""The walk through a data root, the ID detective, owners, stores side by side."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "detective": "Detective names_picture",
        "docker_walk": "PathFinder folders_table layerdb_picture mount_picture tell_visit walk_picture walk_table",
        "name_lookup": "names_table",
        "ownership": "owners_table sharing_picture sharing_table",
        "stores_compared": "ids_table kinds_table layers_table own_stores recipe_table stores_picture tell_roots",
    },
)
