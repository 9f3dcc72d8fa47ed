"""Differential privacy: noise with a budget, lies with a known rate, and a trap.

Released noise comes from OpenDP, which draws it exactly and cannot be seeded: noise that
can be drawn again can be subtracted. What takes a ``seed`` here simulates, for figures
and exercises, and says so.

Neighbours are tables that differ by adding or removing one *person*, with all rows of
that person. An epsilon means little without that unit and the period it covers: a budget
that is renewed every day is no budget.
"""

from __future__ import annotations

import html
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = [
    "Budget",
    "BudgetError",
    "Dashboard",
    "FloatingPointLeak",
    "Noisy",
    "RandomizedResponse",
    "advanced_composition",
    "basic_composition",
    "floating_point_leak",
    "membership_bound",
    "private_count",
    "private_mean",
    "simulate_noise",
]


class BudgetError(PrivacyError):
    """The privacy budget does not cover what was asked; nothing was released."""


def _check_epsilon(epsilon: Any, name: str = "epsilon") -> float:
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, np.number)):
        raise PrivacyError(f"{name} is {epsilon!r}; a number above 0 is accepted.")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise PrivacyError(f"{name} is {epsilon!r}; a finite number above 0 is accepted.")
    return float(epsilon)


# ---- accounting ----------------------------------------------------------------------------


class Budget:
    """What may be learned about one person over a period, and what was spent of it.

    Spending adds up (basic composition), which also holds when each question depends on
    the answers before.

    Parameters
    ----------
    epsilon : float
        Total, above 0.
    period : str
        What the total covers, such as ``"first quarter of 2026"``.
    unit : str, default 'person'
        Whose presence is protected.

    References
    ----------
    Dwork, McSherry, Nissim, Smith, "Calibrating noise to sensitivity in private data
    analysis", TCC 2006. NIST SP 800-226.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import Budget
    >>> budget = Budget(1.0, "first quarter of 2026")
    >>> budget.spend(0.4, "visits by arm")
    >>> round(budget.remaining, 2), budget.statement
    (0.6, 'epsilon = 1 per person over first quarter of 2026')
    """

    def __init__(self, epsilon: float, period: str, unit: str = "person") -> None:
        self.epsilon = _check_epsilon(epsilon)
        for name, text in (("period", period), ("unit", unit)):
            if not isinstance(text, str) or not text.strip():
                raise PrivacyError(
                    f"{name} is {text!r}; say what the budget covers, such as "
                    + ("'first quarter of 2026'." if name == "period" else "'person'.")
                )
        self.period = period
        self.unit = unit
        self._entries: list[tuple[str, float]] = []

    @property
    def spent(self) -> float:
        """Sum of the epsilons spent."""
        return math.fsum(e for _, e in self._entries)

    @property
    def remaining(self) -> float:
        """What is left, 0 or more."""
        return max(self.epsilon - self.spent, 0.0)

    @property
    def statement(self) -> str:
        """The budget in one line, with its unit and period."""
        return f"epsilon = {self.epsilon:g} per {self.unit} over {self.period}"

    @property
    def ledger(self) -> pd.DataFrame:
        """What was spent on what: ``question``, ``epsilon``, ``left``."""
        left = self.epsilon - np.cumsum([e for _, e in self._entries])
        return pd.DataFrame(
            {
                "question": [q for q, _ in self._entries],
                "epsilon": [e for _, e in self._entries],
                "left": np.maximum(left, 0.0),
            }
        )

    def check(self, epsilon: float, question: str) -> None:
        """Refuse if the budget does not cover the question."""
        epsilon = _check_epsilon(epsilon)
        # 0.1 + 0.2 must fit into 0.3
        if self.spent + epsilon > self.epsilon * (1 + 1e-9):
            raise BudgetError(
                f"{question!r} asks for epsilon {epsilon:.4g}, and {self.remaining:.4g} is left of "
                f"{self.epsilon:g} per {self.unit} over {self.period}; nothing was released. Ask "
                "for less, or wait for the next period."
            )

    def spend(self, epsilon: float, question: str) -> None:
        """Take from the budget, or refuse.

        Raises
        ------
        BudgetError
            If less is left than asked for.
        """
        self.check(epsilon, question)
        self._entries.append((question, float(epsilon)))

    def __repr__(self) -> str:
        return f"Budget({self.statement}; spent {self.spent:g})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(r.question)}</th><td>{r.epsilon:.4g}</td>'
            f"<td>{r.left:.4g}</td></tr>"
            for r in self.ledger.itertuples(index=False)
        )
        return (
            f"<table><caption>{html.escape(self.statement)}</caption><thead><tr>"
            '<th scope="col">question</th><th scope="col">epsilon</th><th scope="col">left</th>'
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )


