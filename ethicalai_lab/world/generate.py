"""`make_world`: run the causal model and lay out its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ethicalai_lab.core.checks import Whole, checked, whole
from ethicalai_lab.world import answers, consents, legacy, people, pools, shopping
from ethicalai_lab.world import messages as letters
from ethicalai_lab.world.arrays import codes_to_category, frame, join, take
from ethicalai_lab.world.causal import run, stream
from ethicalai_lab.world.config import ARMS, WorldConfig
from ethicalai_lab.world.errors import WorldError
from ethicalai_lab.world.schema import ACTIONS, OUTCOMES, SCHEMA, TRUTH_SCHEMA, levels
from ethicalai_lab.world.texts import words
from ethicalai_lab.world.worlds import Truth, World

__all__ = ["make_world"]

_AS_OF_US = np.datetime64("2026-01-12T00:00:00", "us")
MAX_CUSTOMERS = 5_000_000
_Customers = whole(1, MAX_CUSTOMERS)


def _past(seconds: np.ndarray) -> np.ndarray:
    return _AS_OF_US - (seconds.astype(np.int64) * 1_000_000).astype("timedelta64[us]")


def _since_start(seconds: np.ndarray) -> np.ndarray:
    return shopping.START + (seconds.astype(np.int64) * 1_000_000).astype("timedelta64[us]")


class _Names:
    """Strings of a population's names and addresses, from their codes."""

    def __init__(self, name: np.ndarray, street: np.ndarray, postcode: np.ndarray) -> None:
        firsts = [first for names in pools.first_names() for first in names]
        families = [family for group in pools.surnames() for family in group]
        self._plain_first = [pools.ascii_lower(first) for first in firsts]
        self._plain_last = [pools.ascii_lower(family) for family in families]
        self._codes = name
        self.first = take(firsts, name[0])
        self.full = join(self.first, take(families, name[1]), separator=" ")
        kinds = words("street_kinds")
        streets = [f"{s} {kind}" for s in words("streets") for kind in kinds]
        place = street[0].astype(np.int32) * len(kinds) + street[1]
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
            take(words("email_domains"), (ids * 7 + jurisdiction) % 3),
        )


def _phones(u: np.ndarray, jurisdiction: np.ndarray) -> pa.Array:
    """Return numbers from ranges reserved for fiction."""
    # Ofcom keeps 07700 900000-900999, the North American plan 555-0100 to 555-0199
    pool = [f"+44 7700 900{number:03d}" for number in range(1000)]
    starts, sizes = [0], [1000]
    for codes in (words("california_codes"), words("area_codes")):
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
    table = _table(
        "register",
        {
            "register_id": ids,
            "full_name": names.full,
            "street": names.street,
            "postcode": names.postcode,
            "birth_date": both("birth_date"),
            "gender": both("gender"),
        },
    )
    owner = np.concatenate([listed["person"].astype(np.int64) + 1, np.full(n, -1)])[order]
    return table, frame({"register_id": ids, "customer_id": owner})


def _bias(values, config, n) -> pd.DataFrame:
    group, older = values["ethnic_group"], (values["gender"] == 0) & (values["age"] >= 55)
    log = values["legacy_log"]
    shares = people.GROUP_SHARES
    masks = {
        f"ethnic_group {g}": group == k for k, g in enumerate(levels("customers", "ethnic_group"))
    }
    masks |= {
        "women from 55": older,
        "everyone else": ~values["disfavoured"],
        "all": np.ones(n, bool),
    }

    def rate(values: np.ndarray, mask: np.ndarray) -> float:
        return round(float(values[mask].mean()), 6) if mask.any() else np.nan

    rows = []
    for number, (label, mask) in enumerate(masks.items()):
        hit = number < 5 and mask.any() and bool(values["disfavoured"][mask].all())
        rows.append(
            {
                "group": label,
                # the people of groups A to D have a known share in the population
                "population_share": shares[number] if number < 4 else np.nan,
                "customer_share": round(float(mask.mean()), 6),
                "score_shift": -config.label_bias * legacy.SCORE_SD if hit else 0.0,
                "lost_share": config.label_bias * legacy.LOSS if hit else 0.0,
                "true_visit_rate": rate(log[3], mask),
                "recorded_visit_rate": rate(log[3] * ~log[7], mask),
                "contact_rate": rate(log[0] > 0, mask),
            }
        )
    return pd.DataFrame(rows)


