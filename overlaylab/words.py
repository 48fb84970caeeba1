"""All words that a learner reads in checks, hints, widgets and pictures, from one table.

The table is ``data/words/<language>.toml``. Another language is another file; keys that it lacks are taken from
English. ``OVERLAYLAB_LANGUAGE`` chooses.
"""

from __future__ import annotations

import functools
import os
import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["known", "printable", "say", "table"]


def printable(text: str) -> str:
    """A name that came from outside, safe to print: no control characters, and bytes that are not UTF-8 escaped."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    """One character as an escape; JSON may also hold half a surrogate pair, which no encoding takes."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


DEFAULT = "en"


@functools.cache
def table(language: str) -> dict[str, str]:
    """The flat table of a language: ``section.key`` -> text; empty if there is no such language."""
    path = files("overlaylab") / "data" / "words" / f"{language}.toml"
    if not path.is_file():
        return {}
    return dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def _flat(node: dict[str, Any], prefix: str) -> Any:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def known(key: str) -> bool:
    """Whether the table has this key."""
    return key in table(DEFAULT)


def say(key: str, /, **values: object) -> str:
    """The words for a key, with values put in.

    Raises:
        KeyError: There is no such key in the default table.
    """
    language = os.environ.get("OVERLAYLAB_LANGUAGE", DEFAULT)
    text = table(language).get(key) or table(DEFAULT)[key]
    return text.strip("\n").format(**values)
