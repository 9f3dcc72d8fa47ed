"""Predict who will leave and what a customer will spend, and check it a period later.

A model is learned on one period, whose features end before its outcomes begin, and judged
on the *next* one, as it would be used. Splitting people instead would let it know the
season it is judged in.

References
----------
Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves
for customer base analysis. Journal of Marketing Research 42, 415-430.

Duan, N., Manning, W. G., Morris, C. N. and Newhouse, J. P. (1983). A comparison of
alternative models for the demand for medical care. Journal of Business & Economic
Statistics 1, 115-126 (two-part models).

Platt, J. (1999). Probabilistic outputs for support vector machines. In Advances in Large
Margin Classifiers, 61-74. MIT Press.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.core.checks import Count, checked, need_columns
from ethicalai_lab.core.identity import locate_people
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.calibration import expected_calibration_error, reliability
from ethicalai_lab.stats import mean_interval, percentile_interval

__all__ = [
    "ForecastReport",
    "ValueModel",
    "customer_features",
    "forecast",
    "next_period",
]


def customer_features(events: pd.DataFrame, customers: Iterable[Any], as_of: Any) -> pd.DataFrame:
    """Summarise each customer's history before a moment.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time``, ``kind``, ``amount``.
    customers : iterable
        The customers, each once; also those without events.
    as_of : Timestamp or str
        Only events before it count.

    Returns
    -------
    DataFrame
        Indexed by customer: for the last 30, 90 and 180 days the log(1 + count) of each
        kind and the log(1 + spend), and ``quiet``, the log(1 + days since the last event), of
        which those without any event get the longest possible.

    Raises
    ------
    InputError
        If a column is missing, or a date cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.prediction import customer_features
    >>> events = pd.DataFrame({"customer_id": [1, 1], "kind": ["view", "purchase"],
    ...     "time": pd.to_datetime(["2025-06-01", "2025-07-01"]), "amount": [0.0, 20.0]})
    >>> customer_features(events, [1, 2], "2025-07-11")["spend_30"].round(2).tolist()
    [3.04, 0.0]
    """
    people, at, age, events = _history(events, customers, as_of)
    kinds = events["kind"].astype(str).to_numpy()
    amount = events["amount"].to_numpy(dtype=float)
    past = (at >= 0) & (age > 0)
    n = len(people)
    columns: dict[str, NDArray[np.float64]] = {}
    for window in _WINDOWS:
        recent = past & (age <= window)
        for kind in sorted(set(kinds)):
            here = recent & (kinds == kind)
            columns[f"{kind}_{window}"] = np.log1p(np.bincount(at[here], minlength=n))
        spent = np.bincount(at[recent], amount[recent], minlength=n)
        columns[f"spend_{window}"] = np.log1p(spent.clip(min=0))
    longest = float(age[past].max()) if past.any() else 1.0
    quiet = np.full(n, longest)
    np.minimum.at(quiet, at[past], age[past])
    columns["quiet"] = np.log1p(quiet)
    return pd.DataFrame(columns, index=people)


@checked()
def next_period(
    events: pd.DataFrame, customers: Iterable[Any], as_of: Any, *, days: Count = 90
) -> pd.DataFrame:
    """Return what each customer did in the period after a moment.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time``, ``kind``, ``amount``.
    customers : iterable
    as_of : Timestamp or str
        First moment of the period.
    days : int, default 90
        Length, at least 1.

    Returns
    -------
    DataFrame
        Indexed by customer: ``churned`` (1 where nothing was bought) and ``spend``.

    Raises
    ------
    InputError
        As :func:`customer_features`, or if no event lies that late: a period that is not
        over has no outcome.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.prediction import next_period
    >>> events = pd.DataFrame({"customer_id": [1, 2], "kind": ["purchase", "view"],
    ...     "time": pd.to_datetime(["2025-07-01", "2025-07-09"]), "amount": [20.0, 0.0]})
    >>> next_period(events, [1, 2], "2025-06-30", days=10)["churned"].tolist()
    [0, 1]
    """
    moment = read_moment(as_of, "as_of")
    people, at, age, events = _history(events, customers, moment)
    # one day's grace: the last day need not have an event at its very end
    if not len(age) or -age.min() < days - 1:
        raise InputError(
            f"the events end less than {days} days after {moment:%Y-%m-%d}; "
            "choose an earlier moment or a shorter period."
        )
    bought = (
        (at >= 0) & (age <= 0) & (-age < days) & (events["kind"].astype(str) == "purchase")
    ).to_numpy()
    n = len(people)
    count = np.bincount(at[bought], minlength=n)
    spend = np.bincount(at[bought], events["amount"].to_numpy(dtype=float)[bought], minlength=n)
    return pd.DataFrame(
        {"churned": (count == 0).astype(np.int8), "spend": np.round(spend, 2)}, index=people
    )


_WINDOWS = (30, 90, 180)  # days over which events are counted
_DAYS = 90  # the period that is forecast
_RESAMPLES = 300


class ValueModel(BaseEstimator):
    """Two-part model of spend: whether anything is bought, and how much if so.

    Attributes
    ----------
    smearing_ : float
        Factor that brings the second part back from logarithms to the mean.

    References
    ----------
    Duan et al. (1983), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.personalization.prediction import ValueModel
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 1))
    >>> spend = np.where(rng.random(500) < 1 / (1 + np.exp(-x[:, 0])), np.exp(3 + x[:, 0]), 0)
    >>> bool(abs(ValueModel().fit(x, spend).predict(x).mean() / spend.mean() - 1) < 0.1)
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> ValueModel:
        """Learn from features and spend.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
        y : array-like of shape (n,)
            Spend, at least 0.

        Returns
        -------
        self

        Raises
        ------
        InputError
            If ``y`` is negative somewhere, or nobody or everybody spent.
        """
        x, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        if not (y >= 0).all():
            raise InputError("y holds negative spend; at least 0 is accepted.")
        buys = y > 0
        if buys.all() or not buys.any():
            raise InputError("y: some must have spent something and some nothing.")
        whether = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        how_much = make_pipeline(StandardScaler(), Ridge(alpha=10.0))
        self._whether = whether.fit(x, buys)
        self._how_much = how_much.fit(x[buys], np.log(y[buys]))
        # the mean of a logarithm is not the logarithm of the mean
        fitted = np.exp(self._how_much.predict(x[buys]))
        self.smearing_ = float(y[buys].sum() / fitted.sum())
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the chances of spending nothing and something, shape (n, 2).

        Parameters
        ----------
        X : array-like of shape (n, n_features)

        Returns
        -------
        ndarray of float
        """
        check_is_fitted(self)
        return self._whether.predict_proba(np.asarray(X, dtype=float))

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the expected spend, shape (n,).

        Parameters
        ----------
        X : array-like of shape (n, n_features)

        Returns
        -------
        ndarray of float
        """
        x = np.asarray(X, dtype=float)
        return self.predict_proba(x)[:, 1] * np.exp(self._how_much.predict(x)) * self.smearing_


