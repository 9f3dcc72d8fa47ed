"""Forecasts: time honest, measures against peers, calibration in a calm season."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import brier_score_loss, roc_auc_score

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.prediction import (
    ValueModel,
    customer_features,
    forecast,
    next_period,
)


def measure(report, name):
    return report.table.set_index("measure").loc[name]


@pytest.fixture(scope="module")
def calm(world):
    return forecast(world.events, world.customers["customer_id"], as_of="2025-07-01")


def test_measures_agree_with_peers(calm):
    f = calm.forecasts
    assert measure(calm, "auc").value == pytest.approx(roc_auc_score(f["churned"], f["churn"]))
    rank = spearmanr(f["value"], f["spend"]).statistic
    assert measure(calm, "rank_correlation").value == pytest.approx(rank)
    gap = f["churn"].mean() - f["churned"].mean()
    assert measure(calm, "mean_gap").value == pytest.approx(gap)
    best = brier_score_loss(f["churned"], f["churn"])
    assert measure(calm, "brier_skill").value <= 1 - best / 0.25 + 1


def test_forecasts_beat_the_baselines(calm):
    assert measure(calm, "auc").low > 0.6
    assert measure(calm, "brier_skill").low > 0
    assert measure(calm, "rank_correlation").low > 0.1
    assert measure(calm, "error_reduction").low > 0
    assert measure(calm, "top_share").low > 0.1


def test_calm_season_is_calibrated_and_the_holidays_are_not(calm, world):
    assert measure(calm, "calibration_error").value < 0.05
    assert 0.8 < measure(calm, "total_ratio").value < 1.2
    peak = forecast(world.events, world.customers["customer_id"], as_of="2025-10-01")
    assert measure(peak, "calibration_error").low > measure(calm, "calibration_error").high
    assert measure(peak, "total_ratio").high < 0.95  # December sells more than was learned
    # the ranking holds where the level does not
    assert abs(measure(peak, "auc").value - measure(calm, "auc").value) < 0.05


def test_features_know_nothing_of_what_follows(world):
    people = world.customers["customer_id"]
    known = world.events[world.events["time"] < "2025-07-01"]
    a = customer_features(world.events, people, "2025-07-01")
    b = customer_features(known, people, "2025-07-01")
    pd.testing.assert_frame_equal(a, b)
    later = world.events[world.events["time"] >= "2025-07-01"]
    pd.testing.assert_frame_equal(
        next_period(world.events, people, "2025-07-01"), next_period(later, people, "2025-07-01")
    )


def test_next_period_counts_by_hand():
    events = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 2],
            "kind": ["purchase", "purchase", "view", "purchase"],
            "time": pd.to_datetime(["2025-01-01", "2025-01-10", "2025-01-05", "2025-01-11"]),
            "amount": [10.0, 5.0, 0.0, 7.0],
        }
    )
    found = next_period(events, [1, 2, 3], "2025-01-01", days=10)
    assert found["spend"].tolist() == [15.0, 0.0, 0.0]
    assert found["churned"].tolist() == [0, 1, 1]


def test_two_parts_recover_a_known_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40_000, 1))
    chance = 1 / (1 + np.exp(-x[:, 0]))
    spend = (rng.random(40_000) < chance) * np.exp(2 + 0.5 * x[:, 0] + rng.normal(0, 0.5, 40_000))
    found = ValueModel().fit(x, spend).predict([[-1.0], [0.0], [1.0]])
    points = np.array([-1.0, 0.0, 1.0])
    truth = 1 / (1 + np.exp(-points)) * np.exp(2 + 0.5 * points + 0.125)
    np.testing.assert_allclose(found, truth, rtol=0.05)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda e: customer_features(e.drop(columns="amount"), [1], "2025-02-01"), '"amount"'),
        (lambda e: customer_features(e, [1, 1], "2025-02-01"), "1 is named twice"),
        (lambda e: customer_features(e, [1], "soon"), "soon"),
        (lambda e: next_period(e, [1], "2025-01-09", days=0), "days is 0"),
        (lambda e: next_period(e, [1], "2025-01-09", days=60), "60 days"),
        (lambda e: ValueModel().fit([[1.0]], [-1.0]), "negative"),
        (lambda e: ValueModel().fit([[1.0], [2.0]], [1.0, 2.0]), "nothing"),
    ],
)
def test_bad_input_is_named(call, word):
    events = pd.DataFrame(
        {
            "customer_id": [1],
            "kind": ["purchase"],
            "time": pd.to_datetime(["2025-01-10"]),
            "amount": [1.0],
        }
    )
    with pytest.raises(InputError, match=word):
        call(events)


def test_zones_and_ids_as_text_change_nothing(world):
    events, people = world.events.head(5_000), list(range(1, 200))
    berlin = events["time"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    other = events.assign(time=berlin, customer_id=events["customer_id"].astype(str))
    for call in (customer_features, next_period):
        expected = call(events, people, "2025-07-01")
        assert expected.to_numpy().any()
        pd.testing.assert_frame_equal(call(other, people, "2025-07-01 02:00+02:00"), expected)
        with pytest.raises(InputError, match="as_of is '03"):
            call(events, people, "03.04.2025")
