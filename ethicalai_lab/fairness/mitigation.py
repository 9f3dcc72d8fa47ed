"""Mitigate disparities, and compare what each way costs and whom.

Every way has one face: ``fit(X, y)``, ``predict(X)``, with the protected columns named by
``sensitive`` (then taken out of ``X``, so that a pipeline needs nothing more) or handed over
as ``sensitive_features``. None of them makes a decision fair; each trades one gap for
something else, and :func:`compare_mitigations` says what.

References
----------
Kamiran, F. and Calders, T. (2012). Data preprocessing techniques for classification without
discrimination. Knowledge and Information Systems 33(1), 1-33.

Hardt, M., Price, E. and Srebro, N. (2016). Equality of opportunity in supervised learning.
NeurIPS 29.

Agarwal, A., Beygelzimer, A., Dudik, M., Langford, J. and Wallach, H. (2018). A reductions
approach to fair classification. ICML, PMLR 80, 60-69.

Corbett-Davies, S., Pierson, E., Feller, A., Goel, S. and Huq, A. (2017). Algorithmic
decision making and the cost of fairness. KDD 2017, 797-806.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.fairness._bounds import difference_reach
from ethicalai_lab.fairness._coding import (
    FairnessInputError,
    binary,
    combine,
    factor,
    features,
    numbers,
)
from ethicalai_lab.fairness.auditing import audit
from ethicalai_lab.stats import mean_interval, wilson_bounds

__all__ = [
    "CorrelationRemoval",
    "ExponentiatedGradientReduction",
    "GridSearchReduction",
    "GroupThresholds",
    "MitigationComparison",
    "ProfitThresholds",
    "Resampling",
    "Reweighing",
    "Unmitigated",
    "compare_mitigations",
    "reweighing_weights",
]

_CONSTRAINTS = ("demographic_parity", "equal_opportunity", "equalized_odds")


def reweighing_weights(y: Any, sensitive_features: Any) -> np.ndarray:
    """Return Kamiran and Calders' weights, ``P(a) P(y) / P(a, y)``.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Outcomes, 0/1.
    sensitive_features : array-like, Series, DataFrame or dict
        Groups; several columns give their intersections.

    Returns
    -------
    ndarray of shape (n_rows,)
        Mean 1. With these weights outcome and group are independent.

    Raises
    ------
    FairnessInputError
        If a column cannot be used.

    References
    ----------
    Kamiran and Calders (2012), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import reweighing_weights
    >>> reweighing_weights([1, 1, 0, 1, 0, 0], list("aaabbb")).tolist()
    [0.75, 0.75, 1.5, 1.5, 0.75, 0.75]
    """
    outcome = binary(y, "y")
    group, _ = _group_codes(sensitive_features, outcome.size)
    n = outcome.size
    k = int(group.max()) + 1
    joint = np.bincount(group * 2 + outcome, minlength=2 * k).reshape(k, 2)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(joint > 0, expected / joint, 0.0)[group, outcome]
    # A group without one of the outcomes leaves weight unspent.
    return weight * n / weight.sum()


class _Mitigation(ClassifierMixin, BaseEstimator):
    """The common face: encode, fit, decide."""

    uses_group_at_decision = False
    is_randomised = False

    def __init__(self, estimator=None, *, sensitive=None, threshold=0.5, seed=0):
        self.estimator = estimator
        self.sensitive = sensitive
        self.threshold = threshold
        self.seed = seed

    def fit(self, X, y, sensitive_features=None):
        """Fit on rows with known groups.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Numbers or categories, without missing values.
        y : array-like of shape (n_rows,)
            Outcomes, 0/1.
        sensitive_features : array-like, Series, DataFrame or dict, optional
            Groups, where ``sensitive`` does not name columns of ``X``.

        Returns
        -------
        self
        """
        if not 0 < self.threshold < 1:
            raise FairnessInputError(
                f"threshold is {self.threshold}; it must lie between 0 and 1: the cost of a "
                "contact over the value of a response."
            )
        outcome = binary(y, "y")
        if outcome.min() == outcome.max():
            raise FairnessInputError(f"y holds only {outcome[0]}; both outcomes are needed.")
        table, group = self._split(X, sensitive_features, outcome.size)
        if group is None:
            raise FairnessInputError(
                "fit needs groups: name columns with 'sensitive' or give sensitive_features."
            )
        self.groups_ = list(pd.unique(group))
        self.encoder_ = _Encoder().fit(table)
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = table.shape[1]
        self._fit(self.encoder_.transform(table), outcome, group)
        return self

    def predict(self, X, sensitive_features=None):
        """Decide.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            As in ``fit``.
        sensitive_features : array-like, Series, DataFrame or dict, optional
            Needed only where ``uses_group_at_decision``.

        Returns
        -------
        ndarray of int, shape (n_rows,)
            1 where the person is selected. Randomised rules draw from ``seed``, so that
            the same people get the same answer.
        """
        check_is_fitted(self, "encoder_")
        table, group = self._split(X, sensitive_features, len(X))
        if self.uses_group_at_decision:
            if group is None:
                raise FairnessInputError(
                    f"{type(self).__name__} decides by group: give sensitive_features."
                )
            unknown = set(pd.unique(group)) - set(self.groups_)
            if unknown:
                raise FairnessInputError(
                    f"group {sorted(map(str, unknown))[0]!r} was not seen in fit; known: "
                    f"{', '.join(map(str, self.groups_))}."
                )
        return np.asarray(self._predict(self.encoder_.transform(table), group)).astype(int)

    # ---------------------------------------------------------------- inner steps

    def _fit(self, X, y, group):
        self._train(X, y, None)

    def _predict(self, X, group):
        return self.estimator_.predict_proba(X)[:, 1] >= self.threshold

    def _base(self):
        if self.estimator is not None:
            return clone(self.estimator)
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=1000)

    def _train(self, X, y, weight):
        self.estimator_ = self._base()
        extra = {} if weight is None else {_weight_name(self.estimator_): weight}
        self.estimator_.fit(X, y, **extra)

    def _split(self, X, sensitive_features, n):
        table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
        if len(table) != n:
            raise FairnessInputError(f"X has {len(table):,} rows where y has {n:,}.")
        group = None
        if self.sensitive is not None:
            names = [self.sensitive] if isinstance(self.sensitive, str) else list(self.sensitive)
            for name in names:
                if name not in table:
                    raise FairnessInputError(
                        f"sensitive names column {name!r}, which X lacks; it has "
                        f"{', '.join(map(str, table.columns))}."
                    )
            if sensitive_features is None:
                sensitive_features = table[names]
            table = table.drop(columns=names)
        if sensitive_features is not None:
            codes, labels = _group_codes(sensitive_features, n)
            group = np.asarray(labels, dtype=object)[codes]
        return table, group


class Unmitigated(_Mitigation):
    """The plain model: whoever reaches the threshold is selected.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, optional
        Logistic regression by default.
    sensitive : str or list of str, optional
        Protected columns of ``X``; they are not used as features.
    threshold : float, default 0.5
        Probability from which selecting pays: the cost of a contact over the value of a
        response.
    seed : int, default 0
        Source of every draw.

    Examples
    --------
    >>> from ethicalai_lab.fairness import Unmitigated
    >>> model = Unmitigated().fit([[0], [1], [2], [3]] * 5, [0, 0, 1, 1] * 5, ["a", "b"] * 10)
    >>> model.predict([[0], [3]]).tolist()
    [0, 1]
    """

    def predict_proba(self, X):
        """Return the model's chances, before the threshold.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n_rows, 2)
            Chance of no response and of a response.
        """
        check_is_fitted(self, "encoder_")
        table, _ = self._split(X, None, len(X))
        return self.estimator_.predict_proba(self.encoder_.transform(table))


class Reweighing(_Mitigation):
    """Weigh rows so that outcome and group are independent, then fit.

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`; the estimator must take ``sample_weight``.

    References
    ----------
    Kamiran and Calders (2012), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import Reweighing
    >>> model = Reweighing().fit([[0], [1], [2], [3]] * 5, [0, 0, 1, 1] * 5, ["a", "b"] * 10)
    >>> model.predict([[0], [3]]).tolist()
    [0, 1]
    """

    def _fit(self, X, y, group):
        self._train(X, y, reweighing_weights(y, group))


class Resampling(_Mitigation):
    """Draw rows so that outcome and group are independent, then fit.

    For estimators that take no weights. Each cell of group and outcome is drawn to the size
    that independence expects: cells that are too large lose rows, the others repeat some.

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`.

    References
    ----------
    Kamiran and Calders (2012), uniform sampling, see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import Resampling
    >>> model = Resampling().fit([[0], [1], [2], [3]] * 5, [0, 0, 1, 1] * 5, ["a", "b"] * 10)
    >>> model.predict([[0], [3]]).tolist()
    [0, 1]
    """

    def _fit(self, X, y, group):
        codes, _ = factor(group, "sensitive_features")
        weight = reweighing_weights(y, group)
        rng = np.random.default_rng(self.seed)
        rows = []
        for cell in np.unique(codes * 2 + y):
            members = np.flatnonzero(codes * 2 + y == cell)
            size = max(1, round(weight[members[0]] * members.size))
            whole, rest = divmod(size, members.size)
            rows += [members] * whole + [rng.choice(members, rest, replace=False)]
        chosen = np.sort(np.concatenate(rows))
        self._train(X[chosen], y[chosen], None)


class CorrelationRemoval(_Mitigation):
    """Project what goes with the group out of the features, then fit (fairlearn).

    It removes linear correlation from the features. It aims at no gap in particular, and
    reads the group at decision time to do so.

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`.
    alpha : float, default 1.0
        How much of the correlation to remove, from 0 to 1.

    References
    ----------
    Weerts, H. et al. (2023). Fairlearn: assessing and improving fairness of AI systems. JMLR
    24(257), 1-8.

    Examples
    --------
    >>> from ethicalai_lab.fairness import CorrelationRemoval
    >>> X, group = [[0], [1], [2], [3]] * 5, ["a", "b"] * 10
    >>> model = CorrelationRemoval().fit(X, [0, 0, 1, 1] * 5, group)
    >>> model.predict([[0], [3]], ["a", "b"]).tolist()
    [0, 1]
    """

    uses_group_at_decision = True

    def __init__(self, estimator=None, *, sensitive=None, threshold=0.5, seed=0, alpha=1.0):
        super().__init__(estimator, sensitive=sensitive, threshold=threshold, seed=seed)
        self.alpha = alpha

    def _with_group(self, X, group):
        # One level is redundant: the others tell when it applies.
        columns = [(group == level).astype(float) for level in self.groups_[1:]]
        # fairlearn 0.14 centres all of them by one grand mean, which leaves correlation
        # behind with three groups or more: hand over columns that are centred already
        columns = [column - mean for column, mean in zip(columns, self.shares_, strict=True)]
        return np.column_stack([*columns, X]), list(range(len(columns)))

    def _fit(self, X, y, group):
        from fairlearn.preprocessing import CorrelationRemover

        self.shares_ = [float((group == level).mean()) for level in self.groups_[1:]]

        if not 0 <= self.alpha <= 1:
            raise FairnessInputError(f"alpha is {self.alpha}; it must lie in [0, 1].")
        wide, ids = self._with_group(X, group)
        self.remover_ = CorrelationRemover(sensitive_feature_ids=ids, alpha=self.alpha)
        self._train(self.remover_.fit_transform(wide), y, None)

    def _predict(self, X, group):
        wide, _ = self._with_group(X, group)
        return super()._predict(self.remover_.transform(wide), group)


class GroupThresholds(_Mitigation):
    """A threshold for each group that equalises a rate (fairlearn's ThresholdOptimizer).

    The rule is randomised in general, and treats people by group at decision time, which
    may itself be unlawful.

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`. ``threshold`` weighs nothing here: the rule seeks the
        best ``objective``, which knows no cost. :class:`ProfitThresholds` does.
    constraint : {"demographic_parity", "equal_opportunity", "equalized_odds"}
        What to equalise.
    objective : str, default "balanced_accuracy_score"
        As in fairlearn.

    References
    ----------
    Hardt, Price and Srebro (2016), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import GroupThresholds
    >>> X, group = [[0], [1], [2], [3]] * 5, ["a", "a", "b", "b"] * 5
    >>> model = GroupThresholds().fit(X, [0, 1, 0, 1] * 5, group)
    >>> model.predict([[0], [1], [2], [3]], ["a", "a", "b", "b"]).tolist()
    [0, 1, 0, 1]
    """

    uses_group_at_decision = True
    is_randomised = True

    def __init__(
        self,
        estimator=None,
        *,
        sensitive=None,
        threshold=0.5,
        seed=0,
        constraint="demographic_parity",
        objective="balanced_accuracy_score",
    ):
        super().__init__(estimator, sensitive=sensitive, threshold=threshold, seed=seed)
        self.constraint = constraint
        self.objective = objective

    def _fit(self, X, y, group):
        from fairlearn.postprocessing import ThresholdOptimizer

        _check_constraint(self.constraint)
        for level in self.groups_:
            if len(set(y[group == level])) < 2:
                raise FairnessInputError(
                    f"group {level!r} has only one outcome; thresholds need both in each group."
                )
        name = self.constraint
        self.optimizer_ = ThresholdOptimizer(
            estimator=self._base(),
            constraints="true_positive_rate_parity" if name == "equal_opportunity" else name,
            objective=self.objective,
            predict_method="predict_proba",
        )
        with _quiet():
            self.optimizer_.fit(X, y, sensitive_features=group)

    def _predict(self, X, group):
        with _quiet():
            return self.optimizer_.predict(X, sensitive_features=group, random_state=self.seed)


class _Reduction(_Mitigation):
    def __init__(
        self,
        estimator=None,
        *,
        sensitive=None,
        threshold=0.5,
        seed=0,
        constraint="demographic_parity",
        tolerance=0.02,
    ):
        super().__init__(estimator, sensitive=sensitive, threshold=threshold, seed=seed)
        self.constraint = constraint
        self.tolerance = tolerance

    def _parts(self):
        from fairlearn.reductions import (
            DemographicParity,
            EqualizedOdds,
            ErrorRate,
            TruePositiveRateParity,
        )

        _check_constraint(self.constraint)
        if not 0 < self.tolerance < 1:
            raise FairnessInputError(f"tolerance is {self.tolerance}; it must lie between 0 and 1.")
        parity = {
            "demographic_parity": DemographicParity,
            "equal_opportunity": TruePositiveRateParity,
            "equalized_odds": EqualizedOdds,
        }[self.constraint]
        # Selecting someone who does not respond costs the threshold, missing one the rest.
        costs = {"fp": float(self.threshold), "fn": float(1 - self.threshold)}

        moment = parity(difference_bound=self.tolerance)
        # The grid search asks its constraint for the objective. A partial, unlike a
        # subclass made here, can be pickled.
        moment.default_objective = partial(ErrorRate, costs=costs)
        return moment, ErrorRate(costs=costs)


class ExponentiatedGradientReduction(_Reduction):
    """Learn under a parity constraint: a randomised mix of models (fairlearn).

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`; the estimator must take ``sample_weight``.
    constraint : {"demographic_parity", "equal_opportunity", "equalized_odds"}
        What to equalise, in the training rows.
    tolerance : float, default 0.02
        Largest difference to allow, in (0, 1).
    max_iter : int, default 30
        The most rounds; each fits one model or more.

    References
    ----------
    Agarwal et al. (2018), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import ExponentiatedGradientReduction
    >>> X, y = [[0], [1], [2], [3]] * 5, [0, 0, 1, 1] * 5
    >>> model = ExponentiatedGradientReduction(max_iter=2).fit(X, y, ["a", "b"] * 10)
    >>> model.predict([[0], [3]]).tolist()
    [0, 1]
    """

    is_randomised = True

    def __init__(
        self,
        estimator=None,
        *,
        sensitive=None,
        threshold=0.5,
        seed=0,
        constraint="demographic_parity",
        tolerance=0.02,
        max_iter=30,
    ):
        super().__init__(
            estimator,
            sensitive=sensitive,
            threshold=threshold,
            seed=seed,
            constraint=constraint,
            tolerance=tolerance,
        )
        self.max_iter = max_iter

    def _fit(self, X, y, group):
        from fairlearn.reductions import ExponentiatedGradient

        parity, objective = self._parts()
        base = self._base()
        self.reduction_ = ExponentiatedGradient(
            base,
            parity,
            objective=objective,
            eps=self.tolerance,
            max_iter=self.max_iter,
            sample_weight_name=_weight_name(base),
        )
        with _quiet():
            self.reduction_.fit(X, y, sensitive_features=group)

    def _predict(self, X, group):
        with _quiet():
            return self.reduction_.predict(X, random_state=self.seed)


class GridSearchReduction(_Reduction):
    """Learn under a parity constraint: the best of a grid of models (fairlearn).

    Not randomised, and coarser than :class:`ExponentiatedGradientReduction`.

    Parameters
    ----------
    estimator, sensitive, threshold, seed, constraint, tolerance
        As in :class:`ExponentiatedGradientReduction`.
    grid_size : int, default 15
        Models to fit. With many groups the grid is thin.
    constraint_weight : float, default 0.5
        Weight of the gap, against the error, in choosing among them; from 0 to 1.

    References
    ----------
    Agarwal et al. (2018), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import GridSearchReduction
    >>> X, y = [[0], [1], [2], [3]] * 5, [0, 0, 1, 1] * 5
    >>> model = GridSearchReduction(grid_size=5).fit(X, y, ["a", "b"] * 10)
    >>> model.predict([[0], [3]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        estimator=None,
        *,
        sensitive=None,
        threshold=0.5,
        seed=0,
        constraint="demographic_parity",
        tolerance=0.02,
        grid_size=15,
        constraint_weight=0.5,
    ):
        super().__init__(
            estimator,
            sensitive=sensitive,
            threshold=threshold,
            seed=seed,
            constraint=constraint,
            tolerance=tolerance,
        )
        self.grid_size = grid_size
        self.constraint_weight = constraint_weight

    def _fit(self, X, y, group):
        from fairlearn.reductions import GridSearch

        parity, _ = self._parts()
        base = self._base()
        self.reduction_ = GridSearch(
            base,
            parity,
            grid_size=self.grid_size,
            constraint_weight=self.constraint_weight,
            sample_weight_name=_weight_name(base),
        )
        with _quiet():
            self.reduction_.fit(X, y, sensitive_features=group)

    def _predict(self, X, group):
        with _quiet():
            return self.reduction_.predict(X)


class ProfitThresholds(_Mitigation):
    """The most profitable threshold a group that keeps a gap within a tolerance.

    A person selected is expected to bring ``p - threshold`` (in units of a response's
    value), with ``p`` from a cross-fitted model. The rule maximises the sum over all people,
    among thresholds by group whose rates differ by at most ``tolerance``. It is not
    randomised; it treats people by group at decision time, which may itself be unlawful.

    Parameters
    ----------
    estimator, sensitive, threshold, seed
        As in :class:`Unmitigated`.
    constraint : {"demographic_parity", "equal_opportunity"} or None
        Which rate may differ by at most ``tolerance``; for equal opportunity the rate is
        estimated as the share of expected responses that is reached. None leaves profit
        alone, which gives every group the same threshold.
    tolerance : float, default 0.02
        In [0, 1]; met on the training rows to within one person.
    folds : int, default 3
        Folds of the cross-fitting, at least 2.

    References
    ----------
    Corbett-Davies et al. (2017), see the module: the best rule under such a constraint is
    a threshold for each group.

    Examples
    --------
    >>> from ethicalai_lab.fairness import ProfitThresholds
    >>> X, group = [[0], [1], [2], [3]] * 6, ["a", "a", "b", "b"] * 6
    >>> model = ProfitThresholds(tolerance=0.0).fit(X, [0, 0, 1, 1] * 6, group)
    >>> chosen = model.predict(X, group)
    >>> bool(chosen[:2].sum() == chosen[2:4].sum())
    True
    """

    uses_group_at_decision = True

    def __init__(
        self,
        estimator=None,
        *,
        sensitive=None,
        threshold=0.5,
        seed=0,
        constraint="demographic_parity",
        tolerance=0.02,
        folds=3,
    ):
        super().__init__(estimator, sensitive=sensitive, threshold=threshold, seed=seed)
        self.constraint = constraint
        self.tolerance = tolerance
        self.folds = folds

    def _fit(self, X, y, group):
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        if self.constraint not in ("demographic_parity", "equal_opportunity", None):
            raise FairnessInputError(
                f"constraint is {self.constraint!r}; accepted are demographic_parity, "
                "equal_opportunity and None."
            )
        if not 0 <= self.tolerance <= 1:
            raise FairnessInputError(f"tolerance is {self.tolerance}; it must lie in [0, 1].")
        if self.folds < 2 or min(y.sum(), (1 - y).sum()) < self.folds:
            raise FairnessInputError(
                f"folds is {self.folds}; it must be at least 2 and at most the rarer outcome's rows."
            )
        split = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        p = cross_val_predict(self._base(), X, y, cv=split, method="predict_proba")[:, 1]
        self._train(X, y, None)
        self.thresholds_ = _best_thresholds(
            p, group, self.groups_, self.threshold, self.constraint, self.tolerance
        )

    def _predict(self, X, group):
        p = self.estimator_.predict_proba(X)[:, 1]
        cut = pd.Series(group).map(self.thresholds_).to_numpy(float)
        return p >= cut


def _best_thresholds(p, group, levels, cost, constraint, tolerance):
    """Search the window of rates with the highest profit; return a threshold by group."""
    if constraint is None:
        return dict.fromkeys(levels, float(cost))
    ordered, gains, reached = [], [], []
    for level in levels:
        s = np.sort(p[group == level])[::-1]
        ordered.append(s)
        gains.append(np.concatenate([[0.0], np.cumsum(s - cost)]))
        if constraint == "demographic_parity":
            reached.append(np.linspace(0, 1, s.size + 1))
        else:
            reached.append(np.concatenate([[0.0], np.cumsum(s)]) / s.sum())
    # The lowest rate of the best rule is a rate that some group can have: try each.
    lowest = np.unique(np.concatenate(reached))
    total = np.zeros(lowest.size)
    picks = []
    for gain, rates in zip(gains, reached, strict=True):
        first = np.minimum(np.searchsorted(rates, lowest - 1e-12), rates.size - 1)
        last = np.searchsorted(rates, lowest + tolerance + 1e-12, side="right") - 1
        # People come in order of profit, so within a window the nearest to the peak is best.
        # A group too small to have any rate in the window takes the next one it can have.
        pick = np.clip(int(np.argmax(gain)), first, np.maximum(first, last))
        total += gain[pick]
        picks.append(pick)
    best = int(np.argmax(total))
    result = {}
    for level, s, pick in zip(levels, ordered, picks, strict=True):
        k = int(pick[best])
        if k == 0:
            result[level] = float(s[0] + 1)
        elif k == s.size:
            result[level] = float(s[-1] - 1)
        else:  # halfway between the last one in and the first one out
            result[level] = float((s[k - 1] + s[k]) / 2)
    return result


# ----------------------------------------------------------------------- comparison


@dataclass(frozen=True)
class MitigationComparison:
    """What :func:`compare_mitigations` found, on rows no model was trained on.

    Attributes
    ----------
    table : DataFrame
        One row a method: ``gap`` (the constraint's difference between groups) with
        ``gap_low`` and ``gap_high``, ``value`` per 1,000 people with bounds,
        ``value_change`` against the first method with bounds, ``selection_rate``,
        ``accuracy_score``, ``uses_group`` (at decision time), ``randomised``, ``seconds``.
    who_pays : DataFrame
        One row a method and group, against the first method: ``people``,
        ``selected_before``, ``selected_after`` (rates), ``gained`` and ``lost`` (people
        newly selected, and no longer), ``change`` of the rate with bounds,
        ``responders_gained`` and ``responders_lost`` (those among them with the outcome),
        and ``value_change`` per 1,000 people of the group with bounds.
    decisions : DataFrame
        One row a held-out person, under the label it has in ``X`` (its position, where ``X``
        is an array); one 0/1 column a method.
    group : Series
        Their groups, under the same labels.
    constraint : str
        The gap that was compared.
    """

    table: pd.DataFrame
    who_pays: pd.DataFrame
    decisions: pd.DataFrame
    group: pd.Series
    constraint: str

    def _repr_html_(self) -> str:
        return (
            f"<p>Gap: {escape(self.constraint)}. Held-out people: {len(self.decisions):,}.</p>"
            f"{self.table.to_html()}{self.who_pays.to_html()}"
        )


def compare_mitigations(
    X: Any,
    y: Any,
    *,
    sensitive_features: Any,
    methods: Mapping[str, Any] | None = None,
    estimator: Any = None,
    value: float = 1.0,
    cost: float = 0.5,
    benefit: Any = None,
    constraint: str = "demographic_parity",
    tolerance: float = 0.02,
    test_size: float = 0.5,
    confidence: float = 0.95,
    seed: int = 0,
) -> MitigationComparison:
    """Fit each method on one part of the rows and compare them on the other.

    Parameters
    ----------
    X : DataFrame or array of shape (n_rows, n_columns)
        Features, without the protected columns.
    y : array-like of shape (n_rows,)
        Outcomes, 0/1.
    sensitive_features : array-like, Series, DataFrame or dict
        Groups; several columns give their intersections.
    methods : mapping of str to estimator, optional
        The first is what the others are compared with. By default all of this module, at
        ``threshold = cost / value``.
    estimator : classifier, optional
        For the default methods; logistic regression if not given.
    value, cost : float
        What a response is worth and what selecting a person costs, ``0 < cost < value``.
    benefit : array-like of shape (n_rows,), optional
        Each person's response if selected, where more is known than ``y``: the true
        uplift on a synthetic world, say. ``y`` otherwise, which takes a response for
        caused by being selected.
    constraint : {"demographic_parity", "equal_opportunity", "equalized_odds"}
        The gap to compare, and that the default methods aim at.
    tolerance : float, default 0.02
        For the default methods.
    test_size : float, default 0.5
        Share of rows held out, in (0, 1); drawn within group and outcome.
    confidence : float, default 0.95
        Of the bounds.
    seed : int, default 0
        Source of the held-out rows and of what the default methods draw.

    Returns
    -------
    MitigationComparison

    Raises
    ------
    FairnessInputError
        If a column cannot be used or an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.fairness import ProfitThresholds, Unmitigated, compare_mitigations
    >>> rng = np.random.default_rng(0)
    >>> group = rng.choice(["a", "b"], 2000)
    >>> x = rng.normal(size=2000) + (group == "a")
    >>> y = (rng.random(2000) < 1 / (1 + np.exp(1 - x))).astype(int)
    >>> result = compare_mitigations(
    ...     x[:, None], y, sensitive_features=group,
    ...     methods={"plain": Unmitigated(), "thresholds": ProfitThresholds()},
    ... )
    >>> bool(result.table.loc["thresholds", "gap"] < result.table.loc["plain", "gap"])
    True
    """
    _check_constraint(constraint)
    if not 0 < cost < value:
        raise FairnessInputError(f"cost is {cost} and value {value}; 0 < cost < value is needed.")
    if not 0 < test_size < 1:
        raise FairnessInputError(f"test_size is {test_size}; it must lie between 0 and 1.")
    outcome = binary(y, "y")
    n = outcome.size
    codes, labels = _group_codes(sensitive_features, n)
    group = np.asarray(labels, dtype=object)[codes]
    response = outcome.astype(float) if benefit is None else numbers(benefit, "benefit", n)
    table = X.reset_index(drop=True) if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
    if len(table) != n:
        raise FairnessInputError(f"X has {len(table):,} rows where y has {n:,}.")
    if methods is None:
        methods = _default_methods(estimator, cost / value, constraint, tolerance, seed)
    if not methods:
        raise FairnessInputError("methods is empty; give at least one.")
    test = _held_out(codes * 2 + outcome, test_size, seed)
    decisions, rows = {}, {}
    for name, method in methods.items():
        start = time.perf_counter()
        fitted = clone(method).fit(table[~test], outcome[~test], group[~test])
        chosen = fitted.predict(table[test], group[test])
        seconds = time.perf_counter() - start
        decisions[name] = chosen
        result = audit(
            outcome[test],
            chosen,
            sensitive_features=group[test],
            confidence=confidence,
        )
        gap = result.disparities.loc[f"{constraint}_difference"]
        worth = chosen * (response[test] * value - cost) * 1000
        base = next(iter(decisions.values())) * (response[test] * value - cost) * 1000
        money = mean_interval(worth, confidence)
        change = mean_interval(worth - base, confidence)
        rows[name] = {
            "gap": gap["value"],
            "gap_low": gap["low"],
            "gap_high": gap["high"],
            "value": money.value,
            "value_low": money.low,
            "value_high": money.high,
            "value_change": change.value,
            "value_change_low": change.low,
            "value_change_high": change.high,
            "selection_rate": result.overall["selection_rate"],
            "accuracy_score": result.overall["accuracy_score"],
            "uses_group": bool(getattr(fitted, "uses_group_at_decision", False)),
            "randomised": bool(getattr(fitted, "is_randomised", False)),
            "seconds": seconds,
        }
    people = (X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n))[test]
    frame = pd.DataFrame(decisions, index=people)
    payers = _who_pays(
        frame, group[test], labels, outcome[test], response[test] * value - cost, confidence
    )
    return MitigationComparison(
        table=pd.DataFrame.from_dict(rows, orient="index").rename_axis("method"),
        who_pays=payers,
        decisions=frame,
        group=pd.Series(group[test], index=people, name="group"),
        constraint=constraint,
    )


def _who_pays(decisions, group, labels, outcome, margin, confidence):
    names = list(decisions)
    before = decisions[names[0]].to_numpy()
    rows = []
    for name in names[1:]:
        after = decisions[name].to_numpy()
        for label in labels:
            inside = group == label
            if not inside.any():
                continue
            a, b, m = after[inside], before[inside], margin[inside]
            gained, lost = int(np.sum(a > b)), int(np.sum(a < b))
            change_low, change_high = _change_bounds(gained, lost, a.size, confidence)
            money = mean_interval((a - b) * m * 1000, confidence)
            responds = outcome[inside] == 1
            rows.append(
                {
                    "method": name,
                    "group": label,
                    "people": int(inside.sum()),
                    "selected_before": float(b.mean()),
                    "selected_after": float(a.mean()),
                    "gained": gained,
                    "lost": lost,
                    "change": (gained - lost) / a.size,
                    "change_low": change_low,
                    "change_high": change_high,
                    "responders_gained": int(np.sum((a > b) & responds)),
                    "responders_lost": int(np.sum((a < b) & responds)),
                    "value_change": money.value,
                    "value_change_low": money.low,
                    "value_change_high": money.high,
                }
            )
    columns = [
        "method", "group", "people", "selected_before", "selected_after", "gained", "lost",
        "change", "change_low", "change_high", "responders_gained", "responders_lost",
        "value_change", "value_change_low", "value_change_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).set_index(["method", "group"])


def _change_bounds(gained: int, lost: int, n: int, confidence: float) -> tuple[float, float]:
    """Return bounds of the share that gained less the share that lost, of the same people."""
    value = np.array([gained, lost]) / n
    low, high = wilson_bounds([gained, lost], n, confidence)
    down, up = value - low, high - value
    odds = value / np.maximum(1 - value, 0.5 / n)
    together = -np.sqrt(odds.prod())  # who gains does not lose
    below, above = difference_reach((down[0], up[0]), (down[1], up[1]), together)
    change = value[0] - value[1]
    return float(max(-1.0, change - below)), float(min(1.0, change + above))


def _default_methods(estimator, threshold, constraint, tolerance, seed):
    common = {"estimator": estimator, "threshold": threshold, "seed": seed}
    aimed = {**common, "constraint": constraint}
    methods = {
        "unmitigated": Unmitigated(**common),
        "reweighing": Reweighing(**common),
        "resampling": Resampling(**common),
        "correlation removal": CorrelationRemoval(**common),
        "group thresholds": GroupThresholds(**aimed),
        "exponentiated gradient": ExponentiatedGradientReduction(**aimed, tolerance=tolerance),
        "grid search": GridSearchReduction(**aimed, tolerance=tolerance),
    }
    if constraint != "equalized_odds":  # thresholds alone cannot meet two rates at once
        methods["profit thresholds"] = ProfitThresholds(**aimed, tolerance=tolerance)
    return methods


# -------------------------------------------------------------------------- helpers


class _Encoder:
    """Standardised numbers and one-hot categories; a category not seen in fit is all zeros."""

    def fit(self, table: pd.DataFrame) -> _Encoder:
        self.columns = list(table.columns)
        self.scale, self.levels = {}, {}
        for name in self.columns:
            values = table[name]
            if pd.api.types.is_numeric_dtype(values):
                x = self._numbers(values, name)
                self.scale[name] = (float(x.mean()), float(x.std()) or 1.0)
            else:
                self.levels[name] = factor(values, str(name))[1]
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        if list(table.columns) != self.columns:
            raise FairnessInputError(
                f"X has columns {', '.join(map(str, table.columns))}; fit saw "
                f"{', '.join(map(str, self.columns))}."
            )
        blocks = []
        for name in self.columns:
            if name in self.scale:
                mean, sd = self.scale[name]
                blocks.append(((self._numbers(table[name], name) - mean) / sd)[:, None])
            else:
                codes, levels = factor(table[name], str(name))
                place = {level: i for i, level in enumerate(self.levels[name])}
                width = len(place)
                where = np.array([place.get(level, width) for level in levels])[codes]
                blocks.append(np.eye(width + 1)[where][:, :width])
        return np.hstack(blocks) if blocks else np.zeros((len(table), 0))

    @staticmethod
    def _numbers(values: pd.Series, name: Any) -> np.ndarray:
        return numbers(values.astype(float), f"column {name!r} of X")


def _weight_name(estimator: Any) -> str:
    if isinstance(estimator, Pipeline):
        return f"{estimator.steps[-1][0]}__sample_weight"
    return "sample_weight"


def _group_codes(sensitive_features: Any, n: int) -> tuple[np.ndarray, list[str]]:
    """Return codes and labels of the intersections of the sensitive features."""
    pairs = features(sensitive_features, "sensitive_feature", n)
    coded = [factor(values, name) for name, values in pairs]
    group, table = combine(coded)
    labels = [
        ", ".join(str(levels[code]) for (_, levels), code in zip(coded, row, strict=True))
        for row in table
    ]
    return group, labels


def _held_out(cells: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Hold out a share of each cell, so that rare ones are on both sides."""
    rng = np.random.default_rng(seed)
    test = np.zeros(cells.size, dtype=bool)
    for cell in np.unique(cells):
        rows = rng.permutation(np.flatnonzero(cells == cell))
        test[rows[: round(share * rows.size)]] = True
    return test


def _check_constraint(constraint: str) -> None:
    if constraint not in _CONSTRAINTS:
        raise FairnessInputError(
            f"constraint is {constraint!r}; accepted are {', '.join(_CONSTRAINTS)}."
        )


@contextmanager
def _quiet():
    """Silence the one warning that fairlearn's reductions raise on pandas 3."""
    category = getattr(pd.errors, "Pandas4Warning", None)
    with warnings.catch_warnings():
        if category is not None:
            warnings.filterwarnings("ignore", category=category)
        yield
