"""One image in several stores, compared: its ID and the place of its layers in each, and what is equal in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from overlaylab.errors import Finding
from overlaylab.image.digest import ChainID, DiffID, Digest, short
from overlaylab.image.image import Image, Layer
from overlaylab.stores.containers_storage import podman_layer_ids
from overlaylab.stores.selection import select_image
from overlaylab.stores.shipped_files import DEFAULT_ROOTS, visit
from overlaylab.stores.store import Store, home
from overlaylab.stores.tar_split import TarSplitStore
from overlaylab.views.kit.palette import MONO, PALETTE
from overlaylab.views.kit.picture import Picture
from overlaylab.views.kit.sheet import LINE, Sheet, fitted
from overlaylab.views.kit.tables import DigestTable, Text
from overlaylab.views.kit.text import short_name
from overlaylab.words import printable, say

WIDTH, GAP = 898, 18

HEIGHT = 2 * LINE + 10

# The kinds of names, in the order of the course.
KINDS = """
    config manifest index layer-blob diff_id chain_id cache-id layer-id snapshot link container mount-id v1-id
""".split()


def which_id(image: Image) -> str:
    """The document whose digest the engine prints as IMAGE ID: ``config``, ``manifest`` or ``index``."""
    return "config" if image.id == image.config_digest else "manifest" if image.id == image.manifest_digest else "index"


def kept_as(store: Store, layer: Layer) -> tuple[str, str]:
    """Where a store keeps a layer: the kind of name, and the name; no name if the layer is not unpacked.

    In archives that is the blob, or the archive's member where no manifest names blobs; elsewhere a directory.
    """
    if store.directory_kind:
        return store.directory_kind, layer.directory or ""
    return ("layer-blob", layer.descriptor.digest) if layer.descriptor else ("member", layer.source)


def is_computed(image: Image, kind: str, position: int, name: str) -> bool:
    """Whether a hash gives this name: it is a digest, or a layer-id by podman's rule; else it is random or counted."""
    if kind == "layer-id":
        return (
            image.diff_ids is not None
            and position < len(image.diff_ids)
            and podman_layer_ids(image.diff_ids)[position] == name
        )
    return kind in ("layer-blob", "diff_id", "chain_id", "config", "manifest", "index")


def _found(stores: Mapping[str, Store], query: str) -> dict[str, Image]:
    """The image in every store, by the store's label."""
    return {label: select_image(store, query) for label, store in stores.items()}


def ids_table(stores: Mapping[str, Store], query: str = "kit/app:1") -> DigestTable:
    """The names of an image in each store.

    Args:
        stores: What to call each -> the store.
    """
    rows = []
    for label, image in _found(stores, query).items():
        of, manifest = say(f"beside.of.{which_id(image)}"), image.manifest_digest or say("beside.no_manifest")
        rows.append((label, image.id, of, image.config_digest, manifest, tuple(map(printable, image.names))))
    columns = [say(f"beside.column.{key}") for key in ("store", "id", "of", "config", "manifest", "names")]
    return DigestTable.of(columns, rows)


def layers_table(stores: Mapping[str, Store], query: str = "kit/app:1") -> DigestTable:
    """An image's layers, topmost first: the two names that are equal everywhere, and one column for each store."""
    images = _found(stores, query)
    first = next(iter(images.values()))
    columns = ["layer", "diff_id", "chain_id"]
    for label, image in images.items():
        columns.append(f"{label} {kept_as(home(stores[label], image), image.layers[0])[0] if image.layers else ''}")
    rows = []
    for layer in reversed(first.layers):
        places = (_place(stores[label], image, layer.position) for label, image in images.items())
        rows.append((layer.position + 1, layer.diff_id, layer.chain_id, *places))
    return DigestTable.of(columns, rows)


def _place(store: Store, image: Image, position: int) -> str:
    """The name of a layer's place, after # if a hash gives it, or □ if it is random or counted."""
    if position >= len(image.layers):
        return ""
    kind, name = kept_as(home(store, image), image.layers[position])
    if not name:
        return say("beside.packed")
    sign = "#" if is_computed(image, kind, position, name) else "□"
    return f"{sign} {short_name(printable(name.rpartition(':')[2]))}"


def kinds_table() -> DigestTable:
    """Every kind of name: what it is made from, what shows it, and whether it is equal on every machine."""
    columns = [say(f"names.column.{key}") for key in ("kind", "made", "seen", "same")]
    rows = [(kind, *(say(f"names.{key}.{kind}") for key in ("made", "seen", "same"))) for kind in KINDS]
    return DigestTable.of(columns, rows)


def recipe_table(store: Store, layer: Layer, rows: int = 10) -> DigestTable:
    """The first lines of a tar-split recipe: raw bytes of the tar, and the files whose content goes between them.

    Args:
        store: A store that keeps recipes: Docker's classic store or podman's.

    Raises:
        Finding: ``wrong-call`` where the store keeps no recipe for this layer.
    """
    tar_split = store.tar_split(layer) if isinstance(store, TarSplitStore) else None
    if tar_split is None:
        raise Finding("wrong-call", printable(layer.source), "a store that keeps a recipe for this layer", store.kind)
    shown = []
    for number, piece in enumerate(islice(tar_split.pieces(), rows)):
        if piece.raw is None:
            what = say("recipe.file" if piece.size else "recipe.no_content")
            shown.append((number, what, printable(piece.name), piece.size))
        elif piece.raw:
            shown.append((number, say("recipe.raw"), "", len(piece.raw)))
    return DigestTable.of([say(f"recipe.column.{key}") for key in ("line", "what", "name", "bytes")], shown)


