"""Whom a message changes: uplift learners on any scikit-learn estimator.

The learners follow scikit-learn (``get_params``, ``clone``), with two conventions of
their own: ``fit(X, y, treatment)`` takes the treatment as a third argument, and
``predict_uplift(X)`` returns the effect itself, ``E[Y | treated, x] - E[Y | control, x]``,
in the outcome's unit. The treatment must be randomised, or unconfounded given ``X``.

A learner that scores the people it learned from flatters itself: use
:func:`cross_fit_uplift`, where nobody is scored by a model that saw them.

References
----------
Künzel, S. R., Sekhon, J. S., Bickel, P. J. and Yu, B. (2019). Metalearners for estimating
heterogeneous treatment effects using machine learning. PNAS 116, 4156-4165.

Jaskowski, M. and Jaroszewicz, S. (2012). Uplift modeling for clinical trial data. ICML
Workshop on Clinical Data Analysis.

Radcliffe, N. J. and Surry, P. D. (1999). Differential response analysis: modeling true
responses by isolating the effect of a single action. Credit Scoring and Credit Control VI.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.core.checks import Flags, Numbers, check_value, same_length, whole
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.rules import arms_of

__all__ = [
    "ClassTransformation",
    "FeatureEncoder",
    "TLearner",
    "XLearner",
    "cross_fit_uplift",
    "encode_features",
    "response_scores",
    "spread_folds",
]

Floats = NDArray[np.float64]

# As many levels of a category as scikit-learn's boosted trees take.
_MAX_LEVELS = 254
_NOISE_ROWS = 5000


# ------------------------------------------------------------------------- features


def encode_features(table: pd.DataFrame) -> pd.DataFrame:
    """Return features as HistGradientBoosting takes them, missing values kept.

    For ``categorical_features="from_dtype"``.

    Parameters
    ----------
    table : DataFrame
        Numbers, yes/no, dates, text or categories; may have missing values.

    Returns
    -------
    DataFrame
        Numbers as float, yes/no as 0/1, dates as days since 1970-01-01, text as
        categories; levels beyond the 253 most frequent are gathered as "(other)".

    Raises
    ------
    InputError
        If a column holds something else.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import encode_features
    >>> table = pd.DataFrame({"age": [30, None], "channel": ["web", "store"]})
    >>> encode_features(table).dtypes.astype(str).tolist()
    ['float64', 'category']
    """
    columns: dict[Any, Any] = {}
    for name in table.columns:
        column = table[name]
        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype):
            columns[name] = _capped(column.cat.remove_unused_categories())
        elif pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
            columns[name] = column.astype(float)
        elif pd.api.types.is_datetime64_any_dtype(kind):
            naive = column.dt.tz_localize(None) if getattr(kind, "tz", None) else column
            columns[name] = (naive - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
            text = column.where(column.isna(), column.astype(str))
            columns[name] = _capped(text.astype("category"))
        else:
            raise InputError(
                f"feature column {name!r} has type {kind}; accepted: numbers, yes/no, dates, "
                "text and categories."
            )
    return pd.DataFrame(columns, index=table.index)


def _capped(column: pd.Series) -> pd.Series:
    # One level type for all, so that "(other)" can join and levels sort alike everywhere.
    column = column.cat.rename_categories([str(level) for level in column.cat.categories])
    if len(column.cat.categories) <= _MAX_LEVELS:
        return column
    kept = column.value_counts().index[: _MAX_LEVELS - 1]
    text = column.astype(object).where(column.isna() | column.isin(kept), "(other)")
    return text.astype("category")


class FeatureEncoder(TransformerMixin, BaseEstimator):
    """Turn features of any kind into plain numbers for a linear model.

    Numbers become their rank among the rows seen in ``fit``, scaled to mean 0 and
    variance 1, so that a few huge spenders do not rule the model; a missing one becomes 0
    with a column that marks it. Text and categories become one 0/1 column a level, missing
    included; a level not seen in ``fit`` is 0 in all of them.

    Attributes
    ----------
    n_features_in_ : int
        Columns seen in ``fit``.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import FeatureEncoder
    >>> table = pd.DataFrame({"age": [20.0, 30.0, 40.0], "channel": ["web", "web", "store"]})
    >>> encoder = FeatureEncoder().fit(table)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'channel=store', 'channel=web']
    >>> encoder.transform(table)[:, 1:].tolist()
    [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    """

    def fit(self, X: Any, y: Any = None) -> FeatureEncoder:
        """Learn ranks and levels.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            As for :func:`encode_features`.
        y : ignored

        Returns
        -------
        self
        """
        table = encode_features(_frame(X))
        self.n_features_in_ = table.shape[1]
        self.columns_ = list(table.columns)
        self.plan_: list[tuple[str, Any]] = []
        names: list[str] = []
        for name in self.columns_:
            column = table[name]
            if isinstance(column.dtype, pd.CategoricalDtype):
                levels = list(column.cat.categories)
                self.plan_.append(("levels", (levels, bool(column.isna().any()))))
                names += [f"{name}={level}" for level in levels]
            else:
                values = column.to_numpy(dtype=float)
                self.plan_.append(("rank", _rank_table(values)))
                names.append(str(name))
            if column.isna().any():
                names.append(f"{name} missing")
        self._names_out = np.array(names, dtype=object)
        return self

    def transform(self, X: Any) -> Floats:
        """Return the encoded features.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            With the columns seen in ``fit``.

        Returns
        -------
        ndarray of float, shape (n_rows, n_encoded)
        """
        check_is_fitted(self, "plan_")
        frame = _frame(X)
        absent = [name for name in self.columns_ if name not in frame.columns]
        if absent:
            raise InputError(f"X has no column {absent[0]!r}, which the model learned from.")
        table = encode_features(frame[self.columns_])
        parts: list[Floats] = []
        for name, (kind, plan) in zip(self.columns_, self.plan_, strict=True):
            column = table[name]
            if kind == "levels":
                levels, has_missing = plan
                place = pd.Index(levels, dtype=object).get_indexer(column.cat.categories)
                codes = np.append(place, -1)[column.cat.codes]  # code -1 (missing) finds -1
                parts.append((codes[:, None] == np.arange(len(levels))).astype(float))
            else:
                known, rank, has_missing = plan
                values = column.to_numpy(dtype=float)
                parts.append(np.nan_to_num(np.interp(values, known, rank))[:, None])
            if has_missing:
                parts.append(column.isna().to_numpy(dtype=float)[:, None])
        return np.hstack(parts)

    def get_feature_names_out(self) -> NDArray[Any]:
        """Return the names of ``transform``'s columns."""
        check_is_fitted(self, "plan_")
        return self._names_out


def _frame(X: Any) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X
    values = np.asarray(X)
    if values.ndim != 2:
        raise InputError(f"X has {values.ndim} dimensions; two are needed (rows, features).")
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])


