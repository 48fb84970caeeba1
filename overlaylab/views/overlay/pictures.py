"""Pictures of an overlay: the stack, the layers side by side, one lookup, one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overlaylab.overlay.lookup_result import Found
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.tree import Directory, find
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted, width_of
from overlaylab.views.kit.text import columns
from overlaylab.words import say

from .provenance import LayerEntry, labels, layer_story, layers_of, lookup_steps, paths_of, role_of
from .text import counts, joined, lookup_step_text, outcome, path_text, trace

# The most names of one layer in a picture, and the most characters of a path.
MOST, LONGEST = 9, 34


def stack_picture(overlay: Overlay, names: Sequence[str] = (), target: str = "", path: str = "") -> Picture:
    """The stack with the bottom layer at the bottom, and beside it the merged view.

    Args:
        names: In the order of the mount options: lowers topmost first, then the upper.
        path: A path that is highlighted in all layers.
    """
    sheet = Sheet("stack")
    called, roots = labels(overlay, names), layers_of(overlay)
    provenance = overlay.provenance()
    left, width = 74, 448
    y = top = 30.0
    for layer in reversed(range(len(roots))):
        y = _layer_box(sheet, overlay, layer, called[layer], left, y, width, path) + 12
    bottom = y - 12
    sheet.arrow(52, bottom - 4, 52, top + 4)
    sheet.text(2, top, say("overlay.top"))
    sheet.text(2, bottom - 20, say("overlay.bottom"))
    _merged_box(sheet, overlay, called, provenance, left + width + 86, top, 300, max(bottom - top, 60), target, path)
    sheet.arrow(left + width + 10, top + 24, left + width + 76, top + 24, "merged")
    sheet.text(left + width + 2, top - 8, say("overlay.looking_down"), width=84, middle=True)
    _order(sheet, overlay, called, left, bottom + 16)
    shown = [path for path in provenance if path != "."]
    alt = say("overlay.stack.alt", count=len(roots), stack=joined(list(reversed(called))), shown=len(shown))
    return Picture(sheet.dot, alt, _stack_text(overlay, called, provenance, target))


def _layer_box(
    sheet: Sheet, overlay: Overlay, layer: int, name: str, x: float, y: float, width: float, path: str
) -> float:
    """One layer with a box for each of its names; returns the y of its lower edge."""
    chips = _chips(overlay, layer, path)
    places, inside = _flow([width_of(text) for text, _ in chips], width - 24)
    height = 34 + inside * 32
    role = role_of(overlay, layer)
    sheet.box(x, y, width, height, "", role, title=name)
    sheet.text(x + 12, y + 6, f"{PALETTE[role].glyph} {name}   {say('overlay.role_' + role)}")
    for (text, style), (column, row) in zip(chips, places, strict=True):
        sheet.box(x + 12 + column, y + 32 + row * 32, width_of(text), 25, text, style, middle=True)
    return y + height


def _chips(overlay: Overlay, layer: int, path: str = "") -> list[tuple[str, str]]:
    """The names of one layer, each with the style of its fate; names beyond the most are counted."""
    chips = []
    story = layer_story(overlay, layer)
    for line in story[:MOST]:
        style = _style(overlay, line)
        glyph = PALETTE[style].glyph + " " if style in ("hidden", "whiteout", "opaque") else ""
        style = "equal" if style == "plain" and line.path == path else style
        chips.append((glyph + path_text(line.path, LONGEST) + "/" * isinstance(line.inode, Directory), style))
    if len(story) > MOST:
        chips.append((say("overlay.more", count=len(story) - MOST), "plain"))
    return chips


def _style(overlay: Overlay, line: LayerEntry) -> str:
    """The style of one entry of a layer."""
    if line.fate.kind == "hidden":
        return "hidden"
    if line.change == "removed":
        return "whiteout"
    return "opaque" if line.change == "emptied" or is_opaque(line.inode, overlay.marks) else "plain"


def _flow(widths: Sequence[float], room: float) -> tuple[list[tuple[float, int]], int]:
    """Put boxes side by side and wrap; returns the x and row of each, and the number of rows."""
    places, x, row = [], 0.0, 0
    for width in widths:
        if x and x + width > room:
            x, row = 0.0, row + 1
        places.append((x, row))
        x += width + 8
    return places, row + 1 if widths else 0


def _merged_box(
    sheet: Sheet,
    overlay: Overlay,
    called: Sequence[str],
    provenance: Mapping[str, int],
    x: float,
    y: float,
    width: float,
    height: float,
    target: str,
    lit: str,
) -> None:
    paths = [path for path in provenance if path != "."]
    shown = paths[: MOST + 3]
    height = max(height, 38 + 31 * len(shown) + (24 if len(paths) > len(shown) else 0))
    sheet.box(x, y, width, height, "", "merged", title=say("palette.merged"))
    sheet.text(x + 12, y + 6, f"{PALETTE['merged'].glyph} {say('palette.merged')}   {target}")
    for row, path in enumerate(shown):
        layer = provenance[path]
        name = path_text(path, 17) + "/" * isinstance(overlay.lookup(path).inode, Directory)
        sheet.box(x + 12, y + 34 + row * 31, 152, 25, name, "equal" if path == lit else "plain")
        role = role_of(overlay, layer)
        giver, title = f"{PALETTE[role].glyph} {fitted(called[layer], 12)}", f"{name}: {called[layer]}"
        sheet.box(x + 170, y + 34 + row * 31, width - 182, 25, giver, role, title=title)
    if len(paths) > len(shown):
        sheet.text(x + 12, y + 34 + len(shown) * 31, say("overlay.more", count=len(paths) - len(shown)))


def _order(sheet: Sheet, overlay: Overlay, called: Sequence[str], x: float, y: float) -> None:
    """The text of ``lowerdir=`` below the stack, and which of its ends is the top."""
    lowers = list(reversed(called[: len(overlay.lowerdirs)]))
    text = f"lowerdir={':'.join(lowers)}"
    fits = len(text) <= 60
    text = text if fits else f"lowerdir={lowers[0]}:…:{lowers[-1]}"
    sheet.text(x, y, text, face=MONO, width=448)
    end = x + (len(text) - len(lowers[-1])) * 7.85
    sheet.text(x + 9 * 7.85, y + LINE, "↑ " + say("overlay.top_end"))
    if len(lowers) > 1:
        sheet.text(max(end, x + 9 * 7.85 + 72), y + LINE, "↑ " + say("overlay.bottom_end"))


def _stack_text(overlay: Overlay, called: Sequence[str], provenance: Mapping[str, int], target: str) -> str:
    lines = []
    for layer in reversed(range(len(called))):
        role = role_of(overlay, layer)
        texts = ", ".join(text for text, _ in _chips(overlay, layer)) or say("overlay.empty")
        lines.append(f"{PALETTE[role].glyph} {called[layer]}, {say('overlay.role_' + role)}: {texts}")
    lines.append("lowerdir=" + ":".join(reversed(called[: len(overlay.lowerdirs)])) + "   " + say("overlay.order"))
    shown = [f"{path_text(path)} ({called[layer]})" for path, layer in provenance.items() if path != "."]
    more = [say("overlay.more", count=len(shown) - MOST - 3)] if len(shown) > MOST + 3 else []
    lines.append(f"{PALETTE['merged'].glyph} {say('palette.merged')} {target}: {', '.join(shown[: MOST + 3] + more)}")
    return "\n".join(lines)


def panes_picture(overlay: Overlay, names: Sequence[str] = (), path: str = "") -> Picture:
    """Panes from left to right: the lower layers, topmost first; the upper; the merged view. One row a path.

    Args:
        names: In the order of the mount options.
        path: The row that is highlighted, with its lookup explained below.
    """
    sheet = Sheet("panes")
    called = labels(overlay, names)
    order = [*reversed(range(len(overlay.lowerdirs))), *range(len(overlay.lowerdirs), len(layers_of(overlay)))]
    paths = list(paths_of(overlay))
    if path and path != "." and path not in paths:
        paths.append(path)
    shown = paths[: MOST * 2]
    wide = min(170.0, (900 - 20 - 24 * 2) / (len(order) + 1) - 10)
    edges, x = {}, 10.0
    for place, layer in enumerate([*order, -1]):
        if place and layer in (-1, len(overlay.lowerdirs)):
            x += 24
        edges[layer] = x
        x += wide + 10
    room = max(4, int((wide - 16) / 7.85))
    for layer, x in edges.items():
        role = "merged" if layer == -1 else role_of(overlay, layer)
        sheet.box(x, 30, wide, 46 + 31 * len(shown), "", role, title=say("palette." + role))
        head = say("palette.merged") if layer == -1 else called[layer]
        sheet.text(x, 36, f"{PALETTE[role].glyph} {fitted(head, room - 2)}", width=wide, middle=True)
    sheet.text(10, 2, f"lowerdir: {say('overlay.topmost_first')}", width=(wide + 10) * max(len(overlay.lowerdirs), 2))
    found = {each: overlay.lookup(each) for each in shown}
    for row, each in enumerate(shown):
        y = 66 + row * 31
        if each == path:
            sheet.box(4, y - 3, x + wide + 2, 31, "", "equal", title=path_text(path))
        for layer, x in edges.items():
            if (mark := _mark(overlay, found[each], each, layer)) is not None:
                sheet.box(x + 8, y, wide - 16, 25, fitted(mark[0], room - 1), mark[1], middle=True, title=mark[0])
    lines = []
    if path:
        y = 66 + 31 * len(shown) + 22
        lines = trace(overlay, path, names).splitlines()
        for number, line in enumerate(lines):
            sheet.text(10, y + number * 22, fitted(line, 112), width=890, face=MONO)
    layers = joined([called[layer] for layer in order])
    alt = outcome(overlay, path, names) if path else say("overlay.panes.alt", layers=layers, count=len(shown))
    return Picture(sheet.dot, alt, _panes_text(overlay, called, order, found, lines))


def _mark(overlay: Overlay, found: Found, path: str, layer: int) -> tuple[str, str] | None:
    """What one layer (the merged view: -1) has at a path: the text and its style; None for nothing."""
    if layer == -1:
        return None if found.layer is None else (path_text(path), role_of(overlay, found.layer))
    inode = find(layers_of(overlay)[layer], path)
    if inode is None:
        return None
    seen = next((step for step in lookup_steps(overlay, found) if step.layer == layer), None)
    if seen is not None and seen.style == "hidden":
        return f"{PALETTE['hidden'].glyph} {path_text(path)}", "hidden"
    if is_whiteout(inode, overlay.marks):
        return f"{PALETTE['whiteout'].glyph} {path_text(path)}", "whiteout"
    if is_opaque(inode, overlay.marks):
        return f"{PALETTE['opaque'].glyph} {path_text(path)}", "opaque"
    return path_text(path), "plain"


def _panes_text(
    overlay: Overlay, called: Sequence[str], order: Sequence[int], found: Mapping[str, Found], lines: Sequence[str]
) -> str:
    heads = [*(called[layer] for layer in order), say("palette.merged")]
    rows = []
    for path, each in found.items():
        rows.append([(_mark(overlay, each, path, layer) or ("",))[0] for layer in [*order, -1]])
        if each.layer is not None:
            rows[-1][-1] += f" ({called[each.layer]})"
    return "\n".join([*columns([heads, *rows], "   "), *([""] if lines else []), *lines])


def lookup_picture(overlay: Overlay, path: str, names: Sequence[str] = ()) -> Picture:
    """One path through the stack, topmost layer first, with the verdict of each layer.

    A small stack is shown as panes with all its paths instead, with this one highlighted.
    """
    if len(layers_of(overlay)) <= 4 and len(paths_of(overlay)) <= MOST * 2:
        return panes_picture(overlay, names, path)
    sheet = Sheet("lookup")
    found = overlay.lookup(path)
    steps = lookup_steps(overlay, found)
    called = labels(overlay, names)
    stop = next((row + 1 for row, step in enumerate(steps) if step.stops), len(steps))
    for row, step in enumerate(steps):
        y = 34 + row * 32
        role = role_of(overlay, step.layer)
        sheet.box(74, y, 170, 27, f"{PALETTE[role].glyph} {fitted(called[step.layer], 16)}", role)
        sentence = lookup_step_text(overlay, found, step, names)
        words = sentence.partition(": ")[2] or sentence
        sheet.box(254, y, 650, 27, fitted(f"{PALETTE[step.style].glyph} {words}".strip(), 78), step.style, title=words)
    sheet.arrow(52, 30, 52, 34 + max(stop, 1) * 32 - 6)
    sheet.text(2, 6, f"{say('overlay.looking_for')} {path_text(found.path, 90)}", width=890)
    sheet.text(2, 34 + len(steps) * 32 + 6, fitted(outcome(overlay, path, names), 108), width=900)
    return Picture(sheet.dot, outcome(overlay, path, names), str(trace(overlay, path, names)))


def layer_picture(overlay: Overlay, layer: int, names: Sequence[str] = (), step: str = "") -> Picture:
    """What one layer adds and deletes, what of it layers above hide, and where in the stack it is.

    Args:
        layer: Counted from the bottom.
        names: In the order of the mount options.
    """
    sheet = Sheet("layer")
    called = labels(overlay, names)
    for row, other in enumerate(reversed(range(len(called)))):
        style = "equal" if other == layer else role_of(overlay, other)
        sheet.box(10, 34 + row * 26, 150, 23, ("▶ " if other == layer else "  ") + fitted(called[other], 15), style)
    sheet.text(10, 6, say("overlay.top"))
    sheet.text(10, 34 + len(called) * 26 + 2, say("overlay.bottom"))
    story = [line for line in layer_story(overlay, layer) if line.change != "same"]
    sheet.text(190, 6, f"{called[layer]}   {step}", width=700)
    for row, line in enumerate(story[: MOST * 2]):
        style = _style(overlay, line)
        text = fitted(_line_text(line, called, style), 86)
        sheet.box(190, 34 + row * 30, 714, 25, text, "lower" if style == "plain" else style)
    rest = len(story) - MOST * 2
    if rest > 0:
        sheet.text(190, 34 + MOST * 2 * 30 + 2, say("overlay.more", count=rest))
    if not story:
        sheet.text(190, 38, say("overlay.layer.nothing"))
    gives, changes, takes, hidden, _ = counts(story)
    alt = say("overlay.layer.alt", layer=called[layer], adds=gives, changes=changes, deletes=takes, hidden=hidden)
    lines = [f"{called[layer]}  {step}".rstrip(), *(_line_text(line, called, _style(overlay, line)) for line in story)]
    return Picture(sheet.dot, alt, "\n".join(lines if story else [*lines, say("overlay.layer.nothing")]))


def _line_text(line: LayerEntry, called: Sequence[str], style: str) -> str:
    """One entry of a layer: its sign, its path, what it does, and what hides it."""
    emptied = PALETTE["opaque"].glyph
    sign = {"added": "+", "changed": "~", "removed": PALETTE["whiteout"].glyph, "emptied": emptied}[line.change]
    if style == "opaque" and line.change != "emptied":
        sign += f" {emptied}"
    path = path_text(line.path, 46) + "/" * isinstance(line.inode, Directory)
    text = f"{sign} {path}  {say('overlay.layer.' + line.change)}"
    if line.fate.kind == "hidden" and line.fate.by is not None:
        text += f", {say('overlay.layer.hidden', layer=called[line.fate.by])}"
    return text
