"""Do predicted chances come true? Reliability, calibration error, and their intervals.

References
----------
Murphy, A. H. (1973). A new vector partition of the probability score. Journal of Applied
Meteorology 12, 595-600.

Naeini, M. P., Cooper, G. F. and Hauskrecht, M. (2015). Obtaining well calibrated
probabilities using Bayesian binning. AAAI 2015, 2901-2907.

Kumar, A., Liang, P. and Ma, T. (2019). Verified uncertainty calibration. NeurIPS 32.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.core.checks import Count, Flags, Inside, Seed, Shares, checked, same_length
from ethicalai_lab.stats import Interval, percentile_interval, proportion_interval

__all__ = ["expected_calibration_error", "reliability"]


@checked()
def reliability(
    happened: Flags, probability: Shares, *, bins: Count = 10, confidence: Inside = 0.95
) -> pd.DataFrame:
    """Compare predicted chances with what happened, bin by bin.

    Parameters
    ----------
    happened : array-like of shape (n,)
        0 or 1.
    probability : array-like of shape (n,)
        Predicted chance, in [0, 1].
    bins : int, default 10
        Bins of equal numbers of rows (fewer where chances repeat), at least 1.
    confidence : float, default 0.95

    Returns
    -------
    DataFrame
        One row a bin: rows, predicted (mean chance), observed (share that happened) with
        Wilson's low and high.

    Raises
    ------
    InputError
        If lengths differ, a value is out of range, or ``bins`` is below 1.

    Examples
    --------
    >>> from ethicalai_lab.personalization.calibration import reliability
    >>> reliability([0, 0, 1, 1], [0.1, 0.1, 0.8, 0.8], bins=2)["observed"].tolist()
    [0.0, 1.0]
    """
    same_length(happened=happened, probability=probability)
    code = _bins(probability, bins)
    rows = []
    for inside in (code == b for b in np.unique(code)):
        n = int(inside.sum())
        observed = proportion_interval(int(happened[inside].sum()), n, confidence)
        rows.append((n, probability[inside].mean(), *observed))
    return pd.DataFrame(rows, columns=["rows", "predicted", "observed", "low", "high"])


@checked()
def expected_calibration_error(
    happened: Flags,
    probability: Shares,
    *,
    bins: Count = 10,
    n_boot: Count = 500,
    seed: Seed = 0,
    confidence: Inside = 0.95,
) -> Interval:
    """Return the mean gap between predicted and observed chances over bins.

    Parameters
    ----------
    happened, probability : array-like of shape (n,)
        As in :func:`reliability`.
    bins : int, default 10
    n_boot : int, default 500
        Bootstrap replicates of the rows.
    seed : int, default 0
    confidence : float, default 0.95

    Returns
    -------
    Interval
        In [0, 1]. Chance alone opens gaps between bins, so the plain average is too high;
        the value is corrected by the bootstrap's estimate of that (twice the plain value
        minus the replicates' mean, cut at 0), and so are the bounds.

    Raises
    ------
    InputError
        As in :func:`reliability`.

    References
    ----------
    Naeini et al. (2015); on its bias Kumar et al. (2019), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization.calibration import expected_calibration_error
    >>> happened, chance = [0] * 50 + [1] * 50, [0.1] * 50 + [0.8] * 50
    >>> expected_calibration_error(happened, chance, bins=2).format(2)
    '0.15 [0.14, 0.16]'
    """
    n = same_length(happened=happened, probability=probability)
    if not n:
        return Interval(np.nan, np.nan, np.nan, confidence)
    code = _bins(probability, bins)
    gap = probability - happened

    def error(weights: NDArray[np.float64]) -> float:
        return float(np.abs(np.bincount(code, weights * gap)).sum()) / n

    rng = np.random.default_rng(seed)
    plain = error(np.ones(n))
    rows = (rng.integers(0, n, n) for _ in range(n_boot))
    draws = np.array([error(np.bincount(drawn, minlength=n)) for drawn in rows])
    value = round(max(0.0, 2 * plain - draws.mean()), 12)
    return percentile_interval(value, np.maximum(0.0, 2 * plain - draws), confidence)


def _bins(p: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    if not p.size:
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, p, side="right")
    return np.unique(code, return_inverse=True)[1].ravel()
