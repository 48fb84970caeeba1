"""Measure the teaching core, and keep the line numbers and sizes in docs/core.md true.

python tools/core.py            rewrite them, and print the sizes
python tools/core.py --check    only say whether the page is stale
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "overlaylab"
PAGE = ROOT / "docs" / "core.md"

# In the order in which they are read.
CORE = (
    "image/digest",
    "image/config",
    "image/document",
    "stores/docker/layerdb",
    "overlay/whiteouts",
    "overlay/lookup",
)

# [`LayerDB.entry`](../overlaylab/stores/docker/layerdb.py#L71)
DEFINITION = re.compile(r"\[`([\w.]+)`\]\(\.\./overlaylab/([\w/]+)\.py#L\d+\)")
# ([187 lines](../overlaylab/stores/docker/layerdb.py))
SIZE = re.compile(r"\[\d+ lines\]\(\.\./overlaylab/([\w/]+)\.py\)")
TOTAL = re.compile(r"[\d,]+ lines, [\d,]+ with all that they import")


def main(arguments):
    """Rewrite or check the page; return the exit status."""
    text = PAGE.read_text(encoding="utf-8")
    if text == renewed(text):
        return 0
    if "--check" in arguments:
        print("stale, run python tools/core.py: docs/core.md")
        return 1
    PAGE.write_text(renewed(text), encoding="utf-8", newline="\n")
    return 0


def renewed(text):
    """The page with every line number and every size as it is now."""
    text = DEFINITION.sub(lambda m: f"[`{m[1]}`](../overlaylab/{m[2]}.py#L{line_of(m[2], m[1])})", text)
    text = SIZE.sub(lambda m: f"[{lines(m[1])} lines](../overlaylab/{m[1]}.py)", text)
    return TOTAL.sub(f"{size(CORE):,} lines, {size(closure(CORE)):,} with all that they import", text)


def line_of(module, name):
    """The line of a function, a class, or a method such as ``LayerDB.entry``."""
    node = tree_of(module)
    for part in name.split("."):
        named = [child for child in node.body if getattr(child, "name", None) == part]
        if not named:
            raise SystemExit(f"docs/core.md names what is not there: {name} in overlaylab/{module}.py")
        node = named[0]
    return node.lineno


def closure(modules):
    """The modules, and all modules of the package that they need when they are imported."""
    found, waiting = set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imported(module)
    return found


def imported(module):
    """The modules that a module imports when it is imported itself: not in functions, not for a type checker alone."""
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom):
            package = ["overlaylab", *module.split("/")][: -node.level] if node.level else []
            name = [*package, *(node.module or "").split(".")]
            if name[0] == "overlaylab" and (PACKAGE / "/".join(name[1:])).with_suffix(".py").is_file():
                yield "/".join(name[1:])


def tree_of(module):
    """The syntax tree of a module."""
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def lines(module):
    """The lines of a module."""
    return len((PACKAGE / f"{module}.py").read_text(encoding="utf-8").splitlines())


def size(modules):
    """The lines of several modules."""
    return sum(map(lines, modules))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
