"""Provenance: for each path the layer that gives it and what it hides; for each layer the fate of its entries.

Nothing is drawn here. Layers are counted from the bottom, as in `overlay`; a sequence of names for people comes in the
order of the mount options: lowers **topmost first**, then the upper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from overlaylab.image.image import Container, Image
from overlaylab.overlay.lookup_result import Found, Seen, Verdict
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.stores.store import Store
from overlaylab.tree import Directory, Inode, find, parent_of, same, walk
from overlaylab.views.kit.text import cut
from overlaylab.words import say


def layers_of(overlay: Overlay) -> tuple[Directory, ...]:
    """The layers, bottom first, the upper last."""
    return (*reversed(overlay.lowerdirs), *filter(None, [overlay.upperdir]))


def role_of(overlay: Overlay, layer: int) -> str:
    """``upper`` or ``lower``."""
    return "upper" if overlay.upperdir is not None and layer == len(overlay.lowerdirs) else "lower"


def labels(overlay: Overlay, names: Sequence[str] = ()) -> tuple[str, ...]:
    """A name for each layer, bottom first.

    Args:
        names: In the order of the mount options: lowers topmost first, then the upper. Left out: ``lower 1`` for the
            topmost lower, and so on, and ``upper``.
    """
    count = len(overlay.lowerdirs)
    if not names:
        names = [say("overlay.lower", number=number) for number in range(1, count + 1)]
        names += [say("palette.upper")] if overlay.upperdir is not None else []
    return (*reversed(names[:count]), *names[count:])


def label(overlay: Overlay, layer: int, names: Sequence[str] = ()) -> str:
    """A layer's name with its role, such as ``Fruits (lower 1)``; in a high stack the name alone."""
    name = labels(overlay, names)[layer]
    if not names or len(names) > 5:
        return name
    count = len(overlay.lowerdirs)
    role = say("palette.upper") if layer == count else say("overlay.lower", number=count - layer)
    return name if name == role else f"{name} ({role})"


def layer_names(target: Image | Container, store: Store | None = None) -> tuple[str, ...]:
    """Names for the layers of an image or a container, in the order of the mount options.

    Args:
        target: An image: ``layer 12`` down to ``layer 1``, the base. A container: its init layer first, its upper last.
        store: For a container, to find the image that its lower layers belong to.
    """
    if isinstance(target, Image):
        return tuple(say("overlay.layer_name", number=layer.position + 1) for layer in reversed(target.layers))
    known = {}
    for image in store.images() if store is not None else ():
        if image.id == target.image_id:
            known = {layer.directory: say("overlay.layer_name", number=layer.position + 1) for layer in image.layers}
    lowers = (say("overlay.init") if name.endswith("-init") else known.get(name, name[:12]) for name in target.lower)
    return (*lowers, say("overlay.container"))


@dataclass(frozen=True, slots=True)
class LookupStep:
    """One step of a lookup, as it is explained.

    Args:
        layer: Counted from the bottom.
        kind: The key of its sentence, ``overlay.look.<kind>``.
        style: Its key in the palette; ``plain`` where there was nothing.
        at: The directory on the way that decided it, or the path itself.
        by: For a layer that was not searched: the layer that ended the search.
    """

    layer: int
    kind: str
    style: str
    at: str
    by: int | None = None

    @property
    def stops(self) -> bool:
        """Whether the search ended here."""
        return self.kind in STOPS


# The kinds that end a search.
STOPS = {"file", "whiteout", "whiteout-above", "opaque", "cuts", "cuts-opaque", "other-type"}


def lookup_steps(overlay: Overlay, found: Found) -> tuple[LookupStep, ...]:
    """The steps of a lookup, one a layer, topmost first."""
    roots = layers_of(overlay)
    # Layers that ended the search because of a directory on the way, though they lack the name itself.
    enders = {
        seen.by: seen
        for seen in found.trace
        if seen.verdict is Verdict.HIDDEN and seen.path != found.path and seen.reason != Directory.type
    }
    steps = []
    for seen in found.trace:
        ender = enders.get(seen.layer)
        if ender is not None and (seen.verdict is Verdict.ABSENT or seen.reason == Directory.type):
            kind = "cuts-opaque" if ender.reason == "opaque" else "cuts"
            steps.append(LookupStep(seen.layer, kind, "opaque", ender.path))
        else:
            steps.append(_look(overlay, found, seen, find(roots[seen.layer], found.path)))
        if steps[-1].kind.startswith("absent") and any(step.stops for step in steps):
            steps[-1] = replace(steps[-1], kind="unasked")
    return tuple(steps)


