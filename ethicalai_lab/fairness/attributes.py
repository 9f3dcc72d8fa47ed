"""Missing or inferred protected attributes, and what they do to an audit.

Whoever infers a protected attribute misclassifies some people; a gap measured between
inferred groups is then smaller than the gap between real ones, or biased in another way.
Whoever leaves out people who did not say assumes that they are like the others.

References
----------
Chen, J., Kallus, N., Mao, X., Svacha, G. and Udell, M. (2019). Fairness under
unawareness: assessing disparity when protected class is unobserved. FAT* 2019.

Manski, C. F. (2003). Partial Identification of Probability Distributions. Springer.

Carroll, R. J., Ruppert, D., Stefanski, L. A. and Crainiceanu, C. M. (2006). Measurement
Error in Nonlinear Models, 2nd edition. Chapman & Hall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethicalai_lab.fairness._coding import (
    MISSING,
    FairnessInputError,
    binary,
    column,
    factor,
)
from ethicalai_lab.stats import Interval

__all__ = [
    "attenuation",
    "attribute_error_table",
    "correct_misclassified_rates",
    "inferred_attribute_gap",
    "missing_attribute_bounds",
]


def attenuation(prevalence: float, sensitivity: float, specificity: float) -> float:
    """Return the factor by which inferring a two-valued attribute shrinks a gap.

    Parameters
    ----------
    prevalence : float
        True share of the group in question, in (0, 1).
    sensitivity, specificity : float
        Chance that a member, and that a non-member, is inferred correctly, in [0, 1].

    Returns
    -------
    float
        Precision of inferring members plus that of inferring non-members, minus one: the
        measured gap over the true one. 1 without errors, 0 for a coin toss, negative where
        the inference is worse than that; ``nan`` where nobody is inferred a member, or
        everybody.

    Raises
    ------
    FairnessInputError
        If an argument is out of range.

    Notes
    -----
    Exact where, within a group, being misclassified has nothing to do with the decision.

    References
    ----------
    Carroll et al. (2006), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import attenuation
    >>> round(attenuation(0.10, 0.80, 0.90), 3)
    0.446
    """
    if not 0 < prevalence < 1:
        raise FairnessInputError(f"prevalence is {prevalence}; it must lie between 0 and 1.")
    for name, value in (("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 <= value <= 1:
            raise FairnessInputError(f"{name} is {value}; it must lie in [0, 1].")
    inferred = prevalence * sensitivity + (1 - prevalence) * (1 - specificity)
    if inferred in (0, 1):
        return float("nan")
    precision = prevalence * sensitivity / inferred
    negative = (1 - prevalence) * specificity / (1 - inferred)
    return precision + negative - 1


def correct_misclassified_rates(
    rates: ArrayLike, shares: ArrayLike, confusion: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Undo misclassification: rates of inferred groups to rates of true groups.

    Parameters
    ----------
    rates : array-like of shape (n_groups,)
        Selection rate (or another mean) of each inferred group.
    shares : array-like of shape (n_groups,)
        Share of each inferred group; they sum to 1.
    confusion : array-like of shape (n_groups, n_groups)
        Row: true group; column: chance of being inferred as each group. Rows sum to 1.

    Returns
    -------
    rates, shares : ndarray of shape (n_groups,)
        Of the true groups. Values outside [0, 1] are returned as they are: they say that
        the confusion matrix does not fit the data.

    Raises
    ------
    FairnessInputError
        If shapes or sums are wrong, or the matrix cannot be inverted (the inferred label
        says nothing about some group).

    Notes
    -----
    Exact where, within a true group, being misclassified has nothing to do with the
    decision. Errors of a nearly singular matrix are large: see how the result moves.

    References
    ----------
    Carroll et al. (2006), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import correct_misclassified_rates
    >>> rates, shares = correct_misclassified_rates(
    ...     [0.22, 0.29], [0.26, 0.74], [[0.8, 0.2], [0.125, 0.875]]
    ... )
    >>> rates.round(3).tolist(), shares.round(3).tolist()
    ([0.172, 0.297], [0.2, 0.8])
    """
    r, q = np.asarray(rates, dtype=float), np.asarray(shares, dtype=float)
    m = np.asarray(confusion, dtype=float)
    if r.ndim != 1 or q.shape != r.shape or m.shape != (r.size, r.size):
        raise FairnessInputError(
            f"rates, shares and confusion have shapes {r.shape}, {q.shape} and {m.shape}; "
            "give (n,), (n,) and (n, n)."
        )
    if abs(q.sum() - 1) > 1e-6:
        raise FairnessInputError(f"shares sum to {q.sum():.4f}; they must sum to 1.")
    if np.any(m < 0) or np.any(np.abs(m.sum(axis=1) - 1) > 1e-6):
        row = int(np.argmax(np.abs(m.sum(axis=1) - 1)))
        raise FairnessInputError(
            f"confusion row {row} sums to {m[row].sum():.4f}; rows must be at least 0 and sum to 1."
        )
    if np.linalg.matrix_rank(m, tol=1e-9) < r.size:
        raise FairnessInputError(
            "confusion cannot be inverted: the inferred label does not tell some groups apart."
        )
    true_shares = np.linalg.solve(m.T, q)
    selected = np.linalg.solve(m.T, q * r)
    with np.errstate(divide="ignore", invalid="ignore"):
        return selected / true_shares, true_shares


