"""The instructor's guide is true: minutes add up, taught terms are known, each surprise and exercise has its words."""

import re

import bootstrap
import guide
import pytest
import ready
import timetable
from lessonkit import ROOT, cells, names_of, solutions

from overlaylab.course import check, every_exercise

LIBRARY = timetable.books()
DATA = guide.read(guide.DOCS / "instructor.toml")
TEXT = (guide.DOCS / "instructor.md").read_text(encoding="utf-8")
EXERCISE = re.compile(r'ol\.check\("([^"]+)", ')

every_book = pytest.mark.parametrize("book", LIBRARY.values(), ids=LIBRARY)
every_plan = pytest.mark.parametrize("plan", DATA["plan"], ids=[plan["key"] for plan in DATA["plan"]])


def by_hand():
    """What somebody wrote: the guide without the parts that are made."""
    return guide.PLACE.sub("", TEXT)


# Minutes


@every_book
def test_the_sections_of_a_notebook_take_together_what_it_says(book):
    assert sum(section.minutes for section in book.sections) == book.minutes
    assert min(section.minutes for section in book.sections) >= 1


@every_book
def test_what_a_notebook_says_fits_what_there_is_to_do(book):
    """Reading, running, predicting and solving, counted by cell: between half and twice the minutes in the guide."""
    counted = sum(map(timetable.effort, cells(book.stem)))

    assert book.minutes / 2 <= counted <= book.minutes * 2, (
        f"{book.stem} says {book.minutes} minutes, and {counted:.0f} are counted"
    )


def test_the_map_gives_the_same_minutes_as_each_notebook():
    table = next(cell.source for cell in cells("00_map") if "| minutes |" in cell.source)
    given = {stem: int(minutes) for stem, minutes in re.findall(r"\((\w+)\.ipynb\).*\| (\d+) \|$", table, re.MULTILINE)}

    assert given == {stem: book.minutes for stem, book in LIBRARY.items() if stem != "00_map"}


def test_the_words_about_hours_are_true():
    minutes = [book.minutes for book in LIBRARY.values()]

    assert "takes about six hours" in " ".join(TEXT.split()) and 5.5 * 60 <= sum(minutes) <= 6.5 * 60
    assert "take about three" in " ".join(TEXT.split()) and 2.75 * 60 <= sum(minutes[:6]) <= 3.5 * 60


@every_plan
def test_a_plan_adds_up_and_keeps_a_reserve(plan):
    steps = timetable.steps(plan, LIBRARY)

    assert [step.start for step in steps] == [sum(step.minutes for step in steps[:n]) for n in range(len(steps))]
    left = timetable.reserve(plan, LIBRARY)
    assert sum(step.minutes for step in steps) + left == plan["minutes"]
    assert 0.05 <= left / plan["minutes"] <= 0.2, (
        f"{left} of {plan['minutes']} minutes are left: too few, or a wasted afternoon"
    )


@every_plan
def test_a_plan_takes_no_more_than_its_notebooks_say(plan):
    for step in timetable.steps(plan, LIBRARY):
        if step.book:
            out = [section.minutes for section in step.book.sections if section.heading in step.left_out]
            assert step.minutes == step.book.minutes - sum(out)


@every_plan
def test_nobody_sits_longer_than_two_hours_without_a_break(plan):
    since = longest = 0
    for step in timetable.steps(plan, LIBRARY):
        since = 0 if step.what in ("Break", "Lunch") else since + step.minutes
        longest = max(longest, since)

    assert longest <= 120


def test_a_heading_that_was_renamed_is_named():
    plan = {
        "key": "mine",
        "skip": ["No such"],
        "step": [{"notebook": "00_map", "skip": ["Nor this"]}, {"what": "Break", "minutes": 5}],
    }

    assert timetable.unknown(plan, LIBRARY) == [
        "mine: no notebook has a section 'No such'",
        "mine: notebook 00 has no section 'Nor this'",
    ]


@pytest.mark.parametrize(
    ("minutes", "efforts", "whole"),
    [(10, [1, 1], [5, 5]), (10, [0.01, 5, 5], [1, 4, 5]), (3, [9, 1, 1], [1, 1, 1]), (7, [2, 1], [5, 2])],
)
def test_minutes_are_shared_out_whole(minutes, efforts, whole):
    assert timetable.shared(minutes, efforts) == whole


# What is said and answered


def test_every_prediction_has_a_word_for_the_room():
    asked = [name for stem in LIBRARY for name in guide.predictions(stem)]

    missing = [name for name in asked if name not in DATA["say"]]
    assert asked and missing == [], "write it in docs/course/instructor.toml"


