"""How well a ranking finds the people a message changes: Qini and uplift curves.

The curves and their normalised areas are named and defined as in scikit-uplift; ties in
the score are one step of the curve. Every measure comes with a bootstrap interval from
:func:`evaluate_ranking`, which draws counts instead of rows wherever the outcome is 0/1.

All of this needs a *randomised* treatment (or one unconfounded by design): otherwise a
curve measures who was mailed, not what the mail did.

References
----------
Radcliffe, N. J. (2007). Using control groups to target on predicted lift: building and
assessing uplift models. Direct Marketing Analytics Journal 3, 14-21.

Devriendt, F., Van Belle, J., Guns, T. and Verbeke, W. (2020). Learning to rank for uplift
modeling. IEEE Transactions on Knowledge and Data Engineering 34, 4888-4904.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.checks import (
    Count,
    Flags,
    Inside,
    Numbers,
    Share,
    check_value,
    checked,
    same_length,
)
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import (
    Interval,
    bootstrap_counts,
    difference_interval,
    percentile_interval,
)

__all__ = [
    "RankingEvaluation",
    "evaluate_ranking",
    "qini_auc_score",
    "qini_coefficient",
    "qini_curve",
    "uplift_at_k",
    "uplift_auc_score",
    "uplift_curve",
]

Floats = NDArray[np.float64]

_MOST_STEPS = 500


class _Cumulative(NamedTuple):
    """Running totals down the ranking; the last axis runs over thresholds."""

    n1: Floats  # treated people
    n0: Floats  # control people
    s1: Floats  # their outcomes
    s0: Floats

    @property
    def n(self) -> Floats:
        return self.n1 + self.n0


# ------------------------------------------------------------------------- curves


def qini_curve(
    y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Return the Qini curve: extra outcomes caused among the treated, down the ranking.

    After the top ``n`` people, ``Q = Y_t - Y_c * N_t / N_c`` where ``Y`` sums the outcome
    and ``N`` counts people, treated and control, among those ``n``. Where no control
    person is among them yet, the second term is taken as 0.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        The outcome: 0/1, or an amount.
    uplift : array-like of shape (n_rows,)
        The score that ranks, higher first; only its order matters.
    treatment : array-like of shape (n_rows,)
        1 or True for treated, 0 or False for control.

    Returns
    -------
    n : ndarray of int, shape (n_thresholds + 1,)
        People in the top, from 0 on; one threshold a distinct score.
    value : ndarray of float, same shape
        Extra outcomes, in the outcome's unit, summed over the treated.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or an arm is empty.

    References
    ----------
    Radcliffe (2007), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization import qini_curve
    >>> n, value = qini_curve([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.1], [1, 0, 0, 1])
    >>> n.tolist(), value.tolist()
    ([0, 2, 3, 4], [0.0, 1.0, 0.5, 0.0])
    """
    c = _cumulate(*_check(y_true, uplift, treatment))
    return _with_origin(c.n.astype(np.int64)), _with_origin(_qini(c))


