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
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError, column, factor
from ethicalai_lab.stats import wilson_bounds

__all__ = ["Weighting", "effective_sample_size", "population_weights", "representation"]


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


@dataclass(frozen=True)
class Weighting:
    """Weights that bring a table's margins to the population's.

    Attributes
    ----------
    weights : ndarray of shape (n_rows,)
        Mean 1.
    effective_n : float
        Kish's effective number of rows: what the weights cost in precision.
    design_effect : float
        Rows over effective rows, at least 1.
    largest_miss : float
        The largest remaining distance between a weighted and a population share.
    rounds : int
        Passes over the margins.
    """

    weights: np.ndarray
    effective_n: float
    design_effect: float
    largest_miss: float
    rounds: int


def population_weights(
    table: Any,
    population: Mapping[str, Mapping[Any, float]],
    *,
    tolerance: float = 1e-8,
    max_rounds: int = 500,
    max_weight: float | None = None,
) -> Weighting:
    """Weight rows so that each column's shares meet the population's (raking).

    Parameters
    ----------
    table : DataFrame
        One row a person.
    population : mapping of column to (mapping of level to share)
        One margin a column. With one margin this is post-stratification.
    tolerance : float, default 1e-8
        The largest share difference to accept.
    max_rounds : int, default 500
        The most passes over the margins.
    max_weight : float, optional
        Cap on a weight, in means; margins are then met less closely, see ``largest_miss``.

    Returns
    -------
    Weighting

    Raises
    ------
    FairnessInputError
        If a column is missing, or holds a level without a population share, or the
        population has a group that the table has nobody of: no weight speaks for people
        who are not there.

    References
    ----------
    Deming and Stephan (1940) and Kish (1965), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.fairness import population_weights
    >>> table = pd.DataFrame({"sex": ["f"] * 30 + ["m"] * 70})
    >>> result = population_weights(table, {"sex": {"f": 0.5, "m": 0.5}})
    >>> result.weights[[0, -1]].round(3).tolist(), round(result.effective_n, 1)
    ([1.667, 0.714], 84.0)
    """
    if not isinstance(table, pd.DataFrame):
        raise FairnessInputError("table must be a DataFrame, one row a person.")
    if not population:
        raise FairnessInputError("population has no margin; give at least one column's shares.")
    margins = []
    for name, given in population.items():
        if name not in table:
            raise FairnessInputError(
                f"population names column {name!r}, which the table lacks; it has "
                f"{', '.join(map(str, table.columns))}."
            )
        shares = _shares(given, f"population[{name!r}]")
        codes, levels = factor(table[name], str(name))
        for level in levels:
            if shares.get(level, 0.0) == 0.0:
                raise FairnessInputError(
                    f"{name} holds {level!r}, which has no population share; drop or recode it."
                )
        for level, share in shares.items():
            if share > 0 and level not in set(levels):
                raise FairnessInputError(
                    f"the population has {name} = {level!r}, the table has nobody of it; no "
                    "weight can speak for people who are not there."
                )
        margins.append((codes, np.array([shares[level] for level in levels])))
    n = len(table)
    w = np.ones(n)
    rounds = 0
    miss = np.inf
    while miss > tolerance and rounds < max_rounds:
        rounds += 1
        for codes, target in margins:
            w *= (target * n / np.bincount(codes, w, target.size))[codes]
        if max_weight is not None:
            w = np.minimum(w, max_weight)
            w *= n / w.sum()
        miss = max(
            float(np.abs(np.bincount(codes, w, target.size) / w.sum() - target).max())
            for codes, target in margins
        )
    effective = effective_sample_size(w)
    return Weighting(w, effective, n / effective, miss, rounds)


def effective_sample_size(sample_weight: Any) -> float:
    """Return Kish's effective number of rows, ``sum(w)**2 / sum(w**2)``.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,)
        At least 0 and not all 0.

    Returns
    -------
    float
        At most the number of rows.

    References
    ----------
    Kish (1965), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import effective_sample_size
    >>> effective_sample_size([1, 1, 1, 1]), round(effective_sample_size([5, 1, 1, 1]), 2)
    (4.0, 2.29)
    """
    from ethicalai_lab.fairness._coding import weights

    w = weights(sample_weight, len(sample_weight))
    return float(w.sum() ** 2 / (w * w).sum())


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
