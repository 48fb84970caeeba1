"""Run the commands of the how-to pages on the images that the package ships, and write what they print below them.

python tools/recipes.py            renew the output in docs/how-to
python tools/recipes.py --check    only say which pages are stale

A block of a page begins with ```console. Each of its lines with ``$ `` is a command for bash, run in
``overlaylab/data``; a backslash at its end continues it. What stands between two commands is output.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "how-to"
DATA = ROOT / "overlaylab" / "data"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
# Ends the output of one command.
END = "\N{END OF TRANSMISSION}"


def main(arguments):
    """Renew or check the pages; return the exit status."""
    if shutil.which("bash") is None:
        print("The commands of docs/how-to are for bash, which is not here.", file=sys.stderr)
        return 1
    stale = [path for path in sorted(PAGES.glob("*.md")) if renewed(path) != path.read_text(encoding="utf-8")]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT).as_posix()} is stale. Run: make docs")
        return 1 if stale else 0
    for path in stale:
        path.write_text(renewed(path), encoding="utf-8", newline="\n")
    return 0


def renewed(path):
    """A page with the output that its commands have now."""
    return BLOCK.sub(lambda block: f"```console\n{session(commands(block[1]))}```", path.read_text(encoding="utf-8"))


def commands(block):
    """The commands of a block, each with the lines that continue it."""
    return COMMAND.findall(block)


def session(lines):
    """Run the commands of one block in one shell, and give each with its output."""
    # The status of the command is what ``echo $?`` must see, so nothing stands between that is not quiet about it.
    script = "".join(f"{line}\nstatus=$?; printf '%s' '{END}'; (exit $status)\n" for line in lines)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=DATA,
        env=dict(os.environ, PATH=path, LC_ALL="C.UTF-8", PYTHONUTF8="1", COLUMNS="80"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    outputs = run.stdout.split(END)
    return "".join(f"$ {line}\n{output}" for line, output in zip(lines, outputs, strict=False))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
