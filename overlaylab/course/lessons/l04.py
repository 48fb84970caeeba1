"""The exercises of notebook 04: who wins, what is listed, and in which order layers are stacked."""

from __future__ import annotations

from functools import cache
from typing import Any

from overlaylab.course.answers import words
from overlaylab.course.exercises import exercise, prediction
from overlaylab.course.kit_images import data_root, kit_image
from overlaylab.overlay.lookup_result import Found
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import overlay_of
from overlaylab.tree import Directory, find, make_tree

prediction("04-tomato", "c", merged="a", last="b")
prediction("04-unpacked", "b", hides="a")

# The directories in the order of the mount options: lowers topmost first.
CANTEEN = {"Bakery": ("Menu", "Oven"), "Dairy": ("Fridge", "Menu"), "Garden": ("Menu", "Spade")}

KITCHEN = {"Knife": "", "Pan": ""}

HARD = "data/hard2"


def order(value: Any) -> Any:
    """A value of ``lowerdir=``, with or without that word, as text or as a list."""
    if isinstance(value, (list, tuple)):
        value = ":".join(map(str, value))
    if not isinstance(value, str):
        return value
    return "".join(value.split()).strip("'\"").lower().removeprefix("lowerdir=")


def number(value: Any) -> Any:
    """The number of a layer: 3, "3" or "layer 3"."""
    text = str(value).lower().removeprefix("layer").strip()
    return int(text) if text.isdecimal() else text


def menu(lowers: list[str]) -> str:
    """The directory whose Menu is visible when they are stacked in this order, topmost first."""
    trees = [make_tree({name: f"{name} from {lower}" for name in CANTEEN[lower]}) for lower in lowers]
    found = Overlay(lowerdirs=trees, upperdir=make_tree(KITCHEN)).lookup("Menu")
    return lowers[len(lowers) - 1 - layer_of(found)]


def layer_of(found: Found) -> int:
    """The layer that gives a path, counted from the bottom."""
    assert found.layer is not None
    return found.layer


exercise(
    "04-menu",
    lambda: menu(list(CANTEEN)),
    read=words,
    bottom_first=lambda: menu(list(CANTEEN)[::-1]),
    merged_contents=lambda: [folder for folder in CANTEEN if "Menu" in CANTEEN[folder]],
    upper_always="Kitchen",
)


# What does ls -A list?


def party(dialect: str = "kernel", upper: bool = True, ghost: bool = False, dots: bool = True) -> list[str]:
    """The listing, with the slips as options.

    Args:
        dialect: ``kernel``: a file .wh.NAME is a file. ``image``: it deletes NAME and is not listed. ``both``: it
            deletes NAME and is listed.
        upper: Whether there is an upper.
        ghost: Whether a whiteout is listed under the name that it deletes.
        dots: Whether names that begin with a dot are listed.
    """
    diet: dict[str, str | None] = {"Apple": "apple\n"}
    if dialect != "image":
        diet[".wh.Cake"] = ""
    if dialect != "kernel":
        diet["Cake"] = None
    today = {"Juice": None, "Tea": "tea\n"}
    lowers = [make_tree(diet), make_tree({"Cake": "cake\n", "Juice": "juice\n"})]
    names = {*Overlay(lowerdirs=lowers, upperdir=make_tree(today) if upper else None).readdir()}
    names |= {name for name, content in today.items() if ghost and content is None}
    return sorted(name for name in names if dots or not name.startswith("."))


exercise(
    "04-party",
    party,
    read=words,
    wh_hides=lambda: party("image"),
    wh_hides_and_shows=lambda: party("both"),
    upper_forgotten=lambda: party(upper=False),
    whiteout_listed=lambda: party(ghost=True),
    no_dots=lambda: party(dots=False),
)


IMAGE = ("base", "tools", "app")


exercise(
    "04-lowerdir",
    lambda: ["init", *reversed(IMAGE)],
    read=order,
    bottom_first=lambda: [*IMAGE, "init"],
    init_forgotten=lambda: [*reversed(IMAGE)],
    init_at_bottom=lambda: [*reversed(IMAGE), "init"],
    init_only_on_top=lambda: ["init", *IMAGE],
    upper_too=lambda: ["box", "init", *reversed(IMAGE)],
)


@cache
def app() -> Overlay:
    """The stack of kit/app:1 in the data root that comes with the kit."""
    return overlay_of(kit_image(), data_root(), LayerReader(data_root()))[0]


def owners() -> list[int]:
    """The layers that have the file, counted from the base, which is 0."""
    layers: tuple[Directory, ...] = tuple(reversed(app().lowerdirs))
    return [position for position, layer in enumerate(layers) if find(layer, HARD) is not None]


def seen() -> int:
    """The layer whose file is visible, counted from the base, which is 0."""
    return layer_of(app().lookup(HARD))


exercise(
    "04-hard2",
    lambda: seen() + 1,
    read=number,
    bottom_first=lambda: owners()[0] + 1,
    from_zero=lambda: seen(),
    from_the_top=lambda: len(app().lowerdirs) - seen(),
)
