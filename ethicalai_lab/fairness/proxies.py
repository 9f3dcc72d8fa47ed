"""How well other columns reveal a protected one, and what deleting it did.

References
----------
Feldman, M., Friedler, S. A., Moeller, J., Scheidegger, C. and Venkatasubramanian, S.
(2015). Certifying and removing disparate impact. KDD 2015, 259-268.

Dwork, C., Hardt, M., Pitassi, T., Reingold, O. and Zemel, R. (2012). Fairness through
awareness. ITCS 2012, 214-226.

DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under
two or more correlated receiver operating characteristic curves. Biometrics 44, 837-845.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError, binary, factor
from ethicalai_lab.stats import Interval, wilson_bounds

__all__ = ["ProxyReport", "dropping_effect", "proxy_strength", "roc_auc"]

_BINS = 16


@dataclass(frozen=True)
class ProxyReport:
    """What :func:`proxy_strength` found.

    Attributes
    ----------
    protected : str
        The column that was predicted.
    balanced_accuracy : Interval
        Of the model on all columns, out of fold.
    chance : float
        The balanced accuracy of knowing nothing: one over the number of levels.
    auc : DataFrame
        One row a level against all others: ``auc``, ``low``, ``high`` (DeLong).
    columns : DataFrame
        One row a column, the strongest first: ``alone`` (balanced accuracy of the column
        by itself) with ``low`` and ``high``, and ``lost_without`` (what the model loses
        when the column is shuffled; small where another column says the same).
    n_rows : int
        Rows used.
    """

    protected: str
    balanced_accuracy: Interval
    chance: float
    auc: pd.DataFrame
    columns: pd.DataFrame
    n_rows: int

    @property
    def reveals(self) -> bool:
        """Whether the columns reveal more than chance: its interval lies above."""
        return bool(self.balanced_accuracy.low > self.chance)

    def __str__(self) -> str:
        return (
            f"{self.protected} from {len(self.columns)} other columns: balanced accuracy "
            f"{self.balanced_accuracy.format(3)}, by chance {self.chance:.3f}; "
            f"strongest column alone: {self.columns.index[0]}."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>{self.columns.to_html()}{self.auc.to_html()}"


def proxy_strength(
    table: pd.DataFrame,
    protected: str,
    *,
    columns: Sequence[str] | None = None,
    model: str = "logistic",
    folds: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> ProxyReport:
    """Measure how well other columns reveal a protected one.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    protected : str
        The column to predict: few levels. Rows where it is missing are left out.
    columns : sequence of str, optional
        The columns to predict from; all others by default.
    model : {"logistic", "boosting"}, default "logistic"
        Boosting also finds what only several columns together reveal; it takes
        much longer.
    folds : int, default 5
        Folds of the cross-validation, at least 2.
    confidence : float, default 0.95
        Of the bounds.
    seed : int, default 0
        Source of folds, models and draws.

    Returns
    -------
    ProxyReport

    Raises
    ------
    FairnessInputError
        If a column is missing, ``protected`` has one level or more than 20, or a level has
        fewer rows than folds.

    Notes
    -----
    Predictions are out of fold throughout. A column is coded by the smoothed shares of the
    classes in each of its levels (numbers: in each of 16 bins of about equal size), learned
    on other rows. Classes are weighted alike, so that a rare group counts as much as a
    common one. A weak result says that this model found little, not that no model could.

    References
    ----------
    Feldman et al. (2015), see the module: if the protected attribute can be predicted with
    low balanced error, a decision from these columns can treat groups differently.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.fairness import proxy_strength
    >>> rng = np.random.default_rng(0)
    >>> group = rng.choice(["a", "b"], 600)
    >>> street = np.where(rng.random(600) < 0.85, group, "c")
    >>> table = pd.DataFrame({"group": group, "street": street, "noise": rng.random(600)})
    >>> report = proxy_strength(table, "group")
    >>> report.columns.index[0], report.reveals
    ('street', True)
    """
    names = _check_columns(table, protected, columns)
    if model not in ("logistic", "boosting"):
        raise FairnessInputError(f"model is {model!r}; accepted are logistic and boosting.")
    if folds < 2:
        raise FairnessInputError(f"folds is {folds}; at least 2 are needed.")
    table = table.loc[table[protected].notna()]
    y, levels = factor(table[protected], protected)
    k = len(levels)
    if not 2 <= k <= 20:
        raise FairnessInputError(
            f"{protected} has {k} levels; give a column with 2 to 20 (bin numbers first)."
        )
    smallest = int(np.bincount(y).min())
    if smallest < folds:
        raise FairnessInputError(
            f"{protected}: its rarest level has {smallest} rows; each fold of {folds} needs one."
        )
    fold = _folds(y, folds, seed)
    coded = {name: _code(table[name]) for name in names}
    rng = np.random.default_rng([seed, 2])

    single = {}
    for name in names:
        scores = _out_of_fold_shares(coded[name], y, k, fold, folds)
        single[name] = _balanced(y, scores.argmax(axis=1), k, confidence)

    out = np.zeros((y.size, k))
    shuffled = {name: np.zeros(y.size, dtype=np.intp) for name in names}
    for f in range(folds):
        test = fold == f
        features, owner = _encode_fold(coded, names, y, k, test, model)
        weight = (1.0 / np.bincount(y[~test], minlength=k))[y[~test]]
        fitted = _Model(model, seed).fit(features[~test], y[~test], weight / weight.mean())
        out[test] = fitted.predict_proba(features[test])
        for j, name in enumerate(names):
            spoiled = features[test].copy()
            mixed = rng.permutation(spoiled.shape[0])
            spoiled[:, owner == j] = spoiled[mixed][:, owner == j]
            shuffled[name][test] = fitted.predict_proba(spoiled).argmax(axis=1)

    predicted = out.argmax(axis=1)
    whole = _balanced(y, predicted, k, confidence)
    rows = [
        (*single[name], whole.value - _balanced_accuracy(_confusion(y, shuffled[name], k)))
        for name in names
    ]
    frame = pd.DataFrame(
        rows,
        columns=["alone", "low", "high", "lost_without"],
        index=pd.Index(names, name="column"),
    ).sort_values("alone", ascending=False, kind="stable")
    curves = [roc_auc(y == level, out[:, level], confidence) for level in range(k)]
    auc = pd.DataFrame(
        [(c.value, c.low, c.high) for c in curves],
        columns=["auc", "low", "high"],
        index=pd.Index(levels, name=protected),
    )
    return ProxyReport(protected, whole, 1 / k, auc, frame, y.size)


def roc_auc(y_true: Any, score: Any, confidence: float = 0.95) -> Interval:
    """Return the area under the ROC curve with DeLong's interval, on the logit scale.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        0/1.
    score : array-like of shape (n_rows,)
        Higher for 1.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    Interval
        In [0, 1]; ``nan`` where one class is absent.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), see the module.

    Examples
    --------
    >>> from ethicalai_lab.fairness import roc_auc
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    y = binary(y_true, "y_true").astype(bool)
    s = np.asarray(score, dtype=float)
    positive, negative = s[y], s[~y]
    m, n = positive.size, negative.size
    if not m or not n:
        return Interval(math.nan, math.nan, math.nan, confidence)
    ranks = rankdata(np.concatenate([positive, negative]))
    own_positive, own_negative = rankdata(positive), rankdata(negative)
    auc = float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))
    if m < 2 or n < 2:
        return Interval(auc, math.nan, math.nan, confidence)
    v10 = (ranks[:m] - own_positive) / n
    v01 = 1 - (ranks[m:] - own_negative) / m
    variance = v10.var(ddof=1) / m + v01.var(ddof=1) / n
    if auc in (0.0, 1.0) or variance == 0:
        return Interval(auc, auc, auc, confidence)
    # On the logit scale bounds cannot leave [0, 1].
    logit = math.log(auc / (1 - auc))
    half = float(-ndtri((1 - confidence) / 2)) * math.sqrt(variance) / (auc * (1 - auc))
    low, high = (1 / (1 + math.exp(-(logit + sign * half))) for sign in (-1, 1))
    return Interval(auc, low, high, confidence)


