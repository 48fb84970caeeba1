"""The parser of a mount command, as mount(8) and the kernel read it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from overlaylab.errors import Finding
from overlaylab.overlay.mount_options import MountOptions, parse_options


@dataclass(frozen=True, slots=True, kw_only=True)
class MountCommand:
    """A parsed mount command.

    Args:
        kind: The file system's type, after ``-t``.
        source: The device; for an overlay only a name, which /proc/mounts shows.
        options: The value of ``-o``.
    """

    kind: str
    source: str
    target: str
    options: MountOptions

    @property
    def names(self) -> tuple[str, ...]:
        """The layers in the order of the options: lowers **topmost first**, then the upper."""
        return (*self.options.lowerdirs, *filter(None, [self.options.upperdir]))

    def __str__(self) -> str:
        return self.options.command(self.target)


def parse_mount(command: str) -> MountCommand:
    """Parse a mount command.

    Args:
        command: As typed in a shell, with or without the prompt and ``sudo``.

    Raises:
        Finding: ``wrong-call`` with the part that is missing or wrong.

    Example:
        >>> parse_mount("mount -t overlay overlay -o lowerdir=a:b,upperdir=u,workdir=w /mnt/tmp").names
        ('a', 'b', 'u')
    """
    words = shlex.split(command.strip().removeprefix("$"))
    if words[:1] == ["sudo"]:
        words = words[1:]
    if not words or words[0] != "mount":
        raise Finding("wrong-call", "mount command", "the word mount", words[0] if words else "nothing")
    flags, plain = flags_and_words(words[1:])
    if len(plain) != 2:
        raise Finding("wrong-call", "mount command", "a source and a target", " ".join(plain) or "nothing")
    if flags.get("-t") != "overlay":
        raise Finding("wrong-call", "mount command", "-t overlay", f"-t {flags.get('-t', '')}")
    return MountCommand(kind="overlay", source=plain[0], target=plain[1], options=parse_options(flags.get("-o", "")))


def flags_and_words(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The words after ``mount``: ``-t`` and ``-o`` with their values, several ``-o`` joined by commas; all others."""
    flags: dict[str, str] = {}
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word[:2] not in ("-t", "-o"):
            plain.append(word)
            continue
        value = word[2:] or next(rest, "")
        flags[word[:2]] = f"{flags['-o']},{value}" if word[:2] == "-o" and "-o" in flags else value
    return flags, plain
