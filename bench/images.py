"""The images that are measured: made from this machine's own files by our writer, the same on every run of one machine.

python -m bench.images FOLDER      # about 5 GB, two minutes
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from overlaylab.image.config import parse_config
from overlaylab.image.digest import DiffID, Digest, Hasher
from overlaylab.image.document import go_json
from overlaylab.image.media_types import MediaType
from overlaylab.image.tar_reader import Member
from overlaylab.image.tar_writer import END, file_member, member_header, padded
from overlaylab.overlay.oci.commits import LayerTar
from overlaylab.stores.archive_writer import write_docker_archive

SOURCES = ("usr/share", "usr/include", "usr/lib")
ENTRIES, BYTES = 70_000, 1_500_000_000
MANY, LAYERS = 1_000_000, 100
PIECE = 1 << 20


def members(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every path of a tree with what lstat says, parents first, names sorted."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        status = os.lstat(f"/{path}")
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            waiting += (f"{path}/{name}" for name in sorted(os.listdir(f"/{path}"), reverse=True))


def chosen() -> list[list[tuple[str, os.stat_result]]]:
    """What goes into the first two layers: /usr/share and /usr/include, then of /usr/lib what is wanting to the full
    size.
    """
    layers: list[list[tuple[str, os.stat_result]]] = [[], []]
    entries = total = 0
    for number, top in ((0, SOURCES[0]), (0, SOURCES[1]), (1, SOURCES[2])):
        for path, status in members(top):
            kind = stat.S_IFMT(status.st_mode)
            if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                continue
            if entries >= ENTRIES or total + status.st_size > BYTES:
                continue
            layers[number].append((path, status))
            entries += 1
            total += status.st_size if kind == stat.S_IFREG else 0
    return layers


def tar_of(entries: list[tuple[str, os.stat_result]]) -> Iterator[bytes]:
    """A layer tar of real files, piece by piece."""
    for path, status in entries:
        member = Member(
            name=path,
            type="0",
            mode=status.st_mode & 0o7777,
            uid=status.st_uid,
            gid=status.st_gid,
            size=0,
            mtime_ns=status.st_mtime_ns // 10**9 * 10**9,
            link="",
            rdev=(0, 0),
        )
        if stat.S_ISDIR(status.st_mode):
            member.type = "5"
            yield member_header(member)
        elif stat.S_ISLNK(status.st_mode):
            member.type, member.link = "2", os.readlink(f"/{path}")
            yield member_header(member)
        else:
            member.size = status.st_size
            yield member_header(member)
            yield from padded(content(f"/{path}", member.size), member.size)
    yield END


def content(path: str, size: int) -> Iterator[bytes]:
    """Exactly so many bytes of a file."""
    with open(path, "rb") as stream:
        while size:
            piece = stream.read(min(PIECE, size))
            if not piece:
                raise SystemExit(f"{path} became shorter meanwhile: run this again")
            size -= len(piece)
            yield piece


def last_layer(below: list[tuple[str, os.stat_result]]) -> Iterator[bytes]:
    """A layer that deletes each twentieth file and replaces each thirtieth."""
    files = [(path, status) for path, status in below if stat.S_ISREG(status.st_mode)]
    for number, (path, status) in enumerate(files):
        folder, _, name = path.rpartition("/")
        if number % 20 == 0:
            yield member_header(file_member(f"{folder}/.wh.{name}", 0))
        elif number % 30 == 1:
            yield member_header(file_member(path, status.st_size))
            yield from padded(content(f"/{path}", status.st_size), status.st_size)
    yield END


def spooled(pieces: Iterator[bytes], path: Path) -> LayerTar:
    """A layer tar kept in a file, since it is written into several archives."""
    hasher = Hasher()
    with path.open("wb") as out:
        for piece in pieces:
            hasher.update(piece)
            out.write(piece)
    return LayerTar(diff_id=DiffID(hasher.digest()), size=hasher.size, pieces=lambda: content(str(path), hasher.size))


def config_of(layers: list[LayerTar]):
    """The config of these layers, bottom first."""
    document = {
        "architecture": "amd64",
        "config": {},
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    return parse_config(go_json(document))


def oci_layout(folder: Path, spool: Path, layers: list[LayerTar], packer: list[str], suffix: str) -> None:
    """An OCI layout as a folder, its layers packed by the machine's own tool."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    config = config_of(layers)
    described = []
    for number in range(len(layers)):
        packed = spool / "packed"
        with packed.open("wb") as out, (spool / f"{number}.tar").open("rb") as plain:
            subprocess.run(packer, stdin=plain, stdout=out, check=True)
        hasher = Hasher()
        for piece in content(str(packed), packed.stat().st_size):
            hasher.update(piece)
        packed.rename(blobs / hasher.digest().hex)
        described.append(
            {"mediaType": f"{MediaType.OCI_LAYER}+{suffix}", "digest": hasher.digest(), "size": hasher.size}
        )
    manifest = go_json(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "config": {"mediaType": MediaType.OCI_CONFIG, "digest": config.image_id, "size": len(config.raw)},
            "layers": described,
        }
    )
    for data in (manifest, config.raw):
        (blobs / Digest.of(data).hex).write_bytes(data)
    index = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_INDEX,
        "manifests": [
            {
                "mediaType": MediaType.OCI_MANIFEST,
                "digest": Digest.of(manifest),
                "size": len(manifest),
                "annotations": {"org.opencontainers.image.ref.name": "1"},
            }
        ],
    }
    (folder / "index.json").write_bytes(go_json(index))
    (folder / "oci-layout").write_bytes(go_json({"imageLayoutVersion": "1.0.0"}))


def many_entries(entries: int, layers: int) -> list[LayerTar]:
    """Layers of empty files in small directories, each with a few names of the layer below deleted."""
    return [LayerTar.of(b"".join([*_many(number, entries // layers), END])) for number in range(layers)]


def _many(number: int, entries: int) -> Iterator[bytes]:
    for index in range(entries):
        folder, name = divmod(index, 100)
        if name == 0:
            member = file_member(f"d{number % 10}/s{number}/{folder}", 0)
            member.type = "5"
            yield member_header(member)
        elif name == 1 and number:
            yield member_header(file_member(f"d{(number - 1) % 10}/s{number - 1}/{folder}/.wh.f2", 0))
        else:
            yield member_header(file_member(f"d{number % 10}/s{number}/{folder}/f{name}", 0))


def write_many(path: Path, entries: int = MANY, layers: int = LAYERS) -> None:
    """A docker archive of so many entries in so many layers."""
    made = many_entries(entries, layers)
    with path.open("wb") as out:
        write_docker_archive(out, config_of(made), made, ["bench/many:1"])


def main(folder: str) -> None:
    """Make all images that are not there yet."""
    target, spool = Path(folder), Path(folder) / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    first, second = chosen()
    layers = [
        spooled(tar, spool / f"{number}.tar")
        for number, tar in enumerate((tar_of(first), tar_of(second), last_layer(first + second)))
    ]
    with (target / "save.tar").open("wb") as out:
        write_docker_archive(out, config_of(layers), layers, ["bench/usr:1"])
    for suffix, packer in (("gzip", ["gzip", "-6"]), ("zstd", ["zstd", "-q", "-3"])):
        oci_layout(target / suffix, spool, layers, packer, suffix)
    write_many(target / "many.tar")


if __name__ == "__main__":
    main(sys.argv[1])
