"""Attributions: how a model's answer is shared out over the features of a person.

An attribution says what the *model* does with a feature, in the unit of the model's
answer. It does not say what would happen to the person if the feature changed: that is
a causal question, which needs an experiment.

References
----------
Shapley, L. S. (1953). A value for n-person games. Contributions to the Theory of Games
II, 307-317.

Lundberg, S. M. and Lee, S.-I. (2017). A unified approach to interpreting model
predictions. NeurIPS 30.

Lundberg, S. M. et al. (2020). From local explanations to global understanding with
explainable AI for trees. Nature Machine Intelligence 2, 56-67.

Breiman, L. (2001). Random forests. Machine Learning 45, 5-32.

Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine.
Annals of Statistics 29, 1189-1232.
"""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.checks import Count, check_value, whole
from ethicalai_lab.core.report import Report
from ethicalai_lab.explainability._auc import auc
from ethicalai_lab.explainability._threads import FEW_ROWS, one_thread
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import bootstrap_rows, percentile_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Attributions",
    "PartialDependence",
    "linear_attributions",
    "partial_dependence",
    "permutation_importance",
    "shapley_attributions",
]

# Exact Shapley values score 2**features coalitions for each background row.
_EXACT_UP_TO = 8
_EXACT_AT_MOST = 14
# Pairs of a permutation and its reverse, a person.
_PERMUTATIONS = 10
_METHODS = ("auto", "tree", "permutation", "exact")
# An association of two columns that counts as strong.
_STRONG = 0.7
_TREES = (
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
)


# ------------------------------------------------------------------------ the result


@dataclass(frozen=True, eq=False)
class Attributions:
    """The shares of each feature in a model's answers.

    Parameters
    ----------
    values : DataFrame of shape (people, features)
        Contribution of a feature to a person's answer against the background, in ``unit``.
    base : float
        The mean answer over the background, in ``unit``.
    output : ndarray of shape (people,)
        The model's answers, in ``unit``.
    unit : str
        What the numbers are: ``"probability"``, ``"log_odds"``, ``"money"`` and so on.
    method : str
        How they were computed.
    data : DataFrame of shape (people, features), optional
        What the people's features were.
    note : str, default ""
        What a reader should know, such as a faster method that was not exact.

    Examples
    --------
    >>> import pandas as pd
    >>> values = pd.DataFrame({"age": [0.2, -0.1], "visits": [0.1, 0.3]}, index=["Ada", "Bo"])
    >>> shares = Attributions(values, 0.4, [0.7, 0.6], "probability", "by hand")
    >>> shares.adds_up(), shares.top("Bo", 1)["feature"].tolist()
    (True, ['visits'])
    """

    values: pd.DataFrame
    base: float
    output: NDArray[np.float64]
    unit: str
    method: str
    data: pd.DataFrame | None = field(default=None, repr=False)
    note: str = ""

    def __post_init__(self) -> None:
        output = np.array(self.output, dtype=float)
        if output.shape != (len(self.values),):
            raise ExplanationError(
                f"output has shape {output.shape}; one answer for each of the "
                f"{len(self.values)} people is accepted."
            )
        output.setflags(write=False)
        object.__setattr__(self, "output", output)
        object.__setattr__(self, "base", float(self.base))

    @property
    def gap(self) -> float:
        """Largest ``|base + sum of the shares - answer|`` over the people, in ``unit``."""
        return float(np.abs(self.base + self.values.to_numpy().sum(axis=1) - self.output).max())

    def adds_up(self) -> bool:
        """Whether base and shares add up to each person's answer, to a millionth of the largest."""
        return self.gap <= 1e-6 * max(1.0, float(np.abs(self.output).max()))

    def importance(self) -> pd.DataFrame:
        """Return the mean absolute share of each feature, largest first.

        Returns
        -------
        DataFrame
            Columns ``feature``, ``importance``, and ``low``, ``high``: its 95 % bootstrap interval
            over people, in ``unit``.
        """
        size = np.abs(self.values.to_numpy())
        draws = bootstrap_rows(lambda rows: size[rows].mean(axis=0), len(size), 500, 0)
        return _interval_table(self.values.columns, size.mean(axis=0), draws)

    def top(self, person: Any, n: int = 3) -> pd.DataFrame:
        """Return the ``n`` features that moved a person's answer most.

        Parameters
        ----------
        person : label
            The person's label in the index of ``values``.
        n : int, default 3
            How many features, at least 1.

        Returns
        -------
        DataFrame
            Columns ``feature``, ``data`` (if known) and ``share`` in ``unit``; largest absolute
            share first.

        Raises
        ------
        ExplanationError
            If there is no such person or ``n`` is below 1.
        """
        import pandas as pd

        if n < 1:
            raise ExplanationError(f"n is {n}; at least one feature is needed.")
        if person not in self.values.index:
            raise ExplanationError(
                f"There is no person {person!r} among the {len(self.values)} explained; "
                "give a label of the index of values."
            )
        row = self.values.index.get_indexer_for([person])[0]
        shares = self.values.iloc[row]
        order = np.argsort(-np.abs(shares.to_numpy()), kind="stable")[:n]
        table: dict[str, Any] = {"feature": [self.values.columns[j] for j in order]}
        if self.data is not None:
            table["data"] = [self.data.iat[row, j] for j in order]
        table["share"] = shares.to_numpy()[order]
        return pd.DataFrame(table)

    def _repr_html_(self) -> str:
        unit = self.unit.replace("_", " ")
        caption = f"Mean absolute share, {unit}, over {len(self.values)} people ({self.method})"
        check = "add up" if self.adds_up() else "do NOT add up"
        told = f"Base {self.base:.4g}; shares {check} to the answers (largest gap {self.gap:.2g})."
        notes = [told, self.note] if self.note else [told]
        return Report("Attributions", {caption: self.importance()}, notes)._repr_html_()


