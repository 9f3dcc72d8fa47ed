"""Differential privacy: noise with a budget, lies with a known rate, and a trap.

Released noise comes from OpenDP, which draws it exactly and cannot be seeded: noise that
can be drawn again can be subtracted. What takes a ``seed`` here simulates, for figures
and exercises, and says so.

Neighbours are tables that differ by adding or removing one *person*, with all rows of
that person. An epsilon means little without that unit and the period it covers: a budget
that is renewed every day is no budget.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.budget import (
    Budget,
    BudgetError,
    advanced_composition,
    basic_composition,
    check_epsilon,
    membership_bound,
)
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.floating_point import FloatingPointLeak, floating_point_leak
from ethicalai_lab.privacy.randomized_response import RandomizedResponse
from ethicalai_lab.stats import Interval

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

_LARGEST = 2**62


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


@lru_cache(maxsize=256)
def _mechanism(sensitivity: int, epsilon: float) -> tuple[Any, float]:
    """Build OpenDP's noise on whole numbers at no more than epsilon; also its scale."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    domain, metric = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    scale = sensitivity / epsilon
    measure = dp.m.make_laplace(domain, metric, scale=scale)
    while measure.map(sensitivity) > epsilon:  # the library rounds its losses up
        scale *= 1 + 2.0**-48
        measure = dp.m.make_laplace(domain, metric, scale=scale)
    return measure, scale


def _discrete_laplace(value: int, sensitivity: int, epsilon: float) -> tuple[int, float]:
    """Release an integer at no more than epsilon; returns it and the scale of the noise."""
    # beyond this whole numbers and the noise on them no longer fit 64 bits
    if sensitivity > _LARGEST or not -_LARGEST <= value <= _LARGEST:
        raise PrivacyError(f"what is counted passes {_LARGEST:,}; smaller figures are accepted.")
    if sensitivity / epsilon > _LARGEST:
        raise PrivacyError(
            f"epsilon is {epsilon!r}: the noise would pass {_LARGEST:,}; a larger one is accepted."
        )
    measure, scale = _mechanism(int(sensitivity), epsilon)
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
    epsilon = check_epsilon(epsilon)
    _check_per_person(per_person)
    if not isinstance(count, (int, np.integer)):
        raise PrivacyError(f"count is {count!r}; a whole number is accepted.")
    budget.check(epsilon, question)
    value, scale = _discrete_laplace(int(count), per_person, epsilon)
    budget.spend(epsilon, question)
    m = _noise_bound(scale, confidence)
    return Noisy(value, Interval(value, value - m, value + m, confidence), epsilon)


