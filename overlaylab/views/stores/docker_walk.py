"""Pictures of a data root: the walk from a name to its folders, the layerdb's names and their owners, a mount's stack.

A name that a hash computes carries a chip of its own colour, and # where there is no colour; a random name carries a
grey square, and □, because nothing computes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from overlaylab.errors import KINDS, InputError
from overlaylab.image.digest import ChainID, DiffID, chain_ids, short
from overlaylab.image.image import Container, Image
from overlaylab.stores.docker.root import OVERLAY2, DockerRoot
from overlaylab.stores.docker.walk import Step, Walk, follow
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import Visit
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.panel import Panel, suggesting
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet
from overlaylab.views.kit.tables import DigestTable, Text, table
from overlaylab.words import printable, say

__all__ = [
    "PathFinder",
    "folders_table",
    "layerdb_picture",
    "mount_picture",
    "tell_visit",
    "walk_picture",
    "walk_table",
]

# The glyph that goes with a chip: computed by a hash, drawn by lot, put together from other names.
GLYPHS = {"hash": "#", "random": "□", "list": "≡"}

STYLES = {"hash": "hash", "random": "plain", "list": "lower"}

BRIDGES = ("cache-id", "mount-id")

# The two arms of the walk's U: where each begins and how wide its boxes are; the bridge lies between.
LEFT, RIGHT = (0, 404), (500, 344)

_LONG_HEX = re.compile(r"[0-9a-f]{64}")


def brief(text: str) -> str:
    """The text, safe to print, with every 64 hex digits cut to 12."""
    return _LONG_HEX.sub(lambda found: found[0][:12] + "…", printable(text))


# The walk


def walk_picture(walk: Walk) -> Picture:
    """The way as a U: down where names are computed, over the one bridge, up where names are random."""
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
    sheet: Sheet,
    cards: Mapping[str, list[str]],
    steps: Sequence[Step],
    first: int,
    arm: tuple[int, int],
    top: float,
    bottom: float,
) -> None:
    """One arm of the U, from top to bottom; the numbers of the right arm run upwards, and its arrows too."""
    (x, width), heights = arm, [_height(cards[step.key]) for step in steps]
    gap = (bottom - top - sum(heights)) / max(1, len(steps) - 1)
    y, upwards = top, arm is RIGHT
    for row, (step, height) in enumerate(zip(steps, heights)):
        _card(
            sheet,
            x,
            y,
            width,
            height,
            f"{first + (-row if upwards else row)}  {say(f'walk.what.{step.key}')}",
            cards[step.key],
            step,
        )
        if row:
            sheet.arrow(x + width / 2, *((y, x + width / 2, y - gap) if upwards else (y - gap, x + width / 2, y)))
        y += height + gap


def _height(lines: Sequence[str]) -> int:
    return LINE * (len(lines) + 1) + 10


def _card(
    sheet: Sheet, x: float, y: float, width: float, height: float, title: str, lines: Sequence[str], step: Step
) -> None:
    """One step: what is read, and under it the name that comes out, with its chip."""
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
    """What a box says under its title: what was read, and what came out of it; a first # or □ is drawn as a chip."""
    path = brief(step.path.removeprefix(f"image/{OVERLAY2}/"))
    match step.key:
        case "name" | "prefix":
            return [path, f"# image ID {brief(step.found)}"]
        case "config":
            return [path, f"# diff_id  {brief(step.found)} {_which(walk)}"]
        case "chain" if walk.position == 0:
            return [say("walk.base"), f"# chain_id {brief(step.found)}"]
        case "chain":
            return [
                say("walk.hashed", below=walk.position, number=walk.position + 1),
                f"# chain_id {brief(step.found)}",
            ]
        case "layerdb" | "mounts" | "directory":
            return [path, brief(step.content)]
        case "link":
            return [path, f"□ l/{step.content[:12]}…", f"  -> {brief(step.found.partition(' -> ')[2])}"]
        case "lower":
            return [path, _count(step.content), *_some(step.content)]
        case "lowerdir":
            return ["lowerdir=", *_some(step.content)]
        case "container" | "init-id":
            return [path, f"□ {brief(step.found)}"]
        case "parent":
            return [path, f"# chain_id {brief(step.found)}"]
    lower, upper, work = (option.partition("=")[2] for option in step.content.split(","))
    return [
        "lowerdir=",
        *_some(lower),
        f"upperdir={brief(upper.rpartition(f'{OVERLAY2}/')[2])}",
        f"workdir={brief(work.rpartition(f'{OVERLAY2}/')[2])}",
    ]


