"""A model that a person can read, beside one that nobody can.

A scorecard gives points for the bin that each feature falls in, and adds them up. The
table of points *is* the model, so its explanation is exact. What that costs in value is
measured, not assumed.

References
----------
Siddiqi, N. (2006). Credit Risk Scorecards. Wiley.

Lou, Y., Caruana, R. and Gehrke, J. (2012). Intelligible models for classification and
regression. KDD.

Rudin, C. (2019). Stop explaining black box machine learning models for high stakes
decisions and use interpretable models instead. Nature Machine Intelligence 1, 206-215.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.explainability._auc import auc
from ethicalai_lab.explainability._threads import FEW_ROWS, one_thread
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import bootstrap_rows, percentile_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AdditiveScorecard", "compare_glass_box"]

_MISSING = "missing"
_OTHER = "any other"


class AdditiveScorecard(ClassifierMixin, BaseEstimator):
    """An additive model of binned features: points for each bin, added up.

    Numbers are cut at quantiles of the training people, other columns have one bin a
    level. Missing values have a bin of their own. Weights are a ridge logistic regression
    on the bins, centred so that each feature contributes zero on average over the training
    people.

    Parameters
    ----------
    n_bins : int, default 6
        Most bins a numeric feature is cut into, at least 2.
    penalty : float, default 1.0
        Strength of the ridge, above 0: higher pulls points towards zero.
    points_to_double : float, default 20
        Points that double the odds, above 0.
    monotone : mapping of str to {1, -1}, optional
        Numeric features whose points may only rise (1) or fall (-1). Bins out of order are
        pooled after fitting, weighted by their people.

    Attributes
    ----------
    points_ : DataFrame
        One row a feature and bin: ``feature``, ``bin``, ``points`` (whole number),
        ``log_odds`` (exact contribution) and ``people`` (training count).
    intercept_ : float
        Log-odds of a person whose contributions are all zero.
    classes_ : ndarray of shape (2,)
    feature_names_in_ : ndarray of str

    References
    ----------
    Siddiqi (2006); Lou et al. (2012), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability.glass_box import AdditiveScorecard
    >>> X = pd.DataFrame({"visits": [0, 1, 2, 3] * 25, "channel": ["web", "store"] * 50})
    >>> card = AdditiveScorecard(n_bins=2).fit(X, (X["visits"] > 1).astype(int))
    >>> card.points_[["feature", "bin"]].head(2).to_numpy().tolist()
    [['visits', '<= 1.5'], ['visits', '> 1.5']]
    >>> bool(card.predict_proba(X.iloc[[3]])[0, 1] > 0.9)
    True
    """

    _also_missing: frozenset = frozenset()

    def __init__(
        self,
        n_bins: int = 6,
        penalty: float = 1.0,
        points_to_double: float = 20,
        monotone: Mapping[str, int] | None = None,
    ) -> None:
        self.n_bins = n_bins
        self.penalty = penalty
        self.points_to_double = points_to_double
        self.monotone = monotone

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> AdditiveScorecard:
        """Cut the features into bins and weigh them.

        Parameters
        ----------
        X : DataFrame of shape (people, features)
        y : array-like of shape (people,)
            Two classes.

        Returns
        -------
        AdditiveScorecard

        Raises
        ------
        ExplanationError
            If a parameter, a column or ``y`` cannot be used.
        """
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        self._check_parameters(X)
        y = _two_classes(y, len(X))
        self.classes_, target = np.unique(y, return_inverse=True)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self._bins = {
            name: _Bins(X[name], name, self.n_bins, name in self._also_missing)
            for name in X.columns
        }
        codes = {name: bins.codes(X[name]) for name, bins in self._bins.items()}
        design = np.hstack([np.eye(len(self._bins[n].labels))[c] for n, c in codes.items()])
        ridge = LogisticRegression(C=1.0 / self.penalty, max_iter=2000, tol=1e-8)
        ridge.fit(design, target)

        self.intercept_ = float(ridge.intercept_[0])
        self._weights, rows, at = {}, [], 0
        factor = self.points_to_double / math.log(2)
        for name, bins in self._bins.items():
            count = np.bincount(codes[name], minlength=len(bins.labels))
            weight = ridge.coef_[0, at : at + len(count)]
            at += len(count)
            mean = float(weight @ count / count.sum())
            # A bin that was never seen says nothing, so it contributes the average.
            weight = np.where(count > 0, weight - mean, 0.0)
            self.intercept_ += mean
            direction = (self.monotone or {}).get(name)
            if direction:
                weight = _pooled(weight, count, direction, bins.n_numeric)
            self._weights[name] = weight
            rows += [
                (name, label, round(factor * w), float(w), int(n))
                for label, w, n in zip(bins.labels, weight, count, strict=True)
            ]
        self.points_ = pd.DataFrame(
            rows, columns=["feature", "bin", "points", "log_odds", "people"]
        )
        total = self.contributions(X).sum(axis=1) * factor
        self._training = pd.DataFrame({"points": total.to_numpy(), "outcome": target})
        return self

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to each person's log-odds, exactly.

        Parameters
        ----------
        X : DataFrame of shape (people, features)

        Returns
        -------
        DataFrame of shape (people, features)
            In log-odds; a row plus ``intercept_`` is the person's
            :meth:`decision_function`.

        Raises
        ------
        ExplanationError
            If a column of the training is absent, or a value is missing in a feature
            that had none then.
        """
        import pandas as pd

        check_is_fitted(self, "points_")
        _check_frame(X)
        for name in self.feature_names_in_:
            if name not in X.columns:
                raise ExplanationError(
                    f"X has no column {name!r}; the scorecard was fitted with it."
                )
        return pd.DataFrame(
            {n: self._weights[n][bins.codes(X[n])] for n, bins in self._bins.items()},
            index=X.index,
        )

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return each person's log-odds of the second class, shape (people,)."""
        return self.intercept_ + self.contributions(X).to_numpy().sum(axis=1)

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of each class, shape (people, 2)."""
        p = _expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the more probable class of each person, shape (people,)."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def score_table(self, n_bands: int = 5) -> pd.DataFrame:
        """Return what totals of points mean, over the training people.

        Parameters
        ----------
        n_bands : int, default 5
            Bands of about as many people each, at least 1; equal totals stay together.

        Returns
        -------
        DataFrame
            One row a band of total points: ``from_points``, ``to_points``, ``people``,
            ``predicted`` (mean probability) and ``observed`` (share of the second class).
        """
        import pandas as pd

        check_is_fitted(self, "points_")
        if n_bands < 1:
            raise ExplanationError(f"n_bands is {n_bands}; it must be at least 1.")
        people = self._training
        rank = people["points"].round(9).rank(method="max", pct=True)
        band = np.ceil(rank * n_bands - 1e-9).astype(int)
        odds = people["points"] * math.log(2) / self.points_to_double + self.intercept_
        people = people.assign(predicted=_expit(odds.to_numpy()))
        grouped = people.groupby(band.to_numpy())
        return pd.DataFrame(
            {
                "from_points": grouped["points"].min().round(1),
                "to_points": grouped["points"].max().round(1),
                "people": grouped.size(),
                "predicted": grouped["predicted"].mean(),
                "observed": grouped["outcome"].mean(),
            }
        ).reset_index(drop=True)

    def _check_parameters(self, X: pd.DataFrame) -> None:
        import pandas as pd

        _check_frame(X)
        if self.n_bins < 2:
            raise ExplanationError(f"n_bins is {self.n_bins}; it must be at least 2.")
        for name in ("penalty", "points_to_double"):
            if not getattr(self, name) > 0:
                raise ExplanationError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name, direction in (self.monotone or {}).items():
            if name not in X.columns or not pd.api.types.is_numeric_dtype(X[name]):
                raise ExplanationError(f"monotone names {name!r}, which is no numeric column of X.")
            if direction not in (1, -1):
                raise ExplanationError(
                    f"monotone[{name!r}] is {direction!r}; 1 (rising) or -1 (falling) is needed."
                )


def compare_glass_box(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    value: ArrayLike | None = None,
    top_share: float = 0.2,
    n_splits: int = 5,
    n_bins: int = 6,
    n_boot: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Set a scorecard beside gradient boosting: value lost, explanation gained.

    Both models score each person while that person was held out of the training.

    Parameters
    ----------
    X : DataFrame of shape (people, features)
    y : array-like of shape (people,)
        Two classes; the models predict the second.
    value : array-like of shape (people,), optional
        What choosing a person brings, such as money; where left out, 1 for the second
        class and 0 for the first.
    top_share : float, default 0.2
        Share of people chosen, highest score first, in (0, 1]. Of people who tie at the
        edge each counts in part.
    n_splits : int, default 5
        Folds of the cross-fitting, at least 2.
    n_bins : int, default 6
        As for :class:`AdditiveScorecard`.
    n_boot : int, default 500
        Paired bootstrap replicates over people.
    confidence : float, default 0.95
    seed : int, default 0

    Returns
    -------
    DataFrame indexed by measure, with columns glass_box, black_box, lost, low, high
        ``auc``; ``value_at_top``, mean value of a chosen person, in the unit of ``value``;
        ``numbers_to_read``, what a person must read to know the whole model (points and
        an intercept; thresholds and leaves of every tree). ``lost`` is black box minus
        glass box, with its paired interval. The interval is over people, given the folds
        and models.

    Raises
    ------
    ExplanationError
        If a class has fewer people than folds, or an argument cannot be used.

    References
    ----------
    Rudin (2019), see the module.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.explainability.glass_box import compare_glass_box
    >>> X = pd.DataFrame({"visits": np.arange(200) % 6})
    >>> table = compare_glass_box(X, X["visits"] > 3, n_splits=2, n_boot=50)
    >>> table.loc[["auc", "numbers_to_read"], "glass_box"].tolist()
    [1.0, 7.0]
    """
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    _check_frame(X)
    labels = _two_classes(y, len(X))
    target = (labels == np.unique(labels)[1]).astype(int)
    gain = target.astype(float) if value is None else np.asarray(value, dtype=float)
    if gain.shape != (len(X),) or not np.isfinite(gain).all():
        raise ExplanationError(
            f"value must hold one finite number for each of the {len(X)} people."
        )
    if not 0 < top_share <= 1:
        raise ExplanationError(f"top_share is {top_share}; it must lie in (0, 1].")
    rarest = int(np.bincount(target).min())
    if n_splits < 2 or rarest < n_splits:
        raise ExplanationError(
            f"n_splits is {n_splits}; it must be from 2 to {rarest}, the people in the rarer class."
        )

    coded = X.copy()
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name]):
            coded[name] = X[name].astype("category")
            if len(coded[name].cat.categories) > 255:
                raise ExplanationError(
                    f"column {name!r} has more than 255 levels; group them first."
                )

    def boosting() -> Any:
        return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)

    threads = one_thread if len(X) <= FEW_ROWS else contextlib.nullcontext
    # A gap that one fold never saw contributes the average there, rather than stop the rest.
    gaps = frozenset(name for name in X.columns if X[name].isna().any())
    scores = np.zeros((2, len(X)))
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    for train, test in folds.split(X, target):
        card = AdditiveScorecard(n_bins)
        card._also_missing = gaps
        card.fit(X.iloc[train], target[train])
        scores[0, test] = card.decision_function(X.iloc[test])
        with threads():
            trees = boosting().fit(coded.iloc[train], target[train])
            scores[1, test] = trees.decision_function(coded.iloc[test])
    # Summing in another order must not split people whose bins are the same.
    scores = scores.round(10)

    def measures(rows: NDArray[Any]) -> NDArray[Any]:
        return np.array(
            [
                [auc(s[rows], target[rows]) for s in scores],
                [_value_at_top(s[rows], gain[rows], top_share) for s in scores],
            ]
        )

    point = measures(np.arange(len(X)))
    draws = bootstrap_rows(measures, len(X), n_boot, seed)
    lost = draws[:, :, 1] - draws[:, :, 0]
    table = []
    for i, (glass, black) in enumerate(point):
        interval = percentile_interval(black - glass, lost[:, i], confidence)
        table.append((glass, black, *interval))
    card = AdditiveScorecard(n_bins).fit(X, target)
    readable = len(card.points_[card.points_["people"] > 0]) + 1
    with threads():
        nodes = _count_nodes(boosting().fit(coded, target))
    table.append((readable, nodes, nodes - readable, math.nan, math.nan))
    return pd.DataFrame(
        table,
        columns=["glass_box", "black_box", "lost", "low", "high"],
        index=pd.Index(["auc", "value_at_top", "numbers_to_read"], name="measure"),
    )


