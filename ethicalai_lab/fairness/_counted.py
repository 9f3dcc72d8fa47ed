"""The contingency table of an audit, and what is computed from it.

An audit of binary decisions depends on the rows only through how many of each group are in
each of four cells: outcome by decision. They are counted once.

References
----------
Kish, L. (1965). Survey Sampling. Wiley.

Dean, N. and Pagano, M. (2015). Evaluating confidence interval methods for binomial
proportions in clustered surveys. Journal of Survey Statistics and Methodology 3, 484-503.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ethicalai_lab.fairness._bounds import Estimate, Excess, gap_bounds, ratio_to_highest
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

Floats = NDArray[np.float64]

# metric -> the cells (tn, fp, fn, tp) of its numerator and of its denominator
RATES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "selection_rate": ((1, 3), (0, 1, 2, 3)),
    "true_positive_rate": ((3,), (2, 3)),
    "false_positive_rate": ((1,), (0, 1)),
    "true_negative_rate": ((0,), (0, 1)),
    "false_negative_rate": ((2,), (2, 3)),
    "precision_score": ((3,), (1, 3)),
    "accuracy_score": ((0, 3), (0, 1, 2, 3)),
    "base_rate": ((2, 3), (0, 1, 2, 3)),
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


@dataclass
class Counted:
    """The contingency table of an audit and what is computed from it."""

    names: list[str]  # control features, then sensitive ones
    levels: list[list[Any]]
    n_control: int  # how many of the features are control features
    combos: NDArray[np.intp]  # (n_groups, n_features) level codes of observed groups
    stratum_of: NDArray[np.intp]  # the control level of each group
    stratum_keys: list[tuple[int, ...]]
    counts: NDArray[np.int64]  # (n_groups, 4) rows in tn, fp, fn, tp
    sums: Floats  # (n_groups, 4) the same, weighted
    squares: Floats | None  # (n_groups, 4) sums of squared weights
    score_sums: Floats | None  # (n_groups, 4) weighted sums of scores
    score_moments: dict[str, Floats]  # of means: see _moments
    centre: float  # the mean score, which the moments are taken about
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
    ) -> Counted:
        predicted = binary(y_pred, "y_pred")
        n = predicted.size
        cell = predicted
        if y_true is not None:
            cell = binary(y_true, "y_true", n) * 2 + predicted
        names, n_control, coded, group, combos = _grouped(control_features, sensitive_features, n)
        cell = group * 4 + cell
        n_cells = 4 * len(combos)
        counts = np.bincount(cell, minlength=n_cells)
        w = None if sample_weight is None else weights(sample_weight, n)
        sums = counts.astype(float) if w is None else np.bincount(cell, w, n_cells)
        squares = None if w is None else np.bincount(cell, w * w, n_cells)
        s = None if score is None else numbers(score, "score", n)
        score_sums, moments, centre = None, {}, 0.0
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
        if s is not None and together is None:
            centre = float(s.mean())
            moments["mean_score"] = _moments(group, s - centre, w)
            if is_probability:
                moments["calibration_gap"] = _moments(group, s - (cell % 4 >= 2) - centre, w)

        keys, inverse = np.unique(combos[:, :n_control], axis=0, return_inverse=True)
        shape = (len(combos), 4)
        table = cls(
            names=names,
            levels=[levels for _, levels in coded],
            n_control=n_control,
            combos=combos,
            stratum_of=inverse.reshape(-1),
            stratum_keys=[tuple(int(v) for v in key) for key in keys],
            counts=counts.reshape(shape),
            sums=sums.reshape(shape),
            squares=None if squares is None else squares.reshape(shape),
            score_sums=None if score_sums is None else score_sums.reshape(shape),
            score_moments=moments,
            centre=centre,
            clusters=together,
            has_truth=y_true is not None,
            is_probability=is_probability,
            zero_division=float(zero_division),
            calibration=None,
        )
        if is_probability:
            table.calibration = table._calibration(group, cell, w, s)
        return table

    @cached_property
    def strata(self) -> list[NDArray[np.intp]]:
        """Positions of the groups of each control level."""
        return [np.flatnonzero(self.stratum_of == i) for i in range(len(self.stratum_keys))]

    # ------------------------------------------------------------------ metrics

    @property
    def metrics(self) -> list[str]:
        names = list(RATES) if self.has_truth else ["selection_rate"]
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
            top, bottom = RATES[name]
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

    def found(self) -> list[tuple[dict[str, Floats], dict[str, Floats]]]:
        """Return everybody's metrics and the disparities of each control level."""
        overall = {m: one.value for m, one in self.whole.items()}
        result = []
        for i, groups in enumerate(self.strata):
            everybody = {m: values[i] for m, values in overall.items()}
            within = {m: one.value[groups] for m, one in self.own.items()}
            result.append((everybody, self.disparities(within, everybody)))
        return result

    # ------------------------------------------------------------------- intervals

    @cached_property
    def own(self) -> dict[str, Estimate]:
        """Each metric of each group, and how sure it is."""
        return self._estimates(None)

    @cached_property
    def whole(self) -> dict[str, Estimate]:
        """Each metric of each control level as a whole, and how sure it is."""
        n = self.stratum_of.size
        pool = sparse.csr_matrix((np.ones(n), (np.arange(n), self.stratum_of)))
        return self._estimates(pool)

    def _estimates(self, pool: Any) -> dict[str, Estimate]:
        def pooled(cells: Floats | None) -> Floats | None:
            return cells if pool is None or cells is None else pool.T @ cells

        sums, scores = pooled(self.sums), pooled(self.score_sums)
        result = {}
        for m in self.metrics:
            value = self.metric(m, sums, scores)
            if m in RATES:
                top, bottom = RATES[m]
                if self.clusters is not None:
                    n = self.clusters.effective(top, bottom, pool)
                elif self.squares is not None:
                    n = effective_rows(sums, pooled(self.squares), top, bottom)
                else:
                    n = _add(sums, bottom)
                result[m] = Estimate(value, n)
                continue
            if self.clusters is not None:
                n, error = self.clusters.mean_error(m == "calibration_gap", pool)
            else:
                moments = pooled(self.score_moments[m])
                n, error = _mean_error(moments, value - self.centre, sums.sum(1))
            if m == "mean_score":
                result[m] = Estimate(value, n, error)
            else:
                mean, rate = result["mean_score"], result["base_rate"]
                result[m] = Excess(value, n, error, mean=mean, rate=rate)
        return result

    def gap_bounds(self, confidence: float) -> list[dict[str, tuple[float, float]]]:
        """Return bounds of each disparity of each control level."""
        of = self.families
        means = {"mean_score": "mean_score", "calibration": "calibration_gap"}
        of = of | {name: (m,) for name, m in means.items() if m in self.own}
        share = {m: _add(self.sums, RATES[m][1] if m in RATES else (0, 1, 2, 3)) for m in self.own}
        result = []
        for groups in self.strata:
            found = {}
            for family, members in of.items():
                bounds = gap_bounds(
                    [self.own[m].take(groups) for m in members],
                    [share[m][groups] for m in members],
                    confidence,
                )
                found |= {f"{family}_{kind}": pair for kind, pair in bounds.items()}
            result.append(found)
        return result

    def undefined(self) -> list[tuple[str, int]]:
        """Return the rates, and positions of groups, with nothing in the denominator."""
        return [
            (m, int(g))
            for m in self.metrics
            if m in RATES
            for g in np.flatnonzero(_add(self.sums, RATES[m][1]) == 0)
        ]

    def sizes(self) -> NDArray[np.int64]:
        """Return how many rows, or clusters, stand behind each group."""
        return self.counts.sum(axis=1) if self.clusters is None else self.clusters.sizes()

    def four_fifths(self, large: NDArray[np.bool_], confidence: float) -> Floats:
        """Return (3, groups): each rate over the highest of a `large` group, and its bounds."""
        rates = self.own["selection_rate"]
        result = np.full((3, rates.value.size), np.nan)
        for groups in self.strata:
            one = rates.take(groups)
            highest = np.fmax.reduce(np.where(large[groups], one.value, np.nan))
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = one.value / highest
            bounds = ratio_to_highest(one, large[groups], confidence)
            result[0, groups] = ratio
            result[1:, groups] = np.where(np.isnan(ratio), np.nan, bounds)
        return result

    # ---------------------------------------------------------------------- frames

    def index(self) -> tuple[pd.Index, NDArray[np.intp]]:
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

    def stratum_index(self) -> pd.Index:
        names = self.names[: self.n_control]
        keys = [
            tuple(self.levels[j][code] for j, code in enumerate(key)) for key in self.stratum_keys
        ]
        if self.n_control == 1:
            return pd.Index([key[0] for key in keys], name=names[0])
        return pd.MultiIndex.from_tuples(keys, names=names)

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

    def gap_index(self, labels: list[Any]) -> pd.Index:
        if self.n_control:
            names = [*self.names[: self.n_control], "disparity"]
            return pd.MultiIndex.from_tuples(labels, names=names)
        return pd.Index(labels, name="disparity")

    def chance(self, found: pd.DataFrame, confidence: float, seed: int) -> pd.DataFrame:
        """Return the gaps that equal groups of these sizes would show."""
        draws = 2_000
        rng = np.random.default_rng([seed, 1])
        needed = sorted({m for family in self.families.values() for m in family})
        frames = []
        for groups in self.strata:
            pooled = self.sums[groups].sum(axis=0)
            by_group, overall = {}, {}
            for m in needed:
                p = float(self.metric(m, pooled, None))
                n = np.round(self.own[m].n[groups]).astype(np.int64)
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
        keys = list(self.stratum_index()) if self.n_control else [None]
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
            rows, columns=["value", "by_chance", "p_value"], index=self.gap_index(index)
        )


