"""Stages of consent: people are asked, some answer, some find out; then what may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.consent.simulation import (
    BANNERS,
    Assumptions,
    answer_chance,
    calibrate,
    population,
)
from ethicalai_lab.consent.snapshot import PermissionSnapshot
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.stages import Estimate, Ratio, Settings, measure, stage, steps
from ethicalai_lab.world import PURPOSES

__all__ = ["MEASURES", "STAGES", "Asking", "Permission"]

MONTHS = 12  # the year before the decision
# of those who take a consent back or object, the share that also asks to be erased; an
# assumption of this lab, no source gives one
ERASURE_SHARE = 0.2
_REGIMES = ("gdpr", "ccpa", "other")
_MARKETING = PURPOSES.index("direct_marketing")
_PERSONAL = PURPOSES.index("personalization")
_SHARING = PURPOSES.index("third_party_sharing")


@dataclass(frozen=True, eq=False)
class Asking:
    """What people were asked in the year before, and what they answered.

    Attributes
    ----------
    asked, granted, refused, withdrew : ndarray of bool, shape (4, n)
        By purpose. Who was asked and did neither grant nor refuse has ignored the question.
    month : ndarray of int, shape (4, n)
        Month of the answer, 0 to 11.
    asks : ndarray of float, shape (n,)
        How often the question was put.
    objected : ndarray of bool, shape (n,)
        Objected to direct marketing.
    honest : bool
        Whether saying no was as easy as saying yes, and a no was let rest for a year.
    source : str
        How a yes is recorded: a ticked box and a dark pattern permit nothing.
    """

    asked: NDArray[np.bool_]
    granted: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    withdrew: NDArray[np.bool_]
    month: NDArray[np.int8]
    asks: NDArray[np.float64]
    objected: NDArray[np.bool_]
    honest: bool
    source: str


@dataclass(frozen=True, eq=False)
class Permission:
    """What may be used at the moment of the decision.

    Attributes
    ----------
    practice : ndarray of bool, shape (4, n)
        What the house takes as permitted, by purpose.
    lawful : ndarray of bool, shape (4, n)
        What the consent ledger permits, under each person's own regime.
    erasure_requested, objected : ndarray of bool, shape (n,)
    """

    practice: NDArray[np.bool_]
    lawful: NDArray[np.bool_]
    erasure_requested: NDArray[np.bool_]
    objected: NDArray[np.bool_]


def _logits(context: EvaluationContext) -> dict[str, Any]:
    """Return each banner's answer logits, fresh and fully tired, by purpose; once a world."""

    def worked_out() -> dict[str, Any]:
        kept = {}
        frame = population(context.world).set_index("customer_id").loc[context.ids].reset_index()
        pushes = calibrate(frame)
        for banner in BANNERS:
            both = np.empty((2, len(PURPOSES), context.n))
            for p in range(len(PURPOSES)):
                # what is truly accepted differs by purpose; all else is the person's own
                asked = frame.assign(accepts=context.accepts[p])
                for tired in (0, 1):
                    chance = answer_chance(asked, banner, pushes=pushes, fatigue=float(tired))
                    both[tired, p] = np.log(chance / (1 - chance))
            kept[banner] = both
        return kept

    return context.once("answer logits", worked_out)


