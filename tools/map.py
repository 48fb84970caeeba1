"""Keep the README's map of files true: each file of the package, its lines, its first sentence.

python tools/map.py            rewrite the table between <!-- map --> and <!-- /map -->
python tools/map.py --check    only say whether it is true
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- map -->", "<!-- /map -->"


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
    """List every Python file of the package, in the order of a folder listing."""
    rows = ["| path | lines | what |", "| --- | ---: | --- |"]
    for path in sorted((ROOT / "overlaylab").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        rows.append(f"| `{path.relative_to(ROOT).as_posix()}` | {len(text.splitlines())} | {first_sentence(text)} |")
    return "\n".join(rows)


def first_sentence(source):
    """Take the first sentence of a module's docstring, on one line."""
    paragraph = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
    sentence, dot, _ = (" ".join(paragraph.split()) + " ").partition(". ")
    return (sentence.strip() + dot.strip()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
