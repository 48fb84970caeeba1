"""The facts of the practice page's section on overlayfs, each asserted by name."""

from overlaylab.course.practice_page import page
from overlaylab.image.samples import page_overlay
from overlaylab.kernel.recorded_mounts import recorded
from overlaylab.linux.mount_command import parse_mount
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import make_tree, walk
from overlaylab.views.overlay.text import tree_text

# Typed from the page.
TREE = """\
overlayfs-test/
├── Fruits
│   ├── Apple
│   ├── Orange
│   └── Tomato
├── Meat
│   ├── Beef
│   ├── cccc
│   └── Pork
├── Vegetables
│   ├── Carrots
│   └── Tomato
└── work
"""
COMMAND = " $mount -t overlay overlay -o lowerdir=Fruits:Vegetables,upperdir=Meat,workdir=work /mnt/tmp"


def names(folder):
    return sorted(page_overlay()[folder].names)


def page_stack(command=COMMAND):
    """The page's mount, simulated in the order that its command gives."""
    options, folders = parse_mount(command).options, page_overlay()
    upper = folders[options.upperdir] if options.upperdir else None
    return Overlay(lowerdirs=[folders[name] for name in options.lowerdirs], upperdir=upper)


# The folders


def test_the_tree_is_the_page_s_with_an_empty_work_folder():
    drawn = tree_text(make_tree({**page_overlay(), "work": {}}), "overlayfs-test/")

    assert drawn.replace("\u00a0", " ") + "\n" == TREE
    assert drawn in page.overlayfs_text


def test_fruits_holds_apple_orange_and_tomato():
    assert names("Fruits") == ["Apple", "Orange", "Tomato"]


def test_meat_the_upper_holds_beef_cccc_and_pork():
    assert names("Meat") == ["Beef", "Pork", "cccc"]


def test_vegetables_holds_carrots_and_tomato():
    assert names("Vegetables") == ["Carrots", "Tomato"]


# The command


def test_the_command_is_the_page_s():
    assert COMMAND in page.overlayfs_text.splitlines()
    assert page.mount_command == COMMAND.strip().removeprefix("$")


def test_the_command_mounts_type_overlay_from_a_source_that_is_only_a_name():
    command = parse_mount(COMMAND)

    assert (command.kind, command.source) == ("overlay", "overlay")


def test_lowerdir_is_fruits_over_vegetables():
    assert parse_mount(COMMAND).options.lowerdirs == ("Fruits", "Vegetables")


def test_upperdir_is_meat():
    assert parse_mount(COMMAND).options.upperdir == "Meat"


def test_workdir_is_work():
    assert parse_mount(COMMAND).options.workdir == "work"


def test_it_is_mounted_on_mnt_tmp():
    assert parse_mount(COMMAND).target == "/mnt/tmp"


# What is seen


def test_the_merged_view_lists_seven_names():
    assert page_stack().readdir() == ("Apple", "Beef", "Carrots", "Orange", "Pork", "Tomato", "cccc")


def test_tomato_comes_from_fruits_the_left_and_topmost_lower():
    found = page_stack().lookup("Tomato")

    assert found.inode.data == b"Tomato from Fruits\n"
    assert found.layer == 1


def test_with_the_order_turned_round_tomato_comes_from_vegetables():
    turned = COMMAND.replace("Fruits:Vegetables", "Vegetables:Fruits")

    assert page_stack(turned).lookup("Tomato").inode.data == b"Tomato from Vegetables\n"


def test_the_tomato_of_vegetables_is_hidden_not_deleted():
    stack = page_stack()
    list(stack.walk())

    assert "Tomato" in stack.lowerdirs[1].names


def test_every_other_name_comes_from_the_one_folder_that_has_it():
    places = {"Meat": 2, "Fruits": 1, "Vegetables": 0}
    expected = {name: place for folder, place in places.items() for name in names(folder)} | {".": 2, "Tomato": 1}

    assert page_stack().provenance() == expected


def test_a_real_kernel_showed_the_same():
    kernel = {path: inode.data for path, inode in walk(recorded("page").merged) if path != "."}
    ours = {path: inode.data for path, inode in walk(page_stack().merged()) if path != "."}

    assert kernel == ours
    assert recorded("page").listing["."] == page_stack().readdir()
