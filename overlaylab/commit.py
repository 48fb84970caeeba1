"""Make an image out of a container: its upper becomes one more layer, and the config gets one more diff_id."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .changeset import Changeset, write_tar
from .config import ImageConfig, parse_config
from .digest import ChainID, DiffID, ImageID, chain_text
from .overlay import Overlay
from .translate import to_changeset
from .tree import Directory

__all__ = ["Commit", "commit"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A new layer, and the image that has it on top.

    Args:
        changeset: What the upper changed, in an archive's terms.
        tar: The layer, uncompressed: the same bytes each time.
        diff_id: Its digest.
        chain_id: The name of the layer with all beneath.
        config: The new image's config.
    """

    changeset: Changeset
    tar: bytes
    diff_id: DiffID
    chain_id: ChainID
    config: ImageConfig

    @property
    def image_id(self) -> ImageID:
        """The digest of the new config's bytes."""
        return self.config.image_id


def commit(overlay: Overlay, config: ImageConfig, created: str = "2001-09-09T01:46:40Z", created_by: str = "overlaylab") -> Commit:
    """Do what ``docker commit`` does.

    Args:
        overlay: A container; files of its upper with their content.
        config: Of the image that it was made from.
        created: The time that the new config tells.
        created_by: The build step that the new config tells.

    Spec:
        image-spec, config.md: rootfs.diff_ids and history grow by one; all else stays.
    """
    changeset = to_changeset(overlay.upperdir or Directory(), overlay)
    tar = write_tar(changeset)
    diff_id = DiffID.of(tar)
    below = config.chain_ids
    chain_id = ChainID.of(chain_text(below[-1], diff_id).encode()) if below else ChainID(diff_id)
    document = json.loads(config.raw)
    document["created"] = created
    document["rootfs"] = {**document["rootfs"], "diff_ids": [*document["rootfs"]["diff_ids"], diff_id]}
    document["history"] = [*document.get("history", []), {"created": created, "created_by": created_by}]
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Commit(changeset, tar, diff_id, chain_id, parse_config(raw))
