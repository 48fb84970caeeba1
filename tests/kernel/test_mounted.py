"""What the kernel shows is what the simulation says: by hand, by chance, as root and as somebody else."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import mountproof
import pytest
from mountproof import (
    FILE_MARK_STACKS,
    ROOT_STACKS,
    STACKS,
    differences,
    labels,
    prove,
    random_stacks,
)
from mountproof import (
    MODES_OF_THIS_USER as MODES,
)
from tiers import tool

from overlaylab.kernel.mount import mounted_view
from overlaylab.kernel.syscalls import ROOT, USER

pytestmark = pytest.mark.tier("kernel")

HOW_MANY = 1000
RELEASE = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])


def hand_made(mode):
    """The stacks that this mode and this kernel know."""
    return {**STACKS, **(ROOT_STACKS if mode == ROOT else {}), **(FILE_MARK_STACKS if RELEASE >= (6, 8) else {})}


@pytest.fixture(scope="module", params=MODES)
def outcomes(request):
    """All hand-made stacks mounted in one child; the tests below look at one each."""
    place = tempfile.tempdir
    tempfile.tempdir = None
    try:
        return request.param, prove(hand_made(request.param), request.param)
    finally:
        tempfile.tempdir = place


@pytest.mark.parametrize("name", [*STACKS, *ROOT_STACKS, *FILE_MARK_STACKS])
def test_the_kernel_shows_what_the_simulation_says(outcomes, name):
    mode, found = outcomes
    if name not in found:
        # Not a proof left out: this mode cannot write such a layer, or this kernel is older than the mark.
        assert name in (ROOT_STACKS if mode != ROOT else FILE_MARK_STACKS)
        return

    assert found[name] == []


@pytest.mark.parametrize("mode", MODES)
def test_stacks_made_by_chance(mode):
    stacks = {f"seed 20, stack {number}": made for number, made in enumerate(random_stacks(20, HOW_MANY))}

    found = prove(stacks, mode)

    assert {name: lines for name, lines in found.items() if lines} == {}
    assert len(found) == HOW_MANY


def test_the_stacks_made_by_chance_reach_the_interesting_places():
    reached = Counter(label for made in random_stacks(20, HOW_MANY) for label in set(labels(made)))

    wanted = {
        "three directories merge",
        "whiteout hides a name",
        "whiteout below a file",
        "ghost in a listing",
        "hard links",
        "hidden by opaque",
        "hidden by whiteout",
        "hidden by file",
        "hidden by symlink",
        "hidden by dir",
    }
    assert wanted <= set(reached)
    assert min(reached[label] for label in wanted) >= 10


def test_a_wrong_simulation_would_be_found():
    right = STACKS["opaque in the middle"]
    view = mounted_view(right.lowerdirs)

    wrong = mountproof.stack(*right.lowerdirs[:1], *right.lowerdirs[2:], *right.lowerdirs[1:2])

    assert list(differences(right, view)) == []
    assert any(line.startswith("entry") for line in differences(wrong, view))
    assert any(line.startswith("listing") for line in differences(wrong, view))
    assert any(line.startswith("lowerdir") for line in differences(wrong, view))


def python_for_others():
    """A Python that another user may run: the one that runs this may lie in root's home."""
    for path in filter(
        None, (sys.executable, tool("python3"), *(shutil.which(f"python3.{minor}") for minor in range(11, 16)))
    ):
        trial = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if (
                subprocess.run(trial, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True).returncode
                == 0
            ):
                return path
        except OSError:
            continue
    return None


def test_somebody_who_is_not_root_sees_the_same(monkeypatch):
    """The whole way, from `mounted_views` on, in a process without any rights; the child is its child."""
    if MODES == [USER]:
        assert all(lines == [] for lines in prove(STACKS, None).values())
        return
    python = python_for_others()
    assert python, "no Python 3.11 that another user may run (Debian: apt install python3)"
    monkeypatch.setattr(tempfile, "tempdir", None)
    with tempfile.TemporaryDirectory(prefix="overlaylab-test-") as folder:
        package = Path(mountproof.__file__).parents[2] / "overlaylab"
        shutil.copytree(package, Path(folder, "overlaylab"), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(mountproof.__file__, folder)
        os.mkdir(Path(folder, "temporary"))
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        os.chown(Path(folder, "temporary"), 65534, 65534)
        outcome = subprocess.run(
            [python, "-X", "utf8", "mountproof.py"],
            cwd=folder,
            user=65534,
            group=65534,
            extra_groups=[],
            env={"TMPDIR": f"{folder}/temporary", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

        assert (outcome.stdout, outcome.stderr) == (f"compared {len(STACKS) + 200}\n", "")
        assert os.listdir(Path(folder, "temporary")) == []
