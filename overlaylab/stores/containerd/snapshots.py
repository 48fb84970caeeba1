"""containerd's snapshots: from a key to the number of a directory, through two databases.

    meta.db:      v1 > NAMESPACE > snapshots > overlayfs > KEY > name, parent (a KEY)
    metadata.db:  v1 > snapshots > NAME > id, kind, parent (a NAME)       -> snapshots/<id>/{fs/,work/}

KEY is the chain_id for an unpacked layer of an image, and any text for others. NAME is ``NAMESPACE/NUMBER/KEY``, where
that number counts transactions: the directory's number is ``id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from overlaylab.errors import Finding, Problem
from overlaylab.stores.files.bolt import Bucket
from overlaylab.stores.storage_driver import collected

KINDS = {1: "view", 2: "active", 3: "committed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot of a namespace.

    Args:
        key: A chain_id, a container's ID, or another text.
        name: Its name in the snapshotter's own database.
        number: Its directory in ``snapshots/``.
        kind: ``committed``, ``active`` (writable) or ``view``.
        parent: The name of the snapshot below; empty for a bottom one.
    """

    namespace: str
    key: str
    name: str
    number: str
    kind: str
    parent: str


class Snapshots:
    """The snapshots of a root.

    Args:
        meta: The bucket ``v1`` of meta.db.
        metadata: The bucket ``v1`` of the snapshotter's metadata.db.
        where: What to call it in findings.
    """

    def __init__(self, meta: Bucket, metadata: Bucket, where: str) -> None:
        self._where = where
        self.problems: list[Problem] = []
        self._names: dict[str, Snapshot] = {}
        self._keys: dict[tuple[str, str], Snapshot] = {}
        self._numbers: dict[str, list[Snapshot]] = {}
        numbers = bucket_at(metadata, "snapshots")
        for namespace in meta:
            for key, entry in bucket_at(meta, text_of(namespace), "snapshots", "overlayfs").items():
                with collected(self.problems):
                    self._add(text_of(namespace), text_of(key), entry, numbers)

    def _add(self, namespace: str, key: str, entry: bytes | Bucket, numbers: Bucket) -> None:
        name = text_at(entry, "name") if isinstance(entry, dict) else ""
        stored = numbers.get(name.encode("utf-8", "surrogateescape"))
        where = f"{self._where}: {namespace} {key}"
        if not isinstance(stored, dict):
            raise Finding("missing-layer", where, f"a snapshot {name!r} in metadata.db", "nothing")
        kind, number = stored.get(b"kind", b""), stored.get(b"id", b"")
        if not isinstance(kind, bytes) or not isinstance(number, bytes) or len(kind) != 1 or kind[0] not in KINDS:
            raise Finding("bad-manifest", where, "an id and a kind", "something else")
        snapshot = Snapshot(
            namespace=namespace,
            key=key,
            name=name,
            number=str(varint(number, where)),
            kind=KINDS[kind[0]],
            parent=text_at(stored, "parent"),
        )
        self._names[name] = self._keys[namespace, key] = snapshot
        self._numbers.setdefault(snapshot.number, []).append(snapshot)

    def __iter__(self) -> Iterator[Snapshot]:
        """All snapshots, in the order of the database."""
        return iter(self._keys.values())

    def find(self, namespace: str, key: str) -> Snapshot | None:
        """The snapshot of this key; None if there is none, such as for a layer that is not unpacked."""
        return self._keys.get((namespace, key))

    def numbered(self, number: str) -> list[Snapshot]:
        """The snapshots whose directory has this number: normally one; none for a leftover directory."""
        return self._numbers.get(number, [])

    def below(self, snapshot: Snapshot) -> list[Snapshot]:
        """The snapshots below one, topmost first.

        Raises:
            Finding: ``parent-cycle``, ``missing-layer``.
        """
        found: list[Snapshot] = []
        met = {snapshot.name}
        while snapshot.parent:
            where = f"{self._where}: {snapshot.name}"
            if snapshot.parent in met:
                raise Finding("parent-cycle", where, "an end", snapshot.parent)
            if snapshot.parent not in self._names:
                raise Finding("missing-layer", where, f"a snapshot {snapshot.parent!r}", "nothing")
            met.add(snapshot.parent)
            snapshot = self._names[snapshot.parent]
            found.append(snapshot)
        return found


def bucket_at(bucket: Bucket, *path: str) -> Bucket:
    """A nested bucket; an empty one if there is none."""
    for name in path:
        found = bucket.get(name.encode("utf-8", "surrogateescape"))
        if not isinstance(found, dict):
            return {}
        bucket = found
    return bucket


def text_at(bucket: Mapping[bytes, bytes | Bucket], key: str) -> str:
    """A value as text; empty if there is none."""
    value = bucket.get(key.encode())
    return text_of(value) if isinstance(value, bytes) else ""


def text_of(value: bytes) -> str:
    """A name as the databases have it, as text."""
    return value.decode("utf-8", "surrogateescape")


def varint(raw: bytes, where: str) -> int:
    """A number as Go's ``binary.PutUvarint`` writes it.

    Raises:
        Finding: ``bad-manifest``.
    """
    value = 0
    for index, byte in enumerate(raw[:10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value
    raise Finding("bad-manifest", where, "a number", raw[:10])
