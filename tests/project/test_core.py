"""The teaching core stays small enough to be read in an hour, and the page that leads through it stays true."""

import ast
import doctest
import re

import core
import pytest

TEXT = core.PAGE.read_text(encoding="utf-8")


def test_the_core_stays_small():
    assert core.size(core.CORE) <= 1350
    assert core.size(core.closure(core.CORE)) <= 2500


def test_the_core_opens_nothing():
    """How files are reached is an argument of the layerdb, not an import."""
    needed = core.closure(core.CORE)

    assert not {module for module in needed if module.startswith("stores/files/")}
    assert {module.partition("/")[0] for module in needed} == {
        *("image", "overlay", "stores"),
        *("errors", "limits", "tree"),
    }


def test_the_page_leads_through_the_files_in_the_order_of_reading():
    headings = re.findall(r"^## \d+\. `([\w/]+)\.py`", TEXT, re.MULTILINE)

    assert headings == list(core.CORE)
    assert [re.search(rf"\[\d+ lines\]\(\.\./overlaylab/{name}\.py\)", TEXT) is not None for name in headings] == [
        True for _ in headings
    ]


def test_sizes_and_line_numbers_on_the_page_are_those_of_the_code():
    assert core.main(["--check"]) == 0


def test_a_number_that_is_wrong_is_mended():
    wrong = re.sub(r"#L\d+", "#L7", re.sub(r"\[\d+ lines\]", "[7 lines]", TEXT))

    assert wrong != TEXT
    assert core.renewed(wrong) == TEXT


def test_a_name_that_is_gone_is_reported():
    with pytest.raises(SystemExit, match=r"LayerDB\.gone"):
        core.line_of("stores/docker/layerdb", "LayerDB.gone")


def test_what_only_a_type_checker_imports_does_not_count(monkeypatch):
    module = "import a\nfrom overlaylab.tree import Inode\nif TYPE_CHECKING:\n    from overlaylab.words import say"
    monkeypatch.setattr(core, "tree_of", lambda _: ast.parse(module))

    assert list(core.imported("image/digest")) == ["tree"]


def test_the_prompt_prints_what_the_page_shows():
    session = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(session, {}, "core", str(core.PAGE), 0))

    assert session.count(">>> ") == runner.summarize().attempted
    assert runner.failures == 0
