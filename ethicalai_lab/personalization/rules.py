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

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, difference_interval

__all__ = [
    "TrueValue",
    "assign_best_arm",
    "best_rule",
    "compare_rules",
    "expected_profit",
    "lift",
    "random_rule",
    "target_top",
    "true_value",
]

Floats = NDArray[np.float64]
Labels = NDArray[Any]
Costs = float | Mapping[Any, float]

# outcome -> the column stems of its expectation and of its realised draw
_POTENTIAL = {
    "visit": ("p_visit", "visit"),
    "conversion": ("p_conversion", "conversion"),
    "spend": ("expected_spend", "spend"),
    "unsubscribe": ("p_unsubscribe", "unsubscribed"),
}


# ---------------------------------------------------------------------- making rules


def target_top(scores: ArrayLike, share: float) -> NDArray[np.bool_]:
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
        If ``share`` is outside [0, 1] or a score is missing.

    Examples
    --------
    >>> from ethicalai_lab.personalization import target_top
    >>> target_top([0.1, 0.7, 0.3, 0.2], share=0.5).tolist()
    [False, True, True, False]
    """
    x = _numbers(scores, "scores")
    _check_share(share)
    rule = np.zeros(x.size, dtype=bool)
    rule[np.argsort(-x, kind="stable")[: round(share * x.size)]] = True
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


def assign_best_arm(
    uplift: pd.DataFrame, *, value: float = 1.0, cost: Costs = 0.0, control: Any = "no_mail"
) -> Labels:
    """Return the rule that gives each person the arm with the highest predicted profit.

    Parameters
    ----------
    uplift : DataFrame
        Predicted uplift, one column an arm, one row a person.
    value : float, default 1.0
        Worth of one unit of the outcome.
    cost : float or mapping of arm to float, default 0.0
        Of one message; control costs nothing.
    control : label, default "no_mail"
        Given where no arm's predicted profit is above zero.

    Returns
    -------
    ndarray of object, shape (n_rows,)
        Arm labels.

    Raises
    ------
    InputError
        If a prediction is missing or ``cost`` lacks an arm.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import assign_best_arm
    >>> uplift = pd.DataFrame({"a": [0.3, 0.01, 0.1], "b": [0.1, 0.02, 0.2]})
    >>> assign_best_arm(uplift, value=10, cost=0.5, control="none").tolist()
    ['a', 'none', 'b']
    """
    values = uplift.to_numpy(dtype=float)
    if np.isnan(values).any():
        column = uplift.columns[np.isnan(values).any(axis=0)][0]
        raise InputError(f"uplift column {column!r} has missing values; fill or drop them.")
    arms = np.array(list(uplift.columns), dtype=object)
    profit = value * values - np.array([_cost_of(arm, cost, control) for arm in arms])
    best = arms[np.argmax(profit, axis=1)]
    best[profit.max(axis=1) <= 0] = control
    return best


# ------------------------------------------------------------- from an experiment


def lift(
    y: ArrayLike, treatment: ArrayLike, control: Any = 0, confidence: float = 0.95
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
    outcome = _numbers(y, "y")
    arms, labels = _arms_of(treatment, control, outcome.size)
    binary = bool(np.all((outcome == 0) | (outcome == 1)))
    reference = outcome[labels == control]

    def squared_error(x: Floats) -> float:
        if binary:
            return float(x.mean() * (1 - x.mean()) / x.size)
        return float(x.var(ddof=1) / x.size) if x.size > 1 else math.nan

    rows = []
    for arm in arms:
        treated = outcome[labels == arm]
        interval = difference_interval(
            treated, reference, confidence, method="newcombe" if binary else "welch"
        )
        error = math.sqrt(squared_error(treated) + squared_error(reference))
        rows.append(
            {
                "arm": arm,
                "n": treated.size,
                "mean": treated.mean(),
                "control_n": reference.size,
                "control_mean": reference.mean(),
                "lift": interval.value,
                "se": error,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return pd.DataFrame(rows)


def expected_profit(
    targeting: ArrayLike,
    y: ArrayLike,
    treatment: ArrayLike,
    value: ArrayLike = 1.0,
    cost: Costs = 0.0,
    *,
    control: Any = 0,
    propensity: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Estimate a rule's profit per person from a randomised experiment.

    Those whom chance gave the arm that the rule would give them stand for all whom the
    rule would give it (inverse propensity weighting, weights normalised within each
    arm the rule assigns). Counted against leaving everybody in control, so a rule that
    mails nobody is worth exactly 0.

    Parameters
    ----------
    targeting : array-like of shape (n_rows,)
        The rule: arm labels, or booleans where the experiment has one arm beside control.
        It is taken as fixed. It must not have been learned from these people's outcomes
        (cross-fit it), nor be the best of several that were tried on them, see Notes.
    y : array-like of shape (n_rows,)
        The outcome observed.
    treatment : array-like of shape (n_rows,)
        The arm each person was given, at random.
    value : float or array-like of shape (n_rows,), default 1.0
        Worth of one unit of the outcome, say the margin on spend.
    cost : float or mapping of arm to float, default 0.0
        Of one message; control costs nothing.
    control : label, default 0
        The untreated arm.
    propensity : array-like of shape (n_rows,), optional
        Probability, in (0, 1], with which each person was given the arm received. Needed
        where it differs between people; otherwise it cancels.
    confidence : float, default 0.95
        In (0, 1); a normal interval from the influence function.

    Returns
    -------
    Interval
        Profit per person of the whole; ``nan`` where nobody the rule would give an arm
        was given it (or control).

    Raises
    ------
    InputError
        If rows do not match, a value is missing, or a label is no arm.

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
    >>> from ethicalai_lab.personalization import expected_profit
    >>> rng = np.random.default_rng(1)
    >>> likes = rng.random(4000) < 0.5
    >>> mailed = rng.integers(0, 2, 4000)
    >>> bought = rng.random(4000) < 0.1 + 0.2 * likes * mailed
    >>> everyone = expected_profit(np.ones(4000, bool), bought, mailed, value=10, cost=1)
    >>> likers = expected_profit(likes, bought, mailed, value=10, cost=1)
    >>> likers.value > everyone.value, 0.5 in likers
    (True, True)
    """
    experiment = _Experiment(y, treatment, value, cost, control, propensity)
    estimate, influence = experiment.profit(targeting)
    return _normal_interval(estimate, influence, confidence)


