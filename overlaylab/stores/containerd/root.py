"""containerd's root: a content store of blobs, two bolt databases, and snapshots; Docker's images too, since 29.

    io.containerd.metadata.v1.bolt/meta.db: name -> digest of a manifest or an index
    -> io.containerd.content.v1.content/blobs/sha256/<hex> -> config -> diff_ids -> chain_ids
    -> meta.db: chain_id -> name of a snapshot -> metadata.db: number
    -> io.containerd.snapshotter.v1.overlayfs/snapshots/<number>/{fs/,work/}

Namespaces share blobs and nothing else: one chain_id may have a number in each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from overlaylab.errors import Finding, Problem
from overlaylab.image.digest import ChainID, Digest
from overlaylab.image.document import parse_json
from overlaylab.image.image import Container, Image, Layer
from overlaylab.image.manifest import Descriptor
from overlaylab.overlay.mount_options import Mount
from overlaylab.overlay.mount_parameters import PAGE
from overlaylab.stores.files.bolt import Bucket, read_database
from overlaylab.stores.files.place import Place, within
from overlaylab.stores.oci_layout import IndexWalker
from overlaylab.stores.storage_driver import StorageDriver, collected
from overlaylab.stores.store import DAEMON, META, Collector, NotChecked
from overlaylab.stores.unpacked_store import UnpackedStore

from .snapshots import Snapshot, Snapshots, bucket_at, text_at, text_of, varint

CONTENT = "io.containerd.content.v1.content"
SNAPSHOTTER = "io.containerd.snapshotter.v1.overlayfs"
SNAPSHOTS = f"{SNAPSHOTTER}/snapshots"
DEFAULT_ROOT, DOCKER_ROOT = "/var/lib/containerd", "/var/lib/docker"
MOBY = "moby"
_NUMBER = re.compile(r"[0-9]{1,20}")
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_BUILDKIT = re.compile(r"[0-9a-z]{25}(-view)?|sha256:[0-9a-f]{64}-view")


class _Walker(IndexWalker):
    """A walk from one target that also finds the directories of the layers unpacked in one namespace."""

    def __init__(self, place: Place, found: Collector, snapshots: Snapshots, namespace: str) -> None:
        super().__init__(place, found, partial=True)
        self._snapshots, self._namespace = snapshots, namespace

    def directory_of(self, chain_id: ChainID) -> str | None:
        snapshot = self._snapshots.find(self._namespace, chain_id)
        return snapshot.number if snapshot and snapshot.kind == "committed" else None


class SnapshotDirectories(StorageDriver):
    """The directories in ``snapshots/``, which have numbers for names and their content in ``fs/``."""

    inner = "fs"

    def names(self) -> tuple[str, ...]:
        """All directories, in the order of their numbers."""
        return tuple(sorted(super().names(), key=lambda name: (len(name), name)))

    def find(self, path: str) -> str | None:
        """The snapshot that a path leads through; a number alone must be whole."""
        return super().find(path) if "/" in path else path if path in self.names() else None


class ContainerdRoot(UnpackedStore):
    """A containerd root as a store; a directory or a tar of one, read alike, without locks and never changed.

    Args:
        place: The root, or Docker's root whose own containerd lies in ``containerd/daemon``.
    """

    directory_kind = "snapshot"

    def __init__(self, place: Place) -> None:
        self.docker = place if place.has(f"{DAEMON}/{META}") else None
        self.place = within(place, DAEMON) if self.docker else place
        self.content = within(self.place, CONTENT)
        self.driver = SnapshotDirectories(self.place, SNAPSHOTS, _NUMBER, "a number")
        self.default_root = f"{DOCKER_ROOT}/{DAEMON}" if self.docker else DEFAULT_ROOT
        self.marks = "user.overlay." if self.place.owner(SNAPSHOTS) else "trusted.overlay."
        found = Collector()
        self._meta = self._database(META, found)
        self.snapshots = self._read_snapshots(found)
        found.problems += self.snapshots.problems
        missing = tuple(self.driver.missing(snapshot.number for snapshot in self.snapshots))
        self._images = tuple(self._read_images(found))
        dockers = self.docker or any(image.namespace == MOBY for image in self._images)
        self.kind = "docker-containerd-root" if dockers else "containerd-root"
        self._containers = tuple(self._read_containers(found))
        found.problems += missing
        self.problems = tuple(dict.fromkeys(found.problems))
        found.not_checked += self._other_blobs()
        self.not_checked = tuple(dict.fromkeys(found.not_checked))

    def _database(self, path: str, found: Collector) -> Bucket:
        bucket, steady = read_database(self.place, path)
        if not steady:
            where = f"{self.place.where}: {path}"
            found.problems.append(Problem("changed-while-reading", where, "a database at rest", "an engine at work"))
        return bucket_at(bucket, "v1")

    def _read_snapshots(self, found: Collector) -> Snapshots:
        """The snapshots; none if their database cannot be read, since the blobs can be read without it."""
        path, where = f"{SNAPSHOTTER}/metadata.db", f"{self.place.where}: snapshots"
        with collected(found.problems):
            return Snapshots(self._meta, self._database(path, found) if self.place.has(path) else {}, where)
        return Snapshots({}, {}, where)

    # images

    def namespaces(self) -> tuple[str, ...]:
        """The namespaces, in the order of the database; the key ``version`` beside them is not one."""
        return tuple(text_of(name) for name, value in self._meta.items() if isinstance(value, dict))

    def _read_images(self, found: Collector) -> Iterator[Image]:
        for namespace in self.namespaces():
            targets: dict[Digest, tuple[Descriptor, list[str]]] = {}
            for key, entry in bucket_at(self._meta, namespace, "images").items():
                name = text_of(key)
                with collected(found.problems):
                    target = self._target(entry, f"{META}: {namespace} {name}")
                    targets.setdefault(target.digest, (target, []))[1].append(name)
            for target, names in targets.values():
                yield from self._images_of(namespace, target, names, found)

    def _target(self, entry: bytes | Bucket, where: str) -> Descriptor:
        target = bucket_at(entry, "target") if isinstance(entry, dict) else {}
        size = target.get(b"size", b"")
        number = varint(size if isinstance(size, bytes) else b"", where)
        # Zigzag: 0, -1, 1, -2, …
        return Descriptor(
            media_type=text_at(target, "mediatype"),
            digest=Digest(text_at(target, "digest"), where),
            size=number >> 1 ^ -(number & 1),
            annotations={},
            where=where,
        )

    def _images_of(self, namespace: str, target: Descriptor, names: list[str], found: Collector) -> Iterator[Image]:
        """The images that a target leads to, one per config, each with the target's names."""
        walker = _Walker(self.content, found, self.snapshots, namespace)
        walker.visit(target, 0, "", ())
        tags = tuple(sorted(name for name in names if _is_tag(name)))
        others = tuple(sorted(name for name in names if not _is_tag(name)))
        for entry in walker.entries.values():
            missing = self.driver.missing(layer.directory for layer in entry.image.layers if layer.directory)
            problems = (*entry.image.problems, *missing)
            image = replace(entry.image, id=target.digest, names=tags, references=others, namespace=namespace)
            yield replace(image, problems=problems)

    def _other_blobs(self) -> Iterator[NotChecked]:
        """Count the blobs that belong to no image."""
        known: set[str] = set()
        for image in self._images:
            manifest = image.manifest
            known |= {str(digest) for digest in (image.id, image.config_digest, image.manifest_digest, *image.indexes)}
            known |= {str(layer.digest) for layer in manifest.layers} if manifest else set()
        others = [name for name in self.content.names("blobs/sha256") if f"sha256:{name}" not in known]
        if others:
            yield NotChecked(f"{len(others)} blobs", "no image names them: attestations, build cache, or leftovers")

    # containers and mounts

    def _read_containers(self, found: Collector) -> Iterator[Container]:
        known: set[tuple[str, str]] = set()
        for namespace, container_id, name, image_id, key in self._listed_containers(found):
            snapshot = self.snapshots.find(namespace, key or container_id)
            if (namespace, container_id) in known:
                continue
            known.add((namespace, container_id))
            with collected(found.problems):
                if snapshot is None:
                    where = f"{self.place.where}: container {container_id}"
                    raise Finding("missing-layer", where, f"a snapshot {key or container_id}", "nothing")
                yield self._container(snapshot, container_id, name, image_id)

    def _listed_containers(self, found: Collector) -> Iterator[tuple[str, str, str, str, str]]:
        """Namespace, id, name, image, snapshot key: of Docker's configs, containerd's table, Docker's snapshots."""
        yield from self._docker_containers(found)
        for namespace in self.namespaces():
            images = [image for image in self._images if image.namespace == namespace]
            targets = {name: image.id for image in images for name in (*image.names, *image.references)}
            for key, entry in bucket_at(self._meta, namespace, "containers").items():
                container_id = text_of(key)
                entry = entry if isinstance(entry, dict) else {}
                snapshot_key, snapshotter = text_at(entry, "snapshotKey"), text_at(entry, "snapshotter")
                if snapshotter not in ("", "overlayfs") or not (
                    snapshot_key or self.snapshots.find(namespace, container_id)
                ):
                    why = f"its files are with {snapshotter or 'another store'}, not with the overlayfs snapshotter"
                    found.not_checked.append(NotChecked(f"container {container_id}", why))
                    continue
                label = text_at(bucket_at(entry, "labels"), "nerdctl/name")
                name = label or ("" if namespace == MOBY else container_id)
                yield namespace, container_id, name, targets.get(text_at(entry, "image"), ""), snapshot_key
        for snapshot in self.snapshots:
            # An ended container is known only to Docker's own files, which may lie elsewhere.
            if snapshot.namespace == MOBY and snapshot.kind == "active" and _CONTAINER.fullmatch(snapshot.key):
                yield MOBY, snapshot.key, "", "", snapshot.key

    def _docker_containers(self, found: Collector) -> Iterator[tuple[str, str, str, str, str]]:
        if self.docker is None:
            return
        for name in self.docker.names("containers"):
            path = f"containers/{name}/config.v2.json"
            if not _CONTAINER.fullmatch(name) or not self.docker.has(path):
                continue
            with collected(found.problems):
                config = parse_json(self.docker.read(path), f"{self.docker.where}: {path}", "bad-config")
                if config.string("Driver") not in ("", "overlayfs"):
                    continue
                recorded, _, rest = config.string("HostnamePath").partition("/containers/")
                self._recorded = f"{recorded}/{DAEMON}" if rest else self._recorded
                yield MOBY, name, config.string("Name").removeprefix("/"), config.string("Image"), name

    def _container(self, snapshot: Snapshot, container_id: str, name: str, image_id: str) -> Container:
        below = self.snapshots.below(snapshot)
        init = below[0].number if below and below[0].key == f"{snapshot.key}-init" else ""
        container = Container(
            id=container_id,
            name=name,
            image_id=image_id,
            lower=tuple(item.number for item in below),
            upper=snapshot.number,
            mount="",
            init=init,
            namespace=snapshot.namespace,
            problems=tuple(self.driver.missing(item.number for item in (snapshot, *below))),
        )
        return replace(container, mount=self.mount(container).options)

    def mount(self, target: Image | Container, root: str = "") -> Mount:
        """How containerd mounts it.

        Spec:
            containerd, mount/mount_linux.go: from a page less 512 bytes on, the lowers alone become relative.
        """
        base = f"{self._containerd_root(root)}/{SNAPSHOTS}"
        upper = target.upper if isinstance(target, Container) else None
        lower = [f"{number}/fs" for number in self.lower_names(target)]
        userxattr = self.marks.startswith("user.")
        if not lower and upper:
            return Mount(lowerdir=(f"{base}/{upper}/fs",), userxattr=userxattr)
        mount = Mount.at(base, lower, upper and f"{upper}/fs", upper and f"{upper}/work", userxattr)
        # containerd counts its own "index=off" but not the commas.
        length = len("index=off") + len(mount.options.replace(",", ""))
        return mount if length < PAGE - 512 or len(lower) < 2 else mount.relative(base, upper_too=False)

    def _not_unpacked(self, layer: Layer) -> Finding:
        expected = f"layer {layer.position} unpacked in a folder"
        return Finding("missing-layer", f"{self.place.where}: snapshots", expected, "only its blob")

    def _containerd_root(self, root: str) -> str:
        """containerd's own path, from `root`, the path of the opened root; from the recorded path if that is empty."""
        if not root:
            return self.root()
        root = root.rstrip("/")
        return f"{root}/{DAEMON}" if self.docker and not root.endswith(DAEMON) else root

    # directories and blobs

    def _directory_chain_ids(self) -> Iterator[tuple[str, str]]:
        for snapshot in self.snapshots:
            if snapshot.key.startswith("sha256:") and snapshot.kind == "committed":
                yield snapshot.number, snapshot.key

    def _is_build_cache(self, name: str, holds_layer: bool) -> bool:
        return any(
            _BUILDKIT.fullmatch(snapshot.key) or snapshot.namespace == "buildkit"
            for snapshot in self.snapshots.numbered(name)
        )

    def open_layer(self, layer: Layer) -> BinaryIO | None:
        """The layer's blob; None if it was dropped after unpacking."""
        return self.content.open(layer.source) if self.content.has(layer.source) else None


def _is_tag(name: str) -> bool:
    """Whether a name was given by a person, and is not a digest by which an engine keeps an image."""
    return "@" not in name and not name.startswith("sha256:")