@checked(WorldError)
def make_world(
    n_customers: _Customers = 20_000,
    *,
    seed: Whole = 7,
    config: WorldConfig | None = None,
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
    config = WorldConfig() if config is None else config
    if not isinstance(config, WorldConfig):
        raise WorldError(f"config must be a WorldConfig, not {type(config).__name__}.")
    n = n_customers
    # each mechanism has a stream of its own, so that two threads draw the same as one
    with ThreadPoolExecutor(max_workers=1) as helper:
        others = helper.submit(_non_customers, n, seed, config)
        values = run(n, seed, config)
        hidden = helper.submit(_truth, n, config, values)
        tables, truth = _lay_out(n, seed, config, values, others.result())
        truth = hidden.result() | truth
    truth = {name: truth[name] for name in TRUTH_SCHEMA}
    return World(tables, Truth(truth), seed=seed, config=config)


def _table(name: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with the schema's columns, made of values and of categories' codes."""
    columns = {}
    for column in SCHEMA.get(name) or TRUTH_SCHEMA[name]:
        value = values[column.name]
        if column.kind in ("category", "ordered"):
            value = codes_to_category(value, column.categories, column.kind == "ordered")
        elif column.kind == "date":
            value = value.astype("datetime64[us]")
        columns[column.name] = value
    return frame(columns)


def _lay_out(
    n: int, seed: int, config: WorldConfig, values: dict[str, Any], others: dict[str, Any]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the tables and the truth's tables from the mechanisms' values."""
    ids = np.arange(1, n + 1, dtype=np.int64)
    values = values | {"customer_id": ids}
    names = _Names(values["name"], values["street"], values["postcode"])
    contact = {
        "email": names.email(values["jurisdiction"]),
        "phone": _phones(stream(seed, "phone").random(n), values["jurisdiction"]),
    }
    log, legacy_truth = _programme(values, config)
    preferences, answered = _answers(values["preferences"])
    register, identity = _register(seed, n, values, others)
    products = shopping.products_frame()
    tables = {
        "customers": _customers(values, names, contact),
        "products": products,
        "events": _events(values["events"]),
        "messages": _messages(values["messages"], names, contact, products["name"].to_list()),
        "campaign": _campaign(values),
        "legacy_log": log,
        "consent_events": _consents(values["consent_events"]),
        "register": register,
        "preferences": preferences,
    }
    return tables, {"legacy": legacy_truth, "identity": identity, "answers": answered}


def _customers(values: dict[str, Any], names: _Names, contact: dict[str, pa.Array]) -> pd.DataFrame:
    written = {
        "full_name": names.full,
        "street": names.street,
        "postcode": names.postcode,
        "age": values["age"].astype(np.int64),
    }
    return _table("customers", values | contact | written)


def _events(log: dict[str, np.ndarray]) -> pd.DataFrame:
    told = {
        "customer_id": log["person"].astype(np.int64) + 1,
        "time": _since_start(log["second"]),
        "product_id": log["product"].astype(np.int64) + 1,
    }
    return _table("events", log | told)


def _messages(
    drawn: dict[str, np.ndarray],
    names: _Names,
    contact: dict[str, pa.Array],
    products: list[str],
) -> pd.DataFrame:
    text, spans = letters.write(
        drawn, names.first, names.full, contact["email"], contact["phone"], products
    )
    told = {
        "message_id": np.arange(1, drawn["person"].size + 1, dtype=np.int64),
        "customer_id": drawn["person"] + 1,
        "time": _since_start(drawn["second"]),
        "text": text,
        "language_style": drawn["style"],
        "spans": spans,
    }
    return _table("messages", drawn | told)


def _campaign(values: dict[str, Any]) -> pd.DataFrame:
    past = values["history"]
    visit, conversion, spend, left = values["campaign"]
    outcomes = {
        "recency": past["recency"],
        "history": past["spend"],
        "sports": past["sports"],
        "fashion": past["fashion"],
        "newbie": (values["tenure_days"] <= 365).astype(np.int8),
        "visit": visit.astype(np.int8),
        "conversion": conversion.astype(np.int8),
        "spend": spend,
        "unsubscribed": left.astype(np.int8),
    }
    return _table("campaign", values | outcomes)


def _programme(values: dict[str, Any], config: WorldConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the old programme's log, and what happened without its prejudice and losses."""
    action, propensity, recent, visit, conversion, spend, left, lost = values["legacy_log"]
    kept, ids = ~lost, values["customer_id"]
    happened = {"visit": visit, "conversion": conversion, "spend": spend}
    weeks = {
        "customer_id": np.repeat(ids, legacy.WEEKS),
        "week": np.tile(np.arange(legacy.WEEKS, dtype=np.int8), ids.size),
    }
    log = weeks | {
        "action": action.ravel(),
        "propensity": propensity.ravel(),
        "score": np.repeat(values["legacy_score"], legacy.WEEKS),
        "recent_contacts": recent.ravel(),
        "unsubscribed": left.ravel(),
    }
    shift = config.label_bias * legacy.SCORE_SD * values["disfavoured"]
    fair = np.repeat(np.round(values["legacy_score"] + shift, 4), legacy.WEEKS)
    recorded = {name: (outcome * kept).ravel() for name, outcome in happened.items()}
    whole = {name: outcome.ravel() for name, outcome in happened.items()}
    return _table("legacy_log", log | recorded), _table("legacy", weeks | {"score": fair} | whole)


def _consents(said: dict[str, np.ndarray]) -> pd.DataFrame:
    told = {
        "customer_id": said["person"] + 1,
        "time": _past(said["second_past"]),
        "notice_version": take(consents.NOTICES, said["notice"]),
    }
    return _table("consent_events", said | told)


def _answers(asked: dict[str, np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what people answered when asked, and the true answers."""
    pool = pa.array(answers.ANSWER_POOL, pa.string())
    told = asked | {
        "customer_id": asked["person"].astype(np.int64) + 1,
        "time": _past(asked["second_past"]),
    }
    given = pool.take(pa.array(asked["said"], mask=asked["said"] < 0))
    true = pool.take(pa.array(asked["truth"]))
    return _table("preferences", told | {"answer": given}), _table(
        "answers", told | {"answer": true}
    )


def _weekly(ids: np.ndarray, journeys: legacy.Journeys) -> pd.DataFrame:
    """Return the wide table of expected weekly outcomes."""
    cells = [
        (outcome, number, k)
        for outcome in OUTCOMES
        for number in range(len(ACTIONS))
        for k in range(legacy.MAX_CONTACTS + 1)
    ]
    grid = np.empty((len(cells), ids.size), dtype=np.float32)
    for row, (outcome, number, k) in enumerate(cells):
        value = journeys.expected(outcome, number, k) * 1e6
        np.rint(value, out=value)
        np.divide(value, 1e6, out=grid[row], casting="same_kind")
    names = [f"{outcome}_{ACTIONS[number]}_{k}" for outcome, number, k in cells]
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
        for prefix, chances in (
            ("p_visit", expected["visit"]),
            ("p_conversion", expected["conversion"]),
            ("expected_spend", expected["spend"]),
            ("p_unsubscribe", risk),
        ):
            potential[f"{prefix}_{arm}"] = np.round(chances[number], 6)
        drawn = values["potential_outcomes"][number]
        potential |= {f"{name}_{arm}": one for name, one in zip(OUTCOMES, drawn, strict=True)}
    for prefix in ("p_visit", "p_conversion", "expected_spend", "p_unsubscribe"):
        for arm in ARMS[1:]:
            lift = potential[f"{prefix}_{arm}"] - potential[f"{prefix}_no_mail"]
            uplift[f"{prefix.partition('_')[2]}_{arm}"] = np.round(lift, 6)

    def by_person(table: str, rows: Iterable[Any]) -> pd.DataFrame:
        names = [column.name for column in TRUTH_SCHEMA[table][1:]]
        return frame({"customer_id": ids} | dict(zip(names, rows, strict=True)))

    known = values | {"customer_id": ids, "privacy_concern": values["personal_concern"]}
    return {
        "potential_outcomes": frame(potential),
        "uplift": frame(uplift),
        "interests": by_person("interests", values["interests"]),
        "people": _table("people", known),
        "purposes": by_person("purposes", values["accepted_purposes"]),
        "bias": _bias(values, config, n),
        "journeys": _weekly(ids, values["journeys"]),
    }
