"""Build the environment once, then run one of the project's commands in it.

    python tools/bootstrap.py lab         open JupyterLab on the map of the course
    python tools/bootstrap.py check       check form and types: ruff format, ruff, mypy
    python tools/bootstrap.py test        run every test that this machine can run
    python tools/bootstrap.py prove       run generated operations on the model and on this kernel
    python tools/bootstrap.py bench       measure speed and memory beside other programs
    python tools/bootstrap.py notebooks   execute and normalise all notebooks
    python tools/bootstrap.py docs        renew the documents that are made from code and data
    python tools/bootstrap.py pages       write each notebook as a page for a projector
    python tools/bootstrap.py lock        renew the lock file of the tests' environment
    python tools/bootstrap.py ready       say whether this machine is ready for a class
    python tools/bootstrap.py wheelhouse  collect all packages, for machines without a network
    python tools/bootstrap.py student     write the student's copy of the notebooks, and nbgrader's source
    python tools/bootstrap.py grade DIR   grade submissions, DIR/NAME/*.ipynb, to grades.csv
    python tools/bootstrap.py setup       only build the environment
    python tools/bootstrap.py clean       remove the environment and our caches

This is what ``make`` calls. It is a file of its own so that a machine without
make, Windows first of all, has the same commands. It runs before anything is
installed, hence the standard library only, and no syntax that an old Python
cannot read: it must be able to say that the Python is too old.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# nbgrader adds itself to every lab of its environment, so it has one of its own.
GRADING = ROOT / ".venv-grading"
STAMP = "overlaylab.stamp"
# Where it is there, everything is installed from it, and no network is asked.
WHEELS = ROOT / "wheelhouse"
START = "00_map.ipynb"
OLDEST = (3, 11)
# Commands that are a file of their own beside this one.
TOOLS = ["check", "docs", "lock", "notebooks", "pages", "ready", "wheelhouse"]

NEED_PYTHON = """\
overlaylab needs Python 3.11 or newer, and this is {found}.
Install one:
  Debian 12, Ubuntu 24.04 or newer   sudo apt install python3 python3-venv
  Fedora, RHEL                       sudo dnf install python3.12
  macOS                              brew install python@3.12
  Windows                            winget install Python.Python.3.12
If it has another name than python3, say so: make lab PYTHON=python3.12"""

NEED_VENV = """\
{found} cannot make virtual environments: its module {module} is missing.
Install it:
  Debian, Ubuntu   sudo apt install python{version}-venv
  elsewhere        the package that holds "venv" and "ensurepip" for Python {version}"""

NEED_NETWORK = """\
The environment could not be built: see the message above.
The first run downloads about 90 MB and needs a network; later runs need none.
What is half done in {venv} is completed by the next run."""

NEED_WHEELS = """\
The environment could not be built from {wheels}: see the message above.
The folder has files for other machines than this one: Python {version} on {system}.
On a machine with a network: python tools/wheelhouse.py --help tells how to add them.
Or remove the folder; then the packages come from the network."""


class Missing(Exception):
    """Something basic is not there; the text says what to install."""


def main(arguments=None):
    """Run one command; return its exit status."""
    options = parse(arguments)
    if options.command == "clean":
        return clean()
    try:
        python = sys.executable if options.here else environment(extras(options))
        if asks_for(options, "grading") and not options.here:
            environment(["grading"], GRADING)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    if options.command == "lab":
        return run(lab_command(python) + options.rest, lab_environment())
    if options.command == "test":
        return run(test_command(python, options.require) + options.rest)
    if options.command == "prove":
        return run([python, "-m", "tests.kernel.prove"] + options.rest)
    if options.command == "bench":
        return run([python, "-m", "bench"] + options.rest)
    if options.command in TOOLS:
        return run([python, str(ROOT / "tools" / (options.command + ".py"))] + options.rest)
    if options.command in ("student", "grade"):
        return run([python, str(ROOT / "tools" / "grading"), options.command] + options.rest, folder=os.getcwd())
    print("Ready: {}".format(python))
    return 0


def parse(arguments):
    """Read the command line. What we do not know is passed on to the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "command", choices=["lab", "test", "prove", "bench", "student", "grade", "setup", "clean"] + TOOLS
    )
    parser.add_argument(
        "--here", action="store_true", help="use this Python as it is (a conda environment) and make no .venv"
    )
    parser.add_argument(
        "--require",
        default="",
        metavar="TIERS",
        help="test: kernel,engines,browser,grading or all; what cannot run is a failure",
    )
    options, options.rest = parser.parse_known_args(arguments)
    return options


def extras(options):
    """Name the optional dependencies that this command needs."""
    if options.command == "check":
        return ["test", "check"]
    return ["test", "browser"] if options.command == "bench" or asks_for(options, "browser") else ["test"]


