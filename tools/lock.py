"""Renew requirements-test.lock: the exact packages of the tests' environment, with the sha256 hashes of their files.

python tools/lock.py    choose the newest versions that pyproject.toml allows, and write them down

It needs a network. ``make test`` installs by the ranges of pyproject.toml; the lock is for whoever wants the very same
packages once more.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-test.lock"
HEAD = """\
# Made by tools/lock.py (make lock). For every system, and CPython from 3.11 on:
#     python -m pip install --require-hashes -r requirements-test.lock
#     python -m pip install --no-deps -e .
"""
# uv solves for all systems and Pythons at once. Neither an index nor an address gets into the file.
SOLVE = "pip compile --quiet --universal --upgrade --python-version 3.11 --extra test --extra check --generate-hashes"
PLAIN = "--no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml"


def main():
    """Write the file; return the exit status."""
    command = [sys.executable, "-m", "uv", *SOLVE.split(), *PLAIN.split()]
    solved = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if solved.returncode == 0:
        LOCK.write_text(HEAD + solved.stdout, encoding="utf-8", newline="\n")
    return solved.returncode


if __name__ == "__main__":
    sys.exit(main())
