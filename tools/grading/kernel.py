"""A kernel for one submission: its cells run in order, each with a time limit, in an empty directory of their own."""

import json
import os
import queue
import shutil
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from traitlets import Instance

from .answers import MIME

TOOLS = Path(__file__).resolve().parent.parent
BOX = Path(__file__).with_name("box.py")
# Each answer that is checked goes through this name, which no cell of a student takes by chance.
HAND_IN = "__overlaylab_hand_in__"
SETUP = (
    f"import builtins, sys; sys.path.append({str(TOOLS)!r}); from grading.answers import hand_in; "
    f"builtins.{HAND_IN} = hand_in; del builtins, hand_in"
)
START, GRACE, PATIENCE = 60, 5, 0.2


class Stopped(Exception):
    """The kernel has ended, so no further cell can run. The text says why."""


class Boxed(KernelManager):
    """A kernel that is started within a box.

    Args:
        box: The command before the kernel's own; empty for none.
    """

    box = Instance(list, args=())

    @property
    def kernel_spec(self):
        """This Python's own kernel, started in the box."""
        argv = [sys.executable, *self.box, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Grading", language="python")


class Kernel:
    """A running kernel; a context that ends it.

    Args:
        boxed: Whether it runs in the box (see `box`), or only in a folder of its own.
        seconds: How long a cell may run.
        deadline: When all must be over, on the clock of `time.monotonic`.
    """

    def __init__(self, boxed, seconds, deadline):
        self.seconds, self.deadline = seconds, deadline
        self.home = Path(tempfile.mkdtemp(prefix="overlaylab-"))
        self.manager = Boxed(
            connection_file=str(self.home / "kernel.json"), box=[str(BOX), str(self.home)] if boxed else []
        )
        if os.name == "posix":
            self.manager.transport, self.manager.ip = "ipc", str(self.home / "k")
        self.client = None

    def __enter__(self):
        try:
            work = self.home / "work"
            work.mkdir()
            self.manager.start_kernel(cwd=str(work), env=environment(self.home))
            self.client = self.manager.blocking_client()
            self.client.start_channels()
            self.client.wait_for_ready(timeout=START)
            self.run(SETUP)
        except Exception as error:
            self.__exit__()
            raise Stopped(f"no kernel could be started: {type(error).__name__}: {error}") from None
        return self

    def __exit__(self, *_):
        if self.client:
            self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, source):
        """Run a cell.

        Returns:
            What was handed in, and the error in words, empty for none.

        Raises:
            Stopped: If the kernel died, or could not be brought to an end of this cell.
        """
        wanted = self.client.execute(source, store_history=False, allow_stdin=False, stop_on_error=False)
        handed, error, limit, over = [], "", min(time.monotonic() + self.seconds, self.deadline), False
        while True:
            if time.monotonic() > limit:
                if over or limit == self.deadline:
                    raise Stopped(
                        "the notebook took too long" if not over else f"a cell did not end after {self.seconds:g} s"
                    )
                self.manager.interrupt_kernel()
                limit, over = time.monotonic() + GRACE, True
            message = self._next(wanted)
            kind, content = (message["msg_type"], message["content"]) if message else ("", {})
            if kind == "status" and content["execution_state"] == "idle":
                return handed, f"the cell ran longer than {self.seconds:g} s" if over else error
            if kind == "error":
                error = f"the cell raised {content['ename']}: {content['evalue']}"[:200]
            if kind == "display_data" and MIME in content["data"]:
                handed.append(content["data"][MIME])

    def _next(self, wanted):
        """The next message about a cell, or None for a while without one."""
        try:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            if not self.manager.is_alive():
                raise Stopped("the kernel died") from None
            return None
        return message if message["parent_header"].get("msg_id") == wanted else None


def environment(home):
    """What a submission sees of ours: nothing but where Python is, and a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    temporary = home / "tmp"
    temporary.mkdir()
    own = dict.fromkeys(
        ("HOME", "USERPROFILE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"),
        str(home),
    )
    own.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)))
    ours = {
        "PYTHONPATH": str(TOOLS.parent),
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "OVERLAYLAB_PROGRESS": "off",
    }
    return {**kept, **own, **ours}


def handed(texts):
    """What a kernel handed in, as far as it is ours: dictionaries with the name of an exercise."""
    for text in texts:
        try:
            item = json.loads(text)
            if isinstance(item["exercise"], str):
                yield item
        except (TypeError, ValueError, KeyError, RecursionError):
            continue