def asks_for(options, tier):
    """Tell whether the tests are asked to prove what a tier proves."""
    return bool({tier, "all"} & set(options.require.split(",")))


# The environment


def environment(wanted, venv=None):
    """Make ``.venv``, or another folder, hold the package and the wanted extras; return its Python.

    A stamp remembers what was installed, so that a second run starts at once
    and needs no network. It covers pyproject.toml, and the folder, because an
    editable install breaks when the folder moves.
    """
    venv = venv or VENV
    python, stamp = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"), venv / STAMP
    state = fingerprint()
    written = stamp.read_text(encoding="utf-8").split() if stamp.is_file() else []
    if python.exists() and written[:1] == [state] and set(wanted) <= set(written[1:]):
        return str(python)
    wanted = sorted(set(wanted) | set(written[1:]))
    base = base_python()
    check_venv(base)
    print("Building the environment in {} (once; about ten seconds, longer on a slow line)".format(venv), flush=True)
    install(base, python, wanted)
    stamp.write_text(" ".join([state] + wanted) + "\n", encoding="utf-8")
    return str(python)


def fingerprint():
    """Name what an installation depends on."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()


def base_python():
    """Find the Python that makes the environment: this one, or a newer one beside it."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in range(14, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.{}".format(minor))
        if newer:
            return newer
    raise Missing(NEED_PYTHON.format(found="{}.{}.{} ({})".format(*sys.version_info[:3] + (sys.executable,))))


def install(base, python, wanted):
    """Create the environment if it is not there, then let uv fill it: it takes seconds where pip takes a minute."""
    try:
        venv = python.parent.parent
        if not python.exists():
            subprocess.run([base, "-m", "venv", "--clear", str(venv)], check=True)
        source = ["--no-index", "--find-links", str(WHEELS)] if WHEELS.is_dir() else []
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"] + source
        if not (python.parent / ("uv.exe" if os.name == "nt" else "uv")).exists():
            subprocess.run(pip + ["uv"], check=True)
        target = "{}[{}]".format(ROOT, ",".join(wanted))
        subprocess.run(
            [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
            + source
            + ["--editable", target],
            check=True,
        )
    except subprocess.CalledProcessError:
        if WHEELS.is_dir():
            raise Missing(
                NEED_WHEELS.format(wheels=WHEELS, version="{}.{}".format(*sys.version_info), system=sys.platform)
            )
        raise Missing(NEED_NETWORK.format(venv=venv))


def check_venv(base):
    """Refuse a Python without ``venv`` or ``ensurepip``: Debian packs them apart."""
    for module in ("venv", "ensurepip"):
        probe = "import sys, {}; print('%d.%d' % sys.version_info[:2])".format(module)
        if subprocess.run([base, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            version = subprocess.check_output([base, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            raise Missing(NEED_VENV.format(found=base, module=module, version=version.decode().strip()))


# The commands


def lab_command(python, folder=ROOT / "notebooks"):
    """Say how JupyterLab is started on the first notebook of a folder."""
    command = [
        str(python),
        "-m",
        "jupyterlab",
        "--ServerApp.root_dir={}".format(folder),
        "--LabApp.default_url=/lab/tree/" + START,
    ]
    if not has_display():
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def lab_environment():
    """Add our settings to Jupyter's own: no news pop-up, no look for updates."""
    path = [str(ROOT / "jupyter_config"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    return dict(os.environ, JUPYTER_CONFIG_PATH=os.pathsep.join(filter(None, path)))


def has_display():
    """Tell whether a browser can open here; elsewhere the address is only printed."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def test_command(python, require):
    """Say how the tests are started: up to four at a time, a notebook never split."""
    command = [str(python), "-m", "pytest", "-q", "-n", str(min(4, os.cpu_count() or 1))]
    return command + ["--require", require] if require else command


def run(command, environment=None, folder=ROOT):
    """Run a command in the project's folder, or another, and return its status.

    Ctrl-C belongs to the command: JupyterLab asks before it stops.
    """
    os.chdir(str(folder))
    environment = environment or os.environ
    if os.name == "posix":
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass


def clean():
    """Remove what we made, and nothing else."""
    caches = [
        VENV,
        GRADING,
        ROOT / ".pytest_cache",
        ROOT / ".mypy_cache",
        ROOT / ".ruff_cache",
        ROOT / ".hypothesis",
        *ROOT.glob("*.egg-info"),
        ROOT / "notebooks" / ".ipynb_checkpoints",
        ROOT / "pages",
    ]
    for folder in ("overlaylab", "tests", "tools", "bench"):
        caches.extend((ROOT / folder).rglob("__pycache__"))
    for cache in caches:
        shutil.rmtree(str(cache), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
