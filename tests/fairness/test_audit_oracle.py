"""The audit's point values against fairlearn's, over inputs made by hypothesis."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.fairness import audit

fairlearn = pytest.importorskip("fairlearn.metrics")
skm = pytest.importorskip("sklearn.metrics")

WEIGHTED = {
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
    "true_negative_rate": fairlearn.true_negative_rate,
    "false_negative_rate": fairlearn.false_negative_rate,
    "precision_score": lambda t, p, sample_weight=None: skm.precision_score(
        t, p, sample_weight=sample_weight, zero_division=0
    ),
    "accuracy_score": skm.accuracy_score,
}
GAPS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
)
# fairlearn writes 0 where nothing is in the denominator of these
SILENT_ZERO = {
    "true_positive_rate": 1,
    "false_negative_rate": 1,
    "false_positive_rate": 0,
    "true_negative_rate": 0,
}


def frame(y, p, sensitive, control=None, w=None):
    params = {name: {"sample_weight": w} for name in WEIGHTED} if w is not None else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fairlearn divides by zero aloud
        return fairlearn.MetricFrame(
            metrics={**WEIGHTED, "count": fairlearn.count},
            y_true=y,
            y_pred=p,
            sensitive_features=sensitive,
            control_features=control,
            sample_params=params,
        )


def same(ours, theirs, exact):
    # fairlearn's selection rate of a single weighted row is an array of one number
    theirs = [float(np.squeeze(v)) for v in np.atleast_1d(np.asarray(theirs, object))]
    ours, theirs = np.atleast_1d(np.asarray(ours, float)), np.array(theirs)
    if exact:
        np.testing.assert_array_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


rows = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from("abc"),
        st.integers(0, 2),
        st.sampled_from([0.5, 1.0, 3.0, 0.123]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=50)
@given(rows, st.booleans())
def test_equals_fairlearn_with_its_zeros(data, weighted):
    y, p, a, b, w = map(np.array, zip(*data, strict=True))
    w = w if weighted else None
    sensitive = pd.DataFrame({"a": a, "b": b})
    theirs = frame(y, p, sensitive, w=w)
    ours = audit(y, p, sensitive_features=sensitive, sample_weight=w, zero_division=0.0)
    assert list(ours.by_group.index) == list(theirs.by_group.index)
    for name in (*WEIGHTED, "count"):
        same(ours.by_group[name], theirs.by_group[name], not weighted)
        same(ours.overall[name], theirs.overall[name], not weighted)
    sizes = sensitive.value_counts()
    if weighted and sizes.min() == 1:
        return  # fairlearn's gaps leave such groups out, as they are no scalars
    for method, suffix in (("between_groups", ""), ("to_overall", "_to_overall")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            difference, ratio = theirs.difference(method=method), theirs.ratio(method=method)
        odds = ["true_positive_rate", "false_positive_rate"]
        expected = {
            "demographic_parity_difference": difference["selection_rate"],
            "demographic_parity_ratio": ratio["selection_rate"],
            "equal_opportunity_difference": difference["true_positive_rate"],
            "equal_opportunity_ratio": ratio["true_positive_rate"],
            "predictive_parity_difference": difference["precision_score"],
            "predictive_parity_ratio": ratio["precision_score"],
            "equalized_odds_difference": max(difference[odds]),
            "equalized_odds_ratio": min(ratio[odds]),
        }
        for gap, value in expected.items():
            found = ours.disparities.loc[gap + suffix, "value"]
            if len(sizes) < 2:
                assert math.isnan(found)
            else:
                same(found, value, not weighted)


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_fairlearns_gap_functions(weighted):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        n = 60 + 400 * seed
        y, p, a = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.choice(list("abcd"), n)
        w = rng.random(n) if weighted else None
        ours = audit(y, p, sensitive_features=a, sample_weight=w).disparities["value"]
        for gap in GAPS:
            for method, suffix in (("between_groups", ""), ("to_overall", "_to_overall")):
                expected = getattr(fairlearn, gap)(
                    y, p, sensitive_features=a, method=method, sample_weight=w
                )
                same(ours[gap + suffix], expected, not weighted)


@settings(max_examples=40)
@given(rows)
def test_undefined_stays_undefined_and_the_rest_equals_fairlearn(data):
    y, p, a, b, _ = map(np.array, zip(*data, strict=True))
    sensitive = pd.DataFrame({"a": a, "b": b})
    theirs = frame(y, p, sensitive).by_group
    ours = audit(y, p, sensitive_features=sensitive)
    for group, row in ours.by_group.iterrows():
        inside = (a == group[0]) & (b == group[1])
        for name in WEIGHTED:
            if name in SILENT_ZERO:
                empty = not np.any(y[inside] == SILENT_ZERO[name])
            elif name == "precision_score":
                empty = not np.any(p[inside] == 1)
            else:
                empty = not inside.any()
            if empty:
                assert math.isnan(row[name])
                assert not inside.any() or (group, name) in ours.undefined
            else:
                assert row[name] == theirs.loc[group, name]
    for name, members in {
        "demographic_parity": ["selection_rate"],
        "equal_opportunity": ["true_positive_rate"],
        "predictive_parity": ["precision_score"],
        "equalized_odds": ["true_positive_rate", "false_positive_rate"],
    }.items():
        known = [ours.by_group[m].dropna() for m in members]
        value = ours.disparities.loc[f"{name}_difference", "value"]
        if any(len(k) < 2 for k in known):
            assert math.isnan(value)
        else:
            assert value == max(k.max() - k.min() for k in known)


@settings(max_examples=20)
@given(rows)
def test_control_features_equal_fairlearn(data):
    y, p, a, b, _ = map(np.array, zip(*data, strict=True))
    sensitive, control = pd.Series(a, name="a"), pd.Series(b, name="b")
    theirs = frame(y, p, sensitive, control)
    ours = audit(y, p, sensitive_features=sensitive, control_features=control, zero_division=0.0)
    assert list(ours.by_group.index) == list(theirs.by_group.index)
    difference = theirs.difference()
    for name in WEIGHTED:
        same(ours.by_group[name], theirs.by_group[name], True)
        same(ours.overall[name], theirs.overall[name], True)
    for level, value in difference["selection_rate"].items():
        ours_value = ours.disparities.loc[(level, "demographic_parity_difference"), "value"]
        if len(set(a[b == level])) < 2:
            assert math.isnan(ours_value)
        else:
            same(ours_value, value, True)


def test_mean_score_equals_fairlearns_mean_prediction():
    rng = np.random.default_rng(1)
    a, score, w = rng.integers(0, 3, 300), rng.random(300), rng.random(300)
    y = rng.integers(0, 2, 300)
    theirs = fairlearn.MetricFrame(
        metrics=fairlearn.mean_prediction,
        y_true=y,
        y_pred=score,
        sensitive_features=a,
        sample_params={"sample_weight": w},
    )
    ours = audit(y, score > 0.5, sensitive_features=a, score=score, sample_weight=w)
    same(ours.by_group["mean_score"], theirs.by_group, False)
    rate = [np.average(y[a == g], weights=w[a == g]) for g in range(3)]
    same(ours.by_group["calibration_gap"], theirs.by_group - rate, False)


def test_bounds_of_large_groups_agree_with_fairlearns_bootstrap():
    """Wilson's differ from fairlearn's by no more than a few seeds of fairlearn's differ."""
    rng = np.random.default_rng(3)
    n = 2_000
    a = rng.integers(0, 3, n)
    y = (rng.random(n) < 0.4).astype(int)
    p = (rng.random(n) < 0.3 + 0.1 * a).astype(int)

    def theirs(seed):
        mf = fairlearn.MetricFrame(
            metrics={"selection_rate": fairlearn.selection_rate},
            y_true=y,
            y_pred=p,
            sensitive_features=a,
            n_boot=200,
            ci_quantiles=[0.025, 0.975],
            random_state=seed,
        )
        return np.array([v for q in mf.by_group_ci for v in q["selection_rate"]])

    runs = np.stack([theirs(seed) for seed in range(3)])
    ours = audit(y, p, sensitive_features=a)
    mine = np.concatenate(
        [ours.by_group_low["selection_rate"], ours.by_group_high["selection_rate"]]
    )
    noise = np.max(runs.max(axis=0) - runs.min(axis=0))
    assert np.max(np.abs(mine - runs.mean(axis=0))) <= noise
