"""Which data earns its keep: the value of each column and of each set of columns.

Data minimisation asks for no fixed number of columns; it asks what a *purpose* needs. So
each function takes a purpose, :class:`Prediction` or :class:`Targeting`, and measures
what the purpose loses without a column, on rows the model did not learn from, with every
comparison paired row by row.

A set that was chosen because it did best looks better than it is. The search therefore
works on one part of the rows, and the verdict on the chosen set comes from another part
that it never saw.

References
----------
Regulation (EU) 2016/679, Article 5(1)(c).

Guyon, I. and Elisseeff, A. (2003). An introduction to variable and feature selection.
Journal of Machine Learning Research 3, 1157-1182.

Kaufman, S., Rosset, S., Perlich, C. and Stitelman, O. (2012). Leakage in data mining:
formulation, detection, and avoidance. ACM Transactions on Knowledge Discovery from
Data 6(4), 15.

Horvitz, D. G. and Thompson, D. J. (1952). A generalization of sampling without
replacement from a finite universe. Journal of the American Statistical Association 47,
663-685.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.stats import Interval, mean_interval

__all__ = [
    "Minimization",
    "Prediction",
    "Targeting",
    "compare_sets",
    "find_leaks",
    "minimize",
    "set_value",
]

_MOST_COLUMNS = 60
_EXHAUSTIVE = 12
_MAX_LEVELS = 30
_BINS = 8
_RIDGE = 5.0  # pseudo-rows of shrinkage for every indicator


# ------------------------------------------------------------------ purposes


@dataclass(frozen=True)
class Prediction:
    """The purpose "tell beforehand what each person's outcome will be".

    Parameters
    ----------
    outcome : str
        Column to predict: 0/1, two labels, or numbers.
    positive : object, optional
        The label that counts as 1, where the outcome has two labels.

    Notes
    -----
    Value is the share of the outcome's variance explained on unseen rows; for a 0/1
    outcome that is the Brier skill score. 0 is knowing no column, 1 is knowing all.

    Examples
    --------
    >>> from ethicalai_lab.privacy.minimization import Prediction
    >>> Prediction("visit").unit
    "share of the outcome's variance explained on unseen rows"
    """

    outcome: str
    positive: Any = None

    unit = "share of the outcome's variance explained on unseen rows"

    @property
    def reserved(self) -> tuple[str, ...]:
        """Columns that the purpose itself uses."""
        return (self.outcome,)


@dataclass(frozen=True)
class Targeting:
    """The purpose "write to those whom the message changes most".

    Parameters
    ----------
    outcome : str
        Column to raise: 0/1 or numbers.
    treatment : str
        Column that says who was treated in a *randomised* experiment.
    treated, control : object
        The two levels of ``treatment`` that are compared; other rows are left out.
    share : float, default 0.3
        Share of the people who can be written to, in (0, 1).

    Notes
    -----
    Value is the mean outcome per person that is gained over writing to nobody, estimated
    by weighting the experiment's rows by the inverse of their chance of the arm they got,
    minus what the same number of messages sent at random would gain. 0 is therefore
    targeting without any data.

    Examples
    --------
    >>> from ethicalai_lab.privacy.minimization import Targeting
    >>> Targeting("visit", "arm", "sports_mail", "no_mail").share
    0.3
    """

    outcome: str
    treatment: str
    treated: Any
    control: Any
    share: float = 0.3

    unit = "outcome a person gained over sending the same number at random"

    @property
    def reserved(self) -> tuple[str, ...]:
        """Columns that the purpose itself uses."""
        return (self.outcome, self.treatment)


# ------------------------------------------------------------------ the value of sets


def set_value(
    table: pd.DataFrame,
    purpose: Prediction | Targeting,
    columns: Iterable[str],
    *,
    than: Iterable[str] = (),
    n_folds: int = 5,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Return what a set of columns is worth for a purpose, beyond another set.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    purpose : Prediction or Targeting
    columns : iterable of str
        The set.
    than : iterable of str, default ()
        The set it is compared with, by default none.
    n_folds : int, default 5
        Folds of the cross-validation.
    seed : int, default 0
        Of the folds.
    confidence : float, default 0.95

    Returns
    -------
    Interval
        In the purpose's unit; paired over rows. It covers the chance of which rows were
        judged, not the whole chance of which rows were learned from.

    Raises
    ------
    PrivacyError
        If a column, the outcome or the treatment cannot be used, naming it.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy.minimization import Prediction, set_value
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 2, 400)
    >>> table = pd.DataFrame({"x": x, "noise": rng.integers(0, 2, 400),
    ...                       "y": (rng.random(400) < 0.2 + 0.6 * x).astype(int)})
    >>> set_value(table, Prediction("y"), ["x"]).low > 0.2
    True
    >>> 0 in set_value(table, Prediction("y"), ["x", "noise"], than=["x"])
    True
    """
    columns, than = _names(columns), _names(than)
    together = list(dict.fromkeys([*columns, *than]))
    problem = _Problem(table, purpose, together, n_folds, seed)
    gap = problem.rows(columns) - problem.rows(than)
    return mean_interval(gap, confidence)


