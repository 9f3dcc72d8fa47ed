"""Stages of response: six weeks of contacts, what people do, and what it does to their trust."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.consent.simulation import Assumptions
from ethicalai_lab.explainability.trust import response_factor, trust_after
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.modelling import Targeting
from ethicalai_lab.policy.permission import Asking
from ethicalai_lab.policy.stages import Estimate, Ratio, Settings, measure, stage, steps

__all__ = ["MEASURES", "STAGES", "Response", "Trust"]

WEEKS = 6
OUTCOMES = ("visit", "conversion", "spend", "unsubscribed")
# assumptions of this lab, no source gives them: the share of spending that is profit, and
# how much a claim of urgency raises what a message does, whether it is true or not
MARGIN = 0.35
URGENCY_LIFT = 0.10


@dataclass(frozen=True, eq=False)
class Trust:
    """People's trust, before any of it and after the first message.

    Attributes
    ----------
    start, asked, after : ndarray of float, shape (n,)
        In the world; after the house has asked for consent; after a message, for those
        who get one.
    effect, leaving : ndarray of float, shape (n,)
        What a message's effect and its risk of unsubscribing are multiplied by.
    """

    start: NDArray[np.float64]
    asked: NDArray[np.float64]
    after: NDArray[np.float64]
    effect: NDArray[np.float64]
    leaving: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Response:
    """What six weeks of contacts brought, beside six weeks of silence.

    Attributes
    ----------
    added : dict of str to ndarray, shape (n,)
        Drawn outcomes with the campaign minus without, the same chances for both: visit,
        conversion, spend, unsubscribed; and contacts.
    expected : dict of str to ndarray, shape (n,)
        The same without chance, from the world's truth.
    profit, expected_profit : ndarray of float, shape (n,)
        Margin on the spending added, less what contacts and unsubscribers cost.
    schedule : tuple of bool of length 6
        Weeks in which a contact was made.
    """

    added: dict[str, NDArray[np.float64]]
    expected: dict[str, NDArray[np.float64]]
    profit: NDArray[np.float64]
    expected_profit: NDArray[np.float64]
    schedule: tuple[bool, ...]


@stage()
def trust(
    context: EvaluationContext,
    settings: Settings,
    *,
    asking: Asking,
    repair: Targeting,
    notices: Any,
    claims: Any,
) -> Trust:
    """Move each person's trust by how they were asked, and by what the message told them."""
    people = context.people
    start = people["trust"].to_numpy(float)
    concern = people["privacy_concern"].to_numpy(float)
    asked = start.copy()
    if not asking.honest:
        met = asking.asked.any(axis=0)
        asked = np.where(met, start * (1 - Assumptions().annoyance * concern), start)
    frame = people[["privacy_concern"]].assign(trust=asked)
    after = trust_after(
        frame,
        disclosure=notices.disclosure,
        acceptable=notices.acceptable,
        reasons_true=notices.reasons_true,
        false_claims=claims.false_claim.astype(float),
        ai_disclosed=notices.ai_told,
        choice_given=notices.choice_given,
    )
    after = np.where(repair.selected, after, asked)
    effect, leaving = response_factor(start, after)
    return Trust(start, asked, after, effect, leaving)


def schedule(cap: int, days: int) -> tuple[bool, ...]:
    """Return the weeks of six in which a weekly sender may write under a contact cap.

    Examples
    --------
    >>> schedule(1, 14)
    (True, False, True, False, True, False)
    >>> schedule(2, 21)
    (True, True, False, True, True, False)
    """
    width = ceil(days / 7)
    sent: list[bool] = []
    for week in range(WEEKS):
        sent.append(sum(sent[max(0, week - width + 1) :]) < cap)
    return tuple(sent)


def _truth(context: EvaluationContext) -> dict[str, NDArray[np.float64]]:
    """Return the expected weekly outcomes, shape (5 actions, 3 recent contacts, n)."""

    def read() -> dict[str, NDArray[np.float64]]:
        truth = context.world.truth
        place = pd.Index(truth.journeys["customer_id"]).get_indexer(context.ids)
        return {
            name: np.ascontiguousarray(truth.journey(name)[place].transpose(1, 2, 0))
            for name in OUTCOMES
        }

    return context.once("journeys", read)


