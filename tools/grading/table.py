"""The verdicts as CSV: one row for each student and exercise, and beside it one row for each student."""

import csv
import io
import os
import tempfile
from collections import Counter

from .grade import VERDICTS

COLUMNS = ("student", "notebook", "exercise", "verdict", "slip", "points", "maximum", "reason", "file")
LONGEST = 300


def write(path, rows):
    """Write both tables; return their paths."""
    totals = path.with_name(f"{path.stem}-totals.csv")
    put(path, [COLUMNS, *([getattr(row, column) for column in COLUMNS] for row in rows)])
    put(totals, summary(rows))
    return path, totals


def summary(rows):
    """One row for each student: the points, how many exercises have which verdict, and each verdict."""
    exercises = list(dict.fromkeys(row.exercise for row in rows))
    yield ["student", "points", "maximum", *VERDICTS, *exercises]
    by_student = {}
    for row in rows:
        by_student.setdefault(row.student, {})[row.exercise] = row
    for student, own in by_student.items():
        counts = Counter(row.verdict for row in own.values())
        points = [sum(row.points for row in own.values()), sum(row.maximum for row in own.values())]
        yield [student, *points, *(counts[verdict] for verdict in VERDICTS), *(own[name].verdict for name in exercises)]


def put(path, lines):
    """Write a table in one go: it is whole, or as before."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([plain(value) for value in line] for line in lines)
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def plain(value):
    """A value that a spreadsheet shows and does not run: control characters are escaped, and no text is a formula."""
    if not isinstance(value, str):
        return value
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value[:LONGEST])
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
