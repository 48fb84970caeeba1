"""An answer on its way out of the student's kernel: plain data, to be judged where no submission runs.

The kernel hands in what `answer` holds, and not what a check said: a student's
own `check`, or a printed tick, is worth nothing.
"""

import json

MIME = "application/x-overlaylab-answer"
DEEPEST, LONGEST = 20, 1_000_000
# The kinds of plain data; a value of any other kind can only be wrong.
NOTHING = {"none": None, "ellipsis": ..., "true": True, "false": False}


class Other:
    """An answer that is no plain data."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"<a value of the type {self.kind}>"


def hand_in(name, answer):
    """Send an answer to the grader and return it unchanged: each checked answer in the student's kernel is wrapped."""
    from IPython.display import display

    display({MIME: json.dumps({"exercise": name, **packed(name, answer)})}, raw=True)
    return answer


def packed(name, answer):
    """The answer as data. Where a function is asked for, what it gives is the answer."""
    from overlaylab.course import find_exercise

    inputs = find_exercise(name).inputs
    if callable(answer) and inputs:
        try:
            answer = [answer(*arguments) for arguments in inputs()]
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"[:200]}
    data = encode(answer)
    return {"answer": data if len(json.dumps(data)) <= LONGEST else ["other", "too long"]}


def encode(value, depth=0):
    """Plain data as nested lists, the kind first."""
    if depth > DEEPEST:
        return ["other", "nested too deep"]
    for kind, constant in NOTHING.items():
        if value is constant:
            return [kind]
    if isinstance(value, str):
        return ["str", str.__str__(value)]
    if isinstance(value, int):
        return ["int", hex(value)]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, bytes):
        return ["bytes", bytes(value).hex()]
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [kind.__name__, [encode(item, depth + 1) for item in kind.__iter__(value)]]
    if isinstance(value, dict):
        return ["dict", [[encode(key, depth + 1), encode(item, depth + 1)] for key, item in dict.items(value)]]
    return ["other", type(value).__name__[:100]]


def decode(data):
    """The value of such lists.

    Raises:
        ValueError: If they are not what `encode` gives.
    """
    try:
        kind, *rest = data
        if kind in NOTHING and not rest:
            return NOTHING[kind]
        (content,) = rest
        return READ[kind](content)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no answer: {type(error).__name__}") from None


READ = {
    "str": lambda content: "".join(content),
    "int": lambda content: int(content, 16),
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "list": lambda content: [decode(item) for item in content],
    "tuple": lambda content: tuple(decode(item) for item in content),
    "set": lambda content: {decode(item) for item in content},
    "frozenset": lambda content: frozenset(decode(item) for item in content),
    "dict": lambda content: {decode(key): decode(item) for key, item in content},
    "other": lambda content: Other(str(content)[:100]),
}