def _baskets(context: EvaluationContext) -> NDArray[np.float64]:
    def draw() -> NDArray[np.float64]:
        normal = context.rng("baskets").standard_normal((WEEKS, context.n))
        return np.exp(0.80 * normal - 0.32)  # mean 1, long-tailed, as the world draws them

    return context.once("baskets", draw)


@stage(
    "personalization.contact_cap",
    "personalization.contact_cap_days",
    "personalization.channel",
    "personalization.contact_cost",
    "personalization.unsubscribe_cost",
)
def response(
    context: EvaluationContext, settings: Settings, *, repair: Targeting, trust: Trust, claims: Any
) -> Response:
    """Send for six weeks under the contact cap, and draw what people do, with and without."""
    weeks = schedule(
        int(settings["personalization.contact_cap"]),
        int(settings["personalization.contact_cap_days"]),
    )
    who = np.flatnonzero(repair.selected)
    truth = _truth(context)
    action = _actions(context, settings["personalization.channel"], repair.offer[who], who)
    effect = trust.effect[who] * (1 + URGENCY_LIFT * claims.claim[who])
    leaving = trust.leaving[who]
    names = (*OUTCOMES, "contacts")
    drawn = {name: np.zeros(who.size) for name in names}
    expected = {name: np.zeros(who.size) for name in names}
    u, v, w = (context.chances(f"response {name}", WEEKS, context.n)[:, who] for name in "uvw")
    baskets = _baskets(context)[:, who]
    gone = np.zeros(who.size, dtype=bool)  # drawn: has unsubscribed
    went = np.full(who.size, -1)  # the week it happened
    # expected: the share that left in each earlier week
    stays, left = np.ones(who.size), []
    for week in range(WEEKS):
        recent = sum(weeks[max(0, week - 2) : week])
        silent = {name: truth[name][0, 0][who] for name in OUTCOMES}
        rested = {name: truth[name][0, recent][who] for name in OUTCOMES}
        if weeks[week]:
            mailed = _mailed(truth, action, recent, who, rested, effect, leaving)
        else:
            mailed = rested
        after = [_left(truth, weeks, week, since, who) for since in range(week)]
        for name in OUTCOMES:
            mean = stays * mailed[name]
            for share, state in zip(left, after, strict=True):
                mean = mean + share * state[name]
            expected[name] += mean - silent[name]
        now = {name: mailed[name] for name in OUTCOMES}
        for week_left in range(week):
            rows = gone & (went == week_left)
            if rows.any():
                now = {n: np.where(rows, after[week_left][n], now[n]) for n in OUTCOMES}
        for sign, means in ((1, now), (-1, silent)):
            _draw(drawn, sign, means, (u[week], v[week], baskets[week]))
        if weeks[week]:
            leaves = ~gone & (w[week] < mailed["unsubscribed"])
            drawn["contacts"] += ~gone
            drawn["unsubscribed"] += leaves
            gone |= leaves
            went = np.where(leaves, week, went)
            expected["contacts"] += stays
            left.append(stays * mailed["unsubscribed"])
            stays = stays * (1 - mailed["unsubscribed"])
        else:
            left.append(np.zeros(who.size))
    added = {name: _spread(values, who, context.n) for name, values in drawn.items()}
    mean = {name: _spread(values, who, context.n) for name, values in expected.items()}
    prices = (
        float(settings["personalization.contact_cost"]),
        float(settings["personalization.unsubscribe_cost"]),
    )
    return Response(added, mean, _profit(added, *prices), _profit(mean, *prices), weeks)


