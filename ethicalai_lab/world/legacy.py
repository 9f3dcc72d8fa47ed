"""Mechanisms of the old programme: six weeks of contacts by a biased rule."""

# A mechanism's docstring describes its node in the graph.
# ruff: noqa: D401

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ethicalai_lab.world import pools
from ethicalai_lab.world.arrays import blocks
from ethicalai_lab.world.campaign import draw_outcomes
from ethicalai_lab.world.causal import mechanism

__all__: list[str] = []

WEEKS = 6
MAX_CONTACTS = 2  # contacts of the two preceding weeks count
FLOOR = 0.05  # share of the decisions that the rule left to chance
SCORE_SD = 1.0
RESTFUL = np.array([1.0, 1.6, 2.6])  # the rule rests more after recent contacts
REACH = np.array([0.75, 1.15, 0.15, 0.40])  # a push needs a phone: by device
PUSH_RISK = 1.4  # a push annoys more than an e-mail
LOSS = 0.5  # share of the responses lost for a disfavoured group at label_bias = 1


@mechanism("latent")
def disfavoured(rng, n, *, ethnic_group, gender, age):
    """Whether the old rule was prejudiced against the person: groups C and D, women from 55."""
    del rng
    return (ethnic_group >= 2) | ((gender == 0) & (age >= 55))


@mechanism("observed")
def legacy_score(rng, n, *, history, postcode, tenure_days, disfavoured, label_bias):
    """Score of the old rule: favours sure buyers and affluent quarters, and is prejudiced."""
    wealth = pools.geography().affluence[postcode]
    level = (
        0.75 * np.log(history["spend"] / 150.0)
        - 0.10 * (history["recency"] - 5.5)
        + 0.25 * wealth
        - 0.25 * (tenure_days <= 365)
        + 0.20 * rng.standard_normal(n)
    )
    return np.round(level - label_bias * SCORE_SD * disfavoured, 4)


@dataclass(frozen=True)
class Journeys:
    """Expected weekly outcomes of each person by action and recent contacts.

    Kept as the few arrays they are made of: all combinations would be 60 a person.
    """

    base: dict[str, np.ndarray]  # outcome -> (n,) without a contact
    lift: dict[str, np.ndarray]  # outcome -> (2, n) change by sports and fashion e-mail
    risk: np.ndarray  # (2, n) chance that sports and fashion e-mail make them unsubscribe
    reach: np.ndarray  # (n,) effect of a push relative to an e-mail
    kept: np.ndarray  # (n,) share of a positive effect left after each recent contact
    sour: np.ndarray  # (n,) share of all interest lost with each recent contact
    annoyed: np.ndarray  # (n,) growth of the unsubscribe risk with each recent contact

    def expected(self, outcome: str, action: int, contacts: int) -> np.ndarray:
        """Return the expected outcome of everyone for one action and number of contacts."""
        if outcome == "unsubscribed":
            if action == 0:
                return np.zeros(self.reach.size)
            risk = self.risk[(action - 1) % 2] * (1.0 + contacts * self.annoyed)
            return risk * (PUSH_RISK * self.reach) if action > 2 else risk
        value = self.base[outcome]
        if action:
            lift = self.lift[outcome][(action - 1) % 2]
            lift = lift * self.reach if action > 2 else lift
            if contacts:
                lift = np.where(lift > 0, lift * self.kept**contacts, lift)
            value = value + lift
        return value * (1.0 - self.sour * contacts) if contacts else value

    def of(self, rows: slice, action: np.ndarray, contacts: np.ndarray) -> dict[str, np.ndarray]:
        """Return all expected outcomes of some people, each with an action of their own."""
        which = (action - 1) & 1
        mailed = action > 0
        push = np.where(action > 2, self.reach[rows], 1.0)
        kept = np.choose(contacts, [np.ones(action.size), self.kept[rows], self.kept[rows] ** 2])
        spoiled = 1.0 - self.sour[rows] * contacts
        means = {}
        for outcome, base in self.base.items():
            lift = np.where(which == 0, self.lift[outcome][0, rows], self.lift[outcome][1, rows])
            lift = lift * push * mailed
            lift = np.where(lift > 0, lift * kept, lift)
            means[outcome] = (base[rows] + lift) * spoiled
        risk = np.where(which == 0, self.risk[0, rows], self.risk[1, rows]) * mailed
        risk = risk * np.where(action > 2, PUSH_RISK * push, 1.0)
        means["unsubscribed"] = risk * (1.0 + contacts * self.annoyed[rows])
        return means


