"""Check the form of the code and its types, as ``make check`` and the hooks in .pre-commit-config.yaml do.

    python tools/check.py             run every check, and say which failed
    python tools/check.py ruff mypy   run these alone

Nothing is changed. What each tool looks at, and what it lets pass, stands in pyproject.toml.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name -> the module that checks, and its arguments.
CHECKS = {
    "ruff-format": ["ruff", "format", "--check"],
    "ruff": ["ruff", "check", "--quiet"],
    "mypy": ["mypy", "--no-error-summary"],
}
REMEDY = {"ruff-format": "ruff format", "ruff": "ruff check --fix mends some of it"}


def main(arguments=None):
    """Run the checks; return 1 if one of them found something, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS) + "; all, if none is named")
    wanted = parser.parse_args(arguments).checks or list(CHECKS)
    if unknown := sorted(set(wanted) - set(CHECKS)):
        parser.error(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    failed = [name for name in wanted if not passes(name)]
    if failed:
        print(f"FAILED: {', '.join(failed)}. What is wrong stands above.", file=sys.stderr)
    return 1 if failed else 0


def passes(name):
    """Run one check and say how it went; what it found it prints itself."""
    begin = time.perf_counter()
    status = subprocess.run([sys.executable, "-m", *CHECKS[name]], cwd=ROOT).returncode
    hint = f" ({REMEDY[name]})" if status and name in REMEDY else ""
    print(f"{name}: {'failed' if status else 'ok'}, {time.perf_counter() - begin:.1f} s{hint}", flush=True)
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
