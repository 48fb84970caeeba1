"""A proof on a small budget: experiments made up from numbers, on the model and on a kernel, compared after every operation.

Where no kernel can be asked, what one did is in ``overlaylab/data/proof.json``: one digest for each moment.
``python tools/record_replays.py`` makes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.linux.proof.coverage import Labels
from overlaylab.linux.proof.experiments import Experiment, Parting, experiment, moments, parting, shortest
from overlaylab.linux.proof.mutants import BROKEN, Broken
from overlaylab.overlay.overlay import Overlay
from overlaylab.words import say

from .recorded_replays import Tried, tried
from .replays import Watched, as_mounted, compared, watched
from .syscalls import ROOT

__all__ = ["EXPERIMENTS", "Caught", "Proof", "catch", "prove", "recording"]

# How many experiments the recorded proof has; their numbers count from 0.
EXPERIMENTS = 50

# More than these are the business of ``make prove``.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel's side of a proof.

    Args:
        digests: For each experiment the digest of each moment.
        kernel: The kernel's release.
        mode: `ROOT` or ``user``.
        now: Whether this machine's kernel did it just now.
        why: Why it could not.
    """

    digests: tuple[tuple[str, ...], ...]
    kernel: str
    mode: str
    now: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof came to.

    Args:
        experiments: How many.
        operations: How many, all together.
        partings: Experiment and operation, from 1, where model and kernel part first; one for each experiment that shows it.
        labels: The places that the model reached.
        kernel: The other side.
    """

    experiments: int
    operations: int
    partings: tuple[tuple[int, int], ...]
    labels: Labels = field(repr=False)
    kernel: Kernel = field(repr=False)

    @property
    def equal(self) -> bool:
        """Whether model and kernel never part."""
        return not self.partings

    @property
    def origin(self) -> str:
        """Where the kernel's side comes from."""
        how = say("sides.root" if self.kernel.mode == ROOT else "sides.user")
        release = self.kernel.kernel.partition("-")[0]
        return say("tried.now" if self.kernel.now else "tried.recorded", kernel=release, how=how, why=self.kernel.why)

    def __repr__(self) -> str:
        words = {"experiments": self.experiments, "operations": f"{self.operations:,}", "count": len(self.partings)}
        if self.equal:
            return say("proof.equal", **words)
        number, position = self.partings[0]
        operation = experiment(number - 1).ops[position - 1]
        return say("proof.parts", **words, number=number, position=position, op=operation)


def prove(model: type[Overlay] = Overlay, first: int = 0, experiments: int = EXPERIMENTS) -> Proof:
    """Run experiments on the model and on a kernel, and compare after every operation: answer, upper, merged view, lowers.

    Args:
        model: The model, if another is to be tried.
        first: The number of the first experiment.
        experiments: How many.

    Raises:
        Finding: ``wrong-call`` for fewer than one experiment, or more than `MOST`.
        KernelUnavailable: This machine has no kernel for it, and these are not the experiments that were recorded.
    """
    if first < 0 or not 1 <= experiments <= MOST:
        raise Finding("wrong-call", "experiments", f"1 to {MOST}, and a number from 0", f"{experiments} from {first}")
    given = tuple(experiment(number) for number in range(first, first + experiments))
    kernel, labels, partings, operations = _kernel(first, experiments), Labels(), [], 0
    for number, (one, theirs) in enumerate(zip(given, kernel.digests, strict=True), start=first + 1):
        labels.begin()
        ours = moments(as_mounted(one.overlay(), kernel.mode), one.ops, model, labels)
        position = next(
            (
                place
                for place, (us, they) in enumerate(zip(ours, theirs), start=1)
                if us.digest(kernel.mode == ROOT) != they
            ),
            0,
        )
        operations += position or len(one.ops)
        partings += [(number, position)] if position else []
    return Proof(experiments, operations, tuple(partings), labels, kernel)


@cache
def _kernel(first: int, experiments: int) -> Kernel:
    """What this machine's kernel does, asked once, or else what one did."""
    given = tuple(experiment(number) for number in range(first, first + experiments))
    try:
        return _digests(watched([(one.overlay(), one.ops) for one in given]))
    except KernelUnavailable as unavailable:
        if first or experiments > EXPERIMENTS:
            raise
        data = json.loads(files("overlaylab").joinpath("data", "proof.json").read_text(encoding="utf-8"))
        return Kernel(
            tuple(map(tuple, data["digests"][:experiments])),
            data["kernel"],
            data["mode"],
            now=False,
            why=unavailable.reason,
        )


def _digests(done: Sequence[Watched]) -> Kernel:
    mode = done[0].mode
    return Kernel(
        tuple(tuple(moment.digest(mode == ROOT) for moment in one.moments) for one in done), done[0].kernel, mode
    )


def recording() -> dict[str, Any]:
    """The recorded proof as data for JSON, made anew by this machine's kernel; for root.

    Raises:
        KernelUnavailable: This machine cannot.
    """
    kernel = _digests(watched([(one.overlay(), one.ops) for one in map(experiment, range(EXPERIMENTS))], ROOT))
    return {
        "kernel": kernel.kernel.partition("-")[0],
        "mode": kernel.mode,
        "digests": [list(one) for one in kernel.digests],
    }


# --- a wrong model


@dataclass(frozen=True, slots=True)
class Caught:
    """A rule that was broken, and the least that shows it.

    Args:
        rule: What was broken.
        number: The first experiment that shows it, from 1.
        at: Where in that experiment.
        least: The least of it that still does.
        tells: Where that tells it.
        kernel: The least, done by the right model and by a kernel.
        noticed: Whether the kernel too does something else than the wrong model.
    """

    rule: Broken
    number: int
    at: Parting
    least: Experiment
    tells: Parting
    kernel: Tried
    noticed: bool


def catch(name: str) -> Caught:
    """Break a rule, look for an experiment that shows it, and cut that down.

    The right model is the judge while it is cut, because a kernel would need a mount for each try; then a kernel, or its
    record, is asked about what is left.

    Args:
        name: Of the rule, one of `BROKEN`.

    Raises:
        Finding: ``wrong-call`` if there is no such rule, or nothing shows it.
    """
    if name not in BROKEN:
        raise Finding("wrong-call", "rule", ", ".join(BROKEN), name)
    rule = BROKEN[name]
    number, at, least, tells = _cut_down(rule)
    done = tried(least.overlay(), least.ops, f"07-{name}")
    noticed = not compared(least.overlay(), least.ops, done.replay.kernel, rule.model).equal
    return Caught(rule, number + 1, at, least, tells, done, noticed)


@cache
def _cut_down(rule: Broken) -> tuple[int, Parting, Experiment, Parting]:
    """The first experiment that shows a broken rule, where; the least of it, and where that shows it."""
    model = rule.model
    shown = ((number, part) for number in range(EXPERIMENTS) if (part := parting(experiment(number), model)))
    number, at = next(shown, (-1, None))
    if at is None:
        raise Finding("wrong-call", "rule", "an experiment that shows it", rule.name)
    whole = experiment(number)
    least = shortest(replace(whole, ops=whole.ops[: at.number]), lambda given: parting(given, model) is not None)
    return number, at, least, parting(least, model)
