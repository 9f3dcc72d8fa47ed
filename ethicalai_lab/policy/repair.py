"""Repair a disparity of the selection, audit it as the house would, and measure what is left.

Every method of ``fairness.mitigation`` is really applied to the people who are ranked one by
one. The number of messages stays what it was; only who gets them changes, and only as far as
the predicted value that may be given up allows.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.modelling import Collection, Model, Targeting
from ethicalai_lab.policy.permission import Permission
from ethicalai_lab.policy.stages import Estimate, Exact, Gap, Needs, Settings, measure, stage
from ethicalai_lab.stats import largest_difference_interval

__all__ = ["MEASURES", "STAGES", "OwnAudit", "Repair", "group_codes"]

_DEFAULT_GROUPS = ("gender", "ethnic_group")
# The window of rates within which profit decides, as in fairness.ProfitThresholds.
_TOLERANCE = 0.02
# Reductions fit many models: on a fixed sample, with few rounds, they stay within a slider move.
_SAMPLE = 2_000
_ROUNDS = 6
_GRID = 9
_GRID_LIMITS = (2.0, 0.5)
_WEIGHT = 0.9  # of the gap against the error, in choosing from a grid
_MANY_GROUPS = 6
# what one wrong label costs a reduction, in spreads of the score: it sets the size of its steps
_UNIT = 0.1
# A crossing of two columns has small cells, whose rates differ by chance alone.
_SMALLEST_CROSSING = 100
# how often the looks at all crossings together may find a gap that chance alone made
_RISK = 0.05
# more groups than this are no groups but names
_MOST_GROUPS = 100

Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


# ------------------------------------------------------------------------------- groups


def group_codes(context: EvaluationContext, names: Sequence[str]) -> tuple[Codes, tuple[str, ...]]:
    """Return each person's group in the crossing of columns, and the groups' names.

    Parameters
    ----------
    context : EvaluationContext
    names : sequence of str
        Columns of the customers, or ``"age_band"``. Numbers with many values are cut at
        their quartiles, age at 30, 45 and 60.

    Returns
    -------
    codes : ndarray of int, shape (n,)
    labels : tuple of str

    Raises
    ------
    PolicyError
        If the customers have no such column.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> codes, labels = group_codes(EvaluationContext.of_world(make_world(200, seed=1)), ["gender"])
    >>> len(codes), labels
    (200, ('female', 'male', 'nonbinary'))
    """
    kept: dict[Any, Any] = context.__dict__.setdefault("_group_codes", {})
    key = tuple(names)
    if key not in kept:
        codes, labels = _column_codes(context, key[0])
        for name in key[1:]:
            more, others = _column_codes(context, name)
            codes = codes * len(others) + more
            labels = tuple(f"{a}, {b}" for a in labels for b in others)
        seen = np.unique(codes)
        place = np.full(len(labels), -1)
        place[seen] = np.arange(seen.size)
        kept[key] = place[codes], tuple(labels[code] for code in seen)
    return kept[key]


def _column_codes(context: EvaluationContext, name: str) -> tuple[Codes, tuple[str, ...]]:
    name = "age_band" if name == "age" else name
    if name in context.groups:
        return context.groups[name]
    if name not in context.customers:
        known = ", ".join([*context.groups, "region", "education"])
        raise PolicyError(
            f'fairness.audit.groups names the column "{name}", which the customers lack; '
            f"accepted are their columns, such as {known}.{did_you_mean(name, list(context.customers))}"
        )
    column = context.customers[name]
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 12:
        cuts = np.unique(np.quantile(column, [0.25, 0.5, 0.75]))
        words = [f"up to {cuts[0]:g}", *(f"above {cut:g}" for cut in cuts)]
        return np.digitize(column, cuts, right=True).astype(np.int64), tuple(words)
    levels = column.astype(str).astype("category")
    if len(levels.cat.categories) > _MOST_GROUPS:
        raise PolicyError(
            f'fairness.audit.groups names the column "{name}", which has '
            f"{len(levels.cat.categories):,} groups; at most {_MOST_GROUPS} can be compared."
        )
    return levels.cat.codes.to_numpy(np.int64), tuple(levels.cat.categories)


# ------------------------------------------------------------------------------- repair


@dataclass(frozen=True, eq=False)
class Repair(Targeting):
    """The targeting after its repair, and what the repair cost.

    Attributes
    ----------
    given_up : float
        Share of the predicted value, over those who are ranked, that was given up.
    wanted : float
        The share that the whole repair would have cost.
    swapped : int
        People who lost their place; as many gained one.
    """

    wanted: float = 0.0
    swapped: int = 0


@dataclass(frozen=True, eq=False)
class _Pool:
    """The people who are ranked one by one, and what a method may use about them."""

    rows: Codes
    score: NDArray[np.float64]
    chosen: Bools
    good: Bools
    group: Codes
    columns: tuple[Codes, ...]  # the same people's groups in each column by itself
    matrix: NDArray[np.float64]
    chance: NDArray[np.float64]
    constraint: str

    @property
    def size(self) -> int:
        return int(self.chosen.sum())


class _LeastSquares(ClassifierMixin, BaseEstimator):
    """A line by weighted least squares: a fit costs one small linear system."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _LeastSquares:
        X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        w = w / w.sum()
        self.classes_ = np.array([0, 1])
        self.centre_, mean = w @ X, float(w @ y)
        Z = X - self.centre_
        gram = (Z * w[:, None]).T @ Z
        gram[np.diag_indices_from(gram)] += 1e-6 * (1 + np.trace(gram) / max(len(gram), 1))
        self.coef_ = np.linalg.solve(gram, (Z * w[:, None]).T @ (y - mean))
        self.intercept_ = mean
        return self

    def score_of(self, X: Any) -> NDArray[np.float64]:
        return (np.asarray(X, dtype=float) - self.centre_) @ self.coef_ + self.intercept_