@dataclass(frozen=True)
class ForecastReport:
    """How forecasts made at one moment came true in the period after it.

    Attributes
    ----------
    table : DataFrame
        One row a measure: value, low, high (bootstrap of customers). For churn: auc,
        brier_skill (against always forecasting the share seen when learning),
        calibration_error, mean_gap (mean forecast minus share that churned). For value:
        rank_correlation, total_ratio (forecast over actual spend), error_reduction (mean
        absolute error saved against forecasting last period's spend, as a share), and
        top_share (share of the spend that the tenth forecast to spend most did spend).
    churn_reliability : DataFrame
        Forecast against observed churn, by tenths.
    value_reliability : DataFrame
        By tenths of forecast spend: rows, predicted, observed with low and high.
    forecasts : DataFrame
        One row a customer: churn (chance), value (expected spend), churned, spend.
    """

    table: pd.DataFrame
    churn_reliability: pd.DataFrame
    value_reliability: pd.DataFrame
    forecasts: pd.DataFrame = field(repr=False)


def forecast(events: pd.DataFrame, customers: Iterable[Any], *, as_of: Any) -> ForecastReport:
    """Learn on the period that ends at a moment, forecast the one that begins there.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time``, ``kind``, ``amount``.
    customers : iterable
        The customers. Those without any event 90 days before ``as_of`` teach nothing and
        are left out of learning; those without one before ``as_of``, out of judging.
    as_of : Timestamp or str
        The moment of forecasting. Learning uses features up to 90 days before it and the
        outcomes of those 90; judging uses features up to it and the 90 days after.

    Returns
    -------
    ForecastReport

    Raises
    ------
    InputError
        If columns or dates cannot be used, or history or future are too short.

    Notes
    -----
    A level that moves between periods, such as a holiday season, shows as ``mean_gap``
    and ``total_ratio``: the ranking can be good and the level wrong.

    Examples
    --------
    >>> from ethicalai_lab.personalization.prediction import forecast
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(1_000, seed=1)
    >>> report = forecast(world.events, world.customers["customer_id"], as_of="2025-10-01")
    >>> bool(report.table.set_index("measure").loc["auc", "low"] > 0.5)
    True
    """
    moment = read_moment(as_of, "as_of")
    earlier = moment - pd.Timedelta(days=_DAYS)
    people = pd.Index(list(customers))
    x_past, y_past = (
        customer_features(events, people, earlier),
        next_period(events, people, earlier),
    )
    x_now, y_now = customer_features(events, people, moment), next_period(events, people, moment)
    _, at, age, _ = _history(events, people, moment)
    oldest = np.full(len(people), -np.inf)
    np.fmax.at(oldest, at[at >= 0], age[at >= 0])
    learn, judge = oldest > _DAYS, oldest > 0
    known = min(int(learn.sum()), int(judge.sum()))
    if known < 30:
        raise InputError(f"only {known} customers have a history; 30 are needed.")
    fitted = ValueModel().fit(x_past[learn].to_numpy(), y_past.loc[learn, "spend"].to_numpy())
    x = x_now[judge].to_numpy()
    found = y_now[judge].assign(churn=fitted.predict_proba(x)[:, 0], value=fitted.predict(x))
    found["before"] = y_past.loc[judge, "spend"]
    return ForecastReport(
        table=_judged(found, base=float(y_past.loc[learn, "churned"].mean())),
        churn_reliability=reliability(found["churned"], found["churn"]),
        value_reliability=_by_tenth(found["value"].to_numpy(), found["spend"].to_numpy()),
        forecasts=found[["churn", "value", "churned", "spend"]],
    )