# ---------------------------------------------------------------------- attributions


def linear_attributions(
    model: Any,
    X: pd.DataFrame,
    background: pd.DataFrame | None = None,
) -> Attributions:
    """Return the exact shares of an additive model: linear, logistic or a sum of curves.

    In an additive model a feature's share is its own term minus the mean of that term
    over the background; these are its Shapley values. The term is read off by varying one
    feature and holding the others, so that pipelines (scalers, encoders, splines) work
    and shares are those of the columns that went in. That the shares add up is checked on
    every row of ``X`` and ``background``.

    Parameters
    ----------
    model : fitted estimator or callable
        A classifier is explained by its log-odds (``decision_function``), a regressor by
        ``predict``, a callable of a DataFrame by what it returns.
    X : DataFrame of shape (people, features)
        The people to explain.
    background : DataFrame of shape (rows, features), optional
        Whom to compare with; by default ``X``. Every row is used.

    Returns
    -------
    Attributions

    Raises
    ------
    ExplanationError
        If the model is not additive in the columns, or the tables do not fit each other.

    References
    ----------
    Lundberg and Lee (2017), corollary 1, see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"visits": [0.0, 2.0], "age": [30.0, 50.0]})
    >>> shares = linear_attributions(lambda t: 3 * t["visits"] + 0.1 * t["age"], people)
    >>> shares.base, shares.values.loc[1].round(6).tolist()
    (7.0, [3.0, 1.0])
    """
    people, back = _tables(X, background)
    unit = "log_odds" if _is_classifier(model) else "output"
    found = _additive(_answers(model, unit), people, back)
    return _attributions(found, people, unit, "additive")


