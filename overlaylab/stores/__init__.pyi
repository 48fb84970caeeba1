# Made by tools/stubs.py from the names that __init__.py gives.
from . import docker as docker
from . import audit as audit
from .archive_writer import (write_docker_archive, write_oci_layout)
from .containers_storage import (podman_layer_ids)
from .detect import (open_store)
from .selection import (select)
from .shipped_files import (four_stores, packings, recorded_mount, shipped, shipped_root, visit)
from .store import (Store, home, unowned_directories)
__all__ = ["Store", "four_stores", "home", "open_store", "packings", "podman_layer_ids", "recorded_mount", "select",
    "shipped", "shipped_root", "unowned_directories", "visit", "write_docker_archive", "write_oci_layout"]
