"""One visual language: few colours, far apart, each with a glyph, a line and words, the same in every picture."""

import ast
import re
from pathlib import Path

import pytest
from drawings import contrast, drawings, take_apart

from overlaylab.views.kit import palette
from overlaylab.views.kit.palette import CHANGES, INK, PALETTE, PAPER, hue
from overlaylab.views.kit.sheet import Sheet
from overlaylab.words import table

PACKAGE = Path(palette.__file__).parent.parent
ALL = list(drawings())
CHIPS = {hue(f"{byte:02x}") for byte in range(256)}
LOOKS = {(style.fill, style.line) for style in PALETTE.values()}
GLYPHS = {
    style.glyph: style for key, style in PALETTE.items() if key in ("lower", "upper", "merged", "whiteout", "opaque")
}
NO_COLOUR = {"none", "transparent"}


def test_the_colours_of_lines_are_seen_on_paper_and_ink_is_read_on_every_fill():
    """WCAG AA asks for 4.5 for text and 3 for lines."""
    assert contrast(INK, PAPER) > 12
    for style in PALETTE.values():
        assert contrast(style.line, PAPER) > 4.5
        assert contrast(style.line, style.fill) > 3
        assert contrast(INK, style.fill) > 12


def test_contrast_is_computed_as_the_guidelines_say():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


def faint(drawing):
    """Texts whose colour is too near to that of what lies under them."""
    return [
        words
        for colour, _, words, under in drawing.texts
        if contrast(named(colour), named(under.fill) if under else PAPER) < 4.5
    ]


def named(colour):
    return {"black": "#000000", "white": "#ffffff"}.get(colour, colour)


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_every_text_of_a_picture_can_be_read_on_what_lies_under_it(drawing):
    assert drawing.texts
    assert faint(drawing) == []


def test_a_faint_text_is_found():
    sheet = Sheet("faint")
    sheet.box(0, 0, 200, 40, "", "upper")
    sheet.text(10, 8, "can be read")
    sheet.text(10, 8, "cannot", color=PALETTE["upper"].fill)
    from overlaylab.views.kit.picture import svg_of

    assert faint(take_apart(svg_of(sheet.dot))) == ["cannot"]


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_a_picture_has_the_colours_of_the_palette_alone(drawing):
    """A fill comes with its line; a chip has one colour for both."""
    for shape in drawing.shapes:
        if shape.fill in NO_COLOUR:
            assert shape.line in {INK, *NO_COLOUR, *(style.line for style in PALETTE.values())}
        elif shape.fill == shape.line:
            assert shape.fill in {INK, *CHIPS, *(style.line for style in PALETTE.values())}
        else:
            assert (shape.fill, shape.line) in {*LOOKS, (PAPER, INK), (PAPER, "transparent"), (PAPER, "none")}
    assert {colour for colour, _, _, _ in drawing.texts} <= {INK, *(style.line for style in PALETTE.values())}


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_a_glyph_lies_in_a_box_of_its_own_colour(drawing):
    for _, _, words, under in drawing.texts:
        style = GLYPHS.get(words.strip()[:1])
        if style and under and under.fill != PAPER:
            assert under.fill == style.fill, words


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_a_line_says_the_same_as_the_colour(drawing):
    """What is hidden is dotted and what is deleted is dashed, so that nobody needs to see colours."""
    broken = {
        shape.fill: shape.dashes
        for shape in drawing.shapes
        if shape.fill in {style.fill for style in PALETTE.values()} - {PAPER}
    }
    for fill, dashes in broken.items():
        kinds = {style.style for style in PALETTE.values() if style.fill == fill}
        assert bool(dashes) == bool(kinds & {"dotted", "dashed"})


@pytest.mark.parametrize("drawing", ALL, ids=lambda drawing: drawing.where)
def test_a_picture_is_at_most_960_pixels_wide_and_its_text_13_high(drawing):
    assert drawing.width <= 960
    assert min(size for _, size, _, _ in drawing.texts) >= 13


def literals(path):
    """The texts in a file's code, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


OTHERS = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "palette.py")


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_colours_and_glyphs_are_written_in_one_place(path):
    """Also the signs of changes where they stand alone."""
    for text in literals(path):
        assert not re.search(r"#[0-9a-f]{6}\b", text, re.IGNORECASE) or path.parent.name == "data"
        assert not set(text) & set(GLYPHS), text
        assert text not in set(CHANGES.values()) - {"+", "~"}, text


# Other words for what the palette names; who learns one word need not learn another.
SYNONYMS = (
    r"tombstone|white-out|shadow(s|ed)|mask(s|ed) (by|in)|copy-?ups? (of|to) the upper|copied-up"
    r"|read-write layer|topmost dir"
)


def test_one_thing_has_one_word():
    words = {key: text for key, text in table("en").items() if re.search(SYNONYMS, text, re.IGNORECASE)}

    assert words == {}


def test_another_word_for_the_same_thing_is_found():
    assert re.search(SYNONYMS, "The upper holds a tombstone for it.")
