"""A small proof: generated experiments run on the model and on a kernel, compared after every operation.

Machines that cannot mount use the record in ``overlaylab/data/proof.json``, which holds one digest for each moment.
``python tools/record_replays.py`` renews it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.linux.proof.coverage import Coverage
from overlaylab.linux.proof.experiments import Experiment, Parting, experiment, moments, parting, shortest
from overlaylab.linux.proof.mutants import BROKEN, Mutant
from overlaylab.overlay.overlay import Overlay
from overlaylab.words import say

from .recorded_replays import Comparison, compare_with_kernel, origin
from .replays import Watched, as_mounted, compared, watched
from .syscalls import ROOT

# The number of experiments in the recorded proof; they count from 0.
EXPERIMENTS = 50

# ``make prove`` runs more.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel's side of a proof.

    Args:
        digests: For each experiment the digest of each moment.
        kernel: The kernel's release.
        mode: `ROOT` or ``user``.
        now: Whether this is no record, but this machine's kernel.
        why: Why this machine's kernel could not be used; empty if it was.
    """

    digests: tuple[tuple[str, ...], ...]
    kernel: str
    mode: str
    now: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a proof.

    Args:
        experiments: The number of experiments.
        operations: The number of operations in all of them.
        partings: ``(experiment, operation)``, counted from 1, of the first difference in each experiment that has one.
        labels: The places of the model that were reached.
        kernel: The kernel's side.
    """

    experiments: int
    operations: int
    partings: tuple[tuple[int, int], ...]
    labels: Coverage = field(repr=False)
    kernel: Kernel = field(repr=False)

    @property
    def equal(self) -> bool:
        """Whether model and kernel agree everywhere."""
        return not self.partings

    @property
    def origin(self) -> str:
        """Where the kernel's side comes from."""
        return origin(self.kernel.kernel, self.kernel.mode, self.kernel.now, self.kernel.why)

    def __repr__(self) -> str:
        words = {"experiments": self.experiments, "operations": f"{self.operations:,}", "count": len(self.partings)}
        if self.equal:
            return say("proof.equal", **words)
        number, position = self.partings[0]
        operation = experiment(number - 1).ops[position - 1]
        return say("proof.parts", **words, number=number, position=position, op=operation)


def prove(model: type[Overlay] = Overlay, first: int = 0, experiments: int = EXPERIMENTS) -> Proof:
    """Run experiments on model and kernel; compare answer, upper, merged view and lowers after every operation.

    Args:
        first: The number of the first experiment, from 0.

    Raises:
        Finding: ``wrong-call`` for fewer than one experiment, or more than `MOST`.
        KernelUnavailable: This machine cannot mount an overlay, and the record lacks these experiments.
    """
    if first < 0 or not 1 <= experiments <= MOST:
        raise Finding("wrong-call", "experiments", f"1 to {MOST}, and a number from 0", f"{experiments} from {first}")
    given = tuple(experiment(number) for number in range(first, first + experiments))
    kernel, labels, partings, operations = _kernel(first, experiments), Coverage(), [], 0
    for number, (one, theirs) in enumerate(zip(given, kernel.digests, strict=True), start=first + 1):
        labels.begin()
        ours = moments(as_mounted(one.overlay(), kernel.mode), one.ops, model, labels)
        equal = (our.digest(kernel.mode == ROOT) == their for our, their in zip(ours, theirs, strict=False))
        position = next((place for place, same in enumerate(equal, start=1) if not same), 0)
        operations += position or len(one.ops)
        partings += [(number, position)] if position else []
    return Proof(experiments, operations, tuple(partings), labels, kernel)


@cache
def _kernel(first: int, experiments: int) -> Kernel:
    """Run experiments on this machine's kernel, once, or else take the record."""
    given = tuple(experiment(number) for number in range(first, first + experiments))
    try:
        return _digests(watched([(one.overlay(), one.ops) for one in given]))
    except KernelUnavailable as unavailable:
        if first or experiments > EXPERIMENTS:
            raise
        data = json.loads(files("overlaylab").joinpath("data", "proof.json").read_text(encoding="utf-8"))
        digests = tuple(map(tuple, data["digests"][:experiments]))
        return Kernel(digests, data["kernel"], data["mode"], now=False, why=unavailable.reason)


def _digests(done: Sequence[Watched]) -> Kernel:
    kernel, mode = done[0].kernel, done[0].mode
    return Kernel(tuple(tuple(moment.digest(mode == ROOT) for moment in one.moments) for one in done), kernel, mode)


def recording() -> dict[str, Any]:
    """Record the proof on this machine's kernel, as data for JSON; needs root, else KernelUnavailable."""
    kernel = _digests(watched([(one.overlay(), one.ops) for one in map(experiment, range(EXPERIMENTS))], ROOT))
    digests = [list(one) for one in kernel.digests]
    return {"kernel": kernel.kernel.partition("-")[0], "mode": kernel.mode, "digests": digests}


# --- mutants


@dataclass(frozen=True, slots=True)
class Caught:
    """A mutant of the model, and the smallest experiment that detects it.

    Args:
        rule: The rule that the mutant breaks.
        number: The first experiment that detects it, from 1.
        at: The first difference in that experiment.
        least: That experiment, shrunk while it still detects the mutant.
        tells: The first difference in `least`.
        kernel: `least` on the right model and on a kernel.
        noticed: Whether the kernel differs from the mutant, too.
    """

    rule: Mutant
    number: int
    at: Parting
    least: Experiment
    tells: Parting
    kernel: Comparison
    noticed: bool


def catch(name: str) -> Caught:
    """Break a rule of the model, find an experiment that detects it, and shrink that experiment.

    The right model is the oracle for shrinking, because a kernel would need a mount for each step. Then a kernel, or
    its record, is compared on the result.

    Raises:
        Finding: ``wrong-call`` if the name is not one of `BROKEN`, or no experiment detects it.
    """
    if name not in BROKEN:
        raise Finding("wrong-call", "rule", ", ".join(BROKEN), name)
    rule = BROKEN[name]
    number, at, least, tells = _shrunk(rule)
    done = compare_with_kernel(least.overlay(), least.ops, f"07-{name}")
    noticed = not compared(least.overlay(), least.ops, done.replay.kernel, rule.model).equal
    return Caught(rule, number + 1, at, least, tells, done, noticed)


@cache
def _shrunk(rule: Mutant) -> tuple[int, Parting, Experiment, Parting]:
    """The first experiment that detects a mutant and the difference in it; it shrunk, and the difference in that."""
    model = rule.model
    shown = ((number, part) for number in range(EXPERIMENTS) if (part := parting(experiment(number), model)))
    number, at = next(shown, (-1, None))
    if at is None:
        raise Finding("wrong-call", "rule", "an experiment that shows it", rule.name)
    whole = experiment(number)
    least = shortest(replace(whole, ops=whole.ops[: at.number]), lambda given: parting(given, model) is not None)
    tells = parting(least, model)
    assert tells is not None, "shrinking keeps a difference"
    return number, at, least, tells
