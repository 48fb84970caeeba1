"""An answer on its way out of a kernel: what is judged outside is what the notebook's own check would have judged."""

import json
import math

import pytest
from grading.answers import LONGEST, Other, decode, encode, packed
from grading.grade import verdict
from gradingkit import GRADED

from overlaylab.course import find_exercise
from overlaylab.course.exercises import judge

PLAIN = [
    None,
    ...,
    True,
    False,
    0,
    -5,
    10**5000,
    1.5,
    math.inf,
    "",
    "a\nb",
    "\ud800",
    "镜像",
    b"\xff\0",
    [],
    [1, [2, ("a", None)]],
    (1, 2),
    {1, "a"},
    frozenset({1}),
    {"a": [1], 2: None},
]
SLIPS = [(name, slip) for name in GRADED for slip in find_exercise(name).slips]


class Hostile:
    """A value that refuses everything."""

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None
    __str__ = __repr__ = __iter__ = __bool__ = __len__ = __eq__


class LoudText(str):
    def __str__(self):
        raise RuntimeError("no")


class LoudList(list):
    def __iter__(self):
        raise RuntimeError("no")


def sent(name, answer):
    """An answer as it comes out at the other end."""
    return json.loads(json.dumps(packed(name, answer)))


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_plain_data_comes_out_as_it_went_in(value):
    back = decode(json.loads(json.dumps(encode(value))))

    assert type(back) is type(value) and back == value


def test_a_text_of_a_kind_of_its_own_is_a_text():
    assert decode(encode(LoudText("sha256:0"))) == "sha256:0"
    assert decode(encode(LoudList([1]))) == [1]


def test_what_is_no_plain_data_is_sent_as_something_else():
    endless = []
    endless.append(endless)

    assert isinstance(decode(encode(Hostile())), Other) and isinstance(decode(encode(object())), Other)
    assert "nested too deep" in json.dumps(encode(endless))
    assert sent("02-third", "x" * LONGEST) == {"answer": ["other", "too long"]}


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        [],
        ["str"],
        ["str", 3],
        ["int", "zz"],
        ["set", [["list", []]]],
        ["dict", [[1]]],
        ["unheard", 1],
        ["list", [["x"]]],
        {"str": 1},
    ],
    ids=repr,
)
def test_what_is_no_answer_is_refused_and_not_checked(data):
    with pytest.raises(ValueError, match="no answer"):
        decode(data)
    assert verdict("02-third", {"answer": data})[0] == "not checked"


@pytest.mark.parametrize("name", GRADED)
def test_the_right_answer_is_right_outside(name):
    assert verdict(name, sent(name, find_exercise(name).answer())) == ("right", "", "")
    assert verdict(name, sent(name, None)) == ("open", "", "")


@pytest.mark.parametrize(("name", "slip"), SLIPS)
def test_each_slip_is_named_outside(name, slip):
    assert verdict(name, sent(name, find_exercise(name).slips[slip]())) == ("slip", slip, "")


@pytest.mark.parametrize("name", GRADED)
def test_noise_is_judged_outside_as_the_notebook_judges_it(name):
    for noise in [*PLAIN, "no idea", -1, 3.5, ["a", "zz"], {"x": 1}, object(), Hostile(), len]:
        assert verdict(name, sent(name, noise))[:2] == (
            (feedback := judge(find_exercise(name), noise)).verdict,
            feedback.slip,
        )


def test_a_function_that_fails_is_wrong_and_says_how():
    name = next(name for name in GRADED if find_exercise(name).inputs)

    assert verdict(name, sent(name, lambda *arguments: 1 / 0)) == (
        "wrong",
        "",
        "the function raised ZeroDivisionError: division by zero",
    )
