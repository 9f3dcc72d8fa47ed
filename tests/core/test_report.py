"""A report shows each table with headers, and whatever comes from outside is escaped."""

import re

import pandas as pd
import pytest

from ethicalai_lab.core.report import Report, html_table, render

NASTY = "<script>x</script>\x1b[2J"


def test_a_report_escapes_what_it_shows_and_keeps_its_order():
    table = pd.DataFrame({NASTY: [NASTY, "b"], "rate": [0.123456, float("nan")]})
    page = Report(NASTY, {NASTY: table}, [NASTY])._repr_html_()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") == 5
    assert page.index("<caption>") < page.index("0.1235") < page.rindex("<p>")


def test_every_column_and_row_has_a_header():
    page = html_table(pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"]), index=True)
    assert re.findall('scope="col">([^<]*)<', page) == ["index", "a", "b"]
    assert re.findall('scope="row">([^<]*)<', page) == ["x", "y"]


def test_figures_are_shown_as_they_are():
    class Picture:
        def _repr_html_(self):
            return "<img alt='a picture'>"

    assert "<img alt='a picture'>" in Report("t", figures=[Picture()])._repr_html_()


def test_a_value_that_a_template_names_and_nobody_gave_is_an_error():
    with pytest.raises(Exception, match="caption"):
        render("core/templates/table.html", head=[], rows=[])
