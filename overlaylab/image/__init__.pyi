# Made by tools/stubs.py from the names that __init__.py gives.
from .changeset import (Changeset, Link, OpaqueWhiteout, Upsert, Whiteout, apply, flatten)
from .changeset_tar import (read_changeset, write_tar)
from .compression import (inflate, pack, sniff, unpack)
from .config import (HistoryEntry, ImageConfig, layer_history, parse_config)
from .digest import (ChainID, DiffID, Digest, Hasher, ImageID, chain_ids, chain_text, digest_bytes, short, verify)
from .document import (compact_json, field_at, pretty_json)
from .image import (Container, Image, Layer)
from .layer_blob import (hash_blob, read_content)
from .manifest import (Descriptor, Index, Manifest, Platform, parse_index, parse_manifest, select_platform)
from .media_types import (Compression, MediaType)
from .samples import (layer_tar, member_names, page_overlay, stream, tiny_layer)
__all__ = ["ChainID", "Changeset", "Compression", "Container", "Descriptor", "DiffID", "Digest", "Hasher",
    "HistoryEntry", "Image", "ImageConfig", "ImageID", "Index", "Layer", "Link", "Manifest", "MediaType",
    "OpaqueWhiteout", "Platform", "Upsert", "Whiteout", "apply", "chain_ids", "chain_text", "compact_json",
    "digest_bytes", "field_at", "flatten", "hash_blob", "inflate", "layer_history", "layer_tar", "member_names", "pack",
    "page_overlay", "parse_config", "parse_index", "parse_manifest", "pretty_json", "read_changeset", "read_content",
    "select_platform", "short", "sniff", "stream", "tiny_layer", "unpack", "verify", "write_tar"]
