"""Mechanisms of the mail experiment: what each mail would do to each person.

Averages are those of Hillstrom's e-mail experiment; who is moved by what comes from
the causal model.
"""

# A mechanism's docstring describes its node in the graph.
# ruff: noqa: D401

from __future__ import annotations

import numpy as np

from ethicalai_lab.world.arrays import logistic
from ethicalai_lab.world.causal import mechanism
from ethicalai_lab.world.config import ARMS

__all__: list[str] = []

# arm -> published mean of visit, conversion and spend (Hillstrom 2008, 64,000 customers)
PUBLISHED = {
    "no_mail": (0.106167, 0.005726, 0.652789),
    "sports_mail": (0.182757, 0.012531, 1.422617),
    "fashion_mail": (0.151400, 0.008837, 1.077202),
}
UNSUBSCRIBE = {"no_mail": 0.0, "sports_mail": 0.0065, "fashion_mail": 0.0055}
# visit lift by what was bought before: neither, sports only, fashion only, both.
# Fashion mail after earlier women's-only (.0740) and men's-only (.0111) buyers.
SEGMENT_LIFT = {
    "sports_mail": np.array([0.068, 0.074, 0.072, 0.092]),
    "fashion_mail": np.array([0.028, 0.0111, 0.0740, 0.060]),
}


def _scaled(values: np.ndarray, target: float) -> np.ndarray:
    """Return the values multiplied so that their mean is the target."""
    mean = values.mean()
    return values * (target / mean) if mean > 0 else np.full_like(values, target)


def _baseline(level: np.ndarray, target: float) -> np.ndarray:
    """Return logistic probabilities whose mean is the target, by Newton's method."""
    shift = np.log(target / (1 - target))
    for _ in range(12):
        p = logistic(level + shift)
        step = (p.mean() - target) / (p * (1 - p)).mean()
        shift -= step
        if abs(step) < 1e-12:
            break
    return logistic(level + shift)


@mechanism("latent")
def base_visit(
    rng,
    n,
    *,
    active_share,
    activity,
    age,
    channel,
    history,
    household_income,
    tenure_days,
    trust,
):
    """Chance of a visit without any mail: the sure buyers have a high one."""
    level = (
        -0.065 * (history["recency"] - 5.5)
        + 0.22 * np.log(history["spend"] / 150.0)
        - 0.45 * (tenure_days <= 365)
        + 0.45 * activity
        - 0.55 * (active_share < 1)
        + 0.10 * np.log(household_income / 40_000.0)
        + np.array([0.12, -0.20, 0.22])[channel]
        - 0.004 * (age - 45)
        + 0.3 * (trust - 0.5)
        + 0.25 * rng.standard_normal(n)
    )
    return _baseline(level, PUBLISHED["no_mail"][0])


@mechanism("latent")
def visit_uplift(
    rng,
    n,
    *,
    base_visit,
    age,
    history,
    interests,
    personal_concern,
    fatigue_sensitivity,
    effect_heterogeneity,
):
    """Change of the visit chance by each mail; negative for the do-not-disturbs."""
    segment = history["sports"] + 2 * history["fashion"]
    sure = np.log(base_visit / (1 - base_visit)) + 2.3
    lifts = []
    for number, arm in enumerate(ARMS[1:]):
        target = PUBLISHED[arm][0] - PUBLISHED["no_mail"][0]
        taste = (
            1.5 * (interests[number] - 0.5)
            - 0.008 * (age - 45)
            # who would come anyway has little to gain; who has been away is reminded
            - 0.10 * sure
            + 0.02 * (history["recency"] - 5)
            + 0.25 * rng.standard_normal(n)
        )
        gain = np.exp(taste)
        # who minds mail visits less when mailed, the more the less the mail fits
        mind = 3.2 * personal_concern + 3.6 * fatigue_sensitivity - 1.6 * interests[number] - 4.2
        loss = 0.75 * base_visit * logistic(2.2 * mind)
        wanted = SEGMENT_LIFT[arm]
        for code in range(4):
            rows = segment == code
            if rows.any():
                gain[rows] *= (wanted[code] + loss[rows].mean()) / gain[rows].mean()
        gain = _scaled(gain, target + loss.mean())
        moved = np.clip(base_visit + gain - loss, 0.2 * base_visit, 0.97)
        lift = target + effect_heterogeneity * (moved - base_visit - target)
        # clipping moves the mean a little: give it back where there is room
        lifts.append(lift + (target - lift.mean()))
    return np.stack(lifts)


