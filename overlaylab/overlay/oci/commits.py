"""Commit: what a container wrote becomes a layer, and the layer makes a new image.

    upper directory -> changeset -> layer tar -> diff_id -> chain_id
                                                    |
    config of the image below  -------------->  new config bytes -> image ID

Every step is a function of its input. There is no clock here: the time is an
argument, and the same input gives the same image ID on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from overlaylab.errors import Finding
from overlaylab.image.changeset import Changeset
from overlaylab.image.changeset_tar import tar_pieces
from overlaylab.image.config import ExecutionConfig, ImageConfig, parse_config
from overlaylab.image.digest import ChainID, DiffID, Hasher, ImageID
from overlaylab.image.document import go_json, parse_json
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import TRUSTED
from overlaylab.tree import Directory

from .export_upper import to_changeset

# What docker writes about the one container that a layer came from. It would be wrong about the next layer.
_OF_ONE_STEP = ("container", "container_config", "id", "parent")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTar:
    """One layer's uncompressed tar; `pieces` makes it anew each time that it is asked for, and `size` are its bytes."""

    diff_id: DiffID
    size: int
    pieces: Callable[[], Iterator[bytes]]

    @classmethod
    def of(cls, source: Changeset | bytes) -> LayerTar:
        """The tar of a changeset, or these bytes as they are.

        Raises:
            Finding: as `tar_pieces`.
        """

        def pieces() -> Iterator[bytes]:
            return iter([source]) if isinstance(source, bytes) else tar_pieces(source)

        hasher = Hasher()
        for piece in pieces():
            hasher.update(piece)
        return cls(diff_id=DiffID(hasher.digest()), size=hasher.size, pieces=pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A new image: its config, and the one layer that it has more than the image below.

    Args:
        config: The new config; `config.raw` are the bytes that the image ID names.
        changeset: What the layer changes.
        layer: The layer's tar.
    """

    config: ImageConfig
    changeset: Changeset
    layer: LayerTar

    @property
    def diff_id(self) -> DiffID:
        """The name of the new layer's tar."""
        return self.layer.diff_id

    @property
    def chain_id(self) -> ChainID:
        """The name of the new layer on all that is beneath it."""
        return self.config.chain_ids[-1]

    @property
    def tar(self) -> bytes:
        """The new layer's tar in one piece; for small layers."""
        return b"".join(self.layer.pieces())

    @property
    def image_id(self) -> ImageID:
        """The name of the new config."""
        return self.config.image_id


def empty_config(
    architecture: str, os: str = "linux", variant: str = "", execution: ExecutionConfig | None = None
) -> ImageConfig:
    """The config of an image of no layers, to commit the first one on: what ``FROM scratch`` begins with.

    Args:
        architecture: As Go names it: ``amd64``, ``arm64``.
        os: As Go names it.
        variant: For example ``v7``.
        execution: What a container runs by default.

    Example:
        >>> empty_config("amd64").raw
        b'{"architecture":"amd64","config":{},"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    """
    document = {
        "architecture": architecture,
        "config": _execution(execution),
        "os": os,
        "variant": variant,
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    return _written({key: value for key, value in document.items() if value != ""})


def commit(
    config: ImageConfig,
    upper: Directory,
    *,
    created: str,
    created_by: str = "",
    comment: str = "",
    author: str = "",
    overlay: Overlay | None = None,
    marks: str = TRUSTED,
) -> Commit:
    """Make an image of an image and what a container wrote on it.

    Args:
        config: Of the image below.
        upper: The container's upper directory. It is not changed.
        created: When, as RFC 3339 text, such as ``2024-01-02T03:04:05Z``: the engine would look at its clock.
        created_by: What was run; for the history.
        comment: For the history.
        author: For the history, and for the new image if not empty.
        overlay: The mount that the upper belongs to; see `to_changeset`.
        marks: The namespace of its marks.

    Raises:
        Finding: ``unsupported-mark``, ``bad-whiteout``, ``missing-content`` with the path; ``wrong-call`` for a
            `created` that engines would refuse.

    Spec:
        image-spec, config.md; overlay vectors oci-23 to oci-31, img-01 to img-12.
    """
    changeset = to_changeset(upper, overlay, marks)
    if not _RFC3339.fullmatch(created):
        raise Finding("wrong-call", "created", "a time such as 2024-01-02T03:04:05Z", created)
    layer = LayerTar.of(changeset)
    step = {"created": created, "created_by": created_by, "author": author, "comment": comment}
    return Commit(config=_child(config, layer.diff_id, step), changeset=changeset, layer=layer)


def _child(config: ImageConfig, diff_id: DiffID, step: dict[str, str]) -> ImageConfig:
    """The config with one more layer and one more step of history.

    Choice: an image without any history gets an empty entry for each layer that it has, since history is matched to
    layers by counting, and the new step must not be taken for that of the bottom layer.
    """
    document = {
        key: value
        for key, value in parse_json(config.raw, "config", "bad-config").value.items()
        if key not in _OF_ONE_STEP
    }
    document |= {key: step[key] for key in ("created", "author") if step[key]}
    history: list[dict[str, Any]] = document.get("history") or [{} for _ in config.diff_ids]
    entry = {key: text for key, text in step.items() if text}
    document["history"] = [*history, entry]
    document["rootfs"] = {**document["rootfs"], "diff_ids": [*config.diff_ids, diff_id]}
    return _written(document)


def _written(document: dict[str, Any]) -> ImageConfig:
    """A config's bytes.

    Choice: as Docker writes them: compact, the outermost keys sorted, all others in the order that they have, escapes
    as Go makes them. Any form would do for the ID, since engines keep the bytes that they load; this one stays the
    same when an engine writes the document anew.
    """
    return parse_config(go_json(dict(sorted(document.items()))))


def _execution(execution: ExecutionConfig | None) -> dict[str, Any]:
    """The inner object, in the order of the fields of Go's type. Spec: image-spec, specs-go/v1/config.go."""
    if execution is None:
        return {}
    fields = {
        "User": execution.user,
        "ExposedPorts": {name: {} for name in sorted(execution.exposed_ports)},
        "Env": list(execution.env),
        "Entrypoint": list(execution.entrypoint),
        "Cmd": list(execution.cmd),
        "WorkingDir": execution.working_dir,
        "Labels": dict(sorted(execution.labels.items())),
    }
    return {key: value for key, value in fields.items() if value}