def shapley_attributions(
    model: Any,
    X: pd.DataFrame,
    background: pd.DataFrame,
    *,
    unit: str = "probability",
    method: str = "auto",
) -> Attributions:
    """Return interventional Shapley values of any model, computed by shap.

    Parameters
    ----------
    model : fitted estimator or callable
        A callable takes a DataFrame and returns one number a row.
    X : DataFrame of shape (people, features)
        The people to explain; numbers, flags or categories.
    background : DataFrame of shape (rows, features)
        Whom to compare with. Every row is used (shap by itself would keep 100), and time
        grows with their number.
    unit : str, default "probability"
        ``"probability"`` explains ``predict_proba`` of the second class, ``"log_odds"``
        its log-odds; any other unit, such as ``"money"``, explains ``predict``.
    method : {"auto", "tree", "permutation", "exact"}, default "auto"
        ``"auto"`` takes trees' own algorithm where the unit is what the trees sum to
        (a forest's probability, a boosting's log-odds, a regressor's number) and its shares
        add up, else the exact formula up to 8 features, else permutations. ``"tree"`` for
        the probability of a boosting is fast but approximate, and the result's note says so.

    Returns
    -------
    Attributions

    Raises
    ------
    ExplanationError
        If the method cannot explain the model, its shares do not add up, or the tables do
        not fit each other.

    References
    ----------
    Lundberg and Lee (2017) and Lundberg et al. (2020), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    >>> both = shapley_attributions(lambda t: t["a"] * t["b"], people, people[:1], unit="money")
    >>> both.values.loc[1].round(6).tolist(), both.method
    ([0.5, 0.5], 'exact')
    """
    people, back = _tables(X, background)
    if method not in _METHODS:
        raise ExplanationError(
            f"method is {method!r}; one of {', '.join(map(repr, _METHODS))} is accepted."
        )
    width = people.shape[1]
    if method == "exact" and width > _EXACT_AT_MOST:
        raise ExplanationError(
            f"method 'exact' scores 2**{width} coalitions a person; at most {_EXACT_AT_MOST} "
            "features are accepted, so use 'permutation'."
        )
    note = ""
    rescaled = _rescaled(model, unit)
    auto = method == "auto"
    if auto:
        trees = _tree_output(model, people, unit) is not None and not rescaled
        method = "tree" if trees else "exact" if width <= _EXACT_UP_TO else "permutation"
    if method == "tree":
        found = _tree(model, unit, people, back)
        if (gap := _gap_share(*found)) <= 1e-5:
            if rescaled:
                note = (
                    "Shares of the boosting's log-odds, rescaled to the probability: they add up "
                    "but only come near the Shapley values of the probability."
                )
            return _attributions(found, people, unit, method, note)
        if not auto:
            raise ExplanationError(
                f"method 'tree' misses the model's answers by up to {gap:.2g}; "
                "use 'auto', 'exact' or 'permutation'."
            )
        note = f"The trees' own algorithm missed the model's answers by up to {gap:.2g} and was not used."
        method = "exact" if width <= _EXACT_UP_TO else "permutation"
    found = _by_coalitions(model, unit, people, back, method)
    return _attributions(found, people, unit, method, note)


def _attributions(
    found: tuple[NDArray, float, NDArray],
    people: pd.DataFrame,
    unit: str,
    method: str,
    note: str = "",
) -> Attributions:
    import pandas as pd

    values, base, output = found
    table = pd.DataFrame(values, index=people.index, columns=people.columns)
    return Attributions(table, base, output, unit, method, data=people, note=note)


def _additive(
    answers: Callable, people: pd.DataFrame, back: pd.DataFrame
) -> tuple[NDArray, float, NDArray]:
    """Read each feature's term off the model, holding the other features still."""
    import pandas as pd

    both = pd.concat([people, back], ignore_index=True)
    output = answers(both)
    # Rows that differ from the first background row in one column only.
    still = back.iloc[np.zeros(len(both), dtype=int)].reset_index(drop=True)
    at = output[len(people)]
    terms = np.empty(both.shape)
    for j, name in enumerate(both.columns):
        moved = still.copy()
        moved[name] = both[name]
        terms[:, j] = answers(moved) - at
    values = terms[: len(people)] - terms[len(people) :].mean(axis=0)
    base = float(output[len(people) :].mean())
    gap = np.abs(at + terms.sum(axis=1) - output)
    if gap.max() > 1e-6 * max(1.0, np.abs(output).max()):
        raise ExplanationError(
            f"The model is not additive in its columns: its terms miss an answer by "
            f"{gap.max():.2g}; use shapley_attributions."
        )
    return values, base, output[: len(people)]


def _by_coalitions(
    model: Any,
    unit: str,
    people: pd.DataFrame,
    back: pd.DataFrame,
    method: str,
) -> tuple[NDArray, float, NDArray]:
    """Shapley values of any model: shap hides features behind background rows."""
    shap = _shap()
    coding = _Coding(people, back)
    answers = _answers(model, unit)
    hidden = coding.encode(back)
    masker = shap.maskers.Independent(hidden, max_samples=len(hidden))
    # shap takes values for equal that differ by a hundred-thousandth: with time stamps, all
    masker.invariants = lambda row: row == hidden

    def score(rows: NDArray) -> NDArray:
        return answers(coding.decode(rows))

    coded = coding.encode(people)
    with _own_randomness():
        if method == "exact":
            explainer = shap.ExactExplainer(score, masker)
            budget = 2 ** people.shape[1] + 1
        else:
            explainer = shap.PermutationExplainer(score, masker, seed=0)
            budget = _PERMUTATIONS * (2 * people.shape[1] + 1)
        # One person a call: from the second on, shap would compute main effects that nobody
        # asked for, and fail on a person who differs from nobody.
        found = [explainer(row[None], max_evals=budget, silent=True) for row in coded]
    values = np.array([one.values[0] for one in found])
    return values.astype(float), float(answers(back).mean()), answers(people)


