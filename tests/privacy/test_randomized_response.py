"""Lies at exactly the rate promised, and intervals that hold for any share."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ethicalai_lab.privacy import PrivacyError
from ethicalai_lab.privacy.noise import RandomizedResponse


@settings(max_examples=200, deadline=None)
@given(epsilon=st.floats(1e-12, 36.0), others=st.integers(1, 300))
def test_no_answer_says_more_than_epsilon_and_no_lie_is_wasted(epsilon, others):
    tool = RandomizedResponse(epsilon, range(others + 1))
    lies = round((1 - tool.truth_rate) * 2**53)
    with localcontext() as exact:
        exact.prec = 80
        odds = Decimal(epsilon).exp()
        assert (2**53 - lies) * others <= odds * lies
        assert (2**53 - lies + 1) * others > odds * (lies - 1)


@pytest.mark.parametrize("epsilon", [37, 37.5, 40, 700, 1e300])
def test_an_epsilon_at_which_nobody_would_lie_is_refused(epsilon):
    with pytest.raises(PrivacyError, match=r"epsilon is .*would be a lie"):
        RandomizedResponse(epsilon)


def test_the_most_that_is_accepted_still_lies():
    assert RandomizedResponse(36).truth_rate < 1
    with pytest.raises(PrivacyError, match="say nothing"):
        RandomizedResponse(1e-17)


@pytest.mark.parametrize("categories", [(False, True), ("a", "b", "c")])
def test_answers_never_say_more_than_epsilon(categories):
    # another answer of the same person changes the odds of what is reported by e^1 at most;
    # false alarms: once in 5 * 10^10 runs
    tool, n, alpha = RandomizedResponse(1.0, categories), 20_000, 1e-11
    seen = [tool.report([answer] * n) for answer in categories[:2]]
    for reported in categories:
        a, b = ((s == reported).sum() for s in seen)
        low = stats.beta.ppf(alpha, a, n - a + 1)
        high = stats.beta.isf(alpha, b + 1, n - b)
        assert math.log(low / high) <= 1.0
    a, b = ((s == categories[0]).sum() for s in seen)
    assert math.log(a / b) > 0.7  # not blind


def test_ten_yeses_say_neither_150_percent_nor_certainty():
    got = RandomizedResponse(math.log(3)).estimate([True] * 10)[True]
    assert got.value == 1.0
    assert got.high == 1.0
    assert 0.6 < got.low < 0.95  # Wilson: 10 of 10 is .722 at least, so .944 of the shares
    assert got.low == pytest.approx((0.7224672 - 0.25) / 0.5, abs=1e-6)


def coverage(epsilon, n, m, shares):
    """Exact chance that the interval holds each true share, summed over all outcomes."""
    tool = RandomizedResponse(epsilon, range(m))
    p = tool.truth_rate
    seen = (1 - p) / (m - 1) + shares * (p - (1 - p) / (m - 1))
    holds = []
    for k in range(n + 1):
        got = tool.estimate([0] * k + [1] * (n - k))[0]
        assert 0 <= got.low <= got.value <= got.high <= 1
        holds.append((got.low <= shares) & (shares <= got.high))
    chance = stats.binom.pmf(np.arange(n + 1)[:, None], n, seen[None])
    return (chance * np.array(holds)).sum(axis=0)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("epsilon", [0.5, math.log(3), 2.0, 4.0])
@pytest.mark.parametrize("n", [5, 10, 20, 50, 200])
def test_95_percent_holds(n, epsilon, m):
    found = coverage(epsilon, n, m, np.linspace(0, 1, 201))
    assert 0.93 <= found.mean() <= 0.97
    # answers come in whole people: for one share among few it cannot be met exactly
    assert found.min() >= (0.925 if n >= 50 else 0.83)


def test_an_answer_that_was_not_asked_for_is_named():
    with pytest.raises(PrivacyError, match=r"number 2 is 'maybe'"):
        RandomizedResponse(1).estimate([True, False, "maybe"])
