"""Pictures of Docker's data root: the walk from a name to its directories, the layerdb, a mount's stack.

A name that a hash gives has a chip of its own colour, and # where there is no colour; a random name has a grey square,
and □.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overlaylab.errors import InputError
from overlaylab.image.digest import ChainID, DiffID, chain_ids, short
from overlaylab.image.image import Container, Image, Layer
from overlaylab.stores.docker.root import OVERLAY2, DockerRoot
from overlaylab.stores.docker.walk import Step, Walk
from overlaylab.stores.selection import select_image
from overlaylab.stores.shipped_files import Visit
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet
from overlaylab.views.kit.tables import DigestTable, Text, table
from overlaylab.views.kit.text import cut, short_digests
from overlaylab.words import printable, say

# The origin of a name -> its glyph: computed by a hash, random, or a list of other names.
GLYPHS = {"hash": "#", "random": "□", "list": "≡"}

STYLES = {"hash": "hash", "random": "plain", "list": "lower"}

BRIDGES = ("cache-id", "mount-id")

# The key of a step -> the lines of its box.
Cards = Mapping[str, list[str]]

# The two arms of the walk's U, each with its x and its width; the bridge is between them.
LEFT, RIGHT = (0, 404), (500, 344)


def walk_picture(walk: Walk) -> Picture:
    """The walk as a U: down where names are computed, over the one bridge, up where names are random."""
    bridge = next(number for number, step in enumerate(walk.steps) if step.key in BRIDGES)
    left, right = walk.steps[:bridge], walk.steps[bridge + 1 :]
    cards = {step.key: _lines(walk, step) for step in (*left, *right)}
    height = max(sum(_height(cards[step.key]) for step in arm) + 24 * (len(arm) - 1) for arm in (left, right))
    sheet = Sheet("walk")
    sheet.text(
        LEFT[0], 0, say("walk.container_side") if walk.container else say("walk.image_side", root=f"image/{OVERLAY2}/")
    )
    sheet.text(RIGHT[0], 0, say("walk.folder_side"))
    bottom = 28 + height
    _arm(sheet, cards, left, 1, LEFT, bottom - height, bottom)
    _arm(sheet, cards, right[::-1], bridge + 1 + len(right), RIGHT, bottom - height, bottom)
    step, start, middle = walk.steps[bridge], LEFT[0] + LEFT[1], bottom - _height(cards[left[-1].key]) / 2
    sheet.text(start + 8, middle - 48, f"{bridge + 1}  {step.key}")
    sheet.square(start + 8, middle - 22)
    sheet.text(start + 26, middle - 26, f"{step.content[:6]}…", face=MONO)
    sheet.arrow(start, middle, RIGHT[0], middle)
    return Picture(sheet.dot, _walk_alt(walk), _walk_text(walk))


def _arm(
    sheet: Sheet, cards: Cards, steps: Sequence[Step], first: int, arm: tuple[int, int], top: float, bottom: float
) -> None:
    """One arm of the U, from top to bottom; in the right arm numbers and arrows run upwards."""
    (x, width), heights = arm, [_height(cards[step.key]) for step in steps]
    gap = (bottom - top - sum(heights)) / max(1, len(steps) - 1)
    y, upwards = top, arm is RIGHT
    for row, (step, height) in enumerate(zip(steps, heights, strict=True)):
        title = f"{first + (-row if upwards else row)}  {say(f'walk.what.{step.key}')}"
        _card(sheet, x, y, width, height, title, cards[step.key], step)
        if row:
            sheet.arrow(x + width / 2, *((y, x + width / 2, y - gap) if upwards else (y - gap, x + width / 2, y)))
        y += height + gap


def _height(lines: Sequence[str]) -> int:
    return LINE * (len(lines) + 1) + 10


def _card(
    sheet: Sheet, x: float, y: float, width: float, height: float, title: str, lines: Sequence[str], step: Step
) -> None:
    """One step: what is read, and below it the name that is found, with its chip."""
    sheet.box(x, y, width, height, "", STYLES[step.origin], title=title)
    sheet.text(x + 10, y + 4, title)
    for row, line in enumerate(lines, 1):
        below = y + 4 + row * LINE
        chip = line[:1]
        if chip == "#":
            sheet.chip(x + 12, below + 3, step.found.rpartition(":")[2])
        elif chip == "□":
            sheet.square(x + 12, below + 4)
        sheet.text(x + (32 if chip in "#□" else 10), below, line[2:] if chip == "□" else line, face=MONO)


def _lines(walk: Walk, step: Step) -> list[str]:
    """The lines of a box: what was read, and the name that was found; a first # or □ is drawn as a chip."""
    path = short_digests(step.path.removeprefix(f"image/{OVERLAY2}/"))
    match step.key:
        case "name" | "prefix":
            return [path, f"# image ID {short_digests(step.found)}"]
        case "config":
            number = say("walk.layer", number=walk.position + 1, count=len(walk.image.layers) if walk.image else 0)
            return [path, f"# diff_id  {short_digests(step.found)} {number}"]
        case "chain" if walk.position == 0:
            return [say("walk.base"), f"# chain_id {short_digests(step.found)}"]
        case "chain":
            hashed = say("walk.hashed", below=walk.position, number=walk.position + 1)
            return [hashed, f"# chain_id {short_digests(step.found)}"]
        case "layerdb" | "mounts" | "directory":
            return [path, short_digests(step.content)]
        case "link":
            return [path, f"□ l/{step.content[:12]}…", f"  -> {short_digests(step.found.partition(' -> ')[2])}"]
        case "lower":
            return [path, _count(step.content), *_some(step.content)]
        case "lowerdir":
            return ["lowerdir=", *_some(step.content)]
        case "container" | "init-id":
            return [path, f"□ {short_digests(step.found)}"]
        case "parent":
            return [path, f"# chain_id {short_digests(step.found)}"]
    lower, upper, work = (option.partition("=")[2] for option in step.content.split(","))
    upper, work = (short_digests(path.rpartition(f"{OVERLAY2}/")[2]) for path in (upper, work))
    return ["lowerdir=", *_some(lower), f"upperdir={upper}", f"workdir={work}"]


