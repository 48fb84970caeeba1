"""Prove the model: generated operations on it and on the real kernel, compared after every one.

    python -m tests.kernel.prove [-n OPERATIONS] [--mode root|user|mapped|all] [--seed S] [--jobs J]

Modes ``root`` and ``mapped`` need root; ``user`` works for everybody who may make user
namespaces: see `places`.
Prints the rate, and how often each interesting place was reached. A difference is
shrunk, and printed with the options and as a snippet to paste; the status is then 1.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, configuration, settings
from hypothesis import seed as seeded
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from overlaylab.overlay.overlay import KERNEL
from tests.kernel import pair as pairs
from tests.kernel import places
from tests.kernel.cases import cases, operations
from tests.kernel.coverage import ERRNOS, PLACES, Coverage
from tests.support.mutations import RULES

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = f"Linux {KERNEL}"
STEPS = 50
ROUND = 100
FOLDERS = count()


def machine(mode, labels, sweeper, builder):
    """The state machine: a mount, and operations on it."""

    class Proof(RuleBasedStateMachine):
        pair, failed = None, False

        @initialize(case=cases(mode))
        def mount(self, case):
            self.case, self.done = case, []
            labels.begin()
            with self.told():
                self.pair = pairs.Pair(case, f"case{next(FOLDERS)}", builder)
                if not self.pair.refused:
                    self.pair.compare()

        @rule(operation=operations(mode))
        def act(self, operation):
            if self.pair.refused or self.pair.frozen:
                return
            self.done.append(operation)
            with self.told():
                step = self.pair.step(operation)
                if step is None:
                    labels.counts[operation.call] += 1
                else:
                    labels.take(step, self.pair.overlay)

        def told(self):
            return Told(self)

        def teardown(self):
            if self.pair is None:
                return
            try:
                if not self.failed and not self.pair.refused and not self.pair.frozen:
                    with self.told():
                        self.pair.finish()
            finally:
                self.pair.close(sweeper)

    return Proof


class Told:
    """Turns whatever goes wrong into a report with the sequence."""

    def __init__(self, proof):
        self.proof = proof

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception):
            self.proof.failed = True
            said = str(error) if isinstance(error, pairs.Disagreement) else f"{kind.__name__}: {error}"
            raise pairs.Disagreement(report(self.proof.case, self.proof.done, said)) from error


def report(case, done, said):
    """Options, difference, both versions, and a snippet that runs the same again."""
    lines = [
        f"# {said}",
        f"# options: {case.options or '(none)'}; expected: this kernel, Linux {os.uname().release}; "
        f"found: the model of {MODEL}",
    ]
    lines += [
        "from overlaylab.linux.operations import Op, op",
        "from tests.kernel.cases import Case",
        "from tests.kernel.prove import replay",
        "",
    ]
    lines += [f"case = {case!r}", "print(replay(case, ["]
    return "\n".join([*lines, *(f"    {operation!r}," for operation in done), "]))"])


def replay(case, done):
    """Run one case once more, in a child process.

    Returns:
        The report of a difference, or nothing.
    """
    pid_pipe, child_pipe = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = ""
        try:
            said = once(case, done, places.enter(case.mode))
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(child_pipe, said.encode("utf-8", "backslashreplace")[:60000])
            os._exit(0)
    os.close(child_pipe)
    with open(pid_pipe, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


def once(case, done, builder):
    """Run one case in this process."""
    try:
        pair = pairs.Pair(case, "once", builder)
        pair.compare()
        for number, operation in enumerate(done):
            try:
                pair.step(operation)
            except pairs.Disagreement as error:
                return f"after operation {number}, {operation!r}: {error}"
        pair.finish()
    except pairs.Disagreement as error:
        return str(error)
    return ""


# --- the command


def work(mode, operations_wanted, seed, patches=()):
    """Run a number of operations in this process, which leaves the machine's mounts for good.

    Args:
        patches: Contexts to run in: rules that are broken on purpose.

    Returns:
        Counts, and the report of the first difference, shrunk.
    """
    builder = places.enter(mode)
    configuration.set_hypothesis_home_dir(Path.cwd() / "hypothesis")
    labels, sweeper, failure, began = Coverage(), places.Sweeper(builder), "", time.monotonic()
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        while not failure and (left := operations_wanted - total(labels)) > 0:
            failure = one_round(mode, labels, sweeper, builder, min(ROUND, -(-left // STEPS)), seed)
            seed += 1_000_003
    sweeper.finish()
    builder.finish()
    return {
        "operations": total(labels),
        "seconds": time.monotonic() - began,
        "labels": dict(labels.counts),
        "failure": failure,
    }


def one_round(mode, labels, sweeper, builder, examples, seed):
    """Some examples from one seed; the report of a difference."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(seeded(seed)(machine(mode, labels, sweeper, builder)), settings=chosen)
    except pairs.Disagreement as error:
        return str(error)
    return ""


