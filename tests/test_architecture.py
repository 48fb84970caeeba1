"""The architecture as a fact: what each file may import, and where input and output may happen.

Data flows one way, and an import never points back::

    core <- words <- readers <- kernel <- views <- exercises <- lessons, command line

The core computes on values. It opens nothing, starts nothing, and knows neither
clock nor chance, so that everything in it can be shown and tested in memory.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "overlaylab"

# Lowest first: a core module imports only from the modules before it.
CORE = """
    errors limits digest document media config manifest tree tarball tarwriter access option_text parameters options mounts image select
    witness changeset journal marks vnode pathwalk posix attributes content opening descriptors parts lookup seeker identity overlay disk
    mounting shorthand system ops shell_words shell compare
    invariants vectors verdict labels broken experiments translate samples commit archive unpacked blob layer_reader validate present owners layers detective
""".split()

# A folder, or a file beside the core, and its height. The package's door, __init__, stands above all that it opens.
HEIGHTS = {
    "core": 0,
    "words": 0.5,
    "readers": 1,
    "kernel": 2,
    "views": 3,
    "exercises": 4,
    "lessons": 5,
    "__init__": 6,
    "terminal": 6.5,
    "meter": 6.5,
    "cli": 7,
    "__main__": 8,
}

FORBIDDEN_IN_CORE = {
    "asyncio",
    "ctypes",
    "fcntl",
    "glob",
    "importlib.resources",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}


def modules():
    """Name every module of the package by its path: ``digest``, ``readers/place``."""
    return sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


def source(module):
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def tree_of(module):
    return ast.parse(source(module))


def place(module):
    """Say where a module stands: its folder, its own name beside the core, or the core."""
    first = module.partition("/")[0]
    return first if first in HEIGHTS else "core"


def imports(tree, module=""):
    """Name all imports in dotted form, also those within functions and with leading dots."""
    package = ["overlaylab", *module.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imported_modules(module):
    """Name the modules of ours that a module imports."""
    known = set(modules())
    for name in imports(tree_of(module), module):
        if name == "overlaylab":
            yield "__init__"
        elif name.startswith("overlaylab."):
            path = name.removeprefix("overlaylab.").replace(".", "/")
            yield from {path, f"{path}/__init__"} & known


def may_import(importer, imported):
    """Tell whether an arrow points the right way."""
    here, there = place(importer), place(imported)
    if here == there == "core":
        return {imported, importer} <= set(CORE) and CORE.index(imported) < CORE.index(importer)
    return HEIGHTS[there] < HEIGHTS[here] or (here == there and "/" in importer)


def does_io(tree):
    """List what a core module must not have: modules of the outside world, calls that reach it."""
    found = [
        name for name in imports(tree) if any(name == bad or name.startswith(bad + ".") for bad in FORBIDDEN_IN_CORE)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            found.append(node.func.id + "()")
    return found


def test_every_core_module_has_its_place_in_the_order():
    core = {module for module in modules() if place(module) == "core"}

    assert core - set(CORE) == set(), "give it a place in CORE"
    assert core, "there is no core"


@pytest.mark.parametrize("module", modules())
def test_imports_point_one_way(module):
    back = [
        imported for imported in imported_modules(module) if imported != module and not may_import(module, imported)
    ]

    assert back == []


@pytest.mark.parametrize("module", [module for module in modules() if place(module) == "core"])
def test_the_core_does_no_io(module):
    assert does_io(tree_of(module)) == []


def test_one_place_writes_mount_options():
    """How a path is escaped, and how long the text may be, is written once: a second place would be wrong one day."""
    writing = [
        module for module in modules() if 'replace(",", "\\\\,")' in source(module) or "PAGE = 4096" in source(module)
    ]

    assert writing == ["option_text"]


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "from pathlib import Path",
        "def f():\n    import subprocess",
        "with open('x') as f: pass",
        "print('x')",
    ],
)
def test_io_is_found(source):
    assert does_io(ast.parse(source)) != []


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("digest", "errors", True),
        ("errors", "digest", False),
        ("readers/place", "digest", True),
        ("digest", "readers/place", False),
        ("readers/detect", "readers/place", True),
        ("kernel/mount", "views/text", False),
        ("views/text", "overlay", True),
        ("cli", "readers/detect", True),
        ("readers/detect", "cli", False),
        ("digest", "__init__", False),
    ],
)
def test_the_rule_of_the_arrows(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_imports_are_seen_in_every_spelling():
    tree = ast.parse(
        "import overlaylab.digest\nfrom overlaylab import errors\nfrom . import text\nfrom ..readers.place import open_place"
    )

    assert {"overlaylab.digest", "overlaylab.errors", "overlaylab.views.text", "overlaylab.readers.place"} <= set(
        imports(tree, "views/dot")
    )
