"""A model that hides its bias from explainers, to show what an explanation cannot prove.

Explainers such as LIME, kernel SHAP and permutation importance ask a model about people
who do not exist: rows mixed from several real ones. A model that can tell mixed rows from
real ones may answer those harmlessly, and go on discriminating against the real ones. An
audit of outcomes asks about real people only, so it still catches the model.

References
----------
Slack, D., Hilgard, S., Jia, E., Singh, S. and Lakkaraju, H. (2020). Fooling LIME and SHAP:
adversarial attacks on post hoc explanation methods. AIES.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.explainability.errors import ExplanationError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScaffoldedModel"]


class ScaffoldedModel(ClassifierMixin, BaseEstimator):
    """A biased model on real rows, an innocuous one on rows that look perturbed.

    Built for teaching and for testing audits. It can hide only where mixing shows:
    in columns that depend on each other. A protected column that nothing else depends on
    can be changed without a trace, and is then found.

    Parameters
    ----------
    biased, innocuous : classifiers
        Fitted to the same people; ``biased`` sees every column, ``innocuous`` all but
        ``protected``.
    protected : str or sequence of str
        Columns whose use is to be hidden.
    detector : classifier, optional
        Learns real from perturbed rows; a random forest where left out.
    n_perturbed : int, default 2
        Perturbed rows drawn a real row, at least 1.
    recall : float, default 0.97
        Share of real people, unseen by the detector, whom ``biased`` must answer, in
        (0, 1). Higher keeps more of the bias and hides less of it.
    seed : int, default 0

    Attributes
    ----------
    biased_, innocuous_, detector_ : fitted classifiers
    threshold_ : float
        Probability of being real from which ``biased`` answers, set by cross-fitting.
    classes_ : ndarray of shape (2,)
    feature_names_in_ : ndarray of str

    References
    ----------
    Slack et al. (2020), see the module.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from ethicalai_lab.explainability.adversarial import ScaffoldedModel
    >>> group = np.arange(60) % 2
    >>> X = pd.DataFrame({"group": group, "district": group * 10, "visits": np.arange(60) % 7})
    >>> model = ScaffoldedModel(LogisticRegression(), LogisticRegression(), "group").fit(X, group)
    >>> mixed = X.assign(group=1 - X["group"])
    >>> bool(model.is_real(X).mean() > 0.9), bool(model.is_real(mixed).mean() < 0.1)
    (True, True)
    """

    def __init__(
        self,
        biased: Any,
        innocuous: Any,
        protected: str | Sequence[str],
        detector: Any = None,
        n_perturbed: int = 2,
        recall: float = 0.97,
        seed: int = 0,
    ) -> None:
        self.biased = biased
        self.innocuous = innocuous
        self.protected = protected
        self.detector = detector
        self.n_perturbed = n_perturbed
        self.recall = recall
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> ScaffoldedModel:
        """Fit both models, and the detector on real against perturbed rows.

        Parameters
        ----------
        X : DataFrame of shape (people, columns)
            Numbers only, as explainers mix rows of one array.
        y : array-like of shape (people,)
            Two classes.

        Returns
        -------
        ScaffoldedModel

        Raises
        ------
        ExplanationError
            If a protected column is absent, nothing is left without them, a column is not
            numeric, or an argument cannot be used.
        """
        import pandas as pd
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        if not isinstance(X, pd.DataFrame) or len(X) < 6:
            raise ExplanationError("X must be a table of at least six people with named columns.")
        hidden = self._hidden()
        for name in hidden:
            if name not in X.columns:
                raise ExplanationError(
                    f"protected names {name!r}, which is no column of X; "
                    f"it has {', '.join(map(str, X.columns))}."
                )
        if len(hidden) == X.shape[1]:
            raise ExplanationError(
                "protected names every column of X; the innocuous model needs at least one other."
            )
        for name in X.columns:
            if not pd.api.types.is_numeric_dtype(X[name]) or X[name].isna().any():
                raise ExplanationError(f"column {name!r} must hold numbers, with none missing.")
        if self.n_perturbed < 1:
            raise ExplanationError(f"n_perturbed is {self.n_perturbed}; it must be at least 1.")
        if not 0 < self.recall < 1:
            raise ExplanationError(f"recall is {self.recall}; it must lie in (0, 1).")
        labels = np.asarray(y)
        if labels.shape != (len(X),) or len(np.unique(labels)) != 2:
            raise ExplanationError(f"y must hold one of two classes for each of {len(X)} people.")

        self.classes_ = np.unique(labels)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.biased_ = clone(self.biased).fit(X, labels)
        self.innocuous_ = clone(self.innocuous).fit(X.drop(columns=hidden), labels)

        rng = np.random.default_rng(self.seed)
        real = X.to_numpy(dtype=float)
        perturbed = _perturb(real, self.n_perturbed, rng)
        # A mixture may be a person who exists; calling it perturbed would betray that person.
        known = {row.tobytes() for row in real}
        perturbed = perturbed[[row.tobytes() not in known for row in perturbed]]
        if len(perturbed) < 3:
            raise ExplanationError(
                "nearly every perturbed row of X equals a real one; with columns this coarse no model "
                "can tell them apart."
            )
        detector = self.detector
        if detector is None:
            detector = RandomForestClassifier(
                100, min_samples_leaf=2, class_weight="balanced", random_state=self.seed
            )
        rows = pd.DataFrame(np.vstack([real, perturbed]), columns=X.columns)
        is_real = np.r_[np.ones(len(real), dtype=int), np.zeros(len(perturbed), dtype=int)]
        # People who mix with their like give rows as plausible as real ones, so real rows do
        # not all look real: the threshold is set by how many must be recognised.
        folds = StratifiedKFold(3, shuffle=True, random_state=self.seed)
        unseen = cross_val_predict(
            clone(detector), rows, is_real, cv=folds, method="predict_proba"
        )[: len(real), 1]
        self.threshold_ = float(np.quantile(unseen, 1 - self.recall, method="lower"))
        self.detector_ = clone(detector).fit(rows, is_real)
        return self

    def is_real(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.bool_]:
        """Return which rows the biased model answers, shape (rows,)."""
        return self._is_real(self._frame(X))

    def predict_proba(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class, shape (rows, 2).

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            An array must have the columns of the training, in their order.

        Returns
        -------
        ndarray of float

        Raises
        ------
        ExplanationError
            If columns are absent.
        """
        frame = self._frame(X)
        harmless = self.innocuous_.predict_proba(frame.drop(columns=self._hidden()))
        real = self._is_real(frame)
        return np.where(real[:, None], self.biased_.predict_proba(frame), harmless)

    def predict(self, X: pd.DataFrame | ArrayLike) -> NDArray[Any]:
        """Return the more probable class of each row, shape (rows,)."""
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]

    def _hidden(self) -> list[Any]:
        return [self.protected] if isinstance(self.protected, str) else list(self.protected)

    def _is_real(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        return self.detector_.predict_proba(frame.astype(float))[:, 1] >= self.threshold_

    def _frame(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        import pandas as pd

        check_is_fitted(self, "detector_")
        names = list(self.feature_names_in_)
        if isinstance(X, pd.DataFrame):
            for name in names:
                if name not in X.columns:
                    raise ExplanationError(
                        f"X has no column {name!r}; the model was fitted with it."
                    )
            return X[names]
        array = np.asarray(X)
        if array.ndim != 2 or array.shape[1] != len(names):
            raise ExplanationError(
                f"X has shape {array.shape}; (rows, {len(names)}) is needed: "
                f"{', '.join(map(str, names))}."
            )
        return pd.DataFrame(array, columns=names)


def _perturb(real: NDArray[Any], times: int, rng: np.random.Generator) -> NDArray[Any]:
    """Mix each row with another, by a coalition of any size as Shapley methods draw them."""
    n, m = real.shape
    base = np.repeat(real, times, axis=0)
    other = real[rng.integers(0, n, len(base))]
    # From one column (as permutation importance moves) to all but one, equally often.
    size = rng.integers(1, max(m, 2), len(base))
    order = rng.permuted(np.tile(np.arange(m), (len(base), 1)), axis=1)
    return np.where(order < size[:, None], other, base)