def uplift_curve(
    y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Return the uplift curve: difference in mean outcome times people, down the ranking.

    After the top ``n`` people, ``(Y_t / N_t - Y_c / N_c) * n``; an empty arm's mean is
    taken as 0, as scikit-uplift does.

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`.

    Returns
    -------
    n : ndarray of int, shape (n_thresholds + 1,)
        People in the top, from 0 on; one threshold a distinct score.
    value : ndarray of float, same shape
        Extra outcomes if all ``n`` were treated instead of none.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or an arm is empty.

    References
    ----------
    Devriendt et al. (2020), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization import uplift_curve
    >>> n, value = uplift_curve([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.1], [1, 0, 0, 1])
    >>> n.tolist(), value.tolist()
    ([0, 2, 3, 4], [0.0, 2.0, 1.5, 0.0])
    """
    c = _cumulate(*_check(y_true, uplift, treatment))
    return _with_origin(c.n.astype(np.int64)), _with_origin(_uplift(c))


# ------------------------------------------------------------------------- scores


def qini_auc_score(y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike) -> float:
    """Return the area between Qini curve and random line, as a share of the best possible.

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`; the outcome must be 0/1.

    Returns
    -------
    float
        At most 1, where treated buyers come first and control buyers last; about 0 for a random score, negative for
        one worse than random; ``nan`` where no better-than-random curve exists.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, the outcome is not 0/1, or an arm is empty.

    References
    ----------
    Radcliffe (2007), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization import qini_auc_score
    >>> round(qini_auc_score([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.1], [1, 0, 0, 1]), 4)
    0.6667
    """
    y, u, t = _check(y_true, uplift, treatment)
    _need_binary(y)
    return float(_qini_auc(_cumulate(y, u, t)))


def uplift_auc_score(y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike) -> float:
    """Return the area between uplift curve and random line, as a share of the best possible.

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`; the outcome must be 0/1.

    Returns
    -------
    float
        About 0 for a random score; ``nan`` where no better-than-random curve exists.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, the outcome is not 0/1, or an arm is empty.

    References
    ----------
    Devriendt et al. (2020), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization import uplift_auc_score
    >>> round(uplift_auc_score([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.1], [1, 0, 0, 1]), 4)
    1.0
    """
    y, u, t = _check(y_true, uplift, treatment)
    _need_binary(y)
    return float(_uplift_auc(_cumulate(y, u, t)))


def qini_coefficient(y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike) -> float:
    """Return the area between Qini curve and random line, per treated person.

    Normalisation: the curve's value is divided by the number of treated people and its
    abscissa by the number of all people, so that the curve runs from (0, 0) to
    (1, average effect) and the area is in the outcome's unit per person. It needs no
    "perfect" curve, so amounts such as spend are welcome. (Other normalisations divide
    by an optimum: see :func:`qini_auc_score`.)

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`.

    Returns
    -------
    float
        About 0 for a random score; negative for one worse than random.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or an arm is empty.

    References
    ----------
    Radcliffe (2007), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization import qini_coefficient
    >>> qini_coefficient([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.1], [1, 0, 0, 1])
    0.25
    """
    return float(_qini_coefficient(_cumulate(*_check(y_true, uplift, treatment))))


def uplift_at_k(
    y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike, k: float = 0.3
) -> float:
    """Return the difference in mean outcome, treated minus control, in the top ``k``.

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`. Among equal scores, later rows come first.
    k : float, default 0.3
        A share of all people, in (0, 1).

    Returns
    -------
    float
        In the outcome's unit; ``nan`` where the top holds nobody of an arm.

    Raises
    ------
    InputError
        If ``k`` is not accepted, or the rows are as in :func:`qini_curve`.

    Examples
    --------
    >>> from ethicalai_lab.personalization import uplift_at_k
    >>> uplift_at_k([1, 0, 1, 0], [0.9, 0.8, 0.2, 0.1], [1, 0, 0, 1], k=0.5)
    1.0
    """
    y, u, t = _check(y_true, uplift, treatment)
    check_value(k, Inside, "k")
    top = np.argsort(u, kind="stable")[::-1][: int(y.size * k)]
    means = [
        float(rows.mean()) if rows.size else math.nan
        for rows in (y[top][t[top] == arm] for arm in (1, 0))
    ]
    return means[0] - means[1]


# ----------------------------------------------------------- everything with intervals


@dataclass(frozen=True)
class RankingEvaluation:
    """What one ranking is worth, with bootstrap intervals.

    Attributes
    ----------
    n_treated, n_control : int
        People the evaluation rests on.
    lift : Interval
        Average effect of treating everybody.
    curve : DataFrame
        ``share`` (of people, from the top, 0..1) and, per person of the whole, the
        extra outcome from treating that share: ``qini``, ``qini_low``, ``qini_high`` (Qini
        curve per treated person), ``uplift``, ``uplift_low``, ``uplift_high`` (uplift curve
        per person) and ``random``, the line of a random order.
    qini_auc, uplift_auc : Interval
        As :func:`qini_auc_score` and :func:`uplift_auc_score`; undefined unless 0/1.
    qini_coefficient : Interval
        As :func:`qini_coefficient`.
    uplift_at_k : Interval
        As :func:`uplift_at_k`, strategy "overall".
    k : float
        The share that ``uplift_at_k`` is about.
    n_boot : int
        Bootstrap replicates.
    """

    n_treated: int
    n_control: int
    lift: Interval
    curve: pd.DataFrame
    qini_auc: Interval
    uplift_auc: Interval
    qini_coefficient: Interval
    uplift_at_k: Interval
    k: float
    n_boot: int

    @property
    def table(self) -> pd.DataFrame:
        """The measures, one a row, with value, low and high."""
        rows = {
            "lift": self.lift,
            "qini_coefficient": self.qini_coefficient,
            "qini_auc": self.qini_auc,
            "uplift_auc": self.uplift_auc,
            f"uplift_at_{self.k:g}": self.uplift_at_k,
        }
        return pd.DataFrame(
            [(name, *interval) for name, interval in rows.items()],
            columns=["measure", "value", "low", "high"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined numbers become ``None``."""
        curve = self.curve.astype(object).where(self.curve.notna(), None)
        return {
            "n_treated": self.n_treated,
            "n_control": self.n_control,
            "lift": self.lift.to_dict(),
            "qini_coefficient": self.qini_coefficient.to_dict(),
            "qini_auc": self.qini_auc.to_dict(),
            "uplift_auc": self.uplift_auc.to_dict(),
            "uplift_at_k": {"k": self.k, **self.uplift_at_k.to_dict()},
            "n_boot": self.n_boot,
            "curve": curve.to_dict(orient="list"),
        }

    def _repr_html_(self) -> str:
        caption = f"{self.n_treated:,} treated, {self.n_control:,} control people"
        return f"<div>{self.table.round(6).to_html(index=False)}<p>{caption}</p></div>"


@checked()
def evaluate_ranking(
    y_true: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    noise: Share = 0.0,
    k: Inside = 0.3,
    confidence: Inside = 0.95,
    n_boot: Count = 1000,
    seed: int = 0,
    points: int = 101,
) -> RankingEvaluation:
    """Evaluate a ranking: Qini and uplift curves, their areas, uplift at ``k``, intervals.

    Percentile bootstrap within the arms, for the *given* score: score people with a model
    that has not seen them. Scores learned elsewhere are independent of these rows, and
    the intervals hold as they are. Cross-fitted scores are not quite: each row helps to
    score the rows of other folds, which adds variance in proportion to the noise in the
    scores; give the ``noise`` that
    :func:`~ethicalai_lab.personalization.cross_fit_uplift` returns, and what the ranking
    adds to a random order is stretched by ``sqrt(1 + noise)``. Point values are exact. For
    the replicates, more than 500 distinct scores are gathered into that many
    steps of about equal size, ties kept together; with 0/1 outcomes the replicates are
    multinomial draws over steps x arm x outcome. The interval of each area is shifted by
    the (tiny) difference that the steps make to the point value.

    Parameters
    ----------
    y_true, uplift, treatment : array-like of shape (n_rows,)
        As for :func:`qini_curve`.
    noise : float, default 0
        Share of noise in cross-fitted scores, in [0, 1].
    k : float, default 0.3
        Share for ``uplift_at_k``, in (0, 1).
    confidence : float, default 0.95
        In (0, 1), pointwise for the curves.
    n_boot : int, default 1000
        Replicates.
    seed : int, default 0
        Source of every draw.
    points : int, default 101
        Equally spaced shares at which the curves are reported.

    Returns
    -------
    RankingEvaluation

    Raises
    ------
    InputError
        If lengths differ, a value is missing, an arm is empty, or ``k`` is not a share.

    References
    ----------
    Radcliffe (2007) and Devriendt et al. (2020), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.personalization import evaluate_ranking
    >>> rng = np.random.default_rng(0)
    >>> x, t = rng.random(2000), rng.integers(0, 2, 2000)
    >>> y = rng.random(2000) < 0.2 + 0.3 * x * t
    >>> found = evaluate_ranking(y, x, t, n_boot=200)
    >>> found.qini_coefficient.low > 0
    True
    """
    y, u, t = _check(y_true, uplift, treatment)
    stretch = math.sqrt(1 + noise)
    binary = _is_binary(y)
    exact = _cumulate(y, u, t)
    n1, n0 = int(exact.n1[-1]), int(exact.n0[-1])

    steps = _steps(u)
    point = _running(*_sums(y, t, steps))
    draws = _running(*_resample(y, t, steps, n_boot, seed, binary))
    grid = np.linspace(0.0, 1.0, points)

    def interval(value: float, stepped: float, replicates: Floats, base: Any = None) -> Interval:
        """Stretch what lies above the base (a random order) and move steps to the value."""
        base_point, base_draws = (0.0, 0.0) if base is None else base
        centre = value if math.isnan(stepped) else stepped
        above = replicates - base_draws - (centre - base_point)
        moved = value + (base_draws - base_point) + stretch * above
        return percentile_interval(value, moved, confidence)

    undefined = Interval(math.nan, math.nan, math.nan, confidence)
    qini_auc = uplift_auc = undefined
    if binary:
        qini_auc = interval(_qini_auc(exact), _qini_auc(point), _qini_auc(draws))
        uplift_auc = interval(_uplift_auc(exact), _uplift_auc(point), _uplift_auc(draws))

    columns: dict[str, Floats] = {"share": grid}
    for name, values, heads in (("qini", _qini, n1), ("uplift", _uplift, n1 + n0)):
        line = _on_grid(exact, values(exact) / heads, grid)
        cloud = _on_grid(draws, values(draws) / heads, grid)
        if noise:
            above = cloud - cloud[:, -1:] * grid
            centre = line - line[-1] * grid
            cloud = cloud + (stretch - 1) * (above - centre)
        low, high = np.quantile(cloud, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        columns[name] = line
        columns[f"{name}_low"] = np.minimum(low, line)
        columns[f"{name}_high"] = np.maximum(high, line)
    columns["random"] = grid * columns["qini"][-1]

    return RankingEvaluation(
        n_treated=n1,
        n_control=n0,
        lift=difference_interval(y[t == 1], y[t == 0], confidence),
        curve=pd.DataFrame(columns),
        qini_auc=qini_auc,
        uplift_auc=uplift_auc,
        qini_coefficient=interval(
            _qini_coefficient(exact), _qini_coefficient(point), _qini_coefficient(draws)
        ),
        uplift_at_k=interval(
            uplift_at_k(y, u, t, k),
            float(_difference_at(point, k)),
            _difference_at(draws, k),
            base=(float(_difference_at(point, 1.0)), _difference_at(draws, 1.0)),
        ),
        k=k,
        n_boot=n_boot,
    )


# -------------------------------------------------------------------------- helpers


def _check(
    y_true: ArrayLike, uplift: ArrayLike, treatment: ArrayLike
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    y = check_value(y_true, Numbers, "y_true")
    u = check_value(uplift, Numbers, "uplift")
    t = check_value(treatment, Flags, "treatment")
    same_length(y_true=y, uplift=u, treatment=t)
    if not 0 < t.sum() < t.size:
        raise InputError("treatment needs both treated (1) and control (0) people.")
    return y, u, t.astype(np.int64)


def _is_binary(x: NDArray[Any]) -> bool:
    return bool(np.all((x == 0) | (x == 1)))


def _need_binary(y: Floats) -> None:
    if not _is_binary(y):
        raise InputError(
            f"y_true holds {y[(y != 0) & (y != 1)][0]:g}; this score needs 0 and 1. "
            "For amounts use qini_coefficient."
        )


def _with_origin(x: NDArray[Any]) -> NDArray[Any]:
    origin = np.zeros((*x.shape[:-1], 1), dtype=x.dtype)
    return np.concatenate([origin, x], axis=-1)


def _cumulate(y: Floats, u: Floats, t: NDArray[np.int64]) -> _Cumulative:
    order = np.argsort(u, kind="stable")[::-1]
    y, u, t = y[order], u[order], t[order]
    last = np.append(np.flatnonzero(u[1:] != u[:-1]), u.size - 1)  # last row of each tie
    n1 = np.cumsum(t)[last].astype(float)
    return _Cumulative(n1, last + 1 - n1, np.cumsum(y * t)[last], np.cumsum(y * (1 - t))[last])


def _divide(a: Floats, b: Floats, empty: float = 0.0) -> Floats:
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    return np.divide(a, b, out=np.full(a.shape, empty), where=b != 0)


def _qini(c: _Cumulative) -> Floats:
    return c.s1 - c.s0 * _divide(c.n1, c.n0)


def _uplift(c: _Cumulative) -> Floats:
    return (_divide(c.s1, c.n1) - _divide(c.s0, c.n0)) * c.n


def _area(x: Floats, y: Floats) -> Floats:
    """Trapezoids under the curve from the origin through the points."""
    x, y = _with_origin(x), _with_origin(y)
    return np.sum(np.diff(x, axis=-1) * (y[..., 1:] + y[..., :-1]), axis=-1) / 2


def _above_random(c: _Cumulative, value: Floats) -> Floats:
    n = c.n
    return _area(n, value) - n[..., -1] * value[..., -1] / 2


def _cells(c: _Cumulative) -> tuple[Floats, Floats, Floats, Floats]:
    """Treated buyers, treated others, control buyers, control others."""
    s1, s0 = c.s1[..., -1], c.s0[..., -1]
    return s1, c.n1[..., -1] - s1, s0, c.n0[..., -1] - s0


def _qini_auc(c: _Cumulative) -> Floats:
    buyers1, others1, buyers0, others0 = _cells(c)
    zero = np.zeros_like(buyers1)
    # The perfect order is treated buyers, all others, control buyers: a function of
    # four counts, so that a replicate costs nothing.
    best = _Cumulative(
        np.stack([buyers1, buyers1 + others1, buyers1 + others1], -1),
        np.stack([zero, others0, others0 + buyers0], -1),
        np.stack([buyers1, buyers1, buyers1], -1),
        np.stack([zero, zero, buyers0], -1),
    )
    return _share_of(_above_random(c, _qini(c)), _above_random(best, _qini(best)), c)


def _uplift_auc(c: _Cumulative) -> Floats:
    buyers1, others1, buyers0, others0 = _cells(c)
    n1, n0 = buyers1 + others1, buyers0 + others0
    # Treated buyers, control others, then the remaining two groups in the order that
    # scikit-uplift chooses by comparing their sizes.
    control_first = buyers0 > others1
    zero = np.zeros_like(n1)
    best = _Cumulative(
        np.stack([buyers1, buyers1, np.where(control_first, buyers1, n1), n1], -1),
        np.stack([zero, others0, np.where(control_first, n0, others0), n0], -1),
        np.stack([buyers1, buyers1, buyers1, buyers1], -1),
        np.stack([zero, zero, np.where(control_first, buyers0, zero), buyers0], -1),
    )
    perfect = _above_random(best, _uplift(best))
    return _share_of(_above_random(c, _uplift(c)), perfect, c)


def _share_of(area: Floats, perfect: Floats, c: _Cumulative) -> Floats:
    """Divide, unless the best area is rounding dust: then no order beats random."""
    dust = perfect <= 1e-12 * c.n[..., -1] ** 2
    return _divide(area, np.where(dust, 0.0, perfect), empty=math.nan)


def _qini_coefficient(c: _Cumulative) -> Floats:
    return _above_random(c, _qini(c)) / (c.n1[..., -1] * c.n[..., -1])


def _steps(u: Floats) -> NDArray[np.int64]:
    """Give each row its step down the ranking, from 0; equal scores share one."""
    order = np.argsort(-u, kind="stable")
    ranked = u[order]
    new = np.append(True, ranked[1:] != ranked[:-1])
    tie = np.cumsum(new) - 1
    if tie[-1] + 1 > _MOST_STEPS:
        start = np.flatnonzero(new)[tie]
        tie = np.unique(start * _MOST_STEPS // u.size, return_inverse=True)[1].ravel()
    steps = np.empty(u.size, dtype=np.int64)
    steps[order] = tie
    return steps


def _sums(
    y: Floats, t: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats, Floats]:
    size = int(steps.max()) + 1
    people = np.bincount(steps * 2 + t, minlength=2 * size).reshape(size, 2).astype(float)
    outcome = np.bincount(steps * 2 + t, weights=y, minlength=2 * size).reshape(size, 2)
    return people[:, 1], people[:, 0], outcome[:, 1], outcome[:, 0]


def _resample(
    y: Floats, t: NDArray[np.int64], steps: NDArray[np.int64], n_boot: int, seed: int, binary: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Bootstrap within the arms; each result has shape (n_boot, n_steps)."""
    size = int(steps.max()) + 1
    if binary:
        cell = (steps * 2 + t) * 2 + y.astype(np.int64)
        table = np.bincount(cell, minlength=4 * size).reshape(size, 2, 2)
        draws = bootstrap_counts(table, n_boot, seed, fixed=1).astype(float)
        people, buyers = draws.sum(axis=3), draws[..., 1]
        return people[..., 1], people[..., 0], buyers[..., 1], buyers[..., 0]
    rng = np.random.default_rng([seed, 0x0E1])
    found: list[Floats] = []
    for arm in (1, 0):
        arm_y, arm_steps = y[t == arm], steps[t == arm]
        people = np.empty((n_boot, size))
        outcome = np.empty((n_boot, size))
        for i in range(n_boot):
            rows = rng.integers(0, arm_y.size, size=arm_y.size)
            drawn = arm_steps[rows]
            people[i] = np.bincount(drawn, minlength=size)
            outcome[i] = np.bincount(drawn, weights=arm_y[rows], minlength=size)
        found += [people, outcome]
    return found[0], found[2], found[1], found[3]


def _running(n1: Floats, n0: Floats, s1: Floats, s0: Floats) -> _Cumulative:
    return _Cumulative(*(np.cumsum(x, axis=-1) for x in (n1, n0, s1, s0)))


def _on_grid(c: _Cumulative, value: Floats, grid: Floats) -> Floats:
    """Read curves at the shares ``grid``, straight between thresholds."""
    n = _with_origin(c.n)
    value = _with_origin(value)
    share = n / n[..., -1:]
    if share.ndim == 1:
        return np.interp(grid, share, value)
    return np.stack([np.interp(grid, x, v) for x, v in zip(share, value, strict=True)])


def _difference_at(c: _Cumulative, k: float) -> Floats:
    at = np.array([k])
    n1, n0, s1, s0 = (_on_grid(c, x, at)[..., 0] for x in c)
    nan = math.nan
    return _divide(s1, n1, empty=nan) - _divide(s0, n0, empty=nan)
