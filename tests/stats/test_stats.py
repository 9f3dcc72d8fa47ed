"""Intervals and bootstraps: against scipy, and by their coverage of a known truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab import stats
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
some_counts = counts.filter(lambda pair: pair[1] > 0)


def approx(x: float) -> object:
    return pytest.approx(x, rel=1e-9, abs=1e-12)


# ------------------------------------------------------------------------- Interval


def test_interval_reads_well_and_refuses_crossed_bounds():
    interval = Interval(-0.0001, -0.02, 0.01)
    assert interval.format(2) == "0.00 [-0.02, 0.01]"
    assert interval.format(1, percent=True, signed=True) == "+0.0 % [-2.0 %, +1.0 %]"
    assert f"{interval:.2f}" == "-0.00 [-0.02, 0.01]"
    assert 0.005 in interval
    assert 0.02 not in interval
    assert tuple(interval) == (-0.0001, -0.02, 0.01)
    with pytest.raises(InputError, match="low 2 is above high 1"):
        Interval(1.5, 2, 1)
    with pytest.raises(InputError, match="confidence"):
        Interval(1.5, 1, 2, 95)
    with pytest.raises(AttributeError):
        interval.value = 3  # type: ignore[misc]


def test_undefined_interval_says_so_and_serialises_as_null():
    empty = stats.proportion_interval(0, 0)
    assert all(math.isnan(x) for x in empty)
    assert not empty.is_defined
    assert empty.format() == "undefined [undefined, undefined]"
    assert json.loads(json.dumps(empty.to_dict()))["value"] is None
    assert 0.0 not in empty


# ------------------------------------------------------------------ closed forms


@given(some_counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy(pair, confidence):
    k, n = pair
    theirs = scipy.stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    ours = stats.proportion_interval(k, n, confidence)
    assert ours.value == k / n
    # scipy leaves rounding dust at the ends, where the bound is exactly 0 or 1
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


def test_newcombe_reproduces_the_published_table():
    # Newcombe (1998), table II, method 10: (a) 56/70 - 48/80, (b) 9/10 - 3/10,
    # (c) 10/10 - 0/20 has limits .6791 and 1.
    for data, low, high in [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((10, 10, 0, 20), 0.6791, 1.0000),
    ]:
        interval = stats.proportion_difference_interval(*data)
        assert interval.low == pytest.approx(low, abs=5e-5)
        assert interval.high == pytest.approx(high, abs=5e-5)


@given(some_counts, some_counts)
def test_newcombe_contains_its_value_and_is_antisymmetric(a, b):
    forward = stats.proportion_difference_interval(*a, *b)
    backward = stats.proportion_difference_interval(*b, *a)
    assert -1 - 1e-12 <= forward.low <= forward.value <= forward.high <= 1 + 1e-12
    assert forward.low == approx(-backward.high)
    assert forward.high == approx(-backward.low)


numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


@given(numbers, st.sampled_from([0.8, 0.95]))
def test_mean_interval_equals_scipy(x, confidence):
    sem = scipy.stats.sem(x)
    ours = stats.mean_interval(x, confidence)
    half = scipy.stats.t.ppf(0.5 + confidence / 2, len(x) - 1) * sem
    assert ours.low == pytest.approx(np.mean(x) - half, rel=1e-9, abs=1e-9)
    assert ours.high == pytest.approx(np.mean(x) + half, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40))
def test_welch_equals_scipy(seed, n1, n0):
    rng = np.random.default_rng(seed)
    a, b = rng.gamma(2, 3, n1), rng.normal(1, 4, n0)
    theirs = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    ours = stats.difference_interval(a, b, 0.9)
    assert ours.low == approx(theirs.low)
    assert ours.high == approx(theirs.high)


def test_difference_interval_chooses_the_method_by_the_values():
    a, b = [1, 1, 0, 1], [0, 0, 1, 0]
    assert stats.difference_interval(a, b) == stats.proportion_difference_interval(3, 4, 1, 4)
    assert stats.difference_interval(a, b, method="welch") != stats.difference_interval(a, b)
    with pytest.raises(InputError, match="needs values 0 and 1"):
        stats.difference_interval([0.5, 1], b, method="newcombe")
    with pytest.raises(InputError, match="accepted: auto, newcombe, welch"):
        stats.difference_interval(a, b, method="wald")
    with pytest.raises(InputError, match="missing value at position 1"):
        stats.difference_interval([1, math.nan], b)
    assert all(math.isnan(x) for x in stats.difference_interval([], [0.5, 1.0]))
    single = stats.difference_interval([2.5], [0.5, 1.0])
    assert single.value == 1.75
    assert math.isnan(single.low)


@pytest.mark.parametrize("bad", [(5, 4), (-1, 4), (math.nan, 4)])
def test_impossible_counts_are_refused(bad):
    with pytest.raises(InputError, match="0 <= successes <= n"):
        stats.proportion_interval(*bad)


# -------------------------------------------------------------------- coverage


def within(covered: np.ndarray, nominal: float, slack: float = 0.012) -> bool:
    """Whether the share covered is near nominal: 3 standard errors plus ``slack``."""
    se = math.sqrt(nominal * (1 - nominal) / covered.size)
    return abs(covered.mean() - nominal) <= 3 * se + slack


@pytest.mark.parametrize(("p", "n"), [(0.1, 60), (0.5, 40), (0.02, 400)])
def test_wilson_covers_at_the_nominal_rate(p, n):
    k = np.random.default_rng(3).binomial(n, p, 8000)
    low, high = stats.wilson_bounds(k, n)
    assert within((low <= p) & (p <= high), 0.95, slack=0.02)


@pytest.mark.parametrize(("p1", "n1", "p0", "n0"), [(0.15, 300, 0.1, 250), (0.6, 50, 0.3, 80)])
def test_newcombe_covers_at_the_nominal_rate(p1, n1, p0, n0):
    rng = np.random.default_rng(4)
    low, high = stats.newcombe_bounds(
        rng.binomial(n1, p1, 8000), n1, rng.binomial(n0, p0, 8000), n0
    )
    assert within((low <= p1 - p0) & (p1 - p0 <= high), 0.95)


def test_welch_and_mean_cover_at_the_nominal_rate():
    rng = np.random.default_rng(5)
    hit_mean, hit_difference = [], []
    for _ in range(2000):
        a, b = rng.normal(2, 3, 20), rng.normal(1, 1, 35)
        hit_mean.append(2 in stats.mean_interval(a))
        hit_difference.append(1 in stats.difference_interval(a, b))
    assert within(np.array(hit_mean), 0.95, slack=0)
    assert within(np.array(hit_difference), 0.95, slack=0)


def test_bootstrapped_ratio_covers_at_the_nominal_rate():
    rng = np.random.default_rng(6)
    truth = 0.2 / 0.3
    hits = []
    for seed in range(400):
        k1, k0 = rng.binomial(500, 0.2), rng.binomial(600, 0.3)
        draws = stats.bootstrap_counts([[k1, 500 - k1], [k0, 600 - k0]], 400, seed, fixed=0)
        share = draws[:, :, 0] / draws.sum(axis=2)
        ratio = (k1 / 500) / (k0 / 600)
        hits.append(truth in stats.percentile_interval(ratio, share[:, 0] / share[:, 1]))
    assert within(np.array(hits), 0.95)


# ------------------------------------------------------------------- bootstrap


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=2, max_size=4),
    st.sampled_from([(), 0, 1, (0, 1)]),
    st.integers(0, 99),
)
def test_bootstrap_counts_keeps_totals_and_empty_cells(table, fixed, seed):
    table = np.array(table)
    draws = stats.bootstrap_counts(table, 20, seed, fixed=fixed)
    assert draws.shape == (20, *table.shape)
    assert (draws.sum(axis=(1, 2)) == table.sum()).all()
    assert (draws[:, table == 0] == 0).all()
    for axis in (fixed,) if isinstance(fixed, int) else fixed:
        other = 1 - axis
        assert (draws.sum(axis=other + 1) == table.sum(axis=other)).all()
    again = stats.bootstrap_counts(table, 20, seed, fixed=fixed)
    assert (draws == again).all()


def test_bootstrap_counts_has_the_moments_of_the_row_bootstrap():
    rows = np.repeat([0, 1, 2], [20, 50, 130])
    by_rows = stats.bootstrap_rows(
        lambda at: np.bincount(rows[at], minlength=3), rows.size, 4000, seed=1
    )
    by_counts = stats.bootstrap_counts([20, 50, 130], 4000, seed=2)
    assert np.allclose(by_rows.mean(axis=0), by_counts.mean(axis=0), atol=0.5)
    assert np.allclose(by_rows.std(axis=0), by_counts.std(axis=0), rtol=0.05)


def test_bootstrap_rows_keeps_strata():
    strata = np.array(["a"] * 5 + ["b"] * 9)
    draws = stats.bootstrap_rows(lambda at: (strata[at] == "a").sum(), 14, 50, strata=strata)
    assert (draws == 5).all()
    with pytest.raises(InputError, match=r"strata has shape \(3,\)"):
        stats.bootstrap_rows(lambda at: 0.0, 14, strata=[1, 2, 3])


def test_bad_bootstrap_input_is_one_sentence():
    with pytest.raises(InputError, match="whole numbers"):
        stats.bootstrap_counts([1.5, 2])
    with pytest.raises(InputError, match="n_boot is 0"):
        stats.bootstrap_counts([1, 2], 0)
    with pytest.raises(InputError, match="fixed names axis"):
        stats.bootstrap_counts([1, 2], fixed=1)


def test_percentile_interval_holds_its_value_and_needs_defined_replicates():
    wide = stats.percentile_interval(5.0, np.linspace(0, 1, 101))
    assert (wide.low, wide.high) == (pytest.approx(0.025), 5.0)
    mostly_undefined = stats.percentile_interval(1.0, [math.nan] * 6 + [1.0] * 4)
    assert mostly_undefined.value == 1.0
    assert math.isnan(mostly_undefined.low)


# ------------------------------------------------------------ multiple testing


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_equals_scipy(p):
    theirs = scipy.stats.false_discovery_control(p)
    assert np.allclose(stats.benjamini_hochberg(p), theirs, rtol=1e-9, atol=1e-12)


def test_benjamini_hochberg_leaves_untested_out_and_checks_the_range():
    adjusted = stats.benjamini_hochberg([0.01, math.nan, 0.02])
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.02])
    assert stats.benjamini_hochberg([]).size == 0
    with pytest.raises(InputError, match="between 0 and 1"):
        stats.benjamini_hochberg([0.2, 1.2])


@settings(deadline=None)
@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
def test_the_largest_of_two_groups_is_newcombe_s_difference(a, b):
    found = stats.largest_difference_interval([a[0], b[0]], [a[1], b[1]])
    more, less = sorted((a, b), key=lambda pair: -pair[0] / pair[1])
    wanted = stats.proportion_difference_interval(*more, *less)
    assert tuple(found) == pytest.approx(tuple(wanted), abs=1e-12)


def test_the_largest_of_several_groups_holds_for_all_pairs_at_once():
    # all alike: the pair that looks worst is beyond chance in one draw of twenty at most
    rng = np.random.default_rng(2)
    sizes = np.array([40, 100, 300, 1_000, 60])
    beyond = {"alike": 0, "apart": 0}
    for _ in range(1_500):
        alike = stats.largest_difference_interval(rng.binomial(sizes, 0.2), sizes)
        beyond["alike"] += alike.low > 0
        assert 0 <= alike.value <= alike.high
        apart = stats.largest_difference_interval(
            rng.binomial(sizes, [0.1, 0.2, 0.2, 0.2, 0.4]), sizes
        )
        beyond["apart"] += not apart.low <= 0.3 <= apart.high
    assert beyond["alike"] <= 75 + 25
    assert beyond["apart"] <= 75


@pytest.mark.parametrize(
    ("successes", "n"), [([1], [2]), ([1, 0], [2, 0]), ([3, 1], [2, 2]), ([[1, 2]], [[3, 4]])]
)
def test_groups_that_cannot_be_compared_are_refused(successes, n):
    with pytest.raises(InputError):
        stats.largest_difference_interval(successes, n)


def test_people_behind_the_spread_are_those_of_a_rare_event():
    for k, n in ((50, 5_000), (5, 5_000), (400, 20_000)):
        x = np.repeat([1.0, 0.0], [k, n - k])
        assert stats.people_behind(x - x.mean()) == pytest.approx(k, rel=0.05)
    rng = np.random.default_rng(1)
    many = stats.people_behind(rng.standard_normal(3_000))
    assert 900 < many < 1_100  # a third of them, for a normal law
    assert stats.people_behind(np.zeros(4)) == math.inf
    assert stats.people_behind([5.0]) == 1.0


@pytest.mark.parametrize(
    ("value", "replicates"), [(1.0, [1.0, math.inf]), (math.inf, [1.0, 2.0]), (0.0, [-math.inf])]
)
def test_a_percentile_interval_of_infinite_values_is_refused(value, replicates):
    with pytest.raises(InputError, match="infinite; finite numbers are accepted, and nan"):
        stats.percentile_interval(value, replicates)
