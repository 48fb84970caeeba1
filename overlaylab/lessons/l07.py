"""The exercises of notebook 07: which look tells a mistake, what a run reached, what may differ, and what is proved."""

from __future__ import annotations

from functools import cache

from ..broken import BROKEN
from ..compare import COMPARED, NOT_COMPARED
from ..exercises import exercise, letters
from ..experiments import Experiment, experiment, moments, parting, shortest
from ..kernel.proof import EXPERIMENTS, catch
from ..labels import PLACES, Labels
from ..ops import op
from ..readers.shipped import recorded_experiments
from .l05 import numbers

__all__: list[str] = []

# What is left of a refused call?

REFUSED = "mv-52"
LEFT = {"a": "nothing", "b": "opaque", "c": "gone", "d": "moved"}


def left() -> str:
    """The letter of what the kernel left in the upper after the call that it refused."""
    upper = {item["path"]: item for item in recorded_experiments()[REFUSED]["expected"]["upper"]}
    if "d" not in upper:
        return "d"
    if "e/y" not in upper:
        return "c"
    return "b" if "trusted.overlay.opaque" in upper["d"].get("xattrs", {}) else "a"


exercise("07-refused", left, nothing=lambda: "a", emptied=lambda: "c", moved=lambda: "d")


# Which places were reached?


@cache
def reached() -> int:
    """How many of the places the recorded proof's experiments reach."""
    labels = Labels()
    for one in map(experiment, range(EXPERIMENTS)):
        labels.begin()
        for _ in moments(one.overlay(), one.ops, labels=labels):
            pass
    return len(PLACES) - len(labels.missing(PLACES))


CHOICES = {"a": lambda: len(PLACES), "b": reached, "c": lambda: len(PLACES) // 2}

exercise(
    "07-reached",
    lambda: next(letter for letter, count in CHOICES.items() if count() == reached()),
    all=lambda: "a",
    few=lambda: "c",
)


# Which look tells?

LOOKS = {"answer": "a", "merged": "b", "upper": "c", "lowers": "d"}

exercise(
    "07-look",
    lambda: LOOKS[catch("everywhere").tells.what],
    answers=lambda: "a",
    merged=lambda: "b",
    lowers=lambda: "d",
)


# Cut it down

LONG = Experiment(
    ((("d/old", "file", "plain"), ("note", "file", "plain")),),
    (
        op("append", path="note", data=b"x"), op("unlink", path="d/old"), op("chmod", path="note", mode=0o600), op("rmdir", path="d"),
        op("mkdir", path="d", mode=0o755), op("create", path="d/new", data=b"n"), op("listdir", path="d"),
    ),
)  # fmt: skip


def needed() -> tuple[int, ...]:
    """The numbers of the operations that are needed for the broken rule to show."""
    model = BROKEN["opaque"].model
    least = shortest(LONG, lambda given: parting(given, model) is not None)
    return tuple(number for number, operation in enumerate(LONG.ops, start=1) if operation in least.ops)


exercise(
    "07-cut",
    needed,
    read=numbers,
    all=lambda: tuple(range(1, len(LONG.ops) + 1)),
    only_mkdir=lambda: (5,),
    look_too=lambda: (*needed(), 7),
    not_emptied=lambda: tuple(number for number in needed() if number != 2),
    file_too=lambda: (*needed(), 6, 7),
)


# What may differ?

FACTS = {"a": "atime", "b": "size of directories", "c": "mtime", "d": "raw inode numbers", "e": "nlink", "f": "value of trusted.overlay.origin"}


def differ(also: str = "", without: str = "") -> str:
    """The letters of what is not compared; the slips add or leave out some."""
    assert all(fact in COMPARED or fact in NOT_COMPARED for fact in FACTS.values())
    return "".join(letter for letter, fact in FACTS.items() if (fact in NOT_COMPARED or letter in also) and letter not in without)


exercise(
    "07-differ",
    differ,
    read=letters,
    all_times=lambda: differ(also="c"),
    links=lambda: differ(also="e"),
    origin=lambda: differ(without="f"),
    sizes=lambda: differ(without="b"),
    only_times=lambda: "ac",
)


# What is proved?

exercise(
    "07-proved",
    lambda: "b",
    read=letters,
    every_sequence=lambda: "ab",
    other_kernels=lambda: "bc",
    crash=lambda: "bd",
    concurrency=lambda: "be",
    everything=lambda: "abcde",
)
