"""`make_world`: run the causal model and lay out its tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ethicalai_lab.world import answers, consents, legacy, people, pools, shopping
from ethicalai_lab.world import messages as letters
from ethicalai_lab.world.arrays import codes_to_category, frame, join, take
from ethicalai_lab.world.causal import run, stream
from ethicalai_lab.world.config import ARMS, CATEGORIES, JURISDICTIONS, PURPOSES, WorldConfig
from ethicalai_lab.world.errors import WorldError
from ethicalai_lab.world.schema import OUTCOMES, TRUTH_SCHEMA
from ethicalai_lab.world.worlds import Truth, World

__all__ = ["make_world"]

_AS_OF_US = np.datetime64("2026-01-12T00:00:00", "us")
MAX_CUSTOMERS = 5_000_000


def _past(seconds: np.ndarray) -> np.ndarray:
    return _AS_OF_US - (seconds.astype(np.int64) * 1_000_000).astype("timedelta64[us]")


def _since_start(seconds: np.ndarray) -> np.ndarray:
    return shopping.START + (seconds.astype(np.int64) * 1_000_000).astype("timedelta64[us]")


def _day(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[us]")


class _Names:
    """Strings of a population's names and addresses, from their codes."""

    def __init__(self, name: np.ndarray, street: np.ndarray, postcode: np.ndarray) -> None:
        firsts = [*pools.FEMALE_NAMES, *pools.MALE_NAMES, *pools.NEUTRAL_NAMES]
        families = [family for group in pools.surnames() for family in group]
        self._plain_first = [pools.ascii_lower(first) for first in firsts]
        self._plain_last = [pools.ascii_lower(family) for family in families]
        self._codes = name
        self.first = take(firsts, name[0])
        self.full = join(self.first, take(families, name[1]), separator=" ")
        streets = [f"{s} {kind}" for s in pools.STREETS for kind in pools.STREET_KINDS]
        place = street[0].astype(np.int32) * len(pools.STREET_KINDS) + street[1]
        houses = [str(number) for number in range(150)]
        self.street = join(take(streets, place), take(houses, street[2]), separator=" ")
        self.postcode = take(pools.geography().codes, postcode)

    def email(self, jurisdiction: np.ndarray) -> pa.Array:
        """Return one address a person, unique, at a domain that cannot exist."""
        count = self._codes.shape[1]
        ids = np.arange(1, count + 1, dtype=np.int64)
        size = 10 ** max(3, len(str(count)))
        # a bijection on the numbers below size, so that the address hides the order
        number = pa.array((ids * 7919 + 31337) % size).cast(pa.string())
        return join(
            take(self._plain_first, self._codes[0]),
            ".",
            take(self._plain_last, self._codes[1]),
            number,
            "@",
            take(pools.EMAIL_DOMAINS, (ids * 7 + jurisdiction) % 3),
        )


def _phones(u: np.ndarray, jurisdiction: np.ndarray) -> pa.Array:
    """Return numbers from ranges reserved for fiction."""
    # Ofcom keeps 07700 900000-900999, the North American plan 555-0100 to 555-0199
    pool = [f"+44 7700 900{number:03d}" for number in range(1000)]
    starts, sizes = [0], [1000]
    for codes in (pools.CALIFORNIA_CODES, pools.AREA_CODES):
        starts.append(len(pool))
        pool += [f"+1 {code} 555 01{number:02d}" for code in codes for number in range(100)]
        sizes.append(len(pool) - starts[-1])
    place = np.array(starts)[jurisdiction] + (u * np.array(sizes)[jurisdiction]).astype(np.int64)
    return take(pool, place)


def _non_customers(n: int, seed: int, config: WorldConfig) -> dict[str, Any]:
    """Return the demographics of as many people again who are no customers."""
    everyone = replace(config, representation=1.0)
    return run(n, seed, everyone, people.DEMOGRAPHICS, prefix="register/")


def _register(seed, n, values, other) -> tuple[pd.DataFrame, pd.DataFrame]:
    listed = values["register_entries"]
    size = listed["person"].size + n
    order = stream(seed, "register/order").permutation(size)

    def both(name):
        return np.concatenate([listed[name], other[name]], axis=-1)[..., order]

    names = _Names(both("name"), both("street"), both("postcode"))
    ids = np.arange(1, size + 1, dtype=np.int64)
    table = frame(
        {
            "register_id": ids,
            "full_name": names.full,
            "street": names.street,
            "postcode": names.postcode,
            "birth_date": _day(both("birth_date")),
            "gender": codes_to_category(both("gender"), people.GENDERS),
        }
    )
    owner = np.concatenate([listed["person"].astype(np.int64) + 1, np.full(n, -1)])[order]
    return table, frame({"register_id": ids, "customer_id": owner})


