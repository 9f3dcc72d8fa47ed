"""What the audit promises beyond fairlearn's values: intervals, marks, messages."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import FOUR_FIFTHS_NOTE, audit

RATES = np.array([0.3, 0.5])


def draw(rng, n=800, rates=RATES):
    a = rng.integers(0, len(rates), n)
    p = rng.random(n) < rates[a]
    y = rng.random(n) < 0.4
    return y, p, a


def row_bootstrap(values, a, n_boot, seed, w):
    """The plain bootstrap of rows, by group: slow, and right where groups are large."""
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(n_boot):
        i = rng.integers(0, len(a), len(a))
        means.append(
            [np.average(values[i][a[i] == g], weights=w[i][a[i] == g]) for g in np.unique(a)]
        )
    return np.quantile(means, [0.025, 0.975], axis=0)


def test_interval_of_a_clear_gap_covers_the_truth():
    hits = rate_hits = 0
    runs = 400
    for seed in range(runs):
        y, p, a = draw(np.random.default_rng(seed))
        result = audit(y, p, sensitive_features=a)
        _, low, high = result.disparities.loc["demographic_parity_difference"]
        hits += low <= 0.2 <= high
        rate_hits += (
            result.by_group_low["selection_rate"][0]
            <= 0.3
            <= result.by_group_high["selection_rate"][0]
        )
    # 95 % +- 4 standard errors of 400 runs
    assert 0.90 <= hits / runs <= 0.99
    assert 0.90 <= rate_hits / runs <= 0.99


def test_of_twenty_equal_groups_no_gap_is_claimed():
    held = false_alarm = 0
    runs = 150
    for seed in range(runs):
        y, p, a = draw(np.random.default_rng(seed), 3_000, np.full(20, 0.3))
        result = audit(y, p, sensitive_features=a, seed=seed)
        name = "demographic_parity_difference"
        held += result.disparities.loc[name, "low"] <= 0
        false_alarm += result.chance.loc[name, "p_value"] <= 0.05
    assert held / runs >= 0.95
    assert false_alarm / runs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_chance_finds_a_real_gap_and_names_how_much_chance_alone_makes():
    y, p, a = draw(np.random.default_rng(0), 4_000)
    chance = audit(y, p, sensitive_features=a).chance
    row = chance.loc["demographic_parity_difference"]
    assert row["p_value"] < 0.001
    # 97.5 % quantile of |difference| of two groups of about 2,000 at a rate of 0.4
    assert row["by_chance"] == pytest.approx(1.96 * math.sqrt(0.24 * 2 / 2_000), rel=0.15)


@pytest.mark.parametrize("kind", ["few_values", "continuous", "with_the_decision"])
def test_weighted_rates_are_as_sure_as_the_row_bootstrap_says(kind):
    rng = np.random.default_rng(5)
    n = 3_000
    y, p, a = draw(rng, n)
    w = rng.choice([0.5, 1.0, 6.0], n) if kind == "few_values" else rng.lognormal(0, 1, n)
    if kind == "with_the_decision":
        w = np.where(p, 4.0, 1.0)
    result = audit(y, p, sensitive_features=a, sample_weight=w)
    low, high = row_bootstrap(p, a, 2_000, 2, w)
    room = 0.08 * (high - low).min()
    wider_below = low - result.by_group_low["selection_rate"]
    wider_above = result.by_group_high["selection_rate"] - high
    for wider in (wider_below, wider_above):
        assert wider.min() > -room, "never shorter"
        if kind != "with_the_decision":  # there Kish's number is the safer one, and less
            assert wider.max() < room


@pytest.mark.parametrize("weighted", [False, True])
def test_mean_scores_are_as_sure_as_the_row_bootstrap_says(weighted):
    rng = np.random.default_rng(6)
    y, p, a = draw(rng, 1_500)
    s = np.clip(0.4 * p + 0.5 * rng.random(1_500), 0, 1)
    w = rng.lognormal(0, 0.7, 1_500) if weighted else np.ones(1_500)
    result = audit(y, p, sensitive_features=a, score=s, sample_weight=w)
    low, high = row_bootstrap(s, a, 2_000, 3, w)
    np.testing.assert_allclose(
        result.by_group_low["mean_score"], low, atol=0.08 * (high - low).max()
    )
    np.testing.assert_allclose(
        result.by_group_high["mean_score"], high, atol=0.08 * (high - low).max()
    )


def test_constant_weights_change_nothing_and_scale_does_not_matter():
    y, p, a = draw(np.random.default_rng(7))
    plain = audit(y, p, sensitive_features=a)
    double = audit(y, p, sensitive_features=a, sample_weight=np.full(len(y), 2.0))
    pd.testing.assert_frame_equal(plain.disparities, double.disparities)


cases = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from("ab"), st.sampled_from("xyz")),
    min_size=2,
    max_size=60,
)


@settings(max_examples=40)
@given(cases, st.integers(0, 5))
def test_bounds_hold_the_value_and_rates_stay_in_range(data, seed):
    y, p, a, b = (np.array(x) for x in zip(*data, strict=True))
    groups = pd.DataFrame({"a": a, "b": b})
    result = audit(y, p, sensitive_features=groups, seed=seed)
    gaps = result.disparities.dropna()
    assert (gaps["low"] <= gaps["value"]).all()
    assert (gaps["value"] <= gaps["high"]).all()
    assert gaps.to_numpy().min(initial=0) >= 0
    assert gaps.to_numpy().max(initial=0) <= 1 + 1e-12
    # no row is lost: the groups' rates, weighted by their counts, are the overall rate
    seen = result.by_group.dropna(subset=["count"])
    assert seen["count"].sum() == len(y)
    assert np.average(seen["selection_rate"], weights=seen["count"]) == pytest.approx(
        result.overall["selection_rate"]
    )
    rates = result.interval("selection_rate").dropna()
    assert ((rates["low"] <= rates["value"]) & (rates["value"] <= rates["high"])).all()
    assert (rates["low"] < rates["high"]).all()


@settings(max_examples=25)
@given(cases)
def test_order_of_rows_and_names_of_groups_do_not_matter(data):
    y, p, a, _ = (np.array(x) for x in zip(*data, strict=True))
    one = audit(y, p, sensitive_features=a).disparities["value"]
    order = np.random.default_rng(0).permutation(len(y))
    renamed = np.where(a == "a", "zz", "y")[order]
    two = audit(y[order], p[order], sensitive_features=renamed).disparities["value"]
    pd.testing.assert_series_equal(one, two)


def test_same_seed_same_bytes_and_no_interval_is_drawn_by_lot():
    y, p, a = draw(np.random.default_rng(8))
    one = audit(y, p, sensitive_features=a, seed=1)
    two = audit(y, p, sensitive_features=a, seed=1)
    other = audit(y, p, sensitive_features=a, seed=2)
    pd.testing.assert_frame_equal(one.chance, two.chance, check_exact=True)
    assert not one.chance.equals(other.chance)
    pd.testing.assert_frame_equal(one.disparities, other.disparities, check_exact=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a,
        lambda a: list(a),
        lambda a: pd.Series(a, index=np.arange(len(a))[::-1]),
        lambda a: pd.Series(a).astype("category"),
        lambda a: pd.Categorical(a, categories=["z", "b", "a"]),
        lambda a: pd.DataFrame({"g": a}),
        lambda a: {"g": a},
        lambda a: a.reshape(-1, 1),
        lambda a: a.astype(object),
    ],
)
def test_every_kind_of_group_column_gives_the_same(make):
    rng = np.random.default_rng(9)
    a = rng.choice(["a", "b"], 200)
    y, p = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    expected = audit(y, p, sensitive_features=a)
    found = audit(pd.Series(y == 1), 2 * p - 1, sensitive_features=make(a))
    pd.testing.assert_frame_equal(expected.disparities, found.disparities)
    assert list(found.by_group.index) == ["a", "b"]


def test_ordered_bands_keep_their_order_and_missing_is_a_group():
    band = pd.Categorical(
        ["low", "high", None, "low"], categories=["low", "high", "never"], ordered=True
    )
    result = audit([1, 1, 0, 0], [1, 0, 1, 0], sensitive_features=pd.Series(band, name="band"))
    assert list(result.by_group.index) == ["low", "high", "(missing)"]
    assert result.by_group["count"].tolist() == [2, 1, 1]


def test_small_and_empty_groups_are_marked_not_dropped():
    a = ["x"] * 50 + ["y"] * 3
    b = ["m"] * 25 + ["f"] * 25 + ["m"] * 3
    p = [1, 0] * 25 + [0, 0, 0]
    result = audit(p, p, sensitive_features=pd.DataFrame({"a": a, "b": b}))
    assert len(result.by_group) == 4
    assert result.by_group["small_group"].tolist() == [True, True, True, True]
    assert result.small_groups == [("x", "f"), ("x", "m"), ("y", "m")]
    assert math.isnan(result.by_group.loc[("y", "f"), "selection_rate"])
    assert result.disparities.loc["demographic_parity_difference", "value"] == 13 / 25
    assert (("y", "m"), "true_positive_rate") in result.undefined
    # nothing but zeros, of three people
    assert result.interval("selection_rate").loc[("y", "m"), "high"] > 0.5


def test_four_fifths_is_named_as_a_us_employment_rule_of_thumb():
    a = ["a"] * 30 + ["b"] * 30
    at_line = audit(None, [1] * 15 + [0] * 15 + [1] * 12 + [0] * 18, sensitive_features=a)
    below = audit(None, [1] * 15 + [0] * 15 + [1] * 9 + [0] * 21, sensitive_features=a)
    assert not at_line.four_fifths_flag  # exactly 0.8 is not under 0.8
    assert below.four_fifths_flag
    assert below.four_fifths["below"].tolist() == [False, True]
    for words in ("US", "employment", "rule of thumb", "not a legal threshold", "1607.4(D)"):
        assert words in FOUR_FIFTHS_NOTE
    assert FOUR_FIFTHS_NOTE in below._repr_html_()


def test_without_outcomes_only_what_needs_none_is_reported():
    result = audit(None, [1, 0, 1, 1], sensitive_features=list("aabb"))
    assert "true_positive_rate" not in result.by_group
    assert all(name.startswith("demographic_parity") for name in result.disparities.index)


def test_intersections_show_what_margins_hide():
    a = np.repeat(["a", "a", "b", "b"], 100)
    b = np.tile(np.repeat(["x", "y"], 100), 2)
    p = np.concatenate([np.arange(100) < k for k in (80, 20, 20, 80)])
    margin = [
        audit(None, p, sensitive_features=f).disparities.loc[
            "demographic_parity_difference", "value"
        ]
        for f in (a, b)
    ]
    cross = audit(None, p, sensitive_features=pd.DataFrame({"a": a, "b": b}))
    assert margin == [0, 0]
    assert cross.disparities.loc["demographic_parity_difference", "value"] == pytest.approx(0.6)


def test_calibration_table_finds_the_group_whose_score_is_too_low():
    rng = np.random.default_rng(11)
    n = 20_000
    a = rng.choice(["a", "b"], n)
    score = rng.random(n) * 0.5
    y = rng.random(n) < score + 0.2 * (a == "b")
    result = audit(y, score > 0.25, sensitive_features=a, score=score)
    assert result.by_group["calibration_gap"]["a"] == pytest.approx(0, abs=0.02)
    assert result.by_group["calibration_gap"]["b"] == pytest.approx(-0.2, abs=0.02)
    table = result.calibration
    outside = (table["mean_score"] < table["low"]) | (table["mean_score"] > table["high"])
    assert outside[table["sensitive_feature_0"] == "b"].mean() == 1
    assert outside[table["sensitive_feature_0"] == "a"].mean() <= 0.2
    assert table["count"].sum() == n


def test_to_dict_is_json_without_nan():
    result = audit([1, 0, 1], [1, 0, 0], sensitive_features=list("aab"))
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["n_rows"] == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_true": [1, 0, 2, 1]}, ["y_true", "row 2", "0/1"]),
        ({"y_true": ["yes", "no", "yes", "no"]}, ["y_true", "'yes'", "True/False"]),
        ({"y_pred": [1, 0]}, ["2", "y_true"]),
        ({"y_pred": pd.Series([1, None, 0, 1])}, ["y_pred", "row 1", "missing"]),
        ({"y_pred": []}, ["y_pred", "no rows"]),
        ({"sensitive_features": {"g": list("aab")}}, ["g", "3 rows"]),
        ({"sensitive_features": pd.DataFrame({0: list("aabb")})}, ["0", "text"]),
        ({"sample_weight": [1, -1, 1, 1]}, ["sample_weight", "row 1"]),
        ({"sample_weight": [0, 0, 0, 0]}, ["sample_weight", "0"]),
        ({"sample_weight": [1, np.nan, 1, 1]}, ["sample_weight", "row 1"]),
        ({"score": ["high", "low", "low", "low"]}, ["score", "numbers"]),
        ({"control_features": {"sensitive_feature_0": list("aabb")}}, ["twice"]),
        ({"confidence": 95}, ["confidence", "0.95"]),
        ({"zero_division": 1.0}, ["zero_division"]),
    ],
)
def test_bad_input_gets_one_clear_sentence(change, words):
    good = {"y_true": [1, 0, 1, 0], "y_pred": [1, 1, 0, 0], "sensitive_features": list("aabb")}
    call = {**good, **change}
    with pytest.raises(InputError) as error:
        audit(call.pop("y_true"), call.pop("y_pred"), **call)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_groups_says_what_to_do():
    n = 6_000
    with pytest.raises(InputError, match="bin it first"):
        audit(None, np.ones(n), sensitive_features=pd.Series(np.arange(n) * 1.5, name="income"))
    with pytest.raises(InputError, match="income x age form 6,000 groups"):
        audit(
            None,
            np.ones(n),
            sensitive_features={"income": np.arange(n) // 2, "age": np.arange(n) % 2},
        )


def test_unknown_metric_is_named():
    result = audit([1, 0], [1, 0], sensitive_features=list("ab"))
    with pytest.raises(InputError, match="selection_rate"):
        result.interval("recall")


def test_a_small_group_is_marked_and_nobody_is_compared_with_it():
    groups = ["tiny"] * 29 + ["a"] * 200 + ["b"] * 200
    chosen = [1] * 29 + [1] * 100 + [0] * 100 + [1] * 90 + [0] * 110
    found = audit(None, chosen, sensitive_features=groups, seed=2)
    assert found.four_fifths["ratio_to_highest"].round(2).to_dict() == {
        "a": 1.0,
        "b": 0.9,
        "tiny": 2.0,
    }
    assert not found.four_fifths_flag
    assert found.small_groups == ["tiny"]
    # with one person more it is a group as any other
    one_more = audit(None, [1, *chosen], sensitive_features=["tiny", *groups], seed=2)
    assert one_more.four_fifths["ratio_to_highest"].round(2).to_dict() == {
        "a": 0.5,
        "b": 0.45,
        "tiny": 1.0,
    }
    alone = audit(None, [1, 0] * 10, sensitive_features=["x", "x", "y", "y"] * 5)
    assert alone.four_fifths["ratio_to_highest"].isna().all()
    assert not alone.four_fifths_flag


# -- rows that belong together ------------------------------------------------------------


def _people(seed, n=100):
    rng = np.random.default_rng(seed)
    group = np.repeat(["a", "b"], n // 2)
    return group, rng.random(n) < np.where(group == "a", 0.5, 0.3)


@pytest.mark.parametrize("with_score", [False, True])
def test_people_who_come_again_make_no_interval_narrower(with_score):
    group, chosen = _people(3)
    happened = np.random.default_rng(4).random(100) < 0.4
    score = np.random.default_rng(5).random(100)
    times = 28
    once = {"y_true": happened, "y_pred": chosen, "score": score if with_score else None}
    again = {k: None if v is None else np.tile(v, times) for k, v in once.items()}
    ids = np.tile(np.arange(100), times)
    one = audit(**once, sensitive_features=group, seed=1)
    many = audit(**again, sensitive_features=np.tile(group, times), clusters=ids, seed=1)
    rows = audit(**again, sensitive_features=np.tile(group, times), seed=1)
    assert (many.n_rows, many.n_clusters, one.n_clusters) == (2800, 100, None)
    pd.testing.assert_frame_equal(
        one.by_group.drop(columns="count"), many.by_group.drop(columns="count")
    )
    np.testing.assert_allclose(one.denominators, many.denominators)
    for of in (
        lambda a: a.by_group_high - a.by_group_low,
        lambda a: a.disparities["high"] - a.disparities["low"],
    ):
        np.testing.assert_allclose(of(many), of(one), rtol=0.02, atol=0.002)
    gap = "demographic_parity_difference"
    assert many.chance.loc[gap, "p_value"] == pytest.approx(
        one.chance.loc[gap, "p_value"], abs=0.03
    )
    assert (
        rows.by_group_high["selection_rate"] - rows.by_group_low["selection_rate"]
    ).max() < 0.4 * (
        many.by_group_high["selection_rate"] - many.by_group_low["selection_rate"]
    ).min()


def test_intervals_of_clusters_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    held, tries = 0, 300
    for _ in range(tries):
        # 60 households in each group, one to five people, who are chosen much alike
        size = rng.integers(1, 6, 120)
        leaning = rng.beta(2, 2, 120)  # half of all are chosen, in both groups
        household = np.repeat(np.arange(120), size)
        chosen = rng.random(household.size) < leaning[household]
        group = np.where(household % 2, "a", "b")
        found = audit(None, chosen, sensitive_features=group, clusters=household, seed=1)
        rate = found.interval("selection_rate").loc["a"]
        held += rate["low"] <= 0.5 <= rate["high"]
    assert 0.90 <= held / tries <= 0.985


def test_clusters_of_one_row_change_nothing_and_gaps_among_them_are_refused():
    group, chosen = _people(6)
    plain = audit(None, chosen, sensitive_features=group)
    own = audit(None, chosen, sensitive_features=group, clusters=np.arange(100))
    pd.testing.assert_frame_equal(plain.disparities, own.disparities)
    with pytest.raises(InputError, match="clusters is missing in 1 rows, first in row 3"):
        audit(None, chosen[:4], sensitive_features=group[:4], clusters=[1, 1, 2, None])
    with pytest.raises(InputError, match="not accepted together"):
        audit(None, chosen, sensitive_features=group, clusters=group, sample_weight=np.ones(100))


def test_where_everybody_is_chosen_the_clusters_say_how_sure_that_is():
    ids = np.repeat(np.arange(40), 10)
    found = audit(None, [1] * 400, sensitive_features=np.where(ids < 20, "a", "b"), clusters=ids)
    assert found.denominators["selection_rate"].tolist() == [20, 20]
    assert found.interval("selection_rate")["low"].round(2).tolist() == [0.84, 0.84]
    assert found.by_group["small_group"].all(), "twenty people each, whatever the rows"
