"""Intervals, bootstraps and multiple testing: the ground floor of every figure.

A number that can be wrong is returned as an :class:`Interval`. Where a number is
undefined (nobody in the group, one observation for a spread) it is ``nan``, never a
silent zero.

References
----------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
inference. Journal of the American Statistical Association 22, 209-212.

Newcombe, R. G. (1998). Interval estimation for the difference between independent
proportions: comparison of eleven methods. Statistics in Medicine 17, 873-890.

Kramer, C. Y. (1956). Extension of multiple range tests to group means with unequal numbers
of replications. Biometrics 12, 307-310.

Welch, B. L. (1947). The generalization of "Student's" problem when several different
population variances are involved. Biometrika 34, 28-35.

Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.

Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. Journal of
the Royal Statistical Society B 57, 289-300.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.errors import InputError

__all__ = [
    "Interval",
    "benjamini_hochberg",
    "bootstrap_counts",
    "bootstrap_rows",
    "difference_interval",
    "largest_difference_interval",
    "mean_interval",
    "newcombe_bounds",
    "people_behind",
    "percentile_interval",
    "proportion_difference_interval",
    "proportion_interval",
    "welch_interval",
    "wilson_bounds",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval it is known to.

    Parameters
    ----------
    value : float
        The point estimate; ``nan`` where it is undefined.
    low, high : float
        The bounds, in the unit of ``value``; ``nan`` where they are undefined.
    confidence : float, default 0.95
        The share of repeated samples whose interval would hold the true value.

    Examples
    --------
    >>> from ethicalai_lab.stats import Interval
    >>> lift = Interval(0.045, 0.039, 0.052)
    >>> lift
    Interval(0.045 [0.039, 0.052], 95 %)
    >>> lift.format(1, percent=True)
    '4.5 % [3.9 %, 5.2 %]'
    >>> 0.04 in lift, 0.0 in lift
    (True, False)
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "confidence"):
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_confidence(self.confidence)
        if self.low > self.high:
            raise InputError(
                f"Interval: low {self.low:g} is above high {self.high:g}; give low <= high."
            )

    @property
    def width(self) -> float:
        """High minus low."""
        return self.high - self.low

    @property
    def is_defined(self) -> bool:
        """Whether the value and both bounds are numbers."""
        return not (math.isnan(self.value) or math.isnan(self.low) or math.isnan(self.high))

    def __contains__(self, number: object) -> bool:
        return bool(self.low <= number <= self.high)  # type: ignore[operator]

    def __iter__(self) -> Iterator[float]:
        """Yield value, low, high, so that ``value, low, high = interval`` works."""
        yield from (self.value, self.low, self.high)

    def format(self, digits: int = 3, *, percent: bool = False, signed: bool = False) -> str:
        """Return the interval as text with ``digits`` decimals.

        Parameters
        ----------
        digits : int, default 3
            Decimals, after scaling to percent where asked.
        percent : bool, default False
            Whether to show shares as percentages.
        signed : bool, default False
            Whether to show a plus sign, as for differences.

        Returns
        -------
        str
        """
        scale, unit = (100.0, " %") if percent else (1.0, "")
        sign = "+" if signed else ""

        def text(number: float) -> str:
            if math.isnan(number):
                return "undefined"
            # Adding 0.0 turns a rounded "-0.0" into "0.0".
            return f"{round(number * scale, digits) + 0.0:{sign}.{digits}f}{unit}"

        return f"{text(self.value)} [{text(self.low)}, {text(self.high)}]"

    def to_dict(self) -> dict[str, float | None]:
        """Return a JSON-ready mapping; undefined numbers become ``None``."""
        return {
            name: _finite_or_none(getattr(self, name))
            for name in ("value", "low", "high", "confidence")
        }

    def __str__(self) -> str:
        return self.format()

    def __format__(self, spec: str) -> str:
        """Apply a float format to each number: ``f"{interval:.1%}"``."""
        if not spec:
            return str(self)
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __repr__(self) -> str:
        return (
            f"Interval({self.value:.6g} [{self.low:.6g}, {self.high:.6g}], "
            f"{self.confidence * 100:g} %)"
        )

    def _repr_html_(self) -> str:
        return f"<span>{self.format()}</span>"


# -------------------------------------------------------------------- closed forms


def proportion_interval(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return a proportion with Wilson's score interval.

    Parameters
    ----------
    successes, n : int
        Successes among trials; ``0 <= successes <= n``.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        In [0, 1]; all ``nan`` where ``n`` is zero.

    Raises
    ------
    InputError
        If the counts are impossible or ``confidence`` is outside (0, 1).

    References
    ----------
    Wilson (1927), see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import proportion_interval
    >>> proportion_interval(3, 10).format(3)
    '0.300 [0.108, 0.603]'
    """
    low, high = wilson_bounds(successes, n, confidence)
    value = successes / n if n else math.nan
    return Interval(value, float(low), float(high), confidence)