def _bias(values, config, n) -> pd.DataFrame:
    group, older = values["ethnic_group"], (values["gender"] == 0) & (values["age"] >= 55)
    log = values["legacy_log"]
    shares = people.GROUP_SHARES
    masks = {f"ethnic_group {g}": group == k for k, g in enumerate(people.GROUPS)}
    masks |= {
        "women from 55": older,
        "everyone else": ~values["disfavoured"],
        "all": np.ones(n, bool),
    }
    rows = []
    for number, (label, mask) in enumerate(masks.items()):
        hit = bool(values["disfavoured"][mask].all()) if mask.any() else False
        hit = hit if number < 5 else False
        # the people of groups A and B have no knob: their share in the population is known
        population = shares[number] if number < 4 else np.nan
        rows.append(
            {
                "group": label,
                "population_share": population,
                "customer_share": round(float(mask.mean()), 6),
                "score_shift": -config.label_bias * legacy.SCORE_SD if hit else 0.0,
                "lost_share": config.label_bias * legacy.LOSS if hit else 0.0,
                "true_visit_rate": round(float(log[3][mask].mean()), 6) if mask.any() else np.nan,
                "recorded_visit_rate": (
                    round(float((log[3] * ~log[7])[mask].mean()), 6) if mask.any() else np.nan
                ),
                "contact_rate": round(float((log[0][mask] > 0).mean()), 6)
                if mask.any()
                else np.nan,
            }
        )
    return pd.DataFrame(rows)


def make_world(
    n_customers: int = 20_000, *, seed: int = 7, config: WorldConfig | None = None
) -> World:
    """Draw a synthetic retailer's world from the causal model, and keep its truth.

    Parameters
    ----------
    n_customers : int, from 1 to 5,000,000, default 20,000
        Number of customers.
    seed : int, 0 or more, default 7
        Same seed, same world, byte for byte.
    config : WorldConfig, optional
        The knobs; defaults if left out.

    Returns
    -------
    World
        The tables, and ``world.truth``.

    Raises
    ------
    WorldError
        If an argument is out of its range.

    References
    ----------
    Hillstrom, K. (2008). The MineThatData E-Mail Analytics And Data Mining Challenge.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(500, seed=1)
    >>> len(world.customers), world.campaign["arm"].nunique()
    (500, 3)
    """
    if (
        isinstance(n_customers, bool)
        or not isinstance(n_customers, Integral)
        or not (1 <= n_customers <= MAX_CUSTOMERS)
    ):
        raise WorldError(
            f"n_customers must be a whole number from 1 to {MAX_CUSTOMERS:,}, not {n_customers!r}."
        )
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise WorldError(f"seed must be a whole number, 0 or more, not {seed!r}.")
    config = WorldConfig() if config is None else config
    if not isinstance(config, WorldConfig):
        raise WorldError(f"config must be a WorldConfig, not {type(config).__name__}.")
    n, seed = int(n_customers), int(seed)
    # each mechanism has a stream of its own, so that two threads draw the same as one
    with ThreadPoolExecutor(max_workers=1) as helper:
        others = helper.submit(_non_customers, n, seed, config)
        values = run(n, seed, config)
        hidden = helper.submit(_truth, n, config, values)
        tables, truth = _lay_out(n, seed, config, values, others.result())
        truth = hidden.result() | truth
    truth = {name: truth[name] for name in TRUTH_SCHEMA}
    return World(tables, Truth(truth), seed=seed, config=config)