def attribute_error_table(
    y_pred: Any, group: Any, error_rates: ArrayLike = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
) -> pd.DataFrame:
    """Return the gap an audit would report if the attribute were wrong this often.

    Parameters
    ----------
    y_pred : array-like of shape (n_rows,)
        Decisions.
    group : array-like of shape (n_rows,)
        The true attribute, without missing values.
    error_rates : array-like, default (0, 0.05, 0.1, 0.2, 0.3, 0.5)
        Chance that a person's label is replaced by another group's, picked by its share.

    Returns
    -------
    DataFrame
        Columns ``error_rate``, ``demographic_parity_difference`` (of the expected rates),
        ``share_of_true_gap``.

    Raises
    ------
    FairnessInputError
        If a column cannot be used, there is one group only, or a rate is outside [0, 1].

    Examples
    --------
    >>> from ethicalai_lab.fairness import attribute_error_table
    >>> table = attribute_error_table([1] * 60 + [0] * 40 + [1] * 20 + [0] * 80,
    ...                               ["a"] * 100 + ["b"] * 100, [0, 0.1, 0.5])
    >>> table["demographic_parity_difference"].round(2).tolist()
    [0.4, 0.32, 0.0]
    """
    predicted = binary(y_pred, "y_pred")
    codes, levels = factor(column(group, "group", predicted.size), "group")
    if MISSING in levels:
        raise FairnessInputError(
            "group has missing values; see missing_attribute_bounds for those."
        )
    if len(levels) < 2:
        raise FairnessInputError(f"group holds only {levels[0]!r}; at least two groups are needed.")
    n = np.bincount(codes).astype(float)
    share = n / n.sum()
    rate = np.bincount(codes, predicted) / n
    rows = []
    for error in np.atleast_1d(np.asarray(error_rates, dtype=float)):
        if not 0 <= error <= 1:
            raise FairnessInputError(f"error rate is {error}; it must lie in [0, 1].")
        others = share[None, :] / (1 - share)[:, None]
        np.fill_diagonal(others, 0)
        confusion = (1 - error) * np.eye(len(n)) + error * others
        mass = share @ confusion
        seen = (share * rate) @ confusion / mass
        rows.append((float(error), float(seen.max() - seen.min())))
    frame = pd.DataFrame(rows, columns=["error_rate", "demographic_parity_difference"])
    true_gap = rate.max() - rate.min()
    gap = frame["demographic_parity_difference"]
    frame["share_of_true_gap"] = gap / true_gap if true_gap > 0 else np.nan
    return frame