def wilson_bounds(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's bounds for many proportions at once.

    Parameters
    ----------
    successes, n : array-like
        Counts that broadcast against each other; ``0 <= successes <= n``.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    low, high : ndarray of float
        In [0, 1]; ``nan`` where ``n`` is zero.

    Raises
    ------
    InputError
        If a count is impossible or ``confidence`` is outside (0, 1).

    References
    ----------
    Wilson (1927), see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import wilson_bounds
    >>> low, high = wilson_bounds([0, 3], [10, 10])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.108], [0.278, 0.603])
    """
    s, n = _check_counts(successes, n)
    z2 = _z(confidence) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = s / n
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At the ends the bound is exact; rounding must not push it past the value.
    low = np.where(s == 0, 0.0, np.minimum(centre - half, p))
    high = np.where(s == n, 1.0, np.maximum(centre + half, p))
    undefined = n == 0
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def proportion_difference_interval(
    successes_1: float, n_1: float, successes_0: float, n_0: float, confidence: float = 0.95
) -> Interval:
    """Return ``p1 - p0`` of two independent groups with Newcombe's hybrid score interval.

    Parameters
    ----------
    successes_1, n_1 : int
        Successes among trials of the first group (say, treated).
    successes_0, n_0 : int
        The same for the second group (say, control).
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        In [-1, 1]; all ``nan`` where a group is empty.

    Raises
    ------
    InputError
        If a count is impossible or ``confidence`` is outside (0, 1).

    References
    ----------
    Newcombe (1998), method 10, see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import proportion_difference_interval
    >>> proportion_difference_interval(56, 70, 48, 80).format(4)
    '0.2000 [0.0524, 0.3339]'
    """
    low, high = newcombe_bounds(successes_1, n_1, successes_0, n_0, confidence)
    value = successes_1 / n_1 - successes_0 / n_0 if n_1 and n_0 else math.nan
    return Interval(value, float(low), float(high), confidence)


def newcombe_bounds(
    successes_1: ArrayLike,
    n_1: ArrayLike,
    successes_0: ArrayLike,
    n_0: ArrayLike,
    confidence: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Newcombe's bounds for many differences ``p1 - p0`` at once.

    Parameters
    ----------
    successes_1, n_1, successes_0, n_0 : array-like
        Counts that broadcast against each other; ``0 <= successes <= n``.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    low, high : ndarray of float
        In [-1, 1]; ``nan`` where a group is empty.

    Raises
    ------
    InputError
        If a count is impossible or ``confidence`` is outside (0, 1).

    References
    ----------
    Newcombe (1998), method 10, see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import newcombe_bounds
    >>> low, high = newcombe_bounds([56, 9], [70, 10], [48, 3], [80, 10])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0524, 0.1705], [0.3339, 0.809])
    """
    s1, n1 = _check_counts(successes_1, n_1)
    s0, n0 = _check_counts(successes_0, n_0)
    low1, high1 = wilson_bounds(s1, n1, confidence)
    low0, high0 = wilson_bounds(s0, n0, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p0 = s1 / n1, s0 / n0
    difference = p1 - p0
    low = difference - np.hypot(p1 - low1, high0 - p0)
    high = difference + np.hypot(high1 - p1, p0 - low0)
    return low, high


def largest_difference_interval(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the largest difference between the proportions of several groups.

    The largest of many differences is larger by chance than any one of them would be, so the
    bounds hold for all pairs of groups at once. They come from Wilson's bounds of the groups,
    so they also hold where a group is small, or nobody in it is a success.

    Parameters
    ----------
    successes, n : array-like of int, shape (n_groups,)
        Counts of each group; at least two groups, none of them empty.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        The value is at least 0; a low bound below 0 says that the order may be the other way
        round.

    Raises
    ------
    InputError
        If a count is impossible, a group is empty or there are fewer than two groups.

    References
    ----------
    Newcombe (1998), method 10, for each pair; Kramer (1956) for all pairs at once: the
    studentized range in place of the normal quantile.

    Examples
    --------
    >>> from ethicalai_lab.stats import largest_difference_interval
    >>> largest_difference_interval([125, 0], [2500, 40]).format(3)
    '0.050 [-0.038, 0.059]'
    >>> largest_difference_interval([125, 0, 60], [2500, 40, 1000]).format(3)
    '0.060 [-0.009, 0.080]'
    """
    s, n = _check_counts(successes, n)
    if s.ndim != 1 or s.size < 2 or (n == 0).any():
        raise InputError("The largest difference needs counts of two groups or more, none empty.")
    z = _largest_of(s.size, confidence)
    low, high = wilson_bounds(s, n, 2 * NormalDist().cdf(z) - 1)
    p = s / n
    one, other = np.triu_indices(s.size, 1)
    swap = p[one] < p[other]
    one, other = np.where(swap, other, one), np.where(swap, one, other)
    difference = p[one] - p[other]
    down = np.hypot(p[one] - low[one], high[other] - p[other])
    up = np.hypot(high[one] - p[one], p[other] - low[other])
    bounds = (float((difference - down).max()), float((difference + up).max()))
    return Interval(float(difference.max()), *bounds, confidence)


@lru_cache(maxsize=256)
def _largest_of(groups: int, confidence: float) -> float:
    """Return the normal quantile that holds for all pairs of so many groups."""
    from scipy.stats import studentized_range

    _check_confidence(confidence)
    if groups == 2:
        return _z(confidence)
    # in full its last digits differ between processors
    return round(float(studentized_range.ppf(confidence, groups, np.inf)) / math.sqrt(2), 6)


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return a mean with Student's t interval.

    Parameters
    ----------
    values : array-like of shape (n,)
        Numbers without missing values.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        All ``nan`` where there is no value; bounds ``nan`` where there is only one.

    Raises
    ------
    InputError
        If a value is missing or ``confidence`` is outside (0, 1).

    Examples
    --------
    >>> from ethicalai_lab.stats import mean_interval
    >>> mean_interval([4.0, 6.0, 8.0]).format(2)
    '6.00 [1.03, 10.97]'
    """
    x = _check_values(values, "values")
    n = x.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, confidence)
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, confidence)
    half = _t(confidence, n - 1) * math.sqrt(x.var(ddof=1) / n)
    return Interval(mean, mean - half, mean + half, confidence)


