"""Whether an explanation is true: fidelity and stability.

Fluent is not true. In a world whose mechanism is known, attributions are held against
the true causes; elsewhere they can at least be held against themselves (the same person
under a retrained model). Every function takes
plain tables of attributions, people x features, whatever method made them.

Intervals are percentile bootstraps over people. They speak of other people under the same
models and methods, not of other models.

References
----------
Krishna, S. et al. (2022). The disagreement problem in explainable machine learning: a
practitioner's perspective. arXiv:2202.01602.

Radcliffe, N. and Surry, P. (1999). Differential response analysis: modeling true response
by isolating the effect of a single action. Credit Scoring and Credit Control VI.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import bootstrap_rows, percentile_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["attribution_beside_uplift", "fidelity", "stability"]

_BOOT = 500


def fidelity(
    values: pd.DataFrame,
    true_effects: pd.Series | pd.DataFrame,
) -> pd.DataFrame:
    """Hold attributions against the true causes.

    Parameters
    ----------
    values : DataFrame of shape (people, features)
        Attributions, in any one unit.
    true_effects : Series of shape (features,) or DataFrame of shape (people, features)
        The true effect of each feature: one size a feature, or each person's contribution.
        Zero says that the feature causes nothing. Features that ``values`` does not have
        are left aside.

    Returns
    -------
    DataFrame indexed by measure, with columns value, low, high
        ``rank_agreement`` in [-1, 1]: Spearman correlation of mean ``|attribution|`` with
        mean ``|true effect|``. ``person_correlation`` in [-1, 1]: mean over people of the
        Pearson correlation across features (``nan`` where ``true_effects`` has no rows of
        people). ``credit_on_non_causes`` in [0, 1]: the share of all ``|attribution|`` on
        features without a true effect, which is how much proxies are blamed.

    Raises
    ------
    ExplanationError
        If a feature has no true effect given, or a table is empty or not numeric.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability.truthfulness import fidelity
    >>> values = pd.DataFrame({"income": [3.0, -3.0], "postcode": [1.0, -1.0]})
    >>> truth = pd.Series({"income": 4.0, "postcode": 0.0})
    >>> fidelity(values, truth)["value"].round(2).tolist()
    [1.0, nan, 0.25]
    """
    import pandas as pd

    v = _table(values, "values")
    features = list(values.columns)
    personal = isinstance(true_effects, pd.DataFrame)
    known = true_effects.columns if personal else pd.Series(true_effects).index
    for name in features:
        if name not in known:
            raise ExplanationError(
                f"true_effects has no entry for feature {name!r}; "
                "give its effect, 0 where it causes nothing."
            )
    if personal:
        _same_people(values, true_effects, "true_effects")
        truth = _table(true_effects[features], "true_effects")
    else:
        one_row = pd.Series(true_effects)[features].to_frame().T
        truth = np.repeat(_table(one_row, "true_effects"), len(v), axis=0)

    size, true_size = np.abs(v), np.abs(truth)
    idle = true_size.max(axis=0) == 0
    if idle.all():
        raise ExplanationError(
            "true_effects is zero for every feature of values; at least one must be a cause."
        )

    def measures(means: NDArray[Any], true_means: NDArray[Any]) -> NDArray[Any]:
        total = means.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total > 0, means[:, idle].sum(axis=1) / total, np.nan)
        return np.stack([_row_spearman(means, true_means), share], axis=1)

    both = np.hstack([size, true_size])
    draws = bootstrap_rows(lambda rows: both[rows].mean(axis=0), len(v), _BOOT, 0)
    n = len(features)
    point = measures(size.mean(axis=0)[None], true_size.mean(axis=0)[None])[0]
    boots = measures(draws[:, :n], draws[:, n:])
    per_person = _row_pearson(v, truth) if personal else np.full(len(v), np.nan)
    rows = {
        "rank_agreement": _triple(point[0], boots[:, 0]),
        "person_correlation": _mean_triple(per_person),
        "credit_on_non_causes": _triple(point[1], boots[:, 1]),
    }
    return _frame(rows, "measure")


def stability(
    tables: Sequence[pd.DataFrame],
    *,
    k: int = 3,
) -> pd.DataFrame:
    """Compare the attributions of the same people from retrained models.

    Parameters
    ----------
    tables : sequence of DataFrame of shape (people, features), at least two
        One table a retrained model, with the same people and features.
    k : int, default 3
        How many features make a person's "main reasons".

    Returns
    -------
    DataFrame indexed by measure, with columns value, low, high
        Means over people and pairs of models: ``top_k_overlap`` (Jaccard, in [0, 1]),
        ``rank_correlation`` (Spearman of ``|attribution|``, in [-1, 1]) and
        ``sign_agreement`` (share of features with one sign, in [0, 1]).

    Raises
    ------
    ExplanationError
        If there are fewer than two tables, they differ in people or features, or ``k`` is
        outside 1 to the number of features.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability.truthfulness import stability
    >>> once = pd.DataFrame({"a": [3.0, 1.0], "b": [2.0, 2.0], "c": [1.0, 3.0]})
    >>> stability([once, once], k=2)["value"].tolist()
    [1.0, 1.0, 1.0]
    """
    if len(tables) < 2:
        raise ExplanationError(
            f"stability was given {len(tables)} table(s); it needs at least two retrained models."
        )
    arrays = _aligned(tables, k)
    pairs = [_compare(a, b, k) for a, b in itertools.combinations(arrays, 2)]
    mean = {name: np.mean([pair[name] for pair in pairs], axis=0) for name in pairs[0]}
    rows = {name: _mean_triple(x) for name, x in mean.items()}
    return _frame(rows, "measure")


def attribution_beside_uplift(
    values: pd.DataFrame,
    uplift: pd.Series,
    feature: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Set attributions for a score beside the true effect of acting on it.

    Attribution says why a score is high. It does not say whom the action changes: a
    correlation near zero, or below it, shows the difference.

    Parameters
    ----------
    values : DataFrame of shape (people, features)
        Attributions for a score, such as the chance of a purchase.
    uplift : Series of shape (people,)
        Each person's true uplift, in any one unit; same index as ``values``.
    feature : str or sequence of str, optional
        Features to show; all where left out.

    Returns
    -------
    DataFrame indexed by feature, with columns value, low, high, mean_size
        Pearson correlation over people between attribution and uplift, ``nan`` where one
        of them is constant, and the mean ``|attribution|``. The last row, ``(score)``, is
        the sum of all attributions.

    Raises
    ------
    ExplanationError
        If a feature is unknown or ``uplift`` has other people.

    References
    ----------
    Radcliffe and Surry (1999), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability.truthfulness import attribution_beside_uplift
    >>> values = pd.DataFrame({"loyal": [2.0, 1.0, -1.0, -2.0], "new": [0.0, 1.0, 0.0, 1.0]})
    >>> uplift = pd.Series([-0.2, -0.1, 0.1, 0.2])
    >>> attribution_beside_uplift(values, uplift, "loyal")["value"].round(2).to_dict()
    {'loyal': -1.0, '(score)': -0.95}
    """
    v = _table(values, "values")
    _same_people(values, uplift, "uplift")
    u = _table(uplift.to_frame("uplift"), "uplift")[:, 0]
    names = list(values.columns)
    shown = names if feature is None else [feature] if isinstance(feature, str) else list(feature)
    for name in shown:
        if name not in names:
            raise ExplanationError(
                f"values has no feature {name!r}; it has {', '.join(map(str, names))}."
            )
    columns = np.column_stack([v[:, [names.index(n) for n in shown]], v.sum(axis=1)])

    def correlations(rows: NDArray[Any]) -> NDArray[Any]:
        return _row_pearson(columns[rows].T, np.broadcast_to(u[rows], columns.T.shape))

    point = correlations(np.arange(len(u)))
    draws = bootstrap_rows(correlations, len(u), _BOOT, 0)
    rows = {name: _triple(point[i], draws[:, i]) for i, name in enumerate([*shown, "(score)"])}
    return _frame(rows, "feature").assign(mean_size=np.abs(columns).mean(axis=0))