def test_no_word_is_left_over():
    asked = {name for stem in LIBRARY for name in guide.predictions(stem)}

    assert set(DATA["say"]) - asked == set(), "these predictions are gone from the notebooks"
    assert {moment["notebook"] for moment in DATA["moment"]} <= set(LIBRARY)


def test_what_is_said_can_be_said_in_one_breath():
    said = DATA["say"] | {moment["what"]: moment["say"] for moment in DATA["moment"]}

    assert {what: len(text.split()) for what, text in said.items() if not 8 <= len(text.split()) <= 50} == {}


@every_book
def test_each_exercise_of_a_notebook_has_its_answer(book):
    """The answer in the guide is the one that the folded solution gives."""
    rows = {row[0].strip("`"): row for row in guide.answer_rows(book)}
    solved = {EXERCISE.findall(code)[-1]: code for code in solutions(book.stem) if EXERCISE.findall(code)}

    asked = {name for cell in cells(book.stem) if cell.cell_type == "code" for name in EXERCISE.findall(cell.source)}
    assert set(rows) == asked and set(solved) <= asked
    for name, code in solved.items():
        names = names_of(book.stem)
        exec(code, names)
        item = every_exercise()[name]
        if "answer" in names and item.inputs is None:
            assert item.read(names["answer"]) == item.read(item.answer())
            assert check(name, names["answer"]).verdict == "right"
        assert rows[name][3] == len(item.slips)


def test_a_long_answer_is_cut_and_a_digest_is_short():
    row = next(row for row in guide.answer_rows(LIBRARY["02_diff_id_and_chain_id"]) if row[0] == "`02-third`")
    lower = next(row for row in guide.answer_rows(LIBRARY["03_cache_id"]) if row[0] == "`03-lower`")

    assert row[1] == "`sha256:bdf28aff423a…`"
    assert len(lower[1]) <= guide.LONGEST + 2 and lower[1].startswith("`0497457d3540…")


# What is written by hand


def test_sections_that_the_guide_names_are_there():
    named = re.findall(r"\bin (\d\d)\s+\*([^*]+)\*", by_hand(), re.IGNORECASE)
    books = {book.number: {section.heading for section in book.sections} for book in LIBRARY.values()}

    assert len(named) >= 5
    assert [(number, heading) for number, heading in named if heading not in books[number]] == []


def test_commands_that_the_guide_names_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = set(re.findall(r"(?:^|`)make ([a-z]+)", by_hand(), re.MULTILINE))
    direct = set(re.findall(r"bootstrap\.py ([a-z]+)", by_hand()))

    assert {"lab", "pages", "ready", "wheelhouse"} <= made
    assert [name for name in made if not re.search(rf"^[a-z ]*\b{name}\b[a-z ]*:", makefile, re.MULTILINE)] == []
    for name in direct | made:
        assert bootstrap.parse([name]).command == name


def test_messages_that_the_guide_quotes_are_the_kit_s():
    said = (
        bootstrap.NEED_PYTHON
        + bootstrap.NEED_VENV.format(found="", module="ensurepip", version="")
        + bootstrap.NEED_WHEELS
    )
    said += (ROOT / "tools" / "ready.py").read_text(encoding="utf-8")
    troubles = by_hand().partition("## Common trouble")[2]
    quoted = [
        text
        for text in re.findall(r"^\| `([^`]+)` \|", troubles, re.MULTILINE)
        if not text.startswith(("[*]", "NameError"))
    ]

    assert len(quoted) == 4 and [text for text in quoted if text not in said] == []
    assert "READY" in said and ready.FIRST.name == "00_map.ipynb"


def test_each_trouble_has_its_cause_and_its_cure():
    rows = re.findall(
        r"^\| (.+) \| (.+) \| (.+) \|$", by_hand().partition("## Common trouble")[2].partition("\n## ")[0], re.MULTILINE
    )

    assert len(rows) >= 22


def test_the_ways_within_the_guide_lead_somewhere():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }

    assert [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT) if anchor not in headings] == []


def test_a_place_without_text_is_refused(monkeypatch, tmp_path):
    (tmp_path / "instructor.md").write_text("<!-- made: nothing -->\n<!-- /made -->\n", encoding="utf-8")
    (tmp_path / "instructor.toml").write_bytes((guide.DOCS / "instructor.toml").read_bytes())
    monkeypatch.setattr(guide, "DOCS", tmp_path)

    with pytest.raises(SystemExit, match="nothing"):
        guide.guide_text()