def _tree_output(model: Any, people: pd.DataFrame, unit: str) -> str | None:
    """Return what shap calls the output to explain, or None if its trees cannot."""
    kind = type(model).__name__
    numeric = all(isinstance(t, np.dtype) and t.kind in "biuf" for t in people.dtypes)
    if kind not in _TREES or not type(model).__module__.startswith("sklearn.") or not numeric:
        return None
    if unit == "probability":
        return "probability" if _is_classifier(model) else None
    if unit == "log_odds":
        return "raw" if "GradientBoostingClassifier" in kind else None
    return None if _is_classifier(model) else "raw"


def _rescaled(model: Any, unit: str) -> bool:
    """Whether shap would explain the log-odds and stretch the shares to the probability."""
    return unit == "probability" and "GradientBoosting" in type(model).__name__


def _tree(
    model: Any, unit: str, people: pd.DataFrame, back: pd.DataFrame
) -> tuple[NDArray, float, NDArray]:
    """Interventional values of a tree ensemble, by its own algorithm.

    shap keeps thresholds in single precision, so that a value close to one could fall on the
    wrong side. All that counts is on which side of each threshold a value lies; so each value
    is moved close to the next threshold, where single and double precision agree on the side.
    """
    wanted = _tree_output(model, people, unit)
    if wanted is None:
        raise ExplanationError(
            f"method 'tree' cannot explain the {unit} of {type(model).__name__} with these "
            "columns; a scikit-learn tree, forest or boosting on numeric columns is accepted."
        )
    shap = _shap()
    answers = _answers(model, unit)
    # TreeExplainer cuts a plain array to 100 rows; a masker keeps them all.
    thresholds, single = _thresholds(model, people.shape[1])
    near, far = (_on_thresholds(t.to_numpy(float), thresholds, single) for t in (people, back))
    masker = shap.maskers.Independent(far, max_samples=len(back))
    explainer = shap.TreeExplainer(
        model, masker, feature_perturbation="interventional", model_output=wanted
    )
    values = np.asarray(explainer.shap_values(near, check_additivity=False))
    if values.ndim == 3:
        values = values[..., 1]
    return values.astype(float), float(answers(back).mean()), answers(people)


def _thresholds(model: Any, width: int) -> tuple[list[NDArray], bool]:
    """Return each column's sorted thresholds, and whether the model itself reads it in single."""
    pairs = []
    single = not hasattr(model, "_predictors")
    if single:
        trees = getattr(model, "estimators_", None)
        for tree in [model] if trees is None else np.asarray(trees, dtype=object).ravel():
            pairs.append((tree.tree_.feature, tree.tree_.threshold))
    else:
        for stage in model._predictors:
            for tree in stage:
                split = tree.nodes[tree.nodes["is_leaf"] == 0]
                pairs.append((split["feature_idx"], split["num_threshold"]))
    columns = np.concatenate([c for c, _ in pairs])
    values = np.concatenate([t for _, t in pairs])
    return [np.unique(values[columns == j]) for j in range(width)], single


def _on_thresholds(table: NDArray, thresholds: list[NDArray], single: bool) -> NDArray:
    """Move each value to the next threshold of its column, from which no split can tell it."""
    if single:
        table = table.astype(np.float32).astype(float)
    out = np.array(table)
    for j, cuts in enumerate(thresholds):
        if len(cuts):
            marks = cuts.astype(np.float32)
            last = np.nextafter(marks[-1], np.float32(np.inf))
            below = np.where(marks > cuts, np.nextafter(marks, np.float32(-np.inf)), marks)
            known = ~np.isnan(table[:, j])
            at = np.searchsorted(cuts, table[known, j], side="left")
            out[known, j] = np.append(below, last)[at]
    return out


# ------------------------------------------------------------- importance, dependence


