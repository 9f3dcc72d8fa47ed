"""Marketing's own harms: who is shown, who pays more, who is pestered, who is left out.

An audit of a classifier sees who was chosen. These measures see what people then met. Each
comes with intervals, and each compares a group with everybody else.

References
----------
Lambrecht, A. and Tucker, C. (2019). Algorithmic bias? An empirical study of apparent
gender-based discrimination in the display of STEM career ads. Management Science 65(7).

Ali, M., Sapiezynski, P., Bogen, M., Korolova, A., Mislove, A. and Rieke, A. (2019).
Discrimination through optimization: how Facebook's ad delivery can lead to biased
outcomes. Proceedings of the ACM on Human-Computer Interaction 3, CSCW.

Newcombe, R. G. (1998). Interval estimation for the difference between independent
proportions: comparison of eleven methods. Statistics in Medicine 17, 873-890.

Greenland, S. and Robins, J. M. (1985). Estimation of a common effect parameter from sparse
follow-up data. Biometrics 41(1), 55-68.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError, binary, column, factor, numbers
from ethicalai_lab.fairness.power import p_values
from ethicalai_lab.stats import (
    Interval,
    benjamini_hochberg,
    newcombe_bounds,
    welch_interval,
    wilson_bounds,
)

__all__ = [
    "delivery_skew",
    "left_out",
    "over_contact",
    "price_disparity",
    "simulate_delivery",
    "steering",
]


def delivery_skew(
    shown: Any,
    group: Any,
    *,
    cost: Any = None,
    clicked: Any = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare who was shown an offer with who could have been.

    Parameters
    ----------
    shown : array-like of shape (n_rows,)
        Whether each eligible person was shown the offer (0/1).
    group : array-like of shape (n_rows,)
        Each person's group.
    cost : array-like of shape (n_rows,), optional
        What showing it to the person costs (or would), per impression.
    clicked : array-like of shape (n_rows,), optional
        Whether the person took it up; read among those shown only.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    DataFrame
        Indexed by group: ``eligible``, ``shown``, ``eligible_share``, ``shown_share``,
        ``share_difference``, ``exposure_rate`` with ``low`` and ``high`` (Wilson),
        ``difference`` to everybody else with ``difference_low`` and ``difference_high``
        (Newcombe), ``p_value`` and ``p_adjusted``; with ``cost``, ``mean_cost`` over the
        eligible; with ``clicked``, ``click_rate`` among those shown.

    Raises
    ------
    FairnessInputError
        If a column cannot be used or there is one group only.

    Notes
    -----
    A group that is shown less although it clicks as much, and costs more, points to
    delivery by cost; this is the pattern of Lambrecht and Tucker (2019). It is a pattern,
    not a proof of a cause.

    References
    ----------
    Lambrecht and Tucker (2019); Ali et al. (2019), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import delivery_skew
    >>> table = delivery_skew([1] * 60 + [0] * 40 + [1] * 45 + [0] * 55, ["m"] * 100 + ["f"] * 100)
    >>> table["exposure_rate"].to_dict(), table["shown_share"].round(2).to_dict()
    ({'f': 0.45, 'm': 0.6}, {'f': 0.43, 'm': 0.57})
    """
    hit = binary(shown, "shown")
    codes, index = _groups(group, hit.size)
    table = _rates(hit, np.ones(hit.size), codes, index, confidence)
    n, h = table["n"].to_numpy(), table["hits"].to_numpy()
    shown_share = h / h.sum() if h.sum() else np.full(len(h), np.nan)
    result = pd.DataFrame(
        {
            "eligible": n,
            "shown": h,
            "eligible_share": n / n.sum(),
            "shown_share": shown_share,
            "share_difference": shown_share - n / n.sum(),
            "exposure_rate": table["rate"],
        },
        index=index,
    ).join(table[_TAIL])
    if cost is not None:
        c = numbers(cost, "cost", hit.size)
        result["mean_cost"] = np.bincount(codes, c) / n
    if clicked is not None:
        k = binary(clicked, "clicked", hit.size) & hit
        with np.errstate(invalid="ignore"):
            result["click_rate"] = np.bincount(codes, k) / h
    return result