# -------------------------------------------------------------------------- helpers


class _Bins:
    """How one column is cut, and what its bins are called."""

    def __init__(self, column: pd.Series, name: Any, n_bins: int, gap: bool) -> None:
        import pandas as pd

        self.name = name
        missing = column.isna()
        if missing.all():
            raise ExplanationError(f"column {name!r} has no value at all; leave it out.")
        dtype = column.dtype
        known = column[~missing]
        self.numeric = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(
            dtype
        )
        if self.numeric:
            x = known.to_numpy(dtype=float)
            if not np.isfinite(x).all():
                raise ExplanationError(f"column {name!r} holds an infinite value.")
            self.edges = _edges(x, n_bins)
            low = ["", *(f"> {e:g}" for e in self.edges)]
            high = [*(f"<= {e:g}" for e in self.edges), ""]
            self.labels = [
                " and ".join(part for part in pair if part) or "any"
                for pair in zip(low, high, strict=True)
            ]
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            raise ExplanationError(
                f"column {name!r} holds times; turn them into numbers, such as days, first."
            )
        else:
            self.levels = sorted(known.unique().tolist(), key=str)
            self.labels = [str(level) for level in self.levels] + [_OTHER]
        self.n_numeric = len(self.labels) if self.numeric else 0
        self.has_missing = gap or bool(missing.any())
        if self.has_missing:
            self.labels.append(_MISSING)

    def codes(self, column: pd.Series) -> NDArray[np.intp]:
        import pandas as pd

        missing = column.isna().to_numpy()
        if missing.any() and not self.has_missing:
            raise ExplanationError(
                f"column {self.name!r}, row {column.index[int(np.argmax(missing))]!r} is missing, "
                "and was never missing when the scorecard was fitted; fill it first."
            )
        if self.numeric:
            try:
                x = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
            except (TypeError, ValueError):
                raise ExplanationError(
                    f"column {self.name!r} must hold numbers, as when the scorecard was fitted."
                ) from None
            codes = np.searchsorted(self.edges, np.where(missing, 0.0, x), side="left")
        else:
            position = {level: i for i, level in enumerate(self.levels)}
            other = len(self.levels)
            codes = np.array([position.get(v, other) for v in column.tolist()], dtype=np.intp)
        return np.where(missing, len(self.labels) - 1, codes)