def dropping_effect(
    table: pd.DataFrame,
    protected: str,
    outcome: str,
    *,
    columns: Sequence[str] | None = None,
    also_drop: Sequence[str] = (),
    share: float = 0.3,
    test_size: float = 0.5,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Show what deleting the protected column, and its proxies, did to the selection gap.

    A model predicts the outcome; those it scores in the top ``share`` are selected; gap and
    ranking are measured on rows it was not trained on.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    protected, outcome : str
        The protected column, and the outcome (0/1) that the model predicts.
    columns : sequence of str, optional
        The other columns the model may use; all others by default.
    also_drop : sequence of str, optional
        Proxies to delete as well, in a third run.
    share : float, default 0.3
        Share selected, in (0, 1).
    test_size : float, default 0.5
        Share of rows held out, in (0, 1).
    confidence : float, default 0.95
        Of the bounds.
    seed : int, default 0
        Source of the held-out rows, the model and the draws.

    Returns
    -------
    DataFrame
        Rows "with the column", "without it" and, with ``also_drop``, "without it and its
        proxies"; columns ``gap`` (demographic parity difference), ``gap_low``,
        ``gap_high``, ``by_chance`` (the gap to expect if all groups were selected alike, see
        :attr:`Audit.chance`), ``auc``, ``auc_low``, ``auc_high``.

    Raises
    ------
    FairnessInputError
        If a column is missing or cannot be used.

    References
    ----------
    Dwork et al. (2012), see the module: other columns encode the deleted one.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.fairness import dropping_effect
    >>> rng = np.random.default_rng(0)
    >>> group = rng.choice(["a", "b"], 2000)
    >>> twin = np.where(rng.random(2000) < 0.95, group, "a")
    >>> bought = (rng.random(2000) < np.where(group == "a", 0.5, 0.2)).astype(int)
    >>> table = pd.DataFrame({"group": group, "twin": twin, "x": rng.random(2000), "bought": bought})
    >>> gaps = dropping_effect(table, "group", "bought")["gap"]
    >>> bool(gaps["without it"] > 0.5 * gaps["with the column"])
    True
    """
    from ethicalai_lab.fairness.auditing import audit

    names = [n for n in _check_columns(table, protected, columns) if n != outcome]
    if outcome not in table:
        raise FairnessInputError(f"outcome {outcome!r} is not a column of the table.")
    for name, value in (("share", share), ("test_size", test_size)):
        if not 0 < value < 1:
            raise FairnessInputError(f"{name} is {value}; it must lie between 0 and 1.")
    for name in also_drop:
        if name not in names:
            raise FairnessInputError(f"also_drop names {name!r}, which the model does not use.")
    y = binary(table[outcome], outcome)
    # a stream of its own: what was drawn with the same seed must not tell who is held out
    test = np.random.default_rng([seed, 0x7E57]).random(len(table)) < test_size
    runs = {"with the column": [protected, *names], "without it": names}
    if also_drop:
        runs["without it and its proxies"] = [n for n in names if n not in set(also_drop)]
    rows = {}
    for label, used in runs.items():
        if not used:
            raise FairnessInputError("no column is left for the model; drop fewer.")
        coded = {name: _code(table[name]) for name in used}
        features, _ = _encode_fold(coded, used, y, 2, test, "boosting")
        model = _Model("boosting", seed).fit(features[~test], y[~test], None)
        score = model.predict_proba(features[test])[:, 1]
        # Ties at the cut are broken at random: otherwise the order of rows would decide.
        noise = np.random.default_rng([seed, 3]).random(score.size)
        order = np.lexsort((noise, -score))
        chosen = np.zeros(score.size, dtype=int)
        chosen[order[: max(1, round(share * score.size))]] = 1
        found = audit(
            y[test],
            chosen,
            sensitive_features=table.loc[test, protected],
            confidence=confidence,
            seed=seed,
        )
        gap = found.disparities.loc["demographic_parity_difference"]
        by_chance = found.chance.loc["demographic_parity_difference", "by_chance"]
        auc = roc_auc(y[test], score, confidence)
        rows[label] = (gap["value"], gap["low"], gap["high"], by_chance, *auc)
    columns_ = ["gap", "gap_low", "gap_high", "by_chance", "auc", "auc_low", "auc_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns_)


# -------------------------------------------------------------------------- helpers


def _check_columns(table: pd.DataFrame, protected: str, columns: Sequence[str] | None) -> list[str]:
    if not isinstance(table, pd.DataFrame):
        raise FairnessInputError("table must be a DataFrame, one row a person.")
    names = [c for c in table.columns if c != protected] if columns is None else list(columns)
    for name in [protected, *names]:
        if name not in table:
            raise FairnessInputError(
                f"column {name!r} is not in the table; it has {', '.join(map(str, table.columns))}."
            )
    if protected in names:
        raise FairnessInputError(
            f"{protected} is both the protected column and one to predict from."
        )
    if not names:
        raise FairnessInputError("columns is empty; give at least one column to predict from.")
    return names


def _folds(y: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deal rows into folds, level by level, so that each fold holds each level."""
    rng = np.random.default_rng([seed, 1])
    fold = np.empty(y.size, dtype=np.intp)
    for level in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == level))
        fold[rows] = (np.arange(rows.size) + rng.integers(folds)) % folds
    return fold


