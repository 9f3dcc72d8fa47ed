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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, mean_interval, people_behind, proportion_interval
from ethicalai_lab.world import ACTIONS, WorldConfig, make_world

__all__ = [
    "ContactPolicy",
    "LearnedPolicy",
    "OffPolicyReport",
    "Reward",
    "contact_curve",
    "evaluate_policy",
    "journey_people",
    "learn_policy",
    "off_policy_study",
    "spaced_weeks",
    "true_policy_value",
]

WEEKS = 6
_OUTCOMES = ("visit", "conversion", "spend", "unsubscribed")
_ESTIMATORS = ("matching", "direct", "step", "ips", "snips", "dr", "sndr")
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

    visit: float = 0.0
    conversion: float = 0.0
    spend: float = 0.35
    contact: float = 0.02
    unsubscribed: float = 10.0

    def __post_init__(self) -> None:
        for name in (*_OUTCOMES, "contact"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"{name} is {getattr(self, name)}; a finite number is accepted.")
        for name in ("contact", "unsubscribed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; a cost of at least 0 is due.")

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

    what: str = "interest"
    channel: str = "email"
    weeks: tuple[int, ...] = (0, 2, 4)
    most_recent: int = 2
    exploration: float = 0.0

    def __post_init__(self) -> None:
        if self.what not in ("interest", "sports", "fashion"):
            raise InputError(f"what is {self.what!r}; accepted: 'interest', 'sports', 'fashion'.")
        if self.channel not in ("email", "push", "device"):
            raise InputError(f"channel is {self.channel!r}; accepted: 'email', 'push', 'device'.")
        weeks = tuple(sorted({int(week) for week in self.weeks}))
        if any(not 0 <= week < WEEKS for week in weeks):
            raise InputError(f"weeks is {self.weeks}; whole numbers from 0 to 5 are accepted.")
        object.__setattr__(self, "weeks", weeks)
        if self.most_recent not in (0, 1, 2):
            raise InputError(f"most_recent is {self.most_recent}; 0, 1 or 2 is accepted.")
        if not 0 <= self.exploration <= 1:
            raise InputError(f"exploration is {self.exploration}; a share is accepted.")

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
        if self.what == "interest":
            sports, fashion = (people[c].to_numpy() > 0 for c in ("sports", "fashion"))
            about_fashion = (
                np.where(sports == fashion, self.weeks.index(week) % 2 == 1, fashion)
                if week in self.weeks
                else np.zeros(n, dtype=bool)
            )
        else:
            about_fashion = np.full(n, self.what == "fashion")
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