def total(labels):
    """How many operations were run: each counts once under its call."""
    return sum(number for label, number in labels.counts.items() if label[0].islower() and " " not in label)


def start(mode, operations_wanted, seed, broken=""):
    """Start a worker process."""
    command = [
        sys.executable,
        "-m",
        "tests.kernel.prove",
        "--worker",
        "--mode",
        mode,
        "-n",
        str(operations_wanted),
        "--seed",
        str(seed),
        "--break",
        broken,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def prove(mode, operations_wanted, seed=0, jobs=None, broken=""):
    """Share operations among worker processes.

    Args:
        broken: The name of a rule that is broken on purpose.

    Returns:
        Operations, seconds, `Coverage`, and reports of differences.
    """
    jobs = jobs or os.cpu_count() or 1
    began = time.monotonic()
    workers = [start(mode, -(-operations_wanted // jobs), seed * 1000 + job, broken) for job in range(jobs)]
    answers = [
        json.loads(worker.communicate()[0] or '{"operations": 0, "labels": {}, "failure": "a worker died"}')
        for worker in workers
    ]
    labels = Coverage()
    for answer in answers:
        labels.counts.update(answer["labels"])
    return (
        sum(answer["operations"] for answer in answers),
        time.monotonic() - began,
        labels,
        list(filter(None, (answer["failure"] for answer in answers))),
    )


def say(mode, done, seconds, labels, failures):
    """Print what a run came to."""
    for failure in failures:
        print(failure, end="\n\n")
    print(
        f"{mode}: {done} operations, {len(failures)} differences, {done / seconds:.0f} a second, "
        f"Linux {os.uname().release} and the model of {MODEL}"
    )
    for label in (*PLACES, *ERRNOS):
        print(f"  {labels.counts[label]:8} {label}")
    calls = {label: number for label, number in sorted(labels.counts.items()) if label not in (*PLACES, *ERRNOS)}
    print("  others:", ", ".join(f"{label} {number}" for label, number in calls.items()))


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernel.prove", description="Prove the model against this kernel."
    )
    parser.add_argument("-n", type=int, default=20_000, help="how many operations")
    parser.add_argument("--mode", choices=(*places.MODES, "all"), default="all" if os.geteuid() == 0 else "user")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int)
    parser.add_argument(
        "--break",
        dest="broken",
        default="",
        metavar="RULE",
        help="break this rule of the model first: see tests/support/mutations.py",
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.worker:
        print(
            json.dumps(
                work(chosen.mode, chosen.n, chosen.seed, RULES[chosen.broken].patches() if chosen.broken else ())
            )
        )
        return 0
    modes, failed = places.MODES if chosen.mode == "all" else (chosen.mode,), False
    for mode in modes:
        done, seconds, labels, failures = prove(mode, chosen.n // len(modes), chosen.seed, chosen.jobs, chosen.broken)
        say(mode, done, seconds, labels, failures)
        failed = failed or bool(failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
