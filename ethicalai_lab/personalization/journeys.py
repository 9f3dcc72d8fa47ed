"""Journeys: what to send, when, through which channel, or when to rest.

A contact policy decides again each week, knowing what the customer got before. Two
questions are answered here. What *would* it bring, judged only from what an older rule
did and logged (off-policy evaluation)? And what would it *truly* bring, which the world
can compute exactly? The gap between the two is the price of not experimenting.

References
----------
Precup, D., Sutton, R. S. and Singh, S. (2000). Eligibility traces for off-policy policy
evaluation. ICML 2000, 759-766 (per-decision importance sampling).

Jiang, N. and Li, L. (2016). Doubly robust off-policy value evaluation for reinforcement
learning. ICML 2016, 652-661.

Thomas, P. and Brunskill, E. (2016). Data-efficient off-policy policy evaluation for
reinforcement learning. ICML 2016, 2139-2148 (self-normalised weights).

Ernst, D., Geurts, P. and Wehenkel, L. (2005). Tree-based batch mode reinforcement
learning. Journal of Machine Learning Research 6, 503-556 (fitted Q iteration).

Kish, L. (1965). Survey Sampling. Wiley (effective sample size).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.core.checks import (
    Finite,
    NonNegative,
    Share,
    check_fields,
    check_value,
    checked,
    need_columns,
    whole,
)
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, mean_interval, people_behind
from ethicalai_lab.world import ACTIONS

__all__ = [
    "ContactPolicy",
    "OffPolicyReport",
    "Reward",
    "contact_curve",
    "evaluate_policy",
    "journey_people",
    "spaced_weeks",
    "true_policy_value",
]

WEEKS = 6
_OUTCOMES = ("visit", "conversion", "spend", "unsubscribed")
_HORIZON = whole(1, WEEKS)
_RIDGE = 10.0
_RIDGE_PERSONAL = 3000.0


# ------------------------------------------------------------------ rewards and policies


@dataclass(frozen=True)
class Reward:
    """What a week with a customer is worth.

    Parameters
    ----------
    visit, conversion : float, default 0.0
        Worth of a visit and of an order, beyond what is spent.
    spend : float, default 0.35
        Worth of a euro spent: the margin.
    contact : float, default 0.02
        Cost of sending a message.
    unsubscribed : float, default 10.0
        Cost of losing the right to write to somebody.

    Raises
    ------
    InputError
        If a number is not finite, or a cost is negative.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import Reward
    >>> Reward().of(spend=40.0, contact=1.0)
    13.98
    """

    visit: Finite = 0.0
    conversion: Finite = 0.0
    spend: Finite = 0.35
    contact: NonNegative = 0.02
    unsubscribed: NonNegative = 10.0

    def __post_init__(self) -> None:
        check_fields(self)

    def of(
        self,
        *,
        visit: Any = 0.0,
        conversion: Any = 0.0,
        spend: Any = 0.0,
        contact: Any = 0.0,
        unsubscribed: Any = 0.0,
    ) -> Any:
        """Return the worth of outcomes, numbers or arrays.

        Parameters
        ----------
        visit, conversion, spend, contact, unsubscribed : float or ndarray

        Returns
        -------
        float or ndarray
        """
        return (
            self.visit * visit
            + self.conversion * conversion
            + self.spend * spend
            - self.contact * contact
            - self.unsubscribed * unsubscribed
        )


class _Policy(Protocol):
    def probabilities(
        self,
        people: pd.DataFrame,
        week: int,
        recent: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class ContactPolicy:
    """A contact policy that a person can read aloud.

    Parameters
    ----------
    what : {"interest", "sports", "fashion"}, default "interest"
        What the message is about. "interest": what the customer bought in the last 12
        months; where that is both or neither, sports and fashion in turn.
    channel : {"email", "push", "device"}, default "email"
        "device": a push to those who use the app most, an e-mail to all others.
    weeks : sequence of int, default (0, 2, 4)
        Weeks in which a contact may be made, of 0 to 5.
    most_recent : int, default 2
        Rest where there were more contacts than this in the two weeks before, 0 to 2.
    exploration : float, default 0.0
        Share of the decisions that are left to chance, equally over all five actions:
        it costs a little and lets the next policy be judged. In [0, 1].

    Raises
    ------
    InputError
        If a parameter is out of range.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import ContactPolicy
    >>> ContactPolicy(weeks=(0, 3)).weeks
    (0, 3)
    """

    what: Literal["interest", "sports", "fashion"] = "interest"
    channel: Literal["email", "push", "device"] = "email"
    weeks: tuple[int, ...] = (0, 2, 4)
    most_recent: Literal[0, 1, 2] = 2
    exploration: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        weeks = tuple(sorted({int(week) for week in self.weeks}))
        if any(not 0 <= week < WEEKS for week in weeks):
            raise InputError(f"weeks is {self.weeks}; whole numbers from 0 to 5 are accepted.")
        object.__setattr__(self, "weeks", weeks)

    def probabilities(
        self,
        people: pd.DataFrame,
        week: int,
        recent: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the chance of each action for each customer.

        Parameters
        ----------
        people : DataFrame
            As :func:`journey_people` gives it.
        week : int
            0 to 5.
        recent : ndarray of int, shape (n,)
            Contacts in the two weeks before, 0 to 2.
        last : ndarray of int, shape (n,)
            Whether there was one in the week before.

        Returns
        -------
        ndarray of float, shape (n, 5)
            In the order of ``ethicalai_lab.world.ACTIONS``; rows sum to 1.
        """
        n = len(people)
        about_fashion = np.full(n, self.what == "fashion")
        if self.what == "interest" and week in self.weeks:
            sports, fashion = (people[c].to_numpy() > 0 for c in ("sports", "fashion"))
            about_fashion = np.where(sports == fashion, self.weeks.index(week) % 2 == 1, fashion)
        if self.channel == "device":
            push = people["device"].astype(str).to_numpy() == "app"
        else:
            push = np.full(n, self.channel == "push")
        action = 1 + about_fashion.astype(np.int64) + 2 * push
        if week not in self.weeks:
            action = np.zeros(n, dtype=np.int64)
        action = np.where(np.asarray(recent) > self.most_recent, 0, action)
        chance = np.full((n, len(ACTIONS)), self.exploration / len(ACTIONS))
        chance[np.arange(n), action] += 1 - self.exploration
        return chance


