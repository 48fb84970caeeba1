"""How things are measured: whole processes, from start to end, files in the page cache, the median of several runs."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "ENVIRONMENT",
    "Figure",
    "anonymous_memory",
    "in_python",
    "machine",
    "median",
    "processor_seconds",
    "seconds",
]

RUNS = 5
ROOT = Path(__file__).parent.parent
# As on any machine where the kit is installed, Python has its modules compiled; here they lie apart from the sources.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(ROOT / ".bench" / "compiled")}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Args:
        what: What was measured.
        value: The figure itself; None if it could not be measured.
        unit: Its unit, or what it is a multiple of.
        most: The target: at most this; None for what stands there for scale.
        note: What the figure is made of.
    """

    what: str
    value: float | None
    unit: str
    most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None if there is none."""
        return None if self.most is None or self.value is None else self.value <= self.most


def median(measure: Callable[[], float], runs: int = RUNS) -> float:
    """The median of several runs, after one that fills the page cache."""
    measure()
    return statistics.median(measure() for _ in range(runs))


def seconds(command: Sequence[str] | str) -> float:
    """How long a command takes from its start to its end; a text is given to the shell."""
    start = time.perf_counter()
    subprocess.run(
        command, shell=isinstance(command, str), stdout=subprocess.DEVNULL, check=True, cwd=ROOT, env=ENVIRONMENT
    )
    return time.perf_counter() - start


def processor_seconds() -> float:
    """What all commands so far took of the processors' time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_python(*arguments: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, *arguments]


def anonymous_memory(command: Sequence[str]) -> float:
    """The most memory of its own, in megabytes, that a command and its children are seen to have together.

    Mapped files do not count. What a child shares with its parent counts twice.
    """
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT) as process:
        while process.poll() is None:
            most = max(most, sum(map(rss_anon, [process.pid, *_children(process.pid)])))
            time.sleep(0.002)
    return most / 1e3


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def rss_anon(pid: int) -> int:
    """``RssAnon`` of a process in kilobytes; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0)


def machine() -> dict[str, str]:
    """What the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": f"{model}, {len(os.sched_getaffinity(0))} usable",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f} processes waiting or running at the start",
    }