def _actions(
    context: EvaluationContext, channel: str, offer: NDArray[np.int64], who: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the world's action that a contact is: an offer, by e-mail or by push."""
    if channel == "best_per_customer":
        # a push reaches those who use the app, an e-mail everyone else
        push = context.uses_app[who]
    else:
        push = np.full(who.size, channel == "push")
    return 1 + offer + 2 * push


def _left(
    truth: dict[str, NDArray[np.float64]],
    weeks: tuple[bool, ...],
    week: int,
    since: int,
    who: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """Return the expected outcomes of who left in an earlier week, with the contacts had before."""
    recent = sum(weeks[max(0, week - 2) : since + 1]) if week - since <= 2 else 0
    return {name: truth[name][0, recent][who] for name in OUTCOMES}


def _draw(
    drawn: dict[str, NDArray[np.float64]],
    sign: int,
    means: dict[str, NDArray[np.float64]],
    chances: tuple[NDArray[np.float64], ...],
) -> None:
    """Add what people do in a week, or take away what they would have done without."""
    u, v, size = chances
    visited = u < means["visit"]
    bought = visited & (v * means["visit"] < means["conversion"])
    drawn["visit"] += sign * visited
    drawn["conversion"] += sign * bought
    with np.errstate(invalid="ignore", divide="ignore"):
        basket = np.where(bought, means["spend"] / means["conversion"], 0.0)
    drawn["spend"] += sign * basket * size


def _mailed(
    truth: dict[str, NDArray[np.float64]],
    action: NDArray[np.int64],
    recent: int,
    who: NDArray[np.int64],
    rested: dict[str, NDArray[np.float64]],
    effect: NDArray[np.float64],
    leaving: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Return the expected outcomes of a contact, its effect moved by trust and urgency."""
    found = {}
    for name in OUTCOMES:
        value = truth[name][action, recent, who]
        if name == "unsubscribed":
            found[name] = np.clip(value * leaving, 0.0, 1.0)
            continue
        # as explainability.trust.message_response: lost trust makes a bad effect worse
        change = value - rested[name]
        found[name] = rested[name] + np.where(change > 0, change * effect, change / effect)
    found["visit"] = np.clip(found["visit"], 0.0, 1.0)
    found["conversion"] = np.clip(found["conversion"], 0.0, found["visit"])
    found["spend"] = np.maximum(found["spend"], 0.0)
    return found


def _spread(values: NDArray[np.float64], who: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    out = np.zeros(n)
    out[who] = values
    return out


def _profit(
    added: dict[str, NDArray[np.float64]], contact: float, unsubscribe: float
) -> NDArray[np.float64]:
    return (
        MARGIN * added["spend"] - contact * added["contacts"] - unsubscribe * added["unsubscribed"]
    )


# --------------------------------------------------------------------------- measures

_SIX = "six simulated weeks with and without the campaign, the same chances for both"


@measure("value", "higher", "currency per customer in six weeks", _SIX)
def profit_added(context: EvaluationContext, *, response: Response) -> Estimate:
    """Profit that the campaign adds: margin on spending, less contacts and unsubscribers.

    The margin is 35 % of spending, an assumption; the costs are the policy's own.
    """
    return Ratio(response.profit, truth=float(response.expected_profit.mean()))


@measure("value", "higher", "visits per customer in six weeks", _SIX, learned=True)
def visits_added(context: EvaluationContext, *, response: Response) -> Estimate:
    """Visits that the campaign adds."""
    return Ratio(response.added["visit"], truth=float(response.expected["visit"].mean()))


@measure("value", "lower", "share of contacted", _SIX, learned=True)
def unsubscribed(context: EvaluationContext, *, response: Response, repair: Targeting) -> Estimate:
    """Share of the contacted who unsubscribe within six weeks."""
    contacted = repair.selected.astype(float)
    total = contacted.sum()
    truth = float(response.expected["unsubscribed"].sum() / total) if total else None
    return Ratio(response.added["unsubscribed"], contacted, truth)


@measure("value", "none", "messages per customer in six weeks", _SIX)
def messages_sent(context: EvaluationContext, *, response: Response) -> Estimate:
    """Messages sent, over all customers; a house knows how many it sent."""
    return Ratio(response.added["contacts"])


@measure(
    "value",
    "lower",
    "share of contacted",
    "repair beside world.truth.uplift",
    learned=True,
    only_here=True,
)
def contacted_in_vain(context: EvaluationContext, *, repair: Targeting) -> Estimate:
    """Share of the contacted whom their message makes less likely to visit, or no likelier."""
    both = context.uplift[["visit_sports_mail", "visit_fashion_mail"]].to_numpy()
    vain = (both[np.arange(context.n), repair.offer] <= 0) & repair.selected
    return Ratio(vain, repair.selected)


@measure(
    "transparency",
    "higher",
    "points of trust from 0 to 1",
    "explainability.trust_after on world.truth.people",
    only_here=True,
)
def trust_change(context: EvaluationContext, *, trust: Trust, claims: Any) -> Estimate:
    """Mean change of customers' trust by the way they were asked and written to.

    It rests on the assumptions of the consent simulation and of TrustAssumptions.
    """
    change = trust.after - trust.start
    if not claims.false_claim.any():
        return Ratio(change)
    # whom a false claim meets is chance of the shelf
    return Ratio(change, drawn=claims.product, kinds=len(context.world.products))


STAGES, MEASURES = steps(globals())