def _rank_table(values: Floats) -> tuple[Floats, Floats, bool]:
    """Return values and their scaled middle ranks, at most 1,001 points of each."""
    missing = np.isnan(values)
    present = values[~missing]
    if not present.size:
        return np.array([0.0]), np.array([0.0]), bool(missing.any())
    known, count = np.unique(present, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / present.size
    if known.size > 1001:
        at = np.unique(np.linspace(0, known.size - 1, 1001).round().astype(np.int64))
        known, middle = known[at], middle[at]
    rank = np.interp(present, known, middle)
    spread = float(rank.std())
    return known, (middle - rank.mean()) / (spread if spread > 0 else 1.0), bool(missing.any())


def _default_estimator(y: Floats) -> BaseEstimator:
    """Return a plain regularised model: effects are weak signals, and trees chase noise."""
    if _is_binary(y):
        return make_pipeline(FeatureEncoder(), LogisticRegression(C=0.1, max_iter=500))
    return make_pipeline(FeatureEncoder(), Ridge(alpha=10.0))


# ------------------------------------------------------------------------- learners


class _Response:
    """One fitted model of the outcome: an expectation for each row."""

    def __init__(self, estimator: Any, X: Any, y: Floats, **fit_params: Any) -> None:
        self.constant: float | None = None
        self.model: Any = None
        if is_classifier(estimator) and not _is_binary(y):
            raise InputError(
                f"{type(estimator).__name__} is a classifier, but y is not 0/1; "
                "use a regressor for amounts."
            )
        if np.ptp(y) == 0:  # nothing to learn, and many classifiers refuse one class
            self.constant = float(y[0])
            return
        target = y.astype(np.int64) if is_classifier(estimator) else y
        self.model = clone(estimator).fit(X, target, **fit_params)

    def predict(self, X: Any) -> Floats:
        if self.constant is not None:
            return np.full(len(X), self.constant)
        if is_classifier(self.model):
            return np.asarray(self.model.predict_proba(X), dtype=float)[:, 1]
        return np.asarray(self.model.predict(X), dtype=float)


class _UpliftLearner(BaseEstimator):
    """What the learners share: checking, and one arm against control."""

    def fit(self, X: Any, y: ArrayLike, treatment: ArrayLike) -> Any:
        """Learn the effect of the treatment.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Features as the estimator takes them; nothing measured after the treatment.
        y : array-like of shape (n_rows,)
            The outcome: 0/1, or an amount where the estimator is a regressor.
        treatment : array-like of shape (n_rows,)
            1 or True for treated, 0 or False for control.

        Returns
        -------
        self

        Raises
        ------
        InputError
            If rows do not match, a value is missing, or an arm is empty.
        """
        outcome, treated = _check_fit(X, y, treatment)
        self.treated_share_ = float(treated.mean())
        self._fit(X, outcome, treated)
        return self

    def predict_uplift(self, X: Any) -> Floats:
        """Predict each row's effect, treated minus control.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            As in ``fit``.

        Returns
        -------
        ndarray of float, shape (n_rows,)
            In the outcome's unit; for 0/1 outcomes between -1 and 1.
        """
        check_is_fitted(self, "treated_share_")
        return self._predict(X)


class TLearner(_UpliftLearner):
    """Two models, one of the treated and one of the control; the uplift is the difference.

    Parameters
    ----------
    estimator : scikit-learn classifier or regressor, optional
        Cloned for each arm. By default a regularised logistic (or, for amounts, ridge)
        regression on a :class:`FeatureEncoder`, which takes missing values and text.

    Attributes
    ----------
    treated_share_ : float
        Share of treated people seen in ``fit``.

    References
    ----------
    Künzel et al. (2019), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from ethicalai_lab.personalization import TLearner
    >>> x = np.arange(8.0).reshape(-1, 1)
    >>> t = np.array([0, 1] * 4)
    >>> learner = TLearner(LinearRegression()).fit(x, 1 + 2 * x[:, 0] * t, t)
    >>> learner.predict_uplift([[3.0], [5.0]]).round(6).tolist()
    [6.0, 10.0]
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def _fit(self, X: Any, y: Floats, treated: NDArray[np.bool_]) -> None:
        estimator = self.estimator if self.estimator is not None else _default_estimator(y)
        self.treated_ = _Response(estimator, *_part(treated, X, y))
        self.control_ = _Response(estimator, *_part(~treated, X, y))

    def _predict(self, X: Any) -> Floats:
        return self.treated_.predict(X) - self.control_.predict(X)


class XLearner(_UpliftLearner):
    """Impute each person's effect with the other arm's model, then learn the effects.

    With ``m1, m0`` the two outcome models, the imputed effects are ``y - m0(x)`` among the
    treated and ``m1(x) - y`` among the control. One model of each is averaged with weight
    ``1 - e`` and ``e``, where ``e`` is the share of the treated, so that the model
    resting on the better outcome model counts more.

    Parameters
    ----------
    estimator : scikit-learn classifier or regressor, optional
        The outcome models; the default is that of :class:`TLearner`.
    effect_estimator : scikit-learn regressor, optional
        The effect models; by default ``estimator`` itself where it is a regressor, ridge
        regression on a :class:`FeatureEncoder` otherwise.

    Attributes
    ----------
    treated_share_ : float
        Share of treated people seen in ``fit``.

    References
    ----------
    Künzel et al. (2019), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from ethicalai_lab.personalization import XLearner
    >>> x = np.arange(8.0).reshape(-1, 1)
    >>> t = np.array([0, 1] * 4)
    >>> learner = XLearner(LinearRegression()).fit(x, 1 + 2 * x[:, 0] * t, t)
    >>> learner.predict_uplift([[3.0], [5.0]]).round(6).tolist()
    [6.0, 10.0]
    """

    def __init__(self, estimator: Any = None, effect_estimator: Any = None) -> None:
        self.estimator = estimator
        self.effect_estimator = effect_estimator

    def _fit(self, X: Any, y: Floats, treated: NDArray[np.bool_]) -> None:
        estimator = self.estimator if self.estimator is not None else _default_estimator(y)
        X1, y1 = _part(treated, X, y)
        X0, y0 = _part(~treated, X, y)
        effect1 = y1 - _Response(estimator, X0, y0).predict(X1)
        effect0 = _Response(estimator, X1, y1).predict(X0) - y0
        second = self.effect_estimator
        if second is None:
            own = self.estimator is not None and not is_classifier(self.estimator)
            second = self.estimator if own else _default_estimator(np.array([0.5]))
        if is_classifier(second):
            raise InputError("effect_estimator must be a regressor: effects are amounts.")
        self.effect_treated_ = _Response(second, X1, effect1)
        self.effect_control_ = _Response(second, X0, effect0)

    def _predict(self, X: Any) -> Floats:
        chance = self.treated_share_
        return (1 - chance) * self.effect_treated_.predict(X) + chance * (
            self.effect_control_.predict(X)
        )


class ClassTransformation(_UpliftLearner):
    """One classifier of ``Z``: treated and bought, or control and did not.

    Where both arms are equally likely, ``uplift = 2 P(Z = 1 | x) - 1``. Unequal arms are
    weighted as if they were equal, so the estimator must take ``sample_weight`` then.

    Parameters
    ----------
    estimator : scikit-learn classifier, optional
        The default is that of :class:`TLearner`.

    Attributes
    ----------
    treated_share_ : float
        Share of treated people seen in ``fit``.

    References
    ----------
    Jaskowski and Jaroszewicz (2012), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from ethicalai_lab.personalization import ClassTransformation
    >>> X = np.repeat([[0], [1]], 4, axis=0)
    >>> t = np.array([0, 0, 1, 1] * 2)
    >>> y = np.array([0, 1, 1, 0, 0, 0, 1, 1])  # the mail changes only group 1
    >>> learner = ClassTransformation(DecisionTreeClassifier()).fit(X, y, t)
    >>> learner.predict_uplift([[0], [1]]).tolist()
    [0.0, 1.0]
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def _fit(self, X: Any, y: Floats, treated: NDArray[np.bool_]) -> None:
        if not _is_binary(y):
            raise InputError("ClassTransformation needs a 0/1 outcome; y holds other values.")
        estimator = self.estimator if self.estimator is not None else _default_estimator(y)
        if not is_classifier(estimator):
            raise InputError("ClassTransformation needs a classifier as its estimator.")
        z = np.where(treated, y, 1 - y)
        params = {}
        share = self.treated_share_
        if share != 0.5:
            # scikit-learn pipelines take weights by the name of their last step.
            steps = getattr(estimator, "steps", None)
            name = f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"
            params[name] = np.where(treated, 0.5 / share, 0.5 / (1 - share))
        self.transformed_ = _Response(estimator, X, z, **params)

    def _predict(self, X: Any) -> Floats:
        return 2 * self.transformed_.predict(X) - 1


# -------------------------------------------------------------------- cross-fitting


def cross_fit_uplift(
    learner: Any,
    X: Any,
    y: ArrayLike,
    treatment: ArrayLike,
    cv: int = 5,
    seed: int = 0,
    *,
    control: Any = None,
    return_noise: bool = False,
) -> Any:
    """Predict everybody's uplift out of fold: by a model that has not seen them.

    Parameters
    ----------
    learner : uplift learner
        Cloned for each fold (and arm); every ``random_state`` left at None gets a seed.
    X : array-like or DataFrame of shape (n_rows, n_features)
        Features as the learner takes them.
    y : array-like of shape (n_rows,)
        The outcome.
    treatment : array-like of shape (n_rows,)
        0/1; or, together with ``control``, the labels of any number of arms.
    cv : int, default 5
        Folds, at least 2; arms, and outcomes within them, are spread evenly.
    seed : int, default 0
        Source of every draw.
    control : label, optional
        The untreated arm; each other arm is then compared with it.
    return_noise : bool, default False
        Whether to return the noise share as well.

    Returns
    -------
    uplift : ndarray of shape (n_rows,), or DataFrame
        Predicted uplift of the 0/1 treatment; with ``control`` given, a DataFrame with one
        column an arm, indexed like ``X``. Everybody is scored for each arm.
    noise : float, or Series of float
        Only with ``return_noise``. Share (0..1) of the scores' variance that is noise of
        learning, judged by how far the fold models disagree; one value an arm with
        ``control``. Give it to :func:`~ethicalai_lab.personalization.evaluate_ranking`:
        the models of different folds share rows, so errors of the folds add up.

    Raises
    ------
    InputError
        If rows do not match, a value is missing, or an arm has fewer rows than folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from ethicalai_lab.personalization import TLearner, cross_fit_uplift
    >>> rng = np.random.default_rng(0)
    >>> x, t = rng.random((400, 1)), rng.integers(0, 2, 400)
    >>> y = x[:, 0] * t + rng.normal(0, 0.1, 400)
    >>> uplift = cross_fit_uplift(TLearner(LinearRegression()), x, y, t)
    >>> bool(np.corrcoef(uplift, x[:, 0])[0, 1] > 0.99)
    True
    """
    if control is None:
        outcome, treated = _check_fit(X, y, treatment)
        arms, labels, control_label = [1], treated.astype(np.int64), 0
    else:
        outcome = _check_outcome(X, y)
        arms, labels = arms_of(treatment, control, outcome.size)
        control_label = control
    for level in [control_label, *arms]:
        size = int((labels == level).sum())
        if size < cv:
            raise InputError(f"arm {level!r} has {size} rows; {cv} folds need at least {cv}.")
    codes = np.unique(labels.astype(str), return_inverse=True)[1].ravel()
    folds = spread_folds(codes, cv, seed, outcome)

    # A sample is enough to see how far the models disagree.
    sample = np.zeros(outcome.size, dtype=bool)
    sample[np.random.default_rng([seed, 1]).permutation(outcome.size)[:_NOISE_ROWS]] = True
    sample_X = _take(X, sample) if return_noise else None
    found = np.empty((outcome.size, len(arms)))
    compared = np.empty((cv, len(arms), int(sample.sum())))
    for fold in range(cv):
        held = folds == fold
        held_X = _take(X, held)
        for j, arm in enumerate(arms):
            rows = ~held & ((labels == arm) | (labels == control_label))
            model = _seeded(clone(learner), seed + fold)
            model.fit(_take(X, rows), outcome[rows], labels[rows] == arm)
            found[held, j] = model.predict_uplift(held_X)
            if return_noise:
                compared[fold, j] = model.predict_uplift(sample_X)
    if control is None:
        uplift: Any = found[:, 0]
    else:
        uplift = pd.DataFrame(found, columns=arms, index=X.index if hasattr(X, "index") else None)
    if not return_noise:
        return uplift
    noise = [_noise_share(compared[:, j]) for j in range(len(arms))]
    return uplift, noise[0] if control is None else pd.Series(noise, index=arms)


def _noise_share(scores: Floats) -> float:
    """Estimate the share of noise in scores of shape (n_models, n_rows) from fold models.

    Two of ``cv`` fold models differ in 1 of the ``cv - 1`` folds each learned from, so
    their difference has ``2 / (cv - 1)`` times the variance of one model's noise.
    """
    cv = scores.shape[0]
    total = float(np.mean(np.var(scores, axis=1)))
    if total == 0:
        return 1.0
    centred = scores - scores.mean(axis=1, keepdims=True)
    # Mean over ordered pairs of the squared difference, from the spread around the mean.
    difference = 2 * float(np.mean(np.var(centred, axis=0, ddof=1)))
    return min(1.0, (cv - 1) / 2 * difference / total)


def response_scores(
    estimator: Any, X: Any, y: ArrayLike, treatment: ArrayLike | None = None
) -> Floats:
    """Predict out of fold who will *respond*: the classic mistake to compare with.

    A response model ranks people by the outcome to expect, not by what the message adds:
    it mails sure buyers, who would have come anyway.

    Parameters
    ----------
    estimator : scikit-learn classifier or regressor, or None
        None for the default of the learners.
    X : array-like or DataFrame of shape (n_rows, n_features)
        Features as the estimator takes them.
    y : array-like of shape (n_rows,)
        The outcome.
    treatment : array-like of shape (n_rows,), optional
        0/1. Where given, the model learns from treated people only, as a team would that
        keeps no control group; everybody is scored all the same.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        Probability of a 0/1 outcome, or the expected amount.

    Raises
    ------
    InputError
        If rows do not match or a value is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from ethicalai_lab.personalization import response_scores
    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((500, 1))
    >>> bought = rng.random(500) < x[:, 0]
    >>> scores = response_scores(LogisticRegression(), x, bought)
    >>> bool(np.corrcoef(scores, x[:, 0])[0, 1] > 0.9)
    True
    """
    outcome = _check_outcome(X, y)
    learn = np.ones(outcome.size, dtype=bool)
    if treatment is not None:
        learn = arms_of(treatment, 0, outcome.size)[1] != 0
    folds = spread_folds(learn.astype(np.int64), 5, 0, outcome)
    estimator = _default_estimator(outcome) if estimator is None else estimator
    found = np.empty(outcome.size)
    for fold in range(5):
        held = folds == fold
        rows = ~held & learn
        model = _Response(_seeded(clone(estimator), fold), _take(X, rows), outcome[rows])
        found[held] = model.predict(_take(X, held))
    return found


# -------------------------------------------------------------------------- helpers


def _is_binary(x: NDArray[Any]) -> bool:
    return bool(np.all((x == 0) | (x == 1)))


def _take(X: Any, mask: NDArray[np.bool_]) -> Any:
    return _safe_indexing(X, np.flatnonzero(mask))


def _part(mask: NDArray[np.bool_], X: Any, y: Floats) -> tuple[Any, Floats]:
    return _take(X, mask), y[mask]


def _check_outcome(X: Any, y: ArrayLike) -> Floats:
    outcome = check_value(y, Numbers, "y")
    same_length(X=X, y=outcome)
    return outcome


def _check_fit(X: Any, y: ArrayLike, treatment: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    outcome = _check_outcome(X, y)
    treated = check_value(treatment, Flags, "treatment")
    same_length(y=outcome, treatment=treated)
    if not 0 < treated.sum() < treated.size:
        raise InputError("treatment needs both treated (1) and control (0) people.")
    return outcome, treated


def spread_folds(
    strata: NDArray[np.int64], cv: int, seed: int, outcome: Floats | None = None
) -> NDArray[np.int64]:
    """Deal rows to folds, evenly within strata and by outcome.

    Uneven outcomes would make each fold's model err in the direction opposite to the fold.

    Parameters
    ----------
    strata : ndarray of int, shape (n,)
    cv : int
        Folds, from 2 to n.
    seed : int
    outcome : ndarray of float, shape (n,), optional

    Returns
    -------
    ndarray of int, shape (n,)
        Each row's fold, from 0.

    Examples
    --------
    >>> import numpy as np
    >>> sorted(spread_folds(np.array([0, 0, 1, 1]), 2, seed=0)[:2].tolist())
    [0, 1]
    """
    n = strata.size
    check_value(cv, whole(2, n), "cv")
    # A stream of our own: features drawn from the same seed must not tell the folds.
    rng = np.random.default_rng([seed, 0xF01D])
    value = np.zeros(n) if outcome is None else outcome
    order = np.lexsort((rng.random(n), value, strata))
    blocks = -(-n // cv)  # each block of cv neighbours gets every fold once
    dealt = rng.permuted(np.tile(np.arange(cv), (blocks, 1)), axis=1).ravel()[:n]
    folds = np.empty(n, dtype=np.int64)
    folds[order] = dealt
    return folds


def _seeded(estimator: Any, seed: int) -> Any:
    """Give every ``random_state`` that was left open a seed."""
    params = estimator.get_params(deep=True)
    open_states = {
        name: seed
        for name, value in params.items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    return estimator.set_params(**open_states) if open_states else estimator
