"""A scorecard prints on one sheet, with refits and without."""

import re

import pytest

from ethicalai_lab import make_world
from ethicalai_lab.policy import PolicyLab, preset

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize("refit", [0, 10])
def test_a_whole_card_prints_on_one_sheet(browser, tmp_path, refit):
    card = PolicyLab(make_world(1_500, seed=7), n_boot=50).evaluate(
        preset("consent_first"), refit=refit
    )
    path = tmp_path / "card.html"
    card.to_html(path)
    page = browser.new_page()
    page.goto(path.as_uri())
    sheets = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page[^s]", sheets)) == 1
    assert ("with refits" in path.read_text(encoding="utf-8")) == bool(refit)
