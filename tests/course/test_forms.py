"""The forms of exercises and predictions without a browser: answers, hints, and what a page without widgets shows."""

import pytest

import overlaylab as ol
from overlaylab import words
from overlaylab.course import check, choices, every_exercise, exercise, find_exercise, hints, notes, prediction
from overlaylab.course import exercises as engine
from overlaylab.course.form import Ballot, Form
from overlaylab.words import say

ALL = every_exercise()
NAMES = [name for name, item in ALL.items() if not item.is_prediction and item.inputs is None]
PREDICTIONS = [name for name, item in ALL.items() if item.is_prediction]
HOSTILE = 'it\'s "quoted", <b>bold</b>, a\\b, 镜像'


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch):
    monkeypatch.setattr(notes, "HERE", notes.Notes())
    monkeypatch.setattr(engine, "GIVEN", {})


def written(name, answer):
    """An answer as it is typed into a field: a list with blanks or colons between."""
    if not isinstance(answer, (tuple, list)):
        return str(answer)
    read = ALL[name].read
    return next(text for mark in (" ", ":") if read(text := mark.join(map(str, answer))) == read(answer))


def answer_in(form, answer):
    """Fill in an answer as a learner does."""
    if form.field is not None:
        form.field.value = written(form.name, answer)
    else:
        form.choice.value = answer


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_can_be_answered_in_its_form(name):
    form = Form(name)
    answer_in(form, ALL[name].answer())
    form.checks.click()

    assert say(f"exercise.{name}.why").split(".")[0].split("'")[0][:20] in form.said.value
    assert "As code" in say("form.code", answer="") or "answer = " in form.said.value


@pytest.mark.parametrize("name", [name for name in NAMES if choices(name)])
def test_a_slip_chosen_in_a_form_is_named(name):
    slip, compute = next(iter(ALL[name].slips.items()))
    form = Form(name)
    answer_in(form, compute())
    form.checks._handle_custom_msg({"event": "click"}, [])

    assert check(name, form.answer).slip == slip
    assert "✗" in form.said.value


def test_what_the_form_says_to_write_is_right():
    form = Form("01-changes")
    answer_in(form, "bce")
    form.checks.click()
    code = form.said.value.split("answer = ")[1].split("<")[0]

    assert check("01-changes", eval(code.replace("&#x27;", "'"))).verdict == "right"


def test_hints_come_one_at_a_time_in_the_form_too():
    form, every = Form("01-layers"), hints("01-layers")
    said = []
    for _ in every:
        form.hints.click()
        said.append(form.said.value)

    assert [say("hint.text", number=n, count=len(every), text="")[:11] in text for n, text in enumerate(said, 1)] == [
        True
    ] * len(every)


def test_an_empty_form_says_so():
    form = Form("01-layers")
    form.checks.click()

    assert say("form.empty") in form.said.value


def test_what_happens_is_said_to_a_screen_reader():
    assert 'role="status" aria-live="polite"' in Form("01-layers").said.value
    assert 'role="status" aria-live="polite"' in Ballot("01-origin").said.value


@pytest.mark.parametrize("name", ["01-layers", "01-changes"])
def test_every_control_of_a_form_has_a_name(name):
    form = Form(name)
    controls = [form.checks, form.hints, *(form.choice.boxes.values() if form.choice else [form.field])]

    assert all(control.description for control in controls)


def test_an_open_exercise_shows_its_form_and_keeps_its_words_where_no_widget_runs():
    feedback = check("01-layers")
    bundle = feedback._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(feedback)
    assert say("exercise.01-layers.question") in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" not in check("01-layers", 13)._repr_mimebundle_()


# Predictions


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_ballot_keeps_what_was_chosen_and_the_check_judges_it(name):
    assert check(name).verdict == "open"
    ballot = ol.predict(name)
    for slip, letter in ALL[name].slips.items():
        ballot.choice.value = letter()
        ballot.keep.click()
        assert check(name).slip == slip
    ballot.choice.value = ALL[name].answer()
    ballot.keep.click()

    assert check(name).verdict == "right"
    assert say("predict.kept", letter=ALL[name].answer()) in ballot.said.value


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_ballot_shows_all_choices_where_no_widget_runs(name):
    bundle = ol.predict(name)._repr_mimebundle_()

    assert bundle["text/plain"].splitlines()[1:] == [f"  {letter}  {text}" for letter, text in choices(name).items()]
    assert all(f"<b>{letter}</b>" in bundle["text/html"] for letter in choices(name))


def test_a_ballot_remembers_and_does_not_choose_by_itself():
    ballot = Ballot("01-origin")
    ballot.keep.click()
    assert (ballot.choice.value, say("form.empty") in ballot.said.value) == ("", True)

    ol.predict("01-origin", "b")
    assert Ballot("01-origin").choice.value == "b"


def test_a_tick_takes_back_the_one_before_where_one_answer_is_asked_for():
    ballot, form = Ballot("01-origin"), Form("01-changes")
    for letter in "ab":
        ballot.choice.boxes[letter].value = form.choice.boxes[letter].value = True

    assert (ballot.choice.value, form.answer) == ("b", "ab")
    ballot.choice.boxes["b"].value = False
    assert ballot.choice.value == ""


def test_words_with_quotes_tags_and_other_scripts_are_shown_as_they_are(monkeypatch):
    keys = {
        f"exercise.00-odd.{key}": HOSTILE
        for key in ("question", "why", "look", "slip.other", "choice.a", "choice.b", "hint.1")
    }
    monkeypatch.setattr(words, "table", lambda language: _TABLE | keys)
    monkeypatch.setattr(engine, "EXERCISES", dict(engine.EXERCISES))
    prediction("00-odd", "a", other="b")

    bundle = ol.predict("00-odd")._repr_mimebundle_()
    assert HOSTILE in bundle["text/plain"]
    assert "<b>bold" not in bundle["text/html"] and "镜像" in bundle["text/html"]
    exercise("00-odd", lambda: HOSTILE, other=lambda: "b")
    assert (check("00-odd", HOSTILE).verdict, check("00-odd", "b").slip) == ("right", "other")
    assert "<b>bold" not in check("00-odd", "b").html()
    form = Form("00-odd")
    form.hints.click()
    assert "<b>bold" not in form.said.value + form.children[0].value


_TABLE = words.table("en")


def test_a_prediction_is_an_exercise_like_others():
    assert find_exercise("01-origin").is_prediction