@mechanism("latent")
def journeys(rng, n, *, responses, unsubscribe_risk, fatigue_sensitivity, device):
    """Expected weekly outcomes by action and by number of recent contacts."""
    del rng, n
    outcomes = ("visit", "conversion", "spend")
    # a week is half of the experiment's two
    return Journeys(
        base={o: 0.5 * responses[o][0] for o in outcomes},
        lift={o: 0.5 * (responses[o][1:] - responses[o][0]) for o in outcomes},
        risk=unsubscribe_risk[1:],
        reach=REACH[device],
        kept=0.88 - 0.45 * fatigue_sensitivity,
        sour=0.10 * fatigue_sensitivity,
        annoyed=0.4 + 0.8 * fatigue_sensitivity,
    )


@mechanism("observed")
def legacy_log(rng, n, *, journeys, legacy_score, history, disfavoured, label_bias):
    """Six weeks of logged decisions, with propensities and recorded outcomes."""
    kinds = (np.int8, float, np.int8, np.int8, np.int8, float, np.int8, bool)
    log = [np.empty((n, WEEKS), dtype=kind) for kind in kinds]
    for rows in blocks(n):
        people = (legacy_score[rows], history["sports"][rows], history["fashion"][rows])
        shunned = disfavoured[rows]
        for week, parts in enumerate(_weeks(rng, journeys, rows, *people)):
            lost = shunned & (rng.random(shunned.size) < label_bias * LOSS)
            for column, part in zip(log, (*parts, lost), strict=True):
                column[rows, week] = part
    return log


def _weeks(rng, journeys, rows, score, sports, fashion):
    """Yield each week's actions, propensities, recent contacts and outcomes."""
    m = score.size
    pull = np.exp(
        np.stack(
            [
                np.full(m, 0.9),
                1.0 * score + 0.9 * sports - 0.45,
                1.0 * score + 0.9 * fashion - 0.45,
                0.6 * score + 0.7 * sports - 1.0,
                0.6 * score + 0.7 * fashion - 1.0,
            ]
        )
    )
    contact_pull = pull[1:].sum(axis=0)
    gone = np.zeros(m, dtype=bool)
    last = np.zeros(m, dtype=np.int8)
    before = np.zeros(m, dtype=np.int8)
    everyone = np.arange(m)
    for _ in range(WEEKS):
        recent = last + before
        rest = pull[0] * RESTFUL[recent]
        share = (1.0 - FLOOR) / (rest + contact_pull)
        u, a, b, c = rng.random((4, m))
        edge = FLOOR / 5 + share * rest
        action = np.zeros(m, dtype=np.int8)
        for number in range(1, 5):
            action += u > edge
            edge += FLOOR / 5 + share * pull[number]
        chosen = np.where(action == 0, rest, pull[action, everyone])
        propensity = np.round(FLOOR / 5 + share * chosen, 6)
        # who unsubscribed is never contacted again
        action[gone] = 0
        propensity[gone] = 1.0
        means = journeys.of(rows, action, recent)
        outcomes = draw_outcomes(
            means["visit"], means["conversion"], means["spend"], means["unsubscribed"], a, b, rng, c
        )
        yield action, propensity, recent, *outcomes
        gone = gone | (outcomes[3] == 1)
        last, before = (action > 0).astype(np.int8), last
