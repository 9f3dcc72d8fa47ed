"""Audit decisions by group: rates, gaps, ratios, with intervals.

Intervals are in closed form, so that they hold for small groups and rare events too, where a
bootstrap sees too little: of twenty people who visit with a chance of 5 %, a third of all samples
hold no visit at all, and drawing zeros again gives zeros.

References
----------
Hardt, M., Price, E. and Srebro, N. (2016). Equality of opportunity in supervised learning.
NeurIPS 29.

Chouldechova, A. (2017). Fair prediction with disparate impact. Big Data 5(2), 153-163.

Weerts, H., Dudik, M., Edgar, R., Jalali, A., Lutz, R. and Madaio, M. (2023). Fairlearn:
assessing and improving fairness of AI systems. JMLR 24(257), 1-8.

Wilson (1927) and Newcombe (1998), see `ethicalai_lab.stats`; Zou and Donner (2008) and Donner
and Zou (2012), see the module of the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError
from ethicalai_lab.fairness._counted import RATES, Counted
from ethicalai_lab.fairness.presentation import audit_body, audit_dict

__all__ = ["Audit", "audit"]


@dataclass(frozen=True)
class Audit:
    """What :func:`audit` found.

    Attributes
    ----------
    overall : Series, or DataFrame with one row a control level
        The metrics over everybody.
    by_group : DataFrame
        One row a group, one column a metric, named as fairlearn and scikit-learn name
        them, and ``small_group`` (fewer than ``small`` rows). Intersections in which
        nobody was seen are rows of ``nan``.
    disparities : DataFrame
        One row a disparity, columns ``value``, ``low``, ``high``. Rows ending in
        ``_to_overall`` compare each group with everybody, the others the extreme groups
        with each other. The bounds hold for all groups at once.
    by_group_low, by_group_high, overall_low, overall_high : DataFrame or Series
        Bounds of each metric: Wilson's of rates, Student's of means.
    denominators : DataFrame
        The rows behind each rate of each group (with weights or clusters: as many independent
        rows as would leave the rate as unsure).
    four_fifths : DataFrame
        Each group's selection rate over the highest one among groups that are not small,
        with bounds, and ``below``.
        Named as what it is in :data:`ethicalai_lab.fairness.FOUR_FIFTHS_NOTE`.
    calibration : DataFrame or None
        With ``score``: mean score and observed rate by group and score bin.
    undefined : tuple of (group, metric)
        Rates with nothing in the denominator. They are left out of the gaps.
    n_clusters : int or None
        With ``clusters``: how many there are, if fewer than rows.

    Notes
    -----
    A gap is the largest rate minus the smallest, so it lies above zero even where all groups
    are treated alike. Its bounds allow for that: every pair of groups gets Newcombe's interval
    (for ratios MOVER-R, both from Wilson's bounds) at ``1 - (1 - confidence) / m``, ``m`` being
    the number of pairs (Bonferroni), and the bounds are the largest gap, or smallest ratio, that
    those intervals allow. With two groups that is Newcombe's interval of the difference, without
    its sign. They reach 0 (ratios: 1) where there may be no gap.

    Groups are taken as independent of each other. Where a cluster has people of several groups
    the bounds are, as a rule, wider than they need be.
    """

    overall: Any
    by_group: pd.DataFrame
    disparities: pd.DataFrame
    overall_low: Any
    overall_high: Any
    by_group_low: pd.DataFrame
    by_group_high: pd.DataFrame
    denominators: pd.DataFrame
    four_fifths: pd.DataFrame
    calibration: pd.DataFrame | None
    undefined: tuple[tuple[Any, str], ...]
    sensitive_names: tuple[str, ...]
    control_names: tuple[str, ...]
    n_rows: int
    n_clusters: int | None
    weighted: bool
    has_truth: bool
    confidence: float
    seed: int
    small: int
    _table: Counted = field(repr=False)

    @property
    def four_fifths_flag(self) -> bool:
        """Whether any group is below four fifths of the highest selection rate."""
        return bool(self.four_fifths["below"].any())

    @property
    def small_groups(self) -> list[Any]:
        """Groups with fewer rows, or clusters, than ``small``; kept in every figure, and marked."""
        seen = self.by_group["count"].notna()
        return list(self.by_group.index[self.by_group["small_group"] & seen])

    @cached_property
    def chance(self) -> pd.DataFrame:
        """The gap to expect by chance alone, beside the one found.

        Returns
        -------
        DataFrame
            One row a between-groups disparity; columns ``value``, ``by_chance`` (the
            ``confidence`` quantile of the gap when all groups of a control level share
            one rate: the lower tail for ratios) and ``p_value``, by 2,000 draws.
        """
        return self._table.chance(self.disparities, self.confidence, self.seed)

    @cached_property
    def extremes(self) -> pd.DataFrame:
        """Which groups have the lowest and the highest value of each metric."""
        rows = []
        levels = list(self.control_names)
        metrics = [c for c in self.by_group if c not in ("count", "small_group")]
        blocks = self.by_group.groupby(level=levels) if levels else [((), self.by_group)]
        for key, block in blocks:
            for metric in metrics:
                known = block[metric].dropna()
                if known.empty:
                    continue
                low, high = known.idxmin(), known.idxmax()
                key_ = key if isinstance(key, tuple) else (key,)
                rows.append((*key_, metric, low, known[low], high, known[high]))
        names = [*levels, "metric"]
        frame = pd.DataFrame(
            rows, columns=[*names, "lowest_group", "lowest", "highest_group", "highest"]
        )
        return frame.set_index(names if levels else "metric")

    def interval(self, metric: str) -> pd.DataFrame:
        """Return one metric by group with bounds.

        Parameters
        ----------
        metric : str
            A column of :attr:`by_group`.

        Returns
        -------
        DataFrame
            Columns ``value``, ``low``, ``high``, indexed as :attr:`by_group`.

        Raises
        ------
        FairnessInputError
            If the metric is unknown.

        Examples
        --------
        >>> from ethicalai_lab.fairness import audit
        >>> result = audit([0, 1, 1, 0], [0, 1, 0, 0], sensitive_features=list("aabb"))
        >>> result.interval("selection_rate").round(2).loc["b"].tolist()
        [0.0, 0.0, 0.66]
        """
        if metric not in self.by_group_low:
            known = ", ".join(self.by_group_low)
            raise FairnessInputError(f"metric {metric!r} is unknown; known: {known}.")
        return pd.DataFrame(
            {
                "value": self.by_group[metric].astype(float),
                "low": self.by_group_low[metric],
                "high": self.by_group_high[metric],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined numbers become ``None``."""
        return audit_dict(self)

    def _repr_html_(self) -> str:
        return f"<div>{audit_body(self, level=4)}</div>"


def audit(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    control_features: Any = None,
    score: Any = None,
    sample_weight: Any = None,
    clusters: Any = None,
    confidence: float = 0.95,
    seed: int = 0,
    small: int = 30,
    zero_division: float = math.nan,
) -> Audit:
    """Audit binary decisions by group.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or None
        What happened: True/False, 0/1 or -1/1. ``None`` where no outcome is known; only
        selection rates and demographic parity are then reported.
    y_pred : array-like of shape (n_rows,)
        What was decided, coded the same way; 1 is the good outcome, "selected".
    sensitive_features : array-like, Series, DataFrame or dict
        One or more columns; groups are their intersections. A missing value is a group of
        its own, named "(missing)".
    control_features : array-like, Series, DataFrame or dict, optional
        Gaps are reported within each combination of these.
    score : array-like of shape (n_rows,), optional
        The model's score; adds ``mean_score`` and, for scores in [0, 1] with ``y_true``,
        ``calibration_gap`` (mean score minus observed rate) and :attr:`Audit.calibration`.
    sample_weight : array-like of shape (n_rows,), optional
        At least 0.
    clusters : array-like of shape (n_rows,), optional
        Whom a row belongs to, where rows are not independent: the person, where one is
        there on several dates, or the household. Every interval and p-value is then that of
        as many clusters. A group of one cluster has no bounds: nothing can vary within it.
    confidence : float, default 0.95
        In (0, 1).
    seed : int, default 0
        Source of the draws of :attr:`Audit.chance`; nothing else is drawn.
    small : int, default 30
        Groups with fewer rows (with ``clusters``: fewer clusters) are marked, and none of
        them is what the four-fifths ratio compares with.
    zero_division : {nan, 0.0}, default nan
        The value of a rate of nothing, such as the true positive rate of a group without
        positives. fairlearn reports 0 there, and lets that 0 take part in the gaps; here it
        stays undefined and is left out, unless ``zero_division=0.0`` asks for fairlearn's way.

    Returns
    -------
    Audit

    Raises
    ------
    FairnessInputError
        If a column is missing values, has another length, or holds values that are not
        accepted; the message names it.

    Notes
    -----
    Point values equal those of ``fairlearn.metrics.MetricFrame``, with these differences.
    0/0 stays ``nan`` (see ``zero_division``). A gap among fewer than two groups with a
    defined rate is ``nan``, where fairlearn reports 0. Equalized odds is undefined where
    either of its rates is; where all groups have a rate of exactly 0, its ratio 0/0 is no
    evidence of disparity and the other rate's ratio stands, as in fairlearn.

    Columns are taken by position, as in fairlearn: a pandas index is ignored.

    With ``sample_weight`` or ``clusters``, a rate has Wilson's interval of the number of
    independent rows that would leave it as unsure as it is (its design effect, from the
    linearised variance). A mean of scores that do not differ has no bounds.

    References
    ----------
    See the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit
    >>> visited = [1, 1, 0, 0, 1, 1, 0, 0]
    >>> offered = [1, 1, 1, 0, 1, 0, 0, 0]
    >>> group = ["a"] * 4 + ["b"] * 4
    >>> result = audit(visited, offered, sensitive_features=group)
    >>> result.by_group["selection_rate"].to_dict()
    {'a': 0.75, 'b': 0.25}
    >>> result.disparities.loc["demographic_parity_difference"].round(2).tolist()
    [0.5, 0.0, 0.79]
    """
    if not (
        isinstance(zero_division, (int, float))
        and (math.isnan(zero_division) or zero_division == 0)
    ):
        raise FairnessInputError(f"zero_division is {zero_division!r}; accepted are nan and 0.0.")
    if not 0 < confidence < 1:
        raise FairnessInputError(
            f"confidence is {confidence}; it must lie between 0 and 1, such as 0.95."
        )
    table = Counted.count(
        y_true,
        y_pred,
        sensitive_features,
        control_features,
        score,
        sample_weight,
        clusters,
        zero_division,
    )
    return _assemble(table, float(confidence), int(seed), int(small))


# ------------------------------------------------------------------------ the frames


def _assemble(table: Counted, confidence: float, seed: int, small: int) -> Audit:
    index, rows = table.index()

    def spread(values: Any, fill: float = math.nan) -> np.ndarray:
        wide = np.full(len(index), fill)
        wide[rows] = values
        return wide

    size = table.counts.sum(axis=1)
    data: dict[str, Any] = {}
    # Whole numbers where every group was seen; nan needs a float column.
    data["count"] = spread(size) if len(rows) < len(index) else spread(size).astype(np.int64)
    data |= {m: spread(one.value) for m, one in table.own.items()}
    by_group = pd.DataFrame(data, index=index)
    by_group["small_group"] = spread(table.sizes(), 0.0) < small
    low, high = {}, {}
    for m, one in table.own.items():
        bounds = one.bounds(confidence)
        if table.clusters is not None:  # one cluster says nothing of another
            bounds = np.where(one.n <= 1, np.nan, bounds)
        low[m], high[m] = map(spread, bounds)
    overall, overall_low, overall_high, disparities = _by_stratum(table, size, confidence)
    return Audit(
        overall=overall,
        by_group=by_group,
        disparities=disparities,
        overall_low=overall_low,
        overall_high=overall_high,
        by_group_low=pd.DataFrame(low, index=index),
        by_group_high=pd.DataFrame(high, index=index),
        denominators=pd.DataFrame(
            {m: spread(table.own[m].n, 0.0) for m in table.own if m in RATES}, index=index
        ),
        four_fifths=_four_fifths(table, by_group, spread, confidence, small),
        calibration=table.calibration,
        undefined=tuple((index[rows[g]], m) for m, g in table.undefined()),
        sensitive_names=tuple(table.names[table.n_control :]),
        control_names=tuple(table.names[: table.n_control]),
        n_rows=int(table.counts.sum()),
        n_clusters=None if table.clusters is None else table.clusters.n,
        weighted=table.squares is not None,
        has_truth=table.has_truth,
        confidence=confidence,
        seed=seed,
        small=small,
        _table=table,
    )


def _four_fifths(
    table: Counted, by_group: pd.DataFrame, spread: Any, confidence: float, small: int
) -> pd.DataFrame:
    ratio, low, high = table.four_fifths(table.sizes() >= small, confidence)
    return pd.DataFrame(
        {
            "selection_rate": by_group["selection_rate"],
            "ratio_to_highest": spread(ratio),
            "low": spread(low),
            "high": spread(high),
            # Tolerance: 0.4 / 0.5 must not fall below 0.8 by rounding.
            "below": spread(ratio) < 0.8 - 1e-12,
            "small_group": by_group["small_group"],
        },
        index=by_group.index,
    )


def _by_stratum(
    table: Counted, size: np.ndarray, confidence: float
) -> tuple[Any, Any, Any, pd.DataFrame]:
    """Return everybody's metrics, with bounds, and the disparities, by control level."""
    whole = {m: (one.value, *one.bounds(confidence)) for m, one in table.whole.items()}
    count = [int(size[groups].sum()) for groups in table.strata]
    frames = []
    for (_, gaps), bounds in zip(table.found(), table.gap_bounds(confidence), strict=True):
        value = np.array([float(gap) for gap in gaps.values()])
        low, high = np.array([bounds[name] for name in gaps]).T
        frame = {
            "value": value,
            # a rate that is 0 by zero_division has no bounds, and may make the gap
            "low": np.minimum(low, value),
            "high": np.maximum(high, value),
        }
        frames.append(pd.DataFrame(frame, index=pd.Index(list(gaps), name="disparity")))
    values, low, high = (pd.DataFrame({m: ends[i] for m, ends in whole.items()}) for i in range(3))
    values.insert(0, "count", count)
    if not table.n_control:
        overall = pd.Series(
            {name: column.iloc[0] for name, column in values.items()}, name="overall"
        )
        return overall, low.iloc[0].rename("low"), high.iloc[0].rename("high"), frames[0]
    strata = table.stratum_index()
    for frame in (values, low, high):
        frame.index = strata
    return values, low, high, pd.concat(frames, keys=list(strata), names=list(strata.names))