def people_behind(deviations: ArrayLike) -> float:
    """Return how many people make most of the spread of a mean or a ratio.

    Where a few large buyers make it, a sample knows little of the others there might be, and
    its interval is too short. The number is that of a rare event whose kurtosis is the same: a
    share of 1 in 100 among 5,000 people rests on about 50.

    Parameters
    ----------
    deviations : array-like of shape (n,)
        Each person's value less the mean, or less the ratio times the denominator.

    Returns
    -------
    float
        At least 1; infinite where nothing varies.

    References
    ----------
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance
    components. Biometrics Bulletin 2, 110-114: degrees of freedom from the variance's own
    spread.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.stats import people_behind
    >>> bought = np.repeat([1.0, 0.0], [50, 4950])
    >>> round(people_behind(bought - bought.mean()))
    51
    """
    square = np.square(np.asarray(deviations), dtype=np.float64)
    fourth = float(square @ square)
    return max(1.0, float(square.sum()) ** 2 / fourth) if fourth > 0 else math.inf


def difference_interval(
    treated: ArrayLike, control: ArrayLike, confidence: float = 0.95, *, method: str = "auto"
) -> Interval:
    """Return ``mean(treated) - mean(control)`` of two independent groups with an interval.

    Parameters
    ----------
    treated, control : array-like of shape (n_1,) and (n_0,)
        Observations, without missing values. For counts rather than rows use
        :func:`proportion_difference_interval`; for means and variances
        :func:`welch_interval`.
    confidence : float, default 0.95
        In (0, 1).
    method : {"auto", "newcombe", "welch"}, default "auto"
        Newcombe's hybrid score interval (0/1 values only), or Welch's t interval.
        "auto" takes Newcombe's where all values are 0 or 1.

    Returns
    -------
    Interval
        All ``nan`` where a group is empty.

    Raises
    ------
    InputError
        If a value is missing, ``method`` is unknown, or it needs 0/1 values and has others.

    References
    ----------
    Newcombe (1998) and Welch (1947), see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import difference_interval
    >>> difference_interval([1] * 56 + [0] * 14, [1] * 48 + [0] * 32).format(4)
    '0.2000 [0.0524, 0.3339]'
    >>> difference_interval([5.0, 7.0, 9.0, 8.0], [4.0, 4.5, 6.0, 5.0]).format(2)
    '2.38 [-0.18, 4.93]'
    """
    if method not in ("auto", "newcombe", "welch"):
        raise InputError(f"method {method!r} is unknown; accepted: auto, newcombe, welch.")
    x1, x0 = _check_values(treated, "treated"), _check_values(control, "control")
    if method != "welch":
        binary = all(bool(np.all((x == 0) | (x == 1))) for x in (x1, x0))
        if binary:
            return proportion_difference_interval(x1.sum(), x1.size, x0.sum(), x0.size, confidence)
        if method == "newcombe":
            raise InputError('method "newcombe" needs values 0 and 1; use "welch" for others.')

    def moments(x: NDArray[np.float64]) -> tuple[float, float, int]:
        mean = float(x.mean()) if x.size else math.nan
        return mean, float(x.var(ddof=1)) if x.size > 1 else math.nan, x.size

    return welch_interval(*moments(x1), *moments(x0), confidence=confidence)