@stage(
    "consent.banner",
    "consent.default",
    "consent.regime",
    "consent.purposes",
    "consent.reask_months",
)
def asking(context: EvaluationContext, settings: Settings) -> Asking:
    """Put the question over a year, and let people answer, tire, find out and take back."""
    n, purposes = context.n, len(PURPOSES)
    banner = BANNERS[settings["consent.banner"]]
    chosen = Assumptions()
    applied = _applied(context, settings["consent.regime"])
    listed = np.isin(PURPOSES, settings["consent.purposes"])
    # under an opt-out rule the question is not put, unless the house asks before all use
    who = (applied == 0) | (settings["consent.default"] == "opt_in")
    asked = listed[:, None] & who
    fresh, tired = _logits(context)[banner.name]
    step = max(int(settings["consent.reask_months"]), 1)
    rounds = range(0, MONTHS, step)
    sensitivity = context.people["fatigue_sensitivity"].to_numpy(float)
    fatigue, asks = np.zeros(n), np.zeros(n)
    granted = np.zeros((purposes, n), dtype=bool)
    month = np.zeros((purposes, n), dtype=np.int8)
    chances = context.chances("answers", MONTHS, purposes, n)
    for turn in rounds:
        open_ = asked & ~granted
        people = np.flatnonzero(open_.any(axis=0))
        if not people.size:
            break
        lean = fresh[:, people] + fatigue[people] * (tired - fresh)[:, people]
        # compare logits: a uniform number below the chance is a logit below the lean
        u = chances[turn][:, people]
        yes = open_[:, people] & (u < 1 / (1 + np.exp(-np.clip(lean, -35, 35))))
        granted[:, people] |= yes
        month[:, people] = np.where(open_[:, people], turn, month[:, people])
        asks[people] += 1
        fatigue[people] = np.minimum(
            1.0, fatigue[people] + chosen.fatigue_per_ask * 2 * sensitivity[people]
        )
        fatigue *= (1 - chosen.fatigue_recovery) ** step
    accepts = context.accepts
    # who would accept and did not say so has ignored the question; the others said no
    refused = asked & ~granted & ~accepts
    left = MONTHS - month
    finds = context.chances("finds", purposes, n) < 1 - (1 - chosen.discovery) ** left
    takes_back = context.chances("takes back", purposes, n) < chosen.withdraw_on_discovery
    withdrew = granted & ~accepts & finds & takes_back
    # who was never asked may find the opt-out: rare, and rarer without concern
    concern = context.people["privacy_concern"].to_numpy(float)
    monthly = np.minimum(chosen.notice_opt_out * 2 * concern, 1.0)
    opts_out = context.chances("opts out", purposes, n) < 1 - (1 - monthly) ** MONTHS
    withdrew |= ~asked & ~accepts & opts_out
    objected = withdrew[_MARKETING] & (context.chances("objects", n) < 0.5)
    honest = banner.honest and (step >= 12)
    return Asking(
        asked,
        granted,
        refused,
        withdrew,
        month,
        asks,
        objected,
        honest,
        banner.source,
    )


def _applied(context: EvaluationContext, regime: str) -> NDArray[np.int8]:
    if regime == "per_jurisdiction":
        return context.regime
    return np.full(context.n, 0 if regime == "strictest_for_all" else 2, dtype=np.int8)


@stage("consent.default", "consent.honour_gpc")
def permission(context: EvaluationContext, settings: Settings, *, asking: Asking) -> Permission:
    """Decide what is used at the moment of the campaign, and what the ledger would permit."""
    yes = asking.granted & ~asking.withdrew
    no = asking.refused | asking.withdrew
    practice = np.where(yes, True, np.where(no, False, settings["consent.default"] == "opt_out"))
    if settings["consent.honour_gpc"]:
        practice[_SHARING] &= ~context.sends_gpc
    # an objection to direct marketing ends the profiling that serves it as well
    practice[_MARKETING] &= ~asking.objected
    practice[_PERSONAL] &= ~asking.objected
    snapshot = PermissionSnapshot(_events(context, asking), _register(context), now=context.as_of)
    lawful = np.stack([snapshot.permitted(context.ids, p, context.as_of) for p in PURPOSES])
    leaves = asking.withdrew.any(axis=0) & (context.chances("erasure", context.n) < ERASURE_SHARE)
    return Permission(practice, lawful, leaves, asking.objected)


def _register(context: EvaluationContext) -> pd.DataFrame:
    regime = pd.Categorical.from_codes(context.regime, categories=list(_REGIMES))
    born = context.customers["birth_date"]
    return context.once(
        "register",
        lambda: pd.DataFrame({"person": context.ids, "regime": regime, "birth_date": born}),
    )