def _edges(x: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    """Return cuts near the quantiles, midway between neighbouring values."""
    distinct = np.unique(x)
    wanted = np.quantile(x, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
    if len(distinct) <= n_bins:
        wanted = distinct[:-1]
    at = np.searchsorted(distinct, np.unique(wanted))
    at = at[at < len(distinct) - 1]
    return (distinct[at] + distinct[at + 1]) / 2


def _pooled(
    weight: NDArray[Any], count: NDArray[Any], direction: int, n_numeric: int
) -> NDArray[Any]:
    from sklearn.isotonic import IsotonicRegression

    pooled = weight.copy()
    order = np.arange(n_numeric)
    pooled[:n_numeric] = IsotonicRegression(increasing=direction > 0).fit_transform(
        order, weight[:n_numeric], sample_weight=count[:n_numeric]
    )
    return pooled


def _check_frame(X: Any) -> None:
    import pandas as pd

    if not isinstance(X, pd.DataFrame):
        raise ExplanationError(
            f"X is a {type(X).__name__}; a table with named columns is needed, as points bear names."
        )
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ExplanationError("X is empty; it needs at least one person and one column.")
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise ExplanationError(f"X has column {twice!r} twice; names must differ.")


def _two_classes(y: ArrayLike, n: int) -> NDArray[Any]:
    import pandas as pd

    labels = np.asarray(y)
    if labels.shape != (n,):
        raise ExplanationError(f"y has shape {labels.shape}; ({n},) is needed, one a person.")
    if pd.isna(labels).any():
        raise ExplanationError(
            f"y is missing at position {int(np.argmax(pd.isna(labels)))}; leave such people out."
        )
    found = np.unique(labels)
    if len(found) != 2:
        raise ExplanationError(f"y has {len(found)} class(es); exactly two are needed.")
    return labels


def _expit(x: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _value_at_top(score: NDArray[Any], gain: NDArray[Any], share: float) -> float:
    wanted = share * len(score)
    _, code, count = np.unique(-score, return_inverse=True, return_counts=True)
    before = np.cumsum(count) - count
    weight = np.clip((wanted - before) / count, 0, 1)
    return float((weight[code] * gain).sum() / wanted)


def _count_nodes(trees: Any) -> int:
    """Count thresholds and leaf values; each node of a tree holds one."""
    # scikit-learn offers no public way to the trees of histogram boosting.
    return sum(len(tree.nodes) for step in trees._predictors for tree in step)