class _MarginLine(_LeastSquares):
    """A line in the margin and the groups, fitted to what a reduction says each yes saves.

    A reduction hands over a label and a weight, the cost of deciding otherwise: a part that
    comes from the label and a part that comes from the parity of the person's group. The fit
    separates the two, exactly; the label's part is then taken as large as the person's margin,
    so that those near the cut change places first. It says yes to a fixed share of those it
    learned from, as a campaign does: parity is held against decisions as they are made.

    The columns of ``X`` are the margin, the label as -1 or 1, then the groups'.

    References
    ----------
    Agarwal et al. (2018). A reductions approach to fair classification. ICML.
    """

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _MarginLine:
        X = np.asarray(X, dtype=float)
        w = 1.0 if sample_weight is None else np.asarray(sample_weight, dtype=float)
        super().fit(X[:, 1:], (2 * np.asarray(y, dtype=float) - 1) * w)
        self.cut_ = float(np.quantile(self.margin_of(X), 1 - self.share))
        return self

    def margin_of(self, X: Any) -> NDArray[np.float64]:
        X = np.asarray(X, dtype=float)
        scale = max(float(self.coef_[0]), 1e-9)
        return X[:, 0] + X[:, 2:] @ self.coef_[1:] / scale

    def predict(self, X: Any) -> NDArray[np.int64]:
        return (self.margin_of(X) >= self.cut_).astype(int)


def _best(score: NDArray[np.float64], count: int, tie: NDArray[np.float64]) -> Bools:
    """Mark the ``count`` best; ties go to the better in ``tie``."""
    found = np.zeros(score.size, dtype=bool)
    found[np.lexsort((-tie, -score))[:count]] = True
    return found