def permutation_importance(
    model: Any,
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    n_repeats: int = 5,
    n_boot: int = 200,
) -> pd.DataFrame:
    """Return how much a model's ROC AUC falls when a column is shuffled.

    Parameters
    ----------
    model : fitted estimator or callable
        Scored by ``predict_proba`` of the second class, else ``predict``, else the call.
    X : DataFrame of shape (people, features)
        Data the model was not trained on.
    y : array-like of shape (people,)
        What happened, 0 or 1.
    n_repeats : int, default 5
        Shuffles a column, at least 1.
    n_boot : int, default 200
        Bootstrap samples of the people, each with one of the shuffles: the interval holds
        both sources of noise, and is on the wide side for a mean over many shuffles.

    Returns
    -------
    DataFrame
        Columns ``feature``, ``importance``, ``low``, ``high`` (95 % interval), in ROC AUC; largest
        first. Correlated columns stand in for each other: each may look
        unimportant although both together are not.

    Raises
    ------
    ExplanationError
        If ``y`` does not fit ``X`` or does not hold both classes.

    References
    ----------
    Breiman (2001), see the module.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"used": np.arange(40.0), "unused": np.arange(40.0)[::-1]})
    >>> table = permutation_importance(lambda t: t["used"], X, X["used"] > 20)
    >>> table["feature"].tolist(), float(table["importance"][1])
    (['used', 'unused'], 0.0)
    """
    people, _ = _tables(X, None)
    check_value(n_repeats, Count, "n_repeats", ExplanationError)
    truth = np.asarray(y)
    if truth.shape != (len(people),):
        raise ExplanationError(
            f"y has shape {truth.shape}; one outcome for each of the {len(people)} rows of X "
            "is accepted."
        )
    if not set(np.unique(truth).tolist()) == {0, 1}:
        raise ExplanationError("y must hold both 0 and 1, and nothing else.")
    answers = _answers(model, "probability" if hasattr(model, "predict_proba") else "output")
    rng = np.random.default_rng(0)
    plain = answers(people)
    whole = auc(plain, truth)
    shuffled = np.empty((n_repeats, people.shape[1], len(people)))
    for r in range(n_repeats):
        for j, name in enumerate(people.columns):
            moved = people.copy()
            moved[name] = people[name].iloc[rng.permutation(len(people))].to_numpy()
            if moved[name].dtype != people[name].dtype:
                moved[name] = moved[name].astype(people[name].dtype)
            shuffled[r, j] = answers(moved)
    falls = np.array([[whole - auc(one, truth) for one in repeat] for repeat in shuffled])
    turn = itertools.cycle(range(n_repeats))

    def fall(rows: NDArray) -> NDArray:
        repeat = shuffled[next(turn)]
        before = auc(plain[rows], truth[rows])
        return np.array([before - auc(one[rows], truth[rows]) for one in repeat])

    # Each class keeps its size, so that no sample lacks one and leaves the metric undefined.
    draws = bootstrap_rows(fall, len(people), n_boot, rng, strata=truth)
    return _interval_table(people.columns, falls.mean(axis=0), draws)


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """The mean answer of a model as one feature is set to each value for everybody.

    Parameters
    ----------
    feature : str
        The feature that was set.
    curve : DataFrame
        Columns ``value``, ``mean``, ``low``, ``high``: the mean answer, in ``unit``, with
        a bootstrap interval over people.
    unit : str
        What the answers are.
    associated : dict of str to float
        Strength, 0 to 1, of the association with each other feature that reaches 0.7, strongest
        first.
    off_data : float
        Share, 0 to 1, of the pairs of grid value and person that lie off the data.
    warning : str
        One sentence where there are strongly associated features, else empty.

    Examples
    --------
    >>> import pandas as pd
    >>> curve = pd.DataFrame({"value": [0.0], "mean": [1.0], "low": [1.0], "high": [1.0]})
    >>> PartialDependence("age", curve, "output", {}, 0.0, "").warning
    ''
    """

    feature: str
    curve: pd.DataFrame
    unit: str
    associated: dict[str, float]
    off_data: float
    warning: str

    def _repr_html_(self) -> str:
        notes = [self.warning] if self.warning else []
        return Report(
            f"Partial dependence on {self.feature}", {self.unit: self.curve}, notes
        )._repr_html_()


