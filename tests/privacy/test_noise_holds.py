"""No noisy release says more about a person than it is charged for, whatever is asked."""

import copy
import math
import os
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ethicalai_lab.privacy import PrivacyError
from ethicalai_lab.privacy.noise import (
    Budget,
    BudgetError,
    Dashboard,
    private_count,
    private_mean,
    simulate_noise,
)

# ---- an audit: the epsilon that draws prove ---------------------------------------------------

DRAWS = 1_200
EPSILON = 2.0
# each audit raises a false alarm once in 5 * 10^10 runs at most
ALPHA = 1e-11
# that it is not blind is shown at a milder level: the draws are fresh each time, and at 1e-11 a
# sound audit now and then finds little; at this one it misses its limit once in 10^6 runs or less
SEES = 1e-3


def bound(a, b, n, alpha):
    """Lower bound of the log ratio of two probabilities, from a and b of n (Clopper, Pearson)."""
    low = np.where(a > 0, stats.beta.ppf(alpha, np.maximum(a, 1), n - a + 1), 1e-300)
    high = np.where(b < n, stats.beta.isf(alpha, b + 1, np.maximum(n - b, 1)), 1.0)
    return np.log(low / high)


def proven(one, other, alpha=ALPHA):
    """Lower bound of epsilon from draws on two neighbouring tables.

    The first halves choose the event that tells the tables apart best, the second halves prove
    what it shows.
    """
    one, other = (np.asarray(x, float).reshape(2, -1) for x in (one, other))
    n, choices = one.shape[1], []
    for sign in (1, -1):
        edges = np.unique(sign * np.concatenate([one[0], other[0]]))
        counts = [n - np.searchsorted(np.sort(sign * x[0]), edges) for x in (one, other)]
        for tables, (a, b) in (((one, other), counts), ((other, one), counts[::-1])):
            score = bound(a, b, n, ALPHA)
            choices.append((score.max(), sign, edges[score.argmax()], tables))
    _, sign, edge, tables = max(choices, key=lambda choice: choice[0])
    a, b = ((sign * x[1] >= edge).sum() for x in tables)
    return float(bound(a, b, n, alpha))


def budget():
    return Budget(1e9, "an audit")


def draws(ask, table):
    """Ask a table's dashboard again and again."""
    return [ask(table) for _ in range(DRAWS)]


def people(n=40):
    who = np.arange(n).repeat(2)
    return pd.DataFrame(
        {
            "who": who,
            "mail": pd.Categorical(np.where(who % 2, "a", "b"), categories=["a", "b"]),
            "day": np.tile(["mon", "tue"], n),
            "spend": np.where(who == n - 1, 100.0, 50.0),
        }
    )


def board(table, per_person=1):
    return Dashboard(table, budget(), person="who", per_person=per_person)


def without_the_last(table):
    return table[table["who"] < table["who"].max()]


