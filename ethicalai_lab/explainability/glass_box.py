"""A model that a person can read.

A scorecard gives points for the bin that each feature falls in, and adds them up. The
table of points *is* the model, so its explanation is exact.

References
----------
Siddiqi, N. (2006). Credit Risk Scorecards. Wiley.

Lou, Y., Caruana, R. and Gehrke, J. (2012). Intelligible models for classification and
regression. KDD.

Rudin, C. (2019). Stop explaining black box machine learning models for high stakes
decisions and use interpretable models instead. Nature Machine Intelligence 1, 206-215.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.explainability.errors import ExplanationError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AdditiveScorecard"]

_MISSING = "missing"
_OTHER = "any other"
# Points that double the odds.
_POINTS_TO_DOUBLE = 20


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

    def __init__(self, n_bins: int = 6) -> None:
        self.n_bins = n_bins

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
        self._bins = {name: _Bins(X[name], name, self.n_bins) for name in X.columns}
        codes = {name: bins.codes(X[name]) for name, bins in self._bins.items()}
        design = np.hstack([np.eye(len(self._bins[n].labels))[c] for n, c in codes.items()])
        ridge = LogisticRegression(max_iter=2000, tol=1e-8)
        ridge.fit(design, target)

        self.intercept_ = float(ridge.intercept_[0])
        self._weights, rows, at = {}, [], 0
        factor = _POINTS_TO_DOUBLE / math.log(2)
        for name, bins in self._bins.items():
            count = np.bincount(codes[name], minlength=len(bins.labels))
            weight = ridge.coef_[0, at : at + len(count)]
            at += len(count)
            mean = float(weight @ count / count.sum())
            # A bin that was never seen says nothing, so it contributes the average.
            weight = np.where(count > 0, weight - mean, 0.0)
            self.intercept_ += mean
            self._weights[name] = weight
            rows += [
                (name, label, round(factor * w), float(w), int(n))
                for label, w, n in zip(bins.labels, weight, count, strict=True)
            ]
        self.points_ = pd.DataFrame(
            rows, columns=["feature", "bin", "points", "log_odds", "people"]
        )
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

    def _check_parameters(self, X: pd.DataFrame) -> None:

        _check_frame(X)
        if self.n_bins < 2:
            raise ExplanationError(f"n_bins is {self.n_bins}; it must be at least 2.")


# -------------------------------------------------------------------------- helpers


class _Bins:
    """How one column is cut, and what its bins are called."""

    def __init__(self, column: pd.Series, name: Any, n_bins: int) -> None:
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
        self.has_missing = bool(missing.any())
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
