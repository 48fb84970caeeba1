"""Make the reference pages from the code: the public API, the kinds of problem, the help of each command.

python tools/reference.py            rewrite the pages in docs/reference
python tools/reference.py --check    only say which are stale
"""

import re
import sys
import tomllib
from pathlib import Path

import signatures

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
PLACE = re.compile(r"(<!-- made: ([a-z0-9-]+) -->\n).*?(<!-- /made -->)", re.DOTALL)
# As wide as the help is in a terminal of 80 columns, whatever this terminal is.
WIDTH = 80


def main(arguments):
    """Rewrite or check the pages; return the exit status."""
    texts = documents()
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT).as_posix()} is stale. Run: make docs")
        return 1 if stale else 0
    for path in stale:
        path.write_text(texts[path], encoding="utf-8", newline="\n")
    return 0


def documents():
    """Each page with its text."""
    return {
        PAGES / "api.md": api_text(),
        PAGES / "problems.md": problems_text(),
        PAGES / "command-line.md": command_line_text(),
    }


# The public API

API = """\
# The public API

This page is made from what the `__init__.py` of each room gives and from docstrings (`make docs`); a test compares
them. A name in this page is public: `from overlaylab.ROOM import NAME` works, and the [changelog](../../CHANGELOG.md)
says when it changes. All other names are private to their room. Names that notebooks use stand at the top of the
package as well, marked `ol.`, since a notebook begins with `import overlaylab as ol`.

Read the docstring for arguments, errors and the source of a rule: `help(overlaylab.image.chain_ids)`.

"""


def api_text():
    """Every room with its public names, their signatures and the first paragraph of their docstrings."""
    top = signatures.names_at_the_top()
    rooms = signatures.rooms()
    ways = " · ".join(f"[{room.name.removeprefix('overlaylab.')}](#{room.anchor})" for room in rooms)
    return API + f"**Rooms:** {ways}\n" + "".join(room_text(room, top) for room in rooms)


def room_text(room, top):
    """One room as a section: its sentence, then an entry for each name."""
    lines = [f"\n## {room.name}\n", f"{room.sentence}\n"]
    for entry in room.entries:
        also = f" · `ol.{entry.name}`" if entry.name in top else ""
        said = f"  \n  {entry.sentence}" if entry.sentence else ""
        lines.append(f"- **`{entry.signature}`**{also} ([{entry.file}](../../{entry.path})){said}")
    return "\n".join(lines) + "\n"


# Kinds of problem

PROBLEMS = """\
# Every kind of problem

`inspect` and `verify` report problems; each has one of the kinds below. An **error** means that something is wrong, and
`ok` is false. A **warning** means that the input was read and is usable, and that you should know. The first three
columns are made from the table in [errors.py](../../overlaylab/errors.py), the last from
[problems.toml](problems.toml).

A problem is data: `kind`, `severity`, `where`, `expected`, `found`. See [the command line](command-line.md#verify).

| kind | severity | what it means | what to do |
| --- | --- | --- | --- |
"""


def problems_text():
    """The table of kinds: severity and meaning from the code, advice from the file beside the page."""
    from overlaylab.errors import KINDS

    advice = tomllib.loads((PAGES / "problems.toml").read_text(encoding="utf-8"))
    wrong = sorted(set(KINDS) ^ set(advice))
    if wrong:
        raise SystemExit(f"docs/reference/problems.toml and overlaylab/errors.py differ in: {', '.join(wrong)}")
    rows = (
        f"| `{kind}` | {severity} | {cell(meaning)} | {cell(advice[kind])} |"
        for kind, (severity, meaning) in sorted(KINDS.items())
    )
    return PROBLEMS + "\n".join(rows) + "\n"


def cell(text):
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


# The command line


def command_line_text():
    """The page on the command line with the help of each command."""
    page = (PAGES / "command-line.md").read_text(encoding="utf-8")
    asked = {name for _, name, _ in PLACE.findall(page)}
    texts = {f"help-{name}": text for name, text in helps().items()}
    if asked != set(texts):
        raise SystemExit(f"docs/reference/command-line.md lacks or has too many places: {sorted(asked ^ set(texts))}")
    return PLACE.sub(lambda place: f"{place[1]}```text\n{texts[place[2]]}\n```\n{place[3]}", page)


def helps():
    """Each command with the help that it prints."""
    import click

    from overlaylab.cli.commands import cli

    texts = {}
    for name, command in cli.commands.items():
        context = click.Context(
            command,
            info_name=f"overlaylab {name}",
            terminal_width=WIDTH,
            help_option_names=["-h", "--help"],
        )
        texts[name] = command.get_help(context)
    return texts


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
