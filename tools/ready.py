"""Is this machine ready for a class? One look, in less than a minute; nothing is changed.

    python tools/ready.py      or, with the environment: make ready

The map's notebook is executed in a real kernel and compared with what is
stored, so Python, the kernel, the pictures and the widgets' texts are all
proved. Then the room is told what else it needs to know: which way notebook 04
will go on this machine, and whether a learner has been here before.
"""

import importlib.metadata
import shutil
import sys
import tempfile
import time
from pathlib import Path

import notebooks

ROOT = Path(__file__).resolve().parent.parent
FIRST = ROOT / "notebooks" / "00_map.ipynb"
# The parts of the lab that a notebook alone does not prove: the page, and the widgets in it.
PARTS = ("jupyterlab", "ipywidgets", "jupyterlab_widgets")
FREE = 200_000_000


def main():
    """Look at everything, print one line each, and the verdict last; return the exit status."""
    start = time.monotonic()
    sys.path.insert(0, str(ROOT))
    facts = machine()  # first: the notebook below is run as on an empty machine
    looks = [parts(), notebook(), disk(), progress()]
    print("\n".join(facts + [f"{'✓' if good else '✗'} {text}" for good, text in looks]))
    ready = all(good for good, _ in looks)
    print(
        f"\n{'READY' if ready else 'NOT READY: see the lines with ✗'}"
        f" (this look took {time.monotonic() - start:.0f} seconds)"
    )
    return 0 if ready else 1


def machine():
    """What the kit says of this machine. Nothing here is a reason to send a learner away."""
    from overlaylab.kernel.machine import check_machine

    glyphs = {True: "✓", False: "·", None: "·"}
    return [f"{glyphs[fact.ok]} {fact.name}: {fact.value}" for fact in check_machine()]


def parts():
    """The versions of the lab and its widgets."""
    found, missing = [], []
    for name in PARTS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return not missing, ", ".join(found) + (f"; missing: {', '.join(missing)}. Run: make setup" if missing else "")


def notebook():
    """Execute the first notebook as everybody will, and compare it with what is stored."""
    with tempfile.TemporaryDirectory(prefix="overlaylab-") as home:
        notebooks.clean_environment(home)
        try:
            complaint = notebooks.check(FIRST)
        except RuntimeError as error:  # a firewall that stops a machine from talking to itself does this
            complaint = f"no kernel answers: {error}"
    return not complaint, complaint or "notebook 00 runs, and shows what it should"


def disk():
    """Room for notebook 09, which copies an image, and for the lab's own files."""
    free = shutil.disk_usage(ROOT).free
    return free > FREE, f"{free // 1_000_000:,} MB free"


def progress():
    """Whether somebody's answers are there already, and whether new ones can be noted."""
    kept = FIRST.parent / ".overlaylab" / "progress.json"
    if kept.is_file():
        return False, "somebody's answers are noted here. Delete notebooks/.overlaylab, or call ol.reset_progress()"
    try:
        with tempfile.TemporaryFile(dir=FIRST.parent):
            return True, "no answers are noted yet, and new ones can be"
    except OSError as error:
        return False, f"nothing can be noted beside the notebooks: {error.strerror}"


if __name__ == "__main__":
    sys.exit(main())
