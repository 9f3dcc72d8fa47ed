"""Search intersections for the worst-served group, honest about having searched.

The group that looks worst among hundreds looks worse than it is. So the search uses one
part of the rows, and the group it finds is measured on the other, which the search never
saw.

References
----------
Kearns, M., Neel, S., Roth, A. and Wu, Z. S. (2018). Preventing fairness gerrymandering:
auditing and learning for subgroup fairness. ICML, PMLR 80, 2564-2572.

Cox, D. R. (1975). A note on data-splitting for the evaluation of significance levels.
Biometrika 62(2), 441-444.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError, binary, combine, factor, features
from ethicalai_lab.fairness._counted import RATES
from ethicalai_lab.fairness.power import p_values
from ethicalai_lab.stats import Interval, proportion_difference_interval

__all__ = ["WorstGroup", "worst_group"]

# A high value of these is the harm; of all other rates a low one.
_HIGH_IS_WORSE = ("false_positive_rate", "false_negative_rate")


@dataclass(frozen=True)
class WorstGroup:
    """What :func:`worst_group` found.

    Attributes
    ----------
    group : dict of str to object
        Feature to level; empty where no group was large enough to consider.
    metric : str
        The rate that was searched.
    searched : int
        How many groups were compared.
    found : Interval
        The group's rate minus everybody else's on the rows searched: too extreme, since
        it was chosen for being extreme.
    confirmed : Interval
        The same on the rows held out.
    p_value : float
        One-sided, on the rows held out.
    is_confirmed : bool
        Whether ``p_value <= alpha``.
    n_held_out : int
        Rows of the group, in the rate's denominator, among those held out.
    candidates : DataFrame
        The ten most extreme groups of the search.
    """

    group: dict[str, Any]
    metric: str
    searched: int
    found: Interval
    confirmed: Interval
    p_value: float
    is_confirmed: bool
    n_held_out: int
    candidates: pd.DataFrame

    def __str__(self) -> str:
        if not self.group:
            return "No group is large enough to search."
        name = ", ".join(f"{k} = {v}" for k, v in self.group.items())
        verdict = "confirmed" if self.is_confirmed else "not confirmed"
        return (
            f"Worst of {self.searched:,} groups by {self.metric}: {name}. Gap to everybody else "
            f"{self.found.format(3, signed=True)} where searched, "
            f"{self.confirmed.format(3, signed=True)} on held-out rows "
            f"(p = {self.p_value:.3g}, {verdict})."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>{self.candidates.to_html(index=False)}"


def worst_group(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    metric: str = "selection_rate",
    depth: int = 3,
    min_size: int = 30,
    held_out: float = 0.5,
    alpha: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
) -> WorstGroup:
    """Search all intersections of up to ``depth`` features for the worst-served group.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or None
        Outcomes, coded as in :func:`ethicalai_lab.fairness.audit`; needed by every metric
        but ``selection_rate``.
    y_pred : array-like of shape (n_rows,)
        Decisions.
    sensitive_features : DataFrame, dict or array-like
        The columns whose intersections are searched.
    metric : str, default "selection_rate"
        The rate to search by. Worse is lower, and for false positive and false negative
        rates higher.
    depth : int, default 3
        At most this many features make a group.
    min_size : int, default 30
        Groups with fewer rows in the rate's denominator, in the part searched, are not
        considered: their rates are noise.
    held_out : float, default 0.5
        Share of rows kept for confirmation, in (0, 1).
    alpha : float, default 0.05
        The chance of confirming a group where all groups are served alike.
    confidence : float, default 0.95
        Of the intervals.
    seed : int, default 0
        Source of the split.

    Returns
    -------
    WorstGroup

    Raises
    ------
    FairnessInputError
        If a column cannot be used or an argument is out of range.

    Notes
    -----
    Groups are ranked by the z statistic of their rate against everybody else's, which
    weighs the size of a gap against how well it is known.

    References
    ----------
    Kearns et al. (2018) and Cox (1975), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.fairness import worst_group
    >>> rng = np.random.default_rng(0)
    >>> sex, region = rng.choice(["f", "m"], 4000), rng.choice(["n", "s"], 4000)
    >>> sent = rng.random(4000) < np.where((sex == "f") & (region == "s"), 0.3, 0.5)
    >>> result = worst_group(None, sent, sensitive_features={"sex": sex, "region": region})
    >>> result.group, result.is_confirmed
    ({'sex': 'f', 'region': 's'}, True)
    """
    if metric not in RATES:
        raise FairnessInputError(f"metric {metric!r} is unknown; known: {', '.join(RATES)}.")
    for name, value in (("held_out", held_out), ("alpha", alpha), ("confidence", confidence)):
        if not 0 < value < 1:
            raise FairnessInputError(f"{name} is {value}; it must lie between 0 and 1.")
    if depth < 1 or min_size < 1:
        raise FairnessInputError("depth and min_size must be at least 1.")
    predicted = binary(y_pred, "y_pred")
    n = predicted.size
    if y_true is None and metric != "selection_rate":
        raise FairnessInputError(f"metric {metric!r} needs y_true; without it use selection_rate.")
    cell = predicted if y_true is None else binary(y_true, "y_true", n) * 2 + predicted
    pairs = features(sensitive_features, "sensitive_feature", n)
    coded = [factor(values, name) for name, values in pairs]
    top, bottom = RATES[metric]
    counted = np.isin(cell, bottom)
    hit = np.isin(cell, top)
    # Rows outside the denominator say nothing about this rate.
    rows = np.flatnonzero(counted)
    order = np.random.default_rng(seed).permutation(rows)
    cut = order.size - round(order.size * held_out)
    explore, confirm = np.sort(order[:cut]), np.sort(order[cut:])
    low_is_worse = metric not in _HIGH_IS_WORSE
    total, total_hits = explore.size, int(hit[explore].sum())

    found = []
    for size in range(1, min(depth, len(coded)) + 1):
        for which in combinations(range(len(coded)), size):
            group, table = combine([coded[i] for i in which])
            g = group[explore]
            counts = np.bincount(g, minlength=len(table))
            hits = np.bincount(g[hit[explore]], minlength=len(table))
            rest, rest_hits = total - counts, total_hits - hits
            keep = np.flatnonzero((counts >= min_size) & (rest >= min_size))
            if not keep.size:
                continue
            c, h, r, rh = counts[keep], hits[keep], rest[keep], rest_hits[keep]
            pooled = total_hits / total
            with np.errstate(divide="ignore", invalid="ignore"):
                z = (h / c - rh / r) / np.sqrt(pooled * (1 - pooled) * (1 / c + 1 / r))
            z = np.nan_to_num(z if low_is_worse else -z)
            found += [
                (float(z[j]), which, tuple(table[keep[j]]), int(c[j]), int(h[j]))
                for j in range(keep.size)
            ]
    undefined = Interval(np.nan, np.nan, np.nan, confidence)
    columns = ["group", "n", "rate", "gap"]
    if not found:
        empty = pd.DataFrame(columns=columns)
        return WorstGroup({}, metric, 0, undefined, undefined, np.nan, False, 0, empty)
    # Ties go to the group with fewer features: the simpler description.
    found.sort(key=lambda item: (item[0], len(item[1]), item[1], item[2]))

    def named(which: tuple[int, ...], levels: tuple[int, ...]) -> dict[str, Any]:
        return {pairs[i][0]: coded[i][1][level] for i, level in zip(which, levels, strict=True)}

    candidates = pd.DataFrame(
        [
            (
                ", ".join(f"{k} = {v}" for k, v in named(which, levels).items()),
                c,
                h / c,
                h / c - (total_hits - h) / (total - c),
            )
            for _, which, levels, c, h in found[:10]
        ],
        columns=columns,
    )
    _, which, levels, c, h = found[0]
    first = proportion_difference_interval(h, c, total_hits - h, total - c, confidence)
    inside = np.ones(confirm.size, dtype=bool)
    for i, level in zip(which, levels, strict=True):
        inside &= coded[i][0][confirm] == level
    held_hits = hit[confirm]
    n1, h1 = int(inside.sum()), int(held_hits[inside].sum())
    n0, h0 = int((~inside).sum()), int(held_hits[~inside].sum())
    second, p = undefined, float("nan")
    if n1 and n0:
        second = proportion_difference_interval(h1, n1, h0, n0, confidence)
        side = "less" if low_is_worse else "greater"
        p = float(p_values(np.array([h1]), np.array([n1]), np.array([h0]), np.array([n0]), side)[0])
    return WorstGroup(
        group=named(which, levels),
        metric=metric,
        searched=len(found),
        found=first,
        confirmed=second,
        p_value=p,
        is_confirmed=bool(p <= alpha),
        n_held_out=n1,
        candidates=candidates,
    )