def _code(values: pd.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Return level codes and, for numbers, the values themselves."""
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype("int64").where(values.notna()).astype(float)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        x = values.to_numpy(dtype=float, na_value=np.nan)
        edges = np.unique(np.nanquantile(x, np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, x, side="right")
        codes[np.isnan(x)] = edges.size + 1
        return codes, x
    codes, _ = pd.factorize(values, use_na_sentinel=False)
    return codes.astype(np.intp), None


def _shares(codes: np.ndarray, y: np.ndarray, k: int, train: np.ndarray) -> np.ndarray:
    """Return each row's class shares of its level, in the training rows, smoothed."""
    size = int(codes.max()) + 1
    counts = np.bincount(codes[train] * k + y[train], minlength=size * k).reshape(size, k)
    # Each class weighs the same, however rare it is.
    per_class = np.maximum(np.bincount(y[train], minlength=k), 1).astype(float)
    smoothed = counts / per_class + (5 / k) / per_class.sum()
    return (smoothed / smoothed.sum(axis=1, keepdims=True))[codes]


def _cross_fitted_shares(
    codes: np.ndarray, y: np.ndarray, k: int, train: np.ndarray, inner: np.ndarray
) -> np.ndarray:
    """Return class shares in which no training row sees its own class.

    Leaving out just the row itself would not do: its share would be lower where its class
    is the level's, and the model would learn that.
    """
    result = _shares(codes, y, k, train)
    for f in range(int(inner.max()) + 1):
        own = train & (inner == f)
        result[own] = _shares(codes, y, k, train & (inner != f))[own]
    return result


def _out_of_fold_shares(
    coded: tuple[np.ndarray, np.ndarray | None], y: np.ndarray, k: int, fold: np.ndarray, folds: int
) -> np.ndarray:
    result = np.empty((y.size, k))
    for f in range(folds):
        test = fold == f
        result[test] = _shares(coded[0], y, k, ~test)[test]
    return result


def _encode_fold(
    coded: dict[str, tuple[np.ndarray, np.ndarray | None]],
    names: Sequence[str],
    y: np.ndarray,
    k: int,
    test: np.ndarray,
    kind: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return numeric features, learned on the rows outside ``test``, and their owners.

    Boosting takes numbers as they are; the logistic model takes the log odds of each class
    given a column's level or bin, as naive Bayes does, and learns how far to trust them.
    """
    blocks, owner = [], []
    inner = _folds(y, 5, 0)
    for j, name in enumerate(names):
        codes, x = coded[name]
        if x is not None and kind == "boosting":
            block = x[:, None]
        else:
            block = np.log(_cross_fitted_shares(codes, y, k, ~test, inner))
            block = block[:, 1:] - block[:, :1]  # shares sum to 1: one of them is redundant
        blocks.append(block)
        owner += [j] * block.shape[1]
    return np.hstack(blocks), np.array(owner)


class _Model:
    """Class probabilities from coded columns, on one thread."""

    def __init__(self, kind: str, seed: int):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression

        if kind == "boosting":
            self.model = HistGradientBoostingClassifier(
                max_iter=40,
                learning_rate=0.15,
                max_leaf_nodes=15,
                early_stopping=False,
                random_state=seed,
            )
        else:
            self.model = LogisticRegression(C=1.0, solver="newton-cholesky")

    def fit(self, features: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> _Model:
        # Threads that wait for a busy core make small fits many times slower.
        with _one_thread(), warnings.catch_warnings():
            # Where no column says anything the start is the optimum, and no step improves it.
            warnings.filterwarnings("ignore", message="Line search of Newton solver")
            self.model.fit(features, y, sample_weight=weight)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        with _one_thread():
            return self.model.predict_proba(features)


def _one_thread() -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _confusion(y: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    return np.bincount(y * k + predicted, minlength=k * k).reshape(k, k)


def _balanced_accuracy(confusion: np.ndarray) -> float:
    return float((np.diagonal(confusion) / confusion.sum(axis=1)).mean())


def _balanced(y: np.ndarray, predicted: np.ndarray, k: int, confidence: float) -> Interval:
    """Return the mean of the levels' recalls; their Wilson bounds add up as errors do (MOVER)."""
    confusion = _confusion(y, predicted, k)
    hits, n = np.diagonal(confusion), confusion.sum(axis=1)
    low, high = wilson_bounds(hits, n, confidence)
    value = _balanced_accuracy(confusion)
    down, up = (np.linalg.norm(end - hits / n) / k for end in (low, high))
    return Interval(value, value - down, value + up, confidence)
