"""Closed-form bounds of group rates and means, and of the gaps between them.

A rate has Wilson's interval, a mean Student's. From the groups' bounds come those of every
difference and ratio (MOVER: the distances of the bounds from the values are added as errors
are), and from these, for all pairs at once, those of the largest gap. Of several comparisons
each needs more confidence, and rates then have the bounds of Clopper and Pearson.

References
----------
Wilson (1927) and Newcombe (1998), see `ethicalai_lab.stats`.

Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated
in the case of the binomial. Biometrika 26, 404-413.

Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a
general approach. Statistics in Medicine 27, 1693-1702.

Donner, A. and Zou, G. Y. (2012). Closed-form confidence intervals for functions of the normal
mean and standard deviation. Statistical Methods in Medical Research 21, 347-359.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.stats import wilson_bounds

Floats = NDArray[np.float64]
Pair = tuple[float, float]

_AT_ONCE = 1_000_000  # pairs of groups held at a time
_NONE: Pair = (math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A rate or a mean of each group, and how sure it is."""

    value: Floats
    n: Floats  # independent rows behind each value
    error: Floats | None = None  # standard errors of means; None for rates

    def bounds(self, confidence: float) -> tuple[Floats, Floats]:
        """Return Wilson's bounds of rates and Student's of means; nan where nothing is known."""
        if self.error is None:
            return wilson_bounds(*self._counts(), confidence)
        from scipy.special import stdtrit  # scipy.stats would cost a second of import

        known = (self.n > 1) & (self.error > 0)
        quantile = stdtrit(np.where(known, self.n - 1, 1.0), 0.5 + confidence / 2)
        half = np.where(known, quantile * self.error, np.nan)
        return self.value - half, self.value + half

    def jointly(self, confidence: float, comparisons: int) -> tuple[Floats, Floats]:
        """Return bounds that hold for several comparisons at once (Bonferroni).

        Those of rates are then Clopper and Pearson's: far out in the tails Wilson's are too
        short, and of a hundred small groups one or another lies there.
        """
        if comparisons > 1:
            confidence = 1 - (1 - confidence) / comparisons
            if self.error is None:
                return _clopper_pearson(*self._counts(), confidence)
        return self.bounds(confidence)

    def _counts(self) -> tuple[Floats, Floats]:
        n = np.where(np.isnan(self.value), 0.0, self.n)
        return np.minimum(np.nan_to_num(self.value) * n, n), n

    def take(self, at: NDArray) -> Estimate:
        """Return those at some positions."""
        error = None if self.error is None else self.error[at]
        return Estimate(self.value[at], self.n[at], error)


