"""A Docker data root of the storage driver vfs, built in memory: every directory is a whole file system."""

import base64
import gzip
import hashlib
import io
import json
import tarfile

from tests.support.builders import config, member, sha, tar

CONTAINER = hashlib.sha256(b"container").hexdigest()
MOUNT = hashlib.sha256(b"mount").hexdigest()


def tar_split(layer):
    """What Docker keeps to rebuild a layer's tar: raw bytes, and names of files whose content goes in between."""
    lines, end = [], 0
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for item in archive:
            size = item.size if item.isreg() else 0
            lines.append({"type": 2, "payload": base64.b64encode(layer[end : item.offset_data]).decode()})
            lines.append({"type": 1, "name": item.name, "size": size, "payload": ""})
            end = item.offset_data + size
    lines.append({"type": 2, "payload": base64.b64encode(layer[end:]).decode()})
    numbered = (json.dumps(line | {"position": number}) for number, line in enumerate(lines))
    return gzip.compress("\n".join(numbered).encode())


def chain_ids(layers):
    """The chain_ids of some layers, bottom first."""
    chain: list[str] = []
    for layer in layers:
        chain.append(sha(f"{chain[-1]} {sha(layer)}".encode()) if chain else sha(layer))
    return chain


def cache_id(number):
    """The directory of a layer."""
    return hashlib.sha256(b"directory %d" % number).hexdigest()


def vfs_members(layers, directories, container=()):
    """The members of a root that holds one image, ``test/image:1``, and perhaps a container of it.

    Args:
        layers: The plain tars, bottom first.
        directories: For each layer the members of its directory.
        container: The members of the container's directory; of its init layer too.
    """
    raw, db = config(layers), "image/vfs"
    names = {"Repositories": {"test/image": {"test/image:1": sha(raw)}}}
    files = {
        f"{db}/repositories.json": json.dumps(names).encode(),
        f"{db}/imagedb/content/sha256/{sha(raw)[7:]}": raw,
    }
    below = ""
    for number, (layer, chain_id) in enumerate(zip(layers, chain_ids(layers), strict=True)):
        entry = f"{db}/layerdb/sha256/{chain_id[7:]}"
        files |= {
            f"{entry}/diff": sha(layer).encode(),
            f"{entry}/size": b"0",
            f"{entry}/cache-id": cache_id(number).encode(),
            f"{entry}/tar-split.json.gz": tar_split(layer),
        }
        files |= {f"{entry}/parent": below.encode()} if below else {}
        below = chain_id
    wholes = {cache_id(number): members for number, members in enumerate(directories)}
    if container:
        mounts = f"{db}/layerdb/mounts/{CONTAINER}"
        about = {"Name": "/web", "Image": sha(raw), "HostnamePath": f"/x/docker/containers/{CONTAINER}/hostname"}
        files |= {
            f"{mounts}/mount-id": MOUNT.encode(),
            f"{mounts}/init-id": f"{MOUNT}-init".encode(),
            f"{mounts}/parent": below.encode(),
            f"containers/{CONTAINER}/config.v2.json": json.dumps(about).encode(),
        }
        wholes |= {MOUNT: container, f"{MOUNT}-init": container}
    for name, members in wholes.items():
        yield member(f"vfs/dir/{name}", kind="dir")
        for info, data in members:
            yield renamed(info, f"vfs/dir/{name}/"), data
    for name, data in files.items():
        yield member(name, data)


def renamed(info, prefix):
    """A copy of a member's header, beneath a directory."""
    copy = tarfile.TarInfo(prefix + info.name)
    for key in ("type", "mode", "uid", "gid", "mtime", "size", "devmajor", "devminor"):
        setattr(copy, key, getattr(info, key))
    copy.linkname = prefix + info.linkname if info.islnk() else info.linkname
    return copy


def vfs_root(layers, directories, container=()):
    """The root as a tar; see `vfs_members`."""
    return tar(*vfs_members(layers, directories, container))
