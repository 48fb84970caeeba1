"""One table holds all words that a learner reads, so another language needs no change of code."""

import ast
import importlib.resources
import re
import string
from pathlib import Path

import pytest

from overlaylab import words

PACKAGE = Path(words.__file__).parent
TABLE = words.table("en")


def calls():
    """Every ``say(...)`` of the package: the file, and its key as a pattern, with what is computed left open."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                yield path.relative_to(PACKAGE).as_posix(), pattern(node.args[0])


def pattern(key):
    if isinstance(key, ast.IfExp):
        return f"(?:{pattern(key.body)}|{pattern(key.orelse)})"
    if isinstance(key, ast.Constant):
        return re.escape(key.value)
    if isinstance(key, ast.JoinedStr):
        return "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in key.values)
    return ".+"


@pytest.mark.parametrize(("path", "key"), sorted(set(calls())))
def test_key_that_the_code_asks_for_is_in_the_table(path, key):
    assert any(re.fullmatch(key, known) for known in TABLE)


def test_every_text_can_be_filled_in():
    for text in TABLE.values():
        for _, name, _, _ in string.Formatter().parse(text):
            assert name is None or name.isidentifier()


def test_another_language_is_another_file_and_falls_back_to_english(tmp_path, monkeypatch):
    (tmp_path / "data/words").mkdir(parents=True)
    (tmp_path / "data/words/en.toml").write_text('[a]\nb = "hello {x}"\nc = "more"\n', encoding="utf-8")
    (tmp_path / "data/words/zh.toml").write_text('[a]\nb = "你好 {x}"\n', encoding="utf-8")
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    monkeypatch.setenv("OVERLAYLAB_LANGUAGE", "zh")
    words.table.cache_clear()
    try:
        assert (words.say("a.b", x=1), words.say("a.c")) == ("你好 1", "more")
        monkeypatch.setenv("OVERLAYLAB_LANGUAGE", "xx")
        assert words.say("a.b", x=1) == "hello 1"
    finally:
        words.table.cache_clear()


def test_unknown_key_is_an_error():
    with pytest.raises(KeyError):
        words.say("no.such.key")
