"""Every rule of the overlay model says where it is written and what proves it: a section, and recorded vectors.

``data/overlay-sections.json`` is the table of the sections, each with the vectors that belong to it; the vectors lie
beside it. What was read off a live mount says so, and the generated proof shows it again.
"""

import ast
import json
import re
from pathlib import Path

import pytest
import rules

HERE = Path(__file__).parent.parent
PACKAGE = HERE.parent / "overlaylab"
ROOM = PACKAGE / "overlay"
FILES = (HERE / "data" / "overlay-vectors").glob("*.json")
VECTORS = {vector["id"] for path in FILES for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]}
GROUPS = "|".join(sorted({name.partition("-")[0] for name in VECTORS}))
NAMED = re.compile(rf"\b(?:{GROUPS})-\d+\b")
TABLE = json.loads((HERE / "data" / "overlay-sections.json").read_text(encoding="utf-8"))
SECTIONS = {int(number): set(section["vectors"]) for number, section in TABLE.items()}
SECTION = re.compile(r"Kernel, sections? ((?:\d+(?:, | and )?)+):")
LIVE = "read off a live mount"

# The model of overlayfs; the other files are about any Linux file system.
RULES = (
    "whiteouts",
    "lookup_result",
    "lookup",
    "marked_lookup",
    "nodes",
    "copy_up",
    "changes",
    "overlay",
    "overlay_xattrs",
)
# Functions that are no rule of the kernel's.
NO_RULE = {
    **{
        f"{module}.__init__": "keeps what it is given"
        for module in ("marked_lookup", "overlay", "overlay_xattrs", "whiteouts")
    },
    **dict.fromkeys(
        (
            "lookup_result.layer",
            "lookup.names_of",
            "marked_lookup.is_upper",
            "nodes.parent_node",
            "nodes.upper_inode",
            "nodes.parts_of_node",
            "nodes._topmost_lower",
            "nodes.is_shared",
            "nodes.is_indexed",
        ),
        "a name for a value",
    ),
    **dict.fromkeys(
        (
            "lookup.walk",
            "lookup.children",
            "lookup.merged",
            "lookup.provenance",
            "marked_lookup.look_everywhere",
            "marked_lookup._leading_on",
            "marked_lookup._find",
        ),
        "goes through all names by the rules",
    ),
    **dict.fromkeys(
        ("lookup.note", "lookup._reason", "marked_lookup._missed", "nodes._look_quietly"), "keeps account of a search"
    ),
    **dict.fromkeys(
        (
            "whiteouts.has",
            "whiteouts.get",
            "overlay_xattrs._drop",
            "overlay_xattrs.redirect",
            "copy_up.add_name",
            "copy_up.drop_name",
            "changes._touch",
        ),
        "reads or writes one entry",
    ),
    **dict.fromkeys(("overlay_xattrs.of", "overlay_xattrs.handle", "overlay_xattrs.decode"), "the model's own disk"),
    "overlay.of_layers": "turns the order of layers",
}
# What the functions of a file need of the overlay; the rules themselves are the functions that they name.
PROTOCOLS = ("Stack", "MarkedStack", "MountedStack")


def functions(module):
    """Each function of a module, also of its classes, with its docstring."""
    tree = ast.parse((ROOM / f"{module}.py").read_text(encoding="utf-8"))
    declared = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in PROTOCOLS]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not any(node in protocol.body for protocol in declared):
            yield node.name, ast.get_docstring(node) or ""


def docstrings():
    """Each docstring of the package that names a section."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and SECTION.search(
                text := ast.get_docstring(node) or ""
            ):
                yield f"{path.stem}.{getattr(node, 'name', '')}", text


def sections_of(text):
    return [int(number) for found in SECTION.findall(text) for number in re.findall(r"\d+", found)]


@pytest.mark.parametrize("module", RULES)
def test_every_rule_has_its_section_and_a_vector(module):
    without = [
        f"{module}.{name}"
        for name, text in functions(module)
        if not (sections_of(text) and NAMED.search(text))
        and LIVE not in text.lower()
        and f"{module}.{name}" not in NO_RULE
    ]

    assert without == []


def test_what_is_no_rule_exists():
    assert set(NO_RULE) <= {f"{module}.{name}" for module in RULES for name, _ in functions(module)}


def test_every_vector_that_is_named_exists():
    named = {
        (path.stem, name) for path in PACKAGE.rglob("*.py") for name in NAMED.findall(path.read_text(encoding="utf-8"))
    }

    assert {pair for pair in named if pair[1] not in VECTORS} == set()
    assert len(named) > 200


@pytest.mark.parametrize(("place", "text"), [pytest.param(*pair, id=pair[0]) for pair in docstrings()])
def test_every_section_that_is_named_exists_and_speaks_of_the_vectors(place, text):
    named = set(NAMED.findall(text))

    for number in sections_of(text):
        assert number in SECTIONS
        assert named & SECTIONS[number] or LIVE in text.lower(), (
            f"{place}: section {number} does not speak of {sorted(named)}"
        )


def test_the_page_of_the_rules_is_what_code_and_vectors_give():
    assert rules.PAGE.read_text(encoding="utf-8") == rules.page(), "run: python tools/rules.py"


def test_every_vector_has_its_place_on_the_page():
    text = rules.page()

    assert [name for name in VECTORS if f'<a id="{name}"></a>' not in text] == []
    assert [number for number in SECTIONS if f'<a id="section-{number}"></a>' not in text] == []
