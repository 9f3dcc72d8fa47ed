"""The table of coverage that readers see."""

import pandas as pd
import pytest

from ethicalai_lab.policy import coverage as module
from ethicalai_lab.policy import coverage_table, evaluation_graph

SMALL = """measure,kind,policy,worlds,coverage,coverage_error,bias,width,withheld,verdicts,verdict_error
value.profit_added,preset,all,60,0.95,0.02,0,0.3,0,0.01,0.004
value.profit_added,preset,consent_first,60,0.5,0.02,0,0.3,0,0.9,0.004
consent.reachable,preset,all,60,,,,0.1,0,0.03,0.005
value.messages_sent,preset,all,60,0.99,0.01,0,0.3,0,,
value.profit_added,pair,all,60,0.4,0.02,0,0.3,0,0.06,0.006
consent.reachable,pair,all,60,,,,0.1,0,,
"""


def test_coverage_is_the_presets_and_verdicts_are_of_the_worse_kind(tmp_path, monkeypatch):
    (tmp_path / "small.csv").write_text(SMALL, encoding="utf-8")
    monkeypatch.setattr(module, "_FILE", tmp_path / "small.csv")
    table = coverage_table()
    assert list(table.index) == ["value.profit_added", "value.messages_sent", "consent.reachable"]
    profit, sent, reach = table.itertuples(index=False, name=None)
    assert profit == (60, 0.95, 0.02, 0.06, 0.006)
    assert sent == pytest.approx((60, 0.99, 0.01, float("nan"), float("nan")), nan_ok=True)
    assert reach == pytest.approx((60, float("nan"), float("nan"), 0.03, 0.005), nan_ok=True)


def test_the_table_is_of_the_measures_that_a_card_has():
    table = coverage_table()
    assert table.index.is_unique
    assert set(table.index) <= set(evaluation_graph().measures)
    assert (table["worlds"] >= 60).all()
    shares = table.drop(columns="worlds")
    assert shares.isna().to_numpy().any()
    assert ((shares >= 0) & (shares <= 1) | shares.isna()).to_numpy().all()
    assert isinstance(table, pd.DataFrame)
