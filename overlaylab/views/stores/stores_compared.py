"""The same image in several stores, side by side: what each calls it, where it keeps a layer, and what is equal in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overlaylab.errors import Finding
from overlaylab.image.digest import ChainID, DiffID, Digest, short
from overlaylab.image.image import Image, Layer
from overlaylab.stores.containers_storage import podman_layer_ids
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import DEFAULT_ROOTS, visit
from overlaylab.stores.store import Store, home
from overlaylab.stores.tar_split import TarSplitStore
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.views.kit.tables import DigestTable, Text
from overlaylab.words import printable, say

__all__ = [
    "ids_table",
    "is_computed",
    "kept_as",
    "kinds_table",
    "layers_table",
    "own_stores",
    "part_of",
    "recipe_table",
    "stores_picture",
    "tell_roots",
    "which_id",
]

WIDTH, GAP = 898, 18

HEIGHT = 2 * LINE + 10

# What a name can be, in the order in which a learner meets them.
KINDS = (
    "config",
    "manifest",
    "index",
    "layer-blob",
    "diff_id",
    "chain_id",
    "cache-id",
    "layer-id",
    "snapshot",
    "link",
    "container",
    "mount-id",
    "v1-id",
)


def which_id(image: Image) -> str:
    """The document whose digest the engine prints as IMAGE ID: ``config``, ``manifest`` or ``index``."""
    return "config" if image.id == image.config_digest else "manifest" if image.id == image.manifest_digest else "index"


def part_of(store: Store, image: Image) -> Store:
    """The one store that an image lies in, where a root holds several."""
    return home(store, image)


def kept_as(store: Store, layer: Layer) -> tuple[str, str]:
    """Where a store keeps a layer: the word for it, and the name; no name if it does not have it unpacked.

    In archives that is the blob, or the archive's member where no manifest names blobs; elsewhere a folder.
    """
    if store.directory_kind:
        return store.directory_kind, layer.directory or ""
    return ("layer-blob", layer.descriptor.digest) if layer.descriptor else ("member", layer.source)


def is_computed(image: Image, kind: str, position: int, name: str) -> bool:
    """Whether a hash gives this name: a digest, or a layer-id that podman's rule gives; not what one machine drew or counted."""
    if kind == "layer-id":
        return bool(image.diff_ids) and podman_layer_ids(image.diff_ids)[position] == name
    return kind in ("layer-blob", "diff_id", "chain_id", "config", "manifest", "index")


def _found(stores: Mapping[str, Store], query: str) -> dict[str, Image]:
    """The image in every store, by the store's label."""
    found = {}
    for label, store in stores.items():
        image = select(store, query)
        if not isinstance(image, Image):
            raise Finding("wrong-call", query, "an image", "a container")
        found[label] = image
    return found


# Tables


def ids_table(stores: Mapping[str, Store], query: str = "kit/app:1") -> DigestTable:
    """What every store calls an image.

    Args:
        stores: What to call each -> the store.
        query: The image, as `select` takes it.
    """
    rows = [
        (
            label,
            image.id,
            say(f"beside.of.{which_id(image)}"),
            image.config_digest,
            image.manifest_digest or say("beside.no_manifest"),
            tuple(map(printable, image.names)),
        )
        for label, image in _found(stores, query).items()
    ]
    return DigestTable.of(
        [say(f"beside.column.{key}") for key in ("store", "id", "of", "config", "manifest", "names")], rows
    )


def layers_table(stores: Mapping[str, Store], query: str = "kit/app:1") -> DigestTable:
    """An image's layers, topmost first: the two names that are equal everywhere, and one column for the place in each store."""
    images = _found(stores, query)
    first = next(iter(images.values()))
    columns = [
        "layer",
        "diff_id",
        "chain_id",
        *(f"{label} {_word(stores[label], image)}" for label, image in images.items()),
    ]
    rows = [
        (
            layer.position + 1,
            layer.diff_id,
            layer.chain_id,
            *(_place(stores[label], image, layer.position) for label, image in images.items()),
        )
        for layer in reversed(first.layers)
    ]
    return DigestTable.of(columns, rows)


