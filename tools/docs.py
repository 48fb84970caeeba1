"""Renew every document that is made from code or data, with one command.

python tools/docs.py            rewrite them
python tools/docs.py --check    only say which are stale
"""

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Each is a program of its own with the same two forms.
GENERATORS = ("map", "stubs", "core", "course", "reference", "recipes", "rules")


def main(arguments):
    """Run every generator; return 0 if all of them did."""
    check = [argument for argument in arguments if argument == "--check"]
    programs = [TOOLS / f"{name}.py" for name in GENERATORS]
    statuses = [subprocess.run([sys.executable, str(path), *check]).returncode for path in programs if path.is_file()]
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
