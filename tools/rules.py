"""Write docs/rules.md: the rules of the overlay model, the functions that follow them, the experiments that prove them.

python tools/rules.py            rewrite the page
python tools/rules.py --check    only say whether it is stale
"""

import ast
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "overlaylab"
DATA = ROOT / "tests" / "data"
PAGE = ROOT / "docs" / "rules.md"
SECTION = re.compile(r"Kernel, sections? ((?:\d+(?:, | and )?)+):")
# More operations than these are not written out.
MOST = 8
# The arguments of an operation that say most, in this order.
SHOWN = ("path", "src", "dst", "target", "mode", "size", "name", "key")

HEAD = """\
# The rules of the overlay model

This page is made by `tools/rules.py` from docstrings and from recorded experiments, and a test compares it. Each
section is one part of the rules of Linux 6.18: the functions of the kernel that it models, the functions of this
package that follow it, and the experiments that were recorded on a mounted overlay. An id such as `wo-18` in the code
is an experiment: look it up as `docs/rules.md#wo-18`. Paths in `fs/overlayfs` are those of the kernel's source.
"""


def main(arguments):
    """Rewrite or check the page; return the exit status."""
    text = page()
    current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    elif text != current:
        print("docs/rules.md is stale. Run: python tools/rules.py")
        return 1
    return 0


def page():
    """The text of the whole page."""
    sections = json.loads((DATA / "overlay-sections.json").read_text(encoding="utf-8"))
    vectors = recorded()
    named = re.compile(rf"(?<![\[#])\b({'|'.join(sorted({name.partition('-')[0] for name in vectors}))})-\d+\b")
    rules = list(cited())
    lines = [HEAD]
    for number, section in sections.items():
        lines.append(f'<a id="section-{number}"></a>\n\n## {number}. {section["title"]}\n')
        if "kernel" in section:
            lines.append(f"Kernel: {section['kernel']}.\n")
        for place, name, text in (rule for rule in rules if number in rule[3] for rule in [rule[:3]]):
            linked = named.sub(lambda found: link(found[0], vectors), plain(text))
            lines.append(f"- [`{name}`](../{place}): {linked}")
        ids = ", ".join(link(name, vectors) for name in section["vectors"])
        lines.append(f"\nExperiments: {ids}.\n" if ids else "\nNo experiment was recorded for this section.\n")
    lines.append("## Experiments\n")
    lines += [experiment(vector) for vector in vectors.values()]
    return "\n".join(lines) + "\n"


def recorded():
    """Each recorded experiment by its id, in the order of the files."""
    files = sorted((DATA / "overlay-vectors").glob("*.json"))
    return {one["id"]: one for path in files for one in json.loads(path.read_text(encoding="utf-8"))["vectors"]}


def cited():
    """Each docstring that names a section: the path of its file, its name, its text, the numbers of the sections."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node) or ""
                numbers = {number for found in SECTION.findall(text) for number in re.findall(r"\d+", found)}
                if numbers:
                    yield path.relative_to(ROOT).as_posix(), f"{path.stem}.{node.name}", text, numbers


def plain(text):
    """The first paragraph of a docstring and what it says of the kernel, on one line."""
    first, _, rest = text.partition("\n\n")
    first += f" {rest}" if rest.startswith("Kernel, ") else ""
    spec = re.search(r"^Spec:\n((?:    .*\n?)+)", text, re.MULTILINE)
    both = " ".join(f"{first} {spec[1] if spec else ''}".split())
    return both.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def link(name, vectors):
    """An id as a link to its experiment, if there is one."""
    return f"[{name}](#{name})" if name in vectors else name


def experiment(vector):
    """One experiment: its anchor, its title, and its operations with their results."""
    done = steps(vector)
    title = vector["title"].replace("<", "&lt;").replace("*", "\\*")
    return f'- <a id="{vector["id"]}"></a>**{vector["id"]}** {title}' + (f": `{done}`" if done else "")


def steps(vector):
    """The operations of an experiment, each with its error where it has one; nothing for what has none."""
    operations = vector.get("ops", [])
    results = vector["expected"].get("results", []) if isinstance(vector.get("expected"), dict) else []
    if not operations or len(operations) > MOST:
        return ""
    results = [*results, *[{}] * (len(operations) - len(results))]
    return "; ".join(step(*pair) for pair in zip(operations, results, strict=False)).replace("`", "'")


def step(operation, result):
    """One operation in a few words."""
    words = [operation["op"], *(str(operation[key]) for key in SHOWN if key in operation)]
    return " ".join(words) + (f" = {result['errno']}" if "errno" in result else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
