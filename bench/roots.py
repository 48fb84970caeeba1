"""A Docker root of many small layers, as the ``overlay2`` driver keeps them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from overlaylab.image.config import parse_config
from overlaylab.image.digest import DiffID
from overlaylab.image.document import go_json

__all__ = ["write_root"]

# Docker's own limit is 127.
LAYERS = 100


def write_root(folder: Path, layers: int) -> None:
    """Write a root with so many layers, a hundred to an image; no two images share one."""
    names: dict[str, dict[str, str]] = {}
    for number in range(layers // LAYERS):
        diff_ids = [DiffID.of(f"{number}/{step}".encode()) for step in range(LAYERS)]
        document = {
            "architecture": "amd64",
            "config": {},
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        config = parse_config(go_json(document))
        path = folder / "image" / "overlay2" / "imagedb" / "content" / "sha256" / config.image_id.hex
        _write(path, config.raw)
        names[f"bench/root{number}"] = {f"bench/root{number}:1": config.image_id}
        _layers(folder, diff_ids, config.chain_ids)
    _write(folder / "image" / "overlay2" / "repositories.json", json.dumps({"Repositories": names}).encode())


def _layers(folder: Path, diff_ids: list[DiffID], chain_ids: tuple[str, ...]) -> None:
    below: list[str] = []
    for position, (diff_id, chain_id) in enumerate(zip(diff_ids, chain_ids, strict=False)):
        layerdb = folder / "image" / "overlay2" / "layerdb" / "sha256" / chain_id.partition(":")[2]
        cache_id = hashlib.sha256(chain_id.encode()).hexdigest()
        link = hashlib.sha1(chain_id.encode()).hexdigest()[:26].upper()
        for name, text in (("diff", diff_id), ("cache-id", cache_id), ("size", "6")):
            _write(layerdb / name, text.encode())
        if position:
            _write(layerdb / "parent", chain_ids[position - 1].encode())
        home = folder / "overlay2" / cache_id
        _write(home / "diff" / "name", str(position).encode())
        _write(home / "link", link.encode())
        if below:
            _write(home / "lower", ":".join(f"l/{name}" for name in reversed(below)).encode())
        (folder / "overlay2" / "l").mkdir(exist_ok=True)
        (folder / "overlay2" / "l" / link).symlink_to(f"../{cache_id}/diff")
        below.append(link)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
