"""Intervals of an audit hold the truth as often as they say, in small groups too."""

import numpy as np
import pytest
from scipy.stats import binom

from ethicalai_lab.fairness import audit
from ethicalai_lab.fairness.mitigation import ProfitThresholds, Unmitigated, compare_mitigations
from ethicalai_lab.stats import newcombe_bounds, proportion_difference_interval, wilson_bounds

DP = "demographic_parity_difference"


def chosen(*counts):
    """Return decisions and groups of (selected, people) pairs."""
    decisions = np.concatenate([np.arange(n) < k for k, n in counts])
    return decisions, np.repeat(np.arange(len(counts)), [n for _, n in counts])


def audited(*counts):
    decisions, group = chosen(*counts)
    return audit(None, decisions, sensitive_features=group)


@pytest.mark.parametrize("n", [10, 20, 40, 100])
@pytest.mark.parametrize("p", [0.02, 0.05, 0.3])
def test_the_rate_of_a_small_group_is_held_exactly_as_often_as_binomial_counts_allow(n, p):
    """One group for each possible count, so that the coverage is reckoned, not drawn."""
    rates = audited(*((k, n) for k in range(n + 1))).interval("selection_rate")
    held = (rates["low"] <= p) & (p <= rates["high"])
    coverage = binom.pmf(np.arange(n + 1), n, p)[held].sum()
    # a bootstrap of rows gives .18 (n = 10, p = .02) to .95 here
    assert 0.91 <= coverage <= 0.99


@pytest.mark.parametrize(
    ("n", "p", "q"), [(20, 0.05, 0.05), (40, 0.02, 0.02), (40, 0.05, 0.12), (10, 0.3, 0.3)]
)
def test_gap_and_ratio_between_a_small_and_a_large_group_are_held(n, p, q):
    rng = np.random.default_rng([n, round(100 * p)])
    runs, gap, ratio, claimed = 250, 0, 0, 0
    for _ in range(runs):
        found = audited((rng.binomial(n, p), n), (rng.binomial(2_500, q), 2_500)).disparities
        _, low, high = found.loc[DP]
        gap += low <= q - p <= high
        claimed += low > 0
        _, low, high = found.loc["demographic_parity_ratio"]
        ratio += low <= p / q <= high
    # 92 % (the least that counts allow here) less four standard errors
    assert min(gap, ratio) / runs >= 0.86
    if p == q:
        assert claimed / runs <= 0.14


def test_nobody_of_forty_beside_one_in_twenty_of_many_is_no_proof_of_a_gap():
    signed = proportion_difference_interval(125, 2_500, 0, 40)
    assert signed.format(3) == "0.050 [-0.038, 0.059]"
    found = audited((0, 40), (125, 2_500))
    value, low, high = found.disparities.loc[DP]
    assert (value, low) == (0.05, 0.0)
    assert high == pytest.approx(signed.high)
    assert found.disparities.loc["demographic_parity_ratio"].tolist() == [0.0, 0.0, 1.0]


def test_two_groups_have_newcombes_interval_without_its_sign():
    low, high = newcombe_bounds(48, 80, 56, 70)
    found = audited((48, 80), (56, 70)).disparities.loc[DP]
    assert (found["low"], found["high"]) == (pytest.approx(-high), pytest.approx(-low))


def test_bounds_of_a_ratio_turned_over_are_those_of_the_ratio_turned_over():
    from ethicalai_lab.fairness._bounds import Estimate, ratio_to_highest

    one = Estimate(np.array([0.2, 0.35]), np.array([40.0, 600.0]))
    ends = [ratio_to_highest(one, np.arange(2) == i, 0.95) for i in (0, 1)]
    np.testing.assert_allclose(ends[0][:, 1], 1 / ends[1][::-1, 0])


def test_of_sixty_groups_a_few_people_each_chance_makes_no_gap():
    """Wilson's bounds, at the confidence that so many pairs need, claim one in 1 of 4 audits."""
    rng = np.random.default_rng(2)
    sizes = [*rng.integers(1, 30, 60), 500, 500]
    group = np.repeat(np.arange(len(sizes)), sizes)
    claims = 0
    for _ in range(60):
        found = audit(None, rng.random(group.size) < 0.05, sensitive_features=group)
        claims += found.disparities.loc[DP, "low"] > 0
        claims += found.disparities.loc[f"{DP}_to_overall", "low"] > 0
    assert claims <= 8  # of 120, at most 6 to expect


def test_a_gap_that_is_there_is_found_among_many_groups():
    found = audited(*[(150, 500)] * 11, (75, 500)).disparities.loc[DP]
    assert 0.02 < found["low"] < 0.15 < found["high"]


@pytest.mark.parametrize("households", [5, 20])
def test_few_clusters_give_wide_intervals(households):
    rng = np.random.default_rng(households)
    held, runs = 0, 200
    for _ in range(runs):
        size = rng.integers(1, 8, 2 * households)
        who = np.repeat(np.arange(size.size), size)
        decided = rng.random(who.size) < rng.beta(2, 2, size.size)[who]
        found = audit(None, decided, sensitive_features=who % 2, clusters=who)
        _, low, high = found.interval("selection_rate").loc[0]
        held += low <= 0.5 <= high
    # the cluster bootstrap holds it 83 times in 100 with five households
    assert held / runs >= 0.87


def test_calibration_of_ten_people_is_held():
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], [10, 300])
    held, runs = 0, 250
    for _ in range(runs):
        score = rng.beta(1, 6, group.size)
        came = rng.random(group.size) < score
        found = audit(came, score > 0.2, sensitive_features=group, score=score)
        _, low, high = found.interval("calibration_gap").loc[0]
        held += low <= 0 <= high
    # Student's interval holds it 78 times in 100: often nobody of ten comes
    assert held / runs >= 0.91


def test_scores_that_do_not_differ_have_no_interval():
    group = np.repeat(["a", "b"], 20)
    found = audit(group == "a", group == "a", sensitive_features=group, score=np.full(40, 0.5))
    assert found.by_group_low["mean_score"].isna().all()
    assert found.disparities.loc["mean_score_difference", ["low", "high"]].isna().all()


def test_a_repair_that_changes_nobody_of_a_few_may_still_change_some():
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], [600, 60])
    x = rng.normal(size=660)
    y = rng.random(660) < 1 / (1 + np.exp(-x))
    same = compare_mitigations(
        x[:, None],
        y.astype(int),
        sensitive_features=group,
        methods={"plain": Unmitigated(), "again": Unmitigated(), "cuts": ProfitThresholds()},
    ).who_pays
    least, most = same.loc[("again", "b"), ["change_low", "change_high"]]
    reach = wilson_bounds(0, 30)[1]
    assert (least, most) == (pytest.approx(-reach), pytest.approx(reach))
    moved = same.loc["cuts"]
    assert (moved["change_low"] <= moved["change"]).all()
    assert (moved["change"] <= moved["change_high"]).all()
