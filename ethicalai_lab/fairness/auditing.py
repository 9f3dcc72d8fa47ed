"""Audit decisions by group: rates, gaps, ratios, with intervals.

An audit of binary decisions depends on the rows only through a contingency table
(group x outcome x decision). The table is counted once; its bootstrap, a multinomial draw
over the cells, is the row bootstrap at a cost that does not grow with the rows.

References
----------
Hardt, M., Price, E. and Srebro, N. (2016). Equality of opportunity in supervised learning.
NeurIPS 29.

Chouldechova, A. (2017). Fair prediction with disparate impact. Big Data 5(2), 153-163.

Weerts, H., Dudik, M., Edgar, R., Jalali, A., Lutz, R. and Madaio, M. (2023). Fairlearn:
assessing and improving fairness of AI systems. JMLR 24(257), 1-8.

Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.fairness._clusters import Clusters, cluster_codes
from ethicalai_lab.fairness._coding import (
    FairnessInputError,
    binary,
    combine,
    factor,
    features,
    numbers,
    weights,
)
from ethicalai_lab.stats import wilson_bounds

__all__ = ["FOUR_FIFTHS_NOTE", "Audit", "audit"]

FOUR_FIFTHS_NOTE = (
    "Four-fifths rule: a US rule of thumb for employment selection (29 CFR 1607.4(D), 1978). "
    "It is not a legal threshold for marketing, ignores sample size and error rates, and "
    "compares with the highest rate, so many groups raise more false alarms."
)

# metric -> the cells (tn, fp, fn, tp) of its numerator and of its denominator
_RATES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "selection_rate": ((1, 3), (0, 1, 2, 3)),
    "true_positive_rate": ((3,), (2, 3)),
    "false_positive_rate": ((1,), (0, 1)),
    "true_negative_rate": ((0,), (0, 1)),
    "false_negative_rate": ((2,), (2, 3)),
    "precision_score": ((3,), (1, 3)),
    "accuracy_score": ((0, 3), (0, 1, 2, 3)),
    "base_rate": ((2, 3), (0, 1, 2, 3)),
}
# These two are one minus another rate: their intervals are mirrored, not drawn again.
_MIRRORED = {
    "true_negative_rate": "false_positive_rate",
    "false_negative_rate": "true_positive_rate",
}
# fairlearn and scikit-learn turn 0/0 into 0 for these
_ZERO_DIVISION = (
    "true_positive_rate",
    "false_positive_rate",
    "true_negative_rate",
    "false_negative_rate",
    "precision_score",
)
FAMILIES: dict[str, tuple[str, ...]] = {
    "demographic_parity": ("selection_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
    "equal_opportunity": ("true_positive_rate",),
    "predictive_parity": ("precision_score",),
}
_MAX_GROUPS = 5_000
_EXACT_ROWS = 64  # cells this small are resampled row by row when weights or scores vary


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
        with each other.
    by_group_low, by_group_high, overall_low, overall_high : DataFrame or Series
        Bootstrap bounds of each metric.
    denominators : DataFrame
        The rows behind each rate of each group (with weights: Kish's effective number; with
        clusters: as many independent rows as would leave the rate as unsure).
    four_fifths : DataFrame
        Each group's selection rate over the highest one among groups that are not small,
        with bounds, and ``below``.
        Named as what it is in :data:`FOUR_FIFTHS_NOTE`.
    calibration : DataFrame or None
        With ``score``: mean score and observed rate by group and score bin.
    undefined : tuple of (group, metric)
        Rates with nothing in the denominator. They are left out of the gaps.
    n_clusters : int or None
        With ``clusters``: how many there are, if fewer than rows.

    Notes
    -----
    The bounds of ``disparities`` are percentiles of the bootstrap, as fairlearn's are,
    widened where needed to hold the value itself. For a largest-minus-smallest gap such
    intervals never reach zero, and lean upwards where the true gap is small or groups are
    many. :attr:`chance` gives the gap to expect if there were none, and
    :attr:`simultaneous` wider bounds that hold the true gap however many groups there are.
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
    n_boot: int
    confidence: float
    seed: int
    small: int
    _table: _Table = field(repr=False)

    @property
    def four_fifths_flag(self) -> bool:
        """Whether any group is below four fifths of the highest selection rate."""
        return bool(self.four_fifths["below"].any())

    @property
    def four_fifths_note(self) -> str:
        """What the four-fifths flag is, and is not."""
        return FOUR_FIFTHS_NOTE

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
    def simultaneous(self) -> pd.DataFrame:
        """Bounds of each between-groups disparity that hold however many groups there are.

        Every pair of groups gets Newcombe's interval (for ratios, the same on the log
        scale) at ``1 - (1 - confidence) / m``, ``m`` being the number of pairs (Bonferroni);
        the bounds are the largest gap, or smallest ratio, that those intervals allow. They
        are wider than those of :attr:`disparities`, and reach 0 where there may be no gap.

        Returns
        -------
        DataFrame
            Rows as in :attr:`disparities`, without those to overall and of scores; columns
            ``value``, ``low``, ``high``.

        References
        ----------
        Newcombe, R. G. (1998). Interval estimation for the difference between independent
        proportions: comparison of eleven methods. Statistics in Medicine 17, 873-890.

        Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect
        measures: a general approach. Statistics in Medicine 27, 1693-1702.
        """
        return self._table.simultaneous(self.disparities, self.confidence)

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

    def interval(self, metric: str, method: str = "bootstrap") -> pd.DataFrame:
        """Return one metric by group with bounds.

        Parameters
        ----------
        metric : str
            A column of :attr:`by_group`.
        method : {"bootstrap", "wilson"}, default "bootstrap"
            Wilson's score interval is the better one for small groups and for rates near
            0 or 1, where a bootstrap of nothing but zeros sees no spread at all. It treats
            the group's size as given and exists for rates only.

        Returns
        -------
        DataFrame
            Columns ``value``, ``low``, ``high``, indexed as :attr:`by_group`.

        Raises
        ------
        FairnessInputError
            If the metric or method is unknown.

        Examples
        --------
        >>> from ethicalai_lab.fairness import audit
        >>> result = audit([0, 1, 1, 0], [0, 1, 0, 0], sensitive_features=list("aabb"))
        >>> result.interval("selection_rate", "wilson").round(2).loc["b"].tolist()
        [0.0, 0.0, 0.66]
        """
        metrics = [c for c in self.by_group_low.columns if c in self.by_group]
        if metric not in metrics:
            raise FairnessInputError(f"metric {metric!r} is unknown; known: {', '.join(metrics)}.")
        value = self.by_group[metric].astype(float)
        if method == "bootstrap":
            low, high = self.by_group_low[metric], self.by_group_high[metric]
        elif method == "wilson":
            if metric not in self.denominators:
                raise FairnessInputError(f"Wilson's interval is for rates; {metric} is none.")
            n = self.denominators[metric].fillna(0.0).to_numpy(float)
            successes = np.where(n > 0, value.fillna(0.0) * n, 0.0)
            low, high = wilson_bounds(np.minimum(successes, n), n, self.confidence)
        else:
            raise FairnessInputError(f"method {method!r} is unknown; known: bootstrap, wilson.")
        return pd.DataFrame(
            {"value": value, "low": np.asarray(low), "high": np.asarray(high)}, index=value.index
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined numbers become ``None``."""
        from ethicalai_lab.fairness.reporting import audit_dict

        return audit_dict(self)

    def _repr_html_(self) -> str:
        from ethicalai_lab.fairness.reporting import audit_fragment

        return audit_fragment(self)


