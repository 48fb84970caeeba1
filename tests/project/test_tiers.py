"""A skipped proof never looks like a pass."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent

# A tier of each kind: one that this machine has, one that it lacks.
CASES = """
import pytest, tiers
tiers.TIERS.update(kernel=lambda: None, engines=lambda: "there is no dockerd", browser=lambda: "there is no chromium")
tiers.why_not.cache_clear()

@pytest.mark.tier("kernel")
def test_real_mount(): pass

@pytest.mark.tier("engines")
def test_real_docker(): raise AssertionError("must not run")

def test_plain(): pass

@pytest.mark.skip(reason="lazy")
def test_lazy(): pass

@pytest.mark.xfail(reason="hopeless")
def test_hopeless(): assert 0
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def run(*options):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tiers",
            "-p",
            "xdist.plugin",
            "-p",
            "no:cacheprovider",
            *options,
        ]
        environment = dict(os.environ, PYTHONPATH=str(HERE), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "parallel"])
def test_each_tier_has_one_line_in_the_summary(run, workers):
    outcome = run(*workers)
    lines = [line for line in outcome.stdout.splitlines() if line.startswith(("kernel", "engines", "browser"))]

    assert outcome.returncode == 0
    assert lines[0] == "kernel   1 passed"
    assert len(lines) == 3
    if not workers:  # the workers alone know the probes of this test
        assert lines[1:] == [
            "engines  NOT RUN on this machine: there is no dockerd",
            "browser  NOT RUN on this machine: there is no chromium",
        ]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "parallel"])
def test_a_required_tier_that_cannot_run_fails_and_says_why(run, workers):
    outcome = run("--require", "engines", "-k", "docker or plain", *workers)

    assert outcome.returncode == 1
    assert "--require allows no skipped test. Skipped: engines: there is no dockerd" in outcome.stdout


@pytest.mark.parametrize("test", ["lazy", "hopeless"])
def test_with_require_no_other_skip_passes_either(run, test):
    without, required = run("-k", test), run("-k", f"{test} or mount", "--require", "kernel")

    assert (without.returncode, required.returncode) == (0, 1)
    assert "allows no skipped test" in required.stdout


def test_a_required_tier_without_tests_fails(run):
    outcome = run("--require", "kernel", "-k", "plain")

    assert outcome.returncode == 1
    assert "no test ran, though this machine could (REQUIRED)" in outcome.stdout


def test_a_required_tier_that_ran_passes(run):
    assert run("--require", "kernel", "-k", "mount or plain").returncode == 0


def test_an_unknown_tier_is_refused(run):
    outcome = run("--require", "moon")

    assert outcome.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--require knows kernel, engines, browser, grading and all, not moon" in outcome.stderr
