"""Keep the README's map of the rooms true: each room of the package, its files, its lines, its sentence.

python tools/map.py            rewrite the table between <!-- map --> and <!-- /map -->
python tools/map.py --check    only say whether it is true
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- map -->", "<!-- /map -->"
ROOMS = ("image", "overlay", "linux", "stores", "kernel", "views", "course", "cli")


def main(arguments):
    """Rewrite or check the README; return the exit status."""
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = with_map(old, table())
    if "--check" not in arguments:
        readme.write_text(new, encoding="utf-8", newline="\n")
        return 0
    for line in sorted(set(new.splitlines()) - set(old.splitlines())):
        print("should be:", line)
    return 0 if old == new else 1


def with_map(readme, rows):
    """Put the table between its two marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md has no place for the map: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def table():
    """List every room of the package with all that is in it, lowest first, and the files that all rooms may use."""
    rows = ["| room | files | lines | what it is for |", "| --- | ---: | ---: | --- |"]
    for room, paths in rooms():
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)
        sentence = first_sentence((room / "__init__.py").read_text(encoding="utf-8"))
        rows.append(f"| `{room.relative_to(ROOT).as_posix()}/` | {len(paths)} | {lines:,} | {sentence} |")
    for path in sorted((ROOT / "overlaylab").glob("[a-z]*.py")):
        text = path.read_text(encoding="utf-8")
        row = f"| `{path.relative_to(ROOT).as_posix()}` | | {len(text.splitlines()):,} | {first_sentence(text)} |"
        rows.append(row)
    return "\n".join(rows)


def rooms():
    """Each room with all of its Python files, lowest first."""
    for name in ROOMS:
        room = ROOT / "overlaylab" / name
        yield room, sorted(room.rglob("*.py"))


def first_sentence(source):
    """Take the first sentence of a module's docstring, on one line."""
    paragraph = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
    sentence, dot, _ = (" ".join(paragraph.split()) + " ").partition(". ")
    return (sentence.strip() + dot.strip()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
