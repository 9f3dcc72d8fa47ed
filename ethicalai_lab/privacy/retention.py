"""How fast data ages, and so how long to keep it.

The law names no number of days; whoever keeps data must say what the older part still
adds. Each retention period is therefore judged like a column: what does the purpose lose
if everything older is deleted, on people the model did not learn from, paired?

References
----------
Regulation (EU) 2016/679, Article 5(1)(e).

Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression: biased estimation for
nonorthogonal problems. Technometrics 12, 55-67.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.core.identity import locate_people
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.stats import Interval, mean_interval

__all__ = ["Retention", "behaviour", "retention"]

_RIDGE = 20.0


def behaviour(
    events: pd.DataFrame,
    *,
    customers: Iterable[Any],
    by: str,
    start: Any,
    end: Any,
    share: bool = False,
) -> pd.DataFrame:
    """Count what each customer did in a period: the outcome that data should foretell.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time`` and ``by``.
    customers : iterable
        The customers, each once.
    by : str
        Column whose levels are counted, such as the product category.
    start, end : Timestamp or str
        The period, ``start <= time < end``.
    share : bool, default False
        Whether to return shares of the customer's own total; customers who did nothing
        are then left out.

    Returns
    -------
    DataFrame
        One row a customer, one column a level.

    Raises
    ------
    PrivacyError
        If a column is missing, a date cannot be read, or the period is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.retention import behaviour
    >>> events = pd.DataFrame({"customer_id": [1, 1, 2], "category": ["home", "home", "beauty"],
    ...                        "time": pd.to_datetime(["2025-10-02", "2025-11-05", "2025-03-01"])})
    >>> behaviour(events, customers=[1, 2], by="category", start="2025-10-01",
    ...           end="2026-01-01")["home"].tolist()
    [2, 0]
    """
    check_table(events, "events")
    check_columns(events, ["customer_id", "time", by], "events")
    start, end = (
        read_moment(value, name, error=PrivacyError)
        for name, value in (("start", start), ("end", end))
    )
    if not start < end:
        raise PrivacyError(f"start {start} is not before end {end}.")
    people = pd.Index(list(customers))
    if not people.is_unique:
        raise PrivacyError(f"customers: {people[people.duplicated()][0]} is named twice.")
    levels = sorted(events[by].dropna().astype(str).unique())
    time = read_times(events["time"], "events: time", missing=True, error=PrivacyError)
    inside = (time >= start) & (time < end) & events[by].notna().to_numpy()
    part = events.loc[inside]
    row = locate_people(part["customer_id"], people, "events: customer_id", error=PrivacyError)
    column = pd.Index(levels).get_indexer(part[by].astype(str))
    known = row >= 0
    counts = np.zeros((len(people), len(levels)), dtype=np.int64)
    np.add.at(counts, (row[known], column[known]), 1)
    frame = pd.DataFrame(counts, index=people, columns=levels)
    if share:
        total = counts.sum(axis=1)
        frame = frame.loc[total > 0].div(total[total > 0], axis=0)
    return frame


@dataclass(frozen=True)
class Retention:
    """What each retention period is worth, and the shortest that nearly suffices.

    Attributes
    ----------
    days : int
        The shortest period within the tolerance of the longest.
    table : DataFrame
        One row a period: days; events (kept); kept_share (of all events in the longest
        period); value (share of the outcome's variance explained on people not learned
        from) with low, high; loss against the longest period with low, high (paired);
        slice_value: what the events between the previous period and this one explain
        alone, with low, high; value_per_1000, that per thousand events of the slice: where
        it falls with age, data ages; and within (the tolerance).
    loss : Interval
        Longest period minus ``days``, on customers kept apart.
    allowed : float
        What may be lost, on those customers.
    verdict : str
        "confirmed", "refuted" or "open", as in :class:`Minimization`; "longest" where no
        shorter period came within the tolerance.
    """

    days: int
    table: pd.DataFrame = field(repr=False)
    loss: Interval
    allowed: float
    verdict: str

    def _repr_html_(self) -> str:
        return (
            f"<p>{self.days} days ({self.verdict})</p>"
            f"{self.table.to_html(index=False, float_format='{:.4f}'.format)}"
        )


def retention(
    events: pd.DataFrame,
    outcome: pd.DataFrame | pd.Series,
    *,
    as_of: Any,
    windows: Sequence[int] = (30, 60, 90, 180, 270),
    by: Sequence[str] = ("kind", "category"),
    tolerance: float = 0.05,
    held_out: float = 0.4,
    n_folds: int = 5,
    seed: int = 0,
    confidence: float = 0.95,
) -> Retention:
    """Measure how the value of past events depends on how long they are kept.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time`` and those of ``by``.
    outcome : DataFrame or Series
        What should be foretold, numbers indexed by customer; all from ``as_of`` on.
    as_of : Timestamp or str
        The moment of decision: only events before it are used.
    windows : sequence of int, default (30, 60, 90, 180, 270)
        Retention periods in days, each positive.
    by : sequence of str, default ("kind", "category")
        Columns whose combinations are counted.
    tolerance : float, default 0.05
        Share of the longest period's value that may be lost, in [0, 1).
    held_out : float, default 0.4
        Share of the customers kept apart for the verdict, in [0.1, 0.9].
    n_folds : int, default 5
    seed : int, default 0
    confidence : float, default 0.95

    Returns
    -------
    Retention

    Raises
    ------
    PrivacyError
        If a column, the outcome or a parameter cannot be used, naming it.

    Notes
    -----
    The model is a ridge regression on log(1 + count) of each combination in each age
    slice, so that old and new events may weigh differently. Where preferences do not
    drift, old events stay as informative as new ones, and this function says so: more
    history is then worth keeping for the *purpose*, and its length must be justified by
    weighing that worth against the risk.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy.retention import retention
    >>> rng = np.random.default_rng(0)
    >>> people = np.arange(400)
    >>> fresh = rng.poisson(2.0, 400)  # only the last month foretells the outcome
    >>> who = np.concatenate([np.repeat(people, fresh), rng.integers(0, 400, 2000)])
    >>> age = np.concatenate([rng.uniform(0, 30, fresh.sum()), rng.uniform(90, 270, 2000)])
    >>> events = pd.DataFrame({"customer_id": who, "kind": "view",
    ...     "time": pd.Timestamp("2025-10-01") - pd.to_timedelta(age, unit="D")})
    >>> later = pd.Series(fresh + rng.normal(0, 0.5, 400), index=people)
    >>> retention(events, later, as_of="2025-10-01", by=["kind"]).days
    30
    """
    check_table(events, "events")
    by = check_columns(events, by, "by")
    check_columns(events, ["customer_id", "time"], "events")
    as_of = read_moment(as_of, "as_of", error=PrivacyError)
    if not 0 <= tolerance < 1:
        raise PrivacyError(f"tolerance is {tolerance}; a share from 0 to below 1 is accepted.")
    if not 0.1 <= held_out <= 0.9:
        raise PrivacyError(f"held_out is {held_out}; a share from 0.1 to 0.9 is accepted.")
    windows = sorted({int(w) for w in windows})
    if not windows or windows[0] < 1:
        raise PrivacyError("windows: at least one period, of a day or more each, is needed.")
    target = outcome.to_frame() if isinstance(outcome, pd.Series) else outcome
    if not isinstance(target, pd.DataFrame) or not len(target):
        raise PrivacyError("outcome: a Series or DataFrame of numbers, one row a customer, needed.")
    if not target.index.is_unique:
        raise PrivacyError("outcome: a customer has two rows; one each is needed.")
    y = target.to_numpy(dtype=float)
    if not np.isfinite(y).all():
        raise PrivacyError("outcome holds a missing or infinite number.")
    y = y - y.mean(axis=0)
    if not (y != 0).any():
        raise PrivacyError("outcome is the same for all customers; nothing to foretell.")

    slices, counts = _slices(events, target.index, as_of, windows, by)
    n = len(y)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    cut = round(n * (1 - held_out))
    searched, apart = np.sort(order[:cut]), np.sort(order[cut:])
    if min(cut, n - cut) < 5 * n_folds:
        raise PrivacyError(f"{n} customers are too few for {n_folds} folds in two parts.")

    def rows(use: Sequence[int], part: NDArray[np.int64], fold_seed: int) -> NDArray[np.float64]:
        x = [slices[i][part] for i in use]
        return _explained(
            np.hstack(x) if x else np.zeros((part.size, 0)), y[part], n_folds, fold_seed
        )

    steps = range(len(windows))
    nothing = rows([], searched, seed)
    by_window = [rows(range(i + 1), searched, seed) for i in steps]
    longest = by_window[-1]
    gain = longest.mean() - nothing.mean()
    table = []
    for i in steps:
        value = mean_interval(by_window[i] - nothing, confidence)
        loss = mean_interval(longest - by_window[i], confidence)
        alone = mean_interval(rows([i], searched, seed) - nothing, confidence)
        kept = int(sum(counts[: i + 1]))
        within = bool(value.value >= (1 - tolerance) * gain)
        table.append(
            (
                windows[i],
                kept,
                kept / max(sum(counts), 1),
                *value,
                *loss,
                *alone,
                1000 * alone.value / max(counts[i], 1),
                within,
            )
        )
    columns = ["days", "events", "kept_share"]
    for name in ("value", "loss", "slice_value"):
        columns += [name, f"{name}_low", f"{name}_high"]
    frame = pd.DataFrame(table, columns=[*columns, "value_per_1000", "within"])
    chosen = int(np.flatnonzero(frame["within"])[0]) if gain > 0 else 0
    base = rows([], apart, seed + 1)
    everything = rows(steps, apart, seed + 1)
    loss = mean_interval(everything - rows(range(chosen + 1), apart, seed + 1), confidence)
    allowed = tolerance * max(float((everything - base).mean()), 0.0)
    if chosen == len(windows) - 1:
        return Retention(windows[chosen], frame, loss, allowed, "longest")
    verdict = "confirmed" if loss.high <= allowed else "refuted" if loss.low > allowed else "open"
    return Retention(windows[chosen], frame, loss, allowed, verdict)


def _slices(
    events: pd.DataFrame,
    people: pd.Index,
    as_of: pd.Timestamp,
    windows: Sequence[int],
    by: Sequence[str],
) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Return log counts of each combination for each age slice, and the slices' sizes."""
    time = read_times(events["time"], "events: time", missing=True, error=PrivacyError)
    age = ((as_of - pd.Series(time)) / pd.Timedelta(days=1)).to_numpy(dtype=float)
    row = locate_people(events["customer_id"], people, "events: customer_id", error=PrivacyError)
    known = (age > 0) & (age <= windows[-1]) & (row >= 0)
    code = np.zeros(int(known.sum()), dtype=np.int64)
    for column in by:
        levels, names = pd.factorize(events[column].astype(object), use_na_sentinel=False)
        code = code * len(names) + levels[known]
    code = np.unique(code, return_inverse=True)[1].ravel()
    width = int(code.max()) + 1 if code.size else 0
    piece = np.searchsorted(np.asarray(windows, dtype=float), age[known], side="left")
    result, sizes = [], []
    for i in range(len(windows)):
        here = piece == i
        count = np.bincount(row[known][here] * width + code[here], minlength=len(people) * width)
        result.append(np.log1p(count.reshape(len(people), width).astype(float)))
        sizes.append(int(here.sum()))
    return result, sizes


def _explained(
    x: NDArray[np.float64], y: NDArray[np.float64], n_folds: int, seed: int
) -> NDArray[np.float64]:
    """Return each row's contribution to the cross-validated share of variance explained."""
    n = len(y)
    # a stream of its own: what was drawn with the same seed must not tell the folds
    fold = np.random.default_rng([seed, 0xF01D]).permutation(n) % n_folds
    design = np.hstack([np.ones((n, 1)), x])
    penalty = np.full(design.shape[1], _RIDGE)
    penalty[0] = 0.0
    gram, right = design.T @ design, design.T @ y
    error = np.empty(n)
    for f in range(n_folds):
        here = fold == f
        part = design[here]
        left = gram - part.T @ part + np.diag(penalty)
        b = np.linalg.solve(left, right - part.T @ y[here])
        error[here] = ((y[here] - part @ b) ** 2).sum(axis=1)
    return -error / ((y - y.mean(axis=0)) ** 2).sum(axis=1).mean()