def _count(lower: str) -> str:
    names = lower.split(":") if lower else []
    if not names:
        return say("walk.no_lower")
    return say("walk.one_lower") if len(names) == 1 else say("walk.lowers", count=len(names))


def _some(lower: str) -> list[str]:
    """The first short names of a lower chain, and the number of the others."""
    names = [printable(name.rpartition("/l/")[2].removeprefix("l/")) for name in lower.split(":") if name]
    shown = " : ".join(f"l/{name[:8]}…" for name in names[:2])
    return [f"≡ {shown} : +{len(names) - 2}" if len(names) > 2 else f"≡ {shown}"] if names else []


def _lowers(walk: Walk) -> int:
    return len(walk["lower"].content.split(":")) if walk["lower"].content else 0


def _walk_alt(walk: Walk) -> str:
    query = printable(walk.query)
    if walk.image is None:
        return say("walk.alt_container", query=query, mount=short(walk["mount-id"].found), lowers=_lowers(walk))
    image, layer = walk.image, walk.image.layers[walk.position]
    numbers = {"number": walk.position + 1, "count": len(image.layers), "lowers": _lowers(walk)}
    found = {"diff": layer.diff_id, "chain": layer.chain_id, "cache": walk["cache-id"].found, "image": image.id}
    return say("walk.alt_image", query=query, **numbers, **{key: short(name) for key, name in found.items()})


def _walk_text(walk: Walk) -> str:
    """The text twin: every step with all digits."""
    out = []
    for number, step in enumerate(walk.steps, 1):
        out.append(f"{number:>2}  {say(f'walk.what.{step.key}')}: {say(f'walk.means.{step.key}')}")
        out += [f"      {printable(step.path)}"] if step.path else []
        content = step.content.replace(":l/", ":\nl/") if step.key in ("lower", "lowerdir") else step.content
        out += [f"      | {printable(line)}" for line in content.split("\n") if line]
        if step.found not in (step.content, f"lowerdir={step.content}"):
            out += [f"   {GLYPHS[step.origin]}  {printable(line)}" for line in step.found.split("\n") if line]
    return "\n".join(out)


def walk_table(walk: Walk) -> Any:
    """The steps as a table: what was read, the name that was found, and where that name comes from."""
    rows = []
    for number, step in enumerate(walk.steps, 1):
        read, found = short_digests(step.path) or "–", short_digests(step.found.partition("\n")[0])[:60]
        rows.append((number, say(f"walk.what.{step.key}"), read, found, say(f"walk.origin.{step.origin}")))
    return table(("", "step", "read", "found", "where the name comes from"), rows)


def folders_table(store: DockerRoot, query: str) -> DigestTable:
    """An image's layers, topmost first: three names each, the size, and the build step.

    Raises:
        Finding: ``wrong-call`` for a container.
    """
    image = select_image(store, query)
    rows = []
    for layer in reversed(image.layers):
        cache_id, size = f"□ {short(layer.directory or '?')}…", _size(store, layer.chain_id)
        rows.append((layer.position + 1, layer.diff_id, layer.chain_id, cache_id, size, _made_by(layer)))
    return DigestTable.of(("layer", "diff_id", "chain_id", "cache-id", "size", "made by"), rows)