def _events(context: EvaluationContext, asking: Asking) -> pd.DataFrame:
    """Return all answers as events for the ledger."""
    start = context.as_of - pd.DateOffset(months=MONTHS)
    months = np.array(
        [(start + pd.DateOffset(months=m)).to_datetime64() for m in range(MONTHS + 1)],
        dtype="M8[us]",
    )
    later = months[MONTHS] - np.timedelta64(20, "D")
    actions = ("grant", "refuse", "withdraw", "object", "opt_out")
    sources = ("banner", "pre_ticked", "preference_centre", "gpc_signal", "dark_pattern")
    parts: list[tuple[NDArray[Any], ...]] = []

    def add(where: NDArray[np.bool_], action: int, time: Any, source: int) -> None:
        purpose, person = np.nonzero(where)
        parts.append(
            (
                person,
                purpose,
                np.full(person.size, action, dtype=np.int8),
                np.broadcast_to(time, where.shape)[purpose, person],
                np.full(person.size, source, dtype=np.int8),
            )
        )

    answered = months[asking.month]
    add(asking.granted, 0, answered, sources.index(asking.source))
    add(asking.refused, 1, answered, 0)
    objects = np.zeros_like(asking.withdrew)
    objects[_MARKETING] = asking.objected
    opt_in_law = np.broadcast_to(context.regime == 0, objects.shape)
    add(asking.withdrew & ~objects & opt_in_law, 2, later, 2)
    add(asking.withdrew & ~objects & ~opt_in_law, 4, later, 2)
    add(objects, 3, later, 2)
    signal = np.zeros_like(objects)
    signal[_SHARING] = context.sends_gpc
    add(signal, 4, later, 3)
    person, purpose, action, time, source = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return pd.DataFrame(
        {
            "person": context.ids[person],
            "purpose": pd.Categorical.from_codes(purpose, categories=list(PURPOSES)),
            "action": pd.Categorical.from_codes(action, categories=list(actions)),
            "time": time,
            "notice_version": pd.Categorical.from_codes(
                np.zeros(person.size, dtype=np.int8), categories=["2025-1"]
            ),
            "source": pd.Categorical.from_codes(source, categories=list(sources)),
            "regime": pd.Categorical.from_codes(context.regime[person], categories=list(_REGIMES)),
        }
    )


# --------------------------------------------------------------------------- measures

_LEDGER = "consent.PermissionSnapshot, every customer, each one's own regime"


def _used(permission: Permission) -> NDArray[np.float64]:
    return permission.practice.sum(axis=0, dtype=float)


@measure("consent", "lower", "share of uses", _LEDGER)
def without_permission(context: EvaluationContext, *, permission: Permission) -> Estimate:
    """Of all uses (a person and a purpose), those the ledger does not permit."""
    wrong = (permission.practice & ~permission.lawful).sum(axis=0, dtype=float)
    return Ratio(wrong, _used(permission))


@measure(
    "consent",
    "lower",
    "share of uses",
    "permission beside world.truth.purposes",
    only_here=True,
)
def against_their_will(context: EvaluationContext, *, permission: Permission) -> Estimate:
    """Of all uses, those the person does not truly accept.

    A company can only estimate it, by asking a sample in a way that costs nothing to refuse.
    """
    wrong = (permission.practice & ~context.accepts).sum(axis=0, dtype=float)
    return Ratio(wrong, _used(permission))


@measure("consent", "higher", "share of customers", "permission, every customer")
def reachable(context: EvaluationContext, *, permission: Permission) -> Estimate:
    """Share of customers to whom marketing may be sent, in the house's reading."""
    return Ratio(permission.practice[_MARKETING])


@measure(
    "consent",
    "lower",
    "share of grants",
    "asking beside world.truth.purposes",
    only_here=True,
)
def unmeant_consent(context: EvaluationContext, *, asking: Asking) -> Estimate:
    """Of all yeses, those of people who do not truly accept the purpose."""
    unmeant = (asking.granted & ~context.accepts).sum(axis=0, dtype=float)
    return Ratio(unmeant, asking.granted.sum(axis=0, dtype=float))


@measure("consent", "lower", "questions per person and year", "asking, every customer")
def questions_asked(context: EvaluationContext, *, asking: Asking) -> Estimate:
    """How often a person met the question in a year; here at most once a month."""
    return Ratio(asking.asks)


STAGES, MEASURES = steps(globals())
