"""A bounded run of the random proofs; the modules themselves run as long as one likes."""

import subprocess
import sys
from pathlib import Path

import pytest
from mountproof import MODES_OF_THIS_USER

from overlaylab.kernel.calls import ROOT

pytestmark = [
    pytest.mark.tier("kernel"),
    pytest.mark.skipif(ROOT not in MODES_OF_THIS_USER, reason="owners and device nodes of any kind can be made by root only"),
]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("random_proof", ("--sequences", "150", "--length", "20")), ("random_mounts", ("--count", "150"))],
    ids=["operations", "mounts"],
)
def test_the_model_does_what_the_kernel_does(module, arguments):
    outcome = subprocess.run(
        [sys.executable, "-m", f"tests.kernel.{module}", *arguments], cwd=Path(__file__).parents[2], capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