@dataclass(frozen=True)
class LearnedPolicy:
    """A contact policy learned from a log; made by :func:`learn_policy`.

    Attributes
    ----------
    coefficients : ndarray of float, shape (6, n_features)
        One model of the value of each action a week.
    exploration : float
        As in :class:`ContactPolicy`.
    patience : float
        Margin in reward by which a contact must beat resting.
    """

    coefficients: NDArray[np.float64] = field(repr=False)
    exploration: float = 0.1
    patience: float = 0.0

    def values(
        self,
        people: pd.DataFrame,
        week: int,
        recent: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the estimated value from this week on of each action, shape (n, 5).

        Parameters
        ----------
        people : DataFrame
        week : int
        recent, last : ndarray of int, shape (n,)
            As in :meth:`ContactPolicy.probabilities`.

        Returns
        -------
        ndarray of float
        """
        x = _person_features(people)
        return _action_values(self.coefficients[week], x, recent, last)

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
        week : int
        recent, last : ndarray of int, shape (n,)
            As in :meth:`ContactPolicy.probabilities`.

        Returns
        -------
        ndarray of float, shape (n, 5)
        """
        value = self.values(people, week, recent, last)
        value[:, 0] += self.patience
        chance = np.full(value.shape, self.exploration / len(ACTIONS))
        chance[np.arange(len(value)), value.argmax(axis=1)] += 1 - self.exploration
        return chance


def spaced_weeks(contacts: int) -> tuple[int, ...]:
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
    if int(contacts) != contacts or not 0 <= contacts <= WEEKS:
        raise InputError(f"contacts is {contacts}; a whole number from 0 to {WEEKS} is accepted.")
    return tuple(WEEKS * i // int(contacts) for i in range(int(contacts)))


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
    _need(customers, ["customer_id", "device", "tenure_days"], "customers")
    _need(campaign, ["customer_id", *past], "campaign")
    people = campaign.set_index("customer_id")[past].sort_index()
    own = customers.set_index("customer_id")[["device", "tenure_days"]]
    lost = people.index.difference(own.index)
    if len(lost):
        raise InputError(f"customers lacks customer_id {lost[0]}, which campaign has.")
    people = people.join(own)
    if log is not None:
        _need(log, ["customer_id", "score"], "log")
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
    policy : ContactPolicy, LearnedPolicy or the like
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
    weeks = _check_weeks(weeks)
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
        customers, max_weight, and clipped (share of customers).
    customers : int
    """

    table: pd.DataFrame
    weeks: pd.DataFrame
    customers: int

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
        row = self.table[self.table["estimator"] == estimator]
        if row.empty:
            raise InputError(
                f"estimator {estimator!r} is unknown; accepted: {', '.join(_ESTIMATORS)}."
            )
        return Interval(*row[["value", "low", "high"]].to_numpy()[0])

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format="{:.4f}".format) + self.weeks.to_html(
            index=False, float_format="{:.2f}".format
        )


def evaluate_policy(
    log: pd.DataFrame,
    people: pd.DataFrame,
    policy: _Policy,
    reward: Reward | None = None,
    *,
    weeks: int = WEEKS,
    clip: float | None = None,
    n_folds: int = 2,
    seed: int = 0,
    confidence: float = 0.95,
) -> OffPolicyReport:
    """Estimate from a log what another policy would bring.

    Parameters
    ----------
    log : DataFrame
        Columns ``customer_id``, ``week``, ``action``, ``propensity``, ``recent_contacts``,
        ``visit``, ``conversion``, ``spend``, ``unsubscribed``; one row a customer and week.
    people : DataFrame
        As :func:`journey_people` gives it; only these customers are used.
    policy : ContactPolicy, LearnedPolicy or the like
        Must not have been learned from these customers' log.
    reward : Reward, optional
        Default: ``Reward()``.
    weeks : int, default 6
        The first weeks to judge, 1 to 6.
    clip : float, optional
        Cap on the cumulative weights, at least 1. Less spread, more bias: a clipped
        weight no longer stands for all it should.
    n_folds : int, default 2
        The model of a customer is learned from the customers of the other folds.
    seed : int, default 0
        Of the folds.
    confidence : float, default 0.95

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
    weeks = _check_weeks(weeks)
    if clip is not None and not clip >= 1:
        raise InputError(f"clip is {clip}; at least 1, or None, is accepted.")
    data = _read_log(log, people, reward)
    n = len(people)
    if int(n_folds) != n_folds or not 2 <= n_folds <= n // 20:
        raise InputError(f"n_folds is {n_folds}; 2 to {n // 20} is accepted for {n} customers.")
    chance = np.zeros((weeks, n, len(ACTIONS)))
    for t in range(weeks):
        chance[t] = _chances(policy, people, t, data.recent[t], data.last[t])
        chance[t][data.gone[t]] = np.eye(len(ACTIONS))[0]

    # a stream of its own: what was drawn with the same seed must not tell the folds
    fold = np.random.default_rng([seed, 0xF01D]).permutation(n) % int(n_folds)
    x = _person_features(people)
    q = np.zeros((weeks, n, len(ACTIONS)))
    for f in range(int(n_folds)):
        learn, judge = fold != f, fold == f
        coefficients = _fit_values(data, x, learn, people, weeks, policy=policy)
        for t in range(weeks):
            q[t, judge] = _action_values(
                coefficients[t],
                x[judge],
                data.recent[t, judge],
                data.last[t, judge],
                data.gone[t, judge],
            )

    rows = np.arange(n)
    ratio = np.stack([chance[t][rows, data.action[t]] for t in range(weeks)])
    ratio /= data.propensity[:weeks]
    full = np.cumprod(ratio, axis=0)
    weight = full if clip is None else np.minimum(full, clip)
    past = np.vstack([np.ones((1, n)), weight[:-1]])
    r = data.reward[:weeks]
    taken = np.stack([q[t][rows, data.action[t]] for t in range(weeks)])
    value = (chance * q).sum(axis=2)

    contributions = {
        "direct": value[0],
        "step": (ratio * r).sum(axis=0),
        "ips": (weight * r).sum(axis=0),
        "snips": _normalised(weight, r),
        "dr": (weight * (r - taken) + past * value).sum(axis=0),
        "sndr": _normalised(weight, r - taken) + _normalised(past, value),
    }
    matched = np.stack([chance[t][rows, data.action[t]] > 0.5 for t in range(weeks)])
    contributions["matching"] = _normalised(matched.astype(float), r)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(total > 0, total**2 / (weight**2).sum(axis=1), 0.0)
    per_week = pd.DataFrame(
        {
            "week": np.arange(weeks),
            "effective_sample_size": size,
            "share": size / n,
            "max_weight": weight.max(axis=1),
            "clipped": (full > weight).mean(axis=1),
        }
    )
    thinnest = int(size.argmin())
    table = []
    for name in _ESTIMATORS:
        value, low, high = _long_tailed(contributions[name], confidence)
        warning = _BLIND.get(name) or _thin(size[thinnest], thinnest)
        if warning.endswith("no interval"):
            low = high = math.nan
        table.append((name, value, low, high, warning))
    columns = ["estimator", "value", "low", "high", "warning"]
    return OffPolicyReport(pd.DataFrame(table, columns=columns), per_week, n)


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


def _long_tailed(values: NDArray[np.float64], confidence: float) -> Interval:
    """Return a mean whose interval is as wide as few people behind the spread demand."""
    if not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan, confidence)
    from scipy.stats import t

    mean, n = float(values.mean()), values.size
    behind = min(people_behind(values - mean), n - 1)
    reach = float(t.ppf((1 + confidence) / 2, behind)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - reach, mean + reach, confidence)


def learn_policy(
    log: pd.DataFrame,
    people: pd.DataFrame,
    reward: Reward | None = None,
    *,
    exploration: float = 0.1,
    patience: float = 0.0,
) -> LearnedPolicy:
    """Learn from a log which action is best for whom, in view of the weeks to come.

    Parameters
    ----------
    log, people : DataFrame
        As in :func:`evaluate_policy`. Keep other customers for judging what comes out.
    reward : Reward, optional
    exploration : float, default 0.1
        Share of the decisions left to chance, in [0, 1].
    patience : float, default 0.0
        Margin in reward by which a contact must beat resting, at least 0.

    Returns
    -------
    LearnedPolicy

    Raises
    ------
    InputError
        As :func:`evaluate_policy`.

    References
    ----------
    Ernst, Geurts and Wehenkel (2005), see the module: from the last week backwards, the
    value of an action is its reward and the best that can follow.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import journey_people, learn_policy
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(500, seed=1)
    >>> policy = learn_policy(world.legacy_log, journey_people(world.customers, world.campaign))
    >>> policy.coefficients.shape[0]
    6
    """
    reward = Reward() if reward is None else reward
    if not 0 <= exploration <= 1:
        raise InputError(f"exploration is {exploration}; a share from 0 to 1 is accepted.")
    if not patience >= 0:
        raise InputError(f"patience is {patience}; at least 0 is accepted.")
    data = _read_log(log, people, reward)
    everyone = np.ones(len(people), dtype=bool)
    coefficients = _fit_values(data, _person_features(people), everyone, people, WEEKS)
    return LearnedPolicy(coefficients, float(exploration), float(patience))


def off_policy_study(
    policy: _Policy,
    reward: Reward | None = None,
    *,
    n_worlds: int = 100,
    n_customers: int = 4_000,
    config: WorldConfig | None = None,
    weeks: int = WEEKS,
    clip: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Judge the estimators themselves: how often does the interval hold the truth?

    Parameters
    ----------
    policy : ContactPolicy or the like
    reward : Reward, optional
    n_worlds : int, default 100
        Worlds drawn, each with its own log; at least 2.
    n_customers : int, default 4,000
        Customers of each.
    config : WorldConfig, optional
        Default: ``WorldConfig(label_bias=0)``, in which no response is lost.
    weeks : int, default 6
    clip : float, optional
    seed : int, default 0
        First of the worlds' seeds.
    confidence : float, default 0.95

    Returns
    -------
    DataFrame
        One row an estimator, in reward per customer: truth (mean over worlds), bias and
        its standard error, rmse (root mean squared error), mean_width of the intervals,
        coverage with coverage_low and coverage_high (Wilson), and the share of worlds in
        which the interval was withheld.

    Raises
    ------
    InputError
        If ``n_worlds`` is below 2, or as :func:`evaluate_policy`.

    Examples
    --------
    >>> from ethicalai_lab.personalization.journeys import ContactPolicy, off_policy_study
    >>> study = off_policy_study(ContactPolicy(weeks=(0,)), n_worlds=3, n_customers=300, weeks=1)
    >>> study.columns.tolist()[:4]
    ['estimator', 'truth', 'bias', 'bias_se']
    """
    if int(n_worlds) != n_worlds or n_worlds < 2:
        raise InputError(f"n_worlds is {n_worlds}; a whole number of at least 2 is accepted.")
    reward = Reward() if reward is None else reward
    config = WorldConfig(label_bias=0.0) if config is None else config
    rows = []
    for i in range(int(n_worlds)):
        world = make_world(n_customers, seed=seed + i, config=config)
        people = journey_people(world.customers, world.campaign, world.legacy_log)
        truth = true_policy_value(world.truth, people, policy, reward, weeks=weeks)
        found = evaluate_policy(
            world.legacy_log,
            people,
            policy,
            reward,
            weeks=weeks,
            clip=clip,
            seed=seed + i,
            confidence=confidence,
        )
        rows.append(found.table.assign(truth=truth.loc["all", "reward"]))
    every = pd.concat(rows)
    table = []
    for name in _ESTIMATORS:
        part = every[every["estimator"] == name]
        error = (part["value"] - part["truth"]).to_numpy()
        part = part[part["low"].notna()]
        held = ((part["low"] <= part["truth"]) & (part["truth"] <= part["high"])).to_numpy()
        table.append(
            (
                name,
                part["truth"].mean(),
                error.mean(),
                error.std(ddof=1) / math.sqrt(error.size),
                math.sqrt((error**2).mean()),
                (part["high"] - part["low"]).mean(),
                *proportion_interval(int(held.sum()), held.size),
                1 - held.size / error.size,
            )
        )
    return pd.DataFrame(
        table,
        columns=[
            "estimator",
            "truth",
            "bias",
            "bias_se",
            "rmse",
            "mean_width",
            "coverage",
            "coverage_low",
            "coverage_high",
            "withheld",
        ],
    )


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
    _need(log, columns, "log")
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


def _design(
    x: NDArray[np.float64],
    action: NDArray[np.int64],
    recent: NDArray[np.int64],
    last: NDArray[np.int64],
    gone: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Features of a decision: each action has a line of its own, and wears out by contacts."""
    n, d = x.shape
    gone = np.zeros(n) if gone is None else gone.astype(float)
    state = np.column_stack([recent == 1, recent == 2, last, gone]).astype(float)
    wide = np.zeros((n, len(ACTIONS) * (d + 4)))
    block = np.hstack([x, state])
    for a in range(len(ACTIONS)):
        here = action == a
        wide[here, a * (d + 4) : (a + 1) * (d + 4)] = block[here]
    return np.hstack([block, wide])


def _action_values(
    coefficients: NDArray[np.float64],
    x: NDArray[np.float64],
    recent: NDArray[np.int64],
    last: NDArray[np.int64],
    gone: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    n, d = x.shape
    if coefficients.size != (len(ACTIONS) + 1) * (d + 4):
        raise InputError(
            "people has other columns than the policy was learned with; give the same ones."
        )
    gone = np.zeros(n) if gone is None else gone.astype(float)
    state = np.column_stack([recent == 1, recent == 2, last, gone]).astype(float)
    block = np.hstack([x, state])
    parts = coefficients.reshape(len(ACTIONS) + 1, d + 4)
    return (block @ parts[0])[:, None] + block @ parts[1:].T


def _fit_values(
    data: _Log,
    x: NDArray[np.float64],
    learn: NDArray[np.bool_],
    people: pd.DataFrame,
    weeks: int,
    *,
    policy: _Policy | None = None,
) -> NDArray[np.float64]:
    """Fit the value of each action, week by week backwards.

    With a policy: the value of acting now and following it (evaluation). Without: of
    acting now and as well as possible afterwards (learning).
    """
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
        design = _design(inside, data.action[t, learn], recent, last, gone)
        target = data.reward[t, learn] + following
        left = design.T @ design + np.diag(penalty)
        coefficients = np.linalg.solve(left, design.T @ target)
        result.insert(0, coefficients)
        q = _action_values(coefficients, inside, recent, last, gone)
        if policy is None:
            following = np.where(gone, q[:, 0], q.max(axis=1))
        else:
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


def _check_weeks(weeks: int) -> int:
    if int(weeks) != weeks or not 1 <= weeks <= WEEKS:
        raise InputError(f"weeks is {weeks}; a whole number from 1 to {WEEKS} is accepted.")
    return int(weeks)


def _need(frame: Any, columns: Iterable[str], name: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{name} is a {type(frame).__name__}; a pandas DataFrame is accepted.")
    for column in columns:
        if column not in frame.columns:
            raise InputError(
                f"{name} lacks the column {column!r}; it has {', '.join(map(str, frame.columns))}."
            )