def _quotas(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Share ``total`` places among cells in proportion to their sizes, to a whole person."""
    exact = total * sizes / max(int(sizes.sum()), 1)
    quota = np.floor(exact).astype(np.int64)
    rest = total - int(quota.sum())
    quota[np.argsort(-(exact - quota), kind="stable")[:rest]] += 1
    return quota


def _fill(pool: _Pool, cell: Codes, quota: NDArray[np.int64]) -> Bools:
    """Select the best-ranked of each cell up to its quota."""
    order = np.lexsort((-pool.score, cell))
    first = np.searchsorted(cell[order], np.arange(quota.size))
    place = np.arange(order.size) - first[cell[order]]
    found = np.zeros(order.size, dtype=bool)
    found[order] = place < quota[cell[order]]
    return found


def _threshold_optimizer(pool: _Pool) -> Bools:
    """Give each group the threshold at which the rates agree (Hardt, Price and Srebro 2016)."""
    if pool.constraint == "demographic_parity":
        sizes = np.bincount(pool.group)
        return _fill(pool, pool.group, _quotas(sizes, pool.size))
    if pool.constraint == "error_rate_parity":
        return _equal_errors(pool)
    equalised = {
        "equalized_odds": (True, False),
        "true_positive_rate_parity": (True,),
        "false_positive_rate_parity": (False,),
    }[pool.constraint]
    found = pool.chosen.copy()
    for kind in equalised:
        at = np.flatnonzero(pool.good == kind)
        part = _part(pool, at)
        sizes = np.bincount(part.group, minlength=int(pool.group.max()) + 1)
        found[at] = _fill(part, part.group, _quotas(sizes, part.size))
    return found


def _part(pool: _Pool, at: Codes) -> _Pool:
    return _Pool(
        pool.rows[at],
        pool.score[at],
        pool.chosen[at],
        pool.good[at],
        pool.group[at],
        tuple(column[at] for column in pool.columns),
        pool.matrix[at],
        pool.chance[at],
        pool.constraint,
    )


def _equal_errors(pool: _Pool) -> Bools:
    """Thresholds at which each group has the same share of errors.

    An error is a person left out whom the mail is predicted to help, or one written to whom
    it is not. Each group takes people in order until its share of errors is down to a common
    level, and the level is moved until the places are used up.
    """
    orders, curves = [], []
    for code in range(int(pool.group.max()) + 1):
        at = np.flatnonzero(pool.group == code)
        at = at[np.argsort(-pool.score[at], kind="stable")]
        change = np.where(pool.good[at], -1, 1)
        errors = pool.good[at].sum() + np.concatenate([[0], np.cumsum(change)])
        orders.append(at)
        curves.append(np.minimum.accumulate(errors / max(at.size, 1)))
    low, high = 0.0, 1.0
    for _ in range(30):
        level = (low + high) / 2
        taken = sum(int(np.searchsorted(-c, -level)) for c in curves)
        # a level that nobody reaches asks for more people than there are
        low, high = (level, high) if taken > pool.size else (low, level)
    count = [min(int(np.searchsorted(-c, -high)), o.size) for c, o in zip(curves, orders, strict=1)]
    found = np.zeros(pool.score.size, dtype=bool)
    for order, k in zip(orders, count, strict=True):
        found[order[:k]] = True
    return _to_size(pool, found)


def _to_size(pool: _Pool, found: Bools) -> Bools:
    """Add the best of those left out, or take away the worst, until the places are used."""
    spare = pool.size - int(found.sum())
    found = found.copy()
    if spare > 0:
        out = np.flatnonzero(~found)
        found[out[np.argsort(-pool.score[out], kind="stable")[:spare]]] = True
    elif spare < 0:
        inside = np.flatnonzero(found)
        found[inside[np.argsort(pool.score[inside], kind="stable")[:-spare]]] = False
    return found


def _group_profit_thresholds(pool: _Pool) -> Bools:
    """Give each group the most profitable threshold within a window of rates.

    For each lowest rate, every group first fills it with its best people; the places left go
    to the best of all, as far as no group leaves the window. Profit falls with each place, so
    this fill is the best one for its window (Corbett-Davies et al. 2017).
    """
    if pool.constraint == "error_rate_parity":
        return _equal_errors(pool)
    found = pool.chosen.copy()
    kinds: tuple[Bools, ...] = {
        "demographic_parity": (np.ones(pool.score.size, dtype=bool),),
        "equalized_odds": (pool.good, ~pool.good),
        "true_positive_rate_parity": (pool.good,),
        "false_positive_rate_parity": (~pool.good,),
    }[pool.constraint]
    for kind in kinds:
        at = np.flatnonzero(kind)
        if at.size:
            found[at] = _profitable(_part(pool, at))
    return found


def _profitable(pool: _Pool) -> Bools:
    count = int(pool.group.max()) + 1
    sizes = np.bincount(pool.group, minlength=count)
    order = np.lexsort((-pool.score, pool.group))
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size) - first[pool.group[order]]
    rank = np.argsort(-pool.score, kind="stable")
    rate = pool.size / pool.score.size
    best, value = pool.chosen, -np.inf
    for lowest in np.linspace(max(0.0, rate - _TOLERANCE), rate, 9):
        floor = np.floor(lowest * sizes).astype(np.int64)
        roof = np.ceil((lowest + _TOLERANCE) * sizes).astype(np.int64)
        sure = place < floor[pool.group]
        may = rank[(~sure & (place < roof[pool.group]))[rank]]
        found = sure.copy()
        found[may[: max(pool.size - int(sure.sum()), 0)]] = True
        worth = float(pool.score[found].sum())
        if found.sum() == pool.size and worth > value:
            best, value = found, worth
    return best


def _reweighting(pool: _Pool) -> Bools:
    """Weigh people so that being selected and the group are independent, then fit anew."""
    from ethicalai_lab.fairness import reweighing_weights

    weight = reweighing_weights(pool.chosen.astype(int), pool.group)
    fitted = _LeastSquares().fit(pool.matrix, pool.chosen, sample_weight=weight)
    return _best(fitted.score_of(pool.matrix), pool.size, pool.score)


def _resampling(pool: _Pool) -> Bools:
    """Draw people so that being selected and the group are independent, then fit anew."""
    from ethicalai_lab.fairness import reweighing_weights

    # Kamiran and Calders' uniform sampling; the person's own chance stands for the draw, so
    # that a small change of the policy does not draw everybody anew
    weight = reweighing_weights(pool.chosen.astype(int), pool.group)
    times = np.floor(weight + pool.chance).astype(float)
    fitted = _LeastSquares().fit(pool.matrix, pool.chosen, sample_weight=times)
    return _best(fitted.score_of(pool.matrix), pool.size, pool.score)


def _correlation_remover(pool: _Pool) -> Bools:
    """Project what goes with the group out of the features, then fit anew (fairlearn)."""
    from fairlearn.preprocessing import CorrelationRemover

    levels = np.arange(int(pool.group.max()) + 1)
    marks = (pool.group[:, None] == levels[None, 1:]).astype(float)
    # centred here: fairlearn 0.14 centres several columns by one mean, which leaves a correlation
    wide = np.column_stack([marks - marks.mean(axis=0), pool.matrix])
    with _quiet():
        remover = CorrelationRemover(sensitive_feature_ids=list(range(marks.shape[1])))
        plain = np.asarray(remover.fit_transform(wide))
    fitted = _LeastSquares().fit(plain, pool.chosen)
    return _best(fitted.score_of(plain), pool.size, pool.score)


def _reduction(pool: _Pool, kind: str) -> Bools:
    """Learn under a parity constraint on a fixed sample, then rank everybody (fairlearn)."""
    from fairlearn import reductions

    parity = {
        "demographic_parity": reductions.DemographicParity,
        "equalized_odds": reductions.EqualizedOdds,
        "true_positive_rate_parity": reductions.TruePositiveRateParity,
        "false_positive_rate_parity": reductions.FalsePositiveRateParity,
        "error_rate_parity": reductions.ErrorRateParity,
    }[pool.constraint]
    label = pool.chosen if pool.constraint == "demographic_parity" else pool.good
    sample = np.argsort(pool.chance, kind="stable")[:_SAMPLE]
    # a grid over many groups is too thin, and a crossing's smallest cells are but a few people
    group = _widest(pool) if int(pool.group.max()) >= _MANY_GROUPS else pool.group
    if _parity_gap(pool, group) <= _TOLERANCE:
        return pool.chosen  # the best selection keeps to the parity as it is
    base = _MarginLine(pool.size / pool.score.size)
    # what is learned is how to depart from the score, group by group, not a new ranking
    spread = float(pool.score.std()) or 1.0
    signs = np.where(label, 1.0, -1.0)[:, None]
    marks = (group[:, None] == np.unique(group)[None, 1:]).astype(float)
    both = [marks] if pool.constraint == "demographic_parity" else [marks, marks * signs]
    table = np.column_stack([(pool.score - pool.score.mean()) / (_UNIT * spread), signs, *both])
    X, y, a = table[sample], label[sample].astype(int), group[sample]
    # a parity of rates is not defined in a group that lacks an outcome; such people are learned
    # from no more than anybody else whose group is unknown
    full = [code for code in np.unique(a) if np.unique(y[a == code]).size == 2]
    kept = np.isin(a, full)
    if len(full) < 2:
        return pool.chosen
    X, y, a = X[kept], y[kept], a[kept]
    with _quiet():
        if kind == "exponentiated_gradient":
            learner = reductions.ExponentiatedGradient(
                base,
                parity(difference_bound=_TOLERANCE),
                eps=_TOLERANCE,
                max_iter=_ROUNDS,
                run_linprog_step=False,
            )
            learner.fit(X, y, sensitive_features=a)
            models, mix = list(learner.predictors_), np.asarray(learner.weights_)
            models = models[: mix.size]
        else:
            # a coarse grid and a finer one: gaps differ in how far they ask to go
            best = np.inf
            for limit in _GRID_LIMITS:
                learner = reductions.GridSearch(
                    base,
                    parity(difference_bound=_TOLERANCE),
                    grid_size=_GRID,
                    grid_limit=limit,
                    constraint_weight=_WEIGHT,
                )
                learner.fit(X, y, sensitive_features=a)
                at = learner.best_idx_
                gap = float(learner.gammas_.iloc[:, at].max())
                loss = _WEIGHT * gap + (1 - _WEIGHT) * float(learner.objectives_[at])
                if loss < best:
                    best, models, mix = loss, [learner.predictors_[at]], np.ones(1)
    # every model of the mix is a line, and so is their mean
    score = sum(
        w * m.margin_of(table) for w, m in zip(mix, models, strict=True) if w > 0
    ) + np.zeros(pool.score.size)
    return _best(score, pool.size, pool.score)


def _widest(pool: _Pool) -> Codes:
    """Return the one column whose rates differ most."""
    return max(pool.columns, key=lambda codes: _parity_gap(pool, codes))


def _rate_gap(codes: Codes, top: Bools, bottom: Bools) -> float | None:
    below = np.bincount(codes, bottom)
    kept = below >= 30
    if kept.sum() < 2:
        return None
    return float(np.ptp(np.bincount(codes, top)[kept] / below[kept]))


def _parity_gap(pool: _Pool, codes: Codes) -> float:
    """Return the largest gap in the rates that the constraint speaks of."""
    found = [pool.chosen, np.ones(pool.score.size, dtype=bool)]
    pairs = {
        "demographic_parity": [found],
        "equalized_odds": [(pool.chosen, pool.good), (pool.chosen, ~pool.good)],
        "true_positive_rate_parity": [(pool.chosen, pool.good)],
        "false_positive_rate_parity": [(pool.chosen, ~pool.good)],
        "error_rate_parity": [(pool.chosen != pool.good, found[1])],
    }[pool.constraint]
    return max(_rate_gap(codes, top & below, below) or 0.0 for top, below in pairs)


class _quiet(warnings.catch_warnings):
    """Silence what fairlearn says about pandas 3 and about thin grids."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        self._before = logging.root.manager.disable
        logging.disable(max(self._before, logging.WARNING))
        return entered

    def __exit__(self, *exc: Any) -> None:
        logging.disable(self._before)
        super().__exit__(*exc)


_METHODS: dict[str, Callable[[_Pool], Bools]] = {
    "reweighting": _reweighting,
    "resampling": _resampling,
    "correlation_remover": _correlation_remover,
    "threshold_optimizer": _threshold_optimizer,
    "exponentiated_gradient": lambda pool: _reduction(pool, "exponentiated_gradient"),
    "grid_search": lambda pool: _reduction(pool, "grid_search"),
    "group_profit_thresholds": _group_profit_thresholds,
}
_REFITS = (
    "reweighting",
    "resampling",
    "correlation_remover",
    "exponentiated_gradient",
    "grid_search",
)


@stage(
    "fairness.mitigation.method",
    "fairness.mitigation.constraint",
    "fairness.mitigation.max_value_loss",
    "fairness.audit.groups",
)
def repair(
    context: EvaluationContext,
    settings: Settings,
    *,
    targeting: Targeting,
    model: Model,
    collection: Collection,
) -> Repair:
    """Repair the selection: the same number of messages, to other people, within a cost.

    What a contact is predicted to be worth is the score by which people are ranked. The
    people who change places do so in order of what that costs, until the share of the value
    that may be given up is used.
    """
    plain = Repair(
        targeting.selected,
        targeting.chance,
        targeting.score,
        targeting.offer,
        targeting.ranked,
        targeting.contactable,
        targeting.share,
    )
    method = settings["fairness.mitigation.method"]
    decided = settings["fairness.audit.groups"]
    if decided:
        group_codes(context, decided)  # a name that is not there shows, used or not
    rows = np.flatnonzero(targeting.ranked & targeting.contactable)
    chosen = targeting.selected[rows]
    if method == "none" or not 0 < chosen.sum() < rows.size:
        return plain
    matrix = collection.matrix[rows]
    if method in _REFITS and matrix.shape[1] == 0:
        return plain
    names = tuple(decided or _DEFAULT_GROUPS)
    group = np.unique(group_codes(context, names)[0][rows], return_inverse=True)[1].ravel()
    if int(group.max()) == 0:
        return plain
    score = np.asarray(targeting.score, dtype=float)[rows]
    pool = _Pool(
        rows,
        score,
        chosen,
        _helped(model, targeting.offer, rows, score),
        group,
        tuple(group_codes(context, [name])[0][rows] for name in names),
        matrix,
        context.chances("repair", context.n)[rows],
        settings["fairness.mitigation.constraint"],
    )
    aim = _METHODS[method](pool)
    found, given_up, wanted = _within(pool, aim, settings["fairness.mitigation.max_value_loss"])
    selected, chance = targeting.selected.copy(), np.asarray(targeting.chance, dtype=float).copy()
    selected[rows] = found
    # only those who changed places have another chance than before
    chance[rows[found & ~chosen]] = 1.0
    chance[rows[chosen & ~found]] = 0.0
    return replace(
        plain,
        selected=selected,
        chance=chance,
        given_up=given_up,
        wanted=wanted,
        swapped=int((chosen & ~found).sum()),
    )


def _helped(
    model: Model, offer: NDArray[np.int64], rows: Codes, score: NDArray[np.float64]
) -> Bools:
    """Mark those whom their mail is predicted to help; the upper half where that tells nothing."""
    good = model.uplift[rows, offer[rows]] > 0
    return good if 0.02 <= good.mean() <= 0.98 else score >= np.median(score)


def _within(pool: _Pool, aim: Bools, limit: float) -> tuple[Bools, float, float]:
    """Move from the selection towards the aim, cheapest changes of place first."""
    out = np.flatnonzero(pool.chosen & ~aim)
    into = np.flatnonzero(aim & ~pool.chosen)
    out = out[np.argsort(pool.score[out], kind="stable")]
    into = into[np.argsort(-pool.score[into], kind="stable")]
    worth = float(np.abs(pool.score[pool.chosen]).sum()) or 1.0
    cost = np.cumsum(pool.score[out] - pool.score[into]) / worth
    # each change costs at least as much as the one before, so the first too dear ends it
    swaps = int(np.searchsorted(cost, limit + 1e-12, side="right"))
    found = pool.chosen.copy()
    found[out[:swaps]] = False
    found[into[:swaps]] = True
    return found, float(cost[swaps - 1]) if swaps else 0.0, float(cost[-1]) if cost.size else 0.0


# ---------------------------------------------------------------------------- own audit


@dataclass(frozen=True, eq=False)
class OwnAudit:
    """What the house's own audit found.

    Attributes
    ----------
    run : bool
        Whether there is one.
    metric : str
        The disparity, named as in the policy.
    columns : tuple of str
        Whose groups it compares.
    crossed : bool
        Whether it compares their crossings as well.
    seen : ndarray of bool, shape (n,)
        The people on whom it may look.
    value, low, high : float or None
        The gap with its interval, as a difference, or as one minus a ratio.
    over_all : float or None
        The same gap over everybody.
    exceeds : bool or None
        Whether the policy's tolerance is exceeded; None where there is none.
    small : tuple of str
        Groups too small to tell.
    per_year : float
        How often it looks; one campaign a fortnight.
    reader : str
        The role that reads it.
    """

    run: bool
    metric: str
    columns: tuple[str, ...]
    crossed: bool
    seen: Bools
    value: float | None = None
    low: float | None = None
    high: float | None = None
    over_all: float | None = None
    exceeds: bool | None = None
    small: tuple[str, ...] = ()
    per_year: float = 0.0
    reader: str = ""


_PER_YEAR = {"never": 0.0, "yearly": 1.0, "quarterly": 4.0, "monthly": 12.0, "every_campaign": 26.0}


@stage(
    "fairness.audit.metric",
    "fairness.audit.groups",
    "fairness.audit.intersections",
    "fairness.audit.tolerance",
    "fairness.audit.min_group_size",
    "fairness.audit.frequency",
    "fairness.audit.reviewer",
)
def own_audit(
    context: EvaluationContext, settings: Settings, *, repair: Repair, permission: Permission
) -> OwnAudit:
    """Audit the selection as the house would, on the people whose data it may analyse.

    Rates among those who respond take the visits of the randomised campaign for the response.
    """
    return audited(context, settings, repair, permission, context.campaign["visit"].to_numpy())


def audited(
    context: EvaluationContext,
    settings: Settings,
    repair: Targeting,
    permission: Permission,
    responds: NDArray[Any],
) -> OwnAudit:
    """Audit a selection, with who responds for those metrics that compare rates among them."""
    metric = settings["fairness.audit.metric"]
    columns = tuple(settings["fairness.audit.groups"] or ())
    crossed = bool(settings["fairness.audit.intersections"]) and len(columns) > 1
    seen = np.asarray(permission.practice[0], dtype=bool) & ~permission.erasure_requested
    per_year = _PER_YEAR[settings["fairness.audit.frequency"]]
    reader = settings["fairness.audit.reviewer"]
    nothing = OwnAudit(False, metric, columns, crossed, seen, per_year=per_year, reader=reader)
    if not per_year or not columns or not seen.any():
        return nothing
    least = context.fewest(settings["fairness.audit.min_group_size"])
    looks = [(name,) for name in columns]
    if crossed:
        looks += list(itertools.combinations(columns, 2))
    response = responds.astype(np.int64)
    everybody = np.ones(context.n, dtype=bool)
    best: tuple[float, float, float] | None = None
    over_all, small = [], []
    for names in looks:
        found, few = _gap(context, names, metric, repair.selected, response, seen, least)
        small += few
        if found is not None and (best is None or found[0] > best[0]):
            best = found
        whole, _ = _gap(context, names, metric, repair.selected, response, everybody, least)
        over_all += [] if whole is None else [whole[0]]
    if best is None:
        return nothing
    limit = settings["fairness.audit.tolerance"]
    allowed = None if limit is None else (1 - limit if metric.endswith("ratio") else limit)
    return OwnAudit(
        True,
        metric,
        columns,
        crossed,
        seen,
        *best,
        max(over_all) if over_all else None,
        None if allowed is None else bool(best[0] > allowed),
        tuple(small),
        per_year,
        reader,
    )


def _gap(
    context: EvaluationContext,
    names: Sequence[str],
    metric: str,
    selected: Bools,
    response: NDArray[np.int64],
    seen: Bools,
    least: int,
) -> tuple[tuple[float, float, float] | None, list[str]]:
    """Return the gap and its bounds, and the groups that are too small to tell."""
    from ethicalai_lab.fairness import audit

    codes, labels = group_codes(context, names)
    sizes = np.bincount(codes[seen], minlength=len(labels))
    small = [labels[i] for i in np.flatnonzero((sizes > 0) & (sizes < least))]
    rows = np.flatnonzero(seen & (sizes >= least)[codes])
    if np.unique(codes[rows]).size < 2:
        return None, small
    truth = None if metric.startswith("demographic_parity") else response[rows]
    found = audit(
        truth,
        selected[rows].astype(np.int64),
        sensitive_features=codes[rows],
    )
    value, low, high = found.disparities.loc[metric, ["value", "low", "high"]].astype(float)
    if not np.isfinite(value):
        return None, small
    if metric.endswith("ratio"):
        value, low, high = 1 - value, 1 - high, 1 - low
    return (value, low, high), small


# ------------------------------------------------------------------------------- measures


def _selection_gap(context: EvaluationContext, selected: Bools, column: str) -> Gap:
    codes, names = context.groups[column]
    return Gap(codes, selected, names=names)


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "selected people of all customers, by gender",
    learned=True,
)
def selection_gap_gender(context: EvaluationContext, *, repair: Repair) -> Estimate:
    """Largest difference between genders in the share of people who get a message."""
    return _selection_gap(context, repair.selected, "gender")


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "selected people of all, by ethnic group",
    learned=True,
)
def selection_gap_ethnic_group(context: EvaluationContext, *, repair: Repair) -> Estimate:
    """Largest difference between ethnic groups in the share of people who get a message."""
    return _selection_gap(context, repair.selected, "ethnic_group")


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "selected people of all customers, by age band",
    learned=True,
)
def selection_gap_age_band(context: EvaluationContext, *, repair: Repair) -> Estimate:
    """Largest difference between age bands in the share of people who get a message."""
    return _selection_gap(context, repair.selected, "age_band")


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "selected people of all, by disability",
    learned=True,
)
def selection_gap_disability(context: EvaluationContext, *, repair: Repair) -> Estimate:
    """Difference between people with and without a disability in the share who get a message."""
    return _selection_gap(context, repair.selected, "disability")


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "people with a predicted uplift of their best mail above 0",
    learned=True,
)
def left_out_gap(context: EvaluationContext, *, repair: Repair, model: Model) -> Estimate:
    """Compare ethnic groups in the share left out of those whom a mail would help, as predicted.

    Whom a mail truly helps is another question, and so no truth stands beside it.
    """
    if not model.uplift.any():
        return Needs("needs a prediction of what a message changes: no model learns it")
    codes, names = context.groups["ethnic_group"]
    good = model.uplift.max(axis=1) > 0
    return Gap(codes, good & ~repair.selected, good, names=names)