def _look(overlay: Overlay, found: Found, seen: Seen, inode: Inode | None) -> LookupStep:
    above = "" if seen.path == found.path else "-above"
    match seen.verdict:
        case Verdict.ABSENT:
            return LookupStep(seen.layer, "absent" + above, "plain", seen.path)
        case Verdict.WHITEOUT:
            return LookupStep(seen.layer, "whiteout" + above, "whiteout", seen.path)
        case Verdict.HIDDEN:
            if seen.reason == Directory.type and seen.path == found.path and inode is not None:
                return LookupStep(seen.layer, "other-type", "hidden", seen.path, seen.by)
            kind = "unasked" if inode is None else "stale" if is_whiteout(inode, overlay.marks) else "hidden"
            return LookupStep(seen.layer, kind, "plain" if inode is None else "hidden", seen.path, seen.by)
    role = role_of(overlay, seen.layer)
    if not isinstance(inode, Directory):
        return LookupStep(seen.layer, "file", role, seen.path)
    if is_opaque(inode, overlay.marks) and found.path != "." and seen.layer:
        return LookupStep(seen.layer, "opaque", "opaque", seen.path)
    return LookupStep(seen.layer, "directory" if seen.verdict is Verdict.SHOWN else "merged", role, seen.path)


def paths_of(overlay: Overlay) -> tuple[str, ...]:
    """Every path that some layer has, sorted, without the root: hidden and deleted ones, too."""
    return tuple(sorted({path for root in layers_of(overlay) for path, _ in walk(root)} - {"."}))


@dataclass(frozen=True, slots=True)
class Fate:
    """The fate of a layer's entry in the merged view.

    Args:
        kind: ``shown``; ``merged`` (a directory that is seen, with the attributes of one above); ``acts`` (a whiteout
            that hides something); ``hidden``.
        by: For ``hidden``: the layer that hides it.
    """

    kind: str
    by: int | None = None


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One entry of a layer: what it does to the layers below, and its fate.

    Args:
        change: ``added``, ``changed``, ``removed``, ``emptied`` (an opaque directory over another one), or ``same``
            for a directory that is there only because something in it changed, or its time.
    """

    path: str
    inode: Inode
    change: str
    fate: Fate


def layer_story(overlay: Overlay, layer: int) -> tuple[LayerEntry, ...]:
    """All entries of one layer, sorted by path, without the root.

    Args:
        layer: Counted from the bottom.
    """
    roots = layers_of(overlay)
    below = Overlay.of_layers(roots[:layer], marks=overlay.marks)
    return tuple(
        LayerEntry(path, inode, _change(overlay, inode, below.lookup(path).inode), _fate(overlay, path, layer))
        for path, inode in walk(roots[layer])
        if path != "."
    )


def _change(overlay: Overlay, inode: Inode, below: Inode | None) -> str:
    if is_whiteout(inode, overlay.marks):
        return "removed"
    if below is None:
        return "added"
    if not isinstance(inode, Directory) or not isinstance(below, Directory):
        return "changed"
    if is_opaque(inode, overlay.marks):
        return "emptied"
    return "same" if same(replace(inode, mtime_ns=0), replace(below, mtime_ns=0)) else "changed"


def _fate(overlay: Overlay, path: str, layer: int) -> Fate:
    seen = next((seen for seen in overlay.lookup(path).trace if seen.layer == layer), None)
    match seen.verdict if seen else None:
        case Verdict.SHOWN:
            return Fate("shown")
        case Verdict.MERGED:
            return Fate("merged")
        case Verdict.WHITEOUT:
            return Fate("acts")
    return Fate("hidden", seen.by if seen else None)


def contested(overlay: Overlay) -> Iterator[tuple[str, Found, Mapping[int, Inode]]]:
    """The paths that several layers have, and of which some are hidden: path, lookup, and layer -> inode.

    Merged directories are left out, and so is everything in a directory that is hidden as a whole.
    """
    roots = layers_of(overlay)
    for path in paths_of(overlay):
        there = {layer: inode for layer, root in enumerate(roots) if (inode := find(root, path)) is not None}
        found = overlay.lookup(path)
        if not isinstance(overlay.lookup(parent_of(path)[0]).inode, Directory):
            continue
        if len(there) > len(found.parts) or any(
            step.verdict is Verdict.HIDDEN and step.layer in there for step in found.trace
        ):
            yield path, found, there


def build_step_text(text: str, limit: int = 44) -> str:
    """A build step as one short line, without the words that Docker's old builder puts before each."""
    return cut(text.removeprefix("/bin/sh -c ").removeprefix("#(nop) ").strip(), limit)