def basic_composition(epsilons: Sequence[float], deltas: Sequence[float] = ()) -> tuple:
    """Privacy loss of several releases: everything adds up.

    Parameters
    ----------
    epsilons : sequence of float
    deltas : sequence of float

    Returns
    -------
    (epsilon, delta)

    Raises
    ------
    PrivacyError
        If an epsilon is not above 0 or a delta not within 0 to 1.

    References
    ----------
    Dwork et al., "Our data, ourselves", EUROCRYPT 2006.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import basic_composition
    >>> basic_composition([0.5, 0.25])
    (0.75, 0.0)
    """
    for e in epsilons:
        _check_epsilon(e)
    if any(not 0 <= d < 1 for d in deltas):
        raise PrivacyError(f"deltas are {list(deltas)}; numbers from 0 to below 1 are accepted.")
    return math.fsum(epsilons), math.fsum(deltas)


def advanced_composition(
    epsilon: float, n_releases: int, slack: float, delta: float = 0.0
) -> tuple:
    """Privacy loss of many equal releases, where a small failure probability is allowed.

    ``epsilon sqrt(2 n ln(1/slack)) + n epsilon (exp(epsilon) - 1)``; for few releases or a
    large epsilon this is *more* than basic composition, and both bounds hold.

    Parameters
    ----------
    epsilon : float
        Of each release.
    n_releases : int
    slack : float
        Added delta, above 0, below 1; keep it far below 1 / number of people.
    delta : float
        Of each release.

    Returns
    -------
    (epsilon, delta)

    Raises
    ------
    PrivacyError
        If a number is out of range.

    References
    ----------
    Dwork, Rothblum, Vadhan, "Boosting and differential privacy", FOCS 2010.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import advanced_composition
    >>> round(advanced_composition(0.1, 100, 1e-6)[0], 3)
    6.308
    """
    epsilon = _check_epsilon(epsilon)
    if not isinstance(n_releases, (int, np.integer)) or n_releases < 1:
        raise PrivacyError(f"n_releases is {n_releases!r}; a whole number from 1 on is accepted.")
    if not 0 < slack < 1 or not 0 <= delta < 1:
        raise PrivacyError(
            f"slack is {slack!r} and delta {delta!r}; numbers within 0 to 1, please."
        )
    total = epsilon * math.sqrt(2 * n_releases * math.log(1 / slack))
    total += n_releases * epsilon * math.expm1(epsilon)
    return total, n_releases * delta + slack


def membership_bound(epsilon: float) -> float:
    """Best balanced accuracy of *any* attack that guesses whether a person is in the data.

    Parameters
    ----------
    epsilon : float
        Of a pure (delta = 0) differentially private release.

    Returns
    -------
    float
        ``e^eps / (1 + e^eps)``, 0.5 (coin toss) to 1.

    Raises
    ------
    PrivacyError
        If epsilon is not above 0.

    References
    ----------
    Kairouz, Oh, Viswanath, "The composition theorem for differential privacy", ICML 2015.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import membership_bound
    >>> round(membership_bound(1.0), 3)
    0.731
    """
    return 1.0 / (1.0 + math.exp(-_check_epsilon(epsilon)))


# ---- central noise --------------------------------------------------------------------------


@dataclass(frozen=True)
class Noisy:
    """A released number.

    Attributes
    ----------
    value : float
        The answer with noise; not clipped, so a count can come out negative.
    interval : Interval
        Where the answer without noise lies (says nothing about sampling).
    epsilon : float
        What it cost.
    """

    value: float
    interval: Interval
    epsilon: float