@mechanism("latent")
def responses(
    rng,
    n,
    *,
    base_visit,
    visit_uplift,
    activity,
    household_income,
    price_sensitivity,
    effect_heterogeneity,
):
    """Expected visit, conversion and spend under each arm."""
    del rng
    wealth = np.log(household_income / 40_000.0)
    keen = np.exp(
        np.clip(0.30 * activity + 0.25 * wealth - 0.6 * (price_sensitivity - 0.5), -1.5, 1.5)
    )
    purse = np.exp(np.clip(0.35 * wealth - 0.4 * (price_sensitivity - 0.5), -1.2, 1.2))
    visit = np.stack([base_visit, *(base_visit + visit_uplift)])
    conversion = np.empty_like(visit)
    spend = np.empty_like(visit)
    for number, arm in enumerate(ARMS):
        _, bought, spent = PUBLISHED[arm]
        conversion[number] = _scaled(visit[number] * keen, bought)
        if number:
            lift = bought - PUBLISHED["no_mail"][1]
            own = conversion[number] - conversion[0]
            conversion[number] = conversion[0] + lift + effect_heterogeneity * (own - lift)
            conversion[number] = np.minimum(conversion[number], 0.95 * visit[number])
        spend[number] = _scaled(conversion[number] * purse, spent)
        if number:
            lift = spent - PUBLISHED["no_mail"][2]
            own = spend[number] - spend[0]
            spend[number] = spend[0] + lift + effect_heterogeneity * (own - lift)
    return {"visit": visit, "conversion": conversion, "spend": spend}


@mechanism("latent")
def unsubscribe_risk(
    rng, n, *, history, personal_concern, fatigue_sensitivity, effect_heterogeneity, privacy_concern
):
    """Chance that each mail makes the person unsubscribe; none without a mail."""
    del rng
    risk = np.zeros((3, n))
    for number, bought in ((1, "sports"), (2, "fashion")):
        target = UNSUBSCRIBE[ARMS[number]] * np.exp(1.2 * (privacy_concern - 0.5))
        level = 2.2 * personal_concern + 2.6 * fatigue_sensitivity + 0.5 * (history[bought] == 0)
        own = _scaled(np.exp(np.minimum(level, 6.0)), target)
        risk[number] = target + effect_heterogeneity * (own - target)
    return risk


def draw_outcomes(visit, conversion, spend, unsubscribe, u, v, z, w):
    """Return realised visit, conversion, spend and unsubscription from given draws.

    The basket's normal draws ``z`` are an array, or a generator that draws those needed.
    """
    visited = u < visit
    converted = visited & (v * visit < conversion)
    spent = np.zeros(visit.shape)
    rows = np.flatnonzero(converted)
    # log-normal about the expected basket; long-tailed, with the right mean
    mean = spend[rows] / conversion[rows]
    normal = z[rows] if isinstance(z, np.ndarray) else z.standard_normal(rows.size)
    spent[rows] = np.maximum(np.round(mean * np.exp(0.80 * normal - 0.32), 2), 0.01)
    left = w < unsubscribe
    return visited.astype(np.int8), converted.astype(np.int8), spent, left.astype(np.int8)


@mechanism("latent")
def potential_outcomes(rng, n, *, responses, unsubscribe_risk):
    """What would happen to the person under each arm: one draw shared by all arms."""
    u, v, w = rng.random((3, n))
    z = rng.standard_normal(n)
    return [
        draw_outcomes(
            responses["visit"][number],
            responses["conversion"][number],
            responses["spend"][number],
            unsubscribe_risk[number],
            u,
            v,
            z,
            w,
        )
        for number in range(3)
    ]


@mechanism("observed")
def arm(rng, n):
    """Arm of the experiment: thirds, by lot."""
    return (rng.permutation(n) % 3).astype(np.int8)


@mechanism("observed")
def campaign(rng, n, *, arm, potential_outcomes):
    """Outcomes of the experiment in the two weeks after: those of the arm received."""
    del rng
    rows = np.arange(n)
    return [np.stack([outcome[k] for outcome in potential_outcomes])[arm, rows] for k in range(4)]
