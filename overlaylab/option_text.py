"""The text of mount options: how it is escaped, cut at its commas and colons, and limited.

Linux 6.18, fs/overlayfs/params.c.
"""

from __future__ import annotations

import errno
import re

from .access import fail

__all__ = ["MOST_LOWERS", "PAGE", "cut", "escaped", "octal", "split_lowerdirs", "split_options", "unescaped"]

# mount(2) copies one page of options and cuts what is beyond it; the last byte ends the text.
PAGE = 4096
# Kernel: more lower layers are EINVAL (overlay vectors mount-38, mount-39, mount-45).
MOST_LOWERS = 500
# One layer of lowerdir=: what separates it from the one before, and its path with escapes.
LAYER = re.compile(r"(:{0,2})((?:\\.|[^\\:]|\\$)+)", re.DOTALL)


def escaped(path: str) -> str:
    """Backslash and comma, which mean something in any option."""
    return path.replace("\\", "\\\\").replace(",", "\\,")


def unescaped(text: str) -> str:
    """Take one backslash away before every character. Kernel: mount-24 to mount-29, mount-75."""
    out, characters = [], iter(text)
    for character in characters:
        out.append(next(characters, "") if character == "\\" else character)
    return "".join(out)


def split_options(text: str) -> list[tuple[str, str | None]]:
    """Cut option text at its commas, except behind a backslash, and each option at its first ``=``.

    Returns:
        Key and value; None for an option without ``=``. Empty options, and ``=x``, are left out.
    """
    words, word, characters = [], "", iter(text)
    for character in characters:
        if character == "\\":
            word += character + next(characters, "")
        elif character == ",":
            words.append(word)
            word = ""
        else:
            word += character
    words.append(word)
    pairs = (word.partition("=") for word in words if word and not word.startswith("="))
    return [(key, value if equals else None) for key, equals, value in pairs]


def split_lowerdirs(text: str) -> list[tuple[bool, str]]:
    """Cut the value of ``lowerdir=``: ``:`` between layers, ``::`` before each data-only layer.

    Returns:
        Layers, **topmost first**: whether it is data-only, and its path, still escaped.

    Raises:
        OSError: EINVAL for empty elements, three colons, too many.

    Spec:
        Kernel: mount-33, mount-34, mount-38, mount-39, mount-46, mount-50.
    """
    layers, place = [], 0
    while place < len(text):
        found = LAYER.match(text, place)
        if found is None or (found[1] == "") != (place == 0):
            raise fail(errno.EINVAL, "lowerdir")
        layers.append((found[1] == "::", found[2]))
        place = found.end()
    if len(layers) > MOST_LOWERS:
        raise fail(errno.EINVAL, "lowerdir")
    return layers


def cut(text: str) -> str:
    """What of an option text reaches the kernel."""
    return text.encode("utf-8", "surrogateescape")[: PAGE - 1].decode("utf-8", "surrogateescape")


def octal(text: str) -> str:
    """The kernel's escaping of what would cut its own line."""
    return "".join(f"\\{ord(character):03o}" if character in ", \t\n\\" else character for character in text)
