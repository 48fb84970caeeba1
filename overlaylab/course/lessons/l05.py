"""The exercises of notebook 05: what a deletion leaves in the upper and in a layer's tar, and the image's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overlaylab.course.answers import letters, numbers, words
from overlaylab.course.exercises import exercise, prediction
from overlaylab.image.changeset_tar import read_changeset, write_tar
from overlaylab.image.samples import layer_tar, member_names
from overlaylab.linux.shell import after
from overlaylab.overlay.oci.export_upper import to_changeset
from overlaylab.overlay.oci.import_layer import to_lowerdirs
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.tree import Directory, find, make_tree, walk

prediction("05-folder", "c", opaque="a", each="b")
prediction("05-shrink", "b", shrinks="a")

Tree = Mapping[str, Any]

BASE: Tree = {"docs": {"a": "a\n", "b": "b\n", "c": "c\n"}, "note": "a note\n"}

LINES = ("rm -r /docs", "mkdir /docs", "echo x > /docs/a", "rm /note", "echo y > /tmp", "rm /tmp")


def upper(lower: Tree = BASE, lines: Sequence[str] = LINES) -> Directory:
    """The upper after these commands."""
    return after(Overlay(lowerdirs=[make_tree(lower)]), *lines).upperdir or Directory()


SITE: Tree = {"site": {"old": {"x": "x\n", "y": "y\n"}}}

DELETED = "rm -r /site/old"

# The choices: a path, and a sign: w for a whiteout, o for an opaque directory, / for anything else.
HELD = {
    "a": ("site", "/"),
    "b": ("site/old", "o"),
    "c": ("site/old", "w"),
    "d": ("site/old/x", "w"),
    "e": ("site/old/y", "w"),
}


def held(*lines: str) -> str:
    """The letters of what the upper holds after these commands."""
    signs = {
        path: "w" if is_whiteout(inode) else "o" if is_opaque(inode) else "/"
        for path, inode in walk(upper(SITE, lines))
    }
    return "".join(letter for letter, (path, sign) in HELD.items() if signs.get(path) == sign)


exercise(
    "05-upper",
    lambda: held(DELETED),
    read=letters,
    opaque=lambda: held(DELETED, "mkdir /site/old"),
    opaque_too=lambda: held(DELETED) + "b",
    each=lambda: held(DELETED) + "de",
    files=lambda: held("rm /site/old/x", "rm /site/old/y"),
    no_parent=lambda: held(DELETED).replace("a", ""),
)


def marks(more_whiteouts: int = 0, opaque: bool = True) -> tuple[int, int]:
    """The numbers of whiteouts and of opaque directories; the slips add or leave out some."""
    found = [inode for _, inode in walk(upper())]
    return sum(map(is_whiteout, found)) + more_whiteouts, sum(map(is_opaque, found)) if opaque else 0


exercise(
    "05-marks",
    marks,
    read=numbers,
    one_more=lambda: marks(1),
    each=lambda: marks(len(BASE["docs"])),
    no_opaque=lambda: marks(opaque=False),
)


def members() -> list[str]:
    """The members of the tar that are whiteouts or opaque markers."""
    names = member_names(write_tar(to_changeset(upper())))
    return [name for name in names if name.rpartition("/")[2].startswith(".wh.")]


exercise(
    "05-archive",
    members,
    read=words,
    kernel=lambda: ["note", "docs"],
    no_place=lambda: [name.rpartition("/")[2] for name in members()],
    two_whiteouts=lambda: [".wh.note", ".wh.docs"],
    on_each=lambda: [
        ".wh.note",
        *(f"docs/.wh.{name}" for name in BASE["docs"] if find(upper(), f"docs/{name}") is None),
    ],
)


STACK: tuple[Sequence[str], ...] = (
    ("d/", "d/a", "d/b", "d/c"),
    ("d/", "d/.wh.a", "d/e"),
    ("d/", "d/b", "d/.wh..wh..opq", "d/new", ".wh.new"),
)


def left(without: Sequence[str] = (), own: bool = False) -> list[str]:
    """The listing of d.

    Args:
        without: Members that are overlooked.
        own: Whether the opaque marker deletes what comes before it in its own tar.
    """
    tars: list[Mapping[str, str]] = [{name: "" for name in layer if name not in without} for layer in STACK]
    layers = to_lowerdirs([read_changeset(layer_tar(tar)) for tar in tars])
    names = Overlay.of_layers(layers).readdir("d")
    top = STACK[-1]
    return [name for name in names if not own or top.index(f"d/{name}") > top.index("d/.wh..wh..opq")]


exercise(
    "05-left",
    left,
    read=words,
    order=lambda: left(own=True),
    no_mark=lambda: left(["d/.wh..wh..opq"]),
    everywhere=lambda: [name for name in left() if name != "new"],
    raw=lambda: sorted({name[2:] for layer in STACK for name in layer if name.startswith("d/") and name != "d/"}),
)


SIZES = {"base": 20, "data": 100, "report": 5, "rm": 0}


exercise(
    "05-pull",
    lambda: sum(SIZES.values()),
    shrinks=lambda: sum(SIZES.values()) - SIZES["data"],
    last_layer=lambda: SIZES["base"] + SIZES["data"],
    no_base=lambda: SIZES["data"] + SIZES["report"],
)