def _check_per_person(per_person: Any) -> None:
    whole = isinstance(per_person, (int, np.integer)) and not isinstance(per_person, bool)
    if not whole or per_person < 1:
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
    epsilon = check_epsilon(epsilon)
    _check_per_person(per_person)
    if not isinstance(steps, (int, np.integer)) or not 2 <= steps <= 10**9:
        raise PrivacyError(f"steps is {steps!r}; a whole number from 2 to 10^9 is accepted.")
    # a range that is no number, or so narrow that a step is none, has no grid to bound a person
    if not (math.isfinite(high - low) and (high - low) / steps > 0):
        raise PrivacyError(f"low is {low!r} and high {high!r}; finite bounds, low first, please.")
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
        From here on the table's only one: see :class:`Budget`.
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
            rank = table.groupby(person, sort=False, dropna=False).cumcount()
            self._table = table[rank < per_person]
        elif per_person == 1:
            self._table = table
        else:
            raise PrivacyError("per_person needs the column that tells people apart: person=...")
        budget.bind(table)
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
            Groups to show, each once, known beforehand: that a group exists may be the
            secret. Default: the categories of a categorical column, which then are the only
            ones accepted.
        where : (column, value), optional
            Count only rows with that value.

        Returns
        -------
        pandas.DataFrame
            ``by``, ``count``, ``low``, ``high``.

        Raises
        ------
        BudgetError
            If the budget does not cover it.
        PrivacyError
            If a group is missing, listed twice (also as another spelling of the same
            value, as 1 and True are) or cannot be a value of the column.
        """
        check_columns(self._table, [by], "by")
        epsilon = check_epsilon(epsilon)
        groups = _groups(self._table[by], groups)
        table, question = self._where(where, f"rows by {by}")
        self.budget.check(epsilon, question)
        rows = []
        for group, count in zip(groups, _count_groups(table[by], groups), strict=True):
            value, scale = _discrete_laplace(count, self.per_person, epsilon)
            m = _noise_bound(scale, 0.95)
            rows.append((group, value, value - m, value + m))
        # a row is in one group at most, and rows of one person may sit in several: the L1
        # bound per_person covers them
        self.budget.spend(epsilon, question)
        return pd.DataFrame(rows, columns=[by, "count", "low", "high"])

    def _where(self, where: Any, question: str) -> tuple[pd.DataFrame, str]:
        """Return the rows that a question is about, and the question."""
        if where is None:
            return self._table, question
        if not isinstance(where, tuple) or len(where) != 2:
            raise PrivacyError(f"where is {where!r}; a pair (column, value) is accepted.")
        column, value = where
        check_columns(self._table, [column], "where")
        # a list would pick rows by their place, which moves when a person goes
        if not pd.api.types.is_scalar(value) or pd.isna(value):
            raise PrivacyError(f"where: {value!r} is no single value that a row can have.")
        chosen = self._table[self._table[column] == value]
        return chosen, f"{question} where {column} = {value}"

    def count(self, epsilon: float, *, where: Any = None) -> Noisy:
        """Count all rows, or those with a value (``where=(column, value)``)."""
        table, question = self._where(where, "rows")
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


def _groups(column: pd.Series, groups: Sequence | None) -> list:
    """Return the groups to count, or refuse those of which a row could be in two, or in none.

    A row counts once only if the groups are as different as the column's values are.
    """
    dtype = column.dtype
    declared = None
    if isinstance(dtype, pd.CategoricalDtype):
        declared = dict.fromkeys(dtype.categories)
    if groups is None:
        if declared is None:
            raise PrivacyError(
                f"groups: column {column.name!r} is no category, so its groups would be read off "
                "the data; list them."
            )
        groups = declared
    elif isinstance(groups, str) or not pd.api.types.is_list_like(groups):
        raise PrivacyError(f"groups is {groups!r}; a list of groups is accepted.")
    first: dict = {}
    for i, group in enumerate(groups):
        if not isinstance(group, Hashable) or not _is_value(group):
            raise PrivacyError(f"groups: number {i} is {group!r}; single values are accepted.")
        if declared is not None and group not in declared:
            shown = ", ".join(map(str, [*declared][:10])) + (", ..." if len(declared) > 10 else "")
            raise PrivacyError(
                f"groups: number {i}, {group!r}, is no category of column {column.name!r}; those "
                f"are {shown}."
            )
        if _never(group, dtype):
            raise PrivacyError(
                f"groups: number {i}, {group!r}, can be no value of column {column.name!r}, "
                f"which holds {dtype}."
            )
        if group in first:
            raise PrivacyError(
                f"groups: number {i}, {group!r}, is the same group as number {first[group]}; each "
                "is counted once for one epsilon."
            )
        first[group] = i
    if not first:
        raise PrivacyError("groups is empty; at least one group is needed.")
    return list(first)


def _is_value(group: Any) -> bool:
    # a tuple may be a value too
    return isinstance(group, tuple) or (pd.api.types.is_scalar(group) and not pd.isna(group))


def _never(group: Any, dtype: Any) -> bool:
    """Whether a column of this type can hold no value that equals the group."""
    if pd.api.types.is_numeric_dtype(dtype):
        return not isinstance(group, (bool, int, float, complex, np.number, np.bool_))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return not isinstance(group, pd.Timestamp) and not hasattr(group, "hour")
    if isinstance(dtype, (pd.IntervalDtype, pd.PeriodDtype)):
        return not isinstance(group, dtype.type)
    return False


def _count_groups(column: pd.Series, groups: list) -> list[int]:
    """Rows in each group; every row is looked up once, so that it is in one at most."""
    place = {group: i for i, group in enumerate(groups)}
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        raise PrivacyError(
            f"by: column {column.name!r} holds lists or the like; single values are accepted."
        ) from None
    group_of = np.array([place.get(value, -1) for value in values] + [-1], np.int64)
    found = group_of[codes]
    return np.bincount(found[found >= 0], minlength=len(groups)).tolist()


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
    scale = check_epsilon(scale, "scale")
    rng = np.random.default_rng([seed, 2009])  # apart from data drawn with the same seed
    p = -math.expm1(-1.0 / scale)
    return rng.geometric(p, size) - rng.geometric(p, size)