def simulate_delivery(
    group: Any,
    price: Mapping[Any, float],
    *,
    bid: float,
    budget: float | None = None,
    spread: float = 0.5,
    seed: int = 0,
) -> pd.DataFrame:
    """Deliver an offer by auction, blind to groups, where some groups cost more.

    Everyone is equally relevant. Each person's place goes to the highest bidder: we bid the
    same for everyone, others bid more for people they prize. We win where their best bid is
    below ours and pay it, until the budget is spent.

    Parameters
    ----------
    group : array-like of shape (n_rows,)
        Each eligible person's group.
    price : mapping of group to float
        Median of the others' best bid, above 0.
    bid : float
        Our bid, above 0, in the unit of ``price``.
    budget : float, optional
        What may be spent in all; unlimited by default.
    spread : float, default 0.5
        Standard deviation of the logarithm of the others' bid.
    seed : int, default 0
        Source of bids and of the order in which people come by.

    Returns
    -------
    DataFrame
        One row a person: ``group``, ``cost`` (the others' best bid), ``shown`` (0/1).

    Raises
    ------
    FairnessInputError
        If a group has no price, or a number is out of range.

    References
    ----------
    Lambrecht and Tucker (2019), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import simulate_delivery
    >>> people = simulate_delivery(["f", "m"] * 2000, {"f": 1.2, "m": 1.0}, bid=1.0)
    >>> people.groupby("group")["shown"].mean().round(1).to_dict()
    {'f': 0.4, 'm': 0.5}
    """
    values = column(group, "group")
    codes, levels = factor(values, "group")
    for name, number in (("bid", bid), ("spread", spread)):
        if not (np.isfinite(number) and number > 0):
            raise FairnessInputError(f"{name} is {number}; it must be above 0.")
    if budget is not None and not budget >= 0:
        raise FairnessInputError(f"budget is {budget}; it must be at least 0.")
    for level in levels:
        if not float(price.get(level, 0.0)) > 0:
            raise FairnessInputError(f"price has no positive value for group {level!r}.")
    rng = np.random.default_rng(seed)
    median = np.array([float(price[level]) for level in levels])[codes]
    others = np.round(median * np.exp(spread * rng.standard_normal(codes.size)), 6)
    won = others < bid
    if budget is not None:
        order = rng.permutation(codes.size)
        spent = np.cumsum(np.where(won[order], others[order], 0.0))
        affordable = np.empty(codes.size, dtype=bool)
        affordable[order] = spent <= budget
        won &= affordable
    return pd.DataFrame({"group": np.asarray(values), "cost": others, "shown": won.astype(np.int8)})


