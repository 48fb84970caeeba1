"""A line of the small shell, read into a command: words, quotes, options, redirection.

The shell is small on purpose: no pipes, variables or patterns, one command a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from overlaylab.errors import Finding

# Command -> its options, and how many words it takes at least and at most (None: any number).
COMMANDS: dict[str, tuple[str, int, int | None]] = {
    "cat": ("", 1, None),
    "chmod": ("", 2, None),
    "cp": ("rRa", 2, None),
    "echo": ("n", 0, None),
    "find": ("", 0, 1),
    "ln": ("s", 2, 2),
    "ls": ("laA1", 0, None),
    "mkdir": ("p", 1, None),
    "mv": ("f", 2, None),
    "readlink": ("", 1, 1),
    "rm": ("rRf", 1, None),
    "rmdir": ("", 1, None),
    "stat": ("", 1, None),
    "touch": ("", 1, None),
}

# Characters that have a meaning in a real shell and none here.
UNKNOWN = "|&;<()$`*?[]{}~!"

LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command.

    Args:
        text: Without quotes.
        at: The position of its first character, from 1.
        sign: ``>`` or ``>>``, or empty.
        quoted: Whether a part of it was quoted; then it is not an option.
    """

    text: str
    at: int
    sign: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command.

    Args:
        name: One of `COMMANDS`.
        flags: Its options, one letter each.
        words: Its other arguments.
        redirect: ``>`` or ``>>``, or empty.
        target: The file of the redirection.
    """

    name: str
    flags: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    redirect: str = ""
    target: str = ""


def parse(line: str) -> Command:
    """Read one line.

    Raises:
        Finding: ``wrong-call`` with the position, from 1, for a line that this shell does not understand.

    Example:
        >>> parse("echo 'two words' >> /a")
        Command(name='echo', flags=frozenset(), words=('two words',), redirect='>>', target='/a')
    """
    words = _words(line)
    if not words:
        raise _wrong(1, "a command", "an empty line")
    words, redirect, target = _redirected(words, len(line))
    if not words and redirect:  # "> file" alone empties a file.
        return Command("echo", frozenset("n"), (), redirect, target)
    name, *rest = words
    if name.text not in COMMANDS or name.sign:
        raise _wrong(name.at, f"one of {', '.join(COMMANDS)}", name.text)
    known, least, most = COMMANDS[name.text]
    flags, plain = _flags(name.text, known, rest)
    if len(plain) < least:
        words_wanted = f"{least} {'path' if least == 1 else 'words'} after {name.text}"
        raise _wrong(len(line) + 1, words_wanted, "the end of the line")
    if most is not None and len(plain) > most:
        raise _wrong(plain[most].at, f"at most {most} after {name.text}", plain[most].text)
    if redirect and name.text not in ("echo", "cat"):
        raise _wrong(line.index(">") + 1, "output to a file after echo or cat only", redirect)
    return Command(name.text, frozenset(flags), tuple(word.text for word in plain), redirect, target)


def _wrong(at: int, expected: str, found: str) -> Finding:
    return Finding("wrong-call", f"command, character {at}", expected, found)


def _words(line: str) -> list[Word]:
    """Split a line into words and redirection signs."""
    if len(line) > LONGEST_LINE:
        raise _wrong(LONGEST_LINE + 1, f"at most {LONGEST_LINE} characters", f"{len(line)}")
    words, at = [], 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif line[at] == "#":
            break
        elif line[at] == ">":
            sign = ">>" if line[at : at + 2] == ">>" else ">"
            words.append(Word("", at + 1, sign))
            at += len(sign)
        else:
            word, at = _word(line, at)
            words.append(word)
    return words


def _word(line: str, start: int) -> tuple[Word, int]:
    """The word at a position, and the position after it: quotes and backslashes as in a shell."""
    text, at, quoted = "", start, False
    while at < len(line) and not line[at].isspace() and line[at] != ">":
        sign = line[at]
        if sign in "'\"":
            end = line.find(sign, at + 1)
            if end < 0:
                raise _wrong(at + 1, f"a second {sign}", "the end of the line")
            text, at, quoted = text + line[at + 1 : end], end + 1, True
        elif sign == "\\":
            if at + 1 == len(line):
                raise _wrong(at + 1, "a character after \\", "the end of the line")
            text, at, quoted = text + line[at + 1], at + 2, True
        elif sign in UNKNOWN or sign == "\0":
            raise _wrong(at + 1, "a plain character, or quotes around it", sign)
        else:
            text, at = text + sign, at + 1
    return Word(text, start + 1, quoted=quoted), at


def _redirected(words: list[Word], length: int) -> tuple[list[Word], str, str]:
    """Split off ``> file``: the other words, the sign, and the file."""
    signs = [place for place, word in enumerate(words) if word.sign]
    if not signs:
        return words, "", ""
    first = signs[0]
    if len(signs) > 1:
        raise _wrong(words[signs[1]].at, "one > in a command", words[signs[1]].sign)
    if first + 1 == len(words):
        raise _wrong(length + 1, f"a path after {words[first].sign}", "the end of the line")
    return words[:first] + words[first + 2 :], words[first].sign, words[first + 1].text


def _flags(name: str, known: str, words: list[Word]) -> tuple[set[str], list[Word]]:
    """Sort options from other words. ``chmod -x`` is a mode; echo prints options that it does not know."""
    flags: set[str] = set()
    plain: list[Word] = []
    for place, word in enumerate(words):
        if word.text == "--" and not word.quoted and name != "echo":
            return flags, plain + words[place + 1 :]
        if not word.text.startswith("-") or word.text == "-" or word.quoted or name == "chmod":
            plain.append(word)
        elif name == "echo":
            is_flag = word.text == "-n" and not plain
            flags.update("n" if is_flag else "")
            plain += [] if is_flag else [word]
        else:
            for offset, letter in enumerate(word.text[1:], start=1):
                if letter not in known:
                    options = ", ".join(f"-{each}" for each in known) or "no option"
                    raise _wrong(word.at + offset, f"{options} after {name}", word.text)
                flags.add(letter)
    return flags, plain


def mode_bits(text: str, old: int) -> int | None:
    """The permission bits of a mode of chmod.

    Args:
        text: Octal digits, or clauses such as ``u+x,go-w``.
        old: The bits that the clauses are applied to.

    Returns:
        The new bits; None if the text is neither.
    """
    if re.fullmatch("[0-7]{1,4}", text):
        return int(text, 8)
    for clause in text.split(","):
        match = re.fullmatch("([ugoa]*)([-+=])([rwx]*)", clause)
        if match is None:
            return None
        who, sign, what = match.groups()
        places = {"u": 6, "g": 3, "o": 0}
        who = "ugo" if not who or "a" in who else who
        bits = sum({"r": 4, "w": 2, "x": 1}[letter] for letter in set(what))
        for place in {places[letter] for letter in who}:
            kept = old & ~(7 << place) if sign == "=" else old
            old = kept & ~(bits << place) if sign == "-" else kept | bits << place
    return old