def partial_dependence(
    model: Any,
    X: pd.DataFrame,
    feature: str,
    *,
    grid: int | Sequence = 20,
    n_boot: int = 200,
) -> PartialDependence:
    """Return a partial dependence curve and how far to believe it.

    Setting one feature for everybody makes up people who may not exist. The result says
    how many of them lie off the data: farther from every real person than 99 % of the
    real people are from their nearest neighbour, in the space of the feature and those
    strongly associated with it (or the single most associated one). An association is strong
    from 0.7: Spearman's rank correlation between numbers, the correlation ratio between numbers
    (ranked) and categories, Cramer's V between categories.

    Parameters
    ----------
    model : fitted estimator or callable
        As for :func:`shapley_attributions`.
    X : DataFrame of shape (people, features)
        The people over whom to average.
    feature : str
        The column to set.
    grid : int or sequence, default 20
        How many quantiles of the column to set it to, or the values themselves. A column
        of categories or flags takes each of its values.
    n_boot : int, default 200
        Bootstrap samples of the people.

    Returns
    -------
    PartialDependence

    Raises
    ------
    ExplanationError
        If there is no such column, or the grid is empty or of the wrong kind.

    References
    ----------
    Friedman (2001), see the module. Apley, D. W. and Zhu, J. (2020). Visualizing the
    effects of predictor variables in black box supervised learning models. Journal of the
    Royal Statistical Society B 82, 1059-1086, on extrapolation under correlation.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"age": np.arange(20.0, 60.0), "years": np.arange(40.0)})
    >>> shown = partial_dependence(lambda t: t["age"] / 10, X, "age", grid=[20.0, 50.0])
    >>> shown.curve["mean"].round(6).tolist(), list(shown.associated)
    ([2.0, 5.0], ['years'])
    """
    import pandas as pd

    people, _ = _tables(X, None)
    if feature not in people.columns:
        known = ", ".join(map(str, people.columns[:20]))
        raise ExplanationError(f"There is no column {feature!r}; X has {known}.")
    column = people[feature]
    points = _grid(column, grid)
    unit = "probability" if _is_classifier(model) else "output"
    answers = _answers(model, unit)
    alone = np.empty((len(points), len(people)))
    for g, value in enumerate(points):
        moved = people.copy()
        moved[feature] = pd.Series([value] * len(people), index=people.index).astype(
            column.dtype if not _is_number(column) else np.result_type(column.dtype, type(value))
        )
        alone[g] = answers(moved)
    draws = bootstrap_rows(lambda rows: alone[:, rows].mean(axis=1), len(people), n_boot, 0)
    found = [percentile_interval(m, draws[:, g]) for g, m in enumerate(alone.mean(axis=1))]
    curve = pd.DataFrame(
        {
            "value": points,
            "mean": [i.value for i in found],
            "low": [i.low for i in found],
            "high": [i.high for i in found],
        }
    )
    strength = {
        name: _association(column, people[name]) for name in people.columns if name != feature
    }
    ranked = sorted(strength, key=lambda name: -strength[name])
    associated = {n: round(strength[n], 6) for n in ranked if strength[n] >= _STRONG}
    nearby = list(associated) or ranked[:1]
    off = _off_data(people, feature, nearby, points)
    warning = ""
    if associated:
        names = ", ".join(f"{name!r} ({s:.2f})" for name, s in associated.items())
        warning = (
            f"{feature!r} goes together with {names}, so {off:.0%} of the people behind this "
            "curve are combinations that do not occur in the data: do not read it as what "
            "would happen."
        )
    return PartialDependence(feature, curve, unit, associated, off, warning)


def _grid(column: pd.Series, grid: int | Sequence) -> list:
    name = column.name
    numeric = _is_number(column) and column.dtype.kind != "b"
    if isinstance(grid, int | np.integer) and not isinstance(grid, bool):
        check_value(grid, whole(2), "grid", ExplanationError)
        if not numeric:
            return sorted(column.dropna().unique().tolist(), key=str)
        kept = column.dropna().to_numpy()
        if not len(kept):
            raise ExplanationError(f"Column {name!r} has no values; at least one is needed.")
        levels = np.linspace(0, 1, int(grid))
        # Values that occur, so that whole numbers stay whole.
        return np.unique(np.quantile(kept, levels, method="nearest")).tolist()
    points = list(grid)
    if not points:
        raise ExplanationError(f"grid for column {name!r} is empty; give at least one value.")
    if numeric:
        for value in points:
            if not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ExplanationError(
                    f"grid for column {name!r} holds {value!r}; finite numbers are accepted."
                )
    else:
        known = set(column.dropna().unique().tolist())
        for value in points:
            if value not in known:
                raise ExplanationError(
                    f"grid for column {name!r} holds {value!r}, which the column never does."
                )
    return points