def _which(walk: Walk) -> str:
    return say("walk.layer", number=walk.position + 1, count=len(walk.image.layers))


def _count(lower: str) -> str:
    names = lower.split(":") if lower else []
    if not names:
        return say("walk.no_lower")
    return say("walk.one_lower") if len(names) == 1 else say("walk.lowers", count=len(names))


def _some(lower: str) -> list[str]:
    """The first short names of a chain, and how many more there are."""
    names = [printable(name.rpartition("/l/")[2].removeprefix("l/")) for name in lower.split(":") if name]
    shown = " : ".join(f"l/{name[:8]}…" for name in names[:2])
    return [f"≡ {shown} : +{len(names) - 2}" if len(names) > 2 else f"≡ {shown}"] if names else []


def _lowers(walk: Walk) -> int:
    return len(walk["lower"].content.split(":")) if walk["lower"].content else 0


def _walk_alt(walk: Walk) -> str:
    query = printable(walk.query)
    if walk.container:
        return say("walk.alt_container", query=query, mount=short(walk["mount-id"].found), lowers=_lowers(walk))
    image, layer = walk.image, walk.image.layers[walk.position]
    return say(
        "walk.alt_image",
        query=query,
        number=walk.position + 1,
        count=len(image.layers),
        image=short(image.id),
        diff=short(layer.diff_id),
        chain=short(layer.chain_id),
        cache=short(walk["cache-id"].found),
        lowers=_lowers(walk),
    )


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
    """The steps as a table: what was read, what came out, and where that name comes from."""
    rows = [
        (
            number,
            say(f"walk.what.{step.key}"),
            brief(step.path) or "–",
            brief(step.found.partition("\n")[0])[:60],
            say(f"walk.origin.{step.origin}"),
        )
        for number, step in enumerate(walk.steps, 1)
    ]
    return table(("", "step", "read", "found", "where the name comes from"), rows)


def folders_table(store: DockerRoot, query: str) -> DigestTable:
    """An image's layers, topmost first as they lie: three names each, and what made them."""
    image = select(store, query)
    rows = [
        (
            layer.position + 1,
            layer.diff_id,
            layer.chain_id,
            f"□ {short(layer.directory or '?')}…",
            _size(store, layer.chain_id),
            _made_by(layer),
        )
        for layer in reversed(image.layers)
    ]
    return DigestTable.of(("layer", "diff_id", "chain_id", "cache-id", "size", "made by"), rows)


def _size(store: DockerRoot, chain_id: ChainID) -> int | None:
    try:
        return store.folder(chain_id).size
    except InputError:
        return None


def _made_by(layer: Any, width: int = 32) -> str:
    text = (
        printable(layer.history.created_by if layer.history else "").removeprefix("/bin/sh -c ").removeprefix("#(nop) ")
    )
    return text if len(text) <= width else text[: width - 1] + "…"


# The names of a layerdb and their owners


def layerdb_picture(names: Sequence[str], images: Mapping[str, Sequence[DiffID]]) -> Picture:
    """The names of a layerdb, each with the image that it belongs to, found by computing the images' chain_ids.

    Args:
        names: Folder names: hex digits.
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
    return Picture(
        sheet.dot,
        say("store.listing_alt", count=len(names), known=known, unknown=len(names) - len(found)),
        "\n".join(lines),
    )


def _owner(owner: tuple[str, int, int] | None) -> str:
    if owner is None:
        return say("store.listing_unknown")
    image, position, count = owner
    key = "store.listing_base" if position == 0 else "store.listing_owner"
    return say(key, image=printable(image), layer=say("walk.layer", number=position + 1, count=count))


# A mount


def mount_picture(store: DockerRoot, container: Container) -> Picture:
    """The stack of a container's mount as it lies: upper on top, then ``lowerdir=`` from its first name down."""
    image = next((image for image in store.images() if image.id == container.image_id), None)
    rows = [(f"{PALETTE['upper'].glyph} {say('palette.upper')}", "", container.upper, say("store.mount_upper"))]
    for number, (link, folder) in enumerate(zip(container.links, container.lower), 1):
        rows.append(
            (
                f"{PALETTE['lower'].glyph} {say('palette.lower')} {number}",
                link.removeprefix("l/"),
                folder,
                _role(folder, image),
            )
        )
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
    alt = say(
        "store.mount_alt",
        name=printable(container.name),
        upper=container.upper[:12],
        count=len(container.lower),
        first=container.links[0] if container.links else "–",
        last=container.links[-1] if container.links else "–",
    )
    return Picture(sheet.dot, alt, "\n".join(lines))


