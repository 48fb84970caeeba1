"""Write an ``__init__.pyi`` beside each lazy ``__init__.py``, so that a type checker and an editor know its names.

python tools/stubs.py            rewrite them
python tools/stubs.py --check    only say which are stale
"""

import importlib
import pkgutil
import sys
import textwrap
from pathlib import Path

import overlaylab

PACKAGE = Path(overlaylab.__file__).parent
HEAD = "# Made by tools/stubs.py from the names that __init__.py gives."


def main(arguments):
    """Rewrite or check the stubs; return the exit status."""
    wanted = stubs()
    stale = {path for path in PACKAGE.rglob("__init__.pyi") if path not in wanted}
    stale |= {path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text}
    for path in sorted(stale):
        if "--check" in arguments:
            print("stale, run python tools/stubs.py:", path.relative_to(PACKAGE.parent))
        elif path in wanted:
            path.write_text(wanted[path], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return 1 if stale and "--check" in arguments else 0


def stubs():
    """The text of each stub by its path."""
    found = pkgutil.walk_packages(overlaylab.__path__, "overlaylab.")
    names = ["overlaylab", *(module.name for module in found if module.ispkg)]
    packages = [importlib.import_module(name) for name in names]
    return {Path(one.__file__).with_suffix(".pyi"): stub(one) for one in packages if "__getattr__" in vars(one)}


def stub(package):
    """What a package gives, as imports that name their modules."""
    # It is `load_name` with these arguments: see overlaylab/__init__.py.
    table, rooms = package.__getattr__.args[1], package.__getattr__.keywords.get("rooms", ())
    lines = [HEAD, *(f"from . import {room} as {room}" for room in rooms)]
    lines += [wrapped(f"from .{room} import (", names.split(), ")") for room, names in table.items() if names]
    lines += ["__version__: str"] if package is overlaylab else []
    return "\n".join([*lines, wrapped("__all__ = [", [f'"{name}"' for name in package.__all__], "]")]) + "\n"


def wrapped(begin, items, end):
    """A list in brackets, in lines of at most 120 characters."""
    return textwrap.fill(f"{begin}{', '.join(items)}{end}", 120, subsequent_indent="    ", break_long_words=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
