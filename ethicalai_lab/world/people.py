"""Mechanisms of the people: who they are, and what they would not tell."""

# A mechanism's docstring describes its node in the graph.

from __future__ import annotations

import numpy as np

from ethicalai_lab.world import pools
from ethicalai_lab.world.arrays import blocks, choose, logistic
from ethicalai_lab.world.causal import mechanism
from ethicalai_lab.world.texts import words

__all__: list[str] = []

AS_OF = np.datetime64("2026-01-12")
GROUP_SHARES = (0.60, 0.19, 0.13, 0.08)
DEMOGRAPHICS = (
    "jurisdiction",
    "ethnic_group",
    "gender",
    "birth_date",
    "age",
    "region",
    "postcode",
    "name",
    "street",
)


@mechanism("observed")
def jurisdiction(rng, n, *, regime_mix):
    """Law the customer lives under: EU, California or other."""
    return choose(rng.random(n), regime_mix)


@mechanism("observed")
def ethnic_group(rng, n, *, representation):
    """Neutral group label A to D; C and D are thinned by representation."""
    a, b, c, d = GROUP_SHARES
    return choose(rng.random(n), (a, b, c * representation, d * representation))


@mechanism("observed")
def gender(rng, n):
    """Gender."""
    return choose(rng.random(n), (0.515, 0.467, 0.018))


@mechanism("observed")
def birth_date(rng, n):
    """Date of birth; adults from 18 to 92 years on the reference day."""
    years = np.interp(
        rng.random(n),
        [0.0, 0.10, 0.30, 0.50, 0.70, 0.90, 0.98, 1.0],
        [18.1, 24.0, 34.0, 44.0, 55.0, 69.0, 80.0, 92.9],
    )
    return AS_OF - (years * 365.2425).astype("timedelta64[D]")


@mechanism("observed")
def age(rng, n, *, birth_date):
    """Full years on the reference day."""
    year = birth_date.astype("datetime64[Y]")
    # the reference day is 12 January: who is born later in the year has yet to turn
    later = (birth_date - year.astype("datetime64[D]")).astype(np.int64) > 11
    return 2026 - (year.astype(np.int64) + 1970) - later


@mechanism("observed")
def region(rng, n, *, jurisdiction):
    """Region of the land; California and overseas are regions of their own."""
    inland = choose(rng.random(n), (0.3, 0.3, 0.22, 0.18))
    return np.where(jurisdiction == 0, inland, np.where(jurisdiction == 1, 4, 5)).astype(np.int8)


