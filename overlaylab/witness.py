"""Who notices a change: each check that readers make, and what it says before and after."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .errors import Problem
from .image import Image

__all__ = ["CHECKS", "Witness", "check_of", "witnesses"]

# The checks, in the order in which a reader comes to them.
CHECKS = ("reads", "manifest", "config", "tables", "blob", "diff_id", "content")
# What a check compares, by the kind of its findings; all other kinds say that something cannot be read.
KINDS_OF = {
    "diff_id": {"diffid-mismatch"},
    "content": {"crc-mismatch", "missing-content", "tarsplit-order"},
    "tables": {
        "chain-mismatch",
        "dangling-link",
        "lower-mismatch",
        "missing-cache-dir",
        "missing-image",
        "missing-layer",
        "parent-cycle",
    },
}
OF_A_NAME = {"digest-mismatch", "name-mismatch", "size-mismatch"}


@dataclass(frozen=True, slots=True)
class Witness:
    """One check, and what it says about a change.

    Args:
        check: A word of `CHECKS`.
        verdict: ``notices``; ``silent``, it was made and found nothing new; ``unasked``, the reading ended before it;
            ``absent``, this kind of store has nothing to compare.
        problem: What it found.
    """

    check: str
    verdict: str
    problem: Problem | None = None


def check_of(problem: Problem, image: Image) -> str:
    """Which check found this problem.

    Args:
        image: As it was before the change.
    """
    if problem.kind in OF_A_NAME | KINDS_OF["diff_id"] and any(
        layer.directory and f"/{layer.directory}/" in problem.where for layer in image.layers
    ):
        return "content"
    for check, kinds in KINDS_OF.items():
        if problem.kind in kinds:
            return check
    if problem.kind not in OF_A_NAME:
        return "reads"
    if any(problem.where.endswith(layer.source) for layer in image.layers):
        return "blob"
    documents = filter(None, (image.manifest_digest, *image.indexes, *image.other_manifests))
    if (
        image.config_digest
        and image.config_digest.hex not in problem.where
        and any(digest.hex in problem.where for digest in documents)
    ):
        return "manifest"
    return "config"


def witnesses(
    image: Image,
    before: Iterable[Problem],
    after: Iterable[Problem],
    possible: Collection[str],
    reached: Collection[str],
) -> Sequence[Witness]:
    """What each check says.

    Args:
        image: As it was before the change.
        before: What was wrong then; it does not count.
        after: What is wrong now.
        possible: The checks that this kind of store allows.
        reached: The checks that were made after the change.
    """
    old = {_told(problem) for problem in before}
    found: dict[str, Problem] = {}
    for problem in after:
        if _told(problem) not in old:
            found.setdefault(check_of(problem, image), problem)
    return tuple(_witness(check, found.get(check), check in possible, check in reached) for check in CHECKS)


def _told(problem: Problem) -> tuple[str, str, str, str]:
    """A problem, wherever its place begins to be called by a path: a folder in a folder, or a folder of a tar."""
    return problem.kind, problem.where.replace(": ", "/"), problem.expected, problem.found


def _witness(check: str, problem: Problem | None, possible: bool, reached: bool) -> Witness:
    if problem is not None:
        return Witness(check, "notices", problem)
    return Witness(check, "absent" if not possible else "silent" if reached else "unasked")
