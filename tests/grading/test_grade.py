"""Folders of submissions, graded by the command: perfect, empty, wrong, damaged, forged; what was not checked is never
called passed.
"""

import os

import pytest
from grading import course, student
from grading.course import EMPTY
from gradingkit import CHECK, GRADED, PATHS, answered, fingerprint, grade, names, put, right, short, totals

from overlaylab.course import find_exercise

NUMBERS = [path.stem[:2] for path in PATHS]
# The notebook that the harmed submissions are of, and the exercise that is harmed; the others must not suffer.
HARMED = "02"
ONE, *OTHERS = names(HARMED)


def as_code(name, slip):
    """A slip's answer as a line of code: a text, a number, or a list of them."""
    value = find_exercise(name).slips[slip]()
    plain = (
        [str(item) for item in value] if isinstance(value, list) else str(value) if isinstance(value, str) else value
    )
    return f"answer = {plain!r}"


def slips(name):
    return list(find_exercise(name).slips)


# Perfect, empty, wrong


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One perfect submission of all notebooks, with all their cells."""
    folder = tmp_path_factory.mktemp("whole") / "submitted"
    student.make(folder.parent / "course", PATHS)
    put(
        folder,
        "perfect",
        {
            path.name: (folder.parent / "course" / "source" / student.ASSIGNMENT / path.name).read_bytes()
            for path in PATHS
        },
    )
    return (folder, fingerprint(folder), *grade(folder))


def test_a_perfect_submission_has_all_points(whole):
    folder, _, outcome, rows = whole

    assert {(name, row["verdict"], row["points"]) for (_, name), row in rows.items()} == {
        (name, "right", str(course.POINTS)) for name in GRADED
    }
    assert f"1 students: {len(GRADED)} right, 0 slip, 0 wrong, 0 open, 0 not checked." in outcome.stdout
    row = totals(folder)["perfect"]
    assert row["points"] == row["maximum"] == row["right"] == str(len(GRADED)) and row["not checked"] == "0"


def test_submissions_are_not_changed(whole):
    folder, before, _, _ = whole

    assert fingerprint(folder) == before


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Short submissions of all notebooks: with nothing answered, and with the first slip of each exercise."""
    folder = tmp_path_factory.mktemp("many") / "submitted"
    for number in NUMBERS:
        file = f"{GRADED[names(number)[0]].notebook}.ipynb"
        put(folder, "empty", {file: short(number, {name: answered(name, EMPTY) for name in names(number)})})
        put(
            folder,
            "wrong",
            {file: short(number, {name: answered(name, as_code(name, slips(name)[0])) for name in names(number)})},
        )
    put(folder, "absent", {})
    for count in range(max(len(slips(name)) for name in names(HARMED))):
        cells = {
            name: answered(name, as_code(name, slips(name)[count]))
            for name in names(HARMED)
            if count < len(slips(name))
        }
        put(folder, f"slip-{count}", {"02.ipynb": short(HARMED, cells)})
    return (folder, *grade(folder))


def test_an_empty_submission_has_no_points_and_every_exercise_is_open(many):
    folder, _, rows = many

    assert {row["verdict"] for (who, _), row in rows.items() if who == "empty"} == {"open"}
    assert totals(folder)["empty"]["points"] == "0" and totals(folder)["empty"]["open"] == str(len(GRADED))


def test_a_wrong_submission_is_told_each_slip_by_name(many):
    folder, _, rows = many

    assert {name: (row["verdict"], row["slip"]) for (who, name), row in rows.items() if who == "wrong"} == {
        name: ("slip", slips(name)[0]) for name in GRADED
    }
    assert totals(folder)["wrong"]["points"] == "0"


@pytest.mark.parametrize(
    ("name", "count"), [(name, count) for name in names(HARMED) for count in range(len(slips(name)))]
)
def test_every_slip_of_a_notebook_is_named(many, name, count):
    row = many[2][f"slip-{count}", name]

    assert (row["verdict"], row["slip"], row["points"]) == ("slip", slips(name)[count], "0")


def test_who_handed_nothing_in_is_not_checked(many):
    folder, _, rows = many

    assert {(row["verdict"], row["reason"]) for (who, _), row in rows.items() if who == "absent"} == {
        ("not checked", "no notebook with this exercise was handed in")
    }
    assert totals(folder)["absent"]["not checked"] == str(len(GRADED))


# Damaged, forged, hostile: each is a submission of one notebook, and what is said about one exercise of it

