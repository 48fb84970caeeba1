"""The two commands: make the student's copy, and grade a folder of submissions.

    python tools/grading student [FOLDER]          write the student's copy and nbgrader's source (course/)
    python tools/grading grade FOLDER [--csv FILE]   run FOLDER/NAME/*.ipynb, write FILE (grades.csv)

See docs/explanation/grading.md. Submissions are programs, and grading runs them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import course, grade, read, student, table
from .kernel import BOX, environment

NO_BOX = """\
Submissions run WITHOUT a box on this machine: with your rights, and with the network. Use a container or a virtual \
machine.
The reason: {reason}"""


def main(arguments=None):
    """Run one command; return its exit status."""
    options = parse(arguments)
    try:
        paths = course.notebooks(options.only)
        return options.run(options, paths)
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__ if isinstance(error, OSError) else 'Not done'}: {error}", file=sys.stderr)
        return 1


def parse(arguments):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="grading", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("student", help="write the student's copy of the notebooks")
    making.add_argument("folder", nargs="?", type=Path, default=Path("course"))
    making.set_defaults(run=make)
    grading = commands.add_parser("grade", help="grade FOLDER/NAME/*.ipynb")
    grading.add_argument("folder", type=Path)
    grading.add_argument(
        "--csv", type=Path, default=Path("grades.csv"), help="where the table goes; the totals go beside it"
    )
    grading.add_argument("--seconds", type=float, default=60, help="how long a cell may run")
    grading.add_argument("--minutes", type=float, default=10, help="how long a notebook may run")
    grading.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="how many notebooks run at once")
    grading.add_argument(
        "--no-box", dest="boxed", action="store_false", help="run them with your rights and the network"
    )
    grading.set_defaults(run=mark)
    for command in (making, grading):
        command.add_argument(
            "--only", nargs="+", default=[], metavar="NN", help="only these notebooks, such as: --only 01 02"
        )
    return parser.parse_args(arguments)


def make(options, paths):
    """Write the student's copy."""
    count = student.make(options.folder, paths)
    print(
        f"{len(paths)} notebooks with {count} graded exercises: "
        f"{options.folder / 'student'} for students, {options.folder} for nbgrader."
    )
    return 0


def mark(options, paths):
    """Grade a folder."""
    folder = options.folder.resolve()
    if folder in (options.csv.resolve().parent, *options.csv.resolve().parents):
        raise ValueError("the table would lie among the submissions; choose another place with --csv")
    names, strays = read.students(folder)
    if not names:
        raise ValueError(f"{folder} holds no folder of a student: FOLDER/NAME/*.ipynb is read")
    for stray in strays:
        print(f"Not graded, for it lies in no student's folder: {table.plain(stray.name)}", file=sys.stderr)
    if options.boxed and (reason := why_no_box()):
        options.boxed = False
        print(NO_BOX.format(reason=reason), file=sys.stderr)
    rows = graded(names, course.exercises(paths), options)
    for path in table.write(options.csv, rows):
        print(f"Written: {path}")
    print(told(rows, len(names)))
    return 0


def graded(folders, exercises, settings):
    """The rows of all students, in the order of their names."""
    files = [(folder, sheet) for folder in folders for sheet in read.sheets(folder)]
    with ThreadPoolExecutor(settings.jobs) as pool:
        outcomes = list(pool.map(lambda pair: grade.run(pair[1], exercises, settings), files))
    rows = []
    for folder in folders:
        own = [outcome for (owner, _), outcome in zip(files, outcomes, strict=True) if owner == folder]
        rows.extend(grade.rows(folder.name, own, exercises))
    return rows


def told(rows, students):
    """The outcome in two lines."""
    counts = Counter(row.verdict for row in rows)
    lines = [f"{students} students: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in grade.VERDICTS) + "."]
    if counts[grade.UNCHECKED]:
        lines.append("What was not checked has no points; the column 'reason' says why. Look at it yourself.")
    return "\n".join(lines)


def why_no_box():
    """Try the box; say in a sentence why there is none, or None."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    with tempfile.TemporaryDirectory(prefix="overlaylab-") as home:
        command = [sys.executable, str(BOX), home, "-c", "import ipykernel, overlaylab"]
        trial = subprocess.run(
            command, cwd=home, env=environment(Path(home)), capture_output=True, text=True, errors="replace"
        )
    return None if trial.returncode == 0 else (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
