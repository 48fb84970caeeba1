"""Make the course's documents from their data: the instructor's guide, and the glossary.

python tools/course.py            rewrite docs/course/instructor.md and docs/course/glossary.md
python tools/course.py --check    only say whether they are true
"""

import sys
from pathlib import Path

from guide import DATA, DOCS, guide_text, link, misconceptions, read

ROOT = Path(__file__).resolve().parent.parent

__all__ = ["documents", "glossary", "main", "misconceptions"]


def main(arguments):
    """Rewrite or check the documents; return the exit status."""
    texts = documents()
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        print(
            "\n".join(f"{path.relative_to(ROOT)} is stale. Run: python tools/course.py" for path in stale)
            or "The documents are true."
        )
        return 1 if stale else 0
    for path in stale:
        path.write_text(texts[path], encoding="utf-8", newline="\n")
    return 0


def documents():
    """Each document with its text."""
    return {DOCS / "instructor.md": guide_text(), DOCS / "glossary.md": glossary_text()}


def glossary():
    """The terms, in alphabetical order."""
    return sorted(read(DATA / "glossary.toml")["term"], key=lambda row: row["term"].lower())


def glossary_text():
    """The words of the course, each with its meaning and the notebook that uses it first."""
    lines = ["# Glossary", "", "| term | meaning | first in |", "| --- | --- | --- |"]
    lines += [f"| **{row['term']}** | {row['meaning']} | {link(row['notebook'])} |" for row in glossary()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
