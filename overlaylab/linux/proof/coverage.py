"""Coverage: which interesting situations a run of operations reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from overlaylab.errors import OverlayLabError
from overlaylab.linux.operations import Step
from overlaylab.overlay.journal import (
    ABSENT,
    CopyUp,
    Created,
    MetadataCopyUp,
    OpaqueSet,
    Removed,
    WhiteoutMade,
    WhiteoutRemoved,
)
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, File

PLACES = (
    "copy-up of a file",
    "copy-up of a chain of directories",
    "copy-up of a hard link",
    "whiteout made",
    "whiteout removed",
    "opaque made",
    "delete and create again",
    "rename over a whiteout",
    "listing merges three layers",
    "refused for want of permission",
)


class Coverage:
    """Counts the calls, errors and situations that were reached.

    Example:
        >>> Coverage().missing(PLACES)[0]
        'copy-up of a file'
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._gone: set[str] = set()

    def begin(self) -> None:
        """Begin a new case, in which nothing was deleted yet."""
        self._gone = set()

    def take(self, step: Step, overlay: Overlay) -> None:
        """Count what a step reached; `overlay` is the model's after it."""
        self.counts[step.op.call] += 1
        self.counts.update(self._errors(step) if step.errno else ())
        self.counts.update(self._copies(step, overlay))
        self.counts.update(self._effects(step))
        if step.op.call == "listdir" and not step.errno and parts(overlay, step.op.args["path"]) >= 3:
            self.counts["listing merges three layers"] += 1

    def _errors(self, step: Step) -> Iterator[str]:
        yield step.error
        if step.op.uid and step.error in ("EACCES", "EPERM"):
            yield "refused for want of permission"

    def _copies(self, step: Step, overlay: Overlay) -> Iterator[str]:
        # Copies are noted before anything moves, so the first notes are those of this step.
        copied = sum(isinstance(effect, (CopyUp, MetadataCopyUp)) for effect in step.effects)
        changes = (change.after for change in step.changes if change.thing is overlay.xattrs.copies)
        lowers = [lower for _, lower in [after for after in changes if after is not ABSENT][:copied]]
        if any(isinstance(lower, File) for lower in lowers):
            yield "copy-up of a file"
        if sum(isinstance(lower, Directory) for lower in lowers) > 1:
            yield "copy-up of a chain of directories"
        if any(lower.nlink > 1 for lower in lowers if not isinstance(lower, Directory)):
            yield "copy-up of a hard link"

    def _effects(self, step: Step) -> Iterator[str]:
        for effect in step.effects:
            match effect:
                case WhiteoutMade():
                    yield "whiteout made"
                    self._gone.add(effect.path)
                case Removed():
                    self._gone.add(effect.path)
                case WhiteoutRemoved():
                    yield "whiteout removed"
                    if step.op.call == "rename":
                        yield "rename over a whiteout"
                case OpaqueSet():
                    yield "opaque made"
                case Created() if effect.path in self._gone:
                    yield "delete and create again"

    def missing(self, required: Iterable[str]) -> list[str]:
        """The required situations that were not reached."""
        return [name for name in required if not self.counts[name]]


def parts(overlay: Overlay, path: str) -> int:
    """How many layers a directory other than the root is merged from."""
    try:
        return 0 if path == "." else len(overlay.lookup(path).parts)
    except (OSError, OverlayLabError):
        return 0