def _role(folder: str, image: Image | None) -> str:
    """What a lower folder is: the init layer, or which layer of the image."""
    if folder.endswith("-init"):
        return say("store.mount_init")
    for layer in image.layers if image else ():
        if layer.directory == folder:
            number = say("walk.layer", number=layer.position + 1, count=len(image.layers))
            return say(
                "store.mount_layer", image=printable(min(image.names, key=len, default=short(image.id))), layer=number
            )
    return ""


# Text


def tell_visit(visit: Visit) -> Text:
    """What a visit to a data root found, in plain words."""
    path = printable(visit.path)
    if visit.store is None:
        return Text(say("store.visit_no", path=path, why=printable(visit.why).rstrip(".")))
    images = len(visit.store.images())
    if not isinstance(visit.store, DockerRoot):
        return Text(say("store.visit_other", path=path, kind=visit.store.kind, images=images))
    layers, containers = len(visit.store.layer_folders()), len(visit.store.containers())
    return Text(say("store.visit_yes", path=path, images=images, layers=layers, containers=containers))


# The widget


class PathFinder(Panel):
    """Name an image and a layer; see the whole way to its folder, and what was read at each step.

    Args:
        store: A data root.
        query: The image to begin with; the first that has a name if none is given.
    """

    def __init__(self, store: DockerRoot, query: str = "") -> None:
        self.store = store
        names = sorted(
            {name for image in store.images() if image.layers for name in image.names if printable(name) == name}
        )
        style = {"description_width": "initial"}
        self.query = suggesting(
            say("finder.query"), say("finder.query_hint"), names, query or next(iter(names), ""), "24em"
        )
        narrow, fitting = ipywidgets.Layout(width="8em"), ipywidgets.Layout(width="auto")
        self.layer = ipywidgets.BoundedIntText(
            description=say("finder.layer"), min=1, max=1, value=1, style=style, layout=narrow
        )
        self.down, self.up = (
            ipywidgets.Button(description=say(f"finder.{key}"), layout=fitting) for key in ("down", "up")
        )
        self._to_top()
        super().__init__([self.query, self.layer, self.down, self.up])
        self.query.observe(self._typed, "value")
        self.layer.observe(self.redraw, "value")
        self.down.on_click(lambda _: self._step(-1))
        self.up.on_click(lambda _: self._step(1))

    @property
    def wanted(self) -> str:
        """The name or ID to look for."""
        return self.query.value.strip()

    def _typed(self, _: Any) -> None:
        self._to_top()
        self.redraw()

    def _to_top(self) -> None:
        """Begin at the image's topmost layer, with the number field as long as the image is high."""
        try:
            found = select(self.store, self.wanted)
        except InputError:
            return
        count = len(found.layers) if isinstance(found, Image) else 1
        self.layer.max = max(1, count)
        self.layer.value = self.layer.max

    def _step(self, by: int) -> None:
        self.layer.value = min(self.layer.max, max(1, self.layer.value + by))

    def show(self) -> Picture:
        """The walk, or the reason why there is none."""
        try:
            return walk_picture(follow(self.store, self.wanted, self.layer.value - 1))
        except InputError as finding:
            return _no_way(finding)


def _no_way(finding: InputError) -> Picture:
    """A card with the reason in plain words."""
    problem = finding.problem
    alt = say("walk.none", why=KINDS[problem.kind][1])
    found = f"\n{printable(problem.where)}: {printable(problem.found)}" if problem.found else ""
    sheet = Sheet("none")
    sheet.box(0, 0, 12 + 8 * len(alt), 40, "", "whiteout", title=alt)
    sheet.text(12, 10, alt, width=8 * len(alt))
    return Picture(sheet.dot, alt, alt + found)
