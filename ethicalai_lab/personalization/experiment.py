"""Analyse a randomised experiment: each arm's lift, and whom each message changes.

References
----------
Radcliffe, N. J. (2007). Using control groups to target on predicted lift: building and
assessing uplift models. Direct Marketing Analytics Journal 3, 14-21.

Lopez-Paz, D. and Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR (the
balance check).
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ethicalai_lab.core.checks import same_length
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.evaluation import RankingEvaluation, evaluate_ranking
from ethicalai_lab.personalization.rules import lift
from ethicalai_lab.personalization.uplift import (
    TLearner,
    cross_fit_uplift,
    encode_features,
    spread_folds,
)
from ethicalai_lab.stats import difference_interval

__all__ = ["UpliftReport", "analyse_experiment"]

Floats = NDArray[np.float64]

MAX_ARMS = 20
MIN_ARM_ROWS = 100
MIN_EVENTS = 10
_BALANCE_ROWS = 100_000
BALANCE_P = 0.001
_AUC_FOLDS = 3
_ID_LIKE_SHARE = 0.5


@dataclass(frozen=True)
class UpliftReport:
    """What a randomised experiment says about each arm, and about whom to send it to.

    Attributes
    ----------
    n_rows : int
        People analysed.
    treatment, control, arms : str, label, tuple of labels
        The treatment column, its untreated level and the others.
    outcome : str
        The outcome that people were ranked for.
    features : tuple of str
        Columns the ranking learned from.
    lifts : DataFrame
        One row an outcome and arm: outcome and the columns of
        :func:`~ethicalai_lab.personalization.lift`.
    rankings : dict of label to RankingEvaluation
        For each arm that could be ranked: how well predicted uplift ranks people, out of
        fold. Intervals allow for the noise in the predictions.
    scores : DataFrame
        Predicted uplift of everybody, out of fold, one column an arm; indexed as the table.
    balance : DataFrame
        One row an arm: arm, auc (how well features predict who got it; 0.5 if randomised),
        p_value, feature and smd (the largest standardised difference to control).
    warnings : tuple of str
        What makes the figures doubtful, or why some are not there.
    notes : tuple of str
        What a reader should know about how they were made.
    seed : int
    """

    n_rows: int
    treatment: str
    control: Any
    arms: tuple[Any, ...]
    outcome: str
    features: tuple[str, ...]
    lifts: pd.DataFrame
    rankings: dict[Any, RankingEvaluation]
    scores: pd.DataFrame
    balance: pd.DataFrame
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    seed: int
    _y: Floats = field(repr=False, compare=False)
    _arm: pd.Series = field(repr=False, compare=False)

    @property
    def table(self) -> pd.DataFrame:
        """How well each arm's ranking works: one row an arm and measure."""
        parts = [ranking.table.assign(arm=arm) for arm, ranking in self.rankings.items()]
        columns = ["arm", "measure", "value", "low", "high"]
        if not parts:
            return pd.DataFrame(columns=columns)
        return pd.concat(parts, ignore_index=True)[columns]

    def by_group(self, groups: ArrayLike) -> pd.DataFrame:
        """Compare predicted uplift with the lift observed, group by group.

        Parameters
        ----------
        groups : array-like of shape (n_rows,)
            Group of each person, in the table's order; missing is left out.

        Returns
        -------
        DataFrame
            One row an arm and group: arm, group, n (people of the group), predicted (mean
            uplift predicted out of fold; ``nan`` where the arm was not ranked), observed
            (lift over control), low, high.

        Raises
        ------
        InputError
            If ``groups`` has another length.
        """
        labels = pd.Series(groups).reset_index(drop=True)
        same_length(table=self.scores, groups=labels)
        arm_of = self._arm.to_numpy()
        rows = []
        for arm in self.arms:
            predicted = self.scores[arm].to_numpy() if arm in self.scores else None
            for group, members in labels.groupby(labels, observed=True, sort=True):
                at = members.index.to_numpy()
                y, given = self._y[at], arm_of[at]
                observed = difference_interval(y[given == arm], y[given == self.control])
                mean = math.nan if predicted is None else float(predicted[at].mean())
                rows.append((arm, group, at.size, mean, *observed))
        return pd.DataFrame(
            rows, columns=["arm", "group", "n", "predicted", "observed", "low", "high"]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single people's scores as a JSON-ready mapping."""
        return _plain(
            {
                "n_rows": self.n_rows,
                "treatment": self.treatment,
                "control": self.control,
                "arms": list(self.arms),
                "outcome": self.outcome,
                "features": list(self.features),
                "confidence": 0.95,
                "seed": self.seed,
                "lifts": self.lifts.to_dict(orient="records"),
                "rankings": {str(arm): found.to_dict() for arm, found in self.rankings.items()},
                "balance": self.balance.to_dict(orient="records"),
                "warnings": list(self.warnings),
                "notes": list(self.notes),
            }
        )

    def __str__(self) -> str:
        parts = [
            f"{self.n_rows:,} people, control {self.control!r}, 95 % intervals",
            "",
            "Lift of each arm over control",
            self.lifts.round(6).to_string(index=False),
        ]
        if self.rankings:
            parts += [
                "",
                f"Ranking people by predicted uplift of {self.outcome!r} (out of fold)",
                self.table.round(6).to_string(index=False),
            ]
        if len(self.balance):
            parts += [
                "",
                "Balance: can the features tell who got the arm? (AUC 0.5: no)",
                self.balance.round(6).to_string(index=False),
            ]
        for name, texts in (("Warning", self.warnings), ("Note", self.notes)):
            if texts:
                parts += ["", *(f"{name}: {text}" for text in texts)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        def section(title: str, table: pd.DataFrame) -> str:
            if not len(table):
                return ""
            return f"<h4>{html.escape(title)}</h4>{table.round(6).to_html(index=False)}"

        def listed(name: str, texts: tuple[str, ...]) -> str:
            return "".join(f"<p><strong>{name}:</strong> {html.escape(t)}</p>" for t in texts)

        return (
            "<div>"
            + listed("Warning", self.warnings)
            + section("Lift of each arm over control", self.lifts)
            + section(f"Ranking by predicted uplift of {self.outcome}, out of fold", self.table)
            + section("Balance: can the features tell who got the arm?", self.balance)
            + listed("Note", self.notes)
            + "</div>"
        )


def analyse_experiment(table: pd.DataFrame, roles: Any, seed: int = 0) -> UpliftReport:
    """Analyse a randomised experiment, given each column's role.

    Parameters
    ----------
    table : DataFrame
        One row a person. Features may have missing values and text.
    roles : object
        With attributes ``columns`` (mapping of column to role, or to several roles),
        ``control`` (the untreated level), ``outcome`` (which outcome people are ranked
        for; the first by default) and ``positive`` (its positive value, where it is not
        0/1 or true/false), as ``ethicalai_lab.tables.Roles``.
    seed : int, default 0
        Source of every draw.

    Returns
    -------
    UpliftReport

    Raises
    ------
    InputError
        If a column is not there, the treatment has no control level or no other level,
        or an outcome is missing or neither numeric nor made 0/1 by ``positive``.

    References
    ----------
    Radcliffe (2007), Lopez-Paz and Oquab (2017), see the module.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.personalization import analyse_experiment
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"mail": rng.choice(["no", "yes"], 3000), "x": rng.random(3000)})
    >>> table["visit"] = rng.random(3000) < 0.1 + 0.6 * table["x"] * (table["mail"] == "yes")
    >>> roles = SimpleNamespace(
    ...     columns={"mail": "treatment", "x": "feature", "visit": "outcome"},
    ...     control="no", outcome=None, positive=None)
    >>> report = analyse_experiment(table, roles)
    >>> report.rankings["yes"].qini_coefficient.low > 0, report.warnings
    (True, ())
    """
    assigned = _by_role(table, roles)
    treatment, main = _only_treatment(assigned), _main_outcome(assigned, roles)
    outcomes = assigned["outcome"]
    if not len(table):
        raise InputError("the table has no rows; one row a person is needed.")
    arm_of, control, arms = _arms(table[treatment], getattr(roles, "control", None))
    values = {
        name: _outcome(table[name], _positive(roles, name, main if len(outcomes) > 1 else name))
        for name in outcomes
    }
    lifts = [lift(found, arm_of, control).assign(outcome=name) for name, found in values.items()]
    columns = ["outcome", *(name for name in lifts[0] if name != "outcome")]
    names = [name for name in assigned.get("feature", []) if name not in (treatment, *outcomes)]
    features, dropped = covariates(table, names)
    warnings: list[str] = []
    ranked = _rank(features, values[main], arm_of, control, arms, main, seed, warnings)
    return UpliftReport(
        n_rows=len(table),
        treatment=treatment,
        control=control,
        arms=tuple(arms),
        outcome=main,
        features=tuple(features.columns),
        lifts=pd.concat(lifts, ignore_index=True)[columns],
        rankings=ranked.rankings,
        scores=ranked.scores.set_index(table.index),
        balance=ranked.balance,
        warnings=tuple(warnings),
        notes=(*_notes(roles, names, main, outcomes), *dropped),
        seed=seed,
        _y=values[main],
        _arm=pd.Series(arm_of),
    )


# ------------------------------------------------------------------- reading the roles


def _list(labels: Any, most: int = 10) -> str:
    shown = [str(label) for label in labels]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def _given(role: Any) -> tuple[str, ...]:
    return (role,) if isinstance(role, str) else tuple(role)


def _by_role(table: pd.DataFrame, roles: Any) -> dict[str, list[str]]:
    columns = roles.columns
    if not isinstance(columns, Mapping):
        raise InputError("roles.columns must map column names to roles.")
    found: dict[str, list[str]] = {}
    for name, given in columns.items():
        if name not in table.columns:
            raise InputError(f"the table has no column {name!r}; it has: {_list(table.columns)}.")
        for role in _given(given):
            found.setdefault(role, []).append(name)
    return found


def _only_treatment(assigned: dict[str, list[str]]) -> str:
    columns = assigned.get("treatment", [])
    if len(columns) != 1:
        what = f"{_list(columns)} have" if columns else "no column has"
        raise InputError(f"{what} the role treatment; exactly one column must.")
    return columns[0]


def _main_outcome(assigned: dict[str, list[str]], roles: Any) -> str:
    outcomes = assigned.get("outcome", [])
    if not outcomes:
        raise InputError("no column has the role outcome; name at least one.")
    main = getattr(roles, "outcome", None) or outcomes[0]
    if main not in outcomes:
        raise InputError(f"outcome {main!r} is no outcome column; accepted: {_list(outcomes)}.")
    return main


def _arms(column: pd.Series, control: Any) -> tuple[NDArray[Any], Any, list[Any]]:
    name = column.name
    missing = column.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"column {name!r} has {int(missing.sum())} missing values (first in row "
            f"{int(np.argmax(missing)) + 1}); everyone's arm must be known."
        )
    levels = column.unique().tolist()
    levels.sort(key=str if column.dtype == object else None)
    if len(levels) > MAX_ARMS + 1:
        raise InputError(
            f"column {name!r} has {len(levels)} levels; a treatment has a control level and "
            f"1 to {MAX_ARMS} others."
        )
    if control is None:
        # 0/1 and false/true leave no doubt.
        plain = [level for level in levels if level in (0, 1) and not isinstance(level, str)]
        if len(plain) != len(levels) or 0 not in plain:
            raise InputError(
                f"the untreated level of column {name!r} is not named; give control as one "
                f"of: {_list(levels)}."
            )
        control = next(level for level in levels if level == 0)
    else:
        same = [level for level in levels if level == control] or [
            level for level in levels if str(level) == str(control)
        ]
        if not same:
            raise InputError(
                f"control {control!r} is no level of column {name!r}; accepted: {_list(levels)}."
            )
        control = same[0]
    arms = [level for level in levels if level != control]
    if not arms:
        raise InputError(
            f"column {name!r} holds only the control level {control!r}; at least one other is "
            "needed."
        )
    return column.to_numpy(dtype=object), control, arms


def _positive(roles: Any, column: str, main: str) -> Any:
    """Return the value that counts in a column; given without a column, it is the main one's."""
    said = getattr(roles, "positive", None)
    if isinstance(said, Mapping):
        return said.get(column)
    return said if column == main else None


def _outcome(column: pd.Series, positive: Any) -> Floats:
    name = column.name
    missing = column.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"column {name!r} has {int(missing.sum())} missing values (first in row "
            f"{int(np.argmax(missing)) + 1}); an outcome must be known for everyone."
        )
    if positive is not None:
        words = list(positive) if isinstance(positive, list | tuple) else [positive]
        hit = column.isin(words).to_numpy(dtype=bool)
        if not hit.any():
            hit = column.astype(str).isin(list(map(str, words))).to_numpy(dtype=bool)
        if not hit.any():
            raise InputError(
                f"positive {positive!r} is no value of column {name!r}; it has: "
                f"{_list(column.unique())}."
            )
        return hit.astype(float)
    if pd.api.types.is_numeric_dtype(column.dtype):  # yes/no included
        y = column.to_numpy(dtype=float)
        if not np.isfinite(y).all():
            raise InputError(f"column {name!r} holds an infinite number; outcomes are finite.")
        return y
    raise InputError(
        f"column {name!r} holds {_list(column.unique(), 4)}; an outcome must be numbers or "
        "true/false, or name its positive value with `positive`."
    )