@mechanism("observed")
def postcode(rng, n, *, region, ethnic_group, proxy_strength):
    """Postcode, as a position in the map; groups live apart as far as proxy_strength says."""
    land = pools.geography()
    u = rng.random(n)
    spread = np.empty(n, dtype=np.int16)
    cell = region.astype(np.int16) * 4 + ethnic_group
    order = np.argsort(cell, kind="stable")
    bounds = np.searchsorted(cell[order], np.arange(25))
    for number in range(24):
        rows = order[bounds[number] : bounds[number + 1]]
        if rows.size:
            places = np.flatnonzero(land.region == number // 4)
            base = land.size[places] / land.size[places].sum()
            home = base * land.home[number % 4, places]
            shares = (1 - proxy_strength) * base + proxy_strength * home / home.sum()
            cuts = np.cumsum(shares)
            spread[rows] = places[np.searchsorted(cuts[:-1] / cuts[-1], u[rows], side="right")]
    return spread


@mechanism("observed")
def name(rng, n, *, gender, ethnic_group, proxy_strength):
    """First name and surname, as positions in their pools; surnames lean to a group."""
    lengths = np.array([len(names) for names in pools.first_names()])
    starts = np.array([0, lengths[0], lengths[0] + lengths[1]])
    # squaring makes some first names commoner than others
    first = starts[gender] + (rng.random(n) ** 1.4 * lengths[gender]).astype(np.int64)
    per_group = len(pools.surnames()[0])
    own = rng.random(n) < proxy_strength
    shared = choose(rng.random(n), GROUP_SHARES)
    group = np.where(own, ethnic_group, shared)
    last = group * per_group + (rng.random(n) ** 1.3 * per_group).astype(np.int64)
    return np.stack([first, last]).astype(np.int16)


@mechanism("observed")
def street(rng, n, *, postcode):
    """Street, kind of street and house number; each postcode has streets of its own."""
    names, kinds = len(words("streets")), len(words("street_kinds"))
    local = (rng.random(n) * 9).astype(np.int64)
    place = (postcode.astype(np.int64) * 7 + local * 11) % names
    house = 1 + (rng.random(n) ** 1.7 * 139).astype(np.int64)
    return np.stack([place, (postcode + local) % kinds, house]).astype(np.int16)


@mechanism("observed")
def education(rng, n, *, age, postcode):
    """Highest education; later-born and better-off quarters go further."""
    wealth = pools.geography().affluence[postcode]
    drive = 0.45 * wealth - 0.018 * (age - 45) + rng.standard_normal(n)
    level = np.searchsorted([-1.55, -0.35, 0.45, 1.35], drive).astype(np.int8)
    return np.where(age < 22, np.minimum(level, 2), level).astype(np.int8)


@mechanism("observed")
def occupation(rng, n, *, age, education):
    """Occupation, from age and education."""
    u = rng.random(n)
    ladder = education + 0.9 * rng.standard_normal(n)
    job = 1 + np.searchsorted([0.8, 1.7, 2.5, 3.8], ladder)
    job = np.where(u < 0.09, 6, job)
    job = np.where(u > np.where(education <= 1, 0.90, 0.955), 7, job)
    v = rng.random(n)
    job = np.where((age < 26) & (v < 0.62 - 0.08 * (age - 18)), 0, job)
    job = np.where((age >= 60) & (v < logistic(0.55 * (age - 65.0))), 8, job)
    return job.astype(np.int8)


@mechanism("observed")
def marital_status(rng, n, *, age):
    """Marital status, from age."""
    u = rng.random(n)
    single = logistic(-(age - 29.0) / 5.0) * 0.80 + 0.12
    partnered = single + 0.16 * np.exp(-((age - 31.0) ** 2) / 300.0) + 0.04
    widowed = 1.0 - 0.45 * logistic((age - 77.0) / 5.0)
    divorced = widowed - 0.14 * logistic((age - 40.0) / 5.0)
    status = np.full(n, 2, dtype=np.int8)
    status[u < partnered] = 1
    status[u < single] = 0
    status[(u > divorced) & (u >= partnered)] = 3
    status[(u > widowed) & (u >= partnered)] = 4
    return status


@mechanism("observed")
def household_size(rng, n, *, age, marital_status):
    """People in the household, 1 to 8."""
    couple = (marital_status == 1) | (marital_status == 2)
    raising = np.exp(-((age - 41.0) ** 2) / 180.0)
    mean = np.where(couple, 0.25 + 1.7 * raising, 0.25 + 0.5 * raising + 0.5 * (age < 25))
    extra = np.floor(-np.log1p(-rng.random(n)) * mean + 0.35).astype(np.int64)
    return np.minimum(1 + couple + extra, 8).astype(np.int64)


@mechanism("observed")
def household_income(rng, n, *, age, education, occupation, marital_status, postcode):
    """Yearly household income before tax, in euros; long-tailed."""
    job = np.array([-0.75, -0.10, -0.16, 0.0, 0.22, 0.45, 0.12, -0.62, -0.28])
    couple = (marital_status == 1) | (marital_status == 2)
    level = (
        10.28
        + 0.115 * education
        + job[occupation]
        + 0.40 * couple
        + 0.12 * pools.geography().affluence[postcode]
        - 0.00028 * (age - 50.0) ** 2
        + 0.36 * rng.standard_normal(n)
    )
    # one household in twenty has further income from a Pareto tail
    tail = np.where(rng.random(n) < 0.05, (1.0 - rng.random(n)) ** (-1 / 2.5), 1.0)
    euros = np.round(np.exp(level) * np.minimum(tail, 20.0) / 100.0) * 100.0
    return np.maximum(euros, 6_000).astype(np.int64)


@mechanism("observed")
def disability(rng, n, *, age):
    """Whether the person lives with a disability."""
    return rng.random(n) < 0.05 + 0.16 * logistic((age - 62.0) / 8.0)


@mechanism("observed")
def tenure_days(rng, n, *, age):
    """Days since the first order."""
    share = np.interp(
        rng.random(n) ** (1.0 + 6.0 / age),
        [0, 0.25, 0.5, 0.8, 0.95, 1],
        [30, 150, 375, 1300, 3000, 5800],
    )
    return share.astype(np.int64)


@mechanism("observed")
def device(rng, n, *, age, household_income):
    """Device used most."""
    phone = logistic(1.3 - 0.045 * (age - 35.0))
    app = logistic(-0.9 - 0.03 * (age - 40.0) + 0.25 * np.log(household_income / 40_000.0))
    u, v = rng.random(n), rng.random(n)
    small = np.where(v < app, 1, 0)
    large = np.where(v < 0.72, 2, 3)
    return np.where(u < phone, small, large).astype(np.int8)


@mechanism("latent")
def activity(rng, n):
    """How much the person shops by nature (standard normal)."""
    return np.round(rng.standard_normal(n), 6)


@mechanism("latent")
def personal_concern(rng, n, *, age, education, privacy_concern):
    """Privacy concern of the person, 0 to 1; its level is set by the knob."""
    centre = np.clip(privacy_concern, 0.02, 0.98)
    level = np.log(centre / (1 - centre)) + 0.012 * (age - 45) + 0.15 * (education - 2)
    return np.round(logistic(1.08 * level + 0.85 * rng.standard_normal(n)), 6)


@mechanism("latent")
def trust(rng, n, *, personal_concern, tenure_days):
    """Trust in the retailer, 0 to 1."""
    level = 0.35 - 1.8 * (personal_concern - 0.5) + 0.25 * np.log(tenure_days / 375.0)
    return np.round(logistic(level + 0.7 * rng.standard_normal(n)), 6)


@mechanism("latent")
def fatigue_sensitivity(rng, n, *, personal_concern):
    """How soon the person tires of messages, 0 to 1."""
    level = -0.25 + 1.4 * (personal_concern - 0.5) + 0.9 * rng.standard_normal(n)
    return np.round(logistic(level), 6)


@mechanism("latent")
def honesty(rng, n, *, personal_concern, trust):
    """Chance that the person answers a question truthfully, 0 to 1."""
    level = 1.9 - 1.6 * (personal_concern - 0.5) + 1.2 * (trust - 0.5)
    return np.round(logistic(level + 0.5 * rng.standard_normal(n)), 6)


@mechanism("latent")
def financial_strain(rng, n, *, household_income, household_size, occupation):
    """Money worries (about standard normal)."""
    per_head = np.log(household_income / np.sqrt(household_size) / 29_000.0)
    level = -1.15 * per_head + 0.9 * (occupation == 7) + 0.55 * rng.standard_normal(n)
    return np.round(level, 6)


@mechanism("latent")
def health_burden(rng, n, *, age, disability):
    """Health worries (about standard normal)."""
    return np.round(0.022 * (age - 45) + 1.1 * disability + 0.8 * rng.standard_normal(n) - 0.12, 6)


@mechanism("latent")
def price_sensitivity(rng, n, *, financial_strain):
    """How much the price decides, 0 to 1."""
    return np.round(logistic(0.9 * financial_strain + 0.6 * rng.standard_normal(n)), 6)


@mechanism("latent")
def interests(rng, n, *, age, gender, household_size, health_burden):
    """Interest in each category, 0 to 1."""
    woman = np.array([0.5, -0.5, 0.0])[gender]
    decades = (age - 45.0) / 10.0
    crowd = household_size - 2.3
    result = np.empty((6, n))
    for rows in blocks(n):
        w, d, c = woman[rows], decades[rows], crowd[rows]
        noise = rng.standard_normal((6, w.size))
        # fashion and beauty go together, and so do home and garden
        noise[4] = 0.55 * noise[1] + 0.84 * noise[4]
        noise[3] = 0.50 * noise[2] + 0.87 * noise[3]
        level = (
            0.35 - 0.9 * w - 0.22 * d,
            0.35 + 1.1 * w - 0.16 * d,
            -0.15 + 0.18 * c + 0.05 * d,
            -0.75 + 0.24 * d + 0.10 * c,
            -0.55 + 1.2 * w - 0.10 * d,
            -0.55 + 0.45 * w + 0.50 * health_burden[rows],
        )
        for k, part in enumerate(level):
            result[k, rows] = np.round(logistic(part + 1.1 * noise[k]), 6)
    return result


@mechanism("observed")
def financial_stress(rng, n, *, financial_strain):
    """Money worries as a broker infers them, 0 to 1: noisy."""
    return np.round(logistic(0.9 * financial_strain + 0.7 * rng.standard_normal(n)), 3)


@mechanism("observed")
def health_interest(rng, n, *, health_burden, interests):
    """Health worries as a broker infers them, 0 to 1: noisy."""
    signal = 0.8 * health_burden + 1.2 * (interests[5] - 0.4)
    return np.round(logistic(signal - 0.2 + 0.7 * rng.standard_normal(n)), 3)
