"""The image config: the document whose digest is the image ID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overlaylab.errors import Problem

from .digest import ChainID, DiffID, ImageID, chain_ids
from .document import Node, parse_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """The inner ``config`` object: what a container runs by default.

    Go's types call this one ``ImageConfig``; here that name is the whole document.
    JSON names: Entrypoint, Cmd, Env, WorkingDir, User, Labels, ExposedPorts.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str]
    exposed_ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One build step; only its ``empty_layer`` says whether it made a layer."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The **whole** config document, as the specification's prose uses the word.

    Args:
        raw: The bytes exactly as they were found. The image ID is the digest of these bytes.
        os: For example ``linux``.
        architecture: For example ``amd64``.
        variant: For example ``v7``, or an empty string.
        diff_ids: Bottom layer first.
        history: First build step first.
        execution: What a container runs by default.

    Spec:
        image-spec, config.md.
    """

    raw: bytes
    os: str
    architecture: str
    variant: str
    created: str
    diff_ids: tuple[DiffID, ...]
    history: tuple[HistoryEntry, ...]
    execution: ExecutionConfig

    @property
    def image_id(self) -> ImageID:
        """The digest of `raw`; ``docker image list`` shows its first 12 digits."""
        return ImageID.of(self.raw)

    @property
    def chain_ids(self) -> tuple[ChainID, ...]:
        """One chain_id per layer, bottom first."""
        return chain_ids(self.diff_ids)

    @property
    def platform(self) -> str:
        """``os/architecture`` or ``os/architecture/variant``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_config(raw: bytes, where: str = "config") -> ImageConfig:
    """Read an image config from its exact bytes.

    Args:
        raw: The document. It is kept, because only these bytes have the image ID as their digest.
        where: What to call the document in findings.

    Raises:
        Finding: ``bad-json``, ``duplicate-json-key``, ``bad-config``, ``bad-digest``.

    Spec:
        image-spec, config.md, "Properties". ``null`` counts as absent, unknown fields survive in `raw`.
    """
    root = parse_json(raw, where, "bad-config")
    rootfs = root.need("rootfs")
    return ImageConfig(
        raw=raw,
        os=root.string("os"),
        architecture=root.string("architecture"),
        variant=root.string("variant"),
        created=root.string("created"),
        # Choice: a rootfs without diff_ids, or with null, is an image of no layers.
        diff_ids=tuple(node.digest(DiffID) for node in rootfs.list_of("diff_ids")),
        history=tuple(_history_entry(node) for node in root.list_of("history")),
        execution=_execution(root.get("config")),
    )


def _history_entry(node: Node) -> HistoryEntry:
    if node.value is None:
        return HistoryEntry()
    empty = node.get("empty_layer")
    return HistoryEntry(
        created=node.string("created"),
        created_by=node.string("created_by"),
        comment=node.string("comment"),
        empty_layer=empty is not None and empty.flag(),
    )


def _execution(node: Node | None) -> ExecutionConfig:
    if node is None:
        return ExecutionConfig(labels={})
    ports = node.get("ExposedPorts")
    return ExecutionConfig(
        entrypoint=_words(node, "Entrypoint"),
        cmd=_words(node, "Cmd"),
        env=node.strings("Env"),
        working_dir=node.string("WorkingDir"),
        user=node.string("User"),
        labels=node.string_map("Labels"),
        exposed_ports=() if ports is None else tuple(name for name, _ in ports.fields()),
    )


def _words(node: Node, key: str) -> tuple[str, ...]:
    """A command: an array of words, or a single string, which early Docker wrote and all engines still accept."""
    found = node.get(key)
    return (found.text(),) if found is not None and isinstance(found.value, str) else node.strings(key)


def layer_history(config: ImageConfig) -> tuple[HistoryEntry | None, ...]:
    """Match each layer with the build step that made it, by ``empty_layer`` alone.

    A step of size 0 may have made a layer, and a step without ``empty_layer`` always did.

    Returns:
        One entry per layer, bottom first; all None when the numbers disagree, because any pairing would be a guess.

    Spec:
        image-spec, config.md, "history".
    """
    steps = [entry for entry in config.history if not entry.empty_layer]
    if len(steps) != len(config.diff_ids):
        return (None,) * len(config.diff_ids)
    return tuple(steps)


def history_problems(config: ImageConfig, where: str) -> Sequence[Problem]:
    """Report ``history-mismatch`` when there is a history that does not fit the layers."""
    steps = sum(not entry.empty_layer for entry in config.history)
    if not config.history or steps == len(config.diff_ids):
        return ()
    return (Problem("history-mismatch", f"{where}.history", f"{len(config.diff_ids)} steps with a layer", str(steps)),)
