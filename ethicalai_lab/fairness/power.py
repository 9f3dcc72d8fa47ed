"""What a sample lets an audit see: power, smallest detectable gap, many comparisons.

References
----------
Fleiss, J. L., Levin, B. and Paik, M. C. (2003). Statistical Methods for Rates and
Proportions, 3rd edition, chapter 4. Wiley.

Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. Journal of
the Royal Statistical Society B 57, 289-300.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.fairness._coding import FairnessInputError
from ethicalai_lab.fairness.auditing import Audit
from ethicalai_lab.stats import benjamini_hochberg, newcombe_bounds

__all__ = [
    "compare_groups",
    "detectable",
    "required_sample_size",
    "smallest_detectable_gap",
    "two_proportion_power",
]


def two_proportion_power(
    rate_1: ArrayLike, rate_0: ArrayLike, n_1: ArrayLike, n_0: ArrayLike, *, alpha: float = 0.05
) -> NDArray[np.float64] | float:
    """Return the chance that a two-sided two-proportion z-test sees a gap.

    Parameters
    ----------
    rate_1, rate_0 : float or array-like
        True rates of the two groups, in [0, 1].
    n_1, n_0 : float or array-like
        Rows of each group, at least 1 (with weights: the effective number).
    alpha : float, default 0.05
        The test's false-alarm rate, in (0, 1).

    Returns
    -------
    float or ndarray
        In [0, 1]; ``alpha`` where the rates are equal, nearly.

    Raises
    ------
    FairnessInputError
        If a rate, size or ``alpha`` is out of range.

    References
    ----------
    Fleiss, Levin and Paik (2003), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import two_proportion_power
    >>> round(float(two_proportion_power(0.12, 0.10, 500, 500)), 2)
    0.17
    """
    from scipy.special import ndtr, ndtri

    p1, p0 = _rate(rate_1, "rate_1"), _rate(rate_0, "rate_0")
    m1, m0 = _size(n_1, "n_1"), _size(n_0, "n_0")
    _open(alpha, "alpha")
    pooled = (m1 * p1 + m0 * p0) / (m1 + m0)
    null = np.sqrt(pooled * (1 - pooled) * (1 / m1 + 1 / m0))
    spread = np.sqrt(p1 * (1 - p1) / m1 + p0 * (1 - p0) / m0)
    z = -ndtri(alpha / 2)
    gap = np.abs(p1 - p0)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = ndtr((gap - z * null) / spread) + ndtr((-gap - z * null) / spread)
    # Without spread (rates of exactly 0 or 1) the outcome is certain.
    certain = np.where(gap > z * null, 1.0, 0.0)
    result = np.where(spread > 0, power, certain)
    return float(result) if result.ndim == 0 else result


def smallest_detectable_gap(
    rate: ArrayLike,
    n_1: ArrayLike,
    n_0: ArrayLike,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    direction: str = "below",
) -> NDArray[np.float64] | float:
    """Return the smallest gap that the test sees with the given power.

    Parameters
    ----------
    rate : float or array-like
        The rate of the comparison group (size ``n_0``), in [0, 1].
    n_1, n_0 : float or array-like
        Rows of the group in question and of the comparison group, at least 1.
    power : float, default 0.8
        The chance of seeing it, in (``alpha``, 1).
    alpha : float, default 0.05
        The test's false-alarm rate.
    direction : {"below", "above"}, default "below"
        Whether the group in question is served less or more.

    Returns
    -------
    float or ndarray
        Positive; ``nan`` where even the largest possible gap would not be seen.

    Raises
    ------
    FairnessInputError
        If an argument is out of range.

    References
    ----------
    Fleiss, Levin and Paik (2003), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import smallest_detectable_gap
    >>> round(float(smallest_detectable_gap(0.15, 300, 20_000)), 3)
    0.055
    """
    p0, m1, m0 = np.broadcast_arrays(_rate(rate, "rate"), _size(n_1, "n_1"), _size(n_0, "n_0"))
    _open(power, "power")
    if power <= alpha:
        raise FairnessInputError(f"power is {power}; it must be above alpha ({alpha}).")
    if direction not in ("below", "above"):
        raise FairnessInputError(f"direction is {direction!r}; accepted are below and above.")
    sign = -1.0 if direction == "below" else 1.0
    room = p0 if direction == "below" else 1 - p0
    low, high = np.zeros(p0.shape), room.astype(float)
    reached = (
        np.asarray(two_proportion_power(np.clip(p0 + sign * high, 0, 1), p0, m1, m0, alpha=alpha))
        >= power
    )
    for _ in range(60):  # bisection: power grows with the gap
        middle = (low + high) / 2
        enough = (
            np.asarray(
                two_proportion_power(np.clip(p0 + sign * middle, 0, 1), p0, m1, m0, alpha=alpha)
            )
            >= power
        )
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
    result = np.where(reached, high, np.nan)
    return float(result) if result.ndim == 0 else result


def required_sample_size(
    rate_1: float, rate_0: float, *, share: float = 0.5, power: float = 0.8, alpha: float = 0.05
) -> int:
    """Return how many rows in all are needed to see a gap.

    Parameters
    ----------
    rate_1, rate_0 : float
        True rates of the two groups, in [0, 1], and different.
    share : float, default 0.5
        The first group's share of the rows, in (0, 1).
    power, alpha : float
        Chance of seeing the gap; false-alarm rate.

    Returns
    -------
    int
        Rows of both groups together.

    Raises
    ------
    FairnessInputError
        If the rates are equal or an argument is out of range.

    References
    ----------
    Fleiss, Levin and Paik (2003), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import required_sample_size
    >>> required_sample_size(0.12, 0.10), required_sample_size(0.12, 0.10, share=0.05)
    (7682, 39205)
    """
    _open(share, "share")
    _open(power, "power")
    if rate_1 == rate_0:
        raise FairnessInputError(
            f"both rates are {rate_1}; no sample shows a gap that is not there."
        )
    # Fewer than one row in a group is no sample.
    low, high = math.ceil(1 / min(share, 1 - share)), 2
    high = max(high, low)

    def seen(n: int) -> bool:
        return (
            float(two_proportion_power(rate_1, rate_0, n * share, n * (1 - share), alpha=alpha))
            >= power
        )

    while not seen(high):
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if seen(middle):
            high = middle
        else:
            low = middle + 1
    return high


def detectable(
    result: Audit,
    metric: str = "selection_rate",
    *,
    gap: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Say for each group what this audit could have seen.

    Parameters
    ----------
    result : Audit
        An audit.
    metric : str, default "selection_rate"
        A rate of ``result.by_group``.
    gap : float, optional
        A gap that would matter; adds the power to see it.
    power, alpha : float
        As in :func:`smallest_detectable_gap`.

    Returns
    -------
    DataFrame
        Indexed as ``result.by_group``; columns ``n`` (rows in the rate's denominator),
        ``rate``, ``rate_of_others``, ``smallest_gap`` (below the others; ``nan`` where no
        gap would be seen) and, with ``gap``, ``power``.

    Raises
    ------
    FairnessInputError
        If the metric is not a rate of the audit.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit, detectable
    >>> group = ["a"] * 900 + ["b"] * 100
    >>> result = audit(None, [1, 0] * 500, sensitive_features=group)
    >>> detectable(result, gap=0.1)[["smallest_gap", "power"]].round(2).loc["b"].tolist()
    [0.15, 0.47]
    """
    n, hits, others_n, others_hits = _group_and_rest(result, metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, others = hits / n, others_hits / others_n
    usable = (n >= 1) & (others_n >= 1)
    smallest, chance = np.full(n.size, np.nan), np.full(n.size, np.nan)
    if usable.any():
        at = (others[usable], n[usable], others_n[usable])
        smallest[usable] = smallest_detectable_gap(*at, power=power, alpha=alpha)
        if gap is not None:
            if not 0 < gap <= 1:
                raise FairnessInputError(f"gap is {gap}; it must be above 0 and at most 1.")
            below = np.clip(at[0] - gap, 0, 1)
            chance[usable] = two_proportion_power(below, *at, alpha=alpha)
    data = {"n": n, "rate": rate, "rate_of_others": others, "smallest_gap": smallest}
    if gap is not None:
        data["power"] = chance
    return pd.DataFrame(data, index=result.by_group.index)


def compare_groups(
    result: Audit, metric: str = "selection_rate", *, alpha: float = 0.05
) -> pd.DataFrame:
    """Compare each group with all others, and account for making many comparisons.

    Parameters
    ----------
    result : Audit
        An audit; with control features, a group is compared within its control level.
    metric : str, default "selection_rate"
        A rate of ``result.by_group``.
    alpha : float, default 0.05
        The share of false discoveries to accept.

    Returns
    -------
    DataFrame
        Indexed as ``result.by_group``; columns ``rate``, ``rate_of_others``,
        ``difference``, ``low``, ``high`` (Newcombe's interval at the audit's confidence),
        ``p_value`` (two-sided: z-test, or Fisher's exact test where an expected count is
        below 5), ``p_adjusted`` (Benjamini-Hochberg over all rows) and ``flagged``
        (``p_adjusted <= alpha``). With weights, counts are effective numbers and the
        exact test, which needs whole counts, rounds them.

    Raises
    ------
    FairnessInputError
        If the metric is not a rate of the audit.

    References
    ----------
    Benjamini and Hochberg (1995), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit, compare_groups
    >>> sent = [1] * 60 + [0] * 40 + [1] * 30 + [0] * 70
    >>> table = compare_groups(audit(None, sent, sensitive_features=["a"] * 100 + ["b"] * 100))
    >>> table["difference"].round(2).to_dict(), table["flagged"].tolist()
    ({'a': 0.3, 'b': -0.3}, [True, True])
    """
    _open(alpha, "alpha")
    n, hits, others_n, others_hits = _group_and_rest(result, metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, others = hits / n, others_hits / others_n
    low, high = newcombe_bounds(hits, n, others_hits, others_n, result.confidence)
    p = p_values(hits, n, others_hits, others_n)
    adjusted = benjamini_hochberg(p)
    return pd.DataFrame(
        {
            "rate": rate,
            "rate_of_others": others,
            "difference": rate - others,
            "low": low,
            "high": high,
            "p_value": p,
            "p_adjusted": adjusted,
            "flagged": np.nan_to_num(adjusted, nan=1.0) <= alpha,
        },
        index=result.by_group.index,
    )


def p_values(
    hits_1: NDArray, n_1: NDArray, hits_0: NDArray, n_0: NDArray, alternative: str = "two-sided"
) -> NDArray[np.float64]:
    """Return p-values of differences of proportions: z, or Fisher's exact where counts are low.

    ``alternative`` is "two-sided", "less" (the first rate is lower) or "greater".
    """
    from scipy.special import ndtr

    h1, m1, h0, m0 = (np.asarray(x, dtype=float) for x in (hits_1, n_1, hits_0, n_0))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (h1 + h0) / (m1 + m0)
        z = (h1 / m1 - h0 / m0) / np.sqrt(pooled * (1 - pooled) * (1 / m1 + 1 / m0))
        expected = np.minimum(m1, m0) * np.minimum(pooled, 1 - pooled)
    if alternative == "less":
        p = ndtr(z)
    elif alternative == "greater":
        p = ndtr(-z)
    else:
        p = 2 * ndtr(-np.abs(z))
    usable = (m1 >= 1) & (m0 >= 1)
    small = np.flatnonzero(usable & ~(expected >= 5))
    if small.size:
        from scipy.stats import fisher_exact

        for i in small:
            a, b = round(h1.flat[i]), round(m1.flat[i] - h1.flat[i])
            c, d = round(h0.flat[i]), round(m0.flat[i] - h0.flat[i])
            p.flat[i] = fisher_exact([[a, b], [c, d]], alternative=alternative).pvalue
    return np.where(usable, np.clip(p, 0, 1), np.nan)


# -------------------------------------------------------------------------- helpers


def _group_and_rest(result: Audit, metric: str) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return n and successes of each group and of all others of its control level."""
    if metric not in result.denominators:
        known = ", ".join(result.denominators.columns)
        raise FairnessInputError(f"metric {metric!r} is no rate of this audit; known: {known}.")
    n = result.denominators[metric].to_numpy(float)
    rate = result.by_group[metric].to_numpy(float)
    # Counts are whole without weights; rounding undoes the division exactly.
    hits = np.where(n > 0, np.nan_to_num(rate) * n, 0.0)
    if not result.weighted:
        hits = np.round(hits)
    frame = pd.DataFrame({"n": n, "hits": hits}, index=result.by_group.index)
    if result.control_names:
        totals = frame.groupby(level=list(result.control_names)).transform("sum")
    else:
        totals = frame * 0 + frame.sum()
    others_n = (totals["n"] - n).to_numpy(float)
    others_hits = np.clip((totals["hits"] - hits).to_numpy(float), 0, others_n)
    return n, np.clip(hits, 0, n), others_n, others_hits


def _rate(value: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=float)
    if not np.all((array >= 0) & (array <= 1)):
        raise FairnessInputError(f"{name} must lie between 0 and 1.")
    return array


def _size(value: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=float)
    if not np.all(array > 0):
        raise FairnessInputError(f"{name} must be above 0 rows.")
    return array


def _open(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise FairnessInputError(f"{name} is {value}; it must lie between 0 and 1.")