ASKED = {
    "counts": (1, lambda b: b.counts("mail", EPSILON)["count"][0]),
    "counts, two rows": (2, lambda b: b.counts("mail", EPSILON)["count"][0]),
    "counts, two groups": (
        2,
        lambda b: b.counts("day", EPSILON, groups=["mon", "tue", "wed"])["count"][:2].sum(),
    ),
    "counts where": (
        1,
        lambda b: b.counts("day", EPSILON, groups=["mon"], where=("mail", "a"))["count"][0],
    ),
    "count": (2, lambda b: b.count(EPSILON).value),
    "count where": (1, lambda b: b.count(EPSILON, where=("mail", "a")).value),
    "mean": (1, lambda b: b.mean("spend", 0, 100, EPSILON).value),
    "mean, two rows": (2, lambda b: b.mean("spend", 0, 100, EPSILON).value),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_dashboard_never_says_more_than_it_is_charged_for(name):
    per_person, ask = ASKED[name]
    table = people()
    full, less = board(table, per_person), board(without_the_last(table), per_person)
    answers = draws(ask, full), draws(ask, less)
    assert proven(*answers) <= EPSILON
    assert full.budget.spent == pytest.approx(DRAWS * EPSILON)
    if name.startswith("count"):  # and the audit is not blind
        assert proven(*answers, alpha=SEES) > 0.2 * EPSILON


def test_bare_counts_and_means_never_say_more_than_they_are_charged_for():
    def count(n):
        return [private_count(n, 1.0, budget(), per_person=3).value for _ in range(DRAWS)]

    answers = count(23), count(20)
    assert proven(*answers) <= 1.0
    assert proven(*answers, alpha=SEES) > 0.1

    def mean(values):
        ask = {"epsilon": EPSILON, "budget": budget(), "steps": 7}
        return [private_mean(values, 0, 10, **ask).value for _ in range(DRAWS)]

    # an odd number of steps: the sum's sensitivity is the larger half
    for ends in ([0], [10]):
        assert proven(mean(ends), mean([])) <= EPSILON


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_simulated_noise_has_the_epsilon_that_it_simulates(epsilon):
    one, other = (simulate_noise(1 / epsilon, 40_000, seed) for seed in (1, 2))
    assert 0.4 * epsilon < proven(one + 1, other) <= epsilon


def test_the_audit_finds_one_charge_for_many_answers():
    # forty answers that somebody pays as one, as a group listed forty times once was
    def again(asked):
        return sum(asked.count(0.5).value for _ in range(40))

    table = people()
    full, less = board(table), board(without_the_last(table))
    one, other = ([again(b) for _ in range(400)] for b in (full, less))
    assert proven(one, other, alpha=SEES) > 0.5


# ---- groups: each row in one at most ------------------------------------------------------------

_values = st.sampled_from(
    [1, True, 1.0, np.int64(1), 0, False, 2, 2.5, "1", "a", "b", pd.Interval(0, 10), (1, 2)]
)


def same(a, b):
    # NumPy compares a number with each part of a tuple
    return isinstance(a, tuple) == isinstance(b, tuple) and a == b


@settings(max_examples=200, deadline=None)
@given(st.lists(_values, min_size=1, max_size=12), st.lists(_values, min_size=1, max_size=6))
def test_each_row_is_counted_once_or_the_groups_are_refused(rows, groups):
    column = pd.Series(np.empty(len(rows), object))
    column[:] = rows
    table = pd.DataFrame({"x": column})
    asked = Dashboard(table, Budget(1e5, "a test"))
    equal = any(same(a, b) for i, a in enumerate(groups) for b in groups[:i])
    if equal:
        with pytest.raises(PrivacyError, match="same group"):
            asked.counts("x", 1e4, groups=groups)
        assert asked.budget.spent == 0
        return
    counts = asked.counts("x", 1e4, groups=groups)["count"].tolist()
    assert counts == [sum(same(row, group) for row in rows) for group in groups]
    assert sum(counts) <= len(rows)


ages = pd.cut(pd.Series([5, 15, 25] * 40, name="age"), [0, 10, 20, 30])


@pytest.mark.parametrize(
    ("column", "groups", "words"),
    [
        (["a", "b"] * 20, ["a"] * 4000, "number 1, 'a', is the same group as number 0"),
        ([1, 0] * 20, [1, True, 1.0], "number 1, True, is the same group"),
        (ages, range(1, 50), "number 0, 1, is no category of column 'x'"),
        (ages, [pd.Interval(0, 10), pd.Interval(0, 10)], "same group"),
        (ages.astype("interval"), [5, 6], "can be no value"),
        ([1, 2] * 20, ["1"], "can be no value of column 'x', which holds int64"),
        (pd.to_datetime(["2025-01-01"] * 9), ["2025-01-01", "2025"], "can be no value"),
        (["a"] * 9, "a", "a list of groups"),
        (["a"] * 9, [["a"]], "single values"),
        (["a"] * 9, [None], "single values"),
        (["a"] * 9, [math.nan], "single values"),
        (["a"] * 9, [], "at least one"),
    ],
    ids=str,
)
def test_groups_that_a_row_could_be_in_twice_or_never_are_refused(column, groups, words):
    table = pd.DataFrame({"x": column})
    asked = Dashboard(table, Budget(0.1, "q"))
    with pytest.raises(PrivacyError, match=words):
        asked.counts("x", 0.1, groups=groups)
    assert asked.budget.spent == 0


def test_interval_categories_are_counted_as_they_are():
    asked = Dashboard(pd.DataFrame({"age": ages}), Budget(1e5, "q"))
    assert asked.counts("age", 1e4)["count"].tolist() == [40, 40, 40]
    assert asked.counts("age", 1e4, groups=[pd.Interval(10, 20)])["count"].tolist() == [40]


@pytest.mark.parametrize("where", ["mail", ("mail", ["a"] * 40), ("mail", None), ("mail",)])
def test_where_is_one_value_of_one_column(where):
    table = pd.DataFrame({"mail": ["a", "b"] * 20})
    for ask in (
        lambda b: b.count(0.1, where=where),
        lambda b: b.counts("mail", 0.1, groups=["a"], where=where),
    ):
        asked = Dashboard(table, Budget(1.0, "q"))
        with pytest.raises(PrivacyError, match="where"):
            ask(asked)
        assert asked.budget.spent == 0


@settings(max_examples=100, deadline=None)
@given(
    low=st.floats(allow_nan=False, allow_infinity=False),
    high=st.floats(allow_nan=False, allow_infinity=False),
    steps=st.integers(2, 10**9),
    value=st.floats(),
)
def test_a_mean_is_within_its_bounds_or_refused(low, high, steps, value):
    try:
        got = private_mean([value] * 3, low, high, 1.0, budget(), steps=steps)
    except PrivacyError:
        assert not (0 < (high - low) / steps < math.inf)
    else:
        assert low <= got.value <= high


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: private_count(2**63, 1.0, budget()), "passes"),
        (lambda: private_count(2.7, 1.0, budget()), "whole number"),
        (lambda: private_count(1, 1e-19, budget()), "the noise would pass"),
        (lambda: private_count(1, 5e-324, budget()), "the noise would pass"),
        (lambda: private_count(1, 1.0, budget(), per_person=True), "per_person"),
        (lambda: private_mean([1], -1e308, 1e308, 1.0, budget()), "low is"),
        (lambda: private_mean([1], 0, 5e-324, 1.0, budget()), "low is"),
        (lambda: private_count(1, 1 + 0j, budget()), "epsilon"),
    ],
)
def test_what_noise_cannot_cover_is_refused(ask, words):
    with pytest.raises(PrivacyError, match=words):
        ask()