def missing_attribute_bounds(y_pred: Any, group: Any) -> pd.DataFrame:
    """Bound each group's selection rate, whoever the people without an answer are.

    Parameters
    ----------
    y_pred : array-like of shape (n_rows,)
        Decisions.
    group : array-like of shape (n_rows,)
        The attribute; missing where it was not given.

    Returns
    -------
    DataFrame
        One row a group: ``n``, ``rate`` (of those who answered), ``low`` and ``high`` (if
        all who did not answer belonged where they lower or raise the rate most), and a
        last row "gap" with the largest difference: as answered, the least and the most
        that the missing answers allow. These bounds hold no sampling error.

    Raises
    ------
    FairnessInputError
        If a column cannot be used or fewer than two groups answered.

    References
    ----------
    Manski (2003), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import missing_attribute_bounds
    >>> table = missing_attribute_bounds([1, 1, 0, 1, 0, 0, 1, 0], list("aaabbb") + [None] * 2)
    >>> table.round(2).loc["gap", ["rate", "low", "high"]].tolist()
    [0.33, 0.0, 0.5]
    """
    predicted = binary(y_pred, "y_pred")
    codes, levels = factor(column(group, "group", predicted.size), "group")
    absent = codes == len(levels) - 1 if levels[-1] == MISSING else np.zeros(codes.size, bool)
    names = levels[:-1] if absent.any() else levels
    if len(names) < 2:
        raise FairnessInputError("group has fewer than two known values; a gap needs two.")
    n = np.bincount(codes[~absent], minlength=len(names)).astype(float)
    hits = np.bincount(codes[~absent], predicted[~absent], len(names))
    more_hits, more_misses = predicted[absent].sum(), (1 - predicted[absent]).sum()
    rate = hits / n
    low = hits / (n + more_misses)
    high = (hits + more_hits) / (n + more_hits)
    # Raising one group's rate and lowering another's use different people: both can be true.
    span = high[:, None] - low[None, :]
    np.fill_diagonal(span, -np.inf)
    largest = float(span.max())
    # A missing person can be in one group only, so this floor may be lower than need be.
    least = max(0.0, float(low.max() - high.min()))
    frame = pd.DataFrame(
        {"n": n.astype(int), "rate": rate, "low": low, "high": high},
        index=pd.Index(names, name=getattr(group, "name", None) or "group", dtype=object),
    )
    frame.loc["gap"] = [int(absent.sum()), float(rate.max() - rate.min()), least, largest]
    frame["n"] = frame["n"].astype(int)
    return frame


def inferred_attribute_gap(
    y_pred: Any,
    probability: Any,
    *,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Estimate a selection gap from the chance of belonging to a group, two ways.

    Parameters
    ----------
    y_pred : array-like of shape (n_rows,)
        Decisions.
    probability : array-like of shape (n_rows,)
        Each person's chance of belonging to the group, in [0, 1], from a proxy model.
    confidence : float, default 0.95
        Of the intervals, for sampling error only.

    Returns
    -------
    dict of str to Interval
        Members' minus non-members' selection rate: "threshold" takes everyone above one
        half for a member; "weighted" lets each person count as a member by probability.

    Raises
    ------
    FairnessInputError
        If a column cannot be used.

    Notes
    -----
    With right probabilities the weighted estimate is wrong by the covariance, within people
    of equal probability, of decision and membership; the threshold estimate often
    exaggerates. Neither error is in the interval.

    References
    ----------
    Chen et al. (2019), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import inferred_attribute_gap
    >>> gaps = inferred_attribute_gap([1, 1, 0, 0] * 50, [0.9, 0.8, 0.2, 0.1] * 50)
    >>> gaps["threshold"].value, round(gaps["weighted"].value, 2)
    (1.0, 0.7)
    """
    from ethicalai_lab.fairness._coding import numbers

    predicted = binary(y_pred, "y_pred")
    p = numbers(probability, "probability", predicted.size)
    if np.any((p < 0) | (p > 1)):
        row = int(np.argmax((p < 0) | (p > 1)))
        raise FairnessInputError(f"probability is {p[row]:g} in row {row}; it must lie in [0, 1].")
    return {
        name: _weighted_gap(predicted, member, confidence)
        for name, member in (("threshold", (p > 0.5).astype(float)), ("weighted", p))
    }


def _weighted_gap(y: np.ndarray, member: np.ndarray, confidence: float) -> Interval:
    """Return members' less others' rate; who may be either counts in both."""
    from ethicalai_lab.fairness._bounds import Estimate, difference_reach
    from ethicalai_lab.fairness._counted import effective_rows

    weight = np.stack([member, 1 - member])
    total = weight.sum(axis=1)
    if not total.all():
        return Interval(np.nan, np.nan, np.nan, confidence)
    rate = weight @ y / total
    sums = np.stack([weight @ (1 - y), weight @ y], axis=1)
    squares = np.stack([weight**2 @ (1 - y), weight**2 @ y], axis=1)
    low, high = Estimate(rate, effective_rows(sums, squares, (1,), (0, 1))).bounds(confidence)
    pull = weight * (y - rate[:, None])  # of each person on each rate
    spread = np.linalg.norm(pull, axis=1).prod()
    together = pull[0] @ pull[1] / spread if spread > 0 else 0.0
    (down, least), (up, most) = rate - low, high - rate
    below, above = difference_reach((down, up), (least, most), together)
    value = float(rate[0] - rate[1])
    return Interval(value, max(-1.0, value - below), min(1.0, value + above), confidence)