def _is_number(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"


def _association(a: pd.Series, b: pd.Series) -> float:
    """Strength of association of two columns, 0 to 1."""
    import pandas as pd

    kept = (a.notna() & b.notna()).to_numpy()
    a, b = a[kept], b[kept]
    if a.nunique() < 2 or b.nunique() < 2:
        return 0.0
    if _is_number(a) and _is_number(b):
        return float(abs(np.corrcoef(a.rank(), b.rank())[0, 1]))
    if _is_number(a) or _is_number(b):
        number, kind = (a, b) if _is_number(a) else (b, a)
        ranks = number.rank().to_numpy()
        means = pd.Series(ranks).groupby(pd.factorize(kind)[0]).transform("mean").to_numpy()
        return float(np.sqrt(means.var() / ranks.var()))
    table = pd.crosstab(pd.factorize(a)[0], pd.factorize(b)[0]).to_numpy(float)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / (min(table.shape) - 1)))


def _off_data(people: pd.DataFrame, feature: str, nearby: list, points: list) -> float:
    """Share of (grid value, person) that is farther from the data than real people are."""
    import pandas as pd
    from scipy.spatial import cKDTree

    names = [feature, *nearby]
    real = people[names].dropna().reset_index(drop=True)
    if len(real) < 3 or not nearby:
        return 0.0
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(len(real), min(500, len(real)), replace=False))
    made = real.iloc[np.tile(some, len(points))].reset_index(drop=True)
    made[feature] = pd.Series([p for p in points for _ in some]).astype(
        real[feature].dtype if not _is_number(real[feature]) else float
    )
    blocks = []
    for name in names:
        if _is_number(real[name]):
            both = np.concatenate([real[name].to_numpy(float), made[name].to_numpy(float)])
            spread = real[name].to_numpy(float).std()
            blocks.append((both / (spread or 1.0))[:, None])
        else:
            both = np.concatenate([real[name].astype(object), made[name].astype(object)])
            codes = pd.factorize(both)[0]
            # Two categories are one standard deviation apart.
            blocks.append(np.eye(codes.max() + 1)[codes] / np.sqrt(2))
    space = np.hstack(blocks)
    tree = cKDTree(space[: len(real)])
    own = tree.query(space[: len(real)], k=2)[0][:, 1]
    reach = tree.query(space[len(real) :], k=1)[0]
    return float((reach > np.quantile(own, 0.99) + 1e-12).mean())


# ------------------------------------------------------------------ models and tables


def _is_classifier(model: Any) -> bool:
    return hasattr(model, "predict_proba") or hasattr(model, "classes_")


def _answers(model: Any, unit: str) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """Return the function from a table to one number a row, in ``unit``."""
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise ExplanationError(
            f"The model knows {len(classes)} classes; two are accepted, or a callable that "
            "returns the number to explain."
        )
    odds = False
    if hasattr(model, "predict_proba") and unit == "probability":
        call = model.predict_proba
    elif _is_classifier(model) and unit == "log_odds":
        odds = not hasattr(model, "decision_function")
        call = model.predict_proba if odds else model.decision_function
    elif _is_classifier(model):
        raise ExplanationError(
            f"unit is {unit!r} but the model is a classifier without it; 'probability' (where "
            "it has predict_proba) or 'log_odds' is accepted, or a callable."
        )
    elif hasattr(model, "predict"):
        if unit in ("probability", "log_odds"):
            raise ExplanationError(
                f"unit is {unit!r} but {type(model).__name__} has no predict_proba; name the "
                "unit of its predict, such as 'money', or give a callable."
            )
        call = model.predict
    elif callable(model):
        call = model
    else:
        raise ExplanationError(
            f"model is a {type(model).__name__}; a fitted estimator or a callable is accepted."
        )
    # scikit-learn objects to names that it was not trained with.
    plain = hasattr(model, "predict") and not hasattr(model, "feature_names_in_")

    def answers(table: pd.DataFrame) -> NDArray[np.float64]:
        with one_thread() if len(table) <= FEW_ROWS else contextlib.nullcontext():
            found = np.asarray(call(table.to_numpy() if plain else table), dtype=float)
        if found.ndim == 2 and found.shape[1] == 2 and classes is not None:
            found = found[:, 1]
        if found.ndim == 2 and found.shape[1] == 1:
            found = found[:, 0]
        if found.shape != (len(table),):
            raise ExplanationError(
                f"The model answers {len(table)} rows with shape {found.shape}; one number a "
                "row is accepted."
            )
        if odds:
            with np.errstate(divide="ignore"):
                found = np.log(found) - np.log1p(-found)
        if not np.isfinite(found).all():
            row = table.index[int(np.argmin(np.isfinite(found)))]
            raise ExplanationError(
                f"The model's answer in row {row!r} is not a finite number, in unit {unit!r}; "
                "every answer must be one."
            )
        return found

    return answers