FORGED = 'class Yes:\n    verdict = "right"\n    def __repr__(self): return "✓"\n'
WRONG = answered(ONE, 'answer = "no idea"')
CASES = {
    "check-replaced": (right(HARMED, **{ONE: 'answer = "no idea"\nprint("✓")'}), "not checked", "deleted or edited"),
    "cell-deleted": (short(HARMED, {name: answered(name) for name in OTHERS}), "not checked", "deleted or edited"),
    "name-changed": (right(HARMED, **{ONE: WRONG.replace(ONE, OTHERS[0] + "x")}), "not checked", "deleted or edited"),
    "check-in-a-text": (right(HARMED, **{ONE: f"'''{answered(ONE)}'''"}), "not checked", "deleted or edited"),
    "ol-replaced": (
        right(
            HARMED,
            **{
                ONE: f"{FORGED}import types\nol = types.SimpleNamespace(check=lambda *a: Yes())\n{WRONG}\n"
                "import overlaylab as ol"
            },
        ),
        "wrong",
        "",
    ),
    "check-patched": (
        right(HARMED, **{ONE: f"{FORGED}was = ol.check\nol.check = lambda *a: Yes()\n{WRONG}\nol.check = was"}),
        "wrong",
        "",
    ),
    "judge-patched": (
        right(
            HARMED,
            **{
                ONE: "import overlaylab.course.exercises as e\n"
                f"e.judge = lambda *a: e.Feedback('right', '', '')\n{WRONG}"
            },
        ),
        "wrong",
        "",
    ),
    "check-behind-a-condition": (
        right(HARMED, **{ONE: f"if False:\n    {answered(ONE, EMPTY).splitlines()[-1]}"}),
        "not checked",
        "was not reached",
    ),
    "copied-alike": (right(HARMED, again=answered(ONE)), "right", ""),
    "copied-with-another-answer": (right(HARMED, again=WRONG), "not checked", "2 different answers"),
    "copied-and-left-open": (right(HARMED, again=answered(ONE, EMPTY)), "right", ""),
    "all-choices-in-turn": (
        right(
            HARMED,
            **{
                ONE: f"for answer in {[str(find_exercise(ONE).slips[slip]()) for slip in slips(ONE)[:2]]!r}:\n"
                f"    {CHECK.format(name=ONE)}"
            },
        ),
        "not checked",
        "different answers",
    ),
    "raises": (right(HARMED, **{ONE: answered(ONE, "answer = not_there")}), "not checked", "raised NameError"),
    "is-no-python": (right(HARMED, **{ONE: answered(ONE, "answer = (")}), "not checked", "the cell is not Python"),
    "with-magic": (right(HARMED, **{ONE: "%time 1\n" + answered(ONE)}), "right", ""),
    "given-in-the-call": (
        right(
            HARMED,
            **{ONE: f"answer = None\nol.check({ONE!r}, answer={as_code(ONE, slips(ONE)[0]).partition(' = ')[2]})"},
        ),
        "slip",
        "",
    ),
    "answered-by-no-data": (right(HARMED, **{ONE: answered(ONE, "answer = object()")}), "wrong", ""),
    "prints-a-lot": (right(HARMED, **{ONE: 'print("x" * 5_000_000)\n' + answered(ONE)}), "right", ""),
    "old-answer": (right(HARMED, **{ONE: CHECK.format(name=ONE), "before": ""}), "not checked", "raised NameError"),
    "other-name": (right(HARMED), "right", ""),
}


@pytest.fixture(scope="module")
def harmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harmed") / "submitted"
    for case, (text, _, _) in CASES.items():
        put(
            folder,
            case,
            {"someone's copy (1).ipynb" if case == "other-name" else "02_diff_id_and_chain_id.ipynb": text},
        )
    return grade(folder, "--only", HARMED)


@pytest.mark.parametrize("case", CASES)
def test_what_is_harmed_is_not_called_passed_and_harms_nothing_else(harmed, case):
    _, verdict, reason = CASES[case]
    row = harmed[1][case, ONE]

    assert (row["verdict"], row["points"]) == (verdict, str(course.POINTS if verdict == "right" else 0)), row
    assert reason in row["reason"] and bool(reason) == bool(row["reason"])
    assert {harmed[1][case, name]["verdict"] for name in OTHERS} == {"right"}


def test_a_stale_answer_is_no_answer_to_the_next_exercise(tmp_path):
    """Two exercises with the same right answer, and the cell of the second lost its answer."""
    pair = same_answer()
    number = pair[0][:2]
    cells = {name: answered(name) for name in names(number)}
    cells[pair[1]] = CHECK.format(name=pair[1])
    put(tmp_path / "submitted", "stale", {"x.ipynb": short(number, cells)})
    _, rows = grade(tmp_path / "submitted", "--only", number)

    assert [rows["stale", name]["verdict"] for name in pair] == ["right", "open"]