@measure(
    "fairness",
    "none",
    "gap in the audit's own metric",
    "fairness.audit on the people whose data may be analysed",
)
def audit_sees(context: EvaluationContext, *, own_audit: OwnAudit) -> Estimate:
    """Largest gap that the house's own audit reports; ratios are taken from one."""
    if own_audit.run:
        notes = []
        if own_audit.exceeds is not None:
            notes.append(f"{'beyond' if own_audit.exceeds else 'within'} the policy's tolerance")
        if own_audit.small:
            notes.append(f"too small to tell: {', '.join(sorted(set(own_audit.small)))}")
        if own_audit.over_all is not None:  # of other people: another question, and no truth of it
            notes.append(f"on everybody {own_audit.over_all:.3g}, at whom the house may not look")
        return Exact(own_audit.value, own_audit.low, own_audit.high, note="; ".join(notes))
    if not own_audit.per_year:
        return Needs("needs an audit: the policy's frequency is never")
    if not own_audit.columns:
        return Needs("needs an audit: the policy names no groups to compare")
    return Needs("needs two groups of the policy's smallest size whose data may be analysed")


@measure(
    "fairness",
    "lower",
    "difference of shares",
    "selection rates of all customers by the columns on groups and their pairs, groups of 100 or "
    "more; a chi-square test over all looks at once says which gaps count, rates are shrunk by "
    "their noise",
    learned=True,
)
def unseen_gap(context: EvaluationContext, *, repair: Repair, own_audit: OwnAudit) -> Estimate:
    """How much larger the largest gap of all is than the largest that the own audit looks at.

    A gap that chance alone could make counts as nothing: the largest of many is never zero.
    """
    columns = tuple(context.groups)
    looks = [(name,) for name in columns] + list(itertools.combinations(columns, 2))
    confidence = 1 - _RISK / len(looks)
    every, seen = [(0.0, 0.0, 0.0)], [(0.0, 0.0, 0.0)]
    own = {"age_band" if name == "age" else name for name in own_audit.columns}
    for names in looks:
        codes, _ = group_codes(context, names)
        people, chosen = np.bincount(codes), np.bincount(codes, repair.selected)
        kept = people >= context.fewest(_SMALLEST_CROSSING)
        if kept.sum() < 2:
            continue
        bounds = largest_difference_interval(chosen[kept], people[kept], confidence)
        gap = (_beyond_chance(chosen[kept], people[kept], confidence), bounds.low, bounds.high)
        every.append(gap)
        if own_audit.run and own >= set(names) and (len(names) == 1 or own_audit.crossed):
            seen.append(gap)
    (value, low, high), (value_seen, low_seen, high_seen) = map(_largest_of_each, (every, seen))
    # nothing seen is certain; what is looked at is known only up to its bounds
    value = value - value_seen
    return Exact(value, min(value, max(0.0, low - high_seen)), max(value, high - low_seen))