def welch_interval(
    mean_1: float,
    variance_1: float,
    n_1: int,
    mean_0: float,
    variance_0: float,
    n_0: int,
    confidence: float = 0.95,
) -> Interval:
    """Return the difference of two means, from their moments, with Welch's t interval.

    Parameters
    ----------
    mean_1, variance_1, n_1 : float, float, int
        Mean, sample variance (``ddof=1``) and size of the first group.
    mean_0, variance_0, n_0 : float, float, int
        The same for the second group.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        All ``nan`` where a group is empty; bounds ``nan`` where one has a single row.

    References
    ----------
    Welch (1947), see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import welch_interval
    >>> welch_interval(7.25, 2.92, 4, 4.875, 0.73, 4).format(2)
    '2.38 [-0.18, 4.93]'
    """
    if n_1 < 1 or n_0 < 1:
        return Interval(math.nan, math.nan, math.nan, confidence)
    difference = mean_1 - mean_0
    if n_1 < 2 or n_0 < 2:
        return Interval(difference, math.nan, math.nan, confidence)
    a, b = variance_1 / n_1, variance_0 / n_0
    if a + b == 0:  # two constants: no spread at all was seen
        return Interval(difference, difference, difference, confidence)
    freedom = (a + b) ** 2 / (a * a / (n_1 - 1) + b * b / (n_0 - 1))
    half = _t(confidence, freedom) * math.sqrt(a + b)
    return Interval(difference, difference - half, difference + half, confidence)


# ----------------------------------------------------------------------- bootstrap