def same_answer():
    """Two exercises of one notebook that the same answer is right for."""
    from grading.grade import verdict

    for name in GRADED:
        for later in list(GRADED)[list(GRADED).index(name) + 1 :]:
            answer = find_exercise(name).answer()
            if (
                later[:2] == name[:2]
                and isinstance(answer, str)
                and verdict(later, {"answer": ["str", str(answer)]})[0] == "right"
            ):
                return name, later
    pytest.fail("no two exercises have one answer")


# Files that are no notebooks

FILES = {
    "no-json": (b'{"cells": [', "it is no notebook: Expecting value in line 1"),
    "no-utf8": (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
    "empty": (b"", "it is empty"),
    "deep": (b"[" * 100_000, "its JSON cannot be read"),
    "a-list": (b"[]", "there is no list of cells"),
    "old-format": (b'{"nbformat": 3, "worksheets": []}', "there is no list of cells"),
    "cells-of-text": (b'{"cells": ["x"]}', "cell 1 is no cell"),
    "source-of-numbers": (b'{"cells": [{"cell_type": "code", "source": [1]}]}', "cell 1 has no text"),
    "half": (right(HARMED).encode()[:-500], "it is no notebook"),
    "huge": (b" " * 20_000_001, "it is larger than 20 MB"),
    "other-notebook": (right("01").encode(), "deleted or edited"),
}


def test_files_that_are_no_notebooks_are_named_with_what_is_wrong(tmp_path):
    folder = tmp_path / "submitted"
    for case, (data, _) in FILES.items():
        put(folder, case, {"02_diff_id_and_chain_id.ipynb": data})
    (folder / "link").mkdir()
    (folder / "link" / "02_diff_id_and_chain_id.ipynb").symlink_to(folder / "half" / "02_diff_id_and_chain_id.ipynb")
    (folder / "student-link").symlink_to(folder / "half")
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "02_diff_id_and_chain_id.ipynb")
    put(folder, "inner", {"notes.txt": b"no notebook"})
    (folder / "loose.ipynb").write_bytes(b"{}")
    before = fingerprint(folder)
    outcome, rows = grade(folder, "--only", HARMED)

    expected = {
        **{case: reason for case, (_, reason) in FILES.items()},
        "link": "symbolic link",
        "student-link": "symbolic link",
        "pipe": "no plain file",
        "inner": "no notebook with this exercise",
    }
    for case, reason in expected.items():
        assert {rows[case, name]["verdict"] for name in names(HARMED)} == {"not checked"}
        assert reason in rows[case, ONE]["reason"], case
    assert "Not graded, for it lies in no student's folder: loose.ipynb" in outcome.stderr
    assert fingerprint(folder) == before


# Programs that do not end, or end too much


def test_what_does_not_end_is_stopped_and_what_was_not_reached_is_said(tmp_path):
    folder, (first, *_, last) = tmp_path / "submitted", names(HARMED)
    put(folder, "loops", {"02.ipynb": right(HARMED, **{first: answered(first, "while True: pass")})})
    put(
        folder,
        "loops-on",
        {
            "02.ipynb": right(
                HARMED,
                **{
                    first: answered(
                        first, "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
                    )
                },
            )
        },
    )
    put(folder, "dies", {"02.ipynb": right(HARMED, **{last: answered(last, "import os; os._exit(3)")})})
    put(folder, "floods", {"02.ipynb": right(HARMED, **{first: answered(first, "while True: print('x' * 10_000)")})})
    _, rows = grade(folder, "--only", HARMED, "--seconds", "4")

    assert "ran longer than 4 s" in rows["loops", first]["reason"] and rows["loops", last]["verdict"] == "right"
    assert "did not end after 4 s" in rows["loops-on", first]["reason"]
    assert rows["loops-on", last]["reason"] == "not reached: a cell did not end after 4 s in code cell 2"
    assert rows["dies", first]["verdict"] == "right" and rows["dies", last]["reason"] == "the kernel died"
    for who, name in (("loops", first), ("loops-on", first), ("loops-on", last), ("dies", last), ("floods", first)):
        assert (rows[who, name]["verdict"], rows[who, name]["points"]) == ("not checked", "0")


# Names, and the table


def test_names_are_data_in_the_table(tmp_path):
    folder = tmp_path / "submitted"
    hostile = ["=1+1", "@x", "-x", "a,b", 'q"q', "two\nlines", "\x1b[31mred", "пётр", os.fsdecode(b"\xff")]
    for name in hostile:
        put(folder, name, {"02.ipynb": b"{}"})
    _, rows = grade(folder, "--only", HARMED)

    assert {who for who, _ in rows} == {
        "'=1+1",
        "'@x",
        "'-x",
        "a,b",
        'q"q',
        "two\\nlines",
        "\\x1b[31mred",
        "пётр",
        "\\udcff",
    }
    assert len(rows) == len(hostile) * len(names(HARMED))