# -------------------------------------------------------------------------- helpers


def _table(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise ExplanationError(
            f"{name} is a {type(frame).__name__}; a table of people x features is needed."
        )
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ExplanationError(f"{name} is empty; it needs at least one person and one feature.")
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise ExplanationError(f"{name}: column {column!r} must hold numbers only.")
    array = frame.to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(array)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ExplanationError(
            f"{name}: column {frame.columns[column]!r}, row {frame.index[row]!r} is missing or "
            "infinite; finite numbers are needed."
        )
    return array


def _same_people(values: pd.DataFrame, other: Any, name: str) -> None:
    if not values.index.equals(other.index):
        raise ExplanationError(
            f"{name} is about other people than values; both need the same index, in one order."
        )


def _aligned(tables: Sequence[pd.DataFrame], k: int) -> list[NDArray[np.float64]]:
    arrays, reference = [], tables[0]
    for i, table in enumerate(tables):
        name = f"tables[{i}]"
        array = _table(table, name)
        if list(table.columns) != list(reference.columns):
            raise ExplanationError(
                f"{name} has other features than the first table; the same columns are needed."
            )
        if not table.index.equals(reference.index):
            raise ExplanationError(
                f"{name} is about other people than the first table; the same index is needed."
            )
        arrays.append(array)
    n = arrays[0].shape[1]
    if not 1 <= k <= n:
        raise ExplanationError(f"k is {k}; it must lie between 1 and the {n} features.")
    return arrays


def _compare(a: NDArray[Any], b: NDArray[Any], k: int) -> dict[str, NDArray[Any]]:
    """Return each person's overlap, rank correlation and sign agreement."""
    common = (_top(a, k) & _top(b, k)).sum(axis=1)
    return {
        "top_k_overlap": common / (2 * k - common),
        "rank_correlation": _row_spearman(np.abs(a), np.abs(b)),
        "sign_agreement": (np.sign(a) == np.sign(b)).mean(axis=1),
    }


def _top(a: NDArray[Any], k: int) -> NDArray[np.bool_]:
    chosen = np.zeros(a.shape, dtype=bool)
    order = np.argsort(-np.abs(a), axis=1, kind="stable")[:, :k]
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def _row_pearson(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    # Rounding leaves a trace of spread in a constant row; that is no correlation.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 1e-14, np.clip((a * b).sum(axis=1) / scale, -1, 1), np.nan)


def _row_spearman(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    import pandas as pd

    a, b = (pd.DataFrame(x).rank(axis=1).to_numpy() for x in (a, b))
    return _row_pearson(a, b)


def _triple(value: float, draws: NDArray[Any]) -> tuple[float, float, float]:
    return tuple(percentile_interval(float(value), draws))


def _mean_triple(x: NDArray[Any]) -> tuple[float, float, float]:
    kept = x[~np.isnan(x)]
    if kept.size == 0:
        return (math.nan, math.nan, math.nan)
    draws = bootstrap_rows(lambda rows: kept[rows].mean(), kept.size, _BOOT, 0)
    return _triple(kept.mean(), draws)


def _frame(rows: Mapping[Any, tuple[float, float, float]], name: str) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(list(rows.values()), columns=["value", "low", "high"])
    table.index = pd.Index(list(rows), name=name)
    return table