def compare_sets(
    table: pd.DataFrame,
    purpose: Prediction | Targeting,
    sets: Mapping[str, Iterable[str]],
    *,
    n_folds: int = 5,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what each of several sets of columns is worth, against knowing none.

    The same as :func:`set_value` for each set, with the rows read once.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    purpose : Prediction or Targeting
    sets : mapping of str to iterable of str
        The sets by name; a set may be empty.
    n_folds : int, default 5
        Folds of the cross-validation.
    seed : int, default 0
        Of the folds.
    confidence : float, default 0.95

    Returns
    -------
    DataFrame
        One row a set, in the order given: ``columns`` (how many), ``value``, ``low`` and
        ``high``, in the purpose's unit.

    Raises
    ------
    PrivacyError
        If there is no set, or a column, the outcome or the treatment cannot be used.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy.minimization import Prediction, compare_sets
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 2, 400)
    >>> table = pd.DataFrame({"x": x, "noise": rng.integers(0, 2, 400),
    ...                       "y": (rng.random(400) < 0.2 + 0.6 * x).astype(int)})
    >>> found = compare_sets(table, Prediction("y"), {"both": ["x", "noise"], "x": ["x"]})
    >>> found["columns"].to_dict()
    {'both': 2, 'x': 1}
    """
    if not isinstance(sets, Mapping) or not sets:
        raise PrivacyError("sets: a mapping of at least one name to its columns is needed.")
    named = {name: _names(columns) for name, columns in sets.items()}
    together = list(dict.fromkeys(c for columns in named.values() for c in columns))
    problem = _Problem(table, purpose, together, n_folds, seed)
    nothing = problem.rows([])
    found = [
        (len(columns), *mean_interval(problem.rows(columns) - nothing, confidence))
        for columns in named.values()
    ]
    return pd.DataFrame(found, index=list(named), columns=["columns", "value", "low", "high"])


@dataclass(frozen=True)
class Minimization:
    """The smallest set of columns that serves a purpose nearly as well as the best.

    Attributes
    ----------
    minimal : tuple of str
        The set found.
    best : tuple of str
        The set of highest cross-validated value in the search.
    path : DataFrame
        The best set of each size (of each cost, where costs were given): size, cost,
        columns, value (cross-validated on the searched rows, so optimistic), within
        (the tolerance).
    value, best_value, all_value : Interval
        Of the minimal set, the best one and all columns, on the rows kept apart.
    loss : Interval
        All columns minus the minimal set, paired, on the rows kept apart.
    allowed : float
        What may be lost: the tolerance times the best set's value on the rows kept apart.
    verdict : str
        "confirmed" where the whole interval of the loss lies within what is allowed,
        "refuted" where all of it lies above, "open" where the rows cannot tell.
    method : str
        "exhaustive" or "beam".
    sets : int
        Sets that were compared.
    unit : str
        Of every value.
    """

    minimal: tuple[str, ...]
    best: tuple[str, ...]
    path: pd.DataFrame = field(repr=False)
    value: Interval
    best_value: Interval
    all_value: Interval
    loss: Interval
    allowed: float
    verdict: str
    method: str
    sets: int
    unit: str

    def _repr_html_(self) -> str:
        kept = ", ".join(self.minimal) or "no column"
        return (
            f"<p>{kept}: {self.value.format(4)} of {self.all_value.format(4)} "
            f"({self.verdict})</p>{self.path.to_html(index=False, float_format='{:.4f}'.format)}"
        )


def minimize(
    table: pd.DataFrame,
    purpose: Prediction | Targeting,
    columns: Iterable[str] | None = None,
    *,
    tolerance: float = 0.05,
    costs: Mapping[str, float] | None = None,
    held_out: float = 0.4,
    n_folds: int = 5,
    beam: int = 8,
    seed: int = 0,
    confidence: float = 0.95,
) -> Minimization:
    """Find the smallest set of columns within a tolerance of the best, and check it.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    purpose : Prediction or Targeting
    columns : iterable of str, optional
        Default: all but the purpose's own.
    tolerance : float, default 0.05
        Share of the best set's value that may be lost, in [0, 1).
    costs : mapping of str to float, optional
        What it costs to hold a column (sensitivity, risk), positive; 1 where not named.
        The set with the least summed cost is sought.
    held_out : float, default 0.4
        Share of the rows kept apart for the verdict, in [0.1, 0.9].
    n_folds : int, default 5
    beam : int, default 8
        Sets kept a size where the columns are too many (over 12) to try every set.
    seed : int, default 0
        Of the rows kept apart and of the folds.
    confidence : float, default 0.95

    Returns
    -------
    Minimization

    Raises
    ------
    PrivacyError
        If a column, the outcome, the treatment or a parameter cannot be used, naming it.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy.minimization import Prediction, minimize
    >>> rng = np.random.default_rng(0)
    >>> x, z = rng.integers(0, 2, (2, 1000))
    >>> table = pd.DataFrame({"x": x, "z": z, "noise": rng.integers(0, 2, 1000),
    ...                       "y": (rng.random(1000) < 0.1 + 0.4 * x + 0.4 * z).astype(int)})
    >>> minimize(table, Prediction("y")).minimal
    ('x', 'z')
    """
    if not 0 <= tolerance < 1:
        raise PrivacyError(f"tolerance is {tolerance}; a share from 0 to below 1 is accepted.")
    if not 0.1 <= held_out <= 0.9:
        raise PrivacyError(f"held_out is {held_out}; a share from 0.1 to 0.9 is accepted.")
    if int(beam) != beam or beam < 1:
        raise PrivacyError(f"beam is {beam}; a whole number of at least 1 is accepted.")
    check_table(table)
    names = _default_columns(table, purpose, columns)
    price = dict.fromkeys(names, 1.0)
    for name, cost in dict(costs or {}).items():
        if name not in price:
            raise PrivacyError(f"costs names {name!r}, which is not among the columns to value.")
        if not (math.isfinite(cost) and cost > 0):
            raise PrivacyError(f"costs: {name!r} costs {cost}; a positive number is accepted.")
        price[name] = float(cost)

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table))
    cut = round(len(table) * (1 - held_out))
    searched = _Problem(table.iloc[np.sort(order[:cut])], purpose, names, n_folds, seed)
    values = _search(searched, names, int(beam))
    nothing = values[()]
    best = max(values, key=lambda s: (round(values[s] - nothing, 12), -_cost(s, price)))
    gain = values[best] - nothing
    floor = nothing + (1 - tolerance) * gain
    near = [s for s in values if values[s] >= floor - 1e-12]
    minimal = min(near, key=lambda s: (_cost(s, price), -values[s], s))
    path = []
    for size in sorted({len(s) for s in values}):
        at_size = [s for s in values if len(s) == size]
        top = max(at_size, key=lambda s: (values[s], -_cost(s, price)))
        path.append((size, _cost(top, price), top, values[top] - nothing, values[top] >= floor))

    # The verdict: models learn and are judged on rows that the search never saw.
    apart = _Problem(table.iloc[np.sort(order[cut:])], purpose, names, n_folds, seed + 1)
    base = apart.rows([])
    in_order = [tuple(c for c in names if c in s) for s in (minimal, best)]
    found, top, everything = (apart.rows(s) for s in (*in_order, names))
    loss = mean_interval(everything - found, confidence)
    best_value = mean_interval(top - base, confidence)
    allowed = tolerance * max(best_value.value, 0.0)
    if loss.high <= allowed:
        verdict = "confirmed"
    elif loss.low > allowed:
        verdict = "refuted"
    else:
        verdict = "open"
    return Minimization(
        minimal=in_order[0],
        best=in_order[1],
        path=pd.DataFrame(path, columns=["size", "cost", "columns", "value", "within"]),
        value=mean_interval(found - base, confidence),
        best_value=best_value,
        all_value=mean_interval(everything - base, confidence),
        loss=loss,
        allowed=allowed,
        verdict=verdict,
        method="exhaustive" if len(names) <= _EXHAUSTIVE else "beam",
        sets=len(values),
        unit=purpose.unit,
    )


# ------------------------------------------------------------------ leaks


def find_leaks(
    table: pd.DataFrame,
    outcome: str,
    columns: Iterable[str] | None = None,
    *,
    positive: Any = None,
    known_after: Iterable[str] = (),
    dominance: float = 0.5,
    alpha: float = 1e-6,
    n_folds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Name columns that seem to know the outcome, because they are filled in afterwards.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    outcome : str
        A 0/1 or two-label column.
    columns : iterable of str, optional
        Default: all but the outcome.
    positive : object, optional
        The label that counts as 1.
    known_after : iterable of str, default ()
        Columns that are known to be filled in after the outcome; they are reported as
        leaks whatever the figures say. Only people know when a field is written.
    dominance : float, default 0.5
        A column is suspect where taking it away costs more than this share of what all
        the *other* columns explain together, in (0, 10].
    alpha : float, default 1e-6
        A column is suspect where one of its values has the outcome *always*, more often
        than the base rate could bring about with this chance (after Bonferroni).
    n_folds : int, default 5
    seed : int, default 0

    Returns
    -------
    DataFrame
        One row a column, most suspect first: ``alone`` and ``unique`` (share of variance
        explained by it alone; lost without it), ``dominance`` (unique over what the
        others explain), ``certain_rows`` (rows whose value of this column always has the
        outcome), ``verdict`` ("leak", "suspect" or ""), ``reason`` (a sentence).

    Raises
    ------
    PrivacyError
        If a column or the outcome cannot be used, naming it.

    Notes
    -----
    A suspicion is a question for whoever knows the data: *when* is this field written?
    A strong honest column can look the same, and a weak leak stays below both thresholds.

    References
    ----------
    Kaufman et al. (2012), see the module.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy.minimization import find_leaks
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 2, 800)
    >>> y = (rng.random(800) < 0.1 + 0.2 * x).astype(int)
    >>> table = pd.DataFrame({"x": x, "delivered": np.where(y, "yes", "no"), "y": y})
    >>> find_leaks(table, "y").query("verdict != ''")["column"].tolist()
    ['delivered']
    """
    if not 0 < dominance <= 10:
        raise PrivacyError(f"dominance is {dominance}; more than 0 and at most 10 is accepted.")
    if not 0 < alpha < 1:
        raise PrivacyError(f"alpha is {alpha}; between 0 and 1 is accepted.")
    problem = _Problem(table, Prediction(outcome, positive), columns, n_folds, seed)
    names = problem.columns
    after = set(check_columns(table, known_after, "known_after"))
    y = problem.y
    if not np.isin(y, (0.0, 1.0)).all():
        raise PrivacyError(
            f"outcome: column {outcome!r} is not 0/1; leaks are sought for a yes/no outcome."
        )
    nothing = problem.rows([]).mean()
    everything = problem.rows(names).mean()
    base = y.mean()
    rows = []
    for name in names:
        alone = problem.rows([name]).mean() - nothing
        others = problem.rows([c for c in names if c != name]).mean()
        unique = everything - others
        ratio = unique / max(others - nothing, 1e-9)
        certain = _certain_rows(problem.blocks[name], y, base, alpha / len(names))
        reasons = []
        if name in after:
            reasons.append("it is filled in after the outcome")
        # below one percent of the variance nothing dominates anything
        if ratio > dominance and unique > 0.01:
            reasons.append(
                f"without it {unique:.1%} of the variance is lost, "
                f"against {max(others - nothing, 0):.1%} that all others explain together"
            )
        if certain:
            reasons.append(f"{certain} rows have values with which the outcome always happens")
        verdict = "leak" if name in after else "suspect" if reasons else ""
        rows.append((name, alone, unique, ratio, certain, verdict, "; ".join(reasons)))
    frame = pd.DataFrame(
        rows,
        columns=["column", "alone", "unique", "dominance", "certain_rows", "verdict", "reason"],
    )
    rank = frame["verdict"].map({"leak": 0, "suspect": 1, "": 2})
    return (
        frame.assign(_rank=rank)
        .sort_values(["_rank", "alone"], ascending=[True, False], kind="stable")
        .drop(columns="_rank")
        .reset_index(drop=True)
    )