def bootstrap_counts(
    counts: ArrayLike,
    n_boot: int = 1000,
    seed: int | np.random.SeedSequence | np.random.Generator = 0,
    *,
    fixed: int | Sequence[int] = (),
) -> NDArray[np.int64]:
    """Bootstrap a contingency table: multinomial draws over its cells.

    For a statistic that depends on the rows only through the counts this *is* the row
    bootstrap, at a cost that does not grow with the number of rows.

    Parameters
    ----------
    counts : array-like of int, any shape
        The contingency table.
    n_boot : int, default 1000
        Replicates, at least 1.
    seed : int, SeedSequence or Generator, default 0
        Source of every draw.
    fixed : int or sequence of int, default ()
        Axes whose totals stay as observed, as where a design fixed the group sizes.

    Returns
    -------
    ndarray of int64, shape (n_boot, *counts.shape)
        Each replicate has the total (and fixed totals) of ``counts``.

    Raises
    ------
    InputError
        If a count is negative or not whole, ``n_boot`` < 1, or an axis does not exist.

    References
    ----------
    Efron and Tibshirani (1993), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.stats import bootstrap_counts
    >>> draws = bootstrap_counts([[30, 70], [20, 180]], n_boot=500, seed=1, fixed=0)
    >>> draws.shape, np.unique(draws.sum(axis=2), axis=0).tolist()
    ((500, 2, 2), [[100, 200]])
    """
    table = np.asarray(counts)
    if table.size and (np.any(table < 0) or np.any(table != np.floor(table))):
        raise InputError("counts must be whole numbers of at least 0.")
    table = table.astype(np.int64)
    n_boot = _check_n_boot(n_boot)
    axes = (fixed,) if isinstance(fixed, (int, np.integer)) else tuple(fixed)
    if any(not -table.ndim <= axis < table.ndim for axis in axes):
        raise InputError(f"fixed names axis {axes}, but counts has {table.ndim} dimensions.")
    axes = tuple(sorted({int(axis) % table.ndim for axis in axes}))
    free = tuple(axis for axis in range(table.ndim) if axis not in axes)
    rng = _generator(seed)

    # One row a fixed stratum, one column a cell within it.
    moved = table.transpose(axes + free)
    strata = math.prod(table.shape[axis] for axis in axes)
    flat = moved.reshape(strata, -1)
    drawn = np.zeros((n_boot, *flat.shape), dtype=np.int64)
    for i, row in enumerate(flat):
        total = int(row.sum())
        cells = np.flatnonzero(row)
        if total:
            drawn[:, i, cells] = rng.multinomial(total, row[cells] / total, size=n_boot)
    back = np.argsort(axes + free)
    return drawn.reshape(n_boot, *moved.shape).transpose(0, *(int(axis) + 1 for axis in back))