def compare_rules(
    rules: Mapping[str, ArrayLike],
    y: ArrayLike,
    treatment: ArrayLike,
    value: ArrayLike = 1.0,
    cost: Costs = 0.0,
    *,
    baseline: str | None = None,
    control: Any = 0,
    propensity: ArrayLike | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare targeting rules on one randomised experiment.

    Parameters
    ----------
    rules : mapping of name to array-like of shape (n_rows,)
        As ``targeting`` in :func:`expected_profit`.
    y, treatment, value, cost, control, propensity, confidence
        As in :func:`expected_profit`.
    baseline : str, optional
        The rule that others are compared with; the first by default.

    Returns
    -------
    DataFrame
        One row a rule: rule, share_targeted, profit, low, high (per person), and
        difference, difference_low, difference_high to the baseline. The rules share the
        same people, so the difference is often known better than either profit.
        Each rule is judged as if it were the only one: of many rules the best looks better
        than it is, as :func:`expected_profit` says.

    Raises
    ------
    InputError
        If there is no rule, the baseline is none of them, or as in
        :func:`expected_profit`.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.personalization import compare_rules
    >>> rng = np.random.default_rng(1)
    >>> likes, mailed = rng.random(4000) < 0.5, rng.integers(0, 2, 4000)
    >>> bought = rng.random(4000) < 0.1 + 0.2 * likes * mailed
    >>> rules = {"everyone": np.ones(4000, bool), "likers": likes}
    >>> table = compare_rules(rules, bought, mailed, value=10, cost=1)
    >>> bool(table["difference_low"].iloc[1] > 0)
    True
    """
    if not rules:
        raise InputError("rules is empty; give at least one rule.")
    if baseline is None:
        baseline = next(iter(rules))
    if baseline not in rules:
        raise InputError(f"baseline {baseline!r} is no rule; accepted: {', '.join(rules)}.")
    experiment = _Experiment(y, treatment, value, cost, control, propensity)
    found = {name: experiment.profit(rule) for name, rule in rules.items()}
    base, base_influence = found[baseline]
    rows = []
    for name, (estimate, influence) in found.items():
        profit = _normal_interval(estimate, influence, confidence)
        gap = _normal_interval(estimate - base, influence - base_influence, confidence)
        targeted = float(np.mean(experiment.decisions(rules[name]) != control))
        rows.append((name, targeted, *profit, *gap))
    gaps = ["difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=["rule", "share_targeted", "profit", "low", "high", *gaps])


class _Experiment:
    """A randomised experiment, checked once, on which rules are valued."""

    def __init__(
        self,
        y: ArrayLike,
        treatment: ArrayLike,
        value: ArrayLike,
        cost: Costs,
        control: Any,
        propensity: ArrayLike | None,
    ) -> None:
        outcome = _numbers(y, "y")
        self.arms, self.labels = _arms_of(treatment, control, outcome.size)
        self.control = control
        worth = np.asarray(value, dtype=float)
        if worth.ndim and worth.shape != outcome.shape:
            raise InputError(f"value has {worth.size} rows; {outcome.size} are needed.")
        self.gain = outcome * worth
        self.costs = {arm: _cost_of(arm, cost, control) for arm in self.arms}
        if propensity is None:
            self.weight = np.ones(outcome.size)
        else:
            chance = _numbers(propensity, "propensity")
            if chance.shape != outcome.shape or not np.all((chance > 0) & (chance <= 1)):
                raise InputError(
                    f"propensity must hold {outcome.size} probabilities above 0 and up to 1."
                )
            self.weight = 1 / chance

    def decisions(self, targeting: ArrayLike) -> Labels:
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
                weight = self.weight[rows]
                if not rows.any():
                    return math.nan, np.full(n, math.nan)
                mean = float(np.average(self.gain[rows], weights=weight))
                effect += sign * mean
                # Degrees of freedom: one mean was estimated from these rows.
                correct = math.sqrt(weight.size / max(weight.size - 1, 1))
                scale = correct * size / weight.sum()
                influence[rows] += sign * scale * weight * (self.gain[rows] - mean)
            effect -= self.costs[arm]
            total += size * effect
            influence[group] += effect
        estimate = total / n
        return estimate, influence - estimate


def _normal_interval(estimate: float, influence: Floats, confidence: float) -> Interval:
    from statistics import NormalDist

    if math.isnan(estimate):
        return Interval(math.nan, math.nan, math.nan, confidence)
    error = math.sqrt(float(np.mean(influence**2)) / influence.size)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Interval(estimate, estimate - half, estimate + half, confidence)


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
    arms : dict of str to float
        Share of people given each arm, control included.
    """

    n: int
    share_targeted: float
    profit: float
    effects: dict[str, float]
    bothered: float
    in_vain: float
    arms: dict[Any, float]

    @property
    def total_profit(self) -> float:
        """Profit of all people together."""
        return self.profit * self.n

    @property
    def people_bothered(self) -> float:
        """Expected number of people who unsubscribe because of a message."""
        return self.bothered * self.n

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

    def __str__(self) -> str:
        return self.table.round(6).to_string(index=False)

    def _repr_html_(self) -> str:
        note = html.escape("True values, per person; practitioners never see them.")
        return f"<div>{self.table.round(6).to_html(index=False)}<p>{note}</p></div>"


def true_value(
    targeting: ArrayLike,
    potential_outcomes: pd.DataFrame,
    *,
    outcome: str = "spend",
    value: float = 1.0,
    cost: Costs = 0.0,
    control: Any = "no_mail",
    arm: Any = None,
    realised: bool = False,
) -> TrueValue:
    """Return what a rule truly does, from every person's potential outcomes.

    Parameters
    ----------
    targeting : array-like of shape (n_rows,)
        The rule: arm labels, or booleans together with ``arm``.
    potential_outcomes : DataFrame of n_rows rows
        For each arm ``a`` the columns p_visit_a, p_conversion_a, expected_spend_a,
        p_unsubscribe_a (expectations) and visit_a, conversion_a, spend_a, unsubscribed_a
        (realised draws), as in ``world.truth.potential_outcomes``.
    outcome : {"visit", "conversion", "spend"}, default "spend"
        What ``value`` is the worth of.
    value : float, default 1.0
        Worth of one unit of the outcome, say the margin on spend.
    cost : float or mapping of arm to float, default 0.0
        Of one message; control costs nothing.
    control : label, default "no_mail"
        The untreated arm.
    arm : label, optional
        The message that True stands for in a boolean ``targeting``; may be left out where
        there is only one.
    realised : bool, default False
        Whether to use the realised draws instead of the expectations.

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
    kind = 1 if realised else 0
    arms = _known_arms(potential_outcomes, outcome, kind, control)
    n = len(potential_outcomes)
    if arm is not None and arm not in arms:
        raise InputError(f"arm {arm!r} is unknown; accepted: {_names(arms)}.")
    decided = _decide(targeting, [arm] if arm is not None else arms, control, n)

    def caused(stem: str) -> Floats:
        column = _column(potential_outcomes, stem, control)
        effect = np.zeros(n)
        for label in arms:
            rows = decided == label
            if rows.any():
                treated = _column(potential_outcomes, stem, label)
                effect[rows] = treated[rows] - column[rows]
        return effect

    effects = {}
    main = caused(_POTENTIAL[outcome][kind])
    for name, stems in _POTENTIAL.items():
        if f"{stems[kind]}_{control}" in potential_outcomes.columns:
            effects[name] = float(caused(stems[kind]).mean())
    mailed = decided != control
    spent = sum(float((decided == label).mean()) * _cost_of(label, cost, control) for label in arms)
    return TrueValue(
        n=n,
        share_targeted=float(mailed.mean()),
        profit=float(main.mean()) * value - spent,
        effects=effects,
        bothered=effects.get("unsubscribe", math.nan),
        in_vain=float((mailed & (main <= 0)).mean()),
        arms={label: float((decided == label).mean()) for label in [control, *arms]},
    )


def best_rule(
    potential_outcomes: pd.DataFrame,
    *,
    outcome: str = "spend",
    value: float = 1.0,
    cost: Costs = 0.0,
    control: Any = "no_mail",
) -> Labels:
    """Return the best rule there is: the unreachable one, which knows every true effect.

    Parameters
    ----------
    potential_outcomes, outcome, value, cost, control
        As in :func:`true_value`.

    Returns
    -------
    ndarray of object, shape (n_rows,)
        Arm labels; control where no message pays.

    Raises
    ------
    InputError
        If a column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import best_rule
    >>> truth = pd.DataFrame({
    ...     "expected_spend_no_mail": [1.0, 1.0], "expected_spend_mail": [4.0, 1.0],
    ... })
    >>> best_rule(truth, cost=0.5).tolist()
    ['mail', 'no_mail']
    """
    arms = _known_arms(potential_outcomes, outcome, 0, control)
    stem = _POTENTIAL[outcome][0]
    base = _column(potential_outcomes, stem, control)
    effects = {label: _column(potential_outcomes, stem, label) - base for label in arms}
    return assign_best_arm(pd.DataFrame(effects), value=value, cost=cost, control=control)


# -------------------------------------------------------------------------- helpers


def _python(label: Any) -> Any:
    """Return a label as a plain Python value, which reads better and is JSON-ready."""
    return label.item() if isinstance(label, np.generic) else label


def _names(labels: Any) -> str:
    return ", ".join(str(label) for label in labels)


def _numbers(values: ArrayLike, name: str) -> Floats:
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only.") from None
    if x.ndim != 1:
        raise InputError(f"{name} has {x.ndim} dimensions; one is needed.")
    missing = np.isnan(x)
    if missing.any():
        raise InputError(f"{name} has a missing value at row {int(np.argmax(missing))}.")
    return x


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"share is {share}; a number between 0 and 1 is needed.")


def _cost_of(arm: Any, cost: Costs, control: Any) -> float:
    if arm == control:
        return 0.0
    if not isinstance(cost, Mapping):
        return float(cost)
    if arm not in cost:
        raise InputError(f"cost names no amount for arm {arm!r}; it has: {_names(cost)}.")
    return float(cost[arm])


def _arms_of(treatment: ArrayLike, control: Any, n: int) -> tuple[list[Any], Labels]:
    labels = np.asarray(treatment)
    if labels.shape != (n,):
        raise InputError(f"treatment has {labels.size} rows; {n} are needed, as in y.")
    missing = pd.isna(labels)
    if missing.any():
        raise InputError(f"treatment has a missing value at row {int(np.argmax(missing))}.")
    levels = [_python(level) for level in pd.unique(labels)]
    try:
        levels.sort()
    except TypeError:
        levels.sort(key=str)
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
        decided = np.full(n, control, dtype=object)
        decided[rule] = arms[0]
        return decided
    known = pd.Series(rule).isin([control, *arms]).to_numpy()
    if not known.all():
        row = int(np.argmin(known))
        raise InputError(
            f"targeting holds {_python(rule[row])!r} at row {row}; accepted: {_names([control, *arms])}."
        )
    return rule.astype(object)


def _column(table: pd.DataFrame, stem: str, arm: Any) -> Floats:
    name = f"{stem}_{arm}"
    if name not in table.columns:
        raise InputError(f"potential_outcomes has no column {name!r}.")
    return table[name].to_numpy(dtype=float)


def _known_arms(table: pd.DataFrame, outcome: str, kind: int, control: Any) -> list[Any]:
    accepted = [name for name in _POTENTIAL if name != "unsubscribe"]
    if outcome not in accepted:
        raise InputError(f"outcome {outcome!r} is unknown; accepted: {_names(accepted)}.")
    stem = _POTENTIAL[outcome][kind] + "_"
    labels = [str(name)[len(stem) :] for name in table.columns if str(name).startswith(stem)]
    if control not in labels:
        raise InputError(
            f"potential_outcomes has no column {stem + str(control)!r} for the control arm; "
            f"arms found: {_names(labels) or 'none'}."
        )
    arms = [label for label in labels if label != control]
    if not arms:
        raise InputError(f"potential_outcomes has no arm beside {control!r}.")
    return arms
