# Made by tools/stubs.py from the names that __init__.py gives.
from .detective import (Detective, names_picture)
from .docker_walk import (folders_table, layerdb_picture, mount_picture, tell_visit, walk_picture, walk_table)
from .name_lookup import (names_table)
from .path_finder import (PathFinder)
from .ownership import (owners_table, sharing_picture, sharing_table)
from .stores_compared import (ids_table, kinds_table, layers_table, own_stores, recipe_table, stores_picture,
    tell_roots)
__all__ = ["Detective", "PathFinder", "folders_table", "ids_table", "kinds_table", "layerdb_picture", "layers_table",
    "mount_picture", "names_picture", "names_table", "own_stores", "owners_table", "recipe_table", "sharing_picture",
    "sharing_table", "stores_picture", "tell_roots", "tell_visit", "walk_picture", "walk_table"]
