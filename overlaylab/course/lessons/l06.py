"""The exercises of notebook 06: the cost of copy-up, broken hard links, renames, what a commit changes."""

from __future__ import annotations

from collections.abc import Sequence

from overlaylab.course.answers import letters, numbers, words
from overlaylab.course.exercises import exercise, prediction
from overlaylab.image.digest import DiffID, chain_ids
from overlaylab.linux.operations import Player, op
from overlaylab.linux.shell import after
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, File, make_tree, sizes

prediction("06-append", "c", change_only="a", block="b")
prediction("06-linked", "b", as_on_disk="a")
prediction("06-opened", "c", stale="a", both_new="b")
prediction("06-hollow", "b", any="a", none="c")
prediction("06-below", "c", all_change="a", last_changes="b")


def over(lower: Directory, lines: Sequence[str]) -> Overlay:
    """One lower layer and an empty upper, after these commands."""
    return after(Overlay(lowerdirs=[lower]), *lines)


FILES = {"log": "l" * 300, "data": "d" * 5000}

LINES = ("cat data", "echo x >> log", "chmod 600 data", "mv log old")


def cost(lines: Sequence[str] = LINES) -> int:
    """The bytes of the upper's files."""
    return sizes(over(make_tree(FILES), lines).upperdir or Directory())


exercise(
    "06-bytes",
    cost,
    change_only=lambda: len("x\n"),
    chmod_free=lambda: cost([line for line in LINES if not line.startswith("chmod")]),
    move_copies=lambda: cost() + len(FILES["log"]) + len("x\n"),
    no_newline=lambda: cost() - 1,
)


LINKED = ("a", "b", "c")


def new_names() -> list[str]:
    """The names that show the new content."""
    file = File.of(b"old\n", nlink=len(LINKED))
    overlay = over(Directory(names=dict.fromkeys(LINKED, file)), ["echo new > b"])
    found = {name: overlay.lookup(name).inode for name in LINKED}
    return [name for name, inode in found.items() if isinstance(inode, File) and inode.data == b"new\n"]


exercise(
    "06-names",
    new_names,
    read=words,
    as_on_disk=lambda: list(LINKED),
    the_others=lambda: [name for name in LINKED if name not in new_names()],
)


# In order: two are opened before the file is written, two after.
READERS = (
    (op("open", path="note", flags=0, fd="a"), op("mmap", fd="a", map="b")),
    (op("open", path="note", flags=0, fd="c"), op("mmap", fd="c", map="d")),
)


def readers() -> str:
    """The letters of the descriptors and mappings that show the new content."""
    player = Player(Overlay(lowerdirs=[make_tree({"note": "old\n"})], upperdir=Directory()))
    before, later = READERS
    for operation in (*before, op("write_file", path="note", data=b"new\n"), *later):
        player.do(operation)
    looks = {
        name: op("pread", fd=name, count=9, offset=0) if name in "ac" else op("mread", map=name) for name in "abcd"
    }
    return "".join(name for name, look in looks.items() if player.do(look).value == b"new\n")


exercise(
    "06-readers",
    readers,
    read=letters,
    stale=lambda: readers().replace("a", ""),
    map_too=lambda: readers() + "b",
    maps_stale=lambda: readers().replace("d", ""),
    turned=lambda: readers().replace("a", "b"),
)


CASES = {
    "a": ("mv /file /moved",),
    "b": ("mv /empty /moved",),
    "c": ("mkdir /made", "mv /made /moved"),
    "d": ("rm /full/x", "mv /full /moved"),
    "e": ("rm -r /full", "mkdir /full", "mv /full /moved"),
}


def moves() -> str:
    """The letters of what a single rename moves."""
    lower = make_tree({"file": "", "empty": {}, "full": {"x": ""}})
    return "".join(letter for letter, lines in CASES.items() if "moved" in over(lower, lines).readdir())


exercise(
    "06-moves",
    moves,
    read=letters,
    empty_too=lambda: moves() + "b",
    nothing_left=lambda: moves() + "d",
    both_empty=lambda: moves() + "bd",
    not_opaque=lambda: moves().replace("e", ""),
    no_directory="a",
)


OLD = 12


def names_after_commit() -> tuple[int, int]:
    """The number of diff_ids after a commit, and the number of old chain_ids that changed."""
    diff_ids = [DiffID.of(bytes([number])) for number in range(OLD + 1)]
    before, now = chain_ids(diff_ids[:OLD]), chain_ids(diff_ids)
    return len(now), sum(one != two for one, two in zip(before, now, strict=False))


exercise(
    "06-commit",
    names_after_commit,
    read=numbers,
    all_change=lambda: (OLD + 1, OLD),
    squashed=lambda: (1, OLD),
    in_place=lambda: (OLD, 1),
    last_changes=lambda: (OLD + 1, 1),
)
