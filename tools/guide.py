"""The parts of the instructor's guide that follow from data: plans, words for a room, answers, beliefs.

docs/course/instructor.md holds the text, with places between ``<!-- made: NAME -->``
and ``<!-- /made -->``. What stands between them is made here, from the
notebooks, the exercises and docs/course/instructor.toml.
"""

import re
import sys
import tomllib
from pathlib import Path

import timetable

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "overlaylab" / "data"
DOCS = ROOT / "docs" / "course"
PLACE = re.compile(r"(<!-- made: ([a-z0-9-]+) -->\n).*?(<!-- /made -->)", re.DOTALL)
# A longer answer is cut: whoever needs it whole opens the folded solution.
LONGEST = 60


def guide_text():
    """The guide with every place filled anew."""
    sys.path.insert(0, str(ROOT))
    parts = made()
    text = (DOCS / "instructor.md").read_text(encoding="utf-8")
    asked = [found[1] for found in PLACE.findall(text)]
    if sorted(asked) != sorted(parts):
        raise SystemExit(
            f"docs/course/instructor.md has places for {sorted(asked)}, and there is text for {sorted(parts)}"
        )
    return PLACE.sub(lambda found: found[1] + parts[found[2]].strip("\n") + "\n" + found[3], text)


def made():
    """What goes into each place."""
    library, data = timetable.books(), read(DOCS / "instructor.toml")
    wrong = [line for plan in data["plan"] for line in timetable.unknown(plan, library)]
    if wrong:
        raise SystemExit("docs/course/instructor.toml: " + "; ".join(wrong))
    parts = {plan["key"]: plan_text(plan, library) for plan in data["plan"]}
    return parts | {
        "say": say_text(data, library),
        "answers": answers_text(library),
        "beliefs": beliefs_text(),
        "grading": grading_text(),
    }


def read(path):
    """Read one of the data files."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def table(head, rows):
    """A table in Markdown; a line in a cell is kept."""
    marks = "| " + " | ".join("---:" if name.endswith(" ") else "---" for name in head) + " |"
    lines = [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", "<br>") for cell in row) + " |" for row in rows
    ]
    return "\n".join(["| " + " | ".join(name.strip() for name in head) + " |", marks, *lines])


def link(notebook):
    """A notebook's number, with the way to it."""
    return f"[{notebook[:2]}](../../notebooks/{notebook}.ipynb)"


# Plans


def plan_text(plan, library):
    """A plan as a table with a clock; what is left over is said, and so is what is left out."""
    steps, left = timetable.steps(plan, library), timetable.reserve(plan, library)
    rows = [(clock(step.start), step.minutes, *content(step)) for step in steps]
    rows.append((clock(plan["minutes"] - left), left, "Reserve: questions, and what goes wrong", ""))
    out = dict.fromkeys(heading for step in steps for heading in step.left_out)
    return (
        f"**{plan['title']}**\n\n"
        + table(["from ", "minutes ", "what", "sections, with their minutes"], rows)
        + f"\n\nLeft out: {', '.join(out)}."
    )


def content(step):
    """The two last cells of a row."""
    if step.book is None:
        return step.what, ""
    return f"{link(step.book.stem)} {step.book.title}", " · ".join(
        f"{each.heading} {each.minutes}" for each in step.sections
    )


def clock(minutes):
    """Minutes from the beginning as hours and minutes."""
    return f"{minutes // 60}:{minutes % 60:02}"


# What to say


def say_text(data, library):
    """For each notebook the predictions in their order, and the other surprises; what is so, and words for the room."""
    return "\n\n".join(filter(None, (surprises(book, data) for book in library.values())))


def surprises(book, data):
    """The surprises of one notebook as a table."""
    rows = [(question(name), right(name), data["say"].get(name, "")) for name in predictions(book.stem)]
    rows += [(moment["what"], "", moment["say"]) for moment in data["moment"] if moment["notebook"] == book.stem]
    return rows and f"**{book.number} {book.title}**\n\n" + table(["what is asked, or seen", "what is so", "say"], rows)


def predictions(stem):
    """The predictions that are kept, in the order of a notebook."""
    import nbformat

    cells = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    return list(
        dict.fromkeys(
            name
            for cell in cells
            if cell.cell_type == "code"
            for name in re.findall(r'^ol\.predict\("([^"]+)"\)', cell.source, re.MULTILINE)
        )
    )


def question(name):
    """The words of an exercise's question."""
    from overlaylab.words import say

    return say(f"exercise.{name}.question")


def right(name):
    """The right choice and why."""
    from overlaylab.course import find_exercise
    from overlaylab.words import say

    return f"**{find_exercise(name).answer()}**: {say(f'exercise.{name}.why')}"


# Answers


def answers_text(library):
    """For each notebook its exercises in their order: the answer, and how many slips the check knows."""
    return "\n\n".join(
        f"**{book.number} {book.title}**\n\n"
        + table(["exercise", "answer", "why", "slips that the check names"], answer_rows(book))
        for book in library.values()
    )


def answer_rows(book):
    """One row for each exercise of a notebook that a check looks at."""
    import nbformat

    from overlaylab.course import find_exercise
    from overlaylab.words import say

    cells = nbformat.read(ROOT / "notebooks" / f"{book.stem}.ipynb", as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    names = dict.fromkeys(re.findall(r'ol\.check\("([^"]+)", ', code))
    return [
        (f"`{name}`", answer(find_exercise(name)), say(f"exercise.{name}.why"), len(find_exercise(name).slips))
        for name in names
    ]


def answer(item):
    """The right answer as an instructor compares it at a glance."""
    if item.inputs is not None:
        return "a function: see the folded solution"
    value = item.answer()
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    short = re.sub("([0-9a-f]{12})[0-9a-f]{52}", r"\1…", text)
    return f"`{short if len(short) <= LONGEST else short[: LONGEST - 1] + '…'}`"


# Beliefs, and grading


def misconceptions():
    """The rows of the table, in the order of their numbers."""
    return sorted(read(DATA / "misconceptions.toml")["misconception"], key=lambda row: row["number"])


def beliefs_text():
    """What people believe, what is so, and where the course decides it."""
    rows = []
    for row in misconceptions():
        pairs = [
            (row[name], row[slip])
            for name, slip in (("prediction", "slip"), ("exercise", "exercise_slip"))
            if name in row
        ]
        named = ", ".join(f"`{name}` ({', '.join(slips)})" for name, slips in pairs)
        asked = f"`{row['prediction']}`" if "prediction" in row else "in code"
        rows.append(
            (
                row["number"],
                row["belief"],
                row["truth"],
                link(row["notebook"]),
                asked,
                f"`{row['experiment'].strip()}`",
                named,
            )
        )
    return table([" ", "belief", "what is so", "notebook", "prediction", "experiment", "check that names it"], rows)


def grading_text():
    """The way to the grading of a class, where the kit has it."""
    if (ROOT / "docs" / "explanation" / "grading.md").is_file():
        return "How to hand out, collect and grade the notebooks: [grading](../explanation/grading.md)."
    return (
        "Each learner sees the own progress with `ol.progress()`; ask for that picture, or for the file "
        "`notebooks/.overlaylab/progress.json`."
    )
