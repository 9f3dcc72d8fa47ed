"""Mechanisms of the shop: products, what people view, buy and open, and what that leaves."""

# A mechanism's docstring describes its node in the graph.
# ruff: noqa: D401

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa

from ethicalai_lab.world.arrays import blocks, frame, logistic
from ethicalai_lab.world.causal import mechanism, stream
from ethicalai_lab.world.config import CATEGORIES
from ethicalai_lab.world.texts import words

__all__: list[str] = []

START = np.datetime64("2025-01-01T00:00:00", "us")
AS_OF_SECOND = np.int64(
    (np.datetime64("2026-01-12", "s") - np.datetime64("2025-01-01", "s")).astype(int)
)
YEAR_SECONDS = 365 * 86_400
PER_CATEGORY = 30
# how much the whole market likes each category
APPEAL = np.array([2.4, 2.6, 0.8, 0.55, 0.7, 0.5])
# share of the year's shopping done up to the end of each month: December is the peak
SEASON = np.cumsum(
    [0.0, 0.070, 0.066, 0.076, 0.078, 0.080, 0.078, 0.072, 0.072, 0.080, 0.086, 0.112, 0.130]
)
MONTH_ENDS = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) / 365.0


@lru_cache(maxsize=1)
def _catalogue() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Price, margin, line and name of each product: the range is the same in each world."""
    rng = stream(0, "products")
    prices, margins, lines, names = [], [], [], []
    typical = (52.0, 48.0, 58.0, 40.0, 24.0, 27.0)
    for number, category in enumerate(CATEGORIES):
        makes, things = words(f"{category}_makes"), words(f"{category}_things")
        for item in range(PER_CATEGORY):
            line = item % 3
            thing, make = things[item % len(things)], makes[(item * 3 + item // 10) % len(makes)]
            price = typical[number] * (0.55, 1.0, 2.1)[line] * np.exp(0.32 * rng.standard_normal())
            prices.append(np.floor(price) + 0.99 if price < 80 else np.round(price / 5.0) * 5.0)
            margins.append(np.round(0.30 + 0.07 * line + 0.08 * rng.random(), 3))
            lines.append(line)
            names.append(f"{make} {thing}")
    return np.array(prices), np.array(margins), np.array(lines), names


def products_frame() -> pd.DataFrame:
    """Return the products table."""
    prices, margins, _, names = _catalogue()
    category = pd.Categorical.from_codes(
        np.repeat(np.arange(6), PER_CATEGORY), categories=list(CATEGORIES)
    )
    ids = np.arange(1, prices.size + 1, dtype=np.int64)
    return frame(
        {
            "product_id": ids,
            "name": pa.array(names),
            "category": category,
            "price": prices,
            "margin": margins,
        }
    )


@lru_cache(maxsize=1)
def _shelf() -> np.ndarray:
    """Lookup (category, line the person favours, 1/256 of chance) to product position."""
    _, _, lines, _ = _catalogue()
    table = np.empty((6, 3, 256), dtype=np.int16)
    for category in range(6):
        rows = np.arange(PER_CATEGORY) + category * PER_CATEGORY
        fame = 1.0 / (1.0 + (np.arange(PER_CATEGORY) * 7 % PER_CATEGORY)) ** 0.7
        for line in range(3):
            weight = fame * np.array([6.0, 1.5, 0.5])[np.abs(lines[rows] - line)]
            cuts = np.cumsum(weight) / weight.sum()
            table[category, line] = rows[np.searchsorted(cuts[:-1], (np.arange(256) + 0.5) / 256)]
    return table


@mechanism("latent")
def favoured_line(rng, n, *, price_sensitivity, household_income):
    """Line of goods the person favours: basic, classic or premium."""
    level = 0.75 * np.log(household_income / 40_000.0) - 1.6 * (price_sensitivity - 0.5)
    level = level + 0.6 * rng.standard_normal(n)
    return np.searchsorted([-0.55, 0.65], level).astype(np.int8)


@mechanism("observed")
def channel(rng, n, *, age, device):
    """Where the person buys: web, store or both."""
    store = logistic(-0.35 + 0.022 * (age - 45.0) - 0.5 * (device == 1))
    u = rng.random(n)
    both = 0.12
    return np.where(u < both, 2, np.where(rng.random(n) < store, 1, 0)).astype(np.int8)


@mechanism("latent")
def active_share(rng, n, *, trust):
    """Share of the time since joining after which the person stopped shopping; 1 if not yet."""
    stays = logistic(0.1 + 1.6 * (trust - 0.5))
    stopped = 0.05 + 0.95 * rng.random(n)
    return np.where(rng.random(n) < stays, 1.0, np.round(stopped, 6))


@mechanism("observed")
def events(
    rng,
    n,
    *,
    activity,
    interests,
    favoured_line,
    household_income,
    tenure_days,
    trust,
    channel,
    active_share,
):
    """Views, purchases and e-mail opens of the year 2025, sorted by customer and time."""
    online = np.array([1.3, 0.55, 1.2])[channel]
    pace = np.exp(0.38 * activity + 0.22 * np.log(household_income / 40_000.0))
    mean = {
        "purchase": 1.75 * pace,
        "view": 3.6 * pace * online,
        "email_open": 2.6 * trust * np.exp(0.2 * activity),
    }
    pull = np.cumsum(APPEAL[:, None] * interests**1.6, axis=0)
    pull = (pull[:5] / pull[5]).astype(np.float32)
    # no one shops before joining
    joined = np.clip((AS_OF_SECOND - tenure_days * 86_400) / YEAR_SECONDS, 0.0, 0.96)
    first = np.interp(joined, MONTH_ENDS, SEASON)
    span = (1.0 - first) * active_share
    parts = []
    for rows in blocks(n):
        counts = {kind: value[rows] for kind, value in mean.items()}
        parts.append(
            _block(
                rng, rows.start, counts, first[rows], span[rows], pull[:, rows], favoured_line[rows]
            )
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block(rng, start, mean, first, span, pull, line):
    """Return the events of one block of people."""
    n = first.size
    exponential = -np.log1p(-rng.random((3, n)))
    bought = 1 + np.minimum((exponential[0] * mean["purchase"]).astype(np.int64), 60)
    viewed = np.minimum((exponential[1] * mean["view"]).astype(np.int64), 120)
    opened = np.minimum((exponential[2] * mean["email_open"]).astype(np.int64), 60)
    total = bought + viewed + opened
    person = np.repeat(np.arange(n), total)
    place = np.arange(person.size) - np.repeat(np.cumsum(total) - total, total)
    kind = (place < np.repeat(bought, total)).astype(np.int8)
    kind[place >= np.repeat(bought + viewed, total)] = 2
    # the season bends time without changing its order
    u = first[person] + rng.random(person.size) * span[person]
    second = np.minimum(np.interp(u, SEASON, MONTH_ENDS) * YEAR_SECONDS, YEAR_SECONDS - 1)
    # one integer key sorts by person, then time, and carries the kind along
    key = (person << 27) | (second.astype(np.int64) << 2) | kind
    key.sort()
    kind = (key & 3).astype(np.int8)
    second = ((key >> 2) & ((1 << 25) - 1)).astype(np.int32)
    u = rng.random(person.size, dtype=np.float32)
    category = np.zeros(person.size, dtype=np.int16)
    for step in range(5):
        category += u > pull[step][person]
    chance = (rng.random(person.size, dtype=np.float32) * 256).astype(np.int16)
    product = _shelf().ravel()[(category * 3 + line[person]) * np.int16(256) + chance]
    rows = np.flatnonzero(kind == 1)
    v = rng.random(rows.size)
    amount = np.zeros(person.size)
    quantity = 1 + (v > 0.80).astype(np.int64) + (v > 0.95) + 3 * (v > 0.992)
    amount[rows] = np.round(_catalogue()[0][product[rows]] * quantity, 2)
    product[kind == 2] = -2
    return {
        "person": (person + start).astype(np.int32),
        "second": second,
        "kind": kind,
        "product": product,
        "category": category.astype(np.int8),
        "amount": amount,
    }


@mechanism("observed")
def history(rng, n, *, events):
    """What the last 12 months leave: recency, spend, and whether sports or fashion were bought."""
    del rng  # a summary of the events draws nothing
    rows = np.flatnonzero(events["kind"] == 1)
    person = events["person"][rows]
    spend = np.round(np.bincount(person, events["amount"][rows], n), 2)
    last = np.flatnonzero(np.append(person[1:] != person[:-1], True))
    days = (AS_OF_SECOND - events["second"][rows[last]]) / 86_400
    bought = np.zeros((2, n), dtype=np.int8)
    category = events["category"][rows]
    for number in range(2):
        bought[number][person[category == number]] = 1
    return {
        "recency": np.clip(np.ceil(days / 30.4375), 1, 12).astype(np.int64),
        "spend": spend,
        "sports": bought[0],
        "fashion": bought[1],
    }


@mechanism("observed")
def loyalty_tier(rng, n, *, history, tenure_days):
    """Loyalty tier, from the year's spend and time as a customer."""
    score = np.log(history["spend"] / 150.0) + 0.25 * np.log(tenure_days / 375.0)
    return np.searchsorted([-0.2, 0.7, 1.5], score + 0.35 * rng.standard_normal(n)).astype(np.int8)
