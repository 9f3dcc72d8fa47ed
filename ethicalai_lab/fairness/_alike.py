"""Bounds where a bootstrap cannot vary: everybody of a group was treated alike, or is one person.

References
----------
Wilson (1927) and Newcombe (1998), see `ethicalai_lab.stats`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from ethicalai_lab.fairness.auditing import FAMILIES, Audit

__all__ = ["unvaried"]

_SAME = 1e-12
_WILSON = (
    "Where everybody of a group was treated alike, drawing rows again cannot vary: such a rate "
    "has Wilson's interval, and gaps that rest on it have Newcombe's, for all groups at once."
)


def unvaried(result: Audit, unit: str = "cluster") -> tuple[Audit, list[str]]:
    """Replace intervals of zero width, by analytic ones or by none.

    Parameters
    ----------
    result : Audit
        Without control features.
    unit : str, default "cluster"
        The column by which rows hang together, for the sentences.

    Returns
    -------
    Audit
        The same where every interval has a width.
    list of str
        What was done, and what cannot be known.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit
    >>> found = audit(None, [1] * 60, sensitive_features=["a", "b"] * 30)
    >>> steady, said = unvaried(found)
    >>> bounds = steady.by_group_low["selection_rate"].round(3).to_dict(); bounds
    {'a': 0.886, 'b': 0.886}
    """
    if not result.n_boot:
        return result, []
    if result.n_clusters == 1:
        said = f"All rows are of one {unit}: how far chance reaches cannot be known, so no interval"
        return _withheld(result), [f"{said} is given."]
    low, high = result.by_group_low.copy(), result.by_group_high.copy()
    flat, said, replaced = {}, [], False
    for metric in low:
        alike = (high[metric] - low[metric]).abs() <= _SAME
        if metric not in result.denominators:
            low.loc[alike, metric] = high.loc[alike, metric] = math.nan
            continue
        wilson = result.interval(metric, "wilson")
        single = alike & (result.n_clusters is not None) & (result.denominators[metric] <= 1)
        low[metric] = low[metric].mask(alike, wilson["low"]).mask(single)
        high[metric] = high[metric].mask(alike, wilson["high"]).mask(single)
        flat[metric] = alike
        replaced |= bool((alike & ~single).any())
        if single.any() and metric == "selection_rate":
            said.append(f"A group of one {unit} has no interval: nothing can vary within it.")
    if replaced:
        said.insert(0, _WILSON)
    return (
        replace(
            result,
            by_group_low=low,
            by_group_high=high,
            disparities=_gaps(result, flat),
            four_fifths=_ratios(result, flat["selection_rate"], low, high),
        ),
        said,
    )


def _withheld(result: Audit) -> Audit:
    none = result.by_group_low * math.nan
    return replace(
        result,
        by_group_low=none,
        by_group_high=none,
        overall_low=result.overall_low * math.nan,
        overall_high=result.overall_high * math.nan,
        disparities=result.disparities.assign(low=math.nan, high=math.nan),
        four_fifths=result.four_fifths.assign(low=math.nan, high=math.nan),
    )


def _gaps(result: Audit, flat: dict[str, pd.Series]) -> pd.DataFrame:
    """Return the gaps; those that rest on a rate which cannot vary with bounds of all pairs."""
    gaps = result.disparities.copy()
    for at in gaps.index:
        family = at.removesuffix("_to_overall").rpartition("_")[0]
        members = [flat[name] for name in FAMILIES.get(family, ()) if name in flat]
        rests = any(alike.any() for alike in members)
        if math.isnan(gaps.loc[at, "value"]):
            continue
        if at in result.simultaneous.index and rests:
            gaps.loc[at, ["low", "high"]] = result.simultaneous.loc[at, ["low", "high"]]
        elif abs(gaps.loc[at, "high"] - gaps.loc[at, "low"]) <= _SAME:
            gaps.loc[at, ["low", "high"]] = math.nan
    return gaps


def _ratios(result: Audit, flat: pd.Series, low: pd.DataFrame, high: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios to the highest rate, with bounds from the ends of both rates."""
    ratios = result.four_fifths.copy()
    steady = ratios["selection_rate"].mask(ratios["small_group"].astype(bool))
    for at in ratios.index[flat.to_numpy(bool)]:
        others = steady.drop(at)
        value = float(ratios.loc[at, "ratio_to_highest"])
        if math.isnan(value) or not others.notna().any():
            continue
        top = others.idxmax()
        if ratios.loc[at, "selection_rate"] > others[top] and not ratios.loc[at, "small_group"]:
            continue  # it is the highest
        rate = "selection_rate"
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.float64(low.loc[at, rate]) / high.loc[top, rate]
            most = np.float64(high.loc[at, rate]) / low.loc[top, rate]
        limit = math.inf if ratios.loc[at, "small_group"] else max(1.0, value)
        ratios.loc[at, "low"] = min(least, value)
        ratios.loc[at, "high"] = min(max(most, value), limit)
    return ratios