def _word(store: Store, image: Image) -> str:
    return kept_as(part_of(store, image), image.layers[0])[0] if image.layers else ""


def _place(store: Store, image: Image, position: int) -> str:
    """The name of a layer's place: # if a hash gives it, □ if this machine drew or counted it."""
    if position >= len(image.layers):
        return ""
    kind, name = kept_as(part_of(store, image), image.layers[position])
    if not name:
        return say("beside.packed")
    text = printable(name.rpartition(":")[2])
    return f"{'#' if is_computed(image, kind, position, name) else '□'} {text if len(text) <= 12 else text[:12] + '…'}"


def kinds_table() -> DigestTable:
    """Every kind of name: what it is made from, who shows it, and whether it is equal on every machine."""
    columns = [say(f"names.column.{key}") for key in ("kind", "made", "seen", "same")]
    return DigestTable.of(
        columns, [(kind, *(say(f"names.{key}.{kind}") for key in ("made", "seen", "same"))) for kind in KINDS]
    )


def recipe_table(store: Store, layer: Layer, rows: int = 10) -> DigestTable:
    """The first lines of a tar-split recipe: raw bytes of the tar, and files of the folder whose content belongs in between.

    Args:
        store: One that keeps recipes: Docker's classic store or podman's.
        layer: One of its layers.
        rows: How many lines.

    Raises:
        Finding: ``wrong-call`` where the store keeps no recipe for this layer.
    """
    tar_split = store.tar_split(layer) if isinstance(store, TarSplitStore) else None
    if tar_split is None:
        raise Finding("wrong-call", printable(layer.source), "a store that keeps a recipe for this layer", store.kind)
    shown = []
    for number, piece in zip(range(rows), tar_split.pieces()):
        if piece.raw is None:
            shown.append(
                (number, say("recipe.file" if piece.size else "recipe.no_content"), printable(piece.name), piece.size)
            )
        elif piece.raw:
            shown.append((number, say("recipe.raw"), "", len(piece.raw)))
    return DigestTable.of([say(f"recipe.column.{key}") for key in ("line", "what", "name", "bytes")], shown)


# This machine


def own_stores(paths: Sequence[str] = DEFAULT_ROOTS) -> dict[str, Store]:
    """The stores of this machine that can be read and hold images: path -> store. They are never changed."""
    visits = [visit(path) for path in paths]
    return {seen.path: seen.store for seen in visits if seen.store is not None and seen.store.images()}


def tell_roots(paths: Sequence[str] = DEFAULT_ROOTS) -> Text:
    """What lies where engines keep their images on this machine, in plain words."""
    lines = []
    for seen in map(visit, paths):
        if seen.store is None:
            # The sentence alone: the rest names paths of this machine.
            why = seen.why.rpartition(" (expected")[0].rpartition(": ")[2] or seen.why
            lines.append(say("roots.no", path=printable(seen.path), why=printable(why)))
        else:
            counts = {"images": len(seen.store.images()), "containers": len(seen.store.containers())}
            lines.append(say("roots.yes", path=printable(seen.path), kind=seen.store.kind, **counts))
    return Text("\n".join(lines))


# The picture


def stores_picture(stores: Mapping[str, Store], query: str = "kit/app:1", layer: int | None = None) -> Picture:
    """One image in several stores: above what each store has of its own, below what is equal in all.

    Args:
        stores: What to call each -> the store; at most five fit.
        query: The image.
        layer: Counted from 1, the base; the topmost if none is given.
    """
    images = _found(stores, query)
    position = (layer or min(len(image.layers) for image in images.values())) - 1
    if any(not 0 <= position < len(image.layers) for image in images.values()):
        raise Finding("wrong-call", "layer", f"1 to {min(len(image.layers) for image in images.values())}", layer)
    sheet, lines = Sheet("beside"), []
    width = (WIDTH - GAP * (len(images) - 1)) / len(images)
    for number, (label, image) in enumerate(images.items()):
        x = number * (width + GAP)
        sheet.text(
            x, 0, fitted(f"{label}: {say(f'beside.kind.{part_of(stores[label], image).kind}')}", 28), width=width
        )
        lines.append(f"{label}: {say(f'beside.kind.{part_of(stores[label], image).kind}')}")
        for row, (title, name, computed) in enumerate(_own_names(stores[label], image, position)):
            _own_box(sheet, x, 26 + row * (HEIGHT + 8), width, title, name, computed, label)
            lines.append(
                f"  {'#' if computed else '□' if name else '·'} {title}: {printable(name) or say('beside.none')}"
            )
    y = 26 + 3 * (HEIGHT + 8) + 6
    sheet.text(0, y, say("beside.equal_below"))
    lines.append(say("beside.equal_below"))
    for row, (title, names) in enumerate(_shared_names(images, position)):
        _band(sheet, y + 26 + row * 34, title, names)
        lines.append(f"  {_sign(names)} {title}: {', '.join(dict.fromkeys(names))}")
    return Picture(sheet.dot, _alt(stores, images, query, position), "\n".join(lines))