def _judged(found: pd.DataFrame, base: float) -> pd.DataFrame:
    """Return each measure with its bootstrap interval; `base` is the share that churned before."""
    churned, leaves, spend, value, before = (
        found[name].to_numpy(dtype=float)
        for name in ("churned", "churn", "spend", "value", "before")
    )
    top = value >= np.quantile(value, 0.9)

    def measures(at: Any) -> dict[str, float]:
        c, p, s, v = churned[at], leaves[at], spend[at], value[at]
        spent = s.sum() or np.nan
        return {
            "auc": _auc(c, p),
            "brier_skill": 1 - ((c - p) ** 2).mean() / ((c - base) ** 2).mean(),
            "mean_gap": p.mean() - c.mean(),
            "rank_correlation": np.corrcoef(rankdata(v), rankdata(s))[0, 1],
            "total_ratio": v.sum() / spent,
            "error_reduction": 1 - np.abs(s - v).mean() / max(np.abs(s - before[at]).mean(), 1e-12),
            "top_share": s[top[at]].sum() / spent,
        }

    rng, n = np.random.default_rng(0), len(found)
    draws = pd.DataFrame([measures(rng.integers(0, n, n)) for _ in range(_RESAMPLES)])
    rows = [
        (name, *percentile_interval(point, draws[name].to_numpy(), 0.95))
        for name, point in measures(slice(None)).items()
    ]
    error = expected_calibration_error(churned, leaves, n_boot=_RESAMPLES)
    rows.insert(2, ("calibration_error", *error))
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def _by_tenth(value: NDArray[np.float64], spend: NDArray[np.float64]) -> pd.DataFrame:
    edges = np.unique(np.quantile(value, np.linspace(0.1, 0.9, 9)))
    tenth = np.searchsorted(edges, value, side="right")
    rows = [
        (int(here.sum()), value[here].mean(), *mean_interval(spend[here]))
        for here in (tenth == t for t in np.unique(tenth))
    ]
    return pd.DataFrame(rows, columns=["rows", "predicted", "observed", "low", "high"])


# ------------------------------------------------------------------ helpers


def _auc(happened: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    positive = happened.sum()
    negative = happened.size - positive
    if not positive or not negative:
        return np.nan
    ranks = rankdata(score)
    return float((ranks[happened == 1].sum() - positive * (positive + 1) / 2) / positive / negative)


def _history(
    events: pd.DataFrame, customers: Iterable[Any], as_of: Any
) -> tuple[pd.Index, NDArray[np.int64], NDArray[np.float64], pd.DataFrame]:
    """Return the customers, and each event's customer position (-1: none) and age in days."""
    need_columns(events, ("customer_id", "time", "kind", "amount"), "events")
    time = read_times(events["time"], "events: time", missing=True)
    people = pd.Index(list(customers))
    if not people.is_unique:
        raise InputError(f"customers: {people[people.duplicated()][0]} is named twice.")
    at = locate_people(events["customer_id"], people, "events: customer_id")
    age = (read_moment(as_of, "as_of") - pd.Series(time)) / pd.Timedelta(days=1)
    age = age.to_numpy(dtype=float)
    return people, at, age, events
