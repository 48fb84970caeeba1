"""The texts that a learner reads in checks, hints, widgets and pictures, from one table for each language.

The table is ``data/words/<language>.toml``; keys that it lacks are taken from English. The environment variable
``OVERLAYLAB_LANGUAGE`` selects the language.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

__all__ = ["known", "printable", "say", "table"]


def printable(text: str) -> str:
    """Make a name from outside safe to print: control characters, and bytes that are not UTF-8, are escaped."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    """Escape one character; lone surrogates, which JSON may contain, cannot be encoded otherwise."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


DEFAULT = "en"


@functools.cache
def table(language: str) -> dict[str, str]:
    """The texts of a language by their keys, ``section.key``; empty if there is no such language."""
    # Whoever only prints a name, as the command line does, needs neither of them.
    import tomllib  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    path = files("overlaylab") / "data" / "words" / f"{language}.toml"
    if not path.is_file():
        return {}
    return dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def _flat(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def known(key: str) -> bool:
    """Whether there is a text for this key."""
    return key in table(DEFAULT)


def say(key: str, /, **values: object) -> str:
    """The text for a key, with its placeholders replaced by values.

    Raises:
        KeyError: The default table has no such key.
    """
    language = os.environ.get("OVERLAYLAB_LANGUAGE", DEFAULT)
    text = table(language).get(key) or table(DEFAULT)[key]
    return text.strip("\n").format(**values)
