"""What a learner's kernel needs for a notebook, and how long all notebooks take under nbval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .measure import ROOT, Figure, in_python, seconds

__all__ = ["kernel_figures"]


def kernel_figures() -> Iterator[Figure]:
    """Each notebook run to its end in a kernel of its own; then all of them with nbval, once."""
    import nbformat
    from nbclient import NotebookClient

    most, which = 0, ""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        client = NotebookClient(nbformat.read(path, as_version=4), timeout=120, resources={"metadata": {"path": str(path.parent)}}, allow_errors=True)
        with client.setup_kernel():
            for index, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, index)
            used = _resident(client.km.provisioner.process.pid)
        if used > most:
            most, which = used, path.name
    yield Figure("a kernel with a notebook at its end", most / 1e3, "MB resident", 150, which)
    yield Figure("all notebooks under nbval", seconds(in_python("-m", "pytest", "-q", "notebooks", "-p", "no:cacheprovider")), "s", 60, "one run")


def _resident(pid: int) -> int:
    """Resident memory of a process in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
