"""An overlay in words and tables: a lookup explained, a layer listed, a mount command explained, provenance."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from overlaylab.image.changeset_tar import read_changeset
from overlaylab.image.image import Image
from overlaylab.image.samples import ODD_LAYERS, layer_tar
from overlaylab.linux.mount_command import parse_mount
from overlaylab.overlay.lookup_result import Found
from overlaylab.overlay.oci.import_layer import to_lowerdir
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.tree import Device, Directory, File, Inode, Symlink, walk
from overlaylab.views.kit.palette import PALETTE
from overlaylab.views.kit.sheet import fitted
from overlaylab.views.kit.tables import Text, table
from overlaylab.words import printable, say

from .provenance import (
    LayerEntry,
    LookupStep,
    build_step_text,
    contested,
    label,
    labels,
    layer_names,
    layer_story,
    lookup_steps,
)


def odd_layers(base: Directory, layers: Mapping[str, Mapping[str, str]] = ODD_LAYERS) -> Any:
    """Unusual layers as a table: the members of each tar, the merged view over a base, and the findings.

    Args:
        base: The layer below.
        layers: Title -> members of a tar, as `layer_tar` takes them; by default layers that once broke some tool.
    """
    below = Overlay(lowerdirs=[base])
    rows = []
    for title, members in layers.items():
        changeset = read_changeset(layer_tar(members))
        layer, problems = to_lowerdir(changeset, lambda path: below.lookup(path).inode)
        seen = [path for path, inode in Overlay(lowerdirs=[layer, base]).provenance().items() if path != "."]
        kinds = dict.fromkeys(problem.kind for problem in (*changeset.problems, *problems))
        rows.append((title, " ".join(members), " ".join(seen), ", ".join(kinds)))
    return table(("", say("odd.members"), say("odd.seen"), say("odd.findings")), rows)


# The xattrs that decide what is visible; the others are the kernel's bookkeeping.
ACTING = tuple(f".overlay.{mark}" for mark in ("opaque", "whiteout", "redirect", "metacopy"))


def trace(overlay: Overlay, path: str, names: Sequence[str] = ()) -> Text:
    """A lookup explained layer by layer, topmost first, and its outcome.

    Args:
        names: In the order of the mount options: lowers topmost first, then the upper.
    """
    found = overlay.lookup(path)
    lines = [lookup_step_text(overlay, found, look, names) for look in lookup_steps(overlay, found)]
    return Text("\n".join([*lines, outcome(overlay, path, names)]))


def lookup_step_text(overlay: Overlay, found: Found, look: LookupStep, names: Sequence[str]) -> str:
    """One step of a lookup as a sentence, after its glyph."""
    glyph = PALETTE[look.style].glyph or " "
    where = label(overlay, look.layer, names)
    by = "" if look.by is None else label(overlay, look.by, names)
    sentence = say(f"overlay.look.{look.kind}", layer=where, path=path_text(found.path), at=path_text(look.at), by=by)
    return f"{glyph} {sentence}"


def outcome(overlay: Overlay, path: str, names: Sequence[str] = ()) -> str:
    """The outcome of a lookup, in one sentence."""
    found = overlay.lookup(path)
    steps = lookup_steps(overlay, found)
    shown = path_text(found.path)
    hidden = [label(overlay, step.layer, names) for step in steps if step.kind in ("hidden", "other-type")]
    if found.layer is None:
        ended = next((step for step in steps if step.kind.startswith("whiteout")), None)
        if ended is not None:
            layer = label(overlay, ended.layer, names)
            return say("overlay.outcome.deleted", path=shown, at=path_text(ended.at), layer=layer)
        cut = next((step for step in steps if step.kind == "hidden"), None)
        if cut is not None and cut.by is not None:
            at, layer = path_text(cut.at), label(overlay, cut.by, names)
            return say("overlay.outcome.cut", path=shown, at=at, layer=layer, hidden=joined(hidden))
        return say("overlay.outcome.nowhere", path=shown)
    giver = label(overlay, found.layer, names)
    if len(found.parts) > 1:
        others = joined([label(overlay, part.layer, names) for part in found.parts])
        return say("overlay.outcome.merged", path=shown, layers=others, top=giver)
    key = "overlay.outcome.hides" if hidden else "overlay.outcome.from"
    return say(key, path=shown, layer=giver, hidden=joined(hidden))


def joined(items: Sequence[str]) -> str:
    """A list in a sentence: a, b and c."""
    if len(items) < 2:
        return "".join(items)
    return say("overlay.and", first=", ".join(items[:-1]), last=items[-1])


def path_text(path: str, limit: int = 0) -> str:
    """A path, safe to print, and of at most `limit` characters where a limit is given."""
    text = "/" if path == "." else printable(path)
    return fitted(text, limit) if limit else text


def listing(tree: Directory) -> Text:
    """A tree as ``ls -l`` would list it, with the xattrs that decide what is visible.

    A whiteout is listed as what it is on disk: a character device 0, 0.
    """
    rows = []
    for path, inode in walk(tree):
        if path != ".":
            marks = "".join(
                f"   {name}={value.decode('utf-8', 'replace')}"
                for name, value in sorted(inode.xattrs.items())
                if name.endswith(ACTING)
            )
            target = f" -> {printable(inode.target)}" if isinstance(inode, Symlink) else ""
            name = path_text(path) + "/" * isinstance(inode, Directory) + target + marks
            rows.append((_mode(inode), f"{inode.uid}:{inode.gid}", _size(inode), name))
    if not rows:
        return Text(say("overlay.empty"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (f"{mode}  {owner:<{widths[1]}}  {size:>{widths[2]}}  {name}" for mode, owner, size, name in rows)
    return Text("\n".join(lines))


def _mode(inode: Inode) -> str:
    """The ten characters of ``ls -l``."""
    kinds = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "symlink": stat.S_IFLNK, "char": stat.S_IFCHR}
    kinds |= {"block": stat.S_IFBLK, "fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}
    return stat.filemode(kinds[inode.type] | inode.mode)


def _size(inode: Inode) -> str:
    if isinstance(inode, Device):
        return "{}, {}".format(*inode.rdev)
    return str(inode.size) if isinstance(inode, File) else ""


def tree_text(tree: Directory, title: str = ".") -> Text:
    """A tree drawn exactly as the program ``tree`` draws it, with its no-break spaces."""
    return Text("\n".join([title, *_branches(tree, "")]))


def _branches(directory: Directory, indent: str) -> Iterable[str]:
    names = sorted(directory.names, key=lambda name: (name.casefold(), name))
    for name in names:
        last = name == names[-1]
        yield f"{indent}{'└── ' if last else '├── '}{printable(name)}"
        child = directory.names[name]
        if isinstance(child, Directory):
            yield from _branches(child, indent + ("    " if last else "│\u00a0\u00a0 "))


def mount_words(command: str) -> Any:
    """A mount command word by word, with what each word means.

    Raises:
        Finding: ``wrong-call`` if it is not an overlay mount.
    """
    mount = parse_mount(command)
    options, lowers = mount.options, mount.options.lowerdirs
    rows = [
        ("mount", say("overlay.mount.mount")),
        (f"-t {mount.kind}", say("overlay.mount.type")),
        (mount.source, say("overlay.mount.source")),
        (
            f"lowerdir={':'.join(lowers)}",
            say("overlay.mount.lowerdir", count=len(lowers), top=lowers[0], bottom=lowers[-1]),
        ),
    ]
    if options.upperdir is not None:
        rows += [(f"upperdir={options.upperdir}", say("overlay.mount.upperdir", upper=options.upperdir))]
        rows += [(f"workdir={options.workdir}", say("overlay.mount.workdir"))]
    else:
        rows += [(say("overlay.mount.absent"), say("overlay.mount.readonly"))]
    rows += [(mount.target, say("overlay.mount.target"))]
    return table(("", say("overlay.mount.meaning")), [(fitted(word, 48), meaning) for word, meaning in rows])


def provenance_table(overlay: Overlay, names: Sequence[str] = ()) -> Any:
    """Which layer gives each path that several have, and what it hides; `names` in the order of the mount options."""
    called = labels(overlay, names)
    rows = []
    for path, found, there in contested(overlay):
        gives = say("overlay.gone")
        if found.layer is not None and found.inode is not None:
            gives = f"{called[found.layer]} ({_kind(overlay, found.inode)})"
        hidden = [
            f"{called[layer]} ({_kind(overlay, there[layer])})"
            for layer in sorted(there, reverse=True)
            if layer not in [part.layer for part in found.parts]
        ]
        rows.append((path_text(path, 40), gives, ", ".join(hidden)))
    return table(("", say("overlay.gives"), say("overlay.hidden_others")), rows)


def _kind(overlay: Overlay, inode: Inode) -> str:
    """The type of an inode in a word; whiteouts and opaque directories have words of their own."""
    if is_whiteout(inode, overlay.marks):
        return say("palette.whiteout")
    if is_opaque(inode, overlay.marks):
        return say("overlay.kind.opaque")
    return say(f"overlay.kind.{inode.type}")


def stack_table(overlay: Overlay, image: Image | None = None, names: Sequence[str] = ()) -> Any:
    """One row a layer, topmost first: what it does to the layers below, and how much of it is still visible.

    Args:
        image: Gives the names and the build steps.
        names: In the order of the mount options, where there is no image.
    """
    called = labels(overlay, layer_names(image) if image is not None else names)
    columns = [say(f"overlay.column.{key}") for key in ("adds", "changes", "deletes", "hidden", "seen")]
    rows = []
    for layer in reversed(range(len(called))):
        story = layer_story(overlay, layer)
        history = image.layers[layer].history if image is not None else None
        step = [build_step_text(printable(history.created_by))] if history is not None else []
        rows.append((called[layer], *step, *counts(story)))
    return table(("", *([say("overlay.column.step")] if image is not None else []), *columns), rows)


def counts(story: Sequence[LayerEntry]) -> tuple[int, ...]:
    """How many names a layer adds, changes and deletes; how many of its names are hidden, and how many visible."""
    changes = [line.change for line in story]
    gone = sum(line.fate.kind == "hidden" for line in story)
    seen = sum(
        line.fate.kind in ("shown", "merged") and line.change in ("added", "changed", "emptied") for line in story
    )
    deletes = changes.count("removed") + changes.count("emptied")
    return changes.count("added"), changes.count("changed"), deletes, gone, seen
