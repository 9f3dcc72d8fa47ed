"""Whom the data holds, beside whom it speaks for; and weights that close the distance.

References
----------
Deming, W. E. and Stephan, F. F. (1940). On a least squares adjustment of a sampled
frequency table when the expected marginal totals are known. Annals of Mathematical
Statistics 11(4), 427-444.

Kish, L. (1965). Survey Sampling. Wiley.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError, column, factor
from ethicalai_lab.stats import wilson_bounds

__all__ = ["representation"]


def representation(
    group: Any, population: Mapping[Any, float], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare each group's share of the data with its share of the population.

    Parameters
    ----------
    group : array-like of shape (n_rows,)
        Whom each row is about. Missing values are a group of their own, which the
        population does not have.
    population : mapping of level to float
        Shares of the population, or counts; at least 0 and not all 0.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    DataFrame
        Indexed by group: ``count``, ``share``, ``low``, ``high`` (Wilson's interval),
        ``population_share``, ``ratio`` (share over population share) and ``outside``
        (whether the population share lies outside the bounds).

    Raises
    ------
    FairnessInputError
        If ``population`` is empty or impossible.

    Examples
    --------
    >>> from ethicalai_lab.fairness import representation
    >>> table = representation(["a"] * 90 + ["b"] * 10, {"a": 0.7, "b": 0.3})
    >>> table["ratio"].round(2).to_dict(), table["outside"].tolist()
    ({'a': 1.29, 'b': 0.33}, [True, True])
    """
    shares = _shares(population, "population")
    codes, levels = factor(column(group, "group"), "group")
    if not codes.size:
        raise FairnessInputError("group has no rows; at least one is needed.")
    n = np.bincount(codes, minlength=len(levels))
    names = list(levels) + [k for k in shares if k not in set(levels)]
    count = np.array([*n, *[0] * (len(names) - len(levels))])
    low, high = wilson_bounds(count, codes.size, confidence)
    share = count / codes.size
    target = np.array([shares.get(name, 0.0) for name in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(target > 0, share / target, np.nan)
    return pd.DataFrame(
        {
            "count": count,
            "share": share,
            "low": low,
            "high": high,
            "population_share": target,
            "ratio": ratio,
            "outside": (target < low) | (target > high),
        },
        index=pd.Index(names, name=getattr(group, "name", None) or "group"),
    )


def _shares(given: Mapping[Any, float], name: str) -> dict[Any, float]:
    if not isinstance(given, Mapping) or not given:
        raise FairnessInputError(f"{name} must map each group to its share, such as {{'a': 0.6}}.")
    values = {k: float(v) for k, v in given.items()}
    wrong = [k for k, v in values.items() if not (np.isfinite(v) and v >= 0)]
    if wrong:
        raise FairnessInputError(f"{name}: the share of {wrong[0]!r} must be at least 0.")
    total = sum(values.values())
    if total == 0:
        raise FairnessInputError(f"{name} sums to 0; at least one share must be above 0.")
    return {k: v / total for k, v in values.items()}
