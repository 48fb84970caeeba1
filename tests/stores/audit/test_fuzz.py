"""Real inputs of every kind, damaged in every way, give an answer or a typed refusal.

``python -m tests.support.fuzz --minutes 30`` does the same for longer, and looks at time, memory and what is touched
outside.
"""

import random

import fuzz
import pytest

ROUNDS = 12
LONG = 3


def statuses(path, chance):
    """The exit status of each call; `fuzz.asked` looks at the answers."""
    questions = fuzz.calls(path, chance)
    answer = None
    while True:
        try:
            answer = fuzz.asked(questions.send(answer))
        except StopIteration:
            return
        yield answer[0]


@pytest.mark.parametrize("name", fuzz.NAMES)
def test_harmed_input_is_answered_or_refused(name, tmp_path):
    original = fuzz.source(name)
    met = set()
    for number in range(LONG if name.endswith("-dataroot") else ROUNDS):
        seed = f"{name} {number}"
        place = tmp_path / str(number)
        place.mkdir()
        met |= {*statuses(fuzz.made(original, seed, place), random.Random(seed))}

    # Harm was done, and it was seen.
    assert met & {1, 2} and met <= {0, 1, 2}