def _certain_rows(
    block: NDArray[np.int64], y: NDArray[np.float64], base: float, alpha: float
) -> int:
    """Count rows in levels where each outcome is 1 and chance would hardly make it so."""
    n = np.bincount(block)
    hits = np.bincount(block, weights=y)
    if not 0 < base < 1:
        return 0
    sure = (n > 0) & (hits == n) & (n * math.log(base) < math.log(alpha / max(len(n), 1)))
    return int(n[sure].sum())


# ------------------------------------------------------------------ the engine


class _Problem:
    """Value of any set of columns, from sums that are computed once.

    Each column becomes indicators (its levels, or quantile bins), and the model is a
    ridge regression on them, one for each arm where the purpose is targeting. All that a
    set's model needs is then a block of one Gram matrix a fold: trying another set costs
    a small linear system, not another pass over the rows.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        purpose: Prediction | Targeting,
        columns: Iterable[str] | None,
        n_folds: int,
        seed: int,
    ) -> None:
        check_table(table)
        if not isinstance(purpose, (Prediction, Targeting)):
            raise PrivacyError(
                f"purpose is a {type(purpose).__name__}; Prediction or Targeting is accepted."
            )
        if int(n_folds) != n_folds or n_folds < 2:
            raise PrivacyError(f"n_folds is {n_folds}; a whole number of at least 2 is accepted.")
        self.columns = _default_columns(table, purpose, columns)
        for name in purpose.reserved:
            if name not in table.columns:
                raise PrivacyError(f"purpose: there is no column {name!r}.")
        self.purpose = purpose
        arm = np.zeros(len(table), dtype=np.int64)
        if isinstance(purpose, Targeting):
            if not 0 < purpose.share < 1:
                raise PrivacyError(f"share is {purpose.share}; between 0 and 1 is accepted.")
            labels = table[purpose.treatment].astype(object).to_numpy()
            is_treated = labels == purpose.treated
            is_control = labels == purpose.control
            for level, there in ((purpose.treated, is_treated), (purpose.control, is_control)):
                if not there.any():
                    raise PrivacyError(
                        f"treatment: column {purpose.treatment!r} never is {level!r}."
                    )
            kept = is_treated | is_control
            table = table.loc[kept]
            arm = is_treated[kept].astype(np.int64)
        self.y = _outcome(table[purpose.outcome], purpose)
        self.arm = arm
        n = len(table)
        if n < 5 * n_folds:
            raise PrivacyError(f"{n} rows are too few for {n_folds} folds; five a fold are needed.")

        rng = np.random.default_rng(seed)
        # folds keep the arms' and, where there are few outcomes, the outcomes' shares
        strata = arm * 2 + (self.y > np.median(self.y)).astype(np.int64)
        shuffled = rng.permutation(n)
        by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
        self.fold = np.empty(n, dtype=np.int64)
        self.fold[by_stratum] = np.arange(n) % n_folds
        self.n_folds = int(n_folds)

        self.blocks = {name: _levels(table[name], name) for name in self.columns}
        width = 1
        self.at: dict[str, slice] = {}
        for name, codes in self.blocks.items():
            size = int(codes.max()) + 1
            self.at[name] = slice(width, width + size)
            width += size
        design = np.zeros((n, width))
        design[:, 0] = 1.0
        for name, codes in self.blocks.items():
            design[np.arange(n), self.at[name].start + codes] = 1.0
        self.design = design
        self.arms = (0, 1) if isinstance(purpose, Targeting) else (0,)
        gram = np.zeros((n_folds, len(self.arms), width, width))
        right = np.zeros((n_folds, len(self.arms), width))
        self.count = np.zeros((n_folds, len(self.arms)))
        self.square = np.zeros((n_folds, len(self.arms)))
        for f, a in itertools.product(range(n_folds), self.arms):
            here = (self.fold == f) & (arm == a)
            part = design[here]
            gram[f, a] = part.T @ part
            right[f, a] = part.T @ self.y[here]
            self.count[f, a] = here.sum()
            self.square[f, a] = self.y[here] @ self.y[here]
        if (self.count.sum(axis=0) - self.count < 2).any():
            raise PrivacyError("an arm has too few rows for the folds; use fewer folds.")
        self.gram, self.right = gram, right
        if isinstance(purpose, Targeting):
            chance = arm.mean()
            # Inverse-propensity effect of each row, around its fold's base so that the
            # variance is that of the response, not of its level.
            level = self.y.mean()
            self.effect = np.where(
                arm == 1, (self.y - level) / chance, -(self.y - level) / (1 - chance)
            )

    def _positions(self, columns: Sequence[str]) -> NDArray[np.int64]:
        parts = [np.arange(self.at[c].start, self.at[c].stop) for c in columns]
        return np.concatenate([[0], *parts]).astype(np.int64)

    def _coefficients(self, at: NDArray[np.int64], f: int, a: int) -> NDArray[np.float64]:
        left = (self.gram[:, a].sum(axis=0) - self.gram[f, a])[np.ix_(at, at)]
        right = (self.right[:, a].sum(axis=0) - self.right[f, a])[at]
        penalty = np.full(at.size, _RIDGE)
        penalty[0] = 0.0
        return np.linalg.solve(left + np.diag(penalty), right)

    def rows(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return each row's contribution to the value; their mean is the value."""
        at = self._positions([c for c in self.columns if c in set(columns)])
        design = self.design if at.size == self.design.shape[1] else self.design[:, at]
        if isinstance(self.purpose, Prediction):
            fitted = np.empty(len(self.y))
            for f in range(self.n_folds):
                here = self.fold == f
                fitted[here] = design[here] @ self._coefficients(at, f, 0)
            return -((self.y - fitted) ** 2) / self.y.var()
        score = np.zeros(len(self.y))
        gain = np.empty(len(self.y))
        for f in range(self.n_folds):
            here = np.flatnonzero(self.fold == f)
            if at.size > 1:
                difference = self._coefficients(at, f, 1) - self._coefficients(at, f, 0)
                score[here] = np.round(design[here] @ difference, 12)
            # people with equal scores share what is left of the budget
            chosen = _top_share(score[here], self.purpose.share)
            gain[here] = (chosen - self.purpose.share) * self.effect[here]
        return gain

    def value(self, columns: Sequence[str]) -> float:
        """Return the value of a set; for prediction without a pass over the rows."""
        if isinstance(self.purpose, Targeting):
            return float(self.rows(columns).mean())
        at = self._positions([c for c in self.columns if c in set(columns)])
        error = 0.0
        for f in range(self.n_folds):
            b = self._coefficients(at, f, 0)
            gram = self.gram[f, 0][np.ix_(at, at)]
            error += self.square[f, 0] - 2 * b @ self.right[f, 0][at] + b @ gram @ b
        return -float(error) / (len(self.y) * self.y.var())


