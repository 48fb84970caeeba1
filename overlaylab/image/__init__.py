"""What an image is: exact bytes, digests, documents, and the changes that a layer tar stands for."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "changeset": "Changeset Link OpaqueWhiteout Upsert Whiteout apply flatten",
        "changeset_tar": "read_changeset write_tar",
        "compression": "inflate pack sniff unpack",
        "config": "HistoryEntry ImageConfig layer_history parse_config",
        "digest": "ChainID DiffID Digest Hasher ImageID chain_ids chain_text digest_bytes short verify",
        "document": "compact_json field_at pretty_json",
        "image": "Container Image Layer",
        "layer_blob": "hash_blob read_content",
        "manifest": "Descriptor Index Manifest Platform parse_index parse_manifest select_platform",
        "media_types": "Compression MediaType",
        "samples": "layer_tar member_names page_overlay stream tiny_layer",
    },
)
__dir__ = partial(list_names, __name__)
