"""JSON documents whose values know their place, such as ``manifest.layers[3].size``, so that errors can name it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from overlaylab.errors import Finding
from overlaylab.limits import DEFAULT_LIMITS

from .digest import Digest

T = TypeVar("T")
D = TypeVar("D", bound=Digest)

_NAMES = {dict: "an object", list: "an array", str: "a string", int: "an integer", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a JSON document, with its place.

    ``null`` counts as absent everywhere. Unknown fields are ignored.

    Args:
        value: The value, as the module `json` parses it.
        where: Its place, such as ``manifest.layers[3].size``.
        kind: The kind of finding when the value has the wrong type: ``bad-config`` or ``bad-manifest``.
    """

    value: Any
    where: str
    kind: str

    def _as(self, wanted: type[T]) -> T:
        value = self.value
        # In Python, True is an integer too; in JSON it is not.
        if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
            return value
        raise Finding(self.kind, self.where, _NAMES[wanted], _describe(value))

    def get(self, key: str) -> Node | None:
        """The field, or None if it is absent or null."""
        value = self._as(dict).get(key)
        return None if value is None else Node(value, f"{self.where}.{key}", self.kind)

    def need(self, key: str) -> Node:
        """The field, which must be present."""
        found = self.get(key)
        if found is None:
            raise Finding(self.kind, f"{self.where}.{key}", "a value", "nothing")
        return found

    def items(self) -> tuple[Node, ...]:
        """The elements of an array."""
        return tuple(Node(item, f"{self.where}[{i}]", self.kind) for i, item in enumerate(self._as(list)))

    def list_of(self, key: str) -> tuple[Node, ...]:
        """The elements of an array field; none if it is absent or null."""
        found = self.get(key)
        return () if found is None else found.items()

    def fields(self) -> Iterator[tuple[str, Node]]:
        """The fields of an object that are not null, in document order."""
        for key, value in self._as(dict).items():
            if value is not None:
                yield key, Node(value, f"{self.where}.{key}", self.kind)

    def text(self) -> str:
        """The value, which must be a string."""
        return self._as(str)

    def integer(self) -> int:
        """The value, which must be an integer that is not negative."""
        number = self._as(int)
        if number < 0:
            raise Finding("absurd-size", self.where, "0 or more", number)
        return number

    def flag(self) -> bool:
        """The value, which must be true or false."""
        return self._as(bool)

    def digest(self, cls: type[D]) -> D:
        """The value as a digest of the given class; its algorithm must be known."""
        return cls(self.text(), self.where)

    def strings(self, key: str) -> tuple[str, ...]:
        """An array field of strings; none if it is absent or null."""
        return tuple(node.text() for node in self.list_of(key))

    def string(self, key: str, default: str = "") -> str:
        """A string field, or the default if it is absent or null."""
        found = self.get(key)
        return default if found is None else found.text()

    def string_map(self, key: str) -> dict[str, str]:
        """An object field whose values are strings; empty if it is absent or null."""
        found = self.get(key)
        return {} if found is None else {name: node.text() for name, node in found.fields()}


def parse_json(raw: bytes, where: str, kind: str, limit: int = DEFAULT_LIMITS.document) -> Node:
    """Parse one JSON document.

    Args:
        raw: The document's bytes, UTF-8.
        where: What to call the document in findings.
        kind: ``bad-config`` or ``bad-manifest``: the kind of finding for a value of the wrong type.
        limit: The largest size in bytes.

    Raises:
        Finding: ``bad-json``, ``duplicate-json-key``, ``empty``, ``limit``.
    """
    if not raw.strip():
        raise Finding("empty", where, "a JSON document", "no bytes")
    if len(raw) > limit:
        raise Finding("limit", where, f"at most {limit} bytes", len(raw))

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            names = [name for name, _ in pairs]
            again = next(name for name in names if names.count(name) > 1)
            raise Finding("duplicate-json-key", where, "each key once", again)
        return fields

    try:
        return Node(json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=_refuse), where, kind)
    except (ValueError, RecursionError) as error:
        if isinstance(error, Finding):
            raise
        raise Finding("bad-json", where, "a JSON document", str(error) or type(error).__name__) from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _describe(value: object) -> str:
    """A value's JSON type, and the value itself where it is short."""
    if value is None:
        return "null"
    name = _NAMES.get(type(value), "a number")
    return f"{name} ({value!r})"[:120] if isinstance(value, (str, int, float)) else name


def compact_json(text: str) -> bytes:
    """Rewrite a JSON document without spaces between its tokens; the order of the keys is kept.

    Engines store image configs in this form. Many documents have the same meaning and only one of
    them has the right digest, so the result is a good guess and no proof.

    Example:
        >>> compact_json('{ "os": "linux" }')
        b'{"os":"linux"}'
    """
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


# Go's encoder escapes characters that are special in HTML, and replaces lone surrogates.
_GO_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"} | {
    number: "\\ufffd" for number in range(0xD800, 0xE000)
}


def go_json(value: Any) -> bytes:
    """Encode a JSON value as Go's encoder does (the engines are written in Go): no spaces, keys in their order.

    Example:
        >>> go_json({"Cmd": ["sh", "-c", "a && b > c"]})
        b'{"Cmd":["sh","-c","a \\\\u0026\\\\u0026 b \\\\u003e c"]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_GO_ESCAPES).encode("utf-8")


def pretty_json(raw: bytes) -> bytes:
    """Format a JSON document for people, as ``jq`` does: two spaces a level, and a newline at the end.

    Example:
        >>> pretty_json(b'{"os":"linux"}')
        b'{\\n  "os": "linux"\\n}\\n'
    """
    return (json.dumps(json.loads(raw), ensure_ascii=False, indent=2) + "\n").encode("utf-8")


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def field_at(raw: bytes, position: int) -> str:
    """Name the field of a JSON document that contains a given byte.

    Args:
        raw: The document.
        position: The byte's offset, counted from 0.

    Returns:
        For example ``config.Env[0]``; empty outside every field.

    Example:
        >>> field_at(b'{"os":"linux"}', 7)
        'os'
    """
    path: list[str | int] = []
    for token in _TOKEN.finditer(raw.decode("latin-1")):
        text = token.group()
        if text in ("}", "]"):
            del path[-1:]
        elif text == "," and path:
            last = path.pop()
            path.append(last + 1 if isinstance(last, int) else "")
        elif path and path[-1] == "":
            path[-1] = text.strip('"')
        if token.end() > position:
            break
        if text in ("{", "["):
            path.append("" if text == "{" else 0)
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path if step != "").lstrip(".")