def _top_share(score: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return each row's chance to be chosen: 1, 0, or a share at the tied threshold."""
    budget = share * score.size
    order = np.sort(score)[::-1]
    threshold = order[min(int(budget), score.size - 1)]
    above, tied = score > threshold, score == threshold
    chosen = above.astype(float)
    chosen[tied] = (budget - above.sum()) / tied.sum()
    return chosen


def _search(problem: _Problem, names: Sequence[str], beam: int) -> dict[tuple[str, ...], float]:
    """Return the values of the sets tried: all, or those a beam meets from both ends."""
    values: dict[tuple[str, ...], float] = {}

    def look(columns: Iterable[str]) -> tuple[str, ...]:
        inside = set(columns)
        key = tuple(sorted(inside))
        if key not in values:
            values[key] = problem.value(key)
        return key

    if len(names) <= _EXHAUSTIVE:
        for size in range(len(names) + 1):
            for chosen in itertools.combinations(names, size):
                look(chosen)
        return values
    kept = [look(names)]
    for _ in range(len(names)):  # backwards: columns that only work together survive
        tried = {look(set(s) - {c}) for s in kept for c in s}
        kept = sorted(tried, key=lambda s: (-values[s], s))[:beam]
    kept = [look(())]
    for _ in range(len(names)):  # forwards: few strong columns are met early
        tried = {look({*s, c}) for s in kept for c in names if c not in s}
        kept = sorted(tried, key=lambda s: (-values[s], s))[:beam]
    return values


# ------------------------------------------------------------------ helpers


def _names(columns: Iterable[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _default_columns(
    table: pd.DataFrame, purpose: Prediction | Targeting, columns: Iterable[str] | None
) -> list[str]:
    if columns is None:
        columns = [c for c in table.columns if c not in purpose.reserved]
    names = check_columns(table, columns, "columns")
    for name in purpose.reserved:
        if name in names:
            raise PrivacyError(f"columns: {name!r} is the purpose's own; leave it out.")
    if len(names) > _MOST_COLUMNS:
        raise PrivacyError(f"columns: {len(names)} were named; at most {_MOST_COLUMNS} accepted.")
    return names


def _cost(columns: Iterable[str], price: Mapping[str, float]) -> float:
    return round(sum(price[c] for c in columns), 9)


def _outcome(column: pd.Series, purpose: Prediction | Targeting) -> NDArray[np.float64]:
    name = column.name
    if column.isna().any():
        label = column.index[column.isna().to_numpy()][0]
        raise PrivacyError(f"outcome: column {name!r} is missing in row {label!r}; drop such rows.")
    positive = getattr(purpose, "positive", None)
    if positive is not None:
        y = (column.astype(object) == positive).to_numpy(dtype=float)
    elif pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        y = column.to_numpy(dtype=float)
        if not np.isfinite(y).all():
            raise PrivacyError(f"outcome: column {name!r} holds an infinite number.")
    else:
        raise PrivacyError(
            f"outcome: column {name!r} holds labels; name the one that counts as 1 with positive="
        )
    if y.min() == y.max():
        raise PrivacyError(f"outcome: column {name!r} is the same in all rows; nothing to explain.")
    return y


def _levels(column: pd.Series, name: str) -> NDArray[np.int64]:
    """Return a column as level codes: its own levels, or quantile bins of numbers.

    A missing value is a level of its own; levels beyond the commonest 30 share one.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype("int64").where(column.notna())
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and column.nunique() > _BINS + 4:
        x = column.to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(x)
        edges = np.unique(np.quantile(x[known], np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, x, side="left").astype(np.int64)
        codes[~known] = edges.size + 1
    else:
        codes, levels = pd.factorize(column.astype(object), sort=False, use_na_sentinel=True)
        codes = codes.astype(np.int64)
        codes[codes < 0] = len(levels)
    codes = np.unique(codes, return_inverse=True)[1].ravel()
    counts = np.bincount(codes)
    if counts.size > _MAX_LEVELS:
        common = np.argsort(-counts, kind="stable")[: _MAX_LEVELS - 1]
        to = np.full(counts.size, _MAX_LEVELS - 1, dtype=np.int64)
        to[common] = np.arange(_MAX_LEVELS - 1)
        codes = to[codes]
    return codes.astype(np.int64)
