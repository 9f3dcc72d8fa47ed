"""Mechanisms of the old programme: six weeks of contacts by a biased rule."""

# A mechanism's docstring describes its node in the graph.
# ruff: noqa: D401

from __future__ import annotations

import numpy as np

from ethicalai_lab.world import pools
from ethicalai_lab.world.causal import mechanism

__all__: list[str] = []

ACTIONS = ("rest", "sports_email", "fashion_email", "sports_push", "fashion_push")
WEEKS = 6
MAX_CONTACTS = 2  # contacts of the two preceding weeks count
FLOOR = 0.05  # share of the decisions that the rule left to chance
SCORE_SD = 1.0
LOSS = 0.5  # share of the responses lost for a disfavoured group at label_bias = 1


@mechanism("observed")
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


@mechanism("latent")
def journeys(rng, n, *, responses, unsubscribe_risk, fatigue_sensitivity, device):
    """Expected weekly outcomes by action and by number of recent contacts."""
    del rng
    reach = np.array([0.75, 1.15, 0.15, 0.40])[device]  # a push needs a phone
    kept = 1.0 - (0.12 + 0.45 * fatigue_sensitivity)
    sour = 0.10 * fatigue_sensitivity
    result = {}
    for outcome in ("visit", "conversion", "spend"):
        base = responses[outcome][0] * 0.5
        lift = (responses[outcome][1:] - responses[outcome][0]) * 0.5
        static = np.stack([np.zeros(n), lift[0], lift[1], lift[0] * reach, lift[1] * reach])
        result[outcome] = (base, static)
    risk = unsubscribe_risk
    result["unsubscribed"] = np.stack(
        [risk[0], risk[1], risk[2], 1.4 * risk[1] * reach, 1.4 * risk[2] * reach]
    )
    result["kept"] = kept
    result["sour"] = sour
    result["annoyed"] = 0.4 + 0.8 * fatigue_sensitivity
    return result


def expected(journeys, outcome, contacts):
    """Return the expected outcome of each action after a number of recent contacts.

    Parameters
    ----------
    journeys : dict
        Value of the mechanism ``journeys``.
    outcome : {"visit", "conversion", "spend", "unsubscribed"}
        Which outcome.
    contacts : int or ndarray of int
        Recent contacts, 0 to 2.

    Returns
    -------
    ndarray, shape (5, n)
        One row an action.
    """
    if outcome == "unsubscribed":
        return journeys["unsubscribed"] * (1.0 + contacts * journeys["annoyed"])
    base, lift = journeys[outcome]
    # an uplift that is negative does not fade with contacts, a positive one does
    faded = np.where(lift > 0, lift * journeys["kept"] ** contacts, lift)
    return (base + faded) * (1.0 - journeys["sour"] * contacts)


@mechanism("observed")
def legacy_log(rng, n, *, journeys, legacy_score, history, disfavoured, label_bias):
    """Six weeks of logged decisions, with propensities and recorded outcomes."""
    static = np.stack(
        [
            np.full(n, 0.9),
            0.55 * legacy_score + 0.9 * history["sports"] - 0.35,
            0.55 * legacy_score + 0.9 * history["fashion"] - 0.35,
            0.30 * legacy_score + 0.7 * history["sports"] - 1.0,
            0.30 * legacy_score + 0.7 * history["fashion"] - 1.0,
        ]
    )
    pull = np.exp(static)
    contact_pull = pull[1:].sum(axis=0)
    restful = np.array([1.0, 1.6, 2.6])  # the rule already rests more after contacts
    tables = {
        k: {o: expected(journeys, o, k) for o in ("visit", "conversion", "spend", "unsubscribed")}
        for k in range(MAX_CONTACTS + 1)
    }
    rows = np.arange(n)
    gone = np.zeros(n, dtype=bool)
    past = np.zeros((2, n), dtype=np.int8)
    weeks = []
    from ethicalai_lab.world.campaign import draw_outcomes

    for _ in range(WEEKS):
        recent = past[0] + past[1]
        rest = pull[0] * restful[recent]
        total = rest + contact_pull
        share = (1.0 - FLOOR) / total
        u = rng.random(n)
        edge = FLOOR / 5 + share * rest
        action = np.zeros(n, dtype=np.int8)
        for number in range(1, 5):
            action += u > edge
            edge = edge + FLOOR / 5 + share * pull[number]
        chosen = np.where(action == 0, rest, pull[action, rows])
        propensity = np.round(FLOOR / 5 + share * chosen, 6)
        action[gone] = 0
        propensity[gone] = 1.0
        means = {
            o: np.choose(recent, [tables[k][o][action, rows] for k in range(3)])
            for o in ("visit", "conversion", "spend", "unsubscribed")
        }
        a, b, c = rng.random((3, n))
        visit, conversion, spend, left = draw_outcomes(
            means["visit"],
            means["conversion"],
            means["spend"],
            means["unsubscribed"],
            a,
            b,
            rng.standard_normal(n),
            c,
        )
        left[gone] = 0
        lost = disfavoured & (rng.random(n) < label_bias * LOSS)
        weeks.append((action, propensity, recent, visit, conversion, spend, left, lost))
        gone = gone | (left == 1)
        past = np.stack([(action > 0).astype(np.int8), past[0]])
    return [np.stack(part, axis=1) for part in zip(*weeks, strict=True)]
