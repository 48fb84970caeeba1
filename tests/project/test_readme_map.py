"""The README's table of files tells the truth about each file's length and purpose."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("readme_map", ROOT / "tools" / "map.py")
readme_map = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme_map)


def test_the_readme_lists_every_room_with_its_files_and_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert readme == readme_map.with_map(readme, readme_map.table()), "run: python tools/map.py"


def test_every_file_says_in_one_sentence_what_it_is():
    paths = sorted((ROOT / "overlaylab").rglob("*.py"))
    sentences = [readme_map.first_sentence(path.read_text(encoding="utf-8")) for path in paths]

    assert sentences
    assert [sentence for sentence in sentences if not sentence.endswith((".", "?"))] == []


def test_a_docstrings_first_sentence_may_span_lines_and_hold_a_bar():
    assert readme_map.first_sentence('"""One\n sentence | here. Another.\n\nMore."""') == "One sentence \\| here."