@checked()
def spaced_weeks(contacts: whole(0, WEEKS)) -> tuple[int, ...]:  # type: ignore[valid-type]
    """Return that many weeks of 0 to 5, spread as evenly as can be.

    Parameters
    ----------
    contacts : int
        0 to 6.

    Returns
    -------
    tuple of int

    Raises
    ------
    InputError
        If ``contacts`` is out of range.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import spaced_weeks
    >>> [spaced_weeks(n) for n in (0, 1, 2, 3)]
    [(), (0,), (0, 3), (0, 2, 4)]
    """
    return tuple(WEEKS * i // contacts for i in range(contacts))


def journey_people(
    customers: pd.DataFrame, campaign: pd.DataFrame, log: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Gather what a contact policy may know about each customer.

    Parameters
    ----------
    customers : DataFrame
        With ``customer_id``, ``device``, ``tenure_days``.
    campaign : DataFrame
        With ``customer_id``, ``recency``, ``history``, ``sports``, ``fashion``,
        ``newbie``, ``channel``.
    log : DataFrame, optional
        With ``customer_id`` and the old rule's ``score``; then a column ``score`` is added.

    Returns
    -------
    DataFrame
        Indexed by ``customer_id``, ascending. No protected attribute is among the columns.

    Raises
    ------
    InputError
        If a column or a customer is missing.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import journey_people
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(50, seed=1)
    >>> journey_people(world.customers, world.campaign).columns.tolist()
    ['recency', 'history', 'sports', 'fashion', 'newbie', 'channel', 'device', 'tenure_days']
    """
    past = ["recency", "history", "sports", "fashion", "newbie", "channel"]
    need_columns(customers, ["customer_id", "device", "tenure_days"], "customers")
    need_columns(campaign, ["customer_id", *past], "campaign")
    people = campaign.set_index("customer_id")[past].sort_index()
    own = customers.set_index("customer_id")[["device", "tenure_days"]]
    lost = people.index.difference(own.index)
    if len(lost):
        raise InputError(f"customers lacks customer_id {lost[0]}, which campaign has.")
    people = people.join(own)
    if log is not None:
        need_columns(log, ["customer_id", "score"], "log")
        score = log.groupby("customer_id")["score"].first()
        lost = people.index.difference(score.index)
        if len(lost):
            raise InputError(f"log lacks customer_id {lost[0]}, which campaign has.")
        people["score"] = score
    return people


# ------------------------------------------------------------------ the truth


def true_policy_value(
    truth: Any,
    people: pd.DataFrame,
    policy: _Policy,
    reward: Reward | None = None,
    *,
    weeks: int = WEEKS,
) -> pd.DataFrame:
    """Compute exactly what a policy would bring, from the world's truth.

    Parameters
    ----------
    truth : Truth
        ``world.truth``: its ``journey(outcome)`` gives the expected outcome of each
        action after 0, 1 or 2 recent contacts; its ``journeys`` the customers' order.
    people : DataFrame
        As :func:`journey_people` gives it; any of the world's customers.
    policy : ContactPolicy or the like
        With ``probabilities(people, week, recent, last)``.
    reward : Reward, optional
        Default: ``Reward()``.
    weeks : int, default 6
        Length of the journey, 1 to 6.

    Returns
    -------
    DataFrame
        One row a week and one "all": per customer the expected reward, contact (how many),
        visit, conversion, spend, unsubscribed; and subscribed, the share who can still be
        written to at the end of it. Who unsubscribed gets rest from then on.

    Raises
    ------
    InputError
        If a customer has no truth, ``weeks`` is out of range, or the policy's chances are
        none.

    Notes
    -----
    A customer's future depends on the past only through the contacts of the two weeks
    before and on whether they unsubscribed: eight states. The chance of each is carried
    forward week by week; there is no simulation, hence no simulation error.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import (
    ...     ContactPolicy, journey_people, true_policy_value)
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(200, seed=1)
    >>> people = journey_people(world.customers, world.campaign)
    >>> value = true_policy_value(world.truth, people, ContactPolicy(weeks=(0, 3)))
    >>> bool(1.9 < value.loc["all", "contact"] <= 2.0)
    True
    """
    per_week = _true_rows(truth, people, policy, Reward() if reward is None else reward, weeks)
    frame = pd.DataFrame(
        {name: values.mean(axis=1) for name, values in per_week.items()},
        index=pd.Index(range(weeks), name="week"),
    )
    total = frame.sum()
    total["subscribed"] = frame["subscribed"].iloc[-1]
    return pd.concat([frame, pd.DataFrame([total], index=pd.Index(["all"], name="week"))])


def _true_rows(
    truth: Any, people: pd.DataFrame, policy: _Policy, reward: Reward, weeks: int
) -> dict[str, NDArray[np.float64]]:
    """Return each week's expected outcomes, by week and customer."""
    check_value(weeks, _HORIZON, "weeks")
    order = pd.Index(truth.journeys["customer_id"])
    at = order.get_indexer(people.index)
    if (at < 0).any():
        raise InputError(f"truth lacks customer_id {people.index[at < 0][0]}.")
    expected = {name: truth.journey(name)[at] for name in _OUTCOMES}  # (n, 5, 3)
    n = len(people)
    names = ("reward", "contact", *_OUTCOMES, "subscribed")
    result = {name: np.zeros((weeks, n)) for name in names}
    # state: last week's contact, the one before, gone or not
    states = {(0, 0, 0): np.ones(n)}
    for week in range(weeks):
        following: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        for (last, before, gone), share in sorted(states.items()):
            recent = last + before
            if gone:
                chance = np.zeros((n, len(ACTIONS)))
                chance[:, 0] = 1.0
            else:
                chance = _chances(policy, people, week, np.full(n, recent), np.full(n, last))
            weight = share[:, None] * chance
            for name in _OUTCOMES:
                if not (gone and name == "unsubscribed"):
                    result[name][week] += (weight * expected[name][:, :, recent]).sum(axis=1)
            contacted = weight[:, 1:].sum(axis=1)
            result["contact"][week] += contacted
            for contact in (0, 1):
                part = contacted if contact else weight[:, 0]
                if gone:
                    left, stay = part, 0 * part
                else:
                    chosen = slice(1, None) if contact else slice(0, 1)
                    risk = expected["unsubscribed"][:, chosen, recent]
                    left = (weight[:, chosen] * risk).sum(axis=1)
                    stay = part - left
                for flag, mass in ((1, left), (0, stay)):
                    key = (contact, last, flag)
                    following[key] = following.get(key, 0.0) + mass
        states = following
        result["subscribed"][week] = sum(m for (_, _, gone), m in states.items() if not gone)
    result["reward"] = reward.of(
        **{name: result[name] for name in _OUTCOMES}, contact=result["contact"]
    )
    return result


def contact_curve(
    truth: Any,
    people: pd.DataFrame,
    policies: Sequence[ContactPolicy] | None = None,
    reward: Reward | None = None,
) -> pd.DataFrame:
    """Show what more contacts truly bring, and what they wear out.

    Parameters
    ----------
    truth : Truth
    people : DataFrame
        As in :func:`true_policy_value`.
    policies : sequence of ContactPolicy, optional
        Default: e-mails by interest in 0, 1, ..., 6 evenly spaced weeks.
    reward : Reward, optional

    Returns
    -------
    DataFrame
        One row a policy: contacts, reward, visit, spend, unsubscribed and subscribed per
        customer over six weeks; gain (of reward over never writing); low and high of the
        gain over customers; gain_a_contact; and next_contact, the gain of the last one
        added.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import contact_curve, journey_people
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(300, seed=1)
    >>> curve = contact_curve(world.truth, journey_people(world.customers, world.campaign))
    >>> bool(curve["unsubscribed"].is_monotonic_increasing)
    True
    """
    reward = Reward() if reward is None else reward
    if policies is None:
        policies = [ContactPolicy(weeks=spaced_weeks(n)) for n in range(WEEKS + 1)]
    never = _true_rows(truth, people, ContactPolicy(weeks=()), reward, WEEKS)["reward"].sum(axis=0)
    rows = []
    for policy in policies:
        found = _true_rows(truth, people, policy, reward, WEEKS)
        total = {name: float(found[name].sum(axis=0).mean()) for name in found}
        gain = mean_interval(found["reward"].sum(axis=0) - never)
        rows.append(
            {
                "contacts": total["contact"],
                "reward": total["reward"],
                "visit": total["visit"],
                "spend": total["spend"],
                "unsubscribed": total["unsubscribed"],
                "subscribed": float(found["subscribed"][-1].mean()),
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
            }
        )
    frame = pd.DataFrame(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        frame["gain_a_contact"] = frame["gain"] / frame["contacts"].where(frame["contacts"] > 0)
    frame["next_contact"] = frame["gain"].diff() / frame["contacts"].diff()
    return frame


# ------------------------------------------------------------------ off-policy evaluation


@dataclass(frozen=True)
class OffPolicyReport:
    """What a log says a policy would bring, by several estimators.

    Attributes
    ----------
    table : DataFrame
        One row an estimator: value (reward per customer over the weeks), low, high, and a
        warning where they are not to be relied upon, else empty.
        ``matching`` averages the weeks in which the log happened to do what the policy
        would do (biased where the old rule chose whom); ``direct`` trusts the model;
        ``step`` weights each week alone (blind to what contacts do to later weeks);
        ``ips`` weights by the whole past; ``snips`` normalises those weights; ``dr`` adds
        the model's forecast and weights only its error; ``sndr`` normalises that too.
        ``direct`` has no interval, since how wrong its model is no log tells; the weighted
        ones have none where in some week they rest on fewer than 30 effective customers.
    weeks : DataFrame
        One row a week: effective_sample_size of the cumulative weights, its share of the
        customers, and max_weight.
    """

    table: pd.DataFrame
    weeks: pd.DataFrame

    def interval(self, estimator: str) -> Interval:
        """Return one estimator's value and interval.

        Parameters
        ----------
        estimator : str

        Returns
        -------
        Interval

        Raises
        ------
        InputError
            If the estimator is unknown.
        """
        known = self.table.set_index("estimator")
        if estimator not in known.index:
            raise InputError(
                f"estimator {estimator!r} is unknown; accepted: {', '.join(known.index)}."
            )
        return Interval(*known.loc[estimator, ["value", "low", "high"]])


def evaluate_policy(
    log: pd.DataFrame,
    people: pd.DataFrame,
    policy: _Policy,
    reward: Reward | None = None,
    *,
    weeks: int = WEEKS,
    seed: int = 0,
) -> OffPolicyReport:
    """Estimate from a log what another policy would bring.

    Parameters
    ----------
    log : DataFrame
        Columns ``customer_id``, ``week``, ``action``, ``propensity``, ``recent_contacts``,
        ``visit``, ``conversion``, ``spend``, ``unsubscribed``; one row a customer and week.
    people : DataFrame
        As :func:`journey_people` gives it; only these customers are used.
    policy : ContactPolicy or the like
        Must not have been learned from these customers' log.
    reward : Reward, optional
        Default: ``Reward()``.
    weeks : int, default 6
        The first weeks to judge, 1 to 6.
    seed : int, default 0
        Of the two folds: the model of a customer is learned from the other one.

    Returns
    -------
    OffPolicyReport

    Raises
    ------
    InputError
        If a column is missing, a propensity is not in (0, 1], a customer lacks a week, or
        a parameter is out of range.

    Notes
    -----
    A few customers with large weights make most of an estimate's spread; its interval is then
    Student's with as many degrees of freedom as there are people behind the spread.

    The estimators rest on what the log *recorded*. Responses that were lost before they
    reached it, for some groups more than for others, bias each of them, and no weight
    repairs that.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import (
    ...     ContactPolicy, evaluate_policy, journey_people)
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(500, seed=1)
    >>> people = journey_people(world.customers, world.campaign)
    >>> report = evaluate_policy(world.legacy_log, people, ContactPolicy(weeks=(0,)), weeks=2)
    >>> report.table["estimator"].tolist()
    ['matching', 'direct', 'step', 'ips', 'snips', 'dr', 'sndr']
    """
    reward = Reward() if reward is None else reward
    check_value(weeks, _HORIZON, "weeks")
    data = _read_log(log, people, reward)
    n = len(people)
    if n < 40:
        raise InputError(f"people has {n} rows; at least 40 are needed, 20 to learn from.")
    chance = np.zeros((weeks, n, len(ACTIONS)))
    for t in range(weeks):
        chance[t] = _chances(policy, people, t, data.recent[t], data.last[t])
        chance[t][data.gone[t]] = np.eye(len(ACTIONS))[0]
    q = _modelled(data, people, weeks, policy, seed)
    taken_at = (np.arange(weeks)[:, None], np.arange(n), data.action[:weeks])
    chosen, taken = chance[taken_at], q[taken_at]
    ratio = chosen / data.propensity[:weeks]
    weight = np.cumprod(ratio, axis=0)
    past = np.vstack([np.ones((1, n)), weight[:-1]])
    r = data.reward[:weeks]
    value = (chance * q).sum(axis=2)
    contributions = {
        "matching": _normalised((chosen > 0.5).astype(float), r),
        "direct": value[0],
        "step": (ratio * r).sum(axis=0),
        "ips": (weight * r).sum(axis=0),
        "snips": _normalised(weight, r),
        "dr": (weight * (r - taken) + past * value).sum(axis=0),
        "sndr": _normalised(weight, r - taken) + _normalised(past, value),
    }
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(total > 0, total**2 / (weight**2).sum(axis=1), 0.0)
    per_week = {"effective_sample_size": size, "share": size / n, "max_weight": weight.max(axis=1)}
    thinnest = int(size.argmin())
    table = []
    for name, contribution in contributions.items():
        value, low, high = _long_tailed(contribution)
        warning = _BLIND.get(name) or _thin(size[thinnest], thinnest)
        if warning.endswith("no interval"):
            low = high = math.nan
        table.append((name, value, low, high, warning))
    columns = ["estimator", "value", "low", "high", "warning"]
    weekly = pd.DataFrame({"week": np.arange(weeks), **per_week})
    return OffPolicyReport(pd.DataFrame(table, columns=columns), weekly)


def _modelled(
    data: _Log, people: pd.DataFrame, weeks: int, policy: _Policy, seed: int
) -> NDArray[np.float64]:
    """Return each action's value by the model of the other half, shape (weeks, n, 5)."""
    n, x = len(people), _person_features(people)
    # a stream of its own: what was drawn with the same seed must not tell the folds
    fold = np.random.default_rng([seed, 0xF01D]).permutation(n) % 2
    q = np.zeros((weeks, n, len(ACTIONS)))
    for judge in (fold == 0, fold == 1):
        coefficients = _fit_values(data, x, ~judge, people, weeks, policy)
        for t in range(weeks):
            state = (data.recent[t, judge], data.last[t, judge], data.gone[t, judge])
            q[t, judge] = _action_values(coefficients[t], x[judge], *state)
    return q


# effective customers: below the first there is no interval, below the second a warning
_LEAST, _SAFE = 30, 100
_BLIND = {
    "matching": "only of those to whom the old rule happened to do the same: biased where it chose",
    "direct": "trusts the model, and how wrong that is no log tells: no interval",
    "step": "blind to what a contact does to later weeks",
}


def _thin(size: float, week: int) -> str:
    """Say on how few customers a weighted estimate rests, where they are few."""
    if size >= _SAFE:
        return ""
    rests = f"rests on {size:.0f} effective customers in week {week}"
    if size < _LEAST:
        return f"{rests}, fewer than {_LEAST}: no interval"
    return f"{rests}, fewer than {_SAFE}: trust its bounds less"


def _long_tailed(values: NDArray[np.float64]) -> Interval:
    """Return a mean whose interval is as wide as few people behind the spread demand."""
    if not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan)
    from scipy.stats import t

    mean, n = float(values.mean()), values.size
    behind = min(people_behind(values - mean), n - 1)
    reach = float(t.ppf(0.975, behind)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - reach, mean + reach)


# ------------------------------------------------------------------ helpers


@dataclass(frozen=True)
class _Log:
    """A log as arrays of shape (weeks, customers)."""

    action: NDArray[np.int64]
    propensity: NDArray[np.float64]
    recent: NDArray[np.int64]
    last: NDArray[np.int64]
    gone: NDArray[np.bool_]
    reward: NDArray[np.float64]


def _read_log(log: pd.DataFrame, people: pd.DataFrame, reward: Reward) -> _Log:
    columns = ["customer_id", "week", "action", "propensity", "recent_contacts", *_OUTCOMES]
    need_columns(log, columns, "log")
    if not people.index.is_unique:
        raise InputError("people has a customer twice; one row each is needed.")
    at = people.index.get_indexer(log["customer_id"])
    week = log["week"].to_numpy()
    kept = (at >= 0) & (week >= 0) & (week < WEEKS)
    cell = week[kept].astype(np.int64) * len(people) + at[kept]
    filled = np.bincount(cell, minlength=WEEKS * len(people))
    if (filled != 1).any():
        place = int(np.flatnonzero(filled != 1)[0])
        raise InputError(
            f"log: customer_id {people.index[place % len(people)]} has "
            f"{filled[place]} rows for week {place // len(people)}; exactly one is needed."
        )
    order = np.argsort(cell)

    def grid(values: Any) -> NDArray[Any]:
        return np.asarray(values)[kept][order].reshape(WEEKS, len(people))

    labels = log["action"].astype(str).to_numpy()
    action = pd.Index(ACTIONS).get_indexer(labels)
    if (action < 0).any():
        raise InputError(
            f"log: action {labels[action < 0][0]!r} is unknown; accepted: {', '.join(ACTIONS)}."
        )
    propensity = grid(log["propensity"].to_numpy(dtype=float))
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise InputError("log: column 'propensity' must lie above 0 and at most at 1.")
    action = grid(action)
    outcomes = {name: grid(log[name].to_numpy(dtype=float)) for name in _OUTCOMES}
    contact = (action > 0).astype(np.int64)
    left = np.cumsum(outcomes["unsubscribed"], axis=0) > 0
    none = np.zeros((1, len(people)))
    return _Log(
        action=action,
        propensity=propensity,
        recent=grid(log["recent_contacts"].to_numpy(dtype=np.int64)),
        last=np.vstack([none, contact[:-1]]).astype(np.int64),
        gone=np.vstack([none, left[:-1]]).astype(bool),
        reward=reward.of(**outcomes, contact=contact),
    )


def _person_features(people: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the value model sees of a person, intercept first."""
    columns = [np.ones(len(people))]
    for name in people.columns:
        column = people[name]
        if pd.api.types.is_numeric_dtype(column):
            x = column.to_numpy(dtype=float)
            if not np.isfinite(x).all():
                raise InputError(f"people: column {name!r} holds a missing or infinite number.")
            if name in ("history", "tenure_days"):
                x = np.log1p(np.maximum(x, 0))
            # fixed scales, so that a model means the same for other people
            columns.append(x / {"recency": 12.0, "history": 8.0, "tenure_days": 8.0}.get(name, 1.0))
        else:
            levels = (
                list(column.cat.categories)
                if isinstance(column.dtype, pd.CategoricalDtype)
                else sorted(column.unique())
            )
            columns += [(column == level).to_numpy(dtype=float) for level in levels[1:]]
    return np.column_stack(columns)


def _state(
    x: NDArray[np.float64],
    recent: NDArray[np.int64],
    last: NDArray[np.int64],
    gone: NDArray[np.bool_],
) -> NDArray[np.float64]:
    return np.hstack([x, np.column_stack([recent == 1, recent == 2, last, gone]).astype(float)])


def _design(block: NDArray[np.float64], action: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features of a decision: each action has a line of its own, and wears out by contacts."""
    own = (action[:, None] == np.arange(len(ACTIONS)))[:, :, None] * block[:, None, :]
    return np.hstack([block, own.reshape(len(block), -1)])


def _action_values(
    coefficients: NDArray[np.float64],
    x: NDArray[np.float64],
    recent: NDArray[np.int64],
    last: NDArray[np.int64],
    gone: NDArray[np.bool_],
) -> NDArray[np.float64]:
    block = _state(x, recent, last, gone)
    parts = coefficients.reshape(len(ACTIONS) + 1, -1)
    return (block @ parts[0])[:, None] + block @ parts[1:].T


def _fit_values(
    data: _Log,
    x: NDArray[np.float64],
    learn: NDArray[np.bool_],
    people: pd.DataFrame,
    weeks: int,
    policy: _Policy,
) -> NDArray[np.float64]:
    """Fit the value of each action now, the policy followed later, week by week backwards."""
    result: list[NDArray[np.float64]] = []
    # What an action does to everybody is learned freely, what it does to some more than to
    # others only where the log insists: the best of five noisy guesses is a wrong one.
    wide = x.shape[1] + 4
    penalty = np.full((len(ACTIONS) + 1, wide), _RIDGE)
    penalty[1:, 1 : x.shape[1]] = _RIDGE_PERSONAL
    penalty = penalty.ravel()
    following = np.zeros(int(learn.sum()))
    part = people.loc[learn]
    inside = x[learn]
    for t in reversed(range(weeks)):
        recent, last, gone = data.recent[t, learn], data.last[t, learn], data.gone[t, learn]
        design = _design(_state(inside, recent, last, gone), data.action[t, learn])
        target = data.reward[t, learn] + following
        left = design.T @ design + np.diag(penalty)
        coefficients = np.linalg.solve(left, design.T @ target)
        result.insert(0, coefficients)
        q = _action_values(coefficients, inside, recent, last, gone)
        chance = _chances(policy, part, t, recent, last)
        chance[gone] = np.eye(len(ACTIONS))[0]
        following = (chance * q).sum(axis=1)
    return np.stack(result)


def _normalised(weight: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return contributions whose mean is the sum over weeks of weighted means.

    They are the estimator's linear expansion around its value, so that their spread is
    its standard error (to first order).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weight.mean(axis=1, keepdims=True)
        centre = (weight * value).mean(axis=1, keepdims=True) / mean
        return (centre + weight * (value - centre) / mean).sum(axis=0)


def _chances(
    policy: _Policy,
    people: pd.DataFrame,
    week: int,
    recent: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.float64]:
    chance = np.array(policy.probabilities(people, week, recent, last), dtype=float)
    if chance.shape != (len(people), len(ACTIONS)):
        raise InputError(
            f"the policy gave chances of shape {chance.shape}; ({len(people)}, {len(ACTIONS)}) "
            "is needed."
        )
    if not ((chance >= 0).all() and np.allclose(chance.sum(axis=1), 1, atol=1e-9)):
        raise InputError("the policy's chances must be at least 0 and sum to 1 a customer.")
    return chance
