"""The figures on the page about performance are those of one run, kept beside it: none was copied by hand."""

import json
import sys

from lessonkit import ROOT

sys.path.insert(0, str(ROOT))

from bench.document import FIGURES, PAGE, with_table


def test_the_table_is_made_from_the_figures():
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_table(page, json.loads(FIGURES.read_text(encoding="utf-8")))


def test_each_figure_says_whether_its_target_is_reached():
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))["figures"]
    measured = [figure for figure in figures if figure["most"] is not None]

    assert len(measured) > 20
    assert [figure["reached"] for figure in measured] == [figure["value"] <= figure["most"] for figure in measured]
