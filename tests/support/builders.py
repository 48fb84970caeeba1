"""Small images built in memory with Python's own tarfile: another writer than the reader under test."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
TYPES = {
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "file": tarfile.REGTYPE,
}
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def sha(data, algorithm="sha256"):
    """The digest of some bytes, as text."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def member(name, data=b"", kind="file", link="", mode=None, uid=0, gid=0, rdev=(0, 0), mtime=1_700_000_000, pax=None):
    """One member for `tar`: its header and its content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime, info.uid, info.gid = TYPES[kind], link, mtime, uid, gid
    info.mode = (0o755 if kind == "dir" else 0o644) if mode is None else mode
    info.devmajor, info.devminor = rdev
    info.size = len(data)
    info.pax_headers = pax or {}
    return info, data


def tar(*members, form=tarfile.PAX_FORMAT):
    """A tar; a plain name stands for an empty file, or with a slash at the end for a folder."""
    out = io.BytesIO()
    for item in members:
        if isinstance(item, str):
            item = member(item.rstrip("/"), kind="dir" if item.endswith("/") else "file")
        info, data = item
        out.write(info.tobuf(form, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512))
    return out.getvalue() + bytes(1024)


def config(layers, algorithm="sha256", **fields):
    """The config of an image with these plain layer tars, bottom first; a field of None is left out."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [sha(layer, algorithm) for layer in layers]},
        "history": [{"created_by": f"step {i}"} for i in range(len(layers))],
    } | fields
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def docker_archive(*images, extra=(), manifest=None):
    """A docker save tar.

    Each image is ``(layers, fields)``: fields of `config`, and ``tags``, ``raw`` (the config), ``plain`` (the
    uncompressed layers by position, where a layer is packed).
    """
    members: dict[str, bytes] = {}
    entries = []
    for layers, fields in images:
        fields = dict(fields)
        tags = fields.pop("tags", ["test/image:1"])
        plain = fields.pop("plain", {})
        raw = fields.pop("raw", None) or config([plain.get(i, layer) for i, layer in enumerate(layers)], **fields)
        names = [f"{hashlib.sha256(b'v1' + layer).hexdigest()}/layer.tar" for layer in layers]
        members |= dict(zip(names, layers, strict=False)) | {f"{sha(raw)[7:]}.json": raw}
        entries.append({"Config": f"{sha(raw)[7:]}.json", "RepoTags": tags, "Layers": names})
    members["manifest.json"] = json.dumps(entries).encode() if manifest is None else manifest
    return tar(*(member(name, data) for name, data in members.items()), *extra)


class Layout:
    """An OCI image layout that is filled step by step."""

    def __init__(self, algorithm="sha256"):
        self.algorithm, self.blobs, self.entries = algorithm, {}, []

    def blob(self, data, media_type, **fields):
        """Put a blob; the result is its descriptor."""
        digest = sha(data, self.algorithm)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)} | fields

    def image(self, layers, pack=gzip.compress, media_type=None, raw=None, **fields):
        """Put an image; the result is the descriptor of its manifest."""
        raw = raw or config(layers, self.algorithm, **fields)
        media_type = media_type or (LAYER + "+gzip" if pack is gzip.compress else LAYER)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(raw, CONFIG),
            "layers": [self.blob(pack(layer), media_type) for layer in layers],
        }
        return self.blob(json.dumps(document).encode(), MANIFEST)

    def index(self, *descriptors):
        """Put an index of these descriptors; the result is its own."""
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(descriptors)}
        return self.blob(json.dumps(document).encode(), INDEX)

    def name(self, descriptor, name=None):
        """Let index.json name a descriptor."""
        note = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
        self.entries.append(descriptor | note)
        return self

    def members(self, without=()):
        """The members of the layout's tar."""
        index = json.dumps({"schemaVersion": 2, "manifests": self.entries}).encode()
        yield member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        yield member("index.json", index)
        for digest, data in self.blobs.items():
            if digest not in without:
                yield member("blobs/" + digest.replace(":", "/"), data)

    def tar(self, without=()):
        """The layout as a tar."""
        return tar(*self.members(without))


def write(folder, data, name="input"):
    """Put an input under a name that says nothing."""
    path = folder / name
    path.write_bytes(data)
    return path


def unpack(archive, folder, wanted=lambda member: not (member.ischr() or member.isblk())):
    """Unpack a tar of our own, on every Python; device nodes need root and are left out."""
    # Pythons before 3.11.4 know no filters, and those from 3.14 on warn without one.
    archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    archive.extractall(folder, members=[item for item in archive if wanted(item)])
