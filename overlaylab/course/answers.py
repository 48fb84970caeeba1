"""Normal forms of answers, so that spelling does not count: blanks, quotes, capitals, list or text."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """Any answer: without blanks and quotes around it, in small letters, numbers as text, lists as tuples."""
    if isinstance(value, str):
        return value.strip().strip("'\"").lower()
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def letters(value: Any) -> Any:
    """A choice of several letters, in any order, with or without commas between them."""
    if not isinstance(value, (str, list, tuple, set)):
        return value
    return "".join(sorted(set(_letters_and_digits(value))))


def in_order(value: Any) -> Any:
    """Several letters whose order counts, with or without commas between them."""
    return "".join(_letters_and_digits(value)) if isinstance(value, (str, list, tuple)) else value


def _letters_and_digits(value: str | list[Any] | tuple[Any, ...] | set[Any]) -> list[str]:
    return [char for item in value for char in str(item).lower() if char.isalnum()]


def words(value: Any) -> Any:
    """A list of names in any order: a list, or text with blanks, commas or lines between."""
    items = _items(value)
    if not isinstance(items, (list, tuple, set)):
        return items
    return tuple(sorted(str(item).strip().strip("'\"").lower() for item in items))


def numbers(value: Any) -> Any:
    """A list of numbers whose order counts: a list, or text with blanks or commas between."""
    return plain(_items(value))


def _items(value: Any) -> Any:
    return value.strip("[]()").replace(",", " ").split() if isinstance(value, str) else value
