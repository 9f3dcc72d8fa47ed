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

__all__ = [
    "attribute_error_table",
    "missing_attribute_bounds",
]


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
