"""A command of the playground in words: what a shell would print, what it did, and why it failed."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence

from overlaylab.errors import TEXT, Finding
from overlaylab.linux.operations import Step
from overlaylab.linux.shell import Complaint, Said
from overlaylab.linux.shell_parser import Command
from overlaylab.overlay.journal import (
    CopyUp,
    Effect,
    ImpureCleared,
    ImpureSet,
    MetadataCopyUp,
    Moved,
    OpaqueSet,
    OriginSet,
    RedirectSet,
    WhiteoutMade,
)
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, Inode
from overlaylab.words import known, printable, say

from .text import outcome, path_text

# The most effects, the most lines of output, the most complaints; the most characters of a line.
MOST, MOST_OUTPUT, MOST_COMPLAINTS, LONGEST = 6, 10, 3, 300

NOTES = (OriginSet, ImpureSet, ImpureCleared)


def absolute(path: str) -> str:
    """A path as a learner writes it, with the slash in front."""
    return "/" if path in ("", ".", "/") else "/" + path_text(path.strip("/"))


def misread_text(finding: Finding) -> str:
    """Why this shell cannot read a line, with the position."""
    problem = finding.problem
    return say(
        "play.misread", at=problem.where.rpartition(" ")[2], expected=problem.expected, found=printable(problem.found)
    )


def complaint_text(complaint: Complaint) -> str:
    """The line that a shell would print."""
    text = f"{TEXT.get(complaint.errno, 'error')} ({errno.errorcode.get(complaint.errno, complaint.errno)})"
    return say(
        f"play.says.{complaint.key}", path=printable(complaint.path), other=printable(complaint.other), error=text
    )


def why_text(complaint: Complaint, overlay: Overlay, names: Sequence[str]) -> str:
    """One sentence that says why a call failed; empty if no call did."""
    if not complaint.errno:
        return ""
    code = errno.errorcode.get(complaint.errno, "")
    if code == "ENOENT":
        return _missing(complaint, overlay, names)
    keys = (f"play.why.{complaint.key}-{code}", f"play.why.{code}")
    return say(next(filter(known, keys), "play.why.other"), path=absolute(complaint.path))


def _missing(complaint: Complaint, overlay: Overlay, names: Sequence[str]) -> str:
    """Why there is no such path: the outcome of its lookup; for a new name, that of its directory."""
    path = complaint.path.strip("/") or "."
    try:
        found = overlay.lookup(path)
        while found.inode is None and overlay.lookup(_above(path)).inode is None:
            path = _above(path)
            found = overlay.lookup(path)
        return outcome(overlay, path, names) if found.inode is None else say("play.why.ENOENT")
    except Finding:
        return say("play.why.ENOENT")


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "."


def did_text(command: Command, failed: bool) -> str:
    """What the learner did, in one sentence; empty if it failed or only looked."""
    key = "append" if command.redirect == ">>" else "write" if command.redirect else command.name
    key = "symlink" if key == "ln" and "s" in command.flags else key
    if failed or not known(f"play.did.{key}"):
        return ""
    words = command.words[1:] if key == "chmod" else command.words
    last = command.target if command.redirect else words[-1]
    firsts = words[:-1] if key in ("mv", "cp", "ln", "symlink") else words
    return say(f"play.did.{key}", path=", ".join(map(absolute, firsts)), last=absolute(last))


def effect_texts(steps: Iterable[Step], overlay: Overlay) -> list[str]:
    """The effects on the upper, a sentence each; xattrs that only the kernel uses come last, in one sentence."""
    steps = tuple(steps)
    effects = [effect for step in steps for effect in step.effects]
    effects = _without_undone(effects)
    # The xattrs of a directory come after the sentence that it was made.
    effects.sort(key=lambda effect: isinstance(effect, (OpaqueSet, RedirectSet)))
    moved = {effect.path: effect.detail.strip("/") for effect in effects if isinstance(effect, Moved)}
    told = [effect for effect in effects if not isinstance(effect, NOTES)]
    sentences = list(dict.fromkeys(_sentence(each, overlay, moved.get(each.path, each.path)) for each in told))
    more = [say("play.more", count=len(sentences) - MOST)] if len(sentences) > MOST else []
    notes = list(dict.fromkeys(_note(effect) for effect in effects if isinstance(effect, NOTES)))
    if len(notes) > 3:
        notes[3:] = [say("overlay.more", count=len(notes) - 3)]
    tail = [say("play.notes", notes=", ".join(notes))] if notes else []
    return sentences[:MOST] + more + tail


def explain(
    command: Command, said: Said, steps: Sequence[Step], overlay: Overlay, names: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """A command's output, as lines, and its explanation, as sentences; both bounded."""
    output = [printable(line)[:LONGEST] for line in said.lines[:MOST_OUTPUT]]
    more = said.more + len(said.lines) - len(output)
    output += [say("overlay.more", count=more)] if more else []
    errors = [complaint_text(complaint) for complaint in said.complaints[:MOST_COMPLAINTS]]
    whys = [why_text(complaint, overlay, names) for complaint in said.complaints[:1]]
    did = did_text(command, bool(said.complaints))
    effects = effect_texts(steps, overlay) or [say("play.in_place" if wrote(steps) else "play.nothing")]
    return output, [text for text in [*errors, *whys, did, *effects] if text]


def wrote(steps: Iterable[Step]) -> bool:
    """Whether an inode of the upper changed; open files and their offsets do not count."""
    return any(
        isinstance(change.thing, Inode) and change.before != change.after for step in steps for change in step.changes
    )


def _without_undone(effects: list[Effect]) -> list[Effect]:
    """Leave out what the same command undid: all effects inside a directory that a whiteout then replaced."""
    gone = {effect.path for effect in effects if isinstance(effect, WhiteoutMade)}
    brief = {effect.path for effect in effects if isinstance(effect, CopyUp) and effect.path in gone} - {
        effect.path for effect in effects if isinstance(effect, Moved)
    }
    return [
        effect
        for effect in effects
        if not any(effect.path.startswith(path + "/") for path in gone)
        and (effect.path not in brief or isinstance(effect, WhiteoutMade))
    ]


def _note(effect: Effect) -> str:
    mark = {OriginSet: "origin", ImpureSet: "impure", ImpureCleared: "no longer impure"}[type(effect)]
    return say("play.note", mark=mark, path=absolute(effect.path))


def _sentence(effect: Effect, overlay: Overlay, now: str) -> str:
    """One effect in a sentence; `now` is the path of its inode after the command."""
    kind = type(effect).__name__
    if isinstance(effect, (CopyUp, MetadataCopyUp)):
        kind += "-dir" if isinstance(overlay.lookup(now).inode, Directory) else ""
    if isinstance(effect, (Moved, OpaqueSet, RedirectSet, CopyUp)) or known(f"play.effect.{kind}"):
        return say(f"play.effect.{kind}", path=absolute(effect.path), detail=printable(effect.detail))
    return str(effect)