@dataclass(frozen=True, eq=False)
class Excess(Estimate):
    """A mean less a rate of the same rows; ``error`` is that of their difference."""

    mean: Estimate = field(kw_only=True)
    rate: Estimate = field(kw_only=True)

    def jointly(self, confidence: float, comparisons: int) -> tuple[Floats, Floats]:
        """Return bounds from those of mean and rate, which vary together."""
        low, high = self.mean.jointly(confidence, comparisons)
        # scores that do not differ are no source of chance
        down, up = np.nan_to_num(self.mean.value - low), np.nan_to_num(high - self.mean.value)
        low, high = self.rate.jointly(confidence, comparisons)
        least, most = self.rate.value - low, high - self.rate.value
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = self.rate.value * (1 - self.rate.value) / self.rate.n
            both = 2 * self.mean.error * np.sqrt(spread)
            together = np.nan_to_num((self.mean.error**2 + spread - self.error**2) / both)
        below, above = difference_reach((down, up), (least, most), together)
        return self.value - below, self.value + above

    def bounds(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the same for one comparison."""
        return self.jointly(confidence, 1)

    def take(self, at: NDArray) -> Excess:
        """Return those at some positions."""
        return Excess(
            self.value[at],
            self.n[at],
            self.error[at],
            mean=self.mean.take(at),
            rate=self.rate.take(at),
        )


def difference_reach(
    one: tuple[Floats, Floats], other: tuple[Floats, Floats], correlation: Floats
) -> tuple[Floats, Floats]:
    """Return how far below and above ``one - other`` chance reaches (MOVER).

    ``one`` and ``other`` say how far below and above themselves; they may be correlated.
    """
    r = np.clip(correlation, -1, 1)
    (down, up), (least, most) = one, other
    below = down**2 + most**2 - 2 * r * down * most
    above = up**2 + least**2 - 2 * r * up * least
    return np.sqrt(np.maximum(0.0, below)), np.sqrt(np.maximum(0.0, above))


def gap_bounds(
    members: Sequence[Estimate], shares: Sequence[Floats], confidence: float
) -> dict[str, Pair]:
    """Return bounds of the largest gap and smallest ratio of one or two rates.

    They hold for all groups at once (Bonferroni over the pairs, or over the groups where each
    is compared with everybody). ``shares`` says how much each group is of everybody.
    """
    found: dict[str, list[Pair]] = {
        kind + suffix: [] for suffix in ("", "_to_overall") for kind in ("difference", "ratio")
    }
    kept = [~np.isnan(one.value) & (one.n > 0) for one in members]
    sizes = [int(one.sum()) for one in kept]
    if min(sizes) < 2:
        return dict.fromkeys(found, _NONE)
    pairs = sum(k * (k - 1) // 2 for k in sizes)
    # two groups differ from everybody by parts of one and the same difference
    against_all = sum(k if k > 2 else 1 for k in sizes)
    for one, share, at in zip(members, shares, kept, strict=True):
        one, part = one.take(at), share[at] / share[at].sum()
        within = _between(one.value, *one.jointly(confidence, pairs))
        beside = _to_overall(one.value, *one.jointly(confidence, against_all), part)
        for kind, pair in zip(found, (*within, *beside), strict=True):
            found[kind].append(pair)
    result = {}
    for kind, pairs_ in found.items():
        pick = np.max if kind.startswith("difference") else np.min
        low, high = pick(np.array(pairs_), axis=0)
        result[kind] = (float(low), float(high))
    return result


def ratio_to_highest(one: Estimate, large: NDArray[np.bool_], confidence: float) -> Floats:
    """Return (2, groups) bounds of each rate over the highest one of a large group."""
    known = ~np.isnan(one.value) & (one.n > 0)
    against = np.flatnonzero(large & known)
    result = np.full((2, one.value.size), np.nan)
    for inside in (False, True):  # a large group is not compared with itself
        compared = against.size - inside
        rows = np.flatnonzero(known & (large == inside))
        if inside and not compared:
            result[:, rows] = 1.0
        if compared < 1:
            continue
        low, high = one.jointly(confidence, compared)
        down, up = one.value - low, high - one.value
        for i in _blocks(rows, against.size):
            own, other = i[:, None], against
            ends = _ratio(
                *(x[own] for x in (one.value, down, up)), *(x[other] for x in (one.value, down, up))
            )
            for end, into in zip(ends, result, strict=True):
                into[i] = np.where(own == other, 1.0, end).min(axis=1)
    return result


def _between(value: Floats, low: Floats, high: Floats) -> tuple[Pair, Pair]:
    """Return bounds of the largest difference and the smallest ratio of any pair."""
    down, up = value - low, high - value
    everyone = np.arange(value.size)
    ends = []
    for i in _blocks(everyone, value.size):
        own = i[:, None]
        same = own == everyone
        gap = value[own] - value
        least = gap - np.hypot(down[own], up)
        most = np.where(same, 0.0, gap + np.hypot(up[own], down))
        below, above = _ratio(value[own], down[own], up[own], value, down, up)
        below, above = np.where(same, 1.0, below), np.where(same, 1.0, above)
        ends.append((least.max(), most.max(), -below.min(), -above.min()))
    ends = np.max(ends, axis=0)
    return (np.maximum(0.0, ends[0]), ends[1]), (-ends[2], -ends[3])


def _to_overall(value: Floats, low: Floats, high: Floats, part: Floats) -> tuple[Pair, Pair]:
    """Return bounds of the largest distance to everybody, and of the ratio farthest from 1."""
    down, up = value - low, high - value
    rest = 1 - part
    overall = float(part @ value)
    # what the other groups add to everybody's error
    rest_down = np.sqrt(np.maximum(0.0, ((part * down) ** 2).sum() - (part * down) ** 2))
    rest_up = np.sqrt(np.maximum(0.0, ((part * up) ** 2).sum() - (part * up) ** 2))
    gap = value - overall
    least = gap - np.hypot(rest * down, rest_up)
    most = gap + np.hypot(rest * up, rest_down)
    difference = np.maximum(0.0, np.maximum(least, -most).max()), np.maximum(most, -least).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        others = np.maximum(0.0, overall - part * value) / rest
        ends = _ratio(value, down, up, others, rest_down / rest, rest_up / rest)
        below, above = (1 / (part + rest / end) for end in ends)
        worst = np.minimum(np.minimum(below, 1 / below), np.minimum(above, 1 / above))
        best = np.maximum(np.minimum(below, 1 / below), np.minimum(above, 1 / above))
    best = np.where((below <= 1) & (above >= 1), 1.0, best)
    return difference, (worst.min(), best.min())


def _ratio(
    top: Floats, top_down: Floats, top_up: Floats, bottom: Floats, down: Floats, up: Floats
) -> tuple[Floats, Floats]:
    """Return bounds of ``top / bottom`` from the distances of their bounds (MOVER-R)."""
    product = top * bottom
    with np.errstate(divide="ignore", invalid="ignore"):
        least = (top**2 - top_down**2) / (
            product
            + np.sqrt(np.maximum(0.0, product**2 - (top**2 - top_down**2) * (bottom**2 - up**2)))
        )
        most = (
            product
            + np.sqrt(np.maximum(0.0, product**2 - (top**2 - top_up**2) * (bottom**2 - down**2)))
        ) / (bottom**2 - down**2)
    return np.where(top <= 0, 0.0, least), np.where(bottom - down <= 0, np.inf, most)


def _clopper_pearson(hits: Floats, n: Floats, confidence: float) -> tuple[Floats, Floats]:
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    none, every = hits <= 0, hits >= n
    low = betaincinv(np.where(none, 1.0, hits), n - hits + 1, tail)
    high = betaincinv(hits + 1, np.where(every, 1.0, n - hits), 1 - tail)
    low, high = np.where(none, 0.0, low), np.where(every, 1.0, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def _blocks(rows: NDArray[np.intp], width: int) -> list[NDArray[np.intp]]:
    step = max(1, _AT_ONCE // max(1, width))
    return [rows[start : start + step] for start in range(0, rows.size, step)]
