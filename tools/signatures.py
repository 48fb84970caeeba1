"""The public names of every room with their signatures, read from the source alone: nothing is imported."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "overlaylab"
FILES = ("errors", "limits", "tree", "words")
ROOMS = ("image", "overlay", "linux", "stores", "kernel", "views", "course", "cli")
# A longer signature shows its first arguments.
LONGEST = 100


@dataclass(frozen=True)
class Entry:
    """One public name: how it is called, and what it is for."""

    name: str
    signature: str
    sentence: str
    path: str

    @property
    def file(self):
        """The file without its directory."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Room:
    """A package, or one of the files that all rooms use, with its public names in alphabetical order."""

    name: str
    sentence: str
    entries: tuple[Entry, ...]

    @property
    def anchor(self):
        """The name of its heading, as a forge makes it."""
        return self.name.replace(".", "").lower()


def rooms():
    """The files that all rooms use, then every room that gives names, lowest first."""
    found = [file_room(name) for name in FILES]
    for name in ROOMS:
        told = set()
        for init in sorted((PACKAGE / name).rglob("__init__.py")):
            room = package_room(init)
            # What a room gives itself is not told again in the part that it comes from.
            found.append(Room(room.name, room.sentence, tuple(each for each in room.entries if each not in told)))
            told.update(room.entries)
    return [room for room in found if room.entries]


def file_room(name):
    """One of the files at the root of the package: what its ``__all__`` names."""
    path = PACKAGE / f"{name}.py"
    module = parsed(path)
    entries = [entry for each in exported(module) if (entry := entry_of(each, path))]
    return Room(f"overlaylab.{name}", paragraph(module), tuple(sorted(entries, key=lambda entry: entry.name.lower())))


def package_room(init):
    """A package: what its ``__init__`` gives."""
    entries = []
    for module, names in given(init).items():
        for name in names:
            entry = entry_of(name, module_path(init.parent, module))
            if entry is None:
                raise SystemExit(f"{init.relative_to(ROOT)}: {module} has no {name}")
            entries.append(entry)
    dotted = ".".join(init.parent.relative_to(ROOT).parts)
    return Room(dotted, paragraph(parsed(init)), tuple(sorted(entries, key=lambda entry: entry.name.lower())))


def names_at_the_top():
    """The names that ``overlaylab`` itself gives."""
    return {name for names in given(PACKAGE / "__init__.py").values() for name in names}


def parsed(path):
    """A file as a syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def paragraph(node):
    """The first paragraph of a docstring on one line, in Markdown."""
    text = (ast.get_docstring(node) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def exported(module):
    """What ``__all__`` of a module names."""
    for node in module.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return ast.literal_eval(node.value)
    return []


def given(init):
    """What a package gives, as its stub says: module -> names. The stub is made from the package's own table."""
    stub = init.with_suffix(".pyi")
    found = {}
    for node in parsed(stub).body if init.name == "__init__.py" and stub.is_file() else ():
        # ``from . import room`` names a room, not what it gives.
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    return found


def module_path(folder, module):
    """The file of a module: ``walk``, ``linux.proof``; a package stands for its ``__init__``."""
    path = folder.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def entry_of(name, path):
    """A name as a reference shows it, wherever it is defined; None if it is not found."""
    for source, names in given(path).items():
        if name in names:
            return entry_of(name, module_path(path.parent, source))
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return entry(name, f"{name}({arguments(node)}){returned(node)}", paragraph(node), path)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return entry(name, f"class {name}({fields(node)})", paragraph(node), path)
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in assigned(node):
            return entry(name, name, comment(path, node), path)
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return imported(name, node, path)
    return None


def entry(name, signature, sentence, path):
    """An entry, its signature not longer than a line."""
    call, arrow, result = signature.partition(") -> ")
    if len(signature) > LONGEST:
        signature = call[: LONGEST - len(arrow + result)].rpartition(",")[0] + ", …" + (arrow + result or ")")
    return Entry(name, signature, sentence, path.relative_to(ROOT).as_posix())


def imported(name, node, path):
    """A name that a module takes from another one."""
    if node.level:
        folder, dotted = path.parents[node.level - 1], node.module or ""
    else:
        folder, dotted = ROOT, node.module
    original = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
    return entry_of(original, module_path(folder, dotted))


def assigned(node):
    """The names that an assignment gives a value."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def comment(path, node):
    """The comment above a constant."""
    lines = path.read_text(encoding="utf-8").splitlines()[: node.lineno - 1]
    above = []
    while lines and lines[-1].startswith("# "):
        above.insert(0, lines.pop()[2:])
    return " ".join(above).replace("|", "\\|")


def arguments(node):
    """The arguments of a function with their types, without ``self``."""
    arguments = node.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments = ast.arguments(**{**dict(ast.iter_fields(arguments)), "args": arguments.args[1:]})
    return ast.unparse(arguments)


def returned(node):
    """What a function returns, as its annotation says."""
    return f" -> {ast.unparse(node.returns)}" if node.returns else ""


def fields(node):
    """How a class is called: the arguments of ``__init__``, or the fields of a dataclass; else what it derives from."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return arguments(item)
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return ", ".join(
            f"{item.target.id}: {ast.unparse(item.annotation)}"
            for item in node.body
            if isinstance(item, ast.AnnAssign)
            and not item.target.id.startswith("_")
            and "ClassVar" not in ast.unparse(item.annotation)
        )
    return ", ".join(ast.unparse(base) for base in node.bases)
