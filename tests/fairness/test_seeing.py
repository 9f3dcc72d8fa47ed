"""What an audit can see: power, many comparisons, searching, unknown groups, absent people."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    attribute_error_table,
    audit,
    calibration_and_balance,
    compare_groups,
    delivery_skew,
    detectable,
    left_out,
    missing_attribute_bounds,
    over_contact,
    price_disparity,
    representation,
    required_sample_size,
    simulate_delivery,
    smallest_detectable_gap,
    steering,
    two_proportion_power,
    worst_group,
)

# ---------------------------------------------------------------------------- power


@pytest.mark.parametrize(
    ("rate_1", "rate_0", "n_1", "n_0"),
    [(0.12, 0.18, 400, 900), (0.30, 0.30, 500, 500), (0.02, 0.06, 500, 3_000)],
)
def test_power_is_the_share_of_samples_in_which_the_test_rejects(rate_1, rate_0, n_1, n_0):
    rng = np.random.default_rng(0)
    runs = 20_000
    h1, h0 = rng.binomial(n_1, rate_1, runs), rng.binomial(n_0, rate_0, runs)
    pooled = (h1 + h0) / (n_1 + n_0)
    z = (h1 / n_1 - h0 / n_0) / np.sqrt(pooled * (1 - pooled) * (1 / n_1 + 1 / n_0))
    simulated = np.mean(np.abs(z) > 1.959964)
    assert two_proportion_power(rate_1, rate_0, n_1, n_0) == pytest.approx(simulated, abs=0.02)


def test_published_sample_size():
    # Fleiss, Levin and Paik's formula for 0.10 against 0.12 at 80 %: 3,841 a group
    assert required_sample_size(0.12, 0.10) == pytest.approx(2 * 3_841, abs=4)


@settings(max_examples=40)
@given(
    st.floats(0.05, 0.95),
    st.integers(50, 5_000),
    st.integers(50, 5_000),
    st.sampled_from(["below", "above"]),
)
def test_smallest_gap_is_where_power_reaches_its_goal(rate, n_1, n_0, direction):
    gap = smallest_detectable_gap(rate, n_1, n_0, direction=direction)
    sign = -1 if direction == "below" else 1
    if math.isnan(gap):
        extreme = 0.0 if direction == "below" else 1.0
        assert two_proportion_power(extreme, rate, n_1, n_0) < 0.8
        return
    assert two_proportion_power(rate + sign * gap, rate, n_1, n_0) >= 0.8 - 1e-6
    assert two_proportion_power(rate + sign * gap * 0.97, rate, n_1, n_0) < 0.8
    assert smallest_detectable_gap(rate, 4 * n_1, 4 * n_0, direction=direction) < gap


def test_detectable_names_the_group_that_cannot_be_seen():
    group = np.repeat(["large", "small"], [5_000, 20])
    decision = np.arange(5_020) % 10 == 0
    table = detectable(audit(None, decision, sensitive_features=group), gap=0.05)
    assert math.isnan(table.loc["small", "smallest_gap"])
    assert table.loc["small", "power"] < 0.3
    assert table.loc["small", "n"] == 20


# -------------------------------------------------------------- many comparisons


def test_each_comparison_equals_the_plain_two_by_two_table():
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    group = rng.choice(list("abc"), 900, p=[0.6, 0.38, 0.02])
    decision = rng.random(900) < np.where(group == "a", 0.3, 0.45)
    table = compare_groups(audit(None, decision, sensitive_features=group))
    for name, row in table.iterrows():
        inside = group == name
        cross = [
            [np.sum(decision[inside]), np.sum(~decision[inside])],
            [np.sum(decision[~inside]), np.sum(~decision[~inside])],
        ]
        _, p, _, expected = scipy_stats.chi2_contingency(cross, correction=False)
        if expected.min() < 5:
            p = scipy_stats.fisher_exact(cross).pvalue
        assert row["p_value"] == pytest.approx(p, rel=1e-9)
        assert row["difference"] == decision[inside].mean() - decision[~inside].mean()
        assert row["low"] <= row["difference"] <= row["high"]
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_adjusting_holds_false_alarms_where_many_groups_are_alike():
    raw = adjusted = 0
    runs = 150
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        group, decision = rng.integers(0, 20, 4_000), rng.random(4_000) < 0.3
        table = compare_groups(audit(None, decision, sensitive_features=group))
        raw += (table["p_value"] <= 0.05).any()
        adjusted += table["flagged"].any()
    assert raw / runs > 0.4  # 1 - 0.95 ** 20 = 0.64, were they independent
    assert adjusted / runs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_comparisons_stay_within_the_control_level():
    # half the rows of each level are "a"; overall rates differ by level only
    control = np.repeat(["x", "y"], 400)
    group = np.tile(["a", "b"], 400)
    decision = np.concatenate([np.arange(400) % 10 < 8, np.arange(400) % 10 < 2])
    result = audit(
        None,
        decision,
        sensitive_features=pd.Series(group, name="g"),
        control_features=pd.Series(control, name="c"),
    )
    table = compare_groups(result)
    assert table.loc[("x", "a"), "rate_of_others"] == result.by_group.loc[("x", "b")].selection_rate


# ------------------------------------------------------------------------ searching


def planted(seed, drop, n=8_000):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "region": rng.choice(list("nsew"), n),
            "age": rng.choice(["young", "middle", "old"], n),
            "device": rng.choice(["app", "web"], n),
        }
    )
    worst = (table["sex"] == "f") & (table["region"] == "s") & (table["age"] == "old")
    decision = rng.random(n) < np.where(worst, 0.4 - drop, 0.4)
    return table, decision


def test_the_planted_worst_group_is_found_and_confirmed():
    covered = 0
    for seed in range(40):
        table, decision = planted(seed, 0.25)
        result = worst_group(None, decision, sensitive_features=table, seed=seed)
        assert result.group == {"sex": "f", "region": "s", "age": "old"}
        assert result.is_confirmed
        covered += -0.25 in result.confirmed
    assert covered >= 34  # 95 % of 40 is 38; below 34 comes once in a hundred


def test_a_search_where_nothing_is_wrong_is_confirmed_no_more_than_alpha():
    runs = 200
    confirmed, looks_worse, honest = 0, 0, []
    for seed in range(runs):
        table, decision = planted(seed, 0.0, 3_000)
        result = worst_group(None, decision, sensitive_features=table, seed=seed)
        confirmed += result.is_confirmed
        looks_worse += result.found.high < 0  # what a naive interval would claim
        honest.append(result.confirmed.value)
        assert result.searched > 60
    assert confirmed / runs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)
    assert looks_worse / runs > 0.5
    assert abs(np.mean(honest)) < 0.02  # held-out gaps scatter around the truth, 0


def test_search_knows_which_direction_is_worse():
    rng = np.random.default_rng(3)
    n = 4_000
    group = rng.choice(list("abc"), n)
    y = rng.random(n) < 0.5
    p = np.where(y, True, rng.random(n) < np.where(group == "b", 0.5, 0.2))
    result = worst_group(y, p, sensitive_features=group, metric="false_positive_rate")
    assert result.group == {"sensitive_feature_0": "b"}
    assert result.confirmed.low > 0


def test_search_without_large_groups_says_so():
    result = worst_group(None, [1, 0] * 20, sensitive_features=np.arange(40))
    assert result.group == {}
    assert math.isnan(result.p_value)
    assert not result.is_confirmed
    assert "No group" in str(result)


# ------------------------------------------------------------------ unknown groups


def test_error_table_is_what_shuffled_labels_show_on_average():
    rng = np.random.default_rng(0)
    n = 200_000
    group = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    decision = rng.random(n) < np.array([0.5, 0.4, 0.2])[group]
    table = attribute_error_table(decision, group, [0.2])
    share = np.bincount(group) / n
    wrong = rng.random(n) < 0.2
    noisy = group.copy()
    for g in range(3):
        p = share.copy()
        p[g] = 0
        where = wrong & (group == g)
        noisy[where] = rng.choice(3, where.sum(), p=p / p.sum())
    rate = np.bincount(noisy, decision) / np.bincount(noisy)
    assert table["demographic_parity_difference"][0] == pytest.approx(np.ptp(rate), abs=0.01)
    assert table["share_of_true_gap"][0] < 0.8


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("ab"), st.booleans()), min_size=4, max_size=12
    )
)
def test_bounds_hold_whoever_the_missing_people_are(rows):
    p, group, missing = (np.array(x) for x in zip(*rows, strict=True))
    known = group[~missing]
    if len(set(known)) < 2:
        return
    table = missing_attribute_bounds(p, pd.Series(group, dtype=object).where(~missing))
    holes = np.flatnonzero(missing)
    gaps = []
    for code in range(2 ** len(holes)):  # every way to fill the holes
        filled = group.copy()
        filled[holes] = ["ab"[code >> i & 1] for i in range(len(holes))]
        rate = {g: p[filled == g].mean() for g in "ab"}
        for g in "ab":
            assert table.loc[g, "low"] - 1e-9 <= rate[g] <= table.loc[g, "high"] + 1e-9
        gaps.append(abs(rate["a"] - rate["b"]))
    assert table.loc["gap", "low"] - 1e-9 <= min(gaps)
    assert table.loc["gap", "high"] == pytest.approx(max(gaps))


# ------------------------------------------------------------------- absent people


def test_representation_counts_and_flags():
    table = representation(["a"] * 60 + ["b"] * 40, {"a": 60, "b": 30, "c": 10})
    assert table.loc["c", "count"] == 0
    assert table.loc["c", "ratio"] == 0
    assert table["outside"].to_dict() == {"a": False, "b": True, "c": True}
    assert table["population_share"].sum() == pytest.approx(1)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_proportion_power(1.2, 0.1, 10, 10), "rate_1"),
        (lambda: two_proportion_power(0.2, 0.1, 0, 10), "n_1"),
        (lambda: required_sample_size(0.1, 0.1), "both rates"),
        (lambda: smallest_detectable_gap(0.1, 10, 10, power=0.01), "power"),
        (lambda: worst_group(None, [1, 0], sensitive_features=[0, 1], metric="tpr"), "tpr"),
        (
            lambda: worst_group(
                None, [1, 0], sensitive_features=[0, 1], metric="true_positive_rate"
            ),
            "needs y_true",
        ),
        (lambda: attribute_error_table([1, 0, 1], ["a", None, "b"]), "missing_attribute_bounds"),
        (lambda: missing_attribute_bounds([1, 0], ["a", "a"]), "two"),
        (lambda: representation(["a"], {"a": -1}), "'a'"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------ gaps in a group column

WITH_A_GAP = ["a", "b", math.nan, "b"]
SHAPES = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "object array": lambda values: np.array(values, dtype=object),
    "Series": pd.Series,
    "string": lambda values: pd.Series(values, dtype="string"),
    "category": lambda values: pd.Series(values, dtype="category"),
    "None": lambda values: [None if value != value else value for value in values],
}
READERS = {
    "delivery": lambda group: delivery_skew([1, 0, 1, 0] * 5, group),
    "simulate_delivery": lambda group: simulate_delivery(
        group, {"a": 1.0, "b": 1.2, "(missing)": 1.1}, bid=1.0
    ),
    "price": lambda group: price_disparity([1.0, 2.0, 3.0, 4.0] * 5, group),
    "price within": lambda group: price_disparity(
        [1.0, 2, 3, 4] * 5, ["x", "y"] * 10, control=group
    ),
    "over_contact": lambda group: over_contact([1, 2, 3, 4] * 5, group, cap=2),
    "left_out": lambda group: left_out([1, 0, 1, 0] * 5, [1] * 20, group),
    "steering": lambda group: pd.DataFrame(
        steering([1, 0, 1, 1] * 5, range(20), control=group, bands=2)[1]
    ),
    "representation": lambda group: representation(group, {"a": 0.5, "b": 0.5}),
    "audit": lambda group: audit(None, [1, 0, 1, 0] * 5, sensitive_features=group).by_group,
    "audit of two": lambda group: (
        audit(None, [1, 0, 1, 0] * 5, sensitive_features={"g": group, "h": ["x"] * 20}).by_group
    ),
    "calibration_and_balance": lambda group: calibration_and_balance(
        [1, 0] * 10, [0.5, 0.4] * 10, group
    ),
    "bounds": lambda group: missing_attribute_bounds([1, 0, 1, 0] * 5, group),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_gap_is_a_gap_in_whatever_holds_the_groups(shape):
    table = missing_attribute_bounds([1, 0, 1, 0], SHAPES[shape](WITH_A_GAP))
    assert "nan" not in table.index
    gap = table.loc["gap", ["low", "high"]].round(3).tolist()
    assert gap == [0.667, 1.0]
    assert table.drop(index="gap")["n"].sum() == 3


@pytest.mark.parametrize("name", READERS)
def test_every_reader_of_groups_reads_them_alike(name):
    expected = READERS[name](pd.Series(WITH_A_GAP * 5))
    for shape, make in SHAPES.items():
        found = READERS[name](make(WITH_A_GAP * 5))
        pd.testing.assert_frame_equal(found, expected, check_categorical=False, obj=shape)
        assert "nan" not in found.to_string().replace("NaN", "").split()