def _tables(X: pd.DataFrame, background: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return people and background as tables of the same columns and types."""
    people = _table(X, "X")
    if background is None:
        return people, people
    back = _table(background, "background")
    for name in people.columns:
        if name not in back.columns:
            raise ExplanationError(f"background lacks column {name!r}, which X has.")
    for name in back.columns:
        if name not in people.columns:
            raise ExplanationError(f"background has column {name!r}, which X has not.")
    back = back[list(people.columns)]
    for name in people.columns:
        one, other = people[name], back[name]
        if not (_is_number(one) and _is_number(other)) and one.dtype != other.dtype:
            raise ExplanationError(
                f"Column {name!r} is {people[name].dtype} in X but {back[name].dtype} in "
                "background; the same type, with the same categories, is accepted."
            )
    return people, back


def _table(data: pd.DataFrame, what: str) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise ExplanationError(f"{what} is a {type(data).__name__}; a DataFrame is accepted.")
    if data.shape[0] == 0 or data.shape[1] == 0:
        raise ExplanationError(f"{what} is empty; at least one row and one column are needed.")
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()][0]
        raise ExplanationError(f"{what} has two columns named {twice!r}; names must be distinct.")
    for name in data.columns:
        if _is_number(data[name]) and np.isinf(data[name].to_numpy(float)).any():
            raise ExplanationError(f"{what} has an infinite value in column {name!r}.")
    return data


class _Coding:
    """Turns a table into the float array that shap wants, and back."""

    def __init__(self, people: pd.DataFrame, back: pd.DataFrame) -> None:
        import pandas as pd

        self.columns = people.columns
        self.types = people.dtypes
        self.kinds: dict[int, pd.Index] = {}
        for j, name in enumerate(self.columns):
            if _is_number(people[name]):
                # A background of fractions must not be cut to whole numbers.
                self.types[name] = np.result_type(people[name].dtype, back[name].dtype)
            else:
                both = pd.concat([people[name].astype(object), back[name].astype(object)])
                self.kinds[j] = pd.Index(both.unique(), dtype=object)

    def encode(self, table: pd.DataFrame) -> NDArray[np.float64]:
        out = np.empty(table.shape)
        for j, name in enumerate(self.columns):
            column = table[name]
            if j in self.kinds:
                out[:, j] = self.kinds[j].get_indexer(column.astype(object))
            else:
                out[:, j] = column.to_numpy(float)
        return out

    def decode(self, rows: NDArray) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(
            {
                name: (
                    pd.Series(self.kinds[j].to_numpy()[rows[:, j].astype(int)], dtype=object)
                    if j in self.kinds
                    else pd.Series(rows[:, j])
                ).astype(self.types[name])
                for j, name in enumerate(self.columns)
            },
        )[list(self.columns)]


def _gap_share(values: NDArray, base: float, output: NDArray) -> float:
    """Largest gap, as a share of the largest absolute answer or of 1."""
    gap = np.abs(base + values.sum(axis=1) - output).max()
    return float(gap / max(1.0, np.abs(output).max()))


def _interval_table(names: Sequence, values: NDArray, draws: NDArray) -> pd.DataFrame:
    import pandas as pd

    found = [percentile_interval(v, draws[:, j]) for j, v in enumerate(values)]
    table = pd.DataFrame(
        {
            "feature": list(names),
            "importance": [i.value for i in found],
            "low": [i.low for i in found],
            "high": [i.high for i in found],
        }
    )
    order = np.argsort(-table["importance"].to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _shap() -> Any:
    """Import shap, whose import calls parts of matplotlib that are to be renamed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return shap


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Give numpy's global generator back as it was: shap seeds it for its permutations."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