def _lay_out(
    n: int, seed: int, config: WorldConfig, values: dict[str, Any], others: dict[str, Any]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the tables and the truth's tables from the mechanisms' values."""
    ids = np.arange(1, n + 1, dtype=np.int64)
    names = _Names(values["name"], values["street"], values["postcode"])
    email = names.email(values["jurisdiction"])
    phone = _phones(stream(seed, "phone").random(n), values["jurisdiction"])
    cat = codes_to_category
    customers = frame(
        {
            "customer_id": ids,
            "full_name": names.full,
            "email": email,
            "phone": phone,
            "street": names.street,
            "postcode": names.postcode,
            "region": cat(values["region"], people.REGIONS),
            "birth_date": _day(values["birth_date"]),
            "age": values["age"].astype(np.int64),
            "gender": cat(values["gender"], people.GENDERS),
            "ethnic_group": cat(values["ethnic_group"], people.GROUPS),
            "household_income": values["household_income"],
            "education": cat(values["education"], people.EDUCATIONS, ordered=True),
            "occupation": cat(values["occupation"], people.OCCUPATIONS),
            "marital_status": cat(values["marital_status"], people.MARITAL),
            "household_size": values["household_size"],
            "disability": values["disability"],
            "tenure_days": values["tenure_days"],
            "device": cat(values["device"], people.DEVICES),
            "loyalty_tier": cat(values["loyalty_tier"], shopping.TIERS, ordered=True),
            "jurisdiction": cat(values["jurisdiction"], JURISDICTIONS),
            "health_interest": values["health_interest"],
            "financial_stress": values["financial_stress"],
        }
    )
    products = shopping.products_frame()
    log = values["events"]
    events = frame(
        {
            "customer_id": log["person"].astype(np.int64) + 1,
            "time": _since_start(log["second"]),
            "kind": cat(log["kind"], shopping.KINDS),
            "product_id": log["product"].astype(np.int64) + 1,
            "amount": log["amount"],
        }
    )
    drawn = values["messages"]
    text, spans = letters.write(
        drawn, names.first, names.full, email, phone, products["name"].to_list()
    )
    messages = frame(
        {
            "message_id": np.arange(1, drawn["person"].size + 1, dtype=np.int64),
            "customer_id": drawn["person"] + 1,
            "time": _since_start(drawn["second"]),
            "text": text,
            "language_style": cat(drawn["style"], letters.STYLES),
            "intent": cat(drawn["intent"], letters.INTENTS),
            "sentiment": cat(drawn["sentiment"], letters.SENTIMENTS),
            "spans": spans,
        }
    )
    past, seen = values["history"], values["campaign"]
    experiment = frame(
        {
            "customer_id": ids,
            "recency": past["recency"],
            "history": past["spend"],
            "sports": past["sports"],
            "fashion": past["fashion"],
            "newbie": (values["tenure_days"] <= 365).astype(np.int8),
            "channel": cat(values["channel"], shopping.CHANNELS),
            "arm": cat(values["arm"], ARMS),
            "visit": seen[0].astype(np.int8),
            "conversion": seen[1].astype(np.int8),
            "spend": seen[2],
            "unsubscribed": seen[3].astype(np.int8),
        }
    )
    action, propensity, recent, visit, conversion, spend, left, lost = values["legacy_log"]
    kept = ~lost
    person = np.repeat(ids, legacy.WEEKS)
    week = np.tile(np.arange(legacy.WEEKS, dtype=np.int8), n)
    score = np.repeat(values["legacy_score"], legacy.WEEKS)
    legacy_log = frame(
        {
            "customer_id": person,
            "week": week,
            "action": cat(action.ravel(), legacy.ACTIONS),
            "propensity": propensity.ravel(),
            "score": score,
            "recent_contacts": recent.ravel(),
            "visit": (visit * kept).ravel(),
            "conversion": (conversion * kept).ravel(),
            "spend": (spend * kept).ravel(),
            "unsubscribed": left.ravel(),
        }
    )
    said = values["consent_events"]
    consent_events = frame(
        {
            "customer_id": said["person"] + 1,
            "purpose": cat(said["purpose"], PURPOSES),
            "action": cat(said["action"], consents.ACTIONS),
            "time": _past(said["second_past"]),
            "notice_version": take(consents.NOTICES, said["notice"]),
            "source": cat(said["source"], consents.SOURCES),
            "regime": cat(said["regime"], consents.REGIMES),
        }
    )
    asked = values["preferences"]
    pool = pa.array(answers.ANSWER_POOL, pa.string())
    question = cat(asked["question"], answers.QUESTIONS)
    given = pool.take(pa.array(asked["said"], mask=asked["said"] < 0))
    preferences = frame(
        {
            "customer_id": asked["person"].astype(np.int64) + 1,
            "question": question,
            "answer": given,
            "time": _past(asked["second_past"]),
        }
    )
    register, identity = _register(seed, n, values, others)
    tables = {
        "customers": customers,
        "products": products,
        "events": events,
        "messages": messages,
        "campaign": experiment,
        "legacy_log": legacy_log,
        "consent_events": consent_events,
        "register": register,
        "preferences": preferences,
    }
    truth = {
        "legacy": frame(
            {
                "customer_id": person,
                "week": week,
                "score": np.repeat(
                    np.round(
                        values["legacy_score"]
                        + config.label_bias * legacy.SCORE_SD * values["disfavoured"],
                        4,
                    ),
                    legacy.WEEKS,
                ),
                "visit": visit.ravel(),
                "conversion": conversion.ravel(),
                "spend": spend.ravel(),
            }
        ),
        "identity": identity,
        "answers": frame(
            {
                "customer_id": asked["person"].astype(np.int64) + 1,
                "question": question,
                "answer": pool.take(pa.array(asked["truth"])),
                "truthful": asked["truthful"],
            }
        ),
    }
    return tables, truth


def _weekly(ids: np.ndarray, journeys: legacy.Journeys) -> pd.DataFrame:
    """Return the wide table of expected weekly outcomes."""
    cells = [
        (outcome, number, k)
        for outcome in OUTCOMES
        for number in range(len(legacy.ACTIONS))
        for k in range(legacy.MAX_CONTACTS + 1)
    ]
    grid = np.empty((len(cells), ids.size), dtype=np.float32)
    for row, (outcome, number, k) in enumerate(cells):
        value = journeys.expected(outcome, number, k) * 1e6
        np.rint(value, out=value)
        np.divide(value, 1e6, out=grid[row], casting="same_kind")
    names = [f"{outcome}_{legacy.ACTIONS[number]}_{k}" for outcome, number, k in cells]
    table = pd.DataFrame(grid.T, columns=names, copy=False)
    table.insert(0, "customer_id", ids)
    return table


def _truth(n, config, values) -> dict[str, pd.DataFrame]:
    """Return the tables that practitioners never have."""
    ids = np.arange(1, n + 1, dtype=np.int64)
    expected, risk = values["responses"], values["unsubscribe_risk"]
    potential: dict[str, Any] = {"customer_id": ids}
    uplift: dict[str, Any] = {"customer_id": ids}
    for number, arm in enumerate(ARMS):
        potential[f"p_visit_{arm}"] = np.round(expected["visit"][number], 6)
        potential[f"p_conversion_{arm}"] = np.round(expected["conversion"][number], 6)
        potential[f"expected_spend_{arm}"] = np.round(expected["spend"][number], 6)
        potential[f"p_unsubscribe_{arm}"] = np.round(risk[number], 6)
        names = ("visit", "conversion", "spend", "unsubscribed")
        for name, values_drawn in zip(names, values["potential_outcomes"][number], strict=True):
            potential[f"{name}_{arm}"] = values_drawn
    columns = {
        "visit": "p_visit",
        "conversion": "p_conversion",
        "spend": "expected_spend",
        "unsubscribe": "p_unsubscribe",
    }
    for outcome, column in columns.items():
        for arm in ARMS[1:]:
            lift = potential[f"{column}_{arm}"] - potential[f"{column}_no_mail"]
            uplift[f"{outcome}_{arm}"] = np.round(lift, 6)
    latent = {
        "privacy_concern": "personal_concern",
        "trust": "trust",
        "fatigue_sensitivity": "fatigue_sensitivity",
        "honesty": "honesty",
        "price_sensitivity": "price_sensitivity",
        "activity": "activity",
        "financial_strain": "financial_strain",
        "health_burden": "health_burden",
        "active_share": "active_share",
    }
    return {
        "potential_outcomes": frame(potential),
        "uplift": frame(uplift),
        "interests": frame(
            {"customer_id": ids}
            | {name: values["interests"][k] for k, name in enumerate(CATEGORIES)}
        ),
        "people": frame(
            {"customer_id": ids}
            | {name: values[source] for name, source in latent.items()}
            | {
                "favoured_line": codes_to_category(values["favoured_line"], shopping.LINES),
                "disfavoured": values["disfavoured"],
            }
        ),
        "purposes": frame(
            {"customer_id": ids}
            | {name: values["accepted_purposes"][k] for k, name in enumerate(PURPOSES)}
        ),
        "bias": _bias(values, config, n),
        "journeys": _weekly(ids, values["journeys"]),
    }