def _largest_of_each(gaps: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    value, low, high = (max(column) for column in zip(*gaps, strict=True))
    return value, low, high


def _beyond_chance(chosen: NDArray[Any], people: NDArray[Any], confidence: float) -> float:
    """Return the gap of the groups' rates, each shrunk by its noise; 0 where chance could make it.

    References
    ----------
    DerSimonian and Laird (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7
    (the spread between groups, beyond noise).
    """
    from scipy.stats import chi2

    overall = chosen.sum() / people.sum()
    noise = overall * (1 - overall) / people
    if not noise.any():
        return 0.0
    rates, weight = chosen / people, 1 / noise
    q = float(weight @ (rates - overall) ** 2)
    free = people.size - 1
    if q <= chi2.ppf(confidence, free):
        return 0.0
    between = (q - free) / float(weight.sum() - (weight**2).sum() / weight.sum())
    return float(np.ptp(overall + (rates - overall) * between / (between + noise)))


@measure("duty", "higher", "audits a year", "own_audit, its calendar and its reader")
def audits_read_by_others(context: EvaluationContext, *, own_audit: OwnAudit) -> Estimate:
    """How many bias audits a year really run and are read by others than marketing itself."""
    independent = own_audit.run and own_audit.reader != "marketing"
    return Exact(own_audit.per_year if independent else 0.0)


STAGES = (repair, own_audit)
MEASURES = (
    selection_gap_gender,
    selection_gap_ethnic_group,
    selection_gap_age_band,
    selection_gap_disability,
    left_out_gap,
    audit_sees,
    unseen_gap,
    audits_read_by_others,
)
