"""What an evaluation runs on: people in one order, values as plain arrays, read once."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.world import PURPOSES, World

__all__ = ["EvaluationContext", "WorldContext"]

_NEEDED = (
    "customers",
    "products",
    "events",
    "campaign",
    "preferences",
    "consent_events",
    "register",
)


class EvaluationContext(ABC):
    """What an evaluation runs on, whoever made it: people in one order, values as arrays.

    `of_world` makes one of a world with its truth; `own_data.TableContext` is one of a team's own
    table. Stages and measures ask it; what it does not hold a measure answers with `Needs`.

    Attributes
    ----------
    n : int
        People.
    ids : ndarray of int, shape (n,)
    customers : DataFrame of n rows
    as_of : Timestamp
        The moment of the decision.
    offers : tuple of str
        What a message may be.
    fingerprint : str
        A checksum of all that is held; empty where results are not told apart by it.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> EvaluationContext.of_world(make_world(200, seed=1)).n
    200
    """

    n: int
    ids: NDArray[np.int64]
    customers: pd.DataFrame
    as_of: pd.Timestamp
    offers: tuple[str, ...]
    groups: dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]
    identity: str
    fingerprint: str = ""
    name: str

    def __init__(self, seed: int, part: float) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise PolicyError(f"seed is {seed!r}; a whole number from 0 on is accepted.")
        self.seed = seed
        self.part = part
        self.entropy: tuple[int, ...] = (seed,)
        self._kept: dict[Any, Any] = {}

    @staticmethod
    def of_world(world: World, *, seed: int = 0) -> WorldContext:
        """Return the context of a world.

        Parameters
        ----------
        world : World
            With its truth.
        seed : int, default 0
            Of every draw that an evaluation makes; another world is dealt other chances.

        Raises
        ------
        PolicyError
            If the world lacks a table or its truth.
        """
        return WorldContext(world, seed=seed)

    def about(self, values: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a reader must know of the data besides its measures."""
        return {}

    def lacks(self, policy: Any, key: str, needs: str) -> str:
        """Return what a measure needs, here and under a policy; `needs` as its own step said."""
        return needs

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        """Return what depends on the people alone, worked out once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def sample(self, name: str, size: int) -> NDArray[np.int64]:
        """Draw the same people whatever the policy: their positions, in rising order."""
        return self.once(
            ("sample", name), lambda: np.sort(self.rng(name).permutation(self.n)[:size])
        )

    def rng(self, name: str) -> np.random.Generator:
        """Return a random stream of its own for a name, whatever else is drawn."""
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(key,)))

    @abstractmethod
    def half(self, number: int) -> EvaluationContext:
        """Return a random half of the people, the same at every call, with chances of its own."""

    @abstractmethod
    def records(self, people: NDArray[np.int64]) -> dict[int, dict[str, Any]]:
        """Return what is stored of some people, by number; an `email` tells them apart."""

    def fewest(self, people: int) -> int:
        """Return how many people are too few here, where so many are on all the people.

        A refit must do what the run did: its groups and folds are half as large.
        """
        return ceil(people * self.part)

    def half_rows(self, number: int) -> tuple[NDArray[np.int64], int]:
        """Return the positions of a random half of the people, in order, and a seed of its own."""
        sequence = np.random.SeedSequence(self.entropy, spawn_key=(0x4A1F, number))
        rng = np.random.default_rng(sequence)
        rows = np.sort(rng.permutation(self.n)[: self.n // 2])
        return rows, int(rng.integers(2**32))

    def chances(self, name: str, *shape: int) -> NDArray[np.float64]:
        """Return uniform numbers for a name, the same at every call."""
        return self.once((name, shape), lambda: self.rng(name).random(shape))


class WorldContext(EvaluationContext):
    """A world as the stages see it; made by `EvaluationContext.of_world`."""

    offers = ("sports_mail", "fashion_mail")

    def __init__(self, world: World, *, seed: int, part: float = 1.0) -> None:
        super().__init__(seed, part)
        if not isinstance(world, World):
            raise PolicyError(
                f"world is a {type(world).__name__}; a World is accepted, or a table with roles."
            )
        lacking = [name for name in _NEEDED if name not in world.tables]
        if lacking:
            raise PolicyError(
                f"This world has no table {lacking[0]}; an evaluation needs {', '.join(_NEEDED)}."
            )
        if not world.truth.tables:
            raise PolicyError(
                "This world has no truth, so people's response cannot be simulated; for a table "
                "of your own give the table with its roles."
            )
        self.world = world
        self.customers = world.customers.sort_values("customer_id", ignore_index=True)
        self.ids: NDArray[np.int64] = self.customers["customer_id"].to_numpy(np.int64)
        self.n = len(self.ids)
        self.as_of = world.as_of
        number = int(self.identity, 16) if world.seed is None else world.seed
        self.entropy = (seed, number)

    def half(self, number: int) -> WorldContext:
        """Return a random half of the people as a world of its own, with chances of its own."""
        rows, seed = self.half_rows(number)
        return WorldContext(self.world.part(self.ids[rows]), seed=seed, part=self.part / 2)

    @property
    def name(self) -> str:
        """Which world it is."""
        seed = self.world.seed
        return "world" if seed is None else f"synthetic world, seed {seed}"

    def records(self, people: NDArray[np.int64]) -> dict[int, dict[str, Any]]:
        """Return name, address, birth date and spending of some customers, by number."""
        table = self.customers.iloc[people]
        rows = {
            "name": table["full_name"].astype(str),
            "email": table["email"].astype(str),
            "born": table["birth_date"].dt.strftime("%Y-%m-%d"),
            "spent": self.campaign["history"].iloc[people],
        }
        columns = [list(column) for column in rows.values()]
        return {
            int(who): {name: column[i] for name, column in zip(rows, columns, strict=True)}
            for i, who in enumerate(self.ids[people])
        }

    def aligned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table of one row a customer in the order of `ids`."""
        if np.array_equal(table["customer_id"].to_numpy(), self.ids):
            return table
        return table.set_index("customer_id").loc[self.ids].reset_index()

    def rows_of(self, customer_ids: Any) -> NDArray[np.int64]:
        """Return each customer's position, -1 for strangers."""
        return pd.Index(self.ids).get_indexer(np.asarray(customer_ids))

    @cached_property
    def campaign(self) -> pd.DataFrame:
        """The randomised campaign, one row a customer."""
        return self.aligned(self.world.campaign)

    @cached_property
    def arm(self) -> NDArray[Any]:
        """Arm of the randomised campaign of each customer, as text."""
        return self.campaign["arm"].astype(object).to_numpy()

    @cached_property
    def uses_app(self) -> NDArray[np.bool_]:
        """Who shops in the app."""
        return self.customers["device"].astype(object).to_numpy() == "app"

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """Questions that customers were asked about what they like."""
        return tuple(sorted(self.world.preferences["question"].astype(object).unique()))

    @cached_property
    def people(self) -> pd.DataFrame:
        """Truth: privacy concern, trust and fatigue of each customer."""
        return self.aligned(self.world.truth.people)

    @cached_property
    def accepts(self) -> NDArray[np.bool_]:
        """Truth: purposes really accepted, shape (4, n), in the order of PURPOSES."""
        table = self.aligned(self.world.truth.purposes)
        return np.stack([table[name].to_numpy(bool) for name in PURPOSES])

    @cached_property
    def uplift(self) -> pd.DataFrame:
        """Truth: what each mail changes for each customer."""
        return self.aligned(self.world.truth.uplift)

    @cached_property
    def regime(self) -> NDArray[np.int8]:
        """Each person's own regime: 0 gdpr, 1 ccpa, 2 other."""
        names = {"EU": 0, "California": 1}
        where = self.customers["jurisdiction"].astype(str)
        return where.map(names).fillna(2).to_numpy(np.int8)

    @cached_property
    def sends_gpc(self) -> NDArray[np.bool_]:
        """Whether the person's browser has sent a Global Privacy Control signal."""
        events = self.world.consent_events
        who = events.loc[events["source"].astype(str) == "gpc_signal", "customer_id"]
        return np.isin(self.ids, who.to_numpy())

    @cached_property
    def purchases(self) -> dict[str, NDArray[Any]]:
        """Purchases as arrays: person (position), age in days at the decision, amount, category."""
        events = self.world.events
        bought = events[events["kind"].astype(str).to_numpy() == "purchase"]
        products = self.world.products
        place = pd.Index(products["product_id"]).get_indexer(bought["product_id"])
        category = products["category"].cat.codes.to_numpy()[place]
        age = (self.as_of - bought["time"]).dt.total_seconds().to_numpy() / 86_400
        return {
            "person": self.rows_of(bought["customer_id"]),
            "days": age,
            "amount": bought["amount"].to_numpy(float),
            "category": category.astype(np.int8),
        }

    @cached_property
    def groups(self) -> dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]:
        """Protected groups: codes and names, for gender, ethnic_group, age_band, disability."""
        found = {}
        for name in ("gender", "ethnic_group"):
            column = self.customers[name].astype("category")
            found[name] = (column.cat.codes.to_numpy(np.int64), tuple(column.cat.categories))
        age = self.customers["age"].to_numpy()
        found["age_band"] = (
            np.digitize(age, [30, 45, 60]).astype(np.int64),
            ("under 30", "30 to 44", "45 to 59", "60 and over"),
        )
        sick = self.customers["disability"].to_numpy(bool)
        found["disability"] = (sick.astype(np.int64), ("no disability", "disability"))
        return found

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of all that the world holds, its truth and its date included."""
        parts = [*sorted(self.world.checksums().items()), str(self.as_of)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    @cached_property
    def identity(self) -> str:
        """A checksum of the people and the campaign: two scorecards with one are paired."""
        digest = hashlib.sha256(str(self.n).encode())
        for column in ("customer_id", "visit", "spend", "recency"):
            digest.update(np.ascontiguousarray(self.campaign[column].to_numpy(float)).tobytes())
        return digest.hexdigest()[:16]
