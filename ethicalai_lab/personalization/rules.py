"""What a targeting rule is worth: estimated from an experiment, and true where known.

A *rule* gives each person an arm of the experiment: an array of arm labels, or of
booleans where there is one message only. Its worth is counted per person of the whole
population, mailed or not, against the rule "leave everybody in control".

References
----------
Horvitz, D. G. and Thompson, D. J. (1952). A generalization of sampling without
replacement from a finite universe. Journal of the American Statistical Association 47,
663-685.

Athey, S. and Wager, S. (2021). Policy learning with observational data. Econometrica 89,
133-161.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.checks import (
    Finite,
    Inside,
    Numbers,
    Share,
    check_value,
    checked,
    need_columns,
)
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import difference_interval

__all__ = [
    "Trial",
    "TrueValue",
    "arms_of",
    "compare_rules",
    "lift",
    "random_rule",
    "target_top",
    "true_value",
]

Floats = NDArray[np.float64]
Labels = NDArray[Any]
Costs = float | Mapping[Any, float]

_NO_MAIL = "no_mail"

# outcome -> the stem of the columns that hold its expectation under each arm
_POTENTIAL = {
    "visit": "p_visit",
    "conversion": "p_conversion",
    "spend": "expected_spend",
    "unsubscribe": "p_unsubscribe",
}


# ---------------------------------------------------------------------- making rules


@checked()
def target_top(scores: Numbers, share: Share) -> NDArray[np.bool_]:
    """Return the rule that mails the given share of people with the highest scores.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Higher first; among equal scores earlier rows come first.
    share : float
        Of all people, in [0, 1]; the number mailed is rounded to the nearest whole.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Raises
    ------
    InputError
        If ``share`` is outside [0, 1] or a score is no finite number.

    Examples
    --------
    >>> from ethicalai_lab.personalization import target_top
    >>> target_top([0.1, 0.7, 0.3, 0.2], share=0.5).tolist()
    [False, True, True, False]
    """
    rule = np.zeros(len(scores), dtype=bool)
    rule[np.argsort(-scores, kind="stable")[: round(share * rule.size)]] = True
    return rule


def random_rule(n_rows: int, share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Return the rule that mails a random share of people, whoever they are.

    Parameters
    ----------
    n_rows : int
        People.
    share : float
        Of all people, in [0, 1].
    seed : int, default 0
        Source of the draw.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Raises
    ------
    InputError
        If ``share`` is outside [0, 1].

    Examples
    --------
    >>> from ethicalai_lab.personalization import random_rule
    >>> int(random_rule(1000, share=0.3).sum())
    300
    """
    # A stream of our own: people drawn from the same seed must not tell who is mailed.
    return target_top(np.random.default_rng([seed, 0x0DD]).random(n_rows), share)


# ------------------------------------------------------------- from an experiment


@checked()
def lift(
    y: Numbers, treatment: ArrayLike, control: Any = 0, confidence: Inside = 0.95
) -> pd.DataFrame:
    """Return each arm's lift over control, with standard error and interval.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        The outcome: 0/1 or an amount, without missing values.
    treatment : array-like of shape (n_rows,)
        Arm labels.
    control : label, default 0
        The untreated arm.
    confidence : float, default 0.95
        In (0, 1).

    Returns
    -------
    DataFrame
        One row an arm, columns arm, n, mean, control_n, control_mean, lift, se, low, high.
        The standard error is of two independent means; the interval is Newcombe's for
        0/1 outcomes and Welch's for amounts. Where few people spend and some spend much,
        Welch's is somewhat too short unless an arm has many buyers.

    Raises
    ------
    InputError
        If ``control`` is no level of ``treatment``, it is the only one, or a value is
        missing.

    Examples
    --------
    >>> from ethicalai_lab.personalization import lift
    >>> table = lift([1, 1, 0, 1, 0, 0, 1, 0], ["a", "a", "a", "a", "-", "-", "-", "-"], "-")
    >>> table[["arm", "lift"]].values.tolist()
    [['a', 0.5]]
    """
    arms, labels = arms_of(treatment, control, len(y))
    binary = bool(np.all((y == 0) | (y == 1)))
    method = "newcombe" if binary else "welch"
    reference = y[labels == control]
    rows = []
    for arm in arms:
        treated = y[labels == arm]
        gap = difference_interval(treated, reference, confidence, method=method)
        error = math.sqrt(sum(_squared_error(x, binary) for x in (treated, reference)))
        rows.append((arm, treated.size, treated.mean(), gap.value, error, gap.low, gap.high))
    table = pd.DataFrame(rows, columns=["arm", "n", "mean", "lift", "se", "low", "high"])
    table.insert(3, "control_n", reference.size)
    table.insert(4, "control_mean", reference.mean())
    return table