def _size(store: DockerRoot, chain_id: ChainID) -> int | None:
    try:
        return store.folder(chain_id).size
    except InputError:
        return None


def _made_by(layer: Layer) -> str:
    """The build step, cut; unlike `step_text` it keeps blanks."""
    text = printable(layer.history.created_by if layer.history else "")
    return cut(text.removeprefix("/bin/sh -c ").removeprefix("#(nop) "), 32)


def layerdb_picture(names: Sequence[str], images: Mapping[str, Sequence[DiffID]]) -> Picture:
    """The directories of a layerdb, each with its image, found by computing the images' chain_ids.

    Args:
        names: Of the directories: hex digits.
        images: An image's name -> its diff_ids, bottom first.
    """
    owners = {
        chain_id.hex: (name, position, len(diff_ids))
        for name, diff_ids in images.items()
        for position, chain_id in enumerate(chain_ids(diff_ids))
    }
    sheet, lines = Sheet("listing"), []
    for row, name in enumerate(names):
        owner = owners.get(name)
        style = "plain" if owner is None else "equal" if owner[1] == 0 else "hash"
        glyph = PALETTE[style].glyph or " "
        sheet.box(0, row * 28, 560, 24, f"     {name[:12]}…  {glyph} {_owner(owner)}", style, title=name)
        sheet.chip(10, row * 28 + 5, name)
        lines.append(f"{glyph} {name}  {_owner(owner)}")
    found = [owners[name][0] for name in names if name in owners]
    known = ", ".join(say("store.listing_known", count=found.count(image), image=printable(image)) for image in images)
    alt = say("store.listing_alt", count=len(names), known=known, unknown=len(names) - len(found))
    return Picture(sheet.dot, alt, "\n".join(lines))


def _owner(owner: tuple[str, int, int] | None) -> str:
    if owner is None:
        return say("store.listing_unknown")
    image, position, count = owner
    key = "store.listing_base" if position == 0 else "store.listing_owner"
    return say(key, image=printable(image), layer=say("walk.layer", number=position + 1, count=count))


def mount_picture(store: DockerRoot, container: Container) -> Picture:
    """The stack of a container's mount: the upper on top, then ``lowerdir=`` from its first name down."""
    image = next((image for image in store.images() if image.id == container.image_id), None)
    rows = [(f"{PALETTE['upper'].glyph} {say('palette.upper')}", "", container.upper, say("store.mount_upper"))]
    for number, (link, folder) in enumerate(zip(container.links, container.lower, strict=False), 1):
        what = f"{PALETTE['lower'].glyph} {say('palette.lower')} {number}"
        rows.append((what, link.removeprefix("l/"), folder, _role(folder, image)))
    sheet, lines = Sheet("mount"), []
    sheet.text(0, 0, say("store.mount_top"))
    sheet.text(0, 52, say("store.mount_first"))
    for row, (what, link, folder, role) in enumerate(rows):
        y = 24 + row * 28 + (26 if row else 0)
        sheet.box(0, y, 830, 24, "", "lower" if row else "upper", title=folder)
        sheet.square(330, y + 5)
        for x, text in ((10, what), (100, link), (352, f"{folder[:12]}…"), (480, role)):
            sheet.text(x, y + 2, text, face=MONO)
        lines.append(f"{what:<11} {link:<26}  □ {folder}  {role}".rstrip())
    sheet.text(0, 24 + len(rows) * 28 + 26, say("store.mount_last"))
    links, names = container.links or ("–",), {"name": printable(container.name), "upper": container.upper[:12]}
    alt = say("store.mount_alt", count=len(container.lower), first=links[0], last=links[-1], **names)
    return Picture(sheet.dot, alt, "\n".join(lines))


def _role(folder: str, image: Image | None) -> str:
    """What a lower directory holds: the init layer, or a layer of the image."""
    if folder.endswith("-init"):
        return say("store.mount_init")
    layer = next((layer for layer in image.layers if layer.directory == folder), None) if image else None
    if image is None or layer is None:
        return ""
    number = say("walk.layer", number=layer.position + 1, count=len(image.layers))
    return say("store.mount_layer", image=printable(min(image.names, key=len, default=short(image.id))), layer=number)


def tell_visit(visit: Visit) -> Text:
    """In plain words, what was found at the path of a data root."""
    path = printable(visit.path)
    if visit.store is None:
        return Text(say("store.visit_no", path=path, why=printable(visit.why).rstrip(".")))
    images = len(visit.store.images())
    if not isinstance(visit.store, DockerRoot):
        return Text(say("store.visit_other", path=path, kind=visit.store.kind, images=images))
    layers, containers = len(visit.store.layer_folders()), len(visit.store.containers())
    return Text(say("store.visit_yes", path=path, images=images, layers=layers, containers=containers))