# -------------------------------------------------------------------------- helpers


def _add(cells: NDArray[np.float64], positions: tuple[int, ...]) -> NDArray[np.float64]:
    total = cells[..., positions[0]]
    for position in positions[1:]:
        total = total + cells[..., position]
    return total


def _grouped(
    control_features: Any, sensitive_features: Any, n: int
) -> tuple[list[str], int, list[tuple[Any, list[Any]]], NDArray[np.intp], NDArray[np.intp]]:
    """Return the features' names and codes, and the group of each row."""
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
    return names, n_control, coded, group, combos


def effective_rows(
    sums: Floats, squares: Floats, top: tuple[int, ...], bottom: tuple[int, ...]
) -> Floats:
    """Return the independent rows behind a weighted rate.

    Kish's number, or the fewer that leave the rate as unsure as its linearised variance
    says: weights that go with what is counted make it less sure.
    """
    total = _add(sums, bottom)
    hits, both = _add(squares, top), _add(squares, bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = _add(sums, top) / total
        kish = total**2 / both
        spread = ((1 - rate) ** 2 * hits + rate**2 * (both - hits)) / total**2
        found = np.where(spread > 0, rate * (1 - rate) / spread, np.inf)
    return np.where(both > 0, np.minimum(kish, np.where(found > 0, found, np.inf)), 0.0)


def _moments(group: NDArray[np.intp], values: Floats, w: Floats | None) -> Floats:
    """Return (groups, 4): rows that count, and sums of w^2, w^2 v and w^2 v^2."""
    w2 = np.ones(values.size) if w is None else w * w
    return np.stack(
        [np.bincount(group, x) for x in (w2 > 0, w2, w2 * values, w2 * values**2)], axis=1
    )


def _mean_error(moments: Floats, mean: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Return the rows behind weighted means, and their standard errors."""
    n, w2, first, second = moments.T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.maximum(0.0, second - 2 * mean * first + mean**2 * w2) / total**2
        return n, np.sqrt(spread * n / (n - 1))
