"""The exercises of notebook 07: what reveals a mistake in the model, what may differ, and what is proved."""

from __future__ import annotations

from overlaylab.course.answers import in_order, letters, numbers
from overlaylab.course.exercises import exercise, prediction
from overlaylab.kernel.proof import catch
from overlaylab.linux.operations import op
from overlaylab.linux.proof.compare import COMPARED, NOT_COMPARED
from overlaylab.linux.proof.experiments import Experiment, parting, shortest
from overlaylab.linux.proof.mutants import BROKEN

prediction("07-refused", "b", nothing="a", emptied="c", moved="d")
prediction("07-reached", "b", all="a", few="c")
prediction("07-look", "c", answers="a", merged="b", lowers="d")
prediction("07-roads", "a", marks="b", times="c")


LOOKS = {"answer": "a", "merged": "b", "upper": "c"}

RULES = ("data", "listing", "origin")


def tells() -> str:
    """The letters of what first reveals each broken rule."""
    return "".join(LOOKS[catch(name).tells.what] for name in RULES)


exercise(
    "07-tells",
    tells,
    read=in_order,
    all_answers="aaa",
    data_answer=lambda: "a" + tells()[1:],
    origin_merged=lambda: tells()[:2] + "b",
    listing_merged=lambda: tells()[0] + "b" + tells()[2],
    turned=lambda: tells()[::-1],
)


LONG = Experiment(
    ((("d/old", "file", "plain"), ("note", "file", "plain")),),
    (
        op("append", path="note", data=b"x"),
        op("unlink", path="d/old"),
        op("chmod", path="note", mode=0o600),
        op("rmdir", path="d"),
        op("mkdir", path="d", mode=0o755),
        op("create", path="d/new", data=b"n"),
        op("listdir", path="d"),
    ),
)


def needed() -> tuple[int, ...]:
    """The numbers of the operations that are needed to reveal the broken rule."""
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


FACTS = {
    "a": "atime",
    "b": "size of directories",
    "c": "mtime",
    "d": "raw inode numbers",
    "e": "nlink",
    "f": "value of trusted.overlay.origin",
}


def differ(also: str = "", without: str = "") -> str:
    """The letters of the facts that are not compared; the slips add or leave out some."""
    assert all(fact in COMPARED or fact in NOT_COMPARED for fact in FACTS.values())
    return "".join(
        letter for letter, fact in FACTS.items() if (fact in NOT_COMPARED or letter in also) and letter not in without
    )


exercise(
    "07-differ",
    differ,
    read=letters,
    all_times=lambda: differ(also="c"),
    links=lambda: differ(also="e"),
    origin=lambda: differ(without="f"),
    sizes=lambda: differ(without="b"),
    only_times="ac",
)


exercise(
    "07-proved",
    "b",
    read=letters,
    every_sequence="ab",
    other_kernels="bc",
    crash="bd",
    concurrency="be",
    everything="abcde",
)
