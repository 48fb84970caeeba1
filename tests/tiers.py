"""Which proofs can run on this machine? A pytest plugin.

Most tests need Python alone. Some prove our model against the real thing, and
the real thing is not everywhere. Such a test names its tier::

    pytestmark = pytest.mark.tier("kernel")

Where the machine cannot run a tier, its tests are skipped, and the summary says
so in one line with the reason: a skipped proof must never look like a pass.
``pytest --require kernel,engines,browser,grading`` (or ``--require all``) turns that
round, for the machine that checks a change: then nothing at all may be skipped,
and each tier named must have proved something.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def tool(name):
    """Find a program, the distribution's own first; None where there is none.

    A ``docker`` further up the search path may be another version, or only a
    client of some other machine.
    """
    places = os.pathsep.join(["/usr/bin", "/usr/sbin", "/bin", "/sbin"])
    return shutil.which(name, path=places) or shutil.which(name)


def why_no_kernel():
    """Try an overlay mount in a namespace of its own, as root or as this user."""
    if not sys.platform.startswith("linux"):
        return "overlayfs is a Linux file system"
    if not tool("unshare"):
        return "there is no unshare program (package util-linux)"
    root = os.geteuid() == 0
    unshare = [tool("unshare"), "--mount"] + ([] if root else ["--user", "--map-root-user"])
    with tempfile.TemporaryDirectory(prefix="overlaylab-") as folder:
        # A tmpfs first: the temporary folder may itself lie on an overlay.
        script = (
            'mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir lower upper work merged && '
            f"mount -t overlay overlay -o {'' if root else 'userxattr,'}"
            "lowerdir=lower,upperdir=upper,workdir=work merged"
        )
        trial = subprocess.run([*unshare, "sh", "-c", script, "sh", folder], capture_output=True, text=True)
    return (
        None
        if trial.returncode == 0
        else "a trial mount failed: " + (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
    )


def why_no_engines():
    """Look for the tools that give a second opinion, and for the rights of dockerd."""
    missing = [
        name
        for name in ("dockerd", "docker", "containerd", "ctr", "podman", "skopeo", "umoci", "busybox")
        if not tool(name)
    ]
    if missing:
        return "not installed: " + ", ".join(missing)
    if os.geteuid() != 0:
        return "dockerd needs root"
    return why_no_kernel()


def why_no_browser():
    """Look for Playwright and for a Chromium that it can drive."""
    for module in ("playwright", "axe_playwright_python"):
        if not importlib.util.find_spec(module):
            return f"{module} is not installed (make test REQUIRE=browser installs it)"
    if not chromium():
        return "there is no chromium on the search path"
    return None


def chromium():
    """Find a Chromium; we never download one."""
    return next(filter(None, map(tool, ("chromium", "chromium-browser", "google-chrome"))), None)


def nbgrader():
    """Find a Python that has nbgrader: this one, or that of an environment of its own; it would add
    itself to the lab.
    """
    beside = [
        str(path)
        for path in (Path(__file__).parent.parent / ".venv-grading").glob("*/python*")
        if path.stem == "python"
    ]
    return sys.executable if importlib.util.find_spec("nbgrader") else next(iter(beside), None)


def why_no_grading():
    """Look for nbgrader."""
    return (
        None if nbgrader() else "nbgrader is not installed (make test REQUIRE=grading installs it, apart from the lab)"
    )


TIERS = {"kernel": why_no_kernel, "engines": why_no_engines, "browser": why_no_browser, "grading": why_no_grading}


@functools.cache
def why_not(tier):
    """Say in one sentence why this machine cannot run a tier, or None."""
    return TIERS[tier]()


# What pytest calls


def pytest_addoption(parser):
    parser.addoption(
        "--require", default="", metavar="TIERS", help="kernel,engines,browser,grading or all: nothing may be skipped"
    )


def pytest_configure(config):
    # No test, and no notebook that a test runs, may note anything as a learner's.
    os.environ["OVERLAYLAB_PROGRESS"] = "off"
    config.addinivalue_line("markers", "tier(name): needs the real thing: kernel, engines, browser or grading")
    names = [name for name in config.getoption("--require").split(",") if name]
    config.required_tiers = list(TIERS) if "all" in names else names
    unknown = set(config.required_tiers) - set(TIERS)
    if unknown:
        raise pytest.UsageError(f"--require knows {', '.join(TIERS)} and all, not {', '.join(sorted(unknown))}")


def pytest_collection_modifyitems(items):
    """Write the tier into each test's properties, which also a parallel worker sends home."""
    for item in items:
        for name in tiers_of(item):
            if name not in TIERS:
                raise pytest.UsageError(f"{item.nodeid}: there is no tier {name!r}")
            item.user_properties.append(("tier", name))


def tiers_of(item):
    return [name for marker in item.iter_markers("tier") for name in marker.args]


def pytest_runtest_setup(item):
    for name in tiers_of(item):
        if why_not(name):
            pytest.skip(f"{name}: {why_not(name)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return refuse_skip(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return refuse_skip(collector.config, (yield))


def refuse_skip(config, report):
    """With ``--require``, a skip of any kind is a failure."""
    if config.required_tiers and report.skipped:
        reason = (
            report.longrepr[2]
            if isinstance(report.longrepr, tuple)
            else getattr(report, "wasxfail", "expected failure")
        )
        report.outcome, report.longrepr = "failed", f"--require allows no skipped test. {reason}"
        report.__dict__.pop("wasxfail", None)
    return report


def proved(reporter):
    """Count the passed tests of each tier."""
    passed = reporter.stats.get("passed", [])
    return {tier: sum(("tier", tier) in map(tuple, report.user_properties) for report in passed) for tier in TIERS}


def pytest_sessionfinish(session):
    """A required tier that proved nothing fails the run, as when its tests were lost."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not session.config.option.collectonly:
        counts = proved(reporter)
        if session.exitstatus == pytest.ExitCode.OK and any(not counts[tier] for tier in session.config.required_tiers):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Say in one line each what the tiers proved, or why they could not."""
    terminalreporter.section("proofs by the real thing")
    for tier, count in proved(terminalreporter).items():
        if count:
            line = f"{count} passed"
        elif why_not(tier):
            line = f"NOT RUN on this machine: {why_not(tier)}"
        else:
            line = "no test ran, though this machine could" + (" (REQUIRED)" if tier in config.required_tiers else "")
        terminalreporter.write_line(f"{tier:8} {line}")
