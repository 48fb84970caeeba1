"""Execute all notebooks and write them in one normal form, or check that they are so.

    python tools/notebooks.py              execute, normalise, write
    python tools/notebooks.py --check      execute, compare, name the first stale cell of each
    python tools/notebooks.py FILE ...     only these

The notebooks are stored with their outputs, so that they can be read where
nothing runs. That is worth something only while the outputs are true: running
this twice gives the same bytes, on any machine.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SECONDS_A_NOTEBOOK = 60  # a guard: on two old cores each takes a few
AT_ONCE = 2


def main(arguments=None):
    """Run the tool; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; name what is stale and fail")
    parser.add_argument("files", nargs="*", type=Path, help="notebooks; all where none is named")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.files] or sorted(FOLDER.glob("*.ipynb"))
    if not paths:
        print(f"There is no notebook in {FOLDER}.", file=sys.stderr)
        return 1
    job = check if options.check else rewrite
    with tempfile.TemporaryDirectory(prefix="overlaylab-") as home:
        clean_environment(home)
        with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
            complaints = list(filter(None, pool.map(job, paths)))
    print("\n".join(complaints) or f"{len(paths)} notebooks {'are up to date' if options.check else 'written'}.")
    return 1 if complaints else 0


def clean_environment(home):
    """Forget what differs between machines: the home folder, the terminal, the screen, a user's Jupyter.

    The kernels import the package that lies beside the notebooks, not one that is installed elsewhere.
    """
    kept = {
        name: os.environ[name]
        for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=home,
        USERPROFILE=home,
        LANG="C.UTF-8",
        PYTHONUTF8="1",
        PYTHONNOUSERSITE="1",
        PYTHONPATH=str(FOLDER.parent),
        OVERLAYLAB_PROGRESS="off",
        IPYTHONDIR=home,
        JUPYTER_CONFIG_DIR=home,
        JUPYTER_DATA_DIR=home,
    )


def rewrite(path):
    """Execute one notebook and write it; return what went wrong, or None."""
    import nbformat

    fresh, complaint = execute(path)
    if not complaint:
        path.write_text(nbformat.writes(fresh) + "\n", encoding="utf-8", newline="\n")
    return complaint


def check(path):
    """Execute one notebook and name its first stale cell, or None."""
    import nbformat

    stored = nbformat.read(path, as_version=4)
    fresh, complaint = execute(path)
    if complaint:
        return complaint
    for old, new in zip(stored.cells, fresh.cells, strict=False):
        if "nbval-ignore-output" in new.metadata.get("tags", []):
            new.outputs = old.outputs
    complaint = first_difference(stored, fresh)
    if not complaint and path.read_text(encoding="utf-8") != nbformat.writes(fresh) + "\n":
        complaint = "the file is not in normal form"
    return complaint and f"{path.name}: {complaint}. Run: make notebooks"


def execute(path):
    """Return the executed, normalised notebook and None, or None and a complaint."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from traitlets.config import Config

    notebook = nbformat.read(path, as_version=4)
    end = time.monotonic() + SECONDS_A_NOTEBOOK
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout_func=lambda cell: max(1, end - time.monotonic()),
        store_widget_state=False,
        config=Config(KernelManager={"transport_encryption": "auto"}),  # else the kernel warns that it has none
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return None, f"{path.name}: a cell failed.\n{error}"
    except CellTimeoutError as error:
        return None, f"{path.name}: not done after {SECONDS_A_NOTEBOOK} seconds.\n{error}"
    notebook = normalise(notebook, path.name)
    nbformat.validate(notebook)
    return notebook, None


# The normal form


def normalise(notebook, name):
    """Remove from an executed notebook what differs from one run to the next."""
    notebook.nbformat_minor = 5
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata.language_info = {"name": "python"}
    count = 0
    for position, cell in enumerate(notebook.cells, start=1):
        cell.id = cell_id(name, position)
        for key in ("execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = normal_outputs(cell.outputs, count)
    return notebook


def cell_id(name, position):
    """Name a cell by its notebook's number and its position from 1: ``n03-07``."""
    return f"n{re.match('[0-9]+', name)[0]}-{position:02}"


def normal_outputs(outputs, count):
    """Merge the pieces of a stream, number the result, drop widget model ids and tracebacks."""
    normal = []
    for output in outputs:
        if output.output_type == "stream" and normal and normal[-1].get("name") == output.name:
            normal[-1].text += output.text
            continue
        if output.output_type == "error":
            output.traceback = plain_traceback(output)
        if output.output_type == "execute_result":
            output.execution_count = count
        if "data" in output:
            output.data.pop(WIDGET_VIEW, None)
        normal.append(output)
    return normal


def plain_traceback(error):
    """Keep lines meant for the reader; a real traceback names files of this machine, so only its last line stays."""
    if any("\x1b" in line for line in error.traceback):
        return [f"{error.ename}: {error.evalue}"]
    return error.traceback


# Comparing


def first_difference(stored, fresh):
    """Name the first cell that differs, with the first differing line of each side."""
    if len(stored.cells) != len(fresh.cells):
        return f"{len(stored.cells)} cells stored, {len(fresh.cells)} now"
    for position, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=False), start=1):
        for before, now in zip(lines(old) + [""], lines(new) + [""], strict=False):
            if before != now:
                return (
                    f"cell {position} ({new.id}) is stale\n  stored: {around(before, now)}\n"
                    f"  now:    {around(now, before)}\n  in {path_of(old, new)}"
                )
    return None


def lines(cell):
    """Write a cell as lines, a text of several lines as several."""
    return json.dumps(cell, indent=1, sort_keys=True, ensure_ascii=False).replace("\\n", "\n").splitlines()


def around(line, other, width=120):
    """Cut a long line to the part where it leaves the other."""
    same = next(
        (at for at, (one, two) in enumerate(zip(line, other, strict=False)) if one != two), min(len(line), len(other))
    )
    start = max(0, min(same - 40, len(line) - width))
    return ("…" if start else "") + line[start : start + width] + ("…" if start + width < len(line) else "")


def path_of(old, new):
    """Say which part of a cell differs: its source, its outputs, its metadata."""
    return ", ".join(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))


if __name__ == "__main__":
    sys.exit(main())
