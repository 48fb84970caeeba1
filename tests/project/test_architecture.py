"""The architecture as a fact: the rooms, which of them may import which, and where input and output may happen.

An arrow never points back: a room uses what stands under it, and all rooms may use the files at the root.
Pure rooms compute on values. They open nothing, start nothing, and know neither clock nor chance, so that everything in
them can be shown and tested in memory.
"""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "overlaylab"

# Room -> the rooms that it may use, besides its own files and the files at the root. A new arrow needs its reason here.
ARROWS = {
    "image": [],
    "overlay": ["image"],
    "overlay/oci": ["overlay", "image"],
    "linux": ["overlay", "image"],
    "linux/proof": ["linux", "overlay", "image"],
    # No reader needs a system call of the model.
    "stores": ["stores/docker", "stores/containerd", "stores/files", "overlay", "image"],
    "stores/docker": ["stores", "stores/files", "overlay", "image"],
    "stores/containerd": ["stores", "stores/files", "overlay", "image"],
    "stores/files": ["overlay", "image"],
    "stores/audit": ["stores", "stores/docker", "stores/containerd", "stores/files", "overlay", "image"],
    "kernel": ["linux", "linux/proof", "stores", "overlay", "image"],
    "views/kit": ["image/digest"],
    "views/image": ["views/kit", "stores", "image"],
    "views/overlay": ["views/kit", "kernel", "linux", "stores", "overlay", "image"],
    "views/stores": ["views/kit", "kernel", "stores", "overlay", "image"],
    "views/own": ["views/overlay", "views/stores", "views/kit", "kernel", "stores", "overlay", "image"],
    "course": ["views", "kernel", "linux", "stores", "overlay", "image"],
    "course/lessons": ["course", "views", "kernel", "linux", "stores", "overlay", "image"],
    # Its texts are plain: a terminal needs no picture.
    "cli": ["stores", "image"],
}
# Files that all rooms may use; they use none of them.
FILES = ["errors", "limits", "tree", "words"]
PURE = ["image", "overlay", "overlay/oci", "linux", "linux/proof", "stores/audit"]
# They read what the learner brings, and go through it once more.
NOT_PURE = ["stores/audit/learner_image", "stores/audit/tampering"]

FORBIDDEN_IN_PURE = {
    *"asyncio ctypes fcntl glob importlib.resources multiprocessing os pathlib random".split(),
    *"secrets shutil signal socket subprocess tempfile threading time urllib uuid".split(),
}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}


def modules():
    """Name every module of the package by its path: ``image/digest``, ``errors``."""
    return sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


def source(module):
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def tree_of(module):
    return ast.parse(source(module))


def room(module):
    """The folder that a module lies in; empty at the root."""
    return module.rpartition("/")[0]


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
    here, there = room(importer), room(imported)
    if imported == "__init__":
        # How a room loads lazily; and the version, which the command line tells.
        return importer.endswith("/__init__") or importer == "cli/commands"
    if here == "":
        return importer == "__main__" or (imported in FILES and FILES.index(imported) < FILES.index(importer))
    if there == "":
        return imported in FILES
    top = here.partition("/")[0]
    return there == here or any(
        one in (there, imported) or (there.startswith(f"{one}/") and one != top) for one in ARROWS.get(here, [])
    )


def is_pure(module):
    return room(module) in PURE and module not in NOT_PURE


def does_io(tree):
    """List what a pure module must not have: modules of the outside world, calls that reach it."""
    found = [
        name for name in imports(tree) if any(name == bad or name.startswith(bad + ".") for bad in FORBIDDEN_IN_PURE)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            found.append(node.func.id + "()")
    return found


def test_every_folder_is_a_room():
    rooms = {room(module) for module in modules()} - {"", "views"}

    assert rooms == set(ARROWS)
    assert {module for module in modules() if room(module) == ""} == {*FILES, "__init__", "__main__"}


@pytest.mark.parametrize("module", modules())
def test_imports_point_one_way(module):
    back = [other for other in imported_modules(module) if other != module and not may_import(module, other)]

    assert back == []


def test_no_two_modules_import_each_other():
    """A circle has no first file: whoever reads it must have read it already."""
    arrows = {module: {other for other in imported_modules(module) if other != module} for module in modules()}
    while free := [module for module, others in arrows.items() if not others & set(arrows)]:
        for module in free:
            del arrows[module]

    assert arrows == {}


def test_no_private_name_crosses_a_file():
    crossing = [
        f"{module}: {alias.name}"
        for module in modules()
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.endswith("__")
    ]

    assert crossing == []


@pytest.mark.parametrize("module", [module for module in modules() if is_pure(module)])
def test_pure_rooms_do_no_io(module):
    assert does_io(tree_of(module)) == []


def test_what_is_not_pure_exists():
    assert set(NOT_PURE) <= set(modules())


@pytest.mark.parametrize(
    ("folder", "files", "lines"),
    [("overlaylab", 15, 400), ("tests", 20, 500)],
)
def test_no_folder_and_no_file_is_crowded(folder, files, lines):
    paths = list((ROOT / folder).rglob("*.py"))
    folders = {path.parent for path in paths}

    assert [at.name for at in folders if len(list(at.glob("*.py"))) > files] == []
    assert [path.name for path in paths if len(path.read_text(encoding="utf-8").splitlines()) > lines] == []


def packages():
    """The package and its rooms."""
    import overlaylab

    found = pkgutil.walk_packages(overlaylab.__path__, "overlaylab.")
    return ["overlaylab", *(module.name for module in found if module.ispkg)]


@pytest.mark.parametrize("package", packages())
def test_a_room_says_what_it_is_for_and_gives_what_it_names(package):
    opened = importlib.import_module(package)
    names = getattr(opened, "__all__", [])

    assert opened.__doc__ and opened.__doc__.strip().split("\n\n")[0].endswith((".", "?"))
    assert all(getattr(opened, name) is not None for name in names)
    # Importing a module puts it into its package under its name, whoever does it.
    assert {module.name for module in pkgutil.iter_modules(opened.__path__)} & set(names) == set()


def test_one_place_writes_mount_options():
    """How a path is escaped, and how long the text may be, is written once: a second place would be wrong one day."""
    writing = [
        module for module in modules() if 'replace(",", "\\\\,")' in source(module) or "PAGE = 4096" in source(module)
    ]

    assert writing == ["overlay/mount_parameters"]


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
        ("image/digest", "errors", True),
        ("errors", "image/digest", False),
        ("stores/files/place", "image/digest", True),
        ("image/digest", "stores/files/place", False),
        ("stores/detect", "stores/files/place", True),
        ("stores/detect", "linux/system", False),
        ("linux/system", "linux/proof/vectors", False),
        ("kernel/mount", "views/kit/text", False),
        ("views/overlay/text", "overlay/overlay", True),
        ("views/image/chain", "views/stores/detective", False),
        ("views/own/overview", "views/stores/detective", True),
        ("cli/commands", "stores/detect", True),
        ("cli/commands", "views/kit/tables", False),
        ("stores/detect", "cli/commands", False),
        ("image/digest", "__init__", False),
        ("course/exercises", "course/lessons/l01", False),
    ],
)
def test_the_rule_of_the_arrows(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_imports_are_seen_in_every_spelling():
    tree = ast.parse(
        "import overlaylab.tree\nfrom overlaylab import errors\nfrom . import text\n"
        "from ..files.place import open_place"
    )

    seen = set(imports(tree, "stores/docker/root"))
    assert {"overlaylab.tree", "overlaylab.errors", "overlaylab.stores.docker.text"} <= seen
    assert "overlaylab.stores.files.place" in seen
