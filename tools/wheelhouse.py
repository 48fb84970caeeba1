"""Collect all that the environment needs into wheelhouse/, so that a room installs it without a network.

    python tools/wheelhouse.py                                 for machines like this one
    python tools/wheelhouse.py --for windows --python 3.12     for others, each time into the same folder

Where there is a folder wheelhouse/, ``make lab`` and ``make setup`` install from
it and ask no network. Machines with another system or another Python need a run
of their own; the files lie side by side.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What builds our own package, and what fills the environment.
TOOLS = ["hatchling>=1.26,<2", "editables", "uv"]
# The kind of machine -> its name for uv, which knows what each one needs, and its names for pip, which fetches it.
MACHINES = {
    "linux": (
        "x86_64-manylinux_2_28",
        [
            "manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64",
            "manylinux_2_17_x86_64",
            "manylinux2014_x86_64",
            "manylinux_2_12_x86_64",
            "manylinux2010_x86_64",
            "manylinux_2_5_x86_64",
            "manylinux1_x86_64",
            "linux_x86_64",
        ],
    ),
    "linux-arm": (
        "aarch64-manylinux_2_28",
        [
            "manylinux_2_28_aarch64",
            "manylinux_2_27_aarch64",
            "manylinux_2_17_aarch64",
            "manylinux2014_aarch64",
            "linux_aarch64",
        ],
    ),
    "macos": ("aarch64-apple-darwin", ["macosx_13_0_arm64"]),
    "macos-intel": ("x86_64-apple-darwin", ["macosx_13_0_x86_64"]),
    "windows": ("x86_64-pc-windows-msvc", ["win_amd64"]),
}


def main(arguments=None):
    """Fill the folder; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--for", dest="machine", choices=sorted(MACHINES), help="the kind of machine; this one, if it is not given"
    )
    parser.add_argument(
        "--python",
        default="{}.{}".format(*sys.version_info),
        metavar="VERSION",
        help="the Python of those machines, such as 3.12",
    )
    parser.add_argument("--into", type=Path, default=ROOT / "wheelhouse", metavar="FOLDER")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="overlaylab-") as folder:
        for command in commands(options, Path(folder)):
            if subprocess.run(command, cwd=ROOT).returncode:
                print("The folder is not complete: see the message above.", file=sys.stderr)
                return 1
    files = list(options.into.glob("*.whl"))
    print(
        f"{len(files)} files, {sum(path.stat().st_size for path in files) // 1_000_000} MB in {options.into}. "
        "Copy the folder into the kit on each machine, and run: make lab"
    )
    return 0


def commands(options, folder):
    """Two steps: which versions fit together on that machine, then fetch them."""
    wanted, chosen = folder / "wanted.in", folder / "chosen.txt"
    wanted.write_text("\n".join(TOOLS) + "\n", encoding="utf-8")
    choose = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--extra",
        "test",
        "--python-version",
        options.python,
        "--no-header",
        "--output-file",
        str(chosen),
        "pyproject.toml",
        str(wanted),
    ]
    fetch = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        options.python,
        "--dest",
        str(options.into),
        "--requirement",
        str(chosen),
    ]
    if options.machine:
        name, tags = MACHINES[options.machine]
        choose += ["--python-platform", name]
        fetch += [part for tag in tags for part in ("--platform", tag)]
    return choose, fetch


if __name__ == "__main__":
    sys.exit(main())