def audit(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    control_features: Any = None,
    score: Any = None,
    sample_weight: Any = None,
    clusters: Any = None,
    n_boot: int = 1000,
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
        there on several dates, or the household. Clusters are drawn again, not rows, and
        every interval and p-value is that of as many clusters.
    n_boot : int, default 1000
        Bootstrap replicates; 0 for none.
    confidence : float, default 0.95
        In (0, 1).
    seed : int, default 0
        Source of every draw.
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

    With ``sample_weight`` or ``score``, a replicate's counts are multinomial and its sums of
    weights and scores, given the counts, are drawn from the weights and scores of the cell:
    exactly where a cell has at most 64 rows or weights take at most 64 values, otherwise from
    the normal law with the cell's means and covariance.

    References
    ----------
    See the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit
    >>> visited = [1, 1, 0, 0, 1, 1, 0, 0]
    >>> offered = [1, 1, 1, 0, 1, 0, 0, 0]
    >>> group = ["a"] * 4 + ["b"] * 4
    >>> result = audit(visited, offered, sensitive_features=group, seed=1)
    >>> result.by_group["selection_rate"].to_dict()
    {'a': 0.75, 'b': 0.25}
    >>> float(result.disparities.loc["demographic_parity_difference", "value"])
    0.5
    """
    if not (
        isinstance(zero_division, (int, float))
        and (math.isnan(zero_division) or zero_division == 0)
    ):
        raise FairnessInputError(f"zero_division is {zero_division!r}; accepted are nan and 0.0.")
    if not isinstance(n_boot, (int, np.integer)) or isinstance(n_boot, bool) or n_boot < 0:
        raise FairnessInputError(f"n_boot is {n_boot!r}; accepted is a whole number of at least 0.")
    if not 0 < confidence < 1:
        raise FairnessInputError(
            f"confidence is {confidence}; it must lie between 0 and 1, such as 0.95."
        )
    table = _Table.count(
        y_true,
        y_pred,
        sensitive_features,
        control_features,
        score,
        sample_weight,
        clusters,
        zero_division,
    )
    return table.audit(int(n_boot), float(confidence), int(seed), int(small))


# ----------------------------------------------------------------- the counted table


@dataclass
class _Table:
    """The contingency table of an audit and what is computed from it."""

    names: list[str]  # control features, then sensitive ones
    levels: list[list[Any]]
    n_control: int  # how many of the features are control features
    combos: NDArray[np.intp]  # (n_groups, n_features) level codes of observed groups
    strata: list[NDArray[np.intp]]  # positions of the groups of each control level
    stratum_keys: list[tuple[int, ...]]
    counts: NDArray[np.int64]  # (n_groups, 4) rows in tn, fp, fn, tp
    sums: NDArray[np.float64]  # (n_groups, 4) the same, weighted
    squares: NDArray[np.float64] | None  # (n_groups, 4) sums of squared weights
    score_sums: NDArray[np.float64] | None  # (n_groups, 4) weighted sums of scores
    atoms: _Atoms | None
    clusters: Clusters | None
    has_truth: bool
    is_probability: bool
    zero_division: float
    calibration: pd.DataFrame | None

    @classmethod
    def count(
        cls,
        y_true: Any,
        y_pred: Any,
        sensitive_features: Any,
        control_features: Any,
        score: Any,
        sample_weight: Any,
        clusters: Any,
        zero_division: float,
    ) -> _Table:
        predicted = binary(y_pred, "y_pred")
        n = predicted.size
        cell = predicted
        if y_true is not None:
            cell = binary(y_true, "y_true", n) * 2 + predicted
        pairs = [] if control_features is None else features(control_features, "control_feature", n)
        n_control = len(pairs)
        pairs += features(sensitive_features, "sensitive_feature", n)
        names = [name for name, _ in pairs]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise FairnessInputError(
                    f"{name} is given twice among the sensitive and control features; once is enough."
                )
        coded = [factor(values, name) for name, values in pairs]
        group, combos = combine(coded)
        if len(combos) > _MAX_GROUPS:
            raise FairnessInputError(
                f"{' x '.join(names)} form {len(combos):,} groups; at most {_MAX_GROUPS:,} are "
                "accepted: bin or drop a feature."
            )
        cell = group * 4 + cell
        n_cells = 4 * len(combos)
        counts = np.bincount(cell, minlength=n_cells)
        w = None if sample_weight is None else weights(sample_weight, n)
        sums = counts.astype(float) if w is None else np.bincount(cell, w, n_cells)
        squares = None if w is None else np.bincount(cell, w * w, n_cells)
        s = None if score is None else numbers(score, "score", n)
        score_sums = None
        calibration = None
        is_probability = False
        if s is not None:
            score_sums = np.bincount(cell, s if w is None else w * s, n_cells)
            is_probability = y_true is not None and bool(s.min() >= 0 and s.max() <= 1)
        together = None
        if clusters is not None:
            if w is not None:
                raise FairnessInputError("clusters and sample_weight are not accepted together.")
            codes = cluster_codes(clusters, n)
            if codes.max(initial=0) + 1 < n:  # else each row is on its own
                together = Clusters.make(codes, cell, n_cells, s)
        plain = (w is None and s is None) or together is not None
        atoms = None if plain else _Atoms.make(cell, counts, w, s)

        keys, inverse = np.unique(combos[:, :n_control], axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        strata = [np.flatnonzero(inverse == i) for i in range(len(keys))]
        shape = (len(combos), 4)
        table = cls(
            names=names,
            levels=[levels for _, levels in coded],
            n_control=n_control,
            combos=combos,
            strata=strata,
            stratum_keys=[tuple(int(v) for v in key) for key in keys],
            counts=counts.reshape(shape),
            sums=sums.reshape(shape),
            squares=None if squares is None else squares.reshape(shape),
            score_sums=None if score_sums is None else score_sums.reshape(shape),
            atoms=atoms,
            clusters=together,
            has_truth=y_true is not None,
            is_probability=is_probability,
            zero_division=float(zero_division),
            calibration=calibration,
        )
        if is_probability:
            table.calibration = table._calibration(group, cell, w, s)
        return table

    # ------------------------------------------------------------------ metrics

    @property
    def metrics(self) -> list[str]:
        names = list(_RATES) if self.has_truth else ["selection_rate"]
        if self.score_sums is not None:
            names.append("mean_score")
            if self.is_probability:
                names.append("calibration_gap")
        return names

    def metric(
        self, name: str, sums: NDArray[np.float64], scores: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return one metric of cells whose last axis is tn, fp, fn, tp."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if name == "mean_score":
                return scores.sum(axis=-1) / sums.sum(axis=-1)
            if name == "calibration_gap":
                positives = sums[..., 2] + sums[..., 3]
                return (scores.sum(axis=-1) - positives) / sums.sum(axis=-1)
            top, bottom = _RATES[name]
            value = _add(sums, top) / _add(sums, bottom)
        if name in _ZERO_DIVISION and not math.isnan(self.zero_division):
            value = np.where(np.isnan(value), self.zero_division, value)
        return value

    @property
    def families(self) -> dict[str, tuple[str, ...]]:
        known = self.metrics
        return {k: v for k, v in FAMILIES.items() if all(m in known for m in v)}

    def disparities(
        self, by_group: dict[str, NDArray[np.float64]], overall: dict[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return each disparity of ``(..., groups)`` rates of one control level."""
        gaps: dict[str, dict[str, NDArray[np.float64]]] = {}
        needed = {m for family in self.families.values() for m in family}
        for m in ("mean_score", "calibration_gap"):
            if m in by_group:
                needed.add(m)
        for m in needed:
            rates = by_group[m]
            defined = np.sum(~np.isnan(rates), axis=-1) >= 2
            highest = np.fmax.reduce(rates, axis=-1)
            lowest = np.fmin.reduce(rates, axis=-1)
            everybody = overall[m][..., None]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = lowest / highest
                to_overall = rates / everybody
                to_overall = np.where(to_overall > 1, 1 / to_overall, to_overall)
            gaps[m] = {
                "difference": np.where(defined, highest - lowest, np.nan),
                "ratio": np.where(defined, ratio, np.nan),
                "difference_to_overall": np.where(
                    defined, np.fmax.reduce(np.abs(rates - everybody), axis=-1), np.nan
                ),
                "ratio_to_overall": np.where(defined, np.fmin.reduce(to_overall, axis=-1), np.nan),
                "defined": defined,
            }
        result = {}
        for suffix in ("", "_to_overall"):
            for family, members in self.families.items():
                for kind in ("difference", "ratio"):
                    parts = [gaps[m][kind + suffix] for m in members]
                    value = parts[0]
                    if len(parts) == 2:
                        both = gaps[members[0]]["defined"] & gaps[members[1]]["defined"]
                        if kind == "difference":
                            value = np.maximum(*parts)
                        else:
                            # Equal rates of 0 in all groups give 0/0: no gap to report there.
                            value = np.where(np.isnan(parts[1]), parts[0], np.minimum(*parts))
                        value = np.where(both, value, np.nan)
                    result[f"{family}_{kind}{suffix}"] = value
            if "mean_score" in gaps:
                result[f"mean_score_difference{suffix}"] = gaps["mean_score"]["difference" + suffix]
            if "calibration_gap" in gaps:
                result[f"calibration_difference{suffix}"] = gaps["calibration_gap"][
                    "difference" + suffix
                ]
        return result

    def stratum(
        self,
        position: int,
        sums: NDArray[np.float64],
        scores: NDArray[np.float64] | None,
        by_group: dict[str, NDArray[np.float64]],
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Return overall metrics and disparities of one control level."""
        groups = self.strata[position]
        everything = len(groups) == len(self.combos)
        pooled = (sums if everything else sums[..., groups, :]).sum(axis=-2)
        pooled_scores = None
        if scores is not None:
            pooled_scores = (scores if everything else scores[..., groups, :]).sum(axis=-2)
        overall = {m: self.metric(m, pooled, pooled_scores) for m in self.metrics}
        within = by_group if everything else {m: v[..., groups] for m, v in by_group.items()}
        return overall, self.disparities(within, overall)

    # --------------------------------------------------------------------- draws

    def draw(
        self, n_boot: int, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return bootstrap replicates of the (weighted) cells and of the score sums."""
        rng = np.random.default_rng(seed)
        if self.clusters is not None or self.atoms is not None:
            if self.clusters is not None:
                sums, scores = self.clusters.draw(n_boot, rng)
            else:
                sums, scores = self.atoms.draw(n_boot, rng, self.counts.size)
            shape = (n_boot, *self.counts.shape)
            return sums.reshape(shape), None if scores is None else scores.reshape(shape)
        flat = self.counts.reshape(-1)
        cells = np.flatnonzero(flat)
        total = int(flat.sum())
        drawn = rng.multinomial(total, flat[cells] / total, size=n_boot)
        sums = np.zeros((n_boot, flat.size))
        sums[:, cells] = drawn
        return sums.reshape(n_boot, *self.counts.shape), None

    # ------------------------------------------------------------------- results

    def audit(self, n_boot: int, confidence: float, seed: int, small: int) -> Audit:
        metrics = self.metrics
        point = {m: self.metric(m, self.sums, self.score_sums) for m in metrics}
        per_stratum = [
            self.stratum(i, self.sums, self.score_sums, point) for i in range(len(self.strata))
        ]
        n_groups, n_strata = len(self.combos), len(self.strata)
        group_low = {m: np.full(n_groups, np.nan) for m in metrics}
        group_high = {m: np.full(n_groups, np.nan) for m in metrics}
        overall_bounds = [None] * n_strata
        gap_bounds = [None] * n_strata
        quantiles = ((1 - confidence) / 2, (1 + confidence) / 2)
        large = self.sizes() >= small
        four = self._four_fifths(point["selection_rate"], large)
        four_low, four_high = np.full(n_groups, np.nan), np.full(n_groups, np.nan)
        if n_boot:
            sums, scores = self.draw(n_boot, seed)
            drawn = {}
            for m in metrics:
                if m in _MIRRORED and math.isnan(self.zero_division):
                    continue
                if m in _MIRRORED:
                    group_low[m], group_high[m] = _bounds(self.metric(m, sums, scores), quantiles)
                    continue
                drawn[m] = self.metric(m, sums, scores)
                group_low[m], group_high[m] = _bounds(drawn[m], quantiles)
            if math.isnan(self.zero_division):
                for m, other in _MIRRORED.items():
                    if m in metrics:
                        group_low[m], group_high[m] = 1 - group_high[other], 1 - group_low[other]
            for m in _MIRRORED:  # never part of a gap
                if m in metrics:
                    drawn[m] = drawn[_MIRRORED[m]]
            four_low, four_high = _bounds(
                self._four_fifths(drawn["selection_rate"], large), quantiles
            )
            for i in range(n_strata):
                overall, gaps = self.stratum(i, sums, scores, drawn)
                overall_bounds[i] = _bounds(np.stack(list(overall.values()), axis=-1), quantiles)
                gap_bounds[i] = _bounds(np.stack(list(gaps.values()), axis=-1), quantiles)
        return self._assemble(
            point,
            per_stratum,
            group_low,
            group_high,
            overall_bounds,
            gap_bounds,
            (four, four_low, four_high),
            n_boot,
            confidence,
            seed,
            small,
        )

    def sizes(self) -> NDArray[np.int64]:
        """Return how many rows, or clusters, stand behind each group."""
        return self.counts.sum(axis=1) if self.clusters is None else self.clusters.sizes()

    def _four_fifths(
        self, rates: NDArray[np.float64], large: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return each rate over the highest one of a `large` group of its control level."""
        result = np.full(rates.shape, np.nan)
        for groups in self.strata:
            within = rates[..., groups]
            steady = np.where(large[groups], within, np.nan)
            highest = np.fmax.reduce(steady, axis=-1)[..., None]
            with np.errstate(divide="ignore", invalid="ignore"):
                result[..., groups] = within / highest
        return result

    def _index(self) -> tuple[pd.Index, NDArray[np.intp]]:
        """Return the index of all intersections and the row of each observed group."""
        sizes = [len(levels) for levels in self.levels]
        if len(sizes) == 1:
            return pd.Index(self.levels[0], name=self.names[0]), self.combos[:, 0]
        if math.prod(sizes) <= 2 * _MAX_GROUPS:
            index = pd.MultiIndex.from_product(self.levels, names=self.names)
            rows = np.zeros(len(self.combos), dtype=np.intp)
            for i, size in enumerate(sizes):
                rows = rows * size + self.combos[:, i]
            return index, rows
        arrays = [
            [levels[code] for code in self.combos[:, i]] for i, levels in enumerate(self.levels)
        ]
        index = pd.MultiIndex.from_arrays(arrays, names=self.names)
        return index, np.arange(len(self.combos))

    def _stratum_index(self) -> pd.Index:
        names = self.names[: self.n_control]
        keys = [
            tuple(self.levels[j][code] for j, code in enumerate(key)) for key in self.stratum_keys
        ]
        if self.n_control == 1:
            return pd.Index([key[0] for key in keys], name=names[0])
        return pd.MultiIndex.from_tuples(keys, names=names)

    def _denominators(self) -> dict[str, NDArray[np.float64]]:
        result = {}
        for m in self.metrics:
            if m not in _RATES:
                continue
            bottom = _RATES[m][1]
            if self.clusters is not None:
                result[m] = self.clusters.effective(*_RATES[m])
                continue
            total = _add(self.sums, bottom)
            if self.squares is not None:
                squares = _add(self.squares, bottom)
                with np.errstate(divide="ignore", invalid="ignore"):
                    total = np.where(squares > 0, total**2 / squares, 0.0)
            result[m] = total
        return result

    def _assemble(
        self,
        point,
        per_stratum,
        group_low,
        group_high,
        overall_bounds,
        gap_bounds,
        four,
        n_boot,
        confidence,
        seed,
        small,
    ) -> Audit:
        index, rows = self._index()
        metrics = self.metrics
        n_index = len(index)

        def spread(values: NDArray, fill: float = np.nan) -> NDArray:
            wide = np.full(n_index, fill)
            wide[rows] = values
            return wide

        size = self.counts.sum(axis=1)
        data: dict[str, Any] = {}
        # Whole numbers where every group was seen; nan needs a float column.
        data["count"] = spread(size) if len(rows) < n_index else spread(size).astype(np.int64)
        data |= {m: spread(point[m]) for m in metrics}
        by_group = pd.DataFrame(data, index=index)
        by_group["small_group"] = spread(self.sizes(), 0.0) < small
        denominators = pd.DataFrame(
            {m: spread(v, 0.0) for m, v in self._denominators().items()}, index=index
        )
        low = pd.DataFrame({m: spread(group_low[m]) for m in metrics}, index=index)
        high = pd.DataFrame({m: spread(group_high[m]) for m in metrics}, index=index)
        ratio, ratio_low, ratio_high = (spread(v) for v in four)
        four_fifths = pd.DataFrame(
            {
                "selection_rate": by_group["selection_rate"],
                "ratio_to_highest": ratio,
                "low": ratio_low,
                "high": ratio_high,
                # Tolerance: 0.4 / 0.5 must not fall below 0.8 by rounding.
                "below": ratio < 0.8 - 1e-12,
                "small_group": by_group["small_group"],
            },
            index=index,
        )

        sizes = [int(size[groups].sum()) for groups in self.strata]
        overall_rows, low_rows, high_rows, gap_frames = [], [], [], []
        for i, (overall, gaps) in enumerate(per_stratum):
            overall_rows.append({"count": sizes[i], **{m: float(overall[m]) for m in metrics}})
            b = overall_bounds[i] or (np.full(len(metrics), np.nan),) * 2
            low_rows.append(dict(zip(metrics, b[0], strict=True)))
            high_rows.append(dict(zip(metrics, b[1], strict=True)))
            g = gap_bounds[i] or (np.full(len(gaps), np.nan),) * 2
            value = np.array([float(v) for v in gaps.values()])
            gap_frames.append(
                pd.DataFrame(
                    {"value": value, "low": np.fmin(g[0], value), "high": np.fmax(g[1], value)},
                    index=pd.Index(list(gaps), name="disparity"),
                ).where(~np.isnan(g[0])[:, None] | [True, False, False])
            )
        if self.n_control:
            strata = self._stratum_index()
            overall = pd.DataFrame(overall_rows, index=strata)
            overall_low = pd.DataFrame(low_rows, index=strata)
            overall_high = pd.DataFrame(high_rows, index=strata)
            disparities = pd.concat(gap_frames, keys=list(strata), names=list(strata.names))
        else:
            overall = pd.Series(overall_rows[0], name="overall")
            overall_low = pd.Series(low_rows[0], name="low")
            overall_high = pd.Series(high_rows[0], name="high")
            disparities = gap_frames[0]
        undefined = tuple(
            (index[rows[g]], m)
            for m in metrics
            if m in _RATES
            for g in np.flatnonzero(_add(self.sums, _RATES[m][1]) == 0)
        )
        return Audit(
            overall=overall,
            by_group=by_group,
            disparities=disparities,
            overall_low=overall_low,
            overall_high=overall_high,
            by_group_low=low,
            by_group_high=high,
            denominators=denominators,
            four_fifths=four_fifths,
            calibration=self.calibration,
            undefined=undefined,
            sensitive_names=tuple(self.names[self.n_control :]),
            control_names=tuple(self.names[: self.n_control]),
            n_rows=int(self.counts.sum()),
            n_clusters=None if self.clusters is None else self.clusters.n,
            weighted=self.squares is not None,
            has_truth=self.has_truth,
            n_boot=n_boot,
            confidence=confidence,
            seed=seed,
            small=small,
            _table=self,
        )

    def _calibration(self, group, cell, w, s) -> pd.DataFrame:
        """Return mean score and observed rate by group and decile of the pooled score."""
        edges = np.unique(np.quantile(s, np.linspace(0.1, 0.9, 9)))
        bins = np.searchsorted(edges, s, side="right")
        n_bins = len(edges) + 1
        key = group * n_bins + bins
        size = len(self.combos) * n_bins
        weight = np.ones(len(s)) if w is None else w
        outcome = ((cell & 3) >= 2).astype(float)
        n = np.bincount(key, minlength=size)
        total = np.bincount(key, weight, size)
        squares = np.bincount(key, weight * weight, size)
        kept = np.flatnonzero(total > 0)
        mean = np.bincount(key, weight * s, size)[kept] / total[kept]
        rate = np.bincount(key, weight * outcome, size)[kept] / total[kept]
        effective = total[kept] ** 2 / squares[kept]
        low, high = wilson_bounds(np.minimum(rate * effective, effective), effective)
        codes = self.combos[kept // n_bins]
        frame = {
            name: [self.levels[i][c] for c in codes[:, i]] for i, name in enumerate(self.names)
        }
        return pd.DataFrame(
            {
                **frame,
                "score_bin": kept % n_bins + 1,
                "count": n[kept],
                "mean_score": mean,
                "observed_rate": rate,
                "low": low,
                "high": high,
            }
        )

    def simultaneous(self, found: pd.DataFrame, confidence: float) -> pd.DataFrame:
        """Return the gaps that simultaneous intervals of the rates allow."""
        sizes = self._denominators()
        keys = list(self._stratum_index()) if self.n_control else [None]
        index, rows = [], []
        for key, groups in zip(keys, self.strata, strict=True):
            for family, members in self.families.items():
                bounds: dict[str, list[tuple[float, float]]] = {"difference": [], "ratio": []}
                known = []
                for name in members:
                    n = sizes[name][groups]
                    rate = self.metric(name, self.sums[groups], None)
                    kept = (n > 0) & ~np.isnan(rate)
                    known.append((n[kept], rate[kept]))
                pairs = sum(len(n) * (len(n) - 1) // 2 for n, _ in known)
                for n, rate in known:
                    if any(len(other) < 2 for other, _ in known):
                        bounds = {kind: [(math.nan, math.nan)] for kind in bounds}
                        break
                    difference, ratio = _pairwise(n, rate, 1 - (1 - confidence) / pairs)
                    bounds["difference"].append(difference)
                    bounds["ratio"].append(ratio)
                for kind, pick in (("difference", max), ("ratio", min)):
                    name = f"{family}_{kind}"
                    at = (
                        name
                        if key is None
                        else (*(key if isinstance(key, tuple) else (key,)), name)
                    )
                    ends = zip(*bounds[kind], strict=True)
                    index.append(at)
                    rows.append((float(found.loc[at, "value"]), *(float(pick(e)) for e in ends)))
        return pd.DataFrame(rows, columns=["value", "low", "high"], index=self._gap_index(index))

    def _gap_index(self, labels: list[Any]) -> pd.Index:
        if self.n_control:
            names = [*self.names[: self.n_control], "disparity"]
            return pd.MultiIndex.from_tuples(labels, names=names)
        return pd.Index(labels, name="disparity")

    def chance(self, found: pd.DataFrame, confidence: float, seed: int) -> pd.DataFrame:
        """Return the gaps that equal groups of these sizes would show."""
        draws = 2_000
        rng = np.random.default_rng([seed, 1])
        sizes = self._denominators()
        needed = sorted({m for family in self.families.values() for m in family})
        frames = []
        for groups in self.strata:
            pooled = self.sums[groups].sum(axis=0)
            by_group, overall = {}, {}
            for m in needed:
                p = float(self.metric(m, pooled, None))
                n = np.round(sizes[m][groups]).astype(np.int64)
                if math.isnan(p):
                    by_group[m] = np.full((draws, len(groups)), np.nan)
                else:
                    hits = rng.binomial(n, p, size=(draws, len(groups)))
                    with np.errstate(invalid="ignore"):
                        by_group[m] = np.where(n > 0, hits / np.maximum(n, 1), np.nan)
                overall[m] = np.full(draws, p)
            gaps = self.disparities(by_group, overall)
            gaps = {k: v for k, v in gaps.items() if not k.endswith("to_overall")}
            frames.append(gaps)
        rows = []
        index = []
        keys = list(self._stratum_index()) if self.n_control else [None]
        for key, gaps in zip(keys, frames, strict=True):
            for name, null in gaps.items():
                at = name if key is None else (*(key if isinstance(key, tuple) else (key,)), name)
                value = float(found.loc[at, "value"])
                known = null[~np.isnan(null)]
                by_chance = p_value = math.nan
                if known.size and not math.isnan(value):
                    lower = "_ratio" in name
                    tail = 1 - confidence if lower else confidence
                    by_chance = float(np.quantile(known, tail))
                    extreme = known <= value + 1e-12 if lower else known >= value - 1e-12
                    p_value = (1 + int(extreme.sum())) / (1 + known.size)
                index.append(at)
                rows.append((value, by_chance, p_value))
        return pd.DataFrame(
            rows, columns=["value", "by_chance", "p_value"], index=self._gap_index(index)
        )


@dataclass
class _Atoms:
    """Parts of cells within which weights and scores are alike, or summed up by moments."""

    cell: NDArray[np.intp]  # the cell of each atom, ascending
    n: NDArray[np.int64]
    mean: NDArray[np.float64]  # (n_atoms,) mean weight
    sd: NDArray[np.float64]
    bounds: NDArray[np.float64]  # (2, n_atoms) smallest and largest weight
    score_mean: NDArray[np.float64] | None  # mean of weight times score
    score_sd: NDArray[np.float64] | None
    correlation: NDArray[np.float64] | None

    @classmethod
    def make(
        cls,
        cell: NDArray[np.intp],
        counts: NDArray[np.int64],
        w: NDArray[np.float64] | None,
        s: NDArray[np.float64] | None,
    ) -> _Atoms:
        n_cells = counts.size
        key, owner = cell, np.arange(n_cells)
        if w is not None:
            codes, unique = pd.factorize(w)
            if len(unique) <= _EXACT_ROWS and n_cells * len(unique) <= 8_192:
                key = cell * len(unique) + codes
                owner = np.repeat(np.arange(n_cells), len(unique))
        if s is not None or key is cell:
            tiny = (counts <= _EXACT_ROWS)[cell]
            where = np.flatnonzero(tiny)
            if 0 < where.size <= 8_192:
                key = key.copy()
                key[where] = owner.size + np.arange(where.size)
                owner = np.concatenate([owner, cell[where]])
        n = np.bincount(key, minlength=owner.size)
        kept = np.flatnonzero(n)
        kept = kept[np.argsort(owner[kept], kind="stable")]
        back = np.zeros(owner.size, dtype=np.intp)
        back[kept] = np.arange(kept.size)
        key, owner, n = back[key], owner[kept], n[kept]
        weight = np.ones(cell.size) if w is None else w

        def mean_sd(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            mean = np.bincount(key, x, n.size) / n
            spread = np.bincount(key, (x - mean[key]) ** 2, n.size) / n
            return mean, np.sqrt(spread)

        mean, sd = mean_sd(weight)
        low, high = np.full(n.size, np.inf), np.full(n.size, -np.inf)
        np.minimum.at(low, key, weight)
        np.maximum.at(high, key, weight)
        score_mean = score_sd = correlation = None
        if s is not None:
            ws = weight * s
            score_mean, score_sd = mean_sd(ws)
            cov = np.bincount(key, (weight - mean[key]) * (ws - score_mean[key]), n.size) / n
            with np.errstate(divide="ignore", invalid="ignore"):
                correlation = np.where(sd * score_sd > 0, cov / (sd * score_sd), 0.0)
            correlation = np.clip(correlation, -1, 1)
        return cls(owner, n, mean, sd, np.stack([low, high]), score_mean, score_sd, correlation)

    def draw(
        self, n_boot: int, rng: np.random.Generator, n_cells: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        total = int(self.n.sum())
        k = rng.multinomial(total, self.n / total, size=n_boot).astype(float)
        weight = k * self.mean
        scores = None if self.score_mean is None else k * self.score_mean
        spread = self.sd > 0 if self.score_sd is None else (self.sd > 0) | (self.score_sd > 0)
        varied = np.flatnonzero(spread)
        if varied.size:
            root = np.sqrt(k[:, varied])
            z = rng.standard_normal(root.shape)
            drawn = weight[:, varied] + root * self.sd[varied] * z
            limits = k[:, varied] * self.bounds[:, None, varied]
            weight[:, varied] = np.clip(drawn, limits[0], limits[1])
            if scores is not None:
                r = self.correlation[varied]
                noise = r * z + np.sqrt(1 - r * r) * rng.standard_normal(root.shape)
                scores[:, varied] += root * self.score_sd[varied] * noise
        return self._to_cells(weight, n_cells), (
            None if scores is None else self._to_cells(scores, n_cells)
        )

    def _to_cells(self, values: NDArray[np.float64], n_cells: int) -> NDArray[np.float64]:
        cells, starts = np.unique(self.cell, return_index=True)
        result = np.zeros((values.shape[0], n_cells))
        result[:, cells] = np.add.reduceat(values, starts, axis=1)
        return result


# -------------------------------------------------------------------------- helpers


def _add(cells: NDArray[np.float64], positions: tuple[int, ...]) -> NDArray[np.float64]:
    total = cells[..., positions[0]]
    for position in positions[1:]:
        total = total + cells[..., position]
    return total


def _pairwise(
    n: NDArray[np.float64], rate: NDArray[np.float64], confidence: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return bounds of the largest difference and smallest ratio, from those of each pair."""
    low, high = wilson_bounds(np.minimum(rate * n, n), n, confidence)
    down, up = rate - low, high - rate
    difference, ratio = [0.0, 0.0], [1.0, 1.0]
    with np.errstate(divide="ignore", invalid="ignore"):
        log, log_down, log_up = np.log(rate), np.log(rate / low), np.log(high / rate)
        for i in range(len(n)):
            gap = rate[i] - rate  # of i over each other group
            difference[0] = max(difference[0], float(np.max(gap - np.hypot(down[i], up))))
            difference[1] = max(difference[1], float(np.max(gap + np.hypot(up[i], down))))
            below = np.exp(log[i] - log - np.hypot(log_down[i], log_up))
            above = np.exp(log[i] - log + np.hypot(log_up[i], log_down))
            # A rate of 0 has no logarithm: its bounds are those of the corners.
            below = np.where(np.isnan(below), low[i] / high, below)
            above = np.where(np.isfinite(above), above, high[i] / low)
            below[i] = above[i] = 1.0
            ratio[0] = min(ratio[0], float(np.nanmin(below)))
            ratio[1] = min(ratio[1], float(np.nanmin(above)))
    return (difference[0], min(1.0, difference[1])), (ratio[0], ratio[1])


def _bounds(
    draws: NDArray[np.float64], quantiles: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quantiles over the first axis; undefined draws are left out.

    Where fewer than half the replicates are defined, so are the bounds: not at all.
    ``nanquantile`` gives the same numbers, some hundred times slower.
    """
    columns = np.moveaxis(draws, 0, -1).copy(order="C")  # sorted in place below
    n_boot = columns.shape[-1]
    bad = np.isnan(columns)
    known = n_boot - bad.sum(axis=-1)
    rank = [np.clip((np.maximum(known, 1) - 1) * q, 0, n_boot - 1) for q in quantiles]
    if not bad.any():
        wanted = (
            {int(f(r.flat[0])) for r in rank for f in (np.floor, np.ceil)} if columns.size else {0}
        )
        columns.partition(sorted(wanted), axis=-1)
    else:
        columns.sort(axis=-1)  # puts nan last
    result = []
    for r in rank:
        below = np.floor(r).astype(np.intp)[..., None]
        above = np.ceil(r).astype(np.intp)[..., None]
        a = np.take_along_axis(columns, below, axis=-1)[..., 0]
        b = np.take_along_axis(columns, above, axis=-1)[..., 0]
        value = a + (b - a) * (r - below[..., 0])
        result.append(np.where(2 * known >= n_boot, value, np.nan))
    return result[0], result[1]
