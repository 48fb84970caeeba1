"""The exercise matrix: every exercise with its right answer, each slip, noise, no answer, the notebook's solution."""

import re
import time

import pytest
from lessonkit import ROOT, cells, last_value, names_of, solutions

import overlaylab as ol
from overlaylab.course import check, choices, every_exercise, find_exercise, hint, hints, letters
from overlaylab.course import exercises as engine
from overlaylab.course.exercises import judge
from overlaylab.words import known, say

NOTEBOOKS = {path.stem[:2]: path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
ALL = every_exercise()
NAMES = [name for name, item in ALL.items() if not item.is_prediction]
PREDICTIONS = [name for name, item in ALL.items() if item.is_prediction]
SLIPS = [(name, slip) for name in ALL for slip in ALL[name].slips]
CALLED = re.compile(r'ol\.(check|predict)\("([^"]+)"')


class Hostile:
    """A value that refuses to be compared, written or gone through."""

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None
    __str__ = __iter__ = __bool__ = __eq__


def raises(*arguments):
    raise ZeroDivisionError("by nothing")


NOISE = [
    "no idea",
    "sha256:" + "0" * 64,
    "sha256:",
    -5,
    10**30,
    10**5000,
    3.5,
    float("nan"),
    True,
    ["a", "zz"],
    {"x": 1},
    b"\xff",
    object(),
    Hostile(),
    raises,
    len,
]
NOISE += ["it's", '"quoted"x', "<q>&", "q\\z", "镜像", "{name}", "\x1b[31m", "x" * 100_000]
NOISE += ["a pudding", "nothing", 99, ["x", "y"], ["a", "z"], ["z"], {"a": 1}, b"abc"]


def notebook_of(name):
    return NOTEBOOKS[name[:2]]


def calls(name, function):
    """Where a notebook's code cells call this function for an exercise: the positions."""
    found = enumerate(cells(notebook_of(name)))
    return [n for n, cell in found if cell.cell_type == "code" and (function, name) in CALLED.findall(cell.source)]


# The matrix


@pytest.mark.parametrize("name", ALL)
def test_the_right_answer_is_right(name):
    feedback = check(name, ALL[name].answer())

    assert (feedback.verdict, feedback.slip) == ("right", "")
    assert say(f"exercise.{name}.why") in feedback.text


@pytest.mark.parametrize(("name", "slip"), SLIPS)
def test_a_slip_is_called_by_its_name_and_no_other(name, slip):
    feedback = check(name, ALL[name].slips[slip]())

    assert (feedback.verdict, feedback.slip) == ("slip", slip)
    assert say(f"exercise.{name}.slip.{slip}") in feedback.text


@pytest.mark.parametrize("name", ALL)
def test_all_answers_of_an_exercise_differ(name):
    item = ALL[name]
    answers = [item.read(item.answer()), *(item.read(compute()) for compute in item.slips.values())]

    assert len(set(map(repr, answers))) == len(answers) > 1


@pytest.mark.parametrize("name", ALL)
def test_noise_is_wrong_and_no_slip(name):
    said = [check(name, noise) for noise in NOISE]

    assert [(feedback.verdict, feedback.slip) for feedback in said] == [("wrong", "")] * len(NOISE)
    assert all("\x1b" not in feedback.text for feedback in said)


@pytest.mark.parametrize("name", ALL)
def test_no_answer_is_open_and_asks_again(name):
    said = [check(name, nothing) for nothing in (None, "", "  ", ..., [], ())]

    assert {feedback.verdict for feedback in said} == {"open"}
    assert all(say(f"exercise.{name}.question") in feedback.text for feedback in said)


@pytest.mark.parametrize("name", ALL)
def test_a_check_returns_at_once(name):
    engine.EXPECTED.pop(name, None)
    check(name, "no idea")  # what lies on the disk is read once
    before = time.monotonic()
    check(name, "no idea")

    assert time.monotonic() - before < 1, "a guard, not a measurement"


# In the notebooks


def test_every_exercise_is_asked_in_its_notebook():
    functions = ("check", "predict")

    assert [name for name in ALL if not any(calls(name, function) for function in functions)] == []


def solution_of(name):
    """The folded solutions for an exercise in its notebook."""
    return [code for code in solutions(notebook_of(name)) if ("check", name) in CALLED.findall(code)]


def alone(name):
    """Whether an exercise stands on its own: then it is answered in ``answer``, and has a solution."""
    return any(f'ol.check("{name}", answer)' in cells(notebook_of(name))[n].source for n in calls(name, "check"))


def test_every_exercise_stands_on_its_own():
    """What is asked in the walk, and decided by the next cell, is a prediction."""
    assert [name for name in NAMES if not alone(name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_folded_solution_is_right_after_the_first_cell_alone(name):
    [code] = solution_of(name)

    assert last_value(code, names_of(notebook_of(name))).verdict == "right"


@pytest.mark.parametrize("name", NAMES)
def test_an_exercises_cell_is_open_after_the_first_cell_alone(name):
    [position] = calls(name, "check")

    assert last_value(cells(notebook_of(name))[position].source, names_of(notebook_of(name))).verdict == "open"


@pytest.mark.parametrize("notebook", NOTEBOOKS.values())
def test_all_solutions_in_their_order_are_right(notebook):
    names = names_of(notebook)
    verdicts = [last_value(code, names).verdict for code in solutions(notebook)]

    assert verdicts == ["right"] * len([name for name in NAMES if notebook_of(name) == notebook])


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_prediction_is_asked_before_it_is_looked_at(name):
    [asked], [looked] = calls(name, "predict"), calls(name, "check")

    assert asked + 1 < looked, "the experiment stands between"


@pytest.mark.parametrize("notebook", NOTEBOOKS.values())
def test_every_name_in_a_notebook_is_an_exercise(notebook):
    named = {name for cell in cells(notebook) for _, name in CALLED.findall(cell.source)}

    assert named - set(ALL) == set()


# Words, choices, hints


@pytest.mark.parametrize("name", ALL)
def test_every_exercise_has_its_words(name):
    keys = ["question", "why", "look", *(f"slip.{slip}" for slip in ALL[name].slips)]

    assert [key for key in keys if not known(f"exercise.{name}.{key}")] == []


@pytest.mark.parametrize("name", PREDICTIONS)
def test_each_choice_of_a_prediction_is_right_or_a_slip(name):
    assert sorted(choices(name)) == sorted([ALL[name].answer(), *(letter() for letter in ALL[name].slips.values())])


@pytest.mark.parametrize("name", [name for name in NAMES if choices(name)])
def test_a_choice_of_letters_offers_all_letters_of_its_answers(name):
    item = ALL[name]
    used = {char for compute in (item.answer, *item.slips.values()) for char in compute()}

    assert item.read is letters or len(item.answer()) == 1
    assert used <= set(choices(name))


@pytest.mark.parametrize("name", NAMES)
def test_hints_come_one_at_a_time_and_then_begin_again(name, monkeypatch):
    monkeypatch.setattr(engine, "GIVEN", {})
    every = hints(name)
    given = [hint(name).text for _ in range(len(every) + 2)]

    assert len(every) >= 2
    assert [text in words for text, words in zip(every, given, strict=False)] == [True] * len(every)
    assert given[-2:] == [say("hint.last", count=len(every)), given[0]]
    assert all(str(ALL[name].answer()) not in text for text in every if len(str(ALL[name].answer())) > 2)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_prediction_gives_no_hint(name):
    assert hint(name).text == say("hint.prediction")


def test_an_exercise_without_steps_has_the_place_to_look_as_its_hint():
    assert hints("04-tomato") == (say("exercise.04-tomato.look"),)


@pytest.mark.parametrize("name", ["01-no-such", "77-x", "", "x", "01", None, 3])
@pytest.mark.parametrize("function", [lambda name: check(name, 1), hint, ol.predict])
def test_an_unknown_exercise_is_told_in_one_line(function, name):
    with pytest.raises(ol.errors.Finding) as caught:
        function(name)

    assert caught.value.problem.kind == "wrong-call"


# A function as the answer


def test_a_function_is_called_and_its_results_are_judged():
    assert (
        check("02-function", lambda below, diff_id: ol.digest_bytes(f"{below} {diff_id}".encode())).verdict == "right"
    )
    assert (
        check("02-function", lambda below, diff_id: ol.digest_bytes(f"{below} {diff_id}\n".encode())).slip == "newline"
    )
    assert check("02-function", lambda below, diff_id: None).verdict == "wrong"


def test_what_a_function_raises_is_told():
    feedback = check("02-function", raises)

    assert feedback.verdict == "wrong"
    assert "ZeroDivisionError: by nothing" in feedback.text


def test_a_function_where_none_is_asked_for_is_wrong():
    assert judge(find_exercise("01-layers"), lambda: 13).verdict == "wrong"
