"""The generated proof, bounded: model and kernel agree on every operation, and the runs reach what matters.

The same as ``make prove``, with fewer operations. Everything runs in processes of its
own, whose mounts end with them.
"""

import functools
import os
import subprocess
import sys

import pytest

from tests.kernel.cases import CALLS, CALLS_LEFT_OUT, LAYERS_LEFT_OUT, Case
from tests.kernel.coverage import ERRNOS, NOT_GENERATED, PLACES, REQUIRED
from tests.kernel.prove import ROOT, prove, report, start
from tests.support.mutations import RULES

pytestmark = pytest.mark.tier("kernel")

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
OPERATIONS = {"root": 16_000, "user": 8_000, "mapped": 8_000} if AS_ROOT else {"user": 12_000}
needs_root = pytest.mark.skipif(not AS_ROOT, reason="the machine's own overlay mounts need root")
SEED, MORE = 1, 4
# Broken rules that few operations are enough to notice.
QUICK = (
    "a whiteout only where a lower layer has the name",
    "a directory with a lower part does not move: EXDEV",
    "a merged listing leaves deleted names out",
    "a copy remembers its origin",
)


@functools.cache
def proved(mode):
    """A run of so many operations; which rare places it reaches is a matter of luck, so a few more follow while one is
    missing.
    """
    done, seconds, labels, failures = prove(mode, OPERATIONS[mode], SEED)
    for seed in range(SEED + 1, SEED + MORE):
        if not labels.missing(mode):
            break
        more = prove(mode, OPERATIONS[mode] // 2, seed)
        labels.counts.update(more[2].counts)
        done, seconds, failures = done + more[0], seconds + more[1], failures + more[3]
    return done, seconds, labels, failures


@functools.cache
def caught(rule):
    """What few operations say of a broken rule."""
    return prove("root", 3_000, SEED, jobs=1, broken=rule)


@pytest.mark.parametrize("mode", OPERATIONS)
def test_model_and_kernel_agree_after_every_operation(mode):
    done, _, _, failures = proved(mode)

    assert not failures, "\n\n".join(failures)
    assert done >= OPERATIONS[mode]


@pytest.mark.parametrize("mode", OPERATIONS)
def test_the_run_reaches_every_interesting_place(mode):
    labels = proved(mode)[2]

    assert labels.missing(mode) == []
    assert [call for _, call, _ in CALLS if not labels.counts[call]] == []


def test_every_errno_of_the_semantics_is_required_or_has_a_reason():
    written = {
        "EACCES",
        "EBUSY",
        "EEXIST",
        "EINVAL",
        "EIO",
        "EISDIR",
        "ELOOP",
        "ENAMETOOLONG",
        "ENODATA",
        "ENOENT",
        "ENOTDIR",
        "ENOTEMPTY",
        "EOVERFLOW",
        "EPERM",
        "EROFS",
        "ESTALE",
        "ETXTBSY",
        "EXDEV",
    }

    assert {*ERRNOS, *NOT_GENERATED} == written
    assert set().union(*REQUIRED.values()) == {*ERRNOS, *PLACES}


@needs_root
@pytest.mark.parametrize("rule", QUICK)
def test_a_wrong_model_is_caught_and_told_with_few_operations(rule):
    done, _, _, failures = caught(rule)

    assert failures, f"{rule}: {done} operations noticed nothing"
    (told,) = failures
    assert told.count("    op(") <= 4
    assert f"Linux {os.uname().release}" in told and "the model of Linux 6.18" in told
    assert "# options: " in told


@needs_root
def test_the_snippet_of_a_failure_can_be_pasted():
    """On the model as it is, the same operations make no difference."""
    (told,) = caught(QUICK[0])[3]

    pasted = subprocess.run(
        [sys.executable, "-c", told],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert (pasted.stdout, pasted.stderr) == ("\n", "")


@needs_root
def test_the_snippet_shows_a_difference_where_there_is_one():
    rule = QUICK[0]
    (told,) = caught(rule)[3]
    broken = f"from tests.support.mutations import RULES\nRULES[{rule!r}].patches()[0].start()\n"

    pasted = subprocess.run(
        [sys.executable, "-c", broken + told],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert "whiteout" in pasted.stdout


@pytest.mark.parametrize("mode", OPERATIONS)
def test_nothing_outside_can_be_written_while_it_runs(mode, nothing_stays):
    """An operation that left the mount would meet a read-only file system."""
    outside = str(nothing_stays / "outside")
    code = (
        f"import os; from tests.kernel.places import enter; enter({mode!r}); os.mkdir('inside'); os.mkdir({outside!r})"
    )

    tried = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert tried.stderr.splitlines()[-1].startswith("OSError: [Errno 30]")


def test_another_kernel_is_told_by_its_version(monkeypatch):
    other = os.uname_result(("Linux", "there", "5.15.0-other", "#1", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: other)

    told = report(Case("root", "", ((),)), [], "upper: a: mode")

    assert "expected: this kernel, Linux 5.15.0-other; found: the model of Linux 6.18" in told


def test_what_is_not_generated_has_its_reason():
    assert all({**CALLS_LEFT_OUT, **LAYERS_LEFT_OUT, **NOT_GENERATED}.values())
    assert not {call for _, call, _ in CALLS} & set(CALLS_LEFT_OUT)


def test_a_worker_that_dies_is_a_failure(monkeypatch):
    monkeypatch.setattr("tests.kernel.prove.start", lambda *arguments: start("no such mode", 1, 0))

    assert prove("user", 1, jobs=1)[3] == ["a worker died"]


def test_every_quick_rule_exists():
    assert set(QUICK) <= set(RULES)