# ---- a budget is spent in one place ---------------------------------------------------------------


def test_copies_spend_from_one_account():
    first = Budget(1.0, "q")
    for other in (copy.copy(first), copy.deepcopy(first), copy.deepcopy({"in": first})["in"]):
        other.spend(0.3, "x")
    assert first.spent == pytest.approx(0.9)
    with pytest.raises(BudgetError):
        copy.deepcopy(first).spend(0.3, "x")
    table = pd.DataFrame({"mail": ["a", "b"] * 20})
    again = copy.deepcopy(Dashboard(table, first))
    assert again.budget.remaining == pytest.approx(0.1)


def test_a_budget_stays_where_it_was_made(monkeypatch):
    first = Budget(1.0, "q")
    table = pd.DataFrame({"mail": ["a", "b"] * 20})
    for thing in (first, Dashboard(table, first)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(BudgetError, match="pickled"):
                pickle.dumps(thing, protocol)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(BudgetError, match="another process"):
        first.spend(0.1, "x")


def test_a_second_budget_on_the_same_table_is_the_first_one():
    table = pd.DataFrame({"mail": ["a", "b"] * 20})
    for _ in range(2):
        Dashboard(table, Budget(1.0, "q")).count(0.5)
    third = Dashboard(table, Budget(1.0, "q"))
    assert third.budget.remaining == 0
    assert len(third.budget.ledger) == 2
    with pytest.raises(BudgetError, match="nothing was released"):
        third.count(0.1)
    spent = Budget(1.0, "q")
    spent.spend(0.1, "elsewhere")
    for other in (Budget(2.0, "q"), Budget(1.0, "q2"), Budget(1.0, "q", "household"), spent):
        with pytest.raises(BudgetError, match="a table has one budget"):
            Dashboard(table, other)
    # another table, another budget; and one budget may stand for many tables
    both = Budget(1.0, "q")
    for rows in (4, 6):
        Dashboard(pd.DataFrame({"mail": ["a"] * rows}), both).count(0.5)
    assert both.remaining == 0


def test_a_new_table_has_no_budget_of_one_that_is_gone():
    for _ in range(300):  # some of them get a number that an earlier one had
        Dashboard(pd.DataFrame({"mail": ["a"] * 4}), Budget(1.0, "q")).budget.spend(1.0, "x")


def test_threads_never_spend_more_than_there_is():
    table = pd.DataFrame({"mail": ["a", "b"] * 20})
    asked = Dashboard(table, Budget(1.0, "q"))
    start, got, refused = threading.Barrier(8), [], []

    def ask():
        start.wait()
        for _ in range(50):
            try:
                got.append(asked.count(0.01))
            except BudgetError:
                refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 100
    assert len(refused) == 300
    assert asked.budget.spent == pytest.approx(1.0)