def _own_names(store: Store, image: Image, position: int) -> list[tuple[str, str, bool]]:
    """What a store has of its own: a title, the name, and whether a hash gives it."""
    kind, name = kept_as(part_of(store, image), image.layers[position])
    return [
        (say("beside.id", of=say(f"beside.of.{which_id(image)}")), image.id, True),
        (say("beside.manifest"), image.manifest_digest or "", True)
        if image.manifest_digest
        else (say("beside.manifest"), "", False),
        (say("beside.kept", layer=position + 1, kind=kind), name, is_computed(image, kind, position, name)),
    ]


def _own_box(sheet: Sheet, x: float, y: float, width: float, title: str, name: str, computed: bool, label: str) -> None:
    digits = printable(name.rpartition(":")[2])
    sheet.box(
        x,
        y,
        width,
        HEIGHT,
        "",
        "hidden" if not name else "hash" if computed else "plain",
        title=f"{label} {title}: {printable(name)}",
    )
    sheet.text(x + 10, y + 4, title, width=width - 20)
    if not name:
        sheet.text(x + 10, y + 4 + LINE, say("beside.none"))
        return
    if computed:
        sheet.chip(x + 12, y + 7 + LINE, digits)
    else:
        sheet.square(x + 12, y + 8 + LINE)
    sheet.text(x + 34, y + 4 + LINE, digits if len(digits) <= 12 else f"{digits[:12]}…", face=MONO)


def _shared_names(images: Mapping[str, Image], position: int) -> list[tuple[str, Sequence[Digest]]]:
    layers = [image.layers[position] for image in images.values()]
    tops = [image.layers[-1].chain_id for image in images.values()]
    return [
        (say("beside.diff_id", layer=position + 1), [DiffID(layer.diff_id) for layer in layers]),
        (say("beside.chain_id", layer=position + 1), [ChainID(layer.chain_id) for layer in layers]),
        (say("beside.top", count=len(next(iter(images.values())).layers)), tops),
    ]


def _sign(names: Sequence[str]) -> str:
    return PALETTE["equal"].glyph if len(set(names)) == 1 else "≠"


def _band(sheet: Sheet, y: float, title: str, names: Sequence[str]) -> None:
    """One fact over the whole width: equal in all stores, or not."""
    same = len(set(names)) == 1
    sheet.box(0, y, WIDTH, 26, "", "equal" if same else "hidden", title=f"{title}: {names[0]}")
    sheet.text(10, y + 3, f"{_sign(names)}  {title}")
    sheet.chip(470, y + 6, names[0].rpartition(":")[2])
    sheet.text(
        492,
        y + 3,
        f"{short(names[0])}…  {say('beside.in_all', count=len(names)) if same else say('beside.differs')}",
        face=MONO,
    )


def _alt(stores: Mapping[str, Store], images: Mapping[str, Image], query: str, position: int) -> str:
    places = {kept_as(part_of(stores[label], image), image.layers[position])[1] for label, image in images.items()}
    same = all(len(set(names)) == 1 for _, names in _shared_names(images, position))
    return say(
        "beside.alt",
        query=printable(query),
        stores=len(images),
        ids=len({image.id for image in images.values()}),
        layer=position + 1,
        places=len(places),
        equal=say("beside.all_equal") if same else say("beside.not_equal"),
    )
