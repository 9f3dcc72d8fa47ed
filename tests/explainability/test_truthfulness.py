"""Explanations held against planted truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.truthfulness import (
    attribution_beside_uplift,
    fidelity,
    stability,
)


def planted(n=600, seed=3):
    """Two causes, a proxy of the first that causes nothing, and noise."""
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=n)
    X = pd.DataFrame(
        {
            "cause": cause,
            "second": rng.normal(size=n),
            "proxy": cause + rng.normal(size=n) * 0.1,
            "noise": rng.normal(size=n),
        },
        index=np.arange(1, n + 1),
    )
    return X, X * [2.0, 1.0, 0.0, 0.0]


def test_the_truth_itself_is_faithful():
    _, truth = planted()
    table = fidelity(truth, truth)
    assert table["value"].tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert (table["low"] <= table["value"]).all()


def test_a_blamed_proxy_is_seen():
    X, truth = planted()
    # A ridge shares the credit of the cause with its proxy: half of 2 on each.
    shared = X * [1.0, 1.0, 1.0, 0.0]
    table = fidelity(shared, truth)
    size = shared.abs().mean()
    assert table.loc["credit_on_non_causes", "value"] == pytest.approx(size["proxy"] / size.sum())
    assert table.loc["credit_on_non_causes", "low"] > 0.25
    assert table.loc["rank_agreement", "value"] < 0.9
    by_hand = [pearsonr(shared.loc[i], truth.loc[i]).statistic for i in X.index]
    assert table.loc["person_correlation", "value"] == pytest.approx(np.mean(by_hand))
    rank = spearmanr(size, truth.abs().mean()).statistic
    assert table.loc["rank_agreement", "value"] == pytest.approx(rank)


def test_attributions_upside_down_are_unfaithful():
    X, truth = planted()
    wrong = X * [0.1, 0.2, 3.0, 4.0]
    table = fidelity(wrong, truth.abs().mean())
    assert table.loc["rank_agreement", "high"] < 0
    assert table.loc["credit_on_non_causes", "low"] > 0.8
    assert np.isnan(table.loc["person_correlation", "value"])


def test_the_interval_covers_the_credit_of_the_whole_population():
    everybody, truth = planted(40_000, seed=1)
    weights = [1.0, 1.0, 0.6, 0.0]
    size = (everybody * weights).abs().mean()
    whole = size["proxy"] / size.sum()
    hits = 0
    for start in range(60):
        some = everybody.iloc[start * 200 : (start + 1) * 200]
        row = fidelity(some * weights, truth.loc[some.index]).loc["credit_on_non_causes"]
        hits += row["low"] <= whole <= row["high"]
    assert hits >= 51  # 57 of 60 are expected


def test_stability_falls_as_retrained_models_differ():
    X, _ = planted(200)
    rng = np.random.default_rng(0)

    def retrained(spread):
        return [X * (np.array([2, 1, 0.5, 0.2]) + rng.normal(size=4) * spread) for _ in range(4)]

    same = stability([X, X, X], k=2)
    near, far = stability(retrained(0.05), k=2), stability(retrained(1.5), k=2)
    assert same["value"].tolist() == [1.0, 1.0, 1.0]
    assert (near["low"] > far["high"]).all()


def test_top_k_overlap_is_the_jaccard_index():
    one = pd.DataFrame([[4.0, 3.0, 2.0, 1.0]], columns=list("abcd"))
    two = pd.DataFrame([[4.0, 1.0, -3.0, 2.0]], columns=list("abcd"))
    table = stability([one, two], k=2)["value"]
    assert table["top_k_overlap"] == pytest.approx(1 / 3)
    assert table["sign_agreement"] == 0.75
    expected = spearmanr([4, 3, 2, 1], [4, 1, 3, 2]).statistic
    assert table["rank_correlation"] == pytest.approx(expected)


def test_attribution_is_not_causation():
    # Loyal customers buy anyway: what raises the score lowers the effect of the mail.
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"loyal": rng.normal(size=2000), "curious": rng.normal(size=2000)})
    values = X * [3.0, 0.5]
    uplift = 0.05 * X["curious"] - 0.03 * X["loyal"] + rng.normal(size=2000) * 0.01
    table = attribution_beside_uplift(values, uplift)
    assert table.loc["loyal", "high"] < -0.3
    assert table.loc["curious", "low"] > 0.6
    assert table.loc["(score)", "high"] < -0.1
    assert table["mean_size"].idxmax() == "(score)"
    assert table.loc["loyal", "mean_size"] > 4 * table.loc["curious", "mean_size"]
    expected = pearsonr(values["loyal"], uplift).statistic
    assert table.loc["loyal", "value"] == pytest.approx(expected)


def test_it_stands_beside_the_worlds_own_uplift(small_world):
    campaign = small_world.campaign.set_index("customer_id")
    uplift = small_world.truth.uplift.set_index("customer_id")["visit_sports_mail"]
    values = campaign[["sports", "recency"]] - campaign[["sports", "recency"]].mean()
    table = attribution_beside_uplift(values, uplift.loc[values.index], "sports")
    assert list(table.index) == ["sports", "(score)"]
    assert table[["value", "low", "high"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X: fidelity(X, pd.Series({"cause": 1.0})), "'second'"),
        (lambda X: fidelity(X, X * 0), "at least one must be a cause"),
        (lambda X: fidelity(X.iloc[:0], X), "values is empty"),
        (lambda X: fidelity(X.assign(noise="x"), X), "'noise' must hold numbers"),
        (lambda X: fidelity(X.assign(noise=np.nan), X), "'noise', row"),
        (lambda X: fidelity(X, X.iloc[::-1]), "same index"),
        (lambda X: stability([X]), "at least two"),
        (lambda X: stability([X, X[["cause"]]]), r"tables\[1\] has other features"),
        (lambda X: stability([X, X], k=9), "k is 9"),
        (lambda X: stability([X, X.iloc[:3]]), r"tables\[1\] is about other people"),
        (lambda X: attribution_beside_uplift(X, X["cause"], "age"), "no feature 'age'"),
        (lambda X: fidelity([1, 2], X), "is a list"),
    ],
)
def test_bad_input_is_named(call, words):
    X, _ = planted(10)
    with pytest.raises(ExplanationError, match=words):
        call(X)
