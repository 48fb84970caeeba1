"""Make the course's tables from their data: what people believe, and the glossary.

    python tools/course.py            rewrite docs/misconceptions.md and docs/glossary.md
    python tools/course.py --check    only say whether they are true
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "overlaylab" / "data"


def main(arguments):
    """Rewrite or check the documents; return the exit status."""
    stale = [path for path, text in documents().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        print("\n".join(f"{path.relative_to(ROOT)} is stale. Run: python tools/course.py" for path in stale) or "The tables are true.")
        return 1 if stale else 0
    for path in stale:
        path.write_text(documents()[path], encoding="utf-8", newline="\n")
    return 0


def documents():
    """Each document with its text."""
    return {ROOT / "docs" / "misconceptions.md": misconceptions_text(), ROOT / "docs" / "glossary.md": glossary_text()}


def misconceptions():
    """The rows of the table, in the order of their numbers."""
    return sorted(read("misconceptions.toml")["misconception"], key=lambda row: row["number"])


def glossary():
    """The terms, in alphabetical order."""
    return sorted(read("glossary.toml")["term"], key=lambda row: row["term"].lower())


def read(name):
    """Read one of the data files."""
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))


def misconceptions_text():
    """What people believe, what is so, and where the course decides it."""
    lines = ["# What people believe about images", ""]
    lines += ["Each belief is provoked by a prediction, decided by an experiment, and named by a check when an answer shows it.", ""]
    lines += ["| | belief | what is so | notebook | prediction | experiment | check that names it |", "| ---: | --- | --- | --- | --- | --- | --- |"]
    for row in misconceptions():
        pairs = [(row[name], row[slip]) for name, slip in (("prediction", "slip"), ("exercise", "exercise_slip")) if name in row]
        named = ", ".join(f"`{name}` ({', '.join(slips)})" for name, slips in pairs)
        cells = [row["number"], row["belief"], row["truth"], link(row["notebook"]), f"`{row['prediction']}`", f"`{row['experiment'].strip()}`", named]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def glossary_text():
    """The words of the course, each with its meaning and the notebook that uses it first."""
    lines = ["# Glossary", "", "| term | meaning | first in |", "| --- | --- | --- |"]
    lines += [f"| **{row['term']}** | {row['meaning']} | {link(row['notebook'])} |" for row in glossary()]
    return "\n".join(lines) + "\n"


def link(notebook):
    """A notebook's number, with the way to it."""
    return f"[{notebook[:2]}](../notebooks/{notebook}.ipynb)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