def bootstrap_rows(
    statistic: Callable[[NDArray[np.int64]], ArrayLike],
    n_rows: int,
    n_boot: int = 1000,
    seed: int | np.random.SeedSequence | np.random.Generator = 0,
    *,
    strata: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Bootstrap a statistic that is not a function of counts, such as an AUC.

    Parameters
    ----------
    statistic : callable
        Takes row positions, an int array of shape (n_rows,), and returns a number or an
        array of fixed shape.
    n_rows : int
        Rows to draw from, at least 1.
    n_boot : int, default 1000
        Replicates, at least 1.
    seed : int, SeedSequence or Generator, default 0
        Source of every draw.
    strata : array-like of shape (n_rows,), optional
        Draw within these groups, so that each keeps its size.

    Returns
    -------
    ndarray of float, shape (n_boot, ...)

    Raises
    ------
    InputError
        If ``n_rows`` or ``n_boot`` is below 1 or ``strata`` has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.stats import bootstrap_rows
    >>> x = np.arange(50.0)
    >>> medians = bootstrap_rows(lambda rows: np.median(x[rows]), 50, n_boot=200, seed=1)
    >>> medians.shape, bool(15 < medians.mean() < 34)
    ((200,), True)
    """
    n_boot = _check_n_boot(n_boot)
    if n_rows < 1:
        raise InputError(f"n_rows is {n_rows}; at least one row is needed.")
    rng = _generator(seed)
    groups = None
    if strata is not None:
        labels = np.asarray(strata)
        if labels.shape != (n_rows,):
            raise InputError(f"strata has shape {labels.shape}; ({n_rows},) is needed.")
        codes = np.unique(labels, return_inverse=True)[1].ravel()
        groups = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    replicates = []
    for _ in range(n_boot):
        if groups is None:
            rows = rng.integers(0, n_rows, size=n_rows)
        else:
            rows = np.concatenate([g[rng.integers(0, g.size, size=g.size)] for g in groups])
        replicates.append(np.asarray(statistic(rows), dtype=float))
    return np.stack(replicates)


def percentile_interval(value: float, replicates: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return a value with the percentile interval of its bootstrap replicates.

    The interval is widened, where needed, to hold ``value`` itself: widening never
    lowers coverage, and an estimate outside its own interval helps nobody.

    Parameters
    ----------
    value : float
        The statistic on the data as observed.
    replicates : array-like of shape (n_boot,)
        The statistic on the bootstrap samples. Undefined (``nan``) ones are left out;
        where more than half are undefined, so are the bounds.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        If the value or a replicate is infinite: an infinite bound tells nothing.

    References
    ----------
    Efron and Tibshirani (1993), chapter 13, see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.stats import percentile_interval
    >>> percentile_interval(50.0, np.arange(101.0), confidence=0.9).format(1)
    '50.0 [5.0, 95.0]'
    """
    draws = np.asarray(replicates, dtype=float).ravel()
    _check_confidence(confidence)
    kept = draws[~np.isnan(draws)]
    if math.isnan(value) or kept.size == 0 or 2 * kept.size < draws.size:
        return Interval(value, math.nan, math.nan, confidence)
    if np.isinf(kept).any() or math.isinf(value):
        raise InputError(
            "the value or a replicate is infinite; finite numbers are accepted, and nan for a "
            "replicate that is undefined."
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Interval(value, min(low, value), max(high, value), confidence)


# ---------------------------------------------------------------- multiple testing


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for the false discovery rate.

    Rejecting where the adjusted value is at most ``q`` keeps the expected share of false
    rejections at most ``q`` (independent or positively dependent tests).

    Parameters
    ----------
    p_values : array-like, any shape
        In [0, 1]; ``nan`` marks a test that could not be run and is not counted.

    Returns
    -------
    ndarray of float, same shape
        Adjusted p-values in [0, 1]; ``nan`` stays ``nan``.

    Raises
    ------
    InputError
        If a p-value lies outside [0, 1].

    References
    ----------
    Benjamini and Hochberg (1995), see the module.

    Examples
    --------
    >>> from ethicalai_lab.stats import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.50]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    x = p[known]
    if np.any((x < 0) | (x > 1)):
        raise InputError("p_values must lie between 0 and 1.")
    m = x.size
    if m:
        order = np.argsort(x, kind="stable")
        scaled = x[order] * m / np.arange(1, m + 1)
        monotone = np.minimum.accumulate(scaled[::-1])[::-1]
        back = np.empty(m)
        back[order] = np.minimum(monotone, 1.0)
        adjusted[known] = back
    return adjusted


# -------------------------------------------------------------------------- helpers


def _generator(seed: int | np.random.SeedSequence | np.random.Generator) -> np.random.Generator:
    """Return a stream of our own, unlike the one a caller drew the data from."""
    if isinstance(seed, (int, np.integer)):
        return np.random.default_rng([int(seed), 0x5747])
    return np.random.default_rng(seed)


def _finite_or_none(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it must lie between 0 and 1, such as 0.95.")


def _z(confidence: float) -> float:
    _check_confidence(confidence)
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _t(confidence: float, freedom: float) -> float:
    from scipy.special import stdtrit  # scipy.stats would cost a second of import

    _check_confidence(confidence)
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _check_counts(
    successes: ArrayLike, n: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    s, total = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    wrong = ~((s >= 0) & (s <= total))
    if np.any(wrong):
        at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise InputError(
            f"{s[at]:g} successes among {total[at]:g} trials cannot be; "
            "counts must satisfy 0 <= successes <= n."
        )
    return s, total


def _check_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only.") from None
    if x.ndim != 1:
        raise InputError(f"{name} has {x.ndim} dimensions; one is needed.")
    missing = np.isnan(x)
    if missing.any():
        raise InputError(
            f"{name} has a missing value at position {int(np.argmax(missing))}; "
            "drop or fill missing values first."
        )
    return x


def _check_n_boot(n_boot: int) -> int:
    if n_boot < 1:
        raise InputError(f"n_boot is {n_boot}; at least 1 replicate is needed.")
    return int(n_boot)
