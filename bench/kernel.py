"""What a learner's kernel needs for a notebook, and how long all notebooks take under nbval."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .measure import ENVIRONMENT, ROOT, Figure, in_python, seconds

__all__ = ["kernel_figures", "nbval_figures"]

MEGABYTES = 150


def kernel_figures() -> Iterator[Figure]:
    """Each notebook, run to its end in a kernel of its own."""
    import nbformat
    from nbclient import NotebookClient

    os.environ |= ENVIRONMENT | {"JUPYTER_CONFIG_PATH": str(ROOT / "jupyter_config")}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        client = NotebookClient(
            nbformat.read(path, as_version=4),
            timeout=120,
            resources={"metadata": {"path": str(path.parent)}},
            allow_errors=True,
        )
        with client.setup_kernel(stderr=subprocess.DEVNULL):
            for index, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, index)
            used = _resident(client.km.provisioner.process.pid)
        yield Figure(f"a kernel at the end of {path.stem}", used / 1e3, "MB resident", MEGABYTES)


def nbval_figures() -> Iterator[Figure]:
    """All notebooks, each cell compared with what is stored."""
    took = seconds(in_python("-m", "pytest", "-q", "notebooks", "-p", "no:cacheprovider"))
    yield Figure("all notebooks under nbval", took, "s", 60, "one run, one notebook after the other")


def _resident(pid: int) -> int:
    """Resident memory of a process in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