def _squared_error(x: Floats, binary: bool) -> float:
    if binary:
        return float(x.mean() * (1 - x.mean()) / x.size)
    return float(x.var(ddof=1) / x.size) if x.size > 1 else math.nan


def compare_rules(
    rules: Mapping[str, ArrayLike],
    y: ArrayLike,
    treatment: ArrayLike,
    *,
    cost: Costs = 0.0,
    control: Any = 0,
) -> pd.DataFrame:
    """Estimate what targeting rules earn per person, from a randomised experiment.

    Those whom chance gave the arm that the rule would give them stand for all whom the
    rule would give it (inverse propensity weighting, weights normalised within each
    arm the rule assigns). Counted against leaving everybody in control, so a rule that
    mails nobody is worth exactly 0.

    Parameters
    ----------
    rules : mapping of name to array-like of shape (n_rows,)
        Arm labels, or booleans where the experiment has one arm beside control. A rule is
        taken as fixed. It must not have been learned from these people's outcomes
        (cross-fit it), nor be the best of several that were tried on them, see Notes.
    y : array-like of shape (n_rows,)
        What each person brought, say the margin on what was spent.
    treatment : array-like of shape (n_rows,)
        The arm each person was given, at random, with the same chances for all.
    cost : float or mapping of arm to float, default 0.0
        Of one message; control costs nothing.
    control : label, default 0
        The untreated arm.

    Returns
    -------
    DataFrame
        One row a rule: rule, share_targeted, profit, low, high (per person, normal 95 %
        interval from the influence function; ``nan`` where nobody the rule would give an
        arm was given it), and difference, difference_low, difference_high to the first
        rule. The rules share the same people, so the difference is often known better than
        either profit.

    Raises
    ------
    InputError
        If there is no rule, rows do not match, a value is missing, or a label is no arm.

    Notes
    -----
    Choosing is not judging. The best of nineteen shares to mail, picked by this estimate and
    judged by it, looks better than it is by about three quarters of a standard error, and its
    interval leaves the truth out accordingly. Pick on one half of the people and judge on the
    other.

    References
    ----------
    Horvitz and Thompson (1952), Athey and Wager (2021), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.personalization import compare_rules
    >>> rng = np.random.default_rng(1)
    >>> likes, mailed = rng.random(4000) < 0.5, rng.integers(0, 2, 4000)
    >>> bought = rng.random(4000) < 0.1 + 0.2 * likes * mailed
    >>> rules = {"everyone": np.ones(4000, bool), "likers": likes}
    >>> table = compare_rules(rules, 10 * bought, mailed, cost=1)
    >>> bool(table["difference_low"].iloc[1] > 0)
    True
    """
    if not rules:
        raise InputError("rules is empty; give at least one rule.")
    trial = Trial(y, treatment, cost, control)
    found = {name: trial.profit(rule) for name, rule in rules.items()}
    base, base_influence = next(iter(found.values()))
    rows = []
    for name, (estimate, influence) in found.items():
        profit = _normal_interval(estimate, influence)
        gap = _normal_interval(estimate - base, influence - base_influence)
        targeted = float(np.mean(trial.decisions(rules[name]) != control))
        rows.append((name, targeted, *profit, *gap))
    gaps = ["difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=["rule", "share_targeted", "profit", "low", "high", *gaps])


class Trial:
    """A randomised experiment, checked once, on which rules are valued.

    Parameters
    ----------
    y, treatment, cost, control
        As in :func:`compare_rules`.

    Examples
    --------
    >>> Trial([1, 0, 0, 0], [1, 1, 0, 0], 0.2, 0).profit([1, 1, 0, 0])[0]
    nan
    >>> round(Trial([1, 0, 0, 0], [1, 1, 0, 0], 0.2, 0).profit([1, 1, 1, 1])[0], 2)
    0.3
    """

    def __init__(self, y: ArrayLike, treatment: ArrayLike, cost: Costs, control: Any) -> None:
        self.gain = check_value(y, Numbers, "y")
        self.arms, self.labels = arms_of(treatment, control, self.gain.size)
        self.control = control
        self.costs = {arm: _cost_of(arm, cost) for arm in self.arms}

    def decisions(self, targeting: ArrayLike) -> Labels:
        """Return the arm that a rule gives each person."""
        return _decide(targeting, self.arms, self.control, self.labels.size)

    def profit(self, targeting: ArrayLike) -> tuple[float, Floats]:
        """Return the estimate and each person's influence on it."""
        decided = self.decisions(targeting)
        n = self.labels.size
        influence = np.zeros(n)
        total = 0.0
        for arm in self.arms:
            group = decided == arm
            size = int(group.sum())
            if not size:
                continue
            effect = 0.0
            for label, sign in ((arm, 1.0), (self.control, -1.0)):
                rows = group & (self.labels == label)
                got = int(rows.sum())
                if not got:
                    return math.nan, np.full(n, math.nan)
                mean = float(np.average(self.gain[rows]))
                effect += sign * mean
                # Degrees of freedom: one mean was estimated from these rows.
                scale = math.sqrt(got / max(got - 1, 1)) * size / got
                influence[rows] += sign * scale * (self.gain[rows] - mean)
            effect -= self.costs[arm]
            total += size * effect
            influence[group] += effect
        estimate = total / n
        return estimate, influence - estimate


def _normal_interval(estimate: float, influence: Floats) -> tuple[float, float, float]:
    error = math.sqrt(float(np.mean(influence**2)) / influence.size)
    half = NormalDist().inv_cdf(0.975) * error
    return estimate, estimate - half, estimate + half


# ------------------------------------------------------------------ where truth is known


@dataclass(frozen=True)
class TrueValue:
    """What a rule truly does, from potential outcomes. All but ``n`` are per person.

    Attributes
    ----------
    n : int
        People.
    share_targeted : float
        Who get a message.
    profit : float
        Value caused minus cost of messages, against mailing nobody.
    effects : dict of str to float
        Outcomes caused: visit, conversion, spend, unsubscribe (as far as known).
    bothered : float
        People who unsubscribe *because* of the message: unsubscribing caused.
    in_vain : float
        Share of all people who are mailed although the message does not raise the outcome
        (effect of zero or below).
    """

    n: int
    share_targeted: float
    profit: float
    effects: dict[str, float]
    bothered: float
    in_vain: float

    @property
    def table(self) -> pd.DataFrame:
        """The measures, one a row."""
        rows = {
            "people": float(self.n),
            "share_targeted": self.share_targeted,
            "profit": self.profit,
            **{f"{name}_caused": effect for name, effect in self.effects.items()},
            "bothered": self.bothered,
            "in_vain": self.in_vain,
        }
        return pd.DataFrame(rows.items(), columns=["measure", "value"])

    def _repr_html_(self) -> str:
        note = "True values, per person; practitioners never see them."
        return f"<div>{self.table.round(6).to_html(index=False)}<p>{note}</p></div>"


@checked()
def true_value(
    targeting: ArrayLike,
    potential_outcomes: pd.DataFrame,
    *,
    outcome: Literal["visit", "conversion", "spend"] = "spend",
    value: Finite = 1.0,
    cost: Costs = 0.0,
    arm: Any = None,
) -> TrueValue:
    """Return what a rule truly does, from every person's potential outcomes.

    Parameters
    ----------
    targeting : array-like of shape (n_rows,)
        The rule: arm labels, or booleans together with ``arm``.
    potential_outcomes : DataFrame of n_rows rows
        For each arm ``a`` the columns p_visit_a, p_conversion_a, expected_spend_a,
        p_unsubscribe_a, as in ``world.truth.potential_outcomes``; the untreated arm is
        ``no_mail``.
    outcome : {"visit", "conversion", "spend"}, default "spend"
        What ``value`` is the worth of.
    value : float, default 1.0
        Worth of one unit of the outcome, say the margin on spend.
    cost : float or mapping of arm to float, default 0.0
        Of one message; no mail costs nothing.
    arm : label, optional
        The message that True stands for in a boolean ``targeting``; may be left out where
        there is only one.

    Returns
    -------
    TrueValue

    Raises
    ------
    InputError
        If rows do not match, or a label or column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import true_value
    >>> truth = pd.DataFrame({
    ...     "expected_spend_no_mail": [1.0, 1.0], "expected_spend_mail": [4.0, 1.0],
    ...     "p_unsubscribe_no_mail": [0.0, 0.0], "p_unsubscribe_mail": [0.0, 0.1],
    ... })
    >>> everyone = true_value([True, True], truth, value=0.5, cost=0.25)
    >>> everyone.profit, everyone.bothered, everyone.in_vain
    (0.5, 0.05, 0.5)
    """
    stem = _POTENTIAL[outcome] + "_"
    need_columns(potential_outcomes, [stem + _NO_MAIL], "potential_outcomes")
    columns = potential_outcomes.columns[potential_outcomes.columns.str.startswith(stem)]
    arms = [name.removeprefix(stem) for name in columns if name != stem + _NO_MAIL]
    if arm is not None:
        need_columns(potential_outcomes, [stem + str(arm)], "potential_outcomes")
    n = len(potential_outcomes)
    decided = _decide(targeting, arms if arm is None else [arm], _NO_MAIL, n)
    given = {label: decided == label for label in arms}

    def caused(name: str) -> Floats:
        column, effect = potential_outcomes[f"{name}_{_NO_MAIL}"].to_numpy(dtype=float), np.zeros(n)
        for label, rows in given.items():
            if rows.any():
                effect[rows] = potential_outcomes[f"{name}_{label}"][rows] - column[rows]
        return effect

    effects = {
        name: float(caused(potential).mean())
        for name, potential in _POTENTIAL.items()
        if f"{potential}_{_NO_MAIL}" in potential_outcomes
    }
    main, mailed = caused(_POTENTIAL[outcome]), decided != _NO_MAIL
    spent = sum(float(rows.mean()) * _cost_of(label, cost) for label, rows in given.items())
    return TrueValue(
        n=n,
        share_targeted=float(mailed.mean()),
        profit=float(main.mean()) * value - spent,
        effects=effects,
        bothered=effects.get("unsubscribe", math.nan),
        in_vain=float((mailed & (main <= 0)).mean()),
    )


# -------------------------------------------------------------------------- helpers


def _cost_of(arm: Any, cost: Costs) -> float:
    if not isinstance(cost, Mapping):
        return float(cost)
    if arm not in cost:
        raise InputError(f"cost names no amount for arm {arm!r}; it has: {_names(cost)}.")
    return float(cost[arm])


def _names(labels: Any) -> str:
    return ", ".join(map(str, labels))


def arms_of(treatment: ArrayLike, control: Any, n: int) -> tuple[list[Any], Labels]:
    """Return the treated arms, in order, and each person's arm.

    Parameters
    ----------
    treatment : array-like of shape (n,)
    control : label
        The untreated arm.
    n : int
        People.

    Returns
    -------
    list, ndarray of shape (n,)

    Raises
    ------
    InputError
        If `control` is no level, it is the only one, or a label is missing.

    Examples
    --------
    >>> arms_of(["b", "-", "a"], "-", 3)[0]
    ['a', 'b']
    """
    labels = np.asarray(treatment)
    if labels.shape != (n,):
        raise InputError(f"treatment has {labels.size} rows; {n} are needed, as in y.")
    missing = pd.isna(labels)
    if missing.any():
        raise InputError(f"treatment has a missing value at row {int(np.argmax(missing))}.")
    levels = pd.unique(labels).tolist()
    levels.sort(key=None if labels.dtype != object else str)
    if control not in levels:
        raise InputError(f"control {control!r} is no level of treatment; it has: {_names(levels)}.")
    arms = [level for level in levels if level != control]
    if not arms:
        raise InputError(f"treatment holds only the control level {control!r}; an arm is needed.")
    return arms, labels


def _decide(targeting: ArrayLike, arms: list[Any], control: Any, n: int) -> Labels:
    """Return the rule as arm labels, whichever way it was given."""
    rule = np.asarray(targeting)
    if rule.shape != (n,):
        raise InputError(f"targeting has {rule.size} rows; {n} are needed.")
    if rule.dtype == bool and not isinstance(control, (bool, np.bool_)):
        if len(arms) != 1:
            raise InputError(
                f"targeting is yes/no, but there are {len(arms)} arms ({_names(arms)}); "
                "give arm labels instead."
            )
        return np.where(rule, np.array(arms, dtype=object), control)
    known = pd.Series(rule).isin([control, *arms]).to_numpy()
    if not known.all():
        row = int(np.argmin(known))
        wrong, accepted = rule[row : row + 1].tolist()[0], _names([control, *arms])
        raise InputError(f"targeting holds {wrong!r} at row {row}; accepted: {accepted}.")
    return rule.astype(object)