def _discrete_laplace(value: int, sensitivity: int, epsilon: float) -> tuple[int, float]:
    """Release an integer at no more than epsilon; returns it and the scale of the noise."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    domain, metric = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    scale = sensitivity / epsilon
    measure = dp.m.make_laplace(domain, metric, scale=scale)
    while measure.map(int(sensitivity)) > epsilon:  # the library rounds its losses up
        scale *= 1 + 2.0**-48
        measure = dp.m.make_laplace(domain, metric, scale=scale)
    return int(measure(int(value))), scale


def _noise_bound(scale: float, confidence: float) -> int:
    """Smallest m with P(|noise| <= m) >= confidence, for two-sided geometric noise."""
    a = math.exp(-1.0 / scale)
    # P(|Z| > m) = 2 a^(m+1) / (1 + a)
    m = -scale * math.log((1 - confidence) * (1 + a) / 2) - 1
    return max(math.ceil(m - 1e-12), 0)


def private_count(
    count: int,
    epsilon: float,
    budget: Budget,
    *,
    per_person: int = 1,
    question: str = "count",
    confidence: float = 0.95,
) -> Noisy:
    """Release a count with two-sided geometric noise from OpenDP.

    Parameters
    ----------
    count : int
        The true count.
    epsilon : float
        Above 0.
    budget : Budget
        Charged before anything is released.
    per_person : int
        Most rows that one person adds to the count. Bound them first.
    question : str
        Entry in the budget's ledger.
    confidence : float

    Returns
    -------
    Noisy

    Raises
    ------
    BudgetError
        If the budget does not cover it.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan, "Universally utility-maximizing privacy mechanisms",
    STOC 2009. OpenDP library, make_laplace.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import Budget, private_count
    >>> budget = Budget(1.0, "one campaign")
    >>> answer = private_count(1000, 1.0, budget)
    >>> abs(answer.value - 1000) < 60, round(budget.remaining, 6)
    (True, 0.0)
    """
    epsilon = _check_epsilon(epsilon)
    _check_per_person(per_person)
    budget.check(epsilon, question)
    value, scale = _discrete_laplace(count, per_person, epsilon)
    budget.spend(epsilon, question)
    m = _noise_bound(scale, confidence)
    return Noisy(value, Interval(value, value - m, value + m, confidence), epsilon)


def _check_per_person(per_person: Any) -> None:
    if not isinstance(per_person, (int, np.integer)) or per_person < 1:
        raise PrivacyError(f"per_person is {per_person!r}; a whole number from 1 on is accepted.")


def private_mean(
    values: Any,
    low: float,
    high: float,
    epsilon: float,
    budget: Budget,
    *,
    per_person: int = 1,
    steps: int = 1_000,
    question: str = "mean",
    confidence: float = 0.95,
) -> Noisy:
    """Release a mean: a noisy sum over a noisy count, half of epsilon each.

    Values are clipped to ``low``..``high`` and rounded to a grid of whole numbers, so that
    the noise is drawn over integers. Clipping moves the mean where values lie outside;
    that is the price of a bound that does not depend on the data.

    Parameters
    ----------
    values : array-like of float, shape (n_rows,)
        Missing values are left out.
    low, high : float
        Bounds chosen *without* looking at the data.
    epsilon, budget, per_person, question, confidence
        As in :func:`private_count`.
    steps : int
        Grid points from low to high.

    Returns
    -------
    Noisy
        The interval joins both noises and the rounding at the given confidence.

    Raises
    ------
    BudgetError
        If the budget does not cover it.
    PrivacyError
        If the bounds are not in order.

    References
    ----------
    Dwork, Roth, "The algorithmic foundations of differential privacy", 2014, section 3.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import Budget, private_mean
    >>> answer = private_mean([10.0] * 5000, 0, 100, 2.0, Budget(2.0, "one campaign"))
    >>> abs(answer.value - 10.0) < 2
    True
    """
    epsilon = _check_epsilon(epsilon)
    _check_per_person(per_person)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise PrivacyError(f"low is {low!r} and high {high!r}; finite bounds, low first, please.")
    if not isinstance(steps, (int, np.integer)) or not 2 <= steps <= 10**9:
        raise PrivacyError(f"steps is {steps!r}; a whole number from 2 to 10^9 is accepted.")
    budget.check(epsilon, question)
    values = np.asarray(values, float)
    values = np.clip(values[~np.isnan(values)], low, high)
    # around the middle, one person moves the sum by half the range only
    half = steps - steps // 2
    grid = np.rint((values - low) / (high - low) * steps).astype(np.int64) - steps // 2
    total, sum_scale = _discrete_laplace(int(grid.sum()), half * int(per_person), epsilon / 2)
    number, count_scale = _discrete_laplace(len(values), int(per_person), epsilon / 2)
    budget.spend(epsilon, question)
    step = (high - low) / steps
    middle = low + steps // 2 * step

    def mean(total: float, number: float) -> float:
        return float(np.clip(middle + step * total / max(number, 1), low, high))

    # each noise gets half of the failure probability
    each = 1 - (1 - confidence) / 2
    ds, dn = _noise_bound(sum_scale, each), _noise_bound(count_scale, each)
    corners = [mean(total + s, number + n) for s in (-ds, ds) for n in (-dn, dn)]
    value = mean(total, number)
    return Noisy(
        value,
        Interval(value, max(min(corners) - step, low), min(max(corners) + step, high), confidence),
        epsilon,
    )


class Dashboard:
    """Campaign figures with noise, until the budget is spent.

    Parameters
    ----------
    table : pandas.DataFrame
    budget : Budget
    person : column name, optional
        Who a row belongs to. Default: one row a person.
    per_person : int, default 1
        Rows of one person that count; further ones are left out, in the order of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.noise import Budget, Dashboard
    >>> mail = pd.Categorical(["a", "b"] * 500, categories=["a", "b"])
    >>> board = Dashboard(pd.DataFrame({"mail": mail}), Budget(1.0, "this campaign"))
    >>> counts = board.counts("mail", epsilon=1.0)
    >>> counts["mail"].tolist(), board.budget.remaining < 1e-9
    (['a', 'b'], True)
    """

    def __init__(
        self, table: pd.DataFrame, budget: Budget, *, person: Any = None, per_person: int = 1
    ) -> None:
        check_table(table)
        _check_per_person(per_person)
        if not isinstance(budget, Budget):
            raise PrivacyError(f"budget is a {type(budget).__name__}; a Budget is accepted.")
        if person is not None:
            check_columns(table, [person], "person")
            table = table[table.groupby(person, sort=False, dropna=False).cumcount() < per_person]
        elif per_person != 1:
            raise PrivacyError("per_person needs the column that tells people apart: person=...")
        self._table = table
        self.budget = budget
        self.per_person = int(per_person)

    def counts(
        self, by: Any, epsilon: float, *, groups: Sequence | None = None, where: Any = None
    ) -> pd.DataFrame:
        """Count rows by group.

        Parameters
        ----------
        by : column name
        epsilon : float
            For all groups together: groups are disjoint, so a person with one row is in
            one of them.
        groups : sequence, optional
            Groups to show, known beforehand: that a group exists may be the secret.
            Default: the categories of a categorical column.
        where : (column, value), optional
            Count only rows with that value.

        Returns
        -------
        pandas.DataFrame
            ``by``, ``count``, ``low``, ``high``.
        """
        check_columns(self._table, [by], "by")
        dtype = self._table[by].dtype
        if groups is None:
            if not isinstance(dtype, pd.CategoricalDtype):
                raise PrivacyError(
                    f"groups: column {by!r} is no category, so its groups would be read off the "
                    "data; list them."
                )
            groups = list(dtype.categories)
        epsilon = _check_epsilon(epsilon)
        table, question = self._table, f"rows by {by}"
        if where is not None:
            column, value = where
            check_columns(table, [column], "where")
            table, question = table[table[column] == value], f"{question} where {column} = {value}"
        self.budget.check(epsilon, question)
        found = table[by].value_counts()
        rows = []
        for group in groups:
            value, scale = _discrete_laplace(int(found.get(group, 0)), self.per_person, epsilon)
            m = _noise_bound(scale, 0.95)
            rows.append((group, value, value - m, value + m))
        # rows of one person may sit in several groups: the L1 bound per_person covers them
        self.budget.spend(epsilon, question)
        return pd.DataFrame(rows, columns=[by, "count", "low", "high"])

    def count(self, epsilon: float, *, where: Any = None) -> Noisy:
        """Count all rows, or those with a value (``where=(column, value)``)."""
        table, question = self._table, "rows"
        if where is not None:
            column, value = where
            check_columns(table, [column], "where")
            table, question = table[table[column] == value], f"rows where {column} = {value}"
        return private_count(
            len(table), epsilon, self.budget, per_person=self.per_person, question=question
        )

    def mean(self, column: Any, low: float, high: float, epsilon: float) -> Noisy:
        """Mean of a column, clipped to bounds chosen without looking."""
        check_columns(self._table, [column], "column")
        if not pd.api.types.is_numeric_dtype(self._table[column].dtype):
            raise PrivacyError(f"column {column!r} is not numeric; a mean needs numbers.")
        return private_mean(
            self._table[column].to_numpy(dtype=float, na_value=np.nan),
            low,
            high,
            epsilon,
            self.budget,
            per_person=self.per_person,
            question=f"mean of {column}",
        )


def simulate_noise(scale: float, size: int | tuple, seed: int) -> np.ndarray:
    """Two-sided geometric noise that can be drawn again: for figures, never for a release.

    Parameters
    ----------
    scale : float
        Sensitivity over epsilon, above 0.
    size : int or tuple
    seed : int

    Returns
    -------
    numpy.ndarray of int64

    Raises
    ------
    PrivacyError
        If the scale is not above 0.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan, STOC 2009.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import simulate_noise
    >>> bool(abs(simulate_noise(2.0, 10_000, seed=0).mean()) < 0.2)
    True
    """
    scale = _check_epsilon(scale, "scale")
    rng = np.random.default_rng([seed, 2009])  # apart from data drawn with the same seed
    p = -math.expm1(-1.0 / scale)
    return rng.geometric(p, size) - rng.geometric(p, size)


# ---- local noise ------------------------------------------------------------------------------


class RandomizedResponse:
    """Everybody answers for himself, and lies at a known rate.

    The answer is true with probability ``e^eps / (e^eps + m - 1)``, else one of the other
    ``m - 1`` at random. Nobody can be held to an answer, and the shares can still be
    estimated, corrected for the known lie rate, at the price of a wider error.

    Parameters
    ----------
    epsilon : float
        Per person and question, above 0. Asking the same person again costs again.
    categories : sequence, default (False, True)
        Possible answers, two or more.

    References
    ----------
    Warner, "Randomized response", JASA 1965. Kairouz, Bonawitz, Ramage, "Discrete
    distribution estimation under local privacy", ICML 2016.

    Examples
    --------
    >>> import math
    >>> from ethicalai_lab.privacy.noise import RandomizedResponse
    >>> coins = RandomizedResponse(math.log(3))  # two coins: truth in three of four cases
    >>> round(coins.truth_rate, 6)
    0.75
    """

    def __init__(self, epsilon: float, categories: Sequence = (False, True)) -> None:
        self.epsilon = _check_epsilon(epsilon)
        self.categories = tuple(categories)
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise PrivacyError(
                f"categories are {self.categories}; two or more different answers are accepted."
            )

    @property
    def truth_rate(self) -> float:
        """Probability that an answer is the true one."""
        return 1.0 / (1.0 + (len(self.categories) - 1) * math.exp(-self.epsilon))

    def report(self, answers: Sequence, seed: int | None = None) -> np.ndarray:
        """Give each person's randomised answer.

        Parameters
        ----------
        answers : sequence
            True answers, all among the categories.
        seed : int, optional
            For simulation. Without one the operating system's randomness is used, which
            nobody can draw again.

        Returns
        -------
        numpy.ndarray of object
        """
        index = {c: i for i, c in enumerate(self.categories)}
        true = np.empty(len(answers), np.int64)
        for i, answer in enumerate(answers):
            answer = answer.item() if hasattr(answer, "item") else answer
            if answer not in index:
                raise PrivacyError(
                    f"answers: number {i} is {answer!r}; one of {self.categories} is accepted."
                )
            true[i] = index[answer]
        # 53 random bits against a whole-number threshold: no rounding of the draw
        limit = int(self.truth_rate * 2**53)
        others = len(self.categories) - 1
        if seed is None:
            draw = np.array([secrets.randbits(53) for _ in true], np.int64)
            other = np.array([secrets.randbelow(others) for _ in true], np.int64)
        else:
            # a stream of its own: data drawn with the same seed must not predict the lies
            rng = np.random.default_rng([seed, 1965])
            draw = rng.integers(0, 2**53, len(true))
            other = rng.integers(0, others, len(true))
        lie = (true + 1 + other) % len(self.categories)
        chosen = np.where(draw < limit, true, lie)
        return np.array(self.categories, dtype=object)[chosen]

    def estimate(self, reported: Sequence, confidence: float = 0.95) -> dict:
        """Estimate the true shares, corrected for the known lie rate.

        Parameters
        ----------
        reported : sequence
        confidence : float

        Returns
        -------
        dict of category to Interval
            Right on average; not clipped, so a small share can come out below 0.
        """
        reported = np.asarray(reported, dtype=object)
        n = len(reported)
        if n == 0:
            raise PrivacyError("reported holds no answers; at least one is needed.")
        p, m = self.truth_rate, len(self.categories)
        q = (1 - p) / (m - 1)
        z = NormalDist().inv_cdf(0.5 + confidence / 2)
        out = {}
        for c in self.categories:
            seen = float((reported == c).mean())
            value = (seen - q) / (p - q)
            error = math.sqrt(seen * (1 - seen) / n) / (p - q)
            out[c] = Interval(value, value - z * error, value + z * error, confidence)
        return out

    def standard_error(self, share: float, n: int) -> float:
        """Return the standard error of the estimate, for a true share among n people."""
        p = self.truth_rate
        q = (1 - p) / (len(self.categories) - 1)
        seen = q + share * (p - q)
        return math.sqrt(seen * (1 - seen) / n) / (p - q)


# ---- why rounding matters ------------------------------------------------------------------------


@dataclass(frozen=True)
class FloatingPointLeak:
    """What the last bits of noisy answers told.

    Attributes
    ----------
    exposed : Interval
        Share of answers that only one of the two tables can produce.
    wrong : int
        Answers for which the attacker, being certain, was wrong.
    bound : float
        The share of right guesses that the promise allows at this epsilon.
    """

    exposed: Interval
    wrong: int
    bound: float


def floating_point_leak(
    epsilon: float,
    answers: tuple[float, float] = (0.0, 1.0),
    *,
    n: int = 2_000,
    seed: int = 0,
    grid: float | None = None,
) -> FloatingPointLeak:
    """Show that textbook Laplace noise in floating point breaks its promise.

    The textbook draws ``answer - b log(1 - U)``. U takes 2^53 values, so only some floats
    can come out, and *which* depends on the answer. The attacker asks of each output
    whether each answer can reach it. With noise on a grid of whole numbers every output
    can come from both, and nothing is exposed.

    Parameters
    ----------
    epsilon : float
    answers : (float, float)
        True answers of two tables that differ by one person.
    n : int
        Releases attacked.
    seed : int
    grid : float, optional
        Round the *output* to multiples of this. Rounding later repairs nothing unless
        the grid is coarse enough to cover the gaps.

    Returns
    -------
    FloatingPointLeak

    Raises
    ------
    PrivacyError
        If the answers are equal or a number is out of range.

    References
    ----------
    Mironov, "On significance of the least significant bits for differential privacy",
    CCS 2012.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import floating_point_leak
    >>> leak = floating_point_leak(0.1, n=500)
    >>> leak.exposed.value > 0.2, leak.wrong
    (True, 0)
    """
    epsilon = _check_epsilon(epsilon)
    first, second = map(float, answers)
    if first == second or not (math.isfinite(first) and math.isfinite(second)):
        raise PrivacyError(f"answers are {answers}; two different finite numbers are accepted.")
    if grid is not None:
        _check_epsilon(grid, "grid")
    scale = abs(first - second) / epsilon
    rng = np.random.default_rng(seed)
    which = rng.integers(0, 2, n)
    true = np.where(which == 0, first, second)
    sign = np.where(rng.integers(0, 2, n) == 0, -1.0, 1.0)
    output = _textbook(true, sign, rng.integers(0, 2**53, n), scale)
    if grid is not None:
        output = np.rint(output / grid) * grid
    can = [_reachable(output, answer, scale, grid) for answer in (first, second)]
    certain = can[0] != can[1]
    guess = np.where(can[0], 0, 1)
    wrong = int((certain & (guess != which)).sum())
    return FloatingPointLeak(
        proportion_interval(int(certain.sum()), n), wrong, membership_bound(epsilon)
    )


def _textbook(answer: Any, sign: Any, draw: np.ndarray, scale: float) -> np.ndarray:
    """Draw as textbooks do, and as many programs do: not for a release."""
    return answer - sign * scale * np.log(1.0 - draw * 2.0**-53)


def _reachable(output: np.ndarray, answer: float, scale: float, grid: float | None) -> np.ndarray:
    """Whether some draw U leads from the answer to exactly this output."""
    cell = 0.0 if grid is None else grid / 2
    distance = np.abs(output - answer)
    sign = np.where(output >= answer, 1.0, -1.0)

    def draw_at(noise: np.ndarray) -> np.ndarray:
        return np.rint(-np.expm1(-np.maximum(noise, 0.0) / scale) * 2.0**53)

    first, last = draw_at(distance - cell), draw_at(distance + cell)
    # the inverse is exact to a few units: inside a wide stretch a draw surely lands in the
    # cell, in a narrow one every draw in and around it is tried
    wide = last - first > 64
    offsets = np.arange(-24, 25)
    tries = np.concatenate([first[:, None] + offsets, last[:, None] + offsets], axis=1)
    made = _textbook(answer, sign[:, None], np.clip(tries, 0, 2**53 - 1), scale)
    if grid is not None:
        made = np.rint(made / grid) * grid
    return wide | (made == output[:, None]).any(axis=1)
