"""Small file systems and layers for experiments, made in memory, the same every time."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from overlaylab.tree import MADE_AT, Directory, make_tree

# The directories of the web page's overlayfs example, in the order of its listing, and the files in them.
PAGE = {"Fruits": ("Apple", "Orange", "Tomato"), "Meat": ("Beef", "cccc", "Pork"), "Vegetables": ("Carrots", "Tomato")}

# Layers that broke a tool once: a title, and the members of the tar.
ODD_LAYERS: dict[str, dict[str, str]] = {
    "the mark after its sibling": {"docs/": "", "docs/new": "", "docs/.wh..wh..opq": ""},
    "a name with .wh. inside": {".wh.note.wh.b": ""},
    "a whiteout of nothing": {".wh.nobody": ""},
    "a whiteout of no name": {"docs/": "", "docs/.wh.": ""},
    "a leftover of AUFS": {".wh..wh.plnk/": "", ".wh..wh..opaque": ""},
    "the same name elsewhere": {".wh.a": ""},
}


def page_overlay() -> dict[str, Directory]:
    """The directories Fruits, Meat and Vegetables of the web page's example.

    The page shows no contents, so each file contains the name of its directory.

    Example:
        >>> page_overlay()["Fruits"].names["Tomato"].data
        b'Tomato from Fruits\\n'
    """
    return {
        directory: make_tree({name: f"{name} from {directory}\n" for name in names})
        for directory, names in PAGE.items()
    }


def tiny_layer() -> bytes:
    """A layer with one directory and one file: a plain tar, the same bytes on every machine.

    Example:
        >>> len(tiny_layer())
        10240
    """
    text = b"Hello from a layer.\n" * 20
    directory, file = tarfile.TarInfo("etc"), tarfile.TarInfo("etc/motd")
    directory.type, directory.mode, file.size = tarfile.DIRTYPE, 0o755, len(text)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(directory)
        tar.addfile(file, io.BytesIO(text))
    return out.getvalue()


def layer_tar(members: Mapping[str, str]) -> io.BytesIO:
    """A small layer as a stream: a plain tar, the same bytes on every machine.

    Args:
        members: Maps a name to a file's content; a name that ends in ``/`` is a directory.

    Example:
        >>> from overlaylab.image.changeset_tar import read_changeset
        >>> [change.path for change in read_changeset(layer_tar({"etc/": "", "etc/motd": "hello"})).changes]
        ['etc', 'etc/motd']
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            member, data = tarfile.TarInfo(name.rstrip("/")), content.encode()
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.mode = 0o755 if name.endswith("/") else 0o644
            member.size, member.mtime = len(data), MADE_AT // 10**9
            tar.addfile(member, io.BytesIO(data))
    out.seek(0)
    return out


def member_names(tar: bytes) -> list[str]:
    """The names of a tar's members, in order."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getnames()


def stream(data: bytes) -> io.BytesIO:
    """A stream over bytes."""
    return io.BytesIO(data)
