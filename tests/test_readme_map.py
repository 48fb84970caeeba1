"""The README's table of files tells the truth about each file's length and purpose."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("readme_map", ROOT / "tools" / "map.py")
readme_map = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme_map)


def test_the_readme_lists_every_file_with_its_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert readme == readme_map.with_map(readme, readme_map.table()), "run: python tools/map.py"


def test_every_file_says_in_one_sentence_what_it_is():
    rows = readme_map.table().splitlines()[2:]

    assert rows
    assert [row for row in rows if not row.endswith(". |") and not row.endswith("? |")] == []


def test_a_docstrings_first_sentence_may_span_lines_and_hold_a_bar():
    assert readme_map.first_sentence('"""One\n sentence | here. Another.\n\nMore."""') == "One sentence \\| here."
