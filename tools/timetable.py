"""How long each section of a notebook takes, and a plan of a class made of sections.

A notebook says how many minutes it needs. They are shared out among its
sections by what there is to do in each: words to read, cells to run, pictures
to look at, predictions to make, exercises to solve. A plan names notebooks and
what is left out of them; its minutes follow.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
# In minutes. The words are those of a careful reader in a foreign language.
WORDS_A_MINUTE, RUN, LOOK, PREDICT, CLAIM, SOLVE = 130, 0.3, 0.4, 0.4, 0.5, 2.5
OPENING = "Opening"
FOLDED = re.compile(r"<details>.*?</details>|```.*?```", re.DOTALL)
EXERCISE = re.compile(r'ol\.check\("[^"]+", ')
HEADING = re.compile(r"^## (?:\d+\. )?(.+)", re.MULTILINE)
STATED = re.compile(r"(\d+) minutes")


@dataclass(frozen=True)
class Section:
    """A heading of a notebook, and its minutes."""

    heading: str
    minutes: int


@dataclass(frozen=True)
class Book:
    """A notebook as a plan sees it."""

    stem: str
    title: str
    minutes: int
    sections: tuple[Section, ...]

    @property
    def number(self):
        """Its number in the course: 04."""
        return self.stem[:2]


@dataclass(frozen=True)
class Step:
    """A part of a plan: a talk, a break, or a notebook with the sections that are taught.

    Args:
        start: Minutes from the beginning of the class.
        minutes: How long it takes.
        what: What is done, in words; empty for a notebook.
        book: The notebook, or None.
        sections: Those that are taught.
        left_out: The headings that are not.
    """

    start: int
    minutes: int
    what: str
    book: Book | None = None
    sections: tuple[Section, ...] = ()
    left_out: tuple[str, ...] = ()


def books():
    """All notebooks, by their stem."""
    return {path.stem: book(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def book(path):
    """Read a notebook and share out its minutes."""
    cells = nbformat.read(path, as_version=4).cells
    stated = STATED.search(cells[0].source)
    if not stated:
        raise SystemExit(f"{path.name}: its first cell does not say how many minutes it needs.")
    title = re.sub(r"^# (?:\d+ · )?", "", cells[0].source.splitlines()[0])
    parts = cut(cells)
    minutes = shared(int(stated[1]), [sum(map(effort, part)) for _, part in parts])
    return Book(
        path.stem,
        title,
        int(stated[1]),
        tuple(Section(heading, each) for (heading, _), each in zip(parts, minutes, strict=True)),
    )


def cut(cells):
    """The sections of a notebook: heading and cells. What stands before the first heading is the opening."""
    parts = [(OPENING, [])]
    for cell in cells:
        found = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if found:
            parts.append((found[1].strip(), []))
        parts[-1][1].append(cell)
    return parts


def effort(cell):
    """About how many minutes a cell takes."""
    if cell.cell_type == "markdown":
        return len(FOLDED.sub("", cell.source).split()) / WORDS_A_MINUTE + PREDICT * len(
            re.findall(r"\*Predict", cell.source)
        )
    if EXERCISE.search(cell.source):
        return SOLVE
    if cell.source.startswith("assert "):
        return CLAIM
    return RUN + LOOK * any("<img" in output.get("data", {}).get("text/html", "") for output in cell.outputs)


def shared(minutes, efforts):
    """Share out whole minutes by effort, at least one each; together they are exactly so many."""
    exact = [effort * minutes / sum(efforts) for effort in efforts]
    whole = [max(1, round(each)) for each in exact]
    while sum(whole) != minutes:
        step = 1 if sum(whole) < minutes else -1
        able = [n for n, each in enumerate(whole) if each + step >= 1]
        nearest = min(able, key=lambda n: (abs(whole[n] + step - exact[n]) - abs(whole[n] - exact[n]), n))
        whole[nearest] += step
    return whole


# Plans


def steps(plan, library):
    """The steps of a plan with their times.

    Args:
        plan: A table of docs/course/instructor.toml.
        library: All notebooks, from `books`.
    """
    made, clock = [], 0
    for entry in plan["step"]:
        made.append(step(entry, plan.get("skip", []), clock, library))
        clock += made[-1].minutes
    return made


def step(entry, skipped, clock, library):
    """One step that begins at this minute."""
    if "notebook" not in entry:
        return Step(clock, entry["minutes"], entry["what"])
    taken = library[entry["notebook"]]
    left = {*skipped, *entry.get("skip", [])}
    kept = tuple(each for each in taken.sections if each.heading not in left)
    out = tuple(each.heading for each in taken.sections if each.heading in left)
    return Step(clock, sum(each.minutes for each in kept), "", taken, kept, out)


def unknown(plan, library):
    """What a plan leaves out and no notebook has: headings that were renamed, by name."""
    every = {
        each.heading for entry in plan["step"] if "notebook" in entry for each in library[entry["notebook"]].sections
    }
    wrong = [
        f"{plan['key']}: no notebook has a section {heading!r}"
        for heading in plan.get("skip", [])
        if heading not in every
    ]
    for entry in plan["step"]:
        headings = [each.heading for each in library[entry["notebook"]].sections] if "notebook" in entry else []
        wrong += [
            f"{plan['key']}: notebook {entry['notebook'][:2]} has no section {heading!r}"
            for heading in entry.get("skip", [])
            if heading not in headings
        ]
    return wrong


def reserve(plan, library):
    """The minutes that a plan has left for questions and for what goes wrong."""
    return plan["minutes"] - sum(step.minutes for step in steps(plan, library))
