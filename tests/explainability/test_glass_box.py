"""A scorecard is exact, readable, and its cost is measured."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from ethicalai_lab.explainability._auc import auc
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.glass_box import (
    AdditiveScorecard,
    _value_at_top,
    compare_glass_box,
)


def additive(n=3000, seed=2):
    """Log-odds that add up: a slope, a step, a level; and a column that does nothing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "slope": rng.uniform(0, 6, n),
            "channel": rng.choice(["web", "store", "both"], n, p=[0.6, 0.1, 0.3]),
            "idle": rng.normal(size=n),
        },
        index=np.arange(1000, 1000 + n),
    )
    odds = X["slope"] - 3 + X["channel"].map({"web": 1.5, "store": -1.5, "both": 0.0})
    return X, (rng.uniform(size=n) < 1 / (1 + np.exp(-odds))).astype(int)


def crossed(n=3000, seed=2):
    """A pure interaction: no sum of single features can see it."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    return X, (rng.uniform(size=n) < np.where(X["a"] * X["b"] > 0, 0.9, 0.1)).astype(int)


def test_contributions_add_up_exactly_and_average_zero():
    X, y = additive()
    card = AdditiveScorecard().fit(X, y)
    shares = card.contributions(X)
    p = card.predict_proba(X)
    assert shares.index.equals(X.index)
    np.testing.assert_allclose(
        np.log(p[:, 1] / p[:, 0]), card.intercept_ + shares.sum(axis=1), rtol=1e-9
    )
    np.testing.assert_allclose(shares.mean(), 0, atol=1e-10)
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_the_mean_probability_is_the_share_observed_however_rare():
    # A ridge leaves the intercept free, so the two are equal; centring must keep that.
    X, y = additive()
    keep = (y == 0) | (np.arange(len(y)) % 8 == 0)
    X, y = X[keep], y[keep]
    card = AdditiveScorecard(penalty=5).fit(X, y)
    assert y.mean() < 0.25
    assert card.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-4)


def test_a_person_can_score_by_hand_from_the_table_of_points():
    X, y = additive()
    card = AdditiveScorecard(points_to_double=20).fit(X, y)
    points = card.points_.set_index(["feature", "bin"])["points"]
    row = X.iloc[0]
    total = points["channel", row["channel"]]
    for name in ("slope", "idle"):
        for label in points[name].index:
            parts = [part.split() for part in label.split(" and ")]
            inside = [
                row[name] > float(v) if op == ">" else row[name] <= float(v) for op, v in parts
            ]
            total += points[name, label] if all(inside) else 0
    exact = card.contributions(X.iloc[[0]]).to_numpy().sum() * 20 / np.log(2)
    assert abs(total - exact) <= 1.5  # three roundings of at most a half


def test_the_planted_effects_are_found():
    X, y = additive(20_000)
    table = AdditiveScorecard(n_bins=6, penalty=0.1).fit(X, y).points_
    level = table[table["feature"] == "channel"].set_index("bin")["log_odds"]
    assert level["web"] - level["store"] == pytest.approx(3.0, abs=0.25)
    slope = table.loc[table["feature"] == "slope", "log_odds"].to_numpy()
    np.testing.assert_allclose(np.diff(slope), 1.0, atol=0.25)
    assert table.loc[table["feature"] == "idle", "log_odds"].abs().max() < 0.2


def test_more_penalty_pulls_points_to_zero():
    X, y = additive()
    spread = [AdditiveScorecard(penalty=p).fit(X, y).points_["log_odds"].std() for p in (0.1, 1000)]
    assert spread[1] < 0.6 * spread[0]


def test_monotone_points_never_fall():
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"x": rng.uniform(size=400)})
    y = (rng.uniform(size=400) < 0.5 + 0.3 * np.sin(9 * X["x"])).astype(int)
    free = AdditiveScorecard(8).fit(X, y).points_["log_odds"].diff().dropna()
    assert (free < 0).any()
    assert (free > 0).any()
    for direction in (1, -1):
        card = AdditiveScorecard(8, monotone={"x": direction}).fit(X, y)
        assert (card.points_["log_odds"].diff().dropna() * direction >= -1e-12).all()
        assert card.contributions(X)["x"].mean() == pytest.approx(0, abs=1e-10)


def test_missing_has_its_own_bin_and_says_what_it_means():
    X, y = additive()
    gone = np.random.default_rng(0).uniform(size=len(X)) < 0.2
    y = np.where(gone, 1, y)
    with_gaps = X.assign(slope=X["slope"].mask(gone))
    card = AdditiveScorecard().fit(with_gaps, y)
    slope = card.points_[card.points_["feature"] == "slope"].set_index("bin")
    assert slope["log_odds"].idxmax() == "missing"
    assert slope.loc["missing", "people"] == gone.sum()
    sealed = AdditiveScorecard().fit(X, y)
    with pytest.raises(ExplanationError, match="'slope', row"):
        sealed.predict_proba(with_gaps)


def test_a_level_never_seen_contributes_nothing():
    X, y = additive()
    card = AdditiveScorecard().fit(X, y)
    assert card.contributions(X.head(1).assign(channel="drone"))["channel"].item() == 0


def test_the_score_table_holds_every_person_and_is_calibrated():
    X, y = additive()
    table = AdditiveScorecard().fit(X, y).score_table(5)
    assert table["people"].sum() == len(X)
    assert len(table) == 5
    assert (table["observed"].diff().dropna() > 0).all()
    assert (table["from_points"].iloc[1:].to_numpy() >= table["to_points"].iloc[:-1]).all()
    np.testing.assert_allclose(table["predicted"], table["observed"], atol=0.05)


def test_it_behaves_as_a_scikit_learn_classifier():
    X, y = additive(600)
    names = np.where(y == 1, "yes", "no")
    card = clone(AdditiveScorecard(n_bins=4)).fit(X, names)
    assert card.n_bins == 4
    assert card.classes_.tolist() == ["no", "yes"]
    assert card.score(X, names) > 0.75


def test_on_an_additive_world_nothing_is_lost():
    X, y = additive()
    table = compare_glass_box(X, y, n_splits=3, n_boot=100)
    assert table.loc["auc", "glass_box"] > 0.85
    assert table.loc["auc", "high"] < 0.01
    assert 10 < table.loc["numbers_to_read", "glass_box"] < 20
    assert table.loc["numbers_to_read", "black_box"] > 1000


def test_on_a_crossed_world_the_loss_is_seen():
    X, y = crossed()
    table = compare_glass_box(X, y, value=10.0 * y, n_splits=3, n_boot=100)
    assert table.loc["auc", "low"] > 0.25
    assert table.loc["value_at_top", "low"] > 2
    row = table.loc["value_at_top"]
    assert row["lost"] == pytest.approx(row["black_box"] - row["glass_box"])


def test_comparing_copes_with_a_gap_that_only_one_fold_has():
    X, y = additive(120)
    X.iloc[0, 0] = np.nan
    X.iloc[1, 1] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = compare_glass_box(X, y, n_splits=2, n_boot=20, seed=4)
    pd.testing.assert_frame_equal(table, compare_glass_box(X, y, n_splits=2, n_boot=20, seed=4))


def test_auc_is_the_librarys_and_ties_at_the_top_count_in_part():
    rng = np.random.default_rng(0)
    score, target = rng.integers(0, 6, 200), rng.integers(0, 2, 200)
    assert auc(score, target) == pytest.approx(roc_auc_score(target, score))
    assert _value_at_top(np.array([2, 1, 1, 0]), np.array([8.0, 4.0, 0.0, 9.0]), 0.5) == 5.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, y: AdditiveScorecard(1).fit(X, y), "n_bins is 1"),
        (lambda X, y: AdditiveScorecard(penalty=0).fit(X, y), "penalty is 0"),
        (lambda X, y: AdditiveScorecard(monotone={"channel": 1}).fit(X, y), "'channel'"),
        (lambda X, y: AdditiveScorecard(monotone={"slope": 2}).fit(X, y), "is 2"),
        (lambda X, y: AdditiveScorecard().fit(X, y * 0), "1 class"),
        (lambda X, y: AdditiveScorecard().fit(X, y[:5]), "y has shape"),
        (lambda X, y: AdditiveScorecard().fit(X.to_numpy(), y), "named columns"),
        (lambda X, y: AdditiveScorecard().fit(X.assign(idle=np.nan), y), "'idle' has no value"),
        (lambda X, y: AdditiveScorecard().fit(X.assign(idle=np.inf), y), "infinite"),
        (
            lambda X, y: AdditiveScorecard().fit(X.assign(t=pd.Timestamp("2025-01-01")), y),
            "'t' holds times",
        ),
        (
            lambda X, y: AdditiveScorecard().fit(X, y).predict(X.drop(columns="idle")),
            "no column 'idle'",
        ),
        (
            lambda X, y: AdditiveScorecard().fit(X, y).predict(X.assign(idle="x")),
            "'idle' must hold numbers",
        ),
        (lambda X, y: compare_glass_box(X, y, top_share=0), "top_share is 0"),
        (lambda X, y: compare_glass_box(X, y, n_splits=99), "n_splits is 99"),
        (lambda X, y: compare_glass_box(X, y, value=[1.0]), "value must hold"),
    ],
)
def test_bad_input_is_named(call, words):
    X, y = additive(100)
    with pytest.raises(ExplanationError, match=words):
        call(X, y)
