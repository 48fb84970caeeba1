"""A bounded run of the random mounts; the module itself runs as long as one likes."""

import subprocess
import sys
from pathlib import Path

import pytest
from mountproof import MODES_OF_THIS_USER

from overlaylab.kernel.syscalls import ROOT

pytestmark = [
    pytest.mark.tier("kernel"),
    pytest.mark.skipif(ROOT not in MODES_OF_THIS_USER, reason="the machine's own overlay mounts need root"),
]


def test_the_model_mounts_and_refuses_what_the_kernel_does():
    outcome = subprocess.run(
        [sys.executable, "-m", "tests.kernel.random_mounts", "--count", "150"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