def own_stores(paths: Sequence[str] = DEFAULT_ROOTS) -> dict[str, Store]:
    """The stores of this machine that are readable and hold images: path -> store. They are only read."""
    visits = [visit(path) for path in paths]
    return {seen.path: seen.store for seen in visits if seen.store is not None and seen.store.images()}


def tell_roots(paths: Sequence[str] = DEFAULT_ROOTS) -> Text:
    """In plain words, what this machine has at the paths where engines keep their images."""
    lines = []
    for seen in map(visit, paths):
        if seen.store is None:
            # Only the reason: the rest of the sentence names paths of this machine.
            why = seen.why.rpartition(" (expected")[0].rpartition(": ")[2] or seen.why
            lines.append(say("roots.no", path=printable(seen.path), why=printable(why)))
        else:
            counts = {"images": len(seen.store.images()), "containers": len(seen.store.containers())}
            lines.append(say("roots.yes", path=printable(seen.path), kind=seen.store.kind, **counts))
    return Text("\n".join(lines))


def stores_picture(stores: Mapping[str, Store], query: str = "kit/app:1", layer: int | None = None) -> Picture:
    """One image in several stores: at the top the names of each store, below what is equal in all.

    Args:
        stores: What to call each -> the store; at most five fit.
        layer: Counted from 1, the base; the topmost if none is given.
    """
    images = _found(stores, query)
    position = (layer or min(len(image.layers) for image in images.values())) - 1
    if any(not 0 <= position < len(image.layers) for image in images.values()):
        raise Finding("wrong-call", "layer", f"1 to {min(len(image.layers) for image in images.values())}", layer)
    sheet, lines = Sheet("beside"), []
    width = (WIDTH - GAP * (len(images) - 1)) / len(images)
    for number, (label, image) in enumerate(images.items()):
        x, head = number * (width + GAP), f"{label}: {say(f'beside.kind.{home(stores[label], image).kind}')}"
        sheet.text(x, 0, fitted(head, 28), width=width)
        lines.append(head)
        for row, (title, name, computed) in enumerate(_own_names(stores[label], image, position)):
            _own_box(sheet, x, 26 + row * (HEIGHT + 8), width, title, name, computed, label)
            sign = "#" if computed else "□" if name else "·"
            lines.append(f"  {sign} {title}: {printable(name) or say('beside.none')}")
    y = 26 + 3 * (HEIGHT + 8) + 6
    sheet.text(0, y, say("beside.equal_below"))
    lines.append(say("beside.equal_below"))
    for row, (title, names) in enumerate(_shared_names(images, position)):
        _band(sheet, y + 26 + row * 34, title, names)
        lines.append(f"  {_sign(names)} {title}: {', '.join(dict.fromkeys(names))}")
    return Picture(sheet.dot, _alt(stores, images, query, position), "\n".join(lines))


def _own_names(store: Store, image: Image, position: int) -> list[tuple[str, str, bool]]:
    """The names in one store: a title, the name, and whether a hash gives it."""
    kind, name = kept_as(home(store, image), image.layers[position])
    return [
        (say("beside.id", of=say(f"beside.of.{which_id(image)}")), image.id, True),
        (say("beside.manifest"), image.manifest_digest or "", bool(image.manifest_digest)),
        (say("beside.kept", layer=position + 1, kind=kind), name, is_computed(image, kind, position, name)),
    ]


def _own_box(sheet: Sheet, x: float, y: float, width: float, title: str, name: str, computed: bool, label: str) -> None:
    digits = printable(name.rpartition(":")[2])
    style = "hidden" if not name else "hash" if computed else "plain"
    sheet.box(x, y, width, HEIGHT, "", style, title=f"{label} {title}: {printable(name)}")
    sheet.text(x + 10, y + 4, title, width=width - 20)
    if not name:
        sheet.text(x + 10, y + 4 + LINE, say("beside.none"))
        return
    sheet.mark(x + 12, y + 7 + LINE, digits, computed)
    sheet.text(x + 34, y + 4 + LINE, short_name(digits), face=MONO)


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
    """One name over the whole width: equal in all stores, or not."""
    same = len(set(names)) == 1
    sheet.box(0, y, WIDTH, 26, "", "equal" if same else "hidden", title=f"{title}: {names[0]}")
    sheet.text(10, y + 3, f"{_sign(names)}  {title}")
    sheet.chip(470, y + 6, names[0].rpartition(":")[2])
    where = say("beside.in_all", count=len(names)) if same else say("beside.differs")
    sheet.text(492, y + 3, f"{short(names[0])}…  {where}", face=MONO)


def _alt(stores: Mapping[str, Store], images: Mapping[str, Image], query: str, position: int) -> str:
    places = {kept_as(home(stores[label], image), image.layers[position])[1] for label, image in images.items()}
    same = all(len(set(names)) == 1 for _, names in _shared_names(images, position))
    ids, equal = {image.id for image in images.values()}, say("beside.all_equal" if same else "beside.not_equal")
    counts = {"stores": len(images), "ids": len(ids), "places": len(places)}
    return say("beside.alt", query=printable(query), layer=position + 1, equal=equal, **counts)
