"""Why a score cannot be calibrated and have equal error rates at once, on one's own numbers.

References
----------
Chouldechova, A. (2017). Fair prediction with disparate impact: a study of bias in recidivism
prediction instruments. Big Data 5(2), 153-163.

Kleinberg, J., Mullainathan, S. and Raghavan, M. (2017). Inherent trade-offs in the fair
determination of risk scores. ITCS 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethicalai_lab.fairness._coding import FairnessInputError, binary, column, factor, numbers
from ethicalai_lab.fairness.auditing import Audit

__all__ = ["calibration_and_balance", "implied_false_positive_rate", "impossibility_table"]


def implied_false_positive_rate(
    base_rate: ArrayLike, precision: ArrayLike, false_negative_rate: ArrayLike
) -> np.ndarray | float:
    """Return the false positive rate that three other rates force.

    Parameters
    ----------
    base_rate : float or array-like
        Share with the outcome, in [0, 1).
    precision : float or array-like
        Share of those selected who have the outcome, in (0, 1].
    false_negative_rate : float or array-like
        Share of those with the outcome who are not selected, in [0, 1].

    Returns
    -------
    float or ndarray
        ``p / (1 - p) * (1 - PPV) / PPV * (1 - FNR)``. Above 1, the three rates cannot
        be had together.

    Raises
    ------
    FairnessInputError
        If a rate is out of range.

    References
    ----------
    Chouldechova (2017), equation 2.6, see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import implied_false_positive_rate
    >>> rates = implied_false_positive_rate([0.2, 0.4], 0.5, 0.3)
    >>> rates.round(3).tolist()
    [0.175, 0.467]
    """
    p, ppv = np.asarray(base_rate, float), np.asarray(precision, float)
    fnr = np.asarray(false_negative_rate, float)
    for name, value, inside in (
        ("base_rate", p, (p >= 0) & (p < 1)),
        ("precision", ppv, (ppv > 0) & (ppv <= 1)),
        ("false_negative_rate", fnr, (fnr >= 0) & (fnr <= 1)),
    ):
        if not np.all(inside | np.isnan(value)):
            raise FairnessInputError(f"{name} is out of range; see what is accepted.")
    result = p / (1 - p) * (1 - ppv) / ppv * (1 - fnr)
    return float(result) if result.ndim == 0 else result


def impossibility_table(result: Audit) -> pd.DataFrame:
    """Say what equal precision and equal misses would force, group by group.

    Parameters
    ----------
    result : Audit
        An audit with outcomes and without control features.

    Returns
    -------
    DataFrame
        Indexed by group: ``base_rate``, ``precision_score``, ``false_negative_rate``,
        ``false_positive_rate``, ``implied`` (the same, from the other three: it agrees) and
        ``forced`` (the false positive rate if every group had the overall precision and
        false negative rate). As far as ``forced`` differs between groups, so must one of the
        three rates: only equal base rates or a perfect prediction would free them.

    Raises
    ------
    FairnessInputError
        If the audit has no outcomes, or has control features.

    References
    ----------
    Chouldechova (2017), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit, impossibility_table
    >>> y = [1] * 50 + [0] * 50 + [1] * 20 + [0] * 80
    >>> chosen = [1] * 40 + [0] * 10 + [1] * 10 + [0] * 40 + [1] * 16 + [0] * 4 + [1] * 4 + [0] * 76
    >>> table = impossibility_table(audit(y, chosen, sensitive_features=["a"] * 100 + ["b"] * 100))
    >>> table["forced"].round(3).to_dict()
    {'a': 0.2, 'b': 0.05}
    """
    if not result.has_truth or result.control_names:
        raise FairnessInputError("the audit must have outcomes and no control features.")
    names = ["base_rate", "precision_score", "false_negative_rate", "false_positive_rate"]
    table = result.by_group[names].copy()
    ppv, fnr = result.overall["precision_score"], result.overall["false_negative_rate"]
    with np.errstate(divide="ignore", invalid="ignore"):
        p, own = table["base_rate"], table["precision_score"]
        odds = p / (1 - p)
        table["implied"] = odds * (1 - own) / own * (1 - table["false_negative_rate"])
        table["forced"] = odds * (1 - ppv) / ppv * (1 - fnr)
    undefined = ~np.isfinite(table[["implied", "forced"]])
    table[["implied", "forced"]] = table[["implied", "forced"]].mask(undefined)
    return table


def calibration_and_balance(y_true: Any, score: Any, group: Any) -> pd.DataFrame:
    """Set calibration beside balance, which cannot both hold where base rates differ.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Outcomes, 0/1.
    score : array-like of shape (n_rows,)
        Predicted probabilities, in [0, 1].
    group : array-like of shape (n_rows,)
        Groups.

    Returns
    -------
    DataFrame
        Indexed by group: ``count``, ``base_rate``, ``mean_score``, ``calibration_gap``
        (their difference), ``mean_score_positive`` and ``mean_score_negative`` (balance for
        the positive and the negative class asks that these be equal between groups), and
        ``implied_mean_score_negative``: for a score calibrated in the group, what its base
        rate and ``mean_score_positive`` force.

    Raises
    ------
    FairnessInputError
        If a column cannot be used or a score lies outside [0, 1].

    References
    ----------
    Kleinberg, Mullainathan and Raghavan (2017), see the module. A calibrated score has mean
    ``p`` in its group, so ``p * positive + (1 - p) * negative = p``.

    Examples
    --------
    >>> from ethicalai_lab.fairness import calibration_and_balance
    >>> table = calibration_and_balance([1, 0, 1, 0], [0.6, 0.4, 0.5, 0.5], list("aabb"))
    >>> table["implied_mean_score_negative"].round(2).to_dict()
    {'a': 0.4, 'b': 0.5}
    """
    y = binary(y_true, "y_true")
    s = numbers(score, "score", y.size)
    if np.any((s < 0) | (s > 1)):
        row = int(np.argmax((s < 0) | (s > 1)))
        raise FairnessInputError(f"score is {s[row]:g} in row {row}; it must lie in [0, 1].")
    codes, levels = factor(column(group, "group", y.size), "group")
    n = np.bincount(codes).astype(float)
    positives = np.bincount(codes, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, mean = positives / n, np.bincount(codes, s) / n
        positive = np.bincount(codes, s * y) / positives
        negative = np.bincount(codes, s * (1 - y)) / (n - positives)
        implied = p * (1 - positive) / (1 - p)
    return pd.DataFrame(
        {
            "count": n.astype(int),
            "base_rate": p,
            "mean_score": mean,
            "calibration_gap": mean - p,
            "mean_score_positive": positive,
            "mean_score_negative": negative,
            "implied_mean_score_negative": implied,
        },
        index=pd.Index(levels, name=getattr(group, "name", None) or "group"),
    )