def _notes(roles: Any, names: list[str], main: str, outcomes: list[str]) -> list[str]:
    notes = []
    if len(outcomes) > 1:
        notes.append(f"People are ranked for {main!r}; lifts are given for all outcomes.")
    for role in ("protected", "sensitive"):
        used = [name for name in names if role in _given(roles.columns[name])]
        if used:
            notes.append(f"The ranking learns from {role} columns: {_list(used)}.")
    return notes


def covariates(table: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns known before the offer, encoded, and what was left out and why."""
    notes = []
    kept = []
    for name in names:
        distinct = table[name].nunique(dropna=False)
        text = not pd.api.types.is_numeric_dtype(table[name].dtype)
        dated = pd.api.types.is_datetime64_any_dtype(table[name].dtype)
        if distinct < 2:
            notes.append(f"Column {name!r} never varies and is left out of the ranking.")
        elif text and not dated and distinct > max(20, _ID_LIKE_SHARE * len(table)):
            notes.append(
                f"Column {name!r} is nearly different for everyone, like a name, and is left out."
            )
        else:
            kept.append(name)
    return encode_features(table[kept]), notes


# --------------------------------------------------------------------------- figures


class _Ranked(NamedTuple):
    rankings: dict[Any, RankingEvaluation]
    scores: pd.DataFrame
    balance: pd.DataFrame


def _rank(
    features: pd.DataFrame,
    y: Floats,
    arm_of: NDArray[Any],
    control: Any,
    arms: list[Any],
    name: str,
    seed: int,
    warnings: list[str],
) -> _Ranked:
    """Check the balance of the arms, and rank people for each that has enough of them."""
    if not features.shape[1]:
        warnings.append("No usable column has the role feature, so people cannot be ranked.")
        empty = pd.DataFrame(columns=["arm", "auc", "p_value", "feature", "smd"])
        return _Ranked({}, pd.DataFrame(index=range(y.size)), empty)
    with threadpool_limits(limits=1):
        balance = covariate_balance(features, arm_of, control, arms, seed)
        ready = _rankable(y, arm_of, control, arms, name, warnings)
        scores, noise = _scores(features, y, arm_of, control, ready, seed)
    for row in balance.itertuples():
        if row.p_value < BALANCE_P:
            warnings.append(
                f"Who got {row.arm!r} can be told from the features (AUC {row.auc:.3f}, "
                f"p {p_text(row.p_value)}; largest difference: {row.feature!r}): was it "
                "randomised? If not, lifts and curves mix the message with the selection."
            )
    rankings = {}
    for arm in ready:
        rows = np.flatnonzero((arm_of == arm) | (arm_of == control))
        treated, score = arm_of[rows] == arm, scores[arm].to_numpy()[rows]
        rankings[arm] = evaluate_ranking(
            y[rows], score, treated, noise=float(noise[arm]), seed=seed, points=51
        )
    return _Ranked(rankings, scores, balance)


def _shortage(mine: Floats, level: Any, name: str) -> str:
    if mine.size < MIN_ARM_ROWS:
        return f"{level!r} has {mine.size} people; {MIN_ARM_ROWS} are needed to rank for it"
    # What varies least is what limits: buyers, or those with any amount at all.
    events = int(np.count_nonzero(mine))
    if events < MIN_EVENTS:
        return (
            f"{level!r} has {events} people with {name!r} above zero; "
            f"{MIN_EVENTS} are needed to rank for it"
        )
    return ""


def _rankable(
    y: Floats, arm_of: NDArray[Any], control: Any, arms: list[Any], name: str, warnings: list[str]
) -> list[Any]:
    if np.ptp(y) == 0:
        warnings.append(
            f"Outcome {name!r} is {y[0]:g} for everybody, so there is nothing to rank people by."
        )
        return []
    short = {level: _shortage(y[arm_of == level], level, name) for level in [control, *arms]}
    if short[control]:
        warnings.append(f"Control {short[control]}. Lifts are given, rankings are not.")
        return []
    warnings += [
        f"Arm {short[arm]}. Its lift is given, its ranking is not." for arm in arms if short[arm]
    ]
    return [arm for arm in arms if not short[arm]]


def _scores(
    features: pd.DataFrame,
    y: Floats,
    arm_of: NDArray[Any],
    control: Any,
    ready: list[Any],
    seed: int,
) -> tuple[pd.DataFrame, pd.Series]:
    """Score everybody; people of arms too small to rank only receive scores."""
    found = pd.DataFrame(np.nan, index=range(y.size), columns=ready)
    if not ready:
        return found, pd.Series(dtype=float)
    kept = np.isin(arm_of, [control, *ready])
    rows, others = np.flatnonzero(kept), np.flatnonzero(~kept)
    inside, noise = cross_fit_uplift(
        TLearner(),
        features.iloc[rows],
        y[rows],
        arm_of[rows],
        seed=seed,
        control=control,
        return_noise=True,
    )
    # by position: a list of truth values would be taken for a mask
    found.iloc[rows] = inside.iloc[:, [list(inside).index(arm) for arm in ready]].to_numpy()
    for column, arm in enumerate(ready if others.size else ()):
        train = np.flatnonzero((arm_of == arm) | (arm_of == control))
        model = TLearner().fit(features.iloc[train], y[train], arm_of[train] == arm)
        found.iloc[others, column] = model.predict_uplift(features.iloc[others])
    return found, noise


def covariate_balance(
    features: pd.DataFrame, arm_of: NDArray[Any], control: Any, arms: list[Any], seed: int
) -> pd.DataFrame:
    """Classifier two-sample test of each arm against control, on features alone."""
    rows = []
    rng = np.random.default_rng([seed, 1])
    for arm in arms:
        at = np.flatnonzero((arm_of == arm) | (arm_of == control))
        if at.size > _BALANCE_ROWS:
            at = np.sort(rng.choice(at, _BALANCE_ROWS, replace=False))
        treated = arm_of[at] == arm
        X = features.iloc[at]
        name, smd = _largest_difference(X, treated)
        auc = p_value = math.nan
        if min(treated.sum(), (~treated).sum()) >= 30:
            auc, p_value = _cross_fitted_auc(X, treated, seed)
        rows.append((arm, auc, p_value, name, smd))
    return pd.DataFrame(rows, columns=["arm", "auc", "p_value", "feature", "smd"])


def _cross_fitted_auc(
    X: pd.DataFrame, treated: NDArray[np.bool_], seed: int
) -> tuple[float, float]:
    """Mean AUC over folds, and the p-value of the arm being random.

    Each fold's own test holds, given the model that the other folds made. The folds' AUCs hang
    together, through rows that serve several models, and their mean spreads a third wider than
    independent ones would: on a well randomised table it cried wolf at some seeds. So the
    smallest p-value counts, times the number of folds (Bonferroni), however they hang together.
    """
    folds = spread_folds(treated.astype(np.int64), _AUC_FOLDS, seed)
    aucs, p_values = [], []
    for fold in range(_AUC_FOLDS):
        held = folds == fold
        model = HistGradientBoostingClassifier(
            max_iter=20,
            max_leaf_nodes=6,
            min_samples_leaf=20,
            categorical_features="from_dtype",
            early_stopping=False,
            random_state=0,
        ).fit(X.iloc[np.flatnonzero(~held)], treated[~held])
        score = model.predict_proba(X.iloc[np.flatnonzero(held)])[:, 1]
        rank = pd.Series(score).rank().to_numpy()
        mine = treated[held]
        n1, n0 = int(mine.sum()), int((~mine).sum())
        aucs.append((rank[mine].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
        error = math.sqrt((n1 + n0 + 1) / (12 * n1 * n0))  # Mann-Whitney, under the null
        p_values.append(1 - NormalDist().cdf((aucs[-1] - 0.5) / error))
    return float(np.mean(aucs)), min(1.0, _AUC_FOLDS * min(p_values))


def _largest_difference(X: pd.DataFrame, treated: NDArray[np.bool_]) -> tuple[str, float]:
    """Return the feature whose mean (or level share, or missingness) differs most."""

    def smd(values: Floats) -> float:
        a, b = values[treated], values[~treated]
        if not a.size or not b.size:
            return 0.0
        spread = math.sqrt((a.var() + b.var()) / 2)
        return float((a.mean() - b.mean()) / spread) if spread > 0 else 0.0

    best, largest = "", 0.0
    for name in X.columns:
        column = X[name]
        missing = column.isna().to_numpy()
        candidates = [missing.astype(float)] if missing.any() else []
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy()
            candidates += [(codes == code).astype(float) for code in np.unique(codes[codes >= 0])]
        elif not missing.all():
            candidates.append(column.fillna(column.mean()).to_numpy(dtype=float))
        for values in candidates:
            found = smd(values)
            if not best or abs(found) > abs(largest):
                best, largest = str(name), found
    return best, largest


def p_text(p: float) -> str:
    """Return a p-value as a report says it."""
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}"


def _plain(value: Any) -> Any:
    """Return nested plain Python values; undefined numbers become ``None``."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
