"""A scorecard is exact, readable, and its cost is measured."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.glass_box import (
    AdditiveScorecard,
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
    card = AdditiveScorecard().fit(X, y)
    assert y.mean() < 0.25
    assert card.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-4)


def test_a_person_can_score_by_hand_from_the_table_of_points():
    X, y = additive()
    card = AdditiveScorecard().fit(X, y)
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
    table = AdditiveScorecard().fit(X, y).points_
    level = table[table["feature"] == "channel"].set_index("bin")["log_odds"]
    assert level["web"] - level["store"] == pytest.approx(3.0, abs=0.25)
    slope = table.loc[table["feature"] == "slope", "log_odds"].to_numpy()
    np.testing.assert_allclose(np.diff(slope), 1.0, atol=0.25)
    assert table.loc[table["feature"] == "idle", "log_odds"].abs().max() < 0.2


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


def test_it_behaves_as_a_scikit_learn_classifier():
    X, y = additive(600)
    names = np.where(y == 1, "yes", "no")
    card = clone(AdditiveScorecard(n_bins=4)).fit(X, names)
    assert card.n_bins == 4
    assert card.classes_.tolist() == ["no", "yes"]
    assert card.score(X, names) > 0.75


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, y: AdditiveScorecard(1).fit(X, y), "n_bins is 1"),
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
    ],
)
def test_bad_input_is_named(call, words):
    X, y = additive(100)
    with pytest.raises(ExplanationError, match=words):
        call(X, y)
