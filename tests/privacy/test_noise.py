"""Noise has the distribution it claims, the budget runs out, and lies are corrected for."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ethicalai_lab.privacy import PrivacyError, noise
from ethicalai_lab.privacy.noise import Budget, BudgetError, Dashboard, RandomizedResponse


def geometric_test(sample, scale):
    """P-value of a chi-square test against two-sided geometric noise."""
    a = math.exp(-1 / scale)
    edge = int(4 * scale)
    z = np.arange(-edge, edge + 1)
    p = (1 - a) / (1 + a) * a ** np.abs(z)
    tail = (1 - p.sum()) / 2
    seen = np.array(
        [(sample < -edge).sum(), *[(sample == v).sum() for v in z], (sample > edge).sum()]
    )
    want = np.array([tail, *p, tail]) * len(sample)
    return stats.chisquare(seen, want).pvalue


def test_released_noise_follows_its_closed_form():
    # OpenDP cannot be seeded: the threshold fails a right sampler once in a million runs
    draws = np.array([noise._discrete_laplace(100, 1, 0.5)[0] - 100 for _ in range(6000)])
    assert geometric_test(draws, 2.0) > 1e-6
    # and the test can tell: a slightly wrong scale is found out
    assert geometric_test(draws, 2.5) < 1e-6


def test_simulated_noise_follows_the_same_closed_form():
    draws = noise.simulate_noise(3.0, 50_000, seed=1)
    assert geometric_test(draws, 3.0) > 1e-3
    assert np.array_equal(draws, noise.simulate_noise(3.0, 50_000, seed=1))


def test_opendp_proves_no_more_than_epsilon():
    import opendp.prelude as dp

    dp.enable_features("contrib")
    for epsilon in (0.1, 0.3, 1 / 3, 0.7, 1.0, 3.0):
        for sensitivity in (1, 3, 500):
            _, scale = noise._discrete_laplace(0, sensitivity, epsilon)
            measure = dp.m.make_laplace(
                dp.atom_domain(T="i64"), dp.absolute_distance(T="i64"), scale=scale
            )
            assert measure.map(sensitivity) <= epsilon
            assert scale == pytest.approx(sensitivity / epsilon, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(0.2, 200), confidence=st.floats(0.5, 0.999))
def test_noise_bound_is_the_smallest_that_holds(scale, confidence):
    a = math.exp(-1 / scale)

    def inside(m):
        return 1 - 2 * a ** (m + 1) / (1 + a)

    m = noise._noise_bound(scale, confidence)
    assert inside(m) >= confidence - 1e-9
    assert m == 0 or inside(m - 1) < confidence + 1e-9


def test_count_interval_covers():
    budget = Budget(1e6, "a test")
    hits = sum(500 in noise.private_count(500, 0.3, budget).interval for _ in range(400))
    # at least 95 % is promised; 360 of 400 has probability below 1e-4 then
    assert hits >= 360


def test_mean_interval_covers_and_clipping_is_the_price():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 100, 3000)
    budget = Budget(1e6, "a test")
    hits = sum(
        values.mean() in noise.private_mean(values, 0, 100, 0.5, budget).interval
        for _ in range(150)
    )
    assert hits >= 130
    low = noise.private_mean(values, 0, 50, 50.0, budget).value
    assert low == pytest.approx(np.clip(values, 0, 50).mean(), abs=0.5)
    empty = noise.private_mean([math.nan], 0, 10, 1.0, budget)
    assert 0 <= empty.value <= 10


def test_mean_sensitivity_is_half_the_range():
    # adding one person moves the grid sum by at most what the noise is scaled for
    for steps in (2, 7, 1000):
        half = steps - steps // 2
        ends = np.array([0, steps]) - steps // 2
        assert np.abs(ends).max() <= half


# ---- budget --------------------------------------------------------------------------------


def test_budget_is_spent_and_then_refuses():
    budget = Budget(0.3, "first quarter of 2026")
    for _ in range(3):
        budget.spend(0.1, "visits")
    assert budget.remaining == pytest.approx(0, abs=1e-12)
    with pytest.raises(BudgetError, match=r"'more' asks.*per person over first quarter of 2026"):
        budget.spend(0.01, "more")
    assert len(budget.ledger) == 3
    assert budget.ledger["left"].tolist() == pytest.approx([0.2, 0.1, 0.0])
    assert "first quarter" in budget._repr_html_()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 1.0), max_size=20))
def test_a_budget_never_gives_more_than_it_has(asks):
    budget = Budget(1.0, "a test")
    for ask in asks:
        before = budget.spent
        try:
            budget.spend(ask, "q")
        except BudgetError:
            assert before + ask > 1.0
            assert budget.spent == before
    assert budget.spent <= 1.0 + 1e-8


def board(budget=None, **more):
    arm = pd.Categorical(["a"] * 600 + ["b"] * 400, categories=["a", "b", "never"])
    table = pd.DataFrame(
        {
            "who": np.repeat(np.arange(500), 2),
            "arm": arm,
            "visit": [1, 0] * 500,
            "spend": np.linspace(0, 50, 1000),
        }
    )
    return Dashboard(table, budget or Budget(100.0, "a test"), **more)


def test_dashboard_answers_until_the_budget_is_gone():
    dashboard = board(Budget(1.0, "this campaign"))
    dashboard.counts("arm", 0.5)
    dashboard.mean("spend", 0, 100, 0.4)
    with pytest.raises(BudgetError, match="nothing was released"):
        dashboard.count(0.2)
    assert dashboard.budget.spent == pytest.approx(0.9)
    assert dashboard.budget.ledger["question"].tolist() == ["rows by arm", "mean of spend"]
    dashboard.count(0.1)


def test_dashboard_is_right_when_epsilon_is_huge():
    dashboard = board(Budget(1e6, "a test"))
    got = dashboard.counts("arm", 1e4)
    assert got["count"].tolist() == [600, 400, 0]  # a group without people is shown too
    assert dashboard.counts("arm", 1e4, where=("visit", 1))["count"].tolist() == [300, 200, 0]
    assert dashboard.count(1e4, where=("arm", "b")).value == 400
    assert dashboard.mean("spend", 0, 50, 1e5).value == pytest.approx(25, abs=0.1)
    assert dashboard.counts("visit", 1e4, groups=[0, 1])["count"].tolist() == [500, 500]


def test_dashboard_bounds_what_one_person_adds():
    one = board(Budget(1e6, "a test"), person="who")
    assert one.count(1e4).value == 500
    two = board(Budget(1e6, "a test"), person="who", per_person=2)
    assert two.count(1e4).value == 1000
    # more rows a person, more noise at the same epsilon
    wide = two.counts("arm", 1.0)
    narrow = one.counts("arm", 1.0)
    assert (wide["high"] - wide["low"]).iloc[0] > (narrow["high"] - narrow["low"]).iloc[0]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Budget(0, "x"), "epsilon is 0"),
        (lambda: Budget(math.inf, "x"), "finite"),
        (lambda: Budget(1.0, " "), "period"),
        (lambda: board().counts("visit", 1.0), "list them"),
        (lambda: board().counts("nope", 1.0), "'nope'"),
        (lambda: board().mean("arm", 0, 1, 1.0), "not numeric"),
        (lambda: board().mean("spend", 1, 1, 1.0), "low is 1"),
        (lambda: board(per_person=2), "person="),
        (lambda: noise.private_count(1, 1.0, Budget(1, "x"), per_person=0), "per_person"),
        (lambda: noise.private_mean([1], 0, 1, 1.0, Budget(1, "x"), steps=1), "steps"),
        (lambda: noise.advanced_composition(1.0, 0, 0.1), "n_releases"),
        (lambda: noise.advanced_composition(1.0, 1, 0), "slack"),
        (lambda: noise.basic_composition([1.0], [2.0]), "deltas"),
        (lambda: RandomizedResponse(-1), "epsilon is -1"),
        (lambda: RandomizedResponse(1, ("a", "a")), "different"),
        (lambda: RandomizedResponse(1).report(["x"]), "number 0"),
        (lambda: RandomizedResponse(1).estimate([]), "at least one"),
        (lambda: noise.floating_point_leak(1.0, (1.0, 1.0)), "different"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(PrivacyError, match=word):
        call()


# ---- composition ------------------------------------------------------------------------------


def test_compositions_are_the_published_formulas():
    assert noise.basic_composition([0.1] * 10, [1e-6] * 10) == pytest.approx((1.0, 1e-5))
    e, n, s = 0.01, 10_000, 1e-6
    total, delta = noise.advanced_composition(e, n, s, delta=1e-9)
    assert total == pytest.approx(
        e * math.sqrt(2 * n * math.log(1 / s)) + n * e * (math.exp(e) - 1)
    )
    assert delta == pytest.approx(n * 1e-9 + s)
    assert total < n * e  # many small ones: better than adding up
    assert noise.advanced_composition(1.0, 2, s)[0] > 2.0  # few large ones: worse


@pytest.mark.parametrize(("epsilon", "percent"), [(0.1, 52.5), (1, 73.1), (2, 88.1), (4, 98.2)])
def test_membership_bound(epsilon, percent):
    assert 100 * noise.membership_bound(epsilon) == pytest.approx(percent, abs=0.05)


# ---- randomised response ----------------------------------------------------------------------


def test_two_coins():
    coins = RandomizedResponse(math.log(3))
    assert coins.truth_rate == pytest.approx(0.75)
    answers = np.zeros(40_000, bool)
    reported = coins.report(answers, seed=1)
    assert (reported == True).mean() == pytest.approx(0.25, abs=0.01)  # noqa: E712


@pytest.mark.parametrize("categories", [(False, True), ("a", "b", "c", "d")])
def test_estimate_is_right_on_average_and_its_interval_covers(categories):
    tool = RandomizedResponse(1.0, categories)
    rng = np.random.default_rng(3)
    shares = np.linspace(1, 2, len(categories))
    shares /= shares.sum()
    answers = np.array(categories, dtype=object)[rng.choice(len(categories), 2000, p=shares)]
    true = (answers == categories[0]).mean()
    values, covered = [], 0
    for seed in range(200):
        got = tool.estimate(tool.report(answers, seed=seed))[categories[0]]
        values.append(got.value)
        covered += true in got
    error = tool.standard_error(true, 2000)
    assert np.mean(values) == pytest.approx(true, abs=4 * error / math.sqrt(200))
    # the spread over lies alone is below the error that counts sampling too
    assert 0.7 * error < np.std(values) < 1.15 * error
    assert covered >= 180


def test_likelihood_ratio_of_an_answer_is_at_most_e_to_the_epsilon():
    tool = RandomizedResponse(0.8, ("a", "b", "c"))
    p = tool.truth_rate
    assert p / ((1 - p) / 2) == pytest.approx(math.exp(0.8))


def test_unseeded_answers_come_from_the_system():
    tool = RandomizedResponse(0.1)
    one, two = (tool.report([True] * 200) for _ in range(2))
    assert not np.array_equal(one, two)
    assert set(one) == {True, False}


# ---- floating point --------------------------------------------------------------------------------


def test_textbook_noise_gives_answers_away_with_certainty():
    leak = noise.floating_point_leak(0.1, n=1500)
    assert leak.wrong == 0
    assert leak.exposed.low > 0.3
    # certain of so many, an attacker beats the bound that the promise sets for all attacks
    assert 0.5 + leak.exposed.low / 2 > leak.bound


def test_a_fine_rounding_afterwards_does_not_repair_it_and_a_grid_does():
    fine = noise.floating_point_leak(0.1, n=1500, grid=1e-14)
    assert fine.exposed.value > 0
    assert fine.wrong == 0
    coarse = noise.floating_point_leak(0.1, n=1500, grid=1.0)
    assert coarse.exposed.value == 0.0
    assert noise.floating_point_leak(0.1, n=100, seed=4) == noise.floating_point_leak(
        0.1, n=100, seed=4
    )