def price_disparity(
    price: Any, group: Any, *, control: Any = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare what groups are asked to pay.

    Parameters
    ----------
    price : array-like of shape (n_rows,)
        Price, or discount, offered; finite.
    group : array-like of shape (n_rows,)
        Each row's group.
    control : array-like of shape (n_rows,), optional
        What the offer was for, such as the product: prices are compared within it.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    DataFrame
        Indexed by group: ``count``, ``mean``, ``ratio`` (to everybody else's mean),
        ``difference`` to everybody else with ``low`` and ``high`` (Welch); with
        ``control``, ``adjusted_difference``, ``adjusted_low`` and ``adjusted_high``: the mean
        over the group's rows of the difference within each control level where both are
        found, and ``compared`` (the share of the group's rows that is).

    Raises
    ------
    FairnessInputError
        If a column cannot be used or there is one group only.

    Examples
    --------
    >>> from ethicalai_lab.fairness import price_disparity
    >>> price = [10, 12, 11, 13, 30, 32, 31, 33]
    >>> table = price_disparity(price, list("ababaabb"), control=list("xxxxyyyy"))
    >>> table["adjusted_difference"].to_dict()
    {'a': -1.5, 'b': 1.5}
    """
    x = numbers(price, "price")
    codes, index = _groups(group, x.size)
    strata = None
    if control is not None:
        strata = factor(column(control, "control", x.size), "control")[0]
    rows = []
    for g in range(len(index)):
        inside = codes == g
        a, b = x[inside], x[~inside]
        interval = welch_interval(*_moments(a), *_moments(b), confidence=confidence)
        row = {
            "count": int(inside.sum()),
            "mean": float(a.mean()),
            "ratio": float(a.mean() / b.mean()) if b.mean() != 0 else math.nan,
            "difference": interval.value,
            "low": interval.low,
            "high": interval.high,
        }
        if strata is not None:
            value, low, high, compared = _stratified_mean(x, inside, strata, confidence)
            row |= {
                "adjusted_difference": value,
                "adjusted_low": low,
                "adjusted_high": high,
                "compared": compared,
            }
        rows.append(row)
    return pd.DataFrame(rows, index=index)


def over_contact(
    contacts: Any, group: Any, *, cap: float, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare how many people of each group are contacted more than a cap allows.

    Parameters
    ----------
    contacts : array-like of shape (n_rows,)
        Contacts per person in the period, at least 0.
    group : array-like of shape (n_rows,)
        Each person's group.
    cap : float
        The most contacts that are acceptable in the period.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    DataFrame
        Indexed by group: ``people``, ``mean_contacts``, ``over_cap`` (share) with ``low``
        and ``high`` (Wilson), ``difference`` to everybody else with its bounds (Newcombe),
        ``p_value`` and ``p_adjusted``.

    Raises
    ------
    FairnessInputError
        If a column cannot be used, a count is negative or there is one group only.

    Examples
    --------
    >>> from ethicalai_lab.fairness import over_contact
    >>> over_contact([1, 2, 5, 6, 1, 1, 1, 5], list("aaaabbbb"), cap=3)["over_cap"].to_dict()
    {'a': 0.5, 'b': 0.25}
    """
    count = numbers(contacts, "contacts")
    if np.any(count < 0):
        row = int(np.argmax(count < 0))
        raise FairnessInputError(f"contacts is {count[row]:g} in row {row}; give at least 0.")
    codes, index = _groups(group, count.size)
    table = _rates(count > cap, np.ones(count.size), codes, index, confidence)
    frame = pd.DataFrame(
        {
            "people": table["n"],
            "mean_contacts": np.bincount(codes, count) / table["n"].to_numpy(),
            "over_cap": table["rate"],
        },
        index=index,
    )
    return frame.join(table[_TAIL])


def left_out(
    received: Any, would_benefit: Any, group: Any, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare who, among those a good offer would help, did not get it.

    Parameters
    ----------
    received : array-like of shape (n_rows,)
        Whether the person got the offer (0/1).
    would_benefit : array-like of shape (n_rows,)
        Whether it would help the person (0/1): by an experiment, an estimated uplift, or
        on the synthetic world by the truth.
    group : array-like of shape (n_rows,)
        Each person's group.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    DataFrame
        Indexed by group: ``would_benefit`` (people), ``left_out`` (share of them) with
        ``low`` and ``high`` (Wilson), ``difference`` to everybody else with its bounds
        (Newcombe), ``p_value`` and ``p_adjusted``. ``nan`` where nobody would benefit.

    Raises
    ------
    FairnessInputError
        If a column cannot be used or there is one group only.

    Examples
    --------
    >>> from ethicalai_lab.fairness import left_out
    >>> table = left_out([1, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 0], list("aabbbb"))
    >>> table["left_out"].round(2).to_dict()
    {'a': 0.0, 'b': 0.67}
    """
    got = binary(received, "received")
    good = binary(would_benefit, "would_benefit", got.size)
    codes, index = _groups(group, got.size)
    table = _rates((1 - got) * good, good, codes, index, confidence)
    frame = pd.DataFrame({"would_benefit": table["n"], "left_out": table["rate"]}, index=index)
    return frame.join(table[_TAIL])


def steering(
    exposed: Any,
    vulnerability: Any,
    *,
    control: Any = None,
    bands: int = 5,
    confidence: float = 0.95,
) -> tuple[pd.DataFrame, dict[str, Interval]]:
    """Measure whether exposure rises with vulnerability, such as financial stress.

    Parameters
    ----------
    exposed : array-like of shape (n_rows,)
        Whether the person met the offer or tactic in question (0/1).
    vulnerability : array-like of shape (n_rows,)
        How vulnerable the person is; higher is more.
    control : array-like of shape (n_rows,), optional
        A reason that would excuse the difference, such as need or earlier purchases, in
        few levels: exposure is then also compared within its levels.
    bands : int, default 5
        Bands of about equal size, at least 2.
    confidence : float, default 0.95
        Of the bounds.

    Returns
    -------
    table : DataFrame
        One row a band, from least to most vulnerable: ``from``, ``to``, ``n``,
        ``exposure_rate``, ``low``, ``high``.
    measures : dict of str to Interval
        ``top_minus_bottom`` (Newcombe), ``concentration`` (the concentration index over
        the bands: 0 where exposure has nothing to do with vulnerability, above 0 where the
        vulnerable meet it more) and, with ``control``, ``adjusted`` (the
        Mantel-Haenszel difference of top and bottom band within the control's levels).

    Raises
    ------
    FairnessInputError
        If a column cannot be used, or vulnerability does not vary enough for two bands.

    References
    ----------
    Greenland and Robins (1985), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.fairness import steering
    >>> stress = np.linspace(0, 1, 1000)
    >>> exposed = np.random.default_rng(0).random(1000) < 0.1 + 0.2 * stress
    >>> table, measures = steering(exposed, stress)
    >>> measures["top_minus_bottom"].low > 0, len(table)
    (True, 5)
    """
    hit = binary(exposed, "exposed")
    v = numbers(vulnerability, "vulnerability", hit.size)
    if bands < 2:
        raise FairnessInputError(f"bands is {bands}; at least 2 are needed.")
    edges = np.unique(np.quantile(v, np.linspace(0, 1, bands + 1)[1:-1]))
    band = np.searchsorted(edges, v, side="right")
    kept, band = np.unique(band, return_inverse=True)
    k = kept.size
    if k < 2:
        raise FairnessInputError("vulnerability hardly varies; at least two bands are needed.")
    n = np.bincount(band)
    h = np.bincount(band, hit)
    low, high = wilson_bounds(h, n, confidence)
    spans = [(float(v[band == b].min()), float(v[band == b].max())) for b in range(k)]
    table = pd.DataFrame(
        {
            "from": [a for a, _ in spans],
            "to": [b for _, b in spans],
            "n": n,
            "exposure_rate": h / n,
            "low": low,
            "high": high,
        },
        index=pd.RangeIndex(1, k + 1, name="band"),
    )
    bounds = newcombe_bounds(h[-1], n[-1], h[0], n[0], confidence)
    difference = Interval(h[-1] / n[-1] - h[0] / n[0], *map(float, bounds), confidence)
    concentration = _concentration(h, n, confidence)
    measures = {"top_minus_bottom": difference, "concentration": concentration}
    if control is not None:
        strata = factor(column(control, "control", hit.size), "control")[0]
        ends = (band == 0) | (band == k - 1)
        measures["adjusted"] = _mantel_haenszel(
            hit[ends], (band == k - 1)[ends], strata[ends], confidence
        )
    return table, measures


# -------------------------------------------------------------------------- helpers

_TAIL = ["low", "high", "difference", "difference_low", "difference_high", "p_value", "p_adjusted"]


def _groups(group: Any, length: int) -> tuple[np.ndarray, pd.Index]:
    codes, levels = factor(column(group, "group", length), "group")
    if len(levels) < 2:
        raise FairnessInputError(
            f"group holds only {levels[0]!r}; at least two groups are needed to compare."
        )
    return codes, pd.Index(levels, name=getattr(group, "name", None) or "group")


def _rates(
    hit: np.ndarray, counted: np.ndarray, codes: np.ndarray, index: pd.Index, confidence: float
) -> pd.DataFrame:
    """Return each group's rate, and its difference to everybody else's, with bounds."""
    n = np.bincount(codes, counted, len(index)).round().astype(np.int64)
    h = np.bincount(codes, hit, len(index)).round().astype(np.int64)
    rest_n, rest_h = n.sum() - n, h.sum() - h
    low, high = wilson_bounds(h, n, confidence)
    d_low, d_high = newcombe_bounds(h, n, rest_h, rest_n, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, rest = h / n, rest_h / rest_n
    p = p_values(h, n, rest_h, rest_n)
    return pd.DataFrame(
        {
            "n": n,
            "hits": h,
            "rate": rate,
            "low": low,
            "high": high,
            "difference": rate - rest,
            "difference_low": d_low,
            "difference_high": d_high,
            "p_value": p,
            "p_adjusted": benjamini_hochberg(p),
        },
        index=index,
    )


def _moments(x: np.ndarray) -> tuple[float, float, int]:
    return float(x.mean()), float(x.var(ddof=1)) if x.size > 1 else math.nan, x.size


def _stratified_mean(
    x: np.ndarray, inside: np.ndarray, strata: np.ndarray, confidence: float
) -> tuple[float, float, float, float]:
    """Return the group's mean difference within strata, weighted by the group's rows."""
    from scipy.special import ndtri

    k = int(strata.max()) + 1

    def parts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = np.bincount(strata[rows], minlength=k)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.bincount(strata[rows], x[rows], k) / n
            deviation = (x[rows] - mean[strata[rows]]) ** 2
            variance = np.bincount(strata[rows], deviation, k) / (n - 1)
        return n, mean, variance

    n1, m1, v1 = parts(inside)
    n0, m0, v0 = parts(~inside)
    both = (n1 > 0) & (n0 > 0)
    if not both.any():
        return (math.nan,) * 3 + (0.0,)
    w = n1[both] / n1[both].sum()
    value = float(np.sum(w * (m1 - m0)[both]))
    # A level seen once has no spread of its own: it borrows the pooled one.
    degrees = np.maximum(n1 - 1, 0).sum() + np.maximum(n0 - 1, 0).sum()
    total = np.nansum(np.where(n1 > 1, v1 * (n1 - 1), 0)) + np.nansum(
        np.where(n0 > 1, v0 * (n0 - 1), 0)
    )
    pooled = total / degrees if degrees else math.nan
    v1, v0 = np.where(n1 > 1, v1, pooled), np.where(n0 > 1, v0, pooled)
    variance = np.sum(w**2 * (v1[both] / n1[both] + v0[both] / n0[both]))
    half = float(-ndtri((1 - confidence) / 2) * math.sqrt(variance))
    return value, value - half, value + half, float(n1[both].sum() / n1.sum())


def _concentration(h: np.ndarray, n: np.ndarray, confidence: float) -> Interval:
    """Return the concentration index of grouped data: twice the mean rank of the exposed, less 1.

    The mean rank, as a part of the way from the lowest band's to the highest's, has Wilson's
    interval of as many people as would leave a share as unsure; few exposed leave it unsurer.
    """
    from scipy.special import stdtrit

    exposed = h.sum()
    if exposed == 0:
        return Interval(math.nan, math.nan, math.nan, confidence)
    rank = (np.cumsum(n) - n / 2) / n.sum()
    span = rank[-1] - rank[0]
    mean = h @ rank / exposed
    part = (mean - rank[0]) / span
    spread = (h * (1 - h / n)) @ ((rank - mean) / span) ** 2 / exposed**2
    as_many = float(exposed)
    if spread > 1e-20:  # less is rounding: all of one band
        few = stdtrit(1e9, 0.975) / stdtrit(max(exposed - 1, 1), 0.975)
        as_many = part * (1 - part) / spread * few**2
    ends = wilson_bounds(np.clip(part, 0, 1) * as_many, as_many, confidence)
    low, high = (float(2 * (rank[0] + span * end) - 1) for end in ends)
    value = float(2 * mean - 1)
    return Interval(value, min(low, value), max(high, value), confidence)


def _mantel_haenszel(
    hit: np.ndarray, top: np.ndarray, strata: np.ndarray, confidence: float
) -> Interval:
    """Return the Mantel-Haenszel risk difference; its bounds from Wilson's of each stratum.

    Greenland and Robins' variance is nothing where nobody was exposed; Wilson's bounds add up
    as errors do (MOVER), and with one stratum give Newcombe's interval.
    """
    k = int(strata.max()) + 1
    a = np.bincount(strata[top], hit[top], k)
    n1 = np.bincount(strata[top], minlength=k).astype(float)
    b = np.bincount(strata[~top], hit[~top], k)
    n0 = np.bincount(strata[~top], minlength=k).astype(float)
    both = (n1 > 0) & (n0 > 0)
    if not both.any():
        return Interval(math.nan, math.nan, math.nan, confidence)
    a, b, n1, n0 = a[both], b[both], n1[both], n0[both]
    n = n1 + n0
    weight = np.sum(n1 * n0 / n)
    value = float(np.sum((a * n0 - b * n1) / n) / weight)
    part = n1 * n0 / n / weight
    (low_1, high_1), (low_0, high_0) = (
        wilson_bounds(hits, of, confidence) for hits, of in ((a, n1), (b, n0))
    )
    below = np.linalg.norm(part * np.hypot(a / n1 - low_1, high_0 - b / n0))
    above = np.linalg.norm(part * np.hypot(high_1 - a / n1, b / n0 - low_0))
    return Interval(value, value - float(below), value + float(above), confidence)
